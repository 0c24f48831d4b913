/* zk_client.c - one session with ZooKeeper: its start, its end, and what it tells.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Story: zk_connection.c keeps a connection up, zk_request.c asks; both put what the
 * owner is to hear into the queue of deliveries, in the order in which it happened. The
 * queue is drained here, last in a turn of the loop and outside the library, so that a
 * callback may ask, cancel, disarm and free the session.
 */
#include "shared/io/zk_session.h"

#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SESSION_TIMEOUT_MS = 30000, CONNECT_TIMEOUT_MS = 3000 };

static void on_turn(void *ctx);

void zk_session_tell(struct zk_session *s, enum zk_session_event event, bool fresh)
{
    struct zk_session_notice *notice = NEW(struct zk_session_notice);
    notice->delivery.kind = ZK_DELIVER_EVENT;
    notice->event = event;
    notice->fresh = fresh;
    zk_deliveries_put(&s->deliveries, &notice->delivery);
    zk_session_deliver_later(s);
}

void zk_session_deliver_later(struct zk_session *s)
{
    if (!timer_armed(&s->turn))
        timer_start(&s->turn, s->loop, 0, on_turn, s);
}

static void tell_event(struct zk_session *s, const struct zk_session_notice *notice)
{
    if (notice->event == ZK_SESSION_CONNECTED) {
        s->zk.connected = s->state == ZK_STATE_CONNECTED;
        s->zk.session_id = s->known_session_id;
        const char *server = zk_servers_current(&s->servers);
        (void)STR_COPY(s->zk.server, server ? server : "");
    }
    if (notice->event == ZK_SESSION_DISCONNECTED)
        s->zk.server[0] = '\0';
    if (s->zk.listener)
        s->zk.listener(s->zk.listener_ctx, notice->event, notice->fresh);
}

static void tell_reply(struct zk_request *r)
{
    if (r->arm)
        r->arm->request = NULL;
    r->arm = NULL;
    r->done(r->ctx, &r->reply);
    zk_request_free(r);
}

static void tell_watch(struct zk_session *s, struct zk_arm *arm)
{
    struct zk_watch *fired = arm->watch;
    zk_session_drop_arm(s, arm);
    fired->fn(fired->ctx);
}

/* Last in its turn: any callback may free the session. */
void zk_session_deliver(struct zk_session *s)
{
    bool freed = false;
    s->ret_freed = &freed;
    uint64_t before_turn = ++s->deliveries.turn;
    struct zk_delivery *d;
    while (!freed && (d = zk_deliveries_take(&s->deliveries, before_turn))) {
        switch (d->kind) {
        case ZK_DELIVER_EVENT:
            tell_event(s, (struct zk_session_notice *)d);
            free(d);
            break;
        case ZK_DELIVER_REPLY:
            tell_reply((struct zk_request *)d);
            break;
        case ZK_DELIVER_WATCH:
            tell_watch(s, (struct zk_arm *)d);
            break;
        }
    }
    if (freed)
        return;
    s->ret_freed = NULL;
    if (s->deliveries.first)
        zk_session_deliver_later(s);
}

static void on_turn(void *ctx)
{
    struct zk_session *s = ctx;
    if (s->state == ZK_STATE_CONNECTED)
        zk_connection_settle(s);
    zk_session_deliver(s);
}

static void on_servers_change(void *ctx)
{
    struct zk_session *s = ctx;
    if (s->state == ZK_STATE_RESOLVING && s->servers.addresses_count > 0)
        zk_connection_start(s);
}

static size_t acl_size(const struct ACL_vector *acl)
{
    size_t bytes = 4;
    for (int i = 0; i < acl->count; i++)
        bytes += 12 + strlen(acl->data[i].id.scheme) + strlen(acl->data[i].id.id);
    return bytes;
}

int zk_client_new(struct event_loop *el, const struct zk_client_config *config,
                  struct zk **ret, struct error *err)
{
    if (config->digest &&
        (strchr(config->digest, ':') == NULL || config->digest[0] == ':'))
        return error_set(err, -EINVAL,
                         "zookeeper digest: not of the form 'user:password'");
    struct zk_session *s = NEW(struct zk_session);
    int r =
        zk_servers_init(&s->servers, el, config->servers, on_servers_change, s, err);
    if (r < 0) {
        free(s);
        return r;
    }
    zoo_set_debug_level((ZooLogLevel)0); /* it would write to our stderr */
    s->zk.ops = &zk_request_ops;
    s->el = el;
    s->loop = event_loop_port(el);
    s->digest = mem_strdup(config->digest);
    s->session_timeout_ms =
        config->session_timeout_ms ? config->session_timeout_ms : SESSION_TIMEOUT_MS;
    s->connect_timeout_ms =
        config->connect_timeout_ms ? config->connect_timeout_ms : CONNECT_TIMEOUT_MS;
    s->acl = config->digest ? &ZOO_CREATOR_ALL_ACL : &ZOO_OPEN_ACL_UNSAFE;
    s->acl_bytes = acl_size(s->acl);
    s->fd = -1;
    zk_connection_start(s);
    *ret = &s->zk;
    return 0;
}

static void drop_deliveries(struct zk_session *s)
{
    struct zk_delivery *d;
    while ((d = zk_deliveries_take(&s->deliveries, UINT64_MAX))) {
        switch (d->kind) {
        case ZK_DELIVER_EVENT:
            free(d);
            break;
        case ZK_DELIVER_REPLY:
            zk_request_free((struct zk_request *)d);
            break;
        case ZK_DELIVER_WATCH:
            zk_session_drop_arm(s, (struct zk_arm *)d);
            break;
        }
    }
}

void zk_session_free(struct zk *zk)
{
    struct zk_session *s = (struct zk_session *)zk;
    if (s->ret_freed)
        *s->ret_freed = true;
    s->closing = true;
    timer_stop(&s->turn);
    zk_connection_end(s);
    zk_session_forget_watches(s);
    drop_deliveries(s);
    zk_servers_done(&s->servers);
    free(s->digest);
    free(s);
}

const char *zk_client_says(struct zk *zk)
{
    struct zk_session *s = (struct zk_session *)zk;
    char tried[400];
    zk_servers_say(&s->servers, tried, sizeof(tried));
    if (s->zk.connected)
        (void)snprintf(s->says, sizeof(s->says), "connected to %s", s->zk.server);
    else if (s->digest_refused)
        (void)STR_COPY(s->says, "the servers refuse the digest: is the 'digest' scheme "
                                "enabled on them?");
    else if (tried[0] != '\0')
        (void)snprintf(s->says, sizeof(s->says), "no server answers (tried %s)", tried);
    else if (s->state == ZK_STATE_RESOLVING)
        (void)STR_COPY(s->says, "resolving the servers' names");
    else
        (void)snprintf(s->says, sizeof(s->says), "connecting to %s",
                       zk_servers_current(&s->servers) ? zk_servers_current(&s->servers)
                                                       : "the servers");
    return s->says;
}
