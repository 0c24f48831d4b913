/* SPDX-License-Identifier: Apache-2.0
 *
 * The way to a permit and back: SURVEYING (which lease?), ENQUEUING, FINDING, QUEUED,
 * LEAVING; then, once the visit has ended, RELEASING, GIVING_BACK or FAILING, and
 * RETURNING where others took the holder for lost.
 */
#include "agentd/runner_internal.h"

#include <errno.h>

void runner_survey(struct runner *r)
{
    int stage = r->at.record.stages_done;
    runner_says(r, "looking at what stage '%s' would do here",
                runner_stage(r, stage)->name);
    r->visitor->ops->survey(r->visitor, r, r->manifest, stage);
}

void runner_surveyed(struct runner *r, bool disrupts, const struct error *err)
{
    /* A world that cannot be surveyed is the visit's to report: it counts as a failure
     * there, with attempts. */
    (void)err;
    if (disrupts)
        r->needs_lease = true;
    runner_post(r, EV_SURVEYED);
}

static bool spec_has_lease(const struct spec *spec, const char *name)
{
    for (int i = 0; i < spec->leases_count; i++)
        if (str_equal(spec->leases[i].name, name))
            return true;
    return false;
}

/* A visit that disrupts nothing goes under `install`: it waits for nobody's restarts.
 * Where the lease is limited per zone, the zone's comes first; a host that has it goes
 * on for the lease that it took it for. */
static struct lease_name lease_of(const struct runner *r,
                                  const struct spec_stage *stage)
{
    const struct spec *spec = r->manifest->spec;
    const struct record *record = &r->at.record;
    bool quiet = !r->needs_lease && spec_has_lease(spec, LEASE_INSTALL);
    const char *lease = quiet ? LEASE_INSTALL : stage->lease;
    if (record->zone_permit >= 0)
        return lease_of_all(record->lease);
    return spec_zone_limit(spec, lease) > 0 ? lease_in_zone(lease, record->zone)
                                            : lease_of_all(lease);
}

static void on_enqueued(void *ctx, enum txn_outcome outcome, const struct error *err)
{
    struct runner *r = ctx;
    if (outcome == TXN_DONE) {
        r->seq = r->txn.enqueue.seq;
        r->ticket_mzxid = r->at.mzxid;
    }
    runner_finish(r, outcome, err, runner_ending(r) ? EV_MUST_LEAVE : EV_ENQUEUED);
}

void runner_enqueue(struct runner *r)
{
    const struct spec_stage *stage = runner_stage(r, r->at.record.stages_done);
    r->seq = -1;
    r->ticket_mzxid = 0;
    r->ticket_session = r->swarm.zk->session_id;
    enqueue_start(&r->txn.enqueue, &r->swarm, &r->at, stage->name,
                  lease_of(r, stage).text, on_enqueued, r);
}

static void on_found(void *ctx, enum txn_outcome outcome, const struct error *err)
{
    struct runner *r = ctx;
    if (outcome == TXN_DONE) {
        r->seq = r->txn.find.seq;
        r->ticket_mzxid = r->at.mzxid;
    }
    if (outcome == TXN_DONE && runner_ending(r))
        runner_post(r, EV_MUST_LEAVE);
    else
        runner_finish(r, outcome, err, r->seq < 0 ? EV_NOT_FOUND : EV_FOUND);
}

void runner_find_ticket(struct runner *r)
{
    r->seq = -1;
    ticket_find_start(&r->txn.find, &r->swarm, &r->at, on_found, r);
}

/* The zone's permit, and with it a ticket of the queue of all. */
static void zone_granted(struct runner *r)
{
    r->seq = r->txn.take.next_seq;
    r->ticket_mzxid = r->at.mzxid;
    runner_post(r, runner_ending(r) ? EV_MUST_LEAVE : EV_ZONE_GRANTED);
}

static void on_granted(void *ctx, enum txn_outcome outcome, const struct error *err)
{
    struct runner *r = ctx;
    if (outcome == TXN_DONE && r->at.record.state == HOST_WAITING) {
        zone_granted(r);
        return;
    }
    if (outcome == TXN_DONE) {
        r->needs_lease = false;
        r->gate_version = r->txn.take.gate_version;
    }
    if (outcome == TXN_RESYNC && r->txn.take.ticket_gone)
        r->seq = -1;
    runner_finish(r, outcome, err, EV_GRANTED);
}

void runner_queue_up(struct runner *r)
{
    const struct record *record = &r->at.record;
    runner_says(r, "waiting for a permit of lease '%s' (stage '%s')%s", record->lease,
                record->stage, record->zone_permit >= 0 ? ", with its zone's" : "");
    take_start(&r->txn.take, &r->swarm, &r->at, r->seq, on_granted, r);
    runner_watch_holders(r);
}

/* A permit of its zone that it gave back may have been the last one. */
static void on_left(void *ctx, enum txn_outcome outcome, const struct error *err)
{
    struct runner *r = ctx;
    runner_finish(r, outcome, err,
                  r->left_zone && r->phase == GATE_ABORT ? EV_MUST_CLOSE : EV_LEFT);
}

void runner_leave_queue(struct runner *r)
{
    r->left_zone = r->at.record.zone_permit >= 0;
    leave_start(&r->txn.leave, &r->swarm, &r->at, r->seq, on_left, r);
}

/* ---- RELEASING, GIVING_BACK, FAILING, RETURNING ---- */

static void on_written(void *ctx, enum txn_outcome outcome, const struct error *err)
{
    struct runner *r = ctx;
    if (outcome == TXN_DONE)
        runner_decide(r);
    else
        runner_finish(r, outcome, err, EV_DOUBT);
}

void runner_release(struct runner *r)
{
    bool last = r->at.record.stages_done == runner_stages_count(r) - 1;
    release_start(&r->txn.release, &r->swarm, &r->at, &r->next, last, on_written, r);
}

void runner_give_back(struct runner *r)
{
    give_back_start(&r->txn.release, &r->swarm, &r->at, &r->next, on_written, r);
}

void runner_fail(struct runner *r)
{
    struct error err;
    error_set(&err, -EIO, "%s", r->next.error);
    if (r->observer.trouble)
        r->observer.trouble(r->observer_ctx, &err);
    fail_start(&r->txn.fail, &r->swarm, &r->at, &r->next, r->manifest, on_written, r);
}

void runner_come_back(struct runner *r)
{
    runner_says(r, "marked as lost while it was away; coming back");
    if (r->at.record.token == 0)
        r->at.record.token = r->order.token;
    lost_return_start(&r->txn.returning, &r->swarm, &r->at, on_written, r);
}
