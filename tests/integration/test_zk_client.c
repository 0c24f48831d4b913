/* test_zk_client.c - the client against one real server.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/integration/zk_fixture.h"

#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct zk_ensemble *ensemble;

static int group_begin(void **state)
{
    struct error err;
    if (zk_ensemble_start(1, 500, &ensemble, &err) < 0)
        fail_msg("%s", err.text);
    return 0;
}

static int group_end(void **state)
{
    zk_ensemble_free(ensemble);
    return 0;
}

/* Each test works below a node of its own. */
static const char *place(struct heard *h, const char *leaf)
{
    static int number;
    static char root[64], path[8][128];
    static int at;
    if (leaf == NULL) {
        (void)snprintf(root, sizeof(root), "/test-%d", ++number);
        assert_int_equal(ask_create(h, root, NULL, 0)->result, ZK_OK);
        return root;
    }
    at = (at + 1) % 8;
    (void)snprintf(path[at], sizeof(path[at]), "%s/%s", root, leaf);
    return path[at];
}

static struct heard *open_plain(void)
{
    return session_open(ensemble->servers, NULL, 4000);
}

static void a_session_says_where_it_is_connected(void **state)
{
    struct heard *h = open_plain();

    assert_int_equal(h->count, 1);
    assert_true(h->fresh[0]);
    assert_true(h->zk->connected);
    assert_int_not_equal(h->zk->session_id, 0);
    assert_string_equal(h->zk->server, ensemble->servers);
    assert_true(str_starts(zk_client_says(h->zk), "connected to 127.0.0.1:"));
}

static void a_node_is_created_read_changed_and_deleted(void **state)
{
    struct heard *h = open_plain();
    (void)place(h, NULL);
    const char *path = place(h, "a");

    const struct answer *a = ask_create(h, path, "one", 0);
    assert_int_equal(a->result, ZK_OK);
    assert_string_equal(a->path, path);
    a = ask_create(h, path, "one", 0);
    assert_int_equal(a->result, ZK_NODE_EXISTS);
    a = ask_get(h, path, NULL);
    assert_int_equal(a->result, ZK_OK);
    assert_string_equal(a->data, "one");
    assert_int_equal(a->data_len, 3);
    assert_int_equal(a->stat.version, 0);
    assert_int_equal(a->stat.data_len, 3);
    a = ask_set(h, path, "two", 0);
    assert_int_equal(a->result, ZK_OK);
    assert_int_equal(a->stat.version, 1);
    a = ask_set(h, path, "three", 0);
    assert_int_equal(a->result, ZK_BAD_VERSION);
    a = ask_exists(h, path, NULL);
    assert_int_equal(a->result, ZK_OK);
    assert_true(a->stat.mzxid > a->stat.czxid);
    assert_int_equal(ask_delete(h, path, 7)->result, ZK_BAD_VERSION);
    assert_int_equal(ask_delete(h, path, 1)->result, ZK_OK);
    assert_int_equal(ask_get(h, path, NULL)->result, ZK_NO_NODE);
    assert_int_equal(ask_exists(h, path, NULL)->result, ZK_NO_NODE);
    assert_int_equal(ask_sync(h, "/")->result, ZK_OK);
}

static void an_empty_node_reads_as_an_empty_string(void **state)
{
    struct heard *h = open_plain();
    (void)place(h, NULL);
    (void)ask_create(h, place(h, "e"), NULL, 0);

    const struct answer *a = ask_get(h, place(h, "e"), NULL);

    assert_int_equal(a->result, ZK_OK);
    assert_int_equal(a->data_len, 0);
    assert_string_equal(a->data, "");
}

static void children_are_listed_by_name(void **state)
{
    struct heard *h = open_plain();
    const char *root = place(h, NULL);
    (void)ask_create(h, place(h, "x"), NULL, 0);
    (void)ask_create(h, place(h, "y"), NULL, 0);

    const struct answer *a = ask_children(h, root, NULL);

    assert_int_equal(a->result, ZK_OK);
    assert_int_equal(a->children_count, 2);
    assert_true(str_equal(a->children[0], "x") || str_equal(a->children[0], "y"));
    assert_int_equal(ask_children(h, place(h, "x"), NULL)->children_count, 0);
    assert_int_equal(ask_delete(h, root, -1)->result, ZK_NOT_EMPTY);
}

static void sequential_and_ephemeral_nodes_are_what_they_say(void **state)
{
    struct heard *h = open_plain();
    struct heard *other = open_plain();
    (void)place(h, NULL);

    const struct answer *a =
        ask_create(other, place(h, "t-"), "x", ZK_EPHEMERAL | ZK_SEQUENTIAL);
    assert_int_equal(a->result, ZK_OK);
    assert_string_equal(a->path, place(h, "t-0000000000"));
    char made[256];
    (void)STR_COPY(made, a->path);
    a = ask_exists(h, made, NULL);
    assert_int_equal(a->stat.ephemeral_owner, other->zk->session_id);
    char below[300];
    (void)snprintf(below, sizeof(below), "%s/c", made);
    assert_int_equal(ask_create(h, below, NULL, 0)->result, ZK_EPHEMERAL_PARENT);
    session_close(other);

    assert_int_equal(ask_exists(h, made, NULL)->result, ZK_NO_NODE);
}

static void a_multi_answers_for_each_operation(void **state)
{
    struct heard *h = open_plain();
    (void)place(h, NULL);
    (void)ask_create(h, place(h, "rec"), "idle", 0);
    (void)ask_create(h, place(h, "gate"), "run", 0);
    (void)ask_create(h, place(h, "old"), "", 0);
    struct zk_op ops[] = {
        {.kind = ZK_OP_CHECK, .path = place(h, "gate"), .version = 0},
        {.kind = ZK_OP_CREATE,
         .path = place(h, "t-"),
         .data = "d",
         .data_len = 1,
         .flags = ZK_SEQUENTIAL},
        {.kind = ZK_OP_SET, .path = place(h, "rec"), .data = "held", .data_len = 4},
        {.kind = ZK_OP_DELETE, .path = place(h, "old"), .version = -1},
    };

    const struct answer *a = ask_multi(h, ops, 4);

    assert_int_equal(a->result, ZK_OK);
    assert_int_equal(a->failed_op, -1);
    assert_int_equal(a->ops_count, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(a->op_results[i], ZK_OK);
    assert_string_equal(a->op_paths[1], place(h, "t-0000000003"));
    assert_int_equal(a->op_stats[2].version, 1);
    assert_true(a->op_stats[2].mzxid > 0);
}

static void a_failed_multi_names_the_guilty_operation_and_changes_nothing(void **state)
{
    struct heard *h = open_plain();
    (void)place(h, NULL);
    (void)ask_create(h, place(h, "rec"), "idle", 0);
    struct zk_op ops[] = {
        {.kind = ZK_OP_SET,
         .path = place(h, "rec"),
         .data = "x",
         .data_len = 1,
         .version = 0},
        {.kind = ZK_OP_CHECK, .path = place(h, "rec"), .version = 9},
        {.kind = ZK_OP_CREATE, .path = place(h, "new")},
    };

    const struct answer *a = ask_multi(h, ops, 3);
    assert_int_equal(a->result, ZK_BAD_VERSION);
    assert_int_equal(a->failed_op, 1);
    assert_int_equal(a->op_results[1], ZK_BAD_VERSION);
    assert_int_not_equal(a->op_results[0], ZK_OK);
    assert_int_not_equal(a->op_results[2], ZK_OK);
    assert_int_equal(ask_get(h, place(h, "rec"), NULL)->stat.version, 0);

    a = ask_multi(h, &ops[1], 1);
    assert_int_equal(a->failed_op, 0);
    ops[0].version = 3;
    a = ask_multi(h, ops, 2);
    assert_int_equal(a->failed_op, 0);
    ops[0].path = place(h, "absent");
    ops[0].version = -1;
    a = ask_multi(h, ops, 2);
    assert_int_equal(a->result, ZK_NO_NODE);
    assert_int_equal(a->failed_op, 0);
}

static void what_the_server_would_choke_on_is_refused_here(void **state)
{
    struct heard *h = open_plain();
    (void)place(h, NULL);
    size_t size = 1048575;
    char *big = mem_new(size + 1);
    memset(big, 'x', size);
    struct answer a = {0};

    (void)zk_create(h->zk, place(h, "big"), big, size, 0, on_answer, &a);
    assert_true(run_until(&a.times, 1, 5000));
    assert_int_equal(a.result, ZK_TOO_BIG);
    struct zk_op ops[] = {
        {.kind = ZK_OP_CREATE,
         .path = place(h, "a"),
         .data = big,
         .data_len = size / 2},
        {.kind = ZK_OP_CREATE,
         .path = place(h, "b"),
         .data = big,
         .data_len = size / 2},
    };
    assert_int_equal(ask_multi(h, ops, 2)->result, ZK_TOO_BIG);
    ops[0].data_len = ops[1].data_len = 1;
    ops[0].path = "relative";
    assert_int_equal(ask_multi(h, ops, 2)->result, ZK_INVALID);
    assert_int_equal(ask_multi(h, ops, 0)->result, ZK_INVALID);
    assert_int_equal(ask_create(h, "/a//b", "", 0)->result, ZK_INVALID);
    assert_int_equal(ask_get(h, "/a/../b", NULL)->result, ZK_INVALID);
    assert_int_equal(ask_create(h, place(h, "c"), "", 8)->result, ZK_INVALID);
    assert_int_equal(ask_create(h, place(h, "p"), "", ZK_PROTECTED)->result,
                     ZK_INVALID);
    free(big);

    assert_int_equal(h->counts[ZK_SESSION_DISCONNECTED], 0);
    assert_int_equal(ask_exists(h, "/", NULL)->result, ZK_OK);
}

static void the_biggest_request_that_is_let_through_is_served(void **state)
{
    struct heard *h = open_plain();
    (void)place(h, NULL);
    const char *path = place(h, "big");
    size_t size = 1048575 - (8 + 4 + strlen(path) + 4 + 4); /* a set's own bytes */
    char *big = mem_new(size + 1);
    memset(big, 'x', size);
    struct answer a = {0};
    (void)ask_create(h, path, "", 0);

    (void)zk_set(h->zk, path, big, size, -1, on_answer, &a);
    assert_true(run_until(&a.times, 1, 5000));
    assert_int_equal(a.result, ZK_OK);
    (void)zk_set(h->zk, path, big, size + 1, -1, on_answer, &a);
    assert_true(run_until(&a.times, 2, 5000));
    assert_int_equal(a.result, ZK_TOO_BIG);
    (void)zk_get(h->zk, path, NULL, on_answer, &a);
    assert_true(run_until(&a.times, 3, 5000));
    assert_int_equal(a.data_len, size);
    free(big);

    assert_int_equal(h->counts[ZK_SESSION_DISCONNECTED], 0);
}

static void only_the_right_digest_may_touch_what_a_digest_made(void **state)
{
    struct heard *owner = session_open(ensemble->servers, "clowder:right", 4000);
    struct heard *wrong = session_open(ensemble->servers, "clowder:wrong", 4000);
    struct heard *none = open_plain();
    const char *root = "/guarded";

    assert_int_equal(ask_create(owner, root, "secret", 0)->result, ZK_OK);
    assert_int_equal(ask_create(owner, "/guarded/p", "s", ZK_PROTECTED)->result, ZK_OK);
    assert_int_equal(ask_get(owner, root, NULL)->result, ZK_OK);
    /* an ordinary node: the flag is not the library's "container" */
    assert_int_equal(ask_exists(owner, "/guarded/p", NULL)->stat.ephemeral_owner, 0);
    assert_int_equal(
        ask_create(owner, "/guarded/e", "", ZK_PROTECTED | ZK_EPHEMERAL)->result,
        ZK_OK);
    assert_int_equal(ask_delete(owner, "/guarded/e", -1)->result, ZK_OK);
    assert_int_equal(ask_get(wrong, root, NULL)->result, ZK_NO_AUTH);
    assert_int_equal(ask_set(none, root, "x", -1)->result, ZK_NO_AUTH);
    assert_int_equal(ask_create(wrong, "/guarded/c", "x", 0)->result, ZK_NO_AUTH);
    assert_int_equal(ask_delete(wrong, "/guarded/p", -1)->result, ZK_NO_AUTH);
    struct zk_op ops[] = {{.kind = ZK_OP_CHECK, .path = "/", .version = -1},
                          {.kind = ZK_OP_SET, .path = root, .version = -1}};
    const struct answer *a = ask_multi(wrong, ops, 2);
    assert_int_equal(a->result, ZK_NO_AUTH);
    assert_int_equal(a->failed_op, 1);
    assert_int_equal(ask_delete(owner, "/guarded/p", -1)->result, ZK_OK);
    assert_int_equal(ask_delete(owner, root, -1)->result, ZK_OK);
}

static void a_digest_without_a_colon_is_refused(void **state)
{
    struct zk_client_config config = {.servers = "127.0.0.1:1", .digest = "nonsense"};
    struct zk *zk;
    struct error err;

    assert_int_equal(zk_client_new(el, &config, &zk, &err), -EINVAL);
    assert_non_null(strstr(err.text, "user:password"));
}

static void watches_fire_once_on_a_change_and_never_else(void **state)
{
    struct heard *h = open_plain();
    struct heard *other = open_plain();
    const char *root = place(h, NULL);
    int data = 0, made = 0, children = 0;
    struct zk_watch on_data, on_made, on_children;
    zk_watch_init(&on_data, on_fired, &data);
    zk_watch_init(&on_made, on_fired, &made);
    zk_watch_init(&on_children, on_fired, &children);
    (void)ask_create(h, place(h, "n"), "", 0);

    assert_int_equal(ask_get(h, place(h, "n"), &on_data)->result, ZK_OK);
    assert_int_equal(ask_exists(h, place(h, "m"), &on_made)->result, ZK_NO_NODE);
    assert_int_equal(ask_children(h, root, &on_children)->result, ZK_OK);
    assert_non_null(on_data.armed);
    run_for(50);
    assert_int_equal(data + made + children, 0);

    (void)ask_set(other, place(h, "n"), "1", -1);
    assert_true(run_until(&data, 1, 5000));
    assert_null(on_data.armed);
    (void)ask_create(other, place(h, "m"), "", 0);
    assert_true(run_until(&made, 1, 5000));
    assert_true(run_until(&children, 1, 5000));
    (void)ask_set(other, place(h, "n"), "2", -1);
    (void)ask_delete(other, place(h, "m"), -1);
    run_for(100);
    assert_int_equal(data, 1);
    assert_int_equal(made, 1);
    assert_int_equal(children, 1);
}

static void a_watch_of_a_failed_read_is_not_armed(void **state)
{
    struct heard *h = open_plain();
    (void)place(h, NULL);
    int fired = 0;
    struct zk_watch watch;
    zk_watch_init(&watch, on_fired, &fired);

    assert_int_equal(ask_get(h, place(h, "absent"), &watch)->result, ZK_NO_NODE);
    assert_null(watch.armed);
    assert_int_equal(ask_children(h, place(h, "absent"), &watch)->result, ZK_NO_NODE);
    assert_null(watch.armed);
    (void)ask_create(h, place(h, "absent"), "", 0);
    run_for(100);

    assert_int_equal(fired, 0);
}

static void several_watches_on_one_node_all_fire(void **state)
{
    struct heard *h = open_plain();
    (void)place(h, NULL);
    (void)ask_create(h, place(h, "n"), "", 0);
    int fired[4] = {0};
    struct zk_watch watch[4];
    for (int i = 0; i < 4; i++) {
        zk_watch_init(&watch[i], on_fired, &fired[i]);
        (void)(i % 2 ? ask_get(h, place(h, "n"), &watch[i])
                     : ask_exists(h, place(h, "n"), &watch[i]));
    }
    zk_disarm(h->zk, &watch[2]);
    assert_null(watch[2].armed);

    (void)ask_set(h, place(h, "n"), "x", -1);

    assert_true(run_until(&fired[0], 1, 5000));
    assert_true(run_until(&fired[1], 1, 5000));
    assert_true(run_until(&fired[3], 1, 5000));
    run_for(50);
    assert_int_equal(fired[2], 0);
}

static void a_watch_given_again_stays_one_watch(void **state)
{
    struct heard *h = open_plain();
    (void)place(h, NULL);
    (void)ask_create(h, place(h, "n"), "", 0);
    int fired = 0;
    struct zk_watch watch;
    zk_watch_init(&watch, on_fired, &fired);

    for (int i = 0; i < 20; i++)
        assert_int_equal(ask_exists(h, place(h, "n"), &watch)->result, ZK_OK);
    (void)ask_set(h, place(h, "n"), "x", -1);
    assert_true(run_until(&fired, 1, 5000));
    (void)ask_set(h, place(h, "n"), "y", -1);
    run_for(50);

    assert_int_equal(fired, 1);
}

struct chain { /* answers each result by the next request; then by freeing the session
                */
    struct heard *h;
    int left, done;
    bool free_at_end;
};

static void on_chain(void *ctx, const struct zk_reply *reply)
{
    struct chain *chain = ctx;
    if (--chain->left > 0) {
        (void)zk_exists(chain->h->zk, "/", NULL, on_chain, chain);
        return;
    }
    chain->done = 1;
    if (chain->free_at_end)
        session_close(chain->h);
}

static void a_callback_may_ask_again_and_may_free_the_session(void **state)
{
    struct chain chain = {.h = open_plain(), .left = 50, .free_at_end = true};

    (void)zk_exists(chain.h->zk, "/", NULL, on_chain, &chain);
    struct answer never = {0};
    for (int i = 0; i < 100; i++)
        (void)zk_get(chain.h->zk, "/", NULL, on_answer, &never);

    assert_true(run_until(&chain.done, 1, 5000));
    run_for(20);
}

static void refusals_do_not_starve_the_loop(void **state)
{
    struct zk_client_config config = {.servers = "127.0.0.1:1"};
    struct chain chain = {.h = session_new(&config), .left = 1000000};
    int64_t from_ms = loop_now_ms(event_loop_port(el));

    (void)zk_exists(chain.h->zk, "/", NULL, on_chain,
                    &chain); /* not connected: refused */
    run_for(100);

    assert_in_range(loop_now_ms(event_loop_port(el)) - from_ms, 100, 1000);
    assert_int_equal(chain.done, 0);
}

static void on_never(void *ctx, const struct zk_reply *reply)
{
    fail_msg("a cancelled request called back");
}

static void on_never_fired(void *ctx)
{
    fail_msg("a disarmed watch fired");
}

/* Points: 0 right after the start; then after every few turns of the loop, so that the
 * answer is on its way, in the library, in the queue, or told. */
static void a_request_can_be_cancelled_at_every_point(void **state)
{
    struct heard *h = open_plain();
    struct heard *other = open_plain();
    (void)place(h, NULL);
    const char *path = place(h, "n");
    (void)ask_create(h, path, "", 0);
    struct zk_op ops[] = {{.kind = ZK_OP_CHECK, .path = path, .version = -1},
                          {.kind = ZK_OP_SET, .path = path, .version = -1}};

    for (int round = 0; round < 300; round++) {
        struct zk_watch watch[3];
        for (int i = 0; i < 3; i++)
            zk_watch_init(&watch[i], on_never_fired, NULL);
        struct zk_request *r[7] = {
            zk_get(h->zk, path, &watch[0], on_never, NULL),
            zk_exists(h->zk, path, &watch[1], on_never, NULL),
            zk_children(h->zk, path, &watch[2], on_never, NULL),
            zk_multi(h->zk, ops, 2, on_never, NULL),
            zk_set(h->zk, path, "x", 1, -1, on_never, NULL),
            zk_sync(h->zk, path, on_never, NULL),
            zk_get(h->zk, "//", NULL, on_never, NULL),
        };
        if (round % 2)
            zk_cancel(h->zk, r[0]);
        for (int i = round % 2; i < 7; i++)
            zk_cancel(h->zk, r[i]);
        zk_cancel(h->zk, NULL);
        for (int i = 0; i < 3; i++) {
            assert_null(watch[i].armed);
            zk_disarm(h->zk, &watch[i]);
        }
        (void)ask_set(other, path, "y", -1);
    }
    run_for(50);
    assert_int_equal(ask_get(h, path, NULL)->result, ZK_OK);
}

struct canceller { /* the first answer cancels all others: they are queued or out */
    struct heard *h;
    struct zk_request *others[8];
    struct zk_watch *watches[8];
    int told;
};

static void on_first(void *ctx, const struct zk_reply *reply)
{
    struct canceller *c = ctx;
    c->told++;
    for (int i = 0; i < 8; i++) {
        zk_cancel(c->h->zk, c->others[i]);
        assert_null(c->watches[i]->armed);
    }
}

static void an_answer_may_cancel_the_other_answers_of_its_turn(void **state)
{
    struct heard *h = open_plain();
    (void)place(h, NULL);
    const char *path = place(h, "n");
    (void)ask_create(h, path, "", 0);
    struct zk_watch watches[8];

    for (int round = 0; round < 20; round++) {
        struct canceller c = {.h = h};
        (void)zk_get(h->zk, path, NULL, on_first, &c);
        for (int i = 0; i < 8; i++) {
            zk_watch_init(&watches[i], on_never_fired, NULL);
            c.watches[i] = &watches[i];
            c.others[i] = zk_get(h->zk, path, &watches[i], on_never, NULL);
        }
        usleep(5000); /* let all answers arrive in one turn; proves nothing if they do
                         not */
        assert_true(run_until(&c.told, 1, 5000));
        (void)ask_set(h, path, "x", -1);
    }
}

struct disarmer { /* the first of two watches disarms the second, which is queued too */
    struct heard *h;
    struct zk_watch *other;
    int told;
};

static void on_first_fired(void *ctx)
{
    struct disarmer *d = ctx;
    d->told++;
    zk_disarm(d->h->zk, d->other);
    assert_null(d->other->armed);
}

static void a_watch_can_be_disarmed_at_every_point(void **state)
{
    struct heard *h = open_plain();
    (void)place(h, NULL);
    const char *path = place(h, "n");
    (void)ask_create(h, path, "", 0);
    struct zk_watch watch;

    /* in flight: the answer comes, the watch does not */
    struct answer a = {0};
    zk_watch_init(&watch, on_never_fired, NULL);
    (void)zk_get(h->zk, path, &watch, on_answer, &a);
    zk_disarm(h->zk, &watch);
    assert_null(watch.armed);
    assert_true(run_until(&a.times, 1, 5000));
    (void)ask_set(h, path, "1", -1);
    /* armed */
    for (int i = 0; i < 50; i++) {
        (void)ask_get(h, path, &watch);
        zk_disarm(h->zk, &watch);
        zk_disarm(h->zk, &watch);
    }
    (void)ask_set(h, path, "2", -1);
    /* armed, the event on its way */
    (void)ask_get(h, path, &watch);
    (void)zk_set(h->zk, path, "3", 1, -1, on_answer, &a);
    zk_disarm(h->zk, &watch);
    run_for(50);
    /* fired and queued behind another: which of the two is told first is open */
    struct zk_watch pair[2];
    struct disarmer d[2] = {{.h = h, .other = &pair[1]}, {.h = h, .other = &pair[0]}};
    zk_watch_init(&pair[0], on_first_fired, &d[0]);
    zk_watch_init(&pair[1], on_first_fired, &d[1]);
    (void)ask_get(h, path, &pair[0]);
    (void)ask_get(h, path, &pair[1]);
    (void)ask_set(h, path, "4", -1);
    run_for(50);
    assert_int_equal(d[0].told + d[1].told, 1);
}

static void freeing_a_session_drops_all_that_waits(void **state)
{
    for (int turns = 0; turns < 20; turns++) {
        struct heard *h = open_plain();
        struct zk_watch watch[2];
        zk_watch_init(&watch[0], on_never_fired, NULL);
        zk_watch_init(&watch[1], on_never_fired, NULL);
        (void)ask_exists(h, "/", &watch[0]);
        for (int i = 0; i < 10; i++)
            (void)zk_get(h->zk, "/", i ? NULL : &watch[1], on_never, NULL);
        (void)zk_create(h->zk, "//", NULL, 0, 0, on_never, NULL);

        session_close(h);

        assert_null(watch[0].armed);
        assert_null(watch[1].armed);
    }
    run_for(20);
}

static void a_session_can_be_freed_at_every_moment_of_its_start(void **state)
{
    for (int ms = 0; ms < 25; ms++) {
        struct zk_client_config config = {.servers = ensemble->servers,
                                          .digest = ms % 2 ? "u:p" : NULL};
        struct heard *h = session_new(&config);
        run_for(ms);
        session_close(h);
    }
}

static int socket_of(const struct heard *h)
{
    int port = atoi(strrchr(h->zk->server, ':') + 1);
    for (int fd = 0; fd < 1024; fd++) {
        struct sockaddr_in peer;
        socklen_t len = sizeof(peer);
        if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0 &&
            peer.sin_family == AF_INET && ntohs(peer.sin_port) == port)
            return fd;
    }
    return -1;
}

static void the_clients_socket_is_not_inherited(void **state)
{
    struct heard *h = open_plain();

    int fd = socket_of(h);

    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

static void a_cut_connection_is_made_again_with_the_same_session(void **state)
{
    struct heard *h = open_plain();
    (void)place(h, NULL);
    (void)ask_create(h, place(h, "e"), "", ZK_EPHEMERAL);
    int64_t id = h->zk->session_id;
    int fired = 0;
    struct zk_watch watch;
    zk_watch_init(&watch, on_fired, &fired);
    (void)ask_get(h, place(h, "e"), &watch);

    struct answer a = {0};
    (void)zk_get(h->zk, place(h, "e"), NULL, on_answer, &a);
    (void)shutdown(socket_of(h), SHUT_RDWR);

    assert_true(session_wait(h, ZK_SESSION_DISCONNECTED, 1, 5000));
    assert_int_equal(a.times, 1);
    assert_false(h->zk->connected);
    assert_int_equal(ask_get(h, "/", NULL)->result, ZK_NOT_CONNECTED);
    assert_true(session_wait(h, ZK_SESSION_CONNECTED, 2, 5000));
    assert_false(h->fresh[2]);
    assert_int_equal(h->zk->session_id, id);
    assert_int_equal(fired, 0);
    assert_int_equal(fcntl(socket_of(h), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    (void)ask_set(h, place(h, "e"), "x", -1);
    assert_true(run_until(&fired, 1, 5000)); /* the watch survived */
}

static void
a_call_that_finds_the_socket_dead_is_ambiguous_and_not_repeated(void **state)
{
    struct heard *h = open_plain();
    struct heard *other = open_plain();
    (void)place(h, NULL);
    struct answer a[20] = {{0}};

    int fd = socket_of(h); /* the first session's: it has the lowest number */
    (void)shutdown(fd,
                   SHUT_WR); /* the next send fails inside the call, which says ZOK */
    for (int i = 0; i < 20; i++) {
        (void)zk_create(h->zk, place(h, "n-"), "", 0, ZK_SEQUENTIAL, on_answer, &a[i]);
        assert_int_equal(a[i].times, 0);
    }
    assert_true(session_wait(h, ZK_SESSION_CONNECTED, 2, 8000));
    run_for(200);

    int ambiguous = 0;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(a[i].times, 1);
        assert_true(a[i].result == ZK_AMBIGUOUS || a[i].result == ZK_NOT_CONNECTED);
        ambiguous += a[i].result == ZK_AMBIGUOUS;
    }
    assert_in_range(ambiguous, 1, 20);
    const char *one = place(h, "n-x");
    char root[128];
    (void)str_copy(root, (size_t)(strrchr(one, '/') - one) + 1, one);
    assert_int_equal(ask_children(other, root, NULL)->children_count, 0);
    assert_int_equal(ask_create(h, one, "", 0)->result, ZK_OK);
}

int main(void)
{
    zk_server_require();
#define T(f) cmocka_unit_test_setup_teardown(f, fixture_begin, fixture_end)
    const struct CMUnitTest tests[] = {
        T(a_session_says_where_it_is_connected),
        T(a_node_is_created_read_changed_and_deleted),
        T(an_empty_node_reads_as_an_empty_string),
        T(children_are_listed_by_name),
        T(sequential_and_ephemeral_nodes_are_what_they_say),
        T(a_multi_answers_for_each_operation),
        T(a_failed_multi_names_the_guilty_operation_and_changes_nothing),
        T(what_the_server_would_choke_on_is_refused_here),
        T(the_biggest_request_that_is_let_through_is_served),
        T(only_the_right_digest_may_touch_what_a_digest_made),
        T(a_digest_without_a_colon_is_refused),
        T(watches_fire_once_on_a_change_and_never_else),
        T(a_watch_of_a_failed_read_is_not_armed),
        T(several_watches_on_one_node_all_fire),
        T(a_watch_given_again_stays_one_watch),
        T(a_callback_may_ask_again_and_may_free_the_session),
        T(refusals_do_not_starve_the_loop),
        T(a_request_can_be_cancelled_at_every_point),
        T(an_answer_may_cancel_the_other_answers_of_its_turn),
        T(a_watch_can_be_disarmed_at_every_point),
        T(freeing_a_session_drops_all_that_waits),
        T(a_session_can_be_freed_at_every_moment_of_its_start),
        T(the_clients_socket_is_not_inherited),
        T(a_cut_connection_is_made_again_with_the_same_session),
        T(a_call_that_finds_the_socket_dead_is_ambiguous_and_not_repeated),
    };
    return cmocka_run_group_tests(tests, group_begin, group_end);
}
