/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/barrier.h"

#include "shared/base/failpoint.h"
#include "shared/base/str.h"

static void look_at_open(struct barrier *barrier);

static void end(struct barrier *barrier, enum txn_outcome outcome,
                const struct error *err)
{
    zk_disarm(barrier->txn.swarm->zk, &barrier->open_watch);
    timer_stop(&barrier->recheck);
    txn_end(&barrier->txn, outcome, err);
}

static void end_reply(struct barrier *barrier, const char *what,
                      const struct zk_reply *reply)
{
    zk_disarm(barrier->txn.swarm->zk, &barrier->open_watch);
    timer_stop(&barrier->recheck);
    txn_end_reply(&barrier->txn, what, reply);
}

static struct zpath open_path(const struct barrier *barrier)
{
    struct swarm *swarm = barrier->txn.swarm;
    return zpath_open(swarm->root, swarm->rollout, barrier->wave, barrier->stage);
}

static void on_recheck(void *ctx)
{
    struct barrier *barrier = ctx;
    if (!barrier->txn.request)
        look_at_open(barrier);
}

static void arm_recheck(struct barrier *barrier)
{
    struct loop *loop = barrier->txn.swarm->loop;
    timer_start(&barrier->recheck, loop, loop_random_range(loop, 60000, 120000),
                on_recheck, barrier);
}

static void on_created(void *ctx, const struct zk_reply *reply)
{
    struct barrier *barrier = ctx;
    barrier->txn.request = NULL;
    if (reply->result == ZK_OK) {
        FAILPOINT("open:replied");
        barrier->opened_it = true;
        end(barrier, TXN_DONE, NULL);
    } else if (reply->result == ZK_NODE_EXISTS) {
        end(barrier, TXN_DONE, NULL);
    } else {
        end_reply(barrier, "open barrier", reply);
    }
}

static void on_count(void *ctx, const struct zk_reply *reply)
{
    struct barrier *barrier = ctx;
    struct swarm *swarm = barrier->txn.swarm;
    barrier->txn.request = NULL;
    if (reply->result != ZK_OK) {
        end_reply(barrier, "count arrivals", reply);
        return;
    }
    barrier->arrived = reply->stat.children_count;
    bool last = reply->stat.pzxid == barrier->arrival_zxid;
    if (barrier->arrived < barrier->size || barrier->manual) {
        arm_recheck(barrier);
    } else if (last || barrier->patient || host_hash(swarm->host) % 64 == 0) {
        struct zpath open = open_path(barrier);
        barrier->creating = true;
        FAILPOINT("open:send");
        barrier->txn.request = zk_create(swarm->zk, open.text, swarm->host, 0,
                                         ZK_PERSISTENT, on_created, barrier);
        FAILPOINT("open:sent");
    } else {
        barrier->patient = true;
        timer_start(&barrier->recheck, swarm->loop,
                    loop_random_range(swarm->loop, 50, 500), on_recheck, barrier);
    }
}

static void look_at_count(struct barrier *barrier)
{
    struct swarm *swarm = barrier->txn.swarm;
    struct zpath arrivals =
        zpath_arrivals(swarm->root, swarm->rollout, barrier->wave, barrier->stage);
    barrier->txn.request = zk_exists(swarm->zk, arrivals.text, NULL, on_count, barrier);
}

static void on_open_read(void *ctx, const struct zk_reply *reply)
{
    struct barrier *barrier = ctx;
    barrier->txn.request = NULL;
    bool counts = barrier->member || barrier->looked;
    barrier->looked = true;
    if (reply->result == ZK_OK)
        end(barrier, TXN_DONE, NULL);
    else if (reply->result != ZK_NO_NODE)
        end_reply(barrier, "look at barrier", reply);
    else if (counts)
        look_at_count(barrier);
    else
        arm_recheck(barrier);
}

static void look_at_open(struct barrier *barrier)
{
    struct zk *zk = barrier->txn.swarm->zk;
    struct zpath open = open_path(barrier);
    zk_disarm(zk, &barrier->open_watch);
    barrier->txn.request =
        zk_exists(zk, open.text, &barrier->open_watch, on_open_read, barrier);
}

/* `open` is only ever created. When this host is creating it, the reply tells. */
static void on_open(void *ctx)
{
    struct barrier *barrier = ctx;
    if (barrier->creating)
        return;
    zk_cancel(barrier->txn.swarm->zk, barrier->txn.request);
    end(barrier, TXN_DONE, NULL);
}

void barrier_start(struct barrier *barrier, struct swarm *swarm, int wave, int size,
                   const char *stage, bool manual, bool member, int64_t arrival_zxid,
                   txn_done_f done, void *ctx)
{
    *barrier = (struct barrier){.wave = wave,
                                .size = size,
                                .manual = manual,
                                .member = member,
                                .arrival_zxid = arrival_zxid};
    txn_init(&barrier->txn, swarm, done, ctx);
    zk_watch_init(&barrier->open_watch, on_open, barrier);
    STR_COPY(barrier->stage, stage);
    look_at_open(barrier);
}

void barrier_cancel(struct barrier *barrier)
{
    if (!barrier->txn.swarm)
        return;
    zk_disarm(barrier->txn.swarm->zk, &barrier->open_watch);
    timer_stop(&barrier->recheck);
    txn_cancel(&barrier->txn);
}

/* ---- offering ---- */

static void offer_next(struct barrier_offer *offer, bool open);
static void offer_look(struct barrier_offer *offer);

static const char *offer_stage(const struct barrier_offer *offer)
{
    return offer->manifest->spec->stages[offer->stage].name;
}

static void on_offer_created(void *ctx, const struct zk_reply *reply)
{
    struct barrier_offer *offer = ctx;
    offer->txn.request = NULL;
    if (reply->result == ZK_OK || reply->result == ZK_NODE_EXISTS)
        offer_next(offer, true);
    else
        txn_end_reply(&offer->txn, "open barrier", reply);
}

static void on_offer_count(void *ctx, const struct zk_reply *reply)
{
    struct barrier_offer *offer = ctx;
    struct swarm *swarm = offer->txn.swarm;
    offer->txn.request = NULL;
    if (reply->result != ZK_OK) {
        txn_end_reply(&offer->txn, "count arrivals", reply);
    } else if (reply->stat.children_count < offer->manifest->waves[offer->wave].size ||
               manifest_manual(offer->manifest, offer->wave, offer->stage)) {
        offer_next(offer, false);
    } else {
        struct zpath open =
            zpath_open(swarm->root, swarm->rollout, offer->wave, offer_stage(offer));
        FAILPOINT("open:send");
        offer->txn.request = zk_create(swarm->zk, open.text, swarm->host, 0,
                                       ZK_PERSISTENT, on_offer_created, offer);
        FAILPOINT("open:sent");
    }
}

static void on_offer_open(void *ctx, const struct zk_reply *reply)
{
    struct barrier_offer *offer = ctx;
    struct swarm *swarm = offer->txn.swarm;
    offer->txn.request = NULL;
    if (reply->result == ZK_OK) {
        offer_next(offer, true);
    } else if (reply->result != ZK_NO_NODE) {
        txn_end_reply(&offer->txn, "look at barrier", reply);
    } else {
        struct zpath arrivals = zpath_arrivals(swarm->root, swarm->rollout, offer->wave,
                                               offer_stage(offer));
        offer->txn.request =
            zk_exists(swarm->zk, arrivals.text, NULL, on_offer_count, offer);
    }
}

static void offer_look(struct barrier_offer *offer)
{
    struct swarm *swarm = offer->txn.swarm;
    struct zpath open =
        zpath_open(swarm->root, swarm->rollout, offer->wave, offer_stage(offer));
    offer->txn.request = zk_exists(swarm->zk, open.text, NULL, on_offer_open, offer);
}

static void offer_next(struct barrier_offer *offer, bool open)
{
    offer->last_open = open;
    if (++offer->stage < offer->manifest->spec->stages_count)
        offer_look(offer);
    else
        txn_end(&offer->txn, TXN_DONE, NULL);
}

void barrier_offer_start(struct barrier_offer *offer, struct swarm *swarm,
                         const struct manifest *manifest, int wave, int from,
                         txn_done_f done, void *ctx)
{
    txn_init(&offer->txn, swarm, done, ctx);
    offer->manifest = manifest;
    offer->wave = wave;
    offer->stage = from;
    offer->last_open = false;
    offer_look(offer);
}

void barrier_offer_cancel(struct barrier_offer *offer)
{
    txn_cancel(&offer->txn);
}
