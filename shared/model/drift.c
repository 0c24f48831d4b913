/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/model/drift.h"

#include "shared/base/str.h"
#include "shared/model/json.h"

enum { DAY_MS = 24 * 3600 * 1000, AGAIN_MS = 10 * 60 * 1000 };

/* ---- looking ---- */

static enum drift_sight sight_of(enum finding finding)
{
    switch (finding) {
    case FINDING_UNKNOWN:
        return SIGHT_NONE;
    case FINDING_RIGHT:
        return SIGHT_RIGHT;
    case FINDING_ABSENT:
    case FINDING_STALE:
    case FINDING_FOREIGN:
        return SIGHT_WRONG;
    }
    return SIGHT_NONE;
}

bool drift_repairs(const struct spec *spec, enum step_id step,
                   const struct judgement *judgement)
{
    if (judgement->finding != FINDING_ABSENT && judgement->finding != FINDING_STALE)
        return false;
    switch (spec_policy(spec, step)->drift) {
    case DRIFT_AUTO:
        return step != STEP_DOCKER_STORE &&
               !disruption_needs_lease(judgement->disruption);
    case DRIFT_REPORT:
        return false;
    case DRIFT_REPAIR:
        return true;
    }
    return false;
}

static bool look_at_step(struct drift_step *seen, const struct spec *spec,
                         const struct facts *facts, enum step_id step)
{
    struct judgement judgement;
    judge(step, spec, facts, json_object_get(facts->seen, step_name(step)), &judgement);
    enum drift_sight sight = sight_of(judgement.finding);

    if (sight == SIGHT_NONE)
        return false;
    if (sight == seen->last)
        seen->believed = sight;
    seen->last = sight;
    seen->repairs = drift_repairs(spec, step, &judgement);
    (void)STR_COPY(seen->says, judgement.says);
    return seen->believed != sight &&
           (sight == SIGHT_WRONG || seen->believed == SIGHT_WRONG);
}

bool drift_look(struct drift *drift, const struct spec *spec, const struct facts *facts)
{
    bool differs = false;

    for (int i = 0; i < spec->stages_count; i++) {
        const struct spec_stage *stage = &spec->stages[i];

        for (int j = 0; j < stage->steps_count; j++) {
            enum step_id step = stage->steps[j];

            if (spec_policy(spec, step)->enabled &&
                look_at_step(&drift->steps[step], spec, facts, step))
                differs = true;
        }
    }
    return differs;
}

json_t *drift_wrong(const struct drift *drift)
{
    json_t *wrong = json_object();

    for (int i = 0; i < STEP_COUNT; i++) {
        const struct drift_step *seen = &drift->steps[i];

        if (seen->believed == SIGHT_WRONG)
            (void)json_object_set_new(wrong, step_name((enum step_id)i),
                                      json_text(seen->says));
    }
    return wrong;
}

/* ---- judging ---- */

/* A step that was never proved, or that an operator declared complete, cannot drift. */
static bool was_proved(const struct step_record *step)
{
    return !step->by[0] && (step->state == STEP_PROVED || step->state == STEP_ALREADY ||
                            step->state == STEP_DRIFTED);
}

/* True: that is news. */
static bool tell_step(const struct drift_step *seen, struct step_record *step)
{
    bool was = step->state == STEP_DRIFTED;
    bool is = seen->believed == SIGHT_WRONG;

    if (!was_proved(step) || seen->believed == SIGHT_NONE || was == is)
        return false;
    step->state = is ? STEP_DRIFTED : STEP_ALREADY;
    (void)STR_COPY(step->says, seen->says);
    return true;
}

/* The first stage with a step to mend; -1 = none. */
static int first_to_mend(const struct drift *drift, const struct spec *spec,
                         const struct record *record)
{
    for (int i = 0; i < spec->stages_count; i++) {
        for (int j = 0; j < spec->stages[i].steps_count; j++) {
            enum step_id id = spec->stages[i].steps[j];
            const struct drift_step *seen = &drift->steps[id];

            if (seen->believed == SIGHT_WRONG && seen->last == SIGHT_WRONG &&
                seen->repairs && record_step_drifted(record, step_name(id)))
                return i;
        }
    }
    return -1;
}

/* How many repairs there were within a day of each other, the last at repaired_ms. */
static int repairs_of(const struct record *record, int64_t now_ms)
{
    int64_t ago_ms = now_ms - record->repaired_ms;

    return ago_ms >= 0 && ago_ms < DAY_MS ? record->repairs : 0;
}

static bool too_soon(const struct record *record, int64_t now_ms)
{
    int64_t ago_ms = now_ms - record->repaired_ms, wait_ms = 0;
    int repairs = repairs_of(record, now_ms);

    for (int i = 0; i < repairs && wait_ms < DAY_MS; i++)
        wait_ms = wait_ms ? 2 * wait_ms : AGAIN_MS;
    return ago_ms >= 0 && ago_ms < wait_ms; /* < 0: the clock was set back */
}

static void begin_again(struct record *record, int stage, int64_t now_ms)
{
    record->state = HOST_IDLE;
    record->stages_done = stage;
    record->attempt = 0;
    record->drift = RECORD_REPAIRING;
    record->retried = false; /* its arrivals are behind it: nobody waits for it */
    record->repairs = repairs_of(record, now_ms) + 1;
    record->repaired_ms = now_ms;
    record->since_ms = now_ms;
}

enum drift_verdict drift_judge(const struct drift *drift, const struct spec *spec,
                               const struct record *record, bool keeps, int64_t now_ms,
                               struct record *ret_next)
{
    struct record next = *record;
    bool news = false;

    for (int i = 0; i < next.steps_count; i++) {
        int id = step_from_name(next.steps[i].name);

        if (id >= 0 && tell_step(&drift->steps[id], &next.steps[i]))
            news = true;
    }
    next.drift = record_drifted_steps(&next) ? RECORD_DRIFTED : RECORD_STEADY;
    news = news || next.drift != record->drift; /* after a repair */
    int stage =
        keeps && !too_soon(record, now_ms) ? first_to_mend(drift, spec, &next) : -1;
    if (stage >= 0)
        begin_again(&next, stage, now_ms);
    if (stage < 0 && !news)
        return DRIFT_NO_NEWS;
    *ret_next = next;
    return stage >= 0 ? DRIFT_MENDS : DRIFT_NEWS;
}
