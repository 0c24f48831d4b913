/* schedule_faults.c - what befalls a rollout, and when it ends.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/scenario/schedule_internal.h"

static void on_connected(void *ctx, struct zk *client)
{
    struct run *r = ctx;
    if (r->mutant)
        mutant_zk_infect(r->mutant, client);
}

static void on_abort(void *ctx)
{
    struct run *r = ctx;
    if (sim_swarm_closed(r->swarm) || r->hand.busy != ORDERS_NOTHING) {
        timer_start(&r->abort, sim_loop_port(r->loop), SECOND_MS, on_abort, r);
        return;
    }
    r->aborted = true;
    note_event(r, EVENT_ABORT);
    operator_order(r, ORDER_ABORT);
}

/* --- events */

static void cut(struct run *r, int host, bool is)
{
    struct zk *client = sim_swarm_client(r->swarm, host);
    if (client)
        model_zk_cut(client, is);
}

static void event_ends(void *ctx)
{
    struct event *e = ctx;
    struct run *r = e->run;
    trace(r, "%s is over", event_text(e->kind));
    switch (e->kind) {
    case EVENT_CRASH:
        host_up(r, e->host);
        break;
    case EVENT_CUT:
        cut(r, e->host, false);
        break;
    case EVENT_OUTAGE:
        model_zk_start(r->mz, -1);
        break;
    case EVENT_SERVER:
        model_zk_start(r->mz, e->host);
        break;
    case EVENT_SLOW:
        model_zk_set_delays(r->mz, r->config.zk.delay_min_ms,
                            r->config.zk.delay_max_ms);
        break;
    case EVENT_PAUSE:
        operator_order(r, ORDER_RESUME);
        break;
    case EVENT_DROP:
    case EVENT_EXPIRE:
    case EVENT_CLOCK:
    case EVENT_LIMIT:
    case EVENT_HOST_ORDER:
    case EVENT_OPERATOR_DIES:
    case EVENT_GATE_MOVES:
    case EVENT_ABORT:
    case EVENT_DRIFT:
    case EVENT_LATE:
    case EVENT_KILL:
        break;
    }
}

/* Nothing changes under a visit's hands, nor while it is down in the middle of one: the
 * act would rightly be done twice. */
static bool must_wait(const struct run *r, const struct event *e)
{
    return e->kind == EVENT_DRIFT &&
           (!sim_swarm_up(r->swarm, e->host) ||
            sim_swarm_runner(r->swarm, e->host)->state != RUNNER_RESTING);
}

static void event_starts(void *ctx)
{
    struct event *e = ctx;
    struct run *r = e->run;
    struct zk *client = sim_swarm_client(r->swarm, e->host);
    if (must_wait(r, e)) {
        timer_start(&e->start, sim_loop_port(r->loop), SECOND_MS, event_starts, e);
        return;
    }
    trace(r, "%s for %lld ms", event_text(e->kind), (long long)e->lasts_ms);
    note_event(r, e->kind);
    switch (e->kind) {
    case EVENT_CRASH:
        host_down(r, e->host);
        break;
    case EVENT_CUT:
        cut(r, e->host, true);
        break;
    case EVENT_DROP:
        if (client)
            model_zk_drop(client);
        break;
    case EVENT_EXPIRE:
        if (client)
            model_zk_expire(client);
        break;
    case EVENT_OUTAGE:
        model_zk_stop(r->mz, -1);
        break;
    case EVENT_SERVER:
        model_zk_stop(r->mz, e->host);
        break;
    case EVENT_SLOW:
        model_zk_set_delays(r->mz, 0, e->amount);
        break;
    case EVENT_CLOCK:
        sim_loop_jump_wall(r->loop, e->amount * 1000 - 5000000);
        break;
    case EVENT_PAUSE:
        operator_order(r, ORDER_PAUSE);
        break;
    case EVENT_LIMIT:
        operator_sets_limit(r, (uint64_t)e->amount / 4, 1 + (int)(e->amount % 4));
        break;
    case EVENT_HOST_ORDER:
        operator_order_host(
            r, (enum host_order_kind)(e->amount % (HOST_FORCE_COMPLETE + 1)), e->host);
        break;
    case EVENT_OPERATOR_DIES:
        operator_dies(r);
        break;
    case EVENT_DRIFT:
        sim_swarm_drift(r->swarm, e->host, (enum sim_drift)(e->amount % SIM_DRIFTS),
                        true);
        r->moved = true; /* where nobody cares, it may be over with that */
        break;
    case EVENT_LATE:
        host_up(r, e->host);
        break;
    case EVENT_GATE_MOVES:
    case EVENT_ABORT:
    case EVENT_KILL:
        break;
    }
    timer_start(&e->end, sim_loop_port(r->loop), e->lasts_ms, event_ends, e);
}

static int64_t draw_length(struct run *r)
{
    switch (run_draw(r, 0, 3)) {
    case 0:
        return run_draw(r, 0, 25 * MINUTE_MS);
    case 1:
        return run_draw(r, 0, 3 * SECOND_MS);
    default:
        return run_draw(r, 0, MINUTE_MS);
    }
}

static void arm_events(struct run *r)
{
    int count = r->heal_ms == 0 ? 0 : (int)run_draw(r, 0, EVENTS_MAX - 4);
    int64_t until_ms = r->heal_ms > MINUTE_MS ? MINUTE_MS : r->heal_ms;
    for (int i = 0; i < count; i++) {
        struct event *e = &r->events[r->events_count++];
        /* Most while the rollout is sure to be under way. */
        int64_t at_ms = run_draw(r, 0, run_draw(r, 0, 3) ? until_ms : r->heal_ms);
        *e = (struct event){
            .run = r, .kind = (enum event_kind)run_draw(r, 0, EVENT_OPERATOR_DIES)};
        e->host = (int)run_draw(r, 0, r->all_hosts - 1);
        if (e->kind == EVENT_SERVER)
            e->host %= r->config.zk.servers;
        e->lasts_ms = draw_length(r);
        e->amount = run_draw(r, 0, 10000);
        aim_bend_event(r, e);
        if (fault_allow(r, run_mix(r->seed, (uint64_t)i), event_text(e->kind),
                        sim_swarm_host(r->swarm, e->host)))
            timer_start(&e->start, sim_loop_port(r->loop), at_ms, event_starts, e);
    }
    for (int i = r->config.hosts; i < r->all_hosts; i++) {
        struct event *e = &r->events[r->events_count++];
        *e = (struct event){.run = r, .kind = EVENT_LATE, .host = i};
        timer_start(&e->start, sim_loop_port(r->loop), run_draw(r, 0, 2 * MINUTE_MS),
                    event_starts, e);
    }
    for (int i = 0; r->config.look_ms > 0 && i < 2; i++) {
        struct event *e = &r->events[r->events_count++];
        *e = (struct event){.run = r,
                            .kind = EVENT_DRIFT,
                            .host = (int)run_draw(r, 0, r->all_hosts - 1),
                            .amount = run_draw(r, 0, 10000)};
        timer_start(&e->start, sim_loop_port(r->loop), run_draw(r, 0, 4 * MINUTE_MS),
                    event_starts, e);
    }
}

/* --- the faulty while and its end */

static void stop_events(struct run *r)
{
    for (int i = 0; i < r->events_count; i++) {
        timer_stop(&r->events[i].end);
        if (r->events[i].kind != EVENT_LATE && r->events[i].kind != EVENT_DRIFT)
            timer_stop(&r->events[i].start);
    }
    for (int i = 0; i < KILLS_MAX; i++) {
        timer_stop(&r->kills[i].start);
        timer_stop(&r->kills[i].end);
    }
}

static void on_heal(void *ctx)
{
    static const int none[MODEL_ZK_FAULT_COUNT] = {0};
    struct run *r = ctx;
    trace(r, "the faults cease, everything is started again");
    r->healed = true;
    stop_events(r);
    model_zk_set_faults(r->mz, none);
    model_zk_set_delays(r->mz, r->config.zk.delay_min_ms, r->config.zk.delay_max_ms);
    model_zk_start(r->mz, -1);
    for (int i = 0; i < r->all_hosts; i++) {
        cut(r, i, false);
        host_up(r, i);
    }
    r->moved = true;
}

static int64_t draw_heal_ms(struct run *r)
{
    switch (run_draw(r, 0, 7)) {
    case 0:
        return 0;
    case 1:
        return run_draw(r, 10 * MINUTE_MS, 40 * MINUTE_MS);
    case 2:
        return run_draw(r, 2 * MINUTE_MS, 10 * MINUTE_MS);
    default:
        return run_draw(r, 10 * SECOND_MS, 2 * MINUTE_MS);
    }
}

void faults_draw(struct run *r)
{
    static const int rates[] = {0, 1000, 5000, 20000, 60000};
    int ppm = rates[run_draw(r, 0, 4)];
    struct model_zk_config *zk = &r->config.zk;
    r->heal_ms = draw_heal_ms(r);
    r->kill_ppm = run_draw(r, 0, 1) ? 0 : (int)run_draw(r, 0, 5000);
    r->moment_ppm = run_draw(r, 0, 1) ? 0 : (int)run_draw(r, 0, 150000);
    r->gate_ppm = run_draw(r, 0, 1) ? 0 : (int)run_draw(r, 0, 20000);
    aim_bend_faults(r);
    if (r->options->rate_ppm >= 0)
        ppm = r->options->rate_ppm;
    if (r->heal_ms == 0)
        ppm = r->kill_ppm = r->moment_ppm = r->gate_ppm = 0;
    for (int i = MODEL_ZK_FAULT_LOST; i < MODEL_ZK_FAULT_COUNT; i++)
        zk->faults_ppm[i] = run_draw(r, 0, 1) ? ppm : 0;
    zk->faults_ppm[MODEL_ZK_FAULT_EXPIRE] /= 4;
    zk->faults_ppm[MODEL_ZK_FAULT_OUTLIVE] /= 4;
    zk->choose_fault = strike_fault;
    zk->on_request = strike_request;
    zk->ctx = r;
    r->config.hooks = (struct sim_swarm_hooks){
        .moment = strike_moment, .connected = on_connected, .ctx = r};
}

void faults_begin(struct run *r)
{
    struct loop *port = sim_loop_port(r->loop);
    arm_events(r);
    timer_start(&r->heal, port, r->heal_ms, on_heal, r);
    timer_start(&r->hand.look, port, MINUTE_MS, operator_looks, r);
    if ((run_draw(r, 0, 11) == 0 || (r->aim.left && r->aim.kind == TXN_LEAVE)) &&
        fault_allow(r, run_mix(r->seed, 999), "abort", "of the rollout"))
        timer_start(&r->abort, port, run_draw(r, 0, MINUTE_MS), on_abort, r);
}

void faults_end(struct run *r)
{
    for (int i = 0; i < r->events_count; i++)
        timer_stop(&r->events[i].start);
    stop_events(r);
    timer_stop(&r->heal);
    timer_stop(&r->abort);
    timer_stop(&r->strike);
    timer_stop(&r->hand.look);
    timer_stop(&r->hand.death);
    operator_dies(r);
}
