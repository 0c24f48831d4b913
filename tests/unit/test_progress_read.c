/* test_progress_read.c - where a rollout stands, read over the model ZooKeeper.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/str.h"
#include "shared/swarm/inventory_read.h"
#include "shared/swarm/progress_read.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/operator_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID "20261123-200000-0001"

struct scene {
    struct desk_fixture f;
    struct desk_rollout r;
    struct progress_reader reader;
    struct progress progress;
};

static void begin_with(struct scene *s, const struct model_zk_config *config, int hosts,
                       int wave, const char *spec)
{
    *s = (struct scene){0};
    desk_begin(&s->f, config);
    desk_init(&s->f);
    s->r = desk_rollout_new(ID, hosts, wave, spec);
    assert_int_equal(desk_create(&s->f, &s->r), 0);
    progress_reader_init(&s->reader, s->f.zk, s->f.loop, ROOT, NULL);
}

static void begin(struct scene *s, const struct model_zk_config *config, int hosts,
                  int wave)
{
    begin_with(s, config, hosts, wave, "{\"calico\":{\"version\":\"2.6.11\"}}");
}

static void end(struct scene *s)
{
    progress_done(&s->progress);
    progress_reader_done(&s->reader);
    desk_rollout_done(&s->r);
    desk_end(&s->f);
}

static void refresh(struct scene *s)
{
    progress_reader_refresh(&s->reader, desk_done, &s->f);
    if (desk_wait(&s->f) < 0)
        fail_msg("%s", s->f.err.text);
    progress_done(&s->progress);
    progress_make(&s->reader.reading, NULL, SIM_WALL_START_MS + 60000, &s->progress);
}

static void put_record(struct scene *s, const char *host, enum host_state state,
                       const char *lease, int permit, const char *step)
{
    struct record record;
    record_init(&record, 0);
    record.state = state;
    record.permit = permit;
    STR_COPY(record.lease, lease);
    STR_COPY(record.step, step);
    STR_COPY(record.stage, "restart");
    if (state == HOST_FAILED || state == HOST_LOST)
        STR_COPY(record.error, "it broke");
    char *data = record_encode(&record);
    desk_poke_set(&s->f, zpath_record(ROOT, ID, host).text, data);
    free(data);
}

static void hold(struct scene *s, const char *host, const char *lease, int permit,
                 enum host_state state)
{
    desk_poke_create(&s->f, zpath_permit(ROOT, ID, lease, permit).text, host);
    put_record(s, host, state, lease, permit, "cni");
}

static void arrive(struct scene *s, int wave, const char *stage, const char *host)
{
    desk_poke_create(&s->f, zpath_arrival(ROOT, ID, wave, stage, host).text, "");
}

static void a_fresh_rollout_is_all_idle(void **state)
{
    struct scene s;
    begin(&s, NULL, 6, 2);

    refresh(&s);

    assert_string_equal(s.progress.rollout, ID);
    assert_string_equal(s.progress.calico_version, "2.6.11");
    assert_int_equal(s.progress.hosts.total, 6);
    assert_int_equal(s.progress.hosts.idle, 6);
    assert_int_equal(s.progress.waves_count, 3);
    assert_true(s.progress.waves[0].begun);
    assert_false(s.progress.waves[1].begun);
    assert_int_equal(s.progress.eta_ms, -1);
    end(&s);
}

static void without_a_rollout_it_says_so(void **state)
{
    struct scene s = {0};
    desk_begin(&s.f, NULL);
    desk_init(&s.f);
    progress_reader_init(&s.reader, s.f.zk, s.f.loop, ROOT, NULL);

    progress_reader_refresh(&s.reader, desk_done, &s.f);

    assert_int_equal(desk_wait(&s.f), 0);
    assert_string_equal(s.reader.rollout, "");
    progress_reader_done(&s.reader);
    desk_end(&s.f);
}

static void holders_are_seen_with_step_and_token(void **state)
{
    struct scene s;
    struct zk_stat stat;
    begin(&s, NULL, 6, 0);
    hold(&s, "host-3", "restart", 1, HOST_HOLDING);

    refresh(&s);

    const struct progress_lease *lease = &s.progress.leases[0];
    assert_string_equal(lease->name, "restart");
    assert_int_equal(lease->limit, 2);
    assert_int_equal(lease->held_count, 1);
    assert_string_equal(lease->held[0].host, "host-3");
    assert_string_equal(lease->held[0].step, "cni");
    assert_true(model_zk_peek(s.f.mz, zpath_permit(ROOT, ID, "restart", 1).text, NULL,
                              NULL, &stat));
    assert_int_equal(lease->held[0].token, stat.czxid);
    assert_int_equal(s.progress.hosts.holding, 1);
    assert_int_equal(s.progress.hosts.idle, 5);
    end(&s);
}

static void a_holder_without_a_session_is_away(void **state)
{
    struct scene s;
    begin(&s, NULL, 6, 0);
    hold(&s, "host-3", "restart", 0, HOST_HOLDING);
    hold(&s, "host-4", "restart", 1, HOST_HOLDING);
    desk_poke_create(&s.f, zpath_live(ROOT, "host-4").text, "{}");

    refresh(&s);

    const struct progress_lease *lease = &s.progress.leases[0];
    for (int i = 0; i < lease->held_count; i++)
        assert_int_equal(lease->held[i].away, str_equal(lease->held[i].host, "host-3"));
    end(&s);
}

static void zones_are_seen_with_who_holds_and_who_waits(void **state)
{
    struct scene s;
    begin_with(&s, NULL, 6, 0, "{\"zone_limits\":{\"restart\":1}}");
    desk_poke_create(&s.f, zpath_permit(ROOT, ID, "restart.rack-1", 0).text, "host-1");
    desk_poke_create(&s.f, zpath_ticket(ROOT, ID, "restart.rack-1", 0).text, "host-4");
    desk_poke_create(&s.f, zpath_ticket(ROOT, ID, "restart", 0).text, "host-1");

    refresh(&s);
    int first = s.reader.requests;
    refresh(&s);

    const struct progress_lease *lease = &s.progress.leases[0];
    assert_int_equal(lease->zone_limit, 1);
    assert_int_equal(lease->zones_count, 3);
    assert_string_equal(lease->zones[1].zone, "rack-1");
    assert_int_equal(lease->zones[1].held, 1);
    assert_int_equal(lease->zones[1].waiting, 1);
    assert_int_equal(lease->zones[2].held, 0);
    assert_int_equal(lease->waiting, 2);
    assert_int_equal(s.progress.hosts.waiting, 2);
    assert_int_equal(s.reader.trips, 1);
    assert_true(s.reader.requests < first); /* which zones there are is asked once */
    end(&s);
}

static void of_very_many_zones_the_first_few_are_looked_at(void **state)
{
    struct scene s;
    begin_with(&s, NULL, 6, 0, "{\"zone_limits\":{\"restart\":1}}");
    for (int i = 0; i < 200; i++) {
        char zone[NAME_SIZE];
        (void)snprintf(zone, sizeof(zone), "z-%03d", i);
        desk_poke_create(
            &s.f, zpath_lease(ROOT, ID, lease_in_zone("restart", zone).text).text, "");
    }

    refresh(&s);
    refresh(&s);

    assert_int_equal(s.progress.leases[0].zones_count, PROGRESS_ZONES_MAX);
    assert_int_equal(s.progress.zones_left_out, 203 - PROGRESS_ZONES_MAX);
    assert_in_range(s.reader.requests, 1, 2 * PROGRESS_ZONES_MAX + 30);
    end(&s);
}

static void a_holder_above_a_lowered_limit_is_still_seen(void **state)
{
    struct scene s;
    begin(&s, NULL, 20, 0);
    hold(&s, "host-3", "install", 9, HOST_HOLDING);
    struct gate gate = desk_gate(&s.f, ID);
    struct error err;
    assert_int_equal(gate_set_limit(&gate, "install", 1, &err), 0);
    char *data = gate_encode(&gate);
    desk_poke_set(&s.f, zpath_gate(ROOT, ID).text, data);
    free(data);

    refresh(&s);

    assert_int_equal(s.progress.leases[1].limit, 1);
    assert_int_equal(s.progress.leases[1].held_count, 1);
    assert_int_equal(s.progress.leases[1].held[0].permit, 9);
    assert_string_equal(s.progress.leases[1].held[0].step, "cni");
    end(&s);
}

static void a_late_host_may_hold_a_permit_beyond_the_number_of_members(void **state)
{
    struct scene s;
    begin(&s, NULL, 5, 0);
    hold(&s, "host-3", "install", 7, HOST_HOLDING);

    refresh(&s);

    assert_int_equal(s.progress.leases[1].held_count, 1);
    assert_int_equal(s.progress.leases[1].held[0].permit, 7);
    end(&s);
}

static void failed_lost_and_done_are_told_apart(void **state)
{
    struct scene s;
    const char *stages[] = {"proxy", "restart", "run"};
    begin(&s, NULL, 5, 0);
    /* host-0 done; host-1 failed: it arrived everywhere; host-2 lost: nowhere. */
    for (int i = 0; i < 3; i++) {
        arrive(&s, 0, stages[i], "host-0");
        arrive(&s, 0, stages[i], "host-1");
    }
    put_record(&s, "host-0", HOST_DONE, "", -1, "");
    put_record(&s, "host-1", HOST_FAILED, "restart", -1, "cni");
    desk_poke_create(&s.f, zpath_failure(ROOT, ID, "host-1").text, "");
    hold(&s, "host-2", "restart", 0, HOST_LOST);
    desk_poke_create(&s.f, zpath_failure(ROOT, ID, "host-2").text, "");

    refresh(&s);

    assert_int_equal(s.progress.hosts.done, 1);
    assert_int_equal(s.progress.hosts.failed, 1);
    assert_int_equal(s.progress.hosts.lost, 1);
    assert_int_equal(s.progress.hosts.holding, 0);
    assert_int_equal(s.progress.hosts.idle, 2);
    assert_int_equal(s.progress.failures_count, 2);
    assert_string_equal(s.progress.failures[0].host, "host-1");
    assert_string_equal(s.progress.failures[0].error, "it broke");
    assert_int_equal(s.progress.failures[1].state, HOST_LOST);
    end(&s);
}

static void the_step_that_failed_is_named_not_one_put_back_with_it(void **state)
{
    struct scene s;
    struct record record;
    begin(&s, NULL, 2, 0);
    record_init(&record, 0);
    record.state = HOST_FAILED;
    STR_COPY(record.stage, "restart");
    STR_COPY(record.step, "cni");
    STR_COPY(record.error, "cni: it broke");
    record.steps[record.steps_count++] =
        (struct step_record){.name = "docker-cluster-store", .state = STEP_REVERTED};
    record.steps[record.steps_count++] =
        (struct step_record){.name = "cni", .state = STEP_REVERTED};
    char *data = record_encode(&record);
    desk_poke_set(&s.f, zpath_record(ROOT, ID, "host-1").text, data);
    free(data);
    desk_poke_create(&s.f, zpath_failure(ROOT, ID, "host-1").text, "");

    refresh(&s);

    assert_int_equal(s.progress.failures_count, 1);
    assert_string_equal(s.progress.failures[0].step, "cni");
    end(&s);
}

static void a_retry_takes_the_failure_off_the_list(void **state)
{
    struct scene s;
    struct zk_op gone = {.kind = ZK_OP_DELETE, .version = -1};
    struct zpath path = zpath_failure(ROOT, ID, "host-1");
    begin(&s, NULL, 5, 0);
    put_record(&s, "host-1", HOST_FAILED, "restart", -1, "cni");
    desk_poke_create(&s.f, path.text, "");
    refresh(&s);
    assert_int_equal(s.progress.failures_count, 1);
    gone.path = path.text;
    assert_int_equal(model_zk_poke(s.f.mz, &gone, 1), ZK_OK);

    refresh(&s);

    assert_int_equal(s.progress.failures_count, 0);
    assert_int_equal(s.progress.hosts.failed, 0);
    end(&s);
}

static void barriers_open_waves_end(void **state)
{
    struct scene s;
    const char *stages[] = {"proxy", "restart", "run"};
    begin(&s, NULL, 4, 2);
    for (int i = 0; i < 3; i++) {
        arrive(&s, 0, stages[i], "host-0");
        arrive(&s, 0, stages[i], "host-1");
        desk_poke_create(&s.f, zpath_open(ROOT, ID, 0, stages[i]).text, "");
    }

    refresh(&s);
    refresh(&s);

    assert_true(s.progress.waves[0].ended);
    assert_true(s.progress.waves[1].begun);
    assert_int_equal(s.progress.hosts.done, 2);
    assert_int_equal(s.progress.arrivals, 6);
    assert_int_equal(s.progress.arrivals_wanted, 12);
    /* Half of the arrivals in the 60 s since the start: as long again. */
    assert_int_equal(s.progress.eta_ms, SIM_WALL_START_MS + 120000);
    /* What is open stays so: it is not asked for again. */
    assert_int_equal(s.reader.requests, 5 + 4 + 2 + 4 + 6);
    end(&s);
}

static void drift(struct scene *s, int i, enum record_drift drift)
{
    struct record record;
    char host[16];
    snprintf(host, sizeof(host), "host-%d", i);
    record_init(&record, 0);
    record.state = drift == RECORD_REPAIRING ? HOST_IDLE : HOST_DONE;
    record.stages_done = drift == RECORD_REPAIRING ? 1 : 3;
    record.drift = drift;
    record_step(&record, "cni")->state = STEP_DRIFTED;
    STR_COPY(record_step(&record, "cni")->says, "calico.cni to be renewed");
    char *data = record_encode(&record);
    desk_poke_set(&s->f, zpath_record(ROOT, ID, host).text, data);
    desk_poke_create(&s->f, zpath_drift(ROOT, ID, host).text, "");
    free(data);
}

static void drifted_hosts_are_counted_and_the_first_ones_listed(void **state)
{
    struct scene s;
    begin(&s, NULL, PROGRESS_DRIFTED_NAMES_MAX + 1, 0);
    drift(&s, 0, RECORD_DRIFTED);
    drift(&s, 1, RECORD_REPAIRING);

    refresh(&s);
    assert_int_equal(s.progress.hosts.drifted, 2);
    assert_int_equal(s.progress.drifted_count, 2);
    assert_string_equal(s.progress.drifted[0].host, "host-0");
    assert_string_equal(s.progress.drifted[0].steps[0].step, "cni");
    assert_string_equal(s.progress.drifted[0].steps[0].says,
                        "calico.cni to be renewed");
    assert_false(s.progress.drifted[0].repairs);
    assert_true(s.progress.drifted[1].repairs);

    for (int i = 2; i < PROGRESS_DRIFTED_NAMES_MAX; i++)
        drift(&s, i, RECORD_DRIFTED);
    refresh(&s);
    assert_int_equal(s.progress.hosts.drifted, PROGRESS_DRIFTED_NAMES_MAX);
    assert_int_equal(s.progress.drifted_count, PROGRESS_DRIFTED_MAX);

    /* A whole fleet is counted only. */
    drift(&s, PROGRESS_DRIFTED_NAMES_MAX, RECORD_DRIFTED);
    refresh(&s);
    assert_int_equal(s.progress.hosts.drifted, PROGRESS_DRIFTED_NAMES_MAX + 1);
    assert_int_equal(s.progress.drifted_count, 0);
    assert_int_equal(s.reader.trips, 1);
    end(&s);
}

static int requests_of_a_refresh(int hosts, int *trips)
{
    struct scene s;
    begin(&s, NULL, hosts, 0);
    hold(&s, "host-3", "restart", 0, HOST_HOLDING);
    hold(&s, "host-4", "install", 3, HOST_HOLDING);
    refresh(&s);
    refresh(&s);
    int requests = s.reader.requests;
    *trips = s.reader.trips;
    end(&s);
    return requests;
}

static void a_refresh_costs_two_trips_and_the_same_at_any_number_of_hosts(void **state)
{
    int trips_few, trips_many;

    int few = requests_of_a_refresh(20, &trips_few);
    int many = requests_of_a_refresh(3000, &trips_many);

    assert_int_equal(few, many);
    assert_int_equal(trips_few, 2);
    assert_int_equal(trips_many, 2);
    /* gate, failed, excluded, drifted, events; 2 leases x (queue, names), 12 permits; 3
     * x 2 barriers; record and sign of life of 2 holders. */
    assert_int_equal(few, 5 + 4 + 12 + 6 + 2 * 2);
}

static void a_gate_of_nonsense_is_refused_and_the_last_look_stays(void **state)
{
    struct scene s;
    begin(&s, NULL, 5, 0);
    hold(&s, "host-3", "restart", 0, HOST_HOLDING);
    refresh(&s);
    desk_poke_set(&s.f, zpath_gate(ROOT, ID).text, "{\"v\":1,\"phase\":7}");

    progress_reader_refresh(&s.reader, desk_done, &s.f);

    assert_true(desk_wait(&s.f) < 0);
    assert_non_null(strstr(s.f.err.text, zpath_gate(ROOT, ID).text));
    assert_int_equal(s.reader.reading.permits_count, 1);
    end(&s);
}

static void a_record_of_nonsense_hides_nothing_of_the_others(void **state)
{
    struct scene s;
    struct zpath bad = zpath_record(ROOT, ID, "host-3");
    begin(&s, NULL, 5, 0);
    hold(&s, "host-3", "restart", 0, HOST_HOLDING);
    hold(&s, "host-4", "restart", 1, HOST_HOLDING);
    desk_poke_set(&s.f, bad.text, "{\"v\":1,\"state\":7}");

    refresh(&s);

    const struct progress_lease *lease = &s.progress.leases[0];
    assert_int_equal(lease->held_count, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(lease->held[i].unreadable,
                         str_equal(lease->held[i].host, "host-3"));
    assert_non_null(strstr(s.reader.reading.permits[0].bad.text, bad.text));

    put_record(&s, "host-3", HOST_HOLDING, "restart", 0, "cni"); /* put right */
    refresh(&s);
    assert_false(s.progress.leases[0].held[0].unreadable);
    end(&s);
}

static void a_rollout_that_was_removed_is_reported(void **state)
{
    struct scene s;
    struct zk_op gone = {.kind = ZK_OP_DELETE, .version = -1};
    struct zpath gate = zpath_gate(ROOT, ID);
    begin(&s, NULL, 5, 0);
    refresh(&s);
    gone.path = gate.text;
    assert_int_equal(model_zk_poke(s.f.mz, &gone, 1), ZK_OK);

    progress_reader_refresh(&s.reader, desk_done, &s.f);

    assert_int_equal(desk_wait(&s.f), -ENOENT);
    end(&s);
}

static void lost_connections_only_delay(void **state)
{
    static const int faults[MODEL_ZK_FAULT_COUNT] = {[MODEL_ZK_FAULT_LOST] = 20000,
                                                     [MODEL_ZK_FAULT_APPLIED] = 20000,
                                                     [MODEL_ZK_FAULT_EXPIRE] = 5000};
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct scene s;
        struct model_zk_config config = {.seed = seed};
        begin(&s, &config, 6, 3);
        hold(&s, "host-3", "restart", 1, HOST_HOLDING);
        desk_poke_create(&s.f, zpath_failure(ROOT, ID, "host-5").text, "");
        put_record(&s, "host-5", HOST_FAILED, "", -1, "node");
        model_zk_set_faults(s.f.mz, faults);

        refresh(&s);

        assert_int_equal(s.progress.hosts.holding, 1);
        assert_int_equal(s.progress.leases[0].held_count, 1);
        assert_int_equal(s.progress.failures_count, 1);
        assert_string_equal(s.progress.failures[0].step, "node");
        end(&s);
    }
}

static void it_can_be_cancelled_at_any_moment(void **state)
{
    for (int turns = 0; turns < 80; turns++) {
        struct scene s;
        begin(&s, NULL, 6, 3);
        hold(&s, "host-3", "restart", 1, HOST_HOLDING);
        progress_reader_refresh(&s.reader, desk_done, &s.f);
        for (int i = 0; i < turns && !s.f.done; i++)
            (void)sim_loop_step(s.f.sim, INT64_MAX);
        s.f.done = false;
        int calls = s.f.calls;

        progress_reader_cancel(&s.reader);
        sim_loop_run_for(s.f.sim, 60000);

        assert_int_equal(s.f.calls, calls);
        refresh(&s);
        assert_int_equal(s.progress.hosts.holding, 1);
        end(&s);
    }
}

/* ---- the inventory ---- */

struct seen {
    int names, live, facts, records, bad;
    char first[HOST_ID_SIZE], last[HOST_ID_SIZE], bad_text[512];
};

static void on_names(void *ctx, const struct strings *names, const bool *live)
{
    struct seen *seen = ctx;
    seen->names = names->count;
    for (int i = 0; i < names->count; i++)
        seen->live += live[i];
    if (names->count > 0) {
        STR_COPY(seen->first, names->items[0]);
        STR_COPY(seen->last, names->items[names->count - 1]);
    }
}

static void on_facts(void *ctx, int index, struct facts *facts)
{
    ((struct seen *)ctx)->facts++;
}

static void on_record(void *ctx, int index, const struct record *record)
{
    ((struct seen *)ctx)->records++;
}

static void on_bad(void *ctx, int index, const struct error *err)
{
    struct seen *seen = ctx;
    seen->bad++;
    STR_COPY(seen->bad_text, err->text);
}

static void register_host(struct scene *s, const char *host)
{
    struct facts facts;
    facts_init(&facts);
    STR_COPY(facts.host, host);
    facts.role = ROLE_SLAVE;
    STR_COPY(facts.address, "10.0.0.1");
    char *data = facts_encode(&facts);
    desk_poke_create(&s->f, zpath_host(ROOT, host).text, data);
    free(data);
    facts_done(&facts);
}

static struct seen look(struct scene *s, const char *host)
{
    struct seen seen = {0};
    struct inventory_read read = {0};
    struct inventory_request wanted = {.root = ROOT,
                                       .rollout = ID,
                                       .host = host,
                                       .facts = true,
                                       .names = on_names,
                                       .on_facts = on_facts,
                                       .on_record = on_record,
                                       .on_bad = on_bad,
                                       .ctx = &seen};
    inventory_read_start(&read, s->f.zk, s->f.loop, &wanted, desk_done, &s->f);
    if (desk_wait(&s->f) < 0)
        fail_msg("%s", s->f.err.text);
    return seen;
}

static void the_inventory_knows_every_name_once(void **state)
{
    struct scene s;
    struct model_zk_config config = {.seed = 5, .unordered = true};
    begin(&s, &config, 300, 0);
    register_host(&s, "host-7");
    register_host(&s, "another");
    desk_poke_create(&s.f, zpath_live(ROOT, "another").text, "");

    struct seen seen = look(&s, NULL);

    assert_int_equal(seen.names, 301);
    assert_int_equal(seen.live, 1);
    assert_int_equal(seen.facts, 2);
    assert_int_equal(seen.records, 300);
    assert_string_equal(seen.first, "another");
    end(&s);
}

static void one_host_is_read_alone(void **state)
{
    struct scene s;
    begin(&s, NULL, 300, 0);
    register_host(&s, "host-7");

    struct seen seen = look(&s, "host-7");
    struct seen nobody = look(&s, "nobody");

    assert_int_equal(seen.names, 1);
    assert_int_equal(seen.facts, 1);
    assert_int_equal(seen.records, 1);
    assert_int_equal(nobody.names, 0);
    end(&s);
}

static void a_bad_inventory_does_not_hide_the_others(void **state)
{
    struct scene s;
    begin(&s, NULL, 3, 0);
    register_host(&s, "host-1");
    desk_poke_create(&s.f, zpath_host(ROOT, "host-2").text, "not JSON");

    struct seen seen = look(&s, NULL);

    assert_int_equal(seen.facts, 1);
    assert_int_equal(seen.bad, 1);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_rollout_is_all_idle),
        cmocka_unit_test(without_a_rollout_it_says_so),
        cmocka_unit_test(holders_are_seen_with_step_and_token),
        cmocka_unit_test(a_holder_without_a_session_is_away),
        cmocka_unit_test(zones_are_seen_with_who_holds_and_who_waits),
        cmocka_unit_test(of_very_many_zones_the_first_few_are_looked_at),
        cmocka_unit_test(a_holder_above_a_lowered_limit_is_still_seen),
        cmocka_unit_test(a_late_host_may_hold_a_permit_beyond_the_number_of_members),
        cmocka_unit_test(failed_lost_and_done_are_told_apart),
        cmocka_unit_test(the_step_that_failed_is_named_not_one_put_back_with_it),
        cmocka_unit_test(a_retry_takes_the_failure_off_the_list),
        cmocka_unit_test(barriers_open_waves_end),
        cmocka_unit_test(drifted_hosts_are_counted_and_the_first_ones_listed),
        cmocka_unit_test(a_refresh_costs_two_trips_and_the_same_at_any_number_of_hosts),
        cmocka_unit_test(a_gate_of_nonsense_is_refused_and_the_last_look_stays),
        cmocka_unit_test(a_record_of_nonsense_hides_nothing_of_the_others),
        cmocka_unit_test(a_rollout_that_was_removed_is_reported),
        cmocka_unit_test(lost_connections_only_delay),
        cmocka_unit_test(it_can_be_cancelled_at_any_moment),
        cmocka_unit_test(the_inventory_knows_every_name_once),
        cmocka_unit_test(one_host_is_read_alone),
        cmocka_unit_test(a_bad_inventory_does_not_hide_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
