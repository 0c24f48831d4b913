/* test_zk_servers.c - addresses: parsed, resolved beside the loop, in turn.
 *
 * SPDX-License-Identifier: Apache-2.0
 * The name service is a stand-in `getent` first in PATH: it answers from files named
 * after the hosts, so that answers can change, fail and hang.
 */
#include "shared/base/fs.h"
#include "shared/base/str.h"
#include "shared/io/zk_servers.h"
#include "tests/unit/io_fixture.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static char dir[64], old_path[4096];
static struct zk_servers servers;
static int changes, wanted_changes;

static const char getent[] =
    "#!/bin/sh\n"
    "d=${0%/*}\n"
    "[ \"$1\" = ahosts ] || exit 1\n"
    "[ -e \"$d/$2.hangs\" ] && exec sleep 60\n"
    "[ -e \"$d/$2\" ] || exit 2\n"
    "while read a; do echo \"$a STREAM $2\"; echo \"$a DGRAM\";\n"
    "done < \"$d/$2\"\n";

static void put(const char *name, const char *text)
{
    char path[128];
    struct fs_attributes attributes = {.mode = 0755, .uid = getuid(), .gid = getgid()};
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(fs_write_atomic(path, text, strlen(text), &attributes, NULL, NULL),
                     0);
}

static int begin(void **state)
{
    char path[4200];
    (void)STR_COPY(dir, "/tmp/clowder-getent-XXXXXX");
    assert_non_null(mkdtemp(dir));
    put("getent", getent);
    (void)STR_COPY(old_path, getenv("PATH"));
    (void)snprintf(path, sizeof(path), "%s:%s", dir, old_path);
    (void)setenv("PATH", path, 1);
    changes = wanted_changes = 0;
    servers = (struct zk_servers){0};
    return io_begin(state);
}

static int end(void **state)
{
    zk_servers_done(&servers);
    (void)setenv("PATH", old_path, 1);
    assert_int_equal(fs_remove_tree(dir, NULL), 0);
    return io_end(state);
}

static void on_change(void *ctx)
{
    if (++changes == wanted_changes)
        event_loop_stop(el, 0);
}

static void init(const char *list)
{
    struct error err;
    if (zk_servers_init(&servers, el, list, on_change, NULL, &err) < 0)
        fail_msg("%s", err.text);
}

static void resolve(int answers)
{
    changes = 0;
    wanted_changes = answers;
    servers.resolved_at_ms = -1; /* as if the last round were long ago */
    zk_servers_resolve(&servers);
    assert_int_equal(run(), 0);
}

static bool knows(const char *address)
{
    for (int i = 0; i < servers.addresses_count; i++) {
        if (str_equal(servers.addresses[i].text, address))
            return true;
    }
    return false;
}

static void numeric_addresses_need_no_name_service(void **state)
{
    init("10.0.0.1:2181,10.0.0.2,[::1]:99,fd00::2");

    assert_int_equal(servers.addresses_count, 4);
    assert_true(knows("10.0.0.1:2181"));
    assert_true(knows("10.0.0.2:2181"));
    assert_true(knows("::1:99"));
    assert_true(knows("fd00::2:2181"));
    zk_servers_resolve(&servers);
    assert_false(zk_servers_resolving(&servers));
}

static void bad_lists_are_refused_with_the_server_named(void **state)
{
    const char *const bad[] = {"",          ",",     "h:0",       "h:99999", "h:x",
                               "-x:2181",   "a b:1", "[::1:2181", "[::1]x",  "h:21 81",
                               "$(true):1", "h:",    ".x:1",      "[]:1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct error err = {0};
        if (zk_servers_init(&servers, el, bad[i], on_change, NULL, &err) != -EINVAL)
            fail_msg("'%s' was let through", bad[i]);
        assert_true(err.text[0] != '\0');
    }
}

static void five_names_for_three_servers_are_three_addresses(void **state)
{
    put("zk-1.zk", "10.0.0.1\n");
    put("zk-2.zk", "10.0.0.2\n");
    put("zk-3.zk", "10.0.0.3\n");
    put("zk-4.zk", "10.0.0.1\n");
    put("zk-5.zk", "10.0.0.2\n");
    init("zk-1.zk:2181,zk-2.zk:2181,zk-3.zk:2181,zk-4.zk:2181,zk-5.zk:2181");
    assert_null(zk_servers_next(&servers));

    resolve(5);

    assert_int_equal(servers.addresses_count, 3);
    assert_true(knows("10.0.0.1:2181") && knows("10.0.0.2:2181") &&
                knows("10.0.0.3:2181"));
}

static void a_name_that_fails_keeps_its_last_good_addresses(void **state)
{
    char says[256];
    put("a", "10.0.0.1\nfd00::1\n");
    init("a:1,b:2");
    resolve(2);
    assert_int_equal(servers.addresses_count, 2);
    zk_servers_say(&servers, says, sizeof(says));
    assert_string_equal(says, "b: does not resolve");

    char path[128];
    (void)snprintf(path, sizeof(path), "%s/a", dir);
    assert_int_equal(fs_remove(path, NULL), 0);
    put("b", "10.0.0.9\n");
    resolve(2);

    assert_int_equal(servers.addresses_count, 3);
    assert_true(knows("10.0.0.1:1") && knows("fd00::1:1") && knows("10.0.0.9:2"));
    put("a", "10.0.0.7\n");
    resolve(2);
    assert_int_equal(servers.addresses_count, 2);
    assert_true(knows("10.0.0.7:1") && knows("10.0.0.9:2"));
}

static void a_name_that_hangs_does_not_hold_up_the_others(void **state)
{
    put("slow.hangs", "");
    put("quick", "10.0.0.1\n");
    init("slow:1,quick:1");

    resolve(1);

    assert_int_equal(servers.addresses_count, 1);
    assert_true(zk_servers_resolving(&servers)); /* end() cancels it */
}

static void answers_that_are_no_addresses_are_passed_over(void **state)
{
    put("odd", "10.0.0.1\nnonsense\nfe80::1%eth0\n999.1.1.1\n");
    init("odd:1");

    resolve(1);

    assert_int_equal(servers.addresses_count, 1);
}

static void rounds_are_not_begun_more_often_than_every_few_seconds(void **state)
{
    put("a", "10.0.0.1\n");
    init("a:1");
    resolve(1);

    zk_servers_resolve(&servers);

    assert_false(zk_servers_resolving(&servers));
}

static void servers_are_handed_out_in_turn_and_rounds_are_counted(void **state)
{
    init("10.0.0.1:1,10.0.0.2:1,10.0.0.3:1");
    char first[ZK_SERVER_TEXT_SIZE], says[256];

    (void)STR_COPY(first, zk_servers_next(&servers));
    zk_servers_note_failure(&servers, "connection refused");
    assert_false(zk_servers_round_over(&servers));
    assert_string_not_equal(zk_servers_next(&servers), first);
    assert_string_not_equal(zk_servers_next(&servers), first);
    assert_true(zk_servers_round_over(&servers));
    assert_string_equal(zk_servers_next(&servers), first);
    zk_servers_say(&servers, says, sizeof(says));
    assert_true(str_starts(says, first));
    zk_servers_note_success(&servers);
    zk_servers_say(&servers, says, sizeof(says));
    assert_string_equal(says, "");
    assert_false(zk_servers_round_over(&servers));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        T(numeric_addresses_need_no_name_service),
        T(bad_lists_are_refused_with_the_server_named),
        T(five_names_for_three_servers_are_three_addresses),
        T(a_name_that_fails_keeps_its_last_good_addresses),
        T(a_name_that_hangs_does_not_hold_up_the_others),
        T(answers_that_are_no_addresses_are_passed_over),
        T(rounds_are_not_begun_more_often_than_every_few_seconds),
        T(servers_are_handed_out_in_turn_and_rounds_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
