/* test_gc.c - what rollouts leave behind is removed, and nothing else.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/str.h"
#include "shared/swarm/gc_hosts.h"
#include "shared/swarm/gc_rollout.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/operator_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_MS (INT64_C(3600) * 1000)
#define DAY_MS (24 * HOUR_MS)

static const struct gc_policy policy = {
    .keep = 1, .debris_ms = HOUR_MS, .hosts = true, .hosts_ms = 30 * DAY_MS};

static const char *id_of(int n)
{
    static char id[4][ROLLOUT_ID_SIZE];
    static int at;
    at = (at + 1) % 4;
    (void)snprintf(id[at], ROLLOUT_ID_SIZE, "20261123-2000%02d-abcd", n);
    return id[at];
}

static void set_phase(struct desk_fixture *f, const char *id, enum gate_phase phase)
{
    struct gate gate = desk_gate(f, id);
    gate.phase = phase;
    char *data = gate_encode(&gate);
    desk_poke_set(f, zpath_gate(ROOT, id).text, data);
    free(data);
}

/* Comes into force; the one before it must be closed. */
static void install(struct desk_fixture *f, int n, int hosts, int wave)
{
    struct desk_rollout r = desk_rollout_new(id_of(n), hosts, wave, "{}");
    if (desk_create(f, &r) < 0)
        fail_msg("%s", f->err.text);
    desk_rollout_done(&r);
}

/* ... and goes on: every host has arrived everywhere, some failed. */
static void finish(struct desk_fixture *f, int n, int hosts)
{
    for (int h = 0; h < hosts; h++) {
        char host[32];
        (void)snprintf(host, sizeof(host), "host-%d", h);
        desk_poke_create(f, zpath_arrival(ROOT, id_of(n), 0, "restart", host).text, "");
    }
    desk_poke_create(f, zpath_open(ROOT, id_of(n), 0, "restart").text, "");
    desk_poke_create(f, zpath_failure(ROOT, id_of(n), "host-0").text, "");
    set_phase(f, id_of(n), GATE_DONE);
}

/* A CLI that died while writing: no gate. */
static void leave_debris(struct desk_fixture *f, int n, int hosts)
{
    struct rollout_create create = {0};
    struct desk_rollout r = desk_rollout_new(id_of(n), hosts, 0, "{}");
    struct rollout_documents documents = {
        .manifest = r.manifest, .waves = r.waves, .gate = &r.gate};
    rollout_create_start(&create, f->zk, f->loop, ROOT, &documents, NULL, NULL,
                         desk_done, f);
    while (desk_children(f, zpath_records(ROOT, id_of(n)).text) < hosts)
        assert_true(sim_loop_step(f->sim, sim_loop_now_ms(f->sim) + 60000));
    rollout_create_cancel(&create);
    desk_rollout_done(&r);
    assert_int_equal(desk_children(f, zpath_gate(ROOT, id_of(n)).text), -1);
}

static void later(struct desk_fixture *f, int64_t ms)
{
    sim_loop_jump_wall(f->sim, ms);
}

static void look(struct desk_fixture *f, struct gc *gc, const struct gc_policy *p)
{
    gc_look_start(gc, f->zk, f->loop, ROOT, p, desk_done, f);
    if (desk_wait(f) < 0)
        fail_msg("%s", f->err.text);
}

static enum gc_verdict verdict_of(const struct gc *gc, int n)
{
    for (int i = 0; i < gc->rollouts_count; i++)
        if (str_equal(gc->rollouts[i].id, id_of(n)))
            return gc->rollouts[i].verdict;
    fail_msg("rollout %s was not seen", id_of(n));
    return GC_KEEP_OPEN;
}

static int remove_one(struct desk_fixture *f, const struct gc *gc, int n,
                      struct gc_removal *removal)
{
    gc_rollout_start(removal, gc, id_of(n), "ops@test", desk_done, f);
    return desk_wait(f);
}

static bool there(struct desk_fixture *f, int n)
{
    return desk_children(f, zpath_rollout(ROOT, id_of(n)).text) >= 0;
}

static void begin(struct desk_fixture *f, const struct model_zk_config *config)
{
    desk_begin(f, config);
    desk_init(f);
}

/* 1 and 2 closed, 3 debris, 4 in force (kept by phase), 5 young debris. */
static void make_history(struct desk_fixture *f)
{
    install(f, 1, 30, 0);
    finish(f, 1, 30);
    install(f, 2, 3, 0);
    set_phase(f, id_of(2), GATE_DONE);
    leave_debris(f, 3, 300);
    install(f, 4, 3, 0);
    set_phase(f, id_of(4), GATE_DONE);
    later(f, 2 * HOUR_MS);
    leave_debris(f, 5, 3);
}

static void what_may_go_is_told_from_what_stays(void **state)
{
    struct desk_fixture f;
    struct gc gc = {0};
    begin(&f, NULL);
    make_history(&f);
    desk_poke_create(&f, ROOT "/rollouts/Somebody_Elses", "");

    look(&f, &gc, &policy);

    assert_int_equal(gc.rollouts_count, 5);
    assert_string_equal(gc.rollouts[0].id, id_of(5)); /* newest first */
    assert_int_equal(verdict_of(&gc, 1), GC_CLOSED);
    assert_int_equal(verdict_of(&gc, 2), GC_KEEP_RECENT);
    assert_int_equal(verdict_of(&gc, 3), GC_DEBRIS);
    assert_int_equal(verdict_of(&gc, 4), GC_KEEP_CURRENT);
    assert_int_equal(verdict_of(&gc, 5), GC_KEEP_YOUNG);
    assert_int_equal(gc_going(&gc), 2);
    assert_int_equal(gc.rollouts[4].hosts, 30);
    gc_done(&gc);
    desk_end(&f);
}

static void a_gate_that_is_not_done_or_not_readable_is_kept(void **state)
{
    static const enum gate_phase phases[] = {GATE_RUN, GATE_PAUSE, GATE_ABORT,
                                             GATE_KEEP};
    for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
        struct desk_fixture f;
        struct gc gc = {0};
        struct gc_policy none = policy;
        none.keep = 0;
        begin(&f, NULL);
        install(&f, 1, 3, 0);
        set_phase(&f, id_of(1), GATE_DONE);
        install(&f, 2, 3, 0);
        set_phase(&f, id_of(1), phases[i]);
        later(&f, 300 * DAY_MS);

        look(&f, &gc, &none);

        assert_int_equal(gc_going(&gc), 0);
        assert_int_equal(verdict_of(&gc, 1), GC_KEEP_OPEN);
        gc_done(&gc);
        desk_poke_set(&f, zpath_gate(ROOT, id_of(1)).text, "{\"v\":1,\"phase\":\"d");
        look(&f, &gc, &none);
        assert_int_equal(verdict_of(&gc, 1), GC_KEEP_UNREADABLE);
        gc_done(&gc);
        desk_end(&f);
    }
}

static void without_a_root_it_says_init(void **state)
{
    struct desk_fixture f;
    struct gc gc = {0};
    desk_begin(&f, NULL);

    gc_look_start(&gc, f.zk, f.loop, ROOT, &policy, desk_done, &f);

    assert_int_equal(desk_wait(&f), -ENOENT);
    assert_non_null(strstr(f.err.text, "clowder init"));
    gc_done(&gc);
    desk_end(&f);
}

static void the_gate_is_marked_first_and_goes_last_with_the_root(void **state)
{
    for (int n = 1; n <= 3; n += 2) { /* closed, debris */
        struct desk_fixture f;
        struct gc gc = {0};
        struct gc_removal removal = {0};
        begin(&f, NULL);
        make_history(&f);
        look(&f, &gc, &policy);
        struct history *history = model_zk_history(f.mz);
        int from = history_count(history);

        assert_int_equal(remove_one(&f, &gc, n, &removal), 0);

        assert_true(removal.gone);
        assert_false(there(&f, n));
        assert_true(removal.removed > 30);
        const struct history_entry *first = history_at(history, from);
        assert_string_equal(first->ops[0].path, ROOT "/current");
        assert_string_equal(first->ops[1].path, zpath_gate(ROOT, id_of(n)).text);
        int last = history_count(history) - 1;
        assert_int_equal(history_at(history, last)->ops_count, 2);
        for (int i = from; i <= last; i++) {
            const struct history_entry *entry = history_at(history, i);
            assert_true(entry->ops_count <= GC_OPS_MAX);
            for (int op = 0; i > from && i < last && op < entry->ops_count; op++)
                assert_string_not_equal(entry->ops[op].path, first->ops[1].path);
        }
        assert_true(there(&f, 2) && there(&f, 4) && there(&f, 5));
        assert_string_equal(desk_current(&f).rollout, id_of(4));
        gc_done(&gc);
        desk_end(&f);
    }
}

static void a_rollout_that_came_into_force_since_the_look_is_left_alone(void **state)
{
    struct desk_fixture f;
    struct gc gc = {0};
    struct gc_removal removal = {0};
    begin(&f, NULL);
    make_history(&f);
    look(&f, &gc, &policy);
    struct current current = {.phase = GATE_RUN};
    STR_COPY(current.rollout, id_of(3));
    char *data = current_encode(&current);
    desk_poke_set(&f, ROOT "/current", data);
    free(data);
    int64_t before = model_zk_zxid(f.mz);

    assert_int_equal(remove_one(&f, &gc, 3, &removal), 0);

    assert_false(removal.gone);
    assert_non_null(strstr(removal.left, "force"));
    assert_int_equal(model_zk_zxid(f.mz), before);
    gc_done(&gc);
    desk_end(&f);
}

struct meddler {
    struct desk_fixture *f;
    const char *when; /* a request whose path ends so is sent */
    struct zk_op ops[2];
    int ops_count;
    bool done;
    struct timer timer;
};

static void on_request(void *ctx, struct zk *client,
                       const struct model_zk_request *request)
{
    struct meddler *m = ctx;
    if (request->moment != MODEL_ZK_REPLIED || !m->when || m->done ||
        !str_ends(request->path, m->when))
        return;
    m->done = true;
}

static bool meddling(void *ctx)
{
    return ((struct meddler *)ctx)->done;
}

/* The version of /current is what keeps the mark from a rollout that comes to force
 * between the read and the mark. */
static void a_rollout_that_comes_into_force_during_the_removal_is_whole(void **state)
{
    struct desk_fixture f;
    struct meddler m = {.f = &f};
    struct model_zk_config config = {.seed = 5, .on_request = on_request, .ctx = &m};
    struct gc gc = {0};
    struct gc_removal removal = {0};
    begin(&f, &config);
    make_history(&f);
    look(&f, &gc, &policy);
    int records = desk_children(&f, zpath_records(ROOT, id_of(3)).text);
    m.when = "/gate"; /* both reads of the removal are over */
    gc_rollout_start(&removal, &gc, id_of(3), "ops@test", desk_done, &f);
    assert_true(sim_loop_run_until(f.sim, meddling, &m, 60000));
    char data[128];
    (void)snprintf(data, sizeof(data), "{\"v\":1,\"rollout\":\"%s\",\"phase\":\"run\"}",
                   id_of(3));
    desk_poke_set(&f, ROOT "/current", data);

    assert_int_equal(desk_wait(&f), 0);

    assert_false(removal.gone);
    assert_int_equal(desk_children(&f, zpath_records(ROOT, id_of(3)).text), records);
    assert_int_equal(desk_children(&f, zpath_gate(ROOT, id_of(3)).text), -1);
    gc_done(&gc);
    desk_end(&f);
}

/* A CLI that was suspended for two hours wakes up while its debris is removed. */
static void a_cli_that_wakes_up_cannot_bring_half_a_rollout_into_force(void **state)
{
    int met = 0, stopped = 0, whole = 0;
    for (uint64_t seed = 1; seed <= 120; seed++) {
        struct desk_fixture f, g;
        struct model_zk_config config = {.seed = seed};
        struct rollout_create create = {0};
        struct gc gc = {0};
        struct gc_removal removal = {0};
        begin(&f, &config);
        struct desk_rollout r = desk_rollout_new(id_of(1), 900, 0, "{}");
        struct rollout_documents documents = {
            .manifest = r.manifest, .waves = r.waves, .gate = &r.gate};
        g = f;
        g.zk = model_zk_connect(f.mz, "suspended", NULL);
        sim_loop_run_for(f.sim, 5000);
        int64_t asleep = model_zk_zxid(f.mz) + 1 + (int64_t)seed % 6;
        rollout_create_start(&create, g.zk, g.loop, ROOT, &documents, NULL, NULL,
                             desk_done, &g);
        while (model_zk_zxid(f.mz) < asleep)
            assert_true(sim_loop_step(f.sim, sim_loop_now_ms(f.sim) + 60000));
        model_zk_cut(g.zk, true);
        later(&f, 2 * HOUR_MS);
        look(&f, &gc, &policy);
        if (gc.rollouts_count > 0 && verdict_of(&gc, 1) == GC_DEBRIS) {
            met++;
            gc_rollout_start(&removal, &gc, id_of(1), "ops@test", desk_done, &f);
            sim_loop_run_for(f.sim, (int64_t)seed % 40);
            model_zk_cut(g.zk, false);
            (void)desk_wait(&f);
        }
        model_zk_cut(g.zk, false);
        int written = desk_wait(&g);

        bool in_force = str_equal(desk_current(&f).rollout, id_of(1));
        assert_int_equal(written == 0, in_force);
        if (in_force)
            assert_int_equal(desk_children(&f, zpath_records(ROOT, id_of(1)).text),
                             900);
        assert_false(in_force && removal.gone);
        stopped += removal.gone && written < 0;
        whole += in_force;
        gc_done(&gc);
        rollout_create_cancel(&create);
        desk_rollout_done(&r);
        zk_free(g.zk);
        desk_end(&f);
    }
    assert_true(met > 60 && stopped > 20 && whole > 20);
}

static void an_occupied_permit_is_left_alone(void **state)
{
    struct desk_fixture f;
    struct gc gc = {0};
    struct gc_removal removal = {0};
    begin(&f, NULL);
    make_history(&f);
    desk_poke_create(&f, zpath_permit(ROOT, id_of(1), "restart", 1).text, "host-2");
    look(&f, &gc, &policy);

    assert_int_equal(remove_one(&f, &gc, 1, &removal), 0);

    assert_false(removal.gone);
    assert_non_null(strstr(removal.left, "restart"));
    assert_int_equal(desk_children(&f, zpath_permits(ROOT, id_of(1), "restart").text),
                     1);
    gc_done(&gc);
    desk_end(&f);
}

static void znodes_where_none_are_expected_go_too(void **state)
{
    struct desk_fixture f;
    struct gc gc = {0};
    struct gc_removal removal = {0};
    begin(&f, NULL);
    make_history(&f);
    struct zpath record = zpath_record(ROOT, id_of(1), "host-3");
    strcat(record.text, "/note");
    desk_poke_create(&f, record.text, "by hand");
    look(&f, &gc, &policy);

    assert_int_equal(remove_one(&f, &gc, 1, &removal), 0);

    assert_true(removal.gone);
    assert_true(removal.deep);
    assert_false(there(&f, 1));
    gc_done(&gc);
    desk_end(&f);
}

/* Killed after every possible transaction: the next gc knows what it was and ends it,
 * whatever it is told to keep. */
static void an_interrupted_removal_is_finished_by_the_next(void **state)
{
    for (int killed_after = 1; killed_after < 100; killed_after++) {
        struct desk_fixture f;
        struct gc gc = {0}, again = {0};
        struct gc_removal removal = {0}, second = {0};
        struct gc_policy all = policy;
        begin(&f, NULL);
        install(&f, 1, 500, 0);
        finish(&f, 1, 500);
        install(&f, 2, 3, 0);
        all.keep = 0;
        look(&f, &gc, &all);
        int64_t zxid = model_zk_zxid(f.mz) + killed_after;
        gc_rollout_start(&removal, &gc, id_of(1), "ops@test", desk_done, &f);
        while (!f.done && model_zk_zxid(f.mz) < zxid)
            assert_true(sim_loop_step(f.sim, sim_loop_now_ms(f.sim) + 60000));
        bool whole = f.done;
        gc_rollout_cancel(&removal);
        f.done = false;
        sim_loop_run_for(f.sim, 1000);
        all.keep = 10;

        look(&f, &again, &all);

        if (there(&f, 1)) {
            assert_int_equal(verdict_of(&again, 1), GC_HALF);
            assert_int_equal(desk_gate(&f, id_of(1)).phase, GATE_DONE);
            assert_int_equal(remove_one(&f, &again, 1, &second), 0);
            assert_true(second.gone);
        }
        assert_false(there(&f, 1));
        gc_done(&gc);
        gc_done(&again);
        desk_end(&f);
        if (whole) {
            assert_true(killed_after > 5); /* mark, four multis or more, the end */
            return;
        }
    }
    fail_msg("the removal never ended");
}

static void lost_connections_and_a_second_gc_only_cost_rounds(void **state)
{
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct desk_fixture f, g;
        struct model_zk_config config = {.seed = seed, .servers = 3};
        const int faults[MODEL_ZK_FAULT_COUNT] = {[MODEL_ZK_FAULT_LOST] = 30000,
                                                  [MODEL_ZK_FAULT_APPLIED] = 30000,
                                                  [MODEL_ZK_FAULT_LATE] = 15000,
                                                  [MODEL_ZK_FAULT_EXPIRE] = 5000};
        struct gc gc = {0}, other = {0};
        struct gc_removal removal = {0}, rival = {0};
        begin(&f, &config);
        install(&f, 1, 1500, 400);
        finish(&f, 1, 1500);
        sim_loop_run_for(f.sim, 1000); /* every server has it */
        install(&f, 2, 3, 0);
        g = f;
        g.zk = model_zk_connect(f.mz, "rival", NULL);
        struct gc_policy all = policy;
        all.keep = 0;
        all.hosts = false;
        sim_loop_run_for(f.sim, 5000);
        look(&f, &gc, &all);
        look(&g, &other, &all);
        model_zk_set_faults(f.mz, faults);

        gc_rollout_start(&removal, &gc, id_of(1), "ops@test", desk_done, &f);
        if (seed % 2)
            gc_rollout_start(&rival, &other, id_of(1), "rival@test", desk_done, &g);

        if (desk_wait(&f) < 0)
            fail_msg("seed %d: %s", (int)seed, f.err.text);
        if (seed % 2 && desk_wait(&g) < 0)
            fail_msg("seed %d: %s", (int)seed, g.err.text);
        assert_true(removal.gone);
        assert_false(there(&f, 1));
        assert_true(there(&f, 2));
        gc_done(&gc);
        gc_done(&other);
        zk_free(g.zk);
        desk_end(&f);
    }
}

static void cancel_in_the_middle_leaves_nothing_armed(void **state)
{
    for (int steps = 0; steps < 120; steps += 3) {
        struct desk_fixture f;
        struct gc gc = {0};
        struct gc_removal removal = {0};
        begin(&f, NULL);
        make_history(&f);
        int calls = f.calls;
        gc_look_start(&gc, f.zk, f.loop, ROOT, &policy, desk_done, &f);
        for (int i = 0; i < steps && f.calls == calls; i++)
            (void)sim_loop_step(f.sim, sim_loop_now_ms(f.sim) + 60000);
        bool looked = f.calls > calls;
        if (looked) {
            gc_rollout_start(&removal, &gc, id_of(1), "ops@test", desk_done, &f);
            for (int i = 0; i < steps - 40; i++)
                (void)sim_loop_step(f.sim, sim_loop_now_ms(f.sim) + 60000);
        }
        calls = f.calls;

        gc_rollout_cancel(&removal);
        gc_done(&gc);

        sim_loop_run_for(f.sim, 60000);
        assert_int_equal(f.calls, calls);
        desk_end(&f);
    }
}

/* ---- inventories ---- */

static void register_host(struct desk_fixture *f, const char *host, bool live)
{
    desk_poke_create(f, zpath_host(ROOT, host).text, "{\"v\":1}");
    if (live)
        desk_poke_create(f, zpath_live(ROOT, host).text, "{\"v\":1}");
}

static bool has_inventory(struct desk_fixture *f, const char *host)
{
    return desk_children(f, zpath_host(ROOT, host).text) >= 0;
}

static void only_old_absent_hosts_in_no_kept_rollout_lose_their_inventory(void **state)
{
    struct desk_fixture f;
    struct gc gc = {0};
    struct gc_hosts hosts = {0};
    begin(&f, NULL);
    install(&f, 1, 3, 0); /* host-0 .. host-2 */
    register_host(&f, "host-1", false);
    register_host(&f, "alive", true);
    register_host(&f, "gone-1", false);
    register_host(&f, "gone-2", false);
    later(&f, 31 * DAY_MS);
    register_host(&f, "new", false);

    look(&f, &gc, &policy);
    assert_int_equal(gc.hosts.count, 2);
    assert_string_equal(gc.hosts.items[0], "gone-1");
    gc_hosts_start(&hosts, &gc, desk_done, &f);

    assert_int_equal(desk_wait(&f), 0);
    assert_int_equal(hosts.removed, 2);
    assert_false(has_inventory(&f, "gone-1") || has_inventory(&f, "gone-2"));
    assert_true(has_inventory(&f, "host-1") && has_inventory(&f, "alive") &&
                has_inventory(&f, "new"));
    assert_int_equal(desk_children(&f, ROOT "/live"), 1);
    gc_done(&gc);
    desk_end(&f);
}

static void without_being_asked_for_no_inventory_is_listed(void **state)
{
    struct desk_fixture f;
    struct gc gc = {0};
    struct gc_policy rollouts = policy;
    rollouts.hosts = false;
    begin(&f, NULL);
    register_host(&f, "gone-1", false);
    later(&f, 300 * DAY_MS);

    look(&f, &gc, &rollouts);

    assert_int_equal(gc.hosts.count, 0);
    gc_done(&gc);
    desk_end(&f);
}

static void hosts_of_a_rollout_that_goes_may_go(void **state)
{
    struct desk_fixture f;
    struct gc gc = {0};
    struct gc_policy all = policy;
    all.keep = 0;
    begin(&f, NULL);
    register_host(&f, "host-7", false);
    install(&f, 1, 9, 0);
    set_phase(&f, id_of(1), GATE_DONE);
    install(&f, 2, 3, 0);
    later(&f, 31 * DAY_MS);

    look(&f, &gc, &policy); /* keeps 1 */
    assert_int_equal(gc.hosts.count, 0);
    gc_done(&gc);
    look(&f, &gc, &all);

    assert_int_equal(gc.hosts.count, 1);
    gc_done(&gc);
    desk_end(&f);
}

/* The host comes back between the second look and the multi. */
static void a_host_that_comes_back_keeps_its_inventory(void **state)
{
    struct desk_fixture f;
    struct meddler m = {.f = &f};
    struct model_zk_config config = {.seed = 5, .on_request = on_request, .ctx = &m};
    struct gc gc = {0};
    struct gc_hosts hosts = {0};
    begin(&f, &config);
    for (int i = 0; i < 150; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "gone-%03d", i);
        register_host(&f, name, false);
    }
    later(&f, 31 * DAY_MS);
    look(&f, &gc, &policy);
    assert_int_equal(gc.hosts.count, 150);
    m.when = "/live/gone-149";
    gc_hosts_start(&hosts, &gc, desk_done, &f);
    assert_true(sim_loop_run_until(f.sim, meddling, &m, 60000));
    desk_poke_create(&f, zpath_live(ROOT, "gone-070").text, "{\"v\":1}");
    desk_poke_set(&f, zpath_host(ROOT, "gone-003").text, "{\"v\":1,\"seen_ms\":1}");

    assert_int_equal(desk_wait(&f), 0);

    assert_true(has_inventory(&f, "gone-070"));
    assert_true(has_inventory(&f, "gone-003"));
    assert_int_equal(hosts.removed, 148);
    assert_int_equal(hosts.spared, 2);
    assert_int_equal(desk_children(&f, ROOT "/hosts"), 2);
    gc_done(&gc);
    desk_end(&f);
}

static void another_rollout_in_force_ends_the_removal_of_inventories(void **state)
{
    struct desk_fixture f;
    struct gc gc = {0};
    struct gc_hosts hosts = {0};
    begin(&f, NULL);
    register_host(&f, "host-1", false);
    later(&f, 31 * DAY_MS);
    look(&f, &gc, &policy);
    install(&f, 1, 3, 0);

    gc_hosts_start(&hosts, &gc, desk_done, &f);

    assert_int_equal(desk_wait(&f), -EAGAIN);
    assert_non_null(strstr(f.err.text, id_of(1)));
    assert_true(has_inventory(&f, "host-1"));
    gc_hosts_cancel(&hosts);
    gc_done(&gc);
    desk_end(&f);
}

static void lost_connections_only_delay_the_inventories(void **state)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct desk_fixture f;
        struct model_zk_config config = {.seed = seed, .servers = 3};
        const int faults[MODEL_ZK_FAULT_COUNT] = {[MODEL_ZK_FAULT_LOST] = 10000,
                                                  [MODEL_ZK_FAULT_APPLIED] = 10000,
                                                  [MODEL_ZK_FAULT_LATE] = 5000};
        struct gc gc = {0};
        struct gc_hosts hosts = {0};
        begin(&f, &config);
        for (int i = 0; i < 300; i++) {
            char name[32];
            (void)snprintf(name, sizeof(name), "gone-%03d", i);
            register_host(&f, name, i % 50 == 7);
        }
        later(&f, 31 * DAY_MS);
        sim_loop_run_for(f.sim, 1000);
        look(&f, &gc, &policy);
        model_zk_set_faults(f.mz, faults);

        gc_hosts_start(&hosts, &gc, desk_done, &f);

        if (desk_wait(&f) < 0)
            fail_msg("seed %d: %s", (int)seed, f.err.text);
        assert_int_equal(hosts.removed, 294);
        assert_int_equal(desk_children(&f, ROOT "/hosts"), 6);
        assert_int_equal(desk_children(&f, ROOT "/live"), 6);
        gc_done(&gc);
        desk_end(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_go_is_told_from_what_stays),
        cmocka_unit_test(a_gate_that_is_not_done_or_not_readable_is_kept),
        cmocka_unit_test(without_a_root_it_says_init),
        cmocka_unit_test(the_gate_is_marked_first_and_goes_last_with_the_root),
        cmocka_unit_test(a_rollout_that_came_into_force_since_the_look_is_left_alone),
        cmocka_unit_test(a_rollout_that_comes_into_force_during_the_removal_is_whole),
        cmocka_unit_test(a_cli_that_wakes_up_cannot_bring_half_a_rollout_into_force),
        cmocka_unit_test(an_occupied_permit_is_left_alone),
        cmocka_unit_test(znodes_where_none_are_expected_go_too),
        cmocka_unit_test(an_interrupted_removal_is_finished_by_the_next),
        cmocka_unit_test(lost_connections_and_a_second_gc_only_cost_rounds),
        cmocka_unit_test(cancel_in_the_middle_leaves_nothing_armed),
        cmocka_unit_test(only_old_absent_hosts_in_no_kept_rollout_lose_their_inventory),
        cmocka_unit_test(without_being_asked_for_no_inventory_is_listed),
        cmocka_unit_test(hosts_of_a_rollout_that_goes_may_go),
        cmocka_unit_test(a_host_that_comes_back_keeps_its_inventory),
        cmocka_unit_test(another_rollout_in_force_ends_the_removal_of_inventories),
        cmocka_unit_test(lost_connections_only_delay_the_inventories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
