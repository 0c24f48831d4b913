/* test_flow.c - loop and flow on a false clock.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/io/flow.h"
#include "shared/io/loop.h"
#include "tests/unit/cmocka_all.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct loop loop;
static int64_t clock_now_ms, told_ms;
static int tell_count;

static int64_t false_now(struct loop *l)
{
    return clock_now_ms;
}

static void false_wake(struct loop *l, int64_t at_ms)
{
    told_ms = at_ms;
    tell_count++;
}

static const struct loop_ops false_ops = {false_now, false_now, false_wake};

static int begin(void **state)
{
    clock_now_ms = 1000;
    told_ms = INT64_MAX;
    tell_count = 0;
    loop_init(&loop, &false_ops, 7);
    return 0;
}

static int end(void **state)
{
    assert_true(loop_next_deadline_ms(&loop) == INT64_MAX);
    loop_done(&loop);
    return 0;
}

/* One turn: jumps to what the driver was told; false when nothing is armed. */
static bool turn(void)
{
    assert_true(told_ms == loop_next_deadline_ms(&loop));
    if (told_ms == INT64_MAX)
        return false;
    if (told_ms > clock_now_ms)
        clock_now_ms = told_ms;
    loop_run_due(&loop);
    return true;
}

static void run_all(void)
{
    for (int i = 0; turn(); i++)
        assert_true(i < 10000);
}

/* loop */

static char order[64];
static struct timer timers[300];

static void note(void *ctx)
{
    strcat(order, ctx);
}

static void equal_deadlines_run_in_the_order_of_arming(void **state)
{
    order[0] = '\0';
    timer_start(&timers[0], &loop, 5, note, (char[]){"a"});
    timer_start(&timers[1], &loop, 3, note, (char[]){"b"});
    timer_start(&timers[2], &loop, 5, note, (char[]){"c"});
    timer_start(&timers[1], &loop, 5, note, (char[]){"d"}); /* moved */
    run_all();

    assert_string_equal(order, "acd");
    assert_int_equal(clock_now_ms, 1005);
}

static void rearm(void *ctx)
{
    strcat(order, "r");
    if (strlen(order) < 4)
        timer_start(&timers[0], &loop, 0, rearm, NULL);
}

static void a_deferred_call_waits_for_the_next_turn(void **state)
{
    order[0] = '\0';
    timer_start(&timers[0], &loop, 0, rearm, NULL);

    assert_true(turn());
    assert_string_equal(order, "r");
    assert_true(timer_armed(&timers[0]));
    run_all();
    assert_string_equal(order, "rrrr");
}

static void stop_others(void *ctx)
{
    for (int i = 0; i < 300; i++)
        timer_stop(&timers[i]);
}

static void a_callback_may_stop_timers_that_are_due(void **state)
{
    struct timer first = {0};

    order[0] = '\0';
    timer_start(&first, &loop, 1, stop_others, NULL);
    timer_start(&timers[5], &loop, 1, note, (char[]){"x"});
    run_all();

    assert_string_equal(order, "");
}

static int fired;

static void must_be_on_time(void *ctx)
{
    const struct timer *timer = ctx;

    assert_int_equal(clock_now_ms, timer->at_ms);
    fired++;
}

static void a_timer_moved_up_by_a_removal_fires_on_time(void **state)
{
    /* removing 101 puts 3 in its place, below 100: it has to rise */
    static const int64_t after_ms[] = {0, 100, 1, 101, 102, 2, 3};

    fired = 0;
    for (int i = 0; i < 7; i++)
        timer_start(&timers[i], &loop, after_ms[i], must_be_on_time, &timers[i]);
    timer_stop(&timers[3]);
    run_all();

    assert_int_equal(fired, 6);
}

static void many_timers_fire_in_order_whatever_is_stopped(void **state)
{
    int stopped = 0;

    fired = 0;
    for (int i = 0; i < 300; i++)
        timer_start(&timers[i], &loop, loop_random_range(&loop, 0, 500),
                    must_be_on_time, &timers[i]);
    for (int i = 0; i < 300; i += 3, stopped++)
        timer_stop(&timers[i]);
    for (int i = 1; i < 300; i += 3)
        timer_start(&timers[i], &loop, loop_random_range(&loop, 0, 500),
                    must_be_on_time, &timers[i]);
    run_all();

    assert_int_equal(fired, 300 - stopped);
}

static void the_driver_is_told_only_of_changes(void **state)
{
    timer_start(&timers[0], &loop, 10, note, (char[]){""});
    timer_start(&timers[1], &loop, 20, note, (char[]){""});
    timer_start(&timers[2], &loop, 30, note, (char[]){""});
    assert_int_equal(tell_count, 1);
    timer_stop(&timers[1]);
    assert_int_equal(tell_count, 1);
    timer_stop(&timers[0]);
    assert_int_equal(tell_count, 2);
    assert_true(told_ms == 1030);
    timer_stop(&timers[2]);
    assert_true(told_ms == INT64_MAX);
}

static void random_numbers_stay_in_range_and_repeat_with_the_seed(void **state)
{
    struct loop twin;

    loop_init(&twin, &false_ops, 7);
    for (int i = 0; i < 1000; i++) {
        int64_t n = loop_random_range(&loop, -3, 3);

        assert_true(n >= -3 && n <= 3);
        assert_true(n == loop_random_range(&twin, -3, 3));
    }
    (void)loop_random_range(&loop, INT64_MIN, INT64_MAX);
    loop_done(&twin);
}

/* flow: a program of three steps, each an operation that answers after 10 ms */

struct job {
    struct flow flow;
    struct timer operation;
    int cancelled, polls_left, result, done_count;
    int64_t poll_ms;
    struct error error;
    char trace[128];
    bool heap;
};

static void answer_next(void *ctx)
{
    flow_next(&((struct job *)ctx)->flow);
}

static enum flow_verdict begin_operation(struct flow *flow, void *ctx,
                                         struct error *err)
{
    struct job *job = ctx;

    timer_start(&job->operation, &loop, 10, answer_next, job);
    return FLOW_WAIT;
}

static void cancel_operation(void *ctx)
{
    struct job *job = ctx;

    assert_true(timer_armed(&job->operation));
    timer_stop(&job->operation);
    job->cancelled++;
}

static enum flow_verdict go_on(struct flow *flow, void *ctx, struct error *err)
{
    return FLOW_NEXT;
}

static enum flow_verdict fail_now(struct flow *flow, void *ctx, struct error *err)
{
    (void)error_set(err, -EPERM, "no way");
    return FLOW_FAIL;
}

static enum flow_verdict done_now(struct flow *flow, void *ctx, struct error *err)
{
    return FLOW_DONE;
}

static enum flow_verdict hang(struct flow *flow, void *ctx, struct error *err)
{
    struct job *job = ctx;

    timer_start(&job->operation, &loop, 1000000, answer_next, job);
    return FLOW_WAIT;
}

static enum flow_verdict poll_directly(struct flow *flow, void *ctx, struct error *err)
{
    struct job *job = ctx;

    if (job->polls_left-- == 0)
        return FLOW_NEXT;
    (void)error_set(err, -EAGAIN, "%d polls left", job->polls_left + 1);
    return flow_poll(flow, 100, err);
}

static void answer_again(void *ctx)
{
    struct job *job = ctx;
    struct error why = {0};

    if (job->polls_left-- == 0) {
        flow_next(&job->flow);
        return;
    }
    (void)error_set(&why, -EAGAIN, "still %d", job->polls_left + 1);
    flow_again(&job->flow, 100, &why);
}

static enum flow_verdict poll_by_operation(struct flow *flow, void *ctx,
                                           struct error *err)
{
    struct job *job = ctx;

    timer_start(&job->operation, &loop, 10, answer_again, job);
    return FLOW_WAIT;
}

static void answer_fail(void *ctx)
{
    struct job *job = ctx;
    struct error err = {0};

    (void)error_set(&err, -EIO, "broken");
    flow_fail(&job->flow, &err);
    job->cancelled += 100; /* the job is still there: done comes in a later turn */
}

static enum flow_verdict fail_later(struct flow *flow, void *ctx, struct error *err)
{
    struct job *job = ctx;

    timer_start(&job->operation, &loop, 10, answer_fail, job);
    return FLOW_WAIT;
}

static void answer_finish(void *ctx)
{
    flow_finish(&((struct job *)ctx)->flow);
}

static enum flow_verdict finish_later(struct flow *flow, void *ctx, struct error *err)
{
    struct job *job = ctx;

    timer_start(&job->operation, &loop, 10, answer_finish, job);
    return FLOW_WAIT;
}

static enum flow_verdict hang_with_own_timeout(struct flow *flow, void *ctx,
                                               struct error *err)
{
    flow_set_timeout(flow, 77);
    return hang(flow, ctx, err);
}

static void on_done(void *done_ctx, int result, const struct error *err)
{
    struct job *job = done_ctx;

    assert_false(flow_active(&job->flow));
    assert_int_equal(result, err->code);
    job->done_count++;
    job->result = result;
    error_copy(&job->error, err);
    if (job->heap)
        free(job);
}

static void on_step(void *observer_ctx, const char *step, int result, int64_t took_ms)
{
    struct job *job = observer_ctx;
    size_t len = strlen(job->trace);

    snprintf(job->trace + len, sizeof(job->trace) - len, "%s %d %d;", step, result,
             (int)took_ms);
}

static void start(struct job *job, const struct flow_step *steps)
{
    flow_observe(&job->flow, on_step, job);
    flow_start(&job->flow, &loop, steps, job, on_done, job);
    assert_true(flow_active(&job->flow));
    assert_int_equal(job->done_count, 0);
}

#define OPERATION(n)                                                                   \
    {                                                                                  \
        .name = n, .run = begin_operation, .cancel = cancel_operation                  \
    }

static const struct flow_step straight[] = {
    OPERATION("one"),
    {.name = "sync", .run = go_on},
    OPERATION("two"),
    OPERATION("three"),
    {0},
};

static void a_straight_line_runs_to_its_end(void **state)
{
    struct job job = {0};

    start(&job, straight);
    assert_string_equal(flow_step_name(&job.flow), "one");
    run_all();

    assert_int_equal(job.done_count, 1);
    assert_int_equal(job.result, 0);
    assert_string_equal(job.trace, "one 0 10;sync 0 0;two 0 10;three 0 10;");
    assert_string_equal(flow_step_name(&job.flow), "");
}

static void cancel_is_clean_after_any_number_of_turns(void **state)
{
    int with_operation = 0;

    for (int turns = 0; turns < 7; turns++) {
        struct job job = {0};

        start(&job, straight);
        for (int i = 0; i < turns; i++)
            assert_true(turn());
        bool was_out = timer_armed(&job.operation);
        flow_cancel(&job.flow);
        flow_cancel(&job.flow);
        with_operation += was_out;
        assert_int_equal(job.cancelled, was_out);
        assert_false(flow_active(&job.flow));
        run_all();
        assert_int_equal(job.done_count, 0);
    }
    assert_int_equal(with_operation, 3);
}

static void a_step_that_is_too_slow_is_cancelled_and_named(void **state)
{
    static const struct flow_step steps[] = {
        {.name = "hang", .run = hang, .cancel = cancel_operation, .timeout_ms = 2500},
        {0},
    };
    struct job job = {0};

    start(&job, steps);
    run_all();

    assert_int_equal(job.result, -ETIMEDOUT);
    assert_int_equal(job.cancelled, 1);
    assert_string_equal(job.error.text, "hang: not done within 2s 500ms");
    assert_int_equal(clock_now_ms, 3500);
}

static void without_a_timeout_there_is_one_anyway(void **state)
{
    static const struct flow_step steps[] = {
        {.name = "hang", .run = hang, .cancel = cancel_operation},
        {0},
    };
    struct job job = {0};

    start(&job, steps);
    run_all();

    assert_int_equal(job.result, -ETIMEDOUT);
    assert_int_equal(clock_now_ms, 1000 + FLOW_DEFAULT_TIMEOUT_MS);
}

static void a_step_may_set_its_own_timeout(void **state)
{
    static const struct flow_step steps[] = {
        {.name = "own", .run = hang_with_own_timeout, .cancel = cancel_operation},
        {.name = "never", .run = go_on},
        {0},
    };
    struct job job = {0};

    start(&job, steps);
    run_all();

    assert_int_equal(clock_now_ms, 1077);
    assert_string_equal(job.trace, "own -110 77;");
}

static void polling_repeats_the_step_until_it_is_content(void **state)
{
    static const struct flow_step steps[] = {
        {.name = "poll", .run = poll_directly},
        {.name = "ask", .run = poll_by_operation, .cancel = cancel_operation},
        {0},
    };
    struct job job = {.polls_left = 3};

    start(&job, steps);
    while (strlen(job.trace) == 0)
        assert_true(turn());
    job.polls_left = 2;
    run_all();

    assert_int_equal(job.result, 0);
    assert_string_equal(job.trace, "poll 0 300;ask 0 230;");
}

static void polling_too_long_tells_what_was_seen_last(void **state)
{
    static const struct flow_step direct[] = {
        {.name = "poll", .run = poll_directly, .timeout_ms = 250},
        {0},
    };
    static const struct flow_step asking[] = {
        {.name = "ask",
         .run = poll_by_operation,
         .cancel = cancel_operation,
         .timeout_ms = 250},
        {0},
    };
    struct job job = {.polls_left = 1000}, other = {.polls_left = 1000};

    start(&job, direct);
    run_all();
    assert_int_equal(job.result, -ETIMEDOUT);
    assert_string_equal(job.error.text,
                        "poll: not done within 250ms; last seen: 998 polls left");
    assert_int_equal(clock_now_ms, 1250);

    start(&other, asking); /* ends between two polls: no operation to cancel */
    run_all();
    assert_int_equal(other.result, -ETIMEDOUT);
    assert_int_equal(other.cancelled, 0);
    assert_non_null(strstr(other.error.text, "last seen: still 998"));
}

static void cancel_between_two_polls_is_silent(void **state)
{
    static const struct flow_step steps[] = {
        {.name = "ask", .run = poll_by_operation, .cancel = cancel_operation},
        {0},
    };
    struct job job = {.polls_left = 1000};

    start(&job, steps);
    turn();
    turn();
    assert_false(timer_armed(&job.operation));
    flow_cancel(&job.flow);
    run_all();

    assert_int_equal(job.done_count + job.cancelled, 0);
}

static void failures_end_the_line(void **state)
{
    static const struct flow_step now[] = {
        {.name = "bad", .run = fail_now}, {.name = "never", .run = go_on}, {0}};
    static const struct flow_step later[] = {
        {.name = "bad", .run = fail_later, .cancel = cancel_operation},
        {.name = "never", .run = go_on},
        {0}};
    struct job job = {0}, other = {0};

    start(&job, now);
    run_all();
    assert_int_equal(job.result, -EPERM);
    assert_string_equal(job.error.text, "no way");
    assert_string_equal(job.trace, "bad -1 0;");

    start(&other, later);
    run_all();
    assert_int_equal(other.result, -EIO);
    assert_string_equal(other.error.text, "broken");
    assert_string_equal(other.trace, "bad -5 10;");
    assert_int_equal(other.cancelled, 100);
}

static void cancel_after_a_failure_was_told_drops_it(void **state)
{
    static const struct flow_step later[] = {
        {.name = "bad", .run = fail_later, .cancel = cancel_operation}, {0}};
    struct job job = {0};

    start(&job, later);
    turn();
    turn();
    assert_int_equal(job.cancelled, 100);
    flow_cancel(&job.flow);
    run_all();

    assert_int_equal(job.done_count, 0);
}

static void done_and_finish_skip_the_rest(void **state)
{
    static const struct flow_step now[] = {
        {.name = "enough", .run = done_now}, {.name = "bad", .run = fail_now}, {0}};
    static const struct flow_step later[] = {
        {.name = "enough", .run = finish_later}, {.name = "bad", .run = fail_now}, {0}};
    struct job job = {0}, other = {0};

    start(&job, now);
    start(&other, later);
    run_all();

    assert_int_equal(job.done_count + other.done_count, 2);
    assert_int_equal(job.result + other.result, 0);
    assert_string_equal(other.trace, "enough 0 10;");
}

static void the_owner_may_free_the_flow_in_done(void **state)
{
    const struct flow_step *const programs[] = {
        straight,
        (const struct flow_step[]){{.name = "bad", .run = fail_now}, {0}},
        (const struct flow_step[]){{.name = "bad", .run = fail_later}, {0}},
        (const struct flow_step[]){
            {.name = "hang", .run = hang, .cancel = cancel_operation}, {0}},
        (const struct flow_step[]){{.name = "poll", .run = poll_directly}, {0}},
        (const struct flow_step[]){{0}},
    };

    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
        struct job *job = NEW(struct job);

        job->heap = true;
        job->polls_left = 100000;
        flow_start(&job->flow, &loop, programs[i], job, on_done, job);
        run_all();
    }
}

static void on_done_start_again(void *done_ctx, int result, const struct error *err)
{
    struct job *job = done_ctx;

    if (++job->done_count < 3)
        flow_start(&job->flow, &loop, straight, job, on_done_start_again, job);
}

static void a_flow_may_be_started_again_in_done(void **state)
{
    struct job job = {0};

    flow_start(&job.flow, &loop, straight, &job, on_done_start_again, &job);
    run_all();

    assert_int_equal(job.done_count, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(equal_deadlines_run_in_the_order_of_arming),
        TEST(a_deferred_call_waits_for_the_next_turn),
        TEST(a_callback_may_stop_timers_that_are_due),
        TEST(a_timer_moved_up_by_a_removal_fires_on_time),
        TEST(many_timers_fire_in_order_whatever_is_stopped),
        TEST(the_driver_is_told_only_of_changes),
        TEST(random_numbers_stay_in_range_and_repeat_with_the_seed),
        TEST(a_straight_line_runs_to_its_end),
        TEST(cancel_is_clean_after_any_number_of_turns),
        TEST(a_step_that_is_too_slow_is_cancelled_and_named),
        TEST(without_a_timeout_there_is_one_anyway),
        TEST(a_step_may_set_its_own_timeout),
        TEST(polling_repeats_the_step_until_it_is_content),
        TEST(polling_too_long_tells_what_was_seen_last),
        TEST(cancel_between_two_polls_is_silent),
        TEST(failures_end_the_line),
        TEST(cancel_after_a_failure_was_told_drops_it),
        TEST(done_and_finish_skip_the_rest),
        TEST(the_owner_may_free_the_flow_in_done),
        TEST(a_flow_may_be_started_again_in_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
