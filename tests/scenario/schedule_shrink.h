/* schedule_shrink.h - the shortest form of a schedule that fails.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * It is run again with halves of its faults left out, then quarters, and at last one by
 * one, then with fewer hosts, as long as it still fails (any failure will do).
 */
#ifndef CLOWDER_TESTS_SCENARIO_SCHEDULE_SHRINK_H
#define CLOWDER_TESTS_SCENARIO_SCHEDULE_SHRINK_H

#include "tests/scenario/schedule.h"

struct shrink {
    struct schedule_options options; /* its number of hosts is that of the shortest */
    struct schedule_result result;   /* of the shortest that fails */
    uint64_t seed, *ids;             /* of the faults that it needs */
    int ids_count, runs;
};
void shrink_run(struct shrink *s, const struct schedule_options *options,
                uint64_t seed);
void shrink_done(struct shrink *s);

#endif
