/* test_prior_art.c - how the installer of calico-dcos failed, and that ours does not.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each test is named after what went wrong there: Docker restarted on every run, a flag
 * stored before the act that it stands for, any cluster store and any Docker accepted,
 * "active" taken for restarted, a file's mode and keys lost, a new setting never
 * applied.
 */
#include "shared/base/fs.h"
#include "tests/unit/step_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNIT "docker.service"
#define FILE_NAME "etc/docker/daemon.json"
#define STORE "'etcd':{'endpoints':['http://127.0.0.1:{P}']}"
#define SPEC_WITH(more)                                                                \
    "{" STORE ",'steps':{'docker-cluster-store':{'daemon_json':'{W}/" FILE_NAME        \
    "'" more "}}}"

static const char theirs[] = "{\n  \"zeta\": 1,\n  \"alpha\": \"kept\"\n}\n";

/* Docker reads the file when it starts. */
static const char on_restart[] =
    "s=$(sed -n 's/.*\"cluster-store\": *\"\\([^\"]*\\)\".*/\\1/p' $W/" FILE_NAME ")\n"
    "printf '200 {\"ServerVersion\":\"20.10.24\",\"ClusterStore\":\"%s\",\"Swarm\":"
    "{\"LocalNodeState\":\"inactive\"}}' \"$s\" > $W/http/docker/_info.new\n"
    "mv $W/http/docker/_info.new $W/http/docker/_info\n";

static void docker_is(const char *version)
{
    char text[256];

    snprintf(text, sizeof(text),
             "200 {\"ServerVersion\":\"%s\",\"Swarm\":{\"LocalNodeState\":"
             "\"inactive\"}}",
             version);
    world_write("http/docker/_info", 0644, text);
}

static int begin(void **state)
{
    world_begin(state);
    world_spec(STEP_DOCKER_STORE, SPEC_WITH(""));
    world_unit(UNIT, "active");
    world_write("hooks/" UNIT, 0644, on_restart);
    world_write("http/docker/__ping", 0644, "200 OK");
    world_write("http/docker/_networks", 0644, "200 []");
    world_write("http/tcp/_v2_keys_", 0644, "200 {\"action\":\"get\"}");
    world_write(FILE_NAME, 0600, theirs);
    docker_is("20.10.24");
    world_up();
    return 0;
}

static void assert_ok(int r)
{
    if (r < 0)
        fail_msg("%d: %s", r, world.err.text);
}

static bool holds(const char *name, const char *text)
{
    char *bytes = NULL;

    assert_int_equal(fs_read(world_path(name), 4096, &bytes, NULL, NULL), 0);
    bool found = strstr(bytes, text) != NULL;
    free(bytes);
    return found;
}

static void docker_is_not_restarted_on_every_run(void **state)
{
    for (int run = 0; run < 5; run++) {
        assert_ok(world_visit());
        world_forget();
    }

    assert_int_equal(world_restarts(UNIT), 1);
}

/* Whatever was saved before a crash, the next visit looks at the host itself. */
static void no_flag_stands_for_what_was_not_done(void **state)
{
    for (int at = 1; at <= 3; at++) {
        world_write(FILE_NAME, 0600, theirs);
        docker_is("20.10.24");
        world_forget();
        int before = world_restarts(UNIT);
        world.crash = CRASH_AFTER_SAVE;
        world.crash_at = at;
        world.saves = 0;
        assert_true(world_visit() < 0);
        world.crash = CRASH_NEVER;

        assert_ok(world_visit());

        assert_true(holds(FILE_NAME, "\"cluster-store\": \"etcd://127.0.0.1:"));
        assert_int_equal(world_restarts(UNIT), before + 1);
    }
}

static void another_cluster_store_is_refused_not_taken_for_ours(void **state)
{
    world_write(FILE_NAME, 0644, "{\"cluster-store\": \"consul://c:8500\"}");

    assert_ok(world_observe());

    assert_int_equal(world.judgement.finding, FINDING_FOREIGN);
    assert_non_null(strstr(world.judgement.says, "consul://c:8500"));
}

static void a_docker_that_would_not_start_with_the_key_is_refused(void **state)
{
    static const char *const versions[] = {"1.9.1", "23.0.0", "24.0.7", "28.5.2"};

    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        docker_is(versions[i]);
        assert_ok(world_observe());
        assert_int_equal(world.judgement.finding, FINDING_FOREIGN);
        assert_non_null(strstr(world.judgement.says, versions[i]));
    }
    assert_int_equal(world_restarts(UNIT), 0);
    world_assert_file(FILE_NAME, theirs, 0600);
}

/* systemctl succeeds, the unit is active, and it is the same process as before. */
static void an_active_unit_that_was_not_restarted_is_no_success(void **state)
{
    world_spec(STEP_DOCKER_STORE, SPEC_WITH(",'timeout':'1s'"));
    assert_int_equal(rename(world_path("bin/systemctl"), world_path("bin/real")), 0);
    world_write("bin/systemctl", 0755,
                "#!/bin/sh\n[ \"$1\" = restart ] && exit 0\n"
                "exec \"$(dirname \"$0\")/real\" \"$@\"\n");

    assert_true(world_visit() < 0);

    assert_non_null(strstr(world.err.text, "wait for docker"));
}

static void daemon_json_keeps_its_mode_its_order_and_a_way_back(void **state)
{
    char *bytes = NULL;
    struct fs_attributes attributes;

    assert_ok(world_visit());

    assert_int_equal(fs_read(world_path(FILE_NAME), 4096, &bytes, NULL, NULL), 0);
    assert_ptr_equal(strstr(bytes, "{\n  \"zeta\": 1,\n  \"alpha\": \"kept\",\n"),
                     bytes);
    free(bytes);
    assert_int_equal(fs_attributes_get(world_path(FILE_NAME), &attributes, NULL), 0);
    assert_int_equal(attributes.mode, 0600);
    assert_ok(world_revert());
    world_assert_file(FILE_NAME, theirs, 0600);
}

static void a_new_setting_is_applied_to_hosts_that_were_done(void **state)
{
    assert_ok(world_visit());
    world_forget();
    world_spec(STEP_DOCKER_STORE, SPEC_WITH(",'store':'etcd://127.0.0.1:{P}/other'"));

    assert_ok(world_visit());

    assert_int_equal(world_restarts(UNIT), 2);
    assert_true(holds(FILE_NAME, "/other\""));
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(docker_is_not_restarted_on_every_run),
        T(no_flag_stands_for_what_was_not_done),
        T(another_cluster_store_is_refused_not_taken_for_ours),
        T(a_docker_that_would_not_start_with_the_key_is_refused),
        T(an_active_unit_that_was_not_restarted_is_no_success),
        T(daemon_json_keeps_its_mode_its_order_and_a_way_back),
        T(a_new_setting_is_applied_to_hosts_that_were_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
