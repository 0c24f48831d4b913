/* test_rollout.c - stories of whole rollouts over the model ZooKeeper.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/model/event.h"
#include "shared/model/zpath.h"
#include "tests/scenario/story.h"
#include "tests/unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void five_hosts_end_done_one_restart_at_a_time(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 5, .restarts = 1});

    story_runs_to_its_end(&s);

    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 5);
    assert_int_equal(story_most_acting(&s), 1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(sim_swarm_acts(s.swarm, i), 2);
    story_end(&s);
}

static void the_canary_is_through_before_the_rest_begins(void **state)
{
    struct story s =
        story_begin((struct sim_swarm_config){.hosts = 6, .canary = 2, .restarts = 2});

    while (sim_swarm_record(s.swarm, 0).state != HOST_DONE ||
           sim_swarm_record(s.swarm, 1).state != HOST_DONE) {
        for (int i = 2; i < 6; i++)
            assert_int_equal(sim_swarm_record(s.swarm, i).stages_done, 0);
        story_step(&s);
    }
    story_runs_to_its_end(&s);

    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 6);
    story_end(&s);
}

static void the_next_wave_begins_as_soon_as_the_one_before_is_done(void **state)
{
    struct story s =
        story_begin((struct sim_swarm_config){.hosts = 4, .canary = 1, .restarts = 1});

    while (sim_swarm_record(s.swarm, 0).state != HOST_DONE)
        story_step(&s);
    int64_t done_ms = sim_loop_now_ms(s.loop);
    while (sim_swarm_record(s.swarm, 1).state == HOST_IDLE)
        story_step(&s);

    /* Not at somebody's next look after a minute. */
    assert_true(sim_loop_now_ms(s.loop) - done_ms < 2000);
    story_runs_to_its_end(&s);
    story_end(&s);
}

static bool all_arrived(const struct story *s, int hosts)
{
    for (int i = 0; i < hosts; i++)
        if (sim_swarm_record(s->swarm, i).stages_done == 0)
            return false;
    return true;
}

static void the_last_to_arrive_opens_the_barrier_at_once(void **state)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct story s = story_begin(
            (struct sim_swarm_config){.hosts = 7, .restarts = 1, .seed = seed});
        struct zpath open =
            zpath_open("/clowder", sim_swarm_rollout(s.swarm), 0, "proxy");

        while (!all_arrived(&s, 7))
            story_step(&s);
        int64_t arrived_ms = sim_loop_now_ms(s.loop);
        while (!model_zk_peek(sim_swarm_zk(s.swarm), open.text, NULL, NULL, NULL))
            story_step(&s);

        /* A few round trips; not the pause of those who see that it is due. */
        assert_true(sim_loop_now_ms(s.loop) - arrived_ms < 40);
        story_runs_to_its_end(&s);
        story_end(&s);
    }
}

static void a_wave_begins_as_soon_as_the_one_before_is_through(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 6, .canary = 2, .restarts = 2, .quiet_ppm = 1000000});
    int64_t begun_ms = sim_loop_now_ms(s.loop);

    story_runs_to_its_end(&s);

    /* Not by the recheck of those who wait, which comes after a minute. */
    assert_in_range(sim_loop_now_ms(s.loop) - begun_ms, 0, 20000);
    story_end(&s);
}

static void a_rollout_that_restarts_nothing_takes_no_restart_permit(void **state)
{
    struct story s = story_begin(
        (struct sim_swarm_config){.hosts = 5, .restarts = 1, .quiet_ppm = 1000000});

    story_runs_to_its_end(&s);

    assert_int_equal(story_grants(&s, "restart"), 0);
    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 5);
    story_end(&s);
}

static struct event last_event(struct story *s)
{
    struct event event;
    struct error err;
    struct zk_stat stat;
    const char *data;
    size_t len;
    char path[ZPATH_SIZE + 16];
    struct zpath events = zpath_events("/clowder", sim_swarm_rollout(s->swarm));
    assert_true(model_zk_peek(s->zk, events.text, NULL, NULL, &stat));
    (void)snprintf(path, sizeof(path), "%s/e-%010d", events.text,
                   stat.children_count - 1);
    assert_true(model_zk_peek(s->zk, path, &data, &len, NULL));
    assert_int_equal(event_decode(data, len, &event, &err), 0);
    return event;
}

static void the_first_failure_closes_the_gate(void **state)
{
    struct story s = story_begin(
        (struct sim_swarm_config){.hosts = 5, .restarts = 1, .fail_ppm = 1000000});

    assert_true(story_until_paused(&s));

    struct gate gate = sim_swarm_gate(s.swarm);
    assert_true(gate.failed >= 1);
    assert_non_null(strstr(gate.reason, "host-"));
    struct event event = last_event(&s);
    assert_string_equal(event.who, gate.by);
    assert_non_null(strstr(event.what, "failed in "));
    assert_non_null(strstr(event.what, ", the rollout is paused"));
    assert_non_null(strstr(gate.reason, event.why));
    story_end(&s);
}

static void a_wave_whose_every_host_fails_within_the_budget_is_closed(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 4, .canary = 1, .restarts = 1, .fail_ppm = 1000000, .max_failed = 4});

    story_runs_to_its_end(&s);

    assert_int_equal(sim_swarm_count(s.swarm, HOST_FAILED), 4);
    assert_int_equal(sim_swarm_gate(s.swarm).failed, 4);
    story_end(&s);
}

static void
a_healthy_failure_frees_its_permit_and_an_unhealthy_one_does_not(void **state)
{
    for (int unhealthy = 0; unhealthy < 2; unhealthy++) {
        struct story s = story_begin((struct sim_swarm_config){
            .hosts = 3,
            .restarts = 1,
            .installs = 1,
            .fail_ppm = 1000000,
            .unhealthy_ppm = unhealthy ? 1000000 : 0,
        });

        assert_true(story_until_paused(&s));
        sim_loop_run_for(s.loop, 60000);

        assert_int_equal(story_permits(&s, "install"), unhealthy);
        story_end(&s);
    }
}

static void a_pause_lets_hosts_in_flight_finish_and_starts_no_other(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 6, .restarts = 2});

    assert_true(story_until_acting(&s));
    sim_swarm_set_phase(s.swarm, GATE_PAUSE, "lunch");
    int begun = story_acts_begun(&s);
    sim_loop_run_for(s.loop, 600000);

    /* Those past their first act finish whole; no host begins. */
    assert_in_range(story_acts_begun(&s), begun, begun + 2);
    assert_int_equal(story_permits(&s, "restart"), 0);
    assert_true(sim_swarm_count(s.swarm, HOST_DONE) < 6);

    sim_swarm_set_phase(s.swarm, GATE_RUN, "");
    story_runs_to_its_end(&s);
    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 6);
    story_end(&s);
}

static void an_abort_ends_with_every_permit_and_ticket_free(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 8, .restarts = 1});

    assert_true(story_until_acting(&s));
    sim_swarm_set_phase(s.swarm, GATE_ABORT, "wrong spec");
    assert_true(sim_loop_run_until(s.loop, sim_swarm_closed, s.swarm, 600000));
    sim_loop_run_for(s.loop, 60000);

    assert_int_equal(story_permits(&s, "restart"), 0);
    assert_int_equal(story_permits(&s, "install"), 0);
    assert_int_equal(story_tickets(&s, "restart"), 0);
    assert_int_equal(sim_swarm_count(s.swarm, HOST_WAITING), 0);
    assert_int_equal(sim_swarm_gate(s.swarm).phase, GATE_DONE);
    story_end(&s);
}

static void a_holder_that_crashes_comes_back_and_repeats_no_act(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 4, .restarts = 1});

    assert_true(story_until_acting(&s));
    int holder = story_holder(&s);
    sim_swarm_crash(s.swarm, holder);
    sim_loop_run_for(s.loop, 300000); /* its session is long gone */

    assert_int_equal(story_permits(&s, "restart"), 1);
    assert_int_equal(sim_swarm_record(s.swarm, holder).state, HOST_HOLDING);

    sim_swarm_start(s.swarm, holder);
    story_runs_to_its_end(&s);
    assert_int_equal(sim_swarm_acts(s.swarm, holder), 2);
    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 4);
    story_end(&s);
}

static void a_server_that_is_away_for_minutes_holds_up_and_breaks_nothing(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 5, .restarts = 1});

    assert_true(story_until_acting(&s));
    int begun = story_acts_begun(&s);
    model_zk_stop(s.zk, -1);
    sim_loop_run_for(s.loop, 300000);
    assert_int_equal(story_acts_begun(&s), begun);

    model_zk_start(s.zk, -1);
    story_runs_to_its_end(&s);
    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 5);
    story_end(&s);
}

static void a_session_may_expire_in_every_state(void **state)
{
    for (int after_ms = 0; after_ms < 12000; after_ms += 97) {
        struct story s =
            story_begin((struct sim_swarm_config){.hosts = 3, .restarts = 1});
        sim_loop_run_for(s.loop, after_ms);
        for (int i = 0; i < 3; i++)
            model_zk_expire(sim_swarm_client(s.swarm, i));

        story_runs_to_its_end(&s);

        assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 3);
        story_end(&s);
    }
}

static void a_lost_reply_at_any_request_loses_nothing(void **state)
{
    for (int after_ms = 0; after_ms < 12000; after_ms += 53) {
        struct story s =
            story_begin((struct sim_swarm_config){.hosts = 3, .restarts = 1});
        sim_loop_run_for(s.loop, after_ms);
        for (int i = 0; i < 3; i++)
            model_zk_drop(sim_swarm_client(s.swarm, i));

        story_runs_to_its_end(&s);

        assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 3);
        story_end(&s);
    }
}

static void a_holder_that_stays_away_is_marked_lost_and_keeps_its_permit(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 4, .restarts = 1});

    assert_true(story_until_acting(&s));
    int holder = story_holder(&s);
    sim_swarm_crash(s.swarm, holder);
    sim_loop_run_for(s.loop, 9 * 60000);
    assert_int_equal(sim_swarm_record(s.swarm, holder).state, HOST_HOLDING);
    sim_loop_run_for(s.loop, 10 * 60000);

    assert_int_equal(sim_swarm_record(s.swarm, holder).state, HOST_LOST);
    assert_non_null(strstr(last_event(&s).what, sim_swarm_host(s.swarm, holder)));
    assert_non_null(strstr(last_event(&s).what, "is lost, the rollout is paused"));
    assert_int_equal(sim_swarm_gate(s.swarm).phase, GATE_PAUSE);
    assert_int_equal(sim_swarm_gate(s.swarm).failed, 1);
    assert_int_equal(story_permits(&s, "restart"), 1);
    story_end(&s);
}

static void a_lost_holder_that_returns_takes_its_mark_back_and_finishes(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 4, .restarts = 1});

    assert_true(story_until_acting(&s));
    int holder = story_holder(&s);
    sim_swarm_crash(s.swarm, holder);
    sim_loop_run_for(s.loop, 20 * 60000);
    sim_swarm_start(s.swarm, holder);
    sim_loop_run_for(s.loop, 60000);
    assert_int_equal(sim_swarm_gate(s.swarm).failed, 0);
    sim_swarm_set_phase(s.swarm, GATE_RUN, "");
    story_runs_to_its_end(&s);

    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 4);
    assert_int_equal(sim_swarm_acts(s.swarm, holder), 2);
    story_end(&s);
}

static void a_late_host_is_adopted_by_the_same_leases(void **state)
{
    struct story s = story_begin(
        (struct sim_swarm_config){.hosts = 3, .late = 2, .restarts = 1, .adopt = true});

    story_runs_to_its_end(&s);
    assert_int_equal(sim_swarm_gate(s.swarm).phase, GATE_KEEP);
    sim_swarm_start(s.swarm, 3);
    sim_swarm_start(s.swarm, 4);
    sim_loop_run_for(s.loop, 120000);

    for (int i = 3; i < 5; i++) {
        assert_int_equal(sim_swarm_record(s.swarm, i).state, HOST_DONE);
        assert_int_equal(sim_swarm_acts(s.swarm, i), 2);
    }
    assert_int_equal(story_most_acting(&s), 1);
    story_end(&s);
}

static void an_abort_that_finds_every_permit_free_is_closed(void **state)
{
    struct story s =
        story_begin((struct sim_swarm_config){.hosts = 4, .canary = 1, .restarts = 1});

    assert_true(story_until_acting(&s));
    sim_swarm_set_phase(s.swarm, GATE_PAUSE, "to think");
    sim_loop_run_for(s.loop, 60000);
    assert_int_equal(story_permits(&s, "restart") + story_permits(&s, "install"), 0);
    sim_swarm_set_phase(s.swarm, GATE_ABORT, "no");

    assert_true(sim_loop_run_until(s.loop, sim_swarm_closed, s.swarm, 180000));
    assert_int_equal(sim_swarm_gate(s.swarm).phase, GATE_DONE);
    story_end(&s);
}

/* Its leave waits behind the progress that is being published: nothing was sent for it
 * that could be cancelled. */
static void a_connection_may_break_while_leave_waits_behind_progress(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 3, .restarts = 1});
    int breaks = 0;

    while (breaks < 20 && !sim_swarm_closed(s.swarm)) {
        for (int i = 0; i < 3; i++) {
            const struct runner *runner = sim_swarm_runner(s.swarm, i);
            if (runner->state == RUNNER_VISITING && runner->asking &&
                runner->publishing) {
                model_zk_drop(sim_swarm_client(s.swarm, i));
                breaks++;
            }
        }
        story_step(&s);
    }

    assert_true(breaks > 0);
    story_runs_to_its_end(&s);
    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 3);
    story_end(&s);
}

static void set_limit(struct story *s, const char *lease, int permits)
{
    struct gate gate = sim_swarm_gate(s->swarm);
    struct error err;
    assert_int_equal(gate_set_limit(&gate, lease, permits, &err), 0);
    char *data = gate_encode(&gate);
    struct zpath path = zpath_gate("/clowder", sim_swarm_rollout(s->swarm));
    struct zk_op op = op_set(path.text, data, -1);
    assert_int_equal(model_zk_poke(s->zk, &op, 1), ZK_OK);
    free(data);
}

/* Permit 0 of three is given back first; the two others still count. */
static void a_lowered_limit_counts_the_permits_beyond_it(void **state)
{
    for (uint64_t seed = 1; seed < 30; seed++) {
        struct story s = story_begin((struct sim_swarm_config){
            .seed = seed, .hosts = 8, .restarts = 3, .installs = 3});
        while (story_permits(&s, "restart") < 3)
            story_step(&s);
        set_limit(&s, "restart", 1);

        story_runs_to_its_end(&s); /* I2: no grant while more are occupied */

        assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 8);
        story_end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_hosts_end_done_one_restart_at_a_time),
        cmocka_unit_test(the_canary_is_through_before_the_rest_begins),
        cmocka_unit_test(the_next_wave_begins_as_soon_as_the_one_before_is_done),
        cmocka_unit_test(the_last_to_arrive_opens_the_barrier_at_once),
        cmocka_unit_test(a_wave_begins_as_soon_as_the_one_before_is_through),
        cmocka_unit_test(a_rollout_that_restarts_nothing_takes_no_restart_permit),
        cmocka_unit_test(the_first_failure_closes_the_gate),
        cmocka_unit_test(a_wave_whose_every_host_fails_within_the_budget_is_closed),
        cmocka_unit_test(
            a_healthy_failure_frees_its_permit_and_an_unhealthy_one_does_not),
        cmocka_unit_test(a_pause_lets_hosts_in_flight_finish_and_starts_no_other),
        cmocka_unit_test(an_abort_ends_with_every_permit_and_ticket_free),
        cmocka_unit_test(a_holder_that_crashes_comes_back_and_repeats_no_act),
        cmocka_unit_test(a_holder_that_stays_away_is_marked_lost_and_keeps_its_permit),
        cmocka_unit_test(a_lost_holder_that_returns_takes_its_mark_back_and_finishes),
        cmocka_unit_test(a_late_host_is_adopted_by_the_same_leases),
        cmocka_unit_test(a_server_that_is_away_for_minutes_holds_up_and_breaks_nothing),
        cmocka_unit_test(a_session_may_expire_in_every_state),
        cmocka_unit_test(a_lost_reply_at_any_request_loses_nothing),
        cmocka_unit_test(an_abort_that_finds_every_permit_free_is_closed),
        cmocka_unit_test(a_connection_may_break_while_leave_waits_behind_progress),
        cmocka_unit_test(a_lowered_limit_counts_the_permits_beyond_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
