/* test_draft.c - from a plan to a rollout's documents.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/draft.h"
#include "tests/unit/cmocka_all.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct spec *parse(const char *text)
{
    struct spec *spec = NULL;
    struct strbuf errors = {0};
    struct error err = {0};
    if (spec_parse(text, strlen(text), &spec, &errors, &err) < 0)
        fail_msg("%s: %s", err.text, errors.text);
    strbuf_done(&errors);
    return spec;
}

/* Hosts 0 and 1 in waves, the last one left out. */
static struct plan plan_of(int members)
{
    struct plan plan = {.hosts_count = members + 1, .members = members};
    plan.hosts = mem_array((size_t)members + 1, sizeof(*plan.hosts));
    plan.waves_count = 2;
    STR_COPY(plan.waves[0].name, "canary");
    STR_COPY(plan.waves[1].name, "rest");
    plan.waves[0].size = members > 0;
    plan.waves[1].size = members > 0 ? members - 1 : 0;
    for (int h = 0; h <= members; h++) {
        (void)snprintf(plan.hosts[h].host, HOST_ID_SIZE, "host-%d", h);
        (void)snprintf(plan.hosts[h].zone, NAME_SIZE, "rack-%d", h);
        plan.hosts[h].wave = h == members ? -1 : h > 0;
    }
    return plan;
}

static int make(const char *text, int members, struct draft *ret, struct error *err)
{
    struct spec *spec = parse(text);
    struct plan plan = plan_of(members);
    struct draft_header header = {.created_ms = 1795464000000};
    STR_COPY(header.id, "20261123-200000-1a2b");
    STR_COPY(header.by, "ops@test");
    STR_COPY(header.why, "because");
    int rc = draft_make(&spec, &plan, &header, ret, err);
    assert_int_equal(spec != NULL, rc < 0); /* taken over on success only */
    spec_free(spec);
    plan_done(&plan);
    return rc;
}

static void members_and_waves_are_the_plans(void **state)
{
    struct draft draft;
    struct error err = {0};

    assert_int_equal(make("{}", 5, &draft, &err), 0);

    assert_int_equal(draft.manifest->hosts, 5);
    assert_string_equal(draft.manifest->why, "because");
    assert_int_equal(draft.waves[0].hosts.count, 1);
    assert_string_equal(draft.waves[0].hosts.items[0], "host-0");
    assert_int_equal(draft.waves[1].hosts.count, 4);
    assert_false(strings_have(&draft.waves[1].hosts, "host-5"));
    assert_int_equal(strlen(draft.manifest->digest), 64);
    draft_done(&draft);
}

static void percentages_become_numbers(void **state)
{
    struct draft draft;
    struct error err = {0};

    assert_int_equal(make("{\"leases\":{\"restart\":\"5%\",\"install\":\"10%\"},"
                          "\"max_failed\":\"2%\"}",
                          200, &draft, &err),
                     0);

    assert_int_equal(gate_limit(&draft.gate, "restart"), 10);
    assert_int_equal(gate_limit(&draft.gate, "install"), 20);
    assert_int_equal(draft.gate.max_failed, 4);
    assert_int_equal(draft.gate.phase, GATE_RUN);
    draft_done(&draft);
}

static void limits_of_zones_stand_in_the_gate_and_zones_beside_the_hosts(void **state)
{
    struct draft draft;
    struct error err = {0};

    assert_int_equal(make("{\"zone_limits\":{\"restart\":2}}", 3, &draft, &err), 0);

    assert_int_equal(gate_limit(&draft.gate, "restart.rack-1"), 2);
    assert_int_equal(gate_limit(&draft.gate, "restart"), 1);
    assert_int_equal(draft.waves[1].zones.count, draft.waves[1].hosts.count);
    assert_string_equal(draft.waves[1].zones.items[0], "rack-1");
    draft_done(&draft);
}

static void by_default_one_restart_at_a_time_and_no_failure(void **state)
{
    struct draft draft;
    struct error err = {0};

    assert_int_equal(make("{}", 50, &draft, &err), 0);

    assert_int_equal(gate_limit(&draft.gate, "restart"), 1);
    assert_int_equal(gate_limit(&draft.gate, "install"), 10);
    assert_int_equal(draft.gate.max_failed, 0);
    draft_done(&draft);
}

static void nobody_fit_is_no_rollout(void **state)
{
    struct draft draft;
    struct error err = {0};

    assert_int_equal(make("{}", 0, &draft, &err), -EINVAL);

    assert_non_null(strstr(err.text, "clowder plan"));
}

static void the_documents_decode_again(void **state)
{
    struct draft draft;
    struct manifest *again = NULL;
    struct error err = {0};
    assert_int_equal(make("{\"name\":\"x\"}", 5, &draft, &err), 0);

    char *text = manifest_encode(draft.manifest);
    assert_int_equal(manifest_decode(text, strlen(text), &again, &err), 0);

    assert_string_equal(again->id, draft.manifest->id);
    assert_string_equal(again->digest, draft.manifest->digest);
    assert_int_equal(again->waves_count, 2);
    manifest_free(again);
    free(text);
    draft_done(&draft);
}

static void ids_sort_by_time_and_are_valid(void **state)
{
    char early[ROLLOUT_ID_SIZE], late[ROLLOUT_ID_SIZE];

    rollout_id_make(1795464000000, 0xffff, early);
    rollout_id_make(1795464001000, 0x0000, late);

    assert_string_equal(early, "20261123-200000-ffff");
    assert_true(strcmp(early, late) < 0);
    assert_true(rollout_id_valid(early) && rollout_id_valid(late));
}

/* The operator's clock was set back, or another laptop's is behind. */
static void an_id_comes_after_the_last_ones_whatever_the_clock_says(void **state)
{
    char last[ROLLOUT_ID_SIZE], next[ROLLOUT_ID_SIZE];

    rollout_id_make(1795464000000, 0xffff, last);
    for (int64_t ago_ms = -2000; ago_ms < 7200000; ago_ms += 1800000) {
        rollout_id_after(last, 1795464000000 - ago_ms, 0, next);
        assert_true(strcmp(last, next) < 0);
        assert_true(rollout_id_valid(next));
    }
    rollout_id_after("", 1795464000000, 0xffff, next);
    assert_string_equal(next, last);
    rollout_id_after("named-by-hand", 1795464000000, 0xffff, next);
    assert_string_equal(next, last);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_and_waves_are_the_plans),
        cmocka_unit_test(percentages_become_numbers),
        cmocka_unit_test(limits_of_zones_stand_in_the_gate_and_zones_beside_the_hosts),
        cmocka_unit_test(by_default_one_restart_at_a_time_and_no_failure),
        cmocka_unit_test(nobody_fit_is_no_rollout),
        cmocka_unit_test(the_documents_decode_again),
        cmocka_unit_test(ids_sort_by_time_and_are_valid),
        cmocka_unit_test(an_id_comes_after_the_last_ones_whatever_the_clock_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
