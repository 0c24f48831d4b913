/* test_unit.c - units, with a fake systemctl in PATH.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/fs.h"
#include "shared/base/str.h"
#include "shared/io/unit.h"
#include "tests/unit/io_fixture.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static char root[64], asked[256], *old_path;
static struct unit_state seen_state;
static struct error seen;
static int done_count;
static struct unit_call *call;

/* The fake writes its arguments to $ROOT/asked and goes on as the test says; asked for
 * the manager, it says so. */
static void fake_systemd(const char *manager, const char *script)
{
    const struct fs_attributes executable = {0755, geteuid(), getegid()};
    char path[128], text[2048];

    snprintf(path, sizeof(path), "%s/systemctl", root);
    snprintf(text, sizeof(text),
             "#!/bin/sh\n[ $1 = is-system-running ] && { %s; }\n"
             "echo \"$@\" > %s/asked\n%s\n",
             manager, root, script);
    assert_int_equal(fs_write_atomic(path, text, strlen(text), &executable, NULL, NULL),
                     0);
}

static void fake_systemctl(const char *script)
{
    fake_systemd("echo degraded; exit 1", script);
}

static void read_asked(void)
{
    char path[128], *bytes;

    snprintf(path, sizeof(path), "%s/asked", root);
    assert_int_equal(fs_read(path, sizeof(asked), &bytes, NULL, NULL), 0);
    STR_COPY(asked, bytes);
    free(bytes);
}

static int begin(void **state)
{
    char path[4096];

    done_count = 0;
    seen = (struct error){0};
    strcpy(root, "/tmp/clowder-test-XXXXXX");
    assert_non_null(mkdtemp(root));
    old_path = strdup(getenv("PATH"));
    snprintf(path, sizeof(path), "%s:%s", root, old_path);
    setenv("PATH", path, 1);
    return io_begin(state);
}

static int end(void **state)
{
    setenv("PATH", old_path, 1);
    free(old_path);
    io_end(state);
    return fs_remove_tree(root, NULL);
}

static void on_state(void *ctx, const struct unit_state *unit, const struct error *err)
{
    done_count++;
    seen_state = *unit;
    error_copy(&seen, err);
    unit_cancel(call); /* harmless inside done */
    event_loop_stop(el, 0);
}

static void on_act(void *ctx, const struct error *err)
{
    done_count++;
    error_copy(&seen, err);
    unit_cancel(call);
    event_loop_stop(el, 0);
}

static void show(const char *unit)
{
    assert_int_equal(unit_show(el, unit, on_state, NULL, &call, NULL), 0);
    assert_int_equal(run(), 0);
    assert_int_equal(done_count, 1);
}

static void act(const char *verb, const char *unit, int64_t timeout_ms)
{
    assert_int_equal(unit_act(el, verb, unit, timeout_ms, on_act, NULL, &call, NULL),
                     0);
    assert_int_equal(run(), 0);
    assert_int_equal(done_count, 1);
}

static void a_running_unit_is_described(void **state)
{
    fake_systemctl("printf 'MainPID=4242\\nLoadState=loaded\\nActiveState=active\\n"
                   "SubState=running\\nUnitFileState=enabled\\n"
                   "ActiveEnterTimestampMonotonic=123456789012\\nMore=a=b\\n'");
    show("docker.service");

    assert_int_equal(seen.code, 0);
    assert_true(seen_state.loaded);
    assert_string_equal(seen_state.active, "active");
    assert_string_equal(seen_state.sub, "running");
    assert_string_equal(seen_state.file_state, "enabled");
    assert_int_equal(seen_state.main_pid, 4242);
    assert_true(seen_state.active_enter_us == 123456789012);
    read_asked();
    assert_string_equal(asked, "show -p LoadState,ActiveState,SubState,MainPID,"
                               "ActiveEnterTimestampMonotonic,UnitFileState "
                               "docker.service\n");
}

static void an_absent_unit_is_a_state_not_an_error(void **state)
{
    fake_systemctl("printf 'MainPID=0\\nLoadState=not-found\\nActiveState=inactive\\n"
                   "SubState=dead\\nUnitFileState=\\n'");
    show("nothing.service");

    assert_int_equal(seen.code, 0);
    assert_false(seen_state.loaded);
    assert_string_equal(seen_state.active, "inactive");
    assert_string_equal(seen_state.file_state, "");
}

static void output_without_a_state_is_an_error(void **state)
{
    fake_systemctl("echo hello");
    show("docker.service");

    assert_int_equal(seen.code, -EPROTO);
}

static void no_bus_is_an_error_with_its_words(void **state)
{
    fake_systemctl("echo 'Failed to connect to bus' >&2; exit 1");
    show("docker.service");

    assert_int_equal(seen.code, -EIO);
    assert_non_null(strstr(seen.text, "exit code 1: Failed to connect to bus"));
}

static void an_act_is_handed_to_systemctl(void **state)
{
    fake_systemctl("exit 0");
    act("restart", "docker.service", 5000);
    assert_int_equal(seen.code, 0);
    read_asked();
    assert_string_equal(asked, "restart docker.service\n");

    done_count = 0;
    act("daemon-reload", NULL, 5000);
    read_asked();
    assert_string_equal(asked, "daemon-reload\n");
}

static void what_is_parsed_is_asked_for_in_the_plain_locale(void **state)
{
    setenv("LC_ALL", "de_DE.UTF-8", 1);
    fake_systemctl("echo \"ActiveState=$LC_ALL\"");
    show("docker.service");
    unsetenv("LC_ALL");

    assert_string_equal(seen_state.active, "C");
}

static void an_act_that_fails_says_why(void **state)
{
    fake_systemctl("echo 'Job for docker.service failed.' >&2; exit 1");
    act("restart", "docker.service", 5000);

    assert_int_equal(seen.code, -EIO);
    assert_string_equal(seen.text, "systemctl restart docker.service: exit code 1: "
                                   "Job for docker.service failed.");
}

static void what_fails_on_a_host_that_goes_down_says_nothing_of_the_unit(void **state)
{
    fake_systemd("echo stopping; exit 1",
                 "echo 'Job for docker.service canceled.' >&2; exit 1");
    act("restart", "docker.service", 5000);

    assert_int_equal(seen.code, -ESHUTDOWN);
    assert_non_null(strstr(seen.text, "docker.service canceled. (the host is going"));
}

static void what_fails_for_want_of_a_manager_says_nothing_either(void **state)
{
    fake_systemd("echo 'Failed to connect to bus' >&2; exit 1",
                 "echo 'Warning! D-Bus connection terminated.' >&2; exit 1");
    act("restart", "docker.service", 5000);
    assert_int_equal(seen.code, -ESHUTDOWN);

    done_count = 0;
    show("docker.service");
    assert_int_equal(seen.code, -ESHUTDOWN);
}

static void an_act_that_hangs_is_given_up(void **state)
{
    fake_systemctl("sleep 1000");
    act("restart", "docker.service", 200);

    assert_int_equal(seen.code, -ETIMEDOUT);
    assert_non_null(strstr(seen.text, "not done within 200ms"));
}

static void without_systemd_it_is_said(void **state)
{
    setenv("PATH", "/nonexistent", 1);
    act("restart", "docker.service", 5000);

    assert_int_equal(seen.code, -ENOENT);
    assert_non_null(strstr(seen.text, "cannot run it"));
}

static void an_option_is_no_unit(void **state)
{
    assert_int_equal(unit_act(el, "stop", "--all", 1000, on_act, NULL, &call, NULL),
                     -EINVAL);
    assert_int_equal(unit_show(el, "", on_state, NULL, &call, NULL), -EINVAL);
}

static void cancel_is_silent(void **state)
{
    fake_systemctl("sleep 1000");
    assert_int_equal(unit_show(el, "x.service", on_state, NULL, &call, NULL), 0);
    run_for(50);
    unit_cancel(call);
    run_for(50);

    assert_int_equal(done_count, 0);
    unit_cancel(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_running_unit_is_described),
        TEST(an_absent_unit_is_a_state_not_an_error),
        TEST(output_without_a_state_is_an_error),
        TEST(no_bus_is_an_error_with_its_words),
        TEST(an_act_is_handed_to_systemctl),
        TEST(what_is_parsed_is_asked_for_in_the_plain_locale),
        TEST(an_act_that_fails_says_why),
        TEST(what_fails_on_a_host_that_goes_down_says_nothing_of_the_unit),
        TEST(what_fails_for_want_of_a_manager_says_nothing_either),
        TEST(an_act_that_hangs_is_given_up),
        TEST(without_systemd_it_is_said),
        TEST(an_option_is_no_unit),
        TEST(cancel_is_silent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
