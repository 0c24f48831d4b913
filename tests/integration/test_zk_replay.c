/* test_zk_replay.c - the model ZooKeeper is checked against a real server.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The same random operations go to both, one at a time, by two sessions; results,
 * Stats, watch events and in the end the whole histories (the real one from the
 * server's transaction log) must be the same. Zxids are compared by their distance from
 * the creation of the test's root; times are not compared.
 */
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "tests/integration/zk_fixture.h"
#include "tests/support/model_zk.h"
#include "tests/support/strmap.h"
#include "tests/support/txnlog.h"
#include "tests/support/zk_answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PEOPLE = 2, WATCHES = 24, WAIT_MS = 20000 };

struct side { /* one of the two ZooKeepers */
    struct zk *zk[PEOPLE];
    int64_t first_zxid;
    int64_t sessions[PEOPLE];
    struct zk_answer answer;
    struct zk_watch watches[WATCHES];
    int fired[WATCHES];
};

struct replay {
    struct zk_ensemble *ensemble;
    struct heard *heard[PEOPLE];
    struct sim_loop *sim;
    struct model_zk *mz;
    struct side real, model;
    uint64_t random;
    int number; /* of the operation, for messages */
    char what[256];
    struct timer deadline;
    int compared, ok, watched;
};

static struct replay replay;

static void on_real(void *ctx, const struct zk_reply *reply)
{
    zk_answer_take(ctx, reply);
    event_loop_stop(el, 0);
}

static void on_late(void *ctx)
{
    event_loop_stop(el, 1);
}

static void on_fire(void *ctx)
{
    ++*(int *)ctx;
}

static uint64_t draw(struct replay *r, uint64_t below)
{
    r->random = r->random * 6364136223846793005u + 1442695040888963407u;
    return (r->random >> 33) % below;
}

static void wait_real(struct replay *r)
{
    timer_start(&r->deadline, event_loop_port(el), WAIT_MS, on_late, NULL);
    while (!r->real.answer.done) {
        if (event_loop_run(el) != 0)
            fail_msg("operation %d (%s): the server does not answer", r->number,
                     r->what);
    }
    timer_stop(&r->deadline);
}

static void wait_model(struct replay *r)
{
    if (!sim_loop_run_until(r->sim, zk_answer_ready, &r->model.answer, WAIT_MS))
        fail_msg("operation %d (%s): the model does not answer", r->number, r->what);
}

/* --- operations: drawn once, issued on both sides */

enum verb { GET, EXISTS, CHILDREN, WRITE, MULTI };

struct operation {
    enum verb verb;
    int person, watch; /* -1 = no watch */
    char path[64];
    struct zk_op ops[6];
    char paths[6][64], data[6][16];
    int count;
};

static const char *const places[] = {
    "/r", "/r/a", "/r/a/x", "/r/a/y", "/r/b", "/r/b/x", "/r/c", "/r/c/x", "/r/a/x/z",
};

static void draw_path(struct replay *r, char path[64])
{
    snprintf(path, 64, "%s", places[draw(r, sizeof(places) / sizeof(places[0]))]);
    if (draw(r, 6) == 0) /* a sequential one, perhaps */
        snprintf(path, 64, "/r/a/t-%010d", (int)draw(r, 12));
}

static void draw_op(struct replay *r, struct operation *o, int i, bool in_multi)
{
    static const int flags[] = {0, 0, ZK_EPHEMERAL, ZK_SEQUENTIAL,
                                ZK_SEQUENTIAL | ZK_EPHEMERAL};
    struct zk_op *op = &o->ops[i];
    struct zk_stat stat = {0};

    draw_path(r, o->paths[i]);
    snprintf(o->data[i], sizeof(o->data[i]), "%d", (int)draw(r, 1000));
    *op = (struct zk_op){
        .kind = (enum zk_op_kind)draw(r, in_multi ? 4 : 3),
        .path = o->paths[i],
        .data = o->data[i],
        .data_len = draw(r, 4) ? strlen(o->data[i]) : 0,
        .version = -1,
        .flags = flags[draw(r, 5)],
    };
    if (op->kind != ZK_OP_CREATE) { /* mostly the right version */
        (void)model_zk_peek(r->mz, op->path, NULL, NULL, &stat);
        op->version = draw(r, 3) == 0   ? -1
                      : draw(r, 4) == 0 ? (int)draw(r, 4)
                                        : stat.version;
    } else if (op->flags & ZK_SEQUENTIAL) {
        STR_COPY(o->paths[i], draw(r, 3) ? "/r/a/t-" : "/r/b/");
        if (str_equal(o->paths[i], "/r/b/"))
            STR_COPY(o->paths[i], "/r/b/s");
    }
    if (op->kind == ZK_OP_DELETE && str_equal(op->path, "/r"))
        STR_COPY(o->paths[i], "/r/c");
}

static int free_watch(const struct replay *r)
{
    for (int i = 0; i < WATCHES; i++) {
        if (!r->real.watches[i].armed && !r->model.watches[i].armed)
            return i;
    }
    return -1;
}

static void draw_operation(struct replay *r, struct operation *o)
{
    uint64_t dice = draw(r, 10);

    *o = (struct operation){.person = (int)draw(r, PEOPLE), .watch = -1};
    o->verb = dice < 3 ? (enum verb)dice : dice < 8 ? WRITE : MULTI;
    o->count = o->verb == MULTI ? 1 + (int)draw(r, 5) : 1;
    for (int i = 0; i < o->count; i++)
        draw_op(r, o, i, o->verb == MULTI);
    draw_path(r, o->path);
    if (o->verb < WRITE && draw(r, 2))
        o->watch = free_watch(r);
    snprintf(r->what, sizeof(r->what), "verb %d of %d on '%s', kind %d, version %d",
             o->verb, o->person, o->verb < WRITE ? o->path : o->paths[0],
             o->verb < WRITE ? -1 : (int)o->ops[0].kind, (int)o->ops[0].version);
}

static void issue(struct side *side, struct operation *o, zk_done_f done)
{
    struct zk *zk = side->zk[o->person];
    struct zk_watch *watch = o->watch >= 0 ? &side->watches[o->watch] : NULL;

    side->answer.done = false;
    if (watch)
        zk_watch_init(watch, on_fire, &side->fired[o->watch]);
    switch (o->verb) {
    case GET:
        zk_get(zk, o->path, watch, done, &side->answer);
        break;
    case EXISTS:
        zk_exists(zk, o->path, watch, done, &side->answer);
        break;
    case CHILDREN:
        zk_children(zk, o->path, watch, done, &side->answer);
        break;
    case WRITE:
        zk->ops->single(zk, &o->ops[0], done, &side->answer);
        break;
    case MULTI:
        zk_multi(zk, o->ops, o->count, done, &side->answer);
        break;
    }
}

static void run_operation(struct replay *r, struct operation *o)
{
    issue(&r->real, o, on_real);
    wait_real(r);
    issue(&r->model, o, zk_answer_take);
    wait_model(r);
}

/* --- comparing */

#define SAME(what_, a, b)                                                              \
    do {                                                                               \
        int64_t real_ = (int64_t)(a), model_ = (int64_t)(b);                           \
        if (real_ != model_)                                                           \
            fail_msg("operation %d (%s): %s is %" PRId64 " on the server and %" PRId64 \
                     " in the model",                                                  \
                     r->number, r->what, what_, real_, model_);                        \
    } while (0)

static int owner_of(const struct side *side, int64_t session)
{
    for (int i = 0; i < PEOPLE; i++) {
        if (session == side->sessions[i])
            return i;
    }
    return session ? -1 : PEOPLE;
}

static void compare_stats(struct replay *r, const struct zk_stat *real,
                          const struct zk_stat *model)
{
    int64_t a = r->real.first_zxid, b = r->model.first_zxid;

    SAME("version", real->version, model->version);
    SAME("cversion", real->cversion, model->cversion);
    SAME("children", real->children_count, model->children_count);
    SAME("data_len", real->data_len, model->data_len);
    SAME("owner", owner_of(&r->real, real->ephemeral_owner),
         owner_of(&r->model, model->ephemeral_owner));
    SAME("czxid", real->czxid - a, model->czxid - b);
    SAME("mzxid", real->mzxid - a, model->mzxid - b);
    SAME("pzxid", real->pzxid - a, model->pzxid - b);
}

static void compare_text(struct replay *r, const char *what, const char *real,
                         const char *model)
{
    if (strcmp(real ? real : "", model ? model : "") != 0)
        fail_msg("operation %d (%s): %s is '%s' on the server and '%s' in the model",
                 r->number, r->what, what, real ? real : "", model ? model : "");
}

static void compare_multi(struct replay *r, const struct zk_answer *real,
                          const struct zk_answer *model, const struct operation *o)
{
    SAME("failed_op", real->failed_op, model->failed_op);
    SAME("ops_count", real->ops_count, model->ops_count);
    for (int i = 0; i < real->ops_count; i++) {
        SAME("an operation's result", real->ops[i].result, model->ops[i].result);
        if (real->result == ZK_OK && o->ops[i].kind == ZK_OP_CREATE)
            compare_text(r, "a name", real->ops[i].path, model->ops[i].path);
        if (real->result == ZK_OK && o->ops[i].kind == ZK_OP_SET)
            compare_stats(r, &real->ops[i].stat, &model->ops[i].stat);
    }
}

static void compare_answers(struct replay *r, const struct operation *o)
{
    const struct zk_answer *real = &r->real.answer, *model = &r->model.answer;

    if (real->result != model->result)
        fail_msg("operation %d (%s): the server says %s, the model %s", r->number,
                 r->what, zk_result_text(real->result), zk_result_text(model->result));
    r->compared++;
    r->ok += real->result == ZK_OK;
    if (o->verb == MULTI)
        compare_multi(r, real, model, o);
    if (real->result != ZK_OK)
        return;
    if (o->verb == GET || o->verb == EXISTS ||
        (o->verb == WRITE && o->ops[0].kind == ZK_OP_SET))
        compare_stats(r, &real->stat, &model->stat);
    compare_text(r, "the data", real->data, model->data);
    SAME("data_len", real->data_len, model->data_len);
    if (o->verb == WRITE && o->ops[0].kind == ZK_OP_CREATE)
        compare_text(r, "the name", real->path, model->path);
    SAME("children", real->children_count, model->children_count);
    for (int i = 0; i < real->children_count; i++)
        compare_text(r, "a child", real->children[i], model->children[i]);
}

/* Replies come behind the events fired before them: one request each flushes. */
static void flush_events(struct replay *r)
{
    struct operation o = {.verb = EXISTS, .watch = -1, .path = "/"};

    for (o.person = 0; o.person < PEOPLE; o.person++)
        run_operation(r, &o);
}

static void compare_watches(struct replay *r)
{
    for (int i = 0; i < WATCHES; i++) {
        SAME("a watch armed", r->real.watches[i].armed != NULL,
             r->model.watches[i].armed != NULL);
        SAME("a watch's firings", r->real.fired[i], r->model.fired[i]);
    }
}

static int fired_count(const struct side *side)
{
    int count = 0;

    for (int i = 0; i < WATCHES; i++)
        count += side->fired[i];
    return count;
}

/* --- sessions */

static bool is_connected(void *ctx)
{
    return ((struct zk *)ctx)->connected;
}

static void join(struct replay *r, int person)
{
    r->heard[person] = session_open(r->ensemble->servers, NULL, 10000);
    r->real.zk[person] = r->heard[person]->zk;
    r->real.sessions[person] = r->real.zk[person]->session_id;
    r->model.zk[person] = model_zk_connect(r->mz, person ? "b" : "a", NULL);
    assert_true(sim_loop_run_until(r->sim, is_connected, r->model.zk[person], WAIT_MS));
    r->model.sessions[person] = r->model.zk[person]->session_id;
}

/* Its ephemerals go on both sides; a mark tells when. The other one's watches fire. */
static void leave(struct replay *r, int person)
{
    const struct zk_op mark = {
        .kind = ZK_OP_CREATE, .path = "/r/mark", .flags = ZK_EPHEMERAL};
    struct operation o = {.verb = WRITE, .watch = -1, .person = person, .ops[0] = mark};

    snprintf(r->what, sizeof(r->what), "the end of session %d", person);
    run_operation(r, &o);
    compare_answers(r, &o);
    session_close(r->heard[person]);
    zk_free(r->model.zk[person]);
    sim_loop_run_for(r->sim, 1000);
    o = (struct operation){
        .verb = EXISTS, .watch = -1, .person = 1 - person, .path = "/r/mark"};
    for (int i = 0; i < 200; i++) {
        run_operation(r, &o);
        if (r->real.answer.result == ZK_NO_NODE)
            break;
        run_for(10);
    }
    compare_answers(r, &o);
}

static int setup(void **state)
{
    struct replay *r = &replay;
    struct operation root = {
        .verb = WRITE, .watch = -1, .ops[0] = {.kind = ZK_OP_CREATE, .path = "/r"}};
    struct error err;

    zk_server_require();
    fixture_begin(state);
    *r = (struct replay){.random = 20261123};
    if (zk_ensemble_start(1, 0, &r->ensemble, &err) < 0)
        fail_msg("%s", err.text);
    r->sim = sim_loop_new(1);
    r->mz =
        model_zk_new(r->sim, &(struct model_zk_config){.seed = 1, .unordered = true});
    join(r, 0);
    join(r, 1);
    run_operation(r, &root);
    assert_int_equal(r->real.answer.result, ZK_OK);
    root = (struct operation){.verb = EXISTS, .watch = -1, .path = "/r"};
    run_operation(r, &root);
    r->real.first_zxid = r->real.answer.stat.czxid;
    r->model.first_zxid = r->model.answer.stat.czxid;
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct replay *r = *state;

    zk_answer_done(&r->real.answer);
    zk_answer_done(&r->model.answer);
    fixture_end(state);
    zk_ensemble_free(r->ensemble);
    model_zk_free(r->mz);
    sim_loop_free(r->sim);
    return 0;
}

/* --- the tests, in order, on the same two trees */

static void the_model_answers_as_the_server_does(void **state)
{
    struct replay *r = *state;
    struct operation o;

    for (r->number = 1; r->number <= 4000; r->number++) {
        draw_operation(r, &o);
        run_operation(r, &o);
        compare_answers(r, &o);
        flush_events(r);
        compare_watches(r);
        if (r->number % 200 == 0) { /* the other's watches live on */
            leave(r, 1);
            join(r, 1);
            flush_events(r);
            compare_watches(r);
        }
    }
    r->watched = fired_count(&r->real);
    print_message("%d operations compared, %d of them done, %d watch events\n",
                  r->compared, r->ok, r->watched);
    assert_in_range(r->ok, 1000, 3900); /* successes and refusals, both */
    assert_in_range(r->watched, 200, 4000);
}

static struct history_entry normal(const struct history *h, int *index, bool *ret_found)
{
    for (; *index < history_count(h); (*index)++) {
        const struct history_entry *e = history_at(h, *index);

        if (e->ops_count == 0)
            continue; /* a session without ephemerals ended */
        (*index)++;
        *ret_found = true;
        return *e;
    }
    *ret_found = false;
    return (struct history_entry){0};
}

static bool has_op(const struct history_entry *e, const struct history_op *op)
{
    for (int i = 0; i < e->ops_count; i++) {
        if (e->ops[i].kind == op->kind && str_equal(e->ops[i].path, op->path))
            return true;
    }
    return false;
}

static void compare_ops(struct replay *r, const struct history_entry *real,
                        const struct history_entry *model)
{
    for (int i = 0; i < real->ops_count; i++) {
        const struct history_op *a = &real->ops[i], *b = &model->ops[i];

        if (real->close) { /* in any order */
            assert_true(has_op(model, a));
            continue;
        }
        SAME("kind", a->kind, b->kind);
        compare_text(r, "path", a->path, b->path);
        compare_text(r, "data", a->data, b->data);
        SAME("ephemeral", a->ephemeral, b->kind == ZK_OP_CREATE && b->ephemeral);
        if (a->kind != ZK_OP_DELETE)
            SAME("version", a->version, b->version);
    }
}

static void the_servers_log_is_the_models_history(void **state)
{
    struct replay *r = *state;
    struct history *log = history_new(true), *model = model_zk_history(r->mz);
    struct error err;
    char dir[160];
    int i = 0, j = 0, count = 0;

    snprintf(dir, sizeof(dir), "%s/1", r->ensemble->dir);
    if (txnlog_read(dir, "/r", log, &err) < 0)
        fail_msg("%s", err.text);
    STR_COPY(r->what, "transaction");
    for (;; count++) {
        bool a_found, b_found;
        struct history_entry a = normal(log, &i, &a_found);
        struct history_entry b = normal(model, &j, &b_found);

        r->number = count;
        SAME("more transactions", a_found, b_found);
        if (!a_found)
            break;
        SAME("zxid", a.zxid - r->real.first_zxid, b.zxid - r->model.first_zxid);
        SAME("close", a.close, b.close);
        SAME("operations", a.ops_count, b.ops_count);
        compare_ops(r, &a, &b);
    }
    print_message("%d transactions compared\n", count);
    assert_in_range(count, 500, 4000);
    history_free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_model_answers_as_the_server_does),
        cmocka_unit_test(the_servers_log_is_the_models_history),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
