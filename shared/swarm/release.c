/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/release.h"

#include "shared/base/cleanup.h"
#include "shared/base/failpoint.h"
#include "shared/base/str.h"

static void send(struct release *release);

static void on_released(void *ctx, const struct zk_reply *reply)
{
    struct release *release = ctx;
    release->txn.request = NULL;
    if (reply->result == ZK_OK) {
        FAILPOINT("release:replied");
        release->at->record = release->next;
        release->at->version = reply->ops[0].stat.version;
        release->at->mzxid = reply->ops[0].stat.mzxid;
        txn_end(&release->txn, TXN_DONE, NULL);
    } else if (txn_guilty(reply, release->arrival_op, ZK_NODE_EXISTS)) {
        release->arrival_exists = true;
        send(release);
    } else if (txn_guilty(reply, release->arrival_op, ZK_NO_NODE) &&
               release->arrival_exists) {
        release->arrival_exists = false;
        send(release);
    } else if (txn_guilty(reply, release->retry_op, ZK_NO_NODE)) {
        release->ends_retry = false; /* removed by hand */
        send(release);
    } else if (txn_guilty(reply, 0, ZK_BAD_VERSION)) {
        txn_end(&release->txn, TXN_RESYNC, NULL);
    } else if (txn_guilty(reply, 1, ZK_NO_NODE)) {
        txn_end_permit_gone(&release->txn, &release->at->record, false);
    } else if (release->at->record.zone_permit >= 0 &&
               txn_guilty(reply, 3, ZK_NO_NODE)) {
        txn_end_permit_gone(&release->txn, &release->at->record, true);
    } else {
        txn_end_reply(&release->txn, "release", reply);
    }
}

static void send(struct release *release)
{
    struct swarm *swarm = release->txn.swarm;
    const struct record *held = &release->at->record;
    struct zpath permit =
        zpath_permit(swarm->root, swarm->rollout, held->lease, held->permit);
    struct zpath owner = zpath_permit_owner(swarm->root, swarm->rollout, held->lease,
                                            held->permit, swarm->host);
    struct zpath record = zpath_record(swarm->root, swarm->rollout, swarm->host);
    struct zpath arrival = zpath_arrival(swarm->root, swarm->rollout, held->wave,
                                         release->stage, swarm->host);
    struct zpath retry = zpath_retry(swarm->root, swarm->rollout, swarm->host);
    _cleanup_(freep) char *data = record_encode(&release->next);
    struct zpath zone_permit = swarm_zone_permit(swarm, held);
    struct zpath zone_owner = swarm_zone_owner(swarm, held);
    struct zk_op ops[7] = {
        op_set(record.text, data, release->at->version),
        op_delete(owner.text, -1),
        op_delete(permit.text, -1),
    };
    int count = 3;
    if (held->zone_permit >= 0) {
        ops[count++] = op_delete(zone_owner.text, -1);
        ops[count++] = op_delete(zone_permit.text, -1);
    }
    release->arrival_op = release->arrives ? count : -2;
    if (release->arrives)
        ops[count++] = release->arrival_exists
                           ? op_set(arrival.text, "", -1)
                           : op_create(arrival.text, "", ZK_PERSISTENT);
    release->retry_op = release->ends_retry ? count : -2;
    if (release->ends_retry)
        ops[count++] = op_delete(retry.text, -1);
    FAILPOINT("release:send");
    release->txn.request = zk_multi(swarm->zk, ops, count, on_released, release);
    FAILPOINT("release:sent");
}

static void start(struct release *release, struct swarm *swarm, struct record_at *at,
                  const struct record *next, txn_done_f done, void *ctx)
{
    txn_init(&release->txn, swarm, done, ctx);
    release->at = at;
    release->next = *next;
    release->next.state = HOST_IDLE;
    release->next.permit = release->next.zone_permit = -1;
    release->next.token = 0;
    release->next.disrupted = false;
    release->next.lease[0] = '\0';
    release->next.step[0] = '\0';
    release->next.doing[0] = '\0';
    release->next.since_ms = loop_wall_ms(swarm->loop);
    STR_COPY(release->stage, at->record.stage);
}

void release_start(struct release *release, struct swarm *swarm, struct record_at *at,
                   const struct record *next, bool last, txn_done_f done, void *ctx)
{
    start(release, swarm, at, next, done, ctx);
    bool repairs = at->record.drift == RECORD_REPAIRING;
    release->arrives = at->record.wave >= 0 && !repairs;
    release->arrival_exists = at->record.retried;
    release->next.stages_done++;
    release->next.attempt = 0;
    release->next.error[0] = '\0';
    release->next.stage[0] = '\0';
    if (last)
        release->next.state = HOST_DONE;
    if (last && repairs)
        release->next.drift = RECORD_DRIFTED;
    release->ends_retry = last && record_retrying(&at->record);
    send(release);
}

void give_back_start(struct release *release, struct swarm *swarm, struct record_at *at,
                     const struct record *next, txn_done_f done, void *ctx)
{
    start(release, swarm, at, next, done, ctx);
    release->arrives = release->ends_retry = false;
    send(release);
}

void release_cancel(struct release *release)
{
    txn_cancel(&release->txn);
}
