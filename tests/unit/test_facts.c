/* test_facts.c - the inventory, the live node and the comparison of versions.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/str.h"
#include "shared/model/facts.h"
#include "tests/unit/cmocka_all.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char GOLDEN[] =
    "{\"v\":1,\"role\":\"slave\",\"zone\":\"a\",\"address\":\"10.0.0.5\","
    "\"machine_id\":\"0123\",\"agentd\":\"0.1.0\",\"kernel\":\"6.1.0\","
    "\"dcos\":\"1.10.0\",\"docker\":\"20.10.24\",\"mesos\":\"1.4.1\","
    "\"native_calico\":false,\"seen_ms\":1795464000000,"
    "\"seen\":{\"etcd-proxy\":{\"healthy\":true}},"
    "\"errors\":{\"cni\":\"agent:5051 does not answer\"},\"in_use\":{},\"drift\":{}}";

static void an_inventory_survives_the_way_there_and_back(void **state)
{
    struct facts facts;
    struct error err = {0};
    char *text;

    assert_int_equal(facts_decode(GOLDEN, strlen(GOLDEN), &facts, &err), 0);
    assert_int_equal(facts.role, ROLE_SLAVE);
    assert_string_equal(facts.address, "10.0.0.5");
    assert_true(json_is_true(
        json_object_get(json_object_get(facts.seen, "etcd-proxy"), "healthy")));

    text = facts_encode(&facts);
    assert_string_equal(text, GOLDEN);
    free(text);
    facts_done(&facts);
}

static void an_empty_inventory_encodes_too(void **state)
{
    struct facts facts, back;
    char *text;

    facts_init(&facts);
    text = facts_encode(&facts);
    assert_int_equal(facts_decode(text, strlen(text), &back, NULL), 0);
    assert_int_equal(json_object_size(back.seen), 0);
    free(text);
    facts_done(&facts);
    facts_done(&back);
}

static void a_newer_programs_words_are_refused_as_such(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"{\"v\":1,\"role\":\"boss\"}", "role: \"boss\" is not one of unknown, slave"},
        {"{\"v\":1,\"role\":\"slave\",\"colour\":\"red\"}", "colour: unknown key"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct facts facts;
        struct error err = {0};

        assert_int_equal(facts_decode(rows[i].text, strlen(rows[i].text), &facts, &err),
                         -EPROTONOSUPPORT);
        if (!strstr(err.text, rows[i].says))
            fail_msg("\"%s\" lacks \"%s\"", err.text, rows[i].says);
    }
}

static void nonsense_is_refused_with_the_path(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"{\"v\":1}", "role: is missing"},
        {"{\"v\":1,\"role\":\"slave\",\"address\":\"10.0.0\"}",
         "address: \"10.0.0\" is no IP address"},
        {"{\"v\":1,\"role\":\"slave\",\"seen\":[]}", "seen: expected an object"},
        {"{\"v\":1,\"role\":\"slave\",\"errors\":{\"cni\":1}}",
         "errors.cni: expected a string, got 1"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct facts facts;
        struct error err = {0};

        assert_int_equal(facts_decode(rows[i].text, strlen(rows[i].text), &facts, &err),
                         -EINVAL);
        if (!strstr(err.text, rows[i].says))
            fail_msg("\"%s\" lacks \"%s\"", err.text, rows[i].says);
    }
}

static void versions_compare_by_their_numbers(void **state)
{
    static const struct {
        const char *a, *b;
        int expect;
    } rows[] = {
        {"1.10", "1.9", 1},
        {"17.05.0-ce", "17.5", 0},
        {"20.10.24", "23.0", -1},
        {"1.2", "1.2.0", 0},
        {"2.6.11~3", "2.6.11", 0},
        {"v3.0", "3.0.1", -1},
        {"", "0", 0},
        {"", "1.11", -1},
        {"1.0.0-rc4", "1.0.0", 0},
        {"99999999999999999999.1", "1", 1},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(version_compare(rows[i].a, rows[i].b), rows[i].expect);
        assert_int_equal(version_compare(rows[i].b, rows[i].a), -rows[i].expect);
    }
}

static void a_live_node_survives_and_must_name_its_machine(void **state)
{
    struct live live = {.boot_id = "b",
                        .machine_id = "m",
                        .incarnation = 12,
                        .pid = 3,
                        .version = "0.1.0"};
    struct live back;
    struct error err;
    char *text = live_encode(&live);
    const char *bad = "{\"v\":1,\"boot_id\":\"b\",\"incarnation\":1}";

    assert_string_equal(text, "{\"v\":1,\"boot_id\":\"b\",\"machine_id\":\"m\","
                              "\"incarnation\":12,\"pid\":3,\"version\":\"0.1.0\"}");
    assert_int_equal(live_decode(text, strlen(text), &back, &err), 0);
    assert_int_equal(back.incarnation, 12);
    free(text);

    assert_int_equal(live_decode(bad, strlen(bad), &back, &err), -EINVAL);
    assert_non_null(strstr(err.text, "live: machine_id: is missing"));
}

static void every_role_has_its_word(void **state)
{
    for (int i = 0; i < ROLE_COUNT; i++)
        assert_non_null(host_role_text(i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_inventory_survives_the_way_there_and_back),
        cmocka_unit_test(an_empty_inventory_encodes_too),
        cmocka_unit_test(nonsense_is_refused_with_the_path),
        cmocka_unit_test(a_newer_programs_words_are_refused_as_such),
        cmocka_unit_test(versions_compare_by_their_numbers),
        cmocka_unit_test(a_live_node_survives_and_must_name_its_machine),
        cmocka_unit_test(every_role_has_its_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
