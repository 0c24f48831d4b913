/* schedule_operator.c - an operator who now and then looks, and does what is to be
 * done.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * He uses the transactions of the command-line program, over a client that suffers the
 * same faults as any other, and may die in the middle of an order. What he does at a
 * look depends on the seed and the number of the look only.
 */
#include "tests/scenario/schedule_internal.h"

#include "shared/base/str.h"

#include <stdio.h>

static bool begin(struct run *r)
{
    struct operator_hand *hand = &r->hand;
    if (hand->busy != ORDERS_NOTHING)
        return false;
    if (!hand->zk) {
        hand->zk = model_zk_connect(r->mz, "ops", NULL);
        if (r->mutant)
            mutant_zk_infect(r->mutant, hand->zk);
    }
    hand->orders++; /* each at another instant, which tells them apart */
    return true;
}

static int64_t instant(struct run *r)
{
    return loop_wall_ms(sim_loop_port(r->loop)) + r->hand.orders;
}

static void drop(struct operator_hand *hand)
{
    switch (hand->busy) {
    case ORDERS_NOTHING:
        break;
    case ORDERS_ROLLOUT:
        order_cancel(&hand->order);
        break;
    case ORDERS_HOST:
        host_order_done(&hand->host_order);
        break;
    case ORDERS_PROMOTION:
        promote_done(&hand->promote);
        break;
    }
    hand->busy = ORDERS_NOTHING;
}

static void on_ordered(void *ctx, int result, const struct error *err)
{
    struct run *r = ctx;
    trace(r, "operator: %s", result < 0 ? err->text : "ordered");
    drop(&r->hand);
    r->moved = true;
}

static void order(struct run *r, struct order_request request)
{
    if (!begin(r))
        return;
    STR_COPY(request.who, "ops@test");
    STR_COPY(request.why, "by the schedule");
    request.at_ms = instant(r);
    trace(r, "operator orders %s %s%s %d", order_kind_text(request.kind), request.lease,
          request.each_zone ? " in each zone" : "", request.permits);
    r->hand.busy = ORDERS_ROLLOUT;
    order_start(&r->hand.order, r->hand.zk, sim_loop_port(r->loop), "/clowder",
                &request, on_ordered, r);
}

void operator_order(struct run *r, enum order_kind kind)
{
    order(r, (struct order_request){.kind = kind});
}

/* Of all hosts, of each zone, or of one. */
void operator_sets_limit(struct run *r, uint64_t how, int permits)
{
    struct order_request request = {.kind = ORDER_SET_LIMIT, .permits = permits};
    bool zoned = r->config.zone_restarts > 0 && how % 4 >= 2;
    STR_COPY(request.lease, how % 2 || zoned ? "restart" : "install");
    request.each_zone = zoned && how % 2;
    if (zoned && !request.each_zone)
        STR_COPY(request.lease, r->config.zones ? "restart.zone-0" : "restart._");
    order(r, request);
}

void operator_order_host(struct run *r, enum host_order_kind kind, int host)
{
    struct host_order_request request = {.kind = kind};
    if (!begin(r))
        return;
    STR_COPY(request.host, sim_swarm_host(r->swarm, host));
    STR_COPY(request.who, "ops@test");
    STR_COPY(request.why, "by the schedule");
    STR_COPY(request.step, r->hand.orders % 2 ? "cni" : "docker-cluster-store");
    request.at_ms = instant(r);
    trace(r, "operator orders %s %s", host_order_text(kind), request.host);
    r->hand.busy = ORDERS_HOST;
    host_order_start(&r->hand.host_order, r->hand.zk, sim_loop_port(r->loop),
                     "/clowder", &request, on_ordered, r);
}

static void promote(struct run *r, int wave)
{
    struct promote_request request = {0};
    if (!begin(r))
        return;
    if (wave == 0)
        STR_COPY(request.wave, r->config.canary > 0 ? "canary" : "rest");
    else if (r->config.canary > 0 ? wave == 1 : wave == 0)
        STR_COPY(request.wave, "rest");
    else
        snprintf(request.wave, sizeof(request.wave), "rest-%d",
                 wave - (r->config.canary > 0));
    STR_COPY(request.who, "ops@test");
    STR_COPY(request.why, "by the schedule");
    request.at_ms = instant(r);
    trace(r, "operator promotes %s", request.wave);
    r->hand.busy = ORDERS_PROMOTION;
    promote_start(&r->hand.promote, r->hand.zk, sim_loop_port(r->loop), "/clowder",
                  &request, on_ordered, r);
}

void operator_dies(struct run *r)
{
    drop(&r->hand);
    if (r->hand.zk)
        model_zk_crash(r->hand.zk);
    r->hand.zk = NULL;
}

/* A failed host that keeps its permit holds up the others until somebody decides;
 * others are helped while things go wrong only, so that there is an end. */
static bool help(struct run *r, enum gate_phase phase, uint64_t how)
{
    for (int k = 0; k < r->all_hosts; k++) {
        int host = (int)((how + (uint64_t)k) % (uint64_t)r->all_hosts);
        if (!sim_swarm_has_record(r->swarm, host))
            continue;
        struct record record = sim_swarm_record(r->swarm, host);
        bool holds = record.state == HOST_FAILED && record.permit >= 0;
        bool lost = record.state == HOST_LOST && !r->healed && how % 4 == 0;
        bool failed = record.state == HOST_FAILED && !r->healed && how % 4 == 1;
        if (lost || (holds && (how % 2 || phase == GATE_ABORT))) {
            operator_order_host(r, HOST_BREAK, host);
            return true;
        }
        if (holds || failed) {
            bool forces = how % 3 == 0 || (r->aim.left > 0 && r->aim.kind == TXN_FORCE);
            operator_order_host(r, forces ? HOST_FORCE_COMPLETE : HOST_RETRY, host);
            return true;
        }
    }
    return false;
}

void operator_looks(void *ctx)
{
    struct run *r = ctx;
    enum gate_phase phase = sim_swarm_gate(r->swarm).phase;
    int64_t number = r->hand.looks++;
    uint64_t how = run_mix(r->seed + 31, (uint64_t)number);
    bool resumes = phase == GATE_PAUSE && (r->healed || how % 2);
    timer_start(&r->hand.look, sim_loop_port(r->loop), MINUTE_MS, operator_looks, r);
    if (number % 2 && help(r, phase, how >> 8))
        return;
    if (resumes)
        operator_order(r, ORDER_RESUME);
    else if (r->manual)
        promote(r, (int)(number / 2 % 4));
}
