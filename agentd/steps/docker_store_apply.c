/* docker_store_apply.c - step docker-cluster-store: write the keys, have Docker take
 * them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/steps/docker_store.h"

#include "agentd/steps/backup.h"
#include "agentd/steps/daemon_json.h"
#include "agentd/steps/installed.h"
#include "agentd/steps/place.h"
#include "shared/base/cleanup.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/render.h"

#include <errno.h>
#include <string.h>

enum { FILE_MAX_BYTES = 1 << 20, LOOK_AGAIN_MS = 500 };

static const char *unit_of(const struct worker *w)
{
    return docker_options(w)->unit;
}

static enum flow_verdict settle(struct flow *flow, void *ctx, struct error *err)
{
    return restart_settle(ctx, flow, DOCKER_RESTART, unit_of(ctx), err);
}

static enum flow_verdict decide(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;
    struct judgement *judged = &w->step.judgement;

    judge_docker_store(w->step.env->spec, w->step.env->facts, w->step.seen, judged);
    if (judged->finding == FINDING_RIGHT) {
        step_says(&w->step, "%s", judged->says);
        return FLOW_DONE;
    }
    if (judged->finding == FINDING_FOREIGN) {
        (void)error_set(err, -EEXIST, "%s", judged->says);
        return worker_failed(err);
    }
    return FLOW_NEXT;
}

static bool restarts(const struct worker *w)
{
    return w->step.judgement.disruption == DISRUPTION_DOCKER_RESTART;
}

/* With the file as it is. A store of no file is left from one that was put back: by a
 * reload Docker took it, and keeps it until it is started. */
static const char *store_before(const struct worker *w)
{
    const json_t *file = json_object_get(w->step.seen, "file");
    const json_t *keys = json_object_get(file, "keys");

    return *docker_text(keys, "cluster-store")
               ? docker_text(json_object_get(w->step.seen, "info"), "store")
               : "";
}

static enum flow_verdict keep(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;
    const char *state_dir = w->step.env->state_dir,
               *path = docker_options(w)->daemon_json;
    json_t *file = NULL, *before, *installed;

    if (!docker_before(w)) {
        _cleanup_(freep) char *dir = place_directory(path);

        if (backup_take(state_dir, path, &file, err) < 0)
            return worker_failed(err);
        before = json_pack("{s:o,s:o,s:s}", "file", file, "missing",
                           backup_missing_dirs(dir), "store", store_before(w));
        installed = installed_get(state_dir, path);
        if (installed)
            json_object_set_new(before, "installed", installed);
        json_object_set_new(w->step.memo, "before", before);
    }
    json_object_del(w->step.memo, DOCKER_UNRESTART); /* of an attempt before this */
    if (restarts(w))
        json_object_set_new(w->step.memo, "restart_due", json_true());
    return step_save(&w->step, err) < 0 ? worker_failed(err) : FLOW_NEXT;
}

/* Until we have written: it may have waited long for leave. */
static int keep_anew(struct worker *w, struct error *err)
{
    json_t *file = NULL;

    if (json_object_get(w->step.memo, "wrote"))
        return 0;
    int r =
        backup_take(w->step.env->state_dir, docker_options(w)->daemon_json, &file, err);
    if (r == 0)
        json_object_set_new(docker_before(w), "file", file);
    return r;
}

static int write_merged(struct worker *w, const char *bytes, size_t len,
                        struct error *err)
{
    const struct step_env *env = w->step.env;
    const char *path = docker_options(w)->daemon_json;
    json_t *keys = render_docker_keys(env->spec, env->facts);
    _cleanup_(freep) char *text = NULL;
    char sha256[DIGEST_HEX_SIZE];
    int r = daemon_json_merge(bytes, len, keys, &text, err);

    json_decref(keys);
    if (r < 0)
        return error_context(err, r, "\"%s\"", path);
    r = keep_anew(w, err);
    if (r < 0)
        return r;
    digest_bytes(text, strlen(text), sha256);
    json_object_set_new(w->step.memo, "wrote", json_string(sha256));
    r = step_save(&w->step, err);
    if (r < 0)
        return r;
    _cleanup_(freep) char *store = render_docker_store(env->spec);
    json_t *entry = json_pack("{s:s}", "store", store);
    r = installed_set(env->state_dir, path, entry, err);
    json_decref(entry);
    if (r < 0)
        return r;
    return fs_write_atomic(path, text, strlen(text), NULL, NULL, err);
}

static enum flow_verdict write_file(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;
    const char *path = docker_options(w)->daemon_json;
    const json_t *file = json_object_get(w->step.seen, "file");
    const json_t *dirs = json_object_get(docker_before(w), "missing");
    _cleanup_(freep) char *bytes = NULL;
    size_t len = 0;
    int r;

    if (docker_keys_right(w, json_object_get(file, "keys")))
        return FLOW_NEXT;
    if (json_array_size(dirs)) {
        const char *dir =
            json_string_value(json_array_get(dirs, json_array_size(dirs) - 1));

        if (fs_mkdirs(dir, 0755, err) < 0)
            return worker_failed(err);
    }
    r = fs_read(path, FILE_MAX_BYTES, &bytes, &len, err);
    if (r < 0 && r != -ENOENT)
        return worker_failed(err);
    return write_merged(w, bytes ? bytes : "", len, err) < 0 ? worker_failed(err)
                                                             : FLOW_NEXT;
}

static enum flow_verdict reload(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;
    /* not `systemctl reload`: the unit of Docker 1.11 has no ExecReload */
    const char *argv[] = {"systemctl",       "kill",     "-s", "HUP",
                          "--kill-who=main", unit_of(w), NULL};

    if (w->step.judgement.disruption != DISRUPTION_RELOAD)
        return FLOW_NEXT;
    json_object_set_new(w->step.memo, "reload", json_string("begun"));
    if (step_save(&w->step, err) < 0)
        return worker_failed(err);
    return worker_run(w, flow, argv, NULL, NULL, err);
}

static void on_reloaded(struct worker *w, int status, const json_t *body,
                        const struct error *call)
{
    _cleanup_(freep) char *store = render_docker_store(w->step.env->spec);
    struct error err = {0};

    if (worker_expect(status, body, call, "GET /info", &err) < 0) {
        flow_again(w->flow, LOOK_AGAIN_MS, &err);
        return;
    }
    if (!str_equal(docker_text(body, "ClusterStore"), store)) {
        worker_again(w, LOOK_AGAIN_MS, "docker has store \"%s\"",
                     docker_text(body, "ClusterStore"));
        return;
    }
    json_object_set_new(w->step.memo, "reload", json_string("done"));
    if (step_save(&w->step, &err) < 0)
        flow_fail(w->flow, &err);
    else
        flow_next(w->flow);
}

static enum flow_verdict await_reload(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;

    if (w->step.judgement.disruption != DISRUPTION_RELOAD)
        return FLOW_NEXT;
    return worker_docker(w, flow, "/info", on_reloaded, err);
}

static enum flow_verdict ask(struct flow *flow, void *ctx, struct error *err)
{
    return restarts(ctx) ? step_ask_to_disrupt(flow, ctx, err) : FLOW_NEXT;
}

static enum flow_verdict note(struct flow *flow, void *ctx, struct error *err)
{
    return restarts(ctx) ? restart_note(ctx, flow, DOCKER_RESTART, unit_of(ctx), err)
                         : FLOW_NEXT;
}

static enum flow_verdict clear(struct flow *flow, void *ctx, struct error *err)
{
    return restarts(ctx) ? restart_clear(ctx, flow, unit_of(ctx), err) : FLOW_NEXT;
}

static enum flow_verdict act(struct flow *flow, void *ctx, struct error *err)
{
    return restarts(ctx) ? restart_act(ctx, flow, unit_of(ctx), err) : FLOW_NEXT;
}

static enum flow_verdict await_restart(struct flow *flow, void *ctx, struct error *err)
{
    return restarts(ctx) ? restart_wait(ctx, flow, DOCKER_RESTART, unit_of(ctx), err)
                         : FLOW_NEXT;
}

static enum flow_verdict say_applied(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;
    _cleanup_(freep) char *store = render_docker_store(w->step.env->spec);
    const char *how = "no restart was needed";

    if (restarts(w))
        how = "docker restarted";
    else if (w->step.judgement.disruption == DISRUPTION_RELOAD)
        how = "docker reloaded";
    else if (docker_options(w)->restart == RESTART_NEVER)
        how = "docker takes it at its next restart";
    step_says(&w->step, "store %s; %s", store, how);
    return FLOW_NEXT;
}

/* Leave is asked before the first change: where it never comes nothing is half done. */
const struct flow_step docker_store_apply[] = {
    {.name = "settle an earlier restart", .run = settle, .cancel = worker_drop},
    DOCKER_OBSERVE,
    {.name = "decide", .run = decide},
    {.name = "keep what was", .run = keep},
    {.name = "ask to disrupt",
     .run = ask,
     .cancel = step_ask_cancel,
     .timeout_ms = STEP_ASK_TIMEOUT_MS},
    {.name = "write daemon.json", .run = write_file},
    {.name = "reload docker", .run = reload, .cancel = worker_drop},
    {.name = "wait for the reload",
     .run = await_reload,
     .cancel = worker_drop,
     .timeout_ms = 15000},
    {.name = "note the restart", .run = note, .cancel = worker_drop},
    {.name = "reset-failed", .run = clear, .cancel = worker_drop},
    {.name = "restart docker", .run = act, .cancel = worker_drop},
    {.name = "wait for docker", .run = await_restart, .cancel = worker_drop},
    {.name = "say", .run = say_applied},
    {0},
};
