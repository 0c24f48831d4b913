/* test_judge_etcd_proxy.c - what step etcd-proxy would do.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/cleanup.h"
#include "shared/base/digest.h"
#include "shared/model/render.h"
#include "tests/unit/judge_fixture.h"

static json_t *bare(const char *version)
{
    return json_pack("{s:{s:s,s:s}}", "binary", "path", "/usr/bin/etcd", "version",
                     version);
}

static json_t *running(void)
{
    _cleanup_(freep) char *text = render_etcd_unit(spec);
    json_t *seen = bare("3.4.23");
    char sha256[DIGEST_HEX_SIZE];

    digest_bytes(text, strlen(text), sha256);
    json_object_set_new(seen, "unit",
                        json_pack("{s:s,s:b,s:s,s:s}", "sha256", sha256, "ours", 1,
                                  "active", "active", "enabled", "enabled"));
    json_object_set_new(seen, "healthy", json_true());
    return seen;
}

static void judge_seen(json_t *seen)
{
    judge(STEP_ETCD_PROXY, spec, &facts, seen, &judged);
    json_decref(seen);
}

static void a_host_without_the_unit_gets_it(void **state)
{
    judge_seen(bare("3.4.23"));
    assert_judged(FINDING_ABSENT, DISRUPTION_NONE, "to be installed");
}

static void a_proxy_that_runs_as_wanted_is_left_alone(void **state)
{
    judge_seen(running());
    assert_judged(FINDING_RIGHT, DISRUPTION_NONE, "runs as wanted");
}

static void stale(json_t *seen, const char *says)
{
    judge_seen(seen);
    assert_judged(FINDING_STALE, DISRUPTION_NONE, says);
}

static void each_kind_of_change_is_stale(void **state)
{
    json_t *seen = running();
    json_object_set_new(json_object_get(seen, "unit"), "sha256", json_string("x"));
    stale(seen, "text is another");

    seen = running();
    json_object_set_new(json_object_get(seen, "unit"), "active", json_string("failed"));
    stale(seen, "does not run");

    seen = running();
    json_object_set_new(json_object_get(seen, "unit"), "enabled",
                        json_string("disabled"));
    stale(seen, "not enabled");

    seen = running();
    json_object_set_new(seen, "healthy", json_false());
    json_object_set_new(seen, "why", json_string("GET /health: HTTP status 503"));
    stale(seen, "does not answer through it: GET /health: HTTP status 503");
    seen = running();
    json_object_set_new(seen, "stale", json_true());
    stale(seen, "no recorded etcd peer answers");

    use_spec("{'steps':{'etcd-proxy':{'binary':{'url':'http://x/etcd'}}}}");
    stale(running(), "the binary is another");
}

static void refuses(json_t *seen, const char *key, json_t *value, const char *says)
{
    json_object_set_new(seen, key, value);
    judge_seen(seen);
    assert_judged(FINDING_FOREIGN, DISRUPTION_NONE, says);
}

static void each_refusal_has_its_own_message(void **state)
{
    refuses(bare("3.4.23"), "taken",
            json_pack("{s:i,s:s}", "port", 2379, "by", "etcd (pid 77)"),
            "port 2379 is taken by etcd (pid 77)");
    refuses(bare("3.4.23"), "unit", json_pack("{s:s,s:b}", "sha256", "x", "ours", 0),
            "not written by clowder");
    refuses(bare("3.4.23"), "member", json_true(), "holds an etcd member");
    refuses(bare("3.6.0"), "x", json_null(), "etcd 3.6.0 has no proxy mode");
    refuses(bare("3.4.23"), "binary",
            json_pack("{s:s,s:b}", "path", "/usr/bin/etcd", "absent", 1),
            "no etcd at \"/usr/bin/etcd\"");
    use_spec("{'steps':{'etcd-proxy':{'mode':'gateway','endpoints':['h:2379']}}}");
    refuses(bare("2.3.1"), "x", json_null(), "etcd 2.3.1 has no gateway");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_host_without_the_unit_gets_it),
        TEST(a_proxy_that_runs_as_wanted_is_left_alone),
        TEST(each_kind_of_change_is_stale),
        TEST(each_refusal_has_its_own_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
