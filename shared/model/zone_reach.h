/* zone_reach.h - what a limit per zone makes of a plan.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure.
 */
#ifndef CLOWDER_MODEL_ZONE_REACH_H
#define CLOWDER_MODEL_ZONE_REACH_H

#include "shared/model/plan.h"

struct zone_reach {
    int zones;   /* of the members; those that name none make up one */
    int unnamed; /* members that name none */
    int at_most; /* members that all zones together let in at a time */
    int permits; /* that the lease itself has: at_most may be less */
};
/* limit: one of the spec's. */
struct zone_reach zone_reach_of(const struct plan *plan, const struct spec *spec,
                                const struct spec_zone_limit *limit);

#endif
