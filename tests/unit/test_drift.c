/* test_drift.c - is a host still as its rollout proved it?
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/cleanup.h"
#include "shared/base/digest.h"
#include "shared/model/drift.h"
#include "shared/model/render.h"
#include "tests/unit/judge_fixture.h"

enum { MINUTE_MS = 60000, NOW_MS = 1000 * MINUTE_MS };

static struct drift drift;
static struct record record, next;

static int begin(void **state)
{
    drift = (struct drift){0};
    record_init(&record, 0);
    record.state = HOST_DONE;
    record.stages_done = 3;
    for (int i = 0; i < STEP_COUNT; i++)
        record_step(&record, step_name((enum step_id)i))->state = STEP_PROVED;
    return judge_begin(state);
}

static void see(enum step_id step, json_t *seen)
{
    json_object_set_new(facts.seen, step_name(step), seen);
}

static void see_proxy(const char *active)
{
    _cleanup_(freep) char *text = render_etcd_unit(spec);
    char sha256[DIGEST_HEX_SIZE];

    digest_bytes(text, strlen(text), sha256);
    see(STEP_ETCD_PROXY,
        json_pack("{s:{s:s,s:s},s:{s:s,s:b,s:s,s:s},s:b}", "binary", "path",
                  "/usr/bin/etcd", "version", "3.4.23", "unit", "sha256", sha256,
                  "ours", 1, "active", active, "enabled", "enabled", "healthy", 1));
}

/* daemon.json has lost the store, which Docker still has: no restart is needed. */
static void see_daemon_json_reverted(void)
{
    _cleanup_(freep) char *store = render_docker_store(spec);

    see(STEP_DOCKER_STORE,
        json_pack("{s:{s:s},s:{s:s,s:s}}", "file", "path", "/etc/docker/daemon.json",
                  "info", "version", "20.10.24", "store", store));
}

/* Neither the file nor Docker has it. */
static void see_docker_without_store(void)
{
    see(STEP_DOCKER_STORE,
        json_pack("{s:{s:s},s:{s:s,s:s}}", "file", "path", "/etc/docker/daemon.json",
                  "info", "version", "20.10.24", "store", ""));
}

static bool look(void)
{
    return drift_look(&drift, spec, &facts);
}

static enum drift_verdict verdict(bool keeps)
{
    return drift_judge(&drift, spec, &record, keeps, NOW_MS, &next);
}

static void one_look_is_no_drift_and_two_are(void **state)
{
    see_proxy("failed");
    assert_true(look()); /* worth another look soon */
    assert_int_equal(verdict(true), DRIFT_NO_NEWS);
    look();

    assert_int_equal(verdict(false), DRIFT_NEWS);

    assert_int_equal(next.state, HOST_DONE);
    assert_int_equal(next.drift, RECORD_DRIFTED);
    assert_true(record_step_drifted(&next, "etcd-proxy"));
    assert_non_null(strstr(next.steps[0].says, "does not run"));
}

static void a_container_that_restarts_at_the_wrong_moment_is_no_drift(void **state)
{
    for (int i = 0; i < 10; i++) {
        see_proxy(i % 2 ? "failed" : "active");
        look();
        assert_int_equal(verdict(true), DRIFT_NO_NEWS);
    }
}

static void a_look_that_failed_tells_nothing(void **state)
{
    see_proxy("failed");
    look();
    json_object_clear(facts.seen);
    assert_false(look());
    assert_int_equal(verdict(true), DRIFT_NO_NEWS);
    see_proxy("failed");
    look();
    assert_int_equal(verdict(false), DRIFT_NEWS);

    record = next;
    json_object_clear(facts.seen);
    look();
    look();
    assert_int_equal(verdict(false), DRIFT_NO_NEWS); /* it has still drifted */
}

static void right_again_is_news_too(void **state)
{
    see_proxy("failed");
    look();
    look();
    assert_int_equal(verdict(false), DRIFT_NEWS);
    record = next;

    see_proxy("active");
    assert_true(look());
    assert_int_equal(verdict(false), DRIFT_NO_NEWS);
    look();
    assert_int_equal(verdict(false), DRIFT_NEWS);

    assert_int_equal(next.drift, RECORD_STEADY);
    assert_int_equal(next.steps[0].state, STEP_ALREADY);
}

static void what_was_never_proved_cannot_drift(void **state)
{
    record_step(&record, "etcd-proxy")->state = STEP_DISABLED;
    see_proxy("failed");
    look();
    look();
    assert_int_equal(verdict(true), DRIFT_NO_NEWS);

    record_step(&record, "etcd-proxy")->state = STEP_ALREADY;
    STR_COPY(record_step(&record, "etcd-proxy")->by, "ops@laptop"); /* force-complete */
    assert_int_equal(verdict(true), DRIFT_NO_NEWS);
}

static void what_takes_no_restart_is_mended_from_its_stage_on(void **state)
{
    record.retried = true;
    see_proxy("failed");
    look();
    look();

    assert_int_equal(verdict(true), DRIFT_MENDS);

    assert_int_equal(next.state, HOST_IDLE);
    assert_int_equal(next.stages_done, 0);
    assert_int_equal(next.drift, RECORD_REPAIRING);
    assert_int_equal(next.attempt, 0);
    assert_false(next.retried); /* no barrier and no close waits for it */
    assert_true(record_step_drifted(&next, "etcd-proxy"));
}

static void a_mend_ends_when_the_last_look_was_right(void **state)
{
    see_proxy("failed");
    look();
    look();
    see_proxy("active");
    look();
    assert_int_equal(verdict(true), DRIFT_NEWS); /* drifted, as far as is known */
}

static void daemon_json_reverted_is_reported_only_unless_the_spec_says_so(void **state)
{
    static const struct {
        const char *spec;
        enum drift_verdict verdict;
    } rows[] = {
        {"{}", DRIFT_NEWS},
        {"{'drift':'report'}", DRIFT_NEWS},
        {"{'drift':'repair'}", DRIFT_MENDS},
        {"{'steps':{'docker-cluster-store':{'drift':'repair'}}}", DRIFT_MENDS},
        {"{'drift':'repair','steps':{'docker-cluster-store':{'drift':'report'}}}",
         DRIFT_NEWS},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        drift = (struct drift){0};
        use_spec(rows[i].spec);
        see_daemon_json_reverted();
        look();
        look();
        assert_int_equal(verdict(true), rows[i].verdict);
        assert_true(record_step_drifted(&next, "docker-cluster-store"));
    }
    assert_int_equal(next.stages_done, 3);
}

static void auto_mends_what_takes_no_restart(void **state)
{
    struct judgement j = {.finding = FINDING_STALE};

    assert_true(drift_repairs(spec, STEP_CNI, &j));
    assert_true(drift_repairs(spec, STEP_NODE, &j));
    assert_false(drift_repairs(spec, STEP_DOCKER_STORE, &j));
    j.disruption = DISRUPTION_AGENT_RESTART;
    assert_false(drift_repairs(spec, STEP_CNI, &j));
    use_spec("{'drift':'repair'}");
    assert_true(drift_repairs(spec, STEP_CNI, &j));
    see_docker_without_store();
    look();
    look();
    assert_int_equal(verdict(true), DRIFT_MENDS);
    assert_int_equal(next.stages_done, 1);
}

static void something_foreign_is_reported_and_never_touched(void **state)
{
    use_spec("{'drift':'repair'}");
    see(STEP_CNI, json_pack("{s:s}", "down", "connection refused"));
    look();
    look();

    assert_int_equal(verdict(true), DRIFT_NEWS);
    assert_true(record_step_drifted(&next, "cni"));
}

static void who_is_changed_back_again_and_again_waits_longer_each_time(void **state)
{
    int64_t now_ms = NOW_MS, began_ms = 0;

    see_proxy("failed");
    look();
    look();
    for (int repairs = 1; repairs <= 4; repairs++) {
        while (drift_judge(&drift, spec, &record, true, now_ms, &next) != DRIFT_MENDS) {
            record = next;
            now_ms += MINUTE_MS;
        }
        int64_t waited_ms = repairs == 1 ? 0 : now_ms - began_ms;
        assert_int_equal(waited_ms,
                         repairs == 1 ? 0 : (5 * MINUTE_MS) << (repairs - 1));
        assert_int_equal(next.repairs, repairs);
        began_ms = now_ms;
        record.repairs = next.repairs; /* mended, and drifted again at once */
        record.repaired_ms = next.repaired_ms;
    }
    now_ms = began_ms + (int64_t)1440 * MINUTE_MS;
    assert_int_equal(drift_judge(&drift, spec, &record, true, now_ms, &next),
                     DRIFT_MENDS);
    assert_int_equal(next.repairs, 1);
}

static void a_clock_that_is_set_back_stops_no_repair(void **state)
{
    record.repairs = 3;
    record.repaired_ms = NOW_MS + (int64_t)5 * 1440 * MINUTE_MS;
    see_proxy("failed");
    look();
    look();

    assert_int_equal(verdict(true), DRIFT_MENDS);
    assert_int_equal(next.repairs, 1);
    assert_int_equal(next.repaired_ms, NOW_MS);
}

static void the_end_of_a_repair_is_news(void **state)
{
    record.drift = RECORD_DRIFTED; /* as Release leaves it */

    assert_int_equal(verdict(true), DRIFT_NEWS);
    assert_int_equal(next.drift, RECORD_STEADY);
}

static void what_is_wrong_is_told_by_step(void **state)
{
    see_proxy("failed");
    look();
    look();

    json_t *wrong = drift_wrong(&drift);

    assert_int_equal(json_object_size(wrong), 1);
    assert_non_null(strstr(json_string_value(json_object_get(wrong, "etcd-proxy")),
                           "does not run"));
    json_decref(wrong);
}

#define DRIFT_TEST(name) cmocka_unit_test_setup_teardown(name, begin, judge_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DRIFT_TEST(one_look_is_no_drift_and_two_are),
        DRIFT_TEST(a_container_that_restarts_at_the_wrong_moment_is_no_drift),
        DRIFT_TEST(a_look_that_failed_tells_nothing),
        DRIFT_TEST(right_again_is_news_too),
        DRIFT_TEST(what_was_never_proved_cannot_drift),
        DRIFT_TEST(what_takes_no_restart_is_mended_from_its_stage_on),
        DRIFT_TEST(a_mend_ends_when_the_last_look_was_right),
        DRIFT_TEST(daemon_json_reverted_is_reported_only_unless_the_spec_says_so),
        DRIFT_TEST(auto_mends_what_takes_no_restart),
        DRIFT_TEST(something_foreign_is_reported_and_never_touched),
        DRIFT_TEST(who_is_changed_back_again_and_again_waits_longer_each_time),
        DRIFT_TEST(a_clock_that_is_set_back_stops_no_repair),
        DRIFT_TEST(the_end_of_a_repair_is_news),
        DRIFT_TEST(what_is_wrong_is_told_by_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
