/* SPDX-License-Identifier: Apache-2.0
 *
 * OFFERING, CLOSING and RESTING: this host has nothing to do, but somebody must open
 * the barrier that its arrival was the last one of, and close the rollout. Whoever was
 * to do that may have died: a resting host looks again from time to time.
 */
#include "agentd/runner_internal.h"

static void on_offered(void *ctx, enum txn_outcome outcome, const struct error *err)
{
    struct runner *r = ctx;
    bool closes = false;
    if (outcome == TXN_DONE) {
        r->offered = true;
        r->passed_last = r->txn.offer.last_open;
        closes = r->passed_last && runner_in_last_wave(r) && !runner_ending(r);
    }
    runner_finish(r, outcome, err, closes ? EV_MUST_CLOSE : EV_MUST_REST);
}

void runner_offer(struct runner *r)
{
    int from = r->offered ? runner_stages_count(r) - 1 : r->at.record.stages_done;
    if (from >= runner_stages_count(r))
        from = runner_stages_count(r) - 1;
    barrier_offer_start(&r->txn.offer, &r->swarm, r->manifest, r->at.record.wave, from,
                        on_offered, r);
}

static void on_closed(void *ctx, enum txn_outcome outcome, const struct error *err)
{
    runner_finish(ctx, outcome, err, EV_CLOSED);
}

void runner_close(struct runner *r)
{
    runner_says(r, "closing the rollout");
    close_start(&r->txn.close, &r->swarm, r->manifest, on_closed, r);
}

static void on_recheck(void *ctx)
{
    struct runner *r = ctx;
    runner_post(r, runner_in_last_wave(r) ? EV_MUST_OFFER : EV_MUST_CLOSE);
}

static void on_abort_recheck(void *ctx)
{
    runner_post(ctx, EV_MUST_CLOSE);
}

/* The rollout is not closed yet: whoever was to do it may have died, or the last wave
 * was taken out and is away for good. */
void runner_arm_recheck(struct runner *r)
{
    bool last = r->member && record_terminal(&r->at.record) &&
                (runner_in_last_wave(r) || runner_looks_after_all(r));
    timer_stop(&r->wake);
    switch (r->phase) {
    case GATE_RUN:
    case GATE_PAUSE:
        if (last && r->opened_last)
            runner_wake_after(r, RECHECK_MIN_MS / 20, RECHECK_MIN_MS / 10, on_recheck);
        else if (last)
            runner_wake_after(r, RECHECK_MIN_MS, RECHECK_MAX_MS, on_recheck);
        return;
    case GATE_ABORT: /* any host's; the more there are the less often each */
        if (r->member)
            runner_wake_after(r, RECHECK_MIN_MS,
                              RECHECK_MAX_MS +
                                  RECHECK_MIN_MS * (r->manifest->hosts / 32),
                              on_abort_recheck);
        return;
    case GATE_KEEP:
    case GATE_DONE:
        return;
    }
}

static void on_watched(void *ctx, const struct zk_reply *reply)
{
    struct runner *r = ctx;
    r->request = NULL;
    /* A change between our last look and this watch would be missed without this. */
    bool moved = r->member
                     ? reply->result == ZK_OK && reply->stat.version != r->at.version
                     : reply->result == ZK_OK;
    if (moved)
        runner_post(r, EV_WAKE);
    else if (reply->result == ZK_OK)
        runner_consider_drift(r);
}

static void say_rest(struct runner *r)
{
    const struct record *record = &r->at.record;
    const char *rollout = r->swarm.rollout;
    char drifted[96];
    record_drifted_names(record, drifted, sizeof(drifted));
    if (!r->member)
        runner_says(r, "no member of rollout %s", rollout);
    else if (record->drift == RECORD_DRIFTED && drifted[0])
        runner_says(r, "done in rollout %s; drifted since: %s", rollout, drifted);
    else if (record_terminal(record))
        runner_says(r, "%s in rollout %s%s%s", host_state_text(record->state), rollout,
                    record->error[0] ? ": " : "", record->error);
    else
        runner_says(r, "rollout %s has ended before this host was done", rollout);
}

void runner_rest(struct runner *r)
{
    say_rest(r);
    runner_arm_recheck(r);
    struct zpath path = zpath_record(r->swarm.root, r->swarm.rollout, r->swarm.host);
    r->request = zk_exists(r->swarm.zk, path.text, &r->record_watch, on_watched, r);
}
