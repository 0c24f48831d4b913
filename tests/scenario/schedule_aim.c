/* schedule_aim.c - one blow that is not left to chance: at a transaction that is rare.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Every other schedule has an aim: one transaction and one blow, drawn from the seed.
 * It is struck the first few times that it is sent, also when all else is healed, and
 * the rollout is bent so that the transaction is likely to come: whom to lose if nobody
 * dies in a visit?
 */
#include "tests/scenario/schedule_internal.h"

static bool is_host_order(enum txn_kind kind)
{
    return kind == TXN_RETRY || kind == TXN_EXCLUDE || kind == TXN_BREAK ||
           kind == TXN_FORCE;
}

static enum host_order_kind order_of(enum txn_kind kind)
{
    if (kind == TXN_RETRY)
        return HOST_RETRY;
    if (kind == TXN_BREAK)
        return HOST_BREAK;
    return kind == TXN_FORCE ? HOST_FORCE_COMPLETE : HOST_EXCLUDE;
}

/* What the transaction needs to happen at all. */
static void bend(struct run *r)
{
    struct sim_swarm_config *config = &r->config;
    enum txn_kind kind = r->aim.kind;
    r->manual = r->manual || kind == TXN_PROMOTE;
    if (kind == TXN_ADOPT) {
        config->adopt = true;
        config->late = config->late ? config->late : 1;
    }
    if (kind == TXN_FAIL || is_host_order(kind)) {
        config->fail_ppm = 400000;
        config->unhealthy_ppm = 500000;
        config->max_failed = 7;
    }
    if (kind == TXN_LOST || kind == TXN_RETURN) {
        config->act_ms = 30000;
        config->restarts = 1;
        config->max_failed = 7;
        config->quiet_ppm = 0;
        r->lost_after_s = 10;
    }
    if (kind == TXN_GIVE_BACK)
        config->quiet_ppm = 0;
    if (kind == TXN_LEAVE) {
        config->act_ms = 30000;
        config->restarts = config->installs = 1;
    }
}

void aim_draw(struct run *r)
{
    const struct schedule_options *o = r->options;
    uint64_t how = run_mix(r->seed + 77, 0);
    if (how % 2 == 0 && o->aim_txn == TXN_READ)
        return;
    r->aim.kind = (enum txn_kind)(run_mix(how, 1) % TXN_OTHER);
    if (r->aim.kind == TXN_DRIFT) /* there is none in schedules */
        r->aim.kind = TXN_CLOSE;
    r->aim.blow = (enum blow)(run_mix(how, 2) % BLOW_COUNT);
    if (o->aim_txn != TXN_READ) {
        r->aim.kind = o->aim_txn;
        r->aim.blow = o->aim_blow;
    }
    r->aim.skip = (int)(run_mix(how, 3) % 2);
    r->aim.left = 1 + (int)(run_mix(how, 4) % 2);
    bend(r);
}

void aim_bend_faults(struct run *r)
{
    enum txn_kind kind = r->aim.kind;
    if (r->aim.left == 0)
        return;
    if (r->heal_ms == 0)
        r->heal_ms = MINUTE_MS;
    if (kind == TXN_LOST || kind == TXN_RETURN) {
        r->heal_ms = 15 * MINUTE_MS;
        r->kill_ppm = 0;
        r->moment_ppm = 200000;
        r->kills_last_ms = 5 * MINUTE_MS;
    }
    if (kind == TXN_TAKEOVER) {
        r->kill_ppm = 5000;
        r->kills_last_ms = SECOND_MS;
    }
}

void aim_bend_event(struct run *r, struct event *event)
{
    if (r->aim.left > 0 && is_host_order(r->aim.kind) && event->amount % 4 > 0) {
        event->kind = EVENT_HOST_ORDER;
        event->amount = order_of(r->aim.kind);
    }
}

bool aim_hits(struct run *r, enum txn_kind kind, enum blow blow)
{
    if (r->aim.left == 0 || r->aim.kind != kind || r->aim.blow != blow)
        return false;
    if (r->aim.skip > 0) {
        r->aim.skip--;
        return false;
    }
    return true;
}
