/* test_zones.c - stories of rollouts that limit a lease per zone.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Hosts are dealt to the zones in turn: of two zones host 0, 2, 4 are in zone-0. The
 * checker watches all of it: no zone beyond its limit, and each grant of `restart` to a
 * host that has its zone's permit.
 */
#include "shared/base/str.h"
#include "shared/swarm/host_order.h"
#include "shared/swarm/order.h"
#include "tests/scenario/story.h"
#include "tests/unit/cmocka_all.h"

#include <string.h>

#define ROOT "/clowder"

static void on_done(void *ctx, int result, const struct error *err)
{
    if (result < 0)
        fail_msg("%s", err->text);
    *(bool *)ctx = true;
}

static bool is_done(void *ctx)
{
    return *(bool *)ctx;
}

static void set_limit(struct story *s, const char *lease, bool each_zone, int permits)
{
    struct zk *zk = model_zk_connect(s->zk, "cli", NULL);
    struct order order = {0};
    struct order_request request = {.kind = ORDER_SET_LIMIT,
                                    .each_zone = each_zone,
                                    .permits = permits,
                                    .at_ms = loop_wall_ms(sim_loop_port(s->loop))};
    bool done = false;
    STR_COPY(request.lease, lease);
    STR_COPY(request.who, "ops@test");
    order_start(&order, zk, sim_loop_port(s->loop), ROOT, &request, on_done, &done);
    assert_true(sim_loop_run_until(s->loop, is_done, &done, 60000));
    order_cancel(&order);
    zk_free(zk);
}

static void ordered(struct story *s, enum host_order_kind kind, int host)
{
    struct zk *zk = model_zk_connect(s->zk, "cli", NULL);
    struct host_order order = {0};
    struct host_order_request request = {.kind = kind,
                                         .at_ms = loop_wall_ms(sim_loop_port(s->loop))};
    bool done = false;
    STR_COPY(request.host, sim_swarm_host(s->swarm, host));
    STR_COPY(request.who, "ops@test");
    STR_COPY(request.why, "because");
    host_order_start(&order, zk, sim_loop_port(s->loop), ROOT, &request, on_done,
                     &done);
    assert_true(sim_loop_run_until(s->loop, is_done, &done, 60000));
    host_order_done(&order);
    zk_free(zk);
}

/* A host that has its zone's permit and waits for the other, which somebody has. */
static int between(struct story *s)
{
    for (int i = 0; sim_swarm_host(s->swarm, i); i++) {
        struct record record = sim_swarm_record(s->swarm, i);
        if (record.state == HOST_WAITING && record.zone_permit >= 0)
            return i;
    }
    return -1;
}

static int until_between(struct story *s)
{
    while (between(s) < 0 || story_permits(s, "restart") == 0)
        story_step(s);
    return between(s);
}

static int zone_permits(struct story *s, int host)
{
    struct record record = sim_swarm_record(s->swarm, host);
    return story_permits(s, lease_in_zone("restart", record.zone).text);
}

static bool is_lost(void *ctx)
{
    return sim_swarm_count(ctx, HOST_LOST) == 1;
}

static void no_two_hosts_of_a_zone_restart_at_once(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 9, .zones = 3, .restarts = 5, .zone_restarts = 1});
    int most = 0;

    while (!sim_swarm_closed(s.swarm)) {
        most =
            story_permits(&s, "restart") > most ? story_permits(&s, "restart") : most;
        assert_in_range(story_permits(&s, "restart.zone-0"), 0, 1);
        assert_in_range(story_permits(&s, "restart.zone-2"), 0, 1);
        story_step(&s);
    }

    assert_int_equal(most, 3); /* one of each zone, though five were allowed */
    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 9);
    assert_int_equal(story_grants(&s, "restart.zone-1"), 3);
    story_end(&s);
}

static void a_zone_may_have_more_than_one_at_a_time(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 6, .zones = 1, .restarts = 5, .zone_restarts = 2});

    story_runs_to_its_end(&s);

    assert_int_equal(story_most_acting(&s), 2);
    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 6);
    story_end(&s);
}

static void hosts_that_name_no_zone_are_one_zone(void **state)
{
    struct story s = story_begin(
        (struct sim_swarm_config){.hosts = 4, .restarts = 4, .zone_restarts = 1});

    story_runs_to_its_end(&s);

    assert_int_equal(story_most_acting(&s), 1);
    assert_int_equal(story_grants(&s, "restart._"), 4);
    story_end(&s);
}

static int restarted(struct story *s, int zone)
{
    int count = 0;
    for (int i = 0; sim_swarm_host(s->swarm, i); i++)
        count += i % 2 == zone && sim_swarm_record(s->swarm, i).stages_done >= 2;
    return count;
}

static void a_full_zone_holds_up_nobody_else(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 6, .zones = 2, .restarts = 2, .zone_restarts = 1});

    assert_true(story_until_acting(&s));
    int host = story_holder(&s);
    sim_swarm_crash(s.swarm, host); /* its zone stays full */
    sim_loop_run_for(s.loop, 5 * 60 * 1000);

    assert_int_equal(restarted(&s, host % 2), 0);
    assert_int_equal(restarted(&s, 1 - host % 2), 3);
    sim_swarm_start(s.swarm, host);
    story_runs_to_its_end(&s);
    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 6);
    story_end(&s);
}

static void a_visit_that_disrupts_nothing_asks_no_zone(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 4,
                                                           .zones = 2,
                                                           .restarts = 2,
                                                           .zone_restarts = 1,
                                                           .quiet_ppm = 1000000});

    story_runs_to_its_end(&s);

    assert_int_equal(story_grants(&s, "restart.zone-0"), 0);
    assert_int_equal(story_grants(&s, "restart"), 0);
    story_end(&s);
}

static void
a_host_that_dies_between_its_two_permits_goes_on_with_the_first(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 6, .zones = 3, .restarts = 1, .zone_restarts = 1});

    int host = until_between(&s);
    sim_swarm_crash(s.swarm, host);
    sim_loop_run_for(s.loop, 60000); /* its session is over, and so is its ticket */
    assert_int_equal(zone_permits(&s, host), 1);
    assert_int_equal(sim_swarm_record(s.swarm, host).state, HOST_WAITING);
    sim_swarm_start(s.swarm, host);
    story_runs_to_its_end(&s);

    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 6);
    for (int zone = 0; zone < 3; zone++) {
        char lease[32];
        snprintf(lease, sizeof(lease), "restart.zone-%d", zone);
        assert_int_equal(story_grants(&s, lease), 2); /* each host once */
    }
    story_end(&s);
}

static void
a_host_that_is_silent_between_its_permits_is_marked_and_can_be_broken(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 6, .zones = 3, .restarts = 1, .zone_restarts = 1});

    int host = until_between(&s);
    sim_swarm_crash(s.swarm, host);
    assert_true(sim_loop_run_until(s.loop, is_lost, s.swarm, 3600 * 1000));
    assert_int_equal(sim_swarm_record(s.swarm, host).permit, -1);
    assert_int_equal(zone_permits(&s, host), 1); /* nothing else frees it */
    assert_int_equal(sim_swarm_gate(s.swarm).phase, GATE_PAUSE);
    ordered(&s, HOST_BREAK, host);
    assert_int_equal(zone_permits(&s, host), 0);
    assert_int_equal(sim_swarm_gate(s.swarm).failed, 0);
    sim_swarm_set_phase(s.swarm, GATE_RUN, "");
    story_runs_to_its_end(&s);

    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 5);
    assert_int_equal(sim_swarm_record(s.swarm, host).state, HOST_EXCLUDED);
    story_end(&s);
}

static void a_host_lost_between_its_permits_comes_back_and_ends_done(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 6, .zones = 3, .restarts = 1, .zone_restarts = 1, .max_failed = 1});

    int host = until_between(&s);
    sim_swarm_crash(s.swarm, host);
    assert_true(sim_loop_run_until(s.loop, is_lost, s.swarm, 3600 * 1000));
    sim_swarm_start(s.swarm, host);
    story_runs_to_its_end(&s);

    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 6);
    assert_int_equal(sim_swarm_gate(s.swarm).failed, 0);
    story_end(&s);
}

static void a_host_excluded_between_its_permits_gives_its_zone_back(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 6, .zones = 3, .restarts = 1, .zone_restarts = 1});

    int host = until_between(&s);
    ordered(&s, HOST_EXCLUDE, host);
    assert_int_equal(sim_swarm_record(s.swarm, host).state, HOST_EXCLUDED);
    assert_int_equal(sim_swarm_record(s.swarm, host).zone_permit, -1);
    story_runs_to_its_end(&s);

    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 5);
    assert_int_equal(sim_swarm_acts(s.swarm, host), 0);
    story_end(&s);
}

/* The znode that says whose a zone's permit is goes by hand; then the permit, too. */
static void a_zones_permit_that_was_changed_by_hand_is_given_back(void **state)
{
    for (int gone = 0; gone < 2; gone++) {
        struct story s = story_begin((struct sim_swarm_config){
            .hosts = 6, .zones = 3, .restarts = 1, .zone_restarts = 1});
        int host = until_between(&s);
        struct record record = sim_swarm_record(s.swarm, host);
        const char *id = sim_swarm_rollout(s.swarm);
        struct lease_name lease = record_zone_lease(&record);
        story_look_away(&s);
        sim_swarm_crash(s.swarm, host);
        if (gone)
            story_remove_tree(
                &s, zpath_permit(ROOT, id, lease.text, record.zone_permit).text);
        else
            story_remove(&s,
                         zpath_permit_owner(ROOT, id, lease.text, record.zone_permit,
                                            sim_swarm_host(s.swarm, host))
                             .text);

        ordered(&s, HOST_EXCLUDE, host);

        assert_int_equal(sim_swarm_record(s.swarm, host).state, HOST_EXCLUDED);
        story_runs_to_its_end(&s);
        assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 5);
        story_end(&s);
    }
}

static void a_pause_between_the_permits_lets_nobody_take_the_second(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 6, .zones = 3, .restarts = 1, .zone_restarts = 1});

    int host = until_between(&s);
    sim_swarm_set_phase(s.swarm, GATE_PAUSE, "lunch");
    sim_loop_run_for(s.loop, 10 * 60 * 1000);
    assert_int_equal(story_permits(&s, "restart"), 0);
    assert_int_equal(sim_swarm_record(s.swarm, host).state, HOST_WAITING);
    assert_int_equal(zone_permits(&s, host), 1);
    sim_swarm_set_phase(s.swarm, GATE_RUN, "");
    story_runs_to_its_end(&s);

    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 6);
    story_end(&s);
}

static void an_abort_ends_when_every_zone_is_free(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 6, .zones = 3, .restarts = 1, .zone_restarts = 1});

    int host = until_between(&s);
    sim_swarm_set_phase(s.swarm, GATE_ABORT, "enough");
    int64_t aborted_ms = sim_loop_now_ms(s.loop);
    story_runs_to_its_end(&s);

    assert_true(sim_loop_now_ms(s.loop) - aborted_ms < 60000); /* no recheck needed */
    assert_int_equal(sim_swarm_record(s.swarm, host).state, HOST_IDLE);
    assert_int_equal(sim_swarm_record(s.swarm, host).zone_permit, -1);
    story_end(&s);
}

static void an_abort_meets_a_host_that_looks_again_with_its_zone(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 6, .zones = 3, .restarts = 1, .zone_restarts = 1});

    int host = until_between(&s);
    sim_swarm_crash(s.swarm, host);
    sim_loop_run_for(s.loop, 60000); /* its ticket is gone: it surveys again */
    sim_swarm_set_phase(s.swarm, GATE_PAUSE, "so that it waits");
    sim_swarm_start(s.swarm, host);
    while (sim_swarm_runner(s.swarm, host)->state != RUNNER_SURVEYING)
        story_step(&s);
    sim_swarm_set_phase(s.swarm, GATE_ABORT, "enough");
    int64_t aborted_ms = sim_loop_now_ms(s.loop);
    story_runs_to_its_end(&s);

    assert_true(sim_loop_now_ms(s.loop) - aborted_ms < 60000);
    story_end(&s);
}

static void an_abort_waits_for_a_silent_host_that_has_its_zone(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 6, .zones = 3, .restarts = 1, .zone_restarts = 1});

    int host = until_between(&s);
    sim_swarm_crash(s.swarm, host);
    sim_swarm_set_phase(s.swarm, GATE_ABORT, "enough");
    sim_loop_run_for(s.loop, 3600 * 1000);
    assert_int_equal(sim_swarm_gate(s.swarm).phase, GATE_ABORT);
    ordered(&s, HOST_BREAK, host);
    story_runs_to_its_end(&s);

    assert_int_equal(sim_swarm_gate(s.swarm).phase, GATE_DONE);
    story_end(&s);
}

static void a_failed_host_that_is_not_healthy_keeps_both_permits(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 4,
                                                           .zones = 2,
                                                           .restarts = 2,
                                                           .zone_restarts = 1,
                                                           .fail_times = 1,
                                                           .fail_stage = 1,
                                                           .fail_unhealthy = true});

    assert_true(story_until_paused(&s));
    while (story_permits(&s, "restart.zone-1") > 0)
        story_step(&s);
    assert_int_equal(story_permits(&s, "restart"), 1);
    assert_int_equal(zone_permits(&s, 0), 1);
    ordered(&s, HOST_BREAK, 0);
    assert_int_equal(story_permits(&s, "restart"), 0);
    assert_int_equal(zone_permits(&s, 0), 0);
    sim_swarm_set_phase(s.swarm, GATE_RUN, "");
    story_runs_to_its_end(&s);

    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 3);
    story_end(&s);
}

static void an_unhealthy_host_is_retried_under_both_permits(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 4,
                                                           .zones = 2,
                                                           .restarts = 2,
                                                           .zone_restarts = 1,
                                                           .fail_times = 1,
                                                           .fail_stage = 1,
                                                           .fail_unhealthy = true});

    assert_true(story_until_paused(&s));
    ordered(&s, HOST_RETRY, 0);
    sim_swarm_set_phase(s.swarm, GATE_RUN, "");
    story_runs_to_its_end(&s);

    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 4);
    assert_int_equal(story_grants(&s, "restart.zone-0"), 2);
    story_end(&s);
}

static void a_limit_of_each_zone_can_be_raised(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 8, .zones = 1, .restarts = 4, .zone_restarts = 1});

    assert_true(story_until_acting(&s));
    set_limit(&s, "restart", true, 3);
    story_runs_to_its_end(&s);

    assert_int_equal(story_most_acting(&s), 3);
    story_end(&s);
}

static void one_zone_can_be_given_a_limit_of_its_own(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 12, .zones = 2, .restarts = 8, .zone_restarts = 1});
    int most[2] = {0};

    assert_true(story_until_acting(&s));
    set_limit(&s, "restart.zone-1", false, 2);
    while (!sim_swarm_closed(s.swarm)) {
        int now[2] = {story_permits(&s, "restart.zone-0"),
                      story_permits(&s, "restart.zone-1")};
        for (int zone = 0; zone < 2; zone++)
            most[zone] = now[zone] > most[zone] ? now[zone] : most[zone];
        story_step(&s);
    }

    assert_int_equal(most[0], 1);
    assert_int_equal(most[1], 2);
    story_end(&s);
}

static bool late_host_is_done(void *ctx)
{
    return sim_swarm_has_record(ctx, 2) && sim_swarm_record(ctx, 2).state == HOST_DONE;
}

static void a_late_host_of_a_new_zone_brings_its_lease(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 2,
                                                           .late = 1,
                                                           .zones = 3,
                                                           .restarts = 1,
                                                           .zone_restarts = 1,
                                                           .adopt = true});

    story_runs_to_its_end(&s);
    assert_int_equal(story_permits(&s, "restart.zone-2"), -1); /* no such lease */
    sim_swarm_start(s.swarm, 2);
    assert_true(sim_loop_run_until(s.loop, late_host_is_done, s.swarm, 3600 * 1000));

    assert_string_equal(sim_swarm_record(s.swarm, 2).zone, "zone-2");
    assert_int_equal(story_grants(&s, "restart.zone-2"), 1);
    story_end(&s);
}

static bool violated(void *ctx)
{
    return checker_violation(ctx) != NULL;
}

static void the_checker_sees_a_host_that_leaves_out_its_zone(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 4,
                                                           .zones = 2,
                                                           .restarts = 4,
                                                           .zone_restarts = 1,
                                                           .mutant_no_zone = true});

    assert_true(sim_loop_run_until(s.loop, violated, s.checker, 3600 * 1000));

    assert_string_equal(checker_violation(s.checker)->rule, "zone");
    checker_free(s.checker);
    s.checker = checker_new(&(struct checker_config){.root = ROOT});
    history_listen(model_zk_history(s.zk), NULL, NULL);
    story_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_two_hosts_of_a_zone_restart_at_once),
        cmocka_unit_test(a_zone_may_have_more_than_one_at_a_time),
        cmocka_unit_test(hosts_that_name_no_zone_are_one_zone),
        cmocka_unit_test(a_full_zone_holds_up_nobody_else),
        cmocka_unit_test(a_visit_that_disrupts_nothing_asks_no_zone),
        cmocka_unit_test(
            a_host_that_dies_between_its_two_permits_goes_on_with_the_first),
        cmocka_unit_test(
            a_host_that_is_silent_between_its_permits_is_marked_and_can_be_broken),
        cmocka_unit_test(a_host_lost_between_its_permits_comes_back_and_ends_done),
        cmocka_unit_test(a_host_excluded_between_its_permits_gives_its_zone_back),
        cmocka_unit_test(a_zones_permit_that_was_changed_by_hand_is_given_back),
        cmocka_unit_test(a_pause_between_the_permits_lets_nobody_take_the_second),
        cmocka_unit_test(an_abort_ends_when_every_zone_is_free),
        cmocka_unit_test(an_abort_meets_a_host_that_looks_again_with_its_zone),
        cmocka_unit_test(an_abort_waits_for_a_silent_host_that_has_its_zone),
        cmocka_unit_test(a_failed_host_that_is_not_healthy_keeps_both_permits),
        cmocka_unit_test(an_unhealthy_host_is_retried_under_both_permits),
        cmocka_unit_test(a_limit_of_each_zone_can_be_raised),
        cmocka_unit_test(one_zone_can_be_given_a_limit_of_its_own),
        cmocka_unit_test(a_late_host_of_a_new_zone_brings_its_lease),
        cmocka_unit_test(the_checker_sees_a_host_that_leaves_out_its_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
