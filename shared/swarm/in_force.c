/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/in_force.h"

#include "shared/base/str.h"

#include <errno.h>

enum { RETRY_MS = 100 };

void flow_again_or_fail(struct flow *flow, const char *what,
                        const struct zk_reply *reply)
{
    struct error err = {0};
    (void)zk_error(reply->result, what, &err);
    if (reply->result == ZK_AMBIGUOUS || reply->result == ZK_NOT_CONNECTED)
        flow_again(flow, RETRY_MS, &err);
    else
        flow_fail(flow, &err);
}

void flow_fail_decode(struct flow *flow, const char *path, struct error *err)
{
    (void)error_context(err, err->code, "znode '%s'", path);
    flow_fail(flow, err);
}

static void on_current(void *ctx, const struct zk_reply *reply)
{
    struct in_force *f = ctx;
    struct zpath path = zpath_current(f->root);
    struct error err = {0};
    f->io = NULL;
    if (reply->result == ZK_NO_NODE) {
        (void)error_set(&err, -ENOENT,
                        "there is no clowder at '%s' in this ZooKeeper: run `clowder "
                        "init`, or name another root with --zk",
                        f->root);
        flow_fail(&f->flow, &err);
    } else if (reply->result != ZK_OK) {
        flow_again_or_fail(&f->flow, path.text, reply);
    } else if (current_decode(reply->data, reply->data_len, &f->current, &err) < 0) {
        flow_fail_decode(&f->flow, path.text, &err);
    } else if (!f->current.rollout[0]) {
        (void)error_set(&err, -ENOENT,
                        "no rollout is in force: begin one with `clowder install`");
        flow_fail(&f->flow, &err);
    } else {
        flow_next(&f->flow);
    }
}

static enum flow_verdict read_current(struct flow *flow, void *ctx, struct error *err)
{
    struct in_force *f = ctx;
    f->io = zk_get(f->zk, zpath_current(f->root).text, NULL, on_current, f);
    return FLOW_WAIT;
}

static void on_manifest(void *ctx, const struct zk_reply *reply)
{
    struct in_force *f = ctx;
    struct zpath path = zpath_spec(f->root, f->current.rollout);
    struct error err = {0};
    f->io = NULL;
    if (reply->result != ZK_OK)
        flow_again_or_fail(&f->flow, path.text, reply);
    else if (manifest_decode(reply->data, reply->data_len, &f->manifest, &err) < 0)
        flow_fail_decode(&f->flow, path.text, &err);
    else
        flow_next(&f->flow);
}

static enum flow_verdict read_manifest(struct flow *flow, void *ctx, struct error *err)
{
    struct in_force *f = ctx;
    f->io = zk_get(f->zk, zpath_spec(f->root, f->current.rollout).text, NULL,
                   on_manifest, f);
    return FLOW_WAIT;
}

static void drop(void *ctx)
{
    struct in_force *f = ctx;
    zk_cancel(f->zk, f->io);
    f->io = NULL;
}

static const struct flow_step steps[] = {
    {.name = "read the rollout in force", .run = read_current, .cancel = drop},
    {.name = "read its plan", .run = read_manifest, .cancel = drop},
    {0},
};

void in_force_read(struct in_force *f, struct zk *zk, struct loop *loop,
                   const char *root, flow_done_f done, void *done_ctx)
{
    *f = (struct in_force){.zk = zk};
    STR_COPY(f->root, root);
    flow_start(&f->flow, loop, steps, f, done, done_ctx);
}

void in_force_cancel(struct in_force *f)
{
    flow_cancel(&f->flow);
}

void in_force_done(struct in_force *f)
{
    flow_cancel(&f->flow);
    manifest_free(f->manifest);
    f->manifest = NULL;
}
