/* test_daemon_json.c - merging keys into Docker's daemon.json.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/steps/daemon_json.h"
#include "shared/base/cleanup.h"
#include "tests/unit/cmocka_all.h"

#include <errno.h>
#include <string.h>

static char *merged(const char *before)
{
    json_t *keys = json_pack("{s:s}", "cluster-store", "etcd://127.0.0.1:2379");
    char *text = NULL;
    struct error err = {0};

    assert_int_equal(daemon_json_merge(before, strlen(before), keys, &text, &err), 0);
    json_decref(keys);
    return text;
}

static void every_other_byte_stays(void **state)
{
    _cleanup_(freep) char *tabs = merged("{\n\t\"log-opts\": {\"max\": \"1\"},\n"
                                         "\t\"a\": [1,  2]\n}\n");
    _cleanup_(freep) char *line = merged("{\"debug\":true}");
    _cleanup_(freep) char *brace = merged("{\"a\": {\"b\": \"}\"} } \n");

    assert_string_equal(tabs, "{\n\t\"log-opts\": {\"max\": \"1\"},\n"
                              "\t\"a\": [1,  2],\n"
                              "\t\"cluster-store\": \"etcd://127.0.0.1:2379\"\n}\n");
    assert_string_equal(
        line, "{\"debug\":true, \"cluster-store\": \"etcd://127.0.0.1:2379\"}");
    assert_string_equal(brace, "{\"a\": {\"b\": \"}\"}, \"cluster-store\": "
                               "\"etcd://127.0.0.1:2379\" } \n");
}

static void a_key_that_is_there_keeps_its_place(void **state)
{
    _cleanup_(freep) char *line =
        merged("{\"cluster-store\": \"zk://x\", \"debug\": 1}");
    _cleanup_(freep) char *lines =
        merged("{\n  \"cluster-store\": \"zk://x\",\n  \"debug\": true\n}\n");

    assert_string_equal(line,
                        "{\"cluster-store\": \"etcd://127.0.0.1:2379\", \"debug\": 1}");
    assert_string_equal(lines, "{\n  \"cluster-store\": \"etcd://127.0.0.1:2379\",\n"
                               "  \"debug\": true\n}\n");
}

static void no_file_and_an_empty_file_give_a_new_document(void **state)
{
    static const char *const blanks[] = {"", "\n", "  \n\t"};

    for (int i = 0; i < 3; i++) {
        _cleanup_(freep) char *text = merged(blanks[i]);

        assert_string_equal(text,
                            "{\n    \"cluster-store\": \"etcd://127.0.0.1:2379\"\n}\n");
    }
}

static void assert_refused(const char *text, const char *because)
{
    struct error err = {0};
    json_t *document = NULL;

    assert_int_equal(daemon_json_parse(text, strlen(text), &document, &err), -EINVAL);
    assert_null(document);
    assert_non_null(strstr(err.text, because));
}

static void what_is_not_an_object_is_refused_with_the_place(void **state)
{
    assert_refused("{\n \"a\": tru\n}", "line 2");
    assert_refused("[1]", "no JSON object");
    assert_refused("{\"a\":1,\"a\":2}", "duplicate");
    assert_refused("{\"a\":1} trailing", "end of file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_other_byte_stays),
        cmocka_unit_test(a_key_that_is_there_keeps_its_place),
        cmocka_unit_test(no_file_and_an_empty_file_give_a_new_document),
        cmocka_unit_test(what_is_not_an_object_is_refused_with_the_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
