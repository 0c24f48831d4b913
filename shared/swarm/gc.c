/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/gc.h"

#include "shared/base/cleanup.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/swarm/in_force.h"

#include <errno.h>
#include <string.h>

enum { WINDOW = 64, LISTS_WINDOW = 2, LOOK_TIMEOUT_MS = 300000 };
enum { LOOK_ROOT, LOOK_GATE, LOOK_RECORDS, LOOKS };

static const struct {
    const char *text, *says;
} verdicts[] = {
    [GC_KEEP_CURRENT] = {"current", "present one"},
    [GC_KEEP_OPEN] = {"open", "not closed"},
    [GC_KEEP_YOUNG] = {"young", "may be in the making"},
    [GC_KEEP_RECENT] = {"recent", "among the newest closed"},
    [GC_KEEP_UNREADABLE] = {"unreadable", "gate not readable"},
    [GC_DEBRIS] = {"debris", "never came into force"},
    [GC_CLOSED] = {"closed", "closed"},
    [GC_HALF] = {"half", "half removed"},
};

bool gc_goes(enum gc_verdict verdict)
{
    return verdict >= GC_DEBRIS;
}

const char *gc_verdict_text(enum gc_verdict verdict)
{
    return verdicts[verdict].text;
}

const char *gc_verdict_says(enum gc_verdict verdict)
{
    return verdicts[verdict].says;
}

int gc_going(const struct gc *gc)
{
    int going = 0;
    for (int i = 0; i < gc->rollouts_count; i++)
        going += gc_goes(gc->rollouts[i].verdict);
    return going;
}

static void on_batch(void *ctx, int result, const struct error *err)
{
    struct gc *gc = ctx;
    if (result < 0)
        flow_fail(&gc->flow, err);
    else
        flow_next(&gc->flow);
}

/* ---- the server's clock ---- */

static void on_clock_set(void *ctx, const struct zk_reply *reply)
{
    struct gc *gc = ctx;
    gc->io = NULL;
    if (reply->result == ZK_BAD_VERSION) { /* another look, at the same time */
        flow_again(&gc->flow, 0, NULL);
    } else if (reply->result != ZK_OK) {
        flow_again_or_fail(&gc->flow, zpath_rollouts(gc->root).text, reply);
    } else {
        gc->server_ms = reply->stat.mtime_ms;
        flow_next(&gc->flow);
    }
}

static void on_clock_read(void *ctx, const struct zk_reply *reply)
{
    struct gc *gc = ctx;
    struct error err = {0};
    gc->io = NULL;
    if (reply->result == ZK_NO_NODE) {
        (void)error_set(&err, -ENOENT,
                        "there is no clowder at '%s' in this ZooKeeper: run `clowder "
                        "init`, or name another root with --zk",
                        gc->root);
        flow_fail(&gc->flow, &err);
    } else if (reply->result != ZK_OK) {
        flow_again_or_fail(&gc->flow, zpath_rollouts(gc->root).text, reply);
    } else {
        gc->io = zk_set(gc->zk, zpath_rollouts(gc->root).text, reply->data,
                        reply->data_len, reply->stat.version, on_clock_set, gc);
    }
}

static enum flow_verdict read_clock(struct flow *flow, void *ctx, struct error *err)
{
    struct gc *gc = ctx;
    gc->io = zk_get(gc->zk, zpath_rollouts(gc->root).text, NULL, on_clock_read, gc);
    return FLOW_WAIT;
}

/* ---- the rollouts ---- */

static void on_current(void *ctx, const struct zk_reply *reply)
{
    struct gc *gc = ctx;
    struct zpath path = zpath_current(gc->root);
    struct error err = {0};
    gc->io = NULL;
    if (reply->result != ZK_OK)
        flow_again_or_fail(&gc->flow, path.text, reply);
    else if (current_decode(reply->data, reply->data_len, &gc->current, &err) < 0)
        flow_fail_decode(&gc->flow, path.text, &err);
    else
        flow_next(&gc->flow);
}

static enum flow_verdict read_current(struct flow *flow, void *ctx, struct error *err)
{
    struct gc *gc = ctx;
    gc->io = zk_get(gc->zk, zpath_current(gc->root).text, NULL, on_current, gc);
    return FLOW_WAIT;
}

/* A name that is no rollout's is somebody else's: it is not even looked at. */
static void on_rollouts(void *ctx, const struct zk_reply *reply)
{
    struct gc *gc = ctx;
    gc->io = NULL;
    if (reply->result != ZK_OK) {
        flow_again_or_fail(&gc->flow, zpath_rollouts(gc->root).text, reply);
        return;
    }
    gc->rollouts = mem_array((size_t)reply->children_count + 1, sizeof(*gc->rollouts));
    for (int i = 0; i < reply->children_count; i++)
        if (rollout_id_valid(reply->children[i]))
            STR_COPY(gc->rollouts[gc->rollouts_count++].id, reply->children[i]);
    flow_next(&gc->flow);
}

static enum flow_verdict list_rollouts(struct flow *flow, void *ctx, struct error *err)
{
    struct gc *gc = ctx;
    gc->io = zk_children(gc->zk, zpath_rollouts(gc->root).text, NULL, on_rollouts, gc);
    return FLOW_WAIT;
}

static struct zk_request *issue_look(void *ctx, int index, zk_done_f done,
                                     void *done_ctx)
{
    struct gc *gc = ctx;
    const char *id = gc->rollouts[index / LOOKS].id;
    switch (index % LOOKS) {
    case LOOK_ROOT:
        return zk_exists(gc->zk, zpath_rollout(gc->root, id).text, NULL, done,
                         done_ctx);
    case LOOK_GATE:
        return zk_get(gc->zk, zpath_gate(gc->root, id).text, NULL, done, done_ctx);
    default:
        return zk_exists(gc->zk, zpath_records(gc->root, id).text, NULL, done,
                         done_ctx);
    }
}

static void see_gate(struct gc_rollout *rollout, const struct zk_reply *reply)
{
    struct gate gate;
    rollout->has_gate = true;
    if (gate_decode(reply->data, reply->data_len, &gate, NULL) < 0) {
        rollout->gate_bad = true;
        return;
    }
    rollout->phase = gate.phase;
    rollout->marked = gate.phase == GATE_DONE && str_equal(gate.reason, GC_MARK);
}

static int on_look(void *ctx, int index, bool repeated, const struct zk_reply *reply,
                   struct error *err)
{
    struct gc *gc = ctx;
    struct gc_rollout *rollout = &gc->rollouts[index / LOOKS];
    if (reply->result == ZK_NO_NODE)
        return 0;
    if (reply->result != ZK_OK)
        return zk_error(reply->result, zpath_rollout(gc->root, rollout->id).text, err);
    switch (index % LOOKS) {
    case LOOK_ROOT:
        rollout->there = true;
        rollout->created_ms = reply->stat.ctime_ms;
        rollout->czxid = reply->stat.czxid;
        break;
    case LOOK_GATE:
        see_gate(rollout, reply);
        break;
    default:
        rollout->hosts = reply->stat.children_count;
    }
    return 0;
}

static enum flow_verdict look_at_each(struct flow *flow, void *ctx, struct error *err)
{
    struct gc *gc = ctx;
    const struct batch_work work = {.count = LOOKS * gc->rollouts_count,
                                    .window = WINDOW,
                                    .issue = issue_look,
                                    .reply = on_look,
                                    .done = on_batch,
                                    .ctx = gc};
    batch_start(&gc->batch, gc->zk, gc->loop, &work);
    return FLOW_WAIT;
}

static int newest_first(const void *a, const void *b)
{
    const struct gc_rollout *x = a, *y = b;
    return (x->czxid < y->czxid) - (x->czxid > y->czxid);
}

static enum gc_verdict judge(const struct gc *gc, const struct gc_rollout *rollout,
                             int *closed)
{
    if (str_equal(rollout->id, gc->current.rollout))
        return GC_KEEP_CURRENT;
    if (rollout->gate_bad)
        return GC_KEEP_UNREADABLE;
    if (!rollout->has_gate)
        return gc->server_ms - rollout->created_ms > gc->policy.debris_ms
                   ? GC_DEBRIS
                   : GC_KEEP_YOUNG;
    if (rollout->phase != GATE_DONE)
        return GC_KEEP_OPEN;
    if (rollout->marked)
        return GC_HALF;
    return ++*closed <= gc->policy.keep ? GC_KEEP_RECENT : GC_CLOSED;
}

static enum flow_verdict judge_each(struct flow *flow, void *ctx, struct error *err)
{
    struct gc *gc = ctx;
    int there = 0, closed = 0;
    for (int i = 0; i < gc->rollouts_count; i++)
        if (gc->rollouts[i].there)
            gc->rollouts[there++] = gc->rollouts[i];
    gc->rollouts_count = there;
    if (there > 1)
        qsort(gc->rollouts, (size_t)there, sizeof(*gc->rollouts), newest_first);
    for (int i = 0; i < there; i++)
        gc->rollouts[i].verdict = judge(gc, &gc->rollouts[i], &closed);
    return gc->policy.hosts ? FLOW_NEXT : FLOW_DONE;
}

/* ---- the inventories ---- */

static struct zk_request *issue_list(void *ctx, int list, zk_done_f done,
                                     void *done_ctx)
{
    struct gc *gc = ctx;
    struct zpath path = list == 0 ? zpath_hosts(gc->root) : zpath_lives(gc->root);
    return zk_children(gc->zk, path.text, NULL, done, done_ctx);
}

static int on_list(void *ctx, int list, bool repeated, const struct zk_reply *reply,
                   struct error *err)
{
    struct gc *gc = ctx;
    if (reply->result != ZK_OK)
        return zk_error(reply->result, list == 0 ? "the hosts" : "the signs of life",
                        err);
    for (int i = 0; i < reply->children_count; i++)
        if (host_id_valid(reply->children[i]))
            strings_add(list == 0 ? &gc->hosts : &gc->live, reply->children[i]);
    return 0;
}

static enum flow_verdict list_hosts(struct flow *flow, void *ctx, struct error *err)
{
    struct gc *gc = ctx;
    const struct batch_work work = {.count = 2,
                                    .window = 2,
                                    .issue = issue_list,
                                    .reply = on_list,
                                    .done = on_batch,
                                    .ctx = gc};
    batch_start(&gc->batch, gc->zk, gc->loop, &work);
    return FLOW_WAIT;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void spare(struct gc *gc, const char *name)
{
    if (gc->hosts.count == 0)
        return;
    char **found = bsearch(&name, gc->hosts.items, (size_t)gc->hosts.count,
                           sizeof(*gc->hosts.items), compare);
    if (found)
        gc->spared[found - gc->hosts.items] = true;
}

/* Takes the spared ones off the list. */
static void sift(struct gc *gc)
{
    struct strings rest = {0};
    for (int i = 0; i < gc->hosts.count; i++)
        if (!gc->spared[i])
            strings_add(&rest, gc->hosts.items[i]);
    strings_done(&gc->hosts);
    free(gc->spared);
    gc->hosts = rest;
    gc->spared = mem_array((size_t)rest.count + 1, sizeof(*gc->spared));
}

static enum flow_verdict spare_live(struct flow *flow, void *ctx, struct error *err)
{
    struct gc *gc = ctx;
    strings_sort(&gc->hosts);
    gc->spared = mem_array((size_t)gc->hosts.count + 1, sizeof(*gc->spared));
    for (int i = 0; i < gc->live.count; i++)
        spare(gc, gc->live.items[i]);
    strings_done(&gc->live);
    sift(gc);
    return gc->hosts.count ? FLOW_NEXT : FLOW_DONE;
}

static struct zk_request *issue_members(void *ctx, int index, zk_done_f done,
                                        void *done_ctx)
{
    struct gc *gc = ctx;
    const struct gc_rollout *rollout = &gc->rollouts[index];
    if (gc_goes(rollout->verdict)) /* its answer is not looked at */
        return zk_exists(gc->zk, zpath_rollout(gc->root, rollout->id).text, NULL, done,
                         done_ctx);
    return zk_children(gc->zk, zpath_records(gc->root, rollout->id).text, NULL, done,
                       done_ctx);
}

static int on_members(void *ctx, int index, bool repeated, const struct zk_reply *reply,
                      struct error *err)
{
    struct gc *gc = ctx;
    const struct gc_rollout *rollout = &gc->rollouts[index];
    if (gc_goes(rollout->verdict) || reply->result == ZK_NO_NODE)
        return 0;
    if (reply->result != ZK_OK)
        return zk_error(reply->result, zpath_records(gc->root, rollout->id).text, err);
    for (int i = 0; i < reply->children_count; i++)
        spare(gc, reply->children[i]);
    return 0;
}

static enum flow_verdict spare_members(struct flow *flow, void *ctx, struct error *err)
{
    struct gc *gc = ctx;
    const struct batch_work work = {.count = gc->rollouts_count,
                                    .window = LISTS_WINDOW,
                                    .issue = issue_members,
                                    .reply = on_members,
                                    .done = on_batch,
                                    .ctx = gc};
    batch_start(&gc->batch, gc->zk, gc->loop, &work);
    return FLOW_WAIT;
}

static struct zk_request *issue_age(void *ctx, int index, zk_done_f done,
                                    void *done_ctx)
{
    struct gc *gc = ctx;
    return zk_exists(gc->zk, zpath_host(gc->root, gc->hosts.items[index]).text, NULL,
                     done, done_ctx);
}

static int on_age(void *ctx, int index, bool repeated, const struct zk_reply *reply,
                  struct error *err)
{
    struct gc *gc = ctx;
    if (reply->result != ZK_OK && reply->result != ZK_NO_NODE)
        return zk_error(reply->result, gc->hosts.items[index], err);
    if (reply->result == ZK_NO_NODE ||
        gc->server_ms - reply->stat.mtime_ms <= gc->policy.hosts_ms)
        gc->spared[index] = true;
    return 0;
}

static enum flow_verdict spare_young(struct flow *flow, void *ctx, struct error *err)
{
    struct gc *gc = ctx;
    sift(gc);
    const struct batch_work work = {.count = gc->hosts.count,
                                    .window = WINDOW,
                                    .issue = issue_age,
                                    .reply = on_age,
                                    .done = on_batch,
                                    .ctx = gc};
    batch_start(&gc->batch, gc->zk, gc->loop, &work);
    return FLOW_WAIT;
}

static enum flow_verdict sift_hosts(struct flow *flow, void *ctx, struct error *err)
{
    sift(ctx);
    return FLOW_NEXT;
}

static void drop(void *ctx)
{
    struct gc *gc = ctx;
    zk_cancel(gc->zk, gc->io);
    gc->io = NULL;
    batch_cancel(&gc->batch);
}

static const struct flow_step steps[] = {
    {.name = "read the server's clock", .run = read_clock, .cancel = drop},
    {.name = "read the rollout in force", .run = read_current, .cancel = drop},
    {.name = "list the rollouts", .run = list_rollouts, .cancel = drop},
    {.name = "look at each rollout",
     .run = look_at_each,
     .cancel = drop,
     .timeout_ms = LOOK_TIMEOUT_MS},
    {.name = "judge them", .run = judge_each},
    {.name = "list the hosts", .run = list_hosts, .cancel = drop},
    {.name = "spare the live ones", .run = spare_live},
    {.name = "spare members of rollouts that stay",
     .run = spare_members,
     .cancel = drop,
     .timeout_ms = LOOK_TIMEOUT_MS},
    {.name = "spare the young",
     .run = spare_young,
     .cancel = drop,
     .timeout_ms = LOOK_TIMEOUT_MS},
    {.name = "strike out the spared ones", .run = sift_hosts},
    {0},
};

void gc_look_start(struct gc *gc, struct zk *zk, struct loop *loop, const char *root,
                   const struct gc_policy *policy, flow_done_f done, void *done_ctx)
{
    *gc = (struct gc){.policy = *policy, .zk = zk, .loop = loop};
    STR_COPY(gc->root, root);
    flow_start(&gc->flow, loop, steps, gc, done, done_ctx);
}

void gc_done(struct gc *gc)
{
    flow_cancel(&gc->flow);
    batch_cancel(&gc->batch);
    free(take_ptr(gc->rollouts));
    free(take_ptr(gc->spared));
    strings_done(&gc->hosts);
    strings_done(&gc->live);
    gc->rollouts_count = 0;
}
