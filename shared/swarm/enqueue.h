/* enqueue.h - Enqueue, and leaving: a ticket in a lease's queue (PROTOCOL.md 4).
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm.
 *
 * multi[ set(record, waiting, v), create(queue/t-, ephemeral sequential) ] -> seq
 * Leave: multi[ set(record, idle, v), delete(ticket), delete(zone's permits/i) ]
 *                                                         (the rollout was aborted)
 *
 * Crash points. Before: the record is idle, nothing happened. Reply lost: the record
 * says waiting; ticket_find looks for the ticket whose czxid is the record's mzxid.
 * After a session's end the ticket is gone and the host enqueues again.
 *
 * Where its lease is limited per zone a host queues in its zone first, and only take.h
 * brings it into the other queue. The first late host of a zone that no member has
 * makes the zone's lease: it finds no queue, and creates one.
 */
#ifndef CLOWDER_SWARM_ENQUEUE_H
#define CLOWDER_SWARM_ENQUEUE_H

#include "shared/swarm/swarm.h"

struct enqueue {
    struct txn txn;
    struct record_at *at;
    struct record next;
    int seq; /* the ticket, on TXN_DONE */
    bool made_zone;
};
/* at: idle or waiting (its old ticket is gone). stage and lease (lease.h: of all or of
 * the host's zone) are written into it. */
void enqueue_start(struct enqueue *enqueue, struct swarm *swarm, struct record_at *at,
                   const char *stage, const char *lease, txn_done_f done, void *ctx);
void enqueue_cancel(struct enqueue *enqueue);

/* at: waiting; seq: its ticket, or -1 when it has none any more. */
struct leave {
    struct txn txn;
    struct record_at *at;
    struct record next;
    char lease[LEASE_SIZE];
    int seq;
};
void leave_start(struct leave *leave, struct swarm *swarm, struct record_at *at,
                 int seq, txn_done_f done, void *ctx);
void leave_cancel(struct leave *leave);

/* After a lost reply: the waiting record's own ticket. One listing, then a binary
 * search by exists, since tickets are ordered by czxid. seq = -1: there is none
 * (enqueue again). */
struct ticket_find {
    struct txn txn;
    const struct record_at *at;
    int *seqs;
    int low, high, middle;
    bool anyones; /* of whatever session */
    int seq;
};
void ticket_find_start(struct ticket_find *find, struct swarm *swarm,
                       const struct record_at *at, txn_done_f done, void *ctx);
/* The ticket of another host, for an operator's order: at is that host's record. */
void ticket_find_anyones(struct ticket_find *find, struct swarm *swarm,
                         const struct record_at *at, txn_done_f done, void *ctx);
void ticket_find_cancel(struct ticket_find *find);

#endif
