/* fail.h - Fail: a host's failure counted in the gate (PROTOCOL.md 4).
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm.
 *
 * multi[ set(gate, failed+1 and pause if the budget is used up, gv),
 *        set(record, failed, v), create(failed/host),
 *        delete(permits/i/<host>), delete(permits/i), and the same of its zone
 *                                              only if proved healthy after the revert
 *        create(barriers/w.s/arrived/host)...  "excluded: failed ...", for this stage
 *                                              and the later ones of its wave
 *        delete(retrying/host)                 a retried host
 *        create(events/e-) ]
 *
 * A host that repairs itself has arrived everywhere before: its arrivals stay.
 *
 * Where failures in a row are limited the arrivals at the stage's barrier are counted
 * before (failure.h). The gate moved: read it again. An arrival exists (a retried
 * host): it is set. So a failed host never holds up its wave once the operator goes on,
 * and no grant can commit between the failure and its pause.
 *
 * Crash points. Before: holding, and the journal says failed: the visit is not run
 * again, the same Fail is sent. Reply lost: the record says failed or holding, which
 * decides.
 */
#ifndef CLOWDER_SWARM_FAIL_H
#define CLOWDER_SWARM_FAIL_H

#include "shared/swarm/swarm.h"

struct fail {
    struct txn txn;
    struct record_at *at;
    struct record next;
    const struct manifest *manifest;
    struct gate gate;
    int32_t gate_version;
    bool exists[SPEC_STAGES_MAX]; /* the arrival of stage i must be set, not created */
    int first_arrival;            /* index of the first arrival in the multi */
    bool ends_retry;              /* a retried host that fails again */
    int retry_op;                 /* its index in the multi; -2 = none */
    int event_op;                 /* the same, of the event */
    bool untold;                  /* nowhere to tell it: events was removed by hand */
    bool paused;                  /* on TXN_DONE: this failure closed the gate */
};
/* at: holding. next: at with steps, error and healthy as the visit left them. */
void fail_start(struct fail *fail, struct swarm *swarm, struct record_at *at,
                const struct record *next, const struct manifest *manifest,
                txn_done_f done, void *ctx);
void fail_cancel(struct fail *fail);

#endif
