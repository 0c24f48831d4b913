/* test_member.c - a host's way into the swarm, where something is in that way.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/member.h"
#include "shared/base/str.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/operator_fixture.h"

#include <string.h>

struct scene {
    struct desk_fixture f;
    struct facts facts;
    struct live live;
    struct runner runner;
    struct member member;
    char says[256];
};

static void on_says(void *ctx, const char *text)
{
    struct scene *s = ctx;
    STR_COPY(s->says, text);
}

static const struct member_observer member_observer = {.says = on_says};
static const struct runner_observer runner_observer = {.says = on_says};

static void begin_with(struct scene *s, int64_t seen_ms)
{
    struct swarm swarm = {0};
    memset(s, 0, sizeof(*s));
    desk_begin(&s->f, NULL);
    swarm.zk = model_zk_connect(s->f.mz, "host", NULL);
    swarm.loop = s->f.loop;
    STR_COPY(swarm.root, ROOT);
    STR_COPY(s->live.machine_id, "m-1");
    STR_COPY(s->live.boot_id, "b-1");
    STR_COPY(s->live.version, "1");
    facts_init(&s->facts);
    STR_COPY(s->facts.host, "10.0.0.5");
    s->facts.role = ROLE_SLAVE;
    s->facts.seen_ms = seen_ms;
    runner_init(&s->runner, &swarm, NULL, &runner_observer, s);
    member_init(&s->member, &swarm, &s->live, &s->runner, &member_observer, s);
    member_start(&s->member, &s->facts);
    sim_loop_run_for(s->f.sim, 2000);
}

static void begin(struct scene *s)
{
    begin_with(s, 1);
}

static void end(struct scene *s)
{
    struct zk *zk = s->member.swarm.zk;
    runner_done(&s->runner);
    member_done(&s->member);
    facts_done(&s->facts);
    zk_free(zk);
    desk_end(&s->f);
}

static void it_joins_as_soon_as_the_root_is_made(void **state)
{
    struct scene s;
    begin(&s);
    assert_int_equal(s.member.state, MEMBER_REFUSED);
    assert_non_null(strstr(s.says, "run `clowder init` once"));

    desk_init(&s.f);
    sim_loop_run_for(s.f.sim, 2000);

    assert_int_equal(s.member.state, MEMBER_FOLLOWING);
    assert_int_equal(desk_children(&s.f, ROOT "/live"), 1);
    end(&s);
}

static void a_host_without_a_rollout_says_so(void **state)
{
    struct scene s;
    begin(&s);

    desk_init(&s.f);
    sim_loop_run_for(s.f.sim, 60000);

    assert_string_equal(s.says, "no rollout in force");
    end(&s);
}

static struct facts inventory(struct scene *s)
{
    struct facts facts = {0};
    const char *data;
    size_t len;
    assert_true(
        model_zk_peek(s->f.mz, zpath_host(ROOT, "10.0.0.5").text, &data, &len, NULL));
    assert_int_equal(facts_decode(data, len, &facts, NULL), 0);
    return facts;
}

/* A second look ends while the words of the first are on their way to the server. */
static void what_changes_while_the_inventory_is_written_is_written_next(void **state)
{
    struct scene s;
    begin(&s);
    desk_init(&s.f);
    sim_loop_run_for(s.f.sim, 2000);

    STR_COPY(s.facts.docker, "17.05");
    member_publish(&s.member);
    STR_COPY(s.facts.docker, "20.10");
    member_publish(&s.member);
    sim_loop_run_for(s.f.sim, 2000);

    struct facts facts = inventory(&s);
    assert_string_equal(facts.docker, "20.10");
    facts_done(&facts);
    end(&s);
}

static void it_registers_before_it_is_probed_and_follows_no_rollout(void **state)
{
    struct scene s;
    begin_with(&s, 0);
    desk_init(&s.f);
    struct desk_rollout rollout = desk_rollout_new("r1", 1, 0, "{}");
    assert_int_equal(desk_create(&s.f, &rollout), 0);
    sim_loop_run_for(s.f.sim, 60000);

    struct facts facts = inventory(&s);
    assert_int_equal(s.member.state, MEMBER_FOLLOWING);
    assert_int_equal(desk_children(&s.f, ROOT "/live"), 1);
    assert_int_equal(facts.role, ROLE_SLAVE);
    assert_int_equal(facts.seen_ms, 0);
    assert_int_equal(s.runner.state, RUNNER_UNLED);
    assert_string_equal(s.says, "looking at this host for the first time");
    facts_done(&facts);

    s.facts.seen_ms = 7;
    STR_COPY(s.facts.docker, "20.10.24");
    member_publish(&s.member);
    sim_loop_run_for(s.f.sim, 2000);

    facts = inventory(&s);
    assert_int_equal(facts.seen_ms, 7);
    assert_string_equal(facts.docker, "20.10.24");
    assert_int_not_equal(s.runner.state, RUNNER_UNLED);
    facts_done(&facts);
    desk_rollout_done(&rollout);
    end(&s);
}

static void
what_was_probed_before_a_restart_stays_until_it_is_probed_again(void **state)
{
    struct scene s;
    begin_with(&s, 0);
    desk_init(&s.f);
    desk_poke_create(
        &s.f, zpath_host(ROOT, "10.0.0.5").text,
        "{\"v\":1,\"role\":\"slave\",\"docker\":\"1.13.1\",\"seen_ms\":5}");
    sim_loop_run_for(s.f.sim, 60000);

    struct facts facts = inventory(&s);
    assert_int_equal(s.member.state, MEMBER_FOLLOWING);
    assert_string_equal(facts.docker, "1.13.1");
    facts_done(&facts);

    s.facts.seen_ms = 7;
    member_publish(&s.member);
    sim_loop_run_for(s.f.sim, 2000);

    facts = inventory(&s);
    assert_string_equal(facts.docker, "");
    assert_int_equal(facts.seen_ms, 7);
    facts_done(&facts);
    end(&s);
}

/* An ephemeral znode of its own would do; who made it does not matter here. */
static const char twin[] = "{\"v\":1,\"boot_id\":\"b-2\",\"machine_id\":\"m-2\","
                           "\"incarnation\":1,\"pid\":1,\"version\":\"1\"}";

static void a_host_id_that_another_machine_has_is_refused_by_name(void **state)
{
    struct scene s;
    struct zpath live = zpath_live(ROOT, "10.0.0.5");
    struct zk_op gone = {.kind = ZK_OP_DELETE, .path = live.text, .version = -1};
    begin(&s);
    desk_init(&s.f);
    desk_poke_create(&s.f, live.text, twin);
    sim_loop_run_for(s.f.sim, 60000);

    assert_int_equal(s.member.state, MEMBER_REFUSED);
    assert_non_null(strstr(s.says, "'10.0.0.5' is in use by another machine"));
    assert_non_null(strstr(s.says, "m-2"));
    assert_int_equal(desk_children(&s.f, live.text), 0); /* it was left alone */

    assert_int_equal(model_zk_poke(s.f.mz, &gone, 1), ZK_OK);
    sim_loop_run_for(s.f.sim, 60000);
    assert_int_equal(s.member.state, MEMBER_FOLLOWING);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_joins_as_soon_as_the_root_is_made),
        cmocka_unit_test(a_host_without_a_rollout_says_so),
        cmocka_unit_test(what_changes_while_the_inventory_is_written_is_written_next),
        cmocka_unit_test(it_registers_before_it_is_probed_and_follows_no_rollout),
        cmocka_unit_test(
            what_was_probed_before_a_restart_stays_until_it_is_probed_again),
        cmocka_unit_test(a_host_id_that_another_machine_has_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
