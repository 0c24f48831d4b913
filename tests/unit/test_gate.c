/* test_gate.c - the gate's document, its limits and the budget of failures.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/str.h"
#include "shared/model/failure.h"
#include "shared/model/gate.h"
#include "tests/unit/cmocka_all.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char GOLDEN[] =
    "{\"v\":1,\"phase\":\"run\",\"kept\":false,\"limits\":{\"restart\":1,\"install\":"
    "10},\"zone_limits\":{},\"failed\":0,"
    "\"max_failed\":0,\"wave_failed\":{\"3\":2},"
    "\"streak\":{\"wave\":3,\"stage\":1,\"failed\":2,\"arrived\":17},"
    "\"reason\":\"\",\"by\":\"ops@laptop\",\"at_ms\":1795464000000}";

static struct gate golden(void)
{
    struct gate gate = {.phase = GATE_RUN, .at_ms = 1795464000000};

    assert_int_equal(gate_set_limit(&gate, "restart", 1, NULL), 0);
    assert_int_equal(gate_set_limit(&gate, "install", 10, NULL), 0);
    STR_COPY(gate.by, "ops@laptop");
    return gate;
}

static struct failure failure(const char *host, const char *why)
{
    return (struct failure){
        .host = host, .why = why, .at_ms = 6, .wave = -1, .wave_budget = -1};
}

static void a_gate_reads_like_the_status_screen(void **state)
{
    struct gate gate = golden(), back;
    struct error err = {0};

    gate.waves[gate.waves_count++] = (struct gate_wave){.wave = 3, .failed = 2};
    gate.streak =
        (struct gate_streak){.wave = 3, .stage = 1, .failed = 2, .arrived = 17};
    char *text = gate_encode(&gate);
    assert_string_equal(text, GOLDEN);
    memset(&back, 0xee, sizeof(back));
    assert_int_equal(gate_decode(text, strlen(text), &back, &err), 0);
    assert_int_equal(gate_limit(&back, "restart"), 1);
    assert_int_equal(gate_limit(&back, "install"), 10);
    assert_int_equal(gate_limit(&back, "none"), 0);
    assert_int_equal(back.limits_count, 2);
    assert_int_equal(back.at_ms, 1795464000000);
    assert_int_equal(gate_wave_failed(&back, 3), 2);
    assert_int_equal(gate_wave_failed(&back, 0), 0);
    assert_int_equal(back.streak.arrived, 17);
    assert_string_equal(back.by, "ops@laptop");
    free(text);
}

static void a_zone_has_the_limit_of_each_unless_it_has_its_own(void **state)
{
    struct gate gate = golden(), back;

    assert_int_equal(gate_limit(&gate, "restart.a"), 0);
    assert_int_equal(gate_set_zone_limit(&gate, "restart", 1, NULL), 0);
    assert_int_equal(gate_set_zone_limit(&gate, "restart.a", 3, NULL), 0);
    char *text = gate_encode(&gate);
    assert_non_null(strstr(text, "\"zone_limits\":{\"restart\":1,\"restart.a\":3}"));
    assert_int_equal(gate_decode(text, strlen(text), &back, NULL), 0);
    assert_int_equal(gate_limit(&back, "restart.a"), 3);
    assert_int_equal(gate_limit(&back, "restart.b"), 1);
    assert_int_equal(gate_limit(&back, "restart._"), 1);
    assert_int_equal(gate_limit(&back, "restart"), 1);
    assert_int_equal(gate_limit(&back, "install.a"), 0);
    free(text);
}

static void a_zone_s_limit_is_one_or_more_of_a_lease(void **state)
{
    struct gate gate = golden();
    struct error err = {0};

    assert_int_equal(gate_set_zone_limit(&gate, "restart", 0, &err), -EINVAL);
    assert_non_null(strstr(err.text, "would stop everybody for ever"));
    assert_int_equal(gate_set_zone_limit(&gate, "restart.A", 1, &err), -EINVAL);
    assert_non_null(strstr(err.text, "is no lease"));
    assert_int_equal(gate_set_zone_limit(&gate, "restart.a.b", 1, &err), -EINVAL);
    for (int i = 0; i < GATE_ZONE_LIMITS_MAX; i++) {
        char lease[LEASE_SIZE];
        (void)snprintf(lease, sizeof(lease), "restart.rack-%d", i);
        assert_int_equal(gate_set_zone_limit(&gate, lease, 1, NULL), 0);
    }
    assert_int_equal(gate_set_zone_limit(&gate, "restart.more", 1, &err), -ENOSPC);
    assert_int_equal(gate_set_zone_limit(&gate, "restart.rack-0", 2, &err), 0);
}

static void every_phase_has_its_word(void **state)
{
    enum gate_phase back;

    for (int i = 0; i < GATE_PHASE_COUNT; i++) {
        assert_int_equal(gate_phase_from_text(gate_phase_text(i), &back), 0);
        assert_int_equal(back, i);
    }
    assert_int_equal(gate_phase_from_text("running", &back), -EINVAL);
}

static void a_newer_programs_words_are_refused_as_such(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"{\"v\":1,\"phase\":\"go\",\"limits\":{},\"failed\":0,\"max_failed\":0}",
         "phase: \"go\" is not one of run, pause, abort, keep, done"},
        {"{\"v\":1,\"phase\":\"run\",\"limits\":{},\"failed\":0,\"max_failed\":0,"
         "\"pahse\":1}",
         "pahse: unknown key; did you mean \"phase\"?"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gate gate;
        struct error err = {0};

        assert_int_equal(gate_decode(rows[i].text, strlen(rows[i].text), &gate, &err),
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
        {"", "gate: not JSON: line 1"},
        {"[]", "gate: expected an object, got a list"},
        {"{\"phase\":\"run\"}", "v: is missing"},
        {"{\"v\":0}", "v: expected 1, got 0"},
        {"{\"v\":1,\"phase\":\"run\",\"limits\":{\"restart\":0},\"failed\":0,"
         "\"max_failed\":0}",
         "limits: restart: expected a whole number, 1 or more"},
        {"{\"v\":1,\"phase\":\"run\",\"limits\":{\"A\":1},\"failed\":0,"
         "\"max_failed\":0}",
         "limits: \"A\" is no name"},
        {"{\"v\":1,\"phase\":\"run\",\"limits\":{},\"failed\":0,\"max_failed\":0,"
         "\"wave_failed\":{\"x\":1}}",
         "wave_failed: \"x\" is no wave's number"},
        {"{\"v\":1,\"phase\":\"run\",\"limits\":{},\"failed\":0,\"max_failed\":0,"
         "\"wave_failed\":{\"1\":0}}",
         "wave_failed: 1: expected a whole number, 1 or more"},
        {"{\"v\":1,\"phase\":\"run\",\"limits\":{},\"failed\":-1,\"max_failed\":0}",
         "failed: expected a whole number, 0 or more, got -1"},
        {"{\"v\":1,\"phase\":\"run\",\"phase\":\"run\"}", "duplicate"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gate gate = {.failed = 77};
        struct error err = {0};

        assert_int_equal(gate_decode(rows[i].text, strlen(rows[i].text), &gate, &err),
                         -EINVAL);
        if (!strstr(err.text, rows[i].says))
            fail_msg("\"%s\" lacks \"%s\"", err.text, rows[i].says);
        assert_int_equal(gate.failed, 77);
    }
}

static void every_mistake_is_told_at_once(void **state)
{
    const char *text = "{\"v\":1,\"phase\":1,\"limits\":[],\"failed\":\"x\"}";
    struct gate gate;
    struct error err;

    assert_int_equal(gate_decode(text, strlen(text), &gate, &err), -EINVAL);

    assert_non_null(strstr(err.text, "phase: 1 is not one of"));
    assert_non_null(strstr(err.text, "limits: expected an object"));
    assert_non_null(strstr(err.text, "failed: expected a whole number"));
    assert_non_null(strstr(err.text, "max_failed: is missing"));
}

static void a_newer_programs_gate_is_refused_and_says_so(void **state)
{
    const char *text = "{\"v\":2,\"phase\":\"sideways\"}";
    struct gate gate;
    struct error err;

    assert_int_equal(gate_decode(text, strlen(text), &gate, &err), -EPROTONOSUPPORT);
    assert_string_equal(err.text,
                        "gate: written by a newer program (format 2, this one "
                        "knows 1): upgrade this one");
}

static void the_failure_that_exceeds_the_budget_pauses(void **state)
{
    struct gate gate = golden();

    gate.max_failed = 1;

    struct failure first = failure("10.0.0.4", "cni: no space");
    gate_count_failure(&gate, &first);
    assert_int_equal(gate.phase, GATE_RUN);
    assert_int_equal(gate.failed, 1);
    assert_string_equal(gate.by, "ops@laptop");

    struct failure second = failure("10.0.0.5", "node: image not found");
    gate_count_failure(&gate, &second);
    assert_int_equal(gate.phase, GATE_PAUSE);
    assert_string_equal(gate.reason, "host 10.0.0.5 failed (2 failed, at most 1 "
                                     "allowed): node: image not found");
    assert_string_equal(gate.by, "10.0.0.5");
    assert_int_equal(gate.at_ms, 6);
    assert_false(gate_grants(&gate));
}

static struct failure in_wave(int wave, int arrived)
{
    struct failure f = failure("h", "x");

    f.wave = wave;
    f.stage = 1;
    f.wave_name = "wave-2";
    f.arrived = arrived;
    f.arrives = true;
    return f;
}

static void a_wave_has_a_budget_of_its_own(void **state)
{
    struct gate gate = golden();
    struct failure here = in_wave(2, 0), there = in_wave(1, 0);

    gate.max_failed = 100;
    here.wave_budget = there.wave_budget = 1;
    gate_count_failure(&gate, &here);
    gate_count_failure(&gate, &there);
    assert_int_equal(gate.phase, GATE_RUN);
    gate_count_failure(&gate, &here);

    assert_int_equal(gate.phase, GATE_PAUSE);
    assert_string_equal(
        gate.reason, "host h failed (2 failed in wave wave-2, at most 1 allowed): x");
    assert_int_equal(gate_wave_failed(&gate, 2), 2);
    assert_int_equal(gate_wave_failed(&gate, 1), 1);
}

static void failures_in_a_row_are_those_between_which_nobody_arrived(void **state)
{
    struct gate gate = golden();

    gate.max_failed = 100;
    for (int i = 0; i < 2; i++) {
        struct failure f = in_wave(0, 10 + i); /* the one before arrived itself */
        f.streak_budget = 2;
        gate_count_failure(&gate, &f);
    }
    struct failure after_a_success = in_wave(0, 13);
    after_a_success.streak_budget = 2;
    gate_count_failure(&gate, &after_a_success);
    assert_int_equal(gate.streak.failed, 1);
    assert_int_equal(gate.phase, GATE_RUN);
    for (int i = 0; i < 2; i++) {
        struct failure f = in_wave(0, 14 + i);
        f.streak_budget = 2;
        gate_count_failure(&gate, &f);
    }

    assert_int_equal(gate.phase, GATE_PAUSE);
    assert_string_equal(gate.reason,
                        "host h failed (3 failed in a row, at most 2 allowed): x");
}

static void another_stage_begins_a_new_row(void **state)
{
    struct gate gate = golden();
    struct failure f = in_wave(0, 10), later = in_wave(0, 11);

    gate.max_failed = 100;
    f.streak_budget = later.streak_budget = 1;
    gate_count_failure(&gate, &f);
    later.stage = 2;
    gate_count_failure(&gate, &later);

    assert_int_equal(gate.phase, GATE_RUN);
    assert_int_equal(gate.streak.failed, 1);
}

/* Repairs that succeed arrive nowhere, so that all that fail would be in a row. */
static void a_repair_that_fails_is_part_of_no_row(void **state)
{
    static const char text[] = "{\"max_failed_consecutive\":2}";
    struct manifest manifest = {.waves = {{"canary", 10}}, .waves_count = 1};
    struct record record;

    assert_int_equal(spec_parse(text, strlen(text), &manifest.spec, NULL, NULL), 0);
    record_init(&record, 0);
    assert_int_equal(failure_of(&manifest, &record, "h", "x", 1).streak_budget, 2);

    record.drift = RECORD_REPAIRING;

    assert_int_equal(failure_of(&manifest, &record, "h", "x", 1).streak_budget, 0);
    assert_int_equal(failure_of(&manifest, &record, "h", "x", 1).wave, 0);
    spec_free(manifest.spec);
}

static void without_a_budget_nothing_is_counted_in_a_row(void **state)
{
    struct gate gate = golden();
    struct failure f = in_wave(0, 0);

    gate.max_failed = 100;
    for (int i = 0; i < 50; i++)
        gate_count_failure(&gate, &f);

    assert_int_equal(gate.phase, GATE_RUN);
    assert_int_equal(gate.streak.failed, 0);
}

static void a_failure_taken_back_leaves_every_count(void **state)
{
    struct gate gate = golden();
    struct failure f = in_wave(2, 5), other = in_wave(0, 0);

    gate.max_failed = 100;
    other.streak_budget = f.streak_budget = 9;
    gate_count_failure(&gate, &other);
    gate_count_failure(&gate, &f);
    gate_uncount_failure(&gate, 2, 1);

    assert_int_equal(gate.failed, 1);
    assert_int_equal(gate_wave_failed(&gate, 2), 0);
    assert_int_equal(gate_wave_failed(&gate, 0), 1);
    assert_int_equal(gate.waves_count, 1);
    assert_int_equal(gate.streak.failed, 0);
    gate_uncount_failure(&gate, 0, 1);
    gate_uncount_failure(&gate, 0, 1); /* never below none */
    assert_int_equal(gate.failed, 0);
    assert_int_equal(gate.waves_count, 0);
}

static void a_failure_does_not_open_an_abort(void **state)
{
    struct gate gate = golden();

    gate.phase = GATE_ABORT;
    struct failure one = failure("h", "x");
    gate_count_failure(&gate, &one);

    assert_int_equal(gate.phase, GATE_ABORT);
    assert_int_equal(gate.failed, 1);
    assert_string_equal(gate.reason, "");
}

static void a_reason_of_any_bytes_still_encodes(void **state)
{
    struct gate gate = golden(), back;
    char why[600];
    char *text;

    for (size_t i = 0; i < sizeof(why) - 1; i += 3)
        memcpy(why + i, "\xe2\x82\xac", 3); /* cut in the middle of a character */
    why[sizeof(why) - 1] = '\0';
    why[0] = (char)0xff;

    struct failure one = failure("h", why);
    gate_count_failure(&gate, &one);
    text = gate_encode(&gate);

    assert_non_null(text);
    assert_int_equal(gate_decode(text, strlen(text), &back, NULL), 0);
    assert_non_null(strstr(back.reason, ": ?"));
    free(text);
}

static void limits_are_set_changed_and_bounded(void **state)
{
    struct gate gate = {0};
    struct error err;
    char name[16];

    for (int i = 0; i < GATE_LIMITS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "l-%d", i);
        assert_int_equal(gate_set_limit(&gate, name, 1, &err), 0);
    }
    assert_int_equal(gate_set_limit(&gate, "l-3", 9, &err), 0);
    assert_int_equal(gate_limit(&gate, "l-3"), 9);
    assert_int_equal(gate.limits_count, GATE_LIMITS_MAX);
    assert_int_equal(gate_set_limit(&gate, "more", 1, &err), -ENOSPC);
    assert_int_equal(gate_set_limit(&gate, "l-3", 0, &err), -EINVAL);
    assert_int_equal(gate_set_limit(&gate, "L", 1, &err), -EINVAL);
}

static void current_names_a_rollout_or_none(void **state)
{
    struct current current = {.rollout = "20261123-203000-1a2b", .phase = GATE_RUN};
    struct current back;
    struct error err;
    char *text = current_encode(&current);

    assert_string_equal(
        text, "{\"v\":1,\"rollout\":\"20261123-203000-1a2b\",\"phase\":\"run\"}");
    assert_int_equal(current_decode(text, strlen(text), &back, &err), 0);
    assert_string_equal(back.rollout, current.rollout);
    free(text);

    current = (struct current){0};
    text = current_encode(&current);
    assert_string_equal(text, "{\"v\":1}");
    assert_int_equal(current_decode(text, strlen(text), &back, &err), 0);
    assert_string_equal(back.rollout, "");
    free(text);

    text = strdup("{\"v\":1,\"rollout\":\"A/B\"}");
    assert_int_equal(current_decode(text, strlen(text), &back, &err), -EINVAL);
    assert_non_null(strstr(err.text, "rollout: \"A/B\" is no rollout id"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gate_reads_like_the_status_screen),
        cmocka_unit_test(a_zone_has_the_limit_of_each_unless_it_has_its_own),
        cmocka_unit_test(a_zone_s_limit_is_one_or_more_of_a_lease),
        cmocka_unit_test(every_phase_has_its_word),
        cmocka_unit_test(nonsense_is_refused_with_the_path),
        cmocka_unit_test(a_newer_programs_words_are_refused_as_such),
        cmocka_unit_test(every_mistake_is_told_at_once),
        cmocka_unit_test(a_newer_programs_gate_is_refused_and_says_so),
        cmocka_unit_test(the_failure_that_exceeds_the_budget_pauses),
        cmocka_unit_test(a_wave_has_a_budget_of_its_own),
        cmocka_unit_test(failures_in_a_row_are_those_between_which_nobody_arrived),
        cmocka_unit_test(another_stage_begins_a_new_row),
        cmocka_unit_test(a_repair_that_fails_is_part_of_no_row),
        cmocka_unit_test(without_a_budget_nothing_is_counted_in_a_row),
        cmocka_unit_test(a_failure_taken_back_leaves_every_count),
        cmocka_unit_test(a_failure_does_not_open_an_abort),
        cmocka_unit_test(a_reason_of_any_bytes_still_encodes),
        cmocka_unit_test(limits_are_set_changed_and_bounded),
        cmocka_unit_test(current_names_a_rollout_or_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
