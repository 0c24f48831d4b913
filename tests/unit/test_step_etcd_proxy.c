/* test_step_etcd_proxy.c - step etcd-proxy on a fake host.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/cleanup.h"
#include "shared/base/fs.h"
#include "shared/base/str.h"
#include "shared/model/render.h"
#include "tests/unit/step_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNIT "clowder-etcd-proxy.service"
#define UNIT_FILE "root/etc/systemd/system/" UNIT
#define OPTIONS "'listen':['http://127.0.0.1:{P}'],'data_dir':'{W}/var/etcd-proxy'"
#define SPEC_WITH(more) "{'steps':{'etcd-proxy':{" OPTIONS "," more "}}}"
#define SPEC SPEC_WITH("'binary':{'path':'{W}/bin/etcd'}")

static const char etcd[] = "#!/bin/sh\necho 'etcd Version: 3.4.23'\n";

/* The unit runs: its port answers, by the process that systemd names. */
static const char on_start[] = "mkdir -p $W/var/etcd-proxy/proxy\n"
                               "touch $W/up\n"
                               "while ! [ -f $W/is-up ]; do sleep 0.02; done\n";

static int begin(void **state)
{
    char text[32];

    world_begin(state);
    world_spec(STEP_ETCD_PROXY, SPEC);
    snprintf(text, sizeof(text), "%d\n", (int)world.server);
    world_write("pids/" UNIT, 0644, text);
    world_write("hooks/" UNIT, 0644, on_start);
    world_write("bin/etcd", 0755, etcd);
    world_write("http/tcp/_health", 0644, "200 {\"health\": \"true\"}");
    world_write("http/tcp/_v2_config_local_proxy", 0644,
                "200 {\"endpoints\":[\"http://10.0.0.7:1026\"]}");
    world_write("http/tcp/_v2_keys_", 0644, "200 {\"action\":\"get\"}");
    return 0;
}

static void assert_ok(int r)
{
    if (r < 0)
        fail_msg("%d: %s (%s)", r, world.err.text, world.judgement.says);
}

static void the_unit_is_written_enabled_and_started(void **state)
{
    _cleanup_(freep) char *text = render_etcd_unit(world.spec);

    assert_ok(world_visit());

    world_assert_file(UNIT_FILE, text, 0644);
    assert_true(world_did("daemon-reload"));
    assert_true(world_did("enable " UNIT));
    assert_int_equal(world.asks, 0);
    assert_string_equal(world.says, "proxy to 1 member");
}

static void a_second_rollout_changes_nothing(void **state)
{
    assert_ok(world_visit());
    world_forget();

    assert_ok(world_visit());

    assert_int_equal(world.judgement.finding, FINDING_RIGHT);
    assert_int_equal(world.saves, 0);
    assert_int_equal(world_restarts(UNIT), 1);
}

static void revert_leaves_nothing(void **state)
{
    assert_ok(world_visit());

    assert_ok(world_revert());

    assert_false(fs_exists(world_path(UNIT_FILE)));
    assert_false(fs_exists(world_path("var/etcd-proxy")));
    assert_true(fs_exists(world_path("bin/etcd")));
    assert_true(world_did("stop " UNIT));
    assert_true(world_did("disable " UNIT));
    assert_false(fs_exists(world_path("units/" UNIT)));
    assert_int_equal(json_object_size(world.journal), 0);
    world_forget();
    assert_ok(world_observe());
    assert_int_equal(world.judgement.finding, FINDING_ABSENT);
}

/* A later rollout, or --set of an undo, may name a directory that others use. */
static void revert_keeps_what_others_have_in_the_data_directory(void **state)
{
    assert_ok(world_visit());
    world_write("var/theirs/member/wal", 0600, "x");
    world_write("var/theirs/proxy/cluster", 0600, "{}");
    world_spec(STEP_ETCD_PROXY,
               "{'steps':{'etcd-proxy':{'listen':['http://127.0.0.1:{P}'],'data_dir':"
               "'{W}/var/theirs','binary':{'path':'{W}/bin/etcd'}}}}");

    assert_ok(world_revert());

    world_assert_file("var/theirs/member/wal", "x", 0600);
    assert_false(fs_exists(world_path("var/theirs/proxy")));
}

static void a_unit_that_somebody_changed_is_not_even_stopped(void **state)
{
    assert_ok(world_visit());
    world_write(UNIT_FILE, 0644, "[Service]\nExecStart=/bin/theirs\n");
    world_write("acts", 0644, "");

    world.env.undoes = true;
    assert_int_equal(world_revert(), -ESTALE);

    assert_false(world_did("stop " UNIT));
    assert_false(world_did("disable " UNIT));
    world.env.force = true;
    assert_ok(world_revert());
    assert_false(fs_exists(world_path(UNIT_FILE)));
}

static void revert_puts_back_an_earlier_unit(void **state)
{
    _cleanup_(freep) char *before = NULL;

    assert_ok(world_visit());
    assert_int_equal(fs_read(world_path(UNIT_FILE), 65536, &before, NULL, NULL), 0);
    world_forget();
    world_spec(STEP_ETCD_PROXY,
               SPEC_WITH("'binary':{'path':'{W}/bin/etcd'},'cluster':'a=http://h:1'"));
    assert_ok(world_visit());
    assert_int_equal(world.judgement.finding, FINDING_STALE);

    assert_ok(world_revert());

    world_assert_file(UNIT_FILE, before, 0644);
    assert_true(fs_exists(world_path("var/etcd-proxy")));
    assert_int_equal(world_restarts(UNIT), 3); /* install, renew, back again */
}

static void use_archive(void)
{
    char command[512];

    world_spec(STEP_ETCD_PROXY,
               SPEC_WITH("'binary':{'url':'file://{W}/from/etcd-v3.4.tar.gz'}"));
    world_write("from/etcd-v3.4/etcd", 0755, etcd);
    world_write("from/etcd-v3.4/README-etcd", 0644, "x");
    world_write("from/etcd-v3.4/Documentation/x", 0644, "x");
    snprintf(command, sizeof(command),
             "cd %s && tar -czf 'etcd-v3.4.tar.gz' ./etcd-v3.4", world_path("from"));
    assert_int_equal(system(command), 0);
}

static void the_binary_comes_out_of_an_archive(void **state)
{
    use_archive();

    assert_ok(world_visit());

    world_assert_file("var/bin/etcd", etcd, 0755);
    assert_false(fs_exists(world_path("state/unpack")));
    world_forget();
    assert_ok(world_visit());
    assert_int_equal(world.judgement.finding, FINDING_RIGHT);

    world_forget();
    world_write("var/bin/etcd", 0755, "#!/bin/sh\nexit 1\n");
    assert_ok(world_visit());
    assert_int_equal(world.judgement.finding, FINDING_STALE);
    world_assert_file("var/bin/etcd", etcd, 0755);
}

static void a_fetched_binary_is_taken_away_again(void **state)
{
    use_archive();
    assert_ok(world_visit());

    assert_ok(world_revert());

    assert_false(fs_exists(world_path("var/bin")));
    assert_false(fs_exists(world_path("var/etcd-proxy")));
}

/* It failed before its first change: what runs is not even stopped. */
static void a_download_that_fails_stops_no_proxy_that_runs(void **state)
{
    use_archive();
    assert_ok(world_visit());
    world_forget();
    world_spec(STEP_ETCD_PROXY,
               SPEC_WITH("'binary':{'url':'file://{W}/from/none.tar.gz'}"));
    assert_int_equal(world_visit(), -ENOENT);
    world_write("acts", 0644, "");

    assert_ok(world_revert());

    assert_false(world_did("stop " UNIT));
    world_assert_file("var/bin/etcd", etcd, 0755);
    assert_int_equal(json_object_size(world.journal), 0);
}

static void an_archive_without_etcd_is_refused(void **state)
{
    use_archive();
    world_spec(STEP_ETCD_PROXY,
               SPEC_WITH("'binary':{'url':'file://{W}/from/empty.tar'}"));
    assert_int_equal(unlink(world_path("from/etcd-v3.4/etcd")), 0);
    char command[512];
    snprintf(command, sizeof(command), "cd %s && tar -cf empty.tar ./etcd-v3.4",
             world_path("from"));
    assert_int_equal(system(command), 0);

    assert_int_equal(world_visit(), -ENOENT);

    assert_non_null(strstr(world.err.text, "holds no file \"etcd\""));
}

static void each_proof_names_what_fails(void **state)
{
    assert_ok(world_visit());

    world_write("http/tcp/_v2_config_local_proxy", 0644, "200 {\"endpoints\":[]}");
    assert_true(world_visit() < 0);
    assert_non_null(strstr(world.err.text, "found no member"));
    world_write("http/tcp/_v2_config_local_proxy", 0644, "200 {\"endpoints\":[\"x\"]}");

    assert_int_equal(unlink(world_path("http/tcp/_v2_keys_")), 0);
    world_write("http/tcp/_v2_keys_", 0644,
                "503 {\"message\":\"proxy: zero endpoints\"}");
    assert_true(world_visit() < 0);
    assert_non_null(strstr(world.err.text, "503: proxy: zero endpoints"));

    world_write("http/tcp/_health", 0644, "503 {\"health\": \"false\"}");
    assert_true(world_visit() < 0);
    assert_non_null(strstr(world.err.text, "GET /health: HTTP status 503"));
}

static void a_gateway_is_proved_through_the_v3_api_too(void **state)
{
    world_spec(STEP_ETCD_PROXY, SPEC_WITH("'binary':{'path':'{W}/bin/etcd'},'mode':"
                                          "'gateway','endpoints':['10.0.0.1:2379']"));
    assert_int_equal(unlink(world_path("http/tcp/_v2_keys_")), 0);
    assert_int_equal(unlink(world_path("http/tcp/_v2_config_local_proxy")), 0);
    assert_true(world_visit() < 0); /* no API at all */
    world_write("http/tcp/_v3beta_kv_range", 0644, "200 {\"header\":{}}");

    assert_ok(world_visit());
}

static void a_record_of_dead_peers_is_removed(void **state)
{
    assert_ok(world_visit());
    world_forget();
    world_write("var/etcd-proxy/proxy/cluster", 0600,
                "{\"PeerURLs\":[\"http://127.0.0.1:1\",\"http://127.0.0.1:2\"]}");
    world_write("http/tcp/_health", 0644, "503 {\"health\": \"false\"}");

    (void)world_visit(); /* etcd stays unhealthy here */

    assert_int_equal(world.judgement.finding, FINDING_STALE);
    assert_non_null(strstr(world.judgement.says, "no recorded etcd peer answers"));
    assert_false(fs_exists(world_path("var/etcd-proxy/proxy/cluster")));
    assert_true(world_did("stop " UNIT));
}

static void a_record_with_a_live_peer_stays(void **state)
{
    char text[128];

    assert_ok(world_visit());
    world_forget();
    snprintf(text, sizeof(text),
             "{\"PeerURLs\":[\"http://127.0.0.1:1\",\"http://127.0.0.1:%d\"]}",
             world.port);
    world_write("var/etcd-proxy/proxy/cluster", 0600, text);
    world_write("http/tcp/_health", 0644, "503 {\"health\": \"false\"}");

    (void)world_visit();

    assert_non_null(strstr(world.judgement.says, "does not answer through it"));
    assert_true(fs_exists(world_path("var/etcd-proxy/proxy/cluster")));
}

static void refuses(const char *says)
{
    assert_ok(world_observe());
    assert_int_equal(world.judgement.finding, FINDING_FOREIGN);
    if (!strstr(world.judgement.says, says))
        fail_msg("\"%s\" does not say \"%s\"", world.judgement.says, says);
}

static void what_stands_on_the_host_is_refused_by_name(void **state)
{
    char who[64];

    world_up(); /* by a process that is not our unit */
    snprintf(who, sizeof(who), "port %d is taken by test_step_etcd_", world.port);
    refuses(who);
    snprintf(who, sizeof(who), "(pid %d)", (int)world.server);
    refuses(who);
    assert_int_equal(unlink(world_path("up")), 0);
    while (fs_exists(world_path("is-up")))
        usleep(10000);

    world_write(UNIT_FILE, 0644, "[Service]\nExecStart=/bin/true\n");
    refuses("was not written by clowder");
    assert_int_equal(unlink(world_path(UNIT_FILE)), 0);

    world_write("var/etcd-proxy/member/x", 0644, "");
    refuses("holds an etcd member");
    assert_int_equal(fs_remove_tree(world_path("var"), NULL), 0);

    world_write("bin/etcd", 0755, "#!/bin/sh\necho 'etcd Version: 3.6.1'\n");
    refuses("etcd 3.6.1 has no proxy mode");
    assert_int_equal(unlink(world_path("bin/etcd")), 0);
    refuses("there is no etcd at");
}

static void a_crash_at_any_save_is_finished(void **state)
{
    for (int how = CRASH_AFTER_SAVE; how <= CRASH_BEFORE_SAVE; how++) {
        world_end(state);
        begin(state);
        world.crash = (enum crash)how;
        world.crash_at = 1;
        assert_true(world_visit() < 0);
        world.crash = CRASH_NEVER;

        assert_ok(world_visit());
        assert_ok(world_revert());

        assert_false(fs_exists(world_path(UNIT_FILE)));
        assert_false(fs_exists(world_path("var/etcd-proxy")));
    }
}

static void cancelled_at_any_step_it_can_be_taken_up(void **state)
{
    for (int at = 1;; at++) {
        world_end(state);
        begin(state);
        world.cancel_at = at;
        if (world_visit() == 0) {
            assert_true(at > 8);
            return;
        }
        world.cancel_at = 0;

        assert_ok(world_visit());
        assert_ok(world_revert());

        assert_false(fs_exists(world_path(UNIT_FILE)));
        assert_false(fs_exists(world_path("var/etcd-proxy")));
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_unit_is_written_enabled_and_started),
        T(a_second_rollout_changes_nothing),
        T(revert_leaves_nothing),
        T(revert_keeps_what_others_have_in_the_data_directory),
        T(a_unit_that_somebody_changed_is_not_even_stopped),
        T(revert_puts_back_an_earlier_unit),
        T(the_binary_comes_out_of_an_archive),
        T(a_fetched_binary_is_taken_away_again),
        T(a_download_that_fails_stops_no_proxy_that_runs),
        T(an_archive_without_etcd_is_refused),
        T(each_proof_names_what_fails),
        T(a_gateway_is_proved_through_the_v3_api_too),
        T(a_record_of_dead_peers_is_removed),
        T(a_record_with_a_live_peer_stays),
        T(what_stands_on_the_host_is_refused_by_name),
        T(a_crash_at_any_save_is_finished),
        T(cancelled_at_any_step_it_can_be_taken_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
