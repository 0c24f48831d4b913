/* lost.h - Lost holder: a permit whose host is gone (PROTOCOL.md 4).
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm.
 *
 * Story. A host that waits looks from time to time at the at most K holders of each
 * lease, and at those of its own zone: a holder without a sign of life is suspected,
 * and when it has been so for the grace time on this host's own monotonic clock, with
 * the same permit (same czxid) throughout, it is marked:
 *
 *   multi[ set(gate, failed+1 and pause if the budget is used up, gv),
 *          set(record, lost, v), create(failed/host), check(permits/i/<host>),
 *          create(events/e-) ]
 *
 * The permit stays occupied: a silent host may still be in the middle of its restart.
 * When it comes back it takes the mark away with its own token and finishes:
 *
 *   multi[ set(gate, failed-1, gv), set(record, holding, v), delete(failed/host) ]
 *
 * (to waiting, where it had no permit but its zone's, which it was to take further), or
 * an operator breaks the permit by name. Nothing else frees it.
 *
 * Crash points: none to mend; whoever looks next goes on. A clock of its own starts
 * anew with each process, so a mark comes later, never sooner.
 */
#ifndef CLOWDER_SWARM_LOST_H
#define CLOWDER_SWARM_LOST_H

#include "shared/swarm/swarm.h"

enum { LOST_SUSPECTS_MAX = 64 };

struct lost_suspect {
    char host[HOST_ID_SIZE];
    int64_t token;    /* the permit's czxid */
    int64_t since_ms; /* monotonic: when it was first seen without a sign of life */
    bool seen;        /* in this look */
};

struct lost_watch { /* zero-initialised remembers nobody */
    struct txn txn;
    const struct manifest *manifest;
    struct lost_suspect suspects[LOST_SUSPECTS_MAX];
    int suspects_count;
    char zone[NAME_SIZE]; /* of the host that looks */
    int lease;            /* being looked at: of the spec, then those of the zone */
    int *permits;         /* of that lease */
    int permits_count, permit; /* being looked at */
    struct lost_suspect holder;
    struct record record;
    int32_t record_version;
    struct gate gate;
    int32_t gate_version;
    int marked;  /* by the last look */
    bool untold; /* nowhere to tell it: events was removed by hand */
    char says[160];
};

/* One look at all leases. TXN_DONE when it is through; marked says how many were. */
void lost_watch_look(struct lost_watch *watch, struct swarm *swarm,
                     const struct manifest *manifest, const char *zone, txn_done_f done,
                     void *ctx);
void lost_watch_cancel(struct lost_watch *watch); /* keeps what it remembers */

struct lost_return {
    struct txn txn;
    struct record_at *at;
    struct record next;
    struct gate gate;
};
/* at: lost, this host's own. TXN_DONE: holding again, or waiting without a ticket. */
void lost_return_start(struct lost_return *back, struct swarm *swarm,
                       struct record_at *at, txn_done_f done, void *ctx);
void lost_return_cancel(struct lost_return *back);

#endif
