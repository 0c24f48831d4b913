/* schedule_cover.h - what many schedules have reached: which fault met which
 * transaction, and how many different states the swarm was in.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A promise that was never put to the test is seen here: a fault that never met a
 * transaction is a cell with a zero, and cover_missing names it.
 */
#ifndef CLOWDER_TESTS_SCENARIO_SCHEDULE_COVER_H
#define CLOWDER_TESTS_SCENARIO_SCHEDULE_COVER_H

#include "tests/support/sim_swarm.h"
#include "tests/support/txn_kind.h"

enum blow {
    /* before the transaction */
    BLOW_LOST,       /* the connection drops, it never arrives */
    BLOW_EXPIRED,    /* the session expires instead */
    BLOW_LATE,       /* the connection drops, it is carried out later all the same */
    BLOW_SLOW,       /* it takes seconds */
    BLOW_KILL_SENT,  /* its process dies when it has been sent */
    BLOW_GATE_MOVES, /* while it is on its way */
    /* behind it */
    BLOW_APPLIED,      /* its reply is lost with the connection */
    BLOW_OUTLIVED,     /* the session expires before its reply */
    BLOW_KILL_APPLIED, /* its process dies before the reply */
    BLOW_KILL_REPLIED, /* its process dies with the reply in hand */
};
enum { BLOW_COUNT = BLOW_KILL_REPLIED + 1 };

enum event_kind {
    EVENT_CRASH,
    EVENT_CUT,
    EVENT_DROP,
    EVENT_EXPIRE,
    EVENT_OUTAGE, /* all servers */
    EVENT_SERVER, /* one of them */
    EVENT_SLOW,   /* the network */
    EVENT_CLOCK,  /* the wall clock jumps */
    EVENT_PAUSE,
    EVENT_LIMIT,
    EVENT_HOST_ORDER,
    EVENT_OPERATOR_DIES,
    EVENT_GATE_MOVES, /* while a request is on its way */
    EVENT_ABORT,
    EVENT_DRIFT, /* something on a host changes; not a fault */
    EVENT_LATE,  /* a late host comes; not a fault */
    EVENT_KILL,  /* a process dies right at something that it does */
};
enum { EVENT_COUNT = EVENT_KILL + 1 };
const char *event_text(enum event_kind kind);

struct cover { /* counts only: they can be added up */
    uint64_t sent[TXN_KIND_COUNT];
    uint64_t met[TXN_KIND_COUNT][BLOW_COUNT];
    uint64_t events[EVENT_COUNT];
    uint64_t killed_at[SIM_MOMENT_COUNT];
};
void cover_add(struct cover *sum, const struct cover *more);
void cover_print(const struct cover *cover);
/* Names every fault that never happened and, where `cells`, every transaction that a
 * fault never met; says how many that are. */
int cover_missing(const struct cover *cover, bool cells);

#endif
