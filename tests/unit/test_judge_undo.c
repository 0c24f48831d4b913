/* test_judge_undo.c - what taking a step back would do, with and without a memory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/cleanup.h"
#include "shared/base/digest.h"
#include "shared/base/mem.h"
#include "shared/model/judge_undo.h"
#include "shared/model/render.h"
#include "tests/unit/judge_fixture.h"

#include <stdlib.h>

/* Both texts with ' for "; memo NULL = none. */
static void undo(enum step_id step, const char *seen_text, const char *memo_text)
{
    json_t *seen = json_of(seen_text), *memo = memo_text ? json_of(memo_text) : NULL;

    judge_undo(step, spec, &facts, seen, memo, &judged);
    json_decref(seen);
    json_decref(memo);
}

static void a_host_without_anything_of_ours_has_nothing_to_undo(void **state)
{
    undo(STEP_ETCD_PROXY, "{}", NULL);
    assert_judged(FINDING_RIGHT, DISRUPTION_NONE, "no unit");
    undo(STEP_DOCKER_STORE, "{'file':{'keys':{}},'info':{'store':''}}", NULL);
    assert_judged(FINDING_RIGHT, DISRUPTION_NONE, "not our store");
    undo(STEP_CNI, "{'config':{'path':'/x'},'calico':{'absent':true},'agent':{}}",
         NULL);
    assert_judged(FINDING_RIGHT, DISRUPTION_NONE, "nothing of ours");
    undo(STEP_NODE, "{}", NULL);
    assert_judged(FINDING_RIGHT, DISRUPTION_NONE, "no container");
}

static void somebody_elses_things_are_left_alone(void **state)
{
    undo(STEP_ETCD_PROXY, "{'unit':{'ours':false}}", NULL);
    assert_judged(FINDING_RIGHT, DISRUPTION_NONE, "somebody else's");
    undo(STEP_DOCKER_STORE,
         "{'file':{'keys':{'cluster-store':'zk://z'}},'info':{'store':'zk://z'}}",
         NULL);
    assert_judged(FINDING_RIGHT, DISRUPTION_NONE, "not our store");
    undo(STEP_NODE, "{'container':{'spec':''}}", NULL);
    assert_judged(FINDING_RIGHT, DISRUPTION_NONE, "somebody else's");
}

#define OUR_STORE "etcd://127.0.0.1:2379"
#define DOCKER_WITH_OURS                                                               \
    "{'file':{'keys':{'cluster-store':'" OUR_STORE "'}},"                              \
    "'info':{'version':'20.10','store':'" OUR_STORE "'}}"

static void docker_restarts_where_it_runs_with_another_store_than_before(void **state)
{
    undo(STEP_DOCKER_STORE, DOCKER_WITH_OURS, "{'before':{'store':''}}");
    assert_judged(FINDING_STALE, DISRUPTION_DOCKER_RESTART, "Docker restarts");
    undo(STEP_DOCKER_STORE, DOCKER_WITH_OURS, "{'before':{'store':'" OUR_STORE "'}}");
    assert_judged(FINDING_STALE, DISRUPTION_NONE, "put back");
    undo(STEP_DOCKER_STORE, "{'file':{'keys':{}},'info':{'store':''}}",
         "{'before':{'store':''}}");
    assert_judged(FINDING_STALE, DISRUPTION_NONE, "put back");
    use_spec("{'steps':{'docker-cluster-store':{'restart':'never'}}}");
    undo(STEP_DOCKER_STORE, DOCKER_WITH_OURS, "{'before':{'store':''}}");
    assert_judged(FINDING_STALE, DISRUPTION_NONE, "put back");
}

static void docker_is_not_restarted_twice(void **state)
{
    undo(STEP_DOCKER_STORE, DOCKER_WITH_OURS,
         "{'before':{'store':''},'unrestart':{'state':'done'}}");
    assert_judged(FINDING_STALE, DISRUPTION_NONE, "put back");
}

static void
a_docker_that_is_down_is_somebodys_matter_but_in_our_own_restart(void **state)
{
    undo(STEP_DOCKER_STORE, "{'file':{},'down':'refused'}", "{'before':{'store':''}}");
    assert_judged(FINDING_FOREIGN, DISRUPTION_NONE, "start it first");
    undo(STEP_DOCKER_STORE, "{'file':{},'down':'refused'}",
         "{'before':{'store':''},'unrestart':{'state':'begun'}}");
    assert_judged(FINDING_STALE, DISRUPTION_DOCKER_RESTART, "put back");
}

static void our_keys_are_known_without_a_memory(void **state)
{
    undo(STEP_DOCKER_STORE, DOCKER_WITH_OURS, NULL);
    assert_judged(FINDING_STALE, DISRUPTION_DOCKER_RESTART, "our keys");
}

#define AGENT(version) "'agent':{'version':'" version "'}"

static void the_mesos_agent_restarts_only_where_an_install_restarts_it(void **state)
{
    undo(STEP_CNI, "{'config':{'sha256':'x'}," AGENT("1.4.1") "}", "{'before':{}}");
    assert_judged(FINDING_STALE, DISRUPTION_NONE, "taken away");
    undo(STEP_CNI, "{'config':{'sha256':'x'}," AGENT("1.0.3") "}", "{'before':{}}");
    assert_judged(FINDING_STALE, DISRUPTION_AGENT_RESTART, "agent restarts");
    /* its file is away already: only what was noted before that knows */
    undo(STEP_CNI, "{'config':{}," AGENT("1.0.3") "}", "{'before':{}}");
    assert_judged(FINDING_STALE, DISRUPTION_NONE, "taken away");
    undo(STEP_CNI, "{'config':{}," AGENT("1.0.3") "}",
         "{'before':{},'restart_due':true}");
    assert_judged(FINDING_STALE, DISRUPTION_AGENT_RESTART, "agent restarts");
    use_spec("{'steps':{'cni':{'restart':'always'}}}");
    undo(STEP_CNI, "{'config':{}," AGENT("1.4.1") "}", "{'before':{}}");
    assert_judged(FINDING_STALE, DISRUPTION_AGENT_RESTART, "agent restarts");
    undo(STEP_CNI, "{'config':{}," AGENT("1.4.1") "}",
         "{'before':{},'unrestart':{'state':'done'}}");
    assert_judged(FINDING_STALE, DISRUPTION_NONE, "taken away");
}

static void a_network_of_ours_is_known_by_its_bytes(void **state)
{
    _cleanup_(freep) char *bytes = render_cni_config(spec, &facts);
    char digest[DIGEST_HEX_SIZE];
    digest_bytes(bytes, strlen(bytes), digest);
    _cleanup_(freep) char *seen = mem_printf(
        "{'config':{'name':'calico','type':'calico','sha256':'%s'}," AGENT("1.4.1") "}",
        digest);

    undo(STEP_CNI, seen, NULL);
    assert_judged(FINDING_STALE, DISRUPTION_NONE, "taken away");
    undo(STEP_CNI,
         "{'config':{'path':'/c/calico.cni','name':'calico','type':'calico',"
         "'sha256':'x'}," AGENT("1.4.1") "}",
         NULL);
    assert_judged(FINDING_FOREIGN, DISRUPTION_NONE, "remove it by hand");
}

static void a_container_with_our_label_goes(void **state)
{
    undo(STEP_LIBNETWORK, "{'container':{'spec':'abc'}}", NULL);
    assert_judged(FINDING_STALE, DISRUPTION_NONE, "taken away");
    undo(STEP_NODE, "{}", "{'before':{'container':null}}");
    assert_judged(FINDING_STALE, DISRUPTION_NONE, "taken away");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_host_without_anything_of_ours_has_nothing_to_undo),
        TEST(somebody_elses_things_are_left_alone),
        TEST(docker_restarts_where_it_runs_with_another_store_than_before),
        TEST(docker_is_not_restarted_twice),
        TEST(a_docker_that_is_down_is_somebodys_matter_but_in_our_own_restart),
        TEST(our_keys_are_known_without_a_memory),
        TEST(the_mesos_agent_restarts_only_where_an_install_restarts_it),
        TEST(a_network_of_ours_is_known_by_its_bytes),
        TEST(a_container_with_our_label_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
