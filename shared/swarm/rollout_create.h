/* rollout_create.h - `clowder install`: a rollout is written, then comes into force.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm. Owner: embed struct rollout_create (zero-initialised is idle).
 *
 * Story.
 *   read /current and the gate of the rollout it names (the incumbent)
 *     running, paused            -> refused: nothing is written
 *     keep, abort                -> refused while a permit is occupied
 *   write the structure, multi by multi, then the records, multis pipelined
 *   an incumbent in keep stops granting: its gate is set to abort; its permits are
 *     looked at once more (no grant can commit any more, so free stays free); occupied
 * -> its gate is set back to keep and this rollout is refused multi[ set(incumbent's
 * gate, done, gv), create(gate), set(/current, cv), create(events/e-) ]
 *
 * The gate and /current change in one transaction: there is no moment when two rollouts
 * grant, or when the one in force has no gate. Two installs at once: the version of
 * /current lets one win, and the other is refused and names it.
 *
 * Crash points. Before the last multi: without a gate agents do nothing; the new
 * rollout's znodes are inert debris (`clowder gc`); an incumbent in keep may be left in
 * abort, which ends as done (its members are finished; the next install adopts late
 * hosts). After it: in force, whether or not this program lives.
 * Lost replies: a multi of creations that is repeated answers NODE_EXISTS on its first
 * operation when it had committed; the last one is settled by reading /current.
 */
#ifndef CLOWDER_SWARM_ROLLOUT_CREATE_H
#define CLOWDER_SWARM_ROLLOUT_CREATE_H

#include "shared/io/flow.h"
#include "shared/io/zk.h"
#include "shared/swarm/batch.h"
#include "shared/swarm/occupancy.h"
#include "shared/swarm/rollout_layout.h"

typedef void (*rollout_progress_f)(void *ctx, int written, int total); /* znodes */

struct rollout_create {
    struct zk *zk;
    struct loop *loop;
    const char *root; /* borrowed */
    struct rollout_documents documents;
    rollout_progress_f progress; /* NULL or called as znodes get written */
    void *progress_ctx;
    struct flow flow;
    flow_done_f done;
    void *done_ctx;
    struct zk_request *request;
    struct batch batch;
    struct rollout_layout layout;
    int first_chunk; /* of the batch that is out */
    int written;
    struct current current; /* as read: the incumbent, or none */
    int32_t current_version;
    struct gate incumbent;
    int32_t incumbent_version;
    bool has_incumbent; /* its gate is there and not done */
    bool was_keep, look_again;
    struct occupancy occupancy;                        /* of the incumbent's permits */
    char occupant[HOST_ID_SIZE], occupied[LEASE_SIZE]; /* first one found, or "" */
};

/* root and documents are borrowed until done. done's result: 0; -ENOENT: no root, run
 * `clowder init`; -EBUSY: another rollout is in force, and err names it. */
void rollout_create_start(struct rollout_create *create, struct zk *zk,
                          struct loop *loop, const char *root,
                          const struct rollout_documents *documents,
                          rollout_progress_f progress, void *progress_ctx,
                          flow_done_f done, void *done_ctx);
void rollout_create_cancel(struct rollout_create *create);

/* Only the checks before the first write: done's result 0 says that an install would be
 * accepted now (`clowder plan`, and before the operator is asked). */
void rollout_check_start(struct rollout_create *create, struct zk *zk,
                         struct loop *loop, const char *root, flow_done_f done,
                         void *done_ctx);

#endif
