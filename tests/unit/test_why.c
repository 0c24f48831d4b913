/* test_why.c - what a host does or waits for, and who could change it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/why_fixture.h"

#include <errno.h>
#include <string.h>

static const struct why_cause *find(const struct why *why, enum why_kind kind)
{
    for (int i = 0; i < why->causes_count; i++)
        if (why->causes[i].kind == kind)
            return &why->causes[i];
    return NULL;
}

static void print_all(const struct why *why)
{
    for (int i = 0; i < why->causes_count; i++)
        print_message("%*s[%s] %s\n", 2 * why->causes[i].depth, "",
                      why_kind_text(why->causes[i].kind), why->causes[i].says);
    for (int i = 0; i < why->advice_count; i++)
        print_message("  %s\n", why->advice[i].command);
}

/* A cause of that kind, at that depth, which says so. */
static void assert_cause(struct why_fixture *f, int depth, enum why_kind kind,
                         const char *host, const char *says)
{
    for (int i = 0; i < f->why.causes_count; i++) {
        const struct why_cause *cause = &f->why.causes[i];
        if (cause->kind == kind && cause->depth == depth && strstr(cause->says, says) &&
            (!host || str_equal(cause->host, host)))
            return;
    }
    print_all(&f->why);
    fail_msg("no cause %s at depth %d that says \"%s\"", why_kind_text(kind), depth,
             says);
}

static void assert_no_cause(struct why_fixture *f, enum why_kind kind)
{
    if (!find(&f->why, kind))
        return;
    print_all(&f->why);
    fail_msg("there is a cause %s", why_kind_text(kind));
}

static void assert_advice(struct why_fixture *f, const char *command)
{
    for (int i = 0; i < f->why.advice_count; i++)
        if (str_equal(f->why.advice[i].command, command))
            return;
    print_all(&f->why);
    fail_msg("no advice \"%s\"", command);
}

static void assert_no_advice(struct why_fixture *f, const char *command)
{
    for (int i = 0; i < f->why.advice_count; i++)
        if (strstr(f->why.advice[i].command, command))
            fail_msg("it advises \"%s\"", f->why.advice[i].command);
}

static void a_full_lease_names_its_holder_and_what_that_one_does(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");
    why_wait_in_line(&f);
    why_held_by(&f, "restart", "10.0.0.5", HOST_HOLDING, true);

    why_explain(&f);

    assert_cause(&f, 0, WHY_WAITS_FOR_PERMIT, WHY_HOST, "permit of lease restart");
    assert_cause(&f, 0, WHY_WAITS_FOR_PERMIT, WHY_HOST, "for 4m 2s");
    assert_cause(&f, 0, WHY_WAITS_FOR_PERMIT, WHY_HOST, "about place 2 of 12");
    assert_cause(&f, 1, WHY_LEASE, NULL, "lets 1 host in at a time, and 1 permit is");
    assert_cause(&f, 2, WHY_HOLDS, "10.0.0.5", "docker-cluster-store: restart unit");
    assert_no_cause(&f, WHY_AWAY);
    assert_advice(&f, "clowder set-limit restart 2");
    assert_no_advice(&f, "break");
    why_end(&f);
}

static void a_full_zone_names_who_of_it_is_at_work(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");
    why_wait_in_line(&f);
    STR_COPY(f.in.host.record.lease, "restart.rack-1");
    assert_int_equal(gate_set_zone_limit(&f.rollout.gate, "restart", 1, NULL), 0);
    why_held_by(&f, "restart", "10.0.0.5", HOST_HOLDING, true);
    STR_COPY(f.rollout.permits[0].record.zone, "rack-1");

    why_explain(&f);

    assert_cause(&f, 1, WHY_LEASE, NULL, "lets 1 host of zone rack-1 in at a time");
    assert_cause(&f, 2, WHY_HOLDS, "10.0.0.5", "docker-cluster-store: restart unit");
    assert_advice(&f, "clowder set-limit restart.rack-1 2");
    why_end(&f);
}

static void a_zone_s_permit_that_waits_itself_is_the_lease_s_matter(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");
    why_wait_in_line(&f);
    STR_COPY(f.in.host.record.lease, "restart.rack-1");
    assert_int_equal(gate_set_zone_limit(&f.rollout.gate, "restart", 1, NULL), 0);
    why_held_by(&f, "restart", "10.0.0.5", HOST_HOLDING, true);
    STR_COPY(f.rollout.permits[0].record.zone, "rack-2");

    why_explain(&f);

    assert_cause(&f, 2, WHY_LEASE, NULL, "lease restart lets 1 host in at a time");
    assert_cause(&f, 3, WHY_HOLDS, "10.0.0.5", "docker-cluster-store: restart unit");
    why_end(&f);
}

static void a_holder_that_is_away_is_named_with_its_grace(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");
    why_wait_in_line(&f);
    why_held_by(&f, "restart", "10.0.0.5", HOST_HOLDING, false);

    why_explain(&f);

    assert_cause(&f, 2, WHY_HOLDS, "10.0.0.5", "permit 0");
    assert_cause(&f, 3, WHY_AWAY, "10.0.0.5", "last word is 1m 30s old");
    assert_cause(&f, 3, WHY_AWAY, "10.0.0.5", "silent for 10m");
    assert_int_equal(find(&f.why, WHY_AWAY)->until_ms, WHY_NOW_MS - 90000 + 600000);
    assert_advice(&f, "clowder break 10.0.0.5 --reason TEXT");
    why_end(&f);
}

static void a_holder_whose_record_is_nonsense_is_named_with_it(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");
    why_wait_in_line(&f);
    struct progress_permit *held =
        why_held_by(&f, "restart", "10.0.0.5", HOST_HOLDING, true);
    held->has_record = false;
    (void)error_set(&held->bad, -EBADMSG, "znode '/x': not JSON");

    why_explain(&f);

    assert_cause(&f, 2, WHY_UNREADABLE, "10.0.0.5", "znode '/x': not JSON");
    why_end(&f);
}

static void many_that_are_away_are_told_briefly(void **state)
{
    struct why_fixture f;
    int breaks = 0;
    why_begin(&f, "{}");
    why_wait_in_line(&f);
    f.rollout.gate.limits[1].permits = 3;
    for (int i = 0; i < 3; i++) {
        char host[16];
        (void)snprintf(host, sizeof(host), "10.0.1.%d", i);
        why_held_by(&f, "restart", host, HOST_HOLDING, false);
    }

    why_explain(&f);

    assert_cause(&f, 3, WHY_AWAY, "10.0.1.0", "mark it as lost");
    for (int i = 0; i < f.why.causes_count; i++)
        if (f.why.causes[i].kind == WHY_AWAY && i > 4)
            assert_null(strstr(f.why.causes[i].says, "goes on by itself"));
    for (int i = 0; i < f.why.advice_count; i++)
        breaks += strstr(f.why.advice[i].command, "break") != NULL;
    assert_int_equal(breaks, 2);
    why_end(&f);
}

static void holders_in_trouble_are_named_before_the_others(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");
    why_wait_in_line(&f);
    f.rollout.gate.limits[1].permits = 6;
    for (int i = 0; i < 4; i++) {
        char host[16];
        (void)snprintf(host, sizeof(host), "10.0.1.%d", i);
        why_held_by(&f, "restart", host, HOST_HOLDING, true);
    }
    why_held_by(&f, "restart", "10.0.1.8", HOST_LOST, false);
    STR_COPY(why_held_by(&f, "restart", "10.0.1.9", HOST_FAILED, true)->record.error,
             "Docker is down");

    why_explain(&f);

    assert_cause(&f, 2, WHY_LOST, "10.0.1.8", "is lost since 4m 2s");
    assert_cause(&f, 2, WHY_FAILED, "10.0.1.9", "Docker is down");
    assert_cause(&f, 2, WHY_FAILED, "10.0.1.9", "keeps its permit");
    assert_cause(&f, 2, WHY_MORE, NULL, "and 3 more");
    assert_advice(&f, "clowder break 10.0.1.8 --reason TEXT");
    assert_advice(&f, "clowder retry 10.0.1.9");
    why_end(&f);
}

static void a_free_permit_is_a_matter_of_moments(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");
    why_wait_in_line(&f);

    why_explain(&f);

    assert_cause(&f, 1, WHY_LEASE, NULL, "1 of 1 permits free");
    assert_advice(&f, "clowder watch");
    why_end(&f);
}

static void a_pause_is_by_whom_and_why_and_hides_the_lease(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");
    why_wait_in_line(&f);
    why_held_by(&f, "restart", "10.0.0.5", HOST_HOLDING, true);
    why_gate_is(&f, GATE_PAUSE, "eve@desk", "lunch");

    why_explain(&f);

    assert_cause(&f, 1, WHY_GATE_CLOSED, NULL, "paused for 12m, by eve@desk: lunch");
    assert_no_cause(&f, WHY_LEASE);
    assert_advice(&f, "clowder resume");
    assert_no_advice(&f, "retry");
    why_end(&f);
}

static void a_pause_by_a_failure_names_what_failed(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");
    why_wait_in_line(&f);
    why_gate_is(&f, GATE_PAUSE, "10.0.0.7", "host 10.0.0.7 failed");
    f.rollout.failed_count = 3;
    f.rollout.failed_listed = 1;
    f.rollout.failed = mem_array(1, sizeof(*f.rollout.failed));
    f.rollout.failed[0].has_record = true;
    f.rollout.failed[0].record = why_record(HOST_FAILED, "restart", "", -1);
    STR_COPY(f.rollout.failed[0].host, "10.0.0.7");
    STR_COPY(f.rollout.failed[0].record.error, "docker.service did not come up");

    why_explain(&f);

    assert_cause(&f, 2, WHY_FAILED, "10.0.0.7", "docker.service did not come up");
    assert_cause(&f, 2, WHY_MORE, NULL, "and 2 more");
    assert_advice(&f, "clowder retry --failed");
    assert_advice(&f, "clowder resume");
    why_end(&f);
}

static void outside_the_windows_it_says_when_the_next_one_opens(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{\"windows\":[{\"days\":[\"mon-fri\"],\"start\":\"22:00\","
                  "\"length\":\"6h\",\"zone\":\"UTC\"}]}");
    why_wait_in_line(&f);
    f.rollout.hours = (struct window_state){.until_ms = WHY_NOW_MS + 6600000};

    why_explain(&f);

    assert_cause(&f, 1, WHY_OUTSIDE_WINDOWS, NULL, "mon-fri 22:00 for 6h");
    assert_cause(&f, 1, WHY_OUTSIDE_WINDOWS, NULL, "opens in 1h 50m");
    assert_no_cause(&f, WHY_LEASE);
    why_end(&f);
}

static void a_wave_that_is_missing_hosts_names_them_and_their_reasons(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");
    why_wait_for_wave(&f);

    why_explain(&f);

    assert_cause(&f, 0, WHY_WAITS_FOR_WAVE, WHY_HOST, "has done 2 of 3 stages");
    assert_cause(&f, 1, WHY_BARRIER, NULL, "the others of wave wave-1");
    assert_cause(&f, 1, WHY_BARRIER, NULL, "17 of 30 have done stage restart");
    assert_cause(&f, 2, WHY_HOLDS, "10.0.0.5", "restart unit");
    assert_cause(&f, 2, WHY_WAITS_FOR_PERMIT, "10.0.0.6", "lease restart");
    assert_cause(&f, 3, WHY_LEASE, NULL, "1 permit is taken");
    assert_cause(&f, 4, WHY_HOLDS, "10.0.0.5", "by 10.0.0.5, as above");
    assert_cause(&f, 3, WHY_AWAY, "10.0.0.7", "no session");
    assert_cause(&f, 2, WHY_MORE, NULL, "and 10 more");
    why_end(&f);
}

static void a_host_of_a_later_wave_waits_for_the_first_one_that_is_open(void **state)
{
    struct why_fixture f;
    int wave, stage;
    why_begin(&f, "{}");
    f.in.host.record.wave = 2;
    why_arrived(&f, 1, 0, 29, false);
    why_missing(&f, "10.0.0.6", false, why_record(HOST_IDLE, "", "", -1));

    why_explain(&f);

    assert_true(why_barrier(&f.rollout, &f.in.host.record, &wave, &stage));
    assert_int_equal(wave, 1);
    assert_int_equal(stage, 0);
    assert_cause(&f, 0, WHY_WAITS_FOR_WAVE, WHY_HOST, "has not begun");
    assert_cause(&f, 1, WHY_BARRIER, NULL, "wave wave-1, where 29 of 30");
    assert_cause(&f, 2, WHY_AWAY, "10.0.0.6", "has not begun");
    assert_cause(&f, 3, WHY_AWAY, "10.0.0.6", "no session");
    assert_advice(&f, "clowder exclude 10.0.0.6 --reason TEXT");
    why_end(&f);
}

static void a_complete_wave_that_is_promoted_by_hand_says_so(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{\"waves\":{\"promote\":\"manual\"}}");
    why_arrived(&f, 0, 2, 2, false);

    why_explain(&f);

    assert_cause(&f, 2, WHY_PROMOTE, NULL, "wave canary is complete");
    assert_advice(&f, "clowder promote canary");
    why_end(&f);
}

static void between_two_waves_it_says_what_is_left_of_the_soak(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{\"waves\":{\"soak\":\"5m\"}}"); /* the canary ended a minute ago */

    why_explain(&f);

    assert_cause(&f, 1, WHY_SOAK, NULL, "about 4m left");
    assert_no_cause(&f, WHY_BARRIER);
    why_end(&f);
}

static void a_later_wave_learns_that_the_one_before_it_soaks(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{\"waves\":{\"soak\":\"5m\"}}");
    f.in.host.record.wave = 2;

    why_explain(&f);

    assert_cause(&f, 1, WHY_BARRIER, NULL, "wave wave-1, where 0 of 30");
    assert_cause(&f, 2, WHY_SOAK, NULL, "wave canary is complete");
    why_end(&f);
}

static void a_barrier_that_is_full_and_not_open_opens_soon(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");
    why_arrived(&f, 0, 2, 2, false);

    why_explain(&f);

    assert_cause(&f, 2, WHY_BARRIER, NULL, "all 2 hosts of wave canary have done it");
    why_end(&f);
}

static void nothing_in_the_way_is_said_too(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");

    why_explain(&f);

    assert_cause(&f, 0, WHY_BEGINS, WHY_HOST, "has not begun");
    assert_advice(&f, "clowder watch");
    why_end(&f);
}

static void a_holder_at_work_is_described(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");
    f.in.host.record = why_record(HOST_HOLDING, "restart", "restart", 0);
    f.in.host.record.attempt = 2;
    STR_COPY(f.in.host.record.step, "cni");

    why_explain(&f);

    assert_cause(&f, 0, WHY_HOLDS, WHY_HOST, "visit 2: stage restart, cni");
    assert_advice(&f, "clowder watch");

    why_gate_is(&f, GATE_PAUSE, "eve@desk", "");
    why_explain(&f);
    assert_cause(&f, 1, WHY_GATE_CLOSED, NULL, "paused");
    assert_non_null(
        strstr(f.why.causes[f.why.causes_count - 1].says, "gives its permit"));

    f.in.host.record.disrupted = true;
    why_explain(&f);
    assert_non_null(strstr(f.why.causes[f.why.causes_count - 1].says, "finishes"));
    why_end(&f);
}

static void a_failed_host_says_where_why_and_what_to_do(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");
    f.in.host.record = why_record(HOST_FAILED, "restart", "", -1);
    f.in.host.record.healthy = true;
    STR_COPY(f.in.host.record.step, "docker-cluster-store");
    STR_COPY(f.in.host.record.error, "docker.service did not come up within 1m");

    why_explain(&f);

    assert_cause(&f, 0, WHY_FAILED, WHY_HOST,
                 "failed 4m 2s ago in step docker-cluster");
    assert_cause(&f, 0, WHY_FAILED, WHY_HOST, "did not come up within 1m");
    assert_cause(&f, 0, WHY_FAILED, WHY_HOST, "proved healthy");
    assert_advice(&f, "clowder retry 10.0.0.9");
    assert_advice(&f, "clowder exclude 10.0.0.9 --reason TEXT");
    assert_advice(&f,
                  "clowder force-complete 10.0.0.9 docker-cluster-store --reason TEXT");
    assert_no_advice(&f, "break");

    f.in.host.record.permit = 0;
    f.in.host.record.healthy = false;
    why_explain(&f);
    assert_cause(&f, 0, WHY_FAILED, WHY_HOST, "not proved healthy");
    assert_advice(&f, "clowder break 10.0.0.9 --reason TEXT");
    assert_no_advice(&f, "exclude");
    why_end(&f);
}

static void what_an_ended_rollout_refuses_is_not_advised(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");
    f.in.host.record = why_record(HOST_FAILED, "restart", "", -1);
    STR_COPY(f.in.host.record.step, "docker-cluster-store");

    for (int phase = 0; phase < GATE_PHASE_COUNT; phase++) {
        bool ended = phase == GATE_ABORT || phase == GATE_DONE;
        why_gate_is(&f, (enum gate_phase)phase, "eve@desk", "");
        why_explain(&f);
        if (!ended) {
            assert_advice(&f, "clowder retry 10.0.0.9");
            continue;
        }
        assert_no_advice(&f, "10.0.0.9");
        assert_advice(&f, "clowder plan");
    }

    why_gate_is(&f, GATE_ABORT, "eve@desk", "");
    f.in.host.record.permit = 0; /* the abort waits for it */
    why_explain(&f);
    assert_advice(&f, "clowder retry 10.0.0.9");
    assert_advice(&f, "clowder break 10.0.0.9 --reason TEXT");
    why_end(&f);
}

static void a_lease_that_is_over_its_limit_needs_room_for_one_more(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");
    why_wait_in_line(&f);
    for (int i = 0; i < 3; i++) /* the limit was 3 */
        why_held_by(&f, "restart", "10.0.0.5", HOST_HOLDING, true);

    why_explain(&f);

    assert_cause(&f, 1, WHY_LEASE, NULL, "lets 1 host in at a time, and 3 permits are");
    assert_advice(&f, "clowder set-limit restart 4");
    why_end(&f);
}

static void a_lost_host_says_since_when_and_where_it_was(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");
    f.in.host.record = why_record(HOST_LOST, "restart", "restart", 0);
    STR_COPY(f.in.host.record.step, "cni");
    STR_COPY(f.in.host.record.error, "no sign of life; seen by 10.0.0.6");
    f.in.host.live = false;

    why_explain(&f);

    assert_cause(&f, 0, WHY_LOST, WHY_HOST, "is lost since 4m 2s");
    assert_cause(&f, 0, WHY_LOST, WHY_HOST, "last seen in cni");
    assert_cause(&f, 1, WHY_AWAY, WHY_HOST, "no session");
    assert_advice(&f, "clowder break 10.0.0.9 --reason TEXT");

    f.in.host.live = true;
    why_explain(&f);
    assert_cause(&f, 0, WHY_LOST, WHY_HOST, "Its agentd is back");
    why_end(&f);
}

static void who_excluded_it_and_why(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");
    f.in.host.record = why_record(HOST_EXCLUDED, "", "", -1);
    STR_COPY(f.in.host.record.error, "excluded by eve@desk: its disk is broken");
    STR_COPY(f.in.host.record.by, "eve@desk");

    why_explain(&f);

    assert_cause(&f, 0, WHY_EXCLUDED, WHY_HOST, "excluded by eve@desk: its disk");
    assert_string_equal(f.why.causes[0].by, "eve@desk");
    assert_int_equal(f.why.advice_count, 0);
    why_end(&f);
}

static void a_host_that_is_done_has_nothing_to_wait_for(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");
    f.in.host.record = why_record(HOST_DONE, "", "", -1);

    why_explain(&f);

    assert_cause(&f, 0, WHY_DONE, WHY_HOST, "done since 4m 2s");
    assert_int_equal(f.why.causes_count, 1);
    assert_int_equal(f.why.advice_count, 0);
    why_end(&f);
}

static void a_done_host_that_has_drifted_says_in_what_and_who_mends_it(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{\"steps\":{\"cni\":{\"drift\":\"report\"}}}");
    f.in.host.record = why_record(HOST_DONE, "", "", -1);
    f.in.host.record.drift = RECORD_DRIFTED;
    record_step(&f.in.host.record, "cni")->state = STEP_DRIFTED;
    (void)json_object_set_new(f.facts.drift, "cni", json_string("calico.cni is gone"));

    why_explain(&f);

    assert_cause(&f, 0, WHY_DONE, WHY_HOST, "is done since");
    assert_cause(&f, 1, WHY_DRIFTED, WHY_HOST, "its step cni is not as it was proved");
    assert_cause(&f, 1, WHY_DRIFTED, WHY_HOST,
                 "calico.cni is gone; it is only reported");
    why_end(&f);
}

/* Its etcd-proxy is not as it was proved. */
static void has_drifted(struct why_fixture *f, json_t *seen)
{
    f->facts.role = ROLE_SLAVE;
    f->in.host.record = why_record(HOST_DONE, "", "", -1);
    f->in.host.record.stages_done = 3;
    f->in.host.record.drift = RECORD_DRIFTED;
    record_step(&f->in.host.record, "etcd-proxy")->state = STEP_DRIFTED;
    (void)json_object_set_new(f->facts.seen, "etcd-proxy", seen);
}

static void what_mends_it_depends_on_what_the_rollout_is_still_for(void **state)
{
    static const struct {
        enum gate_phase phase;
        bool kept, adopt;
        const char *says;
    } rows[] = {
        {GATE_KEEP, false, true, "by itself, under the leases"},
        {GATE_RUN, false, true, "by itself when the rollout is done"},
        {GATE_PAUSE, false, true, "by itself when the rollout is done"},
        {GATE_PAUSE, true, true, "by itself when the rollout is resumed"},
        {GATE_RUN, false, false, "another install mends it"},
        {GATE_PAUSE, false, false, "another install mends it"},
        {GATE_ABORT, false, true, "another install mends it"},
        {GATE_DONE, false, true, "another install mends it"},
    };
    struct why_fixture f;
    why_begin(&f, "{\"drift\":\"repair\"}");
    has_drifted(&f, json_object());

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        why_gate_is(&f, rows[i].phase, "10.0.0.5", "");
        f.rollout.gate.kept = rows[i].kept;
        f.manifest->spec->adopt = rows[i].adopt;
        why_explain(&f);
        assert_cause(&f, 1, WHY_DRIFTED, WHY_HOST, rows[i].says);
    }
    why_end(&f);
}

static void something_foreign_in_its_place_is_put_right_by_hand(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{\"drift\":\"repair\"}");
    has_drifted(&f, json_pack("{s:{s:b}}", "unit", "ours", 0));
    why_gate_is(&f, GATE_KEEP, "10.0.0.5", "");

    why_explain(&f);

    assert_cause(&f, 1, WHY_DRIFTED, WHY_HOST, "never mended by itself");
    why_end(&f);
}

static void a_host_that_is_about_to_repair_itself_has_begun_long_ago(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");
    has_drifted(&f, json_object());
    f.in.host.record.state = HOST_IDLE;
    f.in.host.record.stages_done = 0;
    f.in.host.record.drift = RECORD_REPAIRING;
    why_gate_is(&f, GATE_KEEP, "10.0.0.5", "");
    why_arrived(&f, 0, 0, 1, false); /* no barrier is in its way */

    why_explain(&f);
    assert_cause(&f, 0, WHY_BEGINS, WHY_HOST,
                 "repairs itself: it has drifted in etcd-proxy");
    assert_cause(&f, 1, WHY_BEGINS, NULL, "nothing stands in its way");

    why_gate_is(&f, GATE_ABORT, "eve@desk", "");
    why_explain(&f);
    assert_cause(&f, 0, WHY_ENDED, WHY_HOST, "was about to repair itself when");
    why_end(&f);
}

static void without_a_rollout_nothing_is_asked_of_it(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");
    f.in.rollout = NULL;
    f.in.host.has_record = false;

    why_explain(&f);

    assert_cause(&f, 0, WHY_NO_ROLLOUT, WHY_HOST, "no rollout is in force");
    assert_advice(&f, "clowder plan");
    why_end(&f);
}

static void a_host_that_was_not_in_the_plan_learns_why_and_when_it_joins(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{\"adopt\":false}");
    f.in.host.has_record = false;
    f.facts.role = ROLE_MASTER;
    STR_COPY(f.facts.host, WHY_HOST);

    why_explain(&f);
    assert_cause(&f, 0, WHY_NO_MEMBER, WHY_HOST, "was not in the plan");
    assert_cause(&f, 1, WHY_UNFIT, WHY_HOST, "master");

    f.manifest->spec->adopt = true;
    why_explain(&f);
    assert_cause(&f, 0, WHY_LATE, WHY_HOST,
                 "joins by itself when the members are done");

    why_gate_is(&f, GATE_KEEP, "10.0.0.5", "");
    f.in.host.live = false;
    why_explain(&f);
    assert_cause(&f, 0, WHY_LATE, WHY_HOST, "joins by itself, as a late host");
    assert_cause(&f, 1, WHY_AWAY, WHY_HOST, "no session");
    why_end(&f);
}

static void a_late_host_waits_for_no_wave(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");
    why_gate_is(&f, GATE_KEEP, "10.0.0.5", "");
    f.in.host.record.wave = -1;
    f.in.host.record.stages_done = 1;

    why_explain(&f);

    assert_cause(&f, 0, WHY_BEGINS, WHY_HOST, "has done 1 of 3 stages");
    assert_no_cause(&f, WHY_BARRIER);
    why_end(&f);
}

static void a_host_that_an_abort_overtook_says_whose(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");
    why_gate_is(&f, GATE_ABORT, "eve@desk", "wrong image");
    why_held_by(&f, "restart", "10.0.0.5", HOST_HOLDING, true);

    why_explain(&f);

    assert_cause(&f, 0, WHY_ENDED, WHY_HOST, "was not done when");
    assert_cause(&f, 1, WHY_GATE_CLOSED, NULL, "by eve@desk: wrong image");
    assert_cause(&f, 1, WHY_GATE_CLOSED, NULL, "1 held permit is given back");
    why_end(&f);
}

static void a_record_of_a_newer_program_asks_for_an_upgrade(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");
    f.in.host.has_record = false;
    (void)error_set(&f.in.host.bad, -EPROTONOSUPPORT, "znode '/x': version 2 is newer");

    why_explain(&f);
    assert_cause(&f, 0, WHY_UNREADABLE, WHY_HOST, "version 2 is newer");
    assert_advice(&f, "clowder version");

    f.in.host.bad.code = -EBADMSG;
    why_explain(&f);
    assert_advice(&f, "zkCli.sh get");
    why_end(&f);
}

static void what_will_stop_it_later_is_told_before(void **state)
{
    struct why_fixture f;
    struct error err = {0};
    static const char facts[] =
        "{\"v\":1,\"role\":\"slave\",\"address\":\"10.0.0.9\",\"native_calico\":true}";
    why_begin(&f, "{}");
    facts_done(&f.facts);
    if (facts_decode(facts, strlen(facts), &f.facts, &err) < 0)
        fail_msg("%s", err.text);

    why_explain(&f);

    assert_cause(&f, 1, WHY_UNFIT, WHY_HOST, "will stop there");
    why_end(&f);
}

static void two_machines_of_one_name_are_told(void **state)
{
    struct why_fixture f;
    why_begin(&f, "{}");
    f.in.twins = true;

    why_explain(&f);

    assert_cause(&f, 1, WHY_TWINS, WHY_HOST, "two machines call themselves 10.0.0.9");
    why_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_lease_names_its_holder_and_what_that_one_does),
        cmocka_unit_test(a_lease_that_is_over_its_limit_needs_room_for_one_more),
        cmocka_unit_test(a_full_zone_names_who_of_it_is_at_work),
        cmocka_unit_test(a_zone_s_permit_that_waits_itself_is_the_lease_s_matter),
        cmocka_unit_test(a_holder_that_is_away_is_named_with_its_grace),
        cmocka_unit_test(a_holder_whose_record_is_nonsense_is_named_with_it),
        cmocka_unit_test(many_that_are_away_are_told_briefly),
        cmocka_unit_test(holders_in_trouble_are_named_before_the_others),
        cmocka_unit_test(a_free_permit_is_a_matter_of_moments),
        cmocka_unit_test(a_pause_is_by_whom_and_why_and_hides_the_lease),
        cmocka_unit_test(a_pause_by_a_failure_names_what_failed),
        cmocka_unit_test(outside_the_windows_it_says_when_the_next_one_opens),
        cmocka_unit_test(a_wave_that_is_missing_hosts_names_them_and_their_reasons),
        cmocka_unit_test(a_host_of_a_later_wave_waits_for_the_first_one_that_is_open),
        cmocka_unit_test(a_complete_wave_that_is_promoted_by_hand_says_so),
        cmocka_unit_test(between_two_waves_it_says_what_is_left_of_the_soak),
        cmocka_unit_test(a_later_wave_learns_that_the_one_before_it_soaks),
        cmocka_unit_test(a_barrier_that_is_full_and_not_open_opens_soon),
        cmocka_unit_test(nothing_in_the_way_is_said_too),
        cmocka_unit_test(a_holder_at_work_is_described),
        cmocka_unit_test(a_failed_host_says_where_why_and_what_to_do),
        cmocka_unit_test(what_an_ended_rollout_refuses_is_not_advised),
        cmocka_unit_test(a_lost_host_says_since_when_and_where_it_was),
        cmocka_unit_test(who_excluded_it_and_why),
        cmocka_unit_test(a_host_that_is_done_has_nothing_to_wait_for),
        cmocka_unit_test(a_done_host_that_has_drifted_says_in_what_and_who_mends_it),
        cmocka_unit_test(what_mends_it_depends_on_what_the_rollout_is_still_for),
        cmocka_unit_test(something_foreign_in_its_place_is_put_right_by_hand),
        cmocka_unit_test(a_host_that_is_about_to_repair_itself_has_begun_long_ago),
        cmocka_unit_test(without_a_rollout_nothing_is_asked_of_it),
        cmocka_unit_test(a_host_that_was_not_in_the_plan_learns_why_and_when_it_joins),
        cmocka_unit_test(a_late_host_waits_for_no_wave),
        cmocka_unit_test(a_host_that_an_abort_overtook_says_whose),
        cmocka_unit_test(a_record_of_a_newer_program_asks_for_an_upgrade),
        cmocka_unit_test(what_will_stop_it_later_is_told_before),
        cmocka_unit_test(two_machines_of_one_name_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
