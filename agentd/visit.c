/* SPDX-License-Identifier: Apache-2.0
 *
 * Story. A visit does the steps of one stage in order, each in phases. Of an install
 * (visit_install.c), for each enabled step:
 *
 *   OBSERVE --+--right--------> CONFIRM (prove, one pass) --ok--> next step ("already")
 *      ^      |                     |not ok
 *      |      +--absent, stale--> APPLY --> PROVE (passes in a row) --ok--> next step
 *      |      |                     |          |
 *      |      +--foreign-> FAIL   not ok     not ok
 *      |      +--unknown---+--------+----------+
 *      +------ WAIT (backoff), while attempts are left ; then
 *
 * Where the host repairs itself (model/drift.h) a step that is only to be reported is
 * left as it is after OBSERVE, unless this visit had begun to change it.
 *
 *   REVERT each step that this visit changed, newest first --> failed; healthy when
 * every revert proved itself. A visit that gets no leave for its first disruption puts
 * back, too, and steps back: a host that was not begun is as it was, whatever becomes
 * of the rollout.
 *
 * Of an uninstall or a rollback (visit_undo.c), whose spec stands in reverse, for each
 * step that is enabled or that the host has a memory of:
 *
 *   OBSERVE --+--nothing of ours, no memory--> next step ("already")
 *      ^      +--foreign--> FAIL
 *      |      +--remembered, or ours--> GUARD --nobody on a Calico network--> UNDO
 *      |      +--unknown--+               |in use          the step's own revert, |
 *      |                  |              FAIL              which proves itself    |
 *      +------ WAIT <-----+----------------------------------not ok---------------+
 *                                                              ok --> forget, next step
 *
 * An undo that fails leaves the step as it is: healthy unless a restart was begun.
 *
 * The journal is written before each change (steps do that through step_env.save), so a
 * crash anywhere leads back to OBSERVE with the memo of what was begun. A visit that
 * has failed says so in the journal, from before it puts back until its Fail is in
 * ZooKeeper: it is never run twice under one attempt. Leave to disrupt is the runner's
 * to give.
 */
#include "agentd/visit_internal.h"

#include "shared/base/backoff.h"
#include "shared/base/cleanup.h"
#include "shared/base/failpoint.h"
#include "shared/base/log.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* GOING_DOWN: longer than systemd lets any unit take to stop. */
enum { BACKOFF_MAX_MS = 300000, GOING_DOWN_MS = 300000 };

/* Observing ends as the visit's kind says. */
static visit_phase_done_f observed;

static const struct {
    const char *text;
    visit_phase_done_f *done; /* NULL = no flow */
} phases[VISIT_PHASES] = {
    [PHASE_NONE] = {"none", NULL},
    [PHASE_SURVEY] = {"survey", survey_observed},
    [PHASE_OBSERVE] = {"observe", observed},
    [PHASE_CONFIRM] = {"confirm", install_proved},
    [PHASE_APPLY] = {"apply", install_applied},
    [PHASE_PROVE] = {"prove", install_proved},
    [PHASE_WAIT] = {"wait", NULL},
    [PHASE_REVERT] = {"revert", install_reverted},
    [PHASE_GUARD] = {"guard", NULL},
    [PHASE_UNDO] = {"undo", undo_ended},
};

static void on_phase_done(void *ctx, int result, const struct error *err);

static struct visit *visit_of(struct visitor *visitor)
{
    return (struct visit *)visitor;
}

enum step_id visit_step_id(const struct visit *v)
{
    return v->stage->steps[v->index];
}

const struct step_policy *visit_policy(const struct visit *v)
{
    return spec_policy(v->manifest->spec, v->step->type->id);
}

struct step_record *visit_entry(struct visit *v, enum step_id id)
{
    return record_step(runner_record(v->runner), step_name(id));
}

void visit_report(struct visit *v, enum step_id id, enum step_state state,
                  const char *says)
{
    struct step_record *e = visit_entry(v, id);
    if (!e)
        return;
    e->state = state;
    e->took_ms = loop_now_ms(v->loop) - v->step_started_ms;
    STR_COPY(e->says, says);
}

/* ---- running a phase's flow ---- */

static void on_flow_step(void *ctx, const char *name, int result, int64_t took_ms)
{
    struct visit *v = ctx;
    log_debug("step", "step=%s phase=%s at=\"%s\" result=%d took_ms=%lld",
              step_name(v->step->type->id), phases[v->phase].text, name, result,
              (long long)took_ms);
    FAILPOINT_STEP(phases[v->phase].text, step_name(v->step->type->id), name);
    if (v->phase == PHASE_SURVEY)
        return;
    /* What comes next is what it is doing from now on. */
    const char *next = result == 0 && v->flow.at[1].name ? v->flow.at[1].name : name;
    struct record *record = runner_record(v->runner);
    snprintf(record->doing, sizeof(record->doing), "%s: %s", phases[v->phase].text,
             next);
    runner_progress(v->runner);
}

static void on_deadline(void *ctx)
{
    struct visit *v = ctx;
    struct error err;
    char limit[32];
    str_from_duration_ms(visit_policy(v)->timeout_ms, limit, sizeof(limit));
    error_set(&err, -ETIMEDOUT, "not done within %s (at \"%s\")", limit,
              flow_step_name(&v->flow));
    flow_cancel(&v->flow);
    on_phase_done(v, err.code, &err);
}

static void arm_deadline(struct visit *v)
{
    if (v->phase == PHASE_APPLY || v->phase == PHASE_UNDO)
        timer_start(&v->deadline, v->loop, visit_policy(v)->timeout_ms, on_deadline, v);
}

void visit_run(struct visit *v, enum visit_phase phase, const struct flow_step *steps)
{
    v->phase = phase;
    v->refusal = 0;
    arm_deadline(v);
    flow_start(&v->flow, v->loop, steps, v->step, on_phase_done, v);
}

/* ---- what steps ask of their visit ---- */

static void on_refuse(void *ctx)
{
    struct visit *v = ctx;
    struct flow *flow = v->asking_flow;
    struct error err;
    v->asking = NULL;
    v->asking_flow = NULL;
    if (v->refusal == -EPERM)
        error_set(&err, -EPERM, "a restart needs a permit of lease '%s'",
                  v->stage->lease);
    else
        error_set(&err, -ECANCELED,
                  "the rollout's gate is closed: nothing is disrupted");
    flow_fail(flow, &err);
}

static void env_ask(void *ctx, struct step *step, struct flow *flow)
{
    struct visit *v = ctx;
    timer_stop(&v->deadline); /* waiting for leave is not the step's time */
    v->asking = step;
    v->asking_flow = flow;
    if (v->parked || !v->order.own_lease) {
        v->refusal = v->parked ? -ECANCELED : -EPERM;
        timer_start(&v->turn, v->loop, 0, on_refuse, v);
        return;
    }
    struct record *record = runner_record(v->runner);
    STR_COPY(record->doing, disruption_text(step->judgement.disruption));
    runner_ask(v->runner, v->phase == PHASE_REVERT);
}

static void env_ask_cancel(void *ctx, struct step *step)
{
    struct visit *v = ctx;
    (void)step;
    v->asking = NULL;
    v->asking_flow = NULL;
    timer_stop(&v->turn);
    runner_ask_cancel(v->runner);
}

static void visitor_answer(struct visitor *visitor, int code)
{
    struct visit *v = visit_of(visitor);
    if (!v->asking)
        return;
    if (code < 0) {
        v->refusal = code;
        on_refuse(v);
        return;
    }
    struct flow *flow = v->asking_flow;
    v->asking = NULL;
    v->asking_flow = NULL;
    log_info("visit", "stage=%s step=%s leave=granted token=%lld", v->stage->name,
             step_name(v->step->type->id), (long long)v->order.token);
    arm_deadline(v);
    flow_next(flow);
}

static int env_save(void *ctx, struct step *step, struct error *err)
{
    struct visit *v = ctx;
    bool back = v->phase == PHASE_REVERT || v->env.undoes;
    enum journal_phase phase = back ? JOURNAL_REVERTING : JOURNAL_APPLYING;
    v->changed[step->type->id] = true;
    return journal_step(v->world.journal, step_name(step->type->id), phase, step->memo,
                        loop_wall_ms(v->loop), err);
}

static void env_says(void *ctx, struct step *step, const char *text)
{
    struct visit *v = ctx;
    if (v->phase == PHASE_SURVEY || v->phase == PHASE_NONE)
        return;
    struct step_record *e = visit_entry(v, step->type->id);
    if (e)
        STR_COPY(e->says, text);
    runner_progress(v->runner);
}

/* ---- ending ---- */

void visit_drop_step(struct visit *v)
{
    step_free(v->step);
    v->step = NULL;
}

void visit_go_idle(struct visit *v)
{
    flow_cancel(&v->flow);
    networks_cancel(take_ptr(v->networks));
    timer_stop(&v->deadline);
    timer_stop(&v->turn);
    visit_drop_step(v);
    v->asking = NULL;
    v->asking_flow = NULL;
    v->phase = PHASE_NONE;
}

static void say_parked(struct visit *v)
{
    void (*parked)(void *ctx) = v->parked;
    v->parked = NULL;
    if (parked)
        parked(v->parked_ctx);
}

const char *visit_result_text(enum visit_result result)
{
    static const char *const texts[] = {
        [VISIT_DONE] = "done",
        [VISIT_FAILED] = "failed",
        [VISIT_STEPPED_BACK] = "stepped-back",
        [VISIT_NEEDS_LEASE] = "needs-lease",
    };
    return texts[result];
}

void visit_end(struct visit *v, enum visit_result result, const char *error)
{
    visit_go_idle(v);
    FAILPOINT("visit:end");
    log_info("visit", "stage=%s attempt=%d result=%s%s%s%s", v->stage->name,
             v->order.attempt, visit_result_text(result), error[0] ? " error=\"" : "",
             error, error[0] ? "\"" : "");
    runner_visited(v->runner, result, error, v->healthy);
    say_parked(v);
}

/* The disk failed under the journal: nothing more is changed, and the host says so. */
void visit_end_broken(struct visit *v, const struct error *err)
{
    char text[384];
    snprintf(text, sizeof(text), "%.370s", err->text);
    v->healthy = false;
    visit_end(v, VISIT_FAILED, text);
}

int visit_journal(struct visit *v, enum step_id id, enum journal_phase phase,
                  const json_t *memo, struct error *err)
{
    return journal_step(v->world.journal, step_name(id), phase, memo,
                        loop_wall_ms(v->loop), err);
}

/* The last word of a failed visit, until its Fail is in ZooKeeper. */
void visit_end_failed(struct visit *v)
{
    struct error err;
    char text[384];
    const json_t *memo = NULL;
    v->healthy = v->healthy && !v->forgot;
    snprintf(text, sizeof(text), "%s: %.340s", step_name(v->failed_step),
             v->failure.text);
    (void)journal_step_get(v->world.journal, step_name(v->failed_step), NULL, &memo);
    json_t *last = memo ? json_deep_copy(memo) : json_object();
    json_object_set_new(last, "failure",
                        json_pack("{s:o,s:b,s:b}", "error", json_text(text), "healthy",
                                  (int)v->healthy, "undo", (int)v->env.undoes));
    int r = visit_journal(v, v->failed_step, JOURNAL_FAILED, last, &err);
    json_decref(last);
    if (r < 0)
        log_warn("visit", "ignoring: %s", err.text);
    /* not the one that was put back last */
    STR_COPY(runner_record(v->runner)->step, step_name(v->failed_step));
    visit_end(v, VISIT_FAILED, text);
}

static void end_done(struct visit *v)
{
    struct error err;
    if (journal_end(v->world.journal, &err) < 0) {
        visit_end_broken(v, &err);
        return;
    }
    v->healthy = true;
    visit_end(v, VISIT_DONE, "");
}

/* A file that may not be written has the same code, and is a failure. */
bool visit_refused(const struct visit *v, int result)
{
    return result < 0 && result == v->refusal;
}

enum visit_result visit_result_of_refusal(const struct visit *v)
{
    return v->refusal == -EPERM ? VISIT_NEEDS_LEASE : VISIT_STEPPED_BACK;
}

/* ---- a step's phases ---- */

void visit_next_step(struct visit *v)
{
    visit_drop_step(v);
    v->index++;
    visit_begin_step(v);
}

void visit_step_done(struct visit *v, enum step_state state)
{
    enum step_id id = v->step->type->id;
    struct error err;
    const char *says = v->step->says[0] ? v->step->says : v->step->judgement.says;
    visit_report(v, id, state, says);
    log_info("step", "step=%s state=%s took_ms=%lld says=\"%s\"", step_name(id),
             step_state_text(state),
             (long long)(loop_now_ms(v->loop) - v->step_started_ms), says);
    if (visit_journal(v, id, JOURNAL_PROVED, v->step->memo, &err) < 0)
        visit_end_broken(v, &err);
    else
        visit_next_step(v);
}

static void on_retry(void *ctx)
{
    visit_observe(ctx);
}

void visit_try_again(struct visit *v, const struct error *err)
{
    const struct step_policy *p = visit_policy(v);
    if (++v->attempt >= p->attempts) {
        visit_fail(v, err);
        return;
    }
    int64_t delay_ms = backoff_delay_ms(v->attempt - 1, p->backoff_ms, BACKOFF_MAX_MS,
                                        loop_random(v->loop));
    log_warn("step", "step=%s attempt=%d/%d phase=%s retry_ms=%lld error=\"%s\"",
             step_name(v->step->type->id), v->attempt, p->attempts,
             phases[v->phase].text, (long long)delay_ms, err->text);
    v->phase = PHASE_WAIT;
    snprintf(runner_record(v->runner)->doing, sizeof(runner_record(v->runner)->doing),
             "attempt %d of %d soon", v->attempt + 1, p->attempts);
    visit_report(v, v->step->type->id, STEP_RUNNING, err->text);
    runner_progress(v->runner);
    timer_start(&v->turn, v->loop, delay_ms, on_retry, v);
}

void visit_observe(struct visit *v)
{
    json_decref(v->step->seen);
    v->step->seen = NULL;
    visit_run(v, PHASE_OBSERVE, v->step->type->observe);
}

static void observed(struct visit *v, int result, const struct error *err)
{
    if (v->env.undoes)
        undo_observed(v, result, err);
    else
        install_observed(v, result, err);
}

bool visit_parks(struct visit *v)
{
    if (!v->parked)
        return false;
    visit_go_idle(v); /* the journal has it all */
    say_parked(v);
    return true;
}

static void on_outlived(void *ctx)
{
    struct visit *v = ctx;
    v->outlived = true;
    visit_on_begin(v);
}

/* Nothing is known of the step but what the journal says: as after a crash, the visit
 * begins again, when the host is up; or here, should it not have gone by then, and what
 * fails from then on has failed. */
static void wait_for_the_end(struct visit *v, const struct error *err)
{
    int64_t wait_ms = v->world.going_down_ms ? v->world.going_down_ms : GOING_DOWN_MS;
    log_warn("visit", "stage=%s step=%s state=\"the host is going down\" error=\"%s\"",
             v->stage->name, step_name(v->step->type->id), err->text);
    visit_go_idle(v);
    visit_take_up(v, v->runner, v->manifest, v->order.stage);
    STR_COPY(runner_record(v->runner)->doing, "the host is going down");
    runner_progress(v->runner);
    timer_start(&v->turn, v->loop, wait_ms, on_outlived, v);
}

static void on_phase_done(void *ctx, int result, const struct error *err)
{
    struct visit *v = ctx;
    timer_stop(&v->deadline);
    if (visit_parks(v))
        return;
    if (result == -ESHUTDOWN && v->phase != PHASE_SURVEY && !v->outlived)
        wait_for_the_end(v, err);
    else
        phases[v->phase].done(v, result, err);
}

void visit_fail(struct visit *v, const struct error *err)
{
    v->failed_step = v->step->type->id;
    error_copy(&v->failure, err);
    log_error("step", "step=%s state=failed error=\"%s\"", step_name(v->failed_step),
              err->text);
    visit_report(v, v->failed_step, STEP_FAILED, err->text);
    v->healthy = undo_harmless(v->step);
    visit_drop_step(v);
    if (v->env.undoes)
        visit_end_failed(v);
    else
        install_failed(v);
}

/* ---- beginning ---- */

void visit_begin_step(struct visit *v)
{
    enum journal_phase journaled = JOURNAL_OBSERVED;
    const json_t *memo = NULL;
    if (v->index == v->stage->steps_count) {
        end_done(v);
        return;
    }
    enum step_id id = visit_step_id(v);
    v->attempt = 0;
    v->step_started_ms = loop_now_ms(v->loop);
    if (!v->env.undoes && !spec_policy(v->manifest->spec, id)->enabled) {
        visit_report(v, id, STEP_DISABLED, "disabled by the spec");
        visit_next_step(v);
        return;
    }
    if (runner_declared(v->runner, step_name(id))) {
        log_warn("step", "step=%s state=already says=\"%s\" by=%s", step_name(id),
                 visit_entry(v, id)->says, visit_entry(v, id)->by);
        visit_next_step(v);
        return;
    }
    if (v->env.undoes) {
        undo_begin_step(v);
        return;
    }
    bool begun = journal_step_get(v->world.journal, step_name(id), &journaled, &memo);
    if (begun && journaled == JOURNAL_REVERTED)
        memo = NULL; /* this attempt stepped back */
    v->changed[id] =
        begun && journaled != JOURNAL_OBSERVED && memo && json_object_size(memo) > 0;
    v->step = step_new(id, &v->env, memo);
    struct record *record = runner_record(v->runner);
    STR_COPY(record->step, step_name(id));
    STR_COPY(record->doing, "observe");
    visit_report(v, id, STEP_RUNNING, "");
    runner_progress(v->runner);
    visit_observe(v);
}

void visit_take_up(struct visit *v, struct runner *runner,
                   const struct manifest *manifest, int stage)
{
    v->runner = runner;
    v->manifest = manifest;
    v->stage = &manifest->spec->stages[stage];
    v->index = 0;
    v->healthy = v->forgot = false;
    v->surveyed_disruptive = false;
    memset(v->changed, 0, sizeof(v->changed));
    v->env.spec = manifest->spec;
    v->env.facts = v->world.facts;
    v->env.undoes = manifest_undoes(manifest);
    v->env.force = manifest->force;
    v->env.steps_back = false;
}

static void visitor_visit(struct visitor *visitor, struct runner *runner,
                          const struct visit_order *order)
{
    struct visit *v = visit_of(visitor);
    visit_take_up(v, runner, order->manifest, order->stage);
    v->order = *order;
    v->outlived = false;
    log_info("visit", "stage=%s attempt=%d token=%lld own_lease=%s state=begin",
             v->stage->name, order->attempt, (long long)order->token,
             order->own_lease ? "yes" : "no");
    timer_start(&v->turn, v->loop, 0, visit_on_begin, v);
}

static void visitor_cancel(struct visitor *visitor)
{
    struct visit *v = visit_of(visitor);
    visit_go_idle(v);
    say_parked(v);
}

static const struct visitor_ops visitor_ops = {
    .survey = visitor_survey,
    .visit = visitor_visit,
    .answer = visitor_answer,
    .cancel = visitor_cancel,
};

struct visit *visit_new(const struct visit_world *world)
{
    struct visit *v = NEW(struct visit);
    v->visitor.ops = &visitor_ops;
    v->world = *world;
    v->loop = event_loop_port(world->el);
    v->env = (struct step_env){
        .el = world->el,
        .loop = v->loop,
        .facts = world->facts,
        .state_dir = world->state_dir,
        .cache_dir = world->cache_dir,
        .docker_socket = world->docker_socket,
        .ctx = v,
        .ask = env_ask,
        .ask_cancel = env_ask_cancel,
        .save = env_save,
        .says = env_says,
    };
    flow_observe(&v->flow, on_flow_step, v);
    return v;
}

void visit_free(struct visit *v)
{
    if (!v)
        return;
    visit_go_idle(v);
    free(v);
}

struct visitor *visit_visitor(struct visit *v)
{
    return &v->visitor;
}

static void on_park(void *ctx)
{
    say_parked(ctx);
}

void visit_park(struct visit *v, void (*parked)(void *ctx), void *ctx)
{
    v->parked = parked;
    v->parked_ctx = ctx;
    bool acting =
        v->phase == PHASE_APPLY || v->phase == PHASE_REVERT || v->phase == PHASE_UNDO;
    if (acting && !v->asking)
        return; /* said when the phase has ended */
    timer_start(&v->turn, v->loop, 0, on_park, v);
}
