/* host_order.h - what an operator orders of one host: retry, skip, exclude, break,
 * force-complete.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm. Owner: embed struct host_order (zero-initialised is idle).
 *
 * Story. read /current, the plan, then the gate and the host's record; a waiting host's
 * ticket is looked for; model/host_rule.h decides; then
 *
 *   multi[ set(gate, failed-1, gv) or check(gate, gv), set(record, v),
 *          delete(failed/host)                        it was failed or lost
 *          delete(permits/i/<host>), delete(permits/i)  break; see Permits below
 *          the same of its zone                       break; exclude of a waiting host
 *          delete(its ticket)                         exclude of a waiting host
 *          create(retrying/host)                      retry
 *          delete(retrying/host)                      it was being retried
 *          delete(drifted/host)                       it was repairing itself
 *          create(excluded/host), create or set(barriers/w.s/arrived/host)...
 *                                                     exclude, break
 *          create(events/e-) ]
 *
 * The record's version makes it this host in this state and no other (R1, R4); the
 * gate's keeps the count of failures and the phase. Anything moved meanwhile: read and
 * decide again. A lost reply: the record that is read again carries our name and
 * instant.
 *
 * Permits. The child was removed by hand, or an agentd that made none was granted the
 * permit: where permits/i still names this host and has no child, it alone is deleted,
 * since nobody else could; where it is gone or another's, it is left.
 *
 * After an exclusion the barriers of its wave that are complete with it are opened, as
 * any member would: where it was the last one, nobody else looks.
 *
 * Crash points. Before the multi: nothing. After it: done; a barrier that is complete
 * and not open is opened by whoever of its wave checks next, or by the next order.
 *
 * The host itself learns of it where it rests (it watches its record), at its next
 * write (its compare-and-set fails: it reads the record again and drops the visit), or
 * when it looks at its record, which a waiting one does every one to two minutes.
 */
#ifndef CLOWDER_SWARM_HOST_ORDER_H
#define CLOWDER_SWARM_HOST_ORDER_H

#include "shared/io/flow.h"
#include "shared/model/host_rule.h"
#include "shared/swarm/enqueue.h"
#include "shared/swarm/in_force.h"

/* What an order frees: the permit of the record's lease, and that of its zone. Each is
 * thought to be its host's own until the multi fails at it; then it is read. */
enum { FREED_OF_ALL, FREED_OF_ZONE, FREED_COUNT };
struct host_order_freed {
    enum { PERMIT_OWNED, PERMIT_CHILDLESS, PERMIT_NOT_ITS } is;
    int owner_op, permit_op; /* indices in the multi; -2 = not deleted */
};

struct host_order {
    struct host_order_request request;
    struct swarm swarm; /* host: the one that is ordered */
    struct flow flow;
    struct in_force in_force; /* its manifest is kept until _done */
    struct zk_request *io;
    struct ticket_find find;
    struct gate gate;
    int32_t gate_version;
    struct record_at at;
    int ticket;                   /* -1 = none */
    bool drift_gone, retry_gone;  /* drifted/host, retries/host: removed by hand */
    bool exists[SPEC_STAGES_MAX]; /* the arrival of that stage is set, not created */
    int first_arrival, drift_op, retry_op; /* indices in the multi; -2 = none */
    int opening;                           /* stage whose barrier is looked at */
    struct host_order_freed freed[FREED_COUNT];
    struct host_order_freed *reading; /* the one whose permit is read */
    bool unsure;
    struct host_change change; /* after success: what became of the host */
    bool changed;              /* after success; false: it was so before */
};

/* done's result: 0; -ENOENT: no rollout is in force, or the host is no member of it;
 * -EPERM, -EINVAL: see host_rule.h. */
void host_order_start(struct host_order *order, struct zk *zk, struct loop *loop,
                      const char *root, const struct host_order_request *request,
                      flow_done_f done, void *done_ctx);
/* Drops what is under way, if any, and what it owns. */
void host_order_done(struct host_order *order);

#endif
