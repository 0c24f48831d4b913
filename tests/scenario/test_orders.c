/* test_orders.c - stories of an operator's orders to single hosts.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/str.h"
#include "shared/swarm/host_order.h"
#include "shared/swarm/promote.h"
#include "tests/scenario/story.h"
#include "tests/unit/cmocka_all.h"

#include <errno.h>
#include <string.h>

#define ROOT "/clowder"

struct given { /* an order that was given */
    bool done;
    int result;
    bool unsure; /* a reply was lost */
    struct error err;
};

static void on_done(void *ctx, int result, const struct error *err)
{
    struct given *given = ctx;
    given->done = true;
    given->result = result;
    error_copy(&given->err, err);
}

static bool is_done(void *ctx)
{
    return ((struct given *)ctx)->done;
}

static struct host_order_request order_of(struct story *s, enum host_order_kind kind,
                                          int host)
{
    struct host_order_request request = {.kind = kind,
                                         .at_ms = loop_wall_ms(sim_loop_port(s->loop))};
    STR_COPY(request.host, sim_swarm_host(s->swarm, host));
    STR_COPY(request.who, "ops@test");
    STR_COPY(request.why, "because");
    return request;
}

/* drop_after_ms: the operator's connection breaks then, once; -1 = it does not. */
static struct given give(struct story *s, const struct host_order_request *request,
                         int drop_after_ms)
{
    struct zk *zk = model_zk_connect(s->zk, "cli", NULL);
    struct host_order order = {0};
    struct given given = {0};
    host_order_start(&order, zk, sim_loop_port(s->loop), ROOT, request, on_done,
                     &given);
    if (drop_after_ms >= 0) {
        (void)sim_loop_run_until(s->loop, is_done, &given, drop_after_ms);
        model_zk_drop(zk);
    }
    assert_true(sim_loop_run_until(s->loop, is_done, &given, 60000));
    given.unsure = order.unsure;
    host_order_done(&order);
    zk_free(zk);
    return given;
}

static void ordered(struct story *s, enum host_order_kind kind, int host)
{
    struct host_order_request request = order_of(s, kind, host);
    struct given given = give(s, &request, -1);
    if (given.result != 0)
        fail_msg("%s", given.err.text);
}

static void refused(struct story *s, enum host_order_kind kind, int host,
                    const char *says)
{
    struct host_order_request request = order_of(s, kind, host);
    struct given given = give(s, &request, -1);
    assert_int_equal(given.result, -EPERM);
    if (!strstr(given.err.text, says))
        fail_msg("\"%s\" does not say \"%s\"", given.err.text, says);
}

static bool exists(struct story *s, const char *path)
{
    return model_zk_peek(s->zk, path, NULL, NULL, NULL);
}

static bool excluded(struct story *s, int host)
{
    char path[ZPATH_SIZE + HOST_ID_SIZE + 1];
    snprintf(path, sizeof(path), "%s/%s",
             zpath_exclusions(ROOT, sim_swarm_rollout(s->swarm)).text,
             sim_swarm_host(s->swarm, host));
    return exists(s, path);
}

static int events(struct story *s)
{
    struct zk_stat stat;
    struct zpath path = zpath_events(ROOT, sim_swarm_rollout(s->swarm));
    return model_zk_peek(s->zk, path.text, NULL, NULL, &stat) ? stat.children_count
                                                              : -1;
}

static void a_failed_host_that_is_retried_queues_again_and_ends_done(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 4, .restarts = 1, .fail_times = 1, .fail_stage = 1});

    assert_true(story_until_paused(&s));
    int before = events(&s);
    ordered(&s, HOST_RETRY, 0);
    assert_int_equal(sim_swarm_gate(s.swarm).failed, 0);
    assert_int_equal(sim_swarm_record(s.swarm, 0).attempt, 1);
    assert_int_equal(events(&s), before + 1);
    sim_swarm_set_phase(s.swarm, GATE_RUN, "");
    story_runs_to_its_end(&s);

    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 4);
    assert_int_equal(sim_swarm_acts(s.swarm, 0), 4); /* of two attempts */
    story_end(&s);
}

static void an_unhealthy_host_is_retried_under_the_permit_it_kept(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 4,
                                                           .restarts = 1,
                                                           .fail_times = 1,
                                                           .fail_stage = 1,
                                                           .fail_unhealthy = true});

    assert_true(story_until_paused(&s));
    int64_t token = sim_swarm_record(s.swarm, 0).token;
    int grants = story_grants(&s, "restart");
    ordered(&s, HOST_RETRY, 0);
    struct record record = sim_swarm_record(s.swarm, 0);
    assert_int_equal(record.state, HOST_HOLDING);
    assert_int_equal(record.token, token);
    assert_int_equal(record.attempt, 2);

    /* It is repaired under the pause: a host is never left half restarted. */
    sim_loop_run_for(s.loop, 120000);
    assert_int_equal(sim_swarm_record(s.swarm, 0).stages_done, 2);
    assert_int_equal(story_grants(&s, "restart"), grants);
    assert_int_equal(story_permits(&s, "restart"), 0);

    sim_swarm_set_phase(s.swarm, GATE_RUN, "");
    story_runs_to_its_end(&s);
    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 4);
    story_end(&s);
}

static void an_unhealthy_host_that_crashes_in_its_retry_goes_on_with_it(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 3,
                                                           .restarts = 1,
                                                           .fail_times = 1,
                                                           .fail_stage = 1,
                                                           .fail_unhealthy = true});

    assert_true(story_until_paused(&s));
    ordered(&s, HOST_RETRY, 0);
    sim_loop_run_for(s.loop, 300);
    sim_swarm_crash(s.swarm, 0);
    sim_loop_run_for(s.loop, 60000);
    sim_swarm_start(s.swarm, 0);
    sim_loop_run_for(s.loop, 60000);

    assert_int_equal(sim_swarm_record(s.swarm, 0).stages_done, 2);
    story_end(&s);
}

/* It had disrupted nothing before it failed, but it was not proved healthy: to step
 * back and free its permit under the pause would be wrong. */
static void an_unhealthy_host_that_had_not_begun_does_not_step_back(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 3,
                                                           .restarts = 1,
                                                           .fail_times = 1,
                                                           .fail_stage = 1,
                                                           .fail_unhealthy = true,
                                                           .fail_early = true});

    assert_true(story_until_paused(&s));
    assert_false(sim_swarm_record(s.swarm, 0).disrupted);
    ordered(&s, HOST_RETRY, 0);
    sim_loop_run_for(s.loop, 60000);

    assert_int_equal(sim_swarm_record(s.swarm, 0).stages_done, 2);
    assert_int_equal(sim_swarm_acts(s.swarm, 0), 2);
    story_end(&s);
}

/* Killed at every moment after its first act has begun. */
static void a_visit_that_has_disrupted_goes_on_after_a_crash_under_a_pause(void **state)
{
    for (int after_ms = 0; after_ms < 1400; after_ms += 23) {
        struct story s = story_begin((struct sim_swarm_config){
            .seed = (uint64_t)after_ms + 1, .hosts = 3, .restarts = 1});

        assert_true(story_until_acting(&s));
        int holder = story_holder(&s);
        sim_loop_run_for(s.loop, after_ms);
        sim_swarm_crash(s.swarm, holder);
        sim_swarm_set_phase(s.swarm, GATE_PAUSE, "lunch");
        sim_swarm_start(s.swarm, holder);
        sim_loop_run_for(s.loop, 120000);

        assert_int_equal(sim_swarm_acts(s.swarm, holder), 2);
        assert_int_equal(sim_swarm_record(s.swarm, holder).stages_done, 2);
        story_end(&s);
    }
}

/* Its journal says that attempt 1 failed; were the retry attempt 1 again, it would be
 * failed at once and never run. */
static void a_retry_that_fails_again_counts_again(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 3, .restarts = 1, .fail_times = 2, .fail_stage = 1});

    assert_true(story_until_paused(&s));
    ordered(&s, HOST_RETRY, 0);
    sim_swarm_set_phase(s.swarm, GATE_RUN, "");
    assert_true(story_until_paused(&s));
    assert_int_equal(sim_swarm_gate(s.swarm).failed, 1);
    assert_int_equal(sim_swarm_record(s.swarm, 0).attempt, 2);
    ordered(&s, HOST_RETRY, 0);
    sim_swarm_set_phase(s.swarm, GATE_RUN, "");
    story_runs_to_its_end(&s);

    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 3);
    story_end(&s);
}

static void an_excluded_failure_holds_up_nobody(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 4, .canary = 2, .restarts = 1, .fail_times = 1, .fail_stage = 0});

    assert_true(story_until_paused(&s));
    ordered(&s, HOST_EXCLUDE, 0);
    assert_int_equal(sim_swarm_gate(s.swarm).failed, 0);
    assert_true(excluded(&s, 0));
    sim_swarm_set_phase(s.swarm, GATE_RUN, "");
    story_runs_to_its_end(&s);

    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 3);
    assert_int_equal(sim_swarm_record(s.swarm, 0).state, HOST_EXCLUDED);
    story_end(&s);
}

static int waiting_host(struct story *s)
{
    for (int i = 0; sim_swarm_host(s->swarm, i); i++)
        if (sim_swarm_record(s->swarm, i).state == HOST_WAITING)
            return i;
    fail_msg("nobody waits");
    return -1;
}

static void a_waiting_host_is_excluded_with_its_ticket(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 5, .restarts = 1});

    assert_true(story_until_acting(&s));
    int waits = waiting_host(&s);
    int tickets = story_tickets(&s, "restart");
    ordered(&s, HOST_EXCLUDE, waits);
    assert_int_equal(story_tickets(&s, "restart"), tickets - 1);
    story_runs_to_its_end(&s);

    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 4);
    assert_int_equal(sim_swarm_acts(s.swarm, waits), 0);
    story_end(&s);
}

static void an_excluded_waiter_says_so_within_two_minutes(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 5, .restarts = 1});

    assert_true(story_until_acting(&s));
    sim_swarm_set_phase(s.swarm, GATE_PAUSE, "lunch");
    int waits = waiting_host(&s);
    ordered(&s, HOST_SKIP, waits);
    sim_loop_run_for(s.loop, 130000);

    assert_int_equal(sim_swarm_runner(s.swarm, waits)->state, RUNNER_RESTING);
    assert_non_null(strstr(sim_swarm_runner(s.swarm, waits)->says, "excluded by ops"));
    story_end(&s);
}

static void an_idle_host_is_excluded_before_its_wave_begins(void **state)
{
    struct story s =
        story_begin((struct sim_swarm_config){.hosts = 4, .canary = 1, .restarts = 1});

    ordered(&s, HOST_EXCLUDE, 3);
    story_runs_to_its_end(&s);

    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 3);
    assert_int_equal(sim_swarm_acts(s.swarm, 3), 0);
    story_end(&s);
}

static void the_last_host_that_is_missing_may_be_excluded(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 3, .canary = 2, .restarts = 1, .fail_times = 1, .fail_stage = 1});

    assert_true(story_until_paused(&s));
    sim_swarm_set_phase(s.swarm, GATE_RUN, "");
    sim_loop_run_for(s.loop, 1000);
    int64_t before = sim_loop_now_ms(s.loop);
    ordered(&s, HOST_EXCLUDE, 0);
    story_runs_to_its_end(&s);

    assert_true(sim_loop_now_ms(s.loop) - before < 300000);
    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 2);
    story_end(&s);
}

/* Its agentd is gone, and nobody else is of its wave. */
static void what_is_complete_with_a_break_is_opened_at_once(void **state)
{
    static const char *const stages[] = {"restart", "run"};
    struct story s = story_begin((struct sim_swarm_config){.hosts = 1, .restarts = 1});

    assert_true(story_until_acting(&s));
    sim_swarm_crash(s.swarm, 0);
    sim_loop_run_for(s.loop, 60000);
    ordered(&s, HOST_BREAK, 0);

    for (int i = 0; i < 2; i++)
        assert_true(exists(
            &s, zpath_open(ROOT, sim_swarm_rollout(s.swarm), 0, stages[i]).text));
    story_end(&s);
}

static void a_lost_holder_is_broken_and_the_rest_goes_on(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 4, .restarts = 1});

    assert_true(story_until_acting(&s));
    int holder = story_holder(&s);
    sim_swarm_crash(s.swarm, holder);
    sim_loop_run_for(s.loop, 20 * 60000);
    ordered(&s, HOST_BREAK, holder);
    assert_int_equal(sim_swarm_gate(s.swarm).failed, 0);
    assert_int_equal(story_permits(&s, "restart"), 0);
    sim_swarm_set_phase(s.swarm, GATE_RUN, "");
    story_runs_to_its_end(&s);
    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 3);

    /* It comes back, reads its record, and does nothing more. */
    int acts = sim_swarm_acts(s.swarm, holder);
    sim_swarm_start(s.swarm, holder);
    sim_loop_run_for(s.loop, 300000);
    assert_int_equal(sim_swarm_acts(s.swarm, holder), acts);
    assert_int_equal(sim_swarm_record(s.swarm, holder).state, HOST_EXCLUDED);
    story_end(&s);
}

/* Broken at every moment of its visit: after that it begins no act, whatever it was in.
 * The checker (I9) watches the same from the server's side. */
static void a_holder_whose_permit_is_broken_begins_no_further_act(void **state)
{
    int broken = 0;
    for (int after_ms = 0; after_ms < 3000; after_ms += 41) {
        struct story s =
            story_begin((struct sim_swarm_config){.hosts = 3, .restarts = 1});

        assert_true(story_until_acting(&s));
        int holder = story_holder(&s);
        sim_loop_run_for(s.loop, after_ms);
        struct host_order_request request = order_of(&s, HOST_BREAK, holder);
        if (give(&s, &request, -1).result == 0) { /* it may have been faster */
            broken++;
            int acts = sim_swarm_acts(s.swarm, holder);
            story_runs_to_its_end(&s);
            assert_int_equal(sim_swarm_acts(s.swarm, holder), acts);
            assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 2);
            assert_false(sim_swarm_runner(s.swarm, holder)->visiting);
        }
        story_end(&s);
    }
    assert_true(broken > 30);
}

static void a_holder_that_is_cut_off_learns_of_the_break_when_it_is_back(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 3, .restarts = 1});

    assert_true(story_until_acting(&s));
    int holder = story_holder(&s);
    model_zk_cut(sim_swarm_client(s.swarm, holder), true);
    sim_loop_run_for(s.loop, 60000);
    int acts = sim_swarm_acts(s.swarm, holder);
    ordered(&s, HOST_BREAK, holder);
    sim_loop_run_for(s.loop, 60000);
    assert_int_equal(sim_swarm_acts(s.swarm, holder), acts);
    model_zk_cut(sim_swarm_client(s.swarm, holder), false);
    story_runs_to_its_end(&s);

    assert_int_equal(sim_swarm_acts(s.swarm, holder), acts);
    assert_int_equal(sim_swarm_record(s.swarm, holder).state, HOST_EXCLUDED);
    story_end(&s);
}

static void a_break_ends_an_abort_that_waits_for_a_lost_holder(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 3, .restarts = 1});

    assert_true(story_until_acting(&s));
    int holder = story_holder(&s);
    sim_swarm_crash(s.swarm, holder);
    sim_swarm_set_phase(s.swarm, GATE_ABORT, "enough");
    sim_loop_run_for(s.loop, 60000);
    ordered(&s, HOST_BREAK, holder);

    assert_int_equal(story_permits(&s, "restart"), 0);
    refused(&s, HOST_EXCLUDE, (holder + 1) % 3, "is being aborted");
    story_end(&s);
}

static void a_step_that_is_declared_complete_is_not_done_again(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 3, .restarts = 1, .fail_times = 1, .fail_stage = 1});

    assert_true(story_until_paused(&s));
    struct host_order_request request = order_of(&s, HOST_FORCE_COMPLETE, 0);
    STR_COPY(request.step, "node");
    struct given given = give(&s, &request, -1);
    assert_int_equal(given.result, -EINVAL);
    assert_non_null(strstr(given.err.text, "docker-cluster-store, cni"));
    STR_COPY(request.step, "cni");
    assert_int_equal(give(&s, &request, -1).result, 0);
    sim_swarm_set_phase(s.swarm, GATE_RUN, "");
    story_runs_to_its_end(&s);

    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 3);
    assert_int_equal(sim_swarm_acts(s.swarm, 0), 3); /* two, then one of the two */
    story_end(&s);
}

static void an_order_that_does_not_fit_says_what_would(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){.hosts = 4,
                                                           .restarts = 1,
                                                           .fail_times = 1,
                                                           .fail_stage = 1,
                                                           .fail_unhealthy = true});

    assert_true(story_until_acting(&s));
    int holder = story_holder(&s);
    int waits = waiting_host(&s);
    refused(&s, HOST_RETRY, holder, "wait for its end, or `clowder break");
    refused(&s, HOST_EXCLUDE, holder, "let it finish its visit, or `clowder break");
    refused(&s, HOST_RETRY, waits, "`clowder why ");
    refused(&s, HOST_BREAK, waits, "`clowder exclude ");
    assert_true(story_until_paused(&s));
    refused(&s, HOST_EXCLUDE, 0, "was not proved healthy");
    struct host_order_request silent = order_of(&s, HOST_BREAK, 0);
    silent.why[0] = '\0';
    struct given given = give(&s, &silent, -1);
    assert_int_equal(given.result, -EINVAL);
    assert_non_null(strstr(given.err.text, "--reason"));
    ordered(&s, HOST_BREAK, 0);
    ordered(&s, HOST_BREAK, 0); /* already so */
    refused(&s, HOST_RETRY, 0, "excluded by ops@test");
    sim_swarm_set_phase(s.swarm, GATE_RUN, "");
    story_runs_to_its_end(&s);
    refused(&s, HOST_EXCLUDE, 1, "has ended");
    story_end(&s);
}

static void an_order_whose_reply_is_lost_is_given_once(void **state)
{
    int unsure = 0;
    for (int after_ms = 0; after_ms < 400; after_ms += 2) {
        struct story s = story_begin(
            (struct sim_swarm_config){.seed = (uint64_t)after_ms + 1,
                                      .hosts = 4,
                                      .restarts = 1,
                                      .fail_times = 1,
                                      .fail_stage = 1,
                                      .zk = {.delay_min_ms = 5, .delay_max_ms = 25}});

        assert_true(story_until_paused(&s));
        int before = events(&s);
        struct host_order_request request = order_of(&s, HOST_RETRY, 0);
        struct given given = give(&s, &request, after_ms);
        unsure += given.unsure;
        if (given.result != 0)
            fail_msg("after %d ms: %s", after_ms, given.err.text);
        assert_int_equal(events(&s), before + 1);
        sim_swarm_set_phase(s.swarm, GATE_RUN, "");
        story_runs_to_its_end(&s);
        assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 4);
        story_end(&s);
    }
    assert_true(unsure > 5);
}

/* The host moves on while the order is under way: it is refused, or it holds. */
static void an_exclusion_races_with_the_host(void **state)
{
    int excluded_count = 0, refused_count = 0;
    for (int after_ms = 0; after_ms < 1500; after_ms += 3) {
        struct story s = story_begin((struct sim_swarm_config){
            .seed = (uint64_t)after_ms + 1, .hosts = 3, .restarts = 1});
        sim_loop_run_for(s.loop, after_ms);
        struct host_order_request request = order_of(&s, HOST_EXCLUDE, 1);
        struct given given = give(&s, &request, -1);
        excluded_count += given.result == 0;
        refused_count += given.result == -EPERM;
        story_runs_to_its_end(&s);
        assert_int_equal(sim_swarm_record(s.swarm, 1).state,
                         given.result == 0 ? HOST_EXCLUDED : HOST_DONE);
        assert_int_equal(story_tickets(&s, "install"), 0);
        assert_int_equal(story_tickets(&s, "restart"), 0);
        story_end(&s);
    }
    assert_true(excluded_count > 20);
    assert_true(refused_count > 20);
}

static void an_arrival_that_stands_there_already_is_set(void **state)
{
    struct story s =
        story_begin((struct sim_swarm_config){.hosts = 3, .canary = 1, .restarts = 1});
    struct zpath arrival = zpath_arrival(ROOT, sim_swarm_rollout(s.swarm), 1, "run",
                                         sim_swarm_host(s.swarm, 2));
    struct zk_op op = op_create(arrival.text, "by hand", ZK_PERSISTENT);

    assert_int_equal(model_zk_poke(s.zk, &op, 1), ZK_OK);
    ordered(&s, HOST_EXCLUDE, 2);
    story_runs_to_its_end(&s);
    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 2);
    story_end(&s);
}

static struct given promote(struct story *s, const char *wave)
{
    struct zk *zk = model_zk_connect(s->zk, "cli", NULL);
    struct promote_request request = {.who = "ops@test", .why = "it looks good"};
    struct promote order = {0};
    struct given given = {0};
    STR_COPY(request.wave, wave);
    promote_start(&order, zk, sim_loop_port(s->loop), ROOT, &request, on_done, &given);
    assert_true(sim_loop_run_until(s->loop, is_done, &given, 60000));
    promote_done(&order);
    zk_free(zk);
    return given;
}

static void a_manual_wave_waits_for_its_promotion(void **state)
{
    struct story s = story_begin(
        (struct sim_swarm_config){.hosts = 4,
                                  .canary = 1,
                                  .restarts = 1,
                                  .spec = "\"waves\":{\"promote\":\"manual\"}"});

    struct given early = promote(&s, "canary");
    assert_int_equal(early.result, -EPERM);
    assert_non_null(strstr(early.err.text, "1 of its 1 hosts have not finished"));
    sim_loop_run_for(s.loop, 600000);
    assert_int_equal(sim_swarm_record(s.swarm, 0).state, HOST_DONE);
    assert_int_equal(sim_swarm_record(s.swarm, 1).stages_done, 0);

    struct given unknown = promote(&s, "second");
    assert_int_equal(unknown.result, -EINVAL);
    assert_non_null(strstr(unknown.err.text, "canary, rest"));
    assert_int_equal(promote(&s, "rest").result, -EPERM);
    assert_int_equal(promote(&s, "canary").result, 0);
    assert_int_equal(promote(&s, "canary").result, 0); /* already so */
    assert_int_equal(events(&s), 2);                   /* install, promote */
    story_runs_to_its_end(&s);
    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 4);
    story_end(&s);
}

/* Its last barrier is full then, and nobody holds a permit, while a wave before soaks.
 */
static void
a_rollout_whose_last_wave_is_taken_out_ends_with_the_wave_before(void **state)
{
    struct story s =
        story_begin((struct sim_swarm_config){.hosts = 4,
                                              .canary = 1,
                                              .waves = 2,
                                              .restarts = 1,
                                              .spec = "\"waves\":{\"soak\":\"5m\"}"});

    while (sim_swarm_record(s.swarm, 0).state != HOST_DONE)
        story_step(&s);
    ordered(&s, HOST_EXCLUDE, 3);
    story_runs_to_its_end(&s);

    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 3);
    assert_int_equal(sim_swarm_count(s.swarm, HOST_EXCLUDED), 1);
    story_end(&s);
}

static void
a_rollout_whose_last_wave_is_away_for_good_is_closed_all_the_same(void **state)
{
    struct story s =
        story_begin((struct sim_swarm_config){.hosts = 4, .canary = 3, .restarts = 1});

    sim_swarm_crash(s.swarm, 3);
    ordered(&s, HOST_EXCLUDE, 3);
    story_runs_to_its_end(&s);

    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 3);
    story_end(&s);
}

/* All the others have arrived, and so has the retried host, as one that had failed. */
static void a_rollout_waits_for_a_host_that_is_retried(void **state)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 3, .restarts = 2, .max_failed = 3, .fail_times = 1, .fail_stage = 1});

    while (sim_swarm_record(s.swarm, 0).state != HOST_FAILED)
        story_step(&s);
    sim_swarm_crash(s.swarm, 0);
    ordered(&s, HOST_RETRY, 0);
    sim_loop_run_for(s.loop, 600000);
    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 2);
    assert_int_equal(sim_swarm_gate(s.swarm).phase, GATE_RUN);
    sim_swarm_start(s.swarm, 0);
    story_runs_to_its_end(&s);

    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 3);
    story_end(&s);
}

/* Nobody opened the last barrier as one who is done, and looks whether all are. */
static void a_retry_closes_the_rollout_at_once(bool crashes)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 1, .restarts = 1, .fail_times = 1, .fail_stage = 1});

    assert_true(story_until_paused(&s));
    sim_loop_run_for(s.loop, 5000);
    if (crashes)
        sim_swarm_crash(s.swarm, 0);
    ordered(&s, HOST_RETRY, 0);
    sim_swarm_set_phase(s.swarm, GATE_RUN, "");
    if (crashes)
        sim_swarm_start(s.swarm, 0);
    while (sim_swarm_record(s.swarm, 0).state != HOST_DONE)
        story_step(&s);
    sim_loop_run_for(s.loop, 5000);

    assert_int_equal(sim_swarm_gate(s.swarm).phase, GATE_DONE);
    story_end(&s);
}

static void a_retried_host_that_is_the_last_one_closes_the_rollout(void **state)
{
    a_retry_closes_the_rollout_at_once(false);
}

static void a_retried_host_that_crashed_closes_the_rollout_all_the_same(void **state)
{
    a_retry_closes_the_rollout_at_once(true);
}

/* by_hand: somebody has removed the znode that says that it is retried. */
static void a_retried_host_is_taken_out(bool by_hand)
{
    struct story s = story_begin((struct sim_swarm_config){
        .hosts = 3, .restarts = 2, .max_failed = 3, .fail_times = 1, .fail_stage = 1});

    while (sim_swarm_record(s.swarm, 0).state != HOST_FAILED)
        story_step(&s);
    sim_swarm_crash(s.swarm, 0);
    ordered(&s, HOST_RETRY, 0);
    sim_loop_run_for(s.loop, 60000);
    if (by_hand) {
        story_look_away(&s);
        story_remove(&s, zpath_retry(ROOT, sim_swarm_rollout(s.swarm),
                                     sim_swarm_host(s.swarm, 0))
                             .text);
    }
    ordered(&s, HOST_EXCLUDE, 0);
    story_runs_to_its_end(&s);

    assert_int_equal(sim_swarm_count(s.swarm, HOST_DONE), 2);
    story_end(&s);
}

static void a_retried_host_that_is_taken_out_holds_up_nobody(void **state)
{
    a_retried_host_is_taken_out(false);
}

static void a_retry_whose_znode_is_gone_is_taken_out_all_the_same(void **state)
{
    a_retried_host_is_taken_out(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_host_that_is_retried_queues_again_and_ends_done),
        cmocka_unit_test(an_unhealthy_host_is_retried_under_the_permit_it_kept),
        cmocka_unit_test(an_unhealthy_host_that_crashes_in_its_retry_goes_on_with_it),
        cmocka_unit_test(an_unhealthy_host_that_had_not_begun_does_not_step_back),
        cmocka_unit_test(
            a_visit_that_has_disrupted_goes_on_after_a_crash_under_a_pause),
        cmocka_unit_test(a_retry_that_fails_again_counts_again),
        cmocka_unit_test(an_excluded_failure_holds_up_nobody),
        cmocka_unit_test(a_waiting_host_is_excluded_with_its_ticket),
        cmocka_unit_test(an_excluded_waiter_says_so_within_two_minutes),
        cmocka_unit_test(an_idle_host_is_excluded_before_its_wave_begins),
        cmocka_unit_test(the_last_host_that_is_missing_may_be_excluded),
        cmocka_unit_test(what_is_complete_with_a_break_is_opened_at_once),
        cmocka_unit_test(a_lost_holder_is_broken_and_the_rest_goes_on),
        cmocka_unit_test(a_holder_whose_permit_is_broken_begins_no_further_act),
        cmocka_unit_test(a_holder_that_is_cut_off_learns_of_the_break_when_it_is_back),
        cmocka_unit_test(a_break_ends_an_abort_that_waits_for_a_lost_holder),
        cmocka_unit_test(a_step_that_is_declared_complete_is_not_done_again),
        cmocka_unit_test(an_order_that_does_not_fit_says_what_would),
        cmocka_unit_test(an_order_whose_reply_is_lost_is_given_once),
        cmocka_unit_test(a_manual_wave_waits_for_its_promotion),
        cmocka_unit_test(
            a_rollout_whose_last_wave_is_taken_out_ends_with_the_wave_before),
        cmocka_unit_test(
            a_rollout_whose_last_wave_is_away_for_good_is_closed_all_the_same),
        cmocka_unit_test(a_rollout_waits_for_a_host_that_is_retried),
        cmocka_unit_test(a_retried_host_that_is_the_last_one_closes_the_rollout),
        cmocka_unit_test(a_retried_host_that_crashed_closes_the_rollout_all_the_same),
        cmocka_unit_test(a_retried_host_that_is_taken_out_holds_up_nobody),
        cmocka_unit_test(a_retry_whose_znode_is_gone_is_taken_out_all_the_same),
        cmocka_unit_test(an_exclusion_races_with_the_host),
        cmocka_unit_test(an_arrival_that_stands_there_already_is_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
