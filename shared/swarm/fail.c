/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/fail.h"

#include "shared/base/cleanup.h"
#include "shared/base/failpoint.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/event.h"
#include "shared/model/failure.h"

#include <stdio.h>
#include <string.h>

static void read_gate(struct fail *fail);

/* Members of a wave that has not got by without them before. */
static bool arrives(const struct fail *fail)
{
    const struct record *held = &fail->at->record;
    return held->wave >= 0 && held->drift != RECORD_REPAIRING;
}

/* The guilty operation is an arrival that exists: set it next time. */
static bool arrival_exists(struct fail *fail, const struct zk_reply *reply)
{
    int stage = reply->failed_op - fail->first_arrival + fail->at->record.stages_done;
    if (reply->failed_op < fail->first_arrival || stage >= SPEC_STAGES_MAX)
        return false;
    if (reply->result == ZK_NODE_EXISTS && !fail->exists[stage])
        fail->exists[stage] = true;
    else if (reply->result == ZK_NO_NODE && fail->exists[stage])
        fail->exists[stage] = false;
    else
        return false;
    return true;
}

static void on_failed(void *ctx, const struct zk_reply *reply)
{
    struct fail *fail = ctx;
    fail->txn.request = NULL;
    if (reply->result == ZK_OK) {
        FAILPOINT("fail:replied");
        fail->at->record = fail->next;
        fail->at->version = reply->ops[1].stat.version;
        fail->at->mzxid = reply->ops[1].stat.mzxid;
        txn_end(&fail->txn, TXN_DONE, NULL);
    } else if (reply->failed_op == fail->retry_op && reply->result == ZK_NO_NODE) {
        fail->ends_retry = false; /* removed by hand */
        read_gate(fail);
    } else if (reply->failed_op == fail->event_op && reply->result == ZK_NO_NODE) {
        fail->untold = true;
        read_gate(fail);
    } else if (txn_guilty(reply, 0, ZK_BAD_VERSION) || arrival_exists(fail, reply)) {
        read_gate(fail);
    } else if (txn_guilty(reply, 1, ZK_BAD_VERSION)) {
        txn_end(&fail->txn, TXN_RESYNC, NULL);
    } else if (reply->result == ZK_NO_NODE && reply->failed_op >= 3 &&
               reply->failed_op < fail->first_arrival) {
        txn_end_permit_gone(&fail->txn, &fail->at->record, reply->failed_op >= 5);
    } else {
        txn_end_reply(&fail->txn, "fail", reply);
    }
}

static char *event_of(const struct fail *fail)
{
    const struct swarm *swarm = fail->txn.swarm;
    struct event event = {.at_ms = loop_wall_ms(swarm->loop)};
    STR_COPY(event.who, swarm->host);
    STR_COPY(event.why, fail->next.error);
    (void)snprintf(event.what, sizeof(event.what), "failed%s%s%s",
                   fail->next.step[0] ? " in " : "", fail->next.step,
                   fail->paused ? ", the rollout is paused" : "");
    return event_encode(&event);
}

static void send(struct fail *fail, int32_t gate_version)
{
    struct swarm *swarm = fail->txn.swarm;
    const struct record *held = &fail->at->record;
    const struct spec *spec = fail->manifest->spec;
    struct zpath gate = zpath_gate(swarm->root, swarm->rollout);
    struct zpath record = zpath_record(swarm->root, swarm->rollout, swarm->host);
    struct zpath failure = zpath_failure(swarm->root, swarm->rollout, swarm->host);
    struct zpath permit =
        zpath_permit(swarm->root, swarm->rollout, held->lease, held->permit);
    struct zpath owner = zpath_permit_owner(swarm->root, swarm->rollout, held->lease,
                                            held->permit, swarm->host);
    struct zpath retry = zpath_retry(swarm->root, swarm->rollout, swarm->host);
    struct zpath arrivals[SPEC_STAGES_MAX];
    _cleanup_(freep) char *gate_data = gate_encode(&fail->gate);
    _cleanup_(freep) char *record_data = record_encode(&fail->next);
    _cleanup_(freep) char *why = mem_printf("excluded: failed: %s", fail->next.error);
    _cleanup_(freep) char *event =
        mem_printf("%s/e-", zpath_events(swarm->root, swarm->rollout).text);
    _cleanup_(freep) char *event_data = event_of(fail);

    struct zpath zone_permit = swarm_zone_permit(swarm, held);
    struct zpath zone_owner = swarm_zone_owner(swarm, held);
    struct zk_op ops[9 + SPEC_STAGES_MAX];
    int count = 0;
    ops[count++] = op_set(gate.text, gate_data, gate_version);
    ops[count++] = op_set(record.text, record_data, fail->at->version);
    ops[count++] = op_create(failure.text, "", ZK_PERSISTENT);
    if (fail->next.healthy) {
        ops[count++] = op_delete(owner.text, -1);
        ops[count++] = op_delete(permit.text, -1);
    }
    if (fail->next.healthy && held->zone_permit >= 0) {
        ops[count++] = op_delete(zone_owner.text, -1);
        ops[count++] = op_delete(zone_permit.text, -1);
    }
    fail->first_arrival = count;
    for (int i = held->stages_done; arrives(fail) && i < spec->stages_count; i++) {
        arrivals[i] = zpath_arrival(swarm->root, swarm->rollout, held->wave,
                                    spec->stages[i].name, swarm->host);
        ops[count++] = fail->exists[i]
                           ? op_set(arrivals[i].text, why, -1)
                           : op_create(arrivals[i].text, why, ZK_PERSISTENT);
    }
    fail->retry_op = fail->ends_retry ? count : -2;
    if (fail->ends_retry)
        ops[count++] = op_delete(retry.text, -1);
    fail->event_op = fail->untold ? -2 : count;
    if (!fail->untold)
        ops[count++] = op_create(event, event_data, ZK_SEQUENTIAL);
    FAILPOINT("fail:send");
    fail->txn.request = zk_multi(swarm->zk, ops, count, on_failed, fail);
    FAILPOINT("fail:sent");
}

static void count_and_send(struct fail *fail, int arrived)
{
    struct swarm *swarm = fail->txn.swarm;
    const struct record *held = &fail->at->record;
    enum gate_phase before = fail->gate.phase;
    struct failure failure = failure_of(fail->manifest, held, swarm->host,
                                        fail->next.error, loop_wall_ms(swarm->loop));
    failure.arrived = arrived;
    failure.arrives = arrives(fail) && !fail->exists[held->stages_done];
    gate_count_failure(&fail->gate, &failure);
    fail->paused = fail->gate.phase != before;
    send(fail, fail->gate_version);
}

static void on_arrived(void *ctx, const struct zk_reply *reply)
{
    struct fail *fail = ctx;
    fail->txn.request = NULL;
    if (reply->result != ZK_OK)
        txn_end_reply(&fail->txn, "count arrivals", reply);
    else
        count_and_send(fail, reply->stat.children_count);
}

static void count_arrivals(struct fail *fail)
{
    struct swarm *swarm = fail->txn.swarm;
    const struct record *held = &fail->at->record;
    struct failure failure = failure_of(fail->manifest, held, "", "", 0);
    if (failure.streak_budget == 0) {
        count_and_send(fail, 0);
        return;
    }
    const char *stage = fail->manifest->spec->stages[held->stages_done].name;
    struct zpath path = zpath_arrivals(swarm->root, swarm->rollout, held->wave, stage);
    fail->txn.request = zk_exists(swarm->zk, path.text, NULL, on_arrived, fail);
}

static void on_gate(void *ctx, const struct zk_reply *reply)
{
    struct fail *fail = ctx;
    struct error err;
    fail->txn.request = NULL;
    if (reply->result != ZK_OK) {
        txn_end_reply(&fail->txn, "read gate", reply);
        return;
    }
    if (gate_decode(reply->data, reply->data_len, &fail->gate, &err) < 0) {
        (void)error_context(&err, err.code, "znode 'gate'");
        txn_end(&fail->txn, TXN_REFUSED, &err);
        return;
    }
    fail->gate_version = reply->stat.version;
    count_arrivals(fail);
}

static void read_gate(struct fail *fail)
{
    struct swarm *swarm = fail->txn.swarm;
    struct zpath gate = zpath_gate(swarm->root, swarm->rollout);
    fail->txn.request = zk_get(swarm->zk, gate.text, NULL, on_gate, fail);
}

void fail_start(struct fail *fail, struct swarm *swarm, struct record_at *at,
                const struct record *next, const struct manifest *manifest,
                txn_done_f done, void *ctx)
{
    txn_init(&fail->txn, swarm, done, ctx);
    fail->at = at;
    fail->manifest = manifest;
    fail->next = *next;
    fail->next.state = HOST_FAILED;
    fail->next.doing[0] = '\0';
    fail->next.since_ms = loop_wall_ms(swarm->loop);
    if (fail->next.healthy) {
        fail->next.permit = fail->next.zone_permit = -1;
        fail->next.token = 0;
        fail->next.disrupted = false;
        fail->next.lease[0] = '\0';
    }
    for (int i = 0; i < SPEC_STAGES_MAX; i++)
        fail->exists[i] = at->record.retried;
    fail->ends_retry = record_retrying(&at->record);
    read_gate(fail);
}

void fail_cancel(struct fail *fail)
{
    txn_cancel(&fail->txn);
}
