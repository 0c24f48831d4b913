/* ztree.c - ZooKeeper's data tree.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A transaction is applied operation by operation, each with a note of how to take it
 * back; when one fails the notes are played backwards. Only then is anybody told.
 */
#include "tests/support/ztree.h"

#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "tests/support/strmap.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ztree {
    struct strmap nodes;    /* path -> struct znode */
    struct strmap sessions; /* id in hex -> struct session_nodes */
    struct strmap digests;  /* interned */
    ztree_change_f on_change;
    void *ctx;
};

struct session_nodes {
    char key[20];
    struct znode *first;
};

struct undo {
    enum zk_op_kind kind;
    struct znode *node;
    int32_t version; /* set: the new one; delete, check: as it is */
    char *data;      /* set: what it was */
    size_t data_len;
    int64_t mzxid, mtime_ms; /* set */
    int64_t parent_pzxid;    /* create, delete */
};

static struct znode *find(const struct ztree *tree, const char *path)
{
    return strmap_get(&tree->nodes, path);
}

const struct znode *ztree_find(const struct ztree *tree, const char *path)
{
    return find(tree, path);
}

struct zk_stat znode_stat(const struct znode *node)
{
    return (struct zk_stat){
        .czxid = node->czxid,
        .mzxid = node->mzxid,
        .pzxid = node->pzxid,
        .ctime_ms = node->ctime_ms,
        .mtime_ms = node->mtime_ms,
        .ephemeral_owner = node->ephemeral_owner,
        .version = node->version,
        .cversion = node->creations * 2 - node->children_count,
        .children_count = node->children_count,
        .data_len = (int32_t)node->data_len,
    };
}

bool znode_permits(const struct znode *node, const char *digest)
{
    return !node->digest[0] || strcmp(node->digest, digest) == 0 ||
           strcmp(digest, ZTREE_SUPER) == 0;
}

const char *znode_leaf(const struct znode *node)
{
    return strrchr(node->path, '/') + 1;
}

static char *copy_bytes(const char *bytes, size_t len)
{
    char *copy = mem_resize(NULL, len + 1, 1);

    if (len)
        memcpy(copy, bytes, len);
    copy[len] = '\0';
    return copy;
}

static const char *intern_digest(struct ztree *tree, const char *digest)
{
    if (strcmp(digest, ZTREE_SUPER) == 0)
        digest = "";
    char *copy = strmap_get(&tree->digests, digest);
    if (!copy) {
        copy = mem_strdup(digest);
        strmap_add(&tree->digests, copy, copy);
    }
    return copy;
}

/* --- ephemerals of a session */

static void session_key(int64_t session, char key[20])
{
    snprintf(key, 20, "%" PRIx64, session);
}

static void session_add(struct ztree *tree, struct znode *node)
{
    char key[20];

    session_key(node->ephemeral_owner, key);
    struct session_nodes *nodes = strmap_get(&tree->sessions, key);
    if (!nodes) {
        nodes = NEW(struct session_nodes);
        memcpy(nodes->key, key, sizeof(key));
        strmap_add(&tree->sessions, nodes->key, nodes);
    }
    node->session_prev = NULL;
    node->session_next = nodes->first;
    if (nodes->first)
        nodes->first->session_prev = node;
    nodes->first = node;
}

static void session_remove(struct ztree *tree, struct znode *node)
{
    if (node->session_next)
        node->session_next->session_prev = node->session_prev;
    if (node->session_prev) {
        node->session_prev->session_next = node->session_next;
        return;
    }
    char key[20];
    session_key(node->ephemeral_owner, key);
    struct session_nodes *nodes = strmap_get(&tree->sessions, key);
    nodes->first = node->session_next;
    if (!nodes->first)
        free(strmap_remove(&tree->sessions, key));
}

/* --- links */

static void attach(struct ztree *tree, struct znode *node)
{
    struct znode *parent = node->parent;

    if (parent->children_count == parent->children_size) {
        parent->children_size = parent->children_size ? parent->children_size * 2 : 4;
        parent->children = mem_resize(parent->children, (size_t)parent->children_size,
                                      sizeof(struct znode *));
    }
    node->index = parent->children_count;
    parent->children[parent->children_count++] = node;
    strmap_add(&tree->nodes, node->path, node);
    if (node->ephemeral_owner)
        session_add(tree, node);
}

static void detach(struct ztree *tree, struct znode *node)
{
    struct znode *parent = node->parent, *last;

    last = parent->children[--parent->children_count];
    parent->children[node->index] = last;
    last->index = node->index;
    (void)strmap_remove(&tree->nodes, node->path);
    if (node->ephemeral_owner)
        session_remove(tree, node);
}

static void znode_free(struct znode *node)
{
    free(node->path);
    free(node->data);
    free(node->children);
    free(node);
}

struct ztree *ztree_new(ztree_change_f on_change, void *ctx)
{
    struct ztree *tree = NEW(struct ztree);
    struct znode *root = NEW(struct znode);

    tree->on_change = on_change;
    tree->ctx = ctx;
    root->path = mem_strdup("/");
    root->data = copy_bytes(NULL, 0);
    root->digest = intern_digest(tree, "");
    strmap_add(&tree->nodes, root->path, root);
    return tree;
}

void ztree_free(struct ztree *tree)
{
    if (!tree)
        return;
    STRMAP_EACH(&tree->nodes, e)
    znode_free(e->value);
    STRMAP_EACH(&tree->sessions, e)
    free(e->value);
    STRMAP_EACH(&tree->digests, e)
    free(e->value);
    strmap_done(&tree->nodes);
    strmap_done(&tree->sessions);
    strmap_done(&tree->digests);
    free(tree);
}

static struct znode *find_parent(const struct ztree *tree, const char *path)
{
    char buffer[1024];
    const char *slash = strrchr(path, '/');
    size_t len = slash == path ? 1 : (size_t)(slash - path);

    if (len >= sizeof(buffer))
        return NULL;
    memcpy(buffer, path, len);
    buffer[len] = '\0';
    return find(tree, buffer);
}

/* --- one operation each: checks in the server's order, then the change and its note */

static enum zk_result apply_create(struct ztree *tree,
                                   const struct ztree_header *header,
                                   const struct zk_op *op,
                                   struct ztree_outcome *outcome, struct undo *undo)
{
    struct znode *parent = find_parent(tree, op->path);

    if (!parent)
        return ZK_NO_NODE;
    if (!znode_permits(parent, header->digest))
        return ZK_NO_AUTH;
    char *path = op->flags & ZK_SEQUENTIAL
                     ? mem_printf("%s%010" PRId32, op->path, parent->creations)
                     : mem_strdup(op->path);
    if (find(tree, path) || parent->ephemeral_owner) {
        enum zk_result why = find(tree, path) ? ZK_NODE_EXISTS : ZK_EPHEMERAL_PARENT;

        free(path);
        return why;
    }
    struct znode *node = NEW(struct znode);
    *node = (struct znode){
        .path = path,
        .data = copy_bytes(op->data, op->data_len),
        .data_len = op->data_len,
        .czxid = header->zxid,
        .mzxid = header->zxid,
        .pzxid = header->zxid,
        .ctime_ms = header->time_ms,
        .mtime_ms = header->time_ms,
        .ephemeral_owner = op->flags & ZK_EPHEMERAL ? header->session : 0,
        .digest = intern_digest(tree, header->digest),
        .parent = parent,
    };
    *undo = (struct undo){
        .kind = ZK_OP_CREATE, .node = node, .parent_pzxid = parent->pzxid};
    parent->creations++;
    parent->pzxid = header->zxid;
    attach(tree, node);
    outcome->path = mem_strdup(path);
    return ZK_OK;
}

static enum zk_result apply_set(struct ztree *tree, const struct ztree_header *header,
                                const struct zk_op *op, struct ztree_outcome *outcome,
                                struct undo *undo)
{
    struct znode *node = find(tree, op->path);

    if (!node)
        return ZK_NO_NODE;
    if (!znode_permits(node, header->digest))
        return ZK_NO_AUTH;
    if (op->version != -1 && op->version != node->version)
        return ZK_BAD_VERSION;
    *undo = (struct undo){
        .kind = ZK_OP_SET,
        .node = node,
        .data = node->data,
        .data_len = node->data_len,
        .mzxid = node->mzxid,
        .mtime_ms = node->mtime_ms,
        .version = node->version + 1,
    };
    node->data = copy_bytes(op->data, op->data_len);
    node->data_len = op->data_len;
    node->mzxid = header->zxid;
    node->mtime_ms = header->time_ms;
    node->version++;
    outcome->stat = znode_stat(node);
    return ZK_OK;
}

static void remove_node(struct ztree *tree, struct znode *node, int64_t zxid,
                        struct undo *undo)
{
    *undo = (struct undo){
        .kind = ZK_OP_DELETE,
        .node = node,
        .version = node->version,
        .parent_pzxid = node->parent->pzxid,
    };
    detach(tree, node);
    node->parent->pzxid = zxid;
}

static enum zk_result apply_delete(struct ztree *tree,
                                   const struct ztree_header *header,
                                   const struct zk_op *op, struct undo *undo)
{
    struct znode *parent = find_parent(tree, op->path);

    if (!parent)
        return ZK_NO_NODE;
    if (!znode_permits(parent, header->digest))
        return ZK_NO_AUTH;
    struct znode *node = find(tree, op->path);
    if (!node)
        return ZK_NO_NODE;
    if (op->version != -1 && op->version != node->version)
        return ZK_BAD_VERSION;
    if (node->children_count > 0)
        return ZK_NOT_EMPTY;
    remove_node(tree, node, header->zxid, undo);
    return ZK_OK;
}

static enum zk_result apply_check(struct ztree *tree, const struct ztree_header *header,
                                  const struct zk_op *op, struct undo *undo)
{
    struct znode *node = find(tree, op->path);

    if (!node)
        return ZK_NO_NODE;
    if (!znode_permits(node, header->digest))
        return ZK_NO_AUTH;
    if (op->version != -1 && op->version != node->version)
        return ZK_BAD_VERSION;
    *undo = (struct undo){.kind = ZK_OP_CHECK, .node = node, .version = node->version};
    return ZK_OK;
}

static enum zk_result apply_one(struct ztree *tree, const struct ztree_header *header,
                                const struct zk_op *op, struct ztree_outcome *outcome,
                                struct undo *undo)
{
    switch (op->kind) {
    case ZK_OP_CREATE:
        return apply_create(tree, header, op, outcome, undo);
    case ZK_OP_SET:
        return apply_set(tree, header, op, outcome, undo);
    case ZK_OP_DELETE:
        return apply_delete(tree, header, op, undo);
    case ZK_OP_CHECK:
        return apply_check(tree, header, op, undo);
    }
    return ZK_INVALID;
}

/* --- taking back, and telling */

static void take_back(struct ztree *tree, struct undo *undo)
{
    struct znode *node = undo->node;

    switch (undo->kind) {
    case ZK_OP_CREATE:
        detach(tree, node);
        node->parent->creations--;
        node->parent->pzxid = undo->parent_pzxid;
        znode_free(node);
        break;
    case ZK_OP_SET:
        free(node->data);
        node->data = undo->data;
        node->data_len = undo->data_len;
        node->mzxid = undo->mzxid;
        node->mtime_ms = undo->mtime_ms;
        node->version--;
        break;
    case ZK_OP_DELETE:
        node->parent->pzxid = undo->parent_pzxid;
        attach(tree, node);
        break;
    case ZK_OP_CHECK:
        break;
    }
}

/* The data that an operation wrote: what the next write of the same node in the same
 * transaction replaced, or else what the node has now. */
static void data_written(const struct undo *undos, int count, int at,
                         struct ztree_change *change)
{
    change->data = undos[at].node->data;
    change->data_len = undos[at].node->data_len;
    for (int i = at + 1; i < count; i++) {
        if (undos[i].kind == ZK_OP_SET && undos[i].node == undos[at].node) {
            change->data = undos[i].data;
            change->data_len = undos[i].data_len;
            return;
        }
    }
}

static void tell(struct ztree *tree, const struct undo *undos, int count)
{
    for (int i = 0; i < count && tree->on_change; i++) {
        struct ztree_change change = {
            .kind = undos[i].kind,
            .node = undos[i].node,
            .path = undos[i].node->path,
            .version = undos[i].version,
        };

        if (change.kind == ZK_OP_CREATE || change.kind == ZK_OP_SET)
            data_written(undos, count, i, &change);
        if (change.kind == ZK_OP_SET) {
            change.before = undos[i].data;
            change.before_len = undos[i].data_len;
        } else if (change.kind == ZK_OP_DELETE) {
            change.before = undos[i].node->data;
            change.before_len = undos[i].node->data_len;
        }
        tree->on_change(tree->ctx, &change);
    }
}

static void forget(const struct undo *undos, int count)
{
    for (int i = 0; i < count; i++)
        free(undos[i].data);
    for (int i = 0; i < count; i++) {
        if (undos[i].kind == ZK_OP_DELETE)
            znode_free(undos[i].node);
    }
}

enum zk_result ztree_apply(struct ztree *tree, const struct ztree_header *header,
                           const struct zk_op *ops, int count,
                           struct ztree_outcome *outcomes, int *ret_failed)
{
    struct undo few[8] = {0}, *undos = few;
    int done = 0;
    enum zk_result result = ZK_OK;

    if (count > (int)(sizeof(few) / sizeof(few[0])))
        undos = mem_array((size_t)count, sizeof(struct undo));
    memset(outcomes, 0, (size_t)count * sizeof(outcomes[0]));
    for (; done < count && result == ZK_OK; done++)
        result = apply_one(tree, header, &ops[done], &outcomes[done], &undos[done]);
    *ret_failed = -1;
    if (result == ZK_OK) {
        tell(tree, undos, count);
        forget(undos, count);
    } else {
        *ret_failed = done - 1;
        outcomes[done - 1].result = result;
        for (int i = done; i < count; i++)
            outcomes[i].result = ZTREE_NOT_REACHED;
        for (int i = done - 2; i >= 0; i--) {
            take_back(tree, &undos[i]);
            free(outcomes[i].path);
            outcomes[i] = (struct ztree_outcome){.result = ZK_OK};
        }
    }
    if (undos != few)
        free(undos);
    return result;
}

void ztree_close_session(struct ztree *tree, int64_t zxid, int64_t session)
{
    char key[20];
    struct session_nodes *nodes;

    session_key(session, key);
    while ((nodes = strmap_get(&tree->sessions, key))) {
        struct undo undo;

        remove_node(tree, nodes->first, zxid, &undo);
        tell(tree, &undo, 1);
        forget(&undo, 1);
    }
}
