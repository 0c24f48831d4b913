/* SPDX-License-Identifier: Apache-2.0
 *
 * READING and ADOPTING: what the record says is next. The record is the authority; the
 * manifest does not change, so it is read once. A host without a record makes its own
 * where the rollout takes late hosts in. Lost replies are asked for again; a record
 * that does not fit the plan is said, and acted on by nobody.
 */
#include "agentd/runner_internal.h"

#include "shared/base/cleanup.h"

#include <errno.h>

/* The ticket is still known: same session, and the record as Enqueue left it. */
static bool ticket_known(const struct runner *r)
{
    return r->seq >= 0 && r->ticket_session == r->swarm.zk->session_id &&
           r->ticket_mzxid == r->at.mzxid;
}

static enum runner_event next_of_waiting(const struct runner *r)
{
    if (ticket_known(r) && !runner_ending(r))
        return EV_FOUND;
    /* A ticket of another session is gone or soon will be: queue again. */
    if (r->ticket_session == r->swarm.zk->session_id || runner_ending(r))
        return EV_MUST_FIND;
    return EV_MUST_SURVEY;
}

/* What the record says is next; it was just read or just written. */
static enum runner_event next_event(const struct runner *r)
{
    const struct record *record = &r->at.record;
    bool freed_permit = r->state == RUNNER_RELEASING ||
                        r->state == RUNNER_GIVING_BACK || r->state == RUNNER_FAILING;
    if (!r->member)
        return r->phase == GATE_KEEP ? EV_MUST_ADOPT : EV_MUST_REST;
    if (r->phase == GATE_ABORT && freed_permit)
        return EV_MUST_CLOSE;
    switch (record->state) {
    case HOST_IDLE:
        if (runner_ending(r))
            return EV_MUST_REST;
        if (record->wave < 0 || record->drift == RECORD_REPAIRING ||
            (record->wave == 0 && record->stages_done == 0))
            return EV_MUST_SURVEY;
        return EV_MUST_AWAIT;
    case HOST_WAITING:
        return next_of_waiting(r);
    case HOST_HOLDING:
        return EV_MUST_VISIT;
    case HOST_DONE: /* the wave's last barrier is its members' to open */
        if (r->state == RUNNER_RELEASING && r->passed_last && record->retried)
            return EV_MUST_CLOSE; /* it waited for nobody else, perhaps */
        return record->wave >= 0 && !r->passed_last && !runner_ending(r) ? EV_MUST_AWAIT
                                                                         : EV_MUST_REST;
    case HOST_LOST:
        return EV_MUST_RETURN;
    case HOST_FAILED:
    case HOST_EXCLUDED: /* its arrivals may have been the last ones */
        return record->wave >= 0 && !r->offered && !runner_ending(r) ? EV_MUST_OFFER
                                                                     : EV_MUST_REST;
    }
    return EV_MUST_REST;
}

void runner_decide(struct runner *r)
{
    runner_post(r, next_event(r));
}

/* Without a connection the listener tells when it is back; a reply that was lost all
 * the same is asked for again. */
static void read_failed(struct runner *r, const char *what, enum zk_result result)
{
    struct error err;
    (void)zk_error(result, what, &err);
    if (result == ZK_AMBIGUOUS || result == ZK_NOT_CONNECTED)
        runner_wake_after(r, 1000, 2000, runner_on_wake);
    else
        runner_trouble(r, &err);
}

static bool fits_plan(const struct runner *r)
{
    const struct record *record = &r->at.record;
    int stages = runner_stages_count(r);
    if (record->wave >= r->manifest->waves_count || record->stages_done > stages)
        return false;
    return record->stages_done == stages ? record_terminal(record)
                                         : record->state != HOST_DONE;
}

/* Only the end of the rollout helps: the record's version is what all relies on. */
static int record_gone(const struct runner *r, const char *path, struct error *err)
{
    const struct record *last = &r->at.record;
    struct zpath permit = {0};
    if (last->permit >= 0)
        permit =
            zpath_permit(r->swarm.root, r->swarm.rollout, last->lease, last->permit);
    return error_set(err, -EBADMSG,
                     "znode '%s' is gone, removed by hand, so nothing more is done "
                     "here: `clowder abort`%s%s, then install again",
                     path, permit.text[0] ? ", remove its permit by hand: " : "",
                     permit.text);
}

/* What was read cannot be acted upon; 0 = it can, or there is none yet. */
static int check_record(struct runner *r, const struct zk_reply *reply,
                        struct error *err)
{
    struct zpath path = zpath_record(r->swarm.root, r->swarm.rollout, r->swarm.host);
    if (reply->result == ZK_NO_NODE)
        return r->member ? record_gone(r, path.text, err) : 0;
    if (record_decode(reply->data, reply->data_len, &r->at.record, err) < 0)
        return error_context(err, err->code, "znode '%s'", path.text);
    return fits_plan(r)
               ? 0
               : error_set(err, -EBADMSG, "znode '%s' does not fit its rollout's plan",
                           path.text);
}

static void on_record(void *ctx, const struct zk_reply *reply)
{
    struct runner *r = ctx;
    struct error err;
    r->request = NULL;
    if (reply->result != ZK_OK && reply->result != ZK_NO_NODE) {
        read_failed(r, "read record", reply->result);
        return;
    }
    if (check_record(r, reply, &err) < 0) {
        if (reply->result == ZK_NO_NODE)
            runner_drop_visit(r);
        runner_trouble(r, &err);
        return;
    }
    r->member = reply->result == ZK_OK;
    if (!r->member || r->at.record.permit < 0) /* a permit's trouble is not over yet */
        r->told[0] = '\0';
    if (r->member) {
        r->at.version = reply->stat.version;
        r->at.mzxid = reply->stat.mzxid;
    }
    if (r->at.record.state != HOST_DONE) /* a mend whose reply was lost, too */
        r->drift = (struct drift){0};
    runner_keep_or_drop_visit(r);
    runner_decide(r);
}

static void read_record(struct runner *r)
{
    struct zpath path = zpath_record(r->swarm.root, r->swarm.rollout, r->swarm.host);
    r->request = zk_get(r->swarm.zk, path.text, NULL, on_record, r);
}

static void on_manifest(void *ctx, const struct zk_reply *reply)
{
    struct runner *r = ctx;
    struct error err;
    r->request = NULL;
    struct zpath path = zpath_spec(r->swarm.root, r->swarm.rollout);
    if (reply->result != ZK_OK) {
        read_failed(r, path.text, reply->result);
    } else if (manifest_decode(reply->data, reply->data_len, &r->manifest, &err) < 0) {
        (void)error_context(&err, err.code, "znode '%s'", path.text);
        runner_trouble(r, &err);
    } else if (runner_check_zones(r->manifest->spec, &err) < 0) {
        manifest_free(take_ptr(r->manifest)); /* looked at again, zones and all */
        runner_trouble(r, &err);
    } else {
        r->hours_at_ms = 0;
        read_record(r);
    }
}

void runner_read_all(struct runner *r)
{
    if (!r->connected) {
        runner_post(r, EV_DISCONNECTED);
        return;
    }
    if (r->manifest) { /* immutable */
        read_record(r);
        return;
    }
    struct zpath path = zpath_spec(r->swarm.root, r->swarm.rollout);
    r->request = zk_get(r->swarm.zk, path.text, NULL, on_manifest, r);
}

/* ---- ADOPTING ---- */

static void on_adopted(void *ctx, enum txn_outcome outcome, const struct error *err)
{
    struct runner *r = ctx;
    bool adopted = outcome == TXN_DONE && r->txn.adopt.adopted;
    runner_finish(r, outcome, err, adopted ? EV_DOUBT : EV_MUST_REST);
}

void runner_adopt(struct runner *r)
{
    runner_says(r, "joining rollout %s as a late host", r->swarm.rollout);
    adopt_start(&r->txn.adopt, &r->swarm, on_adopted, r);
}
