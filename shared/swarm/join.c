/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/join.h"

#include "shared/base/cleanup.h"
#include "shared/base/failpoint.h"
#include "shared/base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void create_live(struct join *join);
static void write_inventory(struct join *join);

static void end(struct join *join, enum txn_outcome outcome, const struct error *err)
{
    free(take_ptr(join->facts));
    free(take_ptr(join->live));
    txn_end(&join->txn, outcome, err);
}

static void end_reply(struct join *join, const char *what, const struct zk_reply *reply)
{
    free(take_ptr(join->facts));
    free(take_ptr(join->live));
    txn_end_reply(&join->txn, what, reply);
}

static void on_taken_over(void *ctx, const struct zk_reply *reply)
{
    struct join *join = ctx;
    join->txn.request = NULL;
    if (reply->result == ZK_OK)
        write_inventory(join);
    else if (reply->result == ZK_NO_NODE || reply->result == ZK_BAD_VERSION)
        create_live(join); /* the old session just ended */
    else
        end_reply(join, "take over the sign of life", reply);
}

static void on_other_live(void *ctx, const struct zk_reply *reply)
{
    struct join *join = ctx;
    struct swarm *swarm = join->txn.swarm;
    struct live other;
    struct error err;
    join->txn.request = NULL;
    if (reply->result == ZK_NO_NODE) {
        create_live(join);
        return;
    }
    if (reply->result != ZK_OK) {
        end_reply(join, "read the sign of life", reply);
        return;
    }
    if (reply->stat.ephemeral_owner == swarm->zk->session_id) {
        write_inventory(join);
        return;
    }
    struct zpath path = zpath_live(swarm->root, swarm->host);
    if (live_decode(reply->data, reply->data_len, &other, &err) < 0) {
        (void)error_context(&err, err.code, "znode '%s'", path.text);
        end(join, TXN_REFUSED, &err);
        return;
    }
    if (!str_equal(other.machine_id, join->machine_id)) {
        error_set(
            &err, -EEXIST,
            "host id '%s' is in use by another machine (machine id '%s', this one "
            "is '%s'): give each host its own id with \"host\" in agentd.json, or "
            "a machine-id of its own if it was cloned",
            swarm->host, other.machine_id, join->machine_id);
        end(join, TXN_REFUSED, &err);
        return;
    }
    struct zk_op ops[] = {
        op_delete(path.text, reply->stat.version),
        op_create(path.text, join->live, ZK_EPHEMERAL),
    };
    join->txn.request = zk_multi(swarm->zk, ops, 2, on_taken_over, join);
}

static void on_live(void *ctx, const struct zk_reply *reply)
{
    struct join *join = ctx;
    struct swarm *swarm = join->txn.swarm;
    join->txn.request = NULL;
    if (reply->result == ZK_OK) {
        FAILPOINT("join:replied");
        write_inventory(join);
    } else if (reply->result == ZK_NODE_EXISTS) {
        struct zpath path = zpath_live(swarm->root, swarm->host);
        join->txn.request = zk_get(swarm->zk, path.text, NULL, on_other_live, join);
    } else if (reply->result == ZK_NO_NODE) {
        struct error err;
        error_set(&err, -ENOENT,
                  "znode '%s' is missing: run `clowder init` once for this cluster",
                  swarm->root);
        end(join, TXN_REFUSED, &err);
    } else {
        end_reply(join, "create the sign of life", reply);
    }
}

static void create_live(struct join *join)
{
    struct swarm *swarm = join->txn.swarm;
    struct zpath path = zpath_live(swarm->root, swarm->host);
    FAILPOINT("join:send");
    join->txn.request = zk_create(swarm->zk, path.text, join->live, strlen(join->live),
                                  ZK_EPHEMERAL, on_live, join);
    FAILPOINT("join:sent");
}

static void on_inventory_set(void *ctx, const struct zk_reply *reply)
{
    struct join *join = ctx;
    join->txn.request = NULL;
    if (reply->result == ZK_OK)
        end(join, TXN_DONE, NULL);
    else
        end_reply(join, "write the inventory", reply);
}

static void on_inventory_read(void *ctx, const struct zk_reply *reply)
{
    struct join *join = ctx;
    struct swarm *swarm = join->txn.swarm;
    join->txn.request = NULL;
    if (reply->result != ZK_OK) {
        end_reply(join, "read the inventory", reply);
    } else if (reply->data_len == strlen(join->facts) &&
               memcmp(reply->data, join->facts, reply->data_len) == 0) {
        end(join, TXN_DONE, NULL);
    } else {
        struct zpath path = zpath_host(swarm->root, swarm->host);
        join->txn.request = zk_set(swarm->zk, path.text, join->facts,
                                   strlen(join->facts), -1, on_inventory_set, join);
    }
}

static void on_inventory_created(void *ctx, const struct zk_reply *reply)
{
    struct join *join = ctx;
    struct swarm *swarm = join->txn.swarm;
    struct zpath path = zpath_host(swarm->root, swarm->host);
    join->txn.request = NULL;
    if (reply->result == ZK_OK) {
        FAILPOINT("inventory:replied");
        end(join, TXN_DONE, NULL);
    } else if (reply->result == ZK_NODE_EXISTS && !join->probed) {
        end(join, TXN_DONE, NULL);
    } else if (reply->result == ZK_NODE_EXISTS) {
        join->txn.request = zk_get(swarm->zk, path.text, NULL, on_inventory_read, join);
    } else {
        end_reply(join, "create the inventory", reply);
    }
}

static void write_inventory(struct join *join)
{
    struct swarm *swarm = join->txn.swarm;
    struct zpath path = zpath_host(swarm->root, swarm->host);
    FAILPOINT("inventory:send");
    join->txn.request =
        zk_create(swarm->zk, path.text, join->facts, strlen(join->facts), ZK_PERSISTENT,
                  on_inventory_created, join);
    FAILPOINT("inventory:sent");
}

void join_start(struct join *join, struct swarm *swarm, const struct facts *facts,
                const struct live *live, txn_done_f done, void *ctx)
{
    txn_init(&join->txn, swarm, done, ctx);
    join->facts = facts_encode(facts);
    join->live = live_encode(live);
    STR_COPY(join->machine_id, live->machine_id);
    join->probed = facts->seen_ms > 0;
    create_live(join);
}

void join_cancel(struct join *join)
{
    txn_cancel(&join->txn);
    free(take_ptr(join->facts));
    free(take_ptr(join->live));
}
