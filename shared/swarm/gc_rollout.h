/* gc_rollout.h - one rollout is removed: the order of it stands in gc.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm. Owner: embed struct gc_removal (zero-initialised is idle).
 *
 * One round: look at /current and the gate; list the tree; mark; delete; delete the
 * gate with the root. Whatever comes between begins the next round, which asks
 * everything anew. A rollout that came into force, or whose gate is not done, is left
 * alone.
 */
#ifndef CLOWDER_SWARM_GC_ROLLOUT_H
#define CLOWDER_SWARM_GC_ROLLOUT_H

#include "shared/swarm/gc.h"

struct gc_node { /* of the tree below the rollout, without its gate */
    int parent;  /* index; the root is 0 */
    int name;    /* offset in names */
};

struct gc_removal {
    struct zk *zk;
    struct loop *loop;
    char root[ZROOT_MAX];
    char rollout[ROLLOUT_ID_SIZE];
    char by[WHO_SIZE];
    struct flow flow;
    flow_done_f done;
    void *done_ctx;
    struct zk_request *io;
    struct batch batch;

    int32_t current_version, gate_version; /* -1: it has no gate */
    struct gate gate;
    struct gc_node *nodes; /* parents before children */
    int nodes_count, nodes_size;
    struct strbuf names;
    int listed;              /* nodes below this index were asked, or are leaves */
    int *asked, asked_count; /* those that are being asked */
    int round;
    bool deep;  /* ask every znode for children: the tree is not as usual */
    bool again; /* this round did not end it */

    /* After success. */
    bool gone;
    char left[160]; /* why it was left alone, when it was */
    int removed;    /* znodes, by this run */
};

/* done's result: 0 (gone, or left says why not), or what ZooKeeper refused. */
void gc_rollout_start(struct gc_removal *removal, const struct gc *gc,
                      const char *rollout, const char *by, flow_done_f done,
                      void *done_ctx);
void gc_rollout_cancel(struct gc_removal *removal);

#endif
