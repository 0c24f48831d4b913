/* test_states.c - in every state of the runner: its process dies, its session expires,
 * its connection drops, or it is cut off until its session has expired.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Story. Each state is reached by one of a few rollouts. The first host that enters it
 * is struck then and there; whatever it was, the rollout comes to its end, and the
 * checker has nothing to say.
 */
#include "tests/scenario/story.h"
#include "tests/unit/cmocka_all.h"

#include "shared/base/cleanup.h"
#include "shared/base/str.h"

#include <stdlib.h>
#include <string.h>

#define ROOT "/clowder"
enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS };

enum blow { KILL, EXPIRE, DROP, CUT, BLOWS };

/* Which rollout brings a host into the state. */
enum way { PLAIN, FAILS, ABORTED, PAUSED, LOST, REPLIES_LOST, NONSENSE };

static const enum way ways[RUNNER_STATE_COUNT] = {
    [RUNNER_UNLED] = PLAIN,          [RUNNER_OFFLINE] = PLAIN,
    [RUNNER_READING] = PLAIN,        [RUNNER_ADOPTING] = PLAIN,
    [RUNNER_AWAITING] = PLAIN,       [RUNNER_SOAKING] = PLAIN,
    [RUNNER_SURVEYING] = PLAIN,      [RUNNER_ENQUEUING] = PLAIN,
    [RUNNER_FINDING] = REPLIES_LOST, [RUNNER_QUEUED] = PLAIN,
    [RUNNER_VISITING] = PLAIN,       [RUNNER_LEAVING] = ABORTED,
    [RUNNER_RELEASING] = PLAIN,      [RUNNER_GIVING_BACK] = PAUSED,
    [RUNNER_FAILING] = FAILS,        [RUNNER_RETURNING] = LOST,
    [RUNNER_OFFERING] = FAILS,       [RUNNER_CLOSING] = PLAIN,
    [RUNNER_RESTING] = PLAIN,        [RUNNER_STUCK] = NONSENSE,
};

struct strike {
    struct story *story; /* NULL = not yet */
    enum runner_state state;
    enum blow blow;
    int host; /* that is struck; -1 = none yet */
    bool pauses;
    struct timer now, later, pause;
};

static void recovers(void *ctx)
{
    struct strike *k = ctx;
    struct zk *client = sim_swarm_client(k->story->swarm, k->host);
    if (k->blow == CUT && client)
        model_zk_cut(client, false);
    sim_swarm_start(k->story->swarm, k->host);
}

static void falls(void *ctx)
{
    struct strike *k = ctx;
    struct sim_swarm *swarm = k->story->swarm;
    struct zk *client = sim_swarm_client(swarm, k->host);
    switch (k->blow) {
    case KILL:
        sim_swarm_crash(swarm, k->host);
        break;
    case EXPIRE:
        model_zk_expire(client);
        break;
    case DROP:
        model_zk_drop(client);
        break;
    case CUT:
        model_zk_cut(client, true);
        break;
    case BLOWS:
        break;
    }
    timer_start(&k->later, sim_loop_port(k->story->loop),
                k->blow == CUT ? MINUTE_MS : SECOND_MS, recovers, k);
}

static void strikes(struct strike *k, int host)
{
    k->host = host;
    timer_start(&k->now, sim_loop_port(k->story->loop), 0, falls, k);
}

static void pauses(void *ctx)
{
    struct strike *k = ctx;
    sim_swarm_set_phase(k->story->swarm, GATE_PAUSE, "just now");
}

static void on_moment(void *ctx, int host, enum sim_moment moment)
{
    struct strike *k = ctx;
    if (!k->story || moment != SIM_MOVED)
        return;
    const struct runner *runner = sim_swarm_runner(k->story->swarm, host);
    enum runner_state state = runner->state;
    if (k->host < 0 && state == k->state)
        strikes(k, host);
    if (k->pauses && state == RUNNER_VISITING &&
        str_equal(runner->at.record.lease, "restart")) {
        k->pauses = false;
        timer_start(&k->pause, sim_loop_port(k->story->loop), 0, pauses, k);
    }
}

static struct story begin(struct strike *k, enum way way)
{
    struct sim_swarm_config config = {
        .seed = 7 + (uint64_t)k->state,
        .hosts = 4,
        .late = 1,
        .canary = 1,
        .waves = 2,
        .restarts = 1,
        .max_failed = 3,
        .adopt = true,
        .spec = "\"waves\":{\"soak\":\"5s\"},\"lost_after\":\"10s\"",
        .hooks = {.moment = on_moment, .ctx = k},
    };
    config.fail_times = way == FAILS;
    config.fail_stage = 1;
    config.look_ms = k->state == RUNNER_DRIFTING ? MINUTE_MS : 0;
    if (way == ABORTED) /* many wait for one */
        config.canary = config.waves = 0;
    if (way == REPLIES_LOST)
        config.zk.faults_ppm[MODEL_ZK_FAULT_APPLIED] = 120000;
    return story_begin(config);
}

/* What has to happen for it to come to the state. */
static void play(struct story *s, struct strike *k, enum way way)
{
    if (k->state == RUNNER_UNLED)
        strikes(k, 0);
    if (k->state == RUNNER_OFFLINE) {
        sim_loop_run_for(s->loop, SECOND_MS);
        model_zk_drop(sim_swarm_client(s->swarm, 1));
    }
    k->pauses = way == PAUSED;
    if (way == ABORTED || way == LOST || way == NONSENSE)
        assert_true(story_until_acting(s));
    if (way == ABORTED)
        sim_swarm_set_phase(s->swarm, GATE_ABORT, "wrong spec");
    if (way == LOST) {
        int holder = story_holder(s);
        sim_swarm_crash(s->swarm, holder);
        sim_loop_run_for(s->loop, 5 * MINUTE_MS);
        sim_swarm_start(s->swarm, holder);
    }
    if (way == PAUSED) {
        sim_loop_run_for(s->loop, 2 * MINUTE_MS);
        sim_swarm_set_phase(s->swarm, GATE_RUN, "");
    }
}

/* The gate is nonsense for a while: who reads it is stuck. */
static void write_nonsense(struct story *s)
{
    struct zpath path = zpath_gate(ROOT, sim_swarm_rollout(s->swarm));
    const char *good;
    size_t len;
    assert_true(model_zk_peek(s->zk, path.text, &good, &len, NULL));
    _cleanup_(freep) char *kept = strndup(good, len);
    story_look_away(s);
    story_write(s, path.text, "nonsense");
    sim_loop_run_for(s->loop, 5 * MINUTE_MS);
    story_write(s, path.text, kept);
}

static void strike_in(enum runner_state state, enum blow blow)
{
    struct strike k = {.state = state, .blow = blow, .host = -1};
    enum way way = ways[state];
    struct story s = begin(&k, way);
    k.story = &s;

    play(&s, &k, way);
    if (way == NONSENSE)
        write_nonsense(&s);
    story_runs_to_its_end(&s);
    if (state == RUNNER_ADOPTING)
        sim_swarm_start(s.swarm, 4);
    if (state == RUNNER_DRIFTING)
        sim_swarm_drift(s.swarm, 1, SIM_PROXY_DOWN, true);
    sim_loop_run_for(s.loop, 15 * MINUTE_MS);

    if (k.host < 0)
        fail_msg("nobody came to be %s", runner_state_text(state));
    assert_true(sim_swarm_settled(s.swarm) || way == ABORTED);
    assert_int_equal(sim_swarm_count(s.swarm, HOST_HOLDING), 0);
    assert_false(sim_swarm_drifted(s.swarm, 1, SIM_PROXY_DOWN));
    story_end(&s);
    timer_stop(&k.later);
}

static void strike_everywhere(enum blow blow)
{
    for (int state = 0; state < RUNNER_STATE_COUNT; state++)
        strike_in((enum runner_state)state, blow);
}

static void a_kill_in_any_state_of_the_runner_is_survived(void **state)
{
    strike_everywhere(KILL);
}

static void an_expired_session_in_any_state_of_the_runner_is_survived(void **state)
{
    strike_everywhere(EXPIRE);
}

static void a_dropped_connection_in_any_state_of_the_runner_is_survived(void **state)
{
    strike_everywhere(DROP);
}

static void being_cut_off_in_any_state_of_the_runner_is_survived(void **state)
{
    strike_everywhere(CUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kill_in_any_state_of_the_runner_is_survived),
        cmocka_unit_test(an_expired_session_in_any_state_of_the_runner_is_survived),
        cmocka_unit_test(a_dropped_connection_in_any_state_of_the_runner_is_survived),
        cmocka_unit_test(being_cut_off_in_any_state_of_the_runner_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
