/* watch.h - follows a rollout until it ends.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: coordinator.
 *
 * Story. A tick starts a refresh where none is under way and redraws, so that elapsed
 * times move even while ZooKeeper is away. Each refresh that brings something new is a
 * new picture on a terminal, lines in a pipe, one JSON value with --output json. An end
 * that nobody has closed is closed (settle.h). SIGINT and SIGTERM leave; SIGWINCH
 * redraws. The interval grows with the number of requests of a refresh: a look at many
 * holders is rarer.
 */
#ifndef CLOWDER_COORDINATOR_WATCH_H
#define CLOWDER_COORDINATOR_WATCH_H

#include "coordinator/cli.h"

enum exit_code watch_rollout(struct cli *cli, bool stop_when_paused);

#endif
