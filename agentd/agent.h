/* agent.h - the daemon's life: probe, connect, join, follow the rollout in force.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd. main makes one; everything hangs off it.
 */
#ifndef CLOWDER_AGENTD_AGENT_H
#define CLOWDER_AGENTD_AGENT_H

#include "agentd/config.h"
#include "shared/io/event_loop.h"

struct agent;

/* config_path, sets: for SIGHUP, which loads them again. config is taken over. */
MUST_CHECK int agent_new(struct event_loop *el, struct config *config,
                         const char *config_path, const char *const *sets,
                         int sets_count, struct agent **ret, struct error *err);
void agent_free(struct agent *agent);
void agent_start(struct agent *agent);

#endif
