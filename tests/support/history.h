/* history.h - what a ZooKeeper committed, in zxid order, and what agents say they did.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: test support. Sources: the model server, a real server's transaction log
 * (txnlog.h), a file. Reader: the checker. As JSON lines:
 *
 * {"zxid":4294967301,"session":72057594037927937,"time_ms":1795464000000,
 *  "ops":[{"op":"check","path":"/clowder/rollouts/r/gate","version":3},
 *         {"op":"create","path":"/clowder/...","data":"h1","version":0,"ephemeral":true},
 *         {"op":"set","path":"...","data":"{...}","before":"{...}","version":4},
 *         {"op":"delete","path":"...","before":"","version":0}]}
 * {"act":"begin","host":"h1","lease":"restart","step":"docker-cluster-store",
 *  "token":4294967301,"attempt":1,"at_zxid":4294967310}
 *
 * A session's end has "close":true and deletes of its ephemerals. "before" is there
 * where the source knows it. Data that is no UTF-8 appears as "data_hex". An act with
 * at_zxid stands behind the last transaction up to that zxid, one without where it was
 * written.
 */
#ifndef CLOWDER_TESTS_SUPPORT_HISTORY_H
#define CLOWDER_TESTS_SUPPORT_HISTORY_H

#include "shared/base/error.h"
#include "shared/io/zk.h"

#include <stdio.h>

struct history_op {
    enum zk_op_kind kind;
    const char *path;
    const char *data, *before; /* NULL = none or not known */
    size_t data_len, before_len;
    int32_t
        version; /* of the node behind the operation; delete: before, -1 not known */
    bool ephemeral;
};

enum history_kind { HISTORY_TXN, HISTORY_ACT_BEGIN, HISTORY_ACT_END };

struct history_entry {
    enum history_kind kind;
    /* a transaction */
    int64_t zxid, session, time_ms;
    bool close;
    struct history_op *ops;
    int ops_count;
    /* an act */
    const char *host, *lease, *step;
    int64_t token, at_zxid; /* 0 = not known */
    int attempt;            /* 0 = the record's */
};

typedef void (*history_f)(void *ctx, const struct history_entry *entry);

struct history;

/* keep false: entries are only shown to the listener, then forgotten. */
struct history *history_new(bool keep);
void history_free(struct history *history);
void history_listen(struct history *history, history_f fn, void *ctx); /* one */

/* A transaction is added op by op; everything is copied. */
void history_begin(struct history *history, int64_t zxid, int64_t session,
                   int64_t time_ms, bool close);
void history_op(struct history *history, const struct history_op *op);
void history_end(struct history *history);
void history_act(struct history *history, const struct history_entry *act);

int history_count(const struct history *history);
const struct history_entry *history_at(const struct history *history, int index);

MUST_CHECK int history_write(const struct history *history, FILE *file,
                             struct error *err);
/* Adds a file's lines; the error names the line. */
MUST_CHECK int history_read(struct history *history, FILE *file, struct error *err);
/* Transactions by zxid, acts where they belong. Stable. */
void history_sort(struct history *history);

#endif
