/* test_archive.c - what each rollout found on this host, kept and given back.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/archive.h"
#include "agentd/journal.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "tests/unit/cmocka_all.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char root[64];

static int make_root(void **state)
{
    strcpy(root, "/tmp/clowder-test-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    return fs_remove_tree(root, NULL);
}

static const char *rollout(int number)
{
    static char ids[4][ROLLOUT_ID_SIZE];
    static int next;
    char *id = ids[next++ % 4];

    snprintf(id, ROLLOUT_ID_SIZE, "20261123-%06d-1a2b", number);
    return id;
}

static json_t *memo(const char *was, const char *wrote)
{
    return json_pack("{s:{s:s},s:s,s:b}", "before", "file", was, "wrote", wrote,
                     "restart_due", 1);
}

static void add(int number, const char *step, const char *was, const char *wrote)
{
    json_t *steps = json_pack("{s:o}", step, memo(was, wrote));
    struct error err = {0};

    if (archive_add(root, rollout(number), steps, &err) < 0)
        fail_msg("%s", err.text);
    json_decref(steps);
}

static void assert_memo(const json_t *got, const char *was, const char *wrote)
{
    const char *file, *by;

    assert_int_equal(json_unpack((json_t *)got, "{s:{s:s},s:s!}", "before", "file",
                                 &file, "wrote", &by),
                     0);
    assert_string_equal(file, was);
    assert_string_equal(by, wrote);
}

static void a_rollout_is_remembered_by_what_was_before_it(void **state)
{
    json_t *got = NULL;
    struct error err = {0};

    add(1, "cni", "original", "one");

    assert_int_equal(archive_find(root, rollout(1), "cni", false, &got, NULL), 0);
    assert_memo(got, "original", "one");
    json_decref(got);
    assert_int_equal(archive_find(root, rollout(1), "node", false, &got, NULL), 0);
    assert_null(got); /* it changed nothing there */
    assert_int_equal(archive_find(root, rollout(2), "cni", false, &got, &err), -ENOENT);
    assert_non_null(strstr(err.text, "no memory of rollout 20261123-000002"));
}

static void a_second_visit_of_one_rollout_keeps_what_the_first_found(void **state)
{
    json_t *got = NULL;

    add(1, "cni", "original", "one");
    add(1, "cni", "one", "repaired");

    assert_int_equal(archive_find(root, rollout(1), "cni", false, &got, NULL), 0);
    assert_memo(got, "original", "repaired");
    json_decref(got);
}

static void an_older_rollout_is_rolled_back_after_the_newer_one(void **state)
{
    json_t *got = NULL;
    struct error err = {0};

    add(1, "cni", "original", "one");
    add(2, "cni", "one", "two");

    assert_int_equal(archive_find(root, rollout(1), "cni", false, &got, &err), -EBUSY);
    assert_non_null(strstr(err.text, rollout(2)));
    assert_int_equal(archive_find(root, rollout(1), "cni", true, &got, NULL), 0);
    json_decref(got);
    assert_int_equal(archive_forget(root, rollout(2), "cni", NULL), 0);
    assert_int_equal(archive_find(root, rollout(1), "cni", false, &got, NULL), 0);
    assert_memo(got, "original", "one");
    json_decref(got);
}

static void an_uninstall_knows_the_first_before_and_the_last_bytes(void **state)
{
    json_t *first = json_pack("{s:{s:s}}", "before", "file", "original"), *whole;
    json_t *later = json_pack("{s:{s:{s:s,s:s},s:s}}", "cni", "before", "file", "two",
                              "binary", "none", "wrote", "three");

    add(1, "cni", "of another life", "zero"); /* before the baseline was made */
    add(2, "cni", "original", "one");
    add(3, "node", "x", "y");
    json_object_clear(later);
    json_object_set_new(later, "cni",
                        json_pack("{s:{s:s,s:s},s:s}", "before", "file", "one",
                                  "binary", "none", "wrote", "two"));
    assert_int_equal(archive_add(root, rollout(4), later, NULL), 0);
    json_decref(later);

    assert_int_equal(archive_whole(root, rollout(2), "cni", first, false, &whole, NULL),
                     0);

    json_t *wanted = json_pack("{s:{s:s,s:s},s:s}", "before", "file", "original",
                               "binary", "none", "wrote", "two");
    assert_true(json_equal(whole, wanted));
    json_decref(wanted);
    json_decref(whole);
    json_decref(first);
}

static void add_config(int number, const char *path, const char *wrote)
{
    json_t *steps = json_pack("{s:{s:{s:{s:s,s:b}},s:s}}", "cni", "before", "config",
                              "path", path, "absent", 1, "wrote", wrote);

    assert_int_equal(archive_add(root, rollout(number), steps, NULL), 0);
    json_decref(steps);
}

/* Its binaries would go, and the network's second file would stay. */
static void
an_uninstall_forgets_no_file_that_a_later_rollout_put_elsewhere(void **state)
{
    json_t *baseline = json_loads("{\"before\":{\"config\":{\"path\":\"/n/calico.cni\","
                                  "\"absent\":true}}}",
                                  0, NULL);
    struct error err = {0};
    json_t *got = NULL;

    add_config(1, "/n/calico.cni", "one");
    add_config(2, "/n/calico.conf", "two");

    assert_int_equal(
        archive_whole(root, rollout(1), "cni", baseline, false, &got, &err), -EBUSY);
    assert_non_null(strstr(err.text, "-000002-1a2b put \"/n/calico.conf\" beside"));
    assert_int_equal(archive_whole(root, rollout(1), "cni", baseline, true, &got, &err),
                     0);
    json_decref(got);
    assert_int_equal(archive_forget(root, rollout(2), "cni", &err),
                     0); /* rolled back */
    assert_int_equal(
        archive_whole(root, rollout(1), "cni", baseline, false, &got, &err), 0);
    json_decref(got);
    json_decref(baseline);
}

static void add_settings(int number, const char *settings)
{
    json_t *steps = json_pack("{s:{s:{s:n,s:o}}}", "node", "before", "container",
                              "sysctls", json_loads(settings, 0, NULL));

    assert_int_equal(archive_add(root, rollout(number), steps, NULL), 0);
    json_decref(steps);
}

static void assert_settings(json_t *got, const char *wanted)
{
    json_t *before = json_object_get(got, "before");
    json_t *settings = json_loads(wanted, 0, NULL);

    assert_true(json_equal(json_object_get(before, "sysctls"), settings));
    json_decref(settings);
    json_decref(got);
}

/* After a boot, say: what was right at first is none of what later visits wrote. */
static void a_setting_that_a_later_visit_changed_is_remembered(void **state)
{
    json_t *baseline = json_loads("{\"before\":{\"container\":null,\"sysctls\":"
                                  "{\"a\":\"0\"}}}",
                                  0, NULL);
    json_t *got = NULL;

    add_settings(1, "{\"a\":\"0\"}");
    add_settings(1, "{\"a\":\"7\",\"b\":\"1\"}");
    add_settings(2, "{\"b\":\"8\",\"c\":\"2\"}");

    assert_int_equal(archive_find(root, rollout(1), "node", true, &got, NULL), 0);
    assert_settings(got, "{\"a\":\"0\",\"b\":\"1\"}");
    assert_int_equal(
        archive_whole(root, rollout(1), "node", baseline, false, &got, NULL), 0);
    assert_settings(got, "{\"a\":\"0\",\"b\":\"1\",\"c\":\"2\"}");
    json_decref(baseline);
}

static void the_last_to_have_changed_a_step_is_never_pruned(void **state)
{
    json_t *got = NULL;

    add(1, "node", "original", "one");
    add(2, "cni", "original", "one");
    for (int i = 3; i < 3 + ARCHIVE_KEPT; i++)
        add(i, "node", "x", "y");

    assert_int_equal(archive_find(root, rollout(1), "node", true, &got, NULL), -ENOENT);
    assert_int_equal(archive_find(root, rollout(2), "cni", false, &got, NULL), 0);
    assert_memo(got, "original", "one");
    json_decref(got);
}

static void an_unreadable_memory_is_said_and_not_guessed(void **state)
{
    json_t *got = NULL;
    struct error err = {0};
    char *path = mem_printf("%s/rollouts/%s.json", root, rollout(1));

    add(1, "cni", "original", "one");
    assert_int_equal(fs_write_atomic(path, "{\"v\":1,", 7, NULL, NULL, NULL), 0);

    assert_int_equal(archive_find(root, rollout(1), "cni", false, &got, &err),
                     -EBADMSG);
    assert_non_null(strstr(err.text, path));
    free(path);
}

/* ---- the journal hands over what a visit changed ---- */

static struct journal *visited(enum journal_phase phase, const json_t *last)
{
    struct journal_visit visit = {.stage = "restart", .attempt = 1, .token = 7};
    struct journal *j;

    STR_COPY(visit.rollout, rollout(1));
    assert_int_equal(journal_open(root, &j, NULL), 0);
    assert_int_equal(journal_begin(j, &visit, NULL), 0);
    assert_int_equal(journal_step(j, "cni", phase, last, 1, NULL), 0);
    assert_int_equal(journal_end(j, NULL), 0);
    return j;
}

static bool remembers(enum journal_phase phase, const char *failure)
{
    json_t *last = memo("original", "one"), *got = NULL;

    if (failure)
        json_object_set_new(last, "failure", json_loads(failure, 0, NULL));
    journal_close(visited(phase, last));
    json_decref(last);
    assert_int_equal(archive_find(root, rollout(1), "cni", false, &got, NULL), 0);
    bool there = got != NULL;
    json_decref(got);
    assert_int_equal(fs_remove_tree(root, NULL), 0);
    assert_int_equal(fs_mkdirs(root, 0700, NULL), 0);
    return there;
}

static void what_a_visit_changed_and_did_not_take_back_is_kept(void **state)
{
    assert_true(remembers(JOURNAL_PROVED, NULL));
    assert_true(remembers(JOURNAL_APPLYING, NULL));
    assert_true(remembers(JOURNAL_FAILED, "{\"healthy\":false,\"undo\":false}"));
    assert_false(remembers(JOURNAL_FAILED, "{\"healthy\":true,\"undo\":false}"));
    /* that of an earlier attempt */
    assert_true(remembers(JOURNAL_PROVED, "{\"healthy\":true,\"undo\":false}"));
    assert_false(remembers(JOURNAL_FAILED, "{\"healthy\":false,\"undo\":true}"));
    assert_false(remembers(JOURNAL_REVERTED, NULL));
    assert_false(remembers(JOURNAL_REVERTING, NULL)); /* an undo under way */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_rollout_is_remembered_by_what_was_before_it),
        TEST(a_second_visit_of_one_rollout_keeps_what_the_first_found),
        TEST(an_older_rollout_is_rolled_back_after_the_newer_one),
        TEST(an_uninstall_knows_the_first_before_and_the_last_bytes),
        TEST(an_uninstall_forgets_no_file_that_a_later_rollout_put_elsewhere),
        TEST(a_setting_that_a_later_visit_changed_is_remembered),
        TEST(the_last_to_have_changed_a_step_is_never_pruned),
        TEST(an_unreadable_memory_is_said_and_not_guessed),
        TEST(what_a_visit_changed_and_did_not_take_back_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
