/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/adopt.h"

#include "shared/base/cleanup.h"
#include "shared/base/failpoint.h"
#include "shared/base/str.h"

static void read_gate(struct adopt *adopt);

static void on_created(void *ctx, const struct zk_reply *reply)
{
    struct adopt *adopt = ctx;
    adopt->txn.request = NULL;
    if (reply->result == ZK_OK || txn_guilty(reply, 1, ZK_NODE_EXISTS)) {
        FAILPOINT("adopt:replied");
        adopt->adopted = true;
        txn_end(&adopt->txn, TXN_DONE, NULL);
    } else if (txn_guilty(reply, 0, ZK_BAD_VERSION)) {
        read_gate(adopt);
    } else {
        txn_end_reply(&adopt->txn, "adopt", reply);
    }
}

static void on_gate(void *ctx, const struct zk_reply *reply)
{
    struct adopt *adopt = ctx;
    struct swarm *swarm = adopt->txn.swarm;
    struct record record;
    struct gate gate;
    struct error err;
    adopt->txn.request = NULL;
    if (reply->result != ZK_OK) {
        txn_end_reply(&adopt->txn, "read gate", reply);
        return;
    }
    struct zpath gate_path = zpath_gate(swarm->root, swarm->rollout);
    if (gate_decode(reply->data, reply->data_len, &gate, &err) < 0) {
        (void)error_context(&err, err.code, "znode '%s'", gate_path.text);
        txn_end(&adopt->txn, TXN_REFUSED, &err);
        return;
    }
    if (gate.phase != GATE_KEEP) {
        txn_end(&adopt->txn, TXN_DONE, NULL);
        return;
    }
    record_init(&record, -1);
    STR_COPY(record.zone, swarm->zone);
    record.since_ms = loop_wall_ms(swarm->loop);
    struct zpath path = zpath_record(swarm->root, swarm->rollout, swarm->host);
    _cleanup_(freep) char *data = record_encode(&record);
    struct zk_op ops[] = {
        op_check(gate_path.text, reply->stat.version),
        op_create(path.text, data, ZK_PERSISTENT),
    };
    FAILPOINT("adopt:send");
    adopt->txn.request = zk_multi(swarm->zk, ops, 2, on_created, adopt);
    FAILPOINT("adopt:sent");
}

static void read_gate(struct adopt *adopt)
{
    struct swarm *swarm = adopt->txn.swarm;
    struct zpath gate = zpath_gate(swarm->root, swarm->rollout);
    adopt->txn.request = zk_get(swarm->zk, gate.text, NULL, on_gate, adopt);
}

void adopt_start(struct adopt *adopt, struct swarm *swarm, txn_done_f done, void *ctx)
{
    txn_init(&adopt->txn, swarm, done, ctx);
    adopt->adopted = false;
    read_gate(adopt);
}

void adopt_cancel(struct adopt *adopt)
{
    txn_cancel(&adopt->txn);
}
