/* networks.h - which containers are on a network of driver calico.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd. They would lose their network with the plugin and the store: an
 * uninstall refuses while there are any (DOMAIN.md A.4, C).
 */
#ifndef CLOWDER_AGENTD_NETWORKS_H
#define CLOWDER_AGENTD_NETWORKS_H

#include "shared/io/event_loop.h"

#include "shared/base/error.h"

#include <jansson.h>

struct networks;
/* in_use: {"net1":"web1, web2"}, a few of each, borrowed; NULL where Docker could not
 * be asked. */
typedef void (*networks_done_f)(void *ctx, const json_t *in_use,
                                const struct error *err);
/* docker_socket NULL = /var/run/docker.sock. done is the last thing that it does. */
struct networks *networks_look(struct event_loop *el, const char *docker_socket,
                               networks_done_f done, void *ctx);
void networks_cancel(struct networks *networks); /* NULL is allowed */

#endif
