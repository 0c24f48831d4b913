/* mesos_slave_standin.c - stands in for dcos-mesos-slave.service: the agent's HTTP
 * answers on :5051 and the way it comes back after a restart.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Shapes: GET /state, /slave(1)/state, /metrics/snapshot, /version, /health as Mesos
 * 1.x gives them. Like the real one it
 *  - keeps its agent id over restarts (a file under <work_dir>/meta), and gets a new
 *    start_time with each;
 *  - answers before it has registered: slave/registered is 0 for ready_ms (1500);
 *  - cannot start without dockerd ("Failed to perform recovery"), where the docker
 *    containerizer is among those wanted.
 * Options come from the environment, with the names that the DC/OS unit's files use.
 * Knobs: mesos-slave.conf (knobs.h); "unready" never registers, "wrong" answers
 * without the CNI flags and with recovery errors.
 */
#include "http_client.h"
#include "http_server.h"
#include "knobs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { AGENT_PORT = 5051 };

struct agent {
    char id[64];
    char ip[64];
    double start_time;    /* wall clock, seconds */
    long long started_ms; /* monotonic */
};

static const char *option(const char *name, const char *otherwise)
{
    const char *value = getenv(name);

    return value && *value ? value : otherwise;
}

static void knobs_now(struct knobs *knobs)
{
    *knobs = (struct knobs){.ready_ms = 1500};
    snprintf(knobs->version, sizeof knobs->version, "%s",
             option("MESOS_STANDIN_VERSION", "1.4.1"));
    knobs_read(knobs, "mesos-slave");
}

static int registered(const struct agent *agent, const struct knobs *knobs)
{
    return knobs->mode != MODE_UNREADY &&
           monotonic_ms() - agent->started_ms >= knobs->ready_ms;
}

static void state_write(const struct agent *agent, const struct knobs *knobs,
                        struct http_reply *reply)
{
    const char *attributes = option("MESOS_ATTRIBUTES", "");
    char flags[2048] = "";

    if (knobs->mode != MODE_WRONG)
        snprintf(
            flags, sizeof flags,
            ",\"network_cni_config_dir\":\"%s\",\"network_cni_plugins_dir\":\"%s\"",
            option("MESOS_NETWORK_CNI_CONFIG_DIR",
                   "/opt/mesosphere/etc/dcos/network/cni"),
            option("MESOS_NETWORK_CNI_PLUGINS_DIR", "/opt/mesosphere/active/cni/"));
    snprintf(reply->body, sizeof reply->body,
             "{\"id\":\"%s\",\"hostname\":\"%s\",\"pid\":\"slave(1)@%s:%d\","
             "\"version\":\"%s\",\"start_time\":%.5f,\"attributes\":{%s},"
             "\"flags\":{\"isolation\":\"%s\",\"containerizers\":\"%s\","
             "\"default_role\":\"%s\"%s},\"frameworks\":[],"
             "\"completed_frameworks\":[]}",
             agent->id, agent->ip, agent->ip, AGENT_PORT, knobs->version,
             agent->start_time,
             strcmp(attributes, "public_ip:true") == 0 ? "\"public_ip\":\"true\"" : "",
             knobs->mode == MODE_WRONG
                 ? "cgroups/cpu,cgroups/mem"
                 : option("MESOS_ISOLATION", "cgroups/cpu,cgroups/mem,network/cni"),
             option("MESOS_CONTAINERIZERS", "docker,mesos"),
             option("MESOS_DEFAULT_ROLE", "*"), flags);
}

static void metrics_write(const struct agent *agent, const struct knobs *knobs,
                          struct http_reply *reply)
{
    snprintf(reply->body, sizeof reply->body,
             "{\"slave/registered\":%d.0,\"slave/uptime_secs\":%.3f,"
             "\"slave/recovery_errors\":%d.0,\"slave/recovery_time_secs\":0.2,"
             "\"slave/tasks_running\":0.0,\"slave/executors_running\":0.0}",
             registered(agent, knobs),
             (double)(monotonic_ms() - agent->started_ms) / 1000,
             knobs->mode == MODE_WRONG ? 1 : 0);
}

static void answer(const struct http_request *request, struct http_reply *reply,
                   void *ctx)
{
    const struct agent *agent = ctx;
    const char *path = request->path;
    struct knobs knobs;

    knobs_now(&knobs);
    knobs_before_answer(&knobs);
    if (strcmp(path, "/state") == 0 || strcmp(path, "/slave(1)/state") == 0)
        state_write(agent, &knobs, reply);
    else if (strcmp(path, "/metrics/snapshot") == 0)
        metrics_write(agent, &knobs, reply);
    else if (strcmp(path, "/version") == 0 || strcmp(path, "/slave(1)/version") == 0)
        snprintf(reply->body, sizeof reply->body,
                 "{\"build_user\":\"stand-in\",\"version\":\"%s\"}", knobs.version);
    else if (strcmp(path, "/health") == 0 || strcmp(path, "/slave(1)/health") == 0)
        reply->type = "text/plain"; /* the real one says yes unconditionally, too */
    else
        reply->status = 404;
}

/* <work_dir>/meta/standin-agent-id; a wiped meta directory makes a new agent. */
static void id_load(struct agent *agent)
{
    const char *work_dir = option("MESOS_WORK_DIR", "/var/lib/mesos/slave");
    char path[256];
    FILE *file;

    snprintf(path, sizeof path, "%s/meta/standin-agent-id", work_dir);
    file = fopen(path, "re");
    if (file && fscanf(file, "%63s", agent->id) == 1) {
        fclose(file);
        return;
    }
    if (file)
        fclose(file);
    snprintf(agent->id, sizeof agent->id, "%08lx-%04x-S%u", (unsigned long)time(NULL),
             (unsigned)(getpid() & 0xffff), (unsigned)(monotonic_ms() % 1000));
    file = fopen(path, "we");
    if (!file || fprintf(file, "%s\n", agent->id) < 0 || fclose(file) != 0) {
        fprintf(stderr, "cannot keep the agent id in %s: %s\n", path, strerror(errno));
        exit(1);
    }
}

static void ip_load(struct agent *agent)
{
    FILE *command = popen(
        option("MESOS_IP_DISCOVERY_COMMAND", "/opt/mesosphere/bin/detect_ip"), "r");

    if (!command || fscanf(command, "%63s", agent->ip) != 1)
        snprintf(agent->ip, sizeof agent->ip, "127.0.0.1");
    if (command)
        pclose(command);
}

static void recover_docker(void)
{
    const char *socket = option("MESOS_DOCKER_SOCKET", "/var/run/docker.sock");
    char target[256];

    if (!strstr(option("MESOS_CONTAINERIZERS", "docker,mesos"), "docker"))
        return;
    snprintf(target, sizeof target, "unix:%s", socket);
    if (http_call(target, "GET", "/_ping", NULL) == 200)
        return;
    fprintf(stderr,
            "Failed to perform recovery: Collect failed: Failed to run "
            "'docker -H unix://%s ps -a': is the docker daemon running?\n",
            socket);
    exit(1);
}

int main(void)
{
    static struct agent agent;
    struct knobs knobs;
    struct timespec now;
    int said = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    clock_gettime(CLOCK_REALTIME, &now);
    agent.start_time = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    knobs_now(&knobs);
    knobs_at_start(&knobs);
    recover_docker();
    id_load(&agent);
    ip_load(&agent);
    agent.started_ms = monotonic_ms();
    http_serve_port(AGENT_PORT, answer, &agent);
    printf("mesos-slave stand-in: agent %s on %s:%d, Mesos %s\n", agent.id, agent.ip,
           AGENT_PORT, knobs.version);
    for (;;) {
        sleep_ms(100);
        knobs_now(&knobs);
        knobs_flap(&knobs, agent.started_ms);
        if (!said && registered(&agent, &knobs))
            said = printf("Re-registered with master\n");
    }
}
