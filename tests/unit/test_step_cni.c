/* test_step_cni.c - step cni on a fake host.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/cleanup.h"
#include "shared/base/fs.h"
#include "shared/base/str.h"
#include "shared/model/render.h"
#include "tests/unit/step_world.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define UNIT "dcos-mesos-slave.service"
#define OPTIONS                                                                        \
    "'plugins_dir':'{W}/active/cni','config_dir':'{W}/network/cni',"                   \
    "'agent_url':'http://127.0.0.1:{P}','calico':{'url':'file://{W}/from/calico'},"    \
    "'calico_ipam':{'url':'file://{W}/from/calico-ipam'}"
#define SPEC "{'steps':{'cni':{" OPTIONS "}}}"
#define SPEC_WITH(more) "{'steps':{'cni':{" OPTIONS "," more "}}}"

static const char plugin[] =
    "#!/bin/sh\n[ \"$CNI_COMMAND\" = VERSION ] || exit 3\n"
    "echo '{\"cniVersion\":\"0.3.1\",\"supportedVersions\":[\"0.1.0\",\"0.2.0\"]}'\n";
static const char ipam[] = "#!/bin/sh\necho '{\"cniVersion\":\"0.2.0\"}'\n";
static const char theirs[] = "{\"name\":\"calico\",\"type\":\"calico\"}\n";

static void agent_says(const char *version, const char *id, double start)
{
    char text[1024];

    snprintf(text, sizeof(text),
             "200 {\"id\":\"%s\",\"version\":\"%s\",\"start_time\":%.1f,\"flags\":{"
             "\"isolation\":\"cgroups/cpu,network/cni\",\"network_cni_config_dir\":"
             "\"%s\",\"network_cni_plugins_dir\":\"/x:%s/\"}}",
             id, version, start, world_path("network/cni"), world_path("active/cni"));
    world_write("http/tcp/_state", 0644, text);
}

/* A restart gives the agent another start_time, and another id where new-id exists. */
static const char on_restart[] =
    "sed -e \"s/\\\"start_time\\\":[0-9.]*/\\\"start_time\\\":$((5000 + serial)).5/\" "
    "$W/http/tcp/_state > $W/http/tcp/state.new\n"
    "[ -f $W/new-id ] && sed -i -e 's/a-S1/a-S2/' $W/http/tcp/state.new\n"
    "mv $W/http/tcp/state.new $W/http/tcp/_state\n";

static int begin(void **state)
{
    world_begin(state);
    world_spec(STEP_CNI, SPEC);
    world_unit(UNIT, "active");
    world.asked_unit = UNIT;
    world_write("hooks/" UNIT, 0644, on_restart);
    world_write("from/calico", 0644, plugin);
    world_write("from/calico-ipam", 0644, ipam);
    world_write("active/cni/bridge", 0755, "x");
    world_write("network/cni/ucr-default-bridge.conf", 0644, "{\"name\":\"mesos\"}");
    world_write("http/tcp/_metrics_snapshot", 0644,
                "200 {\"slave/registered\":1.0,\"slave/recovery_errors\":0.0}");
    agent_says("1.4.1", "a-S1", 4000.5);
    world_up();
    return 0;
}

static void assert_ok(int r)
{
    if (r < 0)
        fail_msg("%d: %s", r, world.err.text);
}

static void assert_installed(void)
{
    _cleanup_(freep) char *config = render_cni_config(world.spec, &world.facts);

    world_assert_file("active/cni/calico", plugin, 0755);
    world_assert_file("active/cni/calico-ipam", ipam, 0755);
    world_assert_file("network/cni/calico.cni", config, 0644);
}

static void assert_bare(void)
{
    assert_false(fs_exists(world_path("active/cni/calico")));
    assert_false(fs_exists(world_path("active/cni/calico-ipam")));
    assert_false(fs_exists(world_path("network/cni/calico.cni")));
    assert_true(fs_exists(world_path("active/cni/bridge")));
}

static void a_new_agent_is_not_restarted(void **state)
{
    assert_ok(world_visit());

    assert_installed();
    assert_int_equal(world.judgement.finding, FINDING_ABSENT);
    assert_int_equal(world_restarts(UNIT), 0);
    assert_int_equal(world.asks, 0);
}

static void a_second_rollout_changes_nothing_even_with_always(void **state)
{
    assert_ok(world_visit());
    world_forget();
    world_spec(STEP_CNI, SPEC_WITH("'restart':'always'"));

    assert_ok(world_visit());

    assert_int_equal(world.judgement.finding, FINDING_RIGHT);
    assert_int_equal(world.saves, 0);
    assert_int_equal(world_restarts(UNIT), 0);
}

static void an_old_agent_is_restarted_once(void **state)
{
    agent_says("1.0.3", "a-S1", 4000.5);

    assert_ok(world_visit());

    assert_installed();
    assert_int_equal(world_restarts(UNIT), 1);
    assert_int_equal(world.asks, 1);
    assert_int_equal(world.restarts_when_asked, 0);
}

static void without_leave_no_network_is_left_for_the_agents_next_start(void **state)
{
    agent_says("1.0.3", "a-S1", 4000.5);

    world.answer = -ECANCELED;
    assert_int_equal(world_visit(), -ECANCELED);
    assert_false(fs_exists(world_path("network/cni/calico.cni")));
    assert_int_equal(world_restarts(UNIT), 0);

    world.answer = 0;
    assert_ok(world_visit());
    assert_installed();
    assert_int_equal(world_restarts(UNIT), 1);
}

static void a_host_that_steps_back_does_not_wait_for_the_master(void **state)
{
    agent_says("1.0.3", "a-S1", 4000.5);
    world.answer = -ECANCELED;
    assert_int_equal(world_visit(), -ECANCELED);
    world_write("http/tcp/_metrics_snapshot", 0644, "200 {\"slave/registered\":0.0}");

    world.env.steps_back = true;
    assert_ok(world_revert());

    assert_bare();
}

static void an_agent_that_comes_back_as_another_is_not_proved(void **state)
{
    world_spec(STEP_CNI, SPEC_WITH("'restart':'always'"));
    world_write("new-id", 0644, "");

    assert_true(world_visit() < 0);

    assert_non_null(strstr(world.err.text, "its id was \"a-S1\" and is \"a-S2\""));
}

static void an_agent_that_does_not_register_is_not_proved(void **state)
{
    world_write("http/tcp/_metrics_snapshot", 0644, "200 {\"slave/registered\":0.0}");

    assert_true(world_visit() < 0);

    assert_non_null(strstr(world.err.text, "not registered"));
}

static void a_plugin_without_a_version_is_not_proved(void **state)
{
    world_write("from/calico", 0644, "#!/bin/sh\necho no\n");
    assert_true(world_visit() < 0);
    assert_non_null(strstr(world.err.text, "no cniVersion"));

    world_forget();
    world_spec(STEP_CNI, SPEC_WITH("'config':{'name':'calico','type':'calico',"
                                   "'cniVersion':'0.9.9'}"));
    world_write("from/calico", 0644, plugin);
    assert_int_equal(unlink(world_path("active/cni/calico")), 0);
    assert_true(world_visit() < 0);
    assert_non_null(strstr(world.err.text, "does not support CNI 0.9.9"));
}

static void a_wrong_digest_installs_nothing(void **state)
{
    world_spec(STEP_CNI,
               "{'steps':{'cni':{'plugins_dir':'{W}/active/cni','config_dir':"
               "'{W}/network/cni','agent_url':'http://127.0.0.1:{P}','calico':{'url':"
               "'file://{W}/from/calico','sha256':'"
               "00000000000000000000000000000000000000000000000000000000000000aa'},"
               "'calico_ipam':{'url':'file://{W}/from/calico-ipam'}}}}");

    assert_true(world_visit() < 0);

    assert_bare();
    assert_ok(world_revert());
    assert_bare();
}

static void what_was_changed_is_renewed(void **state)
{
    assert_ok(world_visit());
    world_forget();
    world_write("active/cni/calico", 0755, "#!/bin/sh\nexit 1\n");
    assert_ok(world_visit());
    assert_int_equal(world.judgement.finding, FINDING_STALE);
    assert_installed();

    world_forget();
    assert_int_equal(unlink(world_path("network/cni/calico.cni")), 0);
    assert_ok(world_visit());
    assert_int_equal(world.judgement.finding, FINDING_STALE);
    assert_installed();
}

static void the_agent_may_listen_on_the_hosts_address_alone(void **state)
{
    world_spec(STEP_CNI, "{'steps':{'cni':{'plugins_dir':'{W}/active/cni','config_dir':"
                         "'{W}/network/cni','agent_url':'http://127.0.0.3:{P}',"
                         "'calico':{'url':'file://{W}/from/calico'},"
                         "'calico_ipam':{'url':'file://{W}/from/calico-ipam'}}}}");

    assert_ok(world_visit());

    assert_installed();
}

static void revert_takes_away_what_was_not_there(void **state)
{
    agent_says("1.0.3", "a-S1", 4000.5);
    assert_int_equal(fs_remove_tree(world_path("network"), NULL), 0);
    assert_ok(world_visit());
    assert_installed();

    assert_ok(world_revert());

    assert_bare();
    assert_false(fs_exists(world_path("network")));
    assert_int_equal(world_restarts(UNIT), 2);
    assert_int_equal(json_object_size(world.journal), 0);
}

static void revert_puts_back_what_was_there(void **state)
{
    world_write("active/cni/calico", 0700, "old");
    world_write("network/cni/calico.cni", 0600, theirs);
    assert_ok(world_visit());
    assert_installed();

    assert_ok(world_revert());

    world_assert_file("active/cni/calico", "old", 0700);
    world_assert_file("network/cni/calico.cni", theirs, 0600);
    assert_false(fs_exists(world_path("active/cni/calico-ipam")));
    assert_int_equal(world_restarts(UNIT), 0);
}

/* The return of the first attempt is none of the second one's. */
static void
what_a_second_attempt_did_is_put_back_after_a_first_return_failed(void **state)
{
    char hook[1024];

    agent_says("1.0.3", "a-S1", 4000.5);
    assert_ok(world_visit());
    snprintf(hook, sizeof(hook), "%secho junk > $W/network/cni/calico.cni\n",
             on_restart);
    world_write("hooks/" UNIT, 0644, hook);
    assert_int_equal(world_revert(), -EIO);
    assert_non_null(strstr(world.err.text, "is not as it was"));
    assert_int_equal(unlink(world_path("network/cni/calico.cni")), 0);
    world_write("hooks/" UNIT, 0644, on_restart);
    assert_ok(world_visit());
    assert_int_equal(world_restarts(UNIT), 3);

    assert_ok(world_revert());

    assert_bare();
    assert_int_equal(world_restarts(UNIT), 4);
}

/* Its start seems to be older than the file that it has read. */
static void a_clock_that_was_set_back_restarts_the_agent_no_second_time(void **state)
{
    agent_says("1.0.3", "a-S1", 4000.5);
    world_write("http/tcp/_metrics_snapshot", 0644, "200 {\"slave/registered\":0.0}");
    assert_int_equal(world_visit(), -EAGAIN);
    assert_int_equal(world_restarts(UNIT), 1);
    world_write("http/tcp/_metrics_snapshot", 0644, "200 {\"slave/registered\":1.0}");

    assert_ok(world_visit());

    assert_int_equal(world_restarts(UNIT), 1);
}

/* The register of what we installed is damaged, and the binary is somebody else's. */
static void revert_keeps_a_binary_that_is_not_known_to_be_ours(void **state)
{
    assert_ok(world_visit());
    world_write("active/cni/calico", 0755, "theirs");
    world_write("state/installed.json", 0600, "");

    assert_int_equal(world_revert(), -ESTALE);

    world_assert_file("active/cni/calico", "theirs", 0755);
}

static void somebody_writes_his(void)
{
    world_write("network/cni/calico.cni", 0600, theirs);
}

static void somebody_writes_anothers(void)
{
    world_write("network/cni/calico.cni", 0600, "{\"name\":\"x\",\"type\":\"bridge\"}");
}

/* It waits for leave as long as ZooKeeper is away. */
static void what_somebody_wrote_while_it_waited_is_put_back(void **state)
{
    agent_says("1.0.3", "a-S1", 4000.5);
    world.when_asked = somebody_writes_his;
    assert_int_equal(world_visit(), -EAGAIN);
    world_assert_file("network/cni/calico.cni", theirs, 0600);
    world.when_asked = NULL;
    assert_ok(world_visit());
    assert_installed();

    assert_ok(world_revert());

    world_assert_file("network/cni/calico.cni", theirs, 0600);
}

static void what_is_foreign_since_it_waited_is_not_overwritten(void **state)
{
    agent_says("1.0.3", "a-S1", 4000.5);
    world.when_asked = somebody_writes_anothers;
    assert_int_equal(world_visit(), -EAGAIN);
    assert_int_equal(world_visit(), -EEXIST);

    assert_int_equal(world.judgement.finding, FINDING_FOREIGN);
    assert_int_equal(world_restarts(UNIT), 0);
}

/* Of all that the visit writes the register is the largest. */
static void a_binary_that_could_not_be_recorded_is_put_back(void **state)
{
    struct rlimit all, few = {.rlim_cur = 400};
    assert_ok(world_visit());
    world_forget();
    world_write("from/calico-2", 0644, "#!/bin/sh\n# newer\n");
    world_spec(STEP_CNI,
               "{'steps':{'cni':{'plugins_dir':'{W}/active/cni','config_dir':"
               "'{W}/network/cni','agent_url':'http://127.0.0.1:{P}','calico':{'url':"
               "'file://{W}/from/calico-2'},'calico_ipam':{'url':'file://{W}/from/"
               "calico-ipam'}}}}");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
    few.rlim_max = all.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
    int result = world_visit();
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
    assert_int_equal(result, -EFBIG);

    assert_ok(world_revert());

    assert_installed();
}

static void a_crash_at_any_save_restarts_the_agent_no_second_time(void **state)
{
    for (int how = CRASH_AFTER_SAVE; how <= CRASH_BEFORE_SAVE; how++) {
        for (int at = 1;; at++) {
            world_end(state);
            begin(state);
            world_spec(STEP_CNI, SPEC_WITH("'restart':'always'"));
            world.crash = (enum crash)how;
            world.crash_at = at;
            if (world_visit() == 0) {
                assert_true(at > 3);
                break;
            }
            assert_non_null(strstr(world.err.text, "crashed"));
            world.crash = CRASH_NEVER;

            assert_ok(world_visit());

            assert_installed();
            assert_int_equal(world_restarts(UNIT), 1);
            assert_ok(world_revert());
            assert_bare();
            assert_int_equal(world_restarts(UNIT), 2);
        }
    }
}

static void cancelled_at_any_step_it_can_be_taken_up(void **state)
{
    for (int at = 1;; at++) {
        world_end(state);
        begin(state);
        world_spec(STEP_CNI, SPEC_WITH("'restart':'always'"));
        world.cancel_at = at;
        if (world_visit() == 0) {
            assert_true(at > 10);
            return;
        }
        world.cancel_at = 0;

        assert_ok(world_visit());

        assert_installed();
        assert_int_equal(world_restarts(UNIT), 1);
    }
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
    world_write("network/cni/calico.cni", 0644,
                "{\"name\":\"calico\",\"type\":\"bridge\"}");
    refuses("its type is \"bridge\"");
    world_write("network/cni/calico.cni", 0644, "{\"name\":");
    refuses("is not valid: line 1");
    assert_int_equal(unlink(world_path("network/cni/calico.cni")), 0);
    world_write("network/cni/calico.conf", 0644, theirs);
    refuses("\"calico.conf\" beside \"calico.cni\"");
    assert_int_equal(unlink(world_path("network/cni/calico.conf")), 0);
    world_write("http/tcp/_state", 0644, "401 no");
    refuses("the Mesos agent does not answer: GET /state: HTTP status 401");
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, world_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_new_agent_is_not_restarted),
        T(a_second_rollout_changes_nothing_even_with_always),
        T(an_old_agent_is_restarted_once),
        T(without_leave_no_network_is_left_for_the_agents_next_start),
        T(a_host_that_steps_back_does_not_wait_for_the_master),
        T(an_agent_that_comes_back_as_another_is_not_proved),
        T(an_agent_that_does_not_register_is_not_proved),
        T(a_plugin_without_a_version_is_not_proved),
        T(a_wrong_digest_installs_nothing),
        T(what_was_changed_is_renewed),
        T(the_agent_may_listen_on_the_hosts_address_alone),
        T(revert_takes_away_what_was_not_there),
        T(revert_puts_back_what_was_there),
        T(what_a_second_attempt_did_is_put_back_after_a_first_return_failed),
        T(a_clock_that_was_set_back_restarts_the_agent_no_second_time),
        T(revert_keeps_a_binary_that_is_not_known_to_be_ours),
        T(what_somebody_wrote_while_it_waited_is_put_back),
        T(what_is_foreign_since_it_waited_is_not_overwritten),
        T(a_binary_that_could_not_be_recorded_is_put_back),
        T(a_crash_at_any_save_restarts_the_agent_no_second_time),
        T(cancelled_at_any_step_it_can_be_taken_up),
        T(what_stands_on_the_host_is_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
