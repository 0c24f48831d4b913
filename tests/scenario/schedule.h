/* schedule.h - one random rollout over the model ZooKeeper, drawn from a seed.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Story. The seed decides all: the rollout (hosts, waves, limits, failures, late
 * hosts), the network (delays, servers), and for a faulty while: the fate of each
 * request (lost, carried out but its reply lost, late, expired session, slow), kills of
 * a host's process right at a request or between any two things it does, and events
 * (crashes, cuts, expiries, servers that go away, slow networks, jumps of the wall
 * clock, operators who pause, abort, change limits, and die while they do so). Then
 * everything is healed and started again, an operator resumes what is paused, and the
 * rollout must come to its end: closed, every member at its own, no ticket and no
 * permit left, nothing written any more. The checker watches throughout.
 *
 * Every fault, kill and event has an id that is the same in each run; `only` lets a few
 * of them happen: that is how a failing schedule is made shorter.
 */
#ifndef CLOWDER_TESTS_SCENARIO_SCHEDULE_H
#define CLOWDER_TESTS_SCENARIO_SCHEDULE_H

#include "tests/scenario/schedule_cover.h"
#include "tests/scenario/states.h"
#include "tests/support/mutant_zk.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct schedule_options {
    int hosts;    /* 0 = drawn, 2..7 */
    int rate_ppm; /* of request faults; -1 = drawn */
    enum mutant mutant;
    bool no_ask, journal_after_act, hasty; /* mutants of the visitor */
    bool no_zone;                          /* and of the runner */
    bool lenient; /* a grant that does not check the gate, an act without leave: no
                     violation of their own; only what really went wrong */
    enum txn_kind aim_txn; /* TXN_READ = as drawn */
    enum blow aim_blow;
    FILE *trace;                   /* NULL = none */
    const char *dump;              /* a file for the history; NULL = none */
    struct states *states, *moves; /* of the whole swarm; a move: a state and the
                                      transaction that it was left by; NULL = none */
    struct cover *cover;           /* added to; NULL = none */
    const uint64_t *only;          /* ids of what may happen; NULL = all */
    int only_count;
};

struct schedule_fault { /* that did happen */
    uint64_t id;
    char text[96];
};

struct schedule_result {
    char failure[1600]; /* "" = it held */
    char config[400];   /* for people */
    int hosts;
    struct schedule_fault *faults;
    int faults_count;
    int txns, acts;
    uint64_t turns;
    int64_t took_ms; /* simulated */
};

void schedule_run(const struct schedule_options *options, uint64_t seed,
                  struct schedule_result *ret);
void schedule_result_done(struct schedule_result *result);

#endif
