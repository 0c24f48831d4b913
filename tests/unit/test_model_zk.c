/* test_model_zk.c - the ZooKeeper in memory: data, watches, sessions, faults.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "tests/support/model_zk.h"
#include "tests/support/zk_answer.h"
#include "tests/unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct person { /* a client and all that it was told */
    struct zk *zk;
    int connected, disconnected, expired;
    bool fresh;
    struct zk_answer answer;
    struct zk_watch watch;
    int fired;
    int64_t seen_when_fired;
};

struct fixture {
    struct sim_loop *sim;
    struct model_zk *mz;
    struct person a, b;
};

static void on_session(void *ctx, enum zk_session_event event, bool fresh)
{
    struct person *p = ctx;

    switch (event) {
    case ZK_SESSION_CONNECTED:
        p->connected++;
        p->fresh = fresh;
        break;
    case ZK_SESSION_DISCONNECTED:
        p->disconnected++;
        break;
    case ZK_SESSION_EXPIRED:
        p->expired++;
        break;
    case ZK_SESSION_AUTH_FAILED:
        break;
    }
}

static void on_watch(void *ctx)
{
    struct person *p = ctx;

    p->fired++;
    p->seen_when_fired = p->answer.count;
}

static bool is_connected(void *ctx)
{
    return ((struct person *)ctx)->zk->connected;
}

static void join(struct fixture *f, struct person *p, const char *name)
{
    *p = (struct person){0};
    p->zk = model_zk_connect(f->mz, name, NULL);
    zk_listen(p->zk, on_session, p);
    zk_watch_init(&p->watch, on_watch, p);
    assert_true(sim_loop_run_until(f->sim, is_connected, p, 60000));
    sim_loop_run_for(f->sim, 100);
}

static void begin(struct fixture *f, const struct model_zk_config *config)
{
    f->sim = sim_loop_new(11);
    f->mz = model_zk_new(f->sim, config);
    join(f, &f->a, "a");
    join(f, &f->b, "b");
}

static int setup(void **state)
{
    static struct fixture f;

    begin(&f, &(struct model_zk_config){.seed = 5, .unordered = true});
    *state = &f;
    return 0;
}

static int setup_three_servers(void **state)
{
    static struct fixture f;

    begin(&f, &(struct model_zk_config){.seed = 5, .servers = 3, .lag_max_ms = 50});
    *state = &f;
    return 0;
}

static int setup_slow_followers(void **state)
{
    static struct fixture f;

    begin(&f, &(struct model_zk_config){
                  .seed = 5, .servers = 3, .lag_max_ms = 3000, .reconnect_max_ms = 50});
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    zk_answer_done(&f->a.answer);
    zk_answer_done(&f->b.answer);
    model_zk_free(f->mz);
    sim_loop_free(f->sim);
    return 0;
}

/* --- asking and waiting for the answer */

static struct zk_answer *wait_answer(struct fixture *f, struct person *p)
{
    assert_true(sim_loop_run_until(f->sim, zk_answer_ready, &p->answer, 120000));
    return &p->answer;
}

static struct zk_answer *create(struct fixture *f, struct person *p, const char *path,
                                const char *data, int flags)
{
    p->answer.done = false;
    zk_create(p->zk, path, data, strlen(data), flags, zk_answer_take, &p->answer);
    return wait_answer(f, p);
}

static struct zk_answer *set(struct fixture *f, struct person *p, const char *path,
                             const char *data, int version)
{
    p->answer.done = false;
    zk_set(p->zk, path, data, strlen(data), version, zk_answer_take, &p->answer);
    return wait_answer(f, p);
}

static struct zk_answer *delete (struct fixture *f, struct person *p, const char *path,
                                 int version)
{
    p->answer.done = false;
    zk_delete(p->zk, path, version, zk_answer_take, &p->answer);
    return wait_answer(f, p);
}

static struct zk_answer *get(struct fixture *f, struct person *p, const char *path,
                             bool watched)
{
    p->answer.done = false;
    zk_get(p->zk, path, watched ? &p->watch : NULL, zk_answer_take, &p->answer);
    return wait_answer(f, p);
}

static struct zk_answer *exists(struct fixture *f, struct person *p, const char *path,
                                bool watched)
{
    p->answer.done = false;
    zk_exists(p->zk, path, watched ? &p->watch : NULL, zk_answer_take, &p->answer);
    return wait_answer(f, p);
}

static struct zk_answer *children(struct fixture *f, struct person *p, const char *path,
                                  bool watched)
{
    p->answer.done = false;
    zk_children(p->zk, path, watched ? &p->watch : NULL, zk_answer_take, &p->answer);
    return wait_answer(f, p);
}

static struct zk_answer *multi(struct fixture *f, struct person *p,
                               const struct zk_op *ops, int count)
{
    p->answer.done = false;
    zk_multi(p->zk, ops, count, zk_answer_take, &p->answer);
    return wait_answer(f, p);
}

#define CREATE(p, ...) assert_int_equal(create(f, p, __VA_ARGS__)->result, ZK_OK)

/* --- data */

static void a_node_has_the_stat_of_its_history(void **state)
{
    struct fixture *f = *state;
    struct zk_stat made, changed;

    CREATE(&f->a, "/x", "one", 0);
    made = get(f, &f->b, "/x", false)->stat;
    assert_string_equal(f->b.answer.data, "one");
    assert_int_equal(set(f, &f->a, "/x", "three", 0)->result, ZK_OK);
    assert_int_equal(f->a.answer.stat.version, 1);
    CREATE(&f->a, "/x/1", "", 0);
    CREATE(&f->a, "/x/2", "", 0);
    assert_int_equal(delete (f, &f->a, "/x/1", -1)->result, ZK_OK);
    changed = exists(f, &f->b, "/x", false)->stat;

    assert_int_equal(made.czxid, made.mzxid);
    assert_int_equal(made.czxid, made.pzxid);
    assert_int_equal(made.version, 0);
    assert_int_equal(changed.czxid, made.czxid);
    assert_true(changed.mzxid > made.mzxid);
    assert_true(changed.pzxid > changed.mzxid);
    assert_int_equal(changed.version, 1);
    assert_int_equal(changed.cversion, 3); /* two creations and a deletion */
    assert_int_equal(changed.children_count, 1);
    assert_int_equal(changed.data_len, 5);
    assert_int_equal(changed.ephemeral_owner, 0);
}

static void writes_are_refused_for_the_right_reason(void **state)
{
    struct fixture *f = *state;

    CREATE(&f->a, "/x", "", 0);
    CREATE(&f->a, "/x/e", "", ZK_EPHEMERAL);

    assert_int_equal(create(f, &f->a, "/x", "", 0)->result, ZK_NODE_EXISTS);
    assert_int_equal(create(f, &f->a, "/y/z", "", 0)->result, ZK_NO_NODE);
    assert_int_equal(create(f, &f->a, "/x/e/f", "", 0)->result, ZK_EPHEMERAL_PARENT);
    assert_int_equal(create(f, &f->a, "no/slash", "", 0)->result, ZK_INVALID);
    assert_int_equal(create(f, &f->a, "/x//y", "", 0)->result, ZK_INVALID);
    assert_int_equal(create(f, &f->a, "/x/..", "", 0)->result, ZK_INVALID);
    assert_int_equal(set(f, &f->a, "/x", "", 7)->result, ZK_BAD_VERSION);
    assert_int_equal(set(f, &f->a, "/y", "", -1)->result, ZK_NO_NODE);
    assert_int_equal(delete (f, &f->a, "/x", -1)->result, ZK_NOT_EMPTY);
    assert_int_equal(delete (f, &f->a, "/x", 3)->result, ZK_BAD_VERSION);
    assert_int_equal(delete (f, &f->a, "/y", -1)->result, ZK_NO_NODE);
    assert_int_equal(get(f, &f->a, "/y", false)->result, ZK_NO_NODE);
}

static void a_request_that_is_too_big_is_not_sent(void **state)
{
    struct fixture *f = *state;
    char *data = mem_new(1048576);
    uint64_t writes = model_zk_counts(f->mz).writes;

    memset(data, 'x', 1048575);
    assert_int_equal(create(f, &f->a, "/x", data, 0)->result, ZK_TOO_BIG);
    assert_int_equal(model_zk_counts(f->mz).writes, writes);
    free(data);
}

static void sequential_numbers_are_dense_and_never_repeat(void **state)
{
    struct fixture *f = *state;

    CREATE(&f->a, "/q", "", 0);
    CREATE(&f->a, "/q/t-", "", ZK_SEQUENTIAL);
    assert_string_equal(f->a.answer.path, "/q/t-0000000000");
    CREATE(&f->b, "/q/t-", "", ZK_SEQUENTIAL | ZK_EPHEMERAL);
    assert_string_equal(f->b.answer.path, "/q/t-0000000001");
    assert_int_equal(delete (f, &f->a, "/q/t-0000000001", -1)->result, ZK_OK);
    CREATE(&f->a, "/q/t-", "", ZK_SEQUENTIAL);
    assert_string_equal(f->a.answer.path, "/q/t-0000000002");

    assert_int_equal(children(f, &f->a, "/q", false)->children_count, 2);
    assert_string_equal(f->a.answer.children[0], "t-0000000000");
    assert_string_equal(f->a.answer.children[1], "t-0000000002");
}

static void a_multi_is_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    struct zk_op ops[] = {
        {.kind = ZK_OP_CHECK, .path = "/x", .version = 0},
        {.kind = ZK_OP_SET, .path = "/x", .data = "b", .data_len = 1, .version = 0},
        {.kind = ZK_OP_CREATE, .path = "/x/t-", .flags = ZK_SEQUENTIAL},
        {.kind = ZK_OP_DELETE, .path = "/y", .version = 4},
        {.kind = ZK_OP_CREATE, .path = "/z"},
    };
    struct zk_stat before;

    CREATE(&f->a, "/x", "a", 0);
    CREATE(&f->a, "/y", "", 0);
    before = exists(f, &f->a, "/x", false)->stat;
    multi(f, &f->a, ops, 5);

    assert_int_equal(f->a.answer.result, ZK_BAD_VERSION);
    assert_int_equal(f->a.answer.failed_op, 3);
    assert_int_equal(f->a.answer.ops[1].result, ZK_SERVER_ERROR); /* taken back */
    assert_int_equal(f->a.answer.ops[3].result, ZK_BAD_VERSION);
    assert_int_equal(f->a.answer.ops[4].result, ZK_SERVER_ERROR);
    get(f, &f->a, "/x", false);
    assert_string_equal(f->a.answer.data, "a");
    assert_memory_equal(&f->a.answer.stat, &before, sizeof(before));

    ops[3].version = 0;
    multi(f, &f->a, ops, 5);
    assert_int_equal(f->a.answer.result, ZK_OK);
    assert_int_equal(f->a.answer.failed_op, -1);
    assert_string_equal(f->a.answer.ops[2].path, "/x/t-0000000000");
    assert_int_equal(f->a.answer.ops[1].stat.version, 1);
    assert_int_equal(exists(f, &f->a, "/y", false)->result, ZK_NO_NODE);
    assert_int_equal(exists(f, &f->a, "/z", false)->result, ZK_OK);
    assert_int_equal(get(f, &f->a, "/x", false)->stat.mzxid,
                     model_zk_zxid(f->mz)); /* one zxid for all */
    assert_int_equal(f->a.answer.stat.pzxid, f->a.answer.stat.mzxid);
}

static void a_digest_protects_what_it_made(void **state)
{
    struct fixture *f = *state;
    struct person c;

    join(f, &c, "c");
    zk_free(c.zk);
    c = (struct person){.zk = model_zk_connect(f->mz, "c", "ops:secret")};
    assert_true(sim_loop_run_until(f->sim, is_connected, &c, 60000));
    CREATE(&c, "/mine", "", 0);

    assert_int_equal(get(f, &f->a, "/mine", false)->result, ZK_NO_AUTH);
    assert_int_equal(set(f, &f->a, "/mine", "", -1)->result, ZK_NO_AUTH);
    assert_int_equal(create(f, &f->a, "/mine/x", "", 0)->result, ZK_NO_AUTH);
    assert_int_equal(exists(f, &f->a, "/mine", false)->result, ZK_OK);
    assert_int_equal(set(f, &c, "/mine", "", -1)->result, ZK_OK);
    zk_answer_done(&c.answer);
    zk_free(c.zk);
}

/* --- watches */

static void a_data_watch_fires_once(void **state)
{
    struct fixture *f = *state;

    CREATE(&f->a, "/x", "", 0);
    get(f, &f->b, "/x", true);
    set(f, &f->a, "/x", "1", -1);
    set(f, &f->a, "/x", "2", -1);
    sim_loop_run_for(f->sim, 1000);

    assert_int_equal(f->b.fired, 1);
    assert_null(f->b.watch.armed);
}

static void a_watch_is_armed_only_by_a_request_that_succeeds(void **state)
{
    struct fixture *f = *state;

    get(f, &f->b, "/x", true);
    assert_null(f->b.watch.armed);
    exists(f, &f->b, "/x", true);
    assert_non_null(f->b.watch.armed);

    CREATE(&f->a, "/x", "", 0);
    sim_loop_run_for(f->sim, 1000);
    assert_int_equal(f->b.fired, 1);
}

static void a_child_watch_sees_births_deaths_and_the_parents_end(void **state)
{
    struct fixture *f = *state;

    CREATE(&f->a, "/x", "", 0);
    children(f, &f->b, "/x", true);
    set(f, &f->a, "/x", "no child", -1);
    sim_loop_run_for(f->sim, 1000);
    assert_int_equal(f->b.fired, 0);
    CREATE(&f->a, "/x/1", "", 0);
    sim_loop_run_for(f->sim, 1000);
    assert_int_equal(f->b.fired, 1);
    children(f, &f->b, "/x", true);
    set(f, &f->a, "/x/1", "no birth", -1);
    delete (f, &f->a, "/x/1", -1);
    sim_loop_run_for(f->sim, 1000);
    assert_int_equal(f->b.fired, 2);
    children(f, &f->b, "/x", true);
    delete (f, &f->a, "/x", -1);
    sim_loop_run_for(f->sim, 1000);
    assert_int_equal(f->b.fired, 3);
}

static void the_event_comes_before_the_new_data(void **state)
{
    struct fixture *f = *state;

    model_zk_set_delays(f->mz, 0, 500);
    CREATE(&f->a, "/x", "0", 0);
    for (int i = 0; i < 100; i++) {
        int fired = f->b.fired;

        get(f, &f->b, "/x", true);
        f->a.answer.done = f->b.answer.done = false;
        zk_set(f->a.zk, "/x", "new", 3, -1, zk_answer_take, &f->a.answer);
        zk_get(f->b.zk, "/x", NULL, zk_answer_take, &f->b.answer);
        wait_answer(f, &f->b);
        if (strcmp(f->b.answer.data, "new") == 0)
            assert_int_equal(f->b.fired, fired + 1);
        wait_answer(f, &f->a);
        set(f, &f->a, "/x", "old", -1);
        sim_loop_run_for(f->sim, 2000);
        assert_int_equal(f->b.fired, fired + 1);
    }
}

static void a_disarmed_watch_is_silent(void **state)
{
    struct fixture *f = *state;

    CREATE(&f->a, "/x", "", 0);
    get(f, &f->b, "/x", true);
    zk_disarm(f->b.zk, &f->b.watch);
    assert_null(f->b.watch.armed);
    set(f, &f->a, "/x", "1", -1);
    sim_loop_run_for(f->sim, 1000);
    assert_int_equal(f->b.fired, 0);
}

static void a_cancelled_request_is_silent(void **state)
{
    struct fixture *f = *state;

    f->a.answer.count = 0;
    zk_cancel(f->a.zk,
              zk_create(f->a.zk, "/x", "", 0, 0, zk_answer_take, &f->a.answer));
    zk_cancel(f->a.zk,
              zk_exists(f->a.zk, "/x", &f->a.watch, zk_answer_take, &f->a.answer));
    assert_null(f->a.watch.armed);
    sim_loop_run_for(f->sim, 1000);

    assert_int_equal(f->a.answer.count, 0);
    assert_true(model_zk_peek(f->mz, "/x", NULL, NULL, NULL)); /* sent is sent */
}

static void a_change_missed_while_away_fires_on_return(void **state)
{
    struct fixture *f = *state;

    CREATE(&f->a, "/x", "", 0);
    get(f, &f->b, "/x", true);
    model_zk_drop(f->b.zk);
    set(f, &f->a, "/x", "1", -1);
    sim_loop_run_for(f->sim, 10000);

    assert_int_equal(f->b.disconnected, 1);
    assert_int_equal(f->b.connected, 2);
    assert_false(f->b.fresh);
    assert_int_equal(f->b.fired, 1);
}

static void a_watch_survives_a_reconnect(void **state)
{
    struct fixture *f = *state;

    CREATE(&f->a, "/x", "", 0);
    get(f, &f->b, "/x", true);
    model_zk_drop(f->b.zk);
    sim_loop_run_for(f->sim, 10000);
    assert_int_equal(f->b.fired, 0);
    set(f, &f->a, "/x", "1", -1);
    sim_loop_run_for(f->sim, 1000);
    assert_int_equal(f->b.fired, 1);
}

/* --- sessions */

static void an_ephemeral_ends_with_its_session(void **state)
{
    struct fixture *f = *state;
    int64_t session = f->a.zk->session_id;

    CREATE(&f->a, "/e", "", ZK_EPHEMERAL);
    assert_int_equal(exists(f, &f->b, "/e", true)->stat.ephemeral_owner, session);
    model_zk_expire(f->a.zk);
    sim_loop_run_for(f->sim, 10000);

    assert_int_equal(f->a.expired, 1);
    assert_int_equal(f->a.connected, 2);
    assert_true(f->a.fresh);
    assert_true(f->a.zk->session_id != session);
    assert_int_equal(f->b.fired, 1);
    assert_int_equal(exists(f, &f->b, "/e", false)->result, ZK_NO_NODE);
}

static void closing_ends_the_session_at_once_crashing_after_its_timeout(void **state)
{
    struct fixture *f = *state;
    struct person c;

    join(f, &c, "c");
    CREATE(&c, "/closed", "", ZK_EPHEMERAL);
    zk_answer_done(&c.answer);
    zk_free(c.zk);
    sim_loop_run_for(f->sim, 100);
    assert_false(model_zk_peek(f->mz, "/closed", NULL, NULL, NULL));

    join(f, &c, "c");
    CREATE(&c, "/crashed", "", ZK_EPHEMERAL);
    zk_answer_done(&c.answer);
    model_zk_crash(c.zk);
    sim_loop_run_for(f->sim, 15000);
    assert_true(model_zk_peek(f->mz, "/crashed", NULL, NULL, NULL));
    sim_loop_run_for(f->sim, 20000);
    assert_false(model_zk_peek(f->mz, "/crashed", NULL, NULL, NULL));
}

static void a_healthy_idle_session_lives(void **state)
{
    struct fixture *f = *state;

    CREATE(&f->a, "/e", "", ZK_EPHEMERAL);
    sim_loop_run_for(f->sim, 3600000);
    assert_int_equal(f->a.disconnected + f->a.expired, 0);
    assert_true(sim_loop_now_ms(f->sim) - f->a.zk->last_contact_ms <= 10000);
    assert_true(model_zk_peek(f->mz, "/e", NULL, NULL, NULL));
}

static void a_client_that_is_cut_off_notices_before_the_server_forgets_it(void **state)
{
    struct fixture *f = *state;

    CREATE(&f->a, "/e", "", ZK_EPHEMERAL);
    exists(f, &f->a, "/e", true);
    model_zk_cut(f->a.zk, true);
    sim_loop_run_for(f->sim, 20001);
    assert_int_equal(f->a.disconnected, 1);
    assert_int_equal(f->a.expired, 0);
    assert_true(model_zk_peek(f->mz, "/e", NULL, NULL, NULL));
    sim_loop_run_for(f->sim, 15000);
    assert_false(model_zk_peek(f->mz, "/e", NULL, NULL, NULL));
    assert_int_equal(f->a.expired, 0); /* nobody can tell it */
    model_zk_cut(f->a.zk, false);
    sim_loop_run_for(f->sim, 15000);
    assert_int_equal(f->a.expired, 1);
    assert_true(f->a.fresh);
    assert_null(f->a.watch.armed); /* without firing */
    assert_int_equal(f->a.fired, 0);
}

static void a_short_cut_delays_and_loses_nothing(void **state)
{
    struct fixture *f = *state;

    model_zk_cut(f->a.zk, true);
    f->a.answer.done = false;
    zk_create(f->a.zk, "/x", "", 0, 0, zk_answer_take, &f->a.answer);
    sim_loop_run_for(f->sim, 5000);
    assert_false(f->a.answer.done);
    assert_false(model_zk_peek(f->mz, "/x", NULL, NULL, NULL));
    model_zk_cut(f->a.zk, false);
    assert_int_equal(wait_answer(f, &f->a)->result, ZK_OK);
    assert_int_equal(f->a.disconnected, 0);
}

static void a_lost_connection_leaves_requests_ambiguous(void **state)
{
    struct fixture *f = *state;
    int made = 0, ambiguous = 0;
    char path[16];

    model_zk_set_delays(f->mz, 0, 20);
    for (int i = 0; i < 200; i++) {
        snprintf(path, sizeof(path), "/x%d", i);
        f->a.answer.done = false;
        zk_create(f->a.zk, path, "", 0, 0, zk_answer_take, &f->a.answer);
        sim_loop_run_for(f->sim, i % 40);
        model_zk_drop(f->a.zk);
        if (wait_answer(f, &f->a)->result == ZK_AMBIGUOUS) {
            ambiguous++;
            sim_loop_run_for(f->sim, 6000);
            made += model_zk_peek(f->mz, path, NULL, NULL, NULL);
        }
        assert_true(sim_loop_run_until(f->sim, is_connected, &f->a, 60000));
    }
    assert_in_range(ambiguous, 20, 199);
    assert_in_range(made, 5, ambiguous - 5); /* some of them happened */
    f->a.answer.done = false;
    model_zk_stop(f->mz, -1);
    sim_loop_run_for(f->sim, 1000);
    zk_create(f->a.zk, "/y", "", 0, 0, zk_answer_take, &f->a.answer);
    assert_int_equal(wait_answer(f, &f->a)->result, ZK_NOT_CONNECTED);
}

static void what_was_under_way_may_still_arrive(void **state)
{
    struct fixture *f = *state;
    int early = 0, late = 0, lost = 0;
    char path[16];

    model_zk_set_delays(f->mz, 5, 20);
    for (int i = 0; i < 400; i++) {
        bool before;

        snprintf(path, sizeof(path), "/x%d", i);
        zk_create(f->a.zk, path, "", 0, 0, zk_answer_take, &f->a.answer);
        model_zk_drop(f->a.zk);
        sim_loop_run_for(f->sim, 50);
        before = model_zk_peek(f->mz, path, NULL, NULL, NULL);
        sim_loop_run_for(f->sim, 8000);
        assert_true(f->a.zk->connected);
        early += before;
        late += !before && model_zk_peek(f->mz, path, NULL, NULL, NULL);
        lost += !model_zk_peek(f->mz, path, NULL, NULL, NULL);
    }
    assert_in_range(early, 100, 300);
    assert_in_range(late, 5, 100); /* when the client was connected again */
    assert_in_range(lost, 100, 300);
}

static void sessions_survive_an_outage_of_all_servers(void **state)
{
    struct fixture *f = *state;

    CREATE(&f->a, "/e", "", ZK_EPHEMERAL);
    model_zk_stop(f->mz, -1);
    sim_loop_run_for(f->sim, 600000);
    assert_false(f->a.zk->connected);
    model_zk_start(f->mz, -1);
    sim_loop_run_for(f->sim, 60000);

    assert_true(f->a.zk->connected);
    assert_int_equal(f->a.expired, 0);
    assert_true(model_zk_peek(f->mz, "/e", NULL, NULL, NULL));
    CREATE(&f->a, "/x", "", 0);
}

/* --- several servers */

static void a_client_of_a_lagging_server_sees_its_own_writes(void **state)
{
    struct fixture *f = *state;
    char text[16];
    int stale = 0;

    CREATE(&f->a, "/x", "", 0);
    sim_loop_run_for(f->sim, 1000);
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof(text), "%d", i);
        assert_int_equal(set(f, &f->a, "/x", text, -1)->result, ZK_OK);
        assert_string_equal(get(f, &f->a, "/x", false)->data, text);
        stale += strcmp(get(f, &f->b, "/x", false)->data, text) != 0;
        set(f, &f->b, "/x", "other", -1);
        if (i % 20 == 0) {
            model_zk_drop(i % 40 ? f->a.zk : f->b.zk);
            sim_loop_run_for(f->sim, 10000);
        }
    }
    assert_true(stale > 0);
    f->b.answer.done = false;
    zk_sync(f->b.zk, "/x", zk_answer_take, &f->b.answer);
    assert_int_equal(wait_answer(f, &f->b)->result, ZK_OK);
    assert_string_equal(get(f, &f->b, "/x", false)->data, "other");
}

static void reads_wait_behind_the_own_writes(void **state)
{
    struct fixture *f = *state;
    char text[16];

    CREATE(&f->a, "/x", "", 0);
    sim_loop_run_for(f->sim, 1000);
    for (int i = 0; i < 100; i++) {
        struct person *p = i % 2 ? &f->a : &f->b;

        snprintf(text, sizeof(text), "%d", i);
        zk_cancel(p->zk,
                  zk_set(p->zk, "/x", text, strlen(text), -1, zk_answer_take, p));
        assert_string_equal(get(f, p, "/x", false)->data, text);
    }
}

static void a_client_never_goes_back_in_time(void **state)
{
    struct fixture *f = *state;
    char text[16];

    CREATE(&f->a, "/x", "", 0);
    for (int i = 0; i < 60; i++) {
        snprintf(text, sizeof(text), "%d", i);
        assert_int_equal(set(f, &f->a, "/x", text, -1)->result, ZK_OK);
        model_zk_drop(f->a.zk);
        sim_loop_run_for(f->sim, 30);
        assert_true(sim_loop_run_until(f->sim, is_connected, &f->a, 60000));
        assert_string_equal(get(f, &f->a, "/x", false)->data, text);
    }
}

static void a_stopped_server_sends_its_clients_to_the_others(void **state)
{
    struct fixture *f = *state;

    CREATE(&f->a, "/e", "", ZK_EPHEMERAL);
    for (int server = 0; server < 3; server++) {
        model_zk_stop(f->mz, server);
        sim_loop_run_for(f->sim, 100000);
        CREATE(&f->b, "/x", "", 0);
        assert_int_equal(exists(f, &f->a, "/e", false)->result, ZK_OK);
        delete (f, &f->b, "/x", -1);
        model_zk_start(f->mz, server);
    }
    assert_int_equal(f->a.expired, 0);
}

/* --- history and repetition */

static void every_commit_is_in_the_history(void **state)
{
    struct fixture *f = *state;
    struct history *h = model_zk_history(f->mz);
    const struct history_entry *e;

    CREATE(&f->a, "/x", "one", ZK_EPHEMERAL);
    set(f, &f->b, "/x", "two", 0);
    set(f, &f->b, "/x", "never", 0);
    model_zk_expire(f->a.zk);

    assert_int_equal(history_count(h), 3);
    e = history_at(h, 1);
    assert_int_equal(e->session, f->b.zk->session_id);
    assert_int_equal(e->ops[0].kind, ZK_OP_SET);
    assert_string_equal(e->ops[0].before, "one");
    assert_string_equal(e->ops[0].data, "two");
    assert_int_equal(e->ops[0].version, 1);
    e = history_at(h, 2);
    assert_true(e->close);
    assert_int_equal(e->ops[0].kind, ZK_OP_DELETE);
    assert_string_equal(e->ops[0].path, "/x");
    assert_true(history_at(h, 1)->zxid < e->zxid);
}

struct worker {
    struct fixture *f;
    struct zk *zk;
    struct timer pause;
    struct strbuf *trace;
    int number, done;
};

static void work(void *ctx);

static void worked(void *ctx, const struct zk_reply *reply)
{
    struct worker *w = ctx;

    w->done++;
    strbuf_addf(w->trace, "%d %s %d %d\n", w->number, zk_result_text(reply->result),
                reply->stat.version, (int)sim_loop_now_ms(w->f->sim));
    timer_start(&w->pause, sim_loop_port(w->f->sim), 20, work, w);
}

static void work(void *ctx)
{
    struct worker *w = ctx;

    zk_set(w->zk, "/x", "", 0, -1, worked, w);
}

static char *trace_of(uint64_t seed, uint64_t *ret_faults, uint64_t *ret_expiries)
{
    struct fixture f = {.sim = sim_loop_new(seed)};
    struct worker workers[5] = {0};
    struct strbuf trace = {0};
    const struct zk_op op = {.kind = ZK_OP_CREATE, .path = "/x"};

    f.mz = model_zk_new(f.sim,
                        &(struct model_zk_config){.seed = seed,
                                                  .servers = 3,
                                                  .faults_ppm = {0, 10000, 10000, 10000,
                                                                 10000, 10000, 10000}});
    assert_int_equal(model_zk_poke(f.mz, &op, 1), ZK_OK);
    for (int i = 0; i < 5; i++) {
        char name[8];

        snprintf(name, sizeof(name), "w%d", i);
        workers[i] = (struct worker){.f = &f, .trace = &trace, .number = i};
        workers[i].zk = model_zk_connect(f.mz, name, NULL);
        timer_start(&workers[i].pause, sim_loop_port(f.sim), 100, work, &workers[i]);
    }
    sim_loop_run_for(f.sim, 60000);
    for (int i = 0; i < 5; i++)
        assert_true(workers[i].done > 50);
    *ret_faults = model_zk_counts(f.mz).faults;
    *ret_expiries = model_zk_counts(f.mz).drops;
    for (int i = 0; i < 5; i++)
        timer_stop(&workers[i].pause);
    model_zk_free(f.mz);
    sim_loop_free(f.sim);
    return strbuf_take(&trace);
}

static void a_seed_repeats_a_run_exactly(void **state)
{
    uint64_t faults[3], drops[3];
    char *first = trace_of(3, &faults[0], &drops[0]);
    char *again = trace_of(3, &faults[1], &drops[1]);
    char *other = trace_of(4, &faults[2], &drops[2]);

    assert_string_equal(first, again);
    assert_string_not_equal(first, other);
    assert_true(faults[0] > 10);
    assert_true(drops[0] > 10);
    free(first);
    free(again);
    free(other);
}

static void five_thousand_clients_share_one_process(void **state)
{
    struct fixture *f = *state;
    static struct person people[5000];
    char name[16];

    CREATE(&f->a, "/gate", "", 0);
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof(name), "p%d", i);
        people[i] = (struct person){.zk = model_zk_connect(f->mz, name, NULL)};
        zk_watch_init(&people[i].watch, on_watch, &people[i]);
    }
    sim_loop_run_for(f->sim, 1000);
    for (int i = 0; i < 5000; i++)
        zk_get(people[i].zk, "/gate", &people[i].watch, zk_answer_take,
               &people[i].answer);
    sim_loop_run_for(f->sim, 1000);
    set(f, &f->a, "/gate", "pause", -1);
    sim_loop_run_for(f->sim, 120000);

    for (int i = 0; i < 5000; i++) {
        assert_true(people[i].zk->connected);
        assert_int_equal(people[i].fired, 1);
        zk_answer_done(&people[i].answer);
        zk_free(people[i].zk);
    }
}

static void free_own_client(void *ctx, const struct zk_reply *reply)
{
    struct person *p = ctx;

    zk_free(p->zk);
    p->zk = NULL;
}

static void on_watch_free(void *ctx)
{
    free_own_client(ctx, NULL);
}

static void a_client_may_be_freed_in_its_own_callback(void **state)
{
    struct fixture *f = *state;
    struct person c, d;
    struct zk_watch second;

    CREATE(&f->a, "/x", "", 0);
    join(f, &c, "c");
    join(f, &d, "d");
    zk_watch_init(&d.watch, on_watch_free, &d);
    zk_watch_init(&second, on_watch_free, &d);
    zk_get(c.zk, "/x", &c.watch, free_own_client, &c);
    zk_get(c.zk, "/x", NULL, zk_answer_take, &c.answer);
    zk_get(d.zk, "/x", &d.watch, zk_answer_take, &d.answer);
    zk_get(d.zk, "/x", &second, zk_answer_take, &d.answer);
    sim_loop_run_for(f->sim, 1000);
    set(f, &f->a, "/x", "", -1);
    sim_loop_run_for(f->sim, 1000);

    assert_null(c.zk);
    assert_null(c.watch.armed);
    assert_false(c.answer.done);
    assert_null(d.zk);
    assert_null(second.armed);
    zk_answer_done(&d.answer);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define TEST_THREE(fn)                                                                 \
    cmocka_unit_test_setup_teardown(fn, setup_three_servers, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_node_has_the_stat_of_its_history),
        TEST(writes_are_refused_for_the_right_reason),
        TEST(a_request_that_is_too_big_is_not_sent),
        TEST(sequential_numbers_are_dense_and_never_repeat),
        TEST(a_multi_is_all_or_nothing),
        TEST(a_digest_protects_what_it_made),
        TEST(a_data_watch_fires_once),
        TEST(a_watch_is_armed_only_by_a_request_that_succeeds),
        TEST(a_child_watch_sees_births_deaths_and_the_parents_end),
        TEST(the_event_comes_before_the_new_data),
        TEST(a_disarmed_watch_is_silent),
        TEST(a_cancelled_request_is_silent),
        TEST(a_change_missed_while_away_fires_on_return),
        TEST(a_watch_survives_a_reconnect),
        TEST(an_ephemeral_ends_with_its_session),
        TEST(closing_ends_the_session_at_once_crashing_after_its_timeout),
        TEST(a_healthy_idle_session_lives),
        TEST(a_client_that_is_cut_off_notices_before_the_server_forgets_it),
        TEST(a_short_cut_delays_and_loses_nothing),
        TEST(a_lost_connection_leaves_requests_ambiguous),
        TEST(what_was_under_way_may_still_arrive),
        TEST(sessions_survive_an_outage_of_all_servers),
        TEST_THREE(a_client_of_a_lagging_server_sees_its_own_writes),
        TEST_THREE(reads_wait_behind_the_own_writes),
        cmocka_unit_test_setup_teardown(a_client_never_goes_back_in_time,
                                        setup_slow_followers, teardown),
        TEST_THREE(a_stopped_server_sends_its_clients_to_the_others),
        TEST_THREE(an_ephemeral_ends_with_its_session),
        TEST_THREE(the_event_comes_before_the_new_data),
        TEST(every_commit_is_in_the_history),
        cmocka_unit_test(a_seed_repeats_a_run_exactly),
        TEST(five_thousand_clients_share_one_process),
        TEST(a_client_may_be_freed_in_its_own_callback),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
