/* zk_connection.c - the connections of one session: made, watched, lost, made again.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Story. The servers' names are resolved beside the loop (zk_servers.h); the library is
 * given one numeric address at a time, so that the order, the pauses and the deadlines
 * are ours: left alone it resolves names with blocking calls, skips every second server
 * after a failure, takes two addresses that differ only in their port for the same one,
 * and spends two thirds of the session on each server that does not answer.
 *
 *   RESOLVING --address--> CONNECTING --session--> CONNECTED
 *                          |    ^                    |
 *            refused, late v    | pause over         | connection lost: 0-2 s,
 *                         PAUSING <------------------' so that a swarm is no herd
 *
 * Servers are tried in turn at once; after all of them a pause that grows. Expired: all
 * watches are gone, EXPIRED is told, the handle is closed and the next attempt makes a
 * new one, whose CONNECTED is told as fresh. Refused digest: the same, after a longer
 * pause. Servers that close each connection at once, long after the session should have
 * ended: the same (see refused_for_good).
 *
 * The library is entered only through the functions here and in zk_request.c. After
 * each entry its state is looked at (observe), because any call may have lost the
 * connection and returned ZOK. A zoo_a* that fails to send closes the socket in silence
 * and keeps what it could not send, to be sent on the next connection from the middle
 * of a packet on; sink() makes it forget: it lets the library connect, cuts that
 * connection and lets it find out, so that every request out is completed before
 * anything else happens.
 *
 * Last contact: any packet counts. The library asks for a sign of life after a third of
 * the session and gives up after two thirds of it, by a clock that stands still while
 * the host sleeps; ours does not, and cuts the connection by itself.
 *
 * Idle cost: one timer and one packet per third of the session.
 */
#include "shared/io/zk_session.h"

#include "shared/base/backoff.h"
#include "shared/base/log.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
    JITTER_MAX_MS = 2000,
    PAUSE_FIRST_MS = 500,
    PAUSE_MAX_MS = 8000,
    AUTH_PAUSE_MS = 30000,
    GIVE_UP_SESSIONS = 4, /* times the session timeout */
    PACKETS_PER_TURN = 256,
    SINK_TRIES = 8,
    STALE_MS = 1000,
};

static void on_wake(void *ctx);
static void on_fd(evutil_socket_t fd, short what, void *ctx);

/* --- the socket, which is the library's ----------------------------------------------
 */

/* At once when a socket may have been closed: its number can be another's by the next
 * turn, and libevent would take it for ours. */
static void unwatch(struct zk_session *s)
{
    if (s->fd >= 0)
        (void)event_del(&s->fd_event);
    s->fd = -1;
    s->fd_interest = 0;
}

static void watch(struct zk_session *s, int fd, int interest)
{
    short what = EV_PERSIST;
    what |= interest & ZOOKEEPER_READ ? EV_READ : 0;
    what |= interest & ZOOKEEPER_WRITE ? EV_WRITE : 0;
    if (s->fd == fd && s->fd_interest == what)
        return;
    if (s->fd != fd)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    unwatch(s);
    (void)event_assign(&s->fd_event, event_loop_base(s->el), fd, what, on_fd, s);
    (void)event_add(&s->fd_event, NULL);
    s->fd = fd;
    s->fd_interest = what;
}

static bool has_socket(const struct zk_session *s)
{
    int state = zoo_state(s->zh);
    return state == ZOO_CONNECTED_STATE || state == ZOO_CONNECTING_STATE ||
           state == ZOO_ASSOCIATING_STATE;
}

/* Reads and writes until there is nothing to do. */
static void process(struct zk_session *s, int events)
{
    for (int i = 0; i < PACKETS_PER_TURN; i++) {
        bool connected = zoo_state(s->zh) == ZOO_CONNECTED_STATE;
        errno = 0;
        int code = zookeeper_process(s->zh, events);
        int failed_with = errno;
        if (!has_socket(s))
            s->last_errno = failed_with;
        if (code != ZOK || !(events & ZOOKEEPER_READ))
            return;
        if (connected)
            s->zk.last_contact_ms = loop_now_ms(s->loop);
        events = ZOOKEEPER_READ;
    }
}

/* Ends whatever connection the library has or believes in, so that it completes all
 * that is out and drops all that is unsent (state 0 says that it has). False: it would
 * not. */
static bool sink(struct zk_session *s)
{
    unwatch(s);
    for (int i = 0; i < SINK_TRIES; i++) {
        if (is_unrecoverable(s->zh) != ZOK || zoo_state(s->zh) == 0)
            return true;
        int fd = -1, interest = 0;
        struct timeval timeout;
        (void)zookeeper_interest(s->zh, &fd, &interest, &timeout);
        if (fd < 0 || !has_socket(s))
            continue;
        (void)shutdown(fd, SHUT_RDWR);
        for (int tries = 0; tries < SINK_TRIES && has_socket(s); tries++)
            (void)zookeeper_process(s->zh, ZOOKEEPER_READ | ZOOKEEPER_WRITE);
    }
    return false;
}

/* --- attempts ------------------------------------------------------------------------
 */

static void pause_for(struct zk_session *s, int64_t ms)
{
    unwatch(s);
    s->state = ZK_STATE_PAUSING;
    timer_start(&s->wake, s->loop, ms, on_wake, s);
}

static int64_t jitter_ms(struct zk_session *s)
{
    int64_t most = s->session_timeout_ms / 15;
    return loop_random_range(s->loop, 0, most < JITTER_MAX_MS ? most : JITTER_MAX_MS);
}

static void close_handle(struct zk_session *s)
{
    unwatch(s);
    if (s->zh)
        (void)zookeeper_close(s->zh);
    s->zh = NULL;
}

static void say_reason(char *text, size_t size, int code)
{
    if (code == EHOSTDOWN || code == 0 ||
        code == EPIPE) /* the library's word for EOF */
        (void)str_copy(text, size, "closed by the server");
    else if (code == ETIMEDOUT)
        (void)str_copy(text, size, "no answer in time");
    else
        (void)str_copy(text, size, strerror(code));
    text[0] = (char)tolower((unsigned char)text[0]);
}

static void renew(struct zk_session *s, enum zk_session_event event);

/* Servers that were set up anew, or came back with older data, close the connection of
 * whoever has seen more than they have, for ever; so do servers without a quorum, for a
 * while. Long after the session should have ended the next one starts from nothing. */
static bool refused_for_good(const struct zk_session *s)
{
    return s->known_session_id != 0 && zoo_client_id(s->zh)->client_id != 0 &&
           s->last_errno == EHOSTDOWN &&
           loop_now_ms(s->loop) - s->zk.last_contact_ms >
               GIVE_UP_SESSIONS * s->session_timeout_ms;
}

static void attempt_failed(struct zk_session *s)
{
    char reason[80];
    say_reason(reason, sizeof(reason), s->last_errno);
    zk_servers_note_failure(&s->servers, reason);
    log_debug("zk", "event=attempt-failed server=%s reason=\"%s\"",
              zk_servers_current(&s->servers), reason);
    if (!zk_servers_round_over(&s->servers)) {
        pause_for(s, 0);
        return;
    }
    if (refused_for_good(s)) {
        renew(s, ZK_SESSION_EXPIRED);
        return;
    }
    int64_t most = s->session_timeout_ms / 3;
    pause_for(s, backoff_delay_ms(s->rounds++, PAUSE_FIRST_MS,
                                  most < PAUSE_MAX_MS ? most : PAUSE_MAX_MS,
                                  loop_random(s->loop)));
    zk_servers_resolve(&s->servers);
}

static void part(struct zk_session *s)
{
    if (s->state != ZK_STATE_CONNECTED)
        return;
    s->state = ZK_STATE_PAUSING;
    s->zk.connected = false;
    zk_session_tell(s, ZK_SESSION_DISCONNECTED, false);
}

/* The session is gone (or never will be, when the digest was refused). */
static void renew(struct zk_session *s, enum zk_session_event event)
{
    part(s);
    s->digest_refused = event == ZK_SESSION_AUTH_FAILED;
    close_handle(s);
    zk_session_forget_watches(s);
    zk_session_tell(s, event, false);
    pause_for(s, event == ZK_SESSION_AUTH_FAILED ? AUTH_PAUSE_MS : jitter_ms(s));
}

static void lose(struct zk_session *s)
{
    char reason[80];
    say_reason(reason, sizeof(reason), s->last_errno);
    zk_servers_note_failure(&s->servers, reason);
    bool auth_failed = zoo_state(s->zh) == ZOO_AUTH_FAILED_STATE;
    if (is_unrecoverable(s->zh) != ZOK || !sink(s)) {
        renew(s, auth_failed ? ZK_SESSION_AUTH_FAILED : ZK_SESSION_EXPIRED);
        return;
    }
    part(s);
    pause_for(s, jitter_ms(s));
    zk_servers_resolve(&s->servers);
}

static void arrive(struct zk_session *s)
{
    s->state = ZK_STATE_CONNECTED;
    s->rounds = 0;
    s->zk.last_contact_ms = loop_now_ms(s->loop);
    zk_servers_note_success(&s->servers);
    int64_t id = zoo_client_id(s->zh)->client_id;
    zk_session_tell(s, ZK_SESSION_CONNECTED, id != s->known_session_id);
    s->known_session_id = id;
}

/* After every entry into the library: what became of the connection? */
static void observe(struct zk_session *s)
{
    zk_session_sweep(s);
    if (s->zh == NULL)
        return;
    int state = zoo_state(s->zh);
    switch (s->state) {
    case ZK_STATE_RESOLVING:
    case ZK_STATE_PAUSING:
        break;
    case ZK_STATE_CONNECTING:
        if (state == ZOO_CONNECTED_STATE)
            arrive(s);
        else if (state == ZOO_EXPIRED_SESSION_STATE)
            renew(s, ZK_SESSION_EXPIRED);
        else if (state == ZOO_AUTH_FAILED_STATE)
            renew(s, ZK_SESSION_AUTH_FAILED);
        else if (!has_socket(s))
            attempt_failed(s);
        break;
    case ZK_STATE_CONNECTED:
        if (state != ZOO_CONNECTED_STATE)
            lose(s);
        break;
    }
}

static int64_t timeout_ms(const struct timeval *timeout)
{
    return (int64_t)timeout->tv_sec * 1000 + (timeout->tv_usec + 999) / 1000;
}

/* A packet moves the library's deadline a little on: to wake early now and then is
 * cheaper than to move the timer each time. */
static void wake_in(struct zk_session *s, int64_t ms)
{
    int64_t at_ms = loop_now_ms(s->loop) + ms;
    if (timer_armed(&s->wake) && s->wake.at_ms <= at_ms)
        return;
    timer_start(&s->wake, s->loop, ms, on_wake, s);
}

/* Asks the library what it waits for, and waits for that. */
static void await(struct zk_session *s)
{
    int fd = -1, interest = 0;
    struct timeval timeout = {0};
    errno = 0;
    int code = zookeeper_interest(s->zh, &fd, &interest, &timeout);
    if (code == ZOK &&
        fd < 0) { /* it wanted a pause after its last failure: we had ours */
        errno = 0;
        code = zookeeper_interest(s->zh, &fd, &interest, &timeout);
    }
    int failed_with = errno;
    if (code != ZOK || fd < 0 || !has_socket(s)) {
        s->last_errno = failed_with;
        if (has_socket(s) && !sink(s))
            close_handle(s);
        unwatch(s);
        if (s->zh == NULL)
            renew(s, ZK_SESSION_EXPIRED);
        else
            observe(s);
        return;
    }
    watch(s, fd, interest);
    int64_t ms = timeout_ms(&timeout);
    if (s->state == ZK_STATE_CONNECTING) {
        int64_t left_ms = s->give_up_at_ms - loop_now_ms(s->loop);
        ms = left_ms < ms ? left_ms : ms;
    }
    wake_in(s, ms > 0 ? ms : 0);
}

/* Looks, then waits again while there is a connection to wait for. */
void zk_connection_settle(struct zk_session *s)
{
    observe(s);
    if (s->state == ZK_STATE_CONNECTING || s->state == ZK_STATE_CONNECTED)
        await(s);
    zk_session_sweep(s);
}

static int open_handle(struct zk_session *s, const char *address)
{
    s->zh = zookeeper_init2(address, NULL, (int)s->session_timeout_ms, NULL, NULL,
                            ZOO_NO_LOG_CLIENTENV, NULL);
    if (s->zh == NULL)
        return -errno;
    s->doubled = false;
    (void)zoo_set_servers_resolution_delay(s->zh, -1);
    /* right after init and only then: the library sends it anew on each connection */
    if (s->digest && zoo_add_auth(s->zh, "digest", s->digest, (int)strlen(s->digest),
                                  NULL, NULL) != ZOK)
        return -EINVAL;
    return 0;
}

/* A list equal to the last one but for its ports would be ignored: so its length
 * changes each time. Only without a socket, else it might be closed in silence. */
static int aim_handle(struct zk_session *s, const char *address)
{
    char list[2 * ZK_SERVER_TEXT_SIZE + 1];
    s->doubled = !s->doubled;
    (void)snprintf(list, sizeof(list), s->doubled ? "%s,%s" : "%s", address, address);
    return zoo_set_servers(s->zh, list) == ZOK ? 0 : -EINVAL;
}

static void connect_next(struct zk_session *s)
{
    const char *address = zk_servers_next(&s->servers);
    if (address == NULL) {
        s->state = ZK_STATE_RESOLVING;
        zk_servers_resolve(&s->servers);
        timer_start(&s->wake, s->loop,
                    backoff_delay_ms(s->rounds++, PAUSE_FIRST_MS, PAUSE_MAX_MS,
                                     loop_random(s->loop)),
                    on_wake, s);
        return;
    }
    int r = s->zh ? aim_handle(s, address) : open_handle(s, address);
    s->state = ZK_STATE_CONNECTING;
    s->give_up_at_ms = loop_now_ms(s->loop) + s->connect_timeout_ms;
    if (r < 0) {
        s->last_errno = -r;
        attempt_failed(s);
        return;
    }
    await(s);
}

/* --- turns of the loop ---------------------------------------------------------------
 */

static void on_fd(evutil_socket_t fd, short what, void *ctx)
{
    struct zk_session *s = ctx;
    int events =
        (what & EV_READ ? ZOOKEEPER_READ : 0) | (what & EV_WRITE ? ZOOKEEPER_WRITE : 0);
    process(s, events);
    zk_connection_settle(s);
    zk_session_deliver(s);
}

/* The server has been silent for too long, or this one takes too long to answer. */
static bool overdue(const struct zk_session *s)
{
    int64_t now_ms = loop_now_ms(s->loop);
    if (s->state == ZK_STATE_CONNECTING)
        return now_ms >= s->give_up_at_ms;
    return now_ms - s->zk.last_contact_ms >= (int64_t)zoo_recv_timeout(s->zh) * 2 / 3;
}

static void on_wake(void *ctx)
{
    struct zk_session *s = ctx;
    switch (s->state) {
    case ZK_STATE_RESOLVING:
    case ZK_STATE_PAUSING:
        connect_next(s);
        break;
    case ZK_STATE_CONNECTING:
    case ZK_STATE_CONNECTED:
        process(s, ZOOKEEPER_READ); /* what has come in while we were late counts */
        if (has_socket(s) && overdue(s)) {
            bool sunk = sink(s);
            s->last_errno = ETIMEDOUT;
            if (!sunk)
                close_handle(s);
        }
        if (s->zh)
            zk_connection_settle(s);
        else
            renew(s, ZK_SESSION_EXPIRED);
        break;
    }
    zk_session_deliver(s);
}

void zk_connection_called(struct zk_session *s)
{
    if (zoo_state(s->zh) != ZOO_CONNECTED_STATE) {
        s->last_errno = 0;
        unwatch(s);
    }
    zk_session_deliver_later(s);
}

void zk_connection_start(struct zk_session *s)
{
    zk_servers_resolve(&s->servers);
    pause_for(s, 0);
}

/* The library waits up to 1.5 s for the server to confirm; a server that owes us
 * answers for long is not asked. */
void zk_connection_end(struct zk_session *s)
{
    timer_stop(&s->wake);
    if (s->fd >= 0 && s->requests_out > 0 &&
        loop_now_ms(s->loop) - s->zk.last_contact_ms > STALE_MS)
        (void)shutdown(s->fd, SHUT_RDWR);
    close_handle(s);
}
