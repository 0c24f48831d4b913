/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/drift.h"

#include "shared/base/cleanup.h"
#include "shared/base/failpoint.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/event.h"

static void read_gate(struct drift_change *change);
static void send(struct drift_change *change);

static bool appears(const struct drift_change *change)
{
    return change->at->record.drift == RECORD_STEADY;
}

static bool goes(const struct drift_change *change)
{
    return change->next.drift == RECORD_STEADY;
}

/* ---- the event ---- */

static char *event_of(const struct drift_change *change)
{
    const struct swarm *swarm = change->txn.swarm;
    const struct record *of = goes(change) ? &change->at->record : &change->next;
    struct event event = {.at_ms = loop_wall_ms(swarm->loop)};

    STR_COPY(event.who, swarm->host);
    record_drifted_says(of, event.why, sizeof(event.why));
    if (!goes(change))
        STR_COPY(event.what, change->mends ? "drifted, repairs itself" : "drifted");
    else if (record_drifted_steps(&change->at->record) > 0)
        STR_COPY(event.what, "is right again");
    else
        STR_COPY(event.what, "repaired itself");
    return event_encode(&event);
}

/* ---- the multi ---- */

static void on_parent(void *ctx, const struct zk_reply *reply)
{
    struct drift_change *change = ctx;
    change->txn.request = NULL;
    if (reply->result == ZK_OK || reply->result == ZK_NODE_EXISTS)
        send(change);
    else
        txn_end_reply(&change->txn, "make drifted/", reply);
}

/* The rollout was made by a program that knew nothing of drift. */
static void make_parent(struct drift_change *change)
{
    struct swarm *swarm = change->txn.swarm;
    struct zpath path = zpath_drifts(swarm->root, swarm->rollout);
    change->txn.request =
        zk_create(swarm->zk, path.text, "", 0, ZK_PERSISTENT, on_parent, change);
}

static void on_changed(void *ctx, const struct zk_reply *reply)
{
    struct drift_change *change = ctx;
    int op = change->drifted_op;
    change->txn.request = NULL;
    if (reply->result == ZK_OK) {
        FAILPOINT("drift:replied");
        change->at->record = change->next;
        change->at->version = reply->ops[change->record_op].stat.version;
        change->at->mzxid = reply->ops[change->record_op].stat.mzxid;
        txn_end(&change->txn, TXN_DONE, NULL);
    } else if (txn_guilty(reply, change->record_op, ZK_BAD_VERSION)) {
        txn_end(&change->txn, TXN_RESYNC, NULL);
    } else if (change->mends && txn_guilty(reply, 0, ZK_BAD_VERSION)) {
        read_gate(change);
    } else if (txn_guilty(reply, op, ZK_NODE_EXISTS) ||
               (goes(change) && txn_guilty(reply, op, ZK_NO_NODE))) {
        change->there = true; /* by hand */
        send(change);
    } else if (txn_guilty(reply, op, ZK_NO_NODE)) {
        make_parent(change);
    } else {
        txn_end_reply(&change->txn, "tell of drift", reply);
    }
}

static void send(struct drift_change *change)
{
    struct swarm *swarm = change->txn.swarm;
    struct zpath gate = zpath_gate(swarm->root, swarm->rollout);
    struct zpath record = zpath_record(swarm->root, swarm->rollout, swarm->host);
    struct zpath drifted = zpath_drift(swarm->root, swarm->rollout, swarm->host);
    _cleanup_(freep) char *data = record_encode(&change->next);
    _cleanup_(freep) char *event =
        mem_printf("%s/e-", zpath_events(swarm->root, swarm->rollout).text);
    _cleanup_(freep) char *event_data = event_of(change);
    bool moves = !change->there && (appears(change) || goes(change));
    struct zk_op ops[4];
    int count = 0;

    if (change->mends)
        ops[count++] = op_check(gate.text, change->gate_version);
    change->record_op = count;
    ops[count++] = op_set(record.text, data, change->at->version);
    change->drifted_op = moves ? count : -2;
    if (moves)
        ops[count++] = goes(change) ? op_delete(drifted.text, -1)
                                    : op_create(drifted.text, "", ZK_PERSISTENT);
    if (change->tells)
        ops[count++] = op_create(event, event_data, ZK_SEQUENTIAL);
    FAILPOINT("drift:send");
    change->txn.request = zk_multi(swarm->zk, ops, count, on_changed, change);
    FAILPOINT("drift:sent");
}

/* ---- reading before it ---- */

static void on_gate(void *ctx, const struct zk_reply *reply)
{
    struct drift_change *change = ctx;
    struct swarm *swarm = change->txn.swarm;
    struct gate gate;
    struct error err;
    change->txn.request = NULL;
    if (reply->result != ZK_OK) {
        txn_end_reply(&change->txn, "read gate", reply);
    } else if (gate_decode(reply->data, reply->data_len, &gate, &err) < 0) {
        struct zpath path = zpath_gate(swarm->root, swarm->rollout);
        (void)error_context(&err, err.code, "znode '%s'", path.text);
        txn_end(&change->txn, TXN_REFUSED, &err);
    } else if (gate.phase != GATE_KEEP) {
        change->closed = true;
        txn_end(&change->txn, TXN_DONE, NULL);
    } else {
        change->gate_version = reply->stat.version;
        send(change);
    }
}

static void read_gate(struct drift_change *change)
{
    struct swarm *swarm = change->txn.swarm;
    struct zpath gate = zpath_gate(swarm->root, swarm->rollout);
    change->txn.request = zk_get(swarm->zk, gate.text, NULL, on_gate, change);
}

static void go_on(struct drift_change *change)
{
    if (change->mends)
        read_gate(change);
    else
        send(change);
}

static void on_events(void *ctx, const struct zk_reply *reply)
{
    struct drift_change *change = ctx;
    change->txn.request = NULL;
    if (reply->result != ZK_OK) {
        txn_end_reply(&change->txn, "count events", reply);
        return;
    }
    change->tells = reply->stat.children_count < DRIFT_EVENTS_MAX;
    go_on(change);
}

static void on_drifted(void *ctx, const struct zk_reply *reply)
{
    struct drift_change *change = ctx;
    struct swarm *swarm = change->txn.swarm;
    change->txn.request = NULL;
    if (reply->result != ZK_OK && reply->result != ZK_NO_NODE) {
        txn_end_reply(&change->txn, "count drifted hosts", reply);
    } else if (reply->result == ZK_OK &&
               reply->stat.children_count >= DRIFT_TELLERS_MAX + goes(change)) {
        go_on(change);
    } else {
        struct zpath events = zpath_events(swarm->root, swarm->rollout);
        change->txn.request =
            zk_exists(swarm->zk, events.text, NULL, on_events, change);
    }
}

void drift_change_start(struct drift_change *change, struct swarm *swarm,
                        struct record_at *at, const struct record *next,
                        txn_done_f done, void *ctx)
{
    *change = (struct drift_change){
        .at = at, .next = *next, .mends = next->state == HOST_IDLE, .drifted_op = -2};
    txn_init(&change->txn, swarm, done, ctx);
    if (!appears(change) && !goes(change)) { /* more or less of what was told */
        go_on(change);
        return;
    }
    struct zpath drifted = zpath_drifts(swarm->root, swarm->rollout);
    change->txn.request = zk_exists(swarm->zk, drifted.text, NULL, on_drifted, change);
}

void drift_change_cancel(struct drift_change *change)
{
    txn_cancel(&change->txn);
}
