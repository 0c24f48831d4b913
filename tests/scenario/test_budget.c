/* test_budget.c - stories of failures that use up a budget.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/scenario/story.h"
#include "tests/unit/cmocka_all.h"

#include <string.h>

static void a_wave_that_fails_more_than_its_share_pauses(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 12,
        .canary = 2,
        .restarts = 1,
        .installs = 1,
        .max_failed = 100,
        .fail_ppm = 1000000,
        .spec = "\"max_failed_wave\":\"20%\"",
    });

    /* 20% of two are none: the canary's first failure pauses. */
    assert_true(story_until_paused(&s));
    assert_int_equal(sim_swarm_gate(s.swarm).failed, 1);
    assert_non_null(strstr(sim_swarm_gate(s.swarm).reason, "1 failed in wave canary"));

    /* Of the next ten, two may: each wave is counted alone. */
    sim_swarm_set_phase(s.swarm, GATE_RUN, "");
    assert_true(story_until_paused(&s));
    assert_int_equal(sim_swarm_gate(s.swarm).failed, 2);
    sim_swarm_set_phase(s.swarm, GATE_RUN, "");
    assert_true(story_until_paused(&s));
    assert_int_equal(sim_swarm_gate(s.swarm).failed, 5);
    assert_non_null(strstr(sim_swarm_gate(s.swarm).reason, "3 failed in wave rest"));
    story_end(&s);
}

static void failures_in_a_row_pause(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 8,
        .restarts = 1,
        .installs = 1,
        .max_failed = 100,
        .fail_ppm = 1000000,
        .spec = "\"max_failed_consecutive\":2",
    });

    assert_true(story_until_paused(&s));

    assert_int_equal(sim_swarm_gate(s.swarm).failed, 3);
    assert_non_null(strstr(sim_swarm_gate(s.swarm).reason, "3 failed in a row"));
    story_end(&s);
}

/* One host at a time, so that the order of ends is the order of their transactions:
 * whatever is drawn, the rollout never pauses while successes stand in between. */
static void a_success_in_between_ends_a_row(void **state)
{
    int paused = 0, failed_most = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct story s = story_begin((struct sim_swarm_config){
            .seed = seed,
            .hosts = 10,
            .restarts = 1,
            .installs = 1,
            .max_failed = 100,
            .fail_ppm = 250000,
            .quiet_ppm = 1000000,
            .spec = "\"max_failed_consecutive\":2",
        });
        int failed = 0, done = 0, row = 0, row_stage = -1;
        while (sim_swarm_gate(s.swarm).phase == GATE_RUN) {
            story_step(&s);
            int now_failed = 0, now_done = 0, stage = 99;
            for (int i = 0; i < 10; i++) {
                struct record record = sim_swarm_record(s.swarm, i);
                now_failed += record.state == HOST_FAILED;
                now_done += record.stages_done;
                if (record.state != HOST_FAILED && record.stages_done < stage)
                    stage = record.stages_done;
            }
            if (now_done != done)
                row = 0;
            row += now_failed - failed;
            /* A row is of one stage; the last host to end it may end it by failing. */
            if (stage != row_stage && sim_swarm_gate(s.swarm).phase == GATE_RUN)
                row = 0;
            failed = now_failed;
            done = now_done;
            row_stage = stage;
            assert_true(row <= 3);
        }
        if (sim_swarm_gate(s.swarm).phase == GATE_PAUSE) {
            paused++;
            assert_int_equal(row, 3);
        } else if (failed > failed_most) {
            failed_most = failed;
        }
        story_end(&s);
    }
    assert_true(paused > 0);
    assert_true(failed_most > 3); /* more than two, not in a row */
}

static void a_lost_holder_counts_in_its_wave(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 6,
        .canary = 2,
        .restarts = 1,
        .max_failed = 5,
        .spec = "\"max_failed_wave\":1,\"max_failed_consecutive\":1",
    });

    assert_true(story_until_acting(&s));
    int holder = story_holder(&s);
    sim_swarm_crash(s.swarm, holder);
    sim_loop_run_for(s.loop, 20 * 60000);

    struct gate gate = sim_swarm_gate(s.swarm);
    assert_int_equal(gate.phase, GATE_RUN);
    assert_int_equal(gate_wave_failed(&gate, 0), 1);
    assert_int_equal(gate.streak.failed, 1);
    sim_swarm_start(s.swarm, holder);
    story_runs_to_its_end(&s);
    gate = sim_swarm_gate(s.swarm);
    assert_int_equal(gate_wave_failed(&gate, 0), 0);
    story_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wave_that_fails_more_than_its_share_pauses),
        cmocka_unit_test(failures_in_a_row_pause),
        cmocka_unit_test(a_success_in_between_ends_a_row),
        cmocka_unit_test(a_lost_holder_counts_in_its_wave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
