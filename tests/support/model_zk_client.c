/* model_zk_client.c - a ZooKeeper in memory: a client's session behind shared/io/zk.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Everything that a client sees is an item of its inbox, one per turn, in order:
 * replies, watch events, the news of its connection, and results made on its own side.
 * An item's callback may free the client: after it nothing of the client is touched.
 *
 *   waits --connect--> handshake --CONNECTED--> connected --DISCONNECTED--> waits
 *                          \------EXPIRED-------------------(new session)---> waits
 */
#include "tests/support/model_zk_internal.h"

#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <stdlib.h>
#include <string.h>

enum {
    REQUEST_BYTES_MAX = 1048575,
    OP_BYTES = 60, /* of an operation besides its path and data, about */
    MULTI_OPS_MAX = 4096,
    PATH_BYTES_MAX = 1000,
    RETRY_MIN_MS = 50,
};

static void become_disconnected(struct client *client);

const char *model_zk_fault_text(enum model_zk_fault fault)
{
    static const char *const texts[] = {
        [MODEL_ZK_FAULT_NONE] = "none",       [MODEL_ZK_FAULT_LOST] = "lost",
        [MODEL_ZK_FAULT_APPLIED] = "applied", [MODEL_ZK_FAULT_LATE] = "late",
        [MODEL_ZK_FAULT_EXPIRE] = "expire",   [MODEL_ZK_FAULT_SLOW] = "slow",
        [MODEL_ZK_FAULT_OUTLIVE] = "outlive",
    };

    return texts[fault];
}

void client_observe(struct client *client, const struct model_zk_request *request)
{
    const struct model_zk_config *config = &client->mz->config;

    if (config->on_request)
        config->on_request(config->ctx, &client->zk, request);
}

/* --- inbox */

void item_free(struct item *item)
{
    for (int i = 0; i < item->outcomes_count; i++)
        free(item->outcomes[i].path);
    free(item->outcomes);
    free(item->children);
    free(item->names);
    free(item->data);
    free(item->path);
    free(item);
}

static void take_item(void *ctx);

void client_in_arm(struct client *client)
{
    struct loop *loop = client->mz->loop;

    if (!client->in || (client->in->remote && client->cut))
        timer_stop(&client->in_timer);
    else
        timer_start(&client->in_timer, loop, client->in->at_ms - loop_now_ms(loop),
                    take_item, client);
}

void client_push(struct client *client, struct item *item)
{
    const struct model_zk_config *config = &client->mz->config;
    bool first = !client->in;

    item->at_ms = loop_now_ms(client->mz->loop);
    if (item->remote)
        item->at_ms +=
            mz_range(&client->random_state, config->delay_min_ms, config->delay_max_ms);
    if (!first && client->in_last->at_ms > item->at_ms)
        item->at_ms = client->in_last->at_ms;
    *(first ? &client->in : &client->in_last->next) = item;
    client->in_last = item;
    if (first)
        client_in_arm(client);
}

void client_lose_inbox(struct client *client, int keep)
{
    struct item *list = client->in;

    client->in = client->in_last = NULL;
    while (list) {
        struct item *item = list;

        list = item->next;
        item->next = NULL;
        if (item->remote && keep-- <= 0) {
            item_free(item);
            continue;
        }
        *(client->in_last ? &client->in_last->next : &client->in) = item;
        client->in_last = item;
    }
    client_in_arm(client);
}

/* --- watches */

static void entry_remove(struct client *client, struct watch_entry *entry)
{
    entry->watch->armed = NULL;
    if (entry->request)
        entry->request->watch = NULL;
    *(entry->prev ? &entry->prev->next : &client->watches) = entry->next;
    if (entry->next)
        entry->next->prev = entry->prev;
    free(entry->path);
    free(entry);
}

static void entry_add(struct client *client, struct zk_watch *watch,
                      struct zk_request *request)
{
    struct watch_entry *entry = NEW(struct watch_entry);

    if (watch->armed)
        entry_remove(client, watch->armed);
    *entry = (struct watch_entry){
        .watch = watch,
        .path = mem_strdup(request->path),
        .child = request->kind == M_CHILDREN,
        .request = request,
        .next = client->watches,
    };
    if (entry->next)
        entry->next->prev = entry;
    client->watches = entry;
    request->watch = entry;
    watch->armed = entry;
}

/* A watch stands only if its request succeeded (exists: also where nothing is). */
static void entry_settle(struct client *client, struct zk_request *request,
                         enum zk_result result)
{
    struct watch_entry *entry = request->watch;
    bool absent = request->kind == M_EXISTS && result == ZK_NO_NODE;

    if (!entry)
        return;
    request->watch = NULL;
    entry->request = NULL;
    entry->active = true;
    entry->absent = absent;
    if (result != ZK_OK && !absent)
        entry_remove(client, entry);
}

static bool entry_hit(const struct watch_entry *entry, const struct item *item)
{
    bool of_child = item->event == E_CHILDREN || item->event == E_DELETED;

    if (!entry->active || strcmp(entry->path, item->path) != 0)
        return false;
    return entry->child ? of_child : item->event != E_CHILDREN;
}

static void fire_entries(struct client *client, const struct item *item)
{
    struct model_zk *mz = client->mz;
    struct watch_entry *entry;

    for (entry = client->watches; entry; entry = entry->next)
        entry->firing = entry_hit(entry, item);
    while (mz->current == client) {
        for (entry = client->watches; entry && !entry->firing; entry = entry->next)
            ;
        if (!entry)
            return;
        struct zk_watch *watch = entry->watch;
        entry_remove(client, entry);
        watch->fn(watch->ctx);
    }
}

/* --- requests */

static void request_free(struct client *client, struct zk_request *request)
{
    *(request->prev ? &request->prev->next : &client->outstanding) = request->next;
    *(request->next ? &request->next->prev : &client->outstanding_last) = request->prev;
    free(request->path);
    free(request);
}

static void push_local(struct client *client, struct zk_request *request,
                       enum zk_result result)
{
    struct item *item = NEW(struct item);

    request->answered = true;
    *item = (struct item){
        .kind = I_LOCAL, .request = request, .result = result, .failed = -1};
    client_push(client, item);
}

static bool valid_part(const char *part, size_t len)
{
    if (len == 0 || (len == 1 && part[0] == '.') ||
        (len == 2 && part[0] == '.' && part[1] == '.'))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (part[i] < 0x20 || part[i] > 0x7e)
            return false;
    }
    return true;
}

static bool valid_path(const char *path)
{
    if (!path || path[0] != '/' || strlen(path) >= PATH_BYTES_MAX)
        return false;
    for (const char *at = path; *at && path[1];) {
        size_t len = strcspn(at + 1, "/");

        if (!valid_part(at + 1, len))
            return false;
        at += 1 + len;
    }
    return true;
}

/* As the real client: with a digest all that is made is its owner's only. */
static bool valid_op(const struct client *client, const struct zk_op *op)
{
    const int known = ZK_EPHEMERAL | ZK_SEQUENTIAL | ZK_PROTECTED;

    if (!valid_path(op->path) || (!op->data && op->data_len))
        return false;
    switch (op->kind) {
    case ZK_OP_CREATE:
        return op->path[1] && !(op->flags & ~known) &&
               (client->digest[0] || !(op->flags & ZK_PROTECTED));
    case ZK_OP_DELETE:
        return op->path[1] && op->version >= -1;
    case ZK_OP_SET:
    case ZK_OP_CHECK:
        return op->version >= -1;
    }
    return false;
}

static enum zk_result check_ops(const struct client *client, const struct zk_op *ops,
                                int count)
{
    size_t bytes = 16;

    if (count <= 0 || count > MULTI_OPS_MAX)
        return ZK_INVALID;
    for (int i = 0; i < count; i++) {
        if (!valid_op(client, &ops[i]))
            return ZK_INVALID;
        bytes += OP_BYTES + strlen(ops[i].path) + ops[i].data_len;
    }
    return bytes > REQUEST_BYTES_MAX ? ZK_TOO_BIG : ZK_OK;
}

static enum model_zk_fault draw_fate(struct client *client, uint64_t number,
                                     uint64_t *ret_id)
{
    struct model_zk *mz = client->mz;
    uint64_t id = mz_hash(client->name_hash, number);
    int64_t draw = (int64_t)(mz_hash(mz->config.seed, id) % 1000000);

    *ret_id = id;
    for (int fault = 1; fault < MODEL_ZK_FAULT_COUNT; fault++) {
        draw -= mz->config.faults_ppm[fault];
        if (draw < 0)
            return (enum model_zk_fault)fault;
    }
    return MODEL_ZK_FAULT_NONE;
}

static enum model_zk_fault choose_fate(struct client *client, uint64_t number)
{
    struct model_zk *mz = client->mz;
    uint64_t id;
    enum model_zk_fault fate = draw_fate(client, number, &id);

    if (mz->config.choose_fault)
        fate = mz->config.choose_fault(mz->config.ctx, id, client->name, fate);
    if (fate == MODEL_ZK_FAULT_NONE)
        return fate;
    mz->counts.faults++;
    mz->counts.faults_by[fate]++;
    client->counts.faults++;
    client->counts.faults_by[fate]++;
    return fate;
}

static void out_arrives(void *ctx)
{
    struct client *client = ctx;
    struct message *m = client->out;

    client->out = m->next;
    if (!client->out)
        client->out_last = NULL;
    m->next = NULL;
    client_out_arm(client);
    message_arrive(client, m);
}

void client_out_arm(struct client *client)
{
    struct loop *loop = client->mz->loop;

    if (!client->out || client->cut)
        timer_stop(&client->out_timer);
    else
        timer_start(&client->out_timer, loop, client->out->at_ms - loop_now_ms(loop),
                    out_arrives, client);
}

struct zk_op *zk_ops_copy(const struct zk_op *ops, int count)
{
    size_t bytes = (size_t)count * sizeof(*ops);

    for (int i = 0; i < count; i++)
        bytes += strlen(ops[i].path) + 1 + ops[i].data_len + 1;
    struct zk_op *copy = mem_resize(NULL, 1, bytes);
    char *at = (char *)(copy + count);
    for (int i = 0; i < count; i++) {
        copy[i] = ops[i];
        copy[i].path = at;
        at = stpcpy(at, ops[i].path) + 1;
        copy[i].data = at;
        if (ops[i].data_len)
            memcpy(at, ops[i].data, ops[i].data_len);
        at += ops[i].data_len;
        *at++ = '\0';
    }
    return copy;
}

static void post_message(struct client *client, struct message *m)
{
    const struct model_zk_config *config = &client->mz->config;

    m->mz = client->mz;
    m->client = client;
    m->session = client->session->id;
    m->digest = client->digest;
    m->failed = -1;
    m->fate = choose_fate(client, m->number);
    m->at_ms =
        loop_now_ms(client->mz->loop) +
        mz_range(&client->random_state, config->delay_min_ms, config->delay_max_ms);
    if (m->fate == MODEL_ZK_FAULT_SLOW)
        m->at_ms += mz_range(&client->random_state, 1, config->slow_ms);
    if (client->out_last && client->out_last->at_ms > m->at_ms)
        m->at_ms = client->out_last->at_ms;
    *(client->out_last ? &client->out_last->next : &client->out) = m;
    client->out_last = m;
    if (client->out == m)
        client_out_arm(client);
}

static struct zk_request *submit(struct client *client, enum message_kind kind,
                                 const char *path, const struct zk_op *ops, int count,
                                 struct zk_watch *watch, zk_done_f done, void *ctx)
{
    struct zk_request *request = NEW(struct zk_request);
    enum zk_result refusal = ZK_OK;

    if (kind == M_MULTI || kind == M_SINGLE)
        refusal = check_ops(client, ops, count);
    else if (!valid_path(path))
        refusal = ZK_INVALID;
    if (kind == M_SINGLE && ops->kind == ZK_OP_CHECK)
        refusal = ZK_INVALID;
    if (refusal == ZK_OK && !client->zk.connected)
        refusal = ZK_NOT_CONNECTED;
    *request = (struct zk_request){
        .done = done,
        .ctx = ctx,
        .kind = kind,
        .number = ++client->requests,
        .path = mem_strdup(path ? path : ""),
        .refusal = refusal,
        .ops_count = kind == M_MULTI ? count : 0,
        .prev = client->outstanding_last,
    };
    *(request->prev ? &request->prev->next : &client->outstanding) = request;
    client->outstanding_last = request;
    if (watch && refusal == ZK_OK)
        entry_add(client, watch, request);
    client_observe(client, &(struct model_zk_request){.number = request->number,
                                                      .moment = MODEL_ZK_SENT,
                                                      .path = request->path,
                                                      .ops = ops,
                                                      .ops_count = count});
    if (refusal != ZK_OK) {
        push_local(client, request, refusal);
    } else if (client->server) { /* else: the connection is dead, the client will see */
        struct message *m = NEW(struct message);

        m->kind = kind;
        m->request = request;
        m->number = request->number;
        m->watch = watch != NULL;
        if (count) {
            m->ops = zk_ops_copy(ops, count);
            m->ops_count = count;
        } else {
            m->path = mem_strdup(path);
        }
        post_message(client, m);
    }
    return request;
}

/* --- what a client sees */

/* As the real client tells it: of a failed multi only the guilty operation has a reason
 * of its own, the others did not happen; of an ambiguous one nothing is known. */
static struct zk_op_reply *op_replies(const struct zk_request *request,
                                      const struct item *item)
{
    int count = request->refusal == ZK_OK ? request->ops_count : 0;
    struct zk_op_reply *replies = mem_array((size_t)count, sizeof(struct zk_op_reply));

    for (int i = 0; i < count; i++) {
        if (!item->outcomes)
            replies[i].result = item->result;
        else if (item->result == ZK_OK)
            replies[i] = (struct zk_op_reply){.stat = item->outcomes[i].stat,
                                              .path = item->outcomes[i].path};
        else
            replies[i].result = i == item->failed ? item->result : ZK_SERVER_ERROR;
    }
    return replies;
}

static void see_result(struct client *client, struct item *item)
{
    struct zk_request *request = item->request;
    zk_done_f done = request->cancelled ? NULL : request->done;
    struct zk_op_reply *ops = op_replies(request, item);
    struct zk_reply reply = {
        .result = item->result,
        .stat = item->stat,
        .data = item->data,
        .data_len = item->data_len,
        .path = item->path,
        .children = item->children,
        .children_count = item->children_count,
        .ops = request->ops_count ? ops : NULL,
        .ops_count = request->refusal == ZK_OK ? request->ops_count : 0,
        .failed_op = item->failed,
    };
    void *ctx = request->ctx;

    entry_settle(client, request, item->result);
    if (done && !request->answered)
        client_observe(client, &(struct model_zk_request){.number = request->number,
                                                          .moment = MODEL_ZK_REPLIED,
                                                          .path = request->path});
    request_free(client, request);
    if (done)
        done(ctx, &reply);
    free(ops);
}

static void tell(struct client *client, enum zk_session_event event, bool fresh)
{
    if (client->zk.listener)
        client->zk.listener(client->zk.listener_ctx, event, fresh);
}

static void try_connect(void *ctx);

static void connect_later(struct client *client)
{
    struct model_zk *mz = client->mz;

    timer_start(&client->connect, mz->loop,
                mz_range(&client->random_state, RETRY_MIN_MS,
                         RETRY_MIN_MS + mz->config.reconnect_max_ms),
                try_connect, client);
}

static void try_connect(void *ctx)
{
    struct client *client = ctx;
    struct model_zk *mz = client->mz;
    int64_t pick = mz_range(&client->random_state, 0, mz->servers_count - 1);

    for (int i = 0; i < mz->servers_count; i++) {
        if (connection_open(client, &mz->servers[(pick + i) % mz->servers_count]))
            return;
    }
    connect_later(client);
}

static void push_told(struct client *client, enum zk_session_event event)
{
    struct item *item = NEW(struct item);

    *item = (struct item){.kind = I_LISTENER, .told = event};
    client_push(client, item);
}

/* All that is out ends ambiguous, each in a turn of its own; the owner hears of the
 * connection before or after that: both happen. */
static void become_disconnected(struct client *client)
{
    bool was = client->zk.connected;
    bool first = mz_range(&client->random_state, 0, 1) != 0;

    client->zk.connected = false;
    client->zk.server[0] = '\0';
    timer_stop(&client->ping);
    if (was && first)
        push_told(client, ZK_SESSION_DISCONNECTED);
    for (struct zk_request *r = client->outstanding; r; r = r->next) {
        if (!r->answered)
            push_local(client, r, ZK_AMBIGUOUS);
    }
    if (was && !first)
        push_told(client, ZK_SESSION_DISCONNECTED);
    connect_later(client);
}

/* A ping every third of the timeout; without any answer for two thirds the client gives
 * the connection up. */
static void ping(void *ctx)
{
    struct client *client = ctx;
    struct model_zk *mz = client->mz;
    int64_t timeout_ms = mz->config.session_timeout_ms;
    int64_t now_ms = loop_now_ms(mz->background);
    int64_t silent_ms;

    if (client->server && !client->cut) {
        session_heard(client->session);
        client->zk.last_contact_ms = now_ms;
        client->counts.pings++;
        mz->counts.pings++;
    }
    silent_ms = now_ms - client->zk.last_contact_ms;
    if (silent_ms >= timeout_ms * 2 / 3) {
        connection_drop(client, false);
        client_lose_inbox(client, 0);
        become_disconnected(client);
        return;
    }
    int64_t left_ms = timeout_ms * 2 / 3 - silent_ms;
    timer_start(&client->ping, mz->background,
                left_ms < timeout_ms / 3 ? left_ms : timeout_ms / 3, ping, client);
}

static void see_connected(struct client *client, const struct item *item)
{
    client->zk.connected = true;
    client->zk.session_id = item->session;
    STR_COPY(client->zk.server, item->server);
    timer_start(
        &client->ping, client->mz->background,
        mz_range(&client->random_state, 1, client->mz->config.session_timeout_ms / 3),
        ping, client);
    tell(client, ZK_SESSION_CONNECTED, item->fresh);
}

static void see_expired(struct client *client)
{
    while (client->watches)
        entry_remove(client, client->watches);
    client->zk.session_id = 0;
    client->seen_zxid = 0;
    connect_later(client);
    tell(client, ZK_SESSION_EXPIRED, false);
}

static void see(struct client *client, struct item *item)
{
    switch (item->kind) {
    case I_REPLY:
    case I_LOCAL:
        see_result(client, item);
        break;
    case I_EVENT:
        fire_entries(client, item);
        break;
    case I_CONNECTED:
        see_connected(client, item);
        break;
    case I_EXPIRED:
        see_expired(client);
        break;
    case I_DISCONNECTED:
        become_disconnected(client);
        break;
    case I_LISTENER:
        tell(client, item->told, false);
        break;
    }
}

static void take_item(void *ctx)
{
    struct client *client = ctx;
    struct model_zk *mz = client->mz;
    struct item *item = client->in;

    client->in = item->next;
    if (!client->in)
        client->in_last = NULL;
    client_in_arm(client);
    if (item->remote && item->kind != I_DISCONNECTED) {
        client->zk.last_contact_ms = loop_now_ms(mz->loop);
        if (item->zxid > client->seen_zxid)
            client->seen_zxid = item->zxid;
    }
    mz->current = client;
    see(client, item);
    mz->current = NULL;
    item_free(item);
}

/* --- the port */

static void free_client(struct client *client)
{
    struct model_zk *mz = client->mz;

    connection_drop(client, false);
    while (client->in) {
        struct item *item = client->in;

        client->in = item->next;
        item_free(item);
    }
    while (client->watches)
        entry_remove(client, client->watches);
    while (client->outstanding)
        request_free(client, client->outstanding);
    timer_stop(&client->in_timer);
    timer_stop(&client->out_timer);
    timer_stop(&client->connect);
    timer_stop(&client->ping);
    *(client->prev ? &client->prev->next : &mz->clients) = client->next;
    *(client->next ? &client->next->prev : &mz->clients_last) = client->prev;
    if (mz->current == client)
        mz->current = NULL;
    free(client->name);
    free(client);
}

void model_zk_crash(struct zk *zk)
{
    free_client((struct client *)zk);
}

static void op_free(struct zk *zk)
{
    connection_close((struct client *)zk);
    free_client((struct client *)zk);
}

static struct zk_request *op_get(struct zk *zk, const char *path,
                                 struct zk_watch *watch, zk_done_f done, void *ctx)
{
    return submit((struct client *)zk, M_GET, path, NULL, 0, watch, done, ctx);
}

static struct zk_request *op_exists(struct zk *zk, const char *path,
                                    struct zk_watch *watch, zk_done_f done, void *ctx)
{
    return submit((struct client *)zk, M_EXISTS, path, NULL, 0, watch, done, ctx);
}

static struct zk_request *op_children(struct zk *zk, const char *path,
                                      struct zk_watch *watch, zk_done_f done, void *ctx)
{
    return submit((struct client *)zk, M_CHILDREN, path, NULL, 0, watch, done, ctx);
}

static struct zk_request *op_multi(struct zk *zk, const struct zk_op *ops, int count,
                                   zk_done_f done, void *ctx)
{
    const char *path = count > 0 ? ops[0].path : NULL;

    return submit((struct client *)zk, M_MULTI, path, ops, count, NULL, done, ctx);
}

static struct zk_request *op_single(struct zk *zk, const struct zk_op *op,
                                    zk_done_f done, void *ctx)
{
    return submit((struct client *)zk, M_SINGLE, op->path, op, 1, NULL, done, ctx);
}

static struct zk_request *op_sync(struct zk *zk, const char *path, zk_done_f done,
                                  void *ctx)
{
    return submit((struct client *)zk, M_SYNC, path, NULL, 0, NULL, done, ctx);
}

static void op_cancel(struct zk *zk, struct zk_request *request)
{
    request->cancelled = true;
    if (request->watch)
        entry_remove((struct client *)zk, request->watch);
}

static void op_disarm(struct zk *zk, struct zk_watch *watch)
{
    entry_remove((struct client *)zk, watch->armed);
}

static const struct zk_ops client_ops = {
    .free = op_free,
    .get = op_get,
    .exists = op_exists,
    .children = op_children,
    .multi = op_multi,
    .single = op_single,
    .sync = op_sync,
    .cancel = op_cancel,
    .disarm = op_disarm,
};

static const char *intern(struct model_zk *mz, const char *digest)
{
    char *copy = strmap_get(&mz->digests, digest);

    if (!copy) {
        copy = mem_strdup(digest);
        strmap_add(&mz->digests, copy, copy);
    }
    return copy;
}

/* A restarted process has its predecessor's name, but another fate. */
static uint64_t next_life(struct model_zk *mz, const char *name)
{
    struct life *life = strmap_get(&mz->lives, name);

    if (!life) {
        life = NEW(struct life);
        life->name = mem_strdup(name);
        strmap_add(&mz->lives, life->name, life);
    }
    return mz_hash(strmap_hash(name), life->count++);
}

struct zk *model_zk_connect(struct model_zk *mz, const char *name, const char *digest)
{
    struct client *client = NEW(struct client);

    client->zk.ops = &client_ops;
    client->mz = mz;
    client->name = mem_strdup(name);
    client->digest = intern(mz, digest ? digest : "");
    client->name_hash = next_life(mz, name);
    client->random_state = mz_hash(mz->config.seed, client->name_hash);
    client->prev = mz->clients_last;
    *(client->prev ? &client->prev->next : &mz->clients) = client;
    mz->clients_last = client;
    timer_start(&client->connect, mz->loop,
                mz_range(&client->random_state, mz->config.delay_min_ms,
                         mz->config.delay_max_ms),
                try_connect, client);
    return &client->zk;
}

int64_t model_zk_seen_zxid(struct zk *zk)
{
    return ((struct client *)zk)->seen_zxid;
}

struct model_zk_counts model_zk_client_counts(struct zk *zk)
{
    return ((struct client *)zk)->counts;
}
