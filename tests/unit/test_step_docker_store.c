/* test_step_docker_store.c - step docker-cluster-store on a fake host.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/fs.h"
#include "tests/unit/step_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNIT "docker.service"
#define FILE_NAME "etc/docker/daemon.json"
#define OPTIONS "'daemon_json':'{W}/" FILE_NAME "'"
#define ENDPOINTS "'etcd':{'endpoints':['http://127.0.0.1:{P}']}"
#define SPEC "{" ENDPOINTS ",'steps':{'docker-cluster-store':{" OPTIONS "}}}"
#define SPEC_WITH(more)                                                                \
    "{" ENDPOINTS ",'steps':{'docker-cluster-store':{" OPTIONS "," more "}}}"

static const char original[] = "{\n  \"log-driver\": \"journald\",\n"
                               "  \"storage-driver\": \"overlay2\"\n}\n";

/* Docker reads the file when it starts. */
static const char on_restart[] =
    "take() { sed -n \"s/.*\\\"$1\\\": *\\\"\\([^\\\"]*\\)\\\".*/\\1/p\" "
    "$W/" FILE_NAME " 2>/dev/null; }\n"
    "s=$(take cluster-store) a=$(take cluster-advertise)\n"
    "printf '200 {\"ServerVersion\":\"20.10.24\",\"ClusterStore\":\"%s\","
    "\"ClusterAdvertise\":\"%s\",\"Swarm\":{\"LocalNodeState\":\"inactive\"}}' "
    "\"$s\" \"$a\" > $W/http/docker/_info.new\n"
    "mv $W/http/docker/_info.new $W/http/docker/_info\n"
    "rm -f $W/http/docker/DOWN\n";

static int begin(void **state)
{
    world_begin(state);
    world_spec(STEP_DOCKER_STORE, SPEC);
    world_unit(UNIT, "active");
    world.asked_unit = UNIT;
    world_write("hooks/" UNIT, 0644, on_restart);
    world_write("hooks/" UNIT ".hup", 0644, on_restart);
    world_write("http/docker/_info", 0644,
                "200 {\"ServerVersion\":\"20.10.24\",\"Swarm\":{\"LocalNodeState\":"
                "\"inactive\"}}");
    world_write("http/docker/__ping", 0644, "200 OK");
    world_write("http/docker/_networks", 0644, "200 []");
    world_write("http/tcp/_v2_keys_", 0644, "200 {\"action\":\"get\"}");
    world_write(FILE_NAME, 0600, original);
    world_up();
    return 0;
}

static void assert_ok(int r)
{
    if (r < 0)
        fail_msg("%d: %s", r, world.err.text);
}

static void assert_merged(void)
{
    char text[512];

    snprintf(text, sizeof(text),
             "{\n  \"log-driver\": \"journald\",\n  \"storage-driver\": \"overlay2\",\n"
             "  \"cluster-store\": \"etcd://127.0.0.1:%d\"\n}\n",
             world.port);
    world_assert_file(FILE_NAME, text, 0600);
}

static void the_key_is_added_and_docker_restarted_once(void **state)
{
    assert_ok(world_visit());

    assert_merged();
    assert_int_equal(world_restarts(UNIT), 1);
    assert_int_equal(world.asks, 1);
    assert_int_equal(world.restarts_when_asked, 0); /* asked before the act */
    assert_true(world_did("reset-failed " UNIT));
}

static void a_second_rollout_changes_nothing_even_with_always(void **state)
{
    assert_ok(world_visit());
    world_forget();
    world_spec(STEP_DOCKER_STORE, SPEC_WITH("'restart':'always'"));

    assert_ok(world_visit());

    assert_int_equal(world.judgement.finding, FINDING_RIGHT);
    assert_int_equal(world.saves, 0);
    assert_int_equal(world_restarts(UNIT), 1);
}

static void a_first_store_is_taken_by_a_reload(void **state)
{
    world_spec(STEP_DOCKER_STORE, SPEC_WITH("'advertise':'auto'"));
    world_write("http/tcp/_v2_keys_docker_nodes_127.0.0.1:2375", 0644,
                "200 {\"node\":{}}");

    assert_ok(world_visit());

    assert_int_equal(world_restarts(UNIT), 0);
    assert_int_equal(world.asks, 0);
    assert_true(world_did("kill -s HUP --kill-who=main " UNIT));
    assert_non_null(strstr(world.says, "reloaded"));
}

/* What a reload gave it stays until its next start: that is none of what it had. */
static void a_store_that_an_attempt_before_has_left_is_not_what_was_before(void **state)
{
    world_spec(STEP_DOCKER_STORE, SPEC_WITH("'advertise':'auto'"));
    world_write("http/tcp/_v2_keys_docker_nodes_127.0.0.1:2375", 0644,
                "200 {\"node\":{}}");
    assert_ok(world_visit());
    assert_ok(world_revert());
    assert_int_equal(world_restarts(UNIT), 0);
    world_forget();
    assert_ok(world_visit());

    world.env.undoes = true;
    assert_ok(world_revert());

    world_assert_file(FILE_NAME, original, 0600);
    assert_int_equal(world_restarts(UNIT), 1);
}

static void a_store_that_docker_does_not_use_is_not_proved(void **state)
{
    world_spec(STEP_DOCKER_STORE, SPEC_WITH("'advertise':'auto'"));

    assert_int_equal(world_visit(), -ENOENT);

    assert_non_null(strstr(world.err.text, "not registered this host"));
}

static void revert_puts_back_bytes_mode_and_store(void **state)
{
    assert_ok(world_visit());

    assert_ok(world_revert());

    world_assert_file(FILE_NAME, original, 0600);
    assert_int_equal(world_restarts(UNIT), 2);
    assert_int_equal(world.asks, 2);
    assert_int_equal(json_object_size(world.journal), 0);
    assert_ok(world_revert()); /* nothing is left to put back */
    assert_int_equal(world_restarts(UNIT), 2);
}

/* It waited for leave, for long where ZooKeeper was away, and got none. */
static void what_somebody_changed_before_we_wrote_is_left_alone(void **state)
{
    world.answer = -ECANCELED;
    assert_int_equal(world_visit(), -ECANCELED);
    world_write(FILE_NAME, 0600, "{\"debug\":true}\n");

    assert_ok(world_revert());

    world_assert_file(FILE_NAME, "{\"debug\":true}\n", 0600);
    assert_int_equal(world_restarts(UNIT), 0);
}

static void somebody_writes_his(void)
{
    world_write(FILE_NAME, 0640, "{\"cluster-store-opts\": {}, \"debug\": true}\n");
}

static void what_somebody_wrote_while_it_waited_is_put_back(void **state)
{
    world.when_asked = somebody_writes_his;
    assert_ok(world_visit());

    world.when_asked = NULL;
    assert_ok(world_revert());

    world_assert_file(FILE_NAME, "{\"cluster-store-opts\": {}, \"debug\": true}\n",
                      0640);
}

static void revert_takes_away_a_file_and_directory_that_we_made(void **state)
{
    assert_int_equal(fs_remove_tree(world_path("etc"), NULL), 0);
    assert_ok(world_visit());
    assert_true(fs_exists(world_path(FILE_NAME)));

    assert_ok(world_revert());

    assert_false(fs_exists(world_path("etc")));
}

static void revert_keeps_what_somebody_wrote_since(void **state)
{
    assert_ok(world_visit());
    world_write(FILE_NAME, 0644, "{\"theirs\": true}");

    assert_int_equal(world_revert(), -ESTALE);

    world_assert_file(FILE_NAME, "{\"theirs\": true}", 0644);
}

/* As the archive has it of two visits: what was before the first, what the last wrote.
 */
static void undo_both(const json_t *first)
{
    json_object_set(world.journal, "before", json_object_get(first, "before"));
    json_object_del(world.journal, "restart");
    world.env.undoes = true;
    assert_ok(world_revert());
}

static void an_undo_keeps_what_somebody_wrote_between_two_visits(void **state)
{
    static const char theirs[] = "{\n  \"log-driver\": \"json-file\"\n}\n";

    assert_ok(world_visit());
    json_t *first = json_incref(world.journal);
    world_forget();
    world_write(FILE_NAME, 0644, theirs);
    assert_ok(world_visit());

    undo_both(first);

    world_assert_file(FILE_NAME, theirs, 0644);
    assert_ok(world_revert());
    world_assert_file(FILE_NAME, theirs, 0644);
    json_decref(first);
}

/* He kept our key beside his own, and we wrote ours anew. */
static void an_undo_takes_only_its_keys_out_of_somebodys_file(void **state)
{
    char text[128];

    assert_int_equal(unlink(world_path(FILE_NAME)), 0);
    assert_ok(world_visit());
    json_t *first = json_incref(world.journal);
    world_forget();
    snprintf(text, sizeof(text),
             "{\"debug\": true, \"cluster-store\": \"etcd://127.0.0.1:%d\"}",
             world.port);
    world_write(FILE_NAME, 0600, text);
    world_spec(STEP_DOCKER_STORE, SPEC_WITH("'advertise':'10.0.0.1:2375'"));
    world_write("http/tcp/_v2_keys_docker_nodes_10.0.0.1:2375", 0644,
                "200 {\"node\":{}}");
    assert_ok(world_visit());

    undo_both(first);

    world_assert_file(FILE_NAME, "{\"debug\": true}", 0600);
    json_decref(first);
}

static void a_symlink_stays_one(void **state)
{
    struct stat st;

    world_write("etc/shared.json", 0640, original);
    assert_int_equal(unlink(world_path(FILE_NAME)), 0);
    assert_int_equal(symlink("../shared.json", world_path(FILE_NAME)), 0);

    assert_ok(world_visit());
    assert_int_equal(lstat(world_path(FILE_NAME), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_ok(world_revert());

    assert_int_equal(lstat(world_path(FILE_NAME), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    world_assert_file("etc/shared.json", original, 0640);
}

static void without_leave_nothing_is_restarted(void **state)
{
    world.answer = -EPERM;
    assert_int_equal(world_visit(), -EPERM);
    assert_int_equal(world_restarts(UNIT), 0);
    /* Nor is anything left for Docker's next start: the leave may never come. */
    world_assert_file(FILE_NAME, original, 0600);

    world.answer = 0;
    assert_ok(world_visit());
    assert_int_equal(world_restarts(UNIT), 1);
}

static void a_host_that_steps_back_asks_no_docker_that_it_left_alone(void **state)
{
    world.answer = -ECANCELED;
    assert_int_equal(world_visit(), -ECANCELED);
    world_write("http/docker/DOWN", 0644, "");

    world.env.steps_back = true;
    assert_ok(world_revert());

    world_assert_file(FILE_NAME, original, 0600);
    assert_int_equal(world_restarts(UNIT), 0);
}

static void a_docker_that_does_not_come_up_is_brought_back(void **state)
{
    world_write("fail/" UNIT, 0644, "");
    assert_true(world_visit() < 0);
    world_write("http/docker/DOWN", 0644, "");
    assert_int_equal(unlink(world_path("fail/" UNIT)), 0);

    assert_ok(world_revert());

    world_assert_file(FILE_NAME, original, 0600);
    assert_int_equal(world_restarts(UNIT), 1);
    assert_false(fs_exists(world_path("http/docker/DOWN")));
}

/* The return of the first attempt is none of the second one's. */
static void
what_a_second_attempt_did_is_put_back_after_a_first_return_failed(void **state)
{
    assert_ok(world_visit());
    world_write("hooks/" UNIT, 0644, ""); /* it comes up with what it had */
    assert_int_equal(world_revert(), -EIO);
    assert_non_null(strstr(world.err.text, "docker still has store"));
    world_write("hooks/" UNIT, 0644, on_restart);
    assert_ok(world_visit());
    assert_merged();

    assert_ok(world_revert());

    world_assert_file(FILE_NAME, original, 0600);
    assert_int_equal(world_restarts(UNIT), 3);
}

/* Its unit has no limit for a start: with a store that swallows packets it hangs. */
static void a_docker_that_hangs_in_its_start_is_brought_back(void **state)
{
    char hook[2048];

    snprintf(hook, sizeof(hook),
             "%s\nif grep -q cluster-store $W/" FILE_NAME "; then\n"
             "  active=activating; put; touch $W/http/docker/DOWN\nfi\n",
             on_restart);
    world_write("hooks/" UNIT, 0644, hook);
    world_spec(STEP_DOCKER_STORE, SPEC_WITH("'timeout':'1s'"));
    assert_int_equal(world_visit(), -ETIMEDOUT);

    assert_ok(world_revert());

    world_assert_file(FILE_NAME, original, 0600);
    assert_int_equal(world_restarts(UNIT), 2);
    assert_false(fs_exists(world_path("http/docker/DOWN")));
}

static void a_crash_at_any_save_restarts_docker_no_second_time(void **state)
{
    for (int how = CRASH_AFTER_SAVE; how <= CRASH_BEFORE_SAVE; how++) {
        for (int at = 1;; at++) {
            world_end(state);
            begin(state);
            world.crash = (enum crash)how;
            world.crash_at = at;
            if (world_visit() == 0) {
                assert_true(at > 3);
                break;
            }
            assert_non_null(strstr(world.err.text, "crashed"));
            world.crash = CRASH_NEVER;

            assert_ok(world_visit());

            assert_merged();
            assert_int_equal(world_restarts(UNIT), 1);
            assert_ok(world_revert());
            world_assert_file(FILE_NAME, original, 0600);
            assert_int_equal(world_restarts(UNIT), 2);
        }
    }
}

static void a_crash_at_any_save_of_the_revert_is_finished(void **state)
{
    for (int how = CRASH_AFTER_SAVE; how <= CRASH_BEFORE_SAVE; how++) {
        for (int at = 1;; at++) {
            world_end(state);
            begin(state);
            assert_ok(world_visit());
            world.crash = (enum crash)how;
            world.saves = 0;
            world.crash_at = at;
            if (world_revert() == 0) {
                assert_true(at > 2);
                break;
            }
            world.crash = CRASH_NEVER;

            assert_ok(world_revert());

            world_assert_file(FILE_NAME, original, 0600);
            assert_int_equal(world_restarts(UNIT), 2);
        }
    }
}

static void cancelled_at_any_step_it_can_be_taken_up(void **state)
{
    for (int at = 1;; at++) {
        world_end(state);
        begin(state);
        world.cancel_at = at;
        if (world_visit() == 0) {
            assert_true(at > 10);
            return;
        }
        world.cancel_at = 0;

        assert_ok(world_visit());

        assert_merged();
        assert_int_equal(world_restarts(UNIT), 1);
    }
}

/* The running Docker has the store already, so that only the memo tells what is due. */
static void a_restart_that_was_asked_for_survives_a_crash(void **state)
{
    char info[256];

    world_spec(STEP_DOCKER_STORE, SPEC_WITH("'restart':'always'"));
    snprintf(info, sizeof(info),
             "200 {\"ServerVersion\":\"20.10.24\",\"ClusterStore\":"
             "\"etcd://127.0.0.1:%d\"}",
             world.port);
    world_write("http/docker/_info", 0644, info);
    world.crash = CRASH_BEFORE_SAVE; /* of the note: the file is written by then */
    world.crash_at = 3;
    assert_true(world_visit() < 0);
    assert_merged();
    assert_int_equal(world_restarts(UNIT), 0);
    world.crash = CRASH_NEVER;

    assert_ok(world_visit());

    assert_int_equal(world_restarts(UNIT), 1);
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
    world_write(FILE_NAME, 0644, "{\"debug\": tru}");
    refuses("is not valid: line 1");
    world_write(FILE_NAME, 0644, "{\"cluster-store\": \"consul://c:8500\"}");
    refuses("another cluster store, \"consul://c:8500\"");
    world_write(FILE_NAME, 0644, original);

    world_write(
        "cat/" UNIT, 0644,
        "# /lib/systemd/system/docker.service\nExecStart=/usr/bin/dockerd -H "
        "fd://\n# /etc/systemd/system/docker.service.d/x.conf\n"
        "ExecStart=\nExecStart=/usr/bin/dockerd --cluster-store etcd://h:1 -D\n");
    refuses("--cluster-store etcd://h:1 (in "
            "/etc/systemd/system/docker.service.d/x.conf)");
    world_write("cat/" UNIT, 0644,
                "# /lib/x\nExecStart=/usr/bin/dockerd --cluster-store=zk://z\n"
                "# /etc/y\nExecStart=\nExecStart=/usr/bin/dockerd\n");
    assert_ok(world_observe());
    assert_int_equal(world.judgement.finding, FINDING_ABSENT);

    world_write("http/docker/DOWN", 0644, "");
    world_unit(UNIT, "failed");
    refuses("Docker is not running (docker.service is failed");
}

static void a_flag_of_the_running_dockerd_is_refused(void **state)
{
    world_write("root/proc/812/cmdline", 0644, "");
    FILE *file = fopen(world_path("root/proc/812/cmdline"), "w");
    static const char line[] = "/usr/bin/dockerd\0--cluster-store\0etcd://h:1\0-D";
    assert_int_equal(fwrite(line, sizeof(line), 1, file), 1);
    assert_int_equal(fclose(file), 0);

    refuses("--cluster-store=etcd://h:1 (command line of pid 812)");
}

/* As many options of the store as there may be: none of them is in the file. */
static void a_flag_behind_many_others_is_refused(void **state)
{
    world_write("cat/" UNIT, 0644,
                "ExecStart=/usr/bin/dockerd --cluster-store-opt kv.cacertfile=/a "
                "--cluster-store-opt kv.certfile=/b --cluster-store-opt kv.keyfile=/c "
                "--cluster-store-opt kv.path=/d --cluster-store=etcd://h:1\n");

    refuses("--cluster-store=etcd://h:1 (in its unit)");
}

static void a_flag_from_an_environment_file_is_refused(void **state)
{
    char text[512];

    world_write("sysconfig", 0644,
                "# --cluster-store=no\nOPTIONS='--cluster-store=x://y'\n");
    snprintf(text, sizeof(text), "EnvironmentFile=-%s\nExecStart=dockerd $OPTIONS\n",
             world_path("sysconfig"));
    world_write("cat/" UNIT, 0644, text);

    refuses("--cluster-store=x://y (in ");
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_key_is_added_and_docker_restarted_once),
        T(a_second_rollout_changes_nothing_even_with_always),
        T(a_first_store_is_taken_by_a_reload),
        T(a_store_that_an_attempt_before_has_left_is_not_what_was_before),
        T(a_store_that_docker_does_not_use_is_not_proved),
        T(revert_puts_back_bytes_mode_and_store),
        T(what_somebody_changed_before_we_wrote_is_left_alone),
        T(what_somebody_wrote_while_it_waited_is_put_back),
        T(revert_takes_away_a_file_and_directory_that_we_made),
        T(revert_keeps_what_somebody_wrote_since),
        T(an_undo_keeps_what_somebody_wrote_between_two_visits),
        T(an_undo_takes_only_its_keys_out_of_somebodys_file),
        T(a_symlink_stays_one),
        T(without_leave_nothing_is_restarted),
        T(a_host_that_steps_back_asks_no_docker_that_it_left_alone),
        T(a_docker_that_does_not_come_up_is_brought_back),
        T(a_docker_that_hangs_in_its_start_is_brought_back),
        T(what_a_second_attempt_did_is_put_back_after_a_first_return_failed),
        T(a_crash_at_any_save_restarts_docker_no_second_time),
        T(a_crash_at_any_save_of_the_revert_is_finished),
        T(cancelled_at_any_step_it_can_be_taken_up),
        T(a_restart_that_was_asked_for_survives_a_crash),
        T(what_stands_on_the_host_is_refused_by_name),
        T(a_flag_of_the_running_dockerd_is_refused),
        T(a_flag_behind_many_others_is_refused),
        T(a_flag_from_an_environment_file_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
