/* restart.c - restart a unit exactly once, whatever dies in between.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/steps/restart.h"

#include "shared/base/failpoint.h"
#include "shared/base/str.h"

#include <errno.h>

enum { LOOK_AGAIN_MS = 500 };

static bool state_is(const struct step *step, const char *key, const char *state)
{
    const json_t *note = json_object_get(step->memo, key);

    return str_equal(json_string_value(json_object_get(note, "state")), state);
}

bool restart_begun(const struct step *step, const char *key)
{
    return state_is(step, key, "begun");
}

bool restart_done(const struct step *step, const char *key)
{
    return state_is(step, key, "done");
}

bool restart_moved(const struct step *step, const char *key,
                   const struct unit_state *state)
{
    const json_t *note = json_object_get(step->memo, key);

    return state->main_pid != json_integer_value(json_object_get(note, "main_pid")) ||
           state->active_enter_us !=
               json_integer_value(json_object_get(note, "active_enter_us"));
}

bool restart_under_way(const struct unit_state *state)
{
    return str_equal(state->active, "activating") ||
           str_equal(state->active, "deactivating") ||
           str_equal(state->active, "reloading");
}

/* It may hang in its start for ever: what came before has ended all the same. */
static bool starts_anew(const struct step *step, const char *key,
                        const struct unit_state *state)
{
    return str_equal(state->active, "activating") && restart_moved(step, key, state);
}

static int mark_done(struct step *step, const char *key, struct error *err)
{
    json_object_set_new(json_object_get(step->memo, key), "state", json_string("done"));
    json_object_del(step->memo, "restart_due");
    return step_save(step, err);
}

static void next_or_fail(struct worker *w, int r, const struct error *err)
{
    if (r < 0)
        flow_fail(w->flow, err);
    else
        flow_next(w->flow);
}

static void on_settle(struct worker *w, const struct unit_state *state,
                      const struct error *call)
{
    struct error err = {0};

    if (call->code < 0)
        flow_fail(w->flow, call);
    else if (restart_under_way(state) && !starts_anew(&w->step, w->restart_key, state))
        worker_again(w, LOOK_AGAIN_MS, "the unit is %s", state->active);
    else if (restart_moved(&w->step, w->restart_key, state))
        next_or_fail(w, mark_done(&w->step, w->restart_key, &err), &err);
    else
        flow_next(w->flow); /* it never came to the restart */
}

enum flow_verdict restart_settle(struct worker *w, struct flow *flow, const char *key,
                                 const char *unit, struct error *err)
{
    if (!restart_begun(&w->step, key))
        return FLOW_NEXT;
    w->restart_key = key;
    flow_set_timeout(flow, worker_timeout_ms(w));
    return worker_unit_show(w, flow, unit, on_settle, err);
}

static void on_note(struct worker *w, const struct unit_state *state,
                    const struct error *call)
{
    struct error err = {0};

    if (call->code < 0) {
        flow_fail(w->flow, call);
        return;
    }
    FAILPOINT("restart:note");
    json_object_set_new(w->step.memo, w->restart_key,
                        json_pack("{s:s,s:I,s:I}", "state", "begun", "main_pid",
                                  (json_int_t)state->main_pid, "active_enter_us",
                                  (json_int_t)state->active_enter_us));
    int r = step_save(&w->step, &err);
    FAILPOINT("restart:noted");
    next_or_fail(w, r, &err);
}

enum flow_verdict restart_note(struct worker *w, struct flow *flow, const char *key,
                               const char *unit, struct error *err)
{
    w->restart_key = key;
    return worker_unit_show(w, flow, unit, on_note, err);
}

enum flow_verdict restart_clear(struct worker *w, struct flow *flow, const char *unit,
                                struct error *err)
{
    return worker_unit_try(w, flow, "reset-failed", unit, err);
}

enum flow_verdict restart_act(struct worker *w, struct flow *flow, const char *unit,
                              struct error *err)
{
    step_says(&w->step, "restarting %s", unit);
    FAILPOINT("restart:act");
    enum flow_verdict verdict = worker_unit_act(w, flow, "restart", unit, err);
    FAILPOINT("restart:acting");
    return verdict;
}

static void on_wait(struct worker *w, const struct unit_state *state,
                    const struct error *call)
{
    struct error err = {0};

    if (call->code < 0)
        flow_fail(w->flow, call);
    else if (str_equal(state->active, "active") &&
             restart_moved(&w->step, w->restart_key, state))
        next_or_fail(w, mark_done(&w->step, w->restart_key, &err), &err);
    else if (str_equal(state->active, "failed"))
        worker_fail(w, -EIO, "the unit failed after its restart: see its journal");
    else
        worker_again(w, LOOK_AGAIN_MS, "the unit is %s (%s)", state->active,
                     state->sub);
}

enum flow_verdict restart_wait(struct worker *w, struct flow *flow, const char *key,
                               const char *unit, struct error *err)
{
    FAILPOINT("restart:acted");
    w->restart_key = key;
    flow_set_timeout(flow, worker_timeout_ms(w));
    return worker_unit_show(w, flow, unit, on_wait, err);
}
