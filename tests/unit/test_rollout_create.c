/* test_rollout_create.c - a rollout is written, then comes into force.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/str.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/operator_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST "20261123-200000-0001"
#define SECOND "20261123-200100-0002"

static void assert_whole(struct desk_fixture *f, const struct desk_rollout *r)
{
    const char *id = r->manifest->id;
    assert_int_equal(desk_children(f, zpath_records(ROOT, id).text),
                     r->manifest->hosts);
    assert_int_equal(desk_children(f, zpath_failures(ROOT, id).text), 0);
    assert_int_equal(desk_children(f, zpath_exclusions(ROOT, id).text), 0);
    assert_int_equal(desk_children(f, zpath_events(ROOT, id).text), 1);
    assert_int_equal(desk_children(f, zpath_queue(ROOT, id, "restart").text), 0);
    assert_int_equal(desk_children(f, zpath_permits(ROOT, id, "install").text), 0);
    for (int w = 0; w < r->manifest->waves_count; w++) {
        assert_int_equal(desk_children(f, zpath_wave(ROOT, id, w).text), 0);
        for (int s = 0; s < r->manifest->spec->stages_count; s++) {
            const char *stage = r->manifest->spec->stages[s].name;
            assert_int_equal(desk_children(f, zpath_arrivals(ROOT, id, w, stage).text),
                             0);
        }
    }
    assert_int_equal(desk_gate(f, id).phase, GATE_RUN);
    assert_string_equal(desk_current(f).rollout, id);
}

static void a_rollout_is_whole_before_its_gate_opens(void **state)
{
    struct desk_fixture f;
    desk_begin(&f, NULL);
    desk_init(&f);
    struct desk_rollout r = desk_rollout_new(FIRST, 1000, 300, "{}");

    assert_int_equal(desk_create(&f, &r), 0);

    assert_whole(&f, &r);
    /* The gate, /current and the event are the last transaction, and one. */
    struct history *history = model_zk_history(f.mz);
    const struct history_entry *last = history_at(history, history_count(history) - 1);
    assert_int_equal(last->ops_count, 3);
    assert_string_equal(last->ops[0].path, zpath_gate(ROOT, FIRST).text);
    assert_string_equal(last->ops[1].path, ROOT "/current");
    for (int i = 0; i < history_count(history); i++)
        assert_true(history_at(history, i)->ops_count <= LAYOUT_OPS_MAX);
    desk_rollout_done(&r);
    desk_end(&f);
}

static void a_second_install_is_refused_by_name_and_writes_nothing(void **state)
{
    struct desk_fixture f;
    desk_begin(&f, NULL);
    desk_init(&f);
    struct desk_rollout first = desk_rollout_new(FIRST, 3, 0, "{}");
    struct desk_rollout second = desk_rollout_new(SECOND, 3, 0, "{}");
    assert_int_equal(desk_create(&f, &first), 0);
    int64_t before = model_zk_zxid(f.mz);

    assert_int_equal(desk_create(&f, &second), -EBUSY);

    assert_non_null(strstr(f.err.text, FIRST));
    assert_non_null(strstr(f.err.text, "clowder abort"));
    assert_int_equal(model_zk_zxid(f.mz), before);
    desk_rollout_done(&first);
    desk_rollout_done(&second);
    desk_end(&f);
}

static void without_a_root_it_says_init(void **state)
{
    struct desk_fixture f;
    desk_begin(&f, NULL);
    struct desk_rollout r = desk_rollout_new(FIRST, 3, 0, "{}");

    assert_int_equal(desk_create(&f, &r), -ENOENT);

    assert_non_null(strstr(f.err.text, "clowder init"));
    desk_rollout_done(&r);
    desk_end(&f);
}

static void set_phase(struct desk_fixture *f, const char *id, enum gate_phase phase)
{
    struct gate gate = desk_gate(f, id);
    gate.phase = phase;
    char *data = gate_encode(&gate);
    desk_poke_set(f, zpath_gate(ROOT, id).text, data);
    free(data);
}

static void a_rollout_that_only_keeps_is_closed_by_the_next(void **state)
{
    struct desk_fixture f;
    desk_begin(&f, NULL);
    desk_init(&f);
    struct desk_rollout first = desk_rollout_new(FIRST, 3, 0, "{}");
    struct desk_rollout second = desk_rollout_new(SECOND, 3, 0, "{}");
    assert_int_equal(desk_create(&f, &first), 0);
    set_phase(&f, FIRST, GATE_KEEP);

    assert_int_equal(desk_create(&f, &second), 0);

    assert_whole(&f, &second);
    assert_int_equal(desk_gate(&f, FIRST).phase, GATE_DONE);
    assert_non_null(strstr(desk_gate(&f, FIRST).reason, SECOND));
    desk_rollout_done(&first);
    desk_rollout_done(&second);
    desk_end(&f);
}

static void
a_host_at_work_in_a_kept_rollout_is_named_and_nothing_is_written(void **state)
{
    struct desk_fixture f;
    desk_begin(&f, NULL);
    desk_init(&f);
    struct desk_rollout first = desk_rollout_new(FIRST, 3, 0, "{}");
    struct desk_rollout second = desk_rollout_new(SECOND, 3, 0, "{}");
    assert_int_equal(desk_create(&f, &first), 0);
    set_phase(&f, FIRST, GATE_KEEP);
    desk_poke_create(&f, zpath_permit(ROOT, FIRST, "restart", 1).text, "host-2");
    int64_t before = model_zk_zxid(f.mz);

    assert_int_equal(desk_create(&f, &second), -EBUSY);

    assert_non_null(strstr(f.err.text, "host-2"));
    assert_int_equal(model_zk_zxid(f.mz), before);
    assert_int_equal(desk_gate(&f, FIRST).phase, GATE_KEEP);
    desk_rollout_done(&first);
    desk_rollout_done(&second);
    desk_end(&f);
}

struct late_taker {
    struct desk_fixture *f;
    bool armed, stops, lost;
};

/* A late host takes a permit between the first look and the stop of the grants. */
static void on_request(void *ctx, struct zk *client,
                       const struct model_zk_request *request)
{
    struct late_taker *t = ctx;
    if (request->moment == MODEL_ZK_SENT && strstr(request->path, SECOND))
        t->armed = true;
}

static bool writing(void *ctx)
{
    return ((struct late_taker *)ctx)->armed;
}

static void a_grant_between_the_looks_is_seen_and_the_kept_rollout_goes_on(void **state)
{
    struct desk_fixture f;
    struct late_taker taker = {.f = &f};
    struct model_zk_config config = {
        .seed = 3, .on_request = on_request, .ctx = &taker};
    desk_begin(&f, &config);
    desk_init(&f);
    struct desk_rollout first = desk_rollout_new(FIRST, 3, 0, "{}");
    struct desk_rollout second = desk_rollout_new(SECOND, 3, 0, "{}");
    assert_int_equal(desk_create(&f, &first), 0);
    set_phase(&f, FIRST, GATE_KEEP);
    struct rollout_create create = {0};
    struct rollout_documents documents = {
        .manifest = second.manifest, .waves = second.waves, .gate = &second.gate};

    rollout_create_start(&create, f.zk, f.loop, ROOT, &documents, NULL, NULL, desk_done,
                         &f);
    assert_true(sim_loop_run_until(f.sim, writing, &taker, 60000));
    desk_poke_create(&f, zpath_permit(ROOT, FIRST, "install", 0).text, "late-1");

    assert_int_equal(desk_wait(&f), -EBUSY);
    assert_non_null(strstr(f.err.text, "late-1"));
    assert_int_equal(desk_gate(&f, FIRST).phase, GATE_KEEP);
    assert_string_equal(desk_current(&f).rollout, FIRST);
    assert_int_equal(desk_children(&f, zpath_gate(ROOT, SECOND).text), -1);
    desk_rollout_done(&first);
    desk_rollout_done(&second);
    desk_end(&f);
}

/* The first to write FIRST's gate is carried out, and never hears of it. */
static void watch_the_stop(void *ctx, struct zk *client,
                           const struct model_zk_request *request)
{
    struct late_taker *t = ctx;
    on_request(ctx, client, request);
    t->stops = t->armed && request->moment == MODEL_ZK_SENT && request->ops &&
               strstr(request->path, FIRST "/gate");
}

static enum model_zk_fault lose_the_stop(void *ctx, uint64_t id, const char *client,
                                         enum model_zk_fault drawn)
{
    struct late_taker *t = ctx;
    if (!t->stops || t->lost)
        return drawn;
    t->lost = true;
    return MODEL_ZK_FAULT_APPLIED;
}

static void a_stop_of_grants_whose_reply_is_lost_is_given_back_too(void **state)
{
    struct desk_fixture f;
    struct late_taker taker = {.f = &f};
    struct model_zk_config config = {.seed = 3,
                                     .on_request = watch_the_stop,
                                     .choose_fault = lose_the_stop,
                                     .ctx = &taker};
    desk_begin(&f, &config);
    desk_init(&f);
    struct desk_rollout first = desk_rollout_new(FIRST, 3, 0, "{}");
    struct desk_rollout second = desk_rollout_new(SECOND, 3, 0, "{}");
    assert_int_equal(desk_create(&f, &first), 0);
    set_phase(&f, FIRST, GATE_KEEP);
    struct rollout_create create = {0};
    struct rollout_documents documents = {
        .manifest = second.manifest, .waves = second.waves, .gate = &second.gate};

    rollout_create_start(&create, f.zk, f.loop, ROOT, &documents, NULL, NULL, desk_done,
                         &f);
    assert_true(sim_loop_run_until(f.sim, writing, &taker, 60000));
    desk_poke_create(&f, zpath_permit(ROOT, FIRST, "install", 0).text, "late-1");

    assert_int_equal(desk_wait(&f), -EBUSY);
    assert_true(taker.lost);
    assert_int_equal(desk_gate(&f, FIRST).phase, GATE_KEEP);
    desk_rollout_done(&first);
    desk_rollout_done(&second);
    desk_end(&f);
}

static void of_two_installs_at_once_one_wins(void **state)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct model_zk_config config = {.seed = seed};
        struct desk_fixture f, g;
        desk_begin(&f, &config);
        desk_init(&f);
        g = f;
        g.zk = model_zk_connect(f.mz, "other", NULL);
        struct desk_rollout a = desk_rollout_new(FIRST, 5, 0, "{}");
        struct desk_rollout b = desk_rollout_new(SECOND, 5, 0, "{}");
        struct rollout_documents da = {
            .manifest = a.manifest, .waves = a.waves, .gate = &a.gate};
        struct rollout_documents db = {
            .manifest = b.manifest, .waves = b.waves, .gate = &b.gate};
        struct rollout_create ca = {0}, cb = {0};

        rollout_create_start(&ca, f.zk, f.loop, ROOT, &da, NULL, NULL, desk_done, &f);
        rollout_create_start(&cb, g.zk, f.loop, ROOT, &db, NULL, NULL, desk_done, &g);
        (void)desk_wait(&f);
        (void)desk_wait(&g);

        assert_true((f.result == 0) != (g.result == 0));
        const char *winner = f.result == 0 ? FIRST : SECOND;
        assert_string_equal(desk_current(&f).rollout, winner);
        assert_non_null(strstr(f.result < 0 ? f.err.text : g.err.text, winner));
        desk_rollout_done(&a);
        desk_rollout_done(&b);
        zk_free(g.zk);
        desk_end(&f);
    }
}

static void lost_replies_and_sessions_do_not_matter(void **state)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct desk_fixture f;
        struct model_zk_config config = {.seed = seed};
        static const int faults[MODEL_ZK_FAULT_COUNT] = {
            [MODEL_ZK_FAULT_LOST] = 60000,
            [MODEL_ZK_FAULT_APPLIED] = 60000,
            [MODEL_ZK_FAULT_EXPIRE] = 20000};
        desk_begin(&f, &config);
        desk_init(&f);
        struct desk_rollout first = desk_rollout_new(FIRST, 3, 0, "{}");
        struct desk_rollout second = desk_rollout_new(SECOND, 2000, 300, "{}");
        assert_int_equal(desk_create(&f, &first), 0);
        set_phase(&f, FIRST, GATE_KEEP);
        model_zk_set_faults(f.mz, faults);

        int rc = desk_create(&f, &second);

        if (rc < 0)
            fail_msg("seed %d: %s", (int)seed, f.err.text);
        assert_whole(&f, &second);
        assert_int_equal(desk_gate(&f, FIRST).phase, GATE_DONE);
        desk_rollout_done(&first);
        desk_rollout_done(&second);
        desk_end(&f);
    }
}

static void it_can_be_cancelled_at_any_moment(void **state)
{
    for (int turns = 0; turns < 120; turns++) {
        struct desk_fixture f;
        struct rollout_create create = {0};
        desk_begin(&f, NULL);
        desk_init(&f);
        struct desk_rollout r = desk_rollout_new(FIRST, 500, 100, "{}");
        struct rollout_documents documents = {
            .manifest = r.manifest, .waves = r.waves, .gate = &r.gate};
        rollout_create_start(&create, f.zk, f.loop, ROOT, &documents, NULL, NULL,
                             desk_done, &f);
        for (int i = 0; i < turns && !f.done; i++)
            (void)sim_loop_step(f.sim, INT64_MAX);
        int calls = f.calls;

        rollout_create_cancel(&create);
        sim_loop_run_for(f.sim, 60000);

        assert_int_equal(f.calls, calls);
        bool gate = desk_children(&f, zpath_gate(ROOT, FIRST).text) >= 0;
        assert_int_equal(gate, desk_current(&f).rollout[0] != '\0');
        desk_rollout_done(&r);
        desk_end(&f);
    }
}

static void
a_znode_that_no_server_takes_is_refused_before_anything_is_written(void **state)
{
    struct desk_fixture f;
    desk_begin(&f, NULL);
    desk_init(&f);
    struct desk_rollout r = desk_rollout_new(FIRST, 1, 0, "{}");
    for (int h = 1; h < 25000; h++) {
        char name[HOST_ID_SIZE];
        (void)snprintf(name, sizeof(name), "a-host-with-quite-a-long-name-%d.example",
                       h);
        strings_add(&r.waves[0].hosts, name);
    }
    r.manifest->hosts = r.manifest->waves[0].size = r.waves[0].hosts.count;
    int64_t before = model_zk_zxid(f.mz);

    assert_int_equal(desk_create(&f, &r), -E2BIG);

    assert_non_null(strstr(f.err.text, "--wave-size"));
    assert_int_equal(model_zk_zxid(f.mz), before);
    desk_rollout_done(&r);
    desk_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rollout_is_whole_before_its_gate_opens),
        cmocka_unit_test(a_second_install_is_refused_by_name_and_writes_nothing),
        cmocka_unit_test(without_a_root_it_says_init),
        cmocka_unit_test(a_rollout_that_only_keeps_is_closed_by_the_next),
        cmocka_unit_test(
            a_host_at_work_in_a_kept_rollout_is_named_and_nothing_is_written),
        cmocka_unit_test(
            a_grant_between_the_looks_is_seen_and_the_kept_rollout_goes_on),
        cmocka_unit_test(a_stop_of_grants_whose_reply_is_lost_is_given_back_too),
        cmocka_unit_test(of_two_installs_at_once_one_wins),
        cmocka_unit_test(lost_replies_and_sessions_do_not_matter),
        cmocka_unit_test(it_can_be_cancelled_at_any_moment),
        cmocka_unit_test(
            a_znode_that_no_server_takes_is_refused_before_anything_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
