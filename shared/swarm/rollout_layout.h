/* rollout_layout.h - every znode of a new rollout but its gate, cut into multis.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm. No request is made here: rollout_create.h sends what this lists.
 *
 * First the structure, parents before children (PROTOCOL.md 2), then one record per
 * host. A multi holds at most 200 operations and 256 kB; one znode that is larger
 * stands alone in its multi, and one that no server would take is refused.
 */
#ifndef CLOWDER_SWARM_ROLLOUT_LAYOUT_H
#define CLOWDER_SWARM_ROLLOUT_LAYOUT_H

#include "shared/io/zk.h"
#include "shared/model/gate.h"
#include "shared/model/manifest.h"

enum {
    LAYOUT_OPS_MAX = 200,
    LAYOUT_BYTES_MAX = 256 * 1024,
    LAYOUT_ZNODE_MAX = 1000 * 1000, /* below the server's jute.maxbuffer */
};

/* The documents of a rollout that is to be: what the plan came to. Borrowed. */
struct rollout_documents {
    const struct manifest *manifest;
    const struct wave *waves; /* manifest->waves_count */
    const struct gate *gate;  /* as it opens: phase run, the limits, the budget */
};

struct rollout_layout {
    struct zk_op *ops;
    int ops_count, ops_size;
    char **owned; /* the strings that ops borrow */
    int owned_count, owned_size;
    int *chunks; /* index of each chunk's first operation; one more at the end */
    int chunks_count;
    int structure_chunks; /* the first ones: to be sent one after the other */
};

/* -E2BIG: a znode is too large; err names it. */
MUST_CHECK int rollout_layout_make(const char *root,
                                   const struct rollout_documents *documents,
                                   struct rollout_layout *ret, struct error *err);
void rollout_layout_done(struct rollout_layout *layout);

#endif
