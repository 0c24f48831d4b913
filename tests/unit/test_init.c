/* test_init.c - `clowder init` over the model ZooKeeper.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/str.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/operator_fixture.h"

#include <errno.h>
#include <string.h>

static const char cluster[] = "aaaaaaaa-2222-3333-4444-555555555555";

static int run(struct desk_fixture *f, struct init *init)
{
    struct init_request wanted = {.root = ROOT};
    STR_COPY(wanted.cluster, cluster);
    init_start(init, f->zk, f->loop, &wanted, desk_done, f);
    return desk_wait(f);
}

static void the_root_comes_into_being_whole(void **state)
{
    struct desk_fixture f;
    struct init init = {0};
    desk_begin(&f, NULL);

    assert_int_equal(run(&f, &init), 0);

    assert_false(init.was_there);
    assert_string_equal(init.cluster, cluster);
    assert_int_equal(desk_children(&f, ROOT), 4);
    assert_string_equal(desk_current(&f).rollout, "");
    desk_end(&f);
}

static void a_root_that_is_there_is_left_alone(void **state)
{
    struct desk_fixture f;
    struct init init = {0};
    desk_begin(&f, NULL);
    desk_init(&f);

    assert_int_equal(run(&f, &init), 0);

    assert_true(init.was_there);
    assert_int_equal(init.mended, 0);
    assert_string_equal(init.cluster, "11111111-2222-3333-4444-555555555555");
    assert_int_equal(desk_children(&f, ROOT), 4);
    desk_end(&f);
}

static void a_child_that_is_missing_is_put_back(void **state)
{
    struct desk_fixture f;
    struct init init = {0};
    struct zk_op gone = {.kind = ZK_OP_DELETE, .path = ROOT "/live", .version = -1};
    desk_begin(&f, NULL);
    desk_init(&f);
    assert_int_equal(model_zk_poke(f.mz, &gone, 1), ZK_OK);

    assert_int_equal(run(&f, &init), 0);

    assert_int_equal(init.mended, 1);
    assert_int_equal(desk_children(&f, ROOT "/live"), 0);
    desk_end(&f);
}

static void a_root_of_a_newer_program_is_refused(void **state)
{
    struct desk_fixture f;
    struct init init = {0};
    desk_begin(&f, NULL);
    desk_init(&f);
    desk_poke_set(&f, ROOT,
                  "{\"v\":2,\"cluster\":\"11111111-2222-3333-4444-555555555555\"}");

    assert_true(run(&f, &init) < 0);

    assert_non_null(strstr(f.err.text, ROOT));
    assert_non_null(strstr(f.err.text, "newer"));
    desk_end(&f);
}

static void somebody_elses_root_is_refused(void **state)
{
    struct desk_fixture f;
    struct init init = {0};
    desk_begin(&f, NULL);
    desk_poke_create(&f, "/t", "");
    desk_poke_create(&f, ROOT, "marathon");

    assert_true(run(&f, &init) < 0);

    assert_non_null(strstr(f.err.text, ROOT));
    assert_int_equal(desk_children(&f, ROOT), 0);
    desk_end(&f);
}

static void lost_replies_do_not_matter(void **state)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct desk_fixture f;
        struct init init = {0};
        struct model_zk_config config = {
            .seed = seed,
            .faults_ppm = {
                [MODEL_ZK_FAULT_LOST] = 200000, [MODEL_ZK_FAULT_APPLIED] = 200000}};
        desk_begin(&f, &config);

        if (run(&f, &init) < 0)
            fail_msg("seed %d: %s", (int)seed, f.err.text);

        assert_false(init.was_there);
        assert_int_equal(desk_children(&f, ROOT), 4);
        desk_end(&f);
    }
}

static void it_can_be_cancelled_at_any_moment(void **state)
{
    for (int turns = 0; turns < 40; turns++) {
        struct desk_fixture f;
        struct init init = {0};
        struct init_request wanted = {.root = ROOT};
        desk_begin(&f, NULL);
        STR_COPY(wanted.cluster, cluster);
        init_start(&init, f.zk, f.loop, &wanted, desk_done, &f);
        for (int i = 0; i < turns && !f.done; i++)
            (void)sim_loop_step(f.sim, INT64_MAX);
        int calls = f.calls;

        init_cancel(&init);
        sim_loop_run_for(f.sim, 60000);

        assert_int_equal(f.calls, calls);
        desk_end(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_root_comes_into_being_whole),
        cmocka_unit_test(a_root_that_is_there_is_left_alone),
        cmocka_unit_test(a_child_that_is_missing_is_put_back),
        cmocka_unit_test(a_root_of_a_newer_program_is_refused),
        cmocka_unit_test(somebody_elses_root_is_refused),
        cmocka_unit_test(lost_replies_do_not_matter),
        cmocka_unit_test(it_can_be_cancelled_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
