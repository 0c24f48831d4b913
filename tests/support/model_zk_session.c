/* model_zk_session.c - a ZooKeeper in memory: sessions, connections and their faults.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A session lives at the leader. It ends by a close request, by hand, or when nothing
 * was heard from it for its timeout (noticed at the next tick; not while nothing is
 * served). A connection is client->server and client->session, as the server sees it:
 * the client learns of its end later, by an item in its inbox or by missing its pings.
 */
#include "tests/support/model_zk_internal.h"

#include "shared/base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- sessions */

static void session_key(int64_t id, char key[20])
{
    snprintf(key, 20, "%" PRIx64, id);
}

struct session *session_find(struct model_zk *mz, int64_t id)
{
    char key[20];

    session_key(id, key);
    return strmap_get(&mz->sessions, key);
}

static void session_check(void *ctx);

static void session_arm(struct session *session)
{
    struct model_zk *mz = session->mz;
    int64_t tick_ms = mz->config.tick_ms, now_ms = loop_now_ms(mz->background);
    int64_t at_ms = session->heard_ms + session->timeout_ms;

    at_ms = (at_ms / tick_ms + 1) * tick_ms;
    timer_start(&session->expiry, mz->background, at_ms - now_ms, session_check,
                session);
}

static void session_check(void *ctx)
{
    struct session *session = ctx;
    struct model_zk *mz = session->mz;

    if (!mz_serving(mz))
        session->heard_ms = loop_now_ms(mz->background);
    if (loop_now_ms(mz->background) - session->heard_ms < session->timeout_ms) {
        session_arm(session);
        return;
    }
    mz->counts.expiries++;
    session_end(session);
}

void session_heard(struct session *session)
{
    session->heard_ms = loop_now_ms(session->mz->background);
}

static struct session *session_new(struct model_zk *mz, int64_t timeout_ms)
{
    struct session *session = NEW(struct session);

    session->mz = mz;
    session->id = mz->next_session++;
    session->timeout_ms = timeout_ms;
    session_key(session->id, session->key);
    strmap_add(&mz->sessions, session->key, session);
    leader_open_session(mz);
    mz->counts.sessions++;
    session_heard(session);
    session_arm(session);
    return session;
}

void session_end(struct session *session)
{
    struct model_zk *mz = session->mz;

    if (session->client)
        connection_drop(session->client, true);
    leader_close_session(mz, session->id);
    timer_stop(&session->expiry);
    (void)strmap_remove(&mz->sessions, session->key);
    free(session);
}

void sessions_free(struct model_zk *mz)
{
    STRMAP_EACH(&mz->sessions, e)
    {
        struct session *session = e->value;

        timer_stop(&session->expiry);
        free(session);
    }
    strmap_done(&mz->sessions);
}

/* --- connections */

/* The first few of the requests under way still arrive, perhaps late; the rest never.
 */
static void strand(struct client *client, struct message *m, int64_t *at_ms, bool *lost)
{
    struct model_zk *mz = client->mz;
    int64_t now_ms = loop_now_ms(mz->loop);

    *lost = *lost || mz_range(&client->random_state, 0, 1);
    if (*lost || m->kind <= M_CHILDREN) {
        message_free(m);
        return;
    }
    if (mz_range(&client->random_state, 0, 7) == 0)
        *at_ms += mz_range(&client->random_state, 0, mz->config.late_ms);
    if (m->at_ms > *at_ms)
        *at_ms = m->at_ms;
    m->client = NULL;
    message_float(m, *at_ms - now_ms);
}

static void strand_all(struct client *client)
{
    int64_t at_ms = loop_now_ms(client->mz->loop);
    struct message *lists[2] = {client->arrived, client->out};
    bool lost = false;

    client->arrived = client->arrived_last = client->out = client->out_last = NULL;
    for (struct message *m = client->mz->floating; m; m = m->float_next) {
        if (m->client == client)
            m->client = NULL; /* at the leader: it will be carried out */
    }
    for (int i = 0; i < 2; i++) {
        while (lists[i]) {
            struct message *m = lists[i];

            lists[i] = m->next;
            m->next = NULL;
            strand(client, m, &at_ms, &lost);
        }
    }
}

void connection_drop(struct client *client, bool keep_inbox)
{
    struct item *item;

    if (!client->server)
        return;
    zwatch_forget(&client->server->watches, &client->watcher);
    client->session->client = NULL;
    client->session = NULL;
    client->server = NULL;
    client->busy = false;
    client->counts.drops++;
    client->mz->counts.drops++;
    strand_all(client);
    client_out_arm(client);
    if (!keep_inbox)
        client_lose_inbox(client, (int)mz_range(&client->random_state, 0, 3));
    item = NEW(struct item);
    *item = (struct item){.kind = I_DISCONNECTED, .remote = true};
    client_push(client, item);
}

void connection_close(struct client *client)
{
    struct model_zk *mz = client->mz;
    struct message *lists[2] = {client->arrived, client->out};
    int64_t now_ms = loop_now_ms(mz->loop);
    int64_t at_ms = now_ms;

    if (!client->server || client->cut)
        return;
    client->arrived = client->arrived_last = client->out = client->out_last = NULL;
    for (int i = 0; i < 2; i++) {
        while (lists[i]) {
            struct message *m = lists[i];

            lists[i] = m->next;
            m->client = NULL;
            m->next = NULL;
            at_ms = m->at_ms > at_ms ? m->at_ms : at_ms;
            message_float(m, at_ms - now_ms);
        }
    }
    struct message *end = NEW(struct message);
    *end = (struct message){
        .kind = M_CLOSE, .mz = mz, .session = client->session->id, .failed = -1};
    message_float(end, at_ms - now_ms +
                           mz_range(&client->random_state, mz->config.delay_min_ms,
                                    mz->config.delay_max_ms));
}

static void push_handshake(struct client *client, enum item_kind kind, bool fresh)
{
    struct item *item = NEW(struct item);

    *item = (struct item){.kind = kind, .remote = true, .fresh = fresh};
    if (kind == I_CONNECTED) {
        item->session = client->session->id;
        item->zxid = client->server->zxid;
        snprintf(item->server, sizeof(item->server), "10.0.0.%d:2181",
                 client->server->index + 1);
    }
    client_push(client, item);
}

bool connection_open(struct client *client, struct server *server)
{
    struct model_zk *mz = client->mz;
    bool fresh = client->zk.session_id == 0;
    struct session *session;

    if (!server->up || client->cut || server->zxid < client->seen_zxid)
        return false; /* a server that lags behind what the client saw refuses it */
    session = fresh ? session_new(mz, mz->config.session_timeout_ms)
                    : session_find(mz, client->zk.session_id);
    if (!session) {
        push_handshake(client, I_EXPIRED, false);
        return true;
    }
    session_heard(session);
    session->client = client;
    client->session = session;
    client->server = server;
    push_handshake(client, I_CONNECTED, fresh);
    server_watch_again(client);
    return true;
}

/* --- by hand */

void model_zk_drop(struct zk *zk)
{
    connection_drop((struct client *)zk, false);
}

void model_zk_cut(struct zk *zk, bool cut)
{
    struct client *client = (struct client *)zk;

    client->cut = cut;
    client_in_arm(client);
    client_out_arm(client);
}

void model_zk_expire(struct zk *zk)
{
    struct client *client = (struct client *)zk;
    struct session *session = session_find(client->mz, zk->session_id);

    if (session) {
        client->mz->counts.expiries++;
        session_end(session);
    }
}
