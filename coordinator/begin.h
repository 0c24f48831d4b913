/* begin.h - from a plan to a rollout in force: install, uninstall, rollback.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: coordinator.
 */
#ifndef CLOWDER_COORDINATOR_BEGIN_H
#define CLOWDER_COORDINATOR_BEGIN_H

#include "coordinator/prepare.h"

/* Can it ask? Before the connection. */
enum exit_code begin_check(struct cli *cli);

/* Plans with cli->spec, shows the sums, asks, writes, and watches where that was asked
 * for. */
enum exit_code begin_rollout(struct cli *cli, const struct goal *goal);

#endif
