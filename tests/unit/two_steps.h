/* two_steps.h - a visit over two steps and a runner of the test's own.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The world is one value for each of two steps; to change it is an act, which is asked
 * for and counted. A crash is a flow step that never ends: the visit and the journal
 * are thrown away, and others made from what is on the disk.
 */
#ifndef CLOWDER_TESTS_UNIT_TWO_STEPS_H
#define CLOWDER_TESTS_UNIT_TWO_STEPS_H

#include "agentd/visit.h"

enum { CRASHED = 7, ENDED = 0, STEPS = 2 };

struct world { /* shared with the processes that are killed */
    bool installed[STEPS];
    int acts[STEPS], reverts[STEPS];
    bool first_fails, cni_fails;
    bool first_is_stuck; /* its revert fails */
    bool cni_remembers;  /* once only, and a revert forgets nothing: as a container */
    bool repairs;        /* the host was done, and mends itself */
    bool first_declared; /* complete, by an operator */
    const char *more;    /* words of its failure */
    int undo_fails;      /* with that code */
    bool gate_closed;    /* no first disruption; what goes back may */
    bool asks_late;      /* the second step, when its files are in place */
    bool restarted;      /* its question was answered, and it did */
    bool looks_quiet;    /* its judgement is that it would disrupt nothing */
    bool cni_is_stuck;   /* its revert fails */
    bool had_leave;      /* before a crash or a retry, says its record */
    bool master_is_dead; /* what was disturbed cannot be proved */
    int act_fails;       /* with that code */
    int outlives_ms;     /* a host that goes down does not; 0 = it does */
    bool quiet_lease;    /* not the stage's own */
    int point, crash_at; /* 0 = never */
    enum visit_result result;
    bool healthy;
    char error[384];
};
extern struct world *world;

extern char root[64];
extern struct runner runner;
extern struct manifest manifest;

int two_steps_share(void **state); /* of the group */
int two_steps_begin(void **state);
int two_steps_end(void **state);
void begin_again(void); /* on an empty disk, in a world where nothing was done */

/* Runs the visit in a fresh process to its end or its crash. */
int visit_once(int attempt);

#endif
