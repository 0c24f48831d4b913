/* test_by_hand.c - somebody changes znodes by hand: nobody acts on it, and all is said.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/scenario/story.h"
#include "tests/unit/cmocka_all.h"

#include "shared/base/cleanup.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/swarm/host_order.h"

#include <stdlib.h>
#include <string.h>

#define ROOT "/clowder"
enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS, HOUR_MS = 60 * MINUTE_MS };

static bool says(struct story *s, int host, const char *text)
{
    return strstr(sim_swarm_runner(s->swarm, host)->says, text) != NULL;
}

static const char *holder_named_by(struct story *s, int permit)
{
    const char *data;
    size_t len;
    struct zpath path =
        zpath_permit(ROOT, sim_swarm_rollout(s->swarm), "restart", permit);
    return model_zk_peek(s->zk, path.text, &data, &len, NULL) ? data : "";
}

static bool other_holds(void *ctx)
{
    struct story *s = ctx;
    return sim_swarm_record(s->swarm, 0).state == HOST_HOLDING &&
           sim_swarm_record(s->swarm, 1).state == HOST_HOLDING;
}

/* ---- permits ---- */

/* The first holder neither acts on nor frees what is another's now. */
static void a_permit_removed_by_hand_and_granted_again_is_its_new_holders(void **state)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct story s = story_begin((struct sim_swarm_config){
            .seed = seed, .hosts = 2, .restarts = 1, .act_ms = 10 * SECOND_MS});
        assert_true(story_until_acting(&s));
        int first = story_holder(&s);
        story_look_away(&s);

        story_remove_tree(
            &s, zpath_permit(ROOT, sim_swarm_rollout(s.swarm), "restart", 0).text);
        int acts = sim_swarm_acts(s.swarm, first);
        assert_true(sim_loop_run_until(s.loop, other_holds, &s, MINUTE_MS));
        sim_loop_run_for(s.loop, 5 * MINUTE_MS);

        const char *second = sim_swarm_host(s.swarm, 1 - first);
        if (sim_swarm_record(s.swarm, 1 - first).state == HOST_HOLDING)
            assert_string_equal(holder_named_by(&s, 0), second);
        assert_int_equal(sim_swarm_record(s.swarm, first).state, HOST_HOLDING);
        assert_int_equal(sim_swarm_acts(s.swarm, first), acts);
        assert_true(says(&s, first, "permits/0/host-"));
        struct gate gate = sim_swarm_gate(s.swarm);
        assert_int_equal(gate.phase, GATE_PAUSE);
        assert_non_null(strstr(gate.reason, "permits/0/host-"));
        story_end(&s);
    }
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

static void order(struct story *s, enum host_order_kind kind, int host)
{
    struct host_order order = {0};
    struct host_order_request request = {.kind = kind};
    struct zk *zk = model_zk_connect(s->zk, "ops", NULL);
    bool done = false;
    STR_COPY(request.host, sim_swarm_host(s->swarm, host));
    STR_COPY(request.who, "ops@test");
    STR_COPY(request.why, "it is well");
    host_order_start(&order, zk, sim_loop_port(s->loop), ROOT, &request, on_ordered,
                     &done);
    assert_true(sim_loop_run_until(s->loop, is_true, &done, MINUTE_MS));
    host_order_done(&order);
    zk_free(zk);
}

static void a_holder_whose_permit_is_gone_can_be_broken(void **state)
{
    for (int again = 0; again < 2; again++) { /* granted to another, or to nobody */
        struct story s = story_begin((struct sim_swarm_config){
            .hosts = 2, .restarts = 1, .act_ms = 10 * SECOND_MS});
        assert_true(story_until_acting(&s));
        int first = story_holder(&s);
        story_look_away(&s);
        if (!again)
            sim_swarm_crash(s.swarm, 1 - first);
        story_remove_tree(
            &s, zpath_permit(ROOT, sim_swarm_rollout(s.swarm), "restart", 0).text);
        sim_loop_run_for(s.loop, 2 * MINUTE_MS);

        order(&s, HOST_BREAK, first);
        sim_swarm_set_phase(s.swarm, GATE_RUN, "");
        sim_swarm_start(s.swarm, 1 - first);
        story_runs_to_its_end(&s);

        assert_int_equal(sim_swarm_record(s.swarm, first).state, HOST_EXCLUDED);
        assert_int_equal(sim_swarm_record(s.swarm, 1 - first).state, HOST_DONE);
        story_end(&s);
    }
}

static void a_holder_whose_permit_has_no_child_can_be_broken(void **state)
{
    struct story s = story_begin(
        (struct sim_swarm_config){.hosts = 2, .restarts = 1, .act_ms = 10 * SECOND_MS});
    assert_true(story_until_acting(&s));
    int first = story_holder(&s);
    const char *host = sim_swarm_host(s.swarm, first);
    story_look_away(&s);
    story_remove(
        &s,
        zpath_permit_owner(ROOT, sim_swarm_rollout(s.swarm), "restart", 0, host).text);
    sim_loop_run_for(s.loop, 2 * MINUTE_MS);
    char advice[128];
    snprintf(advice, sizeof(advice), "clowder break %s", host);
    assert_non_null(strstr(sim_swarm_gate(s.swarm).reason, advice));

    order(&s, HOST_BREAK, first);
    assert_int_equal(story_permits(&s, "restart"), 0);
    sim_swarm_set_phase(s.swarm, GATE_RUN, "");
    story_runs_to_its_end(&s);

    assert_int_equal(sim_swarm_record(s.swarm, first).state, HOST_EXCLUDED);
    assert_int_equal(sim_swarm_record(s.swarm, 1 - first).state, HOST_DONE);
    story_end(&s);
}

/* ---- signs of life ---- */

static void a_sign_of_life_removed_by_hand_is_given_again(void **state)
{
    struct story s =
        story_begin((struct sim_swarm_config){.hosts = 3,
                                              .restarts = 1,
                                              .act_ms = 30 * MINUTE_MS,
                                              .spec = "\"lost_after\":\"1m\""});
    assert_true(story_until_acting(&s));
    int holder = story_holder(&s);

    for (int i = 0; i < 3; i++) {
        struct zpath live = zpath_live(ROOT, sim_swarm_host(s.swarm, i));
        story_remove(&s, live.text);
        sim_loop_run_for(s.loop, SECOND_MS);
        assert_true(model_zk_peek(s.zk, live.text, NULL, NULL, NULL));
    }
    sim_loop_run_for(s.loop, 10 * MINUTE_MS);

    assert_int_equal(sim_swarm_record(s.swarm, holder).state, HOST_HOLDING);
    assert_int_equal(sim_swarm_gate(s.swarm).failed, 0);
    story_runs_to_its_end(&s);
    story_end(&s);
}

/* Two processes on one machine do not take the host from each other for ever. */
static void a_sign_of_life_of_another_process_is_left_to_it(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 1, .restarts = 1});
    story_runs_to_its_end(&s);
    struct zk *other = model_zk_connect(s.zk, "other", NULL);
    sim_loop_run_for(s.loop, SECOND_MS);
    struct zpath live = zpath_live(ROOT, sim_swarm_host(s.swarm, 0));
    const char *data;
    size_t len;
    assert_true(model_zk_peek(s.zk, live.text, &data, &len, NULL));
    _cleanup_(freep) char *kept = strndup(data, len);
    struct zk_op ops[] = {op_delete(live.text, -1),
                          op_create(live.text, kept, ZK_EPHEMERAL)};

    (void)zk_multi(other, ops, 2, NULL, NULL);
    sim_loop_run_for(s.loop, SECOND_MS);
    uint64_t before = story_requests(&s);
    sim_loop_run_for(s.loop, HOUR_MS);

    struct zk_stat stat;
    assert_true(model_zk_peek(s.zk, live.text, NULL, NULL, &stat));
    assert_true(stat.ephemeral_owner == other->session_id);
    assert_in_range(story_requests(&s) - before, 0, 200);
    zk_free(other);
    sim_loop_run_for(s.loop, SECOND_MS);
    assert_true(model_zk_peek(s.zk, live.text, NULL, NULL, &stat));
    story_end(&s);
}

/* ---- nonsense ---- */

static const char *const nonsense[] = {
    "",
    "{}",
    "nonsense",
    "[1]",
    "{\"v\":1,\"phase\":\"run\",\"state\":\"holding\"}",
    "\xff\xfe"};
enum { NONSENSE = sizeof(nonsense) / sizeof(nonsense[0]) };

/* Each host's record, while it waits, holds or acts. */
static void a_record_of_nonsense_is_named_and_pauses_the_swarm(void **state)
{
    for (int n = 0; n < NONSENSE * 20; n++) {
        struct story s = story_begin((struct sim_swarm_config){
            .seed = (uint64_t)n + 1, .hosts = 2, .restarts = 1, .act_ms = 3000});
        sim_loop_run_for(s.loop, n / NONSENSE * 397);
        int host = n % 2;
        struct zpath path = zpath_record(ROOT, sim_swarm_rollout(s.swarm),
                                         sim_swarm_host(s.swarm, host));
        story_look_away(&s);

        story_write(&s, path.text, nonsense[n % NONSENSE]);
        sim_loop_run_for(s.loop, 5 * MINUTE_MS);
        int begun = sim_swarm_acts(s.swarm, host);
        sim_loop_run_for(s.loop, 30 * MINUTE_MS);

        assert_true(says(&s, host, path.text));
        assert_int_equal(sim_swarm_acts(s.swarm, host), begun);
        assert_int_equal(sim_swarm_gate(s.swarm).phase, GATE_PAUSE);
        assert_non_null(strstr(sim_swarm_gate(s.swarm).reason, path.text));
        story_end(&s);
    }
}

/* Read once by each process: those that read it now begin nothing and pause all. */
static void a_plan_of_nonsense_is_named_and_pauses_the_swarm(void **state)
{
    for (int n = 0; n < NONSENSE; n++) {
        struct story s =
            story_begin((struct sim_swarm_config){.hosts = 3, .restarts = 1});
        assert_true(story_until_acting(&s));
        struct zpath path = zpath_spec(ROOT, sim_swarm_rollout(s.swarm));
        int late = (story_holder(&s) + 1) % 3;
        story_look_away(&s);

        story_write(&s, path.text, nonsense[n]);
        sim_swarm_crash(s.swarm, late);
        sim_swarm_start(s.swarm, late);
        sim_loop_run_for(s.loop, 5 * MINUTE_MS);

        assert_true(says(&s, late, path.text));
        assert_int_equal(sim_swarm_acts(s.swarm, late), 0);
        assert_int_equal(sim_swarm_gate(s.swarm).phase, GATE_PAUSE);
        story_end(&s);
    }
}

/* What an agentd that is older than another program reads: it says so, and waits. */
static void a_key_of_a_newer_program_pauses_nobody(void **state)
{
    struct story s = story_begin(
        (struct sim_swarm_config){.hosts = 3, .restarts = 1, .act_ms = 10 * SECOND_MS});
    assert_true(story_until_acting(&s));
    int late = (story_holder(&s) + 1) % 3;
    struct zpath path =
        zpath_record(ROOT, sim_swarm_rollout(s.swarm), sim_swarm_host(s.swarm, late));
    const char *data;
    size_t len;
    assert_true(model_zk_peek(s.zk, path.text, &data, &len, NULL));
    _cleanup_(freep) char *newer =
        mem_printf("{\"ring\":3,%.*s", (int)len - 1, data + 1);
    story_look_away(&s);

    sim_swarm_crash(s.swarm, late);
    story_write(&s, path.text, newer);
    sim_swarm_start(s.swarm, late);
    sim_loop_run_for(s.loop, 5 * MINUTE_MS);

    assert_true(says(&s, late, path.text));
    assert_true(says(&s, late, "newer program (upgrade this one) or changed by hand"));
    assert_int_equal(sim_swarm_acts(s.swarm, late), 0);
    assert_int_equal(sim_swarm_gate(s.swarm).phase, GATE_RUN);
    story_end(&s);
}

/* Whatever it cannot read, it has no part in it. */
static void a_host_that_is_no_member_pauses_nobody(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 2, .late = 1, .restarts = 1, .act_ms = 10 * SECOND_MS});
    assert_true(story_until_acting(&s));
    struct zpath path = zpath_spec(ROOT, sim_swarm_rollout(s.swarm));
    story_look_away(&s);

    story_write(&s, path.text, "nonsense");
    sim_swarm_start(s.swarm, 2);
    sim_loop_run_for(s.loop, MINUTE_MS);

    assert_true(says(&s, 2, path.text));
    assert_int_not_equal(sim_swarm_gate(s.swarm).phase, GATE_PAUSE);
    story_end(&s);
}

/* Who resumes has read it: it is not told again for the same, and its advice is true.
 */
static void a_record_removed_by_hand_pauses_once_and_an_abort_ends_it(void **state)
{
    struct story s = story_begin(
        (struct sim_swarm_config){.hosts = 3, .restarts = 1, .act_ms = 10 * SECOND_MS});
    assert_true(story_until_acting(&s));
    int other = (story_holder(&s) + 1) % 3;
    struct zpath path =
        zpath_record(ROOT, sim_swarm_rollout(s.swarm), sim_swarm_host(s.swarm, other));
    story_look_away(&s);
    story_remove(&s, path.text);
    assert_true(story_until_paused(&s));
    assert_non_null(strstr(sim_swarm_gate(s.swarm).reason, path.text));
    assert_non_null(strstr(sim_swarm_gate(s.swarm).reason, "`clowder abort`"));

    sim_swarm_set_phase(s.swarm, GATE_RUN, "");
    sim_loop_run_for(s.loop, 10 * MINUTE_MS);
    assert_int_equal(sim_swarm_gate(s.swarm).phase, GATE_RUN);
    assert_true(says(&s, other, "`clowder abort`"));

    sim_swarm_set_phase(s.swarm, GATE_ABORT, "");
    assert_true(sim_loop_run_until(s.loop, sim_swarm_closed, s.swarm, 30 * MINUTE_MS));
    story_end(&s);
}

/* What is read as names and counts only: whatever stands in it changes nothing. */
static void data_that_nobody_reads_holds_nobody_up(void **state)
{
    for (int n = 0; n < NONSENSE * 6; n++) {
        struct story s = story_begin((struct sim_swarm_config){
            .seed = (uint64_t)n + 1, .hosts = 3, .canary = 1, .restarts = 1});
        assert_true(story_until_acting(&s));
        const char *id = sim_swarm_rollout(s.swarm);
        char wave[256];
        snprintf(wave, sizeof(wave), ROOT "/rollouts/%s/waves/0", id);
        struct zpath paths[] = {
            zpath_arrival(ROOT, id, 0, "proxy", "host-0"),
            zpath_open(ROOT, id, 0, "proxy"),
            zpath_live(ROOT, "host-1"),
            zpath_host(ROOT, "host-1"),
            zpath_permit_owner(ROOT, id, "restart", 0, "host-0"),
            zpath_barrier(ROOT, id, 0, "restart"),
        };
        story_write(&s, paths[n / NONSENSE].text, nonsense[n % NONSENSE]);

        story_runs_to_its_end(&s);

        assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 3);
        story_end(&s);
    }
}

/* ---- the rollout itself ---- */

/* A failure counts, and a lost host is marked, where there is nowhere to tell of it. */
static void events_removed_by_hand_hold_no_failure_back(void **state)
{
    struct story s = story_begin(
        (struct sim_swarm_config){.hosts = 3, .restarts = 1, .fail_ppm = 1000000});
    story_remove_tree(&s, zpath_events(ROOT, sim_swarm_rollout(s.swarm)).text);
    assert_true(story_until_paused(&s));
    assert_true(sim_swarm_gate(s.swarm).failed >= 1);
    story_end(&s);
}

static void events_removed_by_hand_hide_no_lost_host(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 4, .restarts = 1});
    assert_true(story_until_acting(&s));
    int holder = story_holder(&s);
    story_remove_tree(&s, zpath_events(ROOT, sim_swarm_rollout(s.swarm)).text);
    sim_swarm_crash(s.swarm, holder);
    sim_loop_run_for(s.loop, 30 * MINUTE_MS);
    assert_int_equal(sim_swarm_record(s.swarm, holder).state, HOST_LOST);
    assert_int_equal(sim_swarm_gate(s.swarm).phase, GATE_PAUSE);
    story_end(&s);
}

/* Removed whole, at any moment of it: agents stop, say so, and follow the next. */
static void a_rollout_removed_by_hand_stops_everybody_whatever_they_did(void **state)
{
    for (int n = 0; n < 60; n++) {
        struct story s = story_begin((struct sim_swarm_config){.seed = (uint64_t)n + 1,
                                                               .hosts = 3,
                                                               .canary = 1,
                                                               .restarts = 1,
                                                               .adopt = true});
        sim_loop_run_for(s.loop, 300 + n * 173);
        const char *id = sim_swarm_rollout(s.swarm);
        story_look_away(&s);

        story_remove_tree(&s, zpath_rollout(ROOT, id).text);
        sim_loop_run_for(s.loop, MINUTE_MS);
        int begun = story_acts_begun(&s);
        uint64_t before = story_requests(&s);
        sim_loop_run_for(s.loop, 10 * MINUTE_MS);

        assert_in_range(story_requests(&s) - before, 0, 2000);
        assert_int_equal(story_acts_begun(&s), begun);
        for (int i = 0; i < 3; i++) {
            assert_false(sim_swarm_runner(s.swarm, i)->visiting);
            assert_true(says(&s, i, id));
        }
        story_write(&s, zpath_current(ROOT).text, "{\"v\":1}");
        sim_loop_run_for(s.loop, MINUTE_MS);
        for (int i = 0; i < 3; i++)
            assert_int_equal(sim_swarm_runner(s.swarm, i)->state, RUNNER_UNLED);
        story_end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_permit_removed_by_hand_and_granted_again_is_its_new_holders),
        cmocka_unit_test(a_holder_whose_permit_is_gone_can_be_broken),
        cmocka_unit_test(a_holder_whose_permit_has_no_child_can_be_broken),
        cmocka_unit_test(a_sign_of_life_removed_by_hand_is_given_again),
        cmocka_unit_test(a_sign_of_life_of_another_process_is_left_to_it),
        cmocka_unit_test(a_record_of_nonsense_is_named_and_pauses_the_swarm),
        cmocka_unit_test(a_plan_of_nonsense_is_named_and_pauses_the_swarm),
        cmocka_unit_test(a_key_of_a_newer_program_pauses_nobody),
        cmocka_unit_test(a_host_that_is_no_member_pauses_nobody),
        cmocka_unit_test(a_record_removed_by_hand_pauses_once_and_an_abort_ends_it),
        cmocka_unit_test(data_that_nobody_reads_holds_nobody_up),
        cmocka_unit_test(events_removed_by_hand_hold_no_failure_back),
        cmocka_unit_test(events_removed_by_hand_hide_no_lost_host),
        cmocka_unit_test(a_rollout_removed_by_hand_stops_everybody_whatever_they_did),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
