/* act.h - leave to disrupt: the last look before a disruptive act (PROTOCOL.md R7).
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm.
 *
 * multi[ check(gate, gv), set(record, step and doing, v), check(permits/i/<host>) ]
 * gv: of the grant, or of the last leave; the gate has moved, or gv is not known:
 * get(gate), and again
 *
 * By R1 the decision is a conditional multi, not a read: it commits only while the gate
 * is as it was read, the record is still this host's own and so is the permit (else
 * TXN_REFUSED: it was removed by hand, and may be another's). It also publishes what
 * the host is about to do, so it costs one request more than the progress that is due
 * anyway.
 *
 * A gate that grants nothing, or a time outside the windows, refuses the first
 * disruptive act of a visit: the host steps back and gives the permit back untouched,
 * so a failure elsewhere stops it in time. A visit that has disrupted already goes on
 * under a pause or an abort, so that a host is never left half restarted ("hosts in
 * flight finish their visit").
 *
 * Crash points. Reply lost: RESYNC; the visit asks again. After it, before the act: the
 * journal says what was begun, and the world is observed.
 */
#ifndef CLOWDER_SWARM_ACT_H
#define CLOWDER_SWARM_ACT_H

#include "shared/swarm/swarm.h"

struct act {
    struct txn txn;
    struct record_at *at;
    struct record next;
    bool in_flight; /* this visit has disrupted already, or is putting things back */
    bool allowed;   /* on TXN_DONE */
    int32_t gate_version; /* as checked; -1 = not known, or of a gate that is closed */
    bool granting;        /* the gate of that version */
    struct gate gate;
};
/* gate_version: of a gate that granted, as last seen; -1 = read it first. */
void act_start(struct act *act, struct swarm *swarm, struct record_at *at,
               const struct record *next, bool in_flight, int32_t gate_version,
               txn_done_f done, void *ctx);
void act_cancel(struct act *act);

#endif
