/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of a host in a rollout. Rows of `moves` below are the program; this is its
 * picture (any state: connection lost -> OFFLINE, doubt -> READING, no rollout ->
 * UNLED, a refusal -> STUCK, which tries again):
 *
 *  UNLED --follow--> READING -+-> AWAITING --open--> SOAKING --over--> SURVEYING
 *                       ^     |                                          |
 *                       |     +-> FINDING -+--none--> ENQUEUING <--------+
 *                     doubt   |            |             |
 *                             |            +--ticket--> QUEUED --granted--> VISITING
 *                             +--holding-----------------------------------^ |  |  |
 *                             |                                              |  |  |
 *            next stage <-----+-- RELEASING <---------------------------done-+  |  |
 *          (as from READING)  +-- GIVING_BACK <--------------------stepped back-+  |
 *                             +-- FAILING <---------------------------------failed-+
 *                             |
 *                             +-> CLOSING --> RESTING --own record moved--> READING
 *                                              | ^
 *                           SURVEYING <--mends-+-+--told--- DRIFTING <--drift-- RESTING
 *
 * What a state does stands in the file of its family: runner_read.c, runner_wait.c,
 * runner_lease.c, runner_visit.c, runner_rest.c, runner_drift.c.
 */
#include "agentd/runner_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { STUCK_RETRY_MS = 15000 };

static void go_quiet(struct runner *r);
static void stand_by(struct runner *r);
static void retry_later(struct runner *r);

#define ANY ((enum runner_state)RUNNER_STATE_COUNT)

static const struct move {
    enum runner_state from;
    enum runner_event event;
    enum runner_state to;
    void (*enter)(struct runner *r);
} moves[] = {
    {ANY, EV_UNFOLLOW, RUNNER_UNLED, go_quiet},
    {ANY, EV_DISCONNECTED, RUNNER_OFFLINE, stand_by},
    {ANY, EV_FOLLOW, RUNNER_READING, runner_read_all},
    {ANY, EV_DOUBT, RUNNER_READING, runner_read_all},
    {ANY, EV_REFUSED, RUNNER_STUCK, retry_later},

    {RUNNER_READING, EV_WAKE, RUNNER_READING, runner_read_all},
    {RUNNER_READING, EV_MUST_AWAIT, RUNNER_AWAITING, runner_await_barrier},
    {RUNNER_READING, EV_MUST_SURVEY, RUNNER_SURVEYING, runner_survey},
    {RUNNER_READING, EV_MUST_FIND, RUNNER_FINDING, runner_find_ticket},
    {RUNNER_READING, EV_FOUND, RUNNER_QUEUED, runner_queue_up},
    {RUNNER_READING, EV_MUST_VISIT, RUNNER_VISITING, runner_visit},
    {RUNNER_READING, EV_MUST_ADOPT, RUNNER_ADOPTING, runner_adopt},
    {RUNNER_ADOPTING, EV_MUST_REST, RUNNER_RESTING, runner_rest},
    {RUNNER_READING, EV_MUST_RETURN, RUNNER_RETURNING, runner_come_back},
    {RUNNER_READING, EV_MUST_OFFER, RUNNER_OFFERING, runner_offer},
    {RUNNER_READING, EV_MUST_CLOSE, RUNNER_CLOSING, runner_close},
    {RUNNER_READING, EV_MUST_REST, RUNNER_RESTING, runner_rest},

    {RUNNER_AWAITING, EV_OPEN, RUNNER_SOAKING, runner_soak},
    {RUNNER_AWAITING, EV_MUST_REST, RUNNER_RESTING, runner_rest},
    {RUNNER_SOAKING, EV_WAKE, RUNNER_SURVEYING, runner_survey},
    {RUNNER_SOAKING, EV_MUST_CLOSE, RUNNER_CLOSING, runner_close},
    {RUNNER_SOAKING, EV_MUST_REST, RUNNER_RESTING, runner_rest},

    {RUNNER_SURVEYING, EV_SURVEYED, RUNNER_ENQUEUING, runner_enqueue},
    {RUNNER_SURVEYING, EV_MUST_REST, RUNNER_RESTING, runner_rest},
    {RUNNER_ENQUEUING, EV_ENQUEUED, RUNNER_QUEUED, runner_queue_up},
    {RUNNER_ENQUEUING, EV_MUST_LEAVE, RUNNER_LEAVING, runner_leave_queue},
    {RUNNER_FINDING, EV_FOUND, RUNNER_QUEUED, runner_queue_up},
    {RUNNER_FINDING, EV_NOT_FOUND, RUNNER_SURVEYING, runner_survey},
    {RUNNER_FINDING, EV_MUST_LEAVE, RUNNER_LEAVING, runner_leave_queue},
    {RUNNER_QUEUED, EV_ZONE_GRANTED, RUNNER_QUEUED, runner_queue_up},
    {RUNNER_QUEUED, EV_GRANTED, RUNNER_VISITING, runner_visit},
    {RUNNER_QUEUED, EV_MUST_LEAVE, RUNNER_LEAVING, runner_leave_queue},
    {RUNNER_LEAVING, EV_LEFT, RUNNER_RESTING, runner_rest},
    {RUNNER_LEAVING, EV_MUST_CLOSE, RUNNER_CLOSING, runner_close},

    {RUNNER_VISITING, EV_DONE, RUNNER_RELEASING, runner_release},
    {RUNNER_VISITING, EV_STEPPED_BACK, RUNNER_GIVING_BACK, runner_give_back},
    {RUNNER_VISITING, EV_FAILED, RUNNER_FAILING, runner_fail},

    {RUNNER_RELEASING, EV_MUST_AWAIT, RUNNER_AWAITING, runner_await_barrier},
    {RUNNER_RELEASING, EV_MUST_SURVEY, RUNNER_SURVEYING, runner_survey},
    {RUNNER_RELEASING, EV_MUST_CLOSE, RUNNER_CLOSING, runner_close},
    {RUNNER_RELEASING, EV_MUST_REST, RUNNER_RESTING, runner_rest},
    {RUNNER_GIVING_BACK, EV_MUST_SURVEY, RUNNER_SURVEYING, runner_survey},
    {RUNNER_GIVING_BACK, EV_MUST_AWAIT, RUNNER_AWAITING, runner_await_barrier},
    {RUNNER_GIVING_BACK, EV_MUST_CLOSE, RUNNER_CLOSING, runner_close},
    {RUNNER_GIVING_BACK, EV_MUST_REST, RUNNER_RESTING, runner_rest},
    {RUNNER_FAILING, EV_MUST_OFFER, RUNNER_OFFERING, runner_offer},
    {RUNNER_FAILING, EV_MUST_CLOSE, RUNNER_CLOSING, runner_close},
    {RUNNER_FAILING, EV_MUST_REST, RUNNER_RESTING, runner_rest},

    {RUNNER_RETURNING, EV_MUST_VISIT, RUNNER_VISITING, runner_visit},
    {RUNNER_RETURNING, EV_MUST_FIND, RUNNER_FINDING, runner_find_ticket},
    {RUNNER_RETURNING, EV_MUST_SURVEY, RUNNER_SURVEYING, runner_survey},

    {RUNNER_OFFERING, EV_MUST_CLOSE, RUNNER_CLOSING, runner_close},
    {RUNNER_OFFERING, EV_MUST_REST, RUNNER_RESTING, runner_rest},
    {RUNNER_CLOSING, EV_CLOSED, RUNNER_RESTING, runner_rest},
    {RUNNER_RESTING, EV_MUST_OFFER, RUNNER_OFFERING, runner_offer},
    {RUNNER_RESTING, EV_MUST_CLOSE, RUNNER_CLOSING, runner_close},
    {RUNNER_RESTING, EV_MUST_DRIFT, RUNNER_DRIFTING, runner_drift},
    {RUNNER_RESTING, EV_WAKE, RUNNER_READING, runner_read_all},
    {RUNNER_DRIFTING, EV_MUST_SURVEY, RUNNER_SURVEYING, runner_survey},
    {RUNNER_DRIFTING, EV_MUST_REST, RUNNER_RESTING, runner_rest},
    {RUNNER_STUCK, EV_WAKE, RUNNER_READING, runner_read_all},
};

const char *runner_state_text(enum runner_state state)
{
    static const char *const texts[] = {
        [RUNNER_UNLED] = "unled",         [RUNNER_OFFLINE] = "offline",
        [RUNNER_READING] = "reading",     [RUNNER_ADOPTING] = "adopting",
        [RUNNER_AWAITING] = "awaiting",   [RUNNER_SOAKING] = "soaking",
        [RUNNER_SURVEYING] = "surveying", [RUNNER_ENQUEUING] = "enqueuing",
        [RUNNER_FINDING] = "finding",     [RUNNER_QUEUED] = "queued",
        [RUNNER_VISITING] = "visiting",   [RUNNER_LEAVING] = "leaving",
        [RUNNER_RELEASING] = "releasing", [RUNNER_GIVING_BACK] = "giving-back",
        [RUNNER_FAILING] = "failing",     [RUNNER_RETURNING] = "returning",
        [RUNNER_OFFERING] = "offering",   [RUNNER_CLOSING] = "closing",
        [RUNNER_DRIFTING] = "drifting",   [RUNNER_RESTING] = "resting",
        [RUNNER_STUCK] = "stuck",
    };
    return texts[state];
}

void runner_says(struct runner *r, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(r->says, sizeof(r->says), fmt, args);
    va_end(args);
    if (r->observer.says)
        r->observer.says(r->observer_ctx, r->says);
}

/* Drops whatever the state had under way; the visit is not the state's. */
static void leave(struct runner *r)
{
    zk_cancel(r->swarm.zk, r->request);
    r->request = NULL;
    timer_stop(&r->wake);
    timer_stop(&r->lost_timer);
    lost_watch_cancel(&r->lost);
    switch (r->state) {
    case RUNNER_ADOPTING:
        adopt_cancel(&r->txn.adopt);
        break;
    case RUNNER_AWAITING:
        barrier_cancel(&r->txn.barrier);
        break;
    case RUNNER_SURVEYING:
        r->visitor->ops->cancel(r->visitor);
        break;
    case RUNNER_ENQUEUING:
        enqueue_cancel(&r->txn.enqueue);
        break;
    case RUNNER_FINDING:
        ticket_find_cancel(&r->txn.find);
        break;
    case RUNNER_QUEUED:
        take_cancel(&r->txn.take);
        break;
    case RUNNER_LEAVING:
        leave_cancel(&r->txn.leave);
        break;
    case RUNNER_VISITING:
        act_cancel(&r->txn.act);
        timer_stop(&r->publish_timer);
        r->publishing = false;
        break;
    case RUNNER_RELEASING:
    case RUNNER_GIVING_BACK:
        release_cancel(&r->txn.release);
        break;
    case RUNNER_FAILING:
        fail_cancel(&r->txn.fail);
        break;
    case RUNNER_RETURNING:
        lost_return_cancel(&r->txn.returning);
        break;
    case RUNNER_OFFERING:
        barrier_offer_cancel(&r->txn.offer);
        break;
    case RUNNER_CLOSING:
        close_cancel(&r->txn.close);
        break;
    case RUNNER_DRIFTING:
        drift_change_cancel(&r->txn.drift);
        break;
    case RUNNER_RESTING:
        zk_disarm(r->swarm.zk, &r->record_watch);
        break;
    case RUNNER_STUCK:
        alarm_cancel(&r->txn.alarm);
        break;
    case RUNNER_UNLED:
    case RUNNER_OFFLINE:
    case RUNNER_READING:
    case RUNNER_SOAKING:
        break;
    }
}

void runner_post(struct runner *r, enum runner_event event)
{
    for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
        const struct move *move = &moves[i];
        if (move->event != event || (move->from != ANY && move->from != r->state))
            continue;
        enum runner_state from = r->state;
        leave(r);
        r->state = move->to;
        if (from != r->state && r->observer.moved)
            r->observer.moved(r->observer_ctx, from, r->state);
        memset(&r->txn, 0, sizeof(r->txn));
        move->enter(r);
        return;
    }
    assert(!"undeclared move of the runner");
}

void runner_trouble(struct runner *r, const struct error *err)
{
    runner_says(r, "%s", err->text);
    if (r->observer.trouble)
        r->observer.trouble(r->observer_ctx, err);
    r->alarmed = err->code == -EINVAL || err->code == -EBADMSG;
    runner_post(r, EV_REFUSED);
}

void runner_finish(struct runner *r, enum txn_outcome outcome, const struct error *err,
                   enum runner_event event)
{
    switch (outcome) {
    case TXN_DONE:
        runner_post(r, event);
        return;
    case TXN_RESYNC:
        runner_post(r, EV_DOUBT);
        return;
    case TXN_REFUSED:
        runner_trouble(r, err);
        return;
    }
}

const struct spec_stage *runner_stage(const struct runner *r, int index)
{
    return &r->manifest->spec->stages[index];
}

int runner_stages_count(const struct runner *r)
{
    return r->manifest->spec->stages_count;
}

bool runner_in_last_wave(const struct runner *r)
{
    return r->at.record.wave == r->manifest->waves_count - 1;
}

/* No new visit begins: what is under way ends, and then the rollout. */
bool runner_ending(const struct runner *r)
{
    return r->phase == GATE_ABORT || r->phase == GATE_DONE;
}

void runner_on_wake(void *ctx)
{
    runner_post(ctx, EV_WAKE);
}

void runner_wake_after(struct runner *r, int64_t min_ms, int64_t max_ms,
                       void (*fn)(void *ctx))
{
    timer_start(&r->wake, r->swarm.loop,
                loop_random_range(r->swarm.loop, min_ms, max_ms), fn, r);
}

/* Unless it is paused for this now, it is tried again when this host looks again. */
static void on_alarmed(void *ctx, enum txn_outcome outcome, const struct error *err)
{
    struct runner *r = ctx;
    (void)err;
    if (outcome == TXN_DONE && r->txn.alarm.paused)
        STR_COPY(r->told, r->says);
}

static void retry_later(struct runner *r)
{
    runner_wake_after(r, STUCK_RETRY_MS, 2 * STUCK_RETRY_MS, runner_on_wake);
    if (r->alarmed && !str_equal(r->told, r->says)) /* who resumes has been told */
        alarm_start(&r->txn.alarm, &r->swarm, r->member, r->says, on_alarmed, r);
}

static void stand_by(struct runner *r)
{
    if (r->visiting)
        runner_says(r, "no connection to ZooKeeper; the visit of stage '%s' goes on",
                    r->next.stage);
    else
        runner_says(r, "no connection to ZooKeeper");
}

static void go_quiet(struct runner *r)
{
    runner_drop_visit(r);
    manifest_free(r->manifest);
    r->manifest = NULL;
    r->member = r->passed_last = r->opened_last = r->offered = r->needs_lease = false;
    r->seq = -1;
    r->ticket_session = 0;
    r->gate_version = -1;
    r->drift = (struct drift){0};
    r->swarm.rollout[0] = r->told[0] = '\0';
    runner_says(r, "no rollout in force");
}

/* ---- from the agent ---- */

void runner_init(struct runner *r, const struct swarm *swarm, struct visitor *visitor,
                 const struct runner_observer *observer, void *observer_ctx)
{
    *r = (struct runner){
        .swarm = *swarm, .visitor = visitor, .seq = -1, .gate_version = -1};
    r->swarm.rollout[0] = '\0';
    r->swarm.hours = (struct swarm_hours){.open = runner_hours_open, .ctx = r};
    if (observer)
        r->observer = *observer;
    r->observer_ctx = observer_ctx;
    zk_watch_init(&r->record_watch, runner_on_wake, r);
}

void runner_done(struct runner *r)
{
    leave(r);
    runner_drop_visit(r);
    manifest_free(r->manifest);
    r->manifest = NULL;
    r->state = RUNNER_UNLED;
}

/* The phase changed under the same rollout: a hint; the gate itself decides. */
static void on_phase(struct runner *r)
{
    switch (r->state) {
    case RUNNER_QUEUED:
        if (runner_ending(r))
            runner_post(r, EV_MUST_LEAVE);
        return;
    case RUNNER_AWAITING:
    case RUNNER_SOAKING:
        if (runner_ending(r))
            runner_post(r, EV_MUST_REST);
        return;
    case RUNNER_SURVEYING: /* with its zone's permit it leaves, as the record says */
        if (runner_ending(r))
            runner_post(r, r->at.record.zone_permit >= 0 ? EV_DOUBT : EV_MUST_REST);
        return;
    case RUNNER_RESTING:
        if (!r->member || !record_terminal(&r->at.record))
            runner_post(r, EV_WAKE);
        else
            runner_arm_recheck(r);
        runner_consider_drift(r);
        return;
    case RUNNER_STUCK:
        runner_post(r, EV_WAKE);
        return;
    case RUNNER_UNLED:
    case RUNNER_OFFLINE:
        runner_post(r, EV_FOLLOW);
        return;
    case RUNNER_READING:
    case RUNNER_ADOPTING:
    case RUNNER_ENQUEUING:
    case RUNNER_FINDING:
    case RUNNER_LEAVING:
    case RUNNER_VISITING:
    case RUNNER_RELEASING:
    case RUNNER_GIVING_BACK:
    case RUNNER_FAILING:
    case RUNNER_RETURNING:
    case RUNNER_OFFERING:
    case RUNNER_CLOSING:
    case RUNNER_DRIFTING:
        return; /* looked at when it is through */
    }
}

void runner_follow(struct runner *r, const char *rollout, enum gate_phase phase)
{
    r->connected = true;
    r->phase = phase;
    r->drift_closed = false;
    if (!str_equal(r->swarm.rollout, rollout)) {
        runner_post(r, EV_UNFOLLOW);
        STR_COPY(r->swarm.rollout, rollout);
        r->phase = phase;
        if (rollout[0])
            runner_post(r, EV_FOLLOW);
        return;
    }
    if (rollout[0])
        on_phase(r);
    else
        runner_says(r, "no rollout in force");
}

void runner_disconnected(struct runner *r)
{
    r->connected = false;
    if (r->state != RUNNER_UNLED)
        runner_post(r, EV_DISCONNECTED);
}
