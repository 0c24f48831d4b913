/* visit_install.c - the phases of a visit that puts a stage's steps in place.
 *
 * SPDX-License-Identifier: Apache-2.0
 * The story stands in visit.c.
 */
#include "agentd/visit_internal.h"

#include "shared/base/log.h"
#include "shared/base/str.h"
#include "shared/model/drift.h"
#include "shared/model/json.h"

#include <errno.h>

bool visit_leaves(struct visit *v, const struct judgement *judgement)
{
    switch (judgement->finding) {
    case FINDING_ABSENT:
    case FINDING_STALE:
    case FINDING_FOREIGN:
        return runner_repairs(v->runner) &&
               !drift_repairs(v->manifest->spec, v->step->type->id, judgement);
    case FINDING_RIGHT:
    case FINDING_UNKNOWN:
        break;
    }
    return false;
}

static void apply(struct visit *v);
static void prove(struct visit *v);
static void go_back(struct visit *v, enum visit_result result);
static void revert_next(struct visit *v);

void install_observed(struct visit *v, int result, const struct error *observation)
{
    struct step *step = v->step;
    struct error err;
    enum journal_phase journaled = JOURNAL_OBSERVED;
    if (result < 0) {
        visit_try_again(v, observation);
        return;
    }
    judge(step->type->id, v->manifest->spec, v->world.facts, step->seen,
          &step->judgement);
    bool begun = journal_step_get(v->world.journal, step_name(step->type->id),
                                  &journaled, NULL) &&
                 journaled == JOURNAL_APPLYING;
    log_info("step", "step=%s finding=%s disruption=%s says=\"%s\"",
             step_name(step->type->id), finding_text(step->judgement.finding),
             disruption_text(step->judgement.disruption), step->judgement.says);
    if (!begun && visit_leaves(v, &step->judgement)) {
        visit_report(v, step->type->id, STEP_DRIFTED, step->judgement.says);
        visit_next_step(v);
        return;
    }
    switch (step->judgement.finding) {
    case FINDING_RIGHT:
        if (begun || v->changed[step->type->id])
            prove(v);
        else {
            v->passes = visit_policy(v)->prove_passes - 1; /* one more is enough */
            v->prove_until_ms =
                loop_now_ms(v->loop) + visit_policy(v)->prove_timeout_ms;
            visit_run(v, PHASE_CONFIRM, step->type->prove);
        }
        return;
    case FINDING_ABSENT:
    case FINDING_STALE:
        if (disruption_needs_lease(step->judgement.disruption) && !v->order.own_lease) {
            go_back(v, VISIT_NEEDS_LEASE);
            return;
        }
        apply(v);
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

static void apply(struct visit *v)
{
    visit_run(v, PHASE_APPLY, v->step->type->apply);
}

static void on_prove_again(void *ctx)
{
    struct visit *v = ctx;
    visit_run(v, v->phase, v->step->type->prove);
}

static void prove(struct visit *v)
{
    v->passes = 0;
    v->prove_until_ms = loop_now_ms(v->loop) + visit_policy(v)->prove_timeout_ms;
    visit_run(v, PHASE_PROVE, v->step->type->prove);
}

static void proved_once(struct visit *v)
{
    if (++v->passes < visit_policy(v)->prove_passes) {
        timer_start(&v->turn, v->loop, visit_policy(v)->prove_interval_ms,
                    on_prove_again, v);
        return;
    }
    visit_step_done(v, v->phase == PHASE_CONFIRM ? STEP_ALREADY : STEP_PROVED);
}

static void not_proved(struct visit *v, const struct error *err)
{
    bool confirming = v->phase == PHASE_CONFIRM;
    v->passes = confirming ? visit_policy(v)->prove_passes - 1 : 0;
    if (loop_now_ms(v->loop) < v->prove_until_ms) {
        timer_start(&v->turn, v->loop, visit_policy(v)->prove_interval_ms,
                    on_prove_again, v);
        return;
    }
    struct error why;
    char limit[32];
    str_from_duration_ms(visit_policy(v)->prove_timeout_ms, limit, sizeof(limit));
    error_set(&why, err->code, "not proved within %s: %s", limit, err->text);
    visit_try_again(v, &why);
}

void install_applied(struct visit *v, int result, const struct error *err)
{
    if (visit_refused(v, result))
        go_back(v, visit_result_of_refusal(v));
    else if (result < 0)
        visit_try_again(v, err);
    else
        prove(v);
}

void install_proved(struct visit *v, int result, const struct error *err)
{
    if (result < 0)
        not_proved(v, err);
    else
        proved_once(v);
}

/* ---- putting back ---- */

static void note_going_back(struct visit *v)
{
    struct error err;
    json_t *memo =
        json_pack("{s:s,s:o,s:i,s:s}", "step", step_name(v->failed_step), "error",
                  json_text(v->failure.text), "attempt", v->order.attempt, "result",
                  visit_result_text(v->going_back));
    if (journal_step(v->world.journal, JOURNAL_GOING_BACK, JOURNAL_REVERTING, memo,
                     loop_wall_ms(v->loop), &err) < 0)
        log_warn("visit", "ignoring: %s", err.text);
    json_decref(memo);
}

/* The host is not as it was: that is to be told beside what the visit failed of. */
static void add_to_failure(struct visit *v, const struct error *err)
{
    struct error first = v->failure;
    if (v->healthy) /* the first that was not put back */
        error_set(&v->failure, first.code, "%.170s; not put back: %.150s", first.text,
                  err->text);
}

/* A visit that only stepped back has failed all the same. */
static void fail_to_go_back(struct visit *v, const struct error *err)
{
    if (v->going_back == VISIT_FAILED) {
        add_to_failure(v, err);
    } else {
        v->going_back = VISIT_FAILED;
        v->failed_step = v->step->type->id;
        error_copy(&v->failure, err);
        note_going_back(v);
    }
    v->healthy = false;
}

void install_reverted(struct visit *v, int result, const struct error *err)
{
    enum step_id id = v->step->type->id;
    struct error disk;
    v->changed[id] = false;
    if (result < 0) {
        fail_to_go_back(v, err);
        log_error("step", "step=%s phase=revert error=\"%s\"", step_name(id),
                  err->text);
        visit_report(v, id, STEP_FAILED, err->text);
    } else {
        visit_report(v, id, STEP_REVERTED, "put back as it was before");
        log_info("step", "step=%s state=reverted", step_name(id));
        if (visit_journal(v, id, JOURNAL_REVERTED, v->step->memo, &disk) < 0) {
            visit_end_broken(v, &disk);
            return;
        }
    }
    runner_progress(v->runner);
    revert_next(v);
}

static bool to_put_back(struct visit *v, enum step_id id)
{
    enum journal_phase phase;
    const json_t *memo = NULL;
    return journal_step_get(v->world.journal, step_name(id), &phase, &memo) &&
           phase != JOURNAL_OBSERVED && phase != JOURNAL_REVERTED &&
           json_object_size(memo) > 0;
}

/* What an attempt before this one could not put back is this one's to put back, too,
 * even where it failed before it came to that step; not what an operator has declared
 * complete since, which is as he left it. */
static void add_what_was_left(struct visit *v)
{
    for (int i = 0; i < v->stage->steps_count; i++) {
        enum step_id id = v->stage->steps[i];
        bool declared = runner_declared(v->runner, step_name(id));
        v->changed[id] = v->changed[id] || (!declared && to_put_back(v, id));
    }
}

static void put_all_back(struct visit *v)
{
    v->healthy = true;
    add_what_was_left(v);
    v->index = v->stage->steps_count;
    revert_next(v);
}

/* NULL: of a journal that says no result, of a program that only put back failures. */
static enum visit_result result_of(const char *text)
{
    static const enum visit_result others[] = {VISIT_STEPPED_BACK, VISIT_NEEDS_LEASE};
    for (size_t i = 0; text && i < sizeof(others) / sizeof(others[0]); i++)
        if (str_equal(text, visit_result_text(others[i])))
            return others[i];
    return VISIT_FAILED;
}

/* This attempt was putting back when its process ended: it goes on with that. */
bool install_goes_back(struct visit *v)
{
    const json_t *memo = NULL;
    const char *step, *error, *result = NULL;
    int attempt;
    if (!journal_step_get(v->world.journal, JOURNAL_GOING_BACK, NULL, &memo) ||
        json_unpack((json_t *)(uintptr_t)memo, "{s:s,s:s,s:i,s?s}", "step", &step,
                    "error", &error, "attempt", &attempt, "result", &result) < 0 ||
        attempt != v->order.attempt)
        return false;
    for (int i = 0; i < v->stage->steps_count; i++)
        if (str_equal(step_name(v->stage->steps[i]), step))
            v->failed_step = v->stage->steps[i];
    error_set(&v->failure, -EIO, "%s", error);
    v->going_back = result_of(result);
    v->step_started_ms = loop_now_ms(v->loop);
    put_all_back(v);
    return true;
}

static void go_back(struct visit *v, enum visit_result result)
{
    v->going_back = result;
    if (result != VISIT_FAILED) {
        v->failed_step = v->step->type->id; /* none: where it was */
        error_set(&v->failure, -ECANCELED, "no leave to disrupt");
    }
    note_going_back(v);
    put_all_back(v);
}

void install_failed(struct visit *v)
{
    if (v->manifest->spec->on_failure == ON_FAILURE_LEAVE) {
        add_what_was_left(v);
        v->healthy = true;
        for (int i = 0; i < STEP_COUNT; i++)
            v->healthy = v->healthy && !v->changed[i];
        visit_end_failed(v);
        return;
    }
    go_back(v, VISIT_FAILED);
}

/* A revert whose process ended after its last word and before ours: it is through. */
static int settle_reverted(struct visit *v, struct error *err)
{
    for (int i = 0; i < v->stage->steps_count; i++) {
        enum step_id id = v->stage->steps[i];
        enum journal_phase phase;
        const json_t *memo = NULL;
        if (!journal_step_get(v->world.journal, step_name(id), &phase, &memo) ||
            phase != JOURNAL_REVERTING || json_object_size(memo) > 0)
            continue;
        json_t *nothing = json_object();
        int r = visit_journal(v, id, JOURNAL_REVERTED, nothing, err);
        json_decref(nothing);
        if (r < 0)
            return r;
    }
    return 0;
}

/* A visit that stepped back leaves no trace: the next one begins afresh. */
static void gone_back(struct visit *v)
{
    struct error err;
    if (settle_reverted(v, &err) < 0)
        visit_end_broken(v, &err);
    else if (v->going_back == VISIT_FAILED)
        visit_end_failed(v);
    else if (journal_end(v->world.journal, &err) < 0)
        visit_end_broken(v, &err);
    else
        visit_end(v, v->going_back, "");
}

static void revert_next(struct visit *v)
{
    const json_t *memo = NULL;
    visit_drop_step(v);
    while (--v->index >= 0 && !v->changed[visit_step_id(v)])
        ;
    if (v->index < 0) {
        gone_back(v);
        return;
    }
    enum step_id id = visit_step_id(v);
    (void)journal_step_get(v->world.journal, step_name(id), NULL, &memo);
    v->env.steps_back = v->going_back != VISIT_FAILED;
    v->step = step_new(id, &v->env, memo);
    struct record *record = runner_record(v->runner);
    STR_COPY(record->step, step_name(id));
    STR_COPY(record->doing, "putting back");
    visit_run(v, PHASE_REVERT, v->step->type->revert);
}
