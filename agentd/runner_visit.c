/* SPDX-License-Identifier: Apache-2.0
 *
 * VISITING: the visitor does the stage while this file publishes how far it is and asks
 * the gate for it before each disruptive act. One write to the record is under way at a
 * time: a question waits for a publication, and so does the end. The visit outlives the
 * connection; what it did meanwhile is published, asked or ended when the record has
 * been read again and still is this visit's.
 */
#include "agentd/runner_internal.h"

#include "shared/base/failpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PUBLISH_EVERY_MS = 5000, PUBLISH_STEP_MS = 1000 };

static void publish_if_due(struct runner *r);
static void ask(struct runner *r);
static void answer(struct runner *r, int code);

void runner_drop_visit(struct runner *r)
{
    if (r->visiting && !r->ended)
        r->visitor->ops->cancel(r->visitor);
    r->visiting = r->ended = r->asking = r->disrupted = false;
}

void runner_keep_or_drop_visit(struct runner *r)
{
    const struct record *record = &r->at.record;
    bool holds = record->state == HOST_HOLDING || record->state == HOST_LOST;
    bool same = r->member && holds && record->stages_done == r->order.stage &&
                record->attempt == r->order.attempt;
    if (r->visiting && !same)
        runner_drop_visit(r);
}

static void end_visit(struct runner *r)
{
    if (r->publishing)
        return; /* its reply comes back here */
    r->visiting = r->ended = false;
    r->at.record.token = r->order.token;
    switch (r->result) {
    case VISIT_DONE:
        runner_post(r, EV_DONE);
        return;
    case VISIT_NEEDS_LEASE:
        r->needs_lease = true;
        runner_post(r, EV_STEPPED_BACK);
        return;
    case VISIT_STEPPED_BACK:
        runner_post(r, EV_STEPPED_BACK);
        return;
    case VISIT_FAILED:
        runner_post(r, EV_FAILED);
        return;
    }
}

static void on_published(void *ctx, const struct zk_reply *reply)
{
    struct runner *r = ctx;
    struct error err;
    r->request = NULL;
    r->publishing = false;
    if (reply->result == ZK_OK) {
        FAILPOINT("publish:replied");
        r->at.record = r->sent;
        r->at.version = reply->stat.version;
        r->at.mzxid = reply->stat.mzxid;
        if (r->ended)
            end_visit(r);
        else if (r->asking)
            ask(r);
        else
            publish_if_due(r);
    } else if (reply->result == ZK_BAD_VERSION || reply->result == ZK_NO_NODE ||
               reply->result == ZK_AMBIGUOUS || reply->result == ZK_NOT_CONNECTED) {
        runner_post(r, EV_DOUBT);
    } else {
        (void)zk_error(reply->result, "publish progress", &err);
        runner_trouble(r, &err);
    }
}

static void on_publish_timer(void *ctx)
{
    publish_if_due(ctx);
}

static void publish_if_due(struct runner *r)
{
    if (r->state != RUNNER_VISITING || !r->dirty || r->publishing || r->asking ||
        r->ended)
        return;
    int64_t now = loop_now_ms(r->swarm.loop);
    bool same_step = str_equal(r->published_step, r->next.step);
    int64_t due = r->published_ms + (same_step ? PUBLISH_EVERY_MS : PUBLISH_STEP_MS);
    if (due > now) {
        timer_start(&r->publish_timer, r->swarm.loop, due - now, on_publish_timer, r);
        return;
    }
    timer_stop(&r->publish_timer);
    r->dirty = false;
    r->publishing = true;
    r->published_ms = now;
    STR_COPY(r->published_step, r->next.step);
    r->sent = r->next;
    struct zpath path = zpath_record(r->swarm.root, r->swarm.rollout, r->swarm.host);
    char *data = record_encode(&r->next);
    FAILPOINT("publish:send");
    r->request = zk_set(r->swarm.zk, path.text, data, strlen(data), r->at.version,
                        on_published, r);
    FAILPOINT("publish:sent");
    free(data);
}

struct record *runner_record(struct runner *r)
{
    return &r->next;
}

bool runner_declared(const struct runner *r, const char *step)
{
    const struct record *record = &r->at.record;
    for (int i = 0; i < record->steps_count; i++)
        if (str_equal(record->steps[i].name, step))
            return record->steps[i].by[0] != '\0';
    return false;
}

void runner_progress(struct runner *r)
{
    /* Elsewhere it says what keeps it from there. */
    if (r->next.step[0] && r->state == RUNNER_VISITING)
        runner_says(r, "stage '%s': %s%s%s", r->next.stage, r->next.step,
                    r->next.doing[0] ? ": " : "", r->next.doing);
    r->dirty = true;
    publish_if_due(r);
}

static void on_act(void *ctx, enum txn_outcome outcome, const struct error *err)
{
    struct runner *r = ctx;
    switch (outcome) {
    case TXN_DONE:
        r->gate_version = r->txn.act.gate_version;
        if (r->txn.act.allowed) { /* it has published what begins, too */
            r->disrupted = r->next.disrupted = true;
            r->published_ms = loop_now_ms(r->swarm.loop);
            STR_COPY(r->published_step, r->txn.act.next.step);
        }
        answer(r, r->txn.act.allowed ? 0 : -ECANCELED);
        return;
    case TXN_RESYNC:
        runner_post(r, EV_DOUBT); /* asks again when the record is read */
        return;
    case TXN_REFUSED:
        runner_trouble(r, err);
        return;
    }
}

static void answer(struct runner *r, int code)
{
    r->asking = false;
    r->visitor->ops->answer(r->visitor, code);
    publish_if_due(r);
}

static void ask(struct runner *r)
{
    if (r->state != RUNNER_VISITING || r->publishing)
        return; /* asked when the record is read, or the publication is in */
    timer_stop(&r->publish_timer);
    r->dirty = false;
    act_start(&r->txn.act, &r->swarm, &r->at, &r->next, r->disrupted || r->going_back,
              r->gate_version, on_act, r);
}

void runner_ask(struct runner *r, bool going_back)
{
    r->asking = true;
    r->going_back = going_back;
    ask(r);
}

void runner_ask_cancel(struct runner *r)
{
    if (r->state == RUNNER_VISITING)
        act_cancel(&r->txn.act);
    r->asking = false;
}

void runner_visited(struct runner *r, enum visit_result result, const char *error,
                    bool healthy)
{
    r->ended = true;
    r->asking = false;
    r->result = result;
    r->next.doing[0] = '\0';
    if (result != VISIT_FAILED) {
        r->next.step[0] = '\0';
    } else { /* step: the one that failed */
        STR_COPY(r->next.error, error);
        r->next.healthy = healthy;
    }
    if (r->state == RUNNER_VISITING)
        end_visit(r);
}

void runner_visit(struct runner *r)
{
    struct record *record = &r->at.record;
    if (record->token == 0) /* not written since it was granted */
        record->token = r->at.mzxid;
    if (r->visiting) {
        /* It went on while the connection was away. */
        if (r->ended)
            end_visit(r);
        else if (r->asking)
            ask(r);
        else
            publish_if_due(r);
        return;
    }
    const struct spec_stage *stage = runner_stage(r, record->stages_done);
    r->visiting = true;
    r->ended = r->asking = false;
    r->disrupted = record->disrupted; /* before a crash, or a retry */
    r->dirty = false;
    r->published_step[0] = '\0';
    r->published_ms = loop_now_ms(r->swarm.loop); /* with the grant */
    r->next = *record;
    r->next.error[0] = '\0';
    r->order = (struct visit_order){
        .manifest = r->manifest,
        .stage = record->stages_done,
        .attempt = record->attempt,
        .token = record->token,
        .own_lease = str_equal(record->lease, stage->lease),
    };
    runner_says(r, "stage '%s': holding permit %d of lease '%s'", stage->name,
                record->permit, record->lease);
    r->visitor->ops->visit(r->visitor, r, &r->order);
}
