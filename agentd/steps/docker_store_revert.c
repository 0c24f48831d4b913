/* docker_store_revert.c - step docker-cluster-store: put back what was, and prove it.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * After a failed apply Docker is restarted only where it runs (or died) with our keys
 * by a restart of ours: a store taken by a reload cannot be taken back by one, and
 * stays until the next start. An uninstall or a rollback restarts it wherever it runs
 * with another store than before (judge_undo.h).
 */
#include "agentd/steps/docker_store.h"

#include "agentd/steps/backup.h"
#include "agentd/steps/daemon_json.h"
#include "agentd/steps/installed.h"
#include "shared/base/cleanup.h"
#include "shared/base/digest.h"
#include "shared/base/fs.h"
#include "shared/base/str.h"
#include "shared/model/judge_undo.h"

#include <errno.h>

enum { FILE_MAX_BYTES = 1 << 20, LOOK_AGAIN_MS = 1000 };

static const char *unit_of(const struct worker *w)
{
    return docker_options(w)->unit;
}

static enum flow_verdict anything(struct flow *flow, void *ctx, struct error *err)
{
    return docker_before(ctx) ? FLOW_NEXT : FLOW_DONE;
}

static enum flow_verdict settle(struct flow *flow, void *ctx, struct error *err)
{
    return restart_settle(ctx, flow, DOCKER_RESTART, unit_of(ctx), err);
}

static enum flow_verdict settle_own(struct flow *flow, void *ctx, struct error *err)
{
    return restart_settle(ctx, flow, DOCKER_UNRESTART, unit_of(ctx), err);
}

static void on_unit(struct worker *w, const struct unit_state *state,
                    const struct error *call)
{
    bool own = w->step.env->undoes || json_object_get(w->step.memo, DOCKER_UNRESTART);

    if (call->code < 0)
        flow_fail(w->flow, call);
    else if (restart_under_way(state) && own)
        worker_again(w, LOOK_AGAIN_MS, "%s is %s", unit_of(w), state->active);
    else
        flow_next(w->flow);
}

/* A start with our keys is not waited for: it may be those that it hangs of. */
static enum flow_verdict look_at_unit(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;

    flow_set_timeout(flow, worker_timeout_ms(w));
    return worker_unit_show(w, flow, unit_of(w), on_unit, err);
}

/* Between two of our visits somebody may have changed other keys: those stay, and what
 * was before becomes his file with our keys as they were. */
static int keep_others(struct worker *w, const char *wrote, struct error *err)
{
    const char *state_dir = w->step.env->state_dir;
    const char *path = docker_options(w)->daemon_json;
    const json_t *before = json_object_get(docker_before(w), "file");
    _cleanup_(freep) char *bytes = NULL;
    _cleanup_(freep) char *then = NULL;
    _cleanup_(freep) char *text = NULL;
    char sha256[DIGEST_HEX_SIZE];
    size_t len = 0, then_len = 0;
    json_t *file = NULL;

    if (fs_read(path, FILE_MAX_BYTES, &bytes, &len, NULL) < 0)
        return 0;
    digest_bytes(bytes, len, sha256);
    if (!str_equal(sha256, wrote))
        return 0; /* the same as before, or refused */
    int r = backup_read(state_dir, before, &then, &then_len, err);
    if (r == 0)
        r = daemon_json_keys_back(bytes, len, then, then_len, docker_key_names, &text,
                                  err);
    if (r < 0 || !text)
        return r;
    r = backup_with(state_dir, path, text, &file, err);
    if (r < 0)
        return r;
    json_object_set_new(docker_before(w), "file", file);
    return step_save(&w->step, err);
}

static enum flow_verdict put_back(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;
    const char *state_dir = w->step.env->state_dir;
    const char *path = docker_options(w)->daemon_json;
    const json_t *before = docker_before(w);
    const char *wrote = json_string_value(json_object_get(w->step.memo, "wrote"));

    if (!wrote)
        return FLOW_NEXT; /* nothing was written */
    if (!w->step.env->force && keep_others(w, wrote, err) < 0)
        return worker_failed(err);
    if (backup_restore(state_dir, json_object_get(before, "file"),
                       w->step.env->force ? NULL : wrote, NULL, err) < 0)
        return worker_failed(err);
    backup_remove_dirs(json_object_get(before, "missing"));
    if (installed_set(state_dir, path, json_object_get(before, "installed"), err) < 0)
        return worker_failed(err);
    return FLOW_NEXT;
}

static enum flow_verdict decide(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;
    const struct step_env *env = w->step.env;

    if (env->undoes)
        judge_undo(STEP_DOCKER_STORE, env->spec, env->facts, w->step.seen, w->step.memo,
                   &w->step.judgement);
    return FLOW_NEXT;
}

/* Docker is down, or runs with what our restart gave it. */
static bool restarts(const struct worker *w)
{
    const json_t *info = json_object_get(w->step.seen, "info");

    if (w->step.env->undoes)
        return !restart_done(&w->step, DOCKER_UNRESTART) &&
               w->step.judgement.disruption == DISRUPTION_DOCKER_RESTART;
    if (!restart_done(&w->step, DOCKER_RESTART) ||
        restart_done(&w->step, DOCKER_UNRESTART))
        return false;
    return !info || !str_equal(docker_text(info, "store"),
                               docker_text(docker_before(w), "store"));
}

static enum flow_verdict ask(struct flow *flow, void *ctx, struct error *err)
{
    return restarts(ctx) ? step_ask_to_disrupt(flow, ctx, err) : FLOW_NEXT;
}

static enum flow_verdict note(struct flow *flow, void *ctx, struct error *err)
{
    return restarts(ctx) ? restart_note(ctx, flow, DOCKER_UNRESTART, unit_of(ctx), err)
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
    return restarts(ctx) ? restart_wait(ctx, flow, DOCKER_UNRESTART, unit_of(ctx), err)
                         : FLOW_NEXT;
}

static enum flow_verdict prove_file(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;
    bool as_before = false;

    if (!json_object_get(w->step.memo, "wrote"))
        return FLOW_NEXT; /* whoever has changed it since, it was not us */
    if (backup_matches(json_object_get(docker_before(w), "file"), &as_before, err) < 0)
        return worker_failed(err);
    if (as_before)
        return FLOW_NEXT;
    (void)error_set(err, -EIO, "\"%s\" is not as it was",
                    docker_options(w)->daemon_json);
    return worker_failed(err);
}

static void on_info(struct worker *w, int status, const json_t *body,
                    const struct error *call)
{
    const char *store = docker_text(docker_before(w), "store");
    struct error err = {0};

    if (worker_expect(status, body, call, "GET /info", &err) < 0)
        flow_again(w->flow, LOOK_AGAIN_MS, &err);
    else if (restart_done(&w->step, DOCKER_UNRESTART) &&
             !str_equal(docker_text(body, "ClusterStore"), store))
        worker_fail(w, -EIO, "docker still has store \"%s\", not \"%s\"",
                    docker_text(body, "ClusterStore"), store);
    else
        flow_next(w->flow);
}

/* A host that only steps back is as well as it was. */
static bool undisturbed(const struct worker *w)
{
    const json_t *memo = w->step.memo;

    return w->step.env->steps_back && !json_object_get(memo, "reload") &&
           !json_object_get(memo, DOCKER_RESTART) &&
           !json_object_get(memo, DOCKER_UNRESTART);
}

static enum flow_verdict prove_docker(struct flow *flow, void *ctx, struct error *err)
{
    if (undisturbed(ctx))
        return FLOW_NEXT;
    return worker_docker(ctx, flow, "/info", on_info, err);
}

static enum flow_verdict forget(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;
    bool restarted = restart_done(&w->step, DOCKER_UNRESTART);
    const json_t *info = json_object_get(w->step.seen, "info");
    bool keeps = w->step.env->undoes
                     ? *docker_text(info, "store") &&
                           !str_equal(docker_text(info, "store"),
                                      docker_text(docker_before(w), "store"))
                     : docker_memo_is(w, "reload", "done") &&
                           !restart_done(&w->step, DOCKER_RESTART);

    json_object_clear(w->step.memo);
    if (step_save(&w->step, err) < 0)
        return worker_failed(err);
    step_says(&w->step, "daemon.json is as it was%s",
              restarted ? "; docker restarted"
              : keeps   ? "; docker keeps the store until its next restart"
                        : "");
    return FLOW_NEXT;
}

const struct flow_step docker_store_revert[] = {
    {.name = "anything to put back", .run = anything},
    {.name = "settle an earlier restart", .run = settle, .cancel = worker_drop},
    {.name = "settle an earlier return", .run = settle_own, .cancel = worker_drop},
    {.name = "read daemon.json", .run = docker_read_file},
    {.name = "look at the unit", .run = look_at_unit, .cancel = worker_drop},
    {.name = "ask docker", .run = docker_ask, .cancel = worker_drop},
    {.name = "decide", .run = decide},
    {.name = "put daemon.json back", .run = put_back},
    {.name = "ask to disrupt",
     .run = ask,
     .cancel = step_ask_cancel,
     .timeout_ms = STEP_ASK_TIMEOUT_MS},
    {.name = "note the restart", .run = note, .cancel = worker_drop},
    {.name = "reset-failed", .run = clear, .cancel = worker_drop},
    {.name = "restart docker", .run = act, .cancel = worker_drop},
    {.name = "wait for docker", .run = await_restart, .cancel = worker_drop},
    {.name = "daemon.json is as it was", .run = prove_file},
    {.name = "docker answers",
     .run = prove_docker,
     .cancel = worker_drop,
     .timeout_ms = 60000},
    {.name = "forget", .run = forget},
    {0},
};
