/* cni_apply.c - step cni: binaries, then the network, then the agent where it must.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/steps/cni.h"

#include "agentd/steps/backup.h"
#include "agentd/steps/installed.h"
#include "agentd/steps/place.h"
#include "shared/base/cleanup.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/artifact.h"
#include "shared/model/render.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static enum flow_verdict settle(struct flow *flow, void *ctx, struct error *err)
{
    return restart_settle(ctx, flow, CNI_RESTART, cni_unit(ctx), err);
}

static enum flow_verdict decide(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;
    struct judgement *judged = &w->step.judgement;

    judge_cni(w->step.env->spec, w->step.env->facts, w->step.seen, judged);
    if (judged->finding == FINDING_RIGHT) {
        step_says(&w->step, "%s", judged->says);
        return FLOW_DONE;
    }
    if (judged->finding == FINDING_FOREIGN) {
        (void)error_set(err, -EEXIST, "%s", judged->says);
        return FLOW_FAIL;
    }
    return FLOW_NEXT;
}

static bool restarts(const struct worker *w)
{
    return w->step.judgement.disruption == DISRUPTION_AGENT_RESTART;
}

/* ---- keep what was ---- */

static int keep_file(struct worker *w, enum cni_file file, json_t *before,
                     struct error *err)
{
    const char *state_dir = w->step.env->state_dir;
    _cleanup_(freep) char *path = cni_path(w, file);
    json_t *entry = NULL, *installed;
    int r = backup_take(state_dir, path, &entry, err);

    if (r < 0)
        return r;
    json_object_set_new(before, cni_key(file), entry);
    installed = installed_get(state_dir, path);
    if (installed)
        json_object_set_new(json_object_get(before, "installed"), path, installed);
    return 0;
}

static json_t *missing_dirs(const struct worker *w)
{
    json_t *missing = backup_missing_dirs(cni_options(w)->plugins_dir);
    json_t *more = backup_missing_dirs(cni_options(w)->config_dir);

    json_array_extend(missing, more);
    json_decref(more);
    return missing;
}

/* Of an attempt before this one, which took back what its restart had given. */
static void forget_return(struct worker *w)
{
    if (restart_done(&w->step, CNI_UNRESTART))
        json_object_del(w->step.memo, CNI_RESTART);
    json_object_del(w->step.memo, CNI_UNRESTART);
}

static enum flow_verdict keep(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;

    if (!cni_before(w)) {
        json_t *before =
            json_pack("{s:{},s:o}", "installed", "missing", missing_dirs(w));
        json_t *agent = json_object_get(w->step.seen, "agent");
        int r = 0;

        if (agent)
            json_object_set(before, "agent", agent);
        for (int i = 0; i < CNI_FILES && r == 0; i++)
            r = keep_file(w, (enum cni_file)i, before, err);
        if (r < 0) {
            json_decref(before);
            return worker_failed(err);
        }
        json_object_set_new(w->step.memo, "before", before);
    } else if (!json_object_get(w->step.memo, "wrote") &&
               keep_file(w, CNI_CONFIG, json_object_get(w->step.memo, "before"), err) <
                   0) {
        return worker_failed(err); /* what is there is still what was there before */
    }
    forget_return(w);
    if (restarts(w))
        json_object_set_new(w->step.memo, "restart_due", json_true());
    return step_save(&w->step, err) < 0 ? worker_failed(err) : FLOW_NEXT;
}

/* ---- binaries ---- */

static const struct artifact *artifact_of(const struct worker *w, enum cni_file file)
{
    return file == CNI_CALICO ? &cni_options(w)->calico : &cni_options(w)->calico_ipam;
}

static bool in_place(const struct worker *w, enum cni_file file)
{
    const json_t *seen = json_object_get(w->step.seen, cni_key(file));

    return artifact_in_place(artifact_of(w, file), seen) &&
           str_equal(cni_text(seen, "mode"), "0755");
}

static enum flow_verdict fetch(struct cni *c, struct flow *flow, enum cni_file file,
                               struct error *err)
{
    struct worker *w = &c->worker;
    const struct artifact *artifact = artifact_of(w, file);
    _cleanup_(freep) char *url = artifact_source(artifact);

    c->fetched[file] = !in_place(w, file);
    if (!c->fetched[file])
        return FLOW_NEXT;
    return worker_fetch(w, flow, url, artifact->sha256,
                        file == CNI_CALICO ? "calico" : "calico-ipam", err);
}

static enum flow_verdict install(struct cni *c, enum cni_file file, struct error *err)
{
    struct worker *w = &c->worker;
    _cleanup_(freep) char *path = cni_path(w, file);
    _cleanup_(freep) char *url = artifact_source(artifact_of(w, file));

    if (!c->fetched[file])
        return FLOW_NEXT;
    if (fs_mkdirs(cni_options(w)->plugins_dir, 0755, err) < 0 ||
        installed_place(w->step.env->state_dir, w->fetched_path, path, url,
                        w->fetched_sha256, err) < 0)
        return worker_failed(err);
    return FLOW_NEXT;
}

static enum flow_verdict fetch_calico(struct flow *flow, void *ctx, struct error *err)
{
    return fetch(ctx, flow, CNI_CALICO, err);
}

static enum flow_verdict install_calico(struct flow *flow, void *ctx, struct error *err)
{
    return install(ctx, CNI_CALICO, err);
}

static enum flow_verdict fetch_ipam(struct flow *flow, void *ctx, struct error *err)
{
    return fetch(ctx, flow, CNI_CALICO_IPAM, err);
}

static enum flow_verdict install_ipam(struct flow *flow, void *ctx, struct error *err)
{
    return install(ctx, CNI_CALICO_IPAM, err);
}

/* ---- the network ---- */

/* It may have waited long for leave since it looked: what came meanwhile is judged. */
static int check_as_seen(struct worker *w, const char *path, struct error *err)
{
    const json_t *seen = json_object_get(w->step.seen, "config");
    char now[DIGEST_HEX_SIZE] = "";

    int r = fs_exists(path) ? digest_file(path, now, err) : 0;

    if (r < 0)
        return r;
    if (str_equal(now, cni_text(seen, "sha256")))
        return 0;
    return error_set(err, -EAGAIN,
                     "\"%s\" was changed meanwhile: it is looked at again", path);
}

static enum flow_verdict write_config(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;
    const struct step_env *env = w->step.env;
    struct fs_attributes attributes = {
        .mode = 0644, .uid = geteuid(), .gid = getegid()};
    _cleanup_(freep) char *path = cni_path(w, CNI_CONFIG);
    _cleanup_(freep) char *bytes = render_cni_config(env->spec, env->facts);
    _cleanup_(freep) char *stage_dir = cni_stage_dir(w);
    char sha256[DIGEST_HEX_SIZE];

    digest_bytes(bytes, strlen(bytes), sha256);
    if (str_equal(sha256, cni_text(json_object_get(w->step.seen, "config"), "sha256")))
        return FLOW_NEXT;
    if (check_as_seen(w, path, err) < 0)
        return worker_failed(err);
    json_object_set_new(w->step.memo, "wrote", json_string(sha256));
    if (step_save(&w->step, err) < 0 ||
        fs_mkdirs(cni_options(w)->config_dir, 0755, err) < 0 ||
        fs_write_atomic(path, bytes, strlen(bytes), &attributes, stage_dir, err) < 0)
        return worker_failed(err);
    return FLOW_NEXT;
}

/* ---- the agent ---- */

static enum flow_verdict ask(struct flow *flow, void *ctx, struct error *err)
{
    return restarts(ctx) ? step_ask_to_disrupt(flow, ctx, err) : FLOW_NEXT;
}

static enum flow_verdict note(struct flow *flow, void *ctx, struct error *err)
{
    return restarts(ctx) ? restart_note(ctx, flow, CNI_RESTART, cni_unit(ctx), err)
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
    return restarts(ctx) ? restart_wait(ctx, flow, CNI_RESTART, cni_unit(ctx), err)
                         : FLOW_NEXT;
}

static enum flow_verdict say_applied(struct flow *flow, void *ctx, struct error *err)
{
    step_says(ctx, "binaries and %s installed; %s", cni_options(ctx)->config_name,
              restarts(ctx) ? "the Mesos agent restarted" : "no restart was needed");
    return FLOW_NEXT;
}

/* Leave is asked before the network is written: where it never comes the agent's next
 * start finds nothing new. Binaries that no network names do nothing. */
const struct flow_step cni_apply[] = {
    {.name = "settle an earlier restart", .run = settle, .cancel = worker_drop},
    CNI_OBSERVE,
    {.name = "decide", .run = decide},
    {.name = "keep what was", .run = keep},
    {.name = "fetch calico",
     .run = fetch_calico,
     .cancel = worker_drop,
     .timeout_ms = WORKER_FETCH_TIMEOUT_MS},
    {.name = "install calico", .run = install_calico},
    {.name = "fetch calico-ipam",
     .run = fetch_ipam,
     .cancel = worker_drop,
     .timeout_ms = WORKER_FETCH_TIMEOUT_MS},
    {.name = "install calico-ipam", .run = install_ipam},
    {.name = "ask to disrupt",
     .run = ask,
     .cancel = step_ask_cancel,
     .timeout_ms = STEP_ASK_TIMEOUT_MS},
    {.name = "write the network", .run = write_config},
    {.name = "note the restart", .run = note, .cancel = worker_drop},
    {.name = "reset-failed", .run = clear, .cancel = worker_drop},
    {.name = "restart the agent", .run = act, .cancel = worker_drop},
    {.name = "wait for the agent", .run = await_restart, .cancel = worker_drop},
    {.name = "say", .run = say_applied},
    {0},
};
