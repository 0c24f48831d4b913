/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/host_order.h"

#include "shared/base/cleanup.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/event.h"
#include "shared/swarm/barrier.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { RETRY_MS = 100 };

static const struct manifest *manifest_of(const struct host_order *order)
{
    return order->in_force.manifest;
}

/* ---- the rollout and its plan ---- */

static void on_in_force(void *ctx, int result, const struct error *err)
{
    struct host_order *order = ctx;
    if (result < 0) {
        flow_fail(&order->flow, err);
        return;
    }
    STR_COPY(order->swarm.rollout, order->in_force.current.rollout);
    flow_next(&order->flow);
}

static enum flow_verdict read_in_force(struct flow *flow, void *ctx, struct error *err)
{
    struct host_order *order = ctx;
    in_force_read(&order->in_force, order->swarm.zk, order->swarm.loop,
                  order->swarm.root, on_in_force, order);
    return FLOW_WAIT;
}

/* ---- permits that were changed by hand ---- */

static void on_permit(void *ctx, const struct zk_reply *reply)
{
    struct host_order *order = ctx;
    const char *host = order->swarm.host;
    order->io = NULL;
    if (reply->result != ZK_OK && reply->result != ZK_NO_NODE) {
        flow_again_or_fail(&order->flow, "read the permit", reply);
        return;
    }
    bool names = reply->result == ZK_OK && reply->data_len == strlen(host) &&
                 memcmp(reply->data, host, strlen(host)) == 0;
    order->reading->is =
        names && reply->stat.children_count == 0 ? PERMIT_CHILDLESS : PERMIT_NOT_ITS;
    flow_again(&order->flow, 0, NULL);
}

static struct zpath freed_permit(const struct host_order *order, int which)
{
    const struct record *before = &order->at.record;
    return which == FREED_OF_ZONE
               ? swarm_zone_permit(&order->swarm, before)
               : zpath_permit(order->swarm.root, order->swarm.rollout, before->lease,
                              before->permit);
}

static struct zpath freed_owner(const struct host_order *order, int which)
{
    const struct record *before = &order->at.record;
    return which == FREED_OF_ZONE
               ? swarm_zone_owner(&order->swarm, before)
               : zpath_permit_owner(order->swarm.root, order->swarm.rollout,
                                    before->lease, before->permit, order->swarm.host);
}

/* It has no child; or was seen without, and is gone or granted again by now. */
static bool differs(const struct host_order_freed *freed, const struct zk_reply *reply)
{
    return txn_guilty(reply, freed->owner_op, ZK_NO_NODE) ||
           (freed->is == PERMIT_CHILDLESS &&
            (txn_guilty(reply, freed->permit_op, ZK_NO_NODE) ||
             txn_guilty(reply, freed->permit_op, ZK_NOT_EMPTY)));
}

static bool reads_permit(struct host_order *order, const struct zk_reply *reply)
{
    for (int i = 0; i < FREED_COUNT; i++) {
        if (!differs(&order->freed[i], reply))
            continue;
        order->reading = &order->freed[i];
        order->io = zk_get(order->swarm.zk, freed_permit(order, i).text, NULL,
                           on_permit, order);
        return true;
    }
    return false;
}

/* ---- the multi ---- */

/* The guilty operation is an arrival that does or does not exist: the other next time.
 */
static bool arrival_differs(struct host_order *order, const struct zk_reply *reply)
{
    int stage = reply->failed_op - order->first_arrival + order->at.record.stages_done;
    if (!order->change.excludes || reply->failed_op < order->first_arrival ||
        stage >= manifest_of(order)->spec->stages_count)
        return false;
    if (reply->result != ZK_NODE_EXISTS && reply->result != ZK_NO_NODE)
        return false;
    order->exists[stage] = reply->result == ZK_NODE_EXISTS;
    return true;
}

static void on_carried_out(void *ctx, const struct zk_reply *reply)
{
    struct host_order *order = ctx;
    order->io = NULL;
    if (reply->result == ZK_OK) {
        order->changed = true;
        flow_next(&order->flow);
    } else if (txn_guilty(reply, order->drift_op, ZK_NO_NODE)) {
        order->drift_gone = true; /* removed by hand */
        flow_again(&order->flow, 0, NULL);
    } else if (txn_guilty(reply, order->retry_op, ZK_NO_NODE)) {
        order->retry_gone = true; /* this one, too */
        flow_again(&order->flow, 0, NULL);
    } else if (reads_permit(order, reply)) {
        return;
    } else if (reply->result == ZK_BAD_VERSION || arrival_differs(order, reply) ||
               (reply->result == ZK_NO_NODE && order->ticket >= 0)) {
        flow_again(&order->flow, 0, NULL); /* a ticket goes with its session */
    } else {
        order->unsure = order->unsure || reply->result == ZK_AMBIGUOUS;
        flow_again_or_fail(&order->flow, "carry out the order", reply);
    }
}

static char *event_of(const struct host_order *order)
{
    const struct host_order_request *request = &order->request;
    const struct record *before = &order->at.record;
    struct event event = {.at_ms = request->at_ms};
    STR_COPY(event.who, request->who);
    STR_COPY(event.why, request->why);
    if (order->change.frees && before->permit < 0)
        snprintf(event.what, sizeof(event.what), "%s %s (permit %d of %s)",
                 host_order_text(request->kind), request->host, before->zone_permit,
                 record_zone_lease(before).text);
    else if (order->change.frees)
        snprintf(event.what, sizeof(event.what), "%s %s (permit %d of %s)",
                 host_order_text(request->kind), request->host, before->permit,
                 before->lease);
    else
        snprintf(event.what, sizeof(event.what), "%s %s%s%s",
                 host_order_text(request->kind), request->host,
                 request->step[0] ? " " : "", request->step);
    return event_encode(&event);
}

static void carry_out(struct host_order *order)
{
    struct swarm *swarm = &order->swarm;
    const char *root = swarm->root, *id = swarm->rollout, *host = swarm->host;
    const struct spec *spec = manifest_of(order)->spec;
    const struct record *before = &order->at.record;
    const struct host_change *change = &order->change;
    struct zpath gate = zpath_gate(root, id);
    struct zpath record = zpath_record(root, id, host);
    struct zpath failure = zpath_failure(root, id, host);
    struct zpath permits[FREED_COUNT], owners[FREED_COUNT];
    const int held[FREED_COUNT] = {before->permit, before->zone_permit};
    struct zpath ticket = zpath_ticket(root, id, before->lease, order->ticket);
    struct zpath retry = zpath_retry(root, id, host);
    struct zpath drifted = zpath_drift(root, id, host);
    struct zpath arrivals[SPEC_STAGES_MAX];
    _cleanup_(freep) char *excluded =
        mem_printf("%s/%s", zpath_exclusions(root, id).text, host);
    _cleanup_(freep) char *event_path =
        mem_printf("%s/e-", zpath_events(root, id).text);
    _cleanup_(freep) char *event_data = event_of(order);
    _cleanup_(freep) char *record_data = record_encode(&change->record);

    if (change->uncounts)
        gate_uncount_failure(&order->gate, before->wave, before->stages_done);
    _cleanup_(freep) char *gate_data = gate_encode(&order->gate);
    bool steady = before->drift != RECORD_STEADY &&
                  change->record.drift == RECORD_STEADY && !order->drift_gone;
    struct zk_op ops[13 + SPEC_STAGES_MAX];
    int count = 0;
    ops[count++] = change->uncounts ? op_set(gate.text, gate_data, order->gate_version)
                                    : op_check(gate.text, order->gate_version);
    ops[count++] = op_set(record.text, record_data, order->at.version);
    if (change->uncounts)
        ops[count++] = op_delete(failure.text, -1);
    for (int i = 0; i < FREED_COUNT; i++) {
        struct host_order_freed *freed = &order->freed[i];
        bool frees = change->frees && held[i] >= 0;
        permits[i] = freed_permit(order, i);
        owners[i] = freed_owner(order, i);
        freed->owner_op = frees && freed->is == PERMIT_OWNED ? count : -2;
        if (freed->owner_op >= 0)
            ops[count++] = op_delete(owners[i].text, -1);
        freed->permit_op = frees && freed->is != PERMIT_NOT_ITS ? count : -2;
        if (freed->permit_op >= 0)
            ops[count++] = op_delete(permits[i].text, -1);
    }
    if (order->ticket >= 0)
        ops[count++] = op_delete(ticket.text, -1);
    order->drift_op = steady ? count : -2;
    if (steady)
        ops[count++] = op_delete(drifted.text, -1);
    if (change->excludes)
        ops[count++] = op_create(excluded, "", ZK_PERSISTENT);
    if (record_retrying(&change->record))
        ops[count++] = op_create(retry.text, "", ZK_PERSISTENT);
    order->retry_op = !record_retrying(&change->record) && record_retrying(before) &&
                              !order->retry_gone
                          ? count
                          : -2;
    if (order->retry_op >= 0)
        ops[count++] = op_delete(retry.text, -1);
    ops[count++] = op_create(event_path, event_data, ZK_SEQUENTIAL);
    order->first_arrival = count;
    for (int i = before->stages_done;
         change->excludes && before->wave >= 0 && i < spec->stages_count; i++) {
        arrivals[i] = zpath_arrival(root, id, before->wave, spec->stages[i].name, host);
        ops[count++] =
            order->exists[i]
                ? op_set(arrivals[i].text, change->record.error, -1)
                : op_create(arrivals[i].text, change->record.error, ZK_PERSISTENT);
    }
    order->io = zk_multi(swarm->zk, ops, count, on_carried_out, order);
}

/* ---- reading and deciding ---- */

static void on_ticket(void *ctx, enum txn_outcome outcome, const struct error *err)
{
    struct host_order *order = ctx;
    switch (outcome) {
    case TXN_DONE:
        order->ticket = order->find.seq;
        carry_out(order);
        return;
    case TXN_RESYNC:
        flow_again(&order->flow, RETRY_MS, err);
        return;
    case TXN_REFUSED:
        flow_fail(&order->flow, err);
        return;
    }
}

/* The order was carried out: only its reply was lost. */
static bool ours(const struct host_order *order)
{
    const struct record *record = &order->at.record;
    return order->unsure && record->by_ms == order->request.at_ms &&
           str_equal(record->by, order->request.who);
}

static void decide(struct host_order *order)
{
    struct error err = {0};
    order->ticket = -1;
    if (ours(order)) {
        order->changed = true;
        flow_next(&order->flow);
    } else if (host_rule(&order->request, manifest_of(order), &order->gate,
                         &order->at.record, &order->change, &err) < 0) {
        flow_fail(&order->flow, &err);
    } else if (order->change.already) {
        flow_next(&order->flow);
    } else if (order->change.excludes && order->at.record.state == HOST_WAITING) {
        ticket_find_anyones(&order->find, &order->swarm, &order->at, on_ticket, order);
    } else {
        carry_out(order);
    }
}

static void on_record(void *ctx, const struct zk_reply *reply)
{
    struct host_order *order = ctx;
    struct swarm *swarm = &order->swarm;
    struct zpath path = zpath_record(swarm->root, swarm->rollout, swarm->host);
    struct error err = {0};
    order->io = NULL;
    if (reply->result == ZK_NO_NODE) {
        (void)error_set(&err, -ENOENT,
                        "host '%s' is no member of rollout %s: see `clowder hosts`",
                        swarm->host, swarm->rollout);
        flow_fail(&order->flow, &err);
        return;
    }
    if (reply->result != ZK_OK) {
        flow_again_or_fail(&order->flow, path.text, reply);
        return;
    }
    if (record_decode(reply->data, reply->data_len, &order->at.record, &err) < 0) {
        flow_fail_decode(&order->flow, path.text, &err);
        return;
    }
    if (order->at.version != reply->stat.version) {
        for (int i = 0; i < FREED_COUNT; i++)
            order->freed[i].is = PERMIT_OWNED;
        for (int i = 0; i < SPEC_STAGES_MAX; i++) /* as far as the record can tell */
            order->exists[i] =
                order->at.record.retried || order->at.record.state == HOST_FAILED;
    }
    order->at.version = reply->stat.version;
    order->at.mzxid = reply->stat.mzxid;
    decide(order);
}

static void on_gate(void *ctx, const struct zk_reply *reply)
{
    struct host_order *order = ctx;
    struct swarm *swarm = &order->swarm;
    struct zpath path = zpath_gate(swarm->root, swarm->rollout);
    struct error err = {0};
    order->io = NULL;
    if (reply->result != ZK_OK) {
        flow_again_or_fail(&order->flow, path.text, reply);
    } else if (gate_decode(reply->data, reply->data_len, &order->gate, &err) < 0) {
        flow_fail_decode(&order->flow, path.text, &err);
    } else {
        struct zpath record = zpath_record(swarm->root, swarm->rollout, swarm->host);
        order->gate_version = reply->stat.version;
        order->io = zk_get(swarm->zk, record.text, NULL, on_record, order);
    }
}

/* The gate, the record, the decision and the multi, as often as somebody is faster. */
static enum flow_verdict decide_and_do(struct flow *flow, void *ctx, struct error *err)
{
    struct host_order *order = ctx;
    struct zpath gate = zpath_gate(order->swarm.root, order->swarm.rollout);
    order->io = zk_get(order->swarm.zk, gate.text, NULL, on_gate, order);
    return FLOW_WAIT;
}

/* ---- barriers that are complete now ---- */

static const char *opening_stage(const struct host_order *order)
{
    return manifest_of(order)->spec->stages[order->opening].name;
}

static void on_opened(void *ctx, const struct zk_reply *reply)
{
    struct host_order *order = ctx;
    order->io = NULL;
    if (reply->result != ZK_OK && reply->result != ZK_NODE_EXISTS) {
        flow_again_or_fail(&order->flow, "open a barrier", reply);
        return;
    }
    order->opening++;
    flow_again(&order->flow, 0, NULL);
}

static void on_arrived(void *ctx, const struct zk_reply *reply)
{
    struct host_order *order = ctx;
    struct swarm *swarm = &order->swarm;
    int wave = order->at.record.wave;
    order->io = NULL;
    if (reply->result != ZK_OK) {
        flow_again_or_fail(&order->flow, "count arrivals", reply);
    } else if (reply->stat.children_count < manifest_of(order)->waves[wave].size) {
        flow_next(&order->flow); /* nor are those of the later stages */
    } else {
        struct zpath open =
            zpath_open(swarm->root, swarm->rollout, wave, opening_stage(order));
        order->io =
            zk_create(swarm->zk, open.text, order->request.who,
                      strlen(order->request.who), ZK_PERSISTENT, on_opened, order);
    }
}

static enum flow_verdict open_complete(struct flow *flow, void *ctx, struct error *err)
{
    struct host_order *order = ctx;
    struct swarm *swarm = &order->swarm;
    const struct record *record = &order->at.record;
    bool waits =
        order->request.kind != HOST_RETRY && order->request.kind != HOST_FORCE_COMPLETE;
    if (order->opening < record->stages_done)
        order->opening = record->stages_done;
    if (!waits || record->wave < 0 || record->wave >= manifest_of(order)->waves_count ||
        order->opening >= manifest_of(order)->spec->stages_count ||
        manifest_manual(manifest_of(order), record->wave, order->opening))
        return FLOW_NEXT;
    struct zpath path =
        zpath_arrivals(swarm->root, swarm->rollout, record->wave, opening_stage(order));
    order->io = zk_exists(swarm->zk, path.text, NULL, on_arrived, order);
    return FLOW_WAIT;
}

static void drop(void *ctx)
{
    struct host_order *order = ctx;
    in_force_cancel(&order->in_force);
    zk_cancel(order->swarm.zk, order->io);
    order->io = NULL;
    ticket_find_cancel(&order->find);
}

static const struct flow_step steps[] = {
    {.name = "read the rollout in force", .run = read_in_force, .cancel = drop},
    {.name = "carry out the order", .run = decide_and_do, .cancel = drop},
    {.name = "open complete barriers", .run = open_complete, .cancel = drop},
    {0},
};

void host_order_start(struct host_order *order, struct zk *zk, struct loop *loop,
                      const char *root, const struct host_order_request *request,
                      flow_done_f done, void *done_ctx)
{
    *order = (struct host_order){.request = *request,
                                 .swarm = {.zk = zk, .loop = loop},
                                 .at = {.version = -1},
                                 .ticket = -1};
    STR_COPY(order->swarm.root, root);
    STR_COPY(order->swarm.host, request->host);
    flow_start(&order->flow, loop, steps, order, done, done_ctx);
}

void host_order_done(struct host_order *order)
{
    flow_cancel(&order->flow);
    in_force_done(&order->in_force);
}
