/* test_visit_undo.c - an uninstall's and a rollback's visit, crashed anywhere.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/steps/claim.h"
#include "agentd/steps/networks.h"
#include "shared/base/fs.h"
#include "shared/base/str.h"
#include "shared/model/judge_undo.h"
#include "tests/unit/io_fixture.h"
#include "tests/unit/two_steps.h"

#include <errno.h>
#include <string.h>

#define INSTALL "20261123-203000-1a2b"
#define UNDO "20261124-203000-1a2b"

/* ---- what the visit asks about the host ---- */

static json_t *in_use; /* NULL = Docker does not say */
static struct timer networks_turn;
static networks_done_f networks_done;
static int claims;

static void on_networks(void *ctx)
{
    struct error err;
    error_set(&err, -ETIMEDOUT, "docker does not answer");
    networks_done(ctx, in_use, &err);
}

struct networks *networks_look(struct event_loop *loop, const char *docker_socket,
                               networks_done_f done, void *ctx)
{
    networks_done = done;
    timer_start(&networks_turn, event_loop_port(loop), 0, on_networks, ctx);
    return NULL;
}

void networks_cancel(struct networks *networks)
{
    timer_stop(&networks_turn);
}

int step_claim(struct step *step, struct error *err)
{
    claims++;
    return json_object_set_new(step->memo, "before", json_object());
}

void judge_undo(enum step_id id, const struct spec *spec, const struct facts *facts,
                const json_t *seen, const json_t *memo, struct judgement *ret)
{
    bool ours = memo || json_is_true(seen);
    *ret = (struct judgement){
        .finding = ours ? FINDING_STALE : FINDING_RIGHT,
        .disruption = ours ? DISRUPTION_DOCKER_RESTART : DISRUPTION_NONE,
    };
}

/* ---- the rollouts ---- */

static int begin(void **state)
{
    in_use = json_object();
    claims = 0;
    return two_steps_begin(state);
}

static int end(void **state)
{
    json_decref(in_use);
    in_use = NULL;
    return two_steps_end(state);
}

static void order(enum rollout_kind kind, const char *id, const char *of)
{
    manifest.kind = kind;
    STR_COPY(manifest.id, id);
    STR_COPY(manifest.of, of);
    world->point = world->crash_at = 0;
}

static void install(void)
{
    order(ROLLOUT_INSTALL, INSTALL, "");
    assert_int_equal(visit_once(1), ENDED);
    assert_int_equal(world->result, VISIT_DONE);
}

static void installed_and_now(enum rollout_kind kind)
{
    begin_again();
    install();
    order(kind, UNDO, kind == ROLLOUT_ROLLBACK ? INSTALL : "");
}

static void assert_put_back(void)
{
    assert_int_equal(world->result, VISIT_DONE);
    for (int i = 0; i < STEPS; i++) {
        assert_false(world->installed[i]);
        assert_int_equal(world->reverts[i], 1);
    }
}

static void assert_untouched(void)
{
    for (int i = 0; i < STEPS; i++) {
        assert_true(world->installed[i]);
        assert_int_equal(world->reverts[i], 0);
    }
}

static void assert_forgotten(void)
{
    struct journal *journal;
    struct error err;
    assert_int_equal(journal_open(root, &journal, &err), 0);
    assert_int_equal(journal_state(journal), JOURNAL_ABSENT);
    assert_null(journal_baseline(journal, "docker-cluster-store"));
    assert_null(journal_baseline(journal, "cni"));
    journal_close(journal);
}

/* ---- tests ---- */

static void an_uninstall_puts_back_what_the_install_found_and_forgets_it(void **state)
{
    installed_and_now(ROLLOUT_UNINSTALL);

    assert_int_equal(visit_once(1), ENDED);

    assert_put_back();
    assert_forgotten();
    assert_int_equal(claims, 0);

    assert_int_equal(visit_once(2), ENDED);
    assert_put_back(); /* nothing was left to do */
}

static void a_crash_anywhere_in_an_undo_puts_back_once_and_forgets(void **state)
{
    static const enum rollout_kind kinds[] = {ROLLOUT_UNINSTALL, ROLLOUT_ROLLBACK};
    for (int kind = 0; kind < 2; kind++) {
        for (int at = 1;; at++) {
            installed_and_now(kinds[kind]);
            world->crash_at = at;

            int code = visit_once(1);
            if (code == CRASHED)
                assert_int_equal(visit_once(1), ENDED);

            assert_put_back();
            assert_forgotten();
            if (code != CRASHED)
                break;
        }
        assert_int_equal(world->point, 3 * STEPS);
    }
}

static void containers_on_a_calico_network_stop_an_uninstall_unless_forced(void **state)
{
    installed_and_now(ROLLOUT_UNINSTALL);
    json_object_set_new(in_use, "net1", json_string("web1, web2"));

    assert_int_equal(visit_once(1), ENDED);
    assert_int_equal(world->result, VISIT_FAILED);
    assert_true(world->healthy);
    assert_non_null(strstr(world->error, "net1: web1, web2"));
    assert_untouched();

    manifest.force = true;
    assert_int_equal(visit_once(2), ENDED);
    assert_put_back();
}

static void a_docker_that_does_not_say_who_uses_calico_is_left_alone(void **state)
{
    installed_and_now(ROLLOUT_UNINSTALL);
    json_decref(in_use);
    in_use = NULL;

    assert_int_equal(visit_once(1), ENDED);

    assert_int_equal(world->result, VISIT_FAILED);
    assert_non_null(strstr(world->error, "docker does not answer"));
    assert_untouched();
}

static void an_uninstall_steps_back_from_a_closed_gate(void **state)
{
    installed_and_now(ROLLOUT_UNINSTALL);
    world->gate_closed = true;

    assert_int_equal(visit_once(1), ENDED);
    assert_int_equal(world->result, VISIT_STEPPED_BACK);
    assert_untouched();

    world->gate_closed = false;
    assert_int_equal(visit_once(2), ENDED);
    assert_put_back();
}

static void an_undo_that_restarts_wants_the_lease_of_its_stage(void **state)
{
    installed_and_now(ROLLOUT_UNINSTALL);
    world->quiet_lease = true;

    assert_int_equal(visit_once(1), ENDED);

    assert_int_equal(world->result, VISIT_NEEDS_LEASE);
    assert_untouched();
}

static void a_host_that_lost_its_memory_gives_up_what_is_recognisably_ours(void **state)
{
    installed_and_now(ROLLOUT_UNINSTALL);
    assert_int_equal(fs_remove_tree(root, NULL), 0);
    assert_int_equal(fs_mkdirs(root, 0700, NULL), 0);

    assert_int_equal(visit_once(1), ENDED);

    assert_put_back();
    assert_int_equal(claims, STEPS);
}

static void a_rollback_without_memory_of_its_rollout_guesses_nothing(void **state)
{
    installed_and_now(ROLLOUT_ROLLBACK);
    assert_int_equal(fs_remove_tree(root, NULL), 0);
    assert_int_equal(fs_mkdirs(root, 0700, NULL), 0);

    assert_int_equal(visit_once(1), ENDED);

    assert_int_equal(world->result, VISIT_FAILED);
    assert_true(world->healthy);
    assert_untouched();
    assert_int_equal(claims, 0);
}

static void a_rollback_of_a_rollout_that_changed_nothing_changes_nothing(void **state)
{
    installed_and_now(ROLLOUT_INSTALL);
    assert_int_equal(visit_once(1), ENDED); /* a second install: all is right */
    assert_int_equal(world->result, VISIT_DONE);

    order(ROLLOUT_ROLLBACK, "20261125-203000-1a2b", UNDO);
    assert_int_equal(visit_once(1), ENDED);

    assert_int_equal(world->result, VISIT_DONE);
    assert_untouched();
}

static void
an_undo_that_failed_says_so_again_and_only_another_attempt_undoes(void **state)
{
    installed_and_now(ROLLOUT_UNINSTALL);
    world->undo_fails = -EIO;

    assert_int_equal(visit_once(1), ENDED);
    assert_int_equal(world->result, VISIT_FAILED);
    assert_non_null(strstr(world->error, "does not go"));
    assert_untouched();

    world->undo_fails = 0;
    world->result = VISIT_DONE;
    assert_int_equal(visit_once(1), ENDED);
    assert_int_equal(world->result, VISIT_FAILED);
    assert_untouched();

    assert_int_equal(visit_once(2), ENDED);
    assert_put_back();
    assert_forgotten();
}

/* Somebody changed it since: another try would find the same. */
static void a_file_changed_since_is_not_tried_again(void **state)
{
    installed_and_now(ROLLOUT_ROLLBACK);
    world->undo_fails = -ESTALE;
    struct step_policy *policy =
        (struct step_policy *)(uintptr_t)spec_policy(manifest.spec, STEP_DOCKER_STORE);
    policy->attempts = 3;

    assert_int_equal(visit_once(1), ENDED);

    assert_int_equal(world->result, VISIT_FAILED);
    assert_untouched();
    assert_int_equal(world->point, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_uninstall_puts_back_what_the_install_found_and_forgets_it),
        T(a_crash_anywhere_in_an_undo_puts_back_once_and_forgets),
        T(containers_on_a_calico_network_stop_an_uninstall_unless_forced),
        T(a_docker_that_does_not_say_who_uses_calico_is_left_alone),
        T(an_uninstall_steps_back_from_a_closed_gate),
        T(an_undo_that_restarts_wants_the_lease_of_its_stage),
        T(a_host_that_lost_its_memory_gives_up_what_is_recognisably_ours),
        T(a_rollback_without_memory_of_its_rollout_guesses_nothing),
        T(a_rollback_of_a_rollout_that_changed_nothing_changes_nothing),
        T(an_undo_that_failed_says_so_again_and_only_another_attempt_undoes),
        T(a_file_changed_since_is_not_tried_again),
    };
    return cmocka_run_group_tests(tests, two_steps_share, NULL);
}
