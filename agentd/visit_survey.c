/* visit_survey.c - would this stage disrupt this host? Which lease it goes under.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/visit_internal.h"

#include "shared/model/judge_undo.h"

static void survey_next(struct visit *v);

static void survey_result(struct visit *v, const struct error *err)
{
    struct runner *runner = v->runner;
    bool disrupts = v->surveyed_disruptive;
    visit_go_idle(v);
    runner_surveyed(runner, disrupts, err);
}

void survey_observed(struct visit *v, int result, const struct error *err)
{
    struct judgement judgement;
    if (result < 0) {
        survey_result(v, err);
        return;
    }
    if (v->env.undoes)
        judge_undo(v->step->type->id, v->manifest->spec, v->world.facts, v->step->seen,
                   v->recalled ? v->step->memo : NULL, &judgement);
    else
        judge(v->step->type->id, v->manifest->spec, v->world.facts, v->step->seen,
              &judgement);
    if ((judgement.finding == FINDING_ABSENT || judgement.finding == FINDING_STALE) &&
        disruption_needs_lease(judgement.disruption) && !visit_leaves(v, &judgement))
        v->surveyed_disruptive = true;
    visit_drop_step(v);
    v->index++;
    survey_next(v);
}

/* Nothing is looked at where nothing would be done. */
static bool passes_over(struct visit *v, enum step_id id, json_t **ret_memo)
{
    struct error err;
    if (runner_declared(v->runner, step_name(id)))
        return true;
    if (!v->env.undoes)
        return !spec_policy(v->manifest->spec, id)->enabled;
    if (undo_recall(v, id, ret_memo, &err) < 0) /* the visit will say so */
        return true;
    return !*ret_memo && (v->manifest->kind == ROLLOUT_ROLLBACK ||
                          !spec_policy(v->manifest->spec, id)->enabled);
}

static void survey_next(struct visit *v)
{
    json_t *memo = NULL;
    while (v->index < v->stage->steps_count && passes_over(v, visit_step_id(v), &memo))
        v->index++;
    if (v->index == v->stage->steps_count) {
        survey_result(v, NULL);
        return;
    }
    v->recalled = memo != NULL;
    v->step = step_new(visit_step_id(v), &v->env, memo);
    json_decref(memo);
    visit_run(v, PHASE_SURVEY, v->step->type->observe);
}

static void on_survey(void *ctx)
{
    survey_next(ctx);
}

void visitor_survey(struct visitor *visitor, struct runner *runner,
                    const struct manifest *manifest, int stage)
{
    struct visit *v = (struct visit *)visitor;
    visit_take_up(v, runner, manifest, stage);
    v->phase = PHASE_SURVEY;
    timer_start(&v->turn, v->loop, 0, on_survey, v);
}
