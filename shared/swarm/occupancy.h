/* occupancy.h - is any permit of a rollout occupied?
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm. A rollout ends only when none is (PROTOCOL.md 2).
 *
 * exists(permits) of each lease of the gate, one after the other, up to the first that
 * is not empty; where a lease is limited per zone the leases are listed, and those of
 * zones counted likewise: which zones there are only ZooKeeper knows. That is one
 * request per zone, and only of a rollout that is about to end.
 */
#ifndef CLOWDER_SWARM_OCCUPANCY_H
#define CLOWDER_SWARM_OCCUPANCY_H

#include "shared/io/zk.h"
#include "shared/model/gate.h"
#include "shared/model/strings.h"

struct occupancy {
    struct zk *zk;
    const char *root, *rollout; /* borrowed, as is the gate */
    const struct gate *gate;
    struct zk_request *request;
    struct strings zones; /* leases of one zone, once they were listed */
    bool listed;
    int next;
    void (*done)(void *ctx, const struct zk_reply *failed);
    void *ctx;
    /* after success; count 0: every permit is free */
    char lease[LEASE_SIZE];
    int count;
};
/* done: failed is NULL on success, else the reply that was neither here nor there. */
void occupancy_look(struct occupancy *occupancy, struct zk *zk, const char *root,
                    const char *rollout, const struct gate *gate,
                    void (*done)(void *ctx, const struct zk_reply *failed), void *ctx);
void occupancy_cancel(struct occupancy *occupancy);

#endif
