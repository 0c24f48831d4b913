/* test_manifest.c - the immutable plan of a rollout and its waves.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/digest.h"
#include "shared/base/mem.h"
#include "shared/model/json.h"
#include "shared/model/manifest.h"
#include "tests/unit/cmocka_all.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *golden(void)
{
    struct manifest manifest = {
        .id = "20261123-203000-1a2b",
        .by = "ops@laptop",
        .why = "first",
        .created_ms = 1795464000000,
        .kind = ROLLOUT_INSTALL,
        .hosts = 3,
        .waves = {{"canary", 1}, {"wave-1", 2}},
        .waves_count = 2,
    };
    char *text;

    assert_int_equal(spec_parse("{}", 2, &manifest.spec, NULL, NULL), 0);
    text = manifest_encode(&manifest);
    spec_free(manifest.spec);
    return text;
}

/* text with the first `from` replaced; text is freed. */
static char *with(char *text, const char *from, const char *to)
{
    char *at = strstr(text, from), *changed;

    assert_non_null(at);
    changed = mem_printf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    free(text);
    return changed;
}

static void a_manifest_survives_the_way_there_and_back(void **state)
{
    char *text = golden(), *again;
    struct manifest *manifest = NULL;
    struct error err = {0};
    char digest[65];

    assert_ptr_equal(strstr(text, "{\"v\":1,\"id\":\"20261123-203000-1a2b\",\"by\":"
                                  "\"ops@laptop\",\"why\":\"first\","
                                  "\"created_ms\":1795464000000,\"digest\":\""),
                     text);
    assert_non_null(strstr(text, "\"hosts\":3,\"waves\":[{\"name\":\"canary\","
                                 "\"size\":1},{\"name\":\"wave-1\",\"size\":2}],"
                                 "\"kind\":\"install\",\"of\":\"\",\"force\":false,"
                                 "\"spec\":{\"v\":1,"));
    if (manifest_decode(text, strlen(text), &manifest, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(manifest->waves[1].name, "wave-1");
    assert_string_equal(manifest->spec->calico_version, "2.6.11");
    spec_digest(manifest->spec, digest);
    assert_string_equal(manifest->digest, digest);

    again = manifest_encode(manifest);
    assert_string_equal(again, text);
    free(text);
    free(again);
    manifest_free(manifest);
}

static void a_spec_changed_by_hand_is_refused(void **state)
{
    char *text = with(golden(), "\"canary\":1,", "\"canary\":9,");
    struct manifest *manifest = NULL;
    struct error err;

    assert_int_equal(manifest_decode(text, strlen(text), &manifest, &err), -EINVAL);
    assert_non_null(strstr(err.text, "manifest: digest: is not that of the spec"));
    assert_null(manifest);
    free(text);
}

static void nonsense_is_refused_with_the_path(void **state)
{
    static const struct {
        const char *from, *to, *says;
    } rows[] = {
        {"\"hosts\":3", "\"hosts\":4", "hosts: 4, but the waves have 3"},
        {"\"wave-1\"", "\"canary\"", "waves: \"canary\" stands there twice"},
        {"\"size\":2", "\"size\":0", "waves[1].size: expected a whole number from 1"},
        {"\"id\":\"2026", "\"id\":\"/026", "is no rollout id"},
        {"\"adopt\":true", "\"adopt\":1", "spec: spec: adopt: expected true or false"},
        {"\"digest\":\"", "\"digest\":\"x", "is no SHA-256"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text = with(golden(), rows[i].from, rows[i].to);
        struct manifest *manifest = NULL;
        struct error err = {0};

        assert_int_equal(manifest_decode(text, strlen(text), &manifest, &err), -EINVAL);
        if (!strstr(err.text, rows[i].says))
            fail_msg("\"%s\" lacks \"%s\"", err.text, rows[i].says);
        free(text);
    }
}

static void a_newer_programs_manifest_or_spec_says_upgrade(void **state)
{
    char *outer = with(golden(), "\"v\":1", "\"v\":2");
    char *inner = with(golden(), "\"spec\":{\"v\":1", "\"spec\":{\"v\":2");
    struct manifest *manifest = NULL;
    struct error err;

    assert_int_equal(manifest_decode(outer, strlen(outer), &manifest, &err),
                     -EPROTONOSUPPORT);
    assert_int_equal(manifest_decode(inner, strlen(inner), &manifest, &err), -EINVAL);
    assert_non_null(strstr(err.text, "newer program"));
    free(outer);
    free(inner);
}

/* The digest tells a spec that this program does not understand from one that somebody
 * changed: wrong types in it, too, are then what a newer program allows. */
static void a_newer_programs_plan_is_told_from_one_that_was_changed(void **state)
{
    char *kind = with(golden(), "\"kind\":\"install\"", "\"kind\":\"dance\"");
    char *spec = with(golden(), "\"adopt\":true", "\"adopt\":[1]");
    struct manifest *manifest = NULL;
    struct error err;
    json_t *whole;
    char *body, digest[65];

    assert_int_equal(manifest_decode(kind, strlen(kind), &manifest, &err),
                     -EPROTONOSUPPORT);
    assert_non_null(strstr(err.text, "kind: \"dance\" is not one of install"));
    assert_int_equal(manifest_decode(spec, strlen(spec), &manifest, &err), -EINVAL);

    whole = json_loads(spec, 0, NULL);
    body = json_line(json_object_get(whole, "spec"));
    digest_bytes(body, strlen(body), digest);
    (void)json_object_set_new(whole, "digest", json_string(digest));
    free(spec);
    spec = json_line(whole);
    assert_int_equal(manifest_decode(spec, strlen(spec), &manifest, &err),
                     -EPROTONOSUPPORT);
    assert_non_null(strstr(err.text, "written by a newer program: upgrade"));
    assert_non_null(strstr(err.text, "adopt: expected true or false"));
    json_decref(whole);
    free(body);
    free(kind);
    free(spec);
}

static void a_wave_survives_and_names_each_host_once(void **state)
{
    struct wave wave = {.name = "canary"}, back;
    struct error err = {0};
    const char *twice = "{\"v\":1,\"name\":\"canary\",\"hosts\":[\"b\",\"a\",\"b\"]}";
    const char *bad = "{\"v\":1,\"name\":\"canary\",\"hosts\":[\"a\",\"A/\",7]}";
    char *text;

    strings_add(&wave.hosts, "10.0.0.5");
    strings_add(&wave.hosts, "10.0.0.6");
    text = wave_encode(&wave);
    assert_string_equal(
        text, "{\"v\":1,\"name\":\"canary\",\"hosts\":[\"10.0.0.5\",\"10.0.0.6\"]}");
    assert_int_equal(wave_decode(text, strlen(text), &back, &err), 0);
    assert_int_equal(back.hosts.count, 2);
    assert_true(strings_have(&back.hosts, "10.0.0.6"));
    free(text);
    wave_done(&wave);
    wave_done(&back);

    assert_int_equal(wave_decode(twice, strlen(twice), &back, &err), -EINVAL);
    assert_non_null(strstr(err.text, "\"b\" stands there twice"));
    assert_int_equal(wave_decode(bad, strlen(bad), &back, &err), -EINVAL);
    assert_non_null(strstr(err.text, "hosts[1]: \"A/\" is no host id"));
    assert_non_null(strstr(err.text, "hosts[2]: expected a string, got 7"));
}

static void twenty_thousand_hosts_fit_one_wave(void **state)
{
    struct wave wave = {.name = "rest"}, back;
    char host[HOST_ID_SIZE];
    char *text;

    for (int i = 0; i < 20000; i++) {
        (void)snprintf(host, sizeof(host), "10.%d.%d.%d", i / 65536, i / 256 % 256,
                       i % 256);
        strings_add(&wave.hosts, host);
    }
    text = wave_encode(&wave);
    assert_true(strlen(text) < 1048575);
    assert_int_equal(wave_decode(text, strlen(text), &back, NULL), 0);
    assert_int_equal(back.hosts.count, 20000);
    assert_string_equal(back.hosts.items[19999], "10.0.78.31");
    free(text);
    wave_done(&wave);
    wave_done(&back);
}

static char *undoing(enum rollout_kind kind, const char *of)
{
    struct manifest manifest = {
        .id = "20261123-203000-1a2b",
        .kind = kind,
        .hosts = 1,
        .waves = {{"canary", 1}},
        .waves_count = 1,
    };
    char *text;

    strcpy(manifest.of, of);
    assert_int_equal(spec_parse("{}", 2, &manifest.spec, NULL, NULL), 0);
    text = manifest_encode(&manifest);
    spec_free(manifest.spec);
    return text;
}

static void an_uninstall_does_the_stages_and_their_steps_in_reverse(void **state)
{
    char *text = undoing(ROLLOUT_UNINSTALL, ""), digest[65];
    struct manifest *manifest = NULL;

    assert_int_equal(manifest_decode(text, strlen(text), &manifest, NULL), 0);
    free(text);

    const struct spec *spec = manifest->spec;
    assert_string_equal(spec->stages[0].name, "run");
    assert_int_equal(spec->stages[0].steps[0], STEP_NODE);
    assert_int_equal(spec->stages[0].steps[1], STEP_LIBNETWORK);
    assert_string_equal(spec->stages[1].name, "restart");
    assert_int_equal(spec->stages[1].steps[0], STEP_CNI);
    assert_string_equal(spec->stages[2].name, "proxy");
    assert_false(spec->adopt);
    spec_digest(spec, digest); /* the document stays as it was written */
    assert_string_equal(digest, manifest->digest);
    manifest_free(manifest);
}

static void a_rollback_names_its_rollout_and_nothing_else_does(void **state)
{
    static const struct {
        enum rollout_kind kind;
        const char *of;
        int result;
    } cases[] = {
        {ROLLOUT_ROLLBACK, "20261122-203000-1a2b", 0},
        {ROLLOUT_ROLLBACK, "", -EINVAL},
        {ROLLOUT_UNINSTALL, "20261122-203000-1a2b", -EINVAL},
        {ROLLOUT_INSTALL, "20261122-203000-1a2b", -EINVAL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = undoing(cases[i].kind, cases[i].of);
        struct manifest *manifest = NULL;

        assert_int_equal(manifest_decode(text, strlen(text), &manifest, NULL),
                         cases[i].result);
        manifest_free(manifest);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_uninstall_does_the_stages_and_their_steps_in_reverse),
        cmocka_unit_test(a_rollback_names_its_rollout_and_nothing_else_does),
        cmocka_unit_test(a_manifest_survives_the_way_there_and_back),
        cmocka_unit_test(a_spec_changed_by_hand_is_refused),
        cmocka_unit_test(nonsense_is_refused_with_the_path),
        cmocka_unit_test(a_newer_programs_manifest_or_spec_says_upgrade),
        cmocka_unit_test(a_newer_programs_plan_is_told_from_one_that_was_changed),
        cmocka_unit_test(a_wave_survives_and_names_each_host_once),
        cmocka_unit_test(twenty_thousand_hosts_fit_one_wave),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
