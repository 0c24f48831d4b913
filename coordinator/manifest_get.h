/* manifest_get.h - the immutable plan of any rollout that is still there.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: coordinator.
 */
#ifndef CLOWDER_COORDINATOR_MANIFEST_GET_H
#define CLOWDER_COORDINATOR_MANIFEST_GET_H

#include "coordinator/cli.h"
#include "shared/model/manifest.h"

/* -ENOENT: there is no such rollout; cli->err says so. Caller frees. */
MUST_CHECK int manifest_get(struct cli *cli, const char *rollout,
                            struct manifest **ret);

#endif
