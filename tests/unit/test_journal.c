/* test_journal.c - the journal of a visit and the baseline, whatever happens to the
 * disk.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/journal.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "tests/unit/cmocka_all.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

static const struct journal_visit visit = {
    .rollout = "20261123-203000-1a2b",
    .stage = "restart",
    .attempt = 1,
    .token = 4294968123,
    .boot_id = "4b7f0a86-0000-4000-8000-000000000001",
    .begun_ms = 1795464000000,
};

static struct journal *opened(void)
{
    struct journal *j;
    struct error err = {0};

    if (journal_open(root, &j, &err) < 0)
        fail_msg("%s", err.text);
    return j;
}

static struct journal *begun(void)
{
    struct journal *j = opened();

    assert_int_equal(journal_begin(j, &visit, NULL), 0);
    return j;
}

/* Forgets everything in memory, as a crash does. */
static struct journal *reopened(struct journal *j)
{
    journal_close(j);
    return opened();
}

static void step(struct journal *j, const char *name, enum journal_phase phase,
                 const char *memo)
{
    json_t *value = json_loads(memo, 0, NULL);
    struct error err = {0};

    if (journal_step(j, name, phase, value, 1000, &err) < 0)
        fail_msg("%s", err.text);
    json_decref(value);
}

static char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", root, name);
    return path;
}

static void assert_memo(const json_t *memo, const char *wanted)
{
    char *text = memo ? json_dumps(memo, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

    assert_non_null(text);
    assert_string_equal(text, wanted);
    free(text);
}

static void an_empty_state_dir_has_no_visit(void **state)
{
    struct journal *j = opened();

    assert_int_equal(journal_state(j), JOURNAL_ABSENT);
    assert_string_equal(journal_trouble(j), "");
    assert_false(journal_step_get(j, "cni", NULL, NULL));
    assert_null(journal_baseline(j, "cni"));
    assert_int_equal(journal_end(j, NULL), 0);
    journal_close(j);
    journal_close(NULL);
}

static void a_visit_is_there_again_after_a_crash(void **state)
{
    enum journal_phase phase;
    const json_t *memo;
    struct journal *j = begun();

    step(j, "docker-cluster-store", JOURNAL_PROVED, "{}");
    step(j, "cni", JOURNAL_APPLYING, "{\"restarting\":{\"main_pid\":812}}");
    j = reopened(j);

    assert_int_equal(journal_state(j), JOURNAL_GOOD);
    const struct journal_visit *v = journal_visit(j);
    assert_string_equal(v->rollout, visit.rollout);
    assert_string_equal(v->stage, "restart");
    assert_int_equal(v->attempt, 1);
    assert_true(v->token == 4294968123);
    assert_string_equal(v->boot_id, visit.boot_id);
    assert_true(v->begun_ms == 1795464000000);
    assert_true(journal_step_get(j, "cni", &phase, &memo));
    assert_int_equal(phase, JOURNAL_APPLYING);
    assert_memo(memo, "{\"restarting\":{\"main_pid\":812}}");
    assert_true(journal_step_get(j, "docker-cluster-store", &phase, NULL));
    assert_int_equal(phase, JOURNAL_PROVED);
    journal_close(j);
}

static void an_ended_visit_is_gone_and_the_next_may_begin(void **state)
{
    struct journal_visit next = visit;
    struct journal *j = begun();

    strcpy(next.stage, "run");
    assert_int_equal(journal_begin(j, &next, NULL), -EBUSY);
    assert_int_equal(journal_end(j, NULL), 0);
    assert_int_equal(journal_state(j), JOURNAL_ABSENT);
    assert_int_equal(access(path_of("journal.json"), F_OK), -1);
    assert_int_equal(journal_begin(j, &next, NULL), 0);
    assert_false(journal_step_get(j, "cni", NULL, NULL));
    journal_close(j);
}

static void beginning_the_same_stage_again_keeps_its_steps(void **state)
{
    struct journal_visit again = visit;
    struct journal *j = begun();

    step(j, "cni", JOURNAL_APPLYING, "{\"a\":1}");
    again.attempt = 2;
    again.token = 5;
    assert_int_equal(journal_begin(j, &again, NULL), 0);
    j = reopened(j);

    assert_int_equal(journal_visit(j)->attempt, 2);
    assert_true(journal_visit(j)->token == 5);
    assert_true(journal_step_get(j, "cni", NULL, NULL));
    journal_close(j);
}

static void a_step_without_a_visit_is_refused(void **state)
{
    struct journal *j = opened();
    struct error err = {0};

    assert_int_equal(journal_step(j, "cni", JOURNAL_OBSERVED, NULL, 0, &err), -EINVAL);
    assert_non_null(strstr(err.text, "no visit"));
    journal_close(j);
}

static void the_journal_is_unreadable_at_every_truncation(void **state)
{
    char *whole, *path = path_of("journal.json");
    size_t len;
    struct journal *j = begun();

    step(j, "cni", JOURNAL_APPLYING, "{\"bytes\":\"\\u00e4\"}");
    journal_close(j);
    assert_int_equal(fs_read(path, 100000, &whole, &len, NULL), 0);

    for (size_t cut = 0; cut < len; cut++) {
        struct error err = {0};
        assert_int_equal(fs_write_atomic(path, whole, cut, NULL, NULL, NULL), 0);
        j = opened();
        assert_int_equal(journal_state(j), JOURNAL_UNREADABLE);
        assert_non_null(strstr(journal_trouble(j), path));
        assert_false(journal_step_get(j, "cni", NULL, NULL));
        assert_int_equal(journal_begin(j, &visit, &err), -EBADMSG);
        assert_int_equal(journal_step(j, "cni", JOURNAL_PROVED, NULL, 0, NULL),
                         -EBADMSG);
        assert_int_equal(journal_end(j, NULL), -EBADMSG);
        assert_int_equal(access(path, F_OK), 0);
        journal_close(j);
    }
    free(whole);
}

static void every_nonsense_is_named(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "empty"},
        {"{}", "no version"},
        {"[1]", "no version"},
        {"{\"v\":2}", "newer clowder-agentd"},
        {"{\"v\":0}", "never in use"},
        {"{\"v\":\"1\"}", "no version"},
        {"{\"v\":1}", "rollout"},
        {"{\"v\":1,\"v\":1}", "duplicate"},
        {"{\"v\":1,\"rollout\":\"r-1\",\"stage\":\"s\",\"attempt\":1,\"token\":1,"
         "\"boot_id\":\"b\",\"begun_ms\":1,\"steps\":[]}",
         "steps"},
        {"{\"v\":1,\"rollout\":\"r-1\",\"stage\":\"s\",\"attempt\":1,\"token\":1,"
         "\"boot_id\":\"b\",\"begun_ms\":1,\"steps\":{},\"more\":1}",
         "more"},
        {"{\"v\":1,\"rollout\":\"R/..\",\"stage\":\"s\",\"attempt\":1,\"token\":1,"
         "\"boot_id\":\"b\",\"begun_ms\":1,\"steps\":{}}",
         "rollout"},
        {"{\"v\":1,\"rollout\":\"r-1\",\"stage\":\"s\",\"attempt\":1,\"token\":1,"
         "\"boot_id\":\"b\",\"begun_ms\":1,\"steps\":{\"cni\":{\"phase\":\"done\","
         "\"memo\":{}}}}",
         "steps.cni.phase"},
        {"{\"v\":1,\"rollout\":\"r-1\",\"stage\":\"s\",\"attempt\":1,\"token\":1,"
         "\"boot_id\":\"b\",\"begun_ms\":1,\"steps\":{\"cni\":{\"phase\":\"proved\","
         "\"memo\":[]}}}",
         "steps.cni.memo"},
        {"{\"v\":1,\"rollout\":\"r-1\",\"stage\":\"s\",\"attempt\":1,\"token\":1,"
         "\"boot_id\":\"0123456789012345678901234567890123456789\",\"begun_ms\":1,"
         "\"steps\":{}}",
         "boot_id"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(fs_write_atomic(path_of("journal.json"), cases[i].text,
                                         strlen(cases[i].text), NULL, NULL, NULL),
                         0);
        struct journal *j = opened();
        assert_int_equal(journal_state(j), JOURNAL_UNREADABLE);
        if (!strstr(journal_trouble(j), cases[i].says))
            fail_msg("\"%s\" does not say \"%s\"", journal_trouble(j), cases[i].says);
        journal_close(j);
    }
}

static void an_unreadable_journal_is_kept_when_set_aside(void **state)
{
    struct journal *j;

    assert_int_equal(fs_write_atomic(path_of("journal.json"), "{", 1, NULL, NULL, NULL),
                     0);
    assert_int_equal(
        fs_write_atomic(path_of("baseline.json"), "[", 1, NULL, NULL, NULL), 0);
    j = opened();
    assert_non_null(strstr(journal_trouble(j), "journal.json"));
    assert_non_null(strstr(journal_trouble(j), "baseline.json"));

    assert_int_equal(journal_set_aside(j, 77, NULL), 0);

    assert_int_equal(journal_state(j), JOURNAL_ABSENT);
    assert_string_equal(journal_trouble(j), "");
    assert_int_equal(access(path_of("journal.json.bad-77"), F_OK), 0);
    assert_int_equal(access(path_of("baseline.json.bad-77"), F_OK), 0);
    assert_int_equal(journal_begin(j, &visit, NULL), 0);
    j = reopened(j);
    assert_int_equal(journal_state(j), JOURNAL_GOOD);
    journal_close(j);
}

static void the_baseline_is_what_the_first_visit_found(void **state)
{
    struct journal_visit later = visit;
    struct journal *j = begun();

    step(j, "cni", JOURNAL_OBSERVED, "{\"ignored\":1}");
    assert_null(journal_baseline(j, "cni"));
    step(j, "cni", JOURNAL_APPLYING, "{}");
    assert_null(journal_baseline(j, "cni"));
    step(j, "cni", JOURNAL_APPLYING, "{\"before\":\"nothing\"}");
    step(j, "cni", JOURNAL_APPLYING, "{\"before\":\"nothing\",\"restarting\":1}");
    step(j, "cni", JOURNAL_PROVED, "{}");
    assert_int_equal(journal_end(j, NULL), 0);
    strcpy(later.rollout, "20270101-000000-ffff");
    assert_int_equal(journal_begin(j, &later, NULL), 0);
    step(j, "cni", JOURNAL_APPLYING, "{\"before\":\"the first rollout\"}");
    j = reopened(j);

    assert_memo(journal_baseline(j, "cni"), "{\"before\":\"nothing\"}");
    assert_string_equal(journal_baseline_rollout(j, "cni"), visit.rollout);
    assert_string_equal(journal_baseline_rollout(j, "node"), "");

    step(j, "cni", JOURNAL_REVERTED, "{}"); /* to what the first rollout left */
    assert_non_null(journal_baseline(j, "cni"));
    assert_int_equal(journal_baseline_forget(j, "cni", NULL), 0);
    assert_int_equal(journal_baseline_forget(j, "cni", NULL), 0);
    j = reopened(j);
    assert_null(journal_baseline(j, "cni"));
    journal_close(j);
}

/* A step that waited for leave has looked again at the file that it then wrote. */
static void the_baseline_has_the_file_that_the_first_visit_wrote_over(void **state)
{
    struct journal *j = begun();

    step(j, "cni", JOURNAL_APPLYING, "{\"before\":{\"calico\":1,\"config\":1}}");
    step(j, "cni", JOURNAL_APPLYING, "{\"before\":{\"config\":2,\"calico\":2}}");
    assert_memo(journal_baseline(j, "cni"), "{\"before\":{\"calico\":1,\"config\":1}}");
    for (int config = 2; config < 4; config++) {
        char text[80];
        snprintf(text, sizeof(text),
                 "{\"before\":{\"config\":%d,\"calico\":2},\"wrote\":\"ours\"}",
                 config);
        step(j, "cni", JOURNAL_APPLYING, text);
        j = reopened(j);
        assert_memo(journal_baseline(j, "cni"),
                    "{\"before\":{\"calico\":1,\"config\":2},\"wrote\":\"ours\"}");
    }
    journal_close(j);
}

static void a_reverted_first_visit_leaves_no_baseline(void **state)
{
    struct journal *j = begun();

    step(j, "cni", JOURNAL_APPLYING, "{\"before\":1}");
    step(j, "node", JOURNAL_APPLYING, "{\"before\":2}");
    step(j, "cni", JOURNAL_REVERTING, "{\"before\":1}");
    step(j, "cni", JOURNAL_REVERTED, "{\"before\":1}");
    j = reopened(j);

    assert_null(journal_baseline(j, "cni"));
    assert_non_null(journal_baseline(j, "node"));
    journal_close(j);
}

static void nothing_changes_where_the_disk_fails(void **state)
{
    enum journal_phase phase;
    struct error err = {0};
    struct journal *j = begun();
    json_t *memo = json_pack("{s:i}", "a", 1);

    step(j, "cni", JOURNAL_OBSERVED, "{}");
    char *gone = mem_printf("%s.gone", root);
    assert_int_equal(rename(root, gone), 0);

    assert_true(journal_step(j, "cni", JOURNAL_APPLYING, memo, 0, &err) < 0);
    assert_true(journal_step_get(j, "cni", &phase, NULL));
    assert_int_equal(phase, JOURNAL_OBSERVED);
    assert_null(journal_baseline(j, "cni"));

    assert_int_equal(rename(gone, root), 0);
    free(gone);
    json_decref(memo);
    journal_close(j);
}

static void only_root_reads_the_journal(void **state)
{
    struct stat st;
    struct journal *j = begun();

    step(j, "cni", JOURNAL_APPLYING, "{\"secret\":1}");
    assert_int_equal(stat(path_of("journal.json"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(path_of("baseline.json"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    journal_close(j);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, make_root, remove_root)
    const struct CMUnitTest tests[] = {
        TEST(an_empty_state_dir_has_no_visit),
        TEST(a_visit_is_there_again_after_a_crash),
        TEST(an_ended_visit_is_gone_and_the_next_may_begin),
        TEST(beginning_the_same_stage_again_keeps_its_steps),
        TEST(a_step_without_a_visit_is_refused),
        TEST(the_journal_is_unreadable_at_every_truncation),
        TEST(every_nonsense_is_named),
        TEST(an_unreadable_journal_is_kept_when_set_aside),
        TEST(the_baseline_is_what_the_first_visit_found),
        TEST(the_baseline_has_the_file_that_the_first_visit_wrote_over),
        TEST(a_reverted_first_visit_leaves_no_baseline),
        TEST(nothing_changes_where_the_disk_fails),
        TEST(only_root_reads_the_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
