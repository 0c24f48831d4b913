/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/alarm.h"

#include "shared/base/cleanup.h"
#include "shared/base/failpoint.h"
#include "shared/base/str.h"

#include <stdio.h>
#include <string.h>

static void read_gate(struct alarm *alarm);

static void on_paused(void *ctx, const struct zk_reply *reply)
{
    struct alarm *alarm = ctx;
    alarm->txn.request = NULL;
    if (reply->result == ZK_OK) {
        FAILPOINT("alarm:replied");
        alarm->paused = true;
        txn_end(&alarm->txn, TXN_DONE, NULL);
    } else if (reply->result == ZK_BAD_VERSION) {
        read_gate(alarm);
    } else {
        txn_end_reply(&alarm->txn, "pause the rollout", reply);
    }
}

static void on_gate(void *ctx, const struct zk_reply *reply)
{
    struct alarm *alarm = ctx;
    struct swarm *swarm = alarm->txn.swarm;
    struct gate gate;
    struct error err;
    alarm->txn.request = NULL;
    if (reply->result != ZK_OK) {
        txn_end_reply(&alarm->txn, "read gate", reply);
        return;
    }
    struct zpath path = zpath_gate(swarm->root, swarm->rollout);
    if (gate_decode(reply->data, reply->data_len, &gate, &err) < 0) {
        (void)error_context(&err, err.code, "znode '%s'", path.text);
        txn_end(&alarm->txn, TXN_REFUSED, &err); /* it grants nothing, either */
        return;
    }
    if (!gate_grants(&gate)) {
        alarm->paused = gate.phase == GATE_PAUSE && str_equal(gate.by, swarm->host);
        txn_end(&alarm->txn, TXN_DONE, NULL);
        return;
    }
    gate.kept = gate.phase == GATE_KEEP;
    gate.phase = GATE_PAUSE;
    snprintf(gate.reason, sizeof(gate.reason), "host %s: %s", swarm->host, alarm->why);
    STR_COPY(gate.by, swarm->host);
    gate.at_ms = loop_wall_ms(swarm->loop);
    _cleanup_(freep) char *data = gate_encode(&gate);
    FAILPOINT("alarm:send");
    alarm->txn.request = zk_set(swarm->zk, path.text, data, strlen(data),
                                reply->stat.version, on_paused, alarm);
    FAILPOINT("alarm:sent");
}

static void read_gate(struct alarm *alarm)
{
    struct swarm *swarm = alarm->txn.swarm;
    struct zpath gate = zpath_gate(swarm->root, swarm->rollout);
    alarm->txn.request = zk_get(swarm->zk, gate.text, NULL, on_gate, alarm);
}

static void on_record(void *ctx, const struct zk_reply *reply)
{
    struct alarm *alarm = ctx;
    alarm->txn.request = NULL;
    if (reply->result == ZK_OK)
        read_gate(alarm);
    else if (reply->result == ZK_NO_NODE)
        txn_end(&alarm->txn, TXN_DONE, NULL);
    else
        txn_end_reply(&alarm->txn, "look for the own record", reply);
}

void alarm_start(struct alarm *alarm, struct swarm *swarm, bool member, const char *why,
                 txn_done_f done, void *ctx)
{
    struct zpath record = zpath_record(swarm->root, swarm->rollout, swarm->host);
    txn_init(&alarm->txn, swarm, done, ctx);
    alarm->paused = false;
    STR_COPY(alarm->why, why);
    if (member)
        read_gate(alarm);
    else
        alarm->txn.request = zk_exists(swarm->zk, record.text, NULL, on_record, alarm);
}

void alarm_cancel(struct alarm *alarm)
{
    txn_cancel(&alarm->txn);
}
