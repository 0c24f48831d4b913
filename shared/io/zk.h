/* zk.h - the port to ZooKeeper: asynchronous requests, one-shot watches, session
 * events.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: io. Implementations: zk_client.h (the C client, single-threaded, on libevent)
 * and the model server of the tests. Single-threaded.
 *
 * Story of a request: the call copies its arguments and returns; the callback runs
 * exactly once, in a later turn, unless the request was cancelled (then never). When
 * the connection is lost while a request is out, its result is ZK_AMBIGUOUS: it may or
 * may not have happened; the caller issues nothing, waits for ZK_SESSION_CONNECTED,
 * re-reads its own record and goes on from there (PROTOCOL.md R2). When there is no
 * connection at the time of the call the result is ZK_NOT_CONNECTED: it certainly did
 * not happen.
 *
 * Watches: armed only if the request succeeded (exists: also on ZK_NO_NODE). A watch
 * fires at most once, on a change of the node (never on session events), and survives
 * reconnects. On expiry all watches are gone without firing: the listener is told.
 *
 * Session: the port makes a new session by itself after an expiry (R3); the listener
 * gets EXPIRED, later CONNECTED with fresh=true. Ephemerals of the old one are gone.
 */
#ifndef CLOWDER_IO_ZK_H
#define CLOWDER_IO_ZK_H

#include "shared/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum zk_result {
    ZK_OK,
    ZK_NO_NODE,
    ZK_NODE_EXISTS,
    ZK_BAD_VERSION,
    ZK_NOT_EMPTY,
    ZK_EPHEMERAL_PARENT, /* ephemerals have no children */
    ZK_NO_AUTH,          /* ACL refuses: wrong or missing digest */
    ZK_TOO_BIG,          /* refused here: request above 1,048,575 bytes */
    ZK_INVALID,          /* refused here: bad path or arguments */
    ZK_NOT_CONNECTED,    /* was not sent */
    ZK_AMBIGUOUS,        /* outcome unknown */
    ZK_SERVER_ERROR,     /* anything else the server says; did not happen */
};
const char *zk_result_text(enum zk_result result); /* "no node", "bad version", ... */

struct zk_stat {
    int64_t czxid, mzxid, pzxid;
    int64_t ctime_ms, mtime_ms; /* the server's clock */
    int64_t ephemeral_owner;    /* session id or 0 */
    int32_t version, cversion;
    int32_t children_count, data_len;
};

enum zk_flags {
    ZK_PERSISTENT = 0,
    ZK_EPHEMERAL = 1,
    ZK_SEQUENTIAL = 2,
    /* ACL of the new znode is "creator: all" even where others are open; needs a
     * digest (ZK_INVALID without one). */
    ZK_PROTECTED = 4,
};

enum zk_op_kind { ZK_OP_CREATE, ZK_OP_SET, ZK_OP_DELETE, ZK_OP_CHECK };
struct zk_op {
    enum zk_op_kind kind;
    const char *path;
    const char *data; /* create, set; NULL = empty */
    size_t data_len;
    int32_t version; /* set, delete, check; -1 = any */
    int flags;       /* create: enum zk_flags */
};

struct zk_op_reply {
    enum zk_result result;
    struct zk_stat stat; /* of a set */
    const char *path;    /* of a create: the name made (sequentials) */
};

struct zk_reply { /* borrowed: valid during the callback only */
    enum zk_result result;
    struct zk_stat stat;         /* get, exists, set */
    const char *data;            /* get; terminated with a NUL that is not counted */
    size_t data_len;             /* get */
    const char *path;            /* create: the name made */
    const char *const *children; /* children */
    int children_count;
    const struct zk_op_reply *ops; /* multi */
    int ops_count;
    int failed_op; /* multi that failed: the guilty operation; else -1 */
};

typedef void (*zk_done_f)(void *ctx, const struct zk_reply *reply);

/* Owned by the caller, who may free it only when disarmed or fired. Armed from the
 * start of its request on (armed != NULL); cancelling the request disarms it too. */
struct zk_watch {
    void (*fn)(void *ctx);
    void *ctx;
    void *armed; /* the implementation's; NULL when not armed */
};

struct zk_request; /* the implementation's; valid until its callback or its cancel */
struct zk;

enum zk_session_event {
    ZK_SESSION_CONNECTED,
    ZK_SESSION_DISCONNECTED,
    ZK_SESSION_EXPIRED,
    ZK_SESSION_AUTH_FAILED,
};
typedef void (*zk_listener_f)(void *ctx, enum zk_session_event event, bool fresh);

struct zk_ops {
    void (*free)(struct zk *zk); /* closes the session; callbacks no longer run */
    struct zk_request *(*get)(struct zk *, const char *path, struct zk_watch *,
                              zk_done_f, void *ctx);
    struct zk_request *(*exists)(struct zk *, const char *path, struct zk_watch *,
                                 zk_done_f, void *ctx);
    struct zk_request *(*children)(struct zk *, const char *path, struct zk_watch *,
                                   zk_done_f, void *ctx);
    struct zk_request *(*multi)(struct zk *, const struct zk_op *ops, int count,
                                zk_done_f, void *ctx);
    /* create, set, delete go as what they are, not as a multi of one */
    struct zk_request *(*single)(struct zk *, const struct zk_op *op, zk_done_f,
                                 void *ctx);
    struct zk_request *(*sync)(struct zk *, const char *path, zk_done_f, void *ctx);
    void (*cancel)(struct zk *, struct zk_request *);
    void (*disarm)(struct zk *, struct zk_watch *);
};

struct zk { /* embedded first in an implementation */
    const struct zk_ops *ops;
    zk_listener_f listener;
    void *listener_ctx;
    bool connected;
    int64_t session_id;      /* 0 before the first connection */
    int64_t last_contact_ms; /* own monotonic clock: last sign of life from a server */
    char server[64];         /* "10.0.0.1:2181" or "" */
};

void zk_listen(struct zk *zk, zk_listener_f listener, void *ctx);
void zk_free(struct zk *zk);
struct zk_request *zk_get(struct zk *zk, const char *path, struct zk_watch *watch,
                          zk_done_f done, void *ctx);
struct zk_request *zk_exists(struct zk *zk, const char *path, struct zk_watch *watch,
                             zk_done_f done, void *ctx);
struct zk_request *zk_children(struct zk *zk, const char *path, struct zk_watch *watch,
                               zk_done_f done, void *ctx);
struct zk_request *zk_create(struct zk *zk, const char *path, const char *data,
                             size_t data_len, int flags, zk_done_f done, void *ctx);
struct zk_request *zk_set(struct zk *zk, const char *path, const char *data,
                          size_t data_len, int32_t version, zk_done_f done, void *ctx);
struct zk_request *zk_delete(struct zk *zk, const char *path, int32_t version,
                             zk_done_f done, void *ctx);
struct zk_request *zk_multi(struct zk *zk, const struct zk_op *ops, int count,
                            zk_done_f done, void *ctx);
struct zk_request *zk_sync(struct zk *zk, const char *path, zk_done_f done, void *ctx);
void zk_cancel(struct zk *zk, struct zk_request *request); /* NULL is allowed */
void zk_watch_init(struct zk_watch *watch, void (*fn)(void *ctx), void *ctx);
void zk_disarm(struct zk *zk, struct zk_watch *watch); /* not armed is allowed */

/* The result as a negative errno and a sentence: "znode '/clowder/x': bad version". */
int zk_error(enum zk_result result, const char *what, struct error *err);

#endif
