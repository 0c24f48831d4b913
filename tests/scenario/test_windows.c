/* test_windows.c - stories of rollouts that may begin things at certain hours only.
 *
 * SPDX-License-Identifier: Apache-2.0
 * The simulated wall clock begins on Monday, 2026-11-23 at 20:00 UTC.
 */
#include "tests/scenario/story.h"
#include "tests/unit/cmocka_all.h"

#include <string.h>

enum { HOUR_MS = 3600000 };

static int64_t wall_ms(struct story *s)
{
    return loop_wall_ms(sim_loop_port(s->loop));
}

static void nothing_begins_before_the_window_opens(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 4,
        .restarts = 1,
        .spec = "\"windows\":[{\"start\":\"22:00\",\"length\":\"2h\"}]",
    });

    sim_loop_run_for(s.loop, 2 * HOUR_MS - 60000);
    assert_int_equal(story_grants(&s, "install"), 0);
    assert_int_equal(sim_swarm_count(s.swarm, HOST_WAITING), 4);
    int talks = 0;
    for (int i = 0; i < 4; i++)
        talks += strstr(sim_swarm_runner(s.swarm, i)->says,
                        "outside the time windows") != NULL;
    assert_true(talks >= 1); /* the front of the queue */

    story_runs_to_its_end(&s);
    assert_in_range(wall_ms(&s), SIM_WALL_START_MS + 2 * HOUR_MS,
                    SIM_WALL_START_MS + 2 * HOUR_MS + 600000);
    story_end(&s);
}

/* A minute a day: visits begin in it only, those under way end, and each day some more
 * hosts get through. */
static void every_visit_begins_in_a_window(void **state)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct story s = story_begin((struct sim_swarm_config){
            .seed = seed,
            .hosts = 8,
            .restarts = 2,
            .act_ms = 9000,
            .adopt = true,
            .spec = "\"windows\":[{\"start\":\"20:01\",\"length\":\"1m\"}]",
        });
        int acts[8] = {0}, first_acts_beside = 0;
        for (int step = 0; step % 64 || !sim_swarm_closed(s.swarm); step++) {
            story_step(&s);
            int64_t in_day = (wall_ms(&s) - SIM_WALL_START_MS) % (24 * HOUR_MS);
            bool open = in_day >= 60000 && in_day < 120000;
            for (int i = 0; i < 8; i++) {
                int now = sim_swarm_acts(s.swarm, i);
                /* The first act of a visit; the second is of a visit in flight. */
                if (now > acts[i] && acts[i] % 2 == 0 && !open)
                    first_acts_beside++;
                acts[i] = now;
            }
        }
        assert_int_equal(first_acts_beside, 0);
        assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 8);
        assert_true(wall_ms(&s) > SIM_WALL_START_MS + 24 * HOUR_MS); /* more than one */
        story_end(&s);
    }
}

static int holder_about_to_act(struct story *s)
{
    for (int i = 0; sim_swarm_host(s->swarm, i); i++) {
        struct record record = sim_swarm_record(s->swarm, i);
        if (record.state == HOST_HOLDING && strcmp(record.lease, "restart") == 0 &&
            sim_swarm_acts(s->swarm, i) == 0)
            return i;
    }
    return -1;
}

static void a_window_that_closes_after_the_grant_sends_the_holder_back(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 3,
        .restarts = 1,
        .spec = "\"windows\":[{\"start\":\"20:00\",\"length\":\"2h\"}]",
    });

    int holder;
    while ((holder = holder_about_to_act(&s)) < 0)
        story_step(&s);
    sim_loop_jump_wall(s.loop, 3 * HOUR_MS);
    sim_loop_run_for(s.loop, 60000);

    assert_int_equal(story_acts_begun(&s), 0);
    assert_int_equal(story_permits(&s, "restart"), 0);
    assert_int_equal(sim_swarm_record(s.swarm, holder).state, HOST_WAITING);
    sim_loop_run_for(s.loop, 22 * HOUR_MS); /* the next evening */
    story_runs_to_its_end(&s);
    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 3);
    story_end(&s);
}

static void a_clock_that_is_set_is_noticed_soon(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 2,
        .restarts = 1,
        .spec = "\"windows\":[{\"start\":\"19:00\",\"length\":\"30m\"}]",
    });

    sim_loop_run_for(s.loop, 60000);
    assert_int_equal(story_grants(&s, "install"), 0);
    sim_loop_jump_wall(s.loop, -HOUR_MS + 10 * 60000);
    sim_loop_run_for(s.loop, 3 * 60000);
    assert_true(story_grants(&s, "install") > 0);
    story_end(&s);
}

static void a_zone_that_a_host_does_not_know_stops_it_and_is_said(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 2,
        .restarts = 1,
        .spec = "\"windows\":[{\"start\":\"00:00\",\"length\":\"24h\","
                "\"zone\":\"Europe/Atlantis\"}]",
    });

    sim_loop_run_for(s.loop, 10 * 60000);

    assert_int_equal(sim_swarm_runner(s.swarm, 0)->state, RUNNER_STUCK);
    assert_non_null(strstr(sim_swarm_runner(s.swarm, 0)->says, "install tzdata"));
    assert_int_equal(story_grants(&s, "install"), 0);
    story_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_begins_before_the_window_opens),
        cmocka_unit_test(every_visit_begins_in_a_window),
        cmocka_unit_test(a_window_that_closes_after_the_grant_sends_the_holder_back),
        cmocka_unit_test(a_clock_that_is_set_is_noticed_soon),
        cmocka_unit_test(a_zone_that_a_host_does_not_know_stops_it_and_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
