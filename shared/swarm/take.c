/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/take.h"

#include "shared/base/cleanup.h"
#include "shared/base/failpoint.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <limits.h>
#include <stdio.h>

static void look(struct take *take);
static void consider(struct take *take);
static void find_predecessor(struct take *take);
static void wait_for_predecessor(struct take *take, int seq);

static bool busy(const struct take *take)
{
    return take->txn.request || take->gate_request || take->permits_request;
}

static void forget_gate(struct take *take)
{
    struct zk *zk = take->txn.swarm->zk;
    zk_cancel(zk, take->gate_request);
    take->gate_request = NULL;
    take->gate_known = false;
    zk_disarm(zk, &take->gate_watch);
}

static void forget_permits(struct take *take)
{
    struct zk *zk = take->txn.swarm->zk;
    zk_cancel(zk, take->permits_request);
    take->permits_request = NULL;
    take->permits_known = false;
    zk_disarm(zk, &take->permits_watch);
}

/* An impatient look found nothing: the ticket before ours decides again. */
static void back_in_line(struct take *take)
{
    take->waits_for = TAKE_PREDECESSOR;
    forget_gate(take);
    forget_permits(take);
    if (take->predecessor_gone)
        find_predecessor(take);
}

static void drop(struct take *take)
{
    struct zk *zk = take->txn.swarm->zk;
    zk_cancel(zk, take->txn.request);
    take->txn.request = NULL;
    forget_gate(take);
    forget_permits(take);
    zk_disarm(zk, &take->predecessor_watch);
    timer_stop(&take->stall);
    timer_stop(&take->window);
}

static void end(struct take *take, enum txn_outcome outcome, const struct error *err)
{
    drop(take);
    txn_end(&take->txn, outcome, err);
}

/* Removed by hand: its owner has to draw another. */
static void end_without_ticket(struct take *take)
{
    take->ticket_gone = true;
    end(take, TXN_RESYNC, NULL);
}

static void end_reply(struct take *take, const char *what, const struct zk_reply *reply)
{
    drop(take);
    txn_end_reply(&take->txn, what, reply);
}

static void on_taken(void *ctx, const struct zk_reply *reply)
{
    struct take *take = ctx;
    take->txn.request = NULL;
    if (reply->result == ZK_OK) {
        FAILPOINT("take:replied");
        take->at->record = take->next;
        if (take->next_op < 0)
            take->at->record.token = reply->ops[2].stat.mzxid;
        else
            take->next_seq = ticket_seq(zpath_leaf(reply->ops[take->next_op].path));
        take->at->version = reply->ops[2].stat.version;
        take->at->mzxid = reply->ops[2].stat.mzxid;
        end(take, TXN_DONE, NULL);
    } else if (txn_guilty(reply, 0, ZK_BAD_VERSION) ||
               txn_guilty(reply, 1, ZK_NODE_EXISTS)) {
        forget_gate(take);
        forget_permits(take);
        if (take->front)
            look(take);
        else
            back_in_line(take);
    } else if (txn_guilty(reply, 2, ZK_BAD_VERSION)) {
        end(take, TXN_RESYNC, NULL);
    } else if (txn_guilty(reply, 3, ZK_NO_NODE)) {
        end_without_ticket(take);
    } else {
        end_reply(take, "take", reply);
    }
}

/* The record once it has that permit. */
static struct record granted(const struct take *take, int permit)
{
    struct record next = take->at->record;
    next.since_ms = loop_wall_ms(take->txn.swarm->loop);
    if (lease_zone(next.lease)) {
        STR_COPY(next.lease, lease_of_all(next.lease).text);
        next.zone_permit = permit;
    } else {
        next.state = HOST_HOLDING;
        next.permit = permit;
        next.token = 0;
        next.attempt++;
    }
    return next;
}

static void send_take(struct take *take, int permit)
{
    struct swarm *swarm = take->txn.swarm;
    take->permit = permit;
    take->waits_for = TAKE_REPLY;
    take->next = granted(take, permit);

    const char *lease = take->at->record.lease;
    struct zpath gate = zpath_gate(swarm->root, swarm->rollout);
    struct zpath slot = zpath_permit(swarm->root, swarm->rollout, lease, permit);
    struct zpath owner =
        zpath_permit_owner(swarm->root, swarm->rollout, lease, permit, swarm->host);
    struct zpath record = zpath_record(swarm->root, swarm->rollout, swarm->host);
    struct zpath ticket = zpath_ticket(swarm->root, swarm->rollout, lease, take->seq);
    struct zpath queue = zpath_queue(swarm->root, swarm->rollout, lease);
    struct zpath on = zpath_queue(swarm->root, swarm->rollout, take->next.lease);
    _cleanup_(freep) char *next_ticket = mem_printf("%s/t-", on.text);
    _cleanup_(freep) char *data = record_encode(&take->next);
    char hint[16];
    snprintf(hint, sizeof(hint), "%d", take->seq);
    struct zk_op ops[7] = {
        op_check(gate.text, take->gate_version),
        op_create(slot.text, swarm->host, ZK_PERSISTENT),
        op_set(record.text, data, take->at->version),
        op_delete(ticket.text, -1),
        op_create(owner.text, "", ZK_PERSISTENT),
        op_set(queue.text, hint, -1),
    };
    int count = 6;
    take->next_op = take->next.state == HOST_HOLDING ? -1 : count;
    if (take->next_op >= 0)
        ops[count++] =
            op_create(next_ticket, swarm->host, ZK_EPHEMERAL | ZK_SEQUENTIAL);
    FAILPOINT("take:send");
    take->txn.request = zk_multi(swarm->zk, ops, count, on_taken, take);
    FAILPOINT("take:sent");
}

static void on_window(void *ctx)
{
    struct take *take = ctx;
    if (!busy(take))
        look(take);
}

/* Everything but the time is right. */
static void take_permit(struct take *take, int permit)
{
    struct swarm *swarm = take->txn.swarm;
    int64_t wait_ms;
    if (swarm_open(swarm, &wait_ms)) {
        send_take(take, permit);
    } else if (take->front) {
        take->waits_for = TAKE_WINDOW;
        timer_start(&take->window, swarm->loop, wait_ms, on_window, take);
    } else {
        back_in_line(take);
    }
}

/* Once gate, permits and the own place are known: wait, or take. */
static void consider(struct take *take)
{
    if (busy(take) || !take->gate_known || !take->permits_known)
        return;
    bool room = take->occupied < gate_limit(&take->gate, take->at->record.lease);
    if (gate_grants(&take->gate) && room)
        take_permit(take, take->lowest_free);
    else if (take->front)
        take->waits_for = gate_grants(&take->gate) ? TAKE_PERMIT : TAKE_GATE;
    else
        back_in_line(take);
}

static void on_gate(void *ctx, const struct zk_reply *reply)
{
    struct take *take = ctx;
    struct error err;
    take->gate_request = NULL;
    if (reply->result != ZK_OK) {
        end_reply(take, "read gate", reply);
        return;
    }
    if (gate_decode(reply->data, reply->data_len, &take->gate, &err) < 0) {
        struct zpath gate = zpath_gate(take->txn.swarm->root, take->txn.swarm->rollout);
        (void)error_context(&err, err.code, "znode '%s'", gate.text);
        end(take, TXN_REFUSED, &err);
        return;
    }
    take->gate_version = reply->stat.version;
    take->gate_known = true;
    consider(take);
}

/* With n occupied some index up to n is free. What is no number is none of them. */
static int lowest_free(const char *const *permits, int count)
{
    _cleanup_(freep) char *taken = mem_array((size_t)count + 1, 1);
    int64_t index;
    int lowest = 0;
    for (int i = 0; i < count; i++)
        if (str_to_int64(permits[i], 0, count, &index) == 0)
            taken[index] = 1;
    while (lowest < count && taken[lowest])
        lowest++;
    return lowest;
}

static void on_permits(void *ctx, const struct zk_reply *reply)
{
    struct take *take = ctx;
    take->permits_request = NULL;
    if (reply->result != ZK_OK) {
        end_reply(take, "list permits", reply);
        return;
    }
    take->occupied = reply->children_count;
    take->lowest_free = lowest_free(reply->children, reply->children_count);
    take->permits_known = true;
    consider(take);
}

/* Reads what is not known of gate and permits; watches: to be told of changes. The gate
 * first: no listing may be older than the gate that it is used with (take.h). */
static void read_both(struct take *take, bool watches)
{
    struct swarm *swarm = take->txn.swarm;
    struct zpath gate = zpath_gate(swarm->root, swarm->rollout);
    struct zpath permits =
        zpath_permits(swarm->root, swarm->rollout, take->at->record.lease);
    if (!take->gate_known && !take->gate_request) {
        forget_gate(take);
        take->gate_request = zk_get(swarm->zk, gate.text,
                                    watches ? &take->gate_watch : NULL, on_gate, take);
    }
    if (!take->permits_known && !take->permits_request) {
        forget_permits(take);
        take->permits_request =
            zk_children(swarm->zk, permits.text, watches ? &take->permits_watch : NULL,
                        on_permits, take);
    }
}

/* Only the front leaves watches (no herd). */
static void look(struct take *take)
{
    read_both(take, take->front);
    consider(take);
}

static void on_gate_moved(void *ctx)
{
    struct take *take = ctx;
    forget_gate(take);
    if (take->front && !take->txn.request)
        look(take);
    else if (!take->front)
        read_both(take, true); /* the hint is still out */
}

/* All that there are were occupied and one was given back. Where there is but one, the
 * front knows which, and need not ask: nobody else takes, and if somebody did, the
 * multi says so. */
static void on_permits_moved(void *ctx)
{
    struct take *take = ctx;
    bool the_one = take->front && take->permits_known && take->gate_known &&
                   take->occupied == 1 && take->lowest_free == 1 &&
                   gate_grants(&take->gate) &&
                   gate_limit(&take->gate, take->at->record.lease) == 1;
    forget_permits(take);
    if (take->txn.request && take->front)
        return; /* a take is out: it says more */
    if (the_one && !busy(take))
        take_permit(take, 0);
    else if (take->front)
        look(take);
    else
        read_both(take, true);
}

static void go_to_front(struct take *take)
{
    zk_disarm(take->txn.swarm->zk, &take->predecessor_watch);
    take->front = true;
    look(take);
}

static void on_tickets(void *ctx, const struct zk_reply *reply)
{
    struct take *take = ctx;
    take->txn.request = NULL;
    if (reply->result != ZK_OK) {
        end_reply(take, "list tickets", reply);
        return;
    }
    int before = -1;
    bool mine = false;
    for (int i = 0; i < reply->children_count; i++) {
        int seq = ticket_seq(reply->children[i]);
        if (seq < take->seq && seq > before)
            before = seq;
        mine = mine || seq == take->seq;
    }
    if (!mine)
        end_without_ticket(take);
    else if (before < 0)
        go_to_front(take);
    else
        wait_for_predecessor(take, before);
}

static void on_hint(void *ctx, const struct zk_reply *reply)
{
    struct take *take = ctx;
    struct swarm *swarm = take->txn.swarm;
    int64_t granted = -1;
    take->txn.request = NULL;
    if (reply->result != ZK_OK) {
        end_reply(take, "read queue", reply);
        return;
    }
    if (str_to_int64(reply->data, 0, INT_MAX, &granted) == 0 &&
        granted >= take->seq - 1) {
        go_to_front(take);
        return;
    }
    forget_gate(take);
    forget_permits(take);
    struct zpath queue =
        zpath_queue(swarm->root, swarm->rollout, take->at->record.lease);
    take->txn.request = zk_children(swarm->zk, queue.text, NULL, on_tickets, take);
}

/* The ticket before ours has gone, most likely because it was granted and we are the
 * front: what the front wants to know is asked along with the hint that says so. */
static void find_predecessor(struct take *take)
{
    struct swarm *swarm = take->txn.swarm;
    struct zpath queue =
        zpath_queue(swarm->root, swarm->rollout, take->at->record.lease);
    take->txn.request = zk_get(swarm->zk, queue.text, NULL, on_hint, take);
    read_both(take, true);
}

static void on_predecessor(void *ctx, const struct zk_reply *reply)
{
    struct take *take = ctx;
    take->txn.request = NULL;
    if (reply->result == ZK_NO_NODE) {
        zk_disarm(take->txn.swarm->zk, &take->predecessor_watch);
        find_predecessor(take);
    } else if (reply->result != ZK_OK) {
        end_reply(take, "watch ticket", reply);
    }
}

static void on_predecessor_gone(void *ctx)
{
    struct take *take = ctx;
    take->predecessor_gone = true;
    if (!busy(take) && !take->front)
        find_predecessor(take);
}

static void wait_for_predecessor(struct take *take, int seq)
{
    struct swarm *swarm = take->txn.swarm;
    take->waits_for = TAKE_PREDECESSOR;
    take->predecessor_gone = false;
    zk_disarm(swarm->zk, &take->predecessor_watch);
    struct zpath ticket =
        zpath_ticket(swarm->root, swarm->rollout, take->at->record.lease, seq);
    take->txn.request = zk_exists(swarm->zk, ticket.text, &take->predecessor_watch,
                                  on_predecessor, take);
}

static void on_stall(void *ctx);

static void arm_stall(struct take *take)
{
    struct loop *loop = take->txn.swarm->loop;
    int64_t spread = loop_random_range(loop, 0, TAKE_STALL_MS);
    timer_start(&take->stall, loop, TAKE_STALL_MS + spread, on_stall, take);
}

static void on_stall(void *ctx)
{
    struct take *take = ctx;
    arm_stall(take);
    if (busy(take))
        return;
    forget_gate(take);
    forget_permits(take);
    look(take);
}

void take_start(struct take *take, struct swarm *swarm, struct record_at *at, int seq,
                txn_done_f done, void *ctx)
{
    *take = (struct take){.at = at, .seq = seq, .permit = -1};
    txn_init(&take->txn, swarm, done, ctx);
    zk_watch_init(&take->predecessor_watch, on_predecessor_gone, take);
    zk_watch_init(&take->gate_watch, on_gate_moved, take);
    zk_watch_init(&take->permits_watch, on_permits_moved, take);
    arm_stall(take);
    if (seq == 0)
        go_to_front(take);
    else
        wait_for_predecessor(take, seq - 1);
}

void take_cancel(struct take *take)
{
    if (!take->txn.swarm)
        return;
    drop(take);
    txn_cancel(&take->txn);
}
