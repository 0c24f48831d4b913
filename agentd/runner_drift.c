/* SPDX-License-Identifier: Apache-2.0
 *
 * DRIFTING: a done host is not as it was proved, or is so again. What looks have shown
 * is kept while ZooKeeper is away, and told when the host is at rest. A host that mends
 * itself is from then on an ordinary one before a stage.
 */
#include "agentd/runner_internal.h"

static bool may_drift(const struct runner *r)
{
    return r->manifest && r->manifest->kind == ROLLOUT_INSTALL && r->member &&
           r->at.record.state == HOST_DONE;
}

static enum drift_verdict judge_drift(const struct runner *r, struct record *ret_next)
{
    bool keeps = r->phase == GATE_KEEP && !r->drift_closed;
    return drift_judge(&r->drift, r->manifest->spec, &r->at.record, keeps,
                       loop_wall_ms(r->swarm.loop), ret_next);
}

void runner_consider_drift(struct runner *r)
{
    struct record next;
    if (r->state == RUNNER_RESTING && !r->request && may_drift(r) &&
        judge_drift(r, &next) != DRIFT_NO_NEWS)
        runner_post(r, EV_MUST_DRIFT);
}

bool runner_looked(struct runner *r, const struct facts *facts)
{
    if (!may_drift(r))
        return false;
    bool soon = drift_look(&r->drift, r->manifest->spec, facts);
    r->drift_closed = false;
    runner_consider_drift(r);
    return soon;
}

bool runner_repairs(const struct runner *r)
{
    return r->at.record.drift == RECORD_REPAIRING;
}

static void on_drift(void *ctx, enum txn_outcome outcome, const struct error *err)
{
    struct runner *r = ctx;
    bool mends = r->txn.drift.mends;
    if (outcome != TXN_DONE) {
        runner_finish(r, outcome, err, EV_DOUBT);
        return;
    }
    r->drift_closed = r->txn.drift.closed;
    if (!mends || r->drift_closed) {
        runner_post(r, EV_MUST_REST);
        return;
    }
    r->drift = (struct drift){0}; /* of what it was before the repair */
    runner_decide(r);
}

void runner_drift(struct runner *r)
{
    struct record next = r->at.record;
    (void)judge_drift(r, &next);
    runner_says(r, "tells that it has changed since it was done");
    drift_change_start(&r->txn.drift, &r->swarm, &r->at, &next, on_drift, r);
}
