/* docker_store_prove.c - step docker-cluster-store: one pass of its checks.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/steps/docker_store.h"

#include "agentd/steps/daemon_json.h"
#include "shared/base/cleanup.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/render.h"

#include <errno.h>

enum { FILE_MAX_BYTES = 1 << 20 };

static const char *unit_of(const struct worker *w)
{
    return docker_options(w)->unit;
}

static enum flow_verdict prove_file(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;
    const char *path = docker_options(w)->daemon_json;
    _cleanup_(freep) char *bytes = NULL;
    json_t *document = NULL;
    size_t len = 0;

    if (fs_read(path, FILE_MAX_BYTES, &bytes, &len, err) < 0 ||
        daemon_json_parse(bytes, len, &document, err) < 0)
        return worker_failed(err);
    bool right = docker_keys_right(w, document);
    json_decref(document);
    if (right)
        return FLOW_NEXT;
    (void)error_set(err, -EBADMSG, "\"%s\" has not the keys that were written", path);
    return worker_failed(err);
}

static void on_prove_unit(struct worker *w, const struct unit_state *state,
                          const struct error *call)
{
    if (call->code < 0)
        flow_fail(w->flow, call);
    else if (!str_equal(state->active, "active"))
        worker_fail(w, -EIO, "%s is %s", unit_of(w), state->active);
    else if (restart_done(&w->step, DOCKER_RESTART) &&
             !restart_moved(&w->step, DOCKER_RESTART, state))
        worker_fail(w, -EIO, "%s is the process from before the restart", unit_of(w));
    else
        flow_next(w->flow);
}

static enum flow_verdict prove_unit(struct flow *flow, void *ctx, struct error *err)
{
    return worker_unit_show(ctx, flow, unit_of(ctx), on_prove_unit, err);
}

static void on_ping(struct worker *w, int status, const json_t *body,
                    const struct error *call)
{
    if (status == 200)
        flow_next(w->flow);
    else if (status)
        worker_fail(w, -EPROTO, "GET /_ping: HTTP status %d", status);
    else
        flow_fail(w->flow, call);
}

static enum flow_verdict prove_ping(struct flow *flow, void *ctx, struct error *err)
{
    return worker_docker(ctx, flow, "/_ping", on_ping, err);
}

static void on_prove_info(struct worker *w, int status, const json_t *body,
                          const struct error *call)
{
    const struct step_env *env = w->step.env;
    _cleanup_(freep) char *store = render_docker_store(env->spec);
    _cleanup_(freep) char *advertise = render_docker_advertise(env->spec, env->facts);
    struct error err = {0};

    if (worker_expect(status, body, call, "GET /info", &err) < 0)
        flow_fail(w->flow, &err);
    else if (!str_equal(docker_text(body, "ClusterStore"), store))
        worker_fail(w, -EIO, "docker has store \"%s\", not \"%s\"",
                    docker_text(body, "ClusterStore"), store);
    else if (*advertise && !str_equal(docker_text(body, "ClusterAdvertise"), advertise))
        worker_fail(w, -EIO, "docker advertises \"%s\", not \"%s\"",
                    docker_text(body, "ClusterAdvertise"), advertise);
    else
        flow_next(w->flow);
}

/* restart: never, and it could not be reloaded: there is nothing yet to prove by it. */
static bool not_taken_up(const struct worker *w)
{
    return docker_options(w)->restart == RESTART_NEVER &&
           !docker_memo_is(w, "reload", "done");
}

static enum flow_verdict prove_info(struct flow *flow, void *ctx, struct error *err)
{
    return not_taken_up(ctx) ? FLOW_NEXT
                             : worker_docker(ctx, flow, "/info", on_prove_info, err);
}

static void on_networks(struct worker *w, int status, const json_t *body,
                        const struct error *call)
{
    if (status == 200 && json_is_array(body))
        flow_next(w->flow);
    else if (status)
        worker_fail(w, -EPROTO, "GET /networks: HTTP status %d", status);
    else
        flow_fail(w->flow, call);
}

static enum flow_verdict prove_networks(struct flow *flow, void *ctx, struct error *err)
{
    return not_taken_up(ctx) ? FLOW_NEXT
                             : worker_docker(ctx, flow, "/networks", on_networks, err);
}

static void on_store(struct worker *w, int status, const json_t *body,
                     const struct error *call)
{
    if (status == 200)
        flow_next(w->flow);
    else if (status == 404)
        worker_fail(w, -ENOENT, "docker has not registered this host in the store yet");
    else if (status)
        worker_fail(w, -EPROTO, "the store answers with HTTP status %d", status);
    else
        flow_fail(w->flow, call);
}

static enum flow_verdict prove_store(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;
    const struct step_env *env = w->step.env;
    _cleanup_(freep) char *base = render_docker_store_url(env->spec);
    _cleanup_(freep) char *store = render_docker_store(env->spec);
    _cleanup_(freep) char *key = render_docker_node_key(env->spec, env->facts);
    _cleanup_(freep) char *url = NULL;

    if (not_taken_up(w) || !base)
        return FLOW_NEXT; /* a store on ZooKeeper has no HTTP to ask */
    if (str_starts(store, "etcd://"))
        url = mem_printf("%s%s?quorum=true", base, key ? key : "/v2/keys/");
    else
        url = mem_printf("%s/v1/status/leader", base);
    return worker_http(w, flow, url, NULL, on_store, err);
}

const struct flow_step docker_store_prove[] = {
    {.name = "daemon.json is as written", .run = prove_file},
    {.name = "docker's unit is active", .run = prove_unit, .cancel = worker_drop},
    {.name = "docker answers", .run = prove_ping, .cancel = worker_drop},
    {.name = "docker has the store", .run = prove_info, .cancel = worker_drop},
    {.name = "docker lists networks", .run = prove_networks, .cancel = worker_drop},
    {.name = "the store is used", .run = prove_store, .cancel = worker_drop},
    {0},
};
