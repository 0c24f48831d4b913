/* SPDX-License-Identifier: Apache-2.0
 *
 * AWAITING and SOAKING: a barrier, then the pause between waves. While a host waits it
 * looks at its own record, which an operator's order may have moved, and after the
 * holders that it waits for; in a large swarm only the front of a queue and one host in
 * sixty-four do the latter.
 */
#include "agentd/runner_internal.h"

enum { LOOKERS_ALL_MAX = 64 };

static void on_lost_looked(void *ctx, enum txn_outcome outcome,
                           const struct error *err);

bool runner_looks_after_all(const struct runner *r)
{
    return r->manifest->hosts <= LOOKERS_ALL_MAX || host_hash(r->swarm.host) % 64 == 0;
}

static bool looks_after_holders(const struct runner *r)
{
    return runner_looks_after_all(r) ||
           (r->state == RUNNER_QUEUED && r->txn.take.front);
}

static void on_lost_timer(void *ctx);

void runner_watch_holders(struct runner *r)
{
    int64_t after_ms = loop_random_range(r->swarm.loop, RECHECK_MIN_MS, RECHECK_MAX_MS);
    timer_start(&r->lost_timer, r->swarm.loop, after_ms, on_lost_timer, r);
}

static void on_own_record(void *ctx, const struct zk_reply *reply)
{
    struct runner *r = ctx;
    r->request = NULL;
    if (reply->result == ZK_OK && reply->stat.version != r->at.version)
        runner_post(r, EV_DOUBT);
    else if (looks_after_holders(r))
        lost_watch_look(&r->lost, &r->swarm, r->manifest, r->at.record.zone,
                        on_lost_looked, r);
    else
        runner_watch_holders(r);
}

static void on_lost_timer(void *ctx)
{
    struct runner *r = ctx;
    struct zpath path = zpath_record(r->swarm.root, r->swarm.rollout, r->swarm.host);
    r->request = zk_exists(r->swarm.zk, path.text, NULL, on_own_record, r);
}

static void on_lost_looked(void *ctx, enum txn_outcome outcome, const struct error *err)
{
    struct runner *r = ctx;
    if (outcome == TXN_DONE && r->lost.marked > 0)
        runner_says(r, "%s", r->lost.says);
    if (outcome == TXN_REFUSED && r->observer.trouble)
        r->observer.trouble(r->observer_ctx, err);
    runner_watch_holders(r);
}

static void on_barrier(void *ctx, enum txn_outcome outcome, const struct error *err)
{
    struct runner *r = ctx;
    if (outcome == TXN_DONE && r->at.record.state == HOST_DONE) {
        r->passed_last = true;
        r->opened_last = r->txn.barrier.opened_it && runner_in_last_wave(r);
    }
    runner_finish(r, outcome, err, EV_OPEN);
}

void runner_await_barrier(struct runner *r)
{
    const struct record *record = &r->at.record;
    bool own_wave = record->stages_done > 0;
    int wave = own_wave ? record->wave : record->wave - 1;
    int stage = own_wave ? record->stages_done - 1 : runner_stages_count(r) - 1;
    const struct wave_entry *entry = &r->manifest->waves[wave];
    runner_says(r, "waiting for all %d host%s of wave '%s' to finish stage '%s'",
                entry->size, entry->size == 1 ? "" : "s", entry->name,
                runner_stage(r, stage)->name);
    barrier_start(&r->txn.barrier, &r->swarm, wave, entry->size,
                  runner_stage(r, stage)->name,
                  manifest_manual(r->manifest, wave, stage), own_wave,
                  own_wave ? r->at.mzxid : 0, on_barrier, r);
    runner_watch_holders(r);
}

void runner_soak(struct runner *r)
{
    int64_t soak_ms = r->at.record.stages_done == 0 ? r->manifest->spec->soak_ms : 0;
    if (r->at.record.state == HOST_DONE) {
        /* All others may have ended long ago: the rollout waits for who is retried. */
        bool closes =
            r->at.record.retried || (r->opened_last && runner_in_last_wave(r));
        runner_post(r, closes ? EV_MUST_CLOSE : EV_MUST_REST);
        return;
    }
    if (soak_ms > 0)
        runner_says(r, "the wave before is done; soaking for %lld s",
                    (long long)soak_ms / 1000);
    runner_wake_after(r, soak_ms, soak_ms, runner_on_wake);
}
