/* visit_begin.c - how a visit begins: with what the journal knows of those before it.
 *
 * SPDX-License-Identifier: Apache-2.0
 * A journal of this very attempt goes on; of an earlier attempt, what it left is
 * carried over; of another rollout, it is ended (its rollout is not in force any more).
 */
#include "agentd/visit_internal.h"

#include "shared/base/failpoint.h"
#include "shared/base/log.h"
#include "shared/base/str.h"

#include <errno.h>
#include <stdio.h>

/* A journal of this very attempt that ends in failure: say it again, act no more. */
static bool failed_before(struct visit *v)
{
    const struct journal_visit *last = journal_visit(v->world.journal);
    if (journal_state(v->world.journal) != JOURNAL_GOOD || !last ||
        !str_equal(last->rollout, v->manifest->id) ||
        !str_equal(last->stage, v->stage->name) || last->attempt != v->order.attempt)
        return false;
    for (int i = 0; i < v->stage->steps_count; i++) {
        enum journal_phase phase;
        const json_t *memo = NULL;
        const char *error = NULL;
        int healthy = 0;
        if (!journal_step_get(v->world.journal, step_name(v->stage->steps[i]), &phase,
                              &memo) ||
            phase != JOURNAL_FAILED ||
            json_unpack((json_t *)memo, "{s:{s:s,s:b}}", "failure", "error", &error,
                        "healthy", &healthy) < 0)
            continue;
        char text[384];
        snprintf(text, sizeof(text), "%s", error);
        v->healthy = healthy;
        STR_COPY(runner_record(v->runner)->step, step_name(v->stage->steps[i]));
        visit_end(v, VISIT_FAILED, text);
        return true;
    }
    return false;
}

/* The host is, as far as this step goes, as it was before the attempt. */
static bool was_put_back(const struct visit *v, enum journal_phase phase,
                         const json_t *memo)
{
    switch (phase) {
    case JOURNAL_REVERTED:
        return true;
    case JOURNAL_FAILED:
        return json_is_true(
            json_object_get(json_object_get(memo, "failure"), "healthy"));
    case JOURNAL_OBSERVED:
    case JOURNAL_PROVED: /* right before; of an undo: it was undone */
        return !v->env.undoes && json_object_size(memo) == 0;
    case JOURNAL_APPLYING:
    case JOURNAL_REVERTING:
        break;
    }
    return false;
}

static bool all_put_back(const struct visit *v)
{
    for (int i = 0; i < v->stage->steps_count; i++) {
        enum journal_phase phase;
        const json_t *memo;
        if (journal_step_get(v->world.journal, step_name(v->stage->steps[i]), &phase,
                             &memo) &&
            !was_put_back(v, phase, memo))
            return false;
    }
    return true;
}

/* The last attempt's failure is not this one's; and what was put back is no memory,
 * for a step that has one begins no change in the journal. */
static int carry_over(struct visit *v, enum step_id id, struct error *err)
{
    enum journal_phase phase;
    const json_t *last;
    if (!journal_step_get(v->world.journal, step_name(id), &phase, &last) ||
        (phase != JOURNAL_FAILED && phase != JOURNAL_REVERTED))
        return 0;
    bool forgets = !v->env.undoes && was_put_back(v, phase, last);
    json_t *memo = forgets ? json_object() : json_deep_copy(last);
    json_object_del(memo, "failure");
    phase = json_object_size(memo) == 0 ? JOURNAL_REVERTED
            : v->env.undoes             ? JOURNAL_REVERTING
                                        : JOURNAL_APPLYING;
    int r = visit_journal(v, id, phase, memo, err);
    json_decref(memo);
    return r;
}

/* A new attempt starts afresh where the last one put everything back. The same attempt
 * never does: it has its failure still to tell. */
static int leave_last_attempt(struct visit *v, struct error *err)
{
    const struct journal_visit *last = journal_visit(v->world.journal);
    if (!str_equal(last->rollout, v->manifest->id) ||
        !str_equal(last->stage, v->stage->name)) {
        log_warn("visit",
                 "journal=set-aside rollout=%s stage=%s reason=\"it is not in "
                 "force any more\"",
                 last->rollout, last->stage);
        return journal_end(v->world.journal, err);
    }
    if (last->attempt == v->order.attempt)
        return 0;
    if (all_put_back(v))
        return journal_end(v->world.journal, err);
    int r = 0;
    for (int i = 0; i < v->stage->steps_count && r == 0; i++)
        r = carry_over(v, v->stage->steps[i], err);
    return r;
}

static int open_journal(struct visit *v, struct error *err)
{
    struct journal *journal = v->world.journal;
    if (journal_state(journal) == JOURNAL_UNREADABLE)
        return error_set(err, -EBADMSG, "%s", journal_trouble(journal));
    if (journal_state(journal) == JOURNAL_GOOD) {
        int r = leave_last_attempt(v, err);
        if (r < 0)
            return r;
    }
    struct journal_visit visit = {
        .attempt = v->order.attempt,
        .token = v->order.token,
        .begun_ms = loop_wall_ms(v->loop),
    };
    STR_COPY(visit.rollout, v->manifest->id);
    STR_COPY(visit.stage, v->stage->name);
    STR_COPY(visit.boot_id, v->world.boot_id);
    return journal_begin(journal, &visit, err);
}

/* Beside the steps in the journal, from when it was missed until the visit is done. */
static const char forgot[] = "forgot";

/* Every step notes what it will put back before it asks for leave: a disk that was lost
 * since does not tell what the leave was used for. */
static bool has_forgotten(struct visit *v)
{
    const struct journal *journal = v->world.journal;
    if (journal_step_get(journal, forgot, NULL, NULL))
        return true;
    if (!runner_record(v->runner)->disrupted ||
        journal_step_get(journal, JOURNAL_GOING_BACK, NULL, NULL))
        return false;
    for (int i = 0; i < v->stage->steps_count; i++) {
        enum journal_phase phase;
        const json_t *memo = NULL;
        if (journal_step_get(journal, step_name(v->stage->steps[i]), &phase, &memo) &&
            (json_object_size(memo) > 0 || (v->env.undoes && phase == JOURNAL_PROVED)))
            return false;
    }
    return true;
}

/* What this attempt itself writes must not be taken for memory after a crash. */
static int note_forgotten(struct visit *v, struct error *err)
{
    v->forgot = has_forgotten(v);
    return v->forgot ? journal_step(v->world.journal, forgot, JOURNAL_OBSERVED, NULL,
                                    loop_wall_ms(v->loop), err)
                     : 0;
}

void visit_on_begin(void *ctx)
{
    struct visit *v = ctx;
    struct error err = {0};
    FAILPOINT("visit:begin");
    if (failed_before(v))
        return;
    bool untouched = journal_state(v->world.journal) == JOURNAL_ABSENT;
    if (open_journal(v, &err) < 0) {
        /* a full disk before the first change harms nobody */
        v->healthy = untouched && !runner_record(v->runner)->disrupted;
        visit_end(v, VISIT_FAILED, err.text);
        return;
    }
    if (note_forgotten(v, &err) < 0) {
        visit_end_broken(v, &err);
        return;
    }
    if (v->env.undoes || !install_goes_back(v))
        visit_begin_step(v);
}
