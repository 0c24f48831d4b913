/* take.h - Take: from a ticket to a permit (PROTOCOL.md 4).
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm.
 *
 * Story. The ticket's turn comes when the ticket before it goes: exists(t-(s-1),
 * watch), no listing and no herd. Absent at once: the queue's hint tells whether all
 * before were granted, else one listing finds the living predecessor. At the front:
 *
 *   get(gate, watch) and children(permits, watch), pipelined with the hint
 *   gate grants nothing -> wait for the gate;  no free i < K -> wait for either
 *   outside the time windows -> wait for the next one, and look again (as after any
 *   minute or two, see below: clocks are set, too)
 *   multi[ check(gate, gv), create(permits/i, host), set(record, holding i, v),
 *          delete(own ticket), set(queue, s, any), create(permits/i/<host>) ]
 *                                             -> token = the record's new mzxid
 *
 * permits/i/<host> says whose the permit is in a way that a multi can check, which
 * neither data nor a version is (a permit created again is at version 0 again): leave
 * to disrupt checks it and the release deletes it, so that a permit that was removed by
 * hand and granted to another is never acted under nor taken away by the first.
 *
 * In a zone's queue (lease.h) the same, but that it brings the host on into the queue
 * of all, and no token; this is a grant like any other, of the zone's permit:
 *   multi[ check(gate, gv), create(zone's permits/i, host),
 *          set(record, waiting for the lease of all, zone_permit i, v),
 *          delete(own ticket), set(zone's queue, s, any), create(queue/t-) ]
 *
 * What a watch still stands for is not read again: a permit that is given back costs
 * the front one listing, and where K is 1 nothing, since it can only be permit 0.
 *
 * Whoever looks tries the lowest index that is free, and only while fewer than K are
 * occupied: those beyond a limit that was lowered count, too. So any number of hosts
 * that look at once, each at a listing of its own age, cannot exceed K together. Why:
 * with n occupied let the room be the indices below K that are occupied or among the
 * K - n lowest free ones; with those occupied at K or above it has K members. A host's
 * choice, and every index below it, lies in the room as it saw it. While K stands (each
 * grant checks the gate's version, and no listing is older than the gate that it is
 * used with):
 *   - a permit taken from the room leaves the room as it is;
 *   - one given back at K or above lets the room grow;
 *   - one given back below K puts its index among the free ones, and the room lets go
 *     of at most one index, for a lower free one that was outside.
 * The first index up to the choice to leave the room would need a lower one that is
 * outside; all of those were inside, and none has left before: so none ever leaves.
 *
 * The gate moved or the permit is taken: look again. The record moved, or the ticket is
 * gone (session expired): TXN_RESYNC. A waiter that has waited one to two minutes looks
 * for itself, leaving no watch: permits exclude each other, so contending is safe.
 *
 * Crash points. Before the multi: waiting, the ticket lives as long as the session.
 * Reply lost: the record says holding or waiting, which decides. After: holding,
 * untouched; the permit stays whatever dies. After a zone's: waiting with its permit,
 * which stays, too; once its session ends the host has no ticket, and enqueues again,
 * in the queue of all.
 *
 * A znode that does not decode (gate) ends with TXN_REFUSED: it is never acted on.
 */
#ifndef CLOWDER_SWARM_TAKE_H
#define CLOWDER_SWARM_TAKE_H

#include "shared/swarm/swarm.h"

enum { TAKE_STALL_MS = 60000 };

enum take_waits_for {
    TAKE_PREDECESSOR,
    TAKE_GATE,
    TAKE_PERMIT,
    TAKE_WINDOW,
    TAKE_REPLY,
};

struct take {
    struct txn txn;
    struct zk_request *gate_request, *permits_request; /* pipelined */
    struct record_at *at;
    struct record next;
    int seq;
    int permit;
    enum take_waits_for waits_for; /* for people */
    struct gate gate;
    int32_t gate_version;
    int occupied, lowest_free;      /* permits, as they were listed */
    bool gate_known, permits_known; /* as the server has them, but for events to come */
    bool front, predecessor_gone;
    int next_op;      /* index in the multi of that ticket; -1 = none */
    int next_seq;     /* of a zone's permit, on TXN_DONE: the ticket of all hosts */
    bool ticket_gone; /* on TXN_RESYNC: there is no such ticket any more */
    struct zk_watch predecessor_watch, gate_watch, permits_watch;
    struct timer stall, window;
};

/* at: waiting, with the ticket seq. On TXN_DONE at is holding and has its token; or,
 * where the ticket was of a zone's queue, waiting with that zone's permit and the
 * ticket next_seq of the other queue. */
void take_start(struct take *take, struct swarm *swarm, struct record_at *at, int seq,
                txn_done_f done, void *ctx);
void take_cancel(struct take *take);

#endif
