/* close.h - Close: the rollout's end (PROTOCOL.md 4, Barrier).
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm.
 *
 * multi[ set(gate, done - or keep where late hosts are adopted -, gv), set(/current,
 * cv) ]
 *
 * Whoever opens the last barrier does it; whoever checks later does it when the author
 * died. An abort is closed in the same way when the last permit is free. It is refused
 * (closed = false, why says what it waits for) while a member of any wave has not
 * arrived at the end, or is being retried (not under `abort`), a permit is occupied (of
 * a lease, or of its zones), or
 * the gate is paused. All this is read before the multi: under `run` every member is at
 * its end by then, and whoever sets one to work again writes the gate; under `abort`
 * the gate grants nothing. So no permit can be taken in between but by a late host,
 * which `keep` allows.
 *
 * Crash points: none to mend; the next checker repeats it, the versions make it happen
 * once.
 */
#ifndef CLOWDER_SWARM_CLOSE_H
#define CLOWDER_SWARM_CLOSE_H

#include "shared/swarm/occupancy.h"
#include "shared/swarm/swarm.h"

struct close_rollout {
    struct txn txn;
    const struct manifest *manifest;
    struct gate gate;
    int32_t gate_version;
    int wave; /* index: arrivals being counted, from the last wave on */
    struct occupancy occupancy;
    bool closed;
    char why[160];
};
/* At any time; worth a look when the last barrier is open, or the gate is aborted. */
void close_start(struct close_rollout *close, struct swarm *swarm,
                 const struct manifest *manifest, txn_done_f done, void *ctx);
void close_cancel(struct close_rollout *close);

#endif
