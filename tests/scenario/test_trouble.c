/* test_trouble.c - what servers, hands and deaths do to a rollout at the worst moment.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/scenario/story.h"
#include "tests/unit/cmocka_all.h"

#include "shared/base/cleanup.h"
#include "shared/base/str.h"
#include "shared/swarm/swarm.h"

#include <stdlib.h>
#include <string.h>

#define ROOT "/clowder"
enum { MINUTE_MS = 60000, HOUR_MS = 60 * MINUTE_MS };

/* ---- hands ---- */

static void write_record(struct story *s, int host, const struct record *record)
{
    struct zpath path =
        zpath_record(ROOT, sim_swarm_rollout(s->swarm), sim_swarm_host(s->swarm, host));
    _cleanup_(freep) char *data = record_encode(record);
    story_write(s, path.text, data);
}

static void set_limit(struct story *s, const char *lease, int permits)
{
    struct gate gate = sim_swarm_gate(s->swarm);
    struct error err;
    assert_int_equal(gate_set_limit(&gate, lease, permits, &err), 0);
    _cleanup_(freep) char *data = gate_encode(&gate);
    story_write(s, zpath_gate(ROOT, sim_swarm_rollout(s->swarm)).text, data);
}

static void break_permit(struct story *s, int host)
{
    struct record record = sim_swarm_record(s->swarm, host);
    struct zpath path =
        zpath_record(ROOT, sim_swarm_rollout(s->swarm), sim_swarm_host(s->swarm, host));
    struct zpath permit =
        zpath_permit(ROOT, sim_swarm_rollout(s->swarm), record.lease, record.permit);
    struct zpath owner =
        zpath_permit_owner(ROOT, sim_swarm_rollout(s->swarm), record.lease,
                           record.permit, sim_swarm_host(s->swarm, host));
    record.state = HOST_EXCLUDED;
    record.permit = -1;
    record.lease[0] = '\0';
    _cleanup_(freep) char *data = record_encode(&record);
    struct zk_op ops[] = {op_set(path.text, data, -1), op_delete(owner.text, -1),
                          op_delete(permit.text, -1)};
    assert_int_equal(model_zk_poke(s->zk, ops, 3), ZK_OK);
}

/* ---- stories ---- */

static void
a_connection_lost_with_progress_out_and_leave_asked_loses_nothing(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 3, .restarts = 1});
    int dropped = 0;

    while (!sim_swarm_closed(s.swarm)) {
        story_step(&s);
        for (int i = 0; i < 3; i++) {
            const struct runner *runner = sim_swarm_runner(s.swarm, i);
            if (!runner->publishing || !runner->asking || dropped >= 5)
                continue;
            model_zk_drop(sim_swarm_client(s.swarm, i));
            dropped++;
        }
    }

    assert_true(dropped > 0);
    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 3);
    story_end(&s);
}

static void a_lowered_limit_grants_nothing_until_enough_permits_are_free(void **state)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct story s = story_begin(
            (struct sim_swarm_config){.seed = seed, .hosts = 8, .restarts = 3});

        while (story_permits(&s, "restart") < 3)
            story_step(&s);
        set_limit(&s, "restart", 1);
        int most_after = 0, grants = story_grants(&s, "restart");
        while (!sim_swarm_closed(s.swarm)) {
            story_step(&s);
            if (story_grants(&s, "restart") > grants &&
                story_permits(&s, "restart") > most_after)
                most_after = story_permits(&s, "restart");
        }

        assert_int_equal(most_after, 1);
        story_end(&s);
    }
}

static void a_permit_removed_by_hand_is_named_and_asked_for_no_storm(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 1, .restarts = 1});
    assert_true(story_until_acting(&s));
    int holder = story_holder(&s);
    story_look_away(&s);

    story_remove_tree(
        &s, zpath_permit(ROOT, sim_swarm_rollout(s.swarm), "restart", 0).text);
    sim_loop_run_for(s.loop, MINUTE_MS);
    uint64_t before = story_requests(&s);
    sim_loop_run_for(s.loop, 10 * MINUTE_MS);

    assert_in_range(story_requests(&s) - before, 0, 2000);
    assert_non_null(strstr(sim_swarm_runner(s.swarm, holder)->says, "permits/0"));
    story_end(&s);
}

static void a_ticket_removed_by_hand_is_drawn_again(void **state)
{
    struct story s = story_begin(
        (struct sim_swarm_config){.hosts = 4, .restarts = 1, .act_ms = 10 * MINUTE_MS});
    assert_true(story_until_acting(&s));
    while (sim_swarm_count(s.swarm, HOST_WAITING) < 3)
        story_step(&s);
    story_look_away(&s);

    for (int i = 0; i < 4; i++)
        if (sim_swarm_record(s.swarm, i).state == HOST_WAITING)
            story_remove(&s, zpath_ticket(ROOT, sim_swarm_rollout(s.swarm), "restart",
                                          sim_swarm_runner(s.swarm, i)->seq)
                                 .text);
    uint64_t before = story_requests(&s);
    story_runs_to_its_end(&s);

    assert_in_range(story_requests(&s) - before, 0, 5000);
    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 4);
    story_end(&s);
}

/* The holder frees the last permit of an abort and dies before it can close it. */
static void an_abort_is_closed_by_another_when_the_last_holder_dies(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 4, .restarts = 1});

    assert_true(story_until_acting(&s));
    int holder = story_holder(&s);
    sim_swarm_set_phase(s.swarm, GATE_ABORT, "wrong spec");
    while (sim_swarm_record(s.swarm, holder).state == HOST_HOLDING)
        story_step(&s);
    sim_swarm_crash(s.swarm, holder);
    assert_false(sim_swarm_closed(s.swarm));

    assert_true(sim_loop_run_until(s.loop, sim_swarm_closed, s.swarm, HOUR_MS));
    story_end(&s);
}

static void an_abort_is_closed_when_the_last_permit_is_broken(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 4, .restarts = 1});

    assert_true(story_until_acting(&s));
    int holder = story_holder(&s);
    sim_swarm_crash(s.swarm, holder);
    sim_swarm_set_phase(s.swarm, GATE_ABORT, "wrong spec");
    sim_loop_run_for(s.loop, 5 * MINUTE_MS);
    assert_false(sim_swarm_closed(s.swarm));
    story_look_away(&s);
    break_permit(&s, holder);

    assert_true(sim_loop_run_until(s.loop, sim_swarm_closed, s.swarm, HOUR_MS));
    story_end(&s);
}

static void a_rollout_removed_under_way_stops_its_visits(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 3, .restarts = 1});
    assert_true(story_until_acting(&s));
    int holder = story_holder(&s);
    story_look_away(&s);

    story_remove(&s, zpath_record(ROOT, sim_swarm_rollout(s.swarm),
                                  sim_swarm_host(s.swarm, holder))
                         .text);
    story_remove(&s, zpath_gate(ROOT, sim_swarm_rollout(s.swarm)).text);
    sim_loop_run_for(s.loop, MINUTE_MS);
    uint64_t before = story_requests(&s);
    sim_loop_run_for(s.loop, 10 * MINUTE_MS);

    assert_in_range(story_requests(&s) - before, 0, 2000);
    assert_int_equal(sim_swarm_acts(s.swarm, holder), 1); /* the second is not begun */
    story_end(&s);
}

/* Each record that can be written by hand, at each moment: said, never acted upon. */
static void a_record_changed_by_hand_to_nonsense_ends_no_agent(void **state)
{
    for (int n = 0; n < HOST_STATE_COUNT * 4 * 5 * 3; n++) {
        struct story s = story_begin((struct sim_swarm_config){
            .seed = (uint64_t)n + 1, .hosts = 2, .canary = 1, .restarts = 1});
        sim_loop_run_for(s.loop, n * 13 % 5000);
        story_look_away(&s);

        struct record record = sim_swarm_record(s.swarm, n % 2);
        record.state = (enum host_state)(n % HOST_STATE_COUNT);
        record.stages_done = n / HOST_STATE_COUNT % 4;
        record.wave = n / HOST_STATE_COUNT / 4 % 5 - 1;
        record.permit = n / HOST_STATE_COUNT / 20 - 1;
        STR_COPY(record.lease, record.permit == 0 ? "restart" : "nonsense");
        write_record(&s, n % 2, &record);
        sim_loop_run_for(s.loop, MINUTE_MS);
        uint64_t before = story_requests(&s);
        sim_loop_run_for(s.loop, 10 * MINUTE_MS);

        assert_in_range(story_requests(&s) - before, 0, 3000);
        story_end(&s);
    }
}

static void
znodes_changed_by_hand_to_nonsense_are_named_and_stop_the_swarm(void **state)
{
    static const char *const texts[] = {
        "", "{}", "nonsense", "{\"v\":2}", "[1]", "{\"v\":1,\"phase\":\"run\"}"};
    for (size_t n = 0; n < sizeof(texts) / sizeof(texts[0]); n++) {
        for (int where = 0; where < 4; where++) {
            struct story s =
                story_begin((struct sim_swarm_config){.hosts = 3, .restarts = 1});
            assert_true(story_until_acting(&s));
            const char *id = sim_swarm_rollout(s.swarm);
            struct zpath paths[] = {zpath_gate(ROOT, id), zpath_current(ROOT),
                                    zpath_permit(ROOT, id, "restart", 0),
                                    zpath_queue(ROOT, id, "restart")};
            int begun = story_acts_begun(&s);
            const char *good = NULL;
            size_t len = 0;
            assert_true(model_zk_peek(s.zk, paths[where].text, &good, &len, NULL));
            _cleanup_(freep) char *kept = strndup(good, len);
            story_look_away(&s);
            story_write(&s, paths[where].text, texts[n]);
            sim_loop_run_for(s.loop, 30 * MINUTE_MS);
            uint64_t before = story_requests(&s);
            sim_loop_run_for(s.loop, 10 * MINUTE_MS);

            assert_in_range(story_requests(&s) - before, 0, 3000);
            if (where == 0) {
                assert_int_equal(story_acts_begun(&s), begun);
                story_write(&s, paths[where].text, kept);
                story_runs_to_its_end(&s);
            }
            story_end(&s);
        }
    }
}

static void an_inventory_removed_by_hand_is_written_again(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 1, .restarts = 1});
    sim_loop_run_for(s.loop, 3000);

    struct zpath path = zpath_host(ROOT, sim_swarm_host(s.swarm, 0));
    story_remove(&s, path.text);
    sim_swarm_change_facts(s.swarm, 0, "24.0.7");
    sim_loop_run_for(s.loop, 3000);

    assert_true(model_zk_peek(s.zk, path.text, NULL, NULL, NULL));
    story_runs_to_its_end(&s);
    story_end(&s);
}

/* Whatever /current says for a moment, in every state of the runner. */
static void current_changed_by_hand_for_a_moment_holds_nobody_up(void **state)
{
    static const char *const texts[] = {
        "{\"v\":1}",
        "{\"v\":1,\"rollout\":\"20261123-200000-5eed\",\"phase\":\"pause\"}",
        "{\"v\":1,\"rollout\":\"20261123-200000-5eed\",\"phase\":\"abort\"}",
        "{\"v\":1,\"rollout\":\"20261123-200000-5eed\",\"phase\":\"keep\"}",
        "{\"v\":1,\"rollout\":\"20261123-200000-5eed\",\"phase\":\"done\"}",
        "{\"v\":1,\"rollout\":\"20261123-200001-beef\",\"phase\":\"run\"}",
        "nonsense",
    };
    enum { TEXTS = sizeof(texts) / sizeof(texts[0]) };
    for (int n = 0; n < 60 * TEXTS; n++) {
        struct story s = story_begin((struct sim_swarm_config){
            .seed = (uint64_t)n + 1, .hosts = 3, .canary = 1, .restarts = 1});
        sim_loop_run_for(s.loop, n / TEXTS * 131);
        if (!sim_swarm_closed(s.swarm)) {
            struct zpath path = zpath_current(ROOT);
            const char *good;
            size_t len;
            assert_true(model_zk_peek(s.zk, path.text, &good, &len, NULL));
            _cleanup_(freep) char *kept = strndup(good, len);
            story_write(&s, path.text, texts[n % TEXTS]);
            sim_loop_run_for(s.loop, n % 11 * 10);
            if (!sim_swarm_closed(s.swarm))
                story_write(&s, path.text, kept);
        }

        story_runs_to_its_end(&s);

        assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 3);
        for (int i = 0; i < 3; i++)
            assert_int_equal(sim_swarm_acts(s.swarm, i), 2);
        story_end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_connection_lost_with_progress_out_and_leave_asked_loses_nothing),
        cmocka_unit_test(a_lowered_limit_grants_nothing_until_enough_permits_are_free),
        cmocka_unit_test(a_permit_removed_by_hand_is_named_and_asked_for_no_storm),
        cmocka_unit_test(a_ticket_removed_by_hand_is_drawn_again),
        cmocka_unit_test(an_abort_is_closed_by_another_when_the_last_holder_dies),
        cmocka_unit_test(an_abort_is_closed_when_the_last_permit_is_broken),
        cmocka_unit_test(a_rollout_removed_under_way_stops_its_visits),
        cmocka_unit_test(a_record_changed_by_hand_to_nonsense_ends_no_agent),
        cmocka_unit_test(
            znodes_changed_by_hand_to_nonsense_are_named_and_stop_the_swarm),
        cmocka_unit_test(an_inventory_removed_by_hand_is_written_again),
        cmocka_unit_test(current_changed_by_hand_for_a_moment_holds_nobody_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
