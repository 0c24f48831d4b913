/* mutant_zk.c - a client that breaks one rule of the protocol behind its owner's back.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * An infected client has this file's operations in place of its own. Each request is
 * passed on with its arguments rewritten, under a handle of ours, so that its reply can
 * be rewritten too, and a refused multi tried again in another way.
 */
#include "tests/support/mutant_zk.h"

#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/gate.h"
#include "shared/model/record.h"
#include "shared/model/zpath.h"
#include "tests/support/txn_kind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mutant_zk {
    struct zk_ops ops; /* first: what an infected client has */
    const struct zk_ops *inner;
    enum mutant mutant;
};

struct handle { /* what the owner takes for its request */
    struct mutant_zk *m;
    struct zk *zk;
    struct zk_request *inner;
    zk_done_f done;
    void *ctx;
    char *path;
    struct zk_op *ops; /* to be tried again; owned */
    int ops_count;
};

const char *mutant_text(enum mutant mutant)
{
    static const char *const texts[] = {
        [MUTANT_NONE] = "none",
        [MUTANT_NO_GATE_CHECK] = "no-gate-check",
        [MUTANT_STALE_GATE] = "stale-gate",
        [MUTANT_SHARED_PERMITS] = "shared-permits",
        [MUTANT_ONE_MORE] = "one-more",
        [MUTANT_EPHEMERAL_PERMITS] = "ephemeral-permits",
        [MUTANT_PERMIT_GUARD] = "permit-guard",
        [MUTANT_UNCOUNTED_FAILURE] = "uncounted-failure",
        [MUTANT_EARLY_BARRIER] = "early-barrier",
        [MUTANT_LOST_FREES] = "lost-frees",
        [MUTANT_BLIND_CLOSE] = "blind-close",
        [MUTANT_STALE_LEAVE] = "stale-leave",
        [MUTANT_UNGUARDED_PROGRESS] = "unguarded-progress",
        [MUTANT_UNGUARDED_FAILURE] = "unguarded-failure",
        [MUTANT_UNCOUNTED_RETRY] = "uncounted-retry",
        [MUTANT_FORGOTTEN_FAILURE] = "forgotten-failure",
        [MUTANT_SILENT_RELEASE] = "silent-release",
        [MUTANT_HOARDING_RELEASE] = "hoarding-release",
        [MUTANT_HOARDING_BREAK] = "hoarding-break",
        [MUTANT_EARLY_START] = "early-start",
        [MUTANT_BLIND_ADOPTION] = "blind-adoption",
    };
    return texts[mutant];
}

static struct mutant_zk *mutant_of(struct zk *zk)
{
    return (struct mutant_zk *)(uintptr_t)zk->ops;
}

/* --- what a path is */

static bool is_gate(const char *path)
{
    return str_equal(zpath_leaf(path), "gate");
}

static bool is_permits(const char *path)
{
    return str_equal(zpath_leaf(path), "permits");
}

static bool is_below_permits(const char *path, bool owner)
{
    const char *below = strstr(path, "/permits/");
    return below && (strchr(below + strlen("/permits/"), '/') != NULL) == owner;
}

static bool is_permit(const char *path)
{
    return is_below_permits(path, false);
}

static bool is_owner(const char *path)
{
    return is_below_permits(path, true);
}

static bool is_record(const char *path)
{
    return strstr(path, "/rollouts/") && strstr(path, "/hosts/");
}

static bool is_arrivals(const char *path)
{
    return str_equal(zpath_leaf(path), "arrived");
}

static bool is_arrival(const char *path)
{
    return strstr(path, "/arrived/") != NULL;
}

static bool is_open(const char *path)
{
    return str_equal(zpath_leaf(path), "open");
}

static bool is_failure(const char *path)
{
    return strstr(path, "/failed/") != NULL;
}

/* --- handles */

static struct handle *handle_new(struct zk *zk, const char *path, zk_done_f done,
                                 void *ctx)
{
    struct handle *h = NEW(struct handle);
    *h = (struct handle){.m = mutant_of(zk), .zk = zk, .done = done, .ctx = ctx};
    h->path = path ? mem_strdup(path) : NULL;
    return h;
}

static void ops_free(struct zk_op *ops, int count)
{
    for (int i = 0; i < count; i++) {
        free((char *)(uintptr_t)ops[i].path);
        free((char *)(uintptr_t)ops[i].data);
    }
    free(ops);
}

static void handle_free(struct handle *h)
{
    ops_free(h->ops, h->ops_count);
    free(h->path);
    free(h);
}

static struct zk_request *handle_request(struct handle *h)
{
    return (struct zk_request *)h;
}

static void pass(struct handle *h, const struct zk_reply *reply)
{
    zk_done_f done = h->done;
    void *ctx = h->ctx;
    handle_free(h);
    done(ctx, reply);
}

/* --- replies */

/* The gate with `more` permits in each lease; NULL where it does not decode. */
static char *with_limits(const char *data, size_t len, int more)
{
    struct gate gate;
    struct error err;
    if (gate_decode(data, len, &gate, &err) < 0)
        return NULL;
    for (int i = 0; i < gate.limits_count; i++)
        gate.limits[i].permits += more;
    return gate_encode(&gate);
}

static void on_read(void *ctx, const struct zk_reply *reply)
{
    struct handle *h = ctx;
    struct zk_reply lie = *reply;
    char *data = NULL;
    if (reply->result == ZK_OK && h->m->mutant == MUTANT_ONE_MORE && reply->data &&
        is_gate(h->path)) {
        data = with_limits(reply->data, reply->data_len, 1);
        lie.data = data ? data : reply->data;
        lie.data_len = strlen(lie.data);
    }
    if (h->m->mutant == MUTANT_EARLY_BARRIER && is_arrivals(h->path))
        lie.stat.children_count++;
    if (h->m->mutant == MUTANT_EARLY_START && reply->result == ZK_NO_NODE &&
        is_open(h->path))
        lie.result = ZK_OK;
    if (h->m->mutant == MUTANT_BLIND_CLOSE && is_permits(h->path))
        lie.stat.children_count = 0;
    if (h->m->mutant == MUTANT_SHARED_PERMITS && is_permits(h->path))
        lie.children_count = 0;
    pass(h, &lie);
    free(data);
}

static void on_multi(void *ctx, const struct zk_reply *reply)
{
    struct handle *h = ctx;
    if (h->m->mutant != MUTANT_SHARED_PERMITS || reply->result != ZK_NODE_EXISTS ||
        reply->failed_op < 0 || !h->ops || !is_permit(h->ops[reply->failed_op].path)) {
        pass(h, reply);
        return;
    }
    struct zk_op *op = &h->ops[reply->failed_op];
    op->kind = ZK_OP_SET;
    op->version = -1;
    h->inner = h->m->inner->multi(h->zk, h->ops, h->ops_count, on_multi, h);
}

/* --- requests */

static struct zk_request *mutant_get(struct zk *zk, const char *path,
                                     struct zk_watch *watch, zk_done_f done, void *ctx)
{
    struct handle *h = handle_new(zk, path, done, ctx);
    h->inner = h->m->inner->get(zk, path, watch, on_read, h);
    return handle_request(h);
}

static struct zk_request *mutant_exists(struct zk *zk, const char *path,
                                        struct zk_watch *watch, zk_done_f done,
                                        void *ctx)
{
    struct handle *h = handle_new(zk, path, done, ctx);
    h->inner = h->m->inner->exists(zk, path, watch, on_read, h);
    return handle_request(h);
}

static struct zk_request *mutant_children(struct zk *zk, const char *path,
                                          struct zk_watch *watch, zk_done_f done,
                                          void *ctx)
{
    struct handle *h = handle_new(zk, path, done, ctx);
    h->inner = h->m->inner->children(zk, path, watch, on_read, h);
    return handle_request(h);
}

static struct zk_request *mutant_sync(struct zk *zk, const char *path, zk_done_f done,
                                      void *ctx)
{
    struct handle *h = handle_new(zk, path, done, ctx);
    h->inner = h->m->inner->sync(zk, path, on_read, h);
    return handle_request(h);
}

static void copy_ops(struct handle *h, const struct zk_op *ops, int count)
{
    /* Room for two more, and data of our own, which a rewrite replaces. */
    h->ops = mem_array((size_t)count + 2, sizeof(*h->ops));
    h->ops_count = count;
    for (int i = 0; i < count; i++) {
        h->ops[i] = ops[i];
        h->ops[i].path = mem_strdup(ops[i].path);
        h->ops[i].data = ops[i].data ? mem_strdup(ops[i].data) : NULL;
    }
}

/* A check of `path`, any version, in place of what the operation was. */
static void make_check(struct zk_op *op, const char *path, int32_t version)
{
    char *copy = mem_strdup(path);
    free((char *)(uintptr_t)op->path);
    free((char *)(uintptr_t)op->data);
    *op = (struct zk_op){.kind = ZK_OP_CHECK, .path = copy, .version = version};
}

/* Replaced by a check that always holds, so that the others keep their places. */
static void make_no_op(struct zk_op *op)
{
    char root[256];
    const char *below = strstr(op->path, "/rollouts/");
    snprintf(root, sizeof(root), "%.*s", (int)(below - op->path), op->path);
    make_check(op, root, -1);
}

enum lie {
    UNGUARD,    /* any version will do */
    DROP,       /* it is not done at all */
    ONLY_CHECK, /* checked, not written */
    EPHEMERAL,
};

/* What becomes of which operation of which transaction; TXN_OTHER = of any. */
static const struct rewrite {
    enum mutant mutant;
    enum txn_kind txn;
    enum zk_op_kind op;
    bool (*is)(const char *path);
    enum lie lie;
} rewrites[] = {
    {MUTANT_NO_GATE_CHECK, TXN_TAKE, ZK_OP_CHECK, is_gate, DROP},
    {MUTANT_STALE_GATE, TXN_TAKE, ZK_OP_CHECK, is_gate, UNGUARD},
    {MUTANT_EPHEMERAL_PERMITS, TXN_TAKE, ZK_OP_CREATE, is_permit, EPHEMERAL},
    {MUTANT_EPHEMERAL_PERMITS, TXN_OTHER, ZK_OP_CREATE, is_owner, DROP},
    {MUTANT_EPHEMERAL_PERMITS, TXN_OTHER, ZK_OP_DELETE, is_owner, DROP},
    {MUTANT_EPHEMERAL_PERMITS, TXN_OTHER, ZK_OP_CHECK, is_owner, DROP},
    {MUTANT_PERMIT_GUARD, TXN_RELEASE, ZK_OP_SET, is_record, UNGUARD},
    {MUTANT_PERMIT_GUARD, TXN_GIVE_BACK, ZK_OP_SET, is_record, UNGUARD},
    {MUTANT_PERMIT_GUARD, TXN_OTHER, ZK_OP_CREATE, is_owner, DROP},
    {MUTANT_PERMIT_GUARD, TXN_OTHER, ZK_OP_DELETE, is_owner, DROP},
    {MUTANT_PERMIT_GUARD, TXN_OTHER, ZK_OP_CHECK, is_owner, DROP},
    {MUTANT_UNCOUNTED_FAILURE, TXN_FAIL, ZK_OP_SET, is_gate, ONLY_CHECK},
    {MUTANT_UNCOUNTED_FAILURE, TXN_LOST, ZK_OP_SET, is_gate, ONLY_CHECK},
    {MUTANT_STALE_LEAVE, TXN_ACT, ZK_OP_CHECK, is_gate, UNGUARD},
    {MUTANT_UNGUARDED_PROGRESS, TXN_PUBLISH, ZK_OP_SET, is_record, UNGUARD},
    {MUTANT_UNGUARDED_FAILURE, TXN_FAIL, ZK_OP_SET, is_gate, UNGUARD},
    {MUTANT_UNCOUNTED_RETRY, TXN_RETRY, ZK_OP_SET, is_gate, ONLY_CHECK},
    {MUTANT_FORGOTTEN_FAILURE, TXN_FAIL, ZK_OP_CREATE, is_failure, DROP},
    {MUTANT_SILENT_RELEASE, TXN_RELEASE, ZK_OP_CREATE, is_arrival, DROP},
    {MUTANT_HOARDING_RELEASE, TXN_RELEASE, ZK_OP_DELETE, is_owner, DROP},
    {MUTANT_HOARDING_RELEASE, TXN_RELEASE, ZK_OP_DELETE, is_permit, DROP},
    {MUTANT_HOARDING_BREAK, TXN_BREAK, ZK_OP_DELETE, is_owner, DROP},
    {MUTANT_HOARDING_BREAK, TXN_BREAK, ZK_OP_DELETE, is_permit, DROP},
    {MUTANT_BLIND_ADOPTION, TXN_ADOPT, ZK_OP_CHECK, is_gate, UNGUARD},
};

static void make_lie(struct zk_op *op, enum lie lie)
{
    switch (lie) {
    case UNGUARD:
        op->version = -1;
        break;
    case DROP:
        make_no_op(op);
        break;
    case ONLY_CHECK:
        make_check(op, op->path, op->version);
        break;
    case EPHEMERAL:
        op->flags |= ZK_EPHEMERAL;
        break;
    }
}

static void rewrite_op(enum mutant mutant, enum txn_kind txn, struct zk_op *op)
{
    enum zk_op_kind kind = op->kind;
    for (size_t i = 0; i < sizeof(rewrites) / sizeof(rewrites[0]); i++) {
        const struct rewrite *r = &rewrites[i];
        if (r->mutant == mutant && (r->txn == txn || r->txn == TXN_OTHER) &&
            r->op == kind && r->is(op->path)) {
            make_lie(op, r->lie);
            return;
        }
    }
    if (mutant == MUTANT_PERMIT_GUARD && kind == ZK_OP_DELETE && is_permit(op->path))
        op->version = 0;
    if (mutant == MUTANT_ONE_MORE && kind == ZK_OP_SET && is_gate(op->path)) {
        char *data = with_limits(op->data, op->data_len, -1);
        free((char *)(uintptr_t)op->data);
        op->data = data;
        op->data_len = strlen(data);
    }
}

static enum txn_kind kind_of(const struct zk_op *ops, int count)
{
    struct txn_scan scan = {0};
    for (int i = 0; i < count; i++)
        txn_scan_op(&scan, ops[i].kind, ops[i].path, ops[i].data, ops[i].data_len);
    return txn_scan_kind(&scan);
}

/* The mark of a lost holder takes its permit away as well. */
static void free_of_lost(struct handle *h, const struct zk_op *op)
{
    struct record record;
    struct error err;
    if (op->kind != ZK_OP_SET || !is_record(op->path) ||
        record_decode(op->data, op->data_len, &record, &err) < 0 ||
        record.state != HOST_LOST)
        return;
    const char *below = strstr(op->path, "/hosts/");
    char *permit = mem_printf("%.*s/leases/%s/permits/%d", (int)(below - op->path),
                              op->path, record.lease, record.permit);
    h->ops[h->ops_count++] =
        (struct zk_op){.kind = ZK_OP_DELETE,
                       .path = mem_printf("%s/%s", permit, zpath_leaf(op->path)),
                       .version = -1};
    h->ops[h->ops_count++] =
        (struct zk_op){.kind = ZK_OP_DELETE, .path = permit, .version = -1};
}

static void rewrite(struct handle *h)
{
    enum txn_kind txn = kind_of(h->ops, h->ops_count);
    int count = h->ops_count;
    for (int i = 0; i < count; i++) {
        rewrite_op(h->m->mutant, txn, &h->ops[i]);
        if (h->m->mutant == MUTANT_LOST_FREES && txn == TXN_LOST)
            free_of_lost(h, &h->ops[i]);
    }
}

static struct zk_request *mutant_single(struct zk *zk, const struct zk_op *op,
                                        zk_done_f done, void *ctx)
{
    struct handle *h = handle_new(zk, op->path, done, ctx);
    copy_ops(h, op, 1);
    rewrite(h);
    h->inner = h->m->inner->single(zk, h->ops, on_read, h);
    return handle_request(h);
}

static struct zk_request *mutant_multi(struct zk *zk, const struct zk_op *ops,
                                       int count, zk_done_f done, void *ctx)
{
    struct handle *h = handle_new(zk, NULL, done, ctx);
    copy_ops(h, ops, count);
    rewrite(h);
    h->inner = h->m->inner->multi(zk, h->ops, h->ops_count, on_multi, h);
    return handle_request(h);
}

static void mutant_cancel(struct zk *zk, struct zk_request *request)
{
    struct handle *h = (struct handle *)request;
    h->m->inner->cancel(zk, h->inner);
    handle_free(h);
}

static void mutant_disarm(struct zk *zk, struct zk_watch *watch)
{
    mutant_of(zk)->inner->disarm(zk, watch);
}

static void mutant_free(struct zk *zk)
{
    zk->ops = mutant_of(zk)->inner;
    zk->ops->free(zk);
}

struct mutant_zk *mutant_zk_new(enum mutant mutant)
{
    struct mutant_zk *m = NEW(struct mutant_zk);
    *m = (struct mutant_zk){
        .ops = {.free = mutant_free,
                .get = mutant_get,
                .exists = mutant_exists,
                .children = mutant_children,
                .multi = mutant_multi,
                .single = mutant_single,
                .sync = mutant_sync,
                .cancel = mutant_cancel,
                .disarm = mutant_disarm},
        .mutant = mutant,
    };
    return m;
}

void mutant_zk_free(struct mutant_zk *m)
{
    free(m);
}

void mutant_zk_infect(struct mutant_zk *m, struct zk *client)
{
    m->inner = client->ops;
    client->ops = &m->ops;
}
