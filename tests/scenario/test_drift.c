/* test_drift.c - stories of hosts that change after their rollout has ended.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/str.h"
#include "shared/model/zpath.h"
#include "shared/swarm/host_order.h"
#include "tests/scenario/story.h"
#include "tests/unit/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

enum { MINUTE_MS = 60000, LOOK_MS = 5 * MINUTE_MS, REPAIR_MS = 15 * MINUTE_MS };

/* A rollout that has ended and keeps its hosts; late ones come by themselves. */
static struct story kept(struct sim_swarm_config config)
{
    config.hosts = config.hosts ? config.hosts : 3;
    config.restarts = 1;
    config.adopt = true;
    config.look_ms = LOOK_MS;
    struct story s = story_begin(config);
    story_runs_to_its_end(&s);
    assert_int_equal(sim_swarm_gate(s.swarm).phase, GATE_KEEP);
    for (int i = config.hosts; sim_swarm_host(s.swarm, i); i++)
        sim_swarm_start(s.swarm, i);
    sim_loop_run_for(s.loop, REPAIR_MS);
    return s;
}

static struct record host(struct story *s, int i)
{
    return sim_swarm_record(s->swarm, i);
}

static int children(struct story *s, const char *path)
{
    struct zk_stat stat;
    assert_true(model_zk_peek(s->zk, path, NULL, NULL, &stat));
    return stat.children_count;
}

static int events(struct story *s)
{
    return children(s, zpath_events("/clowder", sim_swarm_rollout(s->swarm)).text);
}

static bool inventory_says(struct story *s, int i, const char *text)
{
    const char *data;
    struct zpath path = zpath_host("/clowder", sim_swarm_host(s->swarm, i));
    assert_true(model_zk_peek(s->zk, path.text, &data, NULL, NULL));
    return strstr(data, text) != NULL;
}

static void assert_steady(struct story *s, int i)
{
    struct record record = host(s, i);
    assert_int_equal(record.state, HOST_DONE);
    assert_int_equal(record.drift, RECORD_STEADY);
    assert_int_equal(record_drifted_steps(&record), 0);
    for (int d = 0; d < SIM_DRIFTS; d++)
        assert_false(sim_swarm_drifted(s->swarm, i, (enum sim_drift)d));
}

static void a_done_host_that_drifts_says_so(void **state)
{
    struct story s = kept((struct sim_swarm_config){0});
    int grants = story_grants(&s, "install") + story_grants(&s, "restart");
    int told = events(&s);

    sim_swarm_drift(s.swarm, 1, SIM_FILE_REVERTED, true); /* auto: reported only */
    sim_loop_run_for(s.loop, 3 * LOOK_MS);

    struct record record = host(&s, 1);
    assert_int_equal(record.state, HOST_DONE);
    assert_int_equal(record.drift, RECORD_DRIFTED);
    assert_true(record_step_drifted(&record, "docker-cluster-store"));
    assert_int_equal(sim_swarm_drifted_count(s.swarm), 1);
    assert_true(inventory_says(&s, 1, "\"drift\":{\"docker-cluster-store\":\"Docker"));
    assert_int_equal(events(&s), told + 1);
    assert_non_null(strstr(sim_swarm_runner(s.swarm, 1)->says, "docker-cluster-store"));
    assert_int_equal(story_grants(&s, "install") + story_grants(&s, "restart"), grants);

    sim_swarm_drift(s.swarm, 1, SIM_FILE_REVERTED, false); /* somebody mended it */
    sim_loop_run_for(s.loop, 3 * LOOK_MS);
    assert_steady(&s, 1);
    assert_int_equal(sim_swarm_drifted_count(s.swarm), 0);
    assert_true(inventory_says(&s, 1, "\"drift\":{}"));
    assert_int_equal(events(&s), told + 2);
    story_end(&s);
}

static void one_look_is_not_enough(void **state)
{
    struct story s = kept((struct sim_swarm_config){0});

    for (int i = 0; i < 20; i++) {
        while (sim_swarm_runner(s.swarm, 0)->drift.steps[STEP_CNI].last != SIGHT_RIGHT)
            story_step(&s);
        sim_swarm_drift(s.swarm, 0, SIM_CNI_GONE, true);
        while (sim_swarm_runner(s.swarm, 0)->drift.steps[STEP_CNI].last != SIGHT_WRONG)
            story_step(&s);
        sim_swarm_drift(s.swarm, 0, SIM_CNI_GONE, false);
    }

    assert_int_equal(checker_counts(s.checker).drifts, 0);
    story_end(&s);
}

static void what_takes_no_restart_repairs_itself_under_install(void **state)
{
    struct story s = kept((struct sim_swarm_config){0});
    int restarts = story_grants(&s, "restart"), installs = story_grants(&s, "install");
    int told = events(&s);

    sim_swarm_drift(s.swarm, 0, SIM_CNI_GONE, true);
    sim_swarm_drift(s.swarm, 0, SIM_FILE_REVERTED, true);
    sim_loop_run_for(s.loop, REPAIR_MS);

    /* Two stages were done again, and what is only reported was left as it is. */
    struct record record = host(&s, 0);
    assert_int_equal(record.state, HOST_DONE);
    assert_false(sim_swarm_drifted(s.swarm, 0, SIM_CNI_GONE));
    assert_true(sim_swarm_drifted(s.swarm, 0, SIM_FILE_REVERTED));
    assert_int_equal(record.drift, RECORD_DRIFTED);
    assert_int_equal(record_drifted_steps(&record), 1);
    assert_true(record_step_drifted(&record, "docker-cluster-store"));
    assert_int_equal(record.repairs, 1);
    assert_int_equal(story_grants(&s, "install"), installs + 2);
    assert_int_equal(story_grants(&s, "restart"), restarts);
    assert_int_equal(sim_swarm_drifted_count(s.swarm), 1);

    sim_swarm_drift(s.swarm, 0, SIM_FILE_REVERTED, false);
    sim_loop_run_for(s.loop, REPAIR_MS);
    assert_steady(&s, 0);
    assert_int_equal(events(&s), told + 2);
    story_end(&s);
}

static const char repairs[] = "\"drift\":\"repair\"";

static void a_done_host_that_drifts_repairs_itself_under_the_lease(void **state)
{
    struct story s = kept((struct sim_swarm_config){.spec = repairs});
    int restarts = story_grants(&s, "restart"), told = events(&s);
    int acts = sim_swarm_acts(s.swarm, 2);

    sim_swarm_drift(s.swarm, 2, SIM_STORE_GONE, true);
    sim_loop_run_for(s.loop, REPAIR_MS);

    assert_steady(&s, 2);
    assert_int_equal(sim_swarm_acts(s.swarm, 2), acts + 1);
    assert_int_equal(story_grants(&s, "restart"), restarts + 1);
    assert_int_equal(sim_swarm_drifted_count(s.swarm), 0);
    assert_int_equal(checker_counts(s.checker).mends, 1);
    assert_int_equal(events(&s), told + 2); /* drifted, repaired */
    story_end(&s);
}

static void a_drifted_host_waits_while_paused(void **state)
{
    struct story s = kept((struct sim_swarm_config){.spec = repairs});
    int acts = story_acts_begun(&s);

    sim_swarm_set_phase(s.swarm, GATE_PAUSE, "lunch");
    sim_swarm_drift(s.swarm, 0, SIM_STORE_GONE, true);
    sim_loop_run_for(s.loop, 10 * LOOK_MS);

    assert_int_equal(host(&s, 0).state, HOST_DONE);
    assert_int_equal(host(&s, 0).drift, RECORD_DRIFTED); /* said, not mended */
    assert_int_equal(story_acts_begun(&s), acts);

    sim_swarm_set_phase(s.swarm, GATE_KEEP, "");
    sim_loop_run_for(s.loop, MINUTE_MS); /* no look is waited for */
    assert_steady(&s, 0);
    story_end(&s);
}

/* /current is written after the gate: its phase is a hint. */
static void a_gate_that_closed_unseen_stops_a_repair(void **state)
{
    struct story s = kept((struct sim_swarm_config){.spec = repairs});
    struct gate gate = sim_swarm_gate(s.swarm);
    gate.phase = GATE_PAUSE;
    char *data = gate_encode(&gate);
    struct zpath path = zpath_gate("/clowder", sim_swarm_rollout(s.swarm));
    struct zk_op op = op_set(path.text, data, -1);
    assert_int_equal(model_zk_poke(s.zk, &op, 1), ZK_OK);
    free(data);

    sim_swarm_drift(s.swarm, 0, SIM_STORE_GONE, true);
    sim_loop_run_for(s.loop, 10 * LOOK_MS);

    assert_int_equal(host(&s, 0).state, HOST_DONE);
    assert_int_equal(host(&s, 0).drift, RECORD_DRIFTED);
    story_end(&s);
}

static void on_ordered(void *ctx, int result, const struct error *err)
{
    if (result < 0)
        fail_msg("%s", err->text);
    *(bool *)ctx = true;
}

static bool is_true(void *ctx)
{
    return *(bool *)ctx;
}

static void order(struct story *s, enum host_order_kind kind, int i)
{
    struct zk *zk = model_zk_connect(s->zk, "cli", NULL);
    struct host_order order = {0};
    struct host_order_request request = {.kind = kind,
                                         .at_ms = loop_wall_ms(sim_loop_port(s->loop))};
    bool done = false;
    STR_COPY(request.host, sim_swarm_host(s->swarm, i));
    STR_COPY(request.who, "ops@test");
    STR_COPY(request.why, "because");
    host_order_start(&order, zk, sim_loop_port(s->loop), "/clowder", &request,
                     on_ordered, &done);
    assert_true(sim_loop_run_until(s->loop, is_true, &done, MINUTE_MS));
    host_order_done(&order);
    zk_free(zk);
}

static void a_failed_repair_pauses_and_a_retry_ends_it(void **state)
{
    struct story s = kept((struct sim_swarm_config){.spec = repairs});

    sim_swarm_drift(s.swarm, 0, SIM_STORE_GONE, true);
    sim_swarm_drift(s.swarm, 1, SIM_STORE_GONE, true);
    sim_swarm_doom(s.swarm, 0, true);
    sim_swarm_doom(s.swarm, 1, true);
    assert_true(story_until_paused(&s));
    sim_loop_run_for(s.loop, REPAIR_MS);

    struct gate gate = sim_swarm_gate(s.swarm);
    assert_int_equal(gate.failed, 1); /* the other one did not begin */
    assert_true(gate.kept);
    assert_int_equal(story_permits(&s, "restart"), 0);
    assert_int_equal(sim_swarm_count(s.swarm, HOST_FAILED), 1);
    assert_int_equal(sim_swarm_drifted_count(s.swarm), 2);

    order(&s, HOST_RETRY, host(&s, 0).state == HOST_FAILED ? 0 : 1);
    sim_swarm_doom(s.swarm, 0, false);
    sim_swarm_doom(s.swarm, 1, false);
    sim_swarm_set_phase(s.swarm, GATE_KEEP, "");
    sim_loop_run_for(s.loop, 4 * REPAIR_MS);
    assert_steady(&s, 0);
    assert_steady(&s, 1);
    assert_int_equal(sim_swarm_gate(s.swarm).failed, 0);
    story_end(&s);
}

static void
a_host_that_is_given_up_in_its_repair_is_counted_as_drifted_no_more(void **state)
{
    struct story s = kept((struct sim_swarm_config){.spec = repairs});

    sim_swarm_drift(s.swarm, 0, SIM_STORE_GONE, true);
    sim_swarm_doom(s.swarm, 0, true);
    assert_true(story_until_paused(&s));
    order(&s, HOST_EXCLUDE, 0);
    sim_loop_run_for(s.loop, REPAIR_MS);

    assert_int_equal(host(&s, 0).state, HOST_EXCLUDED);
    assert_int_equal(sim_swarm_drifted_count(s.swarm), 0);
    assert_int_equal(sim_swarm_gate(s.swarm).failed, 0);
    story_end(&s);
}

static void two_drifted_hosts_repair_one_at_a_time_under_K_1(void **state)
{
    struct story s = kept((struct sim_swarm_config){.hosts = 5, .spec = repairs});

    for (int i = 0; i < 5; i++)
        sim_swarm_drift(s.swarm, i, SIM_STORE_GONE, true);
    sim_loop_run_for(s.loop, REPAIR_MS);

    for (int i = 0; i < 5; i++) {
        assert_steady(&s, i);
        assert_int_equal(sim_swarm_acts(s.swarm, i), 3);
    }
    assert_int_equal(story_most_acting(&s), 1);
    story_end(&s);
}

static void a_late_host_drifts_and_repairs_itself_too(void **state)
{
    struct story s = kept((struct sim_swarm_config){.late = 1, .spec = repairs});
    assert_int_equal(host(&s, 3).state, HOST_DONE);

    sim_swarm_drift(s.swarm, 3, SIM_STORE_GONE, true);
    sim_swarm_drift(s.swarm, 0, SIM_STORE_GONE, true);
    sim_loop_run_for(s.loop, REPAIR_MS);

    assert_steady(&s, 3);
    assert_steady(&s, 0);
    assert_int_equal(sim_swarm_acts(s.swarm, 3), 3);
    assert_int_equal(story_most_acting(&s), 1);
    story_end(&s);
}

static void drift_that_is_seen_while_no_server_answers_is_told_afterwards(void **state)
{
    struct story s = kept((struct sim_swarm_config){0});

    model_zk_stop(s.zk, -1);
    sim_swarm_drift(s.swarm, 0, SIM_FILE_REVERTED, true);
    sim_loop_run_for(s.loop, 5 * LOOK_MS);
    assert_int_equal(sim_swarm_drifted_count(s.swarm), 0);
    model_zk_start(s.zk, -1);
    sim_loop_run_for(s.loop, MINUTE_MS); /* before the next look */

    assert_int_equal(host(&s, 0).drift, RECORD_DRIFTED);
    assert_int_equal(sim_swarm_drifted_count(s.swarm), 1);
    story_end(&s);
}

static void in_a_rollout_under_way_drift_is_told_and_not_mended(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 4,
                                                           .canary = 1,
                                                           .restarts = 1,
                                                           .adopt = true,
                                                           .look_ms = LOOK_MS,
                                                           .act_ms = 30 * MINUTE_MS,
                                                           .spec = repairs});
    while (host(&s, 0).state != HOST_DONE)
        story_step(&s);

    sim_swarm_drift(s.swarm, 0, SIM_STORE_GONE, true);
    sim_loop_run_for(s.loop, 3 * LOOK_MS);
    assert_int_equal(sim_swarm_gate(s.swarm).phase, GATE_RUN);
    assert_int_equal(host(&s, 0).state, HOST_DONE);
    assert_int_equal(host(&s, 0).drift, RECORD_DRIFTED);

    story_runs_to_its_end(&s);
    sim_loop_run_for(s.loop, 4 * 60 * MINUTE_MS);
    assert_steady(&s, 0);
    story_end(&s);
}

/* A process dies at every moment of a repair, and comes back. */
static void a_repair_survives_a_crash_at_any_moment(void **state)
{
    for (int after_ms = 0; after_ms < 9000; after_ms += 157) {
        struct story s = kept((struct sim_swarm_config){.spec = repairs});
        sim_swarm_drift(s.swarm, 0, SIM_STORE_GONE, true);
        while (sim_swarm_runner(s.swarm, 0)->state != RUNNER_DRIFTING)
            story_step(&s);
        sim_loop_run_for(s.loop, after_ms);

        sim_swarm_crash(s.swarm, 0);
        sim_loop_run_for(s.loop, MINUTE_MS);
        sim_swarm_start(s.swarm, 0);
        sim_loop_run_for(s.loop, 2 * REPAIR_MS);

        assert_steady(&s, 0);
        assert_int_equal(sim_swarm_acts(s.swarm, 0), 3);
        assert_int_equal(sim_swarm_drifted_count(s.swarm), 0);
        story_end(&s);
    }
}

static void a_lost_reply_at_any_request_of_a_repair_loses_nothing(void **state)
{
    for (int after_ms = 0; after_ms < 9000; after_ms += 73) {
        struct story s = kept((struct sim_swarm_config){.spec = repairs});
        sim_swarm_drift(s.swarm, 0, SIM_STORE_GONE, true);
        while (sim_swarm_runner(s.swarm, 0)->state != RUNNER_DRIFTING)
            story_step(&s);
        sim_loop_run_for(s.loop, after_ms);

        if (after_ms % 2)
            model_zk_drop(sim_swarm_client(s.swarm, 0));
        else
            model_zk_expire(sim_swarm_client(s.swarm, 0));
        sim_loop_run_for(s.loop, 2 * REPAIR_MS);

        assert_steady(&s, 0);
        assert_int_equal(sim_swarm_acts(s.swarm, 0), 3);
        assert_int_equal(checker_counts(s.checker).drifts, 1);
        assert_int_equal(checker_counts(s.checker).mends, 1);
        story_end(&s);
    }
}

static void a_fleet_that_drifts_at_once_floods_no_events(void **state)
{
    struct story s = kept((struct sim_swarm_config){.hosts = 60});
    int told = events(&s);

    for (int i = 0; i < 60; i++)
        sim_swarm_drift(s.swarm, i, SIM_FILE_REVERTED, true);
    sim_loop_run_for(s.loop, 3 * LOOK_MS);
    assert_int_equal(sim_swarm_drifted_count(s.swarm), 60);
    int drifted = events(&s) - told;
    for (int i = 0; i < 60; i++)
        sim_swarm_drift(s.swarm, i, SIM_FILE_REVERTED, false);
    sim_loop_run_for(s.loop, 3 * LOOK_MS);
    assert_int_equal(sim_swarm_drifted_count(s.swarm), 0);

    assert_in_range(drifted, 1, 2 * DRIFT_TELLERS_MAX);
    assert_in_range(events(&s) - told, drifted, 4 * DRIFT_TELLERS_MAX);
    story_end(&s);
}

static uint64_t requests_of(struct story *s, int i)
{
    struct model_zk_counts n = model_zk_client_counts(sim_swarm_client(s->swarm, i));
    return n.reads + n.writes;
}

static void a_look_at_a_host_that_has_not_drifted_costs_no_request(void **state)
{
    struct story s = kept((struct sim_swarm_config){0});
    uint64_t before[3];
    for (int i = 0; i < 3; i++)
        before[i] = requests_of(&s, i);

    sim_loop_run_for(s.loop, 100 * LOOK_MS);

    for (int i = 0; i < 3; i++)
        assert_int_equal(requests_of(&s, i), before[i]);
    story_end(&s);
}

static void a_host_that_has_drifted_tells_once(void **state)
{
    struct story s = kept((struct sim_swarm_config){0});

    sim_swarm_drift(s.swarm, 0, SIM_FILE_REVERTED, true);
    sim_loop_run_for(s.loop, 3 * LOOK_MS);
    uint64_t told = requests_of(&s, 0);
    sim_loop_run_for(s.loop, 100 * LOOK_MS);

    assert_int_equal(requests_of(&s, 0), told);
    story_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_done_host_that_drifts_says_so),
        cmocka_unit_test(one_look_is_not_enough),
        cmocka_unit_test(what_takes_no_restart_repairs_itself_under_install),
        cmocka_unit_test(a_done_host_that_drifts_repairs_itself_under_the_lease),
        cmocka_unit_test(a_drifted_host_waits_while_paused),
        cmocka_unit_test(a_gate_that_closed_unseen_stops_a_repair),
        cmocka_unit_test(a_failed_repair_pauses_and_a_retry_ends_it),
        cmocka_unit_test(
            a_host_that_is_given_up_in_its_repair_is_counted_as_drifted_no_more),
        cmocka_unit_test(two_drifted_hosts_repair_one_at_a_time_under_K_1),
        cmocka_unit_test(a_late_host_drifts_and_repairs_itself_too),
        cmocka_unit_test(drift_that_is_seen_while_no_server_answers_is_told_afterwards),
        cmocka_unit_test(in_a_rollout_under_way_drift_is_told_and_not_mended),
        cmocka_unit_test(a_repair_survives_a_crash_at_any_moment),
        cmocka_unit_test(a_lost_reply_at_any_request_of_a_repair_loses_nothing),
        cmocka_unit_test(a_fleet_that_drifts_at_once_floods_no_events),
        cmocka_unit_test(a_look_at_a_host_that_has_not_drifted_costs_no_request),
        cmocka_unit_test(a_host_that_has_drifted_tells_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
