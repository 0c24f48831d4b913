/* in_force.h - the rollout in force and its plan: where every order begins.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm. Owner: embed struct in_force (zero-initialised is idle).
 *
 * Story. read /current, then the plan of the rollout that it names. Lost connections
 * only delay; the caller's deadline, or the flow's, ends it.
 */
#ifndef CLOWDER_SWARM_IN_FORCE_H
#define CLOWDER_SWARM_IN_FORCE_H

#include "shared/io/flow.h"
#include "shared/swarm/swarm.h"

struct in_force {
    struct zk *zk;
    char root[ZROOT_MAX];
    struct flow flow;
    struct zk_request *io;
    struct current current;
    struct manifest *manifest; /* owned */
};

/* done's result: 0; -ENOENT: there is no root, or no rollout is in force. */
void in_force_read(struct in_force *in_force, struct zk *zk, struct loop *loop,
                   const char *root, flow_done_f done, void *done_ctx);
void in_force_cancel(struct in_force *in_force);
void in_force_done(struct in_force *in_force); /* cancels, frees the manifest */

/* For flows of orders: away -> the step runs again soon, else the flow fails. */
void flow_again_or_fail(struct flow *flow, const char *what,
                        const struct zk_reply *reply);
void flow_fail_decode(struct flow *flow, const char *path, struct error *err);

#endif
