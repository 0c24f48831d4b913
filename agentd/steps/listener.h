/* listener.h - who listens on a TCP port of this host.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd. From /proc: no tool is needed. Blocks for some milliseconds.
 */
#ifndef CLOWDER_AGENTD_LISTENER_H
#define CLOWDER_AGENTD_LISTENER_H

#include <stdbool.h>
#include <sys/types.h>

struct listener {
    pid_t pid;     /* 0 = not found (another network or pid namespace) */
    char name[32]; /* of the process */
};

bool listener_find(int port, struct listener *ret); /* false = nobody listens */

#endif
