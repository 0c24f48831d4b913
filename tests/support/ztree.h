/* ztree.h - ZooKeeper's data tree: znodes, Stats and atomic transactions on them.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: test support, pure. Follows the 3.4 to 3.8 servers (PrepRequestProcessor,
 * DataTree): the order of the checks, numbering of sequential nodes by the number of
 * creations under the parent, cversion as 2 * creations - children, and the
 * per-operation results of a multi that fails (before the guilty one: OK, after it: not
 * reached).
 */
#ifndef CLOWDER_TESTS_SUPPORT_ZTREE_H
#define CLOWDER_TESTS_SUPPORT_ZTREE_H

#include "shared/io/zk.h"

/* What the server calls a runtime inconsistency (-2): an operation of a multi behind
 * the one that failed. */
#define ZTREE_NOT_REACHED ZK_SERVER_ERROR

/* Asks with every right; what it creates is everybody's. */
#define ZTREE_SUPER "\x01super"

struct znode {
    char *path;
    char *data; /* terminated with a NUL that is not counted */
    size_t data_len;
    int64_t czxid, mzxid, pzxid, ctime_ms, mtime_ms, ephemeral_owner;
    int32_t version;
    int32_t creations;  /* of children, ever */
    const char *digest; /* whose it is; "" = everybody's */
    struct znode *parent;
    struct znode **children;
    int32_t children_count, children_size;
    int32_t index;                             /* in the parent's children */
    struct znode *session_prev, *session_next; /* ephemerals of one session */
};

/* What one transaction did, in the order of its operations; told once it is certain. */
struct ztree_change {
    enum zk_op_kind kind;
    const struct znode *node; /* as it is now; of a delete: as it was; of a check: maybe
                                 changed by a later operation of the same multi */
    const char *path;
    const char *data; /* set, create */
    size_t data_len;
    const char *before; /* set, delete */
    size_t before_len;
    int32_t version; /* create 0, set the new one, delete and check as it is */
};
typedef void (*ztree_change_f)(void *ctx, const struct ztree_change *change);

struct ztree;

struct ztree *ztree_new(ztree_change_f on_change,
                        void *ctx); /* on_change may be NULL */
void ztree_free(struct ztree *tree);

struct ztree_header {
    int64_t zxid, time_ms, session;
    const char *digest; /* who asks; "" = nobody in particular */
};
struct ztree_outcome {
    enum zk_result result;
    struct zk_stat stat; /* of a set */
    char *path;          /* of a create: the name made */
};

/* All of ops or none. outcomes[count] is filled; the caller frees each path. Returns
 * the result of the guilty operation, whose index is in *ret_failed (-1 = none). */
enum zk_result ztree_apply(struct ztree *tree, const struct ztree_header *header,
                           const struct zk_op *ops, int count,
                           struct ztree_outcome *outcomes, int *ret_failed);
/* The end of a session: its ephemerals go, in one transaction. */
void ztree_close_session(struct ztree *tree, int64_t zxid, int64_t session);

const struct znode *ztree_find(const struct ztree *tree, const char *path);
struct zk_stat znode_stat(const struct znode *node);
bool znode_permits(const struct znode *node, const char *digest);
const char *znode_leaf(const struct znode *node);

#endif
