/* drift.h - is a host still as its rollout proved it?
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure. The rules are those of `clowder plan` and of the visit (judge.h).
 *
 * Story. A done host looks at itself from time to time; each look judges every step
 * that the rollout's stages have. A look that failed tells nothing. What two looks in a
 * row say is believed: a container that restarts at the wrong moment is no drift. A
 * step that is believed to be wrong, and that was proved, has drifted: its record says
 * so, and the host is counted in drifted/ (swarm/drift.h).
 *
 * Whether the host then mends it by itself is the spec's to say, by step
 * (steps.<step>.drift, else drift):
 *
 *   report   never
 *   repair   yes, under the leases, with the restart that it takes
 *   auto     where no restart is needed; docker-cluster-store never
 *
 * Something foreign in a step's place is never touched. A repair begins with the first
 * stage that has a step to mend, and goes on to the last: what is right is left alone,
 * and so is a step that is only to be reported. It is done in phase keep only: before
 * that the rollout is still being carried through, and after it nothing is granted.
 * Reported is in every phase.
 *
 * Who has to repair itself again and again is being changed back by somebody: each
 * further repair within a day waits twice as long, from ten minutes on.
 */
#ifndef CLOWDER_MODEL_DRIFT_H
#define CLOWDER_MODEL_DRIFT_H

#include "shared/model/facts.h"
#include "shared/model/judge.h"
#include "shared/model/record.h"
#include "shared/model/spec.h"

enum drift_sight { SIGHT_NONE, SIGHT_RIGHT, SIGHT_WRONG };
struct drift_step {
    enum drift_sight last;     /* of the last look that told anything */
    enum drift_sight believed; /* two in a row */
    bool repairs;              /* wrong: the host may mend it by itself */
    char says[160];            /* what was seen */
};
struct drift { /* zero-initialised: nothing was looked at */
    struct drift_step steps[STEP_COUNT];
};

/* One look. True: it differs from what is believed, so that another is worth it soon.
 */
bool drift_look(struct drift *drift, const struct spec *spec,
                const struct facts *facts);
/* May a host that finds this mend it by itself? */
bool drift_repairs(const struct spec *spec, enum step_id step,
                   const struct judgement *judgement);
/* Steps that are believed to be wrong, by name, with what was seen; caller drops it. */
json_t *drift_wrong(const struct drift *drift);

enum drift_verdict {
    DRIFT_NO_NEWS, /* the record says it all */
    DRIFT_NEWS,    /* next: done as before, with what has drifted or is right again */
    DRIFT_MENDS,   /* next: idle before the first stage to be done again */
};
/* record: of a done host. keeps: the gate is in phase keep. */
enum drift_verdict drift_judge(const struct drift *drift, const struct spec *spec,
                               const struct record *record, bool keeps, int64_t now_ms,
                               struct record *ret_next);

#endif
