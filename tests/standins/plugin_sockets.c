/* plugin_sockets.c - see plugin_sockets.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "plugin_sockets.h"

#include "http_server.h"
#include "knobs.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLUGIN_DIR "/run/docker/plugins"

struct plugin {
    const char *knobs;
    const char *implements;
};

static const struct {
    const char *path;
    const char *body;
} answers[] = {
    {"/NetworkDriver.GetCapabilities", "{\"Scope\":\"global\"}"},
    {"/IpamDriver.GetCapabilities", "{\"RequiresMACAddress\":false}"},
    {"/IpamDriver.GetDefaultAddressSpaces",
     "{\"LocalDefaultAddressSpace\":\"CalicoLocalAddressSpace\","
     "\"GlobalDefaultAddressSpace\":\"CalicoGlobalAddressSpace\"}"},
    {"/IpamDriver.RequestPool", "{\"PoolID\":\"CalicoPoolIPv4\",\"Pool\":\"0.0.0.0/0\","
                                "\"Data\":{\"com.docker.network.gateway\":"
                                "\"0.0.0.0/0\"}}"},
    {"/IpamDriver.ReleasePool", "{}"},
    {"/IpamDriver.RequestAddress", "{\"Address\":\"192.168.0.1/32\"}"},
    {"/IpamDriver.ReleaseAddress", "{}"},
    {"/NetworkDriver.CreateNetwork", "{}"},
    {"/NetworkDriver.DeleteNetwork", "{}"},
    {"/NetworkDriver.DiscoverNew", "{}"},
    {"/NetworkDriver.DiscoverDelete", "{}"},
};

static void reply_set(struct http_reply *reply, const char *body)
{
    reply->type = "application/vnd.docker.plugins.v1.2+json";
    snprintf(reply->body, sizeof reply->body, "%s\n", body);
}

static void answer(const struct http_request *request, struct http_reply *reply,
                   void *ctx)
{
    const struct plugin *plugin = ctx;
    struct knobs knobs = {0};

    knobs_read(&knobs, plugin->knobs);
    knobs_before_answer(&knobs);
    if (strcmp(request->method, "POST") != 0) {
        reply->status = 405;
        return;
    }
    if (strcmp(request->path, "/Plugin.Activate") == 0) {
        reply_set(reply, knobs.mode == MODE_WRONG
                             ? "{\"Implements\":[\"VolumeDriver\"]}"
                             : plugin->implements);
        return;
    }
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        if (strcmp(request->path, answers[i].path) == 0) {
            reply_set(reply, knobs.mode == MODE_WRONG ? "{\"Scope\":\"local\"}"
                                                      : answers[i].body);
            return;
        }
    reply->status = 404;
}

void plugin_sockets_serve(enum plugin_shape shape, const char *name)
{
    static struct plugin network, ipam;
    struct knobs knobs = {0};

    network = (struct plugin){
        name, shape == PLUGIN_ONE_SOCKET
                  ? "{\"Implements\":[\"NetworkDriver\",\"IpamDriver\"]}"
                  : "{\"Implements\":[\"NetworkDriver\"]}"};
    ipam = (struct plugin){name, "{\"Implements\":[\"IpamDriver\"]}"};
    unlink(PLUGIN_DIR "/calico.sock");
    unlink(PLUGIN_DIR "/calico-ipam.sock");
    knobs_read(&knobs, name);
    if (knobs.mode == MODE_UNREADY)
        return;
    http_serve_socket(PLUGIN_DIR "/calico.sock", answer, &network);
    if (shape == PLUGIN_TWO_SOCKETS)
        http_serve_socket(PLUGIN_DIR "/calico-ipam.sock", answer, &ipam);
    printf("Creating docker plugin sockets in " PLUGIN_DIR "\n");
}
