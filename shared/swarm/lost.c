/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/lost.h"

#include "shared/base/cleanup.h"
#include "shared/base/failpoint.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/event.h"
#include "shared/model/failure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void next_permit(struct lost_watch *watch);
static void next_lease(struct lost_watch *watch);

/* Of the spec, then of the own zone. */
static int leases_count(const struct lost_watch *watch)
{
    const struct spec *spec = watch->manifest->spec;
    return spec->leases_count + spec->zone_limits_count;
}

static struct lease_name lease_at(const struct lost_watch *watch)
{
    const struct spec *spec = watch->manifest->spec;
    int zoned = watch->lease - spec->leases_count;
    if (zoned < 0)
        return lease_of_all(spec->leases[watch->lease].name);
    return lease_in_zone(spec->zone_limits[zoned].lease, watch->zone);
}

/* ---- what is remembered ---- */

static struct lost_suspect *find_suspect(struct lost_watch *watch,
                                         const struct lost_suspect *holder)
{
    for (int i = 0; i < watch->suspects_count; i++)
        if (watch->suspects[i].token == holder->token &&
            str_equal(watch->suspects[i].host, holder->host))
            return &watch->suspects[i];
    return NULL;
}

/* Those that this look did not find silent are no suspects any more. */
static void forget_unseen(struct lost_watch *watch)
{
    int kept = 0;
    for (int i = 0; i < watch->suspects_count; i++) {
        if (!watch->suspects[i].seen)
            continue;
        watch->suspects[kept] = watch->suspects[i];
        watch->suspects[kept++].seen = false;
    }
    watch->suspects_count = kept;
}

/* Silent long enough to be marked? */
static bool suspect(struct lost_watch *watch)
{
    int64_t now = loop_now_ms(watch->txn.swarm->loop);
    struct lost_suspect *known = find_suspect(watch, &watch->holder);
    if (!known) {
        if (watch->suspects_count == LOST_SUSPECTS_MAX)
            return false; /* others are marked first */
        known = &watch->suspects[watch->suspects_count++];
        *known = watch->holder;
        known->since_ms = now;
    }
    known->seen = true;
    return now - known->since_ms >= watch->manifest->spec->lost_after_ms;
}

/* ---- ending ---- */

static void end(struct lost_watch *watch, enum txn_outcome outcome,
                const struct error *err)
{
    free(take_ptr(watch->permits));
    txn_end(&watch->txn, outcome, err);
}

static void end_reply(struct lost_watch *watch, const char *what,
                      const struct zk_reply *reply)
{
    free(take_ptr(watch->permits));
    txn_end_reply(&watch->txn, what, reply);
}

/* ---- marking ---- */

static void on_marked(void *ctx, const struct zk_reply *reply)
{
    struct lost_watch *watch = ctx;
    watch->txn.request = NULL;
    if (reply->result == ZK_OK) {
        FAILPOINT("lost:replied");
        watch->marked++;
        watch->untold = false; /* of that rollout: the next one has its own */
        snprintf(watch->says, sizeof(watch->says), "holder %s is lost",
                 watch->holder.host);
    } else if (txn_guilty(reply, 4, ZK_NO_NODE)) {
        watch->untold = true; /* the next look marks it */
    } else if (reply->result != ZK_BAD_VERSION && reply->result != ZK_NODE_EXISTS &&
               !txn_guilty(reply, 3, ZK_NO_NODE)) {
        end_reply(watch, "mark a lost holder", reply);
        return;
    }
    next_permit(watch); /* something moved: the next look decides again */
}

static char *event_of(const struct lost_watch *watch, bool paused)
{
    const struct swarm *swarm = watch->txn.swarm;
    struct event event = {.at_ms = watch->record.since_ms};
    STR_COPY(event.who, swarm->host);
    STR_COPY(event.why, watch->record.error);
    (void)snprintf(event.what, sizeof(event.what), "host %s is lost%s",
                   watch->holder.host, paused ? ", the rollout is paused" : "");
    return event_encode(&event);
}

static void send_mark(struct lost_watch *watch, int arrived)
{
    struct swarm *swarm = watch->txn.swarm;
    int64_t wall_ms = loop_wall_ms(swarm->loop);
    snprintf(watch->record.error, sizeof(watch->record.error),
             "no sign of life while holding permit %d of lease '%s'; seen by %s",
             watch->permits[watch->permit], lease_at(watch).text, swarm->host);
    watch->record.state = HOST_LOST;
    if (watch->record.permit >= 0)
        watch->record.token = watch->holder.token;
    watch->record.since_ms = wall_ms;
    struct failure failed =
        failure_of(watch->manifest, &watch->record, watch->holder.host,
                   watch->record.error, wall_ms);
    failed.arrived = arrived;
    enum gate_phase before = watch->gate.phase;
    gate_count_failure(&watch->gate, &failed);
    struct zpath gate = zpath_gate(swarm->root, swarm->rollout);
    struct zpath record = zpath_record(swarm->root, swarm->rollout, watch->holder.host);
    struct zpath failure =
        zpath_failure(swarm->root, swarm->rollout, watch->holder.host);
    struct zpath owner =
        zpath_permit_owner(swarm->root, swarm->rollout, lease_at(watch).text,
                           watch->permits[watch->permit], watch->holder.host);
    _cleanup_(freep) char *gate_data = gate_encode(&watch->gate);
    _cleanup_(freep) char *record_data = record_encode(&watch->record);
    _cleanup_(freep) char *event =
        mem_printf("%s/e-", zpath_events(swarm->root, swarm->rollout).text);
    _cleanup_(freep) char *event_data = event_of(watch, watch->gate.phase != before);
    const struct zk_op ops[] = {
        op_set(gate.text, gate_data, watch->gate_version),
        op_set(record.text, record_data, watch->record_version),
        op_create(failure.text, "", ZK_PERSISTENT),
        op_check(owner.text, -1),
        op_create(event, event_data, ZK_SEQUENTIAL),
    };
    FAILPOINT("lost:send");
    watch->txn.request =
        zk_multi(swarm->zk, ops, watch->untold ? 4 : 5, on_marked, watch);
    FAILPOINT("lost:sent");
}

static void on_arrived(void *ctx, const struct zk_reply *reply)
{
    struct lost_watch *watch = ctx;
    watch->txn.request = NULL;
    if (reply->result != ZK_OK)
        end_reply(watch, "count arrivals", reply);
    else
        send_mark(watch, reply->stat.children_count);
}

/* What the budget of failures in a row needs to know (failure.h). */
static void count_arrivals(struct lost_watch *watch)
{
    struct swarm *swarm = watch->txn.swarm;
    const struct record *record = &watch->record;
    struct failure failed = failure_of(watch->manifest, record, "", "", 0);
    if (failed.streak_budget == 0) {
        send_mark(watch, 0);
        return;
    }
    const char *stage = watch->manifest->spec->stages[record->stages_done].name;
    struct zpath path =
        zpath_arrivals(swarm->root, swarm->rollout, record->wave, stage);
    watch->txn.request = zk_exists(swarm->zk, path.text, NULL, on_arrived, watch);
}

static void on_gate(void *ctx, const struct zk_reply *reply)
{
    struct lost_watch *watch = ctx;
    struct swarm *swarm = watch->txn.swarm;
    struct error err;
    watch->txn.request = NULL;
    if (reply->result != ZK_OK) {
        end_reply(watch, "read gate", reply);
        return;
    }
    struct zpath gate_path = zpath_gate(swarm->root, swarm->rollout);
    if (gate_decode(reply->data, reply->data_len, &watch->gate, &err) < 0) {
        (void)error_context(&err, err.code, "znode '%s'", gate_path.text);
        end(watch, TXN_REFUSED, &err);
        return;
    }
    watch->gate_version = reply->stat.version;
    count_arrivals(watch);
}

/* Of a zone's permit: only while it is the host's only one. */
static bool holds(const struct record *record, int permit, const char *lease)
{
    if (!lease_zone(lease))
        return record->state == HOST_HOLDING && record->permit == permit &&
               str_equal(record->lease, lease);
    return record->state == HOST_WAITING && record->zone_permit == permit &&
           str_equal(record_zone_lease(record).text, lease);
}

static void on_record(void *ctx, const struct zk_reply *reply)
{
    struct lost_watch *watch = ctx;
    struct swarm *swarm = watch->txn.swarm;
    struct error err;
    watch->txn.request = NULL;
    if (reply->result != ZK_OK) {
        end_reply(watch, "read a holder's record", reply);
        return;
    }
    bool in_force =
        record_decode(reply->data, reply->data_len, &watch->record, &err) == 0 &&
        holds(&watch->record, watch->permits[watch->permit], lease_at(watch).text);
    if (!in_force) { /* failed and unhealthy, lost already, or just moved */
        next_permit(watch);
        return;
    }
    watch->record_version = reply->stat.version;
    struct zpath gate = zpath_gate(swarm->root, swarm->rollout);
    watch->txn.request = zk_get(swarm->zk, gate.text, NULL, on_gate, watch);
}

/* ---- looking ---- */

static void on_live(void *ctx, const struct zk_reply *reply)
{
    struct lost_watch *watch = ctx;
    struct swarm *swarm = watch->txn.swarm;
    watch->txn.request = NULL;
    if (reply->result == ZK_OK) {
        next_permit(watch);
    } else if (reply->result != ZK_NO_NODE) {
        end_reply(watch, "look for a sign of life", reply);
    } else if (!suspect(watch)) {
        next_permit(watch);
    } else {
        struct zpath record =
            zpath_record(swarm->root, swarm->rollout, watch->holder.host);
        watch->txn.request = zk_get(swarm->zk, record.text, NULL, on_record, watch);
    }
}

static void on_permit(void *ctx, const struct zk_reply *reply)
{
    struct lost_watch *watch = ctx;
    struct swarm *swarm = watch->txn.swarm;
    watch->txn.request = NULL;
    if (reply->result == ZK_NO_NODE) {
        next_permit(watch);
        return;
    }
    if (reply->result != ZK_OK) {
        end_reply(watch, "read a permit", reply);
        return;
    }
    watch->holder = (struct lost_suspect){.token = reply->stat.czxid};
    STR_COPY(watch->holder.host, reply->data);
    if (!host_id_valid(watch->holder.host) ||
        str_equal(watch->holder.host, swarm->host)) {
        next_permit(watch);
        return;
    }
    struct zpath live = zpath_live(swarm->root, watch->holder.host);
    watch->txn.request = zk_exists(swarm->zk, live.text, NULL, on_live, watch);
}

static void next_permit(struct lost_watch *watch)
{
    struct swarm *swarm = watch->txn.swarm;
    if (++watch->permit >= watch->permits_count) {
        watch->lease++;
        next_lease(watch);
        return;
    }
    struct zpath permit =
        zpath_permit(swarm->root, swarm->rollout, lease_at(watch).text,
                     watch->permits[watch->permit]);
    watch->txn.request = zk_get(swarm->zk, permit.text, NULL, on_permit, watch);
}

static void on_permits(void *ctx, const struct zk_reply *reply)
{
    struct lost_watch *watch = ctx;
    watch->txn.request = NULL;
    /* A late host's zone has no lease before its first ticket. */
    if (reply->result != ZK_OK && reply->result != ZK_NO_NODE) {
        end_reply(watch, "list permits", reply);
        return;
    }
    free(watch->permits);
    watch->permits = mem_array((size_t)reply->children_count + 1, sizeof(int));
    watch->permits_count = 0;
    watch->permit = -1;
    for (int i = 0; i < reply->children_count; i++) {
        int64_t index;
        if (str_to_int64(reply->children[i], 0, INT32_MAX, &index) == 0)
            watch->permits[watch->permits_count++] = (int)index;
    }
    next_permit(watch);
}

static void next_lease(struct lost_watch *watch)
{
    struct swarm *swarm = watch->txn.swarm;
    if (watch->lease == leases_count(watch)) {
        forget_unseen(watch);
        end(watch, TXN_DONE, NULL);
        return;
    }
    struct zpath permits =
        zpath_permits(swarm->root, swarm->rollout, lease_at(watch).text);
    watch->txn.request = zk_children(swarm->zk, permits.text, NULL, on_permits, watch);
}

void lost_watch_look(struct lost_watch *watch, struct swarm *swarm,
                     const struct manifest *manifest, const char *zone, txn_done_f done,
                     void *ctx)
{
    txn_init(&watch->txn, swarm, done, ctx);
    watch->manifest = manifest;
    STR_COPY(watch->zone, zone);
    watch->lease = 0;
    watch->marked = 0;
    for (int i = 0; i < watch->suspects_count; i++)
        watch->suspects[i].seen = false;
    next_lease(watch);
}

void lost_watch_cancel(struct lost_watch *watch)
{
    txn_cancel(&watch->txn);
    free(take_ptr(watch->permits));
}

/* ---- coming back ---- */

static void read_gate_back(struct lost_return *back);

static void on_back(void *ctx, const struct zk_reply *reply)
{
    struct lost_return *back = ctx;
    back->txn.request = NULL;
    if (reply->result == ZK_OK) {
        FAILPOINT("return:replied");
        back->at->record = back->next;
        back->at->version = reply->ops[1].stat.version;
        back->at->mzxid = reply->ops[1].stat.mzxid;
        txn_end(&back->txn, TXN_DONE, NULL);
    } else if (txn_guilty(reply, 0, ZK_BAD_VERSION)) {
        read_gate_back(back);
    } else if (txn_guilty(reply, 1, ZK_BAD_VERSION)) {
        txn_end(&back->txn, TXN_RESYNC, NULL);
    } else {
        txn_end_reply(&back->txn, "come back", reply);
    }
}

static void on_gate_back(void *ctx, const struct zk_reply *reply)
{
    struct lost_return *back = ctx;
    struct swarm *swarm = back->txn.swarm;
    struct error err;
    back->txn.request = NULL;
    if (reply->result != ZK_OK) {
        txn_end_reply(&back->txn, "read gate", reply);
        return;
    }
    struct zpath gate = zpath_gate(swarm->root, swarm->rollout);
    if (gate_decode(reply->data, reply->data_len, &back->gate, &err) < 0) {
        (void)error_context(&err, err.code, "znode '%s'", gate.text);
        txn_end(&back->txn, TXN_REFUSED, &err);
        return;
    }
    gate_uncount_failure(&back->gate, back->at->record.wave,
                         back->at->record.stages_done);
    struct zpath record = zpath_record(swarm->root, swarm->rollout, swarm->host);
    struct zpath failure = zpath_failure(swarm->root, swarm->rollout, swarm->host);
    _cleanup_(freep) char *gate_data = gate_encode(&back->gate);
    _cleanup_(freep) char *record_data = record_encode(&back->next);
    struct zk_op ops[] = {
        op_set(gate.text, gate_data, reply->stat.version),
        op_set(record.text, record_data, back->at->version),
        op_delete(failure.text, -1),
    };
    FAILPOINT("return:send");
    back->txn.request = zk_multi(swarm->zk, ops, 3, on_back, back);
    FAILPOINT("return:sent");
}

static void read_gate_back(struct lost_return *back)
{
    struct swarm *swarm = back->txn.swarm;
    struct zpath gate = zpath_gate(swarm->root, swarm->rollout);
    back->txn.request = zk_get(swarm->zk, gate.text, NULL, on_gate_back, back);
}

void lost_return_start(struct lost_return *back, struct swarm *swarm,
                       struct record_at *at, txn_done_f done, void *ctx)
{
    txn_init(&back->txn, swarm, done, ctx);
    back->at = at;
    back->next = at->record;
    back->next.state = at->record.permit >= 0 ? HOST_HOLDING : HOST_WAITING;
    back->next.error[0] = '\0';
    back->next.since_ms = loop_wall_ms(swarm->loop);
    read_gate_back(back);
}

void lost_return_cancel(struct lost_return *back)
{
    txn_cancel(&back->txn);
}
