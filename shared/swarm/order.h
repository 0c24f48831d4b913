/* order.h - what an operator may order of the rollout in force: pause, resume, abort,
 * set-limit.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm. Owner: embed struct order (zero-initialised is idle).
 *
 * Story. read /current and the gate; decide (a resume goes back to what was paused:
 * run, or keep where the gate says so); then
 *
 *   multi[ set(gate, gv), set(/current, cv), create(events/e-) ]
 *
 * Anything moved meanwhile: read again and decide again. A lost reply: the gate that is
 * read again carries our name and instant. An order that is already so changes nothing
 * and writes no event. Orders never touch a permit: hosts in flight finish their visit.
 *
 * Crash points: none between; the multi happens whole or not at all.
 */
#ifndef CLOWDER_SWARM_ORDER_H
#define CLOWDER_SWARM_ORDER_H

#include "shared/io/flow.h"
#include "shared/io/zk.h"
#include "shared/model/gate.h"
#include "shared/model/manifest.h"
#include "shared/model/zpath.h"

enum order_kind { ORDER_PAUSE, ORDER_RESUME, ORDER_ABORT, ORDER_SET_LIMIT };
const char *order_kind_text(enum order_kind kind); /* "pause", ... */

struct order_request {
    enum order_kind kind;
    char lease[LEASE_SIZE]; /* of set-limit: of all hosts, or of one zone */
    bool each_zone;         /* the lease's limit of each zone */
    int permits;
    char who[WHO_SIZE];
    char why[REASON_SIZE];
    int64_t at_ms;
};

enum order_outcome {
    ORDER_CHANGED, /* the gate was changed, or is to be */
    ORDER_ALREADY, /* it was so before */
};

/* The rule, pure: what the gate becomes. -EPERM:
 * this order makes no sense in this phase; err says what would. */
MUST_CHECK int order_decide(const struct order_request *request, const char *rollout,
                            const struct gate *gate, struct gate *ret,
                            enum order_outcome *ret_outcome, struct error *err);

struct order {
    struct order_request request;
    struct zk *zk;
    const char *root; /* borrowed */
    struct flow flow;
    struct zk_request *io;
    struct current current;
    int32_t current_version, gate_version;
    bool unsure;
    /* after success */
    struct gate gate; /* as it is now */
    enum order_outcome outcome;
};

/* done's result: 0 (see gate, outcome and current.rollout), -ENOENT: no rollout is in
 * force, or no root; -EPERM as above. */
void order_start(struct order *order, struct zk *zk, struct loop *loop,
                 const char *root, const struct order_request *request,
                 flow_done_f done, void *done_ctx);
void order_cancel(struct order *order);

#endif
