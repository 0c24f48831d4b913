/* test_zpath.c - names, ZooKeeper addresses and paths.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/str.h"
#include "shared/model/names.h"
#include "shared/model/zpath.h"
#include "tests/unit/cmocka_all.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void names_are_checked(void **state)
{
    char long_host[66];

    memset(long_host, 'a', 65);
    long_host[65] = '\0';

    assert_true(host_id_valid("10.0.0.5"));
    assert_true(host_id_valid("node-1.example"));
    assert_true(host_id_valid(long_host + 1));
    assert_false(host_id_valid(long_host));
    assert_false(host_id_valid(""));
    assert_false(host_id_valid("."));
    assert_false(host_id_valid(".."));
    assert_false(host_id_valid("Node"));
    assert_false(host_id_valid("a/b"));
    assert_true(rollout_id_valid("20261123-203000-1a2b"));
    assert_false(rollout_id_valid("2026.11"));
    assert_true(name_valid("docker-cluster-store"));
    assert_false(name_valid("an-name-that-is-longer-than-32-by"));
}

static void an_address_is_parsed(void **state)
{
    static const struct {
        const char *address, *servers, *root;
    } rows[] = {
        {"zk://h1:2181,h2:2182/root", "h1:2181,h2:2182", "/root"},
        {"h1,h2", "h1:2181,h2:2181", "/clowder"},
        {"zk://10.0.0.1/a/b", "10.0.0.1:2181", "/a/b"},
        {"zk://[::1]:2181,[fe80::1]/c", "[::1]:2181,[fe80::1]:2181", "/c"},
        {ZK_ADDRESS_DEFAULT,
         "zk-1.zk:2181,zk-2.zk:2181,zk-3.zk:2181,zk-4.zk:2181,zk-5.zk:2181",
         "/clowder"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *servers = NULL;
        struct zpath root;
        struct error err = {0};

        assert_int_equal(zk_address_parse(rows[i].address, &servers, &root, &err), 0);
        assert_string_equal(servers, rows[i].servers);
        assert_string_equal(root.text, rows[i].root);
        free(servers);
    }
}

static void a_bad_address_names_the_bad_part_and_an_example(void **state)
{
    static const struct {
        const char *address, *part;
    } rows[] = {
        {"", "empty server name"},
        {"zk://h1:2181,/x", "empty server name"},
        {"zk://h1:70000/x", "bad port in \"h1:70000\""},
        {"zk://h1:/x", "bad port in \"h1:\""},
        {"zk://h 1/x", "bad server \"h 1\""},
        {"http://h1/x", "only zk:// is known"},
        {"zk://u:p@h1/x", "no user or password"},
        {"zk://h1/", "\"/\" cannot be the root"},
        {"zk://h1/a//b", "bad root \"/a//b\""},
        {"zk://h1/a/", "bad root \"/a/\""},
        {"zk://h1/a/../b", "bad root \"/a/../b\""},
        {"zk://h1/a\tb", "bad root"},
        {"zk://h1/zookeeper", "ZooKeeper's own"},
        {"zk://[::1/x", "bad server"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *servers = NULL;
        struct zpath root = {"untouched"};
        struct error err = {0};

        assert_int_equal(zk_address_parse(rows[i].address, &servers, &root, &err),
                         -EINVAL);
        if (!strstr(err.text, rows[i].part))
            fail_msg("\"%s\" lacks \"%s\"", err.text, rows[i].part);
        assert_non_null(strstr(err.text, "for example zk://"));
        assert_null(servers);
        assert_string_equal(root.text, "untouched");
    }
}

static void a_root_that_is_too_long_is_refused(void **state)
{
    char address[256] = "zk://h1/";
    char *servers = NULL;
    struct zpath root;
    struct error err;

    memset(address + 8, 'a', ZROOT_MAX);
    assert_int_equal(zk_address_parse(address, &servers, &root, &err), -EINVAL);
    assert_non_null(strstr(err.text, "longer than"));
}

static void every_path_stands_where_the_protocol_says(void **state)
{
    const char *r = "/clowder", *id = "20261123-203000-1a2b";
#define R "/clowder/rollouts/20261123-203000-1a2b"
    assert_string_equal(zpath_hosts(r).text, "/clowder/hosts");
    assert_string_equal(zpath_host(r, "h").text, "/clowder/hosts/h");
    assert_string_equal(zpath_lives(r).text, "/clowder/live");
    assert_string_equal(zpath_live(r, "h").text, "/clowder/live/h");
    assert_string_equal(zpath_current(r).text, "/clowder/current");
    assert_string_equal(zpath_rollouts(r).text, "/clowder/rollouts");
    assert_string_equal(zpath_rollout(r, id).text, R);
    assert_string_equal(zpath_spec(r, id).text, R "/spec");
    assert_string_equal(zpath_wave(r, id, 3).text, R "/waves/3");
    assert_string_equal(zpath_gate(r, id).text, R "/gate");
    assert_string_equal(zpath_records(r, id).text, R "/hosts");
    assert_string_equal(zpath_record(r, id, "h").text, R "/hosts/h");
    assert_string_equal(zpath_failures(r, id).text, R "/failed");
    assert_string_equal(zpath_failure(r, id, "h").text, R "/failed/h");
    assert_string_equal(zpath_lease(r, id, "l").text, R "/leases/l");
    assert_string_equal(zpath_queue(r, id, "l").text, R "/leases/l/queue");
    assert_string_equal(zpath_ticket(r, id, "l", 42).text,
                        R "/leases/l/queue/t-0000000042");
    assert_string_equal(zpath_permits(r, id, "l").text, R "/leases/l/permits");
    assert_string_equal(zpath_permit(r, id, "l", 7).text, R "/leases/l/permits/7");
    assert_string_equal(zpath_permit_owner(r, id, "l", 7, "h").text,
                        R "/leases/l/permits/7/h");
    assert_string_equal(zpath_barrier(r, id, 0, "proxy").text, R "/barriers/0.proxy");
    assert_string_equal(zpath_arrivals(r, id, 0, "proxy").text,
                        R "/barriers/0.proxy/arrived");
    assert_string_equal(zpath_arrival(r, id, 0, "proxy", "h").text,
                        R "/barriers/0.proxy/arrived/h");
    assert_string_equal(zpath_open(r, id, 1, "run").text, R "/barriers/1.run/open");
    assert_string_equal(zpath_events(r, id).text, R "/events");
#undef R
    assert_string_equal(zpath_leaf("/a/b/c"), "c");
    assert_string_equal(zpath_leaf("c"), "c");
}

static void the_longest_names_fit_and_longer_ones_give_no_path(void **state)
{
    char root[ZROOT_MAX], host[HOST_ID_SIZE], id[ROLLOUT_ID_SIZE], name[NAME_SIZE];
    char huge[ZPATH_SIZE];

    memset(root, 'r', sizeof(root));
    root[0] = '/';
    root[sizeof(root) - 1] = '\0';
    memset(host, 'h', sizeof(host));
    host[sizeof(host) - 1] = '\0';
    memset(id, 'i', sizeof(id));
    id[sizeof(id) - 1] = '\0';
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    memset(huge, 'x', sizeof(huge));
    huge[sizeof(huge) - 1] = '\0';

    assert_true(str_ends(zpath_arrival(root, id, 127, name, host).text, host));
    assert_string_equal(zpath_record(root, id, huge).text, "");
}

static void a_ticket_has_ten_digits(void **state)
{
    assert_int_equal(ticket_seq("t-0000000042"), 42);
    assert_int_equal(ticket_seq("t-2147483647"), 2147483647);
    assert_int_equal(ticket_seq("t-2147483648"), -1);
    assert_int_equal(ticket_seq("t--214748364"), -1);
    assert_int_equal(ticket_seq("t-42"), -1);
    assert_int_equal(ticket_seq("x-0000000042"), -1);
    assert_int_equal(ticket_seq(""), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(an_address_is_parsed),
        cmocka_unit_test(a_bad_address_names_the_bad_part_and_an_example),
        cmocka_unit_test(a_root_that_is_too_long_is_refused),
        cmocka_unit_test(every_path_stands_where_the_protocol_says),
        cmocka_unit_test(the_longest_names_fit_and_longer_ones_give_no_path),
        cmocka_unit_test(a_ticket_has_ten_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
