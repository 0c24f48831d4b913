/* settle.h - closes a rollout that has ended but that nobody has closed.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: coordinator.
 *
 * The host that ends a rollout closes it (shared/swarm/close.h). An abort while nobody
 * holds a permit has no such host, and the author may have died: whoever looks does it.
 */
#ifndef CLOWDER_COORDINATOR_SETTLE_H
#define CLOWDER_COORDINATOR_SETTLE_H

#include "coordinator/cli.h"
#include "shared/io/flow.h"
#include "shared/model/progress.h"
#include "shared/swarm/close.h"

struct settle {
    struct swarm swarm;
    struct close_rollout close;
    bool active, closed;
    flow_done_f done;
    void *ctx;
};

/* Is there something to close? */
bool settle_due(const struct progress *progress);
/* closed tells whether it is closed now; a race with an agent is no error. */
void settle_start(struct settle *settle, struct cli *cli,
                  const struct manifest *manifest, flow_done_f done, void *ctx);
void settle_cancel(struct settle *settle);

/* Looks at the rollout in force and closes it where that is due. */
MUST_CHECK int settle_if_due(struct cli *cli);

#endif
