/* test_why_read.c - what `why` reads, over the model ZooKeeper.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/str.h"
#include "shared/swarm/why_read.h"
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
    struct why_read read;
};

static void begin(struct scene *s, const struct model_zk_config *config, int hosts,
                  int wave)
{
    *s = (struct scene){0};
    desk_begin(&s->f, config);
    desk_init(&s->f);
    s->r = desk_rollout_new(ID, hosts, wave, "{\"calico\":{\"version\":\"2.6.11\"}}");
    assert_int_equal(desk_create(&s->f, &s->r), 0);
}

static void end(struct scene *s)
{
    why_read_done(&s->read);
    desk_rollout_done(&s->r);
    desk_end(&s->f);
}

static int ask(struct scene *s, const char *host)
{
    why_read_done(&s->read);
    why_read_start(&s->read, s->f.zk, s->f.loop, ROOT, host, desk_done, &s->f);
    return desk_wait(&s->f);
}

static void put(struct scene *s, const char *host, const struct record *record)
{
    char *data = record_encode(record);
    desk_poke_set(&s->f, zpath_record(ROOT, ID, host).text, data);
    free(data);
}

/* As Enqueue does: the ticket and the record in one transaction. */
static void enqueue(struct scene *s, const char *host)
{
    struct record record;
    record_init(&record, 0);
    record.state = HOST_WAITING;
    STR_COPY(record.stage, "restart");
    STR_COPY(record.lease, "restart");
    char *data = record_encode(&record);
    struct zpath path = zpath_record(ROOT, ID, host);
    struct zpath queue = zpath_queue(ROOT, ID, "restart");
    char ticket[ZPATH_SIZE];
    (void)snprintf(ticket, sizeof(ticket), "%s/t-", queue.text);
    struct zk_op ops[] = {
        {.kind = ZK_OP_SET,
         .path = path.text,
         .data = data,
         .data_len = strlen(data),
         .version = -1},
        {.kind = ZK_OP_CREATE, .path = ticket, .data = "", .flags = ZK_SEQUENTIAL}};
    assert_int_equal(model_zk_poke(s->f.mz, ops, 2), ZK_OK);
    free(data);
}

static void drop_ticket(struct scene *s, int seq)
{
    struct zpath path = zpath_ticket(ROOT, ID, "restart", seq);
    struct zk_op op = {.kind = ZK_OP_DELETE, .path = path.text, .version = -1};
    assert_int_equal(model_zk_poke(s->f.mz, &op, 1), ZK_OK);
}

static void its_place_is_found_without_listing_the_queue(void **state)
{
    struct scene s;
    begin(&s, NULL, 700, 0);
    for (int i = 0; i < 700; i++) {
        char host[16];
        (void)snprintf(host, sizeof(host), "host-%d", i);
        enqueue(&s, host);
    }
    for (int i = 0; i < 100; i++) /* granted */
        drop_ticket(&s, i);
    desk_poke_set(&s.f, zpath_queue(ROOT, ID, "restart").text, "99");
    for (int i = 300; i < 400; i += 3) /* their sessions are gone */
        drop_ticket(&s, i);

    for (int i = 100; i < 700; i += 61) {
        char host[16];
        (void)snprintf(host, sizeof(host), "host-%d", i);
        if ((i >= 300 && i < 400) && i % 3 == 0)
            continue;
        assert_int_equal(ask(&s, host), 0);
        assert_int_equal(s.read.reading.place, i - 99);
        assert_int_equal(s.read.reading.in_queue, 700 - 100 - 34);
    }
    end(&s);
}

static void nobody_is_further_back_than_the_line_is_long(void **state)
{
    struct scene s;
    begin(&s, NULL, 20, 0);
    for (int i = 0; i < 20; i++) {
        char host[16];
        (void)snprintf(host, sizeof(host), "host-%d", i);
        enqueue(&s, host);
    }
    for (int i = 5; i < 17; i++) /* their sessions are gone */
        drop_ticket(&s, i);

    assert_int_equal(ask(&s, "host-19"), 0);

    assert_int_equal(s.read.reading.in_queue, 8);
    assert_int_equal(s.read.reading.place, 8);
    end(&s);
}

static void a_ticket_that_is_gone_has_no_place(void **state)
{
    struct scene s;
    begin(&s, NULL, 90, 0);
    for (int i = 0; i < 90; i++) {
        char host[16];
        (void)snprintf(host, sizeof(host), "host-%d", i);
        enqueue(&s, host);
    }
    for (int i = 10; i < 80; i++)
        drop_ticket(&s, i);

    assert_int_equal(ask(&s, "host-40"), 0);

    assert_int_equal(s.read.reading.place, 0);
    end(&s);
}

static void who_is_missing_is_read_and_those_at_work_come_first(void **state)
{
    struct scene s;
    struct record holding, idle;
    begin(&s, NULL, 40, 20);
    record_init(&holding, 0);
    holding.state = HOST_HOLDING;
    holding.permit = 0;
    STR_COPY(holding.lease, "restart");
    STR_COPY(holding.stage, "proxy");
    record_init(&idle, 0);
    idle.stages_done = 1;
    put(&s, "host-19", &holding);
    desk_poke_create(&s.f, zpath_permit(ROOT, ID, "restart", 0).text, "host-19");
    desk_poke_create(&s.f, zpath_live(ROOT, "host-19").text, "{}");
    for (int i = 0; i < 7; i++) {
        char host[16];
        (void)snprintf(host, sizeof(host), "host-%d", i);
        desk_poke_create(&s.f, zpath_arrival(ROOT, ID, 0, "proxy", host).text, "");
        put(&s, host, &idle);
    }

    assert_int_equal(ask(&s, "host-3"), 0);

    const struct why_reading *in = &s.read.reading;
    assert_int_equal(in->missing_count, 13);
    assert_int_equal(in->missing_named, WHY_NAMED_MAX);
    assert_string_equal(in->missing[0].host, "host-19");
    assert_true(in->missing[0].live && in->missing[0].has_record);
    assert_int_equal(in->missing[0].record.state, HOST_HOLDING);
    assert_string_equal(in->missing[1].host, "host-7");
    assert_false(in->missing[1].live);
    end(&s);
}

static void an_unknown_host_is_told_which_names_are_like_it(void **state)
{
    struct scene s;
    begin(&s, NULL, 1, 0);
    desk_poke_create(&s.f, zpath_host(ROOT, "10.0.0.5").text, "{}");
    desk_poke_create(&s.f, zpath_host(ROOT, "10.0.0.15").text, "{}");
    desk_poke_create(&s.f, zpath_host(ROOT, "192.168.1.1").text, "{}");

    assert_int_equal(ask(&s, "10.0.0.55"), -ENOENT);

    assert_non_null(strstr(s.f.err.text, "'10.0.0.55' has never registered"));
    assert_non_null(strstr(s.f.err.text, "did you mean 10.0.0.15, 10.0.0.5?"));
    assert_int_equal(ask(&s, "10.0.0.4"), -ENOENT);
    assert_non_null(strstr(s.f.err.text, "did you mean 10.0.0.5, 10.0.0.15?"));
    assert_int_equal(ask(&s, "zebra"), -ENOENT);
    assert_null(strstr(s.f.err.text, "did you mean"));
    end(&s);
}

static void nonsense_in_its_record_is_part_of_the_answer(void **state)
{
    struct scene s;
    begin(&s, NULL, 2, 0);
    desk_poke_set(&s.f, zpath_record(ROOT, ID, "host-1").text, "{\"v\":9}");

    assert_int_equal(ask(&s, "host-1"), 0);

    assert_int_equal(s.read.reading.host.bad.code, -EPROTONOSUPPORT);
    assert_false(s.read.reading.host.has_record);
    end(&s);
}

static void a_host_that_has_only_registered_is_no_member(void **state)
{
    struct scene s;
    begin(&s, NULL, 2, 0);
    desk_poke_create(&s.f, zpath_host(ROOT, "late").text,
                     "{\"v\":1,\"role\":\"slave\",\"address\":\"10.9.9.9\"}");

    assert_int_equal(ask(&s, "late"), 0);

    assert_false(s.read.reading.host.has_record);
    assert_non_null(s.read.reading.facts);
    end(&s);
}

static void lost_connections_only_delay(void **state)
{
    struct model_zk_config config = {
        .seed = 5,
        .faults_ppm = {
            [MODEL_ZK_FAULT_LOST] = 60000, [MODEL_ZK_FAULT_APPLIED] = 60000}};
    struct scene s;
    begin(&s, NULL, 2, 0);
    end(&s);
    for (config.seed = 1; config.seed < 6; config.seed++) {
        begin(&s, &config, 60, 0);
        for (int i = 0; i < 60; i++) {
            char host[16];
            (void)snprintf(host, sizeof(host), "host-%d", i);
            enqueue(&s, host);
        }
        assert_int_equal(ask(&s, "host-59"), 0);
        assert_int_equal(s.read.reading.place, 60);
        end(&s);
    }
}

static void it_can_be_cancelled_at_any_moment(void **state)
{
    for (int ms = 0; ms < 60; ms += 3) {
        struct scene s;
        begin(&s, NULL, 40, 20);
        enqueue(&s, "host-3");
        why_read_start(&s.read, s.f.zk, s.f.loop, ROOT, ms % 2 ? "host-3" : "host-30",
                       desk_done, &s.f);
        sim_loop_run_for(s.f.sim, ms);
        int calls = s.f.calls;
        why_read_done(&s.read);
        sim_loop_run_for(s.f.sim, 60000);
        assert_int_equal(s.f.calls, calls);
        s.read = (struct why_read){0};
        end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_place_is_found_without_listing_the_queue),
        cmocka_unit_test(nobody_is_further_back_than_the_line_is_long),
        cmocka_unit_test(a_ticket_that_is_gone_has_no_place),
        cmocka_unit_test(who_is_missing_is_read_and_those_at_work_come_first),
        cmocka_unit_test(an_unknown_host_is_told_which_names_are_like_it),
        cmocka_unit_test(nonsense_in_its_record_is_part_of_the_answer),
        cmocka_unit_test(a_host_that_has_only_registered_is_no_member),
        cmocka_unit_test(lost_connections_only_delay),
        cmocka_unit_test(it_can_be_cancelled_at_any_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
