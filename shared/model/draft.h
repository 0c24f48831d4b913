/* draft.h - from a plan to the documents of a rollout that is to be.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure. Percentages become numbers here, once: what the gate says is what
 * holds, whatever happens to the number of hosts later.
 */
#ifndef CLOWDER_MODEL_DRAFT_H
#define CLOWDER_MODEL_DRAFT_H

#include "shared/model/gate.h"
#include "shared/model/manifest.h"
#include "shared/model/plan.h"

struct draft {
    struct manifest *manifest;
    struct wave *waves; /* manifest->waves_count */
    struct gate gate;   /* as it opens */
};

struct draft_header {
    char id[ROLLOUT_ID_SIZE];
    char by[WHO_SIZE];
    char why[REASON_SIZE];
    int64_t created_ms;
    enum rollout_kind kind;
    const char *of; /* of a rollback; NULL = none */
    bool force;
};

/* Takes *spec over on success. -EINVAL: the plan has no member, or a lease no name. */
MUST_CHECK int draft_make(struct spec **spec, const struct plan *plan,
                          const struct draft_header *header, struct draft *ret,
                          struct error *err);
void draft_done(struct draft *draft);

/* "20261123-203000-1a2b" of an instant (UTC) and some random bits. */
void rollout_id_make(int64_t wall_ms, uint64_t random, char ret[ROLLOUT_ID_SIZE]);
/* The same, but never before the last rollout's ("" = none): hosts go by the order of
 * names, and the clocks of two laptops differ. */
void rollout_id_after(const char *last, int64_t wall_ms, uint64_t random,
                      char ret[ROLLOUT_ID_SIZE]);

#endif
