/* zk_request.c - what is asked of a session: requests, their results, their watches.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Story: a request is checked here (path, size, connection), handed to the library,
 * which serialises it at once, and waits for its completion. The completion copies the
 * answer into the request and queues it; the session drains the queue when the library
 * has been left. A request that cannot be sent is queued at once with its reason. So an
 * owner's callback never runs inside the library nor inside the call that started the
 * request, and may free the session.
 *
 * Cancel: a queued request is taken out; one that the library holds is marked and freed
 * at its completion, which always comes (the session ends connections so that it does).
 * The watch that it brought goes with it.
 *
 * Nodes are not freed inside the library: an event may be on its way to them.
 */
#include "shared/io/zk_session.h"
#include "shared/io/zk_wire.h"

#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { SEQUENCE_DIGITS = 10, MULTI_OPS_MAX = 4096 };

static struct zk_session *session_of(struct zk *zk)
{
    return (struct zk_session *)zk;
}

void zk_request_free(struct zk_request *r)
{
    free(r->bytes);
    free(r->children);
    for (int i = 0; i < r->ops_count && r->results; i++)
        free((char *)r->ops[i].path);
    free(r->results);
    free(r->stats);
    free(r->ops);
    free(r);
}

void zk_session_drop_arm(struct zk_session *s, struct zk_arm *arm)
{
    if (arm->request)
        arm->request->arm = NULL;
    zk_arm_free(arm, &s->deliveries);
}

static void on_watch(zhandle_t *zh, int type, int state, const char *path, void *ctx)
{
    if (type == ZOO_SESSION_EVENT) /* each watch gets those too: not ours to tell */
        return;
    struct zk_node *node = ctx;
    node->registered = false;
    zk_node_fire(node, &node->session->deliveries);
    zk_watches_suspect(&node->session->watches, node);
}

void zk_session_sweep(struct zk_session *s)
{
    struct zk_node *node;
    while ((node = zk_watches_next_suspect(&s->watches))) {
        if (!zk_node_unused(node))
            continue;
        ZooWatcherType type =
            node->kind == ZK_WATCH_CHILDREN ? ZWATCHTYPE_CHILD : ZWATCHTYPE_DATA;
        /* local: forgets the registration and sends nothing, which 3.4 would not know
         */
        if (node->registered && s->zh)
            (void)zoo_aremove_watches(s->zh, node->path, type, on_watch, node, 1, NULL,
                                      NULL);
        zk_watches_drop(&s->watches, node);
    }
}

void zk_session_forget_watches(struct zk_session *s)
{
    struct zk_node *node;
    while (zk_watches_next_suspect(&s->watches))
        ;
    while ((node = zk_watches_any(&s->watches))) {
        while (node->arms)
            zk_session_drop_arm(s, node->arms);
        zk_watches_drop(&s->watches, node);
    }
}

static struct zk_request *request_new(struct zk_session *s, zk_done_f done, void *ctx)
{
    struct zk_request *r = NEW(struct zk_request);
    r->delivery.kind = ZK_DELIVER_REPLY;
    r->session = s;
    r->done = done;
    r->ctx = ctx;
    r->reply.failed_op = -1;
    return r;
}

static void refuse(struct zk_request *r, enum zk_result result)
{
    r->reply.result = result;
    zk_deliveries_put(&r->session->deliveries, &r->delivery);
    zk_session_deliver_later(r->session);
}

static bool usable(const struct zk_session *s)
{
    return s->zk.connected && s->state == ZK_STATE_CONNECTED && s->zh &&
           is_unrecoverable(s->zh) == ZOK && zoo_state(s->zh) == ZOO_CONNECTED_STATE;
}

/* ZK_OK: may be handed to the library. */
static enum zk_result admit(const struct zk_session *s, bool valid, size_t bytes)
{
    if (!valid)
        return ZK_INVALID;
    if (bytes > ZK_WIRE_MAX_BYTES)
        return ZK_TOO_BIG;
    return usable(s) ? ZK_OK : ZK_NOT_CONNECTED;
}

static void launched(struct zk_request *r, int code)
{
    struct zk_session *s = r->session;
    if (code == ZOK) {
        r->out = true;
        s->requests_out++;
    } else {
        refuse(r, code == ZBADARGUMENTS ? ZK_INVALID : ZK_NOT_CONNECTED);
    }
    zk_session_sweep(s);
    zk_connection_called(s);
}

/* --- completions: inside the library; they only record -----------------------------
 */

static void settle_watch(struct zk_request *r, int code, bool exists)
{
    struct zk_node *node = r->node;
    if (node == NULL)
        return;
    r->node = NULL;
    node->requests_out--;
    bool holds = code == ZOK || (exists && code == ZNONODE);
    node->registered = node->registered || holds;
    if (r->arm && holds)
        r->arm->state = ZK_ARM_ARMED;
    else if (r->arm)
        zk_session_drop_arm(r->session, r->arm);
    zk_watches_suspect(&r->session->watches, node);
}

static void complete(struct zk_request *r, int code)
{
    struct zk_session *s = r->session;
    s->requests_out--;
    r->out = false;
    if (r->cancelled || s->closing) {
        zk_request_free(r);
        return;
    }
    r->reply.result = zk_wire_result(code);
    zk_deliveries_put(&s->deliveries, &r->delivery);
}

static void on_void(int code, const void *data)
{
    complete((struct zk_request *)data, code);
}

static void on_string(int code, const char *value, const void *data)
{
    struct zk_request *r = (struct zk_request *)data;
    if (code == ZOK && value)
        r->reply.path = r->bytes = mem_strdup(value);
    complete(r, code);
}

static void on_set(int code, const struct Stat *stat, const void *data)
{
    struct zk_request *r = (struct zk_request *)data;
    if (code == ZOK && stat)
        r->reply.stat = zk_wire_stat(stat);
    complete(r, code);
}

static void on_exists(int code, const struct Stat *stat, const void *data)
{
    struct zk_request *r = (struct zk_request *)data;
    settle_watch(r, code, true);
    on_set(code, stat, data);
}

static void on_data(int code, const char *value, int len, const struct Stat *stat,
                    const void *data)
{
    struct zk_request *r = (struct zk_request *)data;
    settle_watch(r, code, false);
    if (code == ZOK) {
        size_t size = value && len > 0 ? (size_t)len : 0;
        r->bytes = mem_new(size + 1);
        if (size > 0)
            memcpy(r->bytes, value, size);
        r->reply.data = r->bytes;
        r->reply.data_len = size;
        r->reply.stat = zk_wire_stat(stat);
    }
    complete(r, code);
}

static void on_children(int code, const struct String_vector *names, const void *data)
{
    struct zk_request *r = (struct zk_request *)data;
    settle_watch(r, code, false);
    int count = code == ZOK && names ? names->count : 0;
    size_t size = 1;
    for (int i = 0; i < count; i++)
        size += strlen(names->data[i]) + 1;
    r->bytes = mem_new(size);
    r->children = mem_array((size_t)count + 1, sizeof(*r->children));
    char *at = r->bytes;
    for (int i = 0; i < count; i++) {
        size_t len = strlen(names->data[i]) + 1;
        memcpy(at, names->data[i], len);
        r->children[i] = at;
        at += len;
    }
    r->reply.children = r->children;
    r->reply.children_count = count;
    complete(r, code);
}

static void read_multi(struct zk_request *r, int code)
{
    int count = r->ops_count;
    enum zk_result overall = zk_wire_result(code);
    int *codes = mem_array((size_t)count, sizeof(*codes));
    for (int i = 0; i < count; i++)
        codes[i] = r->results[i].err;
    bool failed = overall != ZK_OK && overall != ZK_AMBIGUOUS;
    int guilty = failed ? zk_wire_guilty_op(code, codes, count) : -1;
    for (int i = 0; i < count; i++) {
        struct zk_op_reply *op = &r->ops[i];
        if (overall == ZK_OK && r->results[i].stat)
            op->stat = zk_wire_stat(r->results[i].stat);
        /* the others were rolled back: they did not happen */
        op->result = !failed       ? overall
                     : i == guilty ? zk_wire_result(codes[i])
                                   : ZK_SERVER_ERROR;
    }
    free(codes);
    r->reply.ops = r->ops;
    r->reply.ops_count = count;
    r->reply.failed_op = guilty;
}

static void on_multi(int code, const void *data)
{
    struct zk_request *r = (struct zk_request *)data;
    read_multi(r, code);
    complete(r, code);
}

/* --- starting ----------------------------------------------------------------------
 */

static void bring_watch(struct zk_request *r, const char *path, enum zk_watch_kind kind,
                        struct zk_watch *watch)
{
    struct zk_session *s = r->session;
    if (watch == NULL)
        return;
    if (watch->armed)
        zk_disarm(&s->zk, watch);
    r->node = zk_watches_node(&s->watches, s, path, kind);
    r->node->requests_out++;
    r->arm = zk_arm_new(r->node, watch);
    r->arm->request = r;
}

enum read_kind { READ_DATA, READ_EXISTS, READ_CHILDREN };

static struct zk_request *start_read(struct zk *zk, enum read_kind kind,
                                     const char *path, struct zk_watch *watch,
                                     zk_done_f done, void *ctx)
{
    struct zk_session *s = session_of(zk);
    struct zk_request *r = request_new(s, done, ctx);
    bool valid = zk_wire_path_valid(path);
    enum zk_result verdict = admit(s, valid, valid ? zk_wire_read_bytes(path) : 0);
    if (verdict != ZK_OK) {
        refuse(r, verdict);
        return r;
    }
    bring_watch(r, path, kind == READ_CHILDREN ? ZK_WATCH_CHILDREN : ZK_WATCH_DATA,
                watch);
    watcher_fn fn = watch ? on_watch : NULL;
    struct zk_node *node = r->node;
    int code = ZBADARGUMENTS;
    switch (kind) {
    case READ_DATA:
        code = zoo_awget(s->zh, path, fn, node, on_data, r);
        break;
    case READ_EXISTS:
        code = zoo_awexists(s->zh, path, fn, node, on_exists, r);
        break;
    case READ_CHILDREN:
        code = zoo_awget_children(s->zh, path, fn, node, on_children, r);
        break;
    }
    if (code != ZOK)
        settle_watch(r, code, false);
    launched(r, code);
    return r;
}

static struct zk_request *do_get(struct zk *zk, const char *path,
                                 struct zk_watch *watch, zk_done_f done, void *ctx)
{
    return start_read(zk, READ_DATA, path, watch, done, ctx);
}

static struct zk_request *do_exists(struct zk *zk, const char *path,
                                    struct zk_watch *watch, zk_done_f done, void *ctx)
{
    return start_read(zk, READ_EXISTS, path, watch, done, ctx);
}

static struct zk_request *do_children(struct zk *zk, const char *path,
                                      struct zk_watch *watch, zk_done_f done, void *ctx)
{
    return start_read(zk, READ_CHILDREN, path, watch, done, ctx);
}

static const char *data_of(const struct zk_op *op)
{
    return op->data ? op->data : "";
}

/* ZK_PROTECTED is for us: the library would take it for a container, unknown to 3.4. */
static int mode_of(const struct zk_op *op)
{
    return op->flags & (ZK_EPHEMERAL | ZK_SEQUENTIAL);
}

/* With a digest all that we create is its owner's only; without one nothing can be. */
static bool op_valid(const struct zk_session *s, const struct zk_op *op)
{
    bool wants_owner = op->kind == ZK_OP_CREATE && op->flags & ZK_PROTECTED;
    return zk_wire_op_valid(op) && (s->digest || !wants_owner);
}

static struct zk_request *do_single(struct zk *zk, const struct zk_op *op,
                                    zk_done_f done, void *ctx)
{
    struct zk_session *s = session_of(zk);
    struct zk_request *r = request_new(s, done, ctx);
    bool valid = op_valid(s, op) && op->kind != ZK_OP_CHECK;
    enum zk_result verdict =
        admit(s, valid, valid ? zk_wire_op_bytes(op, s->acl_bytes) : 0);
    if (verdict != ZK_OK) {
        refuse(r, verdict);
        return r;
    }
    int code = ZBADARGUMENTS;
    switch (op->kind) {
    case ZK_OP_CREATE:
        code = zoo_acreate(s->zh, op->path, data_of(op), (int)op->data_len, s->acl,
                           mode_of(op), on_string, r);
        break;
    case ZK_OP_SET:
        code = zoo_aset(s->zh, op->path, data_of(op), (int)op->data_len, op->version,
                        on_set, r);
        break;
    case ZK_OP_DELETE:
        code = zoo_adelete(s->zh, op->path, op->version, on_void, r);
        break;
    case ZK_OP_CHECK: /* only inside a multi */
        break;
    }
    launched(r, code);
    return r;
}

/* Results, Stats and name buffers live in the request until its completion. */
static void prepare_op(struct zk_request *r, int i, const struct zk_op *op,
                       zoo_op_t *to, const struct ACL_vector *acl)
{
    size_t name_size = strlen(op->path) + SEQUENCE_DIGITS + 2;
    switch (op->kind) {
    case ZK_OP_CREATE:
        r->ops[i].path = mem_new(name_size);
        zoo_create_op_init(to, op->path, data_of(op), (int)op->data_len, acl,
                           mode_of(op), (char *)r->ops[i].path, (int)name_size);
        break;
    case ZK_OP_SET:
        zoo_set_op_init(to, op->path, data_of(op), (int)op->data_len, op->version,
                        &r->stats[i]);
        break;
    case ZK_OP_DELETE:
        zoo_delete_op_init(to, op->path, op->version);
        break;
    case ZK_OP_CHECK:
        zoo_check_op_init(to, op->path, op->version);
        break;
    }
}

static int launch_multi(struct zk_request *r, const struct zk_op *ops, int count)
{
    struct zk_session *s = r->session;
    zoo_op_t *list = mem_array((size_t)count, sizeof(*list));
    r->ops_count = count;
    r->ops = mem_array((size_t)count, sizeof(*r->ops));
    r->stats = mem_array((size_t)count, sizeof(*r->stats));
    r->results = mem_array((size_t)count, sizeof(*r->results));
    for (int i = 0; i < count; i++)
        prepare_op(r, i, &ops[i], &list[i], s->acl);
    /* paths and the handle were checked right before: else this call frees our memory
     */
    int code = zoo_amulti(s->zh, count, list, r->results, on_multi, r);
    free(list);
    return code;
}

static struct zk_request *do_multi(struct zk *zk, const struct zk_op *ops, int count,
                                   zk_done_f done, void *ctx)
{
    struct zk_session *s = session_of(zk);
    struct zk_request *r = request_new(s, done, ctx);
    bool valid = count > 0 && count <= MULTI_OPS_MAX;
    for (int i = 0; i < count && valid; i++)
        valid = op_valid(s, &ops[i]);
    enum zk_result verdict =
        admit(s, valid, valid ? zk_wire_multi_bytes(ops, count, s->acl_bytes) : 0);
    if (verdict != ZK_OK)
        refuse(r, verdict);
    else
        launched(r, launch_multi(r, ops, count));
    return r;
}

static struct zk_request *do_sync(struct zk *zk, const char *path, zk_done_f done,
                                  void *ctx)
{
    struct zk_session *s = session_of(zk);
    struct zk_request *r = request_new(s, done, ctx);
    bool valid = zk_wire_path_valid(path);
    enum zk_result verdict = admit(s, valid, valid ? zk_wire_read_bytes(path) : 0);
    if (verdict != ZK_OK)
        refuse(r, verdict);
    else
        launched(r, zoo_async(s->zh, path, on_string, r));
    return r;
}

static void do_cancel(struct zk *zk, struct zk_request *r)
{
    struct zk_session *s = session_of(zk);
    if (r->arm)
        zk_disarm(zk, r->arm->watch);
    if (r->out) {
        r->cancelled = true;
        return;
    }
    zk_deliveries_drop(&s->deliveries, &r->delivery);
    zk_request_free(r);
}

static void do_disarm(struct zk *zk, struct zk_watch *watch)
{
    struct zk_session *s = session_of(zk);
    struct zk_arm *arm = watch->armed;
    if (arm == NULL)
        return;
    if (arm->node)
        zk_watches_suspect(&s->watches, arm->node);
    zk_session_drop_arm(s, arm);
    zk_session_sweep(s);
}

const struct zk_ops zk_request_ops = {
    .free = zk_session_free,
    .get = do_get,
    .exists = do_exists,
    .children = do_children,
    .multi = do_multi,
    .single = do_single,
    .sync = do_sync,
    .cancel = do_cancel,
    .disarm = do_disarm,
};
