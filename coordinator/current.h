/* current.h - which rollout is in force, for the commands that need no more of it.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: coordinator.
 */
#ifndef CLOWDER_COORDINATOR_CURRENT_H
#define CLOWDER_COORDINATOR_CURRENT_H

#include "coordinator/cli.h"
#include "shared/model/gate.h"

struct current_read {
    struct cli *cli;
    struct zk_request *request;
    struct timer retry;
    struct current current;
};

/* ret->rollout is "" when none is. */
MUST_CHECK int current_get(struct cli *cli, struct current *ret);

#endif
