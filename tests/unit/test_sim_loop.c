/* test_sim_loop.c - a loop on a false clock.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/sim_loop.h"
#include "tests/unit/cmocka_all.h"

struct fixture {
    struct sim_loop *sim;
    struct loop *loop;
    struct timer a, b;
    int64_t ran_at_ms;
    int runs;
    char order[8];
};

static int setup(void **state)
{
    static struct fixture f;

    f = (struct fixture){.sim = sim_loop_new(7)};
    f.loop = sim_loop_port(f.sim);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    sim_loop_free(((struct fixture *)*state)->sim);
    return 0;
}

static void note(void *ctx)
{
    struct fixture *f = ctx;

    f->ran_at_ms = sim_loop_now_ms(f->sim);
    f->runs++;
}

static void again_in_a_second(void *ctx)
{
    struct fixture *f = ctx;

    note(ctx);
    timer_start(&f->a, f->loop, 1000, again_in_a_second, f);
}

static bool ran_three_times(void *ctx)
{
    return ((struct fixture *)ctx)->runs == 3;
}

static bool never(void *ctx)
{
    return false;
}

static void time_jumps_to_the_next_deadline(void **state)
{
    struct fixture *f = *state;
    int64_t start_ms = sim_loop_now_ms(f->sim);

    timer_start(&f->a, f->loop, 86400000, note, f);
    assert_true(sim_loop_step(f->sim, INT64_MAX));

    assert_int_equal(f->ran_at_ms, start_ms + 86400000);
    assert_false(sim_loop_step(f->sim, start_ms + 90000000));
    assert_int_equal(sim_loop_now_ms(f->sim), start_ms + 90000000);
}

static void nothing_behind_the_limit_runs(void **state)
{
    struct fixture *f = *state;

    timer_start(&f->a, f->loop, 1001, note, f);
    sim_loop_run_for(f->sim, 1000);
    assert_int_equal(f->runs, 0);
    sim_loop_run_for(f->sim, 1);
    assert_int_equal(f->runs, 1);
}

static void a_predicate_ends_the_run(void **state)
{
    struct fixture *f = *state;
    int64_t start_ms = sim_loop_now_ms(f->sim);

    timer_start(&f->a, f->loop, 1000, again_in_a_second, f);

    assert_true(sim_loop_run_until(f->sim, ran_three_times, f, 60000));
    assert_int_equal(sim_loop_now_ms(f->sim), start_ms + 3000);
    assert_false(sim_loop_run_until(f->sim, never, f, 5000));
    assert_int_equal(sim_loop_now_ms(f->sim), start_ms + 8000);
}

static void housekeeping_in_the_background_is_not_work(void **state)
{
    struct fixture *f = *state;

    timer_start(&f->a, f->loop, 500, note, f);
    timer_start(&f->b, sim_loop_background(f->sim), 3600000, note, f);

    assert_true(sim_loop_run_until_idle(f->sim, 60000));
    assert_int_equal(f->runs, 1);
    timer_start(&f->a, f->loop, 1000, again_in_a_second, f);
    assert_false(sim_loop_run_until_idle(f->sim, 60000));
}

static void the_wall_clock_jumps_alone(void **state)
{
    struct fixture *f = *state;
    int64_t now_ms = loop_now_ms(f->loop);

    assert_int_equal(loop_wall_ms(f->loop), SIM_WALL_START_MS);
    sim_loop_jump_wall(f->sim, -5000);
    assert_int_equal(loop_wall_ms(f->loop), SIM_WALL_START_MS - 5000);
    sim_loop_set_wall(f->sim, 42);
    sim_loop_run_for(f->sim, 8);
    assert_int_equal(loop_wall_ms(f->loop), 50);
    assert_int_equal(loop_now_ms(f->loop), now_ms + 8);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(time_jumps_to_the_next_deadline),
        TEST(nothing_behind_the_limit_runs),
        TEST(a_predicate_ends_the_run),
        TEST(housekeeping_in_the_background_is_not_work),
        TEST(the_wall_clock_jumps_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
