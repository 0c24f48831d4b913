/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of a host in the swarm. Rows of `moves` are the program; this is its
 * picture:
 *
 *   WAITING --named--> CONNECTING --session--> JOINING --joined--> FOLLOWING
 *                        ^                      |    ^                |   |
 *                        +---connection lost----+----|----------------+   |
 *                        |                      |    +---new session------+
 *                        |                   refused
 *                        |                      v
 *                        +------------------- REFUSED --a while later--> JOINING
 */
#include "agentd/member.h"

#include "shared/base/cleanup.h"
#include "shared/base/str.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REFUSED_RETRY_MS = 30000 };

enum event { EV_NAMED, EV_SESSION, EV_LOST, EV_JOINED, EV_REFUSED, EV_LOOK };

static void set_out(struct member *m);
static void join(struct member *m);
static void follow(struct member *m);
static void lose(struct member *m);
static void retry_later(struct member *m);

static const struct move {
    enum member_state from;
    enum event event;
    enum member_state to;
    void (*enter)(struct member *m);
} moves[] = {
    {MEMBER_WAITING, EV_NAMED, MEMBER_CONNECTING, set_out},
    {MEMBER_WAITING, EV_SESSION, MEMBER_WAITING, NULL},
    {MEMBER_WAITING, EV_LOST, MEMBER_WAITING, NULL},
    {MEMBER_CONNECTING, EV_SESSION, MEMBER_JOINING, join},
    {MEMBER_CONNECTING, EV_LOST, MEMBER_CONNECTING, lose},
    {MEMBER_JOINING, EV_JOINED, MEMBER_FOLLOWING, follow},
    {MEMBER_JOINING, EV_SESSION, MEMBER_JOINING, join},
    {MEMBER_JOINING, EV_LOST, MEMBER_CONNECTING, lose},
    {MEMBER_JOINING, EV_LOOK, MEMBER_JOINING, join},
    {MEMBER_JOINING, EV_REFUSED, MEMBER_REFUSED, retry_later},
    {MEMBER_FOLLOWING, EV_LOOK, MEMBER_FOLLOWING, follow},
    {MEMBER_FOLLOWING, EV_SESSION, MEMBER_JOINING, join},
    {MEMBER_FOLLOWING, EV_LOST, MEMBER_CONNECTING, lose},
    {MEMBER_REFUSED, EV_LOOK, MEMBER_JOINING, join},
    {MEMBER_REFUSED, EV_SESSION, MEMBER_JOINING, join},
    {MEMBER_REFUSED, EV_LOST, MEMBER_CONNECTING, lose},
};

const char *member_state_text(enum member_state state)
{
    static const char *const texts[] = {
        [MEMBER_WAITING] = "waiting", [MEMBER_CONNECTING] = "connecting",
        [MEMBER_JOINING] = "joining", [MEMBER_FOLLOWING] = "following",
        [MEMBER_REFUSED] = "refused",
    };
    return texts[state];
}

static void says(struct member *m, const char *text)
{
    if (m->observer.says)
        m->observer.says(m->observer_ctx, text);
}

static void trouble(struct member *m, const struct error *err)
{
    says(m, err->text);
    if (m->observer.trouble)
        m->observer.trouble(m->observer_ctx, err);
}

static void leave(struct member *m)
{
    timer_stop(&m->retry);
    zk_cancel(m->swarm.zk, m->request);
    m->request = NULL;
    zk_disarm(m->swarm.zk, &m->current_watch);
    zk_cancel(m->swarm.zk, m->looking);
    m->looking = NULL;
    zk_disarm(m->swarm.zk, &m->live_watch);
    if (m->state == MEMBER_JOINING)
        join_cancel(&m->join);
}

static void post(struct member *m, enum event event)
{
    for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
        const struct move *move = &moves[i];
        if (move->from != m->state || move->event != event)
            continue;
        enum member_state from = m->state;
        if (!move->enter)
            return;
        leave(m);
        m->state = move->to;
        if (from != m->state && m->observer.moved)
            m->observer.moved(m->observer_ctx, from, m->state);
        move->enter(m);
        return;
    }
    assert(!"undeclared move of the member");
}

static void on_look(void *ctx)
{
    post(ctx, EV_LOOK);
}

static void look_later(struct member *m, int64_t after_ms)
{
    timer_start(&m->retry, m->swarm.loop, after_ms, on_look, m);
}

static void on_root(void *ctx, const struct zk_reply *reply)
{
    struct member *m = ctx;
    m->request = NULL;
}

/* What refuses it is looked at again now and then, and a root that is missing as soon
 * as `clowder init` has made it. */
static void retry_later(struct member *m)
{
    look_later(m, REFUSED_RETRY_MS);
    m->request = zk_exists(m->swarm.zk, m->swarm.root, &m->current_watch, on_root, m);
}

/* ---- joining ---- */

/* The inventory's text without the time of looking, which alone is no news: an idle
 * swarm must not write. That it was looked at at all is. */
static char *news(const struct facts *facts)
{
    struct facts timeless = *facts;
    timeless.seen_ms = facts->seen_ms > 0;
    return facts_encode(&timeless);
}

static void set_out(struct member *m)
{
    if (m->swarm.zk->connected)
        post(m, EV_SESSION);
    else
        says(m, "connecting to ZooKeeper");
}

static void on_joined(void *ctx, enum txn_outcome outcome, const struct error *err)
{
    struct member *m = ctx;
    switch (outcome) {
    case TXN_DONE:
        post(m, EV_JOINED);
        return;
    case TXN_RESYNC: /* the listener tells of a loss; a lost reply is asked for again */
        look_later(m, 1000);
        return;
    case TXN_REFUSED:
        trouble(m, err);
        post(m, EV_REFUSED);
        return;
    }
}

static void join(struct member *m)
{
    char text[HOST_ID_SIZE + 32];
    snprintf(text, sizeof(text), "registering as %s", m->swarm.host);
    says(m, text);
    free(m->published);
    m->published = news(m->facts);
    join_start(&m->join, &m->swarm, m->facts, m->live, on_joined, m);
}

static void lose(struct member *m)
{
    zk_cancel(m->swarm.zk, m->publishing);
    m->publishing = NULL;
    runner_disconnected(m->runner);
}

static void on_session(void *ctx, enum zk_session_event event, bool fresh)
{
    struct member *m = ctx;
    if (m->observer.session)
        m->observer.session(m->observer_ctx, event, fresh);
    post(m, event == ZK_SESSION_CONNECTED ? EV_SESSION : EV_LOST);
}

/* ---- following ---- */

static void on_current(void *ctx, const struct zk_reply *reply)
{
    struct member *m = ctx;
    struct current current;
    struct error err;
    m->request = NULL;
    struct zpath path = zpath_current(m->swarm.root);
    if (reply->result == ZK_AMBIGUOUS || reply->result == ZK_NOT_CONNECTED) {
        look_later(m, 1000);
    } else if (reply->result != ZK_OK) {
        (void)zk_error(reply->result, path.text, &err);
        trouble(m, &err);
        look_later(m, REFUSED_RETRY_MS);
    } else if (current_decode(reply->data, reply->data_len, &current, &err) < 0) {
        (void)error_context(&err, err.code, "znode '%s'", path.text);
        trouble(m, &err);
        look_later(m, REFUSED_RETRY_MS);
    } else if (m->acts && m->facts->seen_ms == 0) {
        m->held = true;
        says(m, "looking at this host for the first time");
    } else if (m->acts) {
        runner_follow(m->runner, current.rollout, current.phase);
    } else {
        says(m, "this host is a DC/OS master: nothing is installed here");
    }
}

/* Removed by hand it would make a living holder a lost one: it is written again. One
 * of another session is another process's of this machine, which has taken over. */
static void on_live(void *ctx, const struct zk_reply *reply)
{
    struct member *m = ctx;
    m->looking = NULL;
    if (reply->result == ZK_NO_NODE)
        post(m, EV_SESSION);
    else if (reply->result == ZK_OK &&
             reply->stat.ephemeral_owner != m->swarm.zk->session_id)
        says(m, "another clowder-agentd on this machine has taken this host over");
}

static void look_at_live(void *ctx)
{
    struct member *m = ctx;
    struct zpath path = zpath_live(m->swarm.root, m->swarm.host);
    m->looking = zk_exists(m->swarm.zk, path.text, &m->live_watch, on_live, m);
}

static void follow(struct member *m)
{
    m->held = false;
    struct zpath path = zpath_current(m->swarm.root);
    m->request = zk_get(m->swarm.zk, path.text, &m->current_watch, on_current, m);
    look_at_live(m);
    member_publish(m);
}

static void on_published(void *ctx, const struct zk_reply *reply)
{
    struct member *m = ctx;
    m->publishing = NULL;
    if (reply->result != ZK_OK)
        free(take_ptr(m->published)); /* written again by the next publish or join */
    if (reply->result == ZK_NO_NODE && m->state == MEMBER_FOLLOWING)
        post(m, EV_SESSION); /* removed by hand: registers again */
    else if (reply->result == ZK_OK)
        member_publish(m); /* the facts may have changed meanwhile */
}

void member_publish(struct member *m)
{
    if (m->state != MEMBER_FOLLOWING || m->publishing)
        return;
    if (m->held && m->facts->seen_ms > 0) {
        post(m, EV_LOOK); /* which publishes, too */
        return;
    }
    _cleanup_(freep) char *text = news(m->facts);
    if (m->published && str_equal(m->published, text))
        return;
    free(m->published);
    m->published = take_ptr(text);
    _cleanup_(freep) char *bytes = facts_encode(m->facts);
    struct zpath path = zpath_host(m->swarm.root, m->swarm.host);
    m->publishing =
        zk_set(m->swarm.zk, path.text, bytes, strlen(bytes), -1, on_published, m);
}

/* ---- making and ending ---- */

void member_init(struct member *m, const struct swarm *swarm, const struct live *live,
                 struct runner *runner, const struct member_observer *observer,
                 void *observer_ctx)
{
    *m = (struct member){.swarm = *swarm, .live = live, .runner = runner};
    if (observer)
        m->observer = *observer;
    m->observer_ctx = observer_ctx;
    zk_watch_init(&m->current_watch, on_look, m);
    zk_watch_init(&m->live_watch, look_at_live, m);
    zk_listen(swarm->zk, on_session, m);
}

void member_start(struct member *m, const struct facts *facts)
{
    m->facts = facts;
    m->acts = facts->role != ROLE_MASTER;
    STR_COPY(m->swarm.host, facts->host);
    STR_COPY(m->runner->swarm.host, facts->host);
    STR_COPY(m->runner->swarm.zone, facts->zone);
    post(m, EV_NAMED);
}

void member_done(struct member *m)
{
    leave(m);
    zk_cancel(m->swarm.zk, m->publishing);
    m->publishing = NULL;
    zk_listen(m->swarm.zk, NULL, NULL);
    free(take_ptr(m->published));
}
