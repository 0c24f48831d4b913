/* etcd_proxy_revert.c - step etcd-proxy: put back what was, and prove it.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What pointed at the proxy was put back before: steps are reverted newest first.
 */
#include "agentd/steps/etcd_proxy.h"

#include "agentd/steps/backup.h"
#include "agentd/steps/installed.h"
#include "shared/base/cleanup.h"
#include "shared/base/fs.h"
#include "shared/base/str.h"
#include "shared/model/render.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const json_t *before_of(const struct worker *w)
{
    return json_object_get(w->step.memo, "before");
}

static bool was(const struct worker *w, const char *key)
{
    return json_is_true(json_object_get(before_of(w), key));
}

/* Before us there was no unit at all. */
static bool unit_is_new(const struct worker *w)
{
    return json_is_true(
        json_object_get(json_object_get(before_of(w), "unit"), "absent"));
}

/* It failed before its first change, in a download say: what runs is left alone. */
static bool untouched(const struct worker *w)
{
    const json_t *memo = w->step.memo;
    const json_t *binary = json_object_get(before_of(w), "binary");
    bool as_before = true;

    if (w->step.env->undoes || json_object_get(memo, "wrote") ||
        json_object_get(memo, "stopped"))
        return false;
    return !binary || (backup_matches(binary, &as_before, NULL) == 0 && as_before);
}

static int put_binary_back(struct worker *w, struct error *err)
{
    const char *state_dir = w->step.env->state_dir;
    const json_t *binary = json_object_get(before_of(w), "binary");
    int r;

    if (!binary)
        return 0;
    r = backup_restore(state_dir, binary, NULL, NULL, err);
    if (r == 0)
        r = installed_set(state_dir, etcd_text(binary, "path"),
                          json_object_get(before_of(w), "installed"), err);
    if (r == 0)
        backup_remove_dirs(json_object_get(before_of(w), "missing"));
    return r;
}

static enum flow_verdict anything(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;

    if (!before_of(w))
        return FLOW_DONE;
    if (!untouched(w))
        return FLOW_NEXT;
    if (put_binary_back(w, err) < 0) /* what was recorded of it, that is */
        return worker_failed(err);
    json_object_clear(w->step.memo);
    return step_save(&w->step, err) < 0 ? worker_failed(err) : FLOW_DONE;
}

static const char *wrote_of(const struct worker *w)
{
    return w->step.env->force
               ? NULL
               : json_string_value(json_object_get(w->step.memo, "wrote"));
}

/* Before it is stopped: what is not put back runs on. */
static enum flow_verdict refuse_changed(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;

    return backup_check(json_object_get(before_of(w), "unit"), wrote_of(w), err) < 0
               ? worker_failed(err)
               : FLOW_NEXT;
}

static bool unit_exists(const struct worker *w)
{
    _cleanup_(freep) char *path = etcd_unit_path(w);

    return fs_exists(path);
}

static enum flow_verdict stop(struct flow *flow, void *ctx, struct error *err)
{
    return unit_exists(ctx) ? worker_unit_act(ctx, flow, "stop", ETCD_UNIT_NAME, err)
                            : FLOW_NEXT;
}

static enum flow_verdict disable(struct flow *flow, void *ctx, struct error *err)
{
    if (was(ctx, "enabled") || !unit_exists(ctx))
        return FLOW_NEXT;
    return worker_unit_act(ctx, flow, "disable", ETCD_UNIT_NAME, err);
}

static enum flow_verdict put_unit_back(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;

    if (backup_restore(w->step.env->state_dir, json_object_get(before_of(w), "unit"),
                       wrote_of(w), NULL, err) < 0)
        return worker_failed(err);
    return FLOW_NEXT;
}

static enum flow_verdict load(struct flow *flow, void *ctx, struct error *err)
{
    return worker_unit_act(ctx, flow, "daemon-reload", NULL, err);
}

static enum flow_verdict clear(struct flow *flow, void *ctx, struct error *err)
{
    return worker_unit_try(ctx, flow, "reset-failed", ETCD_UNIT_NAME, err);
}

/* A proxy writes its record and no more: what else is there is somebody else's. */
static int remove_record(struct worker *w, struct error *err)
{
    _cleanup_(freep) char *dir = etcd_proxy_dir(w);
    int r = fs_remove_tree(dir, err);

    if (r == 0)
        (void)rmdir(etcd_options(w)->data_dir);
    return r;
}

static enum flow_verdict put_files_back(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;

    if (!was(w, "data") && remove_record(w, err) < 0)
        return worker_failed(err);
    return put_binary_back(w, err) < 0 ? worker_failed(err) : FLOW_NEXT;
}

static enum flow_verdict start_again(struct flow *flow, void *ctx, struct error *err)
{
    if (!was(ctx, "active") || unit_is_new(ctx))
        return FLOW_NEXT;
    return worker_unit_act(ctx, flow, "start", ETCD_UNIT_NAME, err);
}

static enum flow_verdict prove_files(struct flow *flow, void *ctx, struct error *err)
{
    static const char *const keys[] = {"unit", "binary"};

    for (int i = 0; i < 2; i++) {
        const json_t *entry = json_object_get(before_of(ctx), keys[i]);
        bool as_before = true;

        if (entry && backup_matches(entry, &as_before, err) < 0)
            return worker_failed(err);
        if (as_before)
            continue;
        (void)error_set(err, -EIO, "\"%s\" is not as it was", etcd_text(entry, "path"));
        return FLOW_FAIL;
    }
    return FLOW_NEXT;
}

static void on_unit(struct worker *w, const struct unit_state *state,
                    const struct error *call)
{
    bool active = str_equal(state->active, "active");

    if (call->code < 0)
        flow_fail(w->flow, call);
    else if (active != (was(w, "active") && !unit_is_new(w)))
        worker_again(w, 500, "%s is %s", ETCD_UNIT_NAME, state->active);
    else
        flow_next(w->flow);
}

static enum flow_verdict prove_unit(struct flow *flow, void *ctx, struct error *err)
{
    return worker_unit_show(ctx, flow, ETCD_UNIT_NAME, on_unit, err);
}

static enum flow_verdict forget(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;
    bool gone = unit_is_new(w);

    json_object_clear(w->step.memo);
    if (step_save(&w->step, err) < 0)
        return worker_failed(err);
    step_says(&w->step, "%s is %s", ETCD_UNIT_NAME, gone ? "gone" : "as it was");
    return FLOW_NEXT;
}

const struct flow_step etcd_proxy_revert[] = {
    {.name = "anything to put back", .run = anything},
    {.name = "refuse a changed unit", .run = refuse_changed},
    {.name = "stop the unit", .run = stop, .cancel = worker_drop},
    {.name = "disable the unit", .run = disable, .cancel = worker_drop},
    {.name = "put the unit back", .run = put_unit_back},
    {.name = "load the units", .run = load, .cancel = worker_drop},
    {.name = "reset-failed", .run = clear, .cancel = worker_drop},
    {.name = "put the files back", .run = put_files_back},
    {.name = "start what ran", .run = start_again, .cancel = worker_drop},
    {.name = "the files are as they were", .run = prove_files},
    {.name = "the unit is as it was", .run = prove_unit, .cancel = worker_drop},
    {.name = "forget", .run = forget},
    {0},
};
