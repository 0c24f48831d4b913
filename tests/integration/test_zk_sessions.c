/* test_zk_sessions.c - a thousand sessions in one process.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/integration/zk_fixture.h"

#include "shared/base/mem.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { SESSIONS = 1000 };

static struct zk_ensemble *ensemble;
static struct error err;

static int group_begin(void **state)
{
    struct rlimit files;
    (void)getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    if (zk_ensemble_start(1, 1500, &ensemble, &err) < 0)
        fail_msg("%s", err.text);
    return 0;
}

static int group_end(void **state)
{
    zk_ensemble_free(ensemble);
    return 0;
}

struct crowd {
    struct zk *zk[SESSIONS];
    int connected, disconnected, expired, created, watched, fired, failures;
};

static void on_event(void *ctx, enum zk_session_event event, bool fresh)
{
    struct crowd *crowd = ctx;
    crowd->connected += event == ZK_SESSION_CONNECTED;
    crowd->disconnected += event == ZK_SESSION_DISCONNECTED;
    crowd->expired += event == ZK_SESSION_EXPIRED;
}

static void on_created(void *ctx, const struct zk_reply *reply)
{
    struct crowd *crowd = ctx;
    crowd->created++;
    crowd->failures += reply->result != ZK_OK;
}

static void on_watched(void *ctx, const struct zk_reply *reply)
{
    struct crowd *crowd = ctx;
    crowd->watched++;
    crowd->failures += reply->result != ZK_NO_NODE;
}

static int open_files(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (dir && readdir(dir))
        count++;
    if (dir)
        (void)closedir(dir);
    return count;
}

static void a_thousand_sessions_live_in_one_process(void **state)
{
    struct crowd *crowd = NEW(struct crowd);
    struct zk_watch *watches = mem_array(SESSIONS, sizeof(*watches));
    struct zk_client_config config = {.servers = ensemble->servers, .digest = "u:p"};
    int files = open_files();

    for (int i = 0; i < SESSIONS; i++) {
        assert_int_equal(zk_client_new(el, &config, &crowd->zk[i], &err), 0);
        zk_listen(crowd->zk[i], on_event, crowd);
        zk_watch_init(&watches[i], on_fired, &crowd->fired);
    }
    assert_true(run_until(&crowd->connected, SESSIONS, 60000));
    for (int i = 0; i < SESSIONS; i++) {
        char path[32];
        (void)snprintf(path, sizeof(path), "/live-%d", i);
        (void)zk_create(crowd->zk[i], path, "x", 1, ZK_EPHEMERAL, on_created, crowd);
        (void)zk_exists(crowd->zk[i], "/whistle", &watches[i], on_watched, crowd);
    }
    assert_true(run_until(&crowd->created, SESSIONS, 60000));
    assert_true(run_until(&crowd->watched, SESSIONS, 60000));
    assert_int_equal(crowd->failures, 0);
    (void)zk_create(crowd->zk[0], "/whistle", "", 0, 0, on_created, crowd);
    assert_true(run_until(&crowd->fired, SESSIONS, 60000));
    assert_int_equal(crowd->disconnected, 0);

    zk_server_kill(ensemble, 0);
    assert_true(run_until(&crowd->disconnected, SESSIONS, 20000));
    assert_int_equal(zk_server_start(ensemble, 0, &err), 0);
    assert_true(run_until(&crowd->connected, 2 * SESSIONS, 60000));
    assert_int_equal(crowd->expired, 0);

    for (int i = 0; i < SESSIONS; i++)
        zk_free(crowd->zk[i]);
    run_for(10);
    assert_int_equal(open_files(), files);
    free(watches);
    free(crowd);
}

int main(void)
{
    zk_server_require();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_thousand_sessions_live_in_one_process,
                                        fixture_begin, fixture_end),
    };
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
