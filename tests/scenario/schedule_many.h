/* schedule_many.h - many schedules, in several processes, and what they reached.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each process takes every n-th seed, so that the schedules are the same for any number
 * of processes; at its end it hands its counts and its states over a pipe. One that
 * dies (an assertion, a sanitizer) is reported with the seed that it was at.
 */
#ifndef CLOWDER_TESTS_SCENARIO_SCHEDULE_MANY_H
#define CLOWDER_TESTS_SCENARIO_SCHEDULE_MANY_H

#include "tests/scenario/schedule.h"

enum { MANY_JOBS_MAX = 64, MANY_REPORTS_MAX = 10 };

struct tally { /* counts only: they can be added up */
    uint64_t schedules, failures, txns, acts, turns, faults, simulated_ms;
    struct cover cover;
};

struct many {
    struct schedule_options options;
    uint64_t from, count;
    int jobs;
    /* A schedule failed; called in its process, for its first few. */
    void (*report)(void *ctx, uint64_t seed, const struct schedule_result *result);
    void *ctx;
    struct tally tally; /* what came of all */
    struct states *states, *moves;
    int died; /* processes that did not come to their end */
};
void many_run(struct many *many);
void many_done(struct many *many);

#endif
