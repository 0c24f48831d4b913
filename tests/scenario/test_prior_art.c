/* test_prior_art.c - how the coordination of calico-dcos failed, and that ours does
 * not.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each test is named after what went wrong there (its scheduler counted restarts in
 * memory, forgot them with its process, killed healthy tasks when it came back, stood
 * still after a failover, let one bad host block all others, and interleaved hosts).
 */
#include "tests/scenario/story.h"
#include "tests/unit/cmocka_all.h"

#include "shared/base/str.h"

enum { HOSTS = 5, MINUTE_MS = 60000 };

static void a_new_coordinator_does_not_forget_who_restarts(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = HOSTS, .restarts = 1, .act_ms = 5 * MINUTE_MS});

    assert_true(story_until_acting(&s));
    int holder = story_holder(&s);
    for (int i = 0; i < HOSTS; i++) /* everybody who could remember anything */
        sim_swarm_crash(s.swarm, i);
    sim_loop_run_for(s.loop, 2 * MINUTE_MS);
    for (int i = 0; i < HOSTS; i++)
        if (i != holder)
            sim_swarm_start(s.swarm, i);
    sim_loop_run_for(s.loop, 5 * MINUTE_MS);

    assert_int_equal(story_acts_begun(&s), 1);
    sim_swarm_start(s.swarm, holder);
    story_runs_to_its_end(&s);
    for (int i = 0; i < HOSTS; i++)
        assert_int_equal(sim_swarm_acts(s.swarm, i), 2);
    story_end(&s);
}

static void a_coordinator_that_comes_back_touches_no_healthy_host(void **state)
{
    struct story s = story_begin(
        (struct sim_swarm_config){.hosts = HOSTS, .restarts = 1, .adopt = true});

    story_runs_to_its_end(&s);
    int begun = story_acts_begun(&s);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < HOSTS; i++)
            sim_swarm_crash(s.swarm, i);
        for (int i = 0; i < HOSTS; i++)
            sim_swarm_start(s.swarm, i);
        sim_loop_run_for(s.loop, 5 * MINUTE_MS);
    }

    assert_int_equal(story_acts_begun(&s), begun);
    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), HOSTS);
    story_end(&s);
}

static void a_failover_of_the_servers_wedges_nobody(void **state)
{
    struct story s = story_begin(
        (struct sim_swarm_config){.hosts = HOSTS, .restarts = 1, .zk = {.servers = 3}});

    for (int server = 0; server < 3; server++) {
        assert_true(story_until_acting(&s));
        model_zk_stop(s.zk, server);
        sim_loop_run_for(s.loop, 5000);
        model_zk_start(s.zk, server);
    }

    assert_true(sim_loop_run_until(s.loop, sim_swarm_closed, s.swarm, 10 * MINUTE_MS));
    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), HOSTS);
    story_end(&s);
}

/* Some of the hosts fail: none again and again, and the others are done. */
static void one_bad_host_neither_blocks_all_nor_restarts_for_ever(void **state)
{
    int failed = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct story s = story_begin((struct sim_swarm_config){.seed = seed,
                                                               .hosts = HOSTS,
                                                               .restarts = 1,
                                                               .max_failed = HOSTS,
                                                               .fail_ppm = 100000});

        story_runs_to_its_end(&s);

        failed += sim_swarm_count(s.swarm, HOST_FAILED);
        assert_int_equal(sim_swarm_count(s.swarm, HOST_FAILED) +
                             sim_swarm_count(s.swarm, HOST_DONE),
                         HOSTS);
        for (int i = 0; i < HOSTS; i++)
            assert_in_range(sim_swarm_acts(s.swarm, i), 0, 4); /* and put back */
        story_end(&s);
    }
    assert_true(failed > 0);
}

/* The default budget is none: the first failure stops all others before they begin. */
static void the_first_bad_host_stops_the_others_by_design_not_by_accident(void **state)
{
    struct story s = story_begin(
        (struct sim_swarm_config){.hosts = HOSTS, .restarts = 1, .fail_ppm = 1000000});

    assert_true(story_until_paused(&s));
    sim_loop_run_for(s.loop, 10 * MINUTE_MS);
    int begun = story_acts_begun(&s);
    sim_loop_run_for(s.loop, 60 * MINUTE_MS);

    assert_int_equal(story_acts_begun(&s), begun);
    assert_int_not_equal(sim_swarm_gate(s.swarm).reason[0], '\0');
    story_end(&s);
}

static void a_host_is_whole_before_the_next_begins(void **state)
{
    struct story s =
        story_begin((struct sim_swarm_config){.hosts = HOSTS, .restarts = 1});

    story_runs_to_its_end(&s);

    struct history *history = model_zk_history(s.zk);
    char last[HOST_ID_SIZE] = "";
    int acts = 0;
    for (int i = 0; i < history_count(history); i++) {
        const struct history_entry *entry = history_at(history, i);
        if (entry->kind != HISTORY_ACT_BEGIN)
            continue;
        if (acts++ % 2 == 1) /* Docker and the agent, of the same host */
            assert_string_equal(entry->host, last);
        STR_COPY(last, entry->host);
    }
    assert_int_equal(acts, 2 * HOSTS);
    story_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_coordinator_does_not_forget_who_restarts),
        cmocka_unit_test(a_coordinator_that_comes_back_touches_no_healthy_host),
        cmocka_unit_test(a_failover_of_the_servers_wedges_nobody),
        cmocka_unit_test(one_bad_host_neither_blocks_all_nor_restarts_for_ever),
        cmocka_unit_test(the_first_bad_host_stops_the_others_by_design_not_by_accident),
        cmocka_unit_test(a_host_is_whole_before_the_next_begins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
