/* test_judge_cni.c - what step cni would do.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/cleanup.h"
#include "shared/base/digest.h"
#include "shared/model/artifact.h"
#include "shared/model/render.h"
#include "tests/unit/judge_fixture.h"

static json_t *agent(const char *version)
{
    return json_pack("{s:s,s:s,s:f,s:b,s:s,s:s}", "version", version, "id", "a-S3",
                     "start_time", 1000.5, "isolation", 1, "config_dir",
                     "/opt/mesosphere/etc/dcos/network/cni", "plugins_dir",
                     "/opt/x/:/opt/mesosphere/active/cni/");
}

static json_t *binary(const struct artifact *artifact)
{
    _cleanup_(freep) char *url = artifact_source(artifact);

    return json_pack("{s:s,s:s,s:{s:s,s:s}}", "mode", "0755", "sha256", "d1",
                     "recorded", "sha256", "d1", "url", url);
}

static json_t *network(double mtime)
{
    _cleanup_(freep) char *bytes = render_cni_config(spec, &facts);
    char sha256[DIGEST_HEX_SIZE];

    digest_bytes(bytes, strlen(bytes), sha256);
    return json_pack("{s:s,s:s,s:s,s:s,s:f}", "path", "/c/calico.cni", "sha256", sha256,
                     "name", "calico", "type", "calico", "mtime", mtime);
}

static json_t *bare(const char *version)
{
    return json_pack("{s:{s:b},s:{s:b},s:{s:s},s:o}", "calico", "absent", 1,
                     "calico_ipam", "absent", 1, "config", "path", "/c/calico.cni",
                     "agent", agent(version));
}

static json_t *installed(const char *version)
{
    return json_pack("{s:o,s:o,s:o,s:o}", "calico", binary(&spec->cni.calico),
                     "calico_ipam", binary(&spec->cni.calico_ipam), "config",
                     network(900), "agent", agent(version));
}

static void judge_seen(json_t *seen)
{
    judge(STEP_CNI, spec, &facts, seen, &judged);
    json_decref(seen);
}

static void an_agent_since_mesos_1_2_is_not_restarted(void **state)
{
    judge_seen(bare("1.2.0"));
    assert_judged(FINDING_ABSENT, DISRUPTION_NONE, "to be installed");
    judge_seen(bare("1.1.0"));
    assert_judged(FINDING_ABSENT, DISRUPTION_AGENT_RESTART, "the Mesos agent restarts");
}

static void what_is_right_is_left_alone_even_with_always(void **state)
{
    judge_seen(installed("1.4.1"));
    assert_judged(FINDING_RIGHT, DISRUPTION_NONE, "as wanted");
    use_spec("{'steps':{'cni':{'restart':'always'}}}");
    judge_seen(installed("1.4.1"));
    assert_judged(FINDING_RIGHT, DISRUPTION_NONE, "as wanted");
    judge_seen(bare("1.4.1"));
    assert_judged(FINDING_ABSENT, DISRUPTION_AGENT_RESTART, "restarts");
    use_spec("{'steps':{'cni':{'restart':'never'}}}");
    judge_seen(bare("1.0.1"));
    assert_judged(FINDING_ABSENT, DISRUPTION_NONE, "");
}

static void an_old_agent_older_than_the_file_has_not_read_it(void **state)
{
    json_t *seen = installed("1.0.1");

    judge_seen(json_incref(seen));
    assert_judged(FINDING_RIGHT, DISRUPTION_NONE, "");
    json_object_set_new(json_object_get(seen, "config"), "mtime", json_real(2000));
    judge_seen(seen);
    assert_judged(FINDING_STALE, DISRUPTION_AGENT_RESTART, "not taken up yet");
}

static void a_restart_begun_before_a_crash_is_still_due(void **state)
{
    json_t *seen = installed("1.4.1");

    json_object_set_new(seen, "restart_due", json_true());
    json_object_del(seen, "agent"); /* on its way back */
    judge_seen(seen);
    assert_judged(FINDING_STALE, DISRUPTION_AGENT_RESTART, "");
}

static void each_kind_of_change_is_stale(void **state)
{
    json_t *seen = installed("1.4.1");

    json_object_set_new(json_object_get(seen, "calico"), "mode", json_string("0644"));
    judge_seen(seen);
    assert_judged(FINDING_STALE, DISRUPTION_NONE, "binaries to be renewed");

    seen = installed("1.4.1");
    json_object_set_new(json_object_get(seen, "calico_ipam"), "sha256",
                        json_string("d2"));
    judge_seen(seen);
    assert_judged(FINDING_STALE, DISRUPTION_NONE, "binaries to be renewed");

    seen = installed("1.4.1");
    json_object_set_new(json_object_get(seen, "config"), "sha256", json_string("d2"));
    judge_seen(seen);
    assert_judged(FINDING_STALE, DISRUPTION_NONE, "calico.cni to be renewed");
}

static void refuses(json_t *seen, const char *key, json_t *value, const char *says)
{
    json_object_set_new(seen, key, value);
    judge_seen(seen);
    assert_judged(FINDING_FOREIGN, DISRUPTION_NONE, says);
}

static json_t *agent_with(const char *key, json_t *value)
{
    json_t *made = agent("1.4.1");

    json_object_set_new(made, key, value);
    return made;
}

static void each_refusal_has_its_own_message(void **state)
{
    refuses(bare("1.4.1"), "config",
            json_pack("{s:s,s:s,s:s,s:s}", "path", "/c/calico.cni", "sha256", "x",
                      "name", "calico", "type", "mesos-cni-port-mapper"),
            "its type is \"mesos-cni-port-mapper\"");
    refuses(bare("1.4.1"), "config",
            json_pack("{s:s,s:s,s:s,s:s}", "path", "/c/calico.cni", "sha256", "x",
                      "name", "prod", "type", "calico"),
            "it names network \"prod\"");
    refuses(bare("1.4.1"), "config",
            json_pack("{s:s,s:s,s:s}", "path", "/c/calico.cni", "sha256", "x",
                      "invalid", "line 1: oops"),
            "is not valid: line 1");
    refuses(bare("1.4.1"), "same_name", json_string("calico.conf"),
            "\"calico.conf\" beside \"calico.cni\"");
    refuses(bare("1.4.1"), "agent", agent_with("version", json_string("0.28.2")),
            "Mesos 0.28.2 knows no CNI");
    refuses(bare("1.4.1"), "agent", agent_with("isolation", json_false()),
            "without isolation network/cni");
    refuses(bare("1.4.1"), "agent", agent_with("config_dir", json_string("/etc/cni")),
            "reads networks from \"/etc/cni\"");
    refuses(bare("1.4.1"), "agent",
            agent_with("plugins_dir", json_string("/opt/mesosphere/active/cni2")),
            "looks for plugins in \"/opt/mesosphere/active/cni2\"");
    json_t *seen = bare("1.4.1");
    json_object_del(seen, "agent");
    refuses(seen, "down", json_string("GET /state: refused"),
            "the Mesos agent does not answer: GET /state: refused: start "
            "dcos-mesos-slave.service first");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_agent_since_mesos_1_2_is_not_restarted),
        TEST(what_is_right_is_left_alone_even_with_always),
        TEST(an_old_agent_older_than_the_file_has_not_read_it),
        TEST(a_restart_begun_before_a_crash_is_still_due),
        TEST(each_kind_of_change_is_stale),
        TEST(each_refusal_has_its_own_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
