/* model_zk.c - a ZooKeeper in memory: the servers.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Server 0's tree is the leader's: every write is carried out there, in one order, and
 * numbered. Each other server applies the same writes to its own copy some time later
 * and only then answers the clients that sent them through it; reads see that copy. A
 * session's reads wait behind its writes, so a client always sees what it wrote.
 */
#include "tests/support/model_zk_internal.h"

#include "shared/base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

uint64_t mz_hash(uint64_t a, uint64_t b)
{
    uint64_t z = a + 0x9e3779b97f4a7c15u * (b + 1);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int64_t mz_range(uint64_t *state, int64_t min, int64_t max)
{
    *state += 0x9e3779b97f4a7c15u;
    if (max <= min)
        return min;
    return min + (int64_t)(mz_hash(*state, 0) % (uint64_t)(max - min + 1));
}

bool mz_serving(const struct model_zk *mz)
{
    for (int i = 0; i < mz->servers_count; i++) {
        if (mz->servers[i].up)
            return true;
    }
    return false;
}

/* --- messages */

void message_free(struct message *m)
{
    if (m->floating) {
        timer_stop(&m->timer);
        *(m->float_prev ? &m->float_prev->float_next : &m->mz->floating) =
            m->float_next;
        if (m->float_next)
            m->float_next->float_prev = m->float_prev;
    }
    for (int i = 0; m->outcomes && i < m->ops_count; i++)
        free(m->outcomes[i].path);
    free(m->outcomes);
    free(m->ops); /* one block */
    free(m->path);
    free(m);
}

static void make_floating(struct message *m)
{
    if (m->floating)
        return;
    m->floating = true;
    m->float_prev = NULL;
    m->float_next = m->mz->floating;
    if (m->float_next)
        m->float_next->float_prev = m;
    m->mz->floating = m;
}

/* --- what the tree tells: history and watches */

static void push_event(struct client *client, enum event_kind event, const char *path)
{
    struct item *item = NEW(struct item);

    *item = (struct item){.kind = I_EVENT,
                          .remote = true,
                          .event = event,
                          .path = mem_strdup(path),
                          .zxid = client->server->zxid};
    client->counts.events++;
    client->mz->counts.events++;
    client_push(client, item);
}

struct telling {
    enum event_kind event;
    const char *path;
};

static void tell_watcher(void *ctx, struct zwatcher *watcher)
{
    struct telling *telling = ctx;
    struct client *client =
        (struct client *)((char *)watcher - offsetof(struct client, watcher));

    push_event(client, telling->event, telling->path);
}

static void fire(struct server *server, const char *path, enum event_kind event,
                 bool child)
{
    struct telling telling = {.event = event, .path = path};

    zwatch_fire(&server->watches, path, child, tell_watcher, &telling);
}

static void fire_parent(struct server *server, const char *path)
{
    char parent[1024];
    const char *slash = strrchr(path, '/');
    size_t len = slash == path ? 1 : (size_t)(slash - path);

    assert(len < sizeof(parent));
    memcpy(parent, path, len);
    parent[len] = '\0';
    fire(server, parent, E_CHILDREN, true);
}

static void record_change(struct model_zk *mz, const struct ztree_change *change)
{
    if (!mz->history_open) {
        const struct ztree_header *header = mz->applying;

        history_begin(mz->history, header->zxid, header->session, header->time_ms,
                      false);
        mz->history_open = true;
    }
    history_op(mz->history, &(struct history_op){
                                .kind = change->kind,
                                .path = change->path,
                                .data = change->data,
                                .data_len = change->data_len,
                                .before = change->before,
                                .before_len = change->before_len,
                                .version = change->version,
                                .ephemeral = change->node->ephemeral_owner != 0,
                            });
}

static void on_change(void *ctx, const struct ztree_change *change)
{
    struct server *server = ctx;

    if (server->index == 0)
        record_change(server->mz, change);
    switch (change->kind) {
    case ZK_OP_CREATE:
        fire(server, change->path, E_CREATED, false);
        fire_parent(server, change->path);
        break;
    case ZK_OP_SET:
        fire(server, change->path, E_CHANGED, false);
        break;
    case ZK_OP_DELETE:
        fire(server, change->path, E_DELETED, false);
        fire(server, change->path, E_DELETED, true);
        fire_parent(server, change->path);
        break;
    case ZK_OP_CHECK:
        break;
    }
}

/* --- answers */

static void observe_applied(struct client *client, const struct message *m,
                            const char *path)
{
    client_observe(client, &(struct model_zk_request){.number = m->number,
                                                      .moment = MODEL_ZK_APPLIED,
                                                      .path = path});
}

static size_t text_len(const char *text)
{
    return text ? strlen(text) : 0;
}

static void count_reply(struct client *client, const struct item *item)
{
    size_t bytes = 20 + item->data_len + text_len(item->path) + sizeof(struct zk_stat);

    for (int i = 0; i < item->children_count; i++)
        bytes += 4 + strlen(item->children[i]);
    for (int i = 0; i < item->outcomes_count; i++)
        bytes += 9 + text_len(item->outcomes[i].path);
    client->counts.reply_bytes += bytes;
    client->mz->counts.reply_bytes += bytes;
}

static void reply(struct message *m, struct item *item)
{
    struct client *client = m->client;

    if (m->fate == MODEL_ZK_FAULT_APPLIED) {
        item_free(item);
        connection_drop(client, true);
        return;
    }
    if (m->fate == MODEL_ZK_FAULT_OUTLIVE) {
        item_free(item);
        session_end(client->session);
        return;
    }
    item->kind = I_REPLY;
    item->remote = true;
    item->request = m->request;
    item->zxid = client->server->zxid;
    count_reply(client, item);
    client_push(client, item);
}

static void reply_write(struct message *m)
{
    struct item *item = NEW(struct item);

    item->result = m->result;
    item->failed = m->kind == M_MULTI ? m->failed : -1;
    if (m->kind == M_MULTI) {
        item->outcomes = m->outcomes;
        item->outcomes_count = m->ops_count;
        m->outcomes = NULL;
    } else if (m->kind == M_SINGLE) {
        item->stat = m->outcomes[0].stat;
        item->path = m->outcomes[0].path;
        m->outcomes[0].path = NULL;
    }
    reply(m, item);
}

static void fill_children(struct client *client, const struct znode *node,
                          struct item *item)
{
    size_t bytes = 0;
    int count = node->children_count;

    for (int i = 0; i < count; i++)
        bytes += strlen(znode_leaf(node->children[i])) + 1;
    char *at = item->names = mem_new(bytes);
    item->children = mem_array((size_t)count, sizeof(char *));
    item->children_count = count;
    for (int i = 0; i < count; i++) {
        item->children[i] = at;
        at = stpcpy(at, znode_leaf(node->children[i])) + 1;
    }
    for (int i = count - 1; client->mz->config.unordered && i > 0; i--) {
        int j = (int)mz_range(&client->random_state, 0, i);
        const char *swap = item->children[i];

        item->children[i] = item->children[j];
        item->children[j] = swap;
    }
}

static void carry_out_read(struct message *m)
{
    struct client *client = m->client;
    struct server *server = client->server;
    const struct znode *node = ztree_find(server->tree, m->path);
    struct item *item = NEW(struct item);

    client->counts.reads++;
    m->mz->counts.reads++;
    item->result = ZK_OK;
    item->failed = -1;
    if (!node)
        item->result = ZK_NO_NODE;
    else if (m->kind != M_EXISTS && !znode_permits(node, m->digest))
        item->result = ZK_NO_AUTH;
    if (item->result == ZK_OK) {
        item->stat = znode_stat(node);
        if (m->kind == M_GET) {
            item->data = mem_new(node->data_len + 1);
            memcpy(item->data, node->data, node->data_len);
            item->data_len = node->data_len;
        } else if (m->kind == M_CHILDREN) {
            fill_children(client, node, item);
        }
    }
    if (m->watch &&
        (item->result == ZK_OK || (m->kind == M_EXISTS && item->result == ZK_NO_NODE)))
        zwatch_add(&server->watches, &client->watcher, m->path, m->kind == M_CHILDREN);
    observe_applied(client, m, m->path);
    reply(m, item);
}

/* --- the leader */

static struct commit *commit_new(struct model_zk *mz, struct message *m,
                                 const struct ztree_header *header)
{
    struct commit *commit = NEW(struct commit);

    *commit = (struct commit){
        .references = mz->servers_count - 1,
        .zxid = header->zxid,
        .time_ms = header->time_ms,
        .session = header->session,
        .digest = header->digest,
        .close = m == NULL,
    };
    if (m && m->result == ZK_OK) {
        commit->ops = m->ops;
        commit->ops_count = m->ops_count;
        m->ops = NULL;
    }
    return commit;
}

static void commit_unref(struct commit *commit)
{
    if (!commit || --commit->references > 0)
        return;
    free(commit->ops);
    free(commit);
}

static void apply_pending(void *ctx);

static void arm_apply(struct server *server)
{
    int64_t now_ms = loop_now_ms(server->mz->loop);

    if (server->pending && server->up && !timer_armed(&server->apply))
        timer_start(&server->apply, server->mz->loop, server->pending->at_ms - now_ms,
                    apply_pending, server);
}

static void append_pending(struct server *server, struct commit *commit,
                           struct message *message)
{
    struct model_zk *mz = server->mz;
    struct pending *pending = NEW(struct pending);
    int64_t at_ms =
        loop_now_ms(mz->loop) + mz_range(&mz->random_state, 0, mz->config.lag_max_ms);

    if (server->pending_last && server->pending_last->at_ms > at_ms)
        at_ms = server->pending_last->at_ms;
    *pending = (struct pending){.commit = commit, .message = message, .at_ms = at_ms};
    *(server->pending_last ? &server->pending_last->next : &server->pending) = pending;
    server->pending_last = pending;
    arm_apply(server);
}

static void distribute(struct model_zk *mz, struct commit *commit,
                       struct server *origin, struct message *message)
{
    for (int i = 1; i < mz->servers_count; i++) {
        struct server *server = &mz->servers[i];

        append_pending(server, commit, server == origin ? message : NULL);
    }
}

static struct ztree_header next_header(struct model_zk *mz, int64_t session,
                                       const char *digest)
{
    return (struct ztree_header){
        .zxid = ++mz->zxid,
        .time_ms = loop_wall_ms(mz->loop),
        .session = session,
        .digest = digest,
    };
}

static void leader_apply(struct model_zk *mz, const struct zk_op *ops, int count,
                         struct ztree_header *header, struct message *m)
{
    mz->applying = header;
    mz->servers[0].zxid = header->zxid;
    m->result =
        ztree_apply(mz->servers[0].tree, header, ops, count, m->outcomes, &m->failed);
    mz->applying = NULL;
    if (mz->history_open) {
        mz->history_open = false;
        history_end(mz->history);
    }
}

void leader_open_session(struct model_zk *mz)
{
    struct ztree_header header = next_header(mz, 0, ZTREE_SUPER);
    struct message nothing = {.result = ZK_OK};

    mz->servers[0].zxid = header.zxid;
    if (mz->servers_count > 1)
        distribute(mz, commit_new(mz, &nothing, &header), NULL, NULL);
}

void leader_close_session(struct model_zk *mz, int64_t session)
{
    struct ztree_header header = next_header(mz, session, ZTREE_SUPER);

    mz->servers[0].zxid = header.zxid;
    mz->applying = &header;
    mz->history_open = true;
    history_begin(mz->history, header.zxid, session, header.time_ms, true);
    ztree_close_session(mz->servers[0].tree, header.zxid, session);
    mz->applying = NULL;
    mz->history_open = false;
    history_end(mz->history);
    if (mz->servers_count > 1)
        distribute(mz, commit_new(mz, NULL, &header), NULL, NULL);
}

static bool leader_write(struct message *m, struct server *origin)
{
    struct model_zk *mz = m->mz;

    if (!mz_serving(mz) || !session_find(mz, m->session))
        return false;
    if (m->kind == M_CLOSE) {
        session_end(session_find(mz, m->session));
        return false; /* nobody waits for an answer */
    }
    if (m->kind == M_SYNC) {
        if (origin->index)
            append_pending(origin, NULL, m);
        return true;
    }
    struct ztree_header header = next_header(mz, m->session, m->digest);
    m->outcomes = mem_array((size_t)m->ops_count, sizeof(struct ztree_outcome));
    leader_apply(mz, m->ops, m->ops_count, &header, m);
    m->zxid = header.zxid;
    mz->counts.writes++;
    if (m->client) {
        m->client->counts.writes++;
        observe_applied(m->client, m, m->request->path);
    }
    if (mz->servers_count > 1)
        distribute(mz, commit_new(mz, m, &header), origin, m);
    return true;
}

/* --- a follower */

static void next_arrived(struct client *client);

static void answer(struct message *m)
{
    struct client *client = m->client;

    if (client) {
        client->busy = false;
        reply_write(m);
    }
    message_free(m);
    if (client && client->server)
        next_arrived(client);
}

static void follower_apply(struct server *server, const struct commit *commit)
{
    struct ztree_header header = {
        .zxid = commit->zxid,
        .time_ms = commit->time_ms,
        .session = commit->session,
        .digest = commit->digest,
    };
    int failed = -1;

    server->zxid = commit->zxid;
    if (commit->close) {
        ztree_close_session(server->tree, commit->zxid, commit->session);
    } else if (commit->ops) {
        struct ztree_outcome *outcomes =
            mem_array((size_t)commit->ops_count, sizeof(struct ztree_outcome));
        enum zk_result result = ztree_apply(server->tree, &header, commit->ops,
                                            commit->ops_count, outcomes, &failed);

        assert(result == ZK_OK); /* it was, on the leader's same tree */
        (void)result;
        for (int i = 0; i < commit->ops_count; i++)
            free(outcomes[i].path);
        free(outcomes);
    }
}

static void apply_first(struct server *server)
{
    struct pending *pending = server->pending;

    server->pending = pending->next;
    if (!server->pending)
        server->pending_last = NULL;
    if (pending->commit)
        follower_apply(server, pending->commit);
    commit_unref(pending->commit);
    if (pending->message)
        answer(pending->message);
    free(pending);
}

static void apply_pending(void *ctx)
{
    struct server *server = ctx;

    apply_first(server);
    arm_apply(server);
}

/* --- what arrives */

/* A write has come to the leader from a follower, or from a connection that is gone. */
static void float_arrives(void *ctx)
{
    struct message *m = ctx;
    struct server *origin = m->client ? m->client->server : &m->mz->servers[0];

    if (m->kind < M_MULTI || !leader_write(m, origin)) {
        struct client *client = m->client;

        message_free(m);
        if (client)
            connection_drop(client, false); /* its session is gone */
    } else if (!origin->index) {
        message_free(m); /* nobody waits */
    }
}

void message_float(struct message *m, int64_t after_ms)
{
    make_floating(m);
    timer_start(&m->timer, m->mz->loop, after_ms, float_arrives, m);
}

static void carry_out_write(struct message *m)
{
    struct client *client = m->client;
    struct model_zk *mz = m->mz;

    if (client->server->index) {
        client->busy = true;
        message_float(m, mz_range(&client->random_state, 0, mz->config.lag_max_ms));
        return;
    }
    if (!leader_write(m, client->server)) {
        message_free(m);
        connection_drop(client, false);
        return;
    }
    reply_write(m);
    message_free(m);
}

static void carry_out(struct message *m)
{
    if (m->kind <= M_CHILDREN) {
        carry_out_read(m);
        message_free(m);
    } else {
        carry_out_write(m);
    }
}

static void next_arrived(struct client *client)
{
    while (client->server && !client->busy && client->arrived) {
        struct message *m = client->arrived;

        client->arrived = m->next;
        if (!client->arrived)
            client->arrived_last = NULL;
        m->next = NULL;
        carry_out(m);
    }
}

void message_arrive(struct client *client, struct message *m)
{
    struct session *session = client->session;

    session_heard(session);
    switch (m->fate) {
    case MODEL_ZK_FAULT_LOST:
        message_free(m);
        connection_drop(client, false);
        return;
    case MODEL_ZK_FAULT_LATE:
        m->client = NULL;
        message_float(m, mz_range(&client->random_state, 0, m->mz->config.late_ms));
        connection_drop(client, false);
        return;
    case MODEL_ZK_FAULT_EXPIRE:
        message_free(m);
        session_end(session);
        return;
    case MODEL_ZK_FAULT_NONE:
    case MODEL_ZK_FAULT_APPLIED:
    case MODEL_ZK_FAULT_SLOW:
    case MODEL_ZK_FAULT_OUTLIVE:
        break;
    }
    *(client->arrived_last ? &client->arrived_last->next : &client->arrived) = m;
    client->arrived_last = m;
    next_arrived(client);
}

/* As the server does for SetWatches: what has changed since the client last heard of
 * the server fires now, the rest is watched again. */
void server_watch_again(struct client *client)
{
    struct server *server = client->server;
    int64_t since = client->seen_zxid;

    for (struct watch_entry *w = client->watches; w; w = w->next) {
        const struct znode *node = ztree_find(server->tree, w->path);

        if (!w->active)
            continue;
        if (w->child && !node)
            push_event(client, E_DELETED, w->path);
        else if (w->child && node->pzxid > since)
            push_event(client, E_CHILDREN, w->path);
        else if (w->child)
            zwatch_add(&server->watches, &client->watcher, w->path, true);
        else if (w->absent && node)
            push_event(client, E_CREATED, w->path);
        else if (!w->absent && !node)
            push_event(client, E_DELETED, w->path);
        else if (!w->absent && node->mzxid > since)
            push_event(client, E_CHANGED, w->path);
        else
            zwatch_add(&server->watches, &client->watcher, w->path, false);
    }
}

/* --- by hand */

static void drop_all(struct model_zk *mz, struct server *server)
{
    for (struct client *c = mz->clients; c; c = c->next) {
        if (c->server == server)
            connection_drop(c, false);
    }
}

void model_zk_stop(struct model_zk *mz, int server)
{
    for (int i = 0; i < mz->servers_count; i++) {
        if (server != -1 && server != i)
            continue;
        mz->servers[i].up = false;
        timer_stop(&mz->servers[i].apply);
        drop_all(mz, &mz->servers[i]);
    }
}

static void server_start(struct server *server)
{
    if (server->up)
        return;
    while (server->pending) /* it catches up before it serves */
        apply_first(server);
    server->up = true;
}

void model_zk_start(struct model_zk *mz, int server)
{
    bool was_serving = mz_serving(mz);

    for (int i = 0; i < mz->servers_count; i++) {
        if (server == -1 || server == i)
            server_start(&mz->servers[i]);
    }
    if (was_serving || !mz_serving(mz))
        return;
    STRMAP_EACH(&mz->sessions, e)
    session_heard(e->value);
    if (mz->servers_count > 1) /* a new leader, a new epoch */
        mz->zxid = ((mz->zxid >> 32) + 1) << 32;
}

enum zk_result model_zk_poke(struct model_zk *mz, const struct zk_op *ops, int count)
{
    struct message *m = NEW(struct message);
    struct ztree_header header = next_header(mz, 0, ZTREE_SUPER);
    enum zk_result result;

    m->mz = mz;
    m->ops_count = count;
    m->outcomes = mem_array((size_t)count, sizeof(struct ztree_outcome));
    leader_apply(mz, ops, count, &header, m);
    result = m->result;
    if (mz->servers_count > 1) {
        if (result == ZK_OK)
            m->ops = zk_ops_copy(ops, count);
        distribute(mz, commit_new(mz, m, &header), NULL, NULL);
    }
    message_free(m);
    return result;
}

bool model_zk_peek(struct model_zk *mz, const char *path, const char **ret_data,
                   size_t *ret_len, struct zk_stat *ret_stat)
{
    const struct znode *node = ztree_find(mz->servers[0].tree, path);

    if (!node)
        return false;
    if (ret_data)
        *ret_data = node->data;
    if (ret_len)
        *ret_len = node->data_len;
    if (ret_stat)
        *ret_stat = znode_stat(node);
    return true;
}

int model_zk_children(struct model_zk *mz, const char *path,
                      void (*each)(void *ctx, const char *leaf), void *ctx)
{
    const struct znode *node = ztree_find(mz->servers[0].tree, path);

    for (int i = 0; node && each && i < node->children_count; i++)
        each(ctx, znode_leaf(node->children[i]));
    return node ? node->children_count : -1;
}

struct history *model_zk_history(struct model_zk *mz)
{
    return mz->history;
}

int64_t model_zk_zxid(struct model_zk *mz)
{
    return mz->zxid;
}

struct model_zk_counts model_zk_counts(const struct model_zk *mz)
{
    return mz->counts;
}

void model_zk_set_delays(struct model_zk *mz, int64_t min_ms, int64_t max_ms)
{
    mz->config.delay_min_ms = min_ms;
    mz->config.delay_max_ms = max_ms;
}

void model_zk_set_faults(struct model_zk *mz, const int ppm[MODEL_ZK_FAULT_COUNT])
{
    memcpy(mz->config.faults_ppm, ppm, sizeof(mz->config.faults_ppm));
}

/* --- life */

static int64_t or_default(int64_t value, int64_t standard)
{
    return value ? value : standard;
}

static void fill_defaults(struct model_zk_config *c)
{
    if (!c->delay_min_ms && !c->delay_max_ms)
        c->delay_max_ms = 3;
    c->lag_max_ms = or_default(c->lag_max_ms, 5);
    c->session_timeout_ms = or_default(c->session_timeout_ms, 30000);
    c->tick_ms = or_default(c->tick_ms, 2000);
    c->reconnect_max_ms = or_default(c->reconnect_max_ms, 2000);
    c->slow_ms = or_default(c->slow_ms, 2000);
    c->late_ms = or_default(c->late_ms, 5000);
}

struct model_zk *model_zk_new(struct sim_loop *sim,
                              const struct model_zk_config *config)
{
    struct model_zk *mz = NEW(struct model_zk);

    *mz = (struct model_zk){
        .sim = sim,
        .loop = sim_loop_port(sim),
        .background = sim_loop_background(sim),
        .config = *config,
        .random_state = mz_hash(config->seed, 1),
        .servers_count = config->servers ? config->servers : 1,
        .zxid = INT64_C(0x100000000),
        .next_session = INT64_C(0x100000000000001),
        .history = history_new(!config->forget),
    };
    assert(mz->servers_count <= MODEL_ZK_SERVERS_MAX);
    fill_defaults(&mz->config);
    for (int i = 0; i < mz->servers_count; i++) {
        struct server *server = &mz->servers[i];

        *server = (struct server){.mz = mz, .index = i, .up = true, .zxid = mz->zxid};
        server->tree = ztree_new(on_change, server);
    }
    return mz;
}

static void server_free(struct server *server)
{
    timer_stop(&server->apply);
    while (server->pending) {
        struct pending *pending = server->pending;

        server->pending = pending->next;
        commit_unref(pending->commit);
        if (pending->message)
            message_free(pending->message);
        free(pending);
    }
    ztree_free(server->tree);
    strmap_done(&server->watches.paths); /* empty: no client is left */
}

void model_zk_free(struct model_zk *mz)
{
    if (!mz)
        return;
    while (mz->clients)
        model_zk_crash(&mz->clients->zk);
    for (int i = 0; i < mz->servers_count; i++)
        server_free(&mz->servers[i]);
    while (mz->floating)
        message_free(mz->floating);
    sessions_free(mz);
    STRMAP_EACH(&mz->digests, e)
    free(e->value);
    STRMAP_EACH(&mz->lives, e)
    {
        struct life *life = e->value;

        free(life->name);
        free(life);
    }
    strmap_done(&mz->digests);
    strmap_done(&mz->lives);
    history_free(mz->history);
    free(mz);
}
