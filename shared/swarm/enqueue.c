/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/enqueue.h"

#include "shared/base/cleanup.h"
#include "shared/base/failpoint.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <stdlib.h>

static void send_enqueue(struct enqueue *enqueue);

static void on_zone_made(void *ctx, const struct zk_reply *reply)
{
    struct enqueue *enqueue = ctx;
    enqueue->txn.request = NULL;
    if (reply->result == ZK_OK || reply->result == ZK_NODE_EXISTS)
        send_enqueue(enqueue);
    else
        txn_end_reply(&enqueue->txn, "make the lease of a zone", reply);
}

static void make_zone(struct enqueue *enqueue)
{
    const struct swarm *swarm = enqueue->txn.swarm;
    const char *root = swarm->root, *id = swarm->rollout, *lease = enqueue->next.lease;
    struct zpath dir = zpath_lease(root, id, lease);
    struct zpath queue = zpath_queue(root, id, lease);
    struct zpath permits = zpath_permits(root, id, lease);
    struct zk_op ops[] = {
        op_create(dir.text, "", ZK_PERSISTENT),
        op_create(queue.text, "", ZK_PERSISTENT),
        op_create(permits.text, "", ZK_PERSISTENT),
    };
    enqueue->made_zone = true;
    enqueue->txn.request = zk_multi(swarm->zk, ops, 3, on_zone_made, enqueue);
}

static void on_enqueued(void *ctx, const struct zk_reply *reply)
{
    struct enqueue *enqueue = ctx;
    enqueue->txn.request = NULL;
    if (reply->result == ZK_OK) {
        FAILPOINT("enqueue:replied");
        enqueue->at->record = enqueue->next;
        enqueue->at->version = reply->ops[0].stat.version;
        enqueue->at->mzxid = reply->ops[0].stat.mzxid;
        enqueue->seq = ticket_seq(zpath_leaf(reply->ops[1].path));
        txn_end(&enqueue->txn, TXN_DONE, NULL);
    } else if (txn_guilty(reply, 0, ZK_BAD_VERSION)) {
        txn_end(&enqueue->txn, TXN_RESYNC, NULL);
    } else if (txn_guilty(reply, 1, ZK_NO_NODE) && !enqueue->made_zone &&
               lease_zone(enqueue->next.lease)) {
        make_zone(enqueue);
    } else {
        txn_end_reply(&enqueue->txn, "enqueue", reply);
    }
}

void enqueue_start(struct enqueue *enqueue, struct swarm *swarm, struct record_at *at,
                   const char *stage, const char *lease, txn_done_f done, void *ctx)
{
    txn_init(&enqueue->txn, swarm, done, ctx);
    enqueue->at = at;
    enqueue->seq = -1;
    enqueue->made_zone = false;
    enqueue->next = at->record;
    enqueue->next.state = HOST_WAITING;
    enqueue->next.since_ms = loop_wall_ms(swarm->loop);
    STR_COPY(enqueue->next.stage, stage);
    STR_COPY(enqueue->next.lease, lease);
    send_enqueue(enqueue);
}

static void send_enqueue(struct enqueue *enqueue)
{
    struct swarm *swarm = enqueue->txn.swarm;
    struct zpath record = zpath_record(swarm->root, swarm->rollout, swarm->host);
    struct zpath queue = zpath_queue(swarm->root, swarm->rollout, enqueue->next.lease);
    _cleanup_(freep) char *ticket = mem_printf("%s/t-", queue.text);
    _cleanup_(freep) char *data = record_encode(&enqueue->next);
    struct zk_op ops[] = {
        op_set(record.text, data, enqueue->at->version),
        op_create(ticket, swarm->host, ZK_EPHEMERAL | ZK_SEQUENTIAL),
    };
    FAILPOINT("enqueue:send");
    enqueue->txn.request = zk_multi(swarm->zk, ops, 2, on_enqueued, enqueue);
    FAILPOINT("enqueue:sent");
}

void enqueue_cancel(struct enqueue *enqueue)
{
    txn_cancel(&enqueue->txn);
}

static void send_leave(struct leave *leave);

static void on_left(void *ctx, const struct zk_reply *reply)
{
    struct leave *leave = ctx;
    leave->txn.request = NULL;
    if (reply->result == ZK_OK) {
        FAILPOINT("leave:replied");
        leave->at->record = leave->next;
        leave->at->version = reply->ops[0].stat.version;
        leave->at->mzxid = reply->ops[0].stat.mzxid;
        txn_end(&leave->txn, TXN_DONE, NULL);
    } else if (txn_guilty(reply, 0, ZK_BAD_VERSION)) {
        txn_end(&leave->txn, TXN_RESYNC, NULL);
    } else if (leave->seq >= 0 && txn_guilty(reply, 1, ZK_NO_NODE)) {
        leave->seq = -1;
        send_leave(leave);
    } else if (reply->result == ZK_NO_NODE && reply->failed_op > 0) {
        txn_end_permit_gone(&leave->txn, &leave->at->record, true);
    } else {
        txn_end_reply(&leave->txn, "leave the queue", reply);
    }
}

static void send_leave(struct leave *leave)
{
    struct swarm *swarm = leave->txn.swarm;
    struct zpath record = zpath_record(swarm->root, swarm->rollout, swarm->host);
    struct zpath ticket =
        zpath_ticket(swarm->root, swarm->rollout, leave->lease, leave->seq);
    _cleanup_(freep) char *data = record_encode(&leave->next);
    struct zpath zone_permit = swarm_zone_permit(swarm, &leave->at->record);
    struct zpath zone_owner = swarm_zone_owner(swarm, &leave->at->record);
    struct zk_op ops[4] = {op_set(record.text, data, leave->at->version)};
    int count = 1;
    if (leave->seq >= 0)
        ops[count++] = op_delete(ticket.text, -1);
    if (leave->at->record.zone_permit >= 0) {
        ops[count++] = op_delete(zone_owner.text, -1);
        ops[count++] = op_delete(zone_permit.text, -1);
    }
    FAILPOINT("leave:send");
    leave->txn.request = zk_multi(swarm->zk, ops, count, on_left, leave);
    FAILPOINT("leave:sent");
}

void leave_start(struct leave *leave, struct swarm *swarm, struct record_at *at,
                 int seq, txn_done_f done, void *ctx)
{
    txn_init(&leave->txn, swarm, done, ctx);
    leave->at = at;
    leave->seq = seq;
    leave->next = at->record;
    STR_COPY(leave->lease, at->record.lease);
    leave->next.state = HOST_IDLE;
    leave->next.lease[0] = '\0';
    leave->next.zone_permit = -1;
    leave->next.since_ms = loop_wall_ms(swarm->loop);
    send_leave(leave);
}

void leave_cancel(struct leave *leave)
{
    txn_cancel(&leave->txn);
}

static int compare_seq(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

static void find_end(struct ticket_find *find, int seq)
{
    free(find->seqs);
    find->seqs = NULL;
    find->seq = seq;
    txn_end(&find->txn, TXN_DONE, NULL);
}

static void on_probed(void *ctx, const struct zk_reply *reply);

static void probe_middle(struct ticket_find *find)
{
    struct swarm *swarm = find->txn.swarm;
    if (find->low > find->high) {
        find_end(find, -1);
        return;
    }
    find->middle = find->low + (find->high - find->low) / 2;
    struct zpath ticket = zpath_ticket(
        swarm->root, swarm->rollout, find->at->record.lease, find->seqs[find->middle]);
    find->txn.request = zk_exists(swarm->zk, ticket.text, NULL, on_probed, find);
}

static void on_probed(void *ctx, const struct zk_reply *reply)
{
    struct ticket_find *find = ctx;
    find->txn.request = NULL;
    if (reply->result == ZK_NO_NODE) {
        /* Granted or expired since the listing: it says nothing about the order, but it
         * cannot be ours (ours lives while this session does), so drop just this one.
         */
        for (int i = find->middle; i < find->high; i++)
            find->seqs[i] = find->seqs[i + 1];
        find->high--;
        probe_middle(find);
    } else if (reply->result != ZK_OK) {
        free(find->seqs);
        find->seqs = NULL;
        txn_end_reply(&find->txn, "find ticket", reply);
    } else if (reply->stat.czxid == find->at->mzxid) {
        bool mine = find->anyones ||
                    reply->stat.ephemeral_owner == find->txn.swarm->zk->session_id;
        find_end(find, mine ? find->seqs[find->middle] : -1);
    } else {
        if (reply->stat.czxid < find->at->mzxid)
            find->low = find->middle + 1;
        else
            find->high = find->middle - 1;
        probe_middle(find);
    }
}

static void on_listed(void *ctx, const struct zk_reply *reply)
{
    struct ticket_find *find = ctx;
    find->txn.request = NULL;
    if (reply->result != ZK_OK) {
        txn_end_reply(&find->txn, "list tickets", reply);
        return;
    }
    find->seqs = mem_array((size_t)reply->children_count + 1, sizeof(*find->seqs));
    int count = 0;
    for (int i = 0; i < reply->children_count; i++) {
        int seq = ticket_seq(reply->children[i]);
        if (seq >= 0)
            find->seqs[count++] = seq;
    }
    qsort(find->seqs, (size_t)count, sizeof(*find->seqs), compare_seq);
    find->low = 0;
    find->high = count - 1;
    probe_middle(find);
}

static void start_find(struct ticket_find *find, struct swarm *swarm,
                       const struct record_at *at, txn_done_f done, void *ctx)
{
    txn_init(&find->txn, swarm, done, ctx);
    find->at = at;
    find->seqs = NULL;
    find->seq = -1;
    struct zpath queue = zpath_queue(swarm->root, swarm->rollout, at->record.lease);
    find->txn.request = zk_children(swarm->zk, queue.text, NULL, on_listed, find);
}

void ticket_find_start(struct ticket_find *find, struct swarm *swarm,
                       const struct record_at *at, txn_done_f done, void *ctx)
{
    find->anyones = false;
    start_find(find, swarm, at, done, ctx);
}

void ticket_find_anyones(struct ticket_find *find, struct swarm *swarm,
                         const struct record_at *at, txn_done_f done, void *ctx)
{
    find->anyones = true;
    start_find(find, swarm, at, done, ctx);
}

void ticket_find_cancel(struct ticket_find *find)
{
    txn_cancel(&find->txn);
    free(find->seqs);
    find->seqs = NULL;
}
