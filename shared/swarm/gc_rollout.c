/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/gc_rollout.h"

#include "shared/base/cleanup.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/swarm/in_force.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    LIST_WINDOW = 16,
    DELETE_WINDOW = 16,
    ROUNDS_MAX = 20,
    ROUND_TIMEOUT_MS = 600000,
};

/* ---- the tree ---- */

static const char *name_of(const struct gc_removal *r, int node)
{
    return r->names.text + r->nodes[node].name;
}

static struct zpath path_of(const struct gc_removal *r, int node)
{
    if (node == 0)
        return zpath_rollout(r->root, r->rollout);
    struct zpath path = path_of(r, r->nodes[node].parent);
    size_t len = strlen(path.text);
    int add =
        snprintf(path.text + len, sizeof(path.text) - len, "/%s", name_of(r, node));
    if (add < 0 || (size_t)add >= sizeof(path.text) - len)
        path.text[0] = '\0'; /* refused by every call */
    return path;
}

static void add_node(struct gc_removal *r, int parent, const char *name)
{
    if (r->nodes_count == r->nodes_size) {
        r->nodes_size = r->nodes_size ? 2 * r->nodes_size : 256;
        r->nodes = mem_resize(r->nodes, (size_t)r->nodes_size, sizeof(*r->nodes));
    }
    r->nodes[r->nodes_count++] =
        (struct gc_node){.parent = parent, .name = (int)r->names.len};
    strbuf_add_bytes(&r->names, name, strlen(name) + 1);
}

static void forget_tree(struct gc_removal *r)
{
    free(take_ptr(r->nodes));
    free(take_ptr(r->asked));
    strbuf_done(&r->names);
    r->nodes_count = r->nodes_size = r->listed = r->asked_count = 0;
}

/* Children of these are leaves (PROTOCOL.md 2). A name that only looks like one costs a
 * deep round, no more. */
static bool holds_leaves(const char *name)
{
    static const char *const leafy[] = {"hosts", "failed",  "excluded", "events",
                                        "waves", "arrived", "queue",    "permits"};
    for (size_t i = 0; i < sizeof(leafy) / sizeof(leafy[0]); i++)
        if (str_equal(name, leafy[i]))
            return true;
    return false;
}

static bool to_be_asked(const struct gc_removal *r, int node)
{
    return r->deep || node == 0 || r->nodes[node].parent == 0 ||
           !holds_leaves(name_of(r, r->nodes[node].parent));
}

/* leases/<l>/permits? */
static bool is_permits(const struct gc_removal *r, int node)
{
    int lease = r->nodes[node].parent;
    int leases = r->nodes[lease].parent;
    return str_equal(name_of(r, node), "permits") && leases != 0 &&
           r->nodes[leases].parent == 0 && str_equal(name_of(r, leases), "leases");
}

/* ---- the round ---- */

/* Ends this round; the next one asks everything anew. */
static void begin_again(struct gc_removal *r)
{
    r->again = true;
    flow_finish(&r->flow);
}

static void leave(struct gc_removal *r, const char *why)
{
    STR_COPY(r->left, why);
    flow_finish(&r->flow);
}

static void on_current(void *ctx, const struct zk_reply *reply)
{
    struct gc_removal *r = ctx;
    struct zpath path = zpath_current(r->root);
    struct current current;
    struct error err = {0};
    r->io = NULL;
    if (reply->result != ZK_OK) {
        flow_again_or_fail(&r->flow, path.text, reply);
    } else if (current_decode(reply->data, reply->data_len, &current, &err) < 0) {
        flow_fail_decode(&r->flow, path.text, &err);
    } else if (str_equal(current.rollout, r->rollout)) {
        leave(r, "it has come into force");
    } else {
        r->current_version = reply->stat.version;
        flow_next(&r->flow);
    }
}

static enum flow_verdict read_current(struct flow *flow, void *ctx, struct error *err)
{
    struct gc_removal *r = ctx;
    r->io = zk_get(r->zk, zpath_current(r->root).text, NULL, on_current, r);
    return FLOW_WAIT;
}

static void on_gate(void *ctx, const struct zk_reply *reply)
{
    struct gc_removal *r = ctx;
    struct zpath path = zpath_gate(r->root, r->rollout);
    struct error err = {0};
    r->io = NULL;
    if (reply->result == ZK_NO_NODE) {
        r->gate = (struct gate){.phase = GATE_DONE};
        r->gate_version = -1;
        flow_next(&r->flow);
    } else if (reply->result != ZK_OK) {
        flow_again_or_fail(&r->flow, path.text, reply);
    } else if (gate_decode(reply->data, reply->data_len, &r->gate, &err) < 0) {
        flow_fail_decode(&r->flow, path.text, &err);
    } else if (r->gate.phase != GATE_DONE) {
        leave(r, "its gate is not closed");
    } else {
        r->gate_version = reply->stat.version;
        flow_next(&r->flow);
    }
}

static enum flow_verdict read_gate(struct flow *flow, void *ctx, struct error *err)
{
    struct gc_removal *r = ctx;
    r->io = zk_get(r->zk, zpath_gate(r->root, r->rollout).text, NULL, on_gate, r);
    return FLOW_WAIT;
}

static struct zk_request *issue_children(void *ctx, int index, zk_done_f done,
                                         void *done_ctx)
{
    struct gc_removal *r = ctx;
    return zk_children(r->zk, path_of(r, r->asked[index]).text, NULL, done, done_ctx);
}

static int on_children(void *ctx, int index, bool repeated,
                       const struct zk_reply *reply, struct error *err)
{
    struct gc_removal *r = ctx;
    int node = r->asked[index];
    if (reply->result == ZK_NO_NODE) {
        r->gone = r->gone || node == 0;
        return 0;
    }
    if (reply->result != ZK_OK)
        return zk_error(reply->result, path_of(r, node).text, err);
    if (reply->children_count > 0 && is_permits(r, node))
        (void)snprintf(r->left, sizeof(r->left), "a permit of its lease %s is occupied",
                       name_of(r, r->nodes[node].parent));
    for (int i = 0; i < reply->children_count; i++)
        if (node != 0 || !str_equal(reply->children[i], "gate"))
            add_node(r, node, reply->children[i]);
    return 0;
}

static void on_listed(void *ctx, int result, const struct error *err)
{
    struct gc_removal *r = ctx;
    if (result < 0)
        flow_fail(&r->flow, err);
    else if (r->gone || r->left[0])
        flow_finish(&r->flow);
    else
        flow_again(&r->flow, 0, NULL); /* one level deeper */
}

static enum flow_verdict list_tree(struct flow *flow, void *ctx, struct error *err)
{
    struct gc_removal *r = ctx;
    if (r->nodes_count == 0)
        add_node(r, 0, "");
    free(r->asked);
    r->asked = mem_array((size_t)(r->nodes_count - r->listed) + 1, sizeof(*r->asked));
    r->asked_count = 0;
    for (; r->listed < r->nodes_count; r->listed++)
        if (to_be_asked(r, r->listed))
            r->asked[r->asked_count++] = r->listed;
    if (r->asked_count == 0)
        return FLOW_NEXT;
    const struct batch_work work = {.count = r->asked_count,
                                    .window = LIST_WINDOW,
                                    .issue = issue_children,
                                    .reply = on_children,
                                    .done = on_listed,
                                    .ctx = r};
    batch_start(&r->batch, r->zk, r->loop, &work);
    return FLOW_WAIT;
}

static void on_marked(void *ctx, const struct zk_reply *reply)
{
    struct gc_removal *r = ctx;
    r->io = NULL;
    if (reply->result == ZK_OK)
        flow_next(&r->flow);
    else if (reply->result == ZK_BAD_VERSION || reply->result == ZK_NODE_EXISTS ||
             reply->result == ZK_NO_NODE)
        begin_again(r);
    else
        flow_again_or_fail(&r->flow, zpath_gate(r->root, r->rollout).text, reply);
}

/* From here on this rollout can never come into force. */
static enum flow_verdict mark(struct flow *flow, void *ctx, struct error *err)
{
    struct gc_removal *r = ctx;
    if (r->gate_version >= 0 && str_equal(r->gate.reason, GC_MARK))
        return FLOW_NEXT;
    struct gate gate = r->gate;
    gate.at_ms = loop_wall_ms(r->loop);
    STR_COPY(gate.reason, GC_MARK);
    STR_COPY(gate.by, r->by);
    struct zpath current = zpath_current(r->root);
    struct zpath path = zpath_gate(r->root, r->rollout);
    _cleanup_(freep) char *data = gate_encode(&gate);
    const struct zk_op ops[] = {
        op_check(current.text, r->current_version),
        r->gate_version >= 0 ? op_set(path.text, data, r->gate_version)
                             : op_create(path.text, data, ZK_PERSISTENT),
    };
    r->io = zk_multi(r->zk, ops, 2, on_marked, r);
    return FLOW_WAIT;
}

/* Chunk n counts from the end of the tree, so that children go before parents. */
static int chunk_begin(const struct gc_removal *r, int chunk, int *ret_count)
{
    int left = r->nodes_count - 1 - chunk * GC_OPS_MAX;
    *ret_count = left < GC_OPS_MAX ? left : GC_OPS_MAX;
    return left;
}

static struct zk_request *issue_delete(void *ctx, int chunk, zk_done_f done,
                                       void *done_ctx)
{
    struct gc_removal *r = ctx;
    int count, last = chunk_begin(r, chunk, &count);
    struct zpath *paths = mem_array(GC_OPS_MAX, sizeof(*paths));
    struct zk_op ops[GC_OPS_MAX];
    for (int i = 0; i < count; i++) {
        paths[i] = path_of(r, last - i);
        ops[i] = op_delete(paths[i].text, -1);
    }
    struct zk_request *request = zk_multi(r->zk, ops, count, done, done_ctx);
    free(paths);
    return request;
}

static int on_delete(void *ctx, int chunk, bool repeated, const struct zk_reply *reply,
                     struct error *err)
{
    struct gc_removal *r = ctx;
    int count, last = chunk_begin(r, chunk, &count);
    bool there_before = repeated && txn_guilty(reply, 0, ZK_NO_NODE);
    if (reply->result == ZK_OK || there_before) {
        r->removed += count;
        return 0;
    }
    int op = reply->failed_op >= 0 ? reply->failed_op : 0;
    if (reply->result != ZK_NO_NODE && reply->result != ZK_NOT_EMPTY)
        return zk_error(reply->result, path_of(r, last - op).text, err);
    r->again = true;
    r->deep = r->deep || reply->result == ZK_NOT_EMPTY;
    return 0;
}

static void on_deleted(void *ctx, int result, const struct error *err)
{
    struct gc_removal *r = ctx;
    if (result < 0)
        flow_fail(&r->flow, err);
    else if (r->again)
        flow_finish(&r->flow);
    else
        flow_next(&r->flow);
}

static enum flow_verdict delete_tree(struct flow *flow, void *ctx, struct error *err)
{
    struct gc_removal *r = ctx;
    const struct batch_work work = {.count = (r->nodes_count - 1 + GC_OPS_MAX - 1) /
                                             GC_OPS_MAX,
                                    .window = DELETE_WINDOW,
                                    .issue = issue_delete,
                                    .reply = on_delete,
                                    .done = on_deleted,
                                    .ctx = r};
    batch_start(&r->batch, r->zk, r->loop, &work);
    return FLOW_WAIT;
}

static void on_ended(void *ctx, const struct zk_reply *reply)
{
    struct gc_removal *r = ctx;
    r->io = NULL;
    if (reply->result == ZK_OK) {
        r->gone = true;
        r->removed += 2;
        flow_next(&r->flow);
    } else if (reply->result == ZK_NO_NODE || reply->result == ZK_NOT_EMPTY) {
        r->deep = r->deep || reply->result == ZK_NOT_EMPTY;
        begin_again(r);
    } else {
        flow_again_or_fail(&r->flow, zpath_rollout(r->root, r->rollout).text, reply);
    }
}

static enum flow_verdict delete_root(struct flow *flow, void *ctx, struct error *err)
{
    struct gc_removal *r = ctx;
    struct zpath gate = zpath_gate(r->root, r->rollout);
    struct zpath root = zpath_rollout(r->root, r->rollout);
    const struct zk_op ops[] = {op_delete(gate.text, -1), op_delete(root.text, -1)};
    r->io = zk_multi(r->zk, ops, 2, on_ended, r);
    return FLOW_WAIT;
}

static void drop(void *ctx)
{
    struct gc_removal *r = ctx;
    zk_cancel(r->zk, r->io);
    r->io = NULL;
    batch_cancel(&r->batch);
}

static const struct flow_step steps[] = {
    {.name = "read the rollout in force", .run = read_current, .cancel = drop},
    {.name = "read its gate", .run = read_gate, .cancel = drop},
    {.name = "list what it holds",
     .run = list_tree,
     .cancel = drop,
     .timeout_ms = ROUND_TIMEOUT_MS},
    {.name = "mark its gate", .run = mark, .cancel = drop},
    {.name = "delete what it holds",
     .run = delete_tree,
     .cancel = drop,
     .timeout_ms = ROUND_TIMEOUT_MS},
    {.name = "delete its gate and itself", .run = delete_root, .cancel = drop},
    {0},
};

static void on_round(void *ctx, int result, const struct error *err)
{
    struct gc_removal *r = ctx;
    struct error busy = {0};
    forget_tree(r);
    if (result == 0 && r->again && ++r->round < ROUNDS_MAX) {
        r->again = false;
        flow_start(&r->flow, r->loop, steps, r, on_round, r);
        return;
    }
    if (result == 0 && r->again) {
        result = error_set(&busy, -EBUSY,
                           "rollout %s changes while it is removed: somebody writes "
                           "to it; run `clowder gc` again later",
                           r->rollout);
        err = &busy;
    }
    r->done(r->done_ctx, result, err);
}

void gc_rollout_start(struct gc_removal *r, const struct gc *gc, const char *rollout,
                      const char *by, flow_done_f done, void *done_ctx)
{
    *r = (struct gc_removal){
        .zk = gc->zk, .loop = gc->loop, .done = done, .done_ctx = done_ctx};
    STR_COPY(r->root, gc->root);
    STR_COPY(r->rollout, rollout);
    STR_COPY(r->by, by);
    flow_start(&r->flow, r->loop, steps, r, on_round, r);
}

void gc_rollout_cancel(struct gc_removal *r)
{
    flow_cancel(&r->flow);
    forget_tree(r);
}
