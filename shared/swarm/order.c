/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/order.h"

#include "shared/base/cleanup.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/event.h"
#include "shared/swarm/swarm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { RETRY_MS = 100 };

const char *order_kind_text(enum order_kind kind)
{
    static const char *const texts[] = {[ORDER_PAUSE] = "pause",
                                        [ORDER_RESUME] = "resume",
                                        [ORDER_ABORT] = "abort",
                                        [ORDER_SET_LIMIT] = "set-limit"};
    return texts[kind];
}

static int refuse(const char *rollout, const struct order_request *request,
                  const char *is, const char *instead, struct error *err)
{
    return error_set(err, -EPERM, "cannot %s rollout %s: it is %s%s",
                     order_kind_text(request->kind), rollout, is, instead);
}

static int decide_phase(const struct order_request *request, const char *rollout,
                        const struct gate *gate, enum gate_phase *ret,
                        struct error *err)
{
    if (gate->phase == GATE_DONE)
        return refuse(rollout, request, "done", "", err);
    if (gate->phase == GATE_ABORT && request->kind != ORDER_ABORT)
        return refuse(rollout, request, "being aborted",
                      "; install again when it has ended", err);
    switch (request->kind) {
    case ORDER_PAUSE:
        *ret = GATE_PAUSE;
        break;
    case ORDER_RESUME:
        if (gate->phase == GATE_PAUSE)
            *ret = gate->kept ? GATE_KEEP : GATE_RUN;
        else
            *ret = gate->phase;
        break;
    case ORDER_ABORT:
        *ret = GATE_ABORT;
        break;
    case ORDER_SET_LIMIT:
        *ret = gate->phase;
        break;
    }
    return 0;
}

static int decide_limit(const struct order_request *request, const char *rollout,
                        const struct gate *gate, struct gate *next, struct error *err)
{
    const char *lease = request->lease;
    if (request->each_zone && gate_zone_limit(gate, lease) == 0)
        return error_set(err, -EPERM,
                         "rollout %s does not limit lease '%s' per zone: that begins "
                         "with zone_limits in its spec",
                         rollout, lease);
    if (gate_limit(gate, lease) == 0)
        return error_set(err, -EPERM,
                         "rollout %s has no lease '%s': see `clowder leases`", rollout,
                         lease);
    return request->each_zone || lease_zone(lease)
               ? gate_set_zone_limit(next, lease, request->permits, err)
               : gate_set_limit(next, lease, request->permits, err);
}

static int limit_of(const struct order_request *request, const struct gate *gate)
{
    return request->each_zone ? gate_zone_limit(gate, request->lease)
                              : gate_limit(gate, request->lease);
}

int order_decide(const struct order_request *request, const char *rollout,
                 const struct gate *gate, struct gate *ret,
                 enum order_outcome *ret_outcome, struct error *err)
{
    struct gate next = *gate;
    int rc = decide_phase(request, rollout, gate, &next.phase, err);
    if (rc < 0)
        return rc;
    next.kept = next.phase == GATE_PAUSE && (gate->kept || gate->phase == GATE_KEEP);
    if (request->kind == ORDER_SET_LIMIT) {
        rc = decide_limit(request, rollout, gate, &next, err);
        if (rc < 0)
            return rc;
    }
    bool same =
        next.phase == gate->phase && (request->kind != ORDER_SET_LIMIT ||
                                      limit_of(request, gate) == request->permits);
    if (!same && request->kind != ORDER_SET_LIMIT) { /* reason, by, at: the phase's */
        STR_COPY(next.reason, request->why);
        STR_COPY(next.by, request->who);
        next.at_ms = request->at_ms;
    }
    *ret = next;
    *ret_outcome = same ? ORDER_ALREADY : ORDER_CHANGED;
    return 0;
}

static bool away(const struct zk_reply *reply)
{
    return reply->result == ZK_AMBIGUOUS || reply->result == ZK_NOT_CONNECTED;
}

static void retry_or_fail(struct order *order, const char *what,
                          const struct zk_reply *reply)
{
    struct error err = {0};
    (void)zk_error(reply->result, what, &err);
    if (away(reply))
        flow_again(&order->flow, RETRY_MS, &err);
    else
        flow_fail(&order->flow, &err);
}

static void fail_decode(struct order *order, const char *path, struct error *err)
{
    (void)error_context(err, err->code, "znode '%s'", path);
    flow_fail(&order->flow, err);
}

static void on_current(void *ctx, const struct zk_reply *reply)
{
    struct order *order = ctx;
    struct zpath path = zpath_current(order->root);
    struct error err = {0};
    order->io = NULL;
    if (reply->result == ZK_NO_NODE) {
        (void)error_set(&err, -ENOENT,
                        "there is no clowder at '%s' in this ZooKeeper: run `clowder "
                        "init`, or name another root with --zk",
                        order->root);
        flow_fail(&order->flow, &err);
    } else if (reply->result != ZK_OK) {
        retry_or_fail(order, path.text, reply);
    } else if (current_decode(reply->data, reply->data_len, &order->current, &err) <
               0) {
        fail_decode(order, path.text, &err);
    } else if (!order->current.rollout[0]) {
        (void)error_set(&err, -ENOENT,
                        "no rollout is in force: begin one with "
                        "`clowder install`");
        flow_fail(&order->flow, &err);
    } else {
        order->current_version = reply->stat.version;
        flow_next(&order->flow);
    }
}

static enum flow_verdict read_current(struct flow *flow, void *ctx, struct error *err)
{
    struct order *order = ctx;
    order->io =
        zk_get(order->zk, zpath_current(order->root).text, NULL, on_current, order);
    return FLOW_WAIT;
}

static void on_carried_out(void *ctx, const struct zk_reply *reply)
{
    struct order *order = ctx;
    order->io = NULL;
    if (reply->result == ZK_OK) {
        flow_next(&order->flow);
    } else if (reply->result == ZK_BAD_VERSION) {
        flow_again(&order->flow, 0, NULL);
    } else {
        order->unsure = order->unsure || reply->result == ZK_AMBIGUOUS;
        retry_or_fail(order, "carry out the order", reply);
    }
}

static void carry_out(struct order *order, const struct gate *next)
{
    const char *id = order->current.rollout;
    struct zpath gate_path = zpath_gate(order->root, id);
    struct zpath current_path = zpath_current(order->root);
    struct zpath events = zpath_events(order->root, id);
    struct current current = order->current;
    struct event event = {.at_ms = order->request.at_ms};
    current.phase = next->phase;
    STR_COPY(event.who, order->request.who);
    STR_COPY(event.why, order->request.why);
    if (order->request.kind == ORDER_SET_LIMIT)
        snprintf(event.what, sizeof(event.what), "set-limit %s %d%s",
                 order->request.lease, order->request.permits,
                 order->request.each_zone ? " in each zone" : "");
    else
        STR_COPY(event.what, order_kind_text(order->request.kind));

    _cleanup_(freep) char *event_path = mem_printf("%s/e-", events.text);
    _cleanup_(freep) char *gate_data = gate_encode(next);
    _cleanup_(freep) char *current_data = current_encode(&current);
    _cleanup_(freep) char *event_data = event_encode(&event);
    const struct zk_op ops[] = {
        op_set(gate_path.text, gate_data, order->gate_version),
        op_set(current_path.text, current_data, order->current_version),
        op_create(event_path, event_data, ZK_SEQUENTIAL),
    };
    order->gate = *next;
    order->outcome = ORDER_CHANGED;
    order->io = zk_multi(order->zk, ops, 3, on_carried_out, order);
}

static void on_gate(void *ctx, const struct zk_reply *reply)
{
    struct order *order = ctx;
    struct zpath path = zpath_gate(order->root, order->current.rollout);
    struct gate gate, next;
    struct error err = {0};
    order->io = NULL;
    if (reply->result != ZK_OK) {
        retry_or_fail(order, path.text, reply);
    } else if (gate_decode(reply->data, reply->data_len, &gate, &err) < 0) {
        fail_decode(order, path.text, &err);
    } else if (order->unsure && gate.at_ms == order->request.at_ms &&
               str_equal(gate.by, order->request.who)) {
        order->gate = gate; /* the order was carried out: only its reply was lost */
        order->outcome = ORDER_CHANGED;
        flow_next(&order->flow);
    } else if (order_decide(&order->request, order->current.rollout, &gate, &next,
                            &order->outcome, &err) < 0) {
        flow_fail(&order->flow, &err);
    } else if (order->outcome == ORDER_ALREADY) {
        /* A limit does not say whose it is: after a lost reply it was this order's. */
        if (order->unsure && order->request.kind == ORDER_SET_LIMIT)
            order->outcome = ORDER_CHANGED;
        order->gate = gate;
        flow_next(&order->flow);
    } else {
        order->gate_version = reply->stat.version;
        carry_out(order, &next);
    }
}

static void on_current_again(void *ctx, const struct zk_reply *reply)
{
    struct order *order = ctx;
    struct current current;
    struct error err = {0};
    order->io = NULL;
    if (reply->result != ZK_OK) {
        retry_or_fail(order, zpath_current(order->root).text, reply);
    } else if (current_decode(reply->data, reply->data_len, &current, &err) < 0) {
        fail_decode(order, zpath_current(order->root).text, &err);
    } else if (!str_equal(current.rollout, order->current.rollout)) {
        (void)error_set(&err, -ESTALE,
                        "rollout %s came into force meanwhile: see "
                        "`clowder status`, then order again",
                        current.rollout);
        flow_fail(&order->flow, &err);
    } else {
        order->current_version = reply->stat.version;
        order->io = zk_get(order->zk, zpath_gate(order->root, current.rollout).text,
                           NULL, on_gate, order);
    }
}

/* /current, the gate, the decision and the multi, as often as somebody is faster. */
static enum flow_verdict decide_and_do(struct flow *flow, void *ctx, struct error *err)
{
    struct order *order = ctx;
    order->io = zk_get(order->zk, zpath_current(order->root).text, NULL,
                       on_current_again, order);
    return FLOW_WAIT;
}

static void drop(void *ctx)
{
    struct order *order = ctx;
    zk_cancel(order->zk, order->io);
    order->io = NULL;
}

static const struct flow_step steps[] = {
    {.name = "read the rollout in force", .run = read_current, .cancel = drop},
    {.name = "carry out the order", .run = decide_and_do, .cancel = drop},
    {0},
};

void order_start(struct order *order, struct zk *zk, struct loop *loop,
                 const char *root, const struct order_request *request,
                 flow_done_f done, void *done_ctx)
{
    *order = (struct order){.zk = zk, .root = root, .request = *request};
    flow_start(&order->flow, loop, steps, order, done, done_ctx);
}

void order_cancel(struct order *order)
{
    flow_cancel(&order->flow);
}
