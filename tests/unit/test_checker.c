/* test_checker.c - each invariant has a history that breaks it, and good ones pass.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A history is written as a story: one line per transaction, in the words below.
 */
#include "shared/base/cleanup.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/gate.h"
#include "shared/model/record.h"
#include "tests/support/checker.h"
#include "tests/unit/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#define TOP "/clowder/rollouts/r1/"

struct story {
    struct history *history;
    struct checker *checker;
    struct gate gate;
    int gate_version;
    struct record records[4];
    int64_t zxid;
};

static void tell_op(struct story *s, enum zk_op_kind kind, const char *path,
                    const char *data, int version)
{
    _cleanup_(freep) char *whole = mem_printf(TOP "%s", path);

    history_op(s->history, &(struct history_op){
                               .kind = kind,
                               .path = whole,
                               .data = data,
                               .data_len = data ? strlen(data) : 0,
                               .version = version,
                           });
}

static void begin(struct story *s)
{
    history_begin(s->history, ++s->zxid, 7, 1795464000000, false);
}

static void end(struct story *s)
{
    history_end(s->history);
}

static void tell_one(struct story *s, enum zk_op_kind kind, const char *path,
                     const char *data)
{
    begin(s);
    tell_op(s, kind, path, data, 0);
    end(s);
}

/* --- the words */

static void op_gate(struct story *s)
{
    _cleanup_(freep) char *text = gate_encode(&s->gate);

    tell_op(s, ZK_OP_SET, "gate", text, ++s->gate_version);
}

static void op_record(struct story *s, int host)
{
    _cleanup_(freep) char *text = record_encode(&s->records[host]);
    char path[32];

    snprintf(path, sizeof(path), "hosts/h%d", host);
    tell_op(s, ZK_OP_SET, path, text, 1);
}

static void op_permit(struct story *s, enum zk_op_kind kind, int host, int permit)
{
    char path[64], name[8];

    snprintf(name, sizeof(name), "h%d", host);
    snprintf(path, sizeof(path), "leases/restart/permits/%d/h%d", permit, host);
    if (kind == ZK_OP_DELETE)
        tell_op(s, kind, path, NULL, 0);
    snprintf(path, sizeof(path), "leases/restart/permits/%d", permit);
    tell_op(s, kind, path, kind == ZK_OP_CREATE ? name : NULL, 0);
    snprintf(path, sizeof(path), "leases/restart/permits/%d/h%d", permit, host);
    if (kind == ZK_OP_CREATE)
        tell_op(s, kind, path, "", 0);
}

static void op_arrival(struct story *s, enum zk_op_kind kind, int host)
{
    char path[64];

    snprintf(path, sizeof(path), "barriers/0.restart/arrived/h%d", host);
    tell_op(s, kind, path, "", 0);
}

static void op_failed(struct story *s, enum zk_op_kind kind, int host)
{
    char path[32];

    snprintf(path, sizeof(path), "failed/h%d", host);
    tell_op(s, kind, path, "", 0);
}

static void set_gate(struct story *s, enum gate_phase phase)
{
    s->gate.phase = phase;
    begin(s);
    op_gate(s);
    end(s);
}

static void set_state(struct story *s, int host, enum host_state state)
{
    s->records[host].state = state;
    if (state == HOST_WAITING)
        STR_COPY(s->records[host].lease, "restart");
    begin(s);
    op_record(s, host);
    end(s);
}

static void be_holding(struct story *s, int host, int permit)
{
    struct record *r = &s->records[host];

    r->state = HOST_HOLDING;
    r->permit = permit;
    r->token = 0;
    r->attempt++;
    STR_COPY(r->lease, "restart");
    STR_COPY(r->stage, "restart");
}

static void be_free(struct story *s, int host, enum host_state state)
{
    struct record *r = &s->records[host];

    r->state = state;
    r->permit = -1;
    r->token = 0;
    r->lease[0] = '\0';
}

static void take(struct story *s, int host, int permit)
{
    set_state(s, host, HOST_WAITING);
    be_holding(s, host, permit);
    begin(s);
    tell_op(s, ZK_OP_CHECK, "gate", NULL, s->gate_version);
    op_permit(s, ZK_OP_CREATE, host, permit);
    op_record(s, host);
    end(s);
}

static void release(struct story *s, int host)
{
    int permit = s->records[host].permit;

    be_free(s, host, HOST_DONE);
    begin(s);
    op_permit(s, ZK_OP_DELETE, host, permit);
    op_record(s, host);
    op_arrival(s, ZK_OP_CREATE, host);
    end(s);
}

static void fail_healthy(struct story *s, int host)
{
    int permit = s->records[host].permit;

    be_free(s, host, HOST_FAILED);
    s->records[host].healthy = true;
    s->gate.failed++;
    begin(s);
    op_gate(s);
    op_record(s, host);
    op_failed(s, ZK_OP_CREATE, host);
    op_permit(s, ZK_OP_DELETE, host, permit);
    op_arrival(s, ZK_OP_CREATE, host);
    end(s);
}

static void act(struct story *s, enum history_kind kind, int host, int64_t token)
{
    char name[8];

    snprintf(name, sizeof(name), "h%d", host);
    history_act(s->history, &(struct history_entry){
                                .kind = kind,
                                .host = name,
                                .lease = "restart",
                                .step = "docker-cluster-store",
                                .token = token,
                            });
}

static void open_barrier(struct story *s)
{
    tell_one(s, ZK_OP_CREATE, "barriers/0.restart/open", "h0");
}

/* --- a rollout of three hosts in one wave, restart limited to 2, gate last */

static int setup(void **state)
{
    static struct story story;
    struct story *s = &story;

    *s = (struct story){.zxid = 0x100000000};
    s->history = history_new(true);
    s->checker = checker_new(&(struct checker_config){.leaves_may_be_missing = true});
    history_listen(s->history, checker_feed, s->checker);
    s->gate = (struct gate){.phase = GATE_RUN, .max_failed = 3};
    assert_int_equal(gate_set_limit(&s->gate, "restart", 2, NULL), 0);
    tell_one(s, ZK_OP_CREATE, "waves/0",
             "{\"v\":1,\"name\":\"all\",\"hosts\":[\"h0\",\"h1\",\"h2\"]}");
    for (int i = 0; i < 3; i++) {
        char path[16];

        record_init(&s->records[i], 0);
        _cleanup_(freep) char *text = record_encode(&s->records[i]);
        snprintf(path, sizeof(path), "hosts/h%d", i);
        tell_one(s, ZK_OP_CREATE, path, text);
    }
    _cleanup_(freep) char *gate = gate_encode(&s->gate);
    tell_one(s, ZK_OP_CREATE, "gate", gate);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct story *s = *state;

    history_free(s->history);
    checker_free(s->checker);
    return 0;
}

static void assert_holds(struct story *s)
{
    const struct violation *v = checker_violation(s->checker);

    if (v)
        fail_msg("%s: %s", v->rule, v->text);
}

static void assert_breaks(struct story *s, const char *rule)
{
    const struct violation *v = checker_violation(s->checker);

    if (!v)
        fail_msg("%s was not noticed", rule);
    assert_string_equal(v->rule, rule);
    assert_int_equal(v->zxid, s->zxid);
    assert_true(strlen(v->text) > 10);
}

static void leave_out_others(struct story *s, int host)
{
    for (int i = 0; i < 3; i++)
        if (i != host)
            set_state(s, i, HOST_EXCLUDED);
}

/* --- good histories */

static void a_whole_rollout_holds(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    act(s, HISTORY_ACT_BEGIN, 0, s->zxid);
    take(s, 1, 1);
    act(s, HISTORY_ACT_END, 0, s->zxid - 2);
    s->records[0].token = s->zxid - 2;
    set_state(s, 0, HOST_HOLDING); /* progress, with the token */
    release(s, 0);
    take(s, 2, 0);
    release(s, 2);
    release(s, 1);
    open_barrier(s);
    set_gate(s, GATE_DONE);
    checker_finish(s->checker, true);

    assert_holds(s);
    struct checker_counts n = checker_counts(s->checker);
    assert_int_equal(n.grants, 3);
    assert_int_equal(n.releases, 3);
    assert_int_equal(n.occupied_max, 2);
    assert_int_equal(n.acts, 1);
    assert_int_equal(n.opens, 1);
    assert_int_equal(n.hosts, 3);
    assert_int_equal(n.ended, 3);
}

static void a_failure_and_its_retry_hold(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    fail_healthy(s, 0);
    be_free(s, 0, HOST_IDLE);
    s->gate.failed--;
    begin(s); /* retry */
    op_gate(s);
    op_record(s, 0);
    op_failed(s, ZK_OP_DELETE, 0);
    end(s);
    take(s, 0, 0);
    assert_holds(s);
}

static void fail_unhealthy(struct story *s, int host)
{
    s->records[host].state = HOST_FAILED;
    s->gate.failed++;
    begin(s);
    op_gate(s);
    op_record(s, host);
    op_failed(s, ZK_OP_CREATE, host);
    end(s);
}

static void an_unhealthy_failure_keeps_its_permit(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    fail_unhealthy(s, 0);
    assert_holds(s);
    be_free(s, 0, HOST_EXCLUDED); /* break */
    s->gate.failed--;
    begin(s);
    op_gate(s);
    op_failed(s, ZK_OP_DELETE, 0);
    op_permit(s, ZK_OP_DELETE, 0, 0);
    op_record(s, 0);
    end(s);
    assert_holds(s);
}

static void lose(struct story *s, int host)
{
    s->records[host].state = HOST_LOST;
    s->gate.failed++;
    begin(s);
    op_gate(s);
    op_record(s, host);
    op_failed(s, ZK_OP_CREATE, host);
    end(s);
}

static void come_back(struct story *s, int host)
{
    s->records[host].state = HOST_HOLDING;
    s->gate.failed--;
    begin(s);
    op_gate(s);
    op_record(s, host);
    op_failed(s, ZK_OP_DELETE, host);
    end(s);
}

static void a_lost_holder_may_come_back(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    lose(s, 0);
    come_back(s, 0);
    release(s, 0);
    assert_holds(s);
}

static void retry_under_its_permit(struct story *s, int host, int attempt)
{
    s->records[host].state = HOST_HOLDING;
    s->records[host].attempt = attempt;
    s->gate.failed--;
    begin(s);
    op_gate(s);
    op_record(s, host);
    op_failed(s, ZK_OP_DELETE, host);
    end(s);
}

static void an_unhealthy_failure_is_retried_under_its_permit(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    fail_unhealthy(s, 0);
    retry_under_its_permit(s, 0, s->records[0].attempt + 1);
    release(s, 0);
    assert_holds(s);
}

static void i8_a_retry_as_the_attempt_that_failed(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    fail_unhealthy(s, 0);
    retry_under_its_permit(s, 0, s->records[0].attempt);
    assert_breaks(s, "I8");
}

static void another_rollout_is_none_of_its_business(void **state)
{
    struct story *s = *state;

    begin(s);
    history_op(s->history, &(struct history_op){.kind = ZK_OP_CREATE,
                                                .path = "/clowder/rollouts/r2/hosts/h0",
                                                .data = "nonsense",
                                                .data_len = 8});
    end(s);
    assert_holds(s);
    assert_string_equal(checker_rollout(s->checker), "r1");
}

/* --- one history for each way to break them */

static void i1_a_permit_without_a_record(void **state)
{
    struct story *s = *state;

    begin(s);
    tell_op(s, ZK_OP_CHECK, "gate", NULL, 0);
    op_permit(s, ZK_OP_CREATE, 0, 0);
    end(s);
    assert_breaks(s, "I1");
}

static void i1_a_record_without_a_permit(void **state)
{
    struct story *s = *state;

    set_state(s, 0, HOST_WAITING);
    be_holding(s, 0, 0);
    begin(s);
    op_record(s, 0);
    end(s);
    assert_breaks(s, "I1");
}

static void i1_a_record_that_names_another_permit(void **state)
{
    struct story *s = *state;

    take(s, 1, 1);
    set_state(s, 0, HOST_WAITING);
    be_holding(s, 0, 1); /* h1's */
    begin(s);
    op_record(s, 0);
    end(s);
    assert_breaks(s, "I1");
}

static void i1_a_permit_freed_under_its_holder(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    begin(s);
    op_permit(s, ZK_OP_DELETE, 0, 0);
    end(s);
    assert_breaks(s, "I1");
}

static void i1_a_permit_that_outlives_its_holders_visit(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    be_free(s, 0, HOST_DONE);
    begin(s);
    op_record(s, 0);
    end(s);
    assert_breaks(s, "I1");
}

static void i1_a_zombie_that_deletes_the_next_holders_permit(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    release(s, 0);
    take(s, 1, 0);
    begin(s); /* h0's release once more, without its record's compare-and-set */
    op_permit(s, ZK_OP_DELETE, 0, 0);
    end(s);
    assert_breaks(s, "I1");
}

static void i2_more_permits_than_the_limit(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    take(s, 1, 1);
    assert_int_equal(gate_set_limit(&s->gate, "restart", 3, NULL), 0);
    set_gate(s, GATE_RUN);
    assert_int_equal(gate_set_limit(&s->gate, "restart", 2, NULL), 0);
    set_gate(s, GATE_RUN);
    take(s, 2, 2);
    assert_breaks(s, "I2");
}

static void i2_a_permit_beyond_the_last(void **state)
{
    struct story *s = *state;

    take(s, 0, 2);
    assert_breaks(s, "I2");
}

static void i2_a_limit_that_sinks_frees_nothing(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    take(s, 1, 1);
    assert_int_equal(gate_set_limit(&s->gate, "restart", 1, NULL), 0);
    set_gate(s, GATE_RUN);
    assert_holds(s);
    release(s, 0);
    take(s, 2, 0);
    assert_breaks(s, "I2");
}

static void i2_a_lease_without_a_limit(void **state)
{
    struct story *s = *state;

    s->gate.limits_count = 0;
    set_gate(s, GATE_RUN);
    take(s, 0, 0);
    assert_breaks(s, "I2");
}

static void i3_a_grant_behind_a_pause(void **state)
{
    struct story *s = *state;

    set_gate(s, GATE_PAUSE);
    take(s, 0, 0);
    assert_breaks(s, "I3");
}

static void i3_a_pause_ends_with_the_resumption(void **state)
{
    struct story *s = *state;

    set_gate(s, GATE_PAUSE);
    set_gate(s, GATE_RUN);
    take(s, 0, 0);
    assert_holds(s);
}

static void r5_a_grant_that_does_not_check_the_gate(void **state)
{
    struct story *s = *state;

    set_state(s, 0, HOST_WAITING);
    be_holding(s, 0, 0);
    begin(s);
    op_permit(s, ZK_OP_CREATE, 0, 0);
    op_record(s, 0);
    end(s);
    assert_breaks(s, "R5");
}

static void r4_a_record_that_is_deleted(void **state)
{
    struct story *s = *state;

    tell_one(s, ZK_OP_DELETE, "hosts/h1", NULL);
    assert_breaks(s, "R4");
}

static void i4_two_permits_for_one_host(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    begin(s);
    tell_op(s, ZK_OP_CHECK, "gate", NULL, s->gate_version);
    op_permit(s, ZK_OP_CREATE, 0, 1);
    end(s);
    assert_breaks(s, "I4");
}

static void i5_a_token_that_is_not_the_grants(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    s->records[0].token = s->zxid - 1;
    set_state(s, 0, HOST_HOLDING);
    assert_breaks(s, "I5");
}

static void i5_a_token_that_goes_back(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    int64_t old = s->records[0].token = s->zxid;
    set_state(s, 0, HOST_HOLDING);
    begin(s); /* give back */
    be_free(s, 0, HOST_IDLE);
    op_permit(s, ZK_OP_DELETE, 0, 0);
    op_record(s, 0);
    end(s);
    take(s, 0, 0);
    s->records[0].token = s->zxid;
    set_state(s, 0, HOST_HOLDING);
    assert_holds(s);
    s->records[0].token = old;
    set_state(s, 0, HOST_HOLDING);
    assert_breaks(s, "I5");
}

static void i5_an_old_token_without_a_permit(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    s->records[0].token = s->zxid;
    set_state(s, 0, HOST_HOLDING);
    begin(s);
    be_free(s, 0, HOST_IDLE);
    op_permit(s, ZK_OP_DELETE, 0, 0);
    s->records[0].token = 5;
    op_record(s, 0);
    end(s);
    assert_breaks(s, "I5");
}

static void i6_a_barrier_of_no_known_wave(void **state)
{
    struct story *s = *state;

    tell_one(s, ZK_OP_CREATE, "barriers/7.restart/open", "h0");
    assert_breaks(s, "I6");
}

static void i6_a_barrier_that_opens_too_early(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    take(s, 1, 1);
    release(s, 0);
    release(s, 1);
    open_barrier(s);
    assert_breaks(s, "I6");
}

static void i6_an_arrival_taken_back(void **state)
{
    struct story *s = *state;

    for (int i = 0; i < 3; i++) {
        take(s, i, 0);
        release(s, i);
    }
    open_barrier(s);
    assert_holds(s);
    begin(s);
    op_arrival(s, ZK_OP_DELETE, 1);
    end(s);
    assert_breaks(s, "I6");
}

static void i6_strangers_do_not_count(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    release(s, 0);
    begin(s);
    op_arrival(s, ZK_OP_CREATE, 8);
    op_arrival(s, ZK_OP_CREATE, 9);
    end(s);
    open_barrier(s);
    assert_breaks(s, "I6");
}

static void i7_a_failure_that_is_not_counted(void **state)
{
    struct story *s = *state;

    begin(s);
    op_failed(s, ZK_OP_CREATE, 0);
    end(s);
    assert_breaks(s, "I7");
}

static void i7_a_count_without_a_failure(void **state)
{
    struct story *s = *state;

    s->gate.failed = 1;
    set_gate(s, GATE_RUN);
    assert_breaks(s, "I7");
}

static void i8_a_host_that_ends_twice(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    release(s, 0);
    set_state(s, 0, HOST_EXCLUDED);
    assert_breaks(s, "I8");
}

static void i8_a_host_that_starts_again_after_its_end(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    release(s, 0);
    set_state(s, 0, HOST_WAITING);
    assert_breaks(s, "I8");
}

static void i8_a_host_that_waits_again_without_having_been_set_to_work(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    release(s, 0);
    leave_out_others(s, 0);
    set_gate(s, GATE_KEEP);
    set_state(s, 0, HOST_WAITING);
    assert_breaks(s, "I8");
}

/* --- drift */

static void one_host_is_done(struct story *s, enum gate_phase phase)
{
    take(s, 0, 0);
    release(s, 0);
    s->records[0].stages_done = 3;
    set_state(s, 0, HOST_DONE);
    leave_out_others(s, 0);
    set_gate(s, phase);
}

enum { COUNTED = 1, CHECKED = 2 };

/* A done host goes back to stage 1, as it should or not. */
static void mend(struct story *s, int how)
{
    s->records[0].state = HOST_IDLE;
    s->records[0].stages_done = 1;
    s->records[0].drift = RECORD_REPAIRING;
    begin(s);
    if (how & CHECKED)
        tell_op(s, ZK_OP_CHECK, "gate", NULL, s->gate_version);
    op_record(s, 0);
    if (how & COUNTED)
        tell_op(s, ZK_OP_CREATE, "drifted/h0", "", 0);
    end(s);
}

static void a_repair_under_keep_holds(void **state)
{
    struct story *s = *state;

    one_host_is_done(s, GATE_KEEP);
    mend(s, COUNTED | CHECKED);
    take(s, 0, 0);
    s->records[0].drift = RECORD_DRIFTED;
    be_free(s, 0, HOST_DONE);
    begin(s);
    op_permit(s, ZK_OP_DELETE, 0, 0);
    op_record(s, 0);
    end(s);
    s->records[0].drift = RECORD_STEADY;
    begin(s);
    op_record(s, 0);
    tell_op(s, ZK_OP_DELETE, "drifted/h0", NULL, 0);
    end(s);

    assert_holds(s);
    assert_int_equal(checker_counts(s->checker).drifts, 1);
    assert_int_equal(checker_counts(s->checker).mends, 1);
}

static void a_repair_before_the_gate_keeps(void **state)
{
    struct story *s = *state;

    one_host_is_done(s, GATE_RUN);
    mend(s, COUNTED | CHECKED);
    assert_breaks(s, "I8");
}

static void a_repair_that_did_not_check_the_gate(void **state)
{
    struct story *s = *state;

    one_host_is_done(s, GATE_KEEP);
    mend(s, COUNTED);
    assert_breaks(s, "drift");
}

static void a_repair_that_is_not_counted(void **state)
{
    struct story *s = *state;

    one_host_is_done(s, GATE_KEEP);
    mend(s, CHECKED);
    assert_breaks(s, "drift");
}

static void a_host_that_is_counted_as_drifted_and_is_not(void **state)
{
    struct story *s = *state;

    one_host_is_done(s, GATE_KEEP);
    tell_one(s, ZK_OP_CREATE, "drifted/h0", "");
    assert_breaks(s, "drift");
}

static void close_while_a_host_is_under_way(void **state)
{
    struct story *s = *state;

    leave_out_others(s, 0);
    set_gate(s, GATE_DONE);
    assert_breaks(s, "close");
}

static void i8_a_host_without_an_end(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    release(s, 0);
    assert_holds(s);
    checker_finish(s->checker, true);
    s->zxid = 0;
    assert_breaks(s, "I8");
}

static void i9_an_act_without_a_permit(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    act(s, HISTORY_ACT_BEGIN, 1, 0);
    assert_breaks(s, "I9");
}

static void i9_an_act_under_an_old_token(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    int64_t old = s->zxid;
    s->records[0].stages_done = 3;
    release(s, 0);
    leave_out_others(s, 0);
    set_gate(s, GATE_KEEP);
    mend(s, COUNTED | CHECKED);
    take(s, 0, 0);
    act(s, HISTORY_ACT_BEGIN, 0, old);
    assert_breaks(s, "I9");
}

static void i9_an_act_of_a_lost_host(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    int64_t token = s->zxid;
    lose(s, 0);
    act(s, HISTORY_ACT_BEGIN, 0, token);
    assert_breaks(s, "I9");
}

static void i7_a_lost_host_that_is_not_listed(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    set_state(s, 0, HOST_LOST);
    assert_breaks(s, "I7");
}

static void i1_a_permit_with_anothers_name_below_it(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    assert_holds(s);
    begin(s);
    tell_op(s, ZK_OP_DELETE, "leases/restart/permits/0/h0", NULL, 0);
    tell_op(s, ZK_OP_CREATE, "leases/restart/permits/0/h1", "", 0);
    end(s);
    assert_breaks(s, "I1");
}

static void i8_a_host_that_joins_a_rollout_under_way(void **state)
{
    struct story *s = *state;
    _cleanup_(freep) char *text = record_encode(&s->records[0]);

    begin(s);
    tell_op(s, ZK_OP_CHECK, "gate", NULL, s->gate_version);
    tell_op(s, ZK_OP_CREATE, "hosts/late", text, 0);
    end(s);
    assert_breaks(s, "I8");
}

static void i9_the_same_act_twice(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    act(s, HISTORY_ACT_BEGIN, 0, s->zxid);
    act(s, HISTORY_ACT_END, 0, s->zxid);
    assert_holds(s);
    act(s, HISTORY_ACT_BEGIN, 0, s->zxid);
    assert_breaks(s, "I9");
}

static void i9_a_release_in_the_middle_of_an_act(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    act(s, HISTORY_ACT_BEGIN, 0, s->zxid);
    release(s, 0);
    assert_breaks(s, "I9");
}

static void i9_an_operator_may_break_it(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    act(s, HISTORY_ACT_BEGIN, 0, s->zxid);
    be_free(s, 0, HOST_EXCLUDED);
    begin(s);
    op_permit(s, ZK_OP_DELETE, 0, 0);
    op_record(s, 0);
    end(s);
    assert_holds(s);
}

/* As setup, but each act needs leave. */
static int setup_strict(void **state)
{
    struct story *s;

    setup(state);
    s = *state;
    struct checker *strict = checker_new(&(struct checker_config){0});
    for (int i = 0; i < history_count(s->history); i++)
        checker_feed(strict, history_at(s->history, i));
    checker_free(s->checker);
    s->checker = strict;
    history_listen(s->history, checker_feed, strict);
    return 0;
}

static void ask(struct story *s, int host)
{
    begin(s);
    tell_op(s, ZK_OP_CHECK, "gate", NULL, s->gate_version);
    op_record(s, host);
    end(s);
}

static void r7_an_act_without_leave(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    set_state(s, 0, HOST_HOLDING); /* progress, without a look at the gate */
    act(s, HISTORY_ACT_BEGIN, 0, 0);
    assert_breaks(s, "R7");
}

static void r7_leave_is_for_one_act(void **state)
{
    struct story *s = *state;
    struct history_entry second = {
        .kind = HISTORY_ACT_BEGIN, .host = "h0", .lease = "restart", .step = "cni"};

    take(s, 0, 0);
    ask(s, 0);
    act(s, HISTORY_ACT_BEGIN, 0, 0);
    act(s, HISTORY_ACT_END, 0, 0);
    assert_holds(s);
    history_act(s->history, &second);
    assert_breaks(s, "R7");
}

static void r7_a_closed_gate_gives_no_leave_to_begin(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    set_gate(s, GATE_PAUSE);
    ask(s, 0);
    act(s, HISTORY_ACT_BEGIN, 0, 0);
    assert_breaks(s, "R7");
}

static void r7_a_record_that_claims_a_leave_it_never_had(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    set_gate(s, GATE_PAUSE);
    s->records[0].disrupted = true;
    begin(s);
    op_record(s, 0);
    end(s);
    assert_breaks(s, "R7");
}

static void r7_a_visit_that_has_disrupted_may_go_on(void **state)
{
    struct story *s = *state;
    struct history_entry second = {
        .kind = HISTORY_ACT_BEGIN, .host = "h0", .lease = "restart", .step = "cni"};

    take(s, 0, 0);
    ask(s, 0);
    act(s, HISTORY_ACT_BEGIN, 0, 0);
    set_gate(s, GATE_PAUSE);
    act(s, HISTORY_ACT_END, 0, 0);
    ask(s, 0);
    history_act(s->history, &second);
    assert_holds(s);
}

static void close_with_a_permit_occupied(void **state)
{
    struct story *s = *state;

    take(s, 0, 0);
    set_gate(s, GATE_DONE);
    assert_breaks(s, "close");
}

static void form_nonsense_in_a_record(void **state)
{
    struct story *s = *state;

    tell_one(s, ZK_OP_SET, "hosts/h0", "{\"v\":1,\"state\":\"asleep\"}");
    assert_breaks(s, "form");
}

static void form_a_history_that_goes_back(void **state)
{
    struct story *s = *state;

    s->zxid -= 3;
    set_gate(s, GATE_RUN);
    assert_breaks(s, "form");
}

/* --- files */

static void a_history_survives_its_file(void **state)
{
    struct story *s = *state;
    struct history *again = history_new(true);
    struct checker *checker =
        checker_new(&(struct checker_config){.leaves_may_be_missing = true});
    struct error err = {0};
    FILE *file = tmpfile();

    take(s, 0, 0);
    act(s, HISTORY_ACT_BEGIN, 0, s->zxid);
    release(s, 0);
    assert_breaks(s, "I9");
    assert_int_equal(history_write(s->history, file, &err), 0);
    rewind(file);
    assert_int_equal(history_read(again, file, &err), 0);
    history_sort(again);
    assert_int_equal(history_count(again), history_count(s->history));
    for (int i = 0; i < history_count(again); i++)
        checker_feed(checker, history_at(again, i));

    assert_string_equal(checker_violation(checker)->rule, "I9");
    assert_string_equal(checker_violation(checker)->text,
                        checker_violation(s->checker)->text);
    fclose(file);
    history_free(again);
    checker_free(checker);
}

static void acts_from_elsewhere_find_their_place(void **state)
{
    struct story *s = *state;
    const struct history_entry late = {.kind = HISTORY_ACT_BEGIN,
                                       .host = "h0",
                                       .lease = "restart",
                                       .step = "cni",
                                       .at_zxid = 0x100000003};

    take(s, 0, 0);
    history_act(s->history, &late);
    history_sort(s->history);
    assert_int_equal(history_at(s->history, 2)->zxid, 0x100000003);
    assert_int_equal(history_at(s->history, 3)->kind, HISTORY_ACT_BEGIN);
    assert_int_equal(history_at(s->history, 4)->zxid, 0x100000004);
}

static void a_line_that_is_no_history_is_named(void **state)
{
    struct history *h = history_new(true);
    struct error err = {0};
    char text[] =
        "{\"zxid\":1,\"ops\":[]}\n\n{\"act\":\"sleep\",\"host\":\"a\",\"step\":"
        "\"b\"}\n";
    FILE *file = fmemopen(text, strlen(text), "r");

    assert_true(history_read(h, file, &err) < 0);
    assert_string_equal(err.text,
                        "line 3: an act is \"begin\" or \"end\", not \"sleep\"");
    fclose(file);
    history_free(h);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define TEST_STRICT(fn) cmocka_unit_test_setup_teardown(fn, setup_strict, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_whole_rollout_holds),
        TEST(a_failure_and_its_retry_hold),
        TEST(an_unhealthy_failure_keeps_its_permit),
        TEST(an_unhealthy_failure_is_retried_under_its_permit),
        TEST(i8_a_retry_as_the_attempt_that_failed),
        TEST(a_lost_holder_may_come_back),
        TEST(another_rollout_is_none_of_its_business),
        TEST(i1_a_permit_without_a_record),
        TEST(i1_a_record_without_a_permit),
        TEST(i1_a_record_that_names_another_permit),
        TEST(i1_a_permit_freed_under_its_holder),
        TEST(i1_a_permit_that_outlives_its_holders_visit),
        TEST(i1_a_zombie_that_deletes_the_next_holders_permit),
        TEST(i2_more_permits_than_the_limit),
        TEST(i2_a_permit_beyond_the_last),
        TEST(i2_a_limit_that_sinks_frees_nothing),
        TEST(i2_a_lease_without_a_limit),
        TEST(i3_a_grant_behind_a_pause),
        TEST(i3_a_pause_ends_with_the_resumption),
        TEST(r5_a_grant_that_does_not_check_the_gate),
        TEST(r4_a_record_that_is_deleted),
        TEST(i4_two_permits_for_one_host),
        TEST(i5_a_token_that_is_not_the_grants),
        TEST(i5_a_token_that_goes_back),
        TEST(i5_an_old_token_without_a_permit),
        TEST(i6_a_barrier_of_no_known_wave),
        TEST(i6_a_barrier_that_opens_too_early),
        TEST(i6_an_arrival_taken_back),
        TEST(i6_strangers_do_not_count),
        TEST(i7_a_failure_that_is_not_counted),
        TEST(i7_a_count_without_a_failure),
        TEST(i8_a_host_that_ends_twice),
        TEST(i8_a_host_that_starts_again_after_its_end),
        TEST(i8_a_host_that_waits_again_without_having_been_set_to_work),
        TEST(a_repair_under_keep_holds),
        TEST(a_repair_before_the_gate_keeps),
        TEST(a_repair_that_did_not_check_the_gate),
        TEST(a_repair_that_is_not_counted),
        TEST(a_host_that_is_counted_as_drifted_and_is_not),
        TEST(i8_a_host_without_an_end),
        TEST(i9_an_act_without_a_permit),
        TEST(i9_an_act_under_an_old_token),
        TEST(i9_an_act_of_a_lost_host),
        TEST(i7_a_lost_host_that_is_not_listed),
        TEST(i1_a_permit_with_anothers_name_below_it),
        TEST(i8_a_host_that_joins_a_rollout_under_way),
        TEST(i9_the_same_act_twice),
        TEST(i9_a_release_in_the_middle_of_an_act),
        TEST(i9_an_operator_may_break_it),
        TEST_STRICT(r7_an_act_without_leave),
        TEST_STRICT(r7_leave_is_for_one_act),
        TEST_STRICT(r7_a_closed_gate_gives_no_leave_to_begin),
        TEST_STRICT(r7_a_visit_that_has_disrupted_may_go_on),
        TEST_STRICT(r7_a_record_that_claims_a_leave_it_never_had),
        TEST(close_with_a_permit_occupied),
        TEST(close_while_a_host_is_under_way),
        TEST(form_nonsense_in_a_record),
        TEST(form_a_history_that_goes_back),
        TEST(a_history_survives_its_file),
        TEST(acts_from_elsewhere_find_their_place),
        cmocka_unit_test(a_line_that_is_no_history_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
