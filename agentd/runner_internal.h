/* runner_internal.h - between the files of the runner: runner.c tells the story.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd core.
 */
#ifndef CLOWDER_AGENTD_RUNNER_INTERNAL_H
#define CLOWDER_AGENTD_RUNNER_INTERNAL_H

#include "agentd/runner.h"

#include "shared/base/str.h"

enum { RECHECK_MIN_MS = 60000, RECHECK_MAX_MS = 120000 };

enum runner_event {
    EV_FOLLOW,
    EV_UNFOLLOW,
    EV_DISCONNECTED,
    EV_DOUBT,
    EV_REFUSED,
    EV_WAKE,
    /* what the record says is next */
    EV_MUST_AWAIT,
    EV_MUST_SURVEY,
    EV_MUST_FIND,
    EV_MUST_VISIT,
    EV_MUST_LEAVE,
    EV_MUST_RETURN,
    EV_MUST_ADOPT,
    EV_MUST_OFFER,
    EV_MUST_CLOSE,
    EV_MUST_DRIFT,
    EV_MUST_REST,
    /* what came of an operation */
    EV_OPEN,
    EV_SURVEYED,
    EV_FOUND,
    EV_NOT_FOUND,
    EV_ENQUEUED,
    EV_ZONE_GRANTED,
    EV_GRANTED,
    EV_DONE,
    EV_STEPPED_BACK,
    EV_FAILED,
    EV_LEFT,
    EV_CLOSED,
};

/* ---- runner.c: the table, and what all states have in common ---- */

/* Leaves the state and enters the one that the table has for this event. The last thing
 * that a callback does. */
void runner_post(struct runner *r, enum runner_event event);
void runner_says(struct runner *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
void runner_trouble(struct runner *r, const struct error *err); /* posts EV_REFUSED */
/* The common end of a transaction: DONE posts event, doubt re-reads, refusal is said.
 */
void runner_finish(struct runner *r, enum txn_outcome outcome, const struct error *err,
                   enum runner_event event);
void runner_wake_after(struct runner *r, int64_t min_ms, int64_t max_ms,
                       void (*fn)(void *ctx));
void runner_on_wake(void *ctx); /* posts EV_WAKE */

const struct spec_stage *runner_stage(const struct runner *r, int index);
int runner_stages_count(const struct runner *r);
bool runner_in_last_wave(const struct runner *r);
bool runner_ending(const struct runner *r); /* no new visit begins */

/* ---- what a state does when it is entered ---- */

typedef void runner_enter_f(struct runner *r);

/* runner_read.c */
runner_enter_f runner_read_all, runner_adopt;
void runner_decide(struct runner *r); /* posts what the record says is next */

/* runner_wait.c */
runner_enter_f runner_await_barrier, runner_soak;
void runner_watch_holders(struct runner *r); /* from time to time, while it waits */
/* In a large swarm one host in sixty-four does what any might. */
bool runner_looks_after_all(const struct runner *r);

/* runner_lease.c */
runner_enter_f runner_survey, runner_enqueue, runner_find_ticket, runner_queue_up,
    runner_leave_queue;
runner_enter_f runner_release, runner_give_back, runner_fail, runner_come_back;

/* runner_visit.c */
runner_enter_f runner_visit;
void runner_drop_visit(struct runner *r);
/* The record was read: does the visit under way still belong to it? */
void runner_keep_or_drop_visit(struct runner *r);

/* runner_rest.c */
runner_enter_f runner_offer, runner_close, runner_rest;
void runner_arm_recheck(struct runner *r); /* again, when the phase has changed */

/* runner_drift.c */
runner_enter_f runner_drift;
/* At rest, and nothing is out: is there something to tell of drift, or to mend? */
void runner_consider_drift(struct runner *r);

/* runner_hours.c */
bool runner_hours_open(void *ctx, int64_t *ret_wait_ms); /* swarm_hours.open */
MUST_CHECK int runner_check_zones(const struct spec *spec, struct error *err);

#endif
