/* visit_undo.c - the phases of a visit that takes a stage's steps back.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The story stands in visit.c. What is put back comes from the host's own memory: for
 * an uninstall what it had before the first rollout (the baseline), for a rollback what
 * it had before that rollout (the archive). A step that the host has no memory of, but
 * that is recognisably ours, is taken away by an uninstall (claim.h).
 */
#include "agentd/visit_internal.h"

#include "agentd/archive.h"
#include "agentd/steps/claim.h"
#include "shared/base/log.h"
#include "shared/base/str.h"
#include "shared/model/judge_undo.h"

#include <errno.h>
#include <stdio.h>

static const char *name_of(const struct visit *v)
{
    return step_name(v->step->type->id);
}

/* ---- what the host remembers ---- */

/* Of this visit, before a crash or an earlier attempt; NULL = not begun in it. */
static json_t *recall_begun(struct visit *v, enum step_id id)
{
    enum journal_phase phase;
    const json_t *memo = NULL;
    if (!journal_step_get(v->world.journal, step_name(id), &phase, &memo) ||
        !str_equal(journal_visit(v->world.journal)->rollout, v->manifest->id))
        return NULL;
    json_t *copy = json_deep_copy(memo);
    json_object_del(copy, "failure");
    if (json_object_size(copy) > 0)
        return copy;
    json_decref(copy);
    return NULL;
}

int undo_recall(struct visit *v, enum step_id id, json_t **ret, struct error *err)
{
    const char *step = step_name(id);
    const json_t *baseline = journal_baseline(v->world.journal, step);
    *ret = recall_begun(v, id);
    if (*ret)
        return 0;
    if (v->manifest->kind == ROLLOUT_ROLLBACK)
        return archive_find(v->world.state_dir, v->manifest->of, step,
                            v->manifest->force, ret, err);
    if (!baseline)
        return 0;
    return archive_whole(v->world.state_dir,
                         journal_baseline_rollout(v->world.journal, step), step,
                         baseline, v->manifest->force, ret, err);
}

/* It was put back and proved: it is nobody's memory any more. */
static int forget(struct visit *v, struct error *err)
{
    const char *step = name_of(v), *of = v->manifest->of;
    struct journal *journal = v->world.journal;
    int r = 0;
    if (v->manifest->kind == ROLLOUT_UNINSTALL ||
        str_equal(journal_baseline_rollout(journal, step), of))
        r = journal_baseline_forget(journal, step, err);
    if (r == 0 && v->manifest->kind == ROLLOUT_ROLLBACK)
        r = archive_forget(v->world.state_dir, of, step, err);
    return r;
}

/* ---- a step's phases ---- */

static void already(struct visit *v, enum step_id id, const char *says)
{
    visit_report(v, id, STEP_ALREADY, says);
    log_info("step", "step=%s state=already says=\"%s\"", step_name(id), says);
    visit_next_step(v);
}

static bool undone_before(struct visit *v, enum step_id id)
{
    enum journal_phase phase;
    return journal_step_get(v->world.journal, step_name(id), &phase, NULL) &&
           phase == JOURNAL_PROVED;
}

void undo_begin_step(struct visit *v)
{
    enum step_id id = visit_step_id(v);
    struct error err = {0};
    json_t *memo = NULL;
    char says[96];
    if (undone_before(v, id)) {
        already(v, id, "put back as it was before");
        return;
    }
    int r = undo_recall(v, id, &memo, &err);
    v->recalled = memo != NULL;
    v->step = step_new(id, &v->env, memo);
    json_decref(memo);
    if (r < 0) {
        visit_fail(v, &err);
    } else if (!v->recalled && v->manifest->kind == ROLLOUT_ROLLBACK) {
        snprintf(says, sizeof(says), "rollout %s changed nothing here",
                 v->manifest->of);
        already(v, id, says);
    } else if (!v->recalled && !visit_policy(v)->enabled) {
        visit_report(v, id, STEP_DISABLED, "disabled by the spec");
        visit_next_step(v);
    } else {
        struct record *record = runner_record(v->runner);
        STR_COPY(record->step, step_name(id));
        STR_COPY(record->doing, "observe");
        visit_report(v, id, STEP_RUNNING, "");
        runner_progress(v->runner);
        visit_observe(v);
    }
}

static void undo(struct visit *v)
{
    visit_run(v, PHASE_UNDO, v->step->type->revert);
}

static void on_networks(void *ctx, const json_t *in_use, const struct error *err)
{
    struct visit *v = ctx;
    struct strbuf names = {0};
    struct error why;
    const char *network;
    json_t *containers;
    v->networks = NULL;
    if (visit_parks(v))
        return;
    if (!in_use) {
        visit_try_again(v, err);
        return;
    }
    json_object_foreach ((json_t *)(uintptr_t)in_use, network, containers) {
        strbuf_addf(&names, "%s%s: %s", names.len ? "; " : "", network,
                    json_string_value(containers));
    }
    if (names.len) {
        error_set(&why, -EBUSY,
                  "containers are on Calico networks (%s): stop them first, or use "
                  "--force",
                  names.text);
        visit_fail(v, &why);
    } else {
        undo(v);
    }
    strbuf_done(&names);
}

/* Of those steps without which a container loses its network; not again in the middle
 * of a restart. */
static bool guarded(const struct visit *v)
{
    enum step_id id = v->step->type->id;
    return !v->manifest->force && !json_object_get(v->step->memo, "unrestart") &&
           (id == STEP_DOCKER_STORE || id == STEP_LIBNETWORK || id == STEP_NODE);
}

static void guard(struct visit *v)
{
    v->phase = PHASE_GUARD;
    v->networks = networks_look(v->world.el, v->world.docker_socket, on_networks, v);
}

static void put_back(struct visit *v)
{
    struct error err;
    if (disruption_needs_lease(v->step->judgement.disruption) && !v->order.own_lease) {
        visit_end(v, VISIT_NEEDS_LEASE, "");
        return;
    }
    if (!v->recalled) {
        log_warn("step", "step=%s memory=lost says=\"%s\"", name_of(v),
                 v->step->judgement.says);
        if (step_claim(v->step, &err) < 0 || step_save(v->step, &err) < 0) {
            visit_fail(v, &err);
            return;
        }
        v->recalled = true;
    }
    if (guarded(v))
        guard(v);
    else
        undo(v);
}

void undo_observed(struct visit *v, int result, const struct error *observation)
{
    struct step *step = v->step;
    struct error err;
    if (result < 0) {
        visit_try_again(v, observation);
        return;
    }
    judge_undo(step->type->id, v->manifest->spec, v->world.facts, step->seen,
               v->recalled ? step->memo : NULL, &step->judgement);
    log_info("step", "step=%s remembered=%s finding=%s disruption=%s says=\"%s\"",
             name_of(v), v->recalled ? "yes" : "no",
             finding_text(step->judgement.finding),
             disruption_text(step->judgement.disruption), step->judgement.says);
    switch (step->judgement.finding) {
    case FINDING_RIGHT:
        visit_step_done(v, STEP_ALREADY);
        return;
    case FINDING_ABSENT:
    case FINDING_STALE:
        put_back(v);
        return;
    case FINDING_FOREIGN:
        error_set(&err, -EEXIST, "%s", step->judgement.says);
        visit_fail(v, &err);
        return;
    case FINDING_UNKNOWN:
        error_set(&err, -ENODATA, "%s", step->judgement.says);
        visit_try_again(v, &err);
        return;
    }
}

void undo_ended(struct visit *v, int result, const struct error *err)
{
    struct error disk;
    if (visit_refused(v, result)) {
        visit_end(v, visit_result_of_refusal(v), "");
    } else if (result == -ESTALE || result == -EEXIST) { /* another try finds it, too */
        visit_fail(v, err);
    } else if (result < 0) {
        visit_try_again(v, err);
    } else if (forget(v, &disk) < 0) {
        visit_end_broken(v, &disk);
    } else {
        if (!v->step->says[0])
            STR_COPY(v->step->says, "put back as it was before");
        json_object_clear(v->step->memo);
        visit_step_done(v, STEP_PROVED);
    }
}

bool undo_harmless(const struct step *step)
{
    return json_object_get(step->memo, "unrestart") == NULL;
}
