/* test_progress.c - what keeps a rollout waiting, beside its leases.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/str.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/why_fixture.h"

static void make(struct why_fixture *f, struct progress *ret)
{
    progress_make(&f->rollout, NULL, WHY_NOW_MS, ret);
}

static void a_rollout_at_work_waits_for_nothing(void **state)
{
    struct why_fixture f;
    struct progress progress;
    why_begin(&f, "{}");

    make(&f, &progress);

    assert_int_equal(progress.wait.kind, PROGRESS_WAITS_FOR_NOTHING);
    assert_true(progress.eta_ms > WHY_NOW_MS);
    progress_done(&progress);
    why_end(&f);
}

static void the_first_wave_foretells_no_end(void **state)
{
    struct why_fixture f;
    struct progress progress;
    why_begin(&f, "{}");
    why_arrived(&f, 0, 2, 1, false);

    make(&f, &progress);

    assert_int_equal(progress.eta_ms, -1);
    progress_done(&progress);
    why_end(&f);
}

static void outside_its_windows_it_waits_for_the_next_one(void **state)
{
    struct why_fixture f;
    struct progress progress;
    why_begin(&f, "{\"windows\":[{\"start\":\"22:00\",\"length\":\"6h\"}]}");
    f.rollout.hours = (struct window_state){.until_ms = WHY_NOW_MS + 6600000};

    make(&f, &progress);

    assert_int_equal(progress.wait.kind, PROGRESS_WAITS_FOR_WINDOW);
    assert_int_equal(progress.wait.until_ms, WHY_NOW_MS + 6600000);
    assert_int_equal(progress.eta_ms, -1);
    progress_done(&progress);

    f.rollout.gate.phase = GATE_PAUSE; /* which is what it waits for then */
    make(&f, &progress);
    assert_int_equal(progress.wait.kind, PROGRESS_WAITS_FOR_NOTHING);
    progress_done(&progress);
    why_end(&f);
}

static void between_two_waves_it_soaks_until_the_next_has_begun(void **state)
{
    struct why_fixture f;
    struct progress progress;
    why_begin(&f, "{\"waves\":{\"soak\":\"5m\"}}"); /* a minute ago */

    make(&f, &progress);

    assert_int_equal(progress.wait.kind, PROGRESS_WAITS_FOR_SOAK);
    assert_string_equal(progress.wait.wave, "canary");
    assert_int_equal(progress.wait.until_ms, WHY_NOW_MS + 240000);
    progress_done(&progress);

    why_arrived(&f, 1, 0, 1, false);
    make(&f, &progress);
    assert_int_equal(progress.wait.kind, PROGRESS_WAITS_FOR_NOTHING);
    progress_done(&progress);
    why_end(&f);
}

static void a_complete_wave_waits_to_be_promoted(void **state)
{
    struct why_fixture f;
    struct progress progress;
    why_begin(&f, "{\"waves\":{\"promote\":\"manual\"}}");
    why_arrived(&f, 0, 2, 1, false);

    make(&f, &progress);
    assert_int_equal(progress.wait.kind, PROGRESS_WAITS_FOR_NOTHING);
    progress_done(&progress);

    why_arrived(&f, 0, 2, 2, false);
    make(&f, &progress);
    assert_int_equal(progress.wait.kind, PROGRESS_WAITS_FOR_PROMOTE);
    assert_string_equal(progress.wait.wave, "canary");
    assert_int_equal(progress.eta_ms, -1);
    progress_done(&progress);
    why_end(&f);
}

static void a_repair_takes_one_off_the_done_where_one_had_arrived(void **state)
{
    static const struct {
        enum host_state host;
        int wave, done;
    } rows[] = {{HOST_HOLDING, 1, 1}, {HOST_LOST, 1, 1}, {HOST_HOLDING, -1, 2}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct why_fixture f;
        struct progress progress;
        why_begin(&f, "{}"); /* the two hosts of the canary have arrived everywhere */
        struct progress_permit *permit =
            why_held_by(&f, "restart", "10.0.0.5", rows[i].host, true);
        permit->record.drift = RECORD_REPAIRING;
        permit->record.wave = rows[i].wave;
        f.rollout.failed_count = rows[i].host == HOST_LOST;

        make(&f, &progress);

        assert_int_equal(progress.hosts.done, rows[i].done);
        progress_done(&progress);
        why_end(&f);
    }
}

static void a_repair_that_waits_takes_one_off_the_done(void **state)
{
    struct why_fixture f;
    struct progress progress;
    why_begin(&f, "{}"); /* the two hosts of the canary have arrived everywhere */
    struct progress_failed drifted = {
        .record = {.state = HOST_WAITING, .drift = RECORD_REPAIRING, .wave = 0}};
    f.rollout.drifted = &drifted;
    f.rollout.drifted_listed = 1;

    make(&f, &progress);
    f.rollout.drifted = NULL;
    f.rollout.drifted_listed = 0;

    assert_int_equal(progress.hosts.done, 1);
    progress_done(&progress);
    why_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rollout_at_work_waits_for_nothing),
        cmocka_unit_test(the_first_wave_foretells_no_end),
        cmocka_unit_test(outside_its_windows_it_waits_for_the_next_one),
        cmocka_unit_test(between_two_waves_it_soaks_until_the_next_has_begun),
        cmocka_unit_test(a_complete_wave_waits_to_be_promoted),
        cmocka_unit_test(a_repair_takes_one_off_the_done_where_one_had_arrived),
        cmocka_unit_test(a_repair_that_waits_takes_one_off_the_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
