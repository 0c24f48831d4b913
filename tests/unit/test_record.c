/* test_record.c - a host's record: its encoding, and nonsense refused.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/str.h"
#include "shared/model/record.h"
#include "tests/unit/cmocka_all.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char GOLDEN[] =
    "{\"v\":1,\"state\":\"holding\",\"wave\":1,\"stage\":\"restart\",\"stages_done\":1,"
    "\"step\":\"docker-cluster-store\",\"doing\":\"restart "
    "unit\",\"zone\":\"rack-7\",\"lease\":\"restart\","
    "\"permit\":0,\"zone_permit\":2,\"token\":4294968123,\"attempt\":1,\"since_ms\":"
    "1795464000000,"
    "\"steps\":{\"etcd-proxy\":{\"state\":\"proved\",\"ms\":1200,\"says\":\"3 "
    "endpoints\",\"by\":\"\"}},\"error\":\"\",\"healthy\":true,\"retried\":false,"
    "\"disrupted\":true,\"by\":\"\",\"by_ms\":0,\"drift\":\"none\",\"repairs\":0,"
    "\"repaired_ms\":0}";

static struct record golden(void)
{
    struct record r;
    struct step_record *step;

    record_init(&r, 1);
    r.state = HOST_HOLDING;
    STR_COPY(r.stage, "restart");
    r.stages_done = 1;
    STR_COPY(r.step, "docker-cluster-store");
    STR_COPY(r.doing, "restart unit");
    STR_COPY(r.lease, "restart");
    STR_COPY(r.zone, "rack-7");
    r.permit = 0;
    r.zone_permit = 2;
    r.token = 4294968123;
    r.attempt = 1;
    r.since_ms = 1795464000000;
    r.healthy = true;
    r.disrupted = true;
    step = record_step(&r, "etcd-proxy");
    step->state = STEP_PROVED;
    step->took_ms = 1200;
    STR_COPY(step->says, "3 endpoints");
    return r;
}

static void a_record_reads_like_the_status_screen(void **state)
{
    struct record r = golden(), back;
    char *text = record_encode(&r);
    char *again;

    assert_string_equal(text, GOLDEN);
    assert_int_equal(record_decode(text, strlen(text), &back, NULL), 0);
    again = record_encode(&back);
    assert_string_equal(again, GOLDEN);
    assert_int_equal(back.token, 4294968123);
    free(text);
    free(again);
}

static void a_new_record_is_idle_and_survives(void **state)
{
    struct record r, back;
    char *text;

    record_init(&r, -1);
    text = record_encode(&r);

    assert_int_equal(record_decode(text, strlen(text), &back, NULL), 0);
    assert_int_equal(back.state, HOST_IDLE);
    assert_int_equal(back.wave, -1);
    assert_int_equal(back.permit, -1);
    assert_false(record_terminal(&back));
    free(text);
}

static void a_zone_s_permit_is_held_while_the_host_waits_for_the_other(void **state)
{
    static const struct {
        enum host_state state;
        int permit, zone_permit;
        bool good;
    } rows[] = {
        {HOST_WAITING, -1, 0, true},  {HOST_LOST, -1, 0, true},
        {HOST_HOLDING, 0, 0, true},   {HOST_HOLDING, 0, -1, true},
        {HOST_HOLDING, -1, 0, false}, {HOST_LOST, -1, -1, false},
        {HOST_IDLE, -1, 0, false},    {HOST_DONE, -1, 0, false},
        {HOST_FAILED, 0, 0, true},    {HOST_FAILED, -1, 0, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct record r = golden(), back;
        r.state = rows[i].state;
        r.permit = rows[i].permit;
        r.zone_permit = rows[i].zone_permit;
        char *text = record_encode(&r);
        bool good = record_decode(text, strlen(text), &back, NULL) == 0;
        if (good != rows[i].good)
            fail_msg("row %zu: %s", i, text);
        free(text);
    }
    assert_string_equal(record_zone_lease(&(struct record){.lease = "restart"}).text,
                        "restart._");
}

static void every_state_has_its_word(void **state)
{
    for (int i = 0; i < HOST_STATE_COUNT; i++)
        assert_non_null(host_state_text(i));
    for (int i = 0; i < STEP_STATE_COUNT; i++)
        assert_non_null(step_state_text(i));
    assert_string_equal(host_state_text(HOST_EXCLUDED), "excluded");
    assert_string_equal(step_state_text(STEP_DISABLED), "disabled");
}

static void steps_are_found_or_appended_until_full(void **state)
{
    struct record r;
    char name[16];

    record_init(&r, 0);
    for (int i = 0; i < RECORD_STEPS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "s%d", i);
        assert_ptr_equal(record_step(&r, name), &r.steps[i]);
    }
    assert_ptr_equal(record_step(&r, "s3"), &r.steps[3]);
    assert_null(record_step(&r, "one-more"));
}

/* The golden text with one piece replaced. */
static char *with(const char *from, const char *to)
{
    struct strbuf b = {0};
    const char *at = strstr(GOLDEN, from);

    assert_non_null(at);
    strbuf_add_bytes(&b, GOLDEN, (size_t)(at - GOLDEN));
    strbuf_add(&b, to);
    strbuf_add(&b, at + strlen(from));
    return strbuf_take(&b);
}

static void nonsense_is_refused_with_the_path(void **state)
{
    static const struct {
        const char *from, *to, *says;
    } rows[] = {
        {"\"wave\":1", "\"wave\":\"1\"", "wave: expected a whole number"},
        {"\"wave\":1,", "", "wave: is missing"},
        {"\"permit\":0", "\"permit\":-2",
         "permit: expected a whole number, -1 or more"},
        {"\"permit\":0", "\"permit\":1.0", "permit: expected a whole number"},
        {"\"permit\":0", "\"permit\":-1", "permit: a host that is holding has one"},
        {"\"holding\"", "\"idle\"", "permit: a host that is idle has none"},
        {"\"holding\"", "\"waiting\"", "permit: a host that is waiting has none"},
        {"\"lease\":\"restart\"", "\"lease\":\"restart.rack-7\"",
         "lease: is \"restart.rack-7\", and a permit of it is held"},
        {"\"lease\":\"restart\"", "\"lease\":\"restart.x.y\"",
         "lease: \"restart.x.y\" is no lease"},
        {"\"zone\":\"rack-7\"", "\"zone\":\"rack 7\"", "zone: \"rack 7\" is no name"},
        {"\"lease\":\"restart\"", "\"lease\":\"\"", "lease: is missing"},
        {"\"stage\":\"restart\"", "\"stage\":\"../x\"", "stage: \"../x\" is no name"},
        {"\"drift\":\"none\"", "\"drift\":\"seen\"",
         "drift: a host that is holding has not \"seen\""},
        {"\"ms\":1200", "\"ms\":null", "steps.etcd-proxy.ms: expected a whole number"},
        {"\"healthy\":true", "\"healthy\":1", "healthy: expected true or false, got 1"},
        {"\"doing\":\"restart unit\"",
         "\"doing\":\"123456789 123456789 123456789 123456789 123456789 \"",
         "is longer than 48 bytes"},
        {"\"v\":1", "\"v\":\"1\"", "v: expected 1, got \"1\""},
        {"\"etcd-proxy\"", "\"Etcd\"", "\"Etcd\" is no step's name"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text = with(rows[i].from, rows[i].to);
        struct record r = {.attempt = 77};
        struct error err = {0};

        assert_int_equal(record_decode(text, strlen(text), &r, &err), -EINVAL);
        if (!strstr(err.text, rows[i].says))
            fail_msg("\"%s\" lacks \"%s\"", err.text, rows[i].says);
        assert_int_equal(r.attempt, 77);
        free(text);
    }
}

static void what_a_newer_program_may_have_added_is_refused_as_such(void **state)
{
    static const struct {
        const char *from, *to, *says;
    } rows[] = {
        {"\"holding\"", "\"happy\"",
         "state: \"happy\" is not one of idle, waiting, holding, done, failed, lost, "
         "excluded"},
        {"\"drift\":\"none\"", "\"drift\":\"some\"",
         "drift: \"some\" is not one of none, seen, repairing"},
        {"\"proved\"", "\"probed\"",
         "steps.etcd-proxy.state: \"probed\" is not one of"},
        {"\"says\"", "\"say\"", "steps.etcd-proxy.say: unknown key; did you mean"},
        {"\"by\":\"\"", "\"by\":\"\",\"zone\":\"a\"",
         "zone: unknown key; known here: "},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text = with(rows[i].from, rows[i].to);
        struct record r = {.attempt = 77};
        struct error err = {0};

        assert_int_equal(record_decode(text, strlen(text), &r, &err), -EPROTONOSUPPORT);
        assert_non_null(
            strstr(err.text, "newer program (upgrade this one) or changed"));
        if (!strstr(err.text, rows[i].says))
            fail_msg("\"%s\" lacks \"%s\"", err.text, rows[i].says);
        assert_int_equal(r.attempt, 77);
        free(text);
    }
}

static void a_newer_programs_record_is_refused(void **state)
{
    char *text = with("\"v\":1", "\"v\":2");
    struct record r;
    struct error err;

    assert_int_equal(record_decode(text, strlen(text), &r, &err), -EPROTONOSUPPORT);
    assert_non_null(strstr(err.text, "newer program"));
    assert_non_null(strstr(err.text, "upgrade"));
    free(text);
}

static void a_broken_text_names_line_and_column(void **state)
{
    struct record r;
    struct error err;

    assert_int_equal(record_decode(GOLDEN, strlen(GOLDEN) - 1, &r, &err), -EINVAL);
    assert_non_null(strstr(err.text, "not JSON: line 1, column "));
}

static void terminal_states_are_the_last_four(void **state)
{
    for (int i = 0; i < HOST_STATE_COUNT; i++) {
        struct record r = {.state = i};

        assert_int_equal(record_terminal(&r), i >= HOST_DONE);
    }
}

static void a_host_that_repairs_itself_from_the_first_stage_on_was_visited(void **state)
{
    struct record fresh, record;

    record_init(&fresh, 0);
    assert_false(record_visited(&fresh));
    record = fresh;
    record.attempt = 1;
    assert_true(record_visited(&record));
    record = fresh;
    record.stages_done = 1;
    assert_true(record_visited(&record));
    record = fresh; /* as drift_judge leaves it */
    record.drift = RECORD_REPAIRING;
    assert_true(record_visited(&record));
    record.drift = RECORD_STEADY; /* excluded while it repaired itself */
    record.repairs = 1;
    assert_true(record_visited(&record));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_reads_like_the_status_screen),
        cmocka_unit_test(a_new_record_is_idle_and_survives),
        cmocka_unit_test(a_zone_s_permit_is_held_while_the_host_waits_for_the_other),
        cmocka_unit_test(every_state_has_its_word),
        cmocka_unit_test(steps_are_found_or_appended_until_full),
        cmocka_unit_test(nonsense_is_refused_with_the_path),
        cmocka_unit_test(what_a_newer_program_may_have_added_is_refused_as_such),
        cmocka_unit_test(a_newer_programs_record_is_refused),
        cmocka_unit_test(a_broken_text_names_line_and_column),
        cmocka_unit_test(terminal_states_are_the_last_four),
        cmocka_unit_test(
            a_host_that_repairs_itself_from_the_first_stage_on_was_visited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
