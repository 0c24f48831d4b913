/* probe.c - gather what this host is, and what each step's observation sees.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/probe.h"

#include "agentd/steps/networks.h"
#include "shared/base/cleanup.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/io/docker.h"
#include "shared/io/flow.h"
#include "shared/io/http.h"
#include "shared/io/proc.h"
#include "shared/io/unit.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>

enum {
    DETECT_TIMEOUT_MS = 10000, /* some ask a metadata server, three times */
    LOOKUP_TIMEOUT_MS = 5000,
    ANSWER_TIMEOUT_MS = 5000,
    STATE_MAX_BYTES = 32 << 20, /* a busy agent's /state is large */
    OBSERVE_TIMEOUT_MS = 600000,
};

struct probe {
    struct event_loop *el;
    const struct config *config;
    const struct spec *spec;
    char address_to_zk[46];
    probe_done_f done;
    void (*named)(void *ctx, const struct facts *facts);
    void *ctx;

    struct facts facts;
    struct flow flow;
    struct proc *proc;
    struct http *http;
    struct docker_call *docker;
    struct unit_call *unit;
    struct networks *networks;
    bool asked_state; /* of the agent, after /version */

    struct step_env env;
    struct step *step; /* being observed */
    struct flow observing;
    int next_step;
};

static void drop(void *ctx)
{
    struct probe *p = ctx;

    proc_cancel(take_ptr(p->proc));
    http_cancel(take_ptr(p->http));
    docker_cancel(take_ptr(p->docker));
    unit_cancel(take_ptr(p->unit));
    networks_cancel(take_ptr(p->networks));
    flow_cancel(&p->observing);
    step_free(take_ptr(p->step));
}

static char *under_root(const struct config *config, const char *path)
{
    return mem_printf("%s%s", config->root, path);
}

static void note_fact(struct facts *facts, const char *what, const char *text)
{
    json_t *value = json_string(text);

    (void)json_object_set_new(facts->errors, what,
                              value ? value : json_string("not UTF-8"));
}

static void note_error(struct probe *p, const char *what, const char *text)
{
    note_fact(&p->facts, what, text);
}

/* ---- plain files ---- */

static bool has_role(const struct config *config, const char *role)
{
    _cleanup_(freep) char *path =
        mem_printf("%s%s/%s", config->root, config->roles_dir, role);

    return fs_exists(path);
}

static void look_at_role(const struct config *config, struct facts *facts)
{
    if (has_role(config, "master"))
        facts->role = ROLE_MASTER;
    else if (has_role(config, "slave_public"))
        facts->role = ROLE_SLAVE_PUBLIC;
    else if (has_role(config, "slave"))
        facts->role = ROLE_SLAVE;
    else
        note_fact(facts, "role",
                  "no file slave, slave_public or master in roles_dir: is "
                  "this host part of a DC/OS cluster?");
}

static void look_at_dcos(const struct config *config, struct facts *facts)
{
    _cleanup_(freep) char *path =
        under_root(config, "/opt/mesosphere/etc/dcos-version.json");
    _cleanup_(freep) char *bytes = NULL;
    size_t len = 0;

    if (fs_read(path, 65536, &bytes, &len, NULL) < 0)
        return;
    json_t *document = json_loadb(bytes, len, 0, NULL);
    const char *version = json_string_value(json_object_get(document, "version"));
    if (version)
        (void)STR_COPY(facts->dcos, version);
    json_decref(document);
}

static void look_at_machine(const struct config *config, struct facts *facts)
{
    _cleanup_(freep) char *path = under_root(config, "/etc/machine-id");
    _cleanup_(freep) char *id = NULL;
    struct error why = {0};
    struct utsname kernel;

    (void)STR_COPY(facts->agentd, CLOWDER_VERSION);
    (void)STR_COPY(facts->zone, config->zone);
    if (fs_read(path, 4096, &id, NULL, &why) == 0) {
        id[strcspn(id, "\r\n ")] = '\0';
        (void)STR_COPY(facts->machine_id, id);
    } else {
        note_fact(facts, "machine_id", why.text);
    }
    if (uname(&kernel) == 0)
        (void)STR_COPY(facts->kernel, kernel.release);
    look_at_dcos(config, facts);
}

void probe_glance(const struct config *config, struct facts *facts)
{
    look_at_role(config, facts);
    look_at_machine(config, facts);
    if (!str_equal(config->host, "auto"))
        (void)STR_COPY(facts->host, config->host);
}

static enum flow_verdict glance(struct flow *flow, void *ctx, struct error *err)
{
    struct probe *p = ctx;

    (void)flow;
    (void)err;
    probe_glance(p->config, &p->facts);
    return FLOW_NEXT;
}

/* ---- native Calico: DC/OS 2.1 and later ---- */

static void on_felix_unit(void *ctx, const struct unit_state *state,
                          const struct error *err)
{
    struct probe *p = ctx;

    p->unit = NULL;
    if (err->code == 0 && strcmp(state->active, "active") == 0)
        p->facts.native_calico = true;
    flow_next(&p->flow); /* without systemd there is no such unit */
}

static enum flow_verdict look_for_native(struct flow *flow, void *ctx,
                                         struct error *err)
{
    struct probe *p = ctx;
    _cleanup_(freep) char *package =
        under_root(p->config, "/opt/mesosphere/active/calico");

    (void)flow;
    if (fs_exists(package)) {
        p->facts.native_calico = true;
        return FLOW_NEXT;
    }
    if (unit_show(p->el, "dcos-calico-felix.service", on_felix_unit, p, &p->unit, err) <
        0)
        return FLOW_NEXT;
    return FLOW_WAIT;
}

/* ---- the address ---- */

static bool spartan(const struct in_addr *in) /* 198.51.100.0/24 */
{
    return ntohl(in->s_addr) >> 8 == 0xC63364;
}

/* What no other host can reach, or what every host has. */
static const char *useless(const struct in_addr *in)
{
    uint32_t a = ntohl(in->s_addr);

    if (a >> 24 == 127)
        return "a loopback address";
    if (a >> 24 == 0 || a >> 28 >= 14)
        return "no address of a host";
    if (spartan(in))
        return "spartan's address, which every DC/OS host has";
    return NULL;
}

/* Takes text if it is one address; NULL or what is wrong. */
static const char *address_take(const char *text, char ret[46])
{
    struct in6_addr in6;
    struct in_addr in;

    if (inet_pton(AF_INET, text, &in) == 1) {
        const char *wrong = useless(&in);
        if (wrong)
            return wrong;
    } else if (inet_pton(AF_INET6, text, &in6) != 1) {
        return "no IP address";
    } else if (IN6_IS_ADDR_LOOPBACK(&in6) || IN6_IS_ADDR_LINKLOCAL(&in6) ||
               IN6_IS_ADDR_UNSPECIFIED(&in6)) {
        return "no address that other hosts can reach";
    }
    (void)str_copy(ret, 46, text);
    return NULL;
}

static char *trimmed(const char *text)
{
    size_t len;

    while (isspace((unsigned char)*text))
        text++;
    len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    return mem_strndup(text, len);
}

static void on_detected(void *ctx, const struct proc_outcome *outcome)
{
    struct probe *p = ctx;
    _cleanup_(freep) char *text = trimmed(outcome->output);

    p->proc = NULL;
    if (outcome->exit_code != 0) {
        note_error(p, "detect_ip", outcome->says);
    } else {
        const char *wrong = address_take(text, p->facts.address);
        if (wrong) {
            _cleanup_(freep) char *says = mem_printf("%s prints \"%.64s\": %s",
                                                     p->config->detect_ip, text, wrong);
            note_error(p, "detect_ip", says);
        }
    }
    flow_next(&p->flow);
}

static enum flow_verdict detect_ip(struct flow *flow, void *ctx, struct error *err)
{
    struct probe *p = ctx;
    _cleanup_(freep) char *path = under_root(p->config, p->config->detect_ip);
    const char *argv[] = {path, NULL};
    struct proc_options options = {.argv = argv, .timeout_ms = DETECT_TIMEOUT_MS};
    struct error why = {0};

    (void)flow;
    (void)err;
    if (!p->config->detect_ip[0] || !fs_exists(path))
        return FLOW_NEXT;
    if (proc_start(p->el, &options, on_detected, p, &p->proc, &why) < 0) {
        note_error(p, "detect_ip", why.text);
        return FLOW_NEXT;
    }
    return FLOW_WAIT;
}

/* The address that a packet to this numeric server would leave from: no packet is sent.
 */
static void address_towards(struct probe *p, const char *server)
{
    struct sockaddr_storage to = {0}, from = {0};
    struct sockaddr_in *in = (struct sockaddr_in *)&to;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&to;
    socklen_t len = sizeof from;
    char text[46] = "";

    if (inet_pton(AF_INET, server, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(2181);
    } else if (inet_pton(AF_INET6, server, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(2181);
    } else {
        return;
    }
    _cleanup_(closep) int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0 ||
        getsockname(fd, (struct sockaddr *)&from, &len) < 0)
        return;
    if (from.ss_family == AF_INET && spartan(&((struct sockaddr_in *)&from)->sin_addr))
        return;
    if (from.ss_family == AF_INET)
        (void)inet_ntop(AF_INET, &((struct sockaddr_in *)&from)->sin_addr, text,
                        sizeof text);
    else
        (void)inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&from)->sin6_addr, text,
                        sizeof text);
    /* A ZooKeeper on this very host gives a loopback address: better than none. */
    (void)STR_COPY(p->facts.address, text);
}

/* "zk://[::1]:2181,b/clowder" -> "::1" */
static char *first_server(const char *zk)
{
    if (str_starts(zk, "zk://"))
        zk += strlen("zk://");
    if (*zk == '[')
        return mem_strndup(zk + 1, strcspn(zk + 1, "]"));
    return mem_strndup(zk, strcspn(zk, ":,/"));
}

static void on_looked_up(void *ctx, const struct proc_outcome *outcome)
{
    struct probe *p = ctx;

    p->proc = NULL;
    if (outcome->exit_code == 0) {
        _cleanup_(freep) char *first =
            mem_strndup(outcome->output, strcspn(outcome->output, " \t\n"));
        address_towards(p, first);
    }
    flow_next(&p->flow);
}

static enum flow_verdict look_towards_zk(struct flow *flow, void *ctx,
                                         struct error *err)
{
    struct probe *p = ctx;
    _cleanup_(freep) char *server = first_server(p->config->zk);
    const char *argv[] = {"getent", "ahosts", server, NULL};
    struct proc_options options = {.argv = argv, .timeout_ms = LOOKUP_TIMEOUT_MS};
    struct error why = {0};

    (void)flow;
    (void)err;
    if (p->facts.address[0])
        return FLOW_NEXT;
    if (p->address_to_zk[0]) {
        (void)STR_COPY(p->facts.address, p->address_to_zk);
        return FLOW_NEXT;
    }
    address_towards(p, server);
    if (p->facts.address[0])
        return FLOW_NEXT;
    if (proc_start(p->el, &options, on_looked_up, p, &p->proc, &why) < 0) {
        note_error(p, "address", why.text);
        return FLOW_NEXT;
    }
    return FLOW_WAIT;
}

static enum flow_verdict name_host(struct flow *flow, void *ctx, struct error *err)
{
    struct probe *p = ctx;
    char *host = p->facts.host;

    (void)flow;
    (void)err;
    if (!p->facts.host[0]) {
        (void)STR_COPY(p->facts.host, p->facts.address);
        for (; *host; host++)
            *host = *host == ':' ? '-' : (char)tolower((unsigned char)*host);
    }
    if (p->facts.host[0] && p->named)
        p->named(p->ctx, &p->facts);
    if (!p->facts.host[0])
        note_error(
            p, "host",
            "this host's address is not known (no detect_ip, and ZooKeeper's name "
            "does not resolve): set host in agentd.json");
    return FLOW_NEXT;
}

/* ---- versions ---- */

static void on_docker_version(void *ctx, int status, const json_t *body,
                              const struct error *err)
{
    struct probe *p = ctx;
    const char *version = json_string_value(json_object_get(body, "Version"));

    (void)status;
    p->docker = NULL;
    if (err->code < 0)
        note_error(p, "docker", err->text);
    else if (version)
        (void)STR_COPY(p->facts.docker, version);
    flow_next(&p->flow);
}

static enum flow_verdict ask_docker(struct flow *flow, void *ctx, struct error *err)
{
    struct probe *p = ctx;
    struct error why = {0};

    (void)flow;
    (void)err;
    if (docker_call(p->el, p->config->docker_socket, "GET", "/version", NULL,
                    ANSWER_TIMEOUT_MS, on_docker_version, p, &p->docker, &why) < 0) {
        note_error(p, "docker", why.text);
        return FLOW_NEXT;
    }
    return FLOW_WAIT;
}

static void on_networks(void *ctx, const json_t *in_use, const struct error *err)
{
    struct probe *p = ctx;

    p->networks = NULL;
    if (in_use)
        (void)json_object_update(p->facts.in_use, (json_t *)(uintptr_t)in_use);
    else
        note_error(p, "networks", err->text);
    flow_next(&p->flow);
}

static enum flow_verdict look_at_networks(struct flow *flow, void *ctx,
                                          struct error *err)
{
    struct probe *p = ctx;

    (void)err;
    if (!p->facts.docker[0])
        return FLOW_NEXT;
    flow_set_timeout(flow, OBSERVE_TIMEOUT_MS);
    p->networks = networks_look(p->el, p->config->docker_socket, on_networks, p);
    return FLOW_WAIT;
}

static bool is_agent(const struct probe *p)
{
    return p->facts.role == ROLE_SLAVE || p->facts.role == ROLE_SLAVE_PUBLIC;
}

/* /version is small and as old as Mesos 0.20; /state is asked where it is missing. */
static void on_agent(void *ctx, const struct http_reply *reply)
{
    struct probe *p = ctx;
    json_t *body = NULL;

    p->http = NULL;
    if (reply->error.code == 0 && reply->status == 200)
        body = json_loadb(reply->body, reply->body_len, 0, NULL);
    const char *version = json_string_value(json_object_get(body, "version"));
    if (version) {
        (void)STR_COPY(p->facts.mesos, version);
    } else if (!p->asked_state && reply->error.code == 0) {
        struct error why = {.code = -EAGAIN};
        p->asked_state = true;
        json_decref(body);
        flow_again(&p->flow, 0, &why);
        return;
    } else {
        _cleanup_(freep) char *says =
            reply->error.code < 0
                ? mem_strdup(reply->error.text)
                : mem_printf("%s/state: HTTP status %d without a version",
                             p->config->agent_url, reply->status);
        note_error(p, "mesos", says);
    }
    json_decref(body);
    flow_next(&p->flow);
}

static enum flow_verdict ask_agent(struct flow *flow, void *ctx, struct error *err)
{
    struct probe *p = ctx;
    size_t len = strlen(p->config->agent_url);
    while (len > 0 && p->config->agent_url[len - 1] == '/')
        len--;
    _cleanup_(freep) char *url = mem_printf("%.*s/%s", (int)len, p->config->agent_url,
                                            p->asked_state ? "state" : "version");
    struct http_options options = {.url = url,
                                   .timeout_ms = ANSWER_TIMEOUT_MS,
                                   .reply_max_bytes = STATE_MAX_BYTES};
    struct error why = {0};

    (void)flow;
    (void)err;
    if (!is_agent(p))
        return FLOW_NEXT;
    if (http_start(p->el, &options, on_agent, NULL, NULL, p, &p->http, &why) < 0) {
        note_error(p, "mesos", why.text);
        return FLOW_NEXT;
    }
    return FLOW_WAIT;
}

/* ---- the steps' observations ---- */

static void refuse_ask(void *ctx, struct step *step, struct flow *flow)
{
    struct error err = {0};

    (void)ctx;
    (void)error_set(&err, -EPERM, "step %s asked to disrupt while observing",
                    step_name(step->type->id));
    flow_fail(flow, &err);
}

static void nothing_asked(void *ctx, struct step *step)
{
    (void)ctx;
    (void)step;
}

static int refuse_save(void *ctx, struct step *step, struct error *err)
{
    (void)ctx;
    return error_set(err, -EPERM, "step %s saved while observing",
                     step_name(step->type->id));
}

static void observe_next(struct probe *p);

static void on_observed(void *ctx, int result, const struct error *err)
{
    struct probe *p = ctx;
    const char *name = step_name(p->step->type->id);

    if (result < 0)
        note_error(p, name, err->text);
    else if (p->step->seen)
        (void)json_object_set(p->facts.seen, name, p->step->seen);
    step_free(take_ptr(p->step));
    observe_next(p);
}

static void observe_next(struct probe *p)
{
    while (p->next_step < STEP_COUNT &&
           !spec_policy(p->spec, (enum step_id)p->next_step)->enabled)
        p->next_step++;
    if (p->next_step >= STEP_COUNT) {
        flow_next(&p->flow);
        return;
    }
    p->step = step_new((enum step_id)p->next_step++, &p->env, NULL);
    flow_start(&p->observing, event_loop_port(p->el), p->step->type->observe, p->step,
               on_observed, p);
}

/* At least one is enabled, so that observe_next does not end this step from inside. */
static enum flow_verdict observe_steps(struct flow *flow, void *ctx, struct error *err)
{
    struct probe *p = ctx;
    bool any = false;

    (void)err;
    for (int i = 0; p->spec && i < STEP_COUNT; i++)
        any = any || spec_policy(p->spec, (enum step_id)i)->enabled;
    if (!any)
        return FLOW_NEXT;
    flow_set_timeout(flow, OBSERVE_TIMEOUT_MS);
    p->next_step = 0;
    observe_next(p);
    return FLOW_WAIT;
}

static const struct flow_step steps[] = {
    {.name = "plain files", .run = glance},
    {.name = "detect_ip", .run = detect_ip, .cancel = drop},
    {.name = "address towards zookeeper", .run = look_towards_zk, .cancel = drop},
    {.name = "host id", .run = name_host},
    {.name = "native calico", .run = look_for_native, .cancel = drop},
    {.name = "docker version", .run = ask_docker, .cancel = drop},
    {.name = "calico networks", .run = look_at_networks, .cancel = drop},
    {.name = "agent version", .run = ask_agent, .cancel = drop},
    {.name = "observe steps", .run = observe_steps, .cancel = drop},
    {0},
};

static void on_done(void *ctx, int result, const struct error *err)
{
    struct probe *p = ctx;
    probe_done_f done = p->done;
    void *done_ctx = p->ctx;
    struct facts facts = p->facts;

    if (result < 0)
        note_error(p, "probe", err->text);
    facts.seen_ms = loop_wall_ms(event_loop_port(p->el));
    free(p);
    done(done_ctx, &facts);
}

struct probe *probe_start(const struct probe_options *options, probe_done_f done,
                          void *ctx)
{
    const struct config *config = options->config;
    struct probe *p = NEW(struct probe);

    p->el = options->el;
    p->config = config;
    p->spec = options->spec;
    if (options->address_to_zk)
        (void)STR_COPY(p->address_to_zk, options->address_to_zk);
    p->done = done;
    p->named = options->named;
    p->ctx = ctx;
    facts_init(&p->facts);
    p->env = (struct step_env){
        .el = p->el,
        .loop = event_loop_port(p->el),
        .spec = p->spec,
        .facts = &p->facts,
        .state_dir = config->state_dir,
        .cache_dir = config->cache_dir,
        .docker_socket = config->docker_socket,
        .root = config->root,
        .ctx = p,
        .ask = refuse_ask,
        .ask_cancel = nothing_asked,
        .save = refuse_save,
    };
    flow_start(&p->flow, p->env.loop, steps, p, on_done, p);
    return p;
}

void probe_cancel(struct probe *p)
{
    if (!p)
        return;
    flow_cancel(&p->flow);
    drop(p);
    facts_done(&p->facts);
    free(p);
}
