/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/gc_hosts.h"

#include "shared/base/cleanup.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/swarm/in_force.h"

#include <errno.h>

enum {
    LOOK_WINDOW = 64,
    DELETE_WINDOW = 8,
    OPS_PER_HOST = 3,
    CHUNK = (GC_OPS_MAX - 1) / OPS_PER_HOST,
    ROUNDS_MAX = 20,
    ROUND_TIMEOUT_MS = 600000,
};

static const char *name_of(const struct gc_hosts *h, int pending)
{
    return h->gc->hosts.items[h->pending[pending]];
}

static void settle(struct gc_hosts *h, int pending, int *counter)
{
    struct gc_host *host = &h->hosts[h->pending[pending]];
    *counter += !host->settled;
    host->settled = true;
}

static void find_pending(struct gc_hosts *h)
{
    h->pending_count = 0;
    for (int i = 0; i < h->gc->hosts.count; i++)
        if (!h->hosts[i].settled)
            h->pending[h->pending_count++] = i;
}

static void on_current(void *ctx, const struct zk_reply *reply)
{
    struct gc_hosts *h = ctx;
    struct zpath path = zpath_current(h->gc->root);
    struct current current;
    struct error err = {0};
    h->io = NULL;
    if (reply->result != ZK_OK) {
        flow_again_or_fail(&h->flow, path.text, reply);
    } else if (current_decode(reply->data, reply->data_len, &current, &err) < 0) {
        flow_fail_decode(&h->flow, path.text, &err);
    } else if (!str_equal(current.rollout, h->gc->current.rollout)) {
        (void)error_set(&err, -EAGAIN,
                        "rollout %s came into force meanwhile; %d of %d inventories "
                        "were removed: run `clowder gc` again",
                        current.rollout, h->removed, h->gc->hosts.count);
        flow_fail(&h->flow, &err);
    } else {
        h->current_version = reply->stat.version;
        flow_next(&h->flow);
    }
}

static enum flow_verdict read_current(struct flow *flow, void *ctx, struct error *err)
{
    struct gc_hosts *h = ctx;
    h->io = zk_get(h->gc->zk, zpath_current(h->gc->root).text, NULL, on_current, h);
    return FLOW_WAIT;
}

/* Index 2n is host n's inventory, 2n + 1 its sign of life. */
static struct zk_request *issue_look(void *ctx, int index, zk_done_f done,
                                     void *done_ctx)
{
    struct gc_hosts *h = ctx;
    const char *name = name_of(h, index / 2);
    struct zpath path =
        index % 2 ? zpath_live(h->gc->root, name) : zpath_host(h->gc->root, name);
    return zk_exists(h->gc->zk, path.text, NULL, done, done_ctx);
}

static int on_look(void *ctx, int index, bool repeated, const struct zk_reply *reply,
                   struct error *err)
{
    struct gc_hosts *h = ctx;
    int at = index / 2;
    bool inventory = index % 2 == 0, there = reply->result == ZK_OK;
    if (!there && reply->result != ZK_NO_NODE)
        return zk_error(reply->result, name_of(h, at), err);
    if (inventory && !there)
        settle(h, at, &h->removed); /* by this run, or by another one */
    else if (!inventory && there)
        settle(h, at, &h->spared);
    else if (inventory &&
             h->gc->server_ms - reply->stat.mtime_ms <= h->gc->policy.hosts_ms)
        settle(h, at, &h->spared);
    else if (inventory)
        h->hosts[h->pending[at]].version = reply->stat.version;
    return 0;
}

static void on_batch(void *ctx, int result, const struct error *err)
{
    struct gc_hosts *h = ctx;
    if (result < 0)
        flow_fail(&h->flow, err);
    else
        flow_next(&h->flow);
}

static enum flow_verdict look_again(struct flow *flow, void *ctx, struct error *err)
{
    struct gc_hosts *h = ctx;
    find_pending(h);
    const struct batch_work work = {.count = 2 * h->pending_count,
                                    .window = LOOK_WINDOW,
                                    .issue = issue_look,
                                    .reply = on_look,
                                    .done = on_batch,
                                    .ctx = h};
    batch_start(&h->batch, h->gc->zk, h->gc->loop, &work);
    return FLOW_WAIT;
}

static int chunk_count(const struct gc_hosts *h, int chunk)
{
    int left = h->pending_count - chunk * CHUNK;
    return left < CHUNK ? left : CHUNK;
}

static struct zk_request *issue_delete(void *ctx, int chunk, zk_done_f done,
                                       void *done_ctx)
{
    struct gc_hosts *h = ctx;
    const char *root = h->gc->root;
    struct zpath current = zpath_current(root), live[CHUNK], inventory[CHUNK];
    struct zk_op ops[GC_OPS_MAX] = {op_check(current.text, h->current_version)};
    int count = chunk_count(h, chunk);
    for (int i = 0; i < count; i++) {
        int at = chunk * CHUNK + i;
        struct zk_op *op = &ops[1 + i * OPS_PER_HOST];
        live[i] = zpath_live(root, name_of(h, at));
        inventory[i] = zpath_host(root, name_of(h, at));
        op[0] = op_create(live[i].text, NULL, ZK_PERSISTENT);
        op[1] = op_delete(live[i].text, -1);
        op[2] = op_delete(inventory[i].text, h->hosts[h->pending[at]].version);
    }
    return zk_multi(h->gc->zk, ops, 1 + count * OPS_PER_HOST, done, done_ctx);
}

/* What was refused stays pending: the next round sees why. */
static int on_delete(void *ctx, int chunk, bool repeated, const struct zk_reply *reply,
                     struct error *err)
{
    struct gc_hosts *h = ctx;
    int op = reply->failed_op > 0 ? reply->failed_op - 1 : 0;
    int guilty = chunk * CHUNK + op / OPS_PER_HOST;
    if (reply->result == ZK_BAD_VERSION || reply->result == ZK_NO_NODE)
        return 0;
    if (reply->result != ZK_OK && reply->result != ZK_NODE_EXISTS)
        return zk_error(reply->result, name_of(h, guilty), err);
    if (reply->result == ZK_NODE_EXISTS)
        settle(h, guilty, &h->spared);
    for (int i = 0; reply->result == ZK_OK && i < chunk_count(h, chunk); i++)
        settle(h, chunk * CHUNK + i, &h->removed);
    return 0;
}

static enum flow_verdict delete_hosts(struct flow *flow, void *ctx, struct error *err)
{
    struct gc_hosts *h = ctx;
    find_pending(h);
    const struct batch_work work = {.count = (h->pending_count + CHUNK - 1) / CHUNK,
                                    .window = DELETE_WINDOW,
                                    .issue = issue_delete,
                                    .reply = on_delete,
                                    .done = on_batch,
                                    .ctx = h};
    batch_start(&h->batch, h->gc->zk, h->gc->loop, &work);
    return FLOW_WAIT;
}

static void drop(void *ctx)
{
    struct gc_hosts *h = ctx;
    zk_cancel(h->gc->zk, h->io);
    h->io = NULL;
    batch_cancel(&h->batch);
}

static const struct flow_step steps[] = {
    {.name = "read the rollout in force", .run = read_current, .cancel = drop},
    {.name = "look at the hosts again",
     .run = look_again,
     .cancel = drop,
     .timeout_ms = ROUND_TIMEOUT_MS},
    {.name = "delete their inventories",
     .run = delete_hosts,
     .cancel = drop,
     .timeout_ms = ROUND_TIMEOUT_MS},
    {0},
};

static void forget(struct gc_hosts *h)
{
    free(take_ptr(h->hosts));
    free(take_ptr(h->pending));
}

static void on_round(void *ctx, int result, const struct error *err)
{
    struct gc_hosts *h = ctx;
    struct error busy = {0};
    find_pending(h);
    if (result == 0 && h->pending_count > 0 && ++h->round < ROUNDS_MAX) {
        flow_start(&h->flow, h->gc->loop, steps, h, on_round, h);
        return;
    }
    if (result == 0 && h->pending_count > 0) {
        result = error_set(&busy, -EAGAIN,
                           "%d inventories change while they are removed: run "
                           "`clowder gc` again later",
                           h->pending_count);
        err = &busy;
    }
    forget(h);
    h->done(h->done_ctx, result, err);
}

void gc_hosts_start(struct gc_hosts *h, const struct gc *gc, flow_done_f done,
                    void *done_ctx)
{
    *h = (struct gc_hosts){.gc = gc, .done = done, .done_ctx = done_ctx};
    h->hosts = mem_array((size_t)gc->hosts.count + 1, sizeof(*h->hosts));
    h->pending = mem_array((size_t)gc->hosts.count + 1, sizeof(*h->pending));
    flow_start(&h->flow, gc->loop, steps, h, on_round, h);
}

void gc_hosts_cancel(struct gc_hosts *h)
{
    flow_cancel(&h->flow);
    forget(h);
}
