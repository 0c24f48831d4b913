/* calico_standin.c - stands in for what the calico images run: `node`, `libnetwork`
 * (v1.x, two sockets) and `node-libnetwork` (v0.9, one socket).
 *
 * SPDX-License-Identifier: Apache-2.0
 * node behaves as calico/node 1.0-2.6 does, where an installer can see it:
 *  - waits for the datastore (WAIT_FOR_DATASTORE=true), or exits when it does not
 *    answer; writes the host's address, the default pool and, every 30 s with a TTL
 *    of 90 s, Felix's status, through ETCD_ENDPOINTS with the etcd v2 API;
 *  - exits when the kernel's rp_filter is loose (2, as DC/OS sets it) and
 *    FELIX_IGNORELOOSERPF is not true;
 *  - serves the docker plugin sockets when CALICO_LIBNETWORK_ENABLED is exactly
 *    "true", and Felix's /readiness and /liveness on :9099 when FELIX_HEALTHENABLED is;
 *  - says "Calico node started successfully" and stays.
 * Knobs: calico-node.conf, calico-libnetwork.conf (knobs.h).
 */
#include "http_client.h"
#include "http_server.h"
#include "knobs.h"
#include "plugin_sockets.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FELIX_HEALTH_PORT = 9099, STATUS_EVERY_MS = 30000 };

static long long started_ms;

static const char *option(const char *name, const char *otherwise)
{
    const char *value = getenv(name);

    return value && *value ? value : otherwise;
}

static int is_true(const char *name)
{
    return strcmp(option(name, ""), "true") == 0;
}

static void on_signal(int number)
{
    _exit(0);
}

/* Process 1 of a container has no default action for SIGTERM. */
static void signals_take(void)
{
    const struct sigaction action = {.sa_handler = on_signal};

    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    started_ms = monotonic_ms();
}

/* The first of ETCD_ENDPOINTS; the older ETCD_AUTHORITY where that is all there is. */
static const char *datastore(void)
{
    static char url[256];
    const char *endpoints = option("ETCD_ENDPOINTS", "");

    if (*endpoints)
        snprintf(url, sizeof url, "%.*s", (int)strcspn(endpoints, ","), endpoints);
    else
        snprintf(url, sizeof url, "http://%s",
                 option("ETCD_AUTHORITY", "127.0.0.1:2379"));
    return url;
}

static int key_put(const char *key, const char *form)
{
    char path[544]; /* a key, and what stands before it */
    int status;

    snprintf(path, sizeof path, "/v2/keys/calico%s", key);
    status = http_call(datastore(), "PUT", path, form);
    return status == 200 || status == 201 ? 0 : -1;
}

static const char *node_name(void)
{
    static char name[256];

    if (!*name) {
        gethostname(name, sizeof name - 1);
        snprintf(name, sizeof name, "%s", option("NODENAME", option("HOSTNAME", name)));
    }
    return name;
}

static void datastore_wait(void)
{
    while (http_call(datastore(), "GET", "/v2/keys/", NULL) != 200) {
        if (!is_true("WAIT_FOR_DATASTORE")) {
            printf("ERROR: Unable to access datastore at %s to query node "
                   "configuration\n",
                   datastore());
            exit(1);
        }
        printf("Waiting for datastore at %s\n", datastore());
        sleep_ms(1000);
    }
}

static void node_write(void)
{
    char key[512], form[256];

    snprintf(key, sizeof key, "/bgp/v1/host/%s/ip_addr_v4", node_name());
    snprintf(form, sizeof form, "value=%s", option("IP", ""));
    if (key_put(key, form) != 0)
        printf("cannot write %s\n", key);
    if (!is_true("NO_DEFAULT_POOLS"))
        (void)key_put("/v1/ipam/v4/pool/192.168.0.0-16?prevExist=false",
                      "value={\"cidr\":\"192.168.0.0/16\"}");
}

static void felix_status_write(void)
{
    char key[512];

    snprintf(key, sizeof key, "/felix/v1/host/%s/status", node_name());
    (void)key_put(key, "ttl=90&value={\"status\":\"up\"}");
}

static void loose_rpf_check(void)
{
    FILE *file = fopen("/proc/sys/net/ipv4/conf/all/rp_filter", "re");
    int value = 0;

    if (!file)
        return;
    if (fscanf(file, "%d", &value) != 1)
        value = 0;
    fclose(file);
    if (value == 2 && !is_true("FELIX_IGNORELOOSERPF")) {
        printf("Kernel's RPF check is set to 'loose'.  This would allow endpoints to "
               "spoof their IP address.  Calico requires "
               "net.ipv4.conf.all.rp_filter to be set to 0 or 1.\n");
        exit(1);
    }
}

static void felix_answer(const struct http_request *request, struct http_reply *reply,
                         void *ctx)
{
    struct knobs knobs = {.ready_ms = 500};
    int up;

    knobs_read(&knobs, "calico-node");
    knobs_before_answer(&knobs);
    up = knobs.mode != MODE_UNREADY && monotonic_ms() - started_ms >= knobs.ready_ms;
    reply->type = "text/plain";
    if (knobs.mode == MODE_WRONG || (strcmp(request->path, "/readiness") != 0 &&
                                     strcmp(request->path, "/liveness") != 0))
        reply->status = 404;
    else if (!up && strcmp(request->path, "/readiness") == 0)
        reply->status = 503;
}

static void stay(const char *name, int write_status)
{
    long long written_ms = monotonic_ms();

    for (;;) {
        struct knobs knobs = {0};

        sleep_ms(100);
        knobs_read(&knobs, name);
        knobs_flap(&knobs, started_ms);
        if (write_status && monotonic_ms() - written_ms >= STATUS_EVERY_MS) {
            felix_status_write();
            written_ms = monotonic_ms();
        }
    }
}

static void node_run(void)
{
    struct knobs knobs = {.release = "v2.6.11"};

    knobs_read(&knobs, "calico-node");
    knobs_at_start(&knobs);
    printf("calico/node stand-in %s on %s\n", knobs.release, node_name());
    if (!*option("IP", ""))
        printf("WARNING: no IP given: autodetected\n");
    datastore_wait();
    node_write();
    loose_rpf_check();
    if (is_true("FELIX_HEALTHENABLED"))
        http_serve_port(FELIX_HEALTH_PORT, felix_answer, NULL);
    if (is_true("CALICO_LIBNETWORK_ENABLED"))
        plugin_sockets_serve(PLUGIN_TWO_SOCKETS, "calico-node");
    felix_status_write();
    if (knobs.mode != MODE_UNREADY)
        printf("Calico node started successfully\n");
    stay("calico-node", 1);
}

static void libnetwork_run(enum plugin_shape shape)
{
    struct knobs knobs = {0};

    knobs_read(&knobs, "calico-libnetwork");
    knobs_at_start(&knobs);
    plugin_sockets_serve(shape, "calico-libnetwork");
    stay("calico-libnetwork", 0);
}

int main(int argc, char **argv)
{
    const char *role = argc > 1 ? argv[1] : "";

    signals_take();
    if (strcmp(role, "node") == 0)
        node_run();
    else if (strcmp(role, "libnetwork") == 0)
        libnetwork_run(PLUGIN_TWO_SOCKETS);
    else if (strcmp(role, "node-libnetwork") == 0)
        libnetwork_run(PLUGIN_ONE_SOCKET);
    fprintf(stderr, "usage: calico-standin node|libnetwork|node-libnetwork\n");
    return 64;
}
