/* test_order.c - what an operator orders, over the model ZooKeeper.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/str.h"
#include "shared/model/failure.h"
#include "shared/swarm/event_read.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/operator_fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ID "20261123-200000-0001"

struct scene {
    struct desk_fixture f;
    struct desk_rollout r;
    struct order order;
};

static void begin(struct scene *s, const struct model_zk_config *config,
                  const char *spec)
{
    *s = (struct scene){0};
    desk_begin(&s->f, config);
    desk_init(&s->f);
    s->r = desk_rollout_new(ID, 4, 2, spec);
    assert_int_equal(desk_create(&s->f, &s->r), 0);
}

static void end(struct scene *s)
{
    desk_rollout_done(&s->r);
    desk_end(&s->f);
}

static struct order_request request(enum order_kind kind, const char *why)
{
    struct order_request request = {.kind = kind, .at_ms = SIM_WALL_START_MS + 77};
    STR_COPY(request.who, "ops@test");
    STR_COPY(request.why, why);
    return request;
}

static int give(struct scene *s, enum order_kind kind, const char *why)
{
    struct order_request wanted = request(kind, why);
    order_start(&s->order, s->f.zk, s->f.loop, ROOT, &wanted, desk_done, &s->f);
    return desk_wait(&s->f);
}

static int events(struct scene *s)
{
    return desk_children(&s->f, zpath_events(ROOT, ID).text);
}

static void force_phase(struct scene *s, enum gate_phase phase)
{
    struct gate gate = desk_gate(&s->f, ID);
    gate.phase = phase;
    char *data = gate_encode(&gate);
    desk_poke_set(&s->f, zpath_gate(ROOT, ID).text, data);
    free(data);
}

static void a_pause_stands_in_the_gate_in_current_and_in_the_events(void **state)
{
    struct scene s;
    begin(&s, NULL, "{}");

    assert_int_equal(give(&s, ORDER_PAUSE, "night"), 0);

    struct gate gate = desk_gate(&s.f, ID);
    assert_int_equal(gate.phase, GATE_PAUSE);
    assert_string_equal(gate.reason, "night");
    assert_string_equal(gate.by, "ops@test");
    assert_int_equal(gate_limit(&gate, "restart"), 2);
    assert_int_equal(desk_current(&s.f).phase, GATE_PAUSE);
    assert_int_equal(events(&s), 2);
    assert_int_equal(s.order.outcome, ORDER_CHANGED);
    end(&s);
}

static void an_order_that_is_so_already_changes_nothing(void **state)
{
    struct scene s;
    begin(&s, NULL, "{}");
    assert_int_equal(give(&s, ORDER_PAUSE, "night"), 0);
    int64_t before = model_zk_zxid(s.f.mz);

    assert_int_equal(give(&s, ORDER_PAUSE, "again"), 0);

    assert_int_equal(s.order.outcome, ORDER_ALREADY);
    assert_int_equal(model_zk_zxid(s.f.mz), before);
    end(&s);
}

static void resume_goes_on(void **state)
{
    struct scene s;
    begin(&s, NULL, "{}");
    assert_int_equal(give(&s, ORDER_PAUSE, ""), 0);

    assert_int_equal(give(&s, ORDER_RESUME, ""), 0);

    assert_int_equal(desk_gate(&s.f, ID).phase, GATE_RUN);
    end(&s);
}

static void open_last_barrier(struct scene *s)
{
    const struct spec *spec = s->r.manifest->spec;
    const char *stage = spec->stages[spec->stages_count - 1].name;
    desk_poke_create(&s->f, zpath_open(ROOT, ID, 1, stage).text, "");
}

static void resume_of_a_finished_rollout_keeps_late_hosts_coming(void **state)
{
    struct scene s;
    begin(&s, NULL, "{}");
    open_last_barrier(&s);
    force_phase(&s, GATE_KEEP);
    assert_int_equal(give(&s, ORDER_PAUSE, ""), 0);

    assert_int_equal(give(&s, ORDER_RESUME, ""), 0);

    assert_int_equal(desk_gate(&s.f, ID).phase, GATE_KEEP);
    end(&s);
}

static void resume_of_a_pause_in_the_last_wave_is_no_end(void **state)
{
    struct scene s;
    begin(&s, NULL, "{}");
    open_last_barrier(&s); /* by a failure: the failed host may be retried */
    assert_int_equal(give(&s, ORDER_PAUSE, ""), 0);

    assert_int_equal(give(&s, ORDER_RESUME, ""), 0);

    assert_int_equal(desk_gate(&s.f, ID).phase, GATE_RUN);
    end(&s);
}

static void resume_without_adoption_runs_so_that_it_can_be_closed(void **state)
{
    struct scene s;
    begin(&s, NULL, "{\"adopt\":false}");
    open_last_barrier(&s);
    assert_int_equal(give(&s, ORDER_PAUSE, ""), 0);

    assert_int_equal(give(&s, ORDER_RESUME, ""), 0);

    assert_int_equal(desk_gate(&s.f, ID).phase, GATE_RUN);
    end(&s);
}

static void what_is_done_takes_no_order(void **state)
{
    struct scene s;
    begin(&s, NULL, "{}");
    force_phase(&s, GATE_DONE);

    assert_int_equal(give(&s, ORDER_ABORT, ""), -EPERM);

    assert_non_null(strstr(s.f.err.text, ID));
    assert_int_equal(events(&s), 1);
    end(&s);
}

static void an_abort_cannot_be_resumed(void **state)
{
    struct scene s;
    begin(&s, NULL, "{}");
    assert_int_equal(give(&s, ORDER_ABORT, "wrong spec"), 0);

    assert_int_equal(give(&s, ORDER_RESUME, ""), -EPERM);

    assert_int_equal(desk_gate(&s.f, ID).phase, GATE_ABORT);
    end(&s);
}

static void a_limit_is_set_and_the_phase_stays(void **state)
{
    struct scene s;
    begin(&s, NULL, "{}");
    struct order_request wanted = request(ORDER_SET_LIMIT, "");
    STR_COPY(wanted.lease, "restart");
    wanted.permits = 5;

    order_start(&s.order, s.f.zk, s.f.loop, ROOT, &wanted, desk_done, &s.f);
    assert_int_equal(desk_wait(&s.f), 0);

    struct gate gate = desk_gate(&s.f, ID);
    assert_int_equal(gate_limit(&gate, "restart"), 5);
    assert_int_equal(gate.phase, GATE_RUN);
    end(&s);
}

static void a_limit_leaves_alone_who_paused_and_when(void **state)
{
    struct scene s;
    begin(&s, NULL, "{}");
    assert_int_equal(give(&s, ORDER_PAUSE, "night"), 0);
    struct gate before = desk_gate(&s.f, ID);
    struct order_request wanted = request(ORDER_SET_LIMIT, "");
    STR_COPY(wanted.lease, "restart");
    STR_COPY(wanted.who, "dawn@test");
    wanted.permits = 5;
    wanted.at_ms += 60000;

    order_start(&s.order, s.f.zk, s.f.loop, ROOT, &wanted, desk_done, &s.f);
    assert_int_equal(desk_wait(&s.f), 0);

    struct gate gate = desk_gate(&s.f, ID);
    assert_int_equal(gate_limit(&gate, "restart"), 5);
    assert_string_equal(gate.by, "ops@test");
    assert_string_equal(gate.reason, "night");
    assert_int_equal(gate.at_ms, before.at_ms);
    end(&s);
}

static int limit_zones(struct scene *s, const char *lease, bool each_zone, int permits)
{
    struct order_request wanted = request(ORDER_SET_LIMIT, "");
    STR_COPY(wanted.lease, lease);
    wanted.each_zone = each_zone;
    wanted.permits = permits;
    order_start(&s->order, s->f.zk, s->f.loop, ROOT, &wanted, desk_done, &s->f);
    return desk_wait(&s->f);
}

static void a_limit_of_zones_is_set_for_each_or_for_one(void **state)
{
    struct scene s;
    begin(&s, NULL, "{\"zone_limits\":{\"restart\":1}}");

    assert_int_equal(limit_zones(&s, "restart.rack-1", false, 3), 0);
    assert_int_equal(limit_zones(&s, "restart", true, 2), 0);

    struct gate gate = desk_gate(&s.f, ID);
    assert_int_equal(gate_limit(&gate, "restart.rack-1"), 3);
    assert_int_equal(gate_limit(&gate, "restart.rack-2"), 2);
    assert_int_equal(gate_limit(&gate, "restart"), 2);
    end(&s);
}

static void zones_cannot_be_limited_where_the_rollout_does_not(void **state)
{
    struct scene s;
    begin(&s, NULL, "{}");

    assert_int_equal(limit_zones(&s, "restart", true, 2), -EPERM);
    assert_non_null(strstr(s.f.err.text, "does not limit lease 'restart' per zone"));
    assert_int_equal(limit_zones(&s, "restart.rack-1", false, 2), -EPERM);
    assert_non_null(strstr(s.f.err.text, "has no lease 'restart.rack-1'"));
    end(&s);
}

static void an_unknown_lease_is_named(void **state)
{
    struct scene s;
    begin(&s, NULL, "{}");
    struct order_request wanted = request(ORDER_SET_LIMIT, "");
    STR_COPY(wanted.lease, "restarts");
    wanted.permits = 5;

    order_start(&s.order, s.f.zk, s.f.loop, ROOT, &wanted, desk_done, &s.f);

    assert_int_equal(desk_wait(&s.f), -EPERM);
    assert_non_null(strstr(s.f.err.text, "restarts"));
    end(&s);
}

static void without_a_rollout_there_is_nothing_to_order(void **state)
{
    struct scene s = {0};
    desk_begin(&s.f, NULL);
    desk_init(&s.f);

    assert_int_equal(give(&s, ORDER_PAUSE, ""), -ENOENT);

    assert_non_null(strstr(s.f.err.text, "clowder install"));
    desk_end(&s.f);
}

static void a_gate_changed_to_nonsense_is_not_acted_on(void **state)
{
    struct scene s;
    begin(&s, NULL, "{}");
    desk_poke_set(&s.f, zpath_gate(ROOT, ID).text, "{\"v\":1,\"phase\":\"party\"}");

    assert_true(give(&s, ORDER_PAUSE, "") < 0);

    assert_non_null(strstr(s.f.err.text, zpath_gate(ROOT, ID).text));
    end(&s);
}

struct count {
    const char *what;
    int events;
};

static void on_event(void *ctx, int number, const struct event *event)
{
    struct count *count = ctx;
    count->events += str_equal(event->what, count->what);
}

static void lose_replies(uint64_t seed, const struct order_request *wanted,
                         const char *what)
{
    static const int faults[MODEL_ZK_FAULT_COUNT] = {
        [MODEL_ZK_FAULT_LOST] = 150000, [MODEL_ZK_FAULT_APPLIED] = 150000};
    static const int none[MODEL_ZK_FAULT_COUNT] = {0};
    struct scene s;
    struct event_read read = {0};
    struct model_zk_config config = {.seed = seed};
    struct count count = {.what = what};
    begin(&s, &config, "{}");
    model_zk_set_faults(s.f.mz, faults);

    order_start(&s.order, s.f.zk, s.f.loop, ROOT, wanted, desk_done, &s.f);
    if (desk_wait(&s.f) < 0)
        fail_msg("%s, seed %d: %s", what, (int)seed, s.f.err.text);

    model_zk_set_faults(s.f.mz, none);
    assert_int_equal(s.order.outcome, ORDER_CHANGED);
    event_read_start(&read, s.f.zk, s.f.loop, ROOT, ID, 0, 0, on_event, &count,
                     desk_done, &s.f);
    assert_int_equal(desk_wait(&s.f), 0);
    assert_int_equal(count.events, 1);
    assert_int_equal(read.count, 2);
    end(&s);
}

static void a_lost_reply_gives_no_second_event(void **state)
{
    struct order_request pause = request(ORDER_PAUSE, "night");
    struct order_request limit = request(ORDER_SET_LIMIT, "night");
    STR_COPY(limit.lease, "restart");
    limit.permits = 5;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        lose_replies(seed, &pause, "pause");
        lose_replies(seed, &limit, "set-limit restart 5");
    }
}

/* A host fails, and pauses the rollout, while the order is under way. */
static void somebody_faster_is_read_again(void **state)
{
    for (int turns = 0; turns < 30; turns++) {
        struct scene s;
        begin(&s, NULL, "{}");
        struct order_request wanted = request(ORDER_ABORT, "enough");
        order_start(&s.order, s.f.zk, s.f.loop, ROOT, &wanted, desk_done, &s.f);
        for (int i = 0; i < turns && !s.f.done; i++)
            (void)sim_loop_step(s.f.sim, INT64_MAX);
        if (desk_gate(&s.f, ID).phase == GATE_RUN) {
            struct gate gate = desk_gate(&s.f, ID);
            const struct failure failure = {
                .host = "host-1", .why = "it broke", .wave = -1, .wave_budget = -1};
            gate_count_failure(&gate, &failure);
            char *data = gate_encode(&gate);
            desk_poke_set(&s.f, zpath_gate(ROOT, ID).text, data);
            free(data);
        }

        assert_int_equal(desk_wait(&s.f), 0);

        struct gate gate = desk_gate(&s.f, ID);
        assert_int_equal(gate.phase, GATE_ABORT);
        assert_true(gate.failed <= 1);
        end(&s);
    }
}

static void it_can_be_cancelled_at_any_moment(void **state)
{
    for (int turns = 0; turns < 40; turns++) {
        struct scene s;
        begin(&s, NULL, "{}");
        struct order_request wanted = request(ORDER_RESUME, "");
        order_start(&s.order, s.f.zk, s.f.loop, ROOT, &wanted, desk_done, &s.f);
        for (int i = 0; i < turns && !s.f.done; i++)
            (void)sim_loop_step(s.f.sim, INT64_MAX);
        int calls = s.f.calls;

        order_cancel(&s.order);
        sim_loop_run_for(s.f.sim, 60000);

        assert_int_equal(s.f.calls, calls);
        end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pause_stands_in_the_gate_in_current_and_in_the_events),
        cmocka_unit_test(an_order_that_is_so_already_changes_nothing),
        cmocka_unit_test(resume_goes_on),
        cmocka_unit_test(resume_of_a_finished_rollout_keeps_late_hosts_coming),
        cmocka_unit_test(resume_of_a_pause_in_the_last_wave_is_no_end),
        cmocka_unit_test(resume_without_adoption_runs_so_that_it_can_be_closed),
        cmocka_unit_test(what_is_done_takes_no_order),
        cmocka_unit_test(an_abort_cannot_be_resumed),
        cmocka_unit_test(a_limit_is_set_and_the_phase_stays),
        cmocka_unit_test(a_limit_leaves_alone_who_paused_and_when),
        cmocka_unit_test(a_limit_of_zones_is_set_for_each_or_for_one),
        cmocka_unit_test(zones_cannot_be_limited_where_the_rollout_does_not),
        cmocka_unit_test(an_unknown_lease_is_named),
        cmocka_unit_test(without_a_rollout_there_is_nothing_to_order),
        cmocka_unit_test(a_gate_changed_to_nonsense_is_not_acted_on),
        cmocka_unit_test(a_lost_reply_gives_no_second_event),
        cmocka_unit_test(somebody_faster_is_read_again),
        cmocka_unit_test(it_can_be_cancelled_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
