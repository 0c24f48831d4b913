/* test_plan.c - who goes when, and who stays out and why.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/zone_reach.h"
#include "tests/unit/cmocka_all.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fleet {
    struct plan_input *inputs;
    int count;
};

static struct plan_input *fleet_add(struct fleet *fleet, const char *host)
{
    struct plan_input *input;

    fleet->inputs =
        mem_resize(fleet->inputs, (size_t)fleet->count + 1, sizeof(*fleet->inputs));
    input = &fleet->inputs[fleet->count++];
    *input = (struct plan_input){.live = true};
    facts_init(&input->facts);
    (void)STR_COPY(input->facts.host, host);
    (void)STR_COPY(input->facts.address, "10.0.0.1");
    input->facts.role = ROLE_SLAVE;
    input->facts.seen_ms = 1;
    return input;
}

static void fleet_done(struct fleet *fleet)
{
    for (int i = 0; i < fleet->count; i++)
        facts_done(&fleet->inputs[i].facts);
    free(fleet->inputs);
}

static struct spec *spec_of(const char *text)
{
    struct spec *spec = NULL;
    struct strbuf errors = {0};

    if (spec_parse(text, strlen(text), &spec, &errors, NULL) != 0)
        fail_msg("%s", errors.text);
    return spec;
}

static struct plan plan_of(const char *text, const struct fleet *fleet,
                           const struct strings *wanted)
{
    struct spec *spec = spec_of(text);
    struct plan plan;
    struct error err = {0};

    if (plan_make(spec, fleet->inputs, fleet->count, wanted, &plan, &err) != 0)
        fail_msg("%s", err.text);
    spec_free(spec);
    return plan;
}

/* "canary=a | wave-1=b c | out=d(absent)" */
static void assert_plan(const struct plan *plan, const char *expect)
{
    static const char *const fits[] = {"", "absent", "unprobed", "unfit", "unknown"};
    struct strbuf b = {0};
    int last = -2;

    for (int i = 0; i < plan->hosts_count; i++) {
        const struct plan_host *host = &plan->hosts[i];

        if (host->wave != last)
            strbuf_addf(&b, "%s%s=", i ? " | " : "",
                        host->wave < 0 ? "out" : plan->waves[host->wave].name);
        else
            strbuf_add(&b, " ");
        strbuf_add(&b, host->host);
        if (host->fit != PLAN_FIT)
            strbuf_addf(&b, "(%s)", fits[host->fit]);
        last = host->wave;
    }
    assert_string_equal(b.text ? b.text : "", expect);
    strbuf_done(&b);
}

static void canaries_go_first_then_waves_by_host_id(void **state)
{
    static const char *const hosts[] = {"e", "b", "d", "a", "c"};
    struct fleet fleet = {0};
    struct plan plan;

    for (size_t i = 0; i < 5; i++)
        (void)fleet_add(&fleet, hosts[i]);

    plan = plan_of("{\"waves\":{\"canary\":1,\"size\":2}}", &fleet, NULL);
    assert_plan(&plan, "canary=a | wave-1=b c | wave-2=d e");
    assert_int_equal(plan.members, 5);
    assert_int_equal(plan.waves[2].size, 2);
    plan_done(&plan);

    plan = plan_of("{\"waves\":{\"canary\":2,\"size\":0}}", &fleet, NULL);
    assert_plan(&plan, "canary=a b | rest=c d e");
    plan_done(&plan);

    plan = plan_of("{\"waves\":{\"canary\":0,\"size\":\"40%\"}}", &fleet, NULL);
    assert_plan(&plan, "wave-1=a b | wave-2=c d | wave-3=e");
    assert_int_equal(plan.waves[2].size, 1);
    plan_done(&plan);

    plan = plan_of("{\"waves\":{\"canary\":9}}", &fleet, NULL);
    assert_plan(&plan, "canary=a b c d e");
    plan_done(&plan);

    plan = plan_of("{\"waves\":{\"canary\":0,\"size\":0}}", &fleet, NULL);
    assert_plan(&plan, "rest=a b c d e");
    plan_done(&plan);
    fleet_done(&fleet);
}

static void canaries_are_private_agents_without_a_failed_probe(void **state)
{
    struct fleet fleet = {0};
    struct plan plan;

    fleet_add(&fleet, "a")->facts.role = ROLE_SLAVE_PUBLIC;
    (void)json_object_set_new(fleet_add(&fleet, "b")->facts.errors, "cni",
                              json_string("agent:5051 does not answer"));
    (void)fleet_add(&fleet, "c");
    (void)fleet_add(&fleet, "d");

    plan = plan_of("{\"waves\":{\"canary\":1,\"size\":0}}", &fleet, NULL);
    assert_plan(&plan, "canary=c | rest=a b d");
    plan_done(&plan);

    plan = plan_of("{\"waves\":{\"canary\":3,\"size\":0}}", &fleet, NULL);
    assert_plan(&plan, "canary=a c d | rest=b");
    plan_done(&plan);
    fleet_done(&fleet);
}

static void the_unfit_stay_out_each_with_its_reason(void **state)
{
    struct fleet fleet = {0};
    struct plan plan;

    (void)fleet_add(&fleet, "a");
    fleet_add(&fleet, "m")->facts.role = ROLE_MASTER;
    fleet_add(&fleet, "n")->facts.native_calico = true;
    fleet_add(&fleet, "o")->live = false;
    fleet_add(&fleet, "r")->facts.role = ROLE_UNKNOWN;
    (void)json_object_set_new(
        fleet_add(&fleet, "s")->facts.seen, "etcd-proxy",
        json_pack("{s:{s:s,s:b}}", "binary", "path", "/usr/bin/etcd", "absent", 1));
    (void)fleet_add(&fleet, "Bad_Id");

    plan = plan_of("{}", &fleet, NULL);
    assert_plan(&plan, "canary=a | out=Bad_Id(unfit) m(unfit) n(unfit) o(absent) "
                       "r(unfit) s(unfit)");
    assert_int_equal(plan.members, 1);
    assert_non_null(strstr(plan.hosts[1].why, "is no host id"));
    assert_non_null(strstr(plan.hosts[2].why, "master"));
    assert_non_null(strstr(plan.hosts[3].why, "its own Calico"));
    assert_non_null(strstr(plan.hosts[4].why, "not connected"));
    assert_non_null(strstr(plan.hosts[5].why, "neither role slave nor"));
    assert_non_null(strstr(plan.hosts[6].why, "etcd-proxy: there is no etcd"));
    plan_done(&plan);

    plan = plan_of("{\"steps\":{\"etcd-proxy\":{\"enabled\":false}}}", &fleet, NULL);
    assert_int_equal(plan.members, 2); /* s is fit where the step is off */
    plan_done(&plan);
    fleet_done(&fleet);
}

static void a_host_that_is_not_yet_probed_is_left_out_and_told(void **state)
{
    struct fleet fleet = {0};
    struct plan plan;

    (void)fleet_add(&fleet, "a");
    fleet_add(&fleet, "b")->facts.seen_ms = 0;
    fleet_add(&fleet, "c")->facts.seen_ms = 0;
    fleet.inputs[2].live = false;
    fleet_add(&fleet, "m")->facts.seen_ms = 0;
    fleet.inputs[3].facts.role = ROLE_MASTER;

    plan = plan_of("{}", &fleet, NULL);
    assert_plan(&plan, "canary=a | out=b(unprobed) c(absent) m(unfit)");
    assert_non_null(strstr(plan.hosts[1].why, "not yet probed"));
    plan_done(&plan);
    fleet_done(&fleet);
}

static void asked_for_hosts_only_and_unknown_ones_are_told(void **state)
{
    struct fleet fleet = {0};
    struct strings wanted = {0};
    struct plan plan;

    (void)fleet_add(&fleet, "c");
    (void)fleet_add(&fleet, "a");
    (void)fleet_add(&fleet, "b");
    strings_add(&wanted, "zz");
    strings_add(&wanted, "c");
    strings_add(&wanted, "a");
    strings_add(&wanted, "c");

    plan = plan_of("{\"waves\":{\"size\":0}}", &fleet, &wanted);
    assert_plan(&plan, "canary=a | rest=c | out=zz(unknown)");
    assert_non_null(strstr(plan.hosts[2].why, "not in the inventory"));
    plan_done(&plan);
    strings_done(&wanted);
    fleet_done(&fleet);
}

static void nobody_makes_an_empty_plan(void **state)
{
    struct fleet fleet = {0};
    struct plan plan = plan_of("{}", &fleet, NULL);

    assert_int_equal(plan.members, 0);
    assert_int_equal(plan.waves_count, 0);
    plan_done(&plan);
}

static void waves_grow_as_the_spec_says(void **state)
{
    static const struct {
        const char *spec;
        int sizes[6];
    } cases[] = {
        {"{\"waves\":{\"size\":[2,\"5%\",\"10%\",0]}}", {1, 2, 5, 10, 82}},
        {"{\"waves\":{\"canary\":0,\"size\":[10,\"45%\"]}}", {10, 45, 45}},
        {"{\"waves\":{\"canary\":0,\"size\":[60,60,5]}}", {60, 40}},
    };
    struct fleet fleet = {0};
    char host[16];

    for (int i = 0; i < 100; i++) {
        (void)snprintf(host, sizeof(host), "h%04d", i);
        (void)fleet_add(&fleet, host);
    }
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        struct plan plan = plan_of(cases[c].spec, &fleet, NULL);
        int count = 0;
        while (cases[c].sizes[count] > 0)
            count++;
        assert_int_equal(plan.waves_count, count);
        for (int i = 0; i < count; i++)
            assert_int_equal(plan.waves[i].size, cases[c].sizes[i]);
        plan_done(&plan);
    }
    fleet_done(&fleet);
}

static void too_many_waves_are_refused(void **state)
{
    struct fleet fleet = {0};
    struct spec *spec = spec_of("{\"waves\":{\"size\":1}}");
    struct plan plan;
    struct error err;
    char host[16];

    for (int i = 0; i < WAVES_MAX + 1; i++) {
        (void)snprintf(host, sizeof(host), "h%04d", i);
        (void)fleet_add(&fleet, host);
    }

    assert_int_equal(plan_make(spec, fleet.inputs, WAVES_MAX, NULL, &plan, &err), 0);
    assert_int_equal(plan.waves_count, WAVES_MAX);
    plan_done(&plan);
    assert_int_equal(plan_make(spec, fleet.inputs, WAVES_MAX + 1, NULL, &plan, &err),
                     -EINVAL);
    assert_non_null(strstr(err.text, "use a larger waves.size"));
    spec_free(spec);
    fleet_done(&fleet);
}

static void restarts_that_are_really_needed_are_counted(void **state)
{
    struct fleet fleet = {0};
    struct plan plan;

    (void)fleet_add(&fleet, "b");
    (void)json_object_set_new(
        fleet_add(&fleet, "a")->facts.seen, "docker-cluster-store",
        json_loads("{\"file\":{\"path\":\"/etc/docker/daemon.json\"},"
                   "\"unit\":{\"active\":\"active\",\"pid\":812},"
                   "\"info\":{\"version\":\"20.10.24\",\"store\":\"\","
                   "\"advertise\":\"\",\"swarm\":\"inactive\"}}",
                   0, NULL));

    plan = plan_of("{}", &fleet, NULL);
    assert_int_equal(plan.members, 2);
    assert_int_equal(plan.hosts[0].steps[STEP_DOCKER_STORE].disruption,
                     DISRUPTION_DOCKER_RESTART);
    assert_int_equal(plan.docker_restarts, 1);
    assert_int_equal(plan.agent_restarts, 0);
    assert_int_equal(plan.reloads, 0);
    plan_done(&plan);
    fleet_done(&fleet);
}

static void zones_may_allow_fewer_at_a_time_than_the_lease(void **state)
{
    static const char *const zones[] = {"rack-1", "rack-2", "rack-1", "",
                                        "rack-1", "",       "rack-9"};
    struct spec *spec =
        spec_of("{\"leases\":{\"restart\":6},\"zone_limits\":{\"restart\":2}}");
    struct fleet fleet = {0};
    struct plan plan;

    for (int i = 0; i < 7; i++) {
        char host[16];
        (void)snprintf(host, sizeof(host), "h%d", i);
        struct plan_input *input = fleet_add(&fleet, host);
        (void)STR_COPY(input->facts.zone, zones[i]);
        input->live = i < 6; /* nobody of rack-9 takes part */
    }
    assert_int_equal(plan_make(spec, fleet.inputs, 7, NULL, &plan, NULL), 0);
    struct zone_reach reach = zone_reach_of(&plan, spec, &spec->zone_limits[0]);

    assert_int_equal(reach.zones, 3);
    assert_int_equal(reach.unnamed, 2);
    assert_int_equal(reach.at_most, 2 + 1 + 2);
    assert_int_equal(reach.permits, 6);
    assert_string_equal(plan.hosts[1].zone, "rack-2");
    plan_done(&plan);
    spec_free(spec);
    fleet_done(&fleet);
}

static void the_same_input_gives_the_same_plan_of_twenty_thousand(void **state)
{
    struct fleet fleet = {0};
    struct plan plan;
    char host[HOST_ID_SIZE];

    fleet.inputs = mem_array(20000, sizeof(*fleet.inputs));
    for (int i = 0; i < 20000; i++) {
        struct plan_input *input = &fleet.inputs[(i * 7919) % 20000];

        (void)snprintf(host, sizeof(host), "10.1.%d.%d", i / 256, i % 256);
        facts_init(&input->facts);
        (void)STR_COPY(input->facts.host, host);
        (void)STR_COPY(input->facts.address, host);
        input->facts.role = ROLE_SLAVE;
        input->facts.seen_ms = 1;
        input->live = true;
    }
    fleet.count = 20000;

    plan = plan_of("{}", &fleet, NULL);
    assert_int_equal(plan.members, 20000);
    assert_int_equal(plan.waves_count, 5);
    assert_int_equal(plan.waves[4].size, 4999);
    assert_string_equal(plan.hosts[0].host, "10.1.0.0");
    for (int i = 1; i < plan.hosts_count; i++)
        assert_true(plan.hosts[i].wave >= plan.hosts[i - 1].wave);
    plan_done(&plan);
    fleet_done(&fleet);
}

static void hosts_in_use_are_left_out_of_an_uninstall_unless_forced(void **state)
{
    struct fleet fleet = {0};
    struct spec *spec = spec_of("{\"waves\":{\"canary\":0,\"size\":0}}");
    struct plan plan;

    (void)fleet_add(&fleet, "a");
    (void)json_object_set_new(fleet_add(&fleet, "b")->facts.in_use, "net1",
                              json_string("web1, web2"));
    (void)json_object_set_new(fleet.inputs[0].facts.seen, "docker-cluster-store",
                              json_pack("{s:{s:{s:s}},s:{s:s}}", "file", "keys",
                                        "cluster-store", "etcd://127.0.0.1:2379",
                                        "info", "store", "etcd://127.0.0.1:2379"));

    assert_int_equal(
        plan_make_undo(spec, fleet.inputs, fleet.count, NULL, false, &plan, NULL), 0);
    assert_plan(&plan, "rest=a | out=b(unfit)");
    assert_non_null(strstr(plan.hosts[1].why, "\"net1\" (web1, web2)"));
    assert_int_equal(plan.docker_restarts, 1);
    plan_done(&plan);
    assert_int_equal(
        plan_make_undo(spec, fleet.inputs, fleet.count, NULL, true, &plan, NULL), 0);
    assert_plan(&plan, "rest=a b");
    plan_done(&plan);
    spec_free(spec);
    fleet_done(&fleet);
}

static void a_plan_with_too_few_fit_hosts_refuses_to_start(void **state)
{
    struct fleet fleet = {0};
    struct error err = {0};
    char host[16];

    for (int i = 0; i < 10; i++) {
        snprintf(host, sizeof(host), "10.0.0.%d", i + 1);
        fleet_add(&fleet, host)->live = i < 8;
    }
    struct plan plan = plan_of("{\"min_available\":\"81%\"}", &fleet, NULL);

    assert_int_equal(plan_check(&plan, &err), -EINVAL);
    assert_non_null(strstr(err.text, "only 8 of 10 hosts are fit, and min_available "
                                     "asks for 9"));
    plan_done(&plan);
    plan = plan_of("{\"min_available\":\"80%\"}", &fleet, NULL);
    assert_int_equal(plan_check(&plan, &err), 0);
    plan_done(&plan);
    plan = plan_of("{\"min_available\":9}", &fleet, NULL);
    assert_int_equal(plan_check(&plan, &err), -EINVAL);
    plan_done(&plan);
    fleet_done(&fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_in_use_are_left_out_of_an_uninstall_unless_forced),
        cmocka_unit_test(canaries_go_first_then_waves_by_host_id),
        cmocka_unit_test(canaries_are_private_agents_without_a_failed_probe),
        cmocka_unit_test(the_unfit_stay_out_each_with_its_reason),
        cmocka_unit_test(a_host_that_is_not_yet_probed_is_left_out_and_told),
        cmocka_unit_test(asked_for_hosts_only_and_unknown_ones_are_told),
        cmocka_unit_test(nobody_makes_an_empty_plan),
        cmocka_unit_test(waves_grow_as_the_spec_says),
        cmocka_unit_test(too_many_waves_are_refused),
        cmocka_unit_test(restarts_that_are_really_needed_are_counted),
        cmocka_unit_test(zones_may_allow_fewer_at_a_time_than_the_lease),
        cmocka_unit_test(the_same_input_gives_the_same_plan_of_twenty_thousand),
        cmocka_unit_test(a_plan_with_too_few_fit_hosts_refuses_to_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
