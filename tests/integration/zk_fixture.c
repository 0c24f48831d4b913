/* zk_fixture.c - a loop and sessions of the real client against real servers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/integration/zk_fixture.h"

#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <stdlib.h>
#include <string.h>

enum { SESSIONS_MAX = 16, ANSWER_MS = 20000 };

struct event_loop *el;
static struct heard *sessions[SESSIONS_MAX];
static struct timer deadline, poll;
static const int *awaited;
static int awaited_value;

int fixture_begin(void **state)
{
    struct error err;
    if (event_loop_new(&el, &err) < 0)
        fail_msg("%s", err.text);
    deadline = poll = (struct timer){0};
    return 0;
}

int fixture_end(void **state)
{
    for (int i = 0; i < SESSIONS_MAX; i++)
        session_close(sessions[i]);
    timer_stop(&deadline);
    timer_stop(&poll);
    event_loop_free(el);
    return 0;
}

static void on_deadline(void *ctx)
{
    event_loop_stop(el, 1);
}

/* A look every few ms, so that no callback has to know who waits. */
static void on_poll(void *ctx)
{
    if (awaited && *awaited >= awaited_value)
        event_loop_stop(el, 0);
    else
        timer_start(&poll, event_loop_port(el), 2, on_poll, NULL);
}

bool run_until(const int *counter, int wanted, int ms)
{
    awaited = counter;
    awaited_value = wanted;
    timer_start(&deadline, event_loop_port(el), ms, on_deadline, NULL);
    timer_start(&poll, event_loop_port(el), 0, on_poll, NULL);
    int code = event_loop_run(el);
    timer_stop(&deadline);
    timer_stop(&poll);
    awaited = NULL;
    return code == 0;
}

void run_for(int ms)
{
    (void)run_until(NULL, 1, ms);
}

static void on_event(void *ctx, enum zk_session_event event, bool fresh)
{
    struct heard *h = ctx;
    assert_in_range(h->count, 0, EVENTS_MAX - 1);
    h->events[h->count] = event;
    h->fresh[h->count++] = fresh;
    h->counts[event]++;
}

struct heard *session_new(const struct zk_client_config *config)
{
    struct heard *h = NEW(struct heard);
    struct error err;
    if (zk_client_new(el, config, &h->zk, &err) < 0)
        fail_msg("%s", err.text);
    zk_listen(h->zk, on_event, h);
    for (int i = 0; i < SESSIONS_MAX; i++) {
        if (sessions[i] == NULL) {
            sessions[i] = h;
            return h;
        }
    }
    fail_msg("too many sessions");
    return NULL;
}

bool session_wait(struct heard *h, enum zk_session_event event, int times, int ms)
{
    return run_until(&h->counts[event], times, ms);
}

struct heard *session_open(const char *servers, const char *digest,
                           int session_timeout_ms)
{
    struct zk_client_config config = {
        .servers = servers, .digest = digest, .session_timeout_ms = session_timeout_ms};
    struct heard *h = session_new(&config);
    if (!session_wait(h, ZK_SESSION_CONNECTED, 1, ANSWER_MS))
        fail_msg("not connected to '%s': %s", servers, zk_client_says(h->zk));
    return h;
}

void session_close(struct heard *h)
{
    if (h == NULL)
        return;
    for (int i = 0; i < SESSIONS_MAX; i++) {
        if (sessions[i] == h)
            sessions[i] = NULL;
    }
    zk_free(h->zk);
    free(h);
}

void on_answer(void *ctx, const struct zk_reply *reply)
{
    struct answer *a = ctx;
    int times = a->times;
    *a = (struct answer){.times = times + 1,
                         .result = reply->result,
                         .stat = reply->stat,
                         .data_len = reply->data_len,
                         .children_count = reply->children_count,
                         .ops_count = reply->ops_count,
                         .failed_op = reply->failed_op};
    if (reply->data)
        (void)STR_COPY(a->data, reply->data);
    if (reply->path)
        (void)STR_COPY(a->path, reply->path);
    for (int i = 0; i < reply->children_count && i < CHILDREN_MAX; i++)
        (void)STR_COPY(a->children[i], reply->children[i]);
    for (int i = 0; i < reply->ops_count && i < 16; i++) {
        a->op_results[i] = reply->ops[i].result;
        a->op_stats[i] = reply->ops[i].stat;
        if (reply->ops[i].path)
            (void)STR_COPY(a->op_paths[i], reply->ops[i].path);
    }
}

void on_fired(void *ctx)
{
    (*(int *)ctx)++;
}

static struct answer last;

static struct answer *begin(void)
{
    last = (struct answer){0};
    return &last;
}

/* The callback may not have run from inside the call. */
static const struct answer *finish(const struct zk_request *request)
{
    assert_non_null(request);
    assert_int_equal(last.times, 0);
    if (!run_until(&last.times, 1, ANSWER_MS))
        fail_msg("no answer");
    assert_int_equal(last.times, 1);
    return &last;
}

const struct answer *ask_get(struct heard *h, const char *path, struct zk_watch *watch)
{
    return finish(zk_get(h->zk, path, watch, on_answer, begin()));
}

const struct answer *ask_exists(struct heard *h, const char *path,
                                struct zk_watch *watch)
{
    return finish(zk_exists(h->zk, path, watch, on_answer, begin()));
}

const struct answer *ask_children(struct heard *h, const char *path,
                                  struct zk_watch *watch)
{
    return finish(zk_children(h->zk, path, watch, on_answer, begin()));
}

const struct answer *ask_create(struct heard *h, const char *path, const char *data,
                                int flags)
{
    size_t len = data ? strlen(data) : 0;
    return finish(zk_create(h->zk, path, data, len, flags, on_answer, begin()));
}

const struct answer *ask_set(struct heard *h, const char *path, const char *data,
                             int32_t version)
{
    return finish(zk_set(h->zk, path, data, strlen(data), version, on_answer, begin()));
}

const struct answer *ask_delete(struct heard *h, const char *path, int32_t version)
{
    return finish(zk_delete(h->zk, path, version, on_answer, begin()));
}

const struct answer *ask_multi(struct heard *h, const struct zk_op *ops, int count)
{
    return finish(zk_multi(h->zk, ops, count, on_answer, begin()));
}

const struct answer *ask_sync(struct heard *h, const char *path)
{
    return finish(zk_sync(h->zk, path, on_answer, begin()));
}
