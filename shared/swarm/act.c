/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/act.h"

#include "shared/base/cleanup.h"
#include "shared/base/failpoint.h"

static void read_gate(struct act *act);

static void on_written(void *ctx, const struct zk_reply *reply)
{
    struct act *act = ctx;
    act->txn.request = NULL;
    if (reply->result == ZK_OK) {
        FAILPOINT("act:replied");
        act->at->record = act->next;
        act->at->version = reply->ops[1].stat.version;
        act->at->mzxid = reply->ops[1].stat.mzxid;
        act->allowed = true;
        act->gate_version = act->granting ? act->gate_version : -1;
        txn_end(&act->txn, TXN_DONE, NULL);
    } else if (txn_guilty(reply, 0, ZK_BAD_VERSION)) {
        read_gate(act);
    } else if (txn_guilty(reply, 1, ZK_BAD_VERSION)) {
        txn_end(&act->txn, TXN_RESYNC, NULL);
    } else if (txn_guilty(reply, 2, ZK_NO_NODE)) {
        txn_end_permit_gone(&act->txn, &act->at->record, false);
    } else {
        txn_end_reply(&act->txn, "leave to disrupt", reply);
    }
}

static void write_leave(struct act *act)
{
    struct swarm *swarm = act->txn.swarm;
    struct zpath gate = zpath_gate(swarm->root, swarm->rollout);
    const struct record *held = &act->at->record;
    struct zpath record = zpath_record(swarm->root, swarm->rollout, swarm->host);
    struct zpath owner = zpath_permit_owner(swarm->root, swarm->rollout, held->lease,
                                            held->permit, swarm->host);
    _cleanup_(freep) char *data = record_encode(&act->next);
    struct zk_op ops[] = {
        op_check(gate.text, act->gate_version),
        op_set(record.text, data, act->at->version),
        op_check(owner.text, -1),
    };
    FAILPOINT("act:send");
    act->txn.request = zk_multi(swarm->zk, ops, 3, on_written, act);
    FAILPOINT("act:sent");
}

static void on_gate(void *ctx, const struct zk_reply *reply)
{
    struct act *act = ctx;
    struct swarm *swarm = act->txn.swarm;
    struct error err;
    act->txn.request = NULL;
    if (reply->result != ZK_OK) {
        txn_end_reply(&act->txn, "read gate", reply);
        return;
    }
    struct zpath gate = zpath_gate(swarm->root, swarm->rollout);
    if (gate_decode(reply->data, reply->data_len, &act->gate, &err) < 0) {
        (void)error_context(&err, err.code, "znode '%s'", gate.text);
        txn_end(&act->txn, TXN_REFUSED, &err);
        return;
    }
    int64_t wait_ms;
    bool may_begin = gate_grants(&act->gate) && swarm_open(swarm, &wait_ms);
    if (!may_begin && !act->in_flight) {
        act->gate_version = -1;
        txn_end(&act->txn, TXN_DONE, NULL);
        return;
    }
    act->gate_version = reply->stat.version;
    act->granting = gate_grants(&act->gate);
    write_leave(act);
}

static void read_gate(struct act *act)
{
    struct swarm *swarm = act->txn.swarm;
    struct zpath gate = zpath_gate(swarm->root, swarm->rollout);
    act->txn.request = zk_get(swarm->zk, gate.text, NULL, on_gate, act);
}

void act_start(struct act *act, struct swarm *swarm, struct record_at *at,
               const struct record *next, bool in_flight, int32_t gate_version,
               txn_done_f done, void *ctx)
{
    txn_init(&act->txn, swarm, done, ctx);
    act->at = at;
    act->next = *next;
    act->next.disrupted = true;
    act->in_flight = in_flight;
    act->allowed = false;
    act->gate_version = gate_version;
    act->granting = true;
    int64_t wait_ms;
    if (gate_version >= 0 && (in_flight || swarm_open(swarm, &wait_ms)))
        write_leave(act);
    else
        read_gate(act);
}

void act_cancel(struct act *act)
{
    txn_cancel(&act->txn);
}
