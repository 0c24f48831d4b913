/* adopt.h - Adopt: a late host's own record (PROTOCOL.md 4, Late and drifted hosts).
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm.
 *
 * multi[ check(gate, gv), create(record, idle, wave -1) ]   while the gate's phase is
 * keep
 *
 * The host is a member of no wave: it passes no barrier and holds up nobody. From then
 * on it goes through the same stages, leases and proofs as any other.
 *
 * Crash points. Reply lost: the record is there or not, which is read again.
 */
#ifndef CLOWDER_SWARM_ADOPT_H
#define CLOWDER_SWARM_ADOPT_H

#include "shared/swarm/swarm.h"

struct adopt {
    struct txn txn;
    bool adopted; /* on TXN_DONE; false: the gate does not keep */
};
void adopt_start(struct adopt *adopt, struct swarm *swarm, txn_done_f done, void *ctx);
void adopt_cancel(struct adopt *adopt);

#endif
