/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/promote.h"

#include "shared/base/cleanup.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/event.h"

#include <errno.h>
#include <stdio.h>

static const char *rollout(const struct promote *p)
{
    return p->in_force.current.rollout;
}

static void PRINTF_LIKE(3, 4) refuse(struct promote *p, int code, const char *fmt, ...)
{
    struct error err = {0};
    char why[400];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    (void)error_set(&err, code, "cannot promote wave '%.40s' of rollout %s: %s",
                    p->request.wave, rollout(p), why);
    flow_fail(&p->flow, &err);
}

/* ---- which barrier ---- */

static int find_wave(const struct manifest *manifest, const char *name)
{
    for (int i = 0; i < manifest->waves_count; i++)
        if (str_equal(manifest->waves[i].name, name))
            return i;
    return -1;
}

static void say_waves(const struct manifest *manifest, struct strbuf *names)
{
    for (int i = 0; i < manifest->waves_count; i++)
        strbuf_addf(names, "%s%s", i ? ", " : "", manifest->waves[i].name);
}

static void on_in_force(void *ctx, int result, const struct error *err)
{
    struct promote *p = ctx;
    const struct manifest *manifest = p->in_force.manifest;
    if (result < 0) {
        flow_fail(&p->flow, err);
        return;
    }
    p->wave = find_wave(manifest, p->request.wave);
    if (p->wave < 0) {
        struct strbuf names = {0};
        say_waves(manifest, &names);
        refuse(p, -EINVAL, "its waves are %.300s", names.len ? names.text : "none");
        strbuf_done(&names);
    } else if (!manifest->spec->promote_manual) {
        refuse(p, -EPERM,
               "its waves follow each other by themselves (the spec's "
               "waves.promote is auto)");
    } else if (p->wave == manifest->waves_count - 1) {
        refuse(p, -EPERM, "it is the last one, nothing follows it");
    } else {
        STR_COPY(p->stage,
                 manifest->spec->stages[manifest->spec->stages_count - 1].name);
        flow_next(&p->flow);
    }
}

static enum flow_verdict read_in_force(struct flow *flow, void *ctx, struct error *err)
{
    struct promote *p = ctx;
    in_force_read(&p->in_force, p->zk, p->loop, p->root, on_in_force, p);
    return FLOW_WAIT;
}

/* ---- is it open already, and may it be opened ---- */

static void on_open(void *ctx, const struct zk_reply *reply)
{
    struct promote *p = ctx;
    p->io = NULL;
    if (reply->result == ZK_OK) {
        p->changed = p->unsure; /* only the reply was lost */
        flow_finish(&p->flow);
    } else if (reply->result == ZK_NO_NODE) {
        flow_next(&p->flow);
    } else {
        flow_again_or_fail(&p->flow, "look at the barrier", reply);
    }
}

static enum flow_verdict look_at_open(struct flow *flow, void *ctx, struct error *err)
{
    struct promote *p = ctx;
    struct zpath open = zpath_open(p->root, rollout(p), p->wave, p->stage);
    p->io = zk_exists(p->zk, open.text, NULL, on_open, p);
    return FLOW_WAIT;
}

static void on_arrived(void *ctx, const struct zk_reply *reply)
{
    struct promote *p = ctx;
    int size = p->in_force.manifest->waves[p->wave].size;
    p->io = NULL;
    if (reply->result != ZK_OK) {
        flow_again_or_fail(&p->flow, "count arrivals", reply);
    } else if (reply->stat.children_count < size) {
        refuse(
            p, -EPERM,
            "%d of its %d hosts have not finished stage '%s'; wait for them "
            "(`clowder watch`), or `clowder exclude` those that should not be waited "
            "for",
            size - reply->stat.children_count, size, p->stage);
    } else {
        p->arrived = reply->stat.children_count;
        flow_next(&p->flow);
    }
}

static enum flow_verdict count_arrivals(struct flow *flow, void *ctx, struct error *err)
{
    struct promote *p = ctx;
    struct zpath path = zpath_arrivals(p->root, rollout(p), p->wave, p->stage);
    p->io = zk_exists(p->zk, path.text, NULL, on_arrived, p);
    return FLOW_WAIT;
}

/* ---- the multi ---- */

static void on_opened(void *ctx, const struct zk_reply *reply)
{
    struct promote *p = ctx;
    p->io = NULL;
    if (reply->result == ZK_OK || txn_guilty(reply, 1, ZK_NODE_EXISTS)) {
        p->changed = reply->result == ZK_OK || p->unsure;
        flow_next(&p->flow);
    } else if (txn_guilty(reply, 0, ZK_BAD_VERSION)) {
        flow_again(&p->flow, 0, NULL);
    } else {
        p->unsure = p->unsure || reply->result == ZK_AMBIGUOUS;
        flow_again_or_fail(&p->flow, "promote", reply);
    }
}

static void open_it(struct promote *p, int32_t gate_version)
{
    struct event event = {.at_ms = p->request.at_ms};
    STR_COPY(event.who, p->request.who);
    STR_COPY(event.why, p->request.why);
    snprintf(event.what, sizeof(event.what), "promote %s", p->request.wave);
    struct zpath gate = zpath_gate(p->root, rollout(p));
    struct zpath open = zpath_open(p->root, rollout(p), p->wave, p->stage);
    _cleanup_(freep) char *event_path =
        mem_printf("%s/e-", zpath_events(p->root, rollout(p)).text);
    _cleanup_(freep) char *event_data = event_encode(&event);
    const struct zk_op ops[] = {
        op_check(gate.text, gate_version),
        op_create(open.text, p->request.who, ZK_PERSISTENT),
        op_create(event_path, event_data, ZK_SEQUENTIAL),
    };
    p->io = zk_multi(p->zk, ops, 3, on_opened, p);
}

static void on_gate(void *ctx, const struct zk_reply *reply)
{
    struct promote *p = ctx;
    struct zpath path = zpath_gate(p->root, rollout(p));
    struct gate gate;
    struct error err = {0};
    p->io = NULL;
    if (reply->result != ZK_OK)
        flow_again_or_fail(&p->flow, path.text, reply);
    else if (gate_decode(reply->data, reply->data_len, &gate, &err) < 0)
        flow_fail_decode(&p->flow, path.text, &err);
    else if (gate.phase == GATE_ABORT || gate.phase == GATE_DONE)
        refuse(p, -EPERM, "the rollout is %s",
               gate.phase == GATE_DONE ? "done" : "being aborted");
    else
        open_it(p, reply->stat.version);
}

static enum flow_verdict check_and_open(struct flow *flow, void *ctx, struct error *err)
{
    struct promote *p = ctx;
    p->io = zk_get(p->zk, zpath_gate(p->root, rollout(p)).text, NULL, on_gate, p);
    return FLOW_WAIT;
}

static void drop(void *ctx)
{
    struct promote *p = ctx;
    in_force_cancel(&p->in_force);
    zk_cancel(p->zk, p->io);
    p->io = NULL;
}

static const struct flow_step steps[] = {
    {.name = "read the rollout in force", .run = read_in_force, .cancel = drop},
    {.name = "see whether it is open", .run = look_at_open, .cancel = drop},
    {.name = "count arrivals", .run = count_arrivals, .cancel = drop},
    {.name = "open the barrier", .run = check_and_open, .cancel = drop},
    {0},
};

void promote_start(struct promote *p, struct zk *zk, struct loop *loop,
                   const char *root, const struct promote_request *request,
                   flow_done_f done, void *done_ctx)
{
    *p = (struct promote){.request = *request, .zk = zk, .loop = loop};
    STR_COPY(p->root, root);
    flow_start(&p->flow, loop, steps, p, done, done_ctx);
}

void promote_done(struct promote *p)
{
    flow_cancel(&p->flow);
    in_force_done(&p->in_force);
}
