/* test_proc.c - commands: output, deadlines, groups, cancel.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/io/proc.h"
#include "tests/unit/io_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static struct proc_outcome seen;
static char output[1 << 20], says[1024];
static int done_count, descriptors;
static struct proc *proc;

static void on_done(void *ctx, const struct proc_outcome *outcome)
{
    done_count++;
    seen = *outcome;
    assert_true(outcome->output_len < sizeof(output));
    memcpy(output, outcome->output, outcome->output_len + 1);
    STR_COPY(says, outcome->says);
    proc_cancel(proc); /* harmless inside done */
    event_loop_stop(el, 0);
}

static int begin(void **state)
{
    done_count = 0;
    descriptors = open_descriptors();
    return io_begin(state);
}

static int end(void **state)
{
    io_end(state);
    return open_descriptors() == descriptors ? 0 : -1;
}

static void start(const struct proc_options *options)
{
    done_count = 0;
    assert_int_equal(proc_start(el, options, on_done, NULL, &proc, NULL), 0);
    assert_int_equal(done_count, 0);
}

static void run_shell(const char *script, struct proc_options options)
{
    const char *argv[] = {"sh", "-c", script, NULL};

    options.argv = argv;
    start(&options);
    assert_int_equal(run(), 0);
    assert_int_equal(done_count, 1);
}

static void output_and_exit_code_come_back(void **state)
{
    run_shell("echo out; echo why >&2; exit 3", (struct proc_options){0});

    assert_int_equal(seen.exit_code, 3);
    assert_int_equal(seen.signal_number, 0);
    assert_string_equal(output, "out\n");
    assert_string_equal(says, "sh -c echo out; echo why >&2; exit 3: exit code 3: why");
}

static void input_is_fed_and_closed(void **state)
{
    size_t len = 500000;
    char *input = mem_new(len);

    memset(input, 'x', len);
    run_shell("cat; echo .",
              (struct proc_options){.input = input,
                                    .input_len = len,
                                    .output_max_bytes = sizeof(output) - 1});
    free(input);

    assert_int_equal(seen.output_len, len + 2);
    assert_int_equal(seen.exit_code, 0);
}

static void a_command_that_ignores_its_input_is_no_error(void **state)
{
    static const char input[300000] = "x";

    run_shell("exec <&-; echo done",
              (struct proc_options){.input = input, .input_len = sizeof(input)});

    assert_int_equal(seen.exit_code, 0);
    assert_string_equal(output, "done\n");
}

static void without_input_stdin_is_empty(void **state)
{
    run_shell("cat; echo end", (struct proc_options){0});

    assert_string_equal(output, "end\n");
}

static void a_missing_binary_is_an_outcome(void **state)
{
    const char *argv[] = {"clowder-no-such-binary", "now", NULL};

    start(&(struct proc_options){.argv = argv});
    assert_int_equal(run(), 0);

    assert_int_equal(seen.exit_code, 127);
    assert_string_equal(says, "clowder-no-such-binary now: cannot run it: "
                              "No such file or directory");
}

static void a_path_in_the_environment_counts(void **state)
{
    const char *argv[] = {"sh", "-c", "echo $COLOR", NULL};
    const char *none[] = {"PATH=/nonexistent", NULL};
    const char *red[] = {"COLOR=red", NULL};

    setenv("COLOR", "blue", 1);
    start(&(struct proc_options){.argv = argv, .environment = none});
    assert_int_equal(run(), 0);
    assert_int_equal(seen.exit_code, 127);
    start(&(struct proc_options){.argv = argv, .environment = red});
    assert_int_equal(run(), 0);
    assert_string_equal(output, "red\n");
}

static void more_output_than_allowed_is_counted_and_dropped(void **state)
{
    run_shell("head -c 100000 /dev/zero | tr '\\0' a",
              (struct proc_options){.output_max_bytes = 1000});

    assert_int_equal(seen.output_len, 1000);
    assert_int_equal(seen.output_dropped_bytes, 99000);
    assert_int_equal(seen.exit_code, 0);
}

static void a_signal_is_named(void **state)
{
    run_shell("kill -9 $$", (struct proc_options){0});

    assert_int_equal(seen.exit_code, -1);
    assert_int_equal(seen.signal_number, 9);
    assert_non_null(strstr(says, "ended by signal 9 (Killed)"));
}

static void signals_ignored_by_us_are_not_ignored_by_the_command(void **state)
{
    run_shell("kill -PIPE $$; echo survived", (struct proc_options){0});

    assert_int_equal(seen.signal_number, SIGPIPE);
}

static bool gone(pid_t pid)
{
    for (int i = 0; i < 2000; i++) {
        char path[64], text[256] = "";
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        f = fopen(path, "r");
        if (!f)
            return true;
        size_t len = fread(text, 1, sizeof(text) - 1, f);
        fclose(f);
        if (len == 0 || strstr(text, ") Z "))
            return true; /* orphans here may have no one who reaps them */
        usleep(1000);
    }
    return false;
}

static void at_the_deadline_the_whole_group_goes(void **state)
{
    run_shell("sleep 1000 & echo $!; wait", (struct proc_options){.timeout_ms = 200});

    assert_true(seen.timed_out);
    assert_int_equal(seen.exit_code, -1);
    assert_int_equal(seen.signal_number, SIGTERM);
    assert_non_null(strstr(says, "killed: not done within 200ms"));
    assert_true(gone((pid_t)atoi(output)));
}

static void whoever_ignores_sigterm_is_killed_2_seconds_later(void **state)
{
    int64_t start_ms = loop_now_ms(event_loop_port(el));

    run_shell("trap '' TERM; echo $$; while :; do sleep 0.1; done",
              (struct proc_options){.timeout_ms = 100});

    assert_true(seen.timed_out);
    assert_int_equal(seen.signal_number, SIGKILL);
    assert_in_range(loop_now_ms(event_loop_port(el)) - start_ms, 2100, 9000);
    assert_true(gone((pid_t)atoi(output)));
}

static void a_runaway_that_keeps_the_pipe_open_does_not_hang_us(void **state)
{
    run_shell("setsid sleep 30 & echo $!", (struct proc_options){.timeout_ms = 100});

    assert_true(seen.timed_out);
    (void)kill((pid_t)atoi(output), SIGKILL);
}

static void cancel_kills_and_is_silent(void **state)
{
    char path[] = "/tmp/clowder-test-XXXXXX", script[128];
    int fd = mkstemp(path);
    char text[32] = "";

    snprintf(script, sizeof(script), "echo $$ > %s; sleep 1000", path);
    const char *argv[] = {"sh", "-c", script, NULL};
    start(&(struct proc_options){.argv = argv});
    for (int i = 0; i < 200 && pread(fd, text, sizeof(text) - 1, 0) <= 0; i++)
        run_for(10);
    proc_cancel(proc);
    run_for(50);

    assert_int_equal(done_count, 0);
    assert_true(atoi(text) > 0);
    assert_true(gone((pid_t)atoi(text)));
    proc_cancel(NULL);
    close(fd);
    unlink(path);
}

static void no_descriptor_is_inherited(void **state)
{
    int fd = open("/dev/null", O_RDONLY); /* not close-on-exec */

    run_shell("ls /proc/self/fd", (struct proc_options){0});

    assert_string_equal(output, "0\n1\n2\n3\n"); /* 3 is the listing itself */
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(output_and_exit_code_come_back),
        TEST(input_is_fed_and_closed),
        TEST(a_command_that_ignores_its_input_is_no_error),
        TEST(without_input_stdin_is_empty),
        TEST(a_missing_binary_is_an_outcome),
        TEST(a_path_in_the_environment_counts),
        TEST(more_output_than_allowed_is_counted_and_dropped),
        TEST(a_signal_is_named),
        TEST(signals_ignored_by_us_are_not_ignored_by_the_command),
        TEST(at_the_deadline_the_whole_group_goes),
        TEST(whoever_ignores_sigterm_is_killed_2_seconds_later),
        TEST(a_runaway_that_keeps_the_pipe_open_does_not_hang_us),
        TEST(cancel_kills_and_is_silent),
        TEST(no_descriptor_is_inherited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
