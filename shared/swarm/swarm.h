/* swarm.h - one host's place in one rollout, and what every transaction shares.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm (ports and model only, so that thousands of hosts run in one process).
 *
 * The transactions of PROTOCOL.md 4 stand one per file: join, enqueue, take, release,
 * fail, barrier, lost, close, drift, and of the operator: init, rollout_create, order.
 * Each is an object that its owner embeds: _start issues it, `done` runs once and last,
 * _cancel drops it silently. Each takes the host's record as it was last read or
 * written (struct record_at) and updates it on TXN_DONE only.
 */
#ifndef CLOWDER_SWARM_SWARM_H
#define CLOWDER_SWARM_SWARM_H

#include "shared/base/error.h"
#include "shared/io/loop.h"
#include "shared/io/zk.h"
#include "shared/model/gate.h"
#include "shared/model/manifest.h"
#include "shared/model/record.h"
#include "shared/model/zpath.h"

/* Hours in which something may begin (model/window.h); open NULL = always. */
struct swarm_hours {
    /* False: not now; ret_wait_ms: look again then. */
    bool (*open)(void *ctx, int64_t *ret_wait_ms);
    void *ctx;
};

struct swarm {
    struct zk *zk;
    struct loop *loop;
    char root[ZROOT_MAX];
    char host[HOST_ID_SIZE];
    char zone[NAME_SIZE]; /* of this host, for the record that it makes when late */
    char rollout[ROLLOUT_ID_SIZE];
    struct swarm_hours hours;
};
bool swarm_open(const struct swarm *swarm, int64_t *ret_wait_ms);

struct record_at {
    struct record record;
    int32_t version;
    int64_t mzxid;
};

enum txn_outcome {
    TXN_DONE,
    TXN_RESYNC,  /* outcome unknown, or the record moved: re-read it (R2) and go on */
    TXN_REFUSED, /* err says why; nothing happened */
};
typedef void (*txn_done_f)(void *ctx, enum txn_outcome outcome,
                           const struct error *err);

/* What is common to every transaction: one request out at a time. */
struct txn {
    struct swarm *swarm;
    struct zk_request *request;
    txn_done_f done;
    void *ctx;
};
void txn_init(struct txn *txn, struct swarm *swarm, txn_done_f done, void *ctx);
void txn_cancel(struct txn *txn);
/* Ends it: done is called, last. what names the transaction for err. */
void txn_end(struct txn *txn, enum txn_outcome outcome, const struct error *err);
/* For a reply that is neither OK nor expected: RESYNC where R2 applies or the
 * connection is away, else REFUSED with a sentence. */
void txn_end_reply(struct txn *txn, const char *what, const struct zk_reply *reply);
/* The record is as it was, and its permit - or its zone's - was removed by hand:
 * REFUSED, with what to do. */
void txn_end_permit_gone(struct txn *txn, const struct record *held, bool zone);
/* True when operation `index` of a failed multi is the guilty one, with that result. */
bool txn_guilty(const struct zk_reply *reply, int index, enum zk_result result);

/* The permit of its zone that the record has; read only while it has one. */
struct zpath swarm_zone_permit(const struct swarm *swarm, const struct record *held);
struct zpath swarm_zone_owner(const struct swarm *swarm, const struct record *held);

/* Operations for multis; data is borrowed until the call that sends them returns. */
struct zk_op op_create(const char *path, const char *data, int flags);
struct zk_op op_set(const char *path, const char *data, int32_t version);
struct zk_op op_delete(const char *path, int32_t version);
struct zk_op op_check(const char *path, int32_t version);

#endif
