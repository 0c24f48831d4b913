/* plugin_sockets.h - the docker plugin API as calico's libnetwork plugin answers it.
 *
 * SPDX-License-Identifier: Apache-2.0
 * POST /Plugin.Activate, /NetworkDriver.*, /IpamDriver.*, enough for `docker network
 * create --driver calico --ipam-driver calico-ipam` to go through.
 */
#ifndef CLOWDER_STANDINS_PLUGIN_SOCKETS_H
#define CLOWDER_STANDINS_PLUGIN_SOCKETS_H

enum plugin_shape {
    PLUGIN_ONE_SOCKET,  /* v0.9: calico.sock for both drivers */
    PLUGIN_TWO_SOCKETS, /* v1.x: calico.sock and calico-ipam.sock */
};

/* knobs: the name whose knobs decide (knobs.h); "unready" opens no socket, "wrong"
 * implements something else. Sockets left by a predecessor are removed first. */
void plugin_sockets_serve(enum plugin_shape shape, const char *knobs);

#endif
