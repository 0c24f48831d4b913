/* test_event_loop.c - timers, signals and children on libevent.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Linked with --wrap=syscall, so that a kernel without pidfds can be played.
 */
#include "shared/base/mem.h"
#include "shared/io/event_loop.h"
#include "tests/unit/cmocka_all.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static bool old_kernel;

long __real_syscall(long number, ...);
long __wrap_syscall(long number, long a, long b, long c);
long __wrap_syscall(long number, long a, long b, long c)
{
    if (old_kernel && number == SYS_pidfd_open) {
        errno = ENOSYS;
        return -1;
    }
    return __real_syscall(number, a, b, c);
}

static struct event_loop *el;
static struct timer timer;
static int calls, last_status;

static int begin(void **state)
{
    old_kernel = false;
    calls = last_status = 0;
    timer = (struct timer){0};
    return event_loop_new(&el, NULL);
}

static int end(void **state)
{
    event_loop_free(el);
    return 0;
}

static void stop_5(void *ctx)
{
    event_loop_stop(el, 5);
}

static void a_timer_fires_not_early_and_stop_gives_its_code(void **state)
{
    struct loop *loop = event_loop_port(el);
    int64_t start_ms = loop_now_ms(loop);

    timer_start(&timer, loop, 30, stop_5, NULL);
    assert_int_equal(event_loop_run(el), 5);

    assert_in_range(loop_now_ms(loop) - start_ms, 30, 5000);
}

static void a_stop_before_run_ends_it_at_once(void **state)
{
    event_loop_stop(el, 3);
    assert_int_equal(event_loop_run(el), 3);
}

static void on_signal(void *ctx, int number)
{
    calls++;
    event_loop_stop(el, number);
}

static void raise_usr1(void *ctx)
{
    raise(SIGUSR1);
    assert_int_equal(calls, 0); /* not in signal context */
}

static void a_signal_runs_in_the_loop(void **state)
{
    assert_int_equal(event_loop_on_signal(el, SIGUSR1, on_signal, NULL, NULL), 0);
    assert_int_equal(event_loop_on_signal(el, SIGUSR1, on_signal, NULL, NULL), -EBUSY);
    timer_start(&timer, event_loop_port(el), 0, raise_usr1, NULL);

    assert_int_equal(event_loop_run(el), SIGUSR1);
    assert_int_equal(calls, 1);
}

static pid_t child_that_exits(int code)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(code);
    assert_true(pid > 0);
    return pid;
}

static void on_exit_stop(void *ctx, int wait_status)
{
    calls++;
    last_status = wait_status;
    if (calls == *(int *)ctx)
        event_loop_stop(el, 0);
}

static void children_are_reaped_by_pid_and_no_other_is(void **state)
{
    int wanted = 3;
    pid_t other = child_that_exits(9);

    for (int i = 0; i < wanted; i++)
        assert_int_equal(
            event_loop_on_exit(el, child_that_exits(7), on_exit_stop, &wanted, NULL),
            0);
    (void)event_loop_run(el);

    assert_int_equal(calls, 3);
    assert_int_equal(WEXITSTATUS(last_status), 7);
    assert_int_equal(waitpid(-1, &last_status, 0), other);
    assert_int_equal(waitpid(-1, &last_status, 0), -1);
}

static void without_pidfds_children_are_reaped_by_sigchld(void **state)
{
    old_kernel = true;
    children_are_reaped_by_pid_and_no_other_is(state);
}

static void a_child_that_ended_before_it_was_watched_is_seen(void **state)
{
    int wanted = 1;
    siginfo_t info;
    pid_t pid = child_that_exits(4);

    old_kernel = *(bool *)*state;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(event_loop_on_exit(el, pid, on_exit_stop, &wanted, NULL), 0);
    (void)event_loop_run(el);

    assert_int_equal(WEXITSTATUS(last_status), 4);
}

static void on_exit_fail(void *ctx, int wait_status)
{
    fail();
}

static void a_forgotten_child_is_reaped_in_silence(void **state)
{
    int wanted = 1;
    pid_t pid = child_that_exits(0);

    assert_int_equal(event_loop_on_exit(el, pid, on_exit_fail, NULL, NULL), 0);
    event_loop_forget_child(el, pid);
    assert_int_equal(
        event_loop_on_exit(el, child_that_exits(0), on_exit_stop, &wanted, NULL), 0);
    (void)event_loop_run(el);
    timer_start(&timer, event_loop_port(el), 20, stop_5, NULL);
    (void)event_loop_run(el);

    assert_int_equal(waitpid(pid, &last_status, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void two_ticks(void *ctx)
{
    if (++calls == 2)
        event_loop_stop(el, 0);
    else
        timer_start(&timer, event_loop_port(el), 50, two_ticks, NULL);
}

static void a_far_timer_does_not_delay_a_near_one(void **state)
{
    struct loop *loop = event_loop_port(el);
    struct timer later = {0};

    timer_start(&later, loop, 100000, stop_5, NULL);
    timer_start(&timer, loop, 50, two_ticks, NULL);
    assert_int_equal(event_loop_run(el), 0);

    assert_true(timer_armed(&later));
    timer_stop(&later);
    assert_true(loop_next_deadline_ms(loop) == INT64_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    static bool no = false, yes = true;
    struct CMUnitTest tests[] = {
        TEST(a_timer_fires_not_early_and_stop_gives_its_code),
        TEST(a_stop_before_run_ends_it_at_once),
        TEST(a_signal_runs_in_the_loop),
        TEST(children_are_reaped_by_pid_and_no_other_is),
        TEST(without_pidfds_children_are_reaped_by_sigchld),
        TEST(a_child_that_ended_before_it_was_watched_is_seen),
        TEST(a_child_that_ended_before_it_was_watched_is_seen),
        TEST(a_forgotten_child_is_reaped_in_silence),
        TEST(a_far_timer_does_not_delay_a_near_one),
    };

    tests[5].initial_state = &no;
    tests[6].initial_state = &yes;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
