/* test_zk_ensemble.c - the client against three servers that lose members and leaders.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/integration/zk_fixture.h"

#include "shared/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct zk_ensemble *ensemble;
static struct error err;

static int group_begin(void **state)
{
    if (zk_ensemble_start(3, 500, &ensemble, &err) < 0)
        fail_msg("%s", err.text);
    return 0;
}

static int group_end(void **state)
{
    zk_ensemble_free(ensemble);
    return 0;
}

static int member_of(const struct heard *h)
{
    int port = atoi(strrchr(h->zk->server, ':') + 1);
    for (int i = 0; i < ensemble->count; i++) {
        if (ensemble->server[i].port == port)
            return i;
    }
    fail_msg("connected to '%s'", h->zk->server);
    return -1;
}

static void bring_back(int i)
{
    if (zk_server_start(ensemble, i, &err) < 0)
        fail_msg("%s", err.text);
}

static void sessions_spread_over_the_servers(void **state)
{
    int met[3] = {0};
    for (int i = 0; i < 12; i++)
        met[member_of(session_open(ensemble->servers, NULL, 8000))]++;

    assert_true((met[0] > 0) + (met[1] > 0) + (met[2] > 0) >= 2);
}

static void sessions_watches_and_ephemerals_survive_the_leader(void **state)
{
    struct heard *h[6];
    int64_t id[6];
    int fired[6] = {0};
    struct zk_watch watch[6];
    char path[64];
    for (int i = 0; i < 6; i++) {
        h[i] = session_open(ensemble->servers, NULL, 8000);
        id[i] = h[i]->zk->session_id;
        zk_watch_init(&watch[i], on_fired, &fired[i]);
        (void)snprintf(path, sizeof(path), "/survivor-%d", i);
        assert_int_equal(ask_create(h[i], path, "", ZK_EPHEMERAL)->result, ZK_OK);
        assert_int_equal(ask_exists(h[i], "/flag", &watch[i])->result, ZK_NO_NODE);
    }
    int leader = zk_ensemble_leader(ensemble);
    assert_in_range(leader, 0, 2);

    zk_server_kill(ensemble, leader);
    for (int i = 0; i < 6; i++)
        assert_true(session_wait(h[i], ZK_SESSION_DISCONNECTED, 1, 10000));
    for (int i = 0; i < 6; i++) {
        if (!session_wait(h[i], ZK_SESSION_CONNECTED, 2, 20000))
            fail_msg("%s", zk_client_says(h[i]->zk));
        assert_int_equal(h[i]->counts[ZK_SESSION_EXPIRED], 0);
        assert_int_equal(h[i]->zk->session_id, id[i]);
        assert_int_not_equal(member_of(h[i]), leader);
    }
    for (int i = 0; i < 6; i++) {
        (void)snprintf(path, sizeof(path), "/survivor-%d", i);
        (void)ask_sync(h[0], "/");
        assert_int_equal(ask_exists(h[0], path, NULL)->stat.ephemeral_owner, id[i]);
    }

    assert_int_equal(ask_create(h[0], "/flag", "", 0)->result, ZK_OK);
    for (int i = 0; i < 6; i++)
        assert_true(run_until(&fired[i], 1, 5000));
    assert_int_equal(ask_delete(h[0], "/flag", -1)->result, ZK_OK);
    bring_back(leader);
}

static void a_session_leaves_a_frozen_member(void **state)
{
    struct zk_client_config config = {.servers = ensemble->servers,
                                      .session_timeout_ms = 6000,
                                      .connect_timeout_ms = 400};
    struct heard *h = session_new(&config);
    assert_true(session_wait(h, ZK_SESSION_CONNECTED, 1, 10000));
    int64_t id = h->zk->session_id;
    int frozen = member_of(h);

    zk_server_freeze(ensemble, frozen);
    bool moved = session_wait(h, ZK_SESSION_CONNECTED, 2, 20000);
    zk_server_thaw(ensemble, frozen);

    assert_true(moved);
    assert_int_equal(h->zk->session_id, id);
    assert_int_not_equal(member_of(h), frozen);
}

static void without_a_quorum_it_goes_on_trying_and_keeps_its_session(void **state)
{
    struct heard *h = session_open(ensemble->servers, NULL, 8000);
    int64_t id = h->zk->session_id;

    zk_server_kill(ensemble, 0);
    zk_server_kill(ensemble, 1);
    assert_true(session_wait(h, ZK_SESSION_DISCONNECTED, 1, 20000));
    run_for(3000);
    assert_false(h->zk->connected);
    assert_true(str_starts(zk_client_says(h->zk), "no server answers (tried "));
    if (zk_server_launch(ensemble, 0, &err) < 0)
        fail_msg("%s", err.text);
    bring_back(1);

    int connections = h->counts[ZK_SESSION_CONNECTED];
    assert_true(h->zk->connected ||
                session_wait(h, ZK_SESSION_CONNECTED, connections + 1, 20000));
    assert_int_equal(h->zk->session_id, id);
    assert_int_equal(h->counts[ZK_SESSION_EXPIRED], 0);
}

int main(void)
{
    zk_server_require();
#define T(f) cmocka_unit_test_setup_teardown(f, fixture_begin, fixture_end)
    const struct CMUnitTest tests[] = {
        T(sessions_spread_over_the_servers),
        T(sessions_watches_and_ephemerals_survive_the_leader),
        T(a_session_leaves_a_frozen_member),
        T(without_a_quorum_it_goes_on_trying_and_keeps_its_session),
    };
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
