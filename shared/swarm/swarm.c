/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/swarm.h"

#include <errno.h>
#include <string.h>

bool swarm_open(const struct swarm *swarm, int64_t *ret_wait_ms)
{
    const struct swarm_hours *hours = &swarm->hours;
    *ret_wait_ms = 0;
    return !hours->open || hours->open(hours->ctx, ret_wait_ms);
}

void txn_init(struct txn *txn, struct swarm *swarm, txn_done_f done, void *ctx)
{
    *txn = (struct txn){.swarm = swarm, .done = done, .ctx = ctx};
}

void txn_cancel(struct txn *txn)
{
    if (txn->swarm)
        zk_cancel(txn->swarm->zk, txn->request);
    txn->request = NULL;
    txn->done = NULL;
}

void txn_end(struct txn *txn, enum txn_outcome outcome, const struct error *err)
{
    static const struct error none = {0};
    txn_done_f done = txn->done;
    txn->request = NULL;
    txn->done = NULL;
    if (done)
        done(txn->ctx, outcome, err ? err : &none);
}

void txn_end_reply(struct txn *txn, const char *what, const struct zk_reply *reply)
{
    struct error err = {0};
    (void)zk_error(reply->result, what, &err);
    bool away = reply->result == ZK_AMBIGUOUS || reply->result == ZK_NOT_CONNECTED;
    txn_end(txn, away ? TXN_RESYNC : TXN_REFUSED, &err);
}

void txn_end_permit_gone(struct txn *txn, const struct record *held, bool zone)
{
    struct swarm *swarm = txn->swarm;
    struct zpath owner =
        zone ? swarm_zone_owner(swarm, held)
             : zpath_permit_owner(swarm->root, swarm->rollout, held->lease,
                                  held->permit, swarm->host);
    struct error err;
    error_set(&err, -EBADMSG,
              "`clowder break %s` once the host is well: it holds a permit, but znode "
              "'%s' is gone (removed by hand, or never made by an older agentd), so "
              "nothing more is done under it",
              swarm->host, owner.text);
    txn_end(txn, TXN_REFUSED, &err);
}

bool txn_guilty(const struct zk_reply *reply, int index, enum zk_result result)
{
    return reply->result == result && reply->failed_op == index;
}

struct zpath swarm_zone_permit(const struct swarm *swarm, const struct record *held)
{
    return zpath_permit(swarm->root, swarm->rollout, record_zone_lease(held).text,
                        held->zone_permit);
}

struct zpath swarm_zone_owner(const struct swarm *swarm, const struct record *held)
{
    return zpath_permit_owner(swarm->root, swarm->rollout, record_zone_lease(held).text,
                              held->zone_permit, swarm->host);
}

struct zk_op op_create(const char *path, const char *data, int flags)
{
    return (struct zk_op){.kind = ZK_OP_CREATE,
                          .path = path,
                          .data = data,
                          .data_len = data ? strlen(data) : 0,
                          .flags = flags};
}

struct zk_op op_set(const char *path, const char *data, int32_t version)
{
    return (struct zk_op){.kind = ZK_OP_SET,
                          .path = path,
                          .data = data,
                          .data_len = data ? strlen(data) : 0,
                          .version = version};
}

struct zk_op op_delete(const char *path, int32_t version)
{
    return (struct zk_op){.kind = ZK_OP_DELETE, .path = path, .version = version};
}

struct zk_op op_check(const char *path, int32_t version)
{
    return (struct zk_op){.kind = ZK_OP_CHECK, .path = path, .version = version};
}
