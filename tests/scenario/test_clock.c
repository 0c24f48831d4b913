/* test_clock.c - the wall clock is set, by hours and days, and nothing is the sooner or
 * later for it: what waits, waits on the clock that only goes forward.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Time windows are the wall clock's own: test_windows.c.
 */
#include "tests/scenario/story.h"
#include "tests/unit/cmocka_all.h"

enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS, HOUR_MS = 60 * MINUTE_MS };

static const int64_t jumps_ms[] = {-72 * HOUR_MS, -3 * HOUR_MS, 3 * HOUR_MS,
                                   72 * HOUR_MS};
enum { JUMPS = sizeof(jumps_ms) / sizeof(jumps_ms[0]) };

static void until_soaking(struct story *s, int host)
{
    while (sim_swarm_runner(s->swarm, host)->state != RUNNER_SOAKING)
        story_step(s);
}

static void a_soak_is_as_long_as_it_is_whatever_the_clock_says(void **state)
{
    for (int n = 0; n < JUMPS; n++) {
        struct story s = story_begin((struct sim_swarm_config){
            .hosts = 2,
            .canary = 1,
            .restarts = 1,
            .spec = "\"waves\":{\"soak\":\"10m\"}",
        });
        until_soaking(&s, 1);
        int grants = story_grants(&s, "install");

        sim_loop_jump_wall(s.loop, jumps_ms[n]);
        sim_loop_run_for(s.loop, 9 * MINUTE_MS);
        assert_int_equal(story_grants(&s, "install"), grants);
        sim_loop_run_for(s.loop, 2 * MINUTE_MS);

        assert_true(story_grants(&s, "install") > grants);
        story_runs_to_its_end(&s);
        story_end(&s);
    }
}

/* Begun anew by an agent that was restarted in the middle of it. */
static void a_soak_is_never_shortened_by_a_restart_and_a_clock(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 2,
        .canary = 1,
        .restarts = 1,
        .spec = "\"waves\":{\"soak\":\"10m\"}",
    });
    until_soaking(&s, 1);
    int grants = story_grants(&s, "install");
    sim_loop_run_for(s.loop, 5 * MINUTE_MS);

    sim_swarm_crash(s.swarm, 1);
    sim_loop_jump_wall(s.loop, 72 * HOUR_MS);
    sim_swarm_start(s.swarm, 1);
    sim_loop_run_for(s.loop, 9 * MINUTE_MS);

    assert_int_equal(story_grants(&s, "install"), grants);
    story_runs_to_its_end(&s);
    story_end(&s);
}

static void a_silent_holder_is_lost_after_its_grace_and_not_by_the_clock(void **state)
{
    for (int n = 0; n < JUMPS; n++) {
        struct story s = story_begin((struct sim_swarm_config){
            .hosts = 3,
            .restarts = 1,
            .max_failed = 1,
            .act_ms = HOUR_MS,
            .spec = "\"lost_after\":\"20m\"",
        });
        assert_true(story_until_acting(&s));
        int holder = story_holder(&s);

        sim_swarm_crash(s.swarm, holder);
        sim_loop_run_for(s.loop, 3 * MINUTE_MS); /* it is suspected */
        sim_loop_jump_wall(s.loop, jumps_ms[n]);
        sim_loop_run_for(s.loop, 15 * MINUTE_MS);
        assert_int_equal(sim_swarm_record(s.swarm, holder).state, HOST_HOLDING);
        sim_loop_run_for(s.loop, 10 * MINUTE_MS);

        assert_int_equal(sim_swarm_record(s.swarm, holder).state, HOST_LOST);
        assert_int_equal(story_permits(&s, "restart"), 1);
        story_end(&s);
    }
}

static int64_t duration_ms(int64_t every_ms, uint64_t seed)
{
    struct story s = story_begin((struct sim_swarm_config){
        .seed = seed,
        .hosts = 4,
        .canary = 1,
        .waves = 2,
        .restarts = 1,
        .spec = "\"waves\":{\"soak\":\"30s\"}",
    });
    int64_t start_ms = sim_loop_now_ms(s.loop);
    for (int n = 0; !sim_swarm_closed(s.swarm); n++) {
        sim_loop_run_for(s.loop, every_ms);
        sim_loop_jump_wall(s.loop, jumps_ms[n % JUMPS]);
        assert_in_range(n, 0, HOUR_MS / every_ms);
    }
    int64_t took_ms = sim_loop_now_ms(s.loop) - start_ms;
    story_end(&s);
    return took_ms;
}

/* Progress, retries of what was refused, a barrier's and a queue's second looks. */
static void a_clock_that_jumps_all_the_time_makes_a_rollout_no_longer(void **state)
{
    for (uint64_t seed = 1; seed <= 10; seed++)
        assert_in_range(duration_ms(500, seed), MINUTE_MS, 5 * MINUTE_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_soak_is_as_long_as_it_is_whatever_the_clock_says),
        cmocka_unit_test(a_soak_is_never_shortened_by_a_restart_and_a_clock),
        cmocka_unit_test(a_silent_holder_is_lost_after_its_grace_and_not_by_the_clock),
        cmocka_unit_test(a_clock_that_jumps_all_the_time_makes_a_rollout_no_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
