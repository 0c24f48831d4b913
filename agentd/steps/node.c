/* node.c - calico-node: the host's settings, the container, and Felix ready in it.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd. The story of the container stands in containers.h. Modules are loaded
 * if they can be: one that is missing is said and not fatal, because iptables loads
 * most by itself and Felix's readiness is the proof. Settings that are wrong and
 * writable are written, their old values kept in memo.before.sysctls; a required one
 * that cannot be written is a failure that says so.
 */
#include "agentd/steps/containers.h"
#include "agentd/steps/host_settings.h"
#include "agentd/steps/plugin.h"

#include "shared/base/cleanup.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/docker_log.h"
#include "shared/model/host_needs.h"

#include <errno.h>
#include <string.h>

static const char started_line[] = "Calico node started successfully";
enum {
    LOGS_TIMEOUT_MS = 10000,
    LOGS_START_BYTES = 128,
    FELIX_TIMEOUT_MS = 5000,
    OLD_ENOUGH_S = 3600, /* its log may have been rotated away */
};

struct node {
    struct container_work work; /* first */
    struct docker_log log;
    struct strbuf logs_start; /* what Docker says where it has no logs to give */
    char missing[64];         /* modules that are not loaded */
};

static void init(struct step *step)
{
    struct node *n = (struct node *)step;

    container_work_init(&n->work, CONTAINER_NODE,
                        container_node_body(step->env->spec, step->env->facts));
}

static void done(struct step *step)
{
    struct node *n = (struct node *)step;

    container_work_done(&n->work);
    strbuf_done(&n->logs_start);
}

static const struct step_env *env_of(const struct node *n)
{
    return n->work.worker.step.env;
}

/* ---- observe ---- */

static enum flow_verdict note(struct flow *flow, void *ctx, struct error *err)
{
    struct node *n = ctx;
    struct step *step = &n->work.worker.step;
    json_t *seen = container_seen_of(&n->work);

    (void)flow;
    (void)err;
    (void)json_object_set_new(seen, "sysctls", host_sysctls_seen(step->env));
    (void)json_object_set_new(seen, "modules", host_modules_seen(step->env));
    json_decref(step->seen);
    step->seen = seen;
    return FLOW_NEXT;
}

/* ---- apply ---- */

static enum flow_verdict refuse_native(struct flow *flow, void *ctx, struct error *err)
{
    struct node *n = ctx;

    (void)flow;
    if (!env_of(n)->facts->native_calico)
        return FLOW_NEXT;
    (void)error_set(err, -EEXIST,
                    "DC/OS brings its own Calico here (2.1 and later): "
                    "another calico-node would fight with it");
    return FLOW_FAIL;
}

static enum flow_verdict plan(struct flow *flow, void *ctx, struct error *err)
{
    struct node *n = ctx;
    struct container_work *c = &n->work;
    char why[256];

    (void)flow;
    container_plan_nothing(c);
    if (!c->image_id[0]) {
        (void)error_set(err, -ENOENT, "image %s is not there after the pull", c->image);
        return FLOW_FAIL;
    }
    json_t *sysctls = host_sysctls_before(env_of(n));
    bool settings = json_object_size(sysctls) > 0;
    bool right = container_match(c, why, sizeof why) == CONTAINER_RIGHT &&
                 !container_image_moved(c);

    if (!right)
        container_plan_anew(c);
    if (right && !settings) {
        json_decref(sysctls);
        return FLOW_NEXT;
    }
    return container_remember(c, json_pack("{s:o}", "sysctls", sysctls), err) < 0
               ? worker_failed(err)
               : FLOW_NEXT;
}

static void list_missing(struct node *n)
{
    json_t *seen = host_modules_seen(env_of(n));
    struct strbuf names = {0};

    for (int i = 0; host_modules[i]; i++)
        if (!json_is_true(json_object_get(seen, host_modules[i])))
            strbuf_addf(&names, "%s%s", names.len > 0 ? ", " : "", host_modules[i]);
    (void)STR_COPY(n->missing, names.text ? names.text : "");
    strbuf_done(&names);
    json_decref(seen);
}

static void on_modprobe(struct worker *w, const struct proc_outcome *outcome)
{
    struct node *n = (struct node *)w;

    list_missing(n);
    if (n->missing[0])
        step_says(&w->step, "modules not loaded: %s (%.80s)", n->missing,
                  outcome->says);
    flow_next(w->flow);
}

static enum flow_verdict load_modules(struct flow *flow, void *ctx, struct error *err)
{
    struct node *n = ctx;
    const char *argv[8] = {"modprobe", "-a"};
    int count = 2;

    list_missing(n);
    if (!n->missing[0])
        return FLOW_NEXT;
    for (int i = 0; host_modules[i] && count < 7; i++)
        argv[count++] = host_modules[i];
    argv[count] = NULL;
    return worker_run(&n->work.worker, flow, argv, NULL, on_modprobe, err);
}

static enum flow_verdict write_sysctls(struct flow *flow, void *ctx, struct error *err)
{
    (void)flow;
    return host_sysctls_write(env_of(ctx), err) < 0 ? worker_failed(err) : FLOW_NEXT;
}

static bool embeds(const struct node *n)
{
    return container_libnetwork_mode(env_of(n)->spec) == LIBNETWORK_EMBEDDED;
}

static enum flow_verdict clear_sockets(struct flow *flow, void *ctx, struct error *err)
{
    struct node *n = ctx;

    (void)flow;
    if (!n->work.create || !embeds(n))
        return FLOW_NEXT;
    return plugin_clear_stale(env_of(n), err) < 0 ? worker_failed(err) : FLOW_NEXT;
}

static enum flow_verdict clear_left_sockets(struct flow *flow, void *ctx,
                                            struct error *err)
{
    (void)flow;
    return plugin_clear_stale(env_of(ctx), err) < 0 ? worker_failed(err) : FLOW_NEXT;
}

static enum flow_verdict tell(struct flow *flow, void *ctx, struct error *err)
{
    struct node *n = ctx;
    const char *what = n->work.create ? "started from" : "runs already from";

    (void)flow;
    (void)err;
    if (n->missing[0])
        step_says(&n->work.worker.step, "calico-node %s %.64s; modules not loaded: %s",
                  what, n->work.image, n->missing);
    else
        step_says(&n->work.worker.step, "calico-node %s %.96s", what, n->work.image);
    return FLOW_NEXT;
}

/* ---- prove ---- */

static enum flow_verdict prove_settings(struct flow *flow, void *ctx, struct error *err)
{
    (void)flow;
    return host_sysctls_check(env_of(ctx), err) < 0 ? worker_failed(err) : FLOW_NEXT;
}

static void on_logs_chunk(void *ctx, const char *bytes, size_t len)
{
    struct node *n = ctx;

    if (n->logs_start.len < LOGS_START_BYTES)
        strbuf_add_bytes(&n->logs_start, bytes,
                         len < LOGS_START_BYTES ? len : LOGS_START_BYTES);
    (void)docker_log_feed(&n->log, bytes, len);
}

static void on_logs(void *ctx, const struct http_reply *reply)
{
    struct node *n = ctx;
    struct worker *w = &n->work.worker;
    int64_t age_s =
        loop_wall_ms(w->step.env->loop) / 1000 - container_started_s(&n->work);

    w->http = NULL;
    if (reply->error.code < 0)
        flow_fail(w->flow, &reply->error);
    else if (n->log.found)
        flow_next(w->flow);
    else if (reply->status != 200 && container_felix_port(w->step.env->spec) > 0)
        flow_next(w->flow); /* a log driver that cannot be read; Felix is asked next */
    else if (reply->status != 200)
        worker_fail(w, -EAGAIN, "logs of %s: HTTP status %d: %.128s", CONTAINER_NODE,
                    reply->status, n->logs_start.text ? n->logs_start.text : "");
    else if (age_s > OLD_ENOUGH_S)
        flow_next(w->flow);
    else
        worker_fail(w, -EAGAIN, "%s has not logged \"%s\" yet", CONTAINER_NODE,
                    started_line);
}

static enum flow_verdict prove_started(struct flow *flow, void *ctx, struct error *err)
{
    struct node *n = ctx;
    struct worker *w = &n->work.worker;
    _cleanup_(freep) char *url =
        mem_printf("http://unix/containers/%s/logs?stdout=1&stderr=1&since=%lld",
                   CONTAINER_NODE, (long long)container_started_s(&n->work));
    struct http_options options = {.url = url,
                                   .unix_socket = w->step.env->docker_socket
                                                      ? w->step.env->docker_socket
                                                      : "/var/run/docker.sock",
                                   .timeout_ms = LOGS_TIMEOUT_MS};

    docker_log_init(&n->log, started_line);
    strbuf_done(&n->logs_start);
    w->flow = flow;
    int r = http_start(w->step.env->el, &options, on_logs, NULL, on_logs_chunk, n,
                       &w->http, err);
    return r < 0 ? FLOW_FAIL : FLOW_WAIT;
}

static void on_felix(void *ctx, const struct http_reply *reply)
{
    struct worker *w = ctx;

    w->http = NULL;
    if (reply->error.code < 0)
        worker_fail(w, reply->error.code, "Felix does not answer: %s",
                    reply->error.text);
    else if (reply->status < 200 || reply->status > 299)
        worker_fail(w, -EAGAIN, "Felix is not ready: HTTP status %d%s%.128s",
                    reply->status, reply->body && *reply->body ? ": " : "",
                    reply->body ? reply->body : "");
    else
        flow_next(w->flow);
}

static enum flow_verdict prove_felix(struct flow *flow, void *ctx, struct error *err)
{
    struct node *n = ctx;
    struct worker *w = &n->work.worker;
    int port = container_felix_port(w->step.env->spec);
    char url[64];
    struct http_options options = {.url = url, .timeout_ms = FELIX_TIMEOUT_MS};

    if (port == 0) /* before Calico 2.4 the started line has to do */
        return FLOW_NEXT;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/readiness", port);
    w->flow = flow;
    int r =
        http_start(w->step.env->el, &options, on_felix, NULL, NULL, w, &w->http, err);
    return r < 0 ? FLOW_FAIL : FLOW_WAIT;
}

static enum flow_verdict prove_embedded(struct flow *flow, void *ctx, struct error *err)
{
    (void)flow;
    (void)err;
    return embeds(ctx) ? FLOW_NEXT : FLOW_DONE;
}

/* ---- revert ---- */

static enum flow_verdict restore_sysctls(struct flow *flow, void *ctx,
                                         struct error *err)
{
    struct node *n = ctx;
    const json_t *before = json_object_get(n->work.worker.step.memo, "before");

    (void)flow;
    return host_sysctls_restore(env_of(n), json_object_get(before, "sysctls"), err) < 0
               ? worker_failed(err)
               : FLOW_NEXT;
}

static const struct flow_step observe_steps[] = {
    {.name = "look at container", .run = container_look, .cancel = worker_drop},
    {.name = "look at image", .run = container_look_image, .cancel = worker_drop},
    {.name = "look at host", .run = note},
    {0},
};

static const struct flow_step apply_steps[] = {
    {.name = "refuse native calico", .run = refuse_native},
    {.name = "look at container", .run = container_look, .cancel = worker_drop},
    {.name = "refuse a foreign one", .run = container_refuse_foreign},
    {.name = "look at image", .run = container_look_image, .cancel = worker_drop},
    {.name = "pull image", .run = container_pull, .cancel = worker_drop},
    {.name = "find image", .run = container_look_image, .cancel = worker_drop},
    {.name = "plan", .run = plan},
    {.name = "load modules", .run = load_modules, .cancel = worker_drop},
    {.name = "write sysctls", .run = write_sysctls},
    {.name = "remove container", .run = container_remove, .cancel = worker_drop},
    {.name = "clear stale sockets", .run = clear_sockets},
    {.name = "create container", .run = container_create, .cancel = worker_drop},
    {.name = "start container", .run = container_start, .cancel = worker_drop},
    {.name = "tell", .run = tell},
    {0},
};

static const struct flow_step prove_steps[] = {
    {.name = "container runs", .run = container_prove_runs, .cancel = worker_drop},
    {.name = "image is the wanted one",
     .run = container_prove_image,
     .cancel = worker_drop},
    {.name = "host settings", .run = prove_settings},
    {.name = "started line", .run = prove_started, .cancel = worker_drop},
    {.name = "felix is ready", .run = prove_felix, .cancel = worker_drop},
    {.name = "plugin is embedded", .run = prove_embedded},
    {.name = "network driver", .run = plugin_prove_network, .cancel = worker_drop},
    {.name = "scope is global", .run = plugin_prove_scope, .cancel = worker_drop},
    {.name = "ipam driver", .run = plugin_prove_ipam, .cancel = worker_drop},
    {.name = "ipam answers", .run = plugin_prove_ipam_answers, .cancel = worker_drop},
    {0},
};

static const struct flow_step revert_steps[] = {
    {.name = "look at container", .run = container_look, .cancel = worker_drop},
    {.name = "plan", .run = container_revert_plan, .cancel = worker_drop},
    {.name = "remove container", .run = container_remove, .cancel = worker_drop},
    {.name = "clear stale sockets", .run = clear_left_sockets},
    {.name = "restore sysctls", .run = restore_sysctls},
    {.name = "create container", .run = container_create, .cancel = worker_drop},
    {.name = "start container", .run = container_start, .cancel = worker_drop},
    {.name = "prove the revert", .run = container_revert_prove, .cancel = worker_drop},
    {0},
};

const struct step_type step_node = {
    .id = STEP_NODE,
    .size = sizeof(struct node),
    .init = init,
    .done = done,
    .observe = observe_steps,
    .apply = apply_steps,
    .prove = prove_steps,
    .revert = revert_steps,
};
