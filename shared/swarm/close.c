/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/close.h"

#include "shared/base/cleanup.h"
#include "shared/base/failpoint.h"
#include "shared/base/str.h"

#include <stdio.h>

static void read_gate(struct close_rollout *close);

static void on_closed(void *ctx, const struct zk_reply *reply)
{
    struct close_rollout *close = ctx;
    close->txn.request = NULL;
    if (reply->result == ZK_OK) {
        FAILPOINT("close:replied");
        close->closed = true;
        txn_end(&close->txn, TXN_DONE, NULL);
    } else if (reply->result == ZK_BAD_VERSION) {
        read_gate(close);
    } else {
        txn_end_reply(&close->txn, "close", reply);
    }
}

static void on_current(void *ctx, const struct zk_reply *reply)
{
    struct close_rollout *close = ctx;
    struct swarm *swarm = close->txn.swarm;
    struct current current;
    struct error err;
    close->txn.request = NULL;
    if (reply->result != ZK_OK) {
        txn_end_reply(&close->txn, "read current", reply);
        return;
    }
    if (current_decode(reply->data, reply->data_len, &current, &err) < 0) {
        (void)error_context(&err, err.code, "znode 'current'");
        txn_end(&close->txn, TXN_REFUSED, &err);
        return;
    }
    if (!str_equal(current.rollout, swarm->rollout)) {
        STR_COPY(close->why, "another rollout is in force");
        txn_end(&close->txn, TXN_DONE, NULL);
        return;
    }
    bool keep = close->gate.phase == GATE_RUN && close->manifest->spec->adopt;
    if (close->gate.phase == GATE_ABORT) {
        char reason[REASON_SIZE];
        snprintf(reason, sizeof(reason), "aborted%s%.240s",
                 close->gate.reason[0] ? ": " : "", close->gate.reason);
        STR_COPY(close->gate.reason, reason);
    } else {
        close->gate.reason[0] = '\0';
        STR_COPY(close->gate.by, swarm->host);
    }
    close->gate.phase = keep ? GATE_KEEP : GATE_DONE;
    close->gate.at_ms = loop_wall_ms(swarm->loop);
    current.phase = close->gate.phase;
    struct zpath gate = zpath_gate(swarm->root, swarm->rollout);
    struct zpath path = zpath_current(swarm->root);
    _cleanup_(freep) char *gate_data = gate_encode(&close->gate);
    _cleanup_(freep) char *current_data = current_encode(&current);
    struct zk_op ops[] = {
        op_set(gate.text, gate_data, close->gate_version),
        op_set(path.text, current_data, reply->stat.version),
    };
    FAILPOINT("close:send");
    close->txn.request = zk_multi(swarm->zk, ops, 2, on_closed, close);
    FAILPOINT("close:sent");
}

static void on_occupancy(void *ctx, const struct zk_reply *failed)
{
    struct close_rollout *close = ctx;
    struct swarm *swarm = close->txn.swarm;
    const struct occupancy *occupancy = &close->occupancy;
    if (failed) {
        txn_end_reply(&close->txn, "count permits", failed);
    } else if (occupancy->count > 0) {
        snprintf(close->why, sizeof(close->why), "%d permit%s of lease '%s' still held",
                 occupancy->count, occupancy->count == 1 ? "" : "s", occupancy->lease);
        txn_end(&close->txn, TXN_DONE, NULL);
    } else {
        struct zpath current = zpath_current(swarm->root);
        close->txn.request = zk_get(swarm->zk, current.text, NULL, on_current, close);
    }
}

static void read_permits(struct close_rollout *close)
{
    struct swarm *swarm = close->txn.swarm;
    occupancy_look(&close->occupancy, swarm->zk, swarm->root, swarm->rollout,
                   &close->gate, on_occupancy, close);
}

static void on_retries(void *ctx, const struct zk_reply *reply)
{
    struct close_rollout *close = ctx;
    close->txn.request = NULL;
    if (reply->result != ZK_OK) {
        txn_end_reply(&close->txn, "count retried hosts", reply);
    } else if (reply->stat.children_count > 0) {
        snprintf(close->why, sizeof(close->why), "%d retried host%s at work again",
                 reply->stat.children_count,
                 reply->stat.children_count == 1 ? " is" : "s are");
        txn_end(&close->txn, TXN_DONE, NULL);
    } else {
        read_permits(close);
    }
}

static void read_retries(struct close_rollout *close)
{
    struct swarm *swarm = close->txn.swarm;
    struct zpath retries = zpath_retries(swarm->root, swarm->rollout);
    close->txn.request = zk_exists(swarm->zk, retries.text, NULL, on_retries, close);
}

static void read_next_wave(struct close_rollout *close);

static void on_arrivals(void *ctx, const struct zk_reply *reply)
{
    struct close_rollout *close = ctx;
    const struct wave_entry *wave = &close->manifest->waves[close->wave];
    close->txn.request = NULL;
    if (reply->result != ZK_OK) {
        txn_end_reply(&close->txn, "count arrivals", reply);
    } else if (reply->stat.children_count < wave->size) {
        snprintf(close->why, sizeof(close->why), "%d of %d hosts of wave '%s' are done",
                 reply->stat.children_count, wave->size, wave->name);
        txn_end(&close->txn, TXN_DONE, NULL);
    } else {
        read_next_wave(close);
    }
}

/* From the last wave on, which alone tells most of the time. The last wave's hosts may
 * all have been taken out while others are under way. */
static void read_next_wave(struct close_rollout *close)
{
    struct swarm *swarm = close->txn.swarm;
    const struct spec *spec = close->manifest->spec;
    if (--close->wave < 0) {
        read_retries(close);
        return;
    }
    struct zpath arrivals = zpath_arrivals(swarm->root, swarm->rollout, close->wave,
                                           spec->stages[spec->stages_count - 1].name);
    close->txn.request = zk_exists(swarm->zk, arrivals.text, NULL, on_arrivals, close);
}

static void on_gate(void *ctx, const struct zk_reply *reply)
{
    struct close_rollout *close = ctx;
    struct error err;
    close->txn.request = NULL;
    if (reply->result != ZK_OK) {
        txn_end_reply(&close->txn, "read gate", reply);
        return;
    }
    if (gate_decode(reply->data, reply->data_len, &close->gate, &err) < 0) {
        (void)error_context(&err, err.code, "znode 'gate'");
        txn_end(&close->txn, TXN_REFUSED, &err);
        return;
    }
    close->gate_version = reply->stat.version;
    close->wave = close->manifest->waves_count;
    switch (close->gate.phase) {
    case GATE_RUN:
        read_next_wave(close);
        return;
    case GATE_ABORT:
        read_permits(close);
        return;
    case GATE_PAUSE:
        snprintf(close->why, sizeof(close->why), "paused: %.140s", close->gate.reason);
        break;
    case GATE_KEEP:
    case GATE_DONE:
        close->closed = true;
        break;
    }
    txn_end(&close->txn, TXN_DONE, NULL);
}

static void read_gate(struct close_rollout *close)
{
    struct swarm *swarm = close->txn.swarm;
    struct zpath gate = zpath_gate(swarm->root, swarm->rollout);
    close->txn.request = zk_get(swarm->zk, gate.text, NULL, on_gate, close);
}

void close_start(struct close_rollout *close, struct swarm *swarm,
                 const struct manifest *manifest, txn_done_f done, void *ctx)
{
    txn_init(&close->txn, swarm, done, ctx);
    close->occupancy = (struct occupancy){0};
    close->manifest = manifest;
    close->closed = false;
    close->why[0] = '\0';
    read_gate(close);
}

void close_cancel(struct close_rollout *close)
{
    occupancy_cancel(&close->occupancy);
    txn_cancel(&close->txn);
}
