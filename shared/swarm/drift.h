/* drift.h - Drift: a done host is not as it was proved (PROTOCOL.md 4, Late and drifted
 * hosts).
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm. What is news, and what is mended, is model/drift.h's to say.
 *
 * Tell: multi[ set(record, done, v),
 *              create(drifted/host)   the first of its steps has drifted, or
 *              delete(drifted/host)   the last one is right again
 *              create(events/e-) ]
 * Mend: multi[ check(gate, gv),       while the gate's phase is keep
 *              set(record, idle before the first stage to be done again, v),
 *              create(drifted/host)   where it was not told before
 *              create(events/e-) ]
 *
 * drifted/<host> exists as long as the record's drift is not "none". From a mend on the
 * host goes through the same leases, gate, visits and proofs as any other, but for
 * barriers: it has arrived at all of them. Release of its last stage leaves drift
 * "seen" and no step drifted: telling that is the end of it. A mend that fails is Fail:
 * the host stays counted in drifted/ too, until it is retried to its end, or excluded.
 *
 * Events: when a whole fleet drifts at once (an upgrade does that) only the first few
 * hosts say so, and no host once the rollout has a great many events: drifted/ counts
 * them all.
 *
 * Crash points. Before: nothing happened; two looks later it is sent again. Reply lost:
 * the record's version decides (R2). After a mend: idle, an ordinary host before a
 * stage.
 */
#ifndef CLOWDER_SWARM_DRIFT_H
#define CLOWDER_SWARM_DRIFT_H

#include "shared/swarm/swarm.h"

enum { DRIFT_TELLERS_MAX = 16, DRIFT_EVENTS_MAX = 1000 };

struct drift_change {
    struct txn txn;
    struct record_at *at;
    struct record next;
    bool mends;
    bool closed; /* on TXN_DONE of a mend: the gate does not keep, nothing was done */
    bool tells;  /* with an event */
    bool there;  /* drifted/host is as it is to be */
    int32_t gate_version;
    int record_op, drifted_op; /* indices in the multi; drifted_op -2 = none */
};
/* at: done. next: by drift_judge; idle = it mends. */
void drift_change_start(struct drift_change *change, struct swarm *swarm,
                        struct record_at *at, const struct record *next,
                        txn_done_f done, void *ctx);
void drift_change_cancel(struct drift_change *change);

#endif
