/* test_failpoint.c - crash points: they kill where they are told, and none is unknown.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/cleanup.h"
#include "shared/base/failpoint.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "tests/unit/cmocka_all.h"

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLOWDER_FAILPOINTS

int main(void)
{
    puts("skipped: this build has no failpoints (CLOWDER_FAILPOINTS)");
    return 77;
}

#else

static char order_path[] = "/tmp/clowder-failpoint-XXXXXX";

static void order(const char *text)
{
    struct error err;
    assert_int_equal(fs_write_atomic(order_path, text, strlen(text), NULL, NULL, &err),
                     0);
}

/* How a process ends that comes to a point three times: 0, or the signal. */
static int signal_of_a_walk(int *ret_reached)
{
    int pipes[2], status;
    char byte;
    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 3; i++) {
            if (write(pipes[1], "x", 1) != 1)
                _exit(1);
            FAILPOINT("take:sent");
        }
        _exit(0);
    }
    close(pipes[1]);
    for (*ret_reached = 0; read(pipes[0], &byte, 1) == 1; (*ret_reached)++)
        ;
    close(pipes[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static int set_up(void **state)
{
    int fd = mkstemp(order_path);
    return fd < 0 || close(fd) < 0 || setenv("CLOWDER_FAILPOINT_FILE", order_path, 1);
}

static int tear_down(void **state)
{
    (void)unlink(order_path);
    return 0;
}

static void without_an_order_nothing_happens(void **state)
{
    int reached;
    order("");

    assert_int_equal(signal_of_a_walk(&reached), 0);
    assert_int_equal(reached, 3);
}

static void the_first_pass_kills_and_takes_the_order_with_it(void **state)
{
    int reached;
    order("take:sent\n");

    assert_int_equal(signal_of_a_walk(&reached), SIGKILL);
    assert_int_equal(reached, 1);
    assert_int_equal(access(order_path, F_OK), -1);
    assert_int_equal(signal_of_a_walk(&reached), 0);
}

static void the_nth_pass_kills_when_told_so(void **state)
{
    int reached;
    order("take:sent 3\n");

    assert_int_equal(signal_of_a_walk(&reached), SIGKILL);
    assert_int_equal(reached, 3);
}

static void another_point_does_not_kill_nor_one_whose_name_begins_alike(void **state)
{
    int reached;
    order("take:sentinel\n");
    assert_int_equal(signal_of_a_walk(&reached), 0);
    order("take:send\n");
    assert_int_equal(signal_of_a_walk(&reached), 0);
}

static void a_delayed_kill_comes_in_the_middle_of_what_follows(void **state)
{
    int status;
    order("take:sent 1 50\n");
    pid_t pid = fork();
    if (pid == 0) {
        FAILPOINT("take:sent");
        for (;;)
            pause();
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void a_process_that_is_stopped_goes_on_when_it_is_told_to(void **state)
{
    int status;
    order("take:sent 1 stop\n");
    pid_t pid = fork();
    if (pid == 0) {
        FAILPOINT("take:sent");
        _exit(7);
    }
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(access(order_path, F_OK), -1);

    assert_int_equal(kill(pid, SIGCONT), 0);

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

/* ---- the table and the source */

static bool used[512];
static int strangers;

static int index_of(const char *name, size_t len)
{
    for (int i = 0; failpoint_name(i); i++)
        if (strlen(failpoint_name(i)) == len &&
            strncmp(failpoint_name(i), name, len) == 0)
            return i;
    return -1;
}

static int look_into(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    static const char call[] = "FAILPOINT(\"";
    _cleanup_(freep) char *text = NULL;
    struct error err;
    if (type != FTW_F || !str_ends(path, ".c"))
        return 0;
    assert_int_equal(fs_read(path, 1 << 20, &text, NULL, &err), 0);
    for (char *at = strstr(text, call); at; at = strstr(at, call)) {
        at += strlen(call);
        size_t len = strcspn(at, "\"");
        int index = index_of(at, len);
        if (index < 0) {
            print_message("%s: \"%.*s\" is not in the table\n", path, (int)len, at);
            strangers++;
        } else {
            used[index] = true;
        }
    }
    return 0;
}

static void the_table_and_the_source_name_the_same_points(void **state)
{
    int missing = 0;
    assert_int_equal(nftw("shared", look_into, 16, FTW_PHYS), 0);
    assert_int_equal(nftw("agentd", look_into, 16, FTW_PHYS), 0);
    for (int i = 0; failpoint_name(i); i++) {
        assert_true(i == 0 || strcmp(failpoint_name(i - 1), failpoint_name(i)) < 0);
        if (!used[i]) {
            print_message("\"%s\" is nowhere in the source\n", failpoint_name(i));
            missing++;
        }
    }
    assert_int_equal(strangers, 0);
    assert_int_equal(missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_an_order_nothing_happens),
        cmocka_unit_test(the_first_pass_kills_and_takes_the_order_with_it),
        cmocka_unit_test(the_nth_pass_kills_when_told_so),
        cmocka_unit_test(another_point_does_not_kill_nor_one_whose_name_begins_alike),
        cmocka_unit_test(a_delayed_kill_comes_in_the_middle_of_what_follows),
        cmocka_unit_test(a_process_that_is_stopped_goes_on_when_it_is_told_to),
        cmocka_unit_test(the_table_and_the_source_name_the_same_points),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

#endif
