/* cni_revert.c - step cni: put back what was, and prove it.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The network goes first, so that no container is started on binaries that go next.
 */
#include "agentd/steps/cni.h"

#include "agentd/steps/backup.h"
#include "agentd/steps/installed.h"
#include "agentd/steps/place.h"
#include "shared/base/cleanup.h"
#include "shared/base/str.h"
#include "shared/model/judge_undo.h"
#include "shared/model/render.h"

#include <errno.h>
#include <string.h>

enum { LOOK_AGAIN_MS = 1000 };

static enum flow_verdict anything(struct flow *flow, void *ctx, struct error *err)
{
    return cni_before(ctx) ? FLOW_NEXT : FLOW_DONE;
}

static enum flow_verdict settle(struct flow *flow, void *ctx, struct error *err)
{
    return restart_settle(ctx, flow, CNI_RESTART, cni_unit(ctx), err);
}

static enum flow_verdict settle_own(struct flow *flow, void *ctx, struct error *err)
{
    return restart_settle(ctx, flow, CNI_UNRESTART, cni_unit(ctx), err);
}

static enum flow_verdict put_config_back(struct flow *flow, void *ctx,
                                         struct error *err)
{
    struct worker *w = ctx;
    const char *wrote = json_string_value(json_object_get(w->step.memo, "wrote"));
    const json_t *entry = json_object_get(cni_before(w), cni_key(CNI_CONFIG));
    _cleanup_(freep) char *stage_dir = cni_stage_dir(w);

    if (wrote && entry &&
        backup_restore(w->step.env->state_dir, entry, w->step.env->force ? NULL : wrote,
                       stage_dir, err) < 0)
        return worker_failed(err);
    return FLOW_NEXT;
}

/* As it was recorded; where the register has lost it, the pinned one, or none. */
static const char *digest_of_ours(const struct worker *w, enum cni_file file,
                                  const json_t *installed)
{
    const struct cni_options *options = cni_options(w);
    const char *sha256 = cni_text(installed, "sha256");

    if (*sha256)
        return sha256;
    return file == CNI_CALICO ? options->calico.sha256 : options->calico_ipam.sha256;
}

static int put_binary_back(struct worker *w, enum cni_file file, struct error *err)
{
    const char *state_dir = w->step.env->state_dir;
    const json_t *before = cni_before(w);
    const json_t *entry = json_object_get(before, cni_key(file));
    _cleanup_(freep) char *path = cni_path(w, file);
    json_t *installed = installed_get(state_dir, path);
    const char *ours = digest_of_ours(w, file, installed);
    int r = entry ? backup_restore(state_dir, entry, w->step.env->force ? NULL : ours,
                                   NULL, err)
                  : 0; /* not known to be ours: left alone */

    json_decref(installed);
    if (r < 0 || !entry)
        return r;
    return installed_set(state_dir, path,
                         json_object_get(json_object_get(before, "installed"), path),
                         err);
}

static enum flow_verdict put_binaries_back(struct flow *flow, void *ctx,
                                           struct error *err)
{
    if (put_binary_back(ctx, CNI_CALICO, err) < 0 ||
        put_binary_back(ctx, CNI_CALICO_IPAM, err) < 0)
        return worker_failed(err);
    backup_remove_dirs(json_object_get(cni_before(ctx), "missing"));
    return FLOW_NEXT;
}

/* Before the first change, so that a crash after it still leads to the restart. */
static enum flow_verdict decide(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;
    const struct step_env *env = w->step.env;

    if (!env->undoes)
        return FLOW_NEXT;
    judge_undo(STEP_CNI, env->spec, env->facts, w->step.seen, w->step.memo,
               &w->step.judgement);
    if (w->step.judgement.disruption != DISRUPTION_AGENT_RESTART)
        return FLOW_NEXT;
    json_object_set_new(w->step.memo, "restart_due", json_true());
    return step_save(&w->step, err) < 0 ? worker_failed(err) : FLOW_NEXT;
}

/* The agent that our restart started has read our network, if it is an old one. */
static bool restarts(const struct worker *w)
{
    if (w->step.env->undoes)
        return json_is_true(json_object_get(w->step.memo, "restart_due"));
    return restart_done(&w->step, CNI_RESTART) &&
           !restart_done(&w->step, CNI_UNRESTART) &&
           cni_options(w)->restart != RESTART_NEVER;
}

static enum flow_verdict ask(struct flow *flow, void *ctx, struct error *err)
{
    return restarts(ctx) ? step_ask_to_disrupt(flow, ctx, err) : FLOW_NEXT;
}

static enum flow_verdict note(struct flow *flow, void *ctx, struct error *err)
{
    return restarts(ctx) ? restart_note(ctx, flow, CNI_UNRESTART, cni_unit(ctx), err)
                         : FLOW_NEXT;
}

static enum flow_verdict clear(struct flow *flow, void *ctx, struct error *err)
{
    return restarts(ctx) ? restart_clear(ctx, flow, cni_unit(ctx), err) : FLOW_NEXT;
}

static enum flow_verdict act(struct flow *flow, void *ctx, struct error *err)
{
    return restarts(ctx) ? restart_act(ctx, flow, cni_unit(ctx), err) : FLOW_NEXT;
}

static enum flow_verdict await_restart(struct flow *flow, void *ctx, struct error *err)
{
    return restarts(ctx) ? restart_wait(ctx, flow, CNI_UNRESTART, cni_unit(ctx), err)
                         : FLOW_NEXT;
}

static enum flow_verdict prove_files(struct flow *flow, void *ctx, struct error *err)
{
    for (int i = 0; i < CNI_FILES; i++) {
        const json_t *entry =
            json_object_get(cni_before(ctx), cni_key((enum cni_file)i));
        bool as_before = !entry;

        if (entry && backup_matches(entry, &as_before, err) < 0)
            return worker_failed(err);
        if (as_before)
            continue;
        (void)error_set(err, -EIO, "\"%s\" is not as it was", cni_text(entry, "path"));
        return FLOW_FAIL;
    }
    return FLOW_NEXT;
}

static void on_metrics(struct worker *w, int status, const json_t *body,
                       const struct error *call)
{
    struct error err = {0};

    if (cni_other_address(w, status))
        worker_again(w, 0, "%s", call->text);
    else if (worker_expect(status, body, call, "GET /metrics/snapshot", &err) < 0)
        flow_again(w->flow, LOOK_AGAIN_MS, &err);
    else if (json_number_value(json_object_get(body, "slave/registered")) < 1)
        worker_again(w, LOOK_AGAIN_MS, "the agent is not registered with the master");
    else
        flow_next(w->flow);
}

/* A host that only steps back is as well as it was: its master may be dead. */
static bool undisturbed(const struct worker *w)
{
    return w->step.env->steps_back && !json_object_get(w->step.memo, CNI_RESTART) &&
           !json_object_get(w->step.memo, CNI_UNRESTART);
}

static enum flow_verdict prove_agent(struct flow *flow, void *ctx, struct error *err)
{
    if (undisturbed(ctx))
        return FLOW_NEXT;
    return cni_ask_agent(ctx, flow, "metrics/snapshot", on_metrics, err);
}

static enum flow_verdict forget(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;
    bool restarted = restart_done(&w->step, CNI_UNRESTART);

    json_object_clear(w->step.memo);
    if (step_save(&w->step, err) < 0)
        return worker_failed(err);
    step_says(&w->step, "binaries and %s are as they were%s",
              cni_options(w)->config_name,
              restarted ? "; the Mesos agent restarted" : "");
    return FLOW_NEXT;
}

const struct flow_step cni_revert[] = {
    {.name = "anything to put back", .run = anything},
    {.name = "settle an earlier restart", .run = settle, .cancel = worker_drop},
    {.name = "settle an earlier return", .run = settle_own, .cancel = worker_drop},
    {.name = "decide", .run = decide},
    {.name = "put the network back", .run = put_config_back},
    {.name = "put the binaries back", .run = put_binaries_back},
    {.name = "ask to disrupt",
     .run = ask,
     .cancel = step_ask_cancel,
     .timeout_ms = STEP_ASK_TIMEOUT_MS},
    {.name = "note the restart", .run = note, .cancel = worker_drop},
    {.name = "reset-failed", .run = clear, .cancel = worker_drop},
    {.name = "restart the agent", .run = act, .cancel = worker_drop},
    {.name = "wait for the agent", .run = await_restart, .cancel = worker_drop},
    {.name = "the files are as they were", .run = prove_files},
    {.name = "the agent is registered",
     .run = prove_agent,
     .cancel = worker_drop,
     .timeout_ms = 120000},
    {.name = "forget", .run = forget},
    {0},
};
