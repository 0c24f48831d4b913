/* plugin.h - Docker's legacy plugin sockets of Calico: stale ones, and the proof.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd. A socket file proves nothing: it stays when its process dies. What
 * counts is the answer to POST /Plugin.Activate and …GetCapabilities (DOMAIN.md A.4).
 */
#ifndef CLOWDER_AGENTD_PLUGIN_H
#define CLOWDER_AGENTD_PLUGIN_H

#include "agentd/steps/containers.h"

enum plugin_socket { PLUGIN_ABSENT, PLUGIN_STALE, PLUGIN_LISTENING };
const char *plugin_socket_text(enum plugin_socket state);

/* name: "calico" or "calico-ipam"; connects and closes again, without blocking. */
enum plugin_socket plugin_look(const struct step_env *env, const char *name);
json_t *plugin_seen(const struct step_env *env); /* {"calico":"listening",…} */

/* Removes socket files that nobody listens on: a plugin that starts would trip. */
MUST_CHECK int plugin_clear_stale(const struct step_env *env, struct error *err);

/* Flow steps; context: the step (struct container_work first). The IPAM driver answers
 * on the first socket in releases before Calico 1.0. */
enum flow_verdict plugin_prove_network(struct flow *flow, void *ctx, struct error *err);
enum flow_verdict plugin_prove_scope(struct flow *flow, void *ctx, struct error *err);
enum flow_verdict plugin_prove_ipam(struct flow *flow, void *ctx, struct error *err);
enum flow_verdict plugin_prove_ipam_answers(struct flow *flow, void *ctx,
                                            struct error *err);

#endif
