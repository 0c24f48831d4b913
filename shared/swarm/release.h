/* release.h - Release, and giving back: a holder frees its permit (PROTOCOL.md 4).
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm. Never stopped by a pause.
 *
 * Release:   multi[ set(record, stage done, v), delete(permits/i/<host>),
 *                   delete(permits/i), and the same of its zone where it has one,
 *                   create(barriers/w.stage/arrived/host),    set where it exists
 *                   delete(retrying/host) ]                   a retried host's last
 * Give back: multi[ set(record, idle, v), delete(permits/i/<host>),
 *                   delete(permits/i), and of its zone ]    nothing was disrupted
 *
 * A host that repairs itself arrives nowhere: it has arrived before. After its last
 * stage it is done and its drift "seen", until that is told (drift.h).
 *
 * The permit's own version says nothing (0 again after delete and create); the record's
 * compare-and-set makes a zombie's multi roll back whole (R4), and permits/i/<host>
 * that of a holder whose permit was removed by hand and is another's now: TXN_REFUSED.
 *
 * Crash points. Before: holding, with a journal that says proved; the visit observes
 * "already right" and releases. Reply lost: the record's version and stage decide (R2).
 */
#ifndef CLOWDER_SWARM_RELEASE_H
#define CLOWDER_SWARM_RELEASE_H

#include "shared/swarm/swarm.h"

struct release {
    struct txn txn;
    struct record_at *at;
    struct record next;
    char stage[NAME_SIZE];
    bool arrives, arrival_exists, ends_retry;
    int arrival_op, retry_op; /* in the multi; -2 = none */
};
/* at: holding. next: at with what the visit found (steps); state, stage, permit and
 * lease are filled in here. last: the stage is the host's last, so its state becomes
 * done. */
void release_start(struct release *release, struct swarm *swarm, struct record_at *at,
                   const struct record *next, bool last, txn_done_f done, void *ctx);
void give_back_start(struct release *release, struct swarm *swarm, struct record_at *at,
                     const struct record *next, txn_done_f done, void *ctx);
void release_cancel(struct release *release);

#endif
