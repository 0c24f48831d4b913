/* promote.h - Promote: an operator opens the barrier at the end of a wave.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm. Owner: embed struct promote (zero-initialised is idle).
 *
 * Where the spec says waves.promote: manual, nobody else opens the last barrier of a
 * wave (but of the last one): the next wave begins with this order. The gate, the
 * arrivals and the barrier are read, then
 *
 *   multi[ check(gate, gv), create(barriers/w.s/open, who), create(events/e-) ]
 *
 * Refused while members are missing: who should not be waited for is excluded by name.
 * Arrivals are never taken back, so those that were counted are still there (I6).
 *
 * Crash points: none between; a lost reply is settled by `open`, which exists or not.
 */
#ifndef CLOWDER_SWARM_PROMOTE_H
#define CLOWDER_SWARM_PROMOTE_H

#include "shared/swarm/in_force.h"

struct promote_request {
    char wave[NAME_SIZE];
    char who[WHO_SIZE];
    char why[REASON_SIZE];
    int64_t at_ms;
};

struct promote {
    struct promote_request request;
    struct zk *zk;
    struct loop *loop;
    char root[ZROOT_MAX];
    struct flow flow;
    struct in_force in_force;
    struct zk_request *io;
    int wave;
    char stage[NAME_SIZE];
    int32_t gate_version;
    int arrived;
    bool unsure;
    bool changed; /* after success; false: it was open before */
};

/* done's result: 0; -ENOENT: no rollout is in force, -EINVAL: no such wave; -EPERM: not
 * now; err says why and what would help. */
void promote_start(struct promote *promote, struct zk *zk, struct loop *loop,
                   const char *root, const struct promote_request *request,
                   flow_done_f done, void *done_ctx);
void promote_done(struct promote *promote); /* drops what is under way */

#endif
