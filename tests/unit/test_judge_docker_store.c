/* test_judge_docker_store.c - what step docker-cluster-store would do.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/judge_fixture.h"

#define STORE "'cluster-store':'etcd://127.0.0.1:2379'"
#define RUNNING(store)                                                                 \
    "'unit':{'active':'active','pid':812},'info':{'version':'20.10.24','store':"       \
    "'" store "','advertise':'','swarm':'inactive'}"

static void judge_seen(const char *text)
{
    json_t *seen = json_of(text);

    judge(STEP_DOCKER_STORE, spec, &facts, seen, &judged);
    json_decref(seen);
}

static void a_host_without_the_key_gets_it_by_a_restart(void **state)
{
    judge_seen("{'file':{'path':'/etc/docker/daemon.json'}," RUNNING("") "}");
    assert_judged(FINDING_ABSENT, DISRUPTION_DOCKER_RESTART, "by a restart");
}

static void what_is_right_is_left_alone_even_with_always(void **state)
{
    use_spec("{'steps':{'docker-cluster-store':{'restart':'always'}}}");
    judge_seen("{'file':{'sha256':'x','keys':{" STORE
               "}}," RUNNING("etcd://127.0.0.1:2379") "}");
    assert_judged(FINDING_RIGHT, DISRUPTION_NONE, "etcd://127.0.0.1:2379");
}

static void a_first_store_with_advertise_needs_only_a_reload(void **state)
{
    use_spec("{'steps':{'docker-cluster-store':{'advertise':'auto'}}}");
    judge_seen("{'file':{}," RUNNING("") "}");
    assert_judged(FINDING_ABSENT, DISRUPTION_RELOAD, "by a reload");

    judge_seen("{'file':{}," RUNNING("") ",'begun':true,'reload_failed':true}");
    assert_judged(FINDING_ABSENT, DISRUPTION_DOCKER_RESTART, "by a restart");

    judge_seen("{'file':{},'info':{'version':'1.11.1','store':'','swarm':''}}");
    assert_judged(FINDING_ABSENT, DISRUPTION_DOCKER_RESTART, "by a restart");

    use_spec("{'steps':{'docker-cluster-store':{'advertise':'auto','restart':"
             "'always'}}}");
    judge_seen("{'file':{}," RUNNING("") "}");
    assert_judged(FINDING_ABSENT, DISRUPTION_DOCKER_RESTART, "by a restart");
}

static void a_docker_that_has_the_store_already_gets_only_the_file(void **state)
{
    judge_seen("{'file':{}," RUNNING("etcd://127.0.0.1:2379") "}");
    assert_judged(FINDING_ABSENT, DISRUPTION_NONE, "without a restart");
}

static void never_writes_and_waits_for_the_next_start(void **state)
{
    use_spec("{'steps':{'docker-cluster-store':{'restart':'never'}}}");
    judge_seen("{'file':{}," RUNNING("") "}");
    assert_judged(FINDING_ABSENT, DISRUPTION_NONE, "without a restart");

    judge_seen("{'file':{'sha256':'x','keys':{" STORE "}}," RUNNING("") "}");
    assert_judged(FINDING_RIGHT, DISRUPTION_NONE, "next restart");
}

static void a_store_that_we_wrote_before_is_replaced(void **state)
{
    judge_seen("{'file':{'sha256':'x','ours':'etcd://old:1','keys':{'cluster-store':"
               "'etcd://old:1'}}," RUNNING("etcd://old:1") "}");
    assert_judged(FINDING_STALE, DISRUPTION_DOCKER_RESTART, "etcd://127.0.0.1:2379");
}

static void a_written_file_that_docker_has_not_taken_is_stale(void **state)
{
    judge_seen("{'file':{'sha256':'x','keys':{" STORE "}}," RUNNING("") "}");
    assert_judged(FINDING_STALE, DISRUPTION_DOCKER_RESTART, "by a restart");
}

static void a_restart_begun_before_a_crash_is_still_due(void **state)
{
    judge_seen("{'file':{'sha256':'x','keys':{" STORE "}},'begun':true,"
               "'restart_due':true," RUNNING("etcd://127.0.0.1:2379") "}");
    assert_judged(FINDING_STALE, DISRUPTION_DOCKER_RESTART, "by a restart");
    /* down by our own doing: start it, do not call it unfit */
    judge_seen("{'file':{'sha256':'x','keys':{" STORE "}},'begun':true,"
               "'unit':{'active':'failed'},'down':'refused'}");
    assert_judged(FINDING_STALE, DISRUPTION_DOCKER_RESTART, "by a restart");
}

static void refuses(const char *seen, const char *says)
{
    judge_seen(seen);
    assert_judged(FINDING_FOREIGN, DISRUPTION_NONE, says);
}

static void each_refusal_has_its_own_message(void **state)
{
    refuses("{'file':{},'info':{'version':'23.0.1','store':'','swarm':'inactive'}}",
            "Docker 23.0.1 has no cluster-store");
    refuses("{'file':{},'info':{'version':'1.9.1','store':''}}",
            "Docker 1.9.1 reads no daemon.json");
    refuses("{'file':{},'info':{'version':'17.05.0-ce','store':'','swarm':'active'}}",
            "swarm mode (active)");
    refuses(
        "{'file':{'sha256':'x','invalid':'line 3, column 1: oops'}," RUNNING("") "}",
        "\"/etc/docker/daemon.json\" is not valid: line 3");
    refuses("{'file':{},'flags':['--cluster-store=etcd://h:1 (command line of pid "
            "8)']," RUNNING("etcd://h:1") "}",
            "dockerd has the flag --cluster-store=etcd://h:1 (command line of pid 8)");
    refuses(
        "{'file':{'sha256':'x','keys':{'cluster-store':'consul://c:8500'}}," RUNNING(
            "consul://c:8500") "}",
        "another cluster store, \"consul://c:8500\"");
    refuses("{'file':{}," RUNNING("zk://z:2181") "}", "another cluster store, \"zk://");
    refuses("{'file':{},'unit':{'active':'inactive'},'down':'GET /info: refused'}",
            "Docker is not running (docker.service is inactive: GET /info: refused)");
}

static void an_old_version_of_the_facts_is_refused_while_docker_is_down(void **state)
{
    STR_COPY(facts.docker, "24.0.7");
    refuses("{'file':{},'down':'x'}", "Docker 24.0.7");
}

static void a_flag_matters_only_where_we_write_its_key(void **state)
{
    judge_seen("{'file':{},'flags':['--cluster-advertise=eth0:1 (x)','"
               "--cluster-store-opt kv.path=a (x)']," RUNNING("") "}");
    assert_judged(FINDING_ABSENT, DISRUPTION_DOCKER_RESTART, "");
    use_spec("{'steps':{'docker-cluster-store':{'advertise':'auto'}}}");
    refuses("{'file':{},'flags':['--cluster-advertise=eth0:1 (x)']," RUNNING("") "}",
            "--cluster-advertise=eth0:1");
}

static void masters_and_native_calico_are_refused(void **state)
{
    facts.native_calico = true;
    refuses("{'file':{}," RUNNING("") "}", "its own Calico");
    facts.native_calico = false;
    facts.role = ROLE_MASTER;
    refuses("{'file':{}," RUNNING("") "}", "master");
}

static void what_was_not_seen_is_unknown(void **state)
{
    judge(STEP_DOCKER_STORE, spec, &facts, NULL, &judged);
    assert_judged(FINDING_UNKNOWN, DISRUPTION_NONE, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_host_without_the_key_gets_it_by_a_restart),
        TEST(what_is_right_is_left_alone_even_with_always),
        TEST(a_first_store_with_advertise_needs_only_a_reload),
        TEST(a_docker_that_has_the_store_already_gets_only_the_file),
        TEST(never_writes_and_waits_for_the_next_start),
        TEST(a_store_that_we_wrote_before_is_replaced),
        TEST(a_written_file_that_docker_has_not_taken_is_stale),
        TEST(a_restart_begun_before_a_crash_is_still_due),
        TEST(each_refusal_has_its_own_message),
        TEST(an_old_version_of_the_facts_is_refused_while_docker_is_down),
        TEST(a_flag_matters_only_where_we_write_its_key),
        TEST(masters_and_native_calico_are_refused),
        TEST(what_was_not_seen_is_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
