/* test_visit.c - an install's visit, crashed and killed anywhere.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/archive.h"
#include "shared/base/fs.h"
#include "shared/base/str.h"
#include "tests/unit/io_fixture.h"
#include "tests/unit/two_steps.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef CLOWDER_FAILPOINTS
/* The same in a process of its own, killed the nth time that it comes to a point
 * (counted from the start of this program, which must not have come there itself):
 * false = it never did. */
static bool visit_killed_at(const char *point, int nth, int attempt)
{
    char order[80], path[80];
    int status = 0;
    snprintf(order, sizeof(order), "%s %d\n", point, nth);
    snprintf(path, sizeof(path), "%s.failpoint", root);
    assert_int_equal(fs_write_atomic(path, order, strlen(order), NULL, NULL, NULL), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (setenv("CLOWDER_FAILPOINT_FILE", path, 1) != 0 || io_begin(NULL) != 0)
            _exit(1);
        _exit(visit_once(attempt) == ENDED ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)unlink(path);
    if (WIFSIGNALED(status))
        assert_int_equal(WTERMSIG(status), SIGKILL);
    else
        assert_int_equal(WEXITSTATUS(status), 0);
    return WIFSIGNALED(status);
}
#endif

/* ---- tests ---- */

static bool remembers_a_baseline(void)
{
    static const char *const steps[STEPS] = {"docker-cluster-store", "cni"};
    struct journal *journal = NULL;
    bool found = false;
    assert_int_equal(journal_open(root, &journal, NULL), 0);
    for (int i = 0; i < STEPS; i++)
        found = found || journal_baseline(journal, steps[i]);
    journal_close(journal);
    return found;
}

static void a_crash_anywhere_in_a_visit_repeats_no_act(void **state)
{
    for (int at = 1;; at++) {
        begin_again();
        world->crash_at = at;

        int code = visit_once(1);
        if (code != CRASHED)
            break;
        assert_int_equal(visit_once(1), ENDED);

        assert_int_equal(world->result, VISIT_DONE);
        for (int i = 0; i < STEPS; i++) {
            assert_true(world->installed[i]);
            assert_int_equal(world->acts[i], 1);
        }
    }
    assert_true(world->point >= 8);
}

static void
a_crash_anywhere_in_a_failing_visit_puts_back_and_applies_no_more(void **state)
{
    for (int at = 1;; at++) {
        begin_again();
        world->cni_fails = true;
        world->crash_at = at;

        int code = visit_once(1);
        if (code == CRASHED)
            assert_int_equal(visit_once(1), ENDED);

        assert_int_equal(world->result, VISIT_FAILED);
        assert_true(world->healthy);
        assert_non_null(strstr(world->error, "does not answer"));
        for (int i = 0; i < STEPS; i++) {
            assert_false(world->installed[i]);
            assert_int_equal(world->acts[i], 1);
            assert_int_equal(world->reverts[i], 1);
        }
        assert_false(remembers_a_baseline());
        if (code != CRASHED)
            break;
    }
    assert_true(world->point >= 13);
}

/* A restart that systemd cancelled since the host goes down is no failure of the step:
 * it goes on when the host is up again, as after any other crash. */
static void a_host_that_goes_down_in_an_act_goes_on_with_it_afterwards(void **state)
{
    begin_again();
    world->act_fails = -ESHUTDOWN;
    assert_int_equal(visit_once(1), CRASHED);

    world->act_fails = 0;
    assert_int_equal(visit_once(1), ENDED);

    assert_int_equal(world->result, VISIT_DONE);
    for (int i = 0; i < STEPS; i++) {
        assert_true(world->installed[i]);
        assert_int_equal(world->acts[i], 1);
        assert_int_equal(world->reverts[i], 0);
    }
}

/* The same while it is put back. */
static void a_host_that_goes_down_in_a_revert_goes_on_with_it_afterwards(void **state)
{
    begin_again();
    world->cni_fails = true;
    world->undo_fails = -ESHUTDOWN;
    assert_int_equal(visit_once(1), CRASHED);

    world->undo_fails = 0;
    assert_int_equal(visit_once(1), ENDED);

    assert_int_equal(world->result, VISIT_FAILED);
    assert_true(world->healthy);
    for (int i = 0; i < STEPS; i++)
        assert_false(world->installed[i]);
}

/* Its systemd says so for ever, or is not to be asked: it fails like any other. */
static void a_host_that_says_it_goes_down_and_stays_has_failed(void **state)
{
    begin_again();
    world->outlives_ms = 10;
    world->act_fails = -ESHUTDOWN;
    assert_int_equal(visit_once(1), ENDED);

    assert_int_equal(world->result, VISIT_FAILED);
    assert_int_equal(world->acts[0], 0);
}

#ifdef CLOWDER_FAILPOINTS
/* Between any two words of the journal, where no step of the visit would notice. */
static void a_kill_at_any_write_of_the_journal_applies_nothing_twice(void **state)
{
    static const char *const points[] = {
        "journal:begin",        "journal:begun", "journal:step",  "journal:step-kept",
        "journal:step-written", "journal:end",   "journal:ended", "fs:temp-made",
        "fs:temp-written",      "fs:renamed",
    };
    int kills = 0;
    for (size_t n = 0; n < 2 * sizeof(points) / sizeof(points[0]); n++) {
        bool fails = n % 2;
        for (int nth = 1;; nth++) {
            begin_again();
            world->cni_fails = fails;
            if (!visit_killed_at(points[n / 2], nth, 1))
                break;
            kills++;
            assert_false(visit_killed_at("none", 1, 1));

            assert_int_equal(world->result, fails ? VISIT_FAILED : VISIT_DONE);
            for (int i = 0; i < STEPS; i++) {
                assert_int_equal(world->installed[i], !fails);
                assert_int_equal(world->acts[i], 1);
                assert_int_equal(world->reverts[i], fails);
            }
        }
    }
    assert_in_range(kills, 40, 1000);
}
#endif

/* What an attempt left half put back is no reason for the next to put back, too. */
static void the_attempt_after_a_failure_begins_afresh(void **state)
{
    for (int at = 1; at < 12; at++) {
        begin_again();
        world->cni_fails = true;
        assert_int_equal(visit_once(1), ENDED);
        world->cni_fails = false;
        world->point = 0;
        world->crash_at = at;

        if (visit_once(2) == CRASHED)
            assert_int_equal(visit_once(2), ENDED);

        assert_int_equal(world->result, VISIT_DONE);
        for (int i = 0; i < STEPS; i++)
            assert_int_equal(world->acts[i], 2);
    }
}

/* The first step is right already; the second has its files in place when it asks. */
static void begin_with_a_late_question(void)
{
    begin_again();
    world->installed[0] = true;
    world->asks_late = world->gate_closed = true;
}

static void a_host_that_gets_no_leave_is_as_it_was_whenever_it_crashes(void **state)
{
    int crashes = 0;
    for (int at = 1;; at++) {
        begin_with_a_late_question();
        world->crash_at = at;

        int code = visit_once(1);
        if (code == CRASHED) {
            crashes++;
            assert_int_equal(visit_once(1), ENDED);
        }
        assert_int_equal(world->result, VISIT_STEPPED_BACK);
        assert_true(world->installed[0]);
        assert_false(world->installed[1]);
        assert_int_equal(world->reverts[1], world->acts[1]);

        world->crash_at = 0;
        world->gate_closed = false;
        assert_int_equal(visit_once(1), ENDED);
        assert_int_equal(world->result, VISIT_DONE);
        assert_true(world->installed[1]);
        if (code != CRASHED)
            break;
    }
    assert_in_range(crashes, 4, 20);
}

#ifdef CLOWDER_FAILPOINTS
/* The same, killed between any two words of the journal. */
static void
a_kill_at_any_write_of_the_journal_leaves_a_host_that_steps_back(void **state)
{
    static const char *const points[] = {
        "journal:begin",        "journal:begun", "journal:step",  "journal:step-kept",
        "journal:step-written", "journal:end",   "journal:ended", "fs:temp-made",
        "fs:temp-written",      "fs:renamed",
    };
    int kills = 0;
    for (size_t n = 0; n < sizeof(points) / sizeof(points[0]); n++) {
        for (int nth = 1;; nth++) {
            begin_with_a_late_question();
            if (!visit_killed_at(points[n], nth, 1))
                break;
            kills++;
            assert_false(visit_killed_at("none", 1, 1));

            assert_int_equal(world->result, VISIT_STEPPED_BACK);
            assert_true(world->installed[0]);
            assert_false(world->installed[1]);
            assert_int_equal(world->reverts[1], world->acts[1]);
            assert_false(remembers_a_baseline());
        }
    }
    assert_in_range(kills, 20, 1000);
}
#endif

static void a_host_that_lacks_the_lease_for_its_restart_is_as_it_was(void **state)
{
    begin_with_a_late_question();
    world->gate_closed = false;
    world->quiet_lease = world->looks_quiet = true;

    assert_int_equal(visit_once(1), ENDED);

    assert_int_equal(world->result, VISIT_NEEDS_LEASE);
    assert_false(world->installed[1]);
}

/* Whatever else ails it: a master that is dead while the rollout is paused. */
static void
a_host_that_steps_back_need_not_prove_what_it_has_not_disturbed(void **state)
{
    for (int at = 1;; at++) {
        begin_with_a_late_question();
        world->master_is_dead = true;
        world->crash_at = at;

        int code = visit_once(1);
        if (code == CRASHED)
            assert_int_equal(visit_once(1), ENDED);

        assert_int_equal(world->result, VISIT_STEPPED_BACK);
        assert_false(world->installed[1]);
        if (code != CRASHED)
            break;
    }
}

static void a_host_that_has_failed_proves_all_that_it_puts_back(void **state)
{
    begin_with_a_late_question();
    world->gate_closed = false;
    world->master_is_dead = world->cni_fails = true;

    assert_int_equal(visit_once(1), ENDED);

    assert_int_equal(world->result, VISIT_FAILED);
    assert_false(world->healthy);
    assert_non_null(strstr(world->error, "not registered"));
}

static void a_host_that_cannot_step_back_has_failed(void **state)
{
    begin_with_a_late_question();
    world->cni_is_stuck = true;

    assert_int_equal(visit_once(1), ENDED);

    assert_int_equal(world->result, VISIT_FAILED);
    assert_false(world->healthy);
    assert_non_null(strstr(world->error, "it is stuck"));
}

static void
a_file_that_may_not_be_written_is_a_failure_and_no_want_of_leave(void **state)
{
    begin_again();
    world->act_fails = -EPERM;

    assert_int_equal(visit_once(1), ENDED);

    assert_int_equal(world->result, VISIT_FAILED);
    assert_non_null(strstr(world->error, "may not"));
}

/* A first attempt that fails at its second step, which remembers as a container does;
 * the first was right before, or cannot be put back. The next will find no fault. */
static void fail_first(bool right)
{
    begin_again();
    world->installed[0] = right;
    world->first_is_stuck = !right;
    world->cni_fails = world->cni_remembers = true;
    assert_int_equal(visit_once(1), ENDED);
    assert_int_equal(world->result, VISIT_FAILED);
    assert_int_equal(world->healthy, right);
    assert_false(world->installed[1]);
    world->cni_fails = world->first_is_stuck = false;
    world->point = 0;
}

/* What a rollback and an uninstall would put back. */
static bool cni_is_remembered(void)
{
    struct error err;
    json_t *memo = NULL;
    struct journal *j;
    if (journal_open(root, &j, &err) < 0 ||
        archive_find(root, manifest.id, "cni", false, &memo, &err) < 0)
        fail_msg("%s", err.text);
    bool archived = json_object_get(memo, "before") != NULL;
    bool baseline = journal_baseline(j, "cni") != NULL;
    json_decref(memo);
    journal_close(j);
    return archived && baseline;
}

/* At once, before its first word in the journal, or in the midst of its act. */
static void a_retry_that_crashes_goes_on_and_is_remembered(void **state)
{
    for (int at = 1;; at++) {
        for (int right = 0; right < 2; right++) {
            fail_first(right);
            world->crash_at = at;

            bool crashed = visit_once(2) == CRASHED;
            if (crashed)
                assert_int_equal(visit_once(2), ENDED);

            assert_int_equal(world->result, VISIT_DONE);
            assert_true(world->installed[0] && world->installed[1]);
            assert_int_equal(world->acts[1], 2);
            assert_true(cni_is_remembered());
            if (!crashed && right)
                return;
        }
        assert_in_range(at, 1, 20);
    }
}

static void a_retry_that_crashes_and_fails_is_put_back_again(void **state)
{
    for (int at = 1;; at++) {
        fail_first(true);
        world->cni_fails = true;
        world->crash_at = at;

        bool crashed = visit_once(2) == CRASHED;
        if (crashed)
            assert_int_equal(visit_once(2), ENDED);

        assert_int_equal(world->result, VISIT_FAILED);
        assert_true(world->healthy);
        assert_true(world->installed[0]);
        assert_false(world->installed[1]);
        assert_int_equal(world->acts[1], 2);
        assert_int_equal(world->reverts[1], 2);
        if (!crashed)
            return;
        assert_in_range(at, 1, 20);
    }
}

/* It fails before it comes to what the attempt before it could not put back. */
static void a_retry_puts_back_what_the_attempt_before_it_has_left(void **state)
{
    world->cni_fails = true;
    world->undo_fails = -EIO;
    assert_int_equal(visit_once(1), ENDED);
    assert_false(world->healthy);
    assert_true(world->installed[0] && world->installed[1]);
    world->first_fails = true;

    assert_int_equal(visit_once(2), ENDED);
    assert_int_equal(world->result, VISIT_FAILED);
    assert_false(world->healthy);

    world->undo_fails = 0;
    assert_int_equal(visit_once(3), ENDED);
    assert_int_equal(world->result, VISIT_FAILED);
    assert_true(world->healthy);
    assert_false(world->installed[0] || world->installed[1]);
}

/* Who declared it complete has mended it by hand: it is neither done nor undone. */
static void a_step_that_is_declared_complete_is_not_put_back(void **state)
{
    fail_first(false);
    assert_true(world->installed[0]);
    world->first_declared = true;
    world->first_is_stuck = false;
    world->cni_fails = true;

    assert_int_equal(visit_once(2), ENDED);
    assert_int_equal(world->result, VISIT_FAILED);
    assert_true(world->healthy);
    assert_true(world->installed[0]);
    assert_false(world->installed[1]);

    world->cni_fails = false;
    assert_int_equal(visit_once(3), ENDED);
    assert_int_equal(world->result, VISIT_DONE);
    assert_true(world->installed[0] && world->installed[1]);
    assert_int_equal(world->reverts[0], 0);
}

/* By a full disk, say: what the step failed of is half of the story. */
static void what_was_not_put_back_is_told_beside_the_failure(void **state)
{
    fail_first(false);

    assert_non_null(strstr(world->error, "does not answer"));
    assert_non_null(strstr(world->error, "; not put back: "));
    assert_non_null(strstr(world->error, "it is stuck"));
}

static void a_failed_visit_says_so_again_and_acts_no_more(void **state)
{
    world->cni_fails = true;
    assert_int_equal(visit_once(1), ENDED);
    world->cni_fails = false;
    world->result = VISIT_DONE;

    assert_int_equal(visit_once(1), ENDED);

    assert_int_equal(world->result, VISIT_FAILED);
    assert_true(world->healthy);
    assert_int_equal(world->acts[0], 1);
}

/* Words are cut to length, in the middle of a letter too; Docker's may be anything. */
static void a_failure_in_words_that_are_no_text_is_remembered_all_the_same(void **state)
{
    world->more = ": \xe2\x82";
    a_failed_visit_says_so_again_and_acts_no_more(state);
    assert_non_null(strstr(world->error, "does not answer"));
}

/* Its disk was lost in the middle of a restart, which nothing tells of any more. */
static void
a_host_that_lost_its_journal_after_it_had_leave_is_not_called_well(void **state)
{
    world->had_leave = world->first_fails = world->looks_quiet = true;
    world->installed[0] = true;

    for (int attempt = 1; attempt < 4; attempt++) {
        assert_int_equal(visit_once(attempt), ENDED);

        assert_int_equal(world->result, VISIT_FAILED);
        assert_false(world->healthy);
    }
    world->first_fails = false;
    assert_int_equal(visit_once(4), ENDED);
    assert_int_equal(world->result, VISIT_DONE);
}

static void
a_host_that_lost_its_journal_forgets_no_second_time_that_it_did(void **state)
{
    for (int at = 1;; at++) {
        begin_again();
        world->had_leave = world->cni_fails = world->installed[0] = true;
        world->crash_at = at;

        int code = visit_once(1);
        if (code == CRASHED)
            assert_int_equal(visit_once(1), ENDED);

        assert_int_equal(world->result, VISIT_FAILED);
        assert_false(world->healthy);
        if (code != CRASHED)
            break;
    }
}

static void a_host_that_remembers_its_leave_is_well_when_it_has_put_back(void **state)
{
    for (int at = 1;; at++) {
        begin_again();
        world->cni_fails = true;
        world->crash_at = at;
        if (visit_once(1) != CRASHED)
            break;
        world->had_leave = world->acts[0] > 0 || world->acts[1] > 0;

        assert_int_equal(visit_once(1), ENDED);

        assert_int_equal(world->result, VISIT_FAILED);
        assert_true(world->healthy);
    }
}

static void a_full_disk_after_a_leave_is_no_well_host(void **state)
{
    static char gone[80];
    snprintf(gone, sizeof(gone), "%s", root);
    strcat(root, "/gone");
    world->had_leave = true;

    assert_int_equal(visit_once(1), ENDED);

    assert_int_equal(world->result, VISIT_FAILED);
    assert_false(world->healthy);
    strcpy(root, gone);
}

/* Nothing was changed: that is no host whose permit must be kept. */
static void a_disk_that_takes_no_journal_leaves_the_host_as_it_is(void **state)
{
    static char gone[80];
    snprintf(gone, sizeof(gone), "%s", root);
    strcat(root, "/gone");

    assert_int_equal(visit_once(1), ENDED);
    strcpy(root, gone);

    assert_int_equal(world->result, VISIT_FAILED);
    assert_non_null(strstr(world->error, "/gone/"));
    assert_true(world->healthy);
    assert_int_equal(world->acts[0], 0);
}

static void an_unreadable_journal_is_no_healthy_host(void **state)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/journal.json", root);
    assert_int_equal(fs_write_atomic(path, "{\"v\":1,", 7, NULL, NULL, NULL), 0);

    assert_int_equal(visit_once(1), ENDED);

    assert_int_equal(world->result, VISIT_FAILED);
    assert_non_null(strstr(world->error, path));
    assert_false(world->healthy);
    assert_int_equal(world->acts[0], 0);
}

static void set_drift(enum step_id id, enum drift_policy drift)
{
    ((struct step_policy *)(uintptr_t)spec_policy(manifest.spec, id))->drift = drift;
}

static void a_repair_leaves_alone_what_is_only_reported(void **state)
{
    world->repairs = true;
    set_drift(STEP_CNI, DRIFT_REPAIR);

    assert_int_equal(visit_once(1), ENDED);

    assert_int_equal(world->result, VISIT_DONE);
    assert_int_equal(world->acts[0], 0); /* docker-cluster-store */
    assert_int_equal(world->acts[1], 1);
    assert_true(record_step_drifted(&runner.next, "docker-cluster-store"));
    assert_false(record_step_drifted(&runner.next, "cni"));
}

static void a_repair_ends_what_it_has_begun_whatever_it_finds_then(void **state)
{
    set_drift(STEP_CNI, DRIFT_REPAIR);
    set_drift(STEP_DOCKER_STORE, DRIFT_REPAIR);
    for (int at = 1;; at++) {
        begin_again();
        world->repairs = true;
        world->crash_at = at;

        int code = visit_once(1);
        if (code != CRASHED)
            break;
        assert_int_equal(visit_once(1), ENDED);

        assert_int_equal(world->result, VISIT_DONE);
        for (int i = 0; i < STEPS; i++)
            assert_int_equal(world->acts[i], 1);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, two_steps_begin, two_steps_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef CLOWDER_FAILPOINTS /* first: see visit_killed_at */
        T(a_kill_at_any_write_of_the_journal_applies_nothing_twice),
        T(a_kill_at_any_write_of_the_journal_leaves_a_host_that_steps_back),
#endif
        T(a_crash_anywhere_in_a_visit_repeats_no_act),
        T(a_crash_anywhere_in_a_failing_visit_puts_back_and_applies_no_more),
        T(a_host_that_goes_down_in_an_act_goes_on_with_it_afterwards),
        T(a_host_that_goes_down_in_a_revert_goes_on_with_it_afterwards),
        T(a_host_that_says_it_goes_down_and_stays_has_failed),
        T(a_host_that_gets_no_leave_is_as_it_was_whenever_it_crashes),
        T(a_host_that_lacks_the_lease_for_its_restart_is_as_it_was),
        T(a_host_that_steps_back_need_not_prove_what_it_has_not_disturbed),
        T(a_host_that_has_failed_proves_all_that_it_puts_back),
        T(a_host_that_cannot_step_back_has_failed),
        T(a_file_that_may_not_be_written_is_a_failure_and_no_want_of_leave),
        T(the_attempt_after_a_failure_begins_afresh),
        T(a_retry_that_crashes_goes_on_and_is_remembered),
        T(a_retry_that_crashes_and_fails_is_put_back_again),
        T(a_retry_puts_back_what_the_attempt_before_it_has_left),
        T(a_step_that_is_declared_complete_is_not_put_back),
        T(what_was_not_put_back_is_told_beside_the_failure),
        T(a_failed_visit_says_so_again_and_acts_no_more),
        T(a_failure_in_words_that_are_no_text_is_remembered_all_the_same),
        T(a_host_that_lost_its_journal_after_it_had_leave_is_not_called_well),
        T(a_host_that_lost_its_journal_forgets_no_second_time_that_it_did),
        T(a_host_that_remembers_its_leave_is_well_when_it_has_put_back),
        T(a_full_disk_after_a_leave_is_no_well_host),
        T(a_disk_that_takes_no_journal_leaves_the_host_as_it_is),
        T(an_unreadable_journal_is_no_healthy_host),
        T(a_repair_leaves_alone_what_is_only_reported),
        T(a_repair_ends_what_it_has_begun_whatever_it_finds_then),
    };
    return cmocka_run_group_tests(tests, two_steps_share, NULL);
}
