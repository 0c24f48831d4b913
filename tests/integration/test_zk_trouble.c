/* test_zk_trouble.c - the client when servers die, freeze, forget it or never answer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/integration/zk_fixture.h"

#include "shared/base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct zk_ensemble *ensemble;
static struct error err;

static int group_begin(void **state)
{
    if (zk_ensemble_start(1, 500, &ensemble, &err) < 0)
        fail_msg("%s", err.text);
    return 0;
}

static int group_end(void **state)
{
    zk_ensemble_free(ensemble);
    return 0;
}

static void restart(void)
{
    if (zk_server_start(ensemble, 0, &err) < 0)
        fail_msg("%s", err.text);
}

static int64_t now_ms(void)
{
    return loop_now_ms(event_loop_port(el));
}

static void what_was_out_when_the_server_was_killed_is_ambiguous(void **state)
{
    struct heard *h = session_open(ensemble->servers, NULL, 8000);
    int64_t id = h->zk->session_id;
    int fired = 0;
    struct zk_watch watch;
    zk_watch_init(&watch, on_fired, &fired);
    (void)ask_create(h, "/killed", "", 0);
    (void)ask_exists(h, "/killed", &watch);
    struct answer out[3] = {{0}}, refused = {0};

    zk_server_freeze(ensemble, 0); /* so that nothing is answered before the kill */
    (void)zk_set(h->zk, "/killed", "x", 1, 0, on_answer, &out[0]);
    struct zk_op op = {.kind = ZK_OP_CREATE, .path = "/killed/c"};
    (void)zk_multi(h->zk, &op, 1, on_answer, &out[1]);
    (void)zk_get(h->zk, "/killed", NULL, on_answer, &out[2]);
    struct zk_request *cancelled = zk_sync(h->zk, "/", on_answer, &refused);
    zk_cancel(h->zk, cancelled);
    zk_server_kill(ensemble, 0);

    assert_true(session_wait(h, ZK_SESSION_DISCONNECTED, 1, 5000));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(out[i].times, 1);
        assert_int_equal(out[i].result, ZK_AMBIGUOUS);
    }
    assert_int_equal(out[1].op_results[0], ZK_AMBIGUOUS);
    assert_int_equal(out[1].failed_op, -1);
    assert_int_equal(ask_get(h, "/", NULL)->result, ZK_NOT_CONNECTED);
    run_for(1500);
    assert_non_null(strstr(zk_client_says(h->zk), "connection refused"));

    restart();
    assert_true(session_wait(h, ZK_SESSION_CONNECTED, 2, 10000));
    assert_int_equal(h->zk->session_id, id);
    assert_false(h->fresh[h->count - 1]);
    assert_int_equal(refused.times, 0);
    assert_int_equal(fired, 0);
    assert_int_equal(ask_delete(h, "/killed", -1)->result, ZK_OK);
    assert_true(run_until(&fired, 1, 5000)); /* the watch survived */
}

static void a_frozen_server_is_left_after_two_thirds_of_the_session(void **state)
{
    struct zk_client_config config = {.servers = ensemble->servers,
                                      .session_timeout_ms = 3000,
                                      .connect_timeout_ms = 200};
    struct heard *h = session_new(&config);
    assert_true(session_wait(h, ZK_SESSION_CONNECTED, 1, 10000));
    struct answer out = {0};
    int64_t from_ms = now_ms();

    zk_server_freeze(ensemble, 0);
    (void)zk_get(h->zk, "/", NULL, on_answer, &out);
    assert_true(session_wait(h, ZK_SESSION_DISCONNECTED, 1, 6000));

    assert_in_range(now_ms() - from_ms, 1500, 3000);
    assert_int_equal(out.result, ZK_AMBIGUOUS);
    assert_in_range(now_ms() - h->zk->last_contact_ms, 1500, 3500);
    run_for(800); /* the kernel accepts for it: only our own timer notices */
    assert_non_null(strstr(zk_client_says(h->zk), "no answer in time"));
    zk_server_thaw(ensemble, 0);
    assert_true(session_wait(h, ZK_SESSION_CONNECTED, 2, 10000));
}

static void a_frozen_server_is_noticed_by_an_idle_session_too(void **state)
{
    struct heard *h = session_open(ensemble->servers, NULL, 3000);
    run_for(2500);
    assert_int_equal(h->count, 1);
    assert_in_range(now_ms() - h->zk->last_contact_ms, 0, 1500); /* pings count */

    zk_server_freeze(ensemble, 0);
    bool noticed = session_wait(h, ZK_SESSION_DISCONNECTED, 1, 4000);
    zk_server_thaw(ensemble, 0);

    assert_true(noticed);
    assert_true(session_wait(h, ZK_SESSION_CONNECTED, 2, 10000));
}

static void a_frozen_server_does_not_hold_up_the_end_of_a_session(void **state)
{
    struct heard *h = session_open(ensemble->servers, NULL, 8000);
    struct answer never = {0};

    zk_server_freeze(ensemble, 0);
    (void)zk_get(h->zk, "/", NULL, on_answer, &never);
    run_for(1200);
    int64_t from_ms = now_ms();
    session_close(h);
    int64_t took_ms = now_ms() - from_ms;
    zk_server_thaw(ensemble, 0);

    assert_in_range(took_ms, 0, 300);
    assert_int_equal(never.times, 0);
}

static void an_expired_session_is_followed_by_a_fresh_one(void **state)
{
    struct heard *h = session_open(ensemble->servers, NULL, 1000);
    struct heard *other = session_open(ensemble->servers, NULL, 8000);
    int64_t id = h->zk->session_id;
    int fired = 0;
    struct zk_watch watch[2];
    zk_watch_init(&watch[0], on_fired, &fired);
    zk_watch_init(&watch[1], on_fired, &fired);
    (void)ask_create(h, "/expiring", "", ZK_EPHEMERAL);
    (void)ask_get(h, "/expiring", &watch[0]);
    (void)ask_children(h, "/", &watch[1]);

    usleep(3500 * 1000); /* nobody runs the loop: no pings, the server expires us */
    assert_true(session_wait(h, ZK_SESSION_CONNECTED, 2, 10000));

    assert_int_equal(h->counts[ZK_SESSION_EXPIRED], 1);
    assert_int_equal(h->events[1], ZK_SESSION_DISCONNECTED);
    assert_int_equal(h->events[2], ZK_SESSION_EXPIRED);
    assert_int_equal(h->events[3], ZK_SESSION_CONNECTED);
    assert_true(h->fresh[3]);
    assert_int_not_equal(h->zk->session_id, id);
    assert_null(watch[0].armed);
    assert_null(watch[1].armed);
    assert_int_equal(ask_exists(h, "/expiring", NULL)->result, ZK_NO_NODE);
    zk_disarm(h->zk, &watch[0]);
    assert_int_equal(ask_create(h, "/expiring", "", ZK_EPHEMERAL)->result, ZK_OK);
    assert_int_equal(ask_exists(h, "/expiring", &watch[0])->result, ZK_OK);
    assert_int_equal(ask_delete(other, "/expiring", -1)->result, ZK_OK);
    assert_true(run_until(&fired, 1, 5000));
}

static void
the_digest_is_known_to_the_next_connection_and_the_next_session(void **state)
{
    struct heard *h = session_open(ensemble->servers, "u:p", 1000);
    assert_int_equal(ask_create(h, "/owned", "", 0)->result, ZK_OK);

    zk_server_kill(ensemble, 0);
    restart();
    assert_true(session_wait(h, ZK_SESSION_CONNECTED, 2, 10000));
    assert_int_equal(ask_set(h, "/owned", "1", -1)->result, ZK_OK);
    int before = h->counts[ZK_SESSION_EXPIRED], connections = h->counts[0];
    usleep(3500 * 1000);
    assert_true(session_wait(h, ZK_SESSION_CONNECTED, connections + 1, 10000));

    assert_int_equal(h->counts[ZK_SESSION_EXPIRED], before + 1);
    assert_int_equal(ask_set(h, "/owned", "2", -1)->result, ZK_OK);
    assert_int_equal(ask_delete(h, "/owned", -1)->result, ZK_OK);
}

static void a_refused_digest_is_told_and_the_rest_is_silence(void **state)
{
    zk_server_kill(ensemble, 0);
    ensemble->java_option = "-Dzookeeper.DigestAuthenticationProvider.enabled=false";
    restart();
    struct zk_client_config config = {.servers = ensemble->servers, .digest = "u:p"};
    struct heard *h = session_new(&config);
    bool told = session_wait(h, ZK_SESSION_AUTH_FAILED, 1, 10000);
    run_for(500);
    zk_server_kill(ensemble, 0);
    ensemble->java_option = NULL;
    restart();

    assert_true(told);
    assert_false(h->zk->connected);
    assert_int_equal(h->counts[ZK_SESSION_AUTH_FAILED], 1);
    assert_int_equal(h->counts[ZK_SESSION_EXPIRED], 0);
    assert_int_equal(h->events[h->count - 1], ZK_SESSION_AUTH_FAILED);
    assert_non_null(strstr(zk_client_says(h->zk), "digest"));
    assert_int_equal(ask_get(h, "/", NULL)->result, ZK_NOT_CONNECTED);
}

static void servers_that_were_set_up_anew_get_a_fresh_session(void **state)
{
    struct heard *h = session_open(ensemble->servers, NULL, 1000);
    for (int i = 0; i < 20; i++)
        assert_int_equal(ask_set(h, "/", "x", -1)->result, ZK_OK);

    zk_server_kill(ensemble, 0);
    if (zk_server_wipe(ensemble, 0, &err) < 0)
        fail_msg("%s", err.text);
    restart(); /* it has seen less than the session: it closes its connections */

    assert_true(session_wait(h, ZK_SESSION_EXPIRED, 1, 15000));
    assert_true(session_wait(h, ZK_SESSION_CONNECTED, 2, 5000));
    assert_true(h->fresh[h->count - 1]);
    assert_int_equal(ask_exists(h, "/", NULL)->result, ZK_OK);
}

/* Accepts by the kernel, never answers; with full, its queue is full and even SYNs are
 * dropped. */
static int black_hole(int fillers[3], bool full, int *ret_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, full ? 0 : 128), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    for (int i = 0; i < 3; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (full)
            (void)connect(fillers[i], (struct sockaddr *)&at, sizeof(at));
    }
    *ret_port = ntohs(at.sin_port);
    return fd;
}

static void black_holed_first(bool full)
{
    int port, fillers[3];
    int hole = black_hole(fillers, full, &port);
    char servers[128];
    (void)snprintf(servers, sizeof(servers), "127.0.0.1:%d,%s", port,
                   ensemble->servers);
    struct zk_client_config config = {.servers = servers, .connect_timeout_ms = 300};
    int64_t slowest_ms = 0;

    for (int i = 0; i < 16; i++) { /* the order is random: some meet the hole first */
        int64_t from_ms = now_ms();
        struct heard *h = session_new(&config);
        assert_true(session_wait(h, ZK_SESSION_CONNECTED, 1, 10000));
        int64_t took_ms = now_ms() - from_ms;
        slowest_ms = took_ms > slowest_ms ? took_ms : slowest_ms;
        session_close(h);
    }

    assert_in_range(slowest_ms, 300, 1500);
    for (int i = 0; i < 3; i++)
        (void)close(fillers[i]);
    (void)close(hole);
}

static void a_server_that_never_answers_costs_the_connect_timeout(void **state)
{
    black_holed_first(false);
}

static void a_server_whose_packets_are_lost_costs_the_connect_timeout(void **state)
{
    black_holed_first(true);
}

static void names_are_resolved_and_an_unknown_one_is_no_harm(void **state)
{
    char servers[256];
    int port = ensemble->server[0].port;
    (void)snprintf(servers, sizeof(servers), "no-such-host.invalid:%d,localhost:%d",
                   port, port);
    struct heard *h = session_open(servers, NULL, 4000);

    assert_int_equal(ask_exists(h, "/", NULL)->result, ZK_OK);
    assert_true(str_ends(h->zk->server, ensemble->servers + strlen("127.0.0.1")));
}

static void unknown_names_alone_are_said_by_name(void **state)
{
    struct zk_client_config config = {.servers = "no-such-host.invalid:2181"};
    struct heard *h = session_new(&config);

    for (int i = 0; i < 100 && !strstr(zk_client_says(h->zk), "no-such-host"); i++)
        run_for(100);

    assert_non_null(strstr(zk_client_says(h->zk), "no-such-host.invalid: "));
    assert_int_equal(ask_get(h, "/", NULL)->result, ZK_NOT_CONNECTED);
    assert_int_equal(h->count, 0);
}

static void a_refused_connection_is_said_and_tried_again(void **state)
{
    char address[64];
    (void)STR_COPY(address, ensemble->servers);
    zk_server_kill(ensemble, 0);
    struct zk_client_config config = {.servers = address};
    struct heard *h = session_new(&config);

    run_for(300);
    assert_non_null(strstr(zk_client_says(h->zk), address));
    assert_non_null(strstr(zk_client_says(h->zk), "connection refused"));
    restart();
    assert_true(session_wait(h, ZK_SESSION_CONNECTED, 1, 20000));
}

int main(void)
{
    zk_server_require();
#define T(f) cmocka_unit_test_setup_teardown(f, fixture_begin, fixture_end)
    const struct CMUnitTest tests[] = {
        T(what_was_out_when_the_server_was_killed_is_ambiguous),
        T(a_frozen_server_is_left_after_two_thirds_of_the_session),
        T(a_frozen_server_is_noticed_by_an_idle_session_too),
        T(a_frozen_server_does_not_hold_up_the_end_of_a_session),
        T(an_expired_session_is_followed_by_a_fresh_one),
        T(the_digest_is_known_to_the_next_connection_and_the_next_session),
        T(a_refused_digest_is_told_and_the_rest_is_silence),
        T(servers_that_were_set_up_anew_get_a_fresh_session),
        T(a_server_that_never_answers_costs_the_connect_timeout),
        T(a_server_whose_packets_are_lost_costs_the_connect_timeout),
        T(names_are_resolved_and_an_unknown_one_is_no_harm),
        T(unknown_names_alone_are_said_by_name),
        T(a_refused_connection_is_said_and_tried_again),
    };
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
