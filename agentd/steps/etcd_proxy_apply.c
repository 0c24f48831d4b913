/* etcd_proxy_apply.c - step etcd-proxy: binary, unit, start; and one pass of its
 * checks.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/steps/etcd_proxy.h"

#include "agentd/steps/backup.h"
#include "agentd/steps/installed.h"
#include "agentd/steps/place.h"
#include "agentd/steps/unpack.h"
#include "shared/base/cleanup.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/artifact.h"
#include "shared/model/render.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static int keep_binary(struct worker *w, json_t *before, struct error *err)
{
    const struct step_env *env = w->step.env;
    _cleanup_(freep) char *path = render_etcd_binary(env->spec);
    _cleanup_(freep) char *dir = place_directory(path);
    json_t *entry = NULL, *installed;

    if (!render_etcd_fetches(env->spec))
        return 0;
    int r = backup_take(env->state_dir, path, &entry, err);
    if (r < 0)
        return r;
    json_object_set_new(before, "binary", entry);
    json_object_set_new(before, "missing", backup_missing_dirs(dir));
    installed = installed_get(env->state_dir, path);
    if (installed)
        json_object_set_new(before, "installed", installed);
    return 0;
}

static enum flow_verdict keep(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;
    const json_t *unit = json_object_get(w->step.seen, "unit");
    _cleanup_(freep) char *path = etcd_unit_path(w);
    json_t *entry = NULL;

    if (json_object_get(w->step.memo, "before"))
        return FLOW_NEXT;
    if (backup_take(w->step.env->state_dir, path, &entry, err) < 0)
        return worker_failed(err);
    json_t *before =
        json_pack("{s:o,s:b,s:b,s:b}", "unit", entry, "data",
                  (int)fs_exists(etcd_options(w)->data_dir), "active",
                  (int)str_equal(etcd_text(unit, "active"), "active"), "enabled",
                  (int)str_equal(etcd_text(unit, "enabled"), "enabled"));
    if (keep_binary(w, before, err) < 0) {
        json_decref(before);
        return worker_failed(err);
    }
    json_object_set_new(w->step.memo, "before", before);
    return step_save(&w->step, err) < 0 ? worker_failed(err) : FLOW_NEXT;
}

/* ---- the binary ---- */

static enum flow_verdict fetch(struct flow *flow, void *ctx, struct error *err)
{
    struct etcd_proxy *p = ctx;
    const struct step_env *env = p->worker.step.env;
    const struct artifact *binary = &env->spec->etcd_proxy.binary;
    _cleanup_(freep) char *path = render_etcd_binary(env->spec);
    json_t *now = NULL;

    p->fetched = false;
    if (!render_etcd_fetches(env->spec))
        return FLOW_NEXT;
    if (installed_look(env->state_dir, path, &now, err) < 0)
        return worker_failed(err);
    bool in_place = artifact_in_place(binary, now);
    json_decref(now);
    if (in_place)
        return FLOW_NEXT;
    p->fetched = true;
    return worker_fetch(&p->worker, flow, binary->url, binary->sha256, "etcd", err);
}

static enum flow_verdict unpack(struct flow *flow, void *ctx, struct error *err)
{
    struct etcd_proxy *p = ctx;
    const char *url = etcd_options(ctx)->binary.url;

    if (!p->fetched || !unpack_needed(url))
        return FLOW_NEXT;
    return unpack_start(&p->worker, flow, p->worker.fetched_path, "etcd", err);
}

static enum flow_verdict install(struct flow *flow, void *ctx, struct error *err)
{
    struct etcd_proxy *p = ctx;
    const struct step_env *env = p->worker.step.env;
    const char *url = env->spec->etcd_proxy.binary.url;
    _cleanup_(freep) char *path = render_etcd_binary(env->spec);
    _cleanup_(freep) char *dir = place_directory(path);
    _cleanup_(freep) char *unpacked = NULL;

    if (!p->fetched)
        return FLOW_NEXT;
    if (unpack_needed(url) && unpack_find(&p->worker, "etcd", &unpacked, err) < 0)
        return worker_failed(err);
    if (fs_mkdirs(dir, 0755, err) < 0 ||
        installed_place(env->state_dir, unpacked ? unpacked : p->worker.fetched_path,
                        path, url, p->worker.fetched_sha256, err) < 0 ||
        unpack_clean(&p->worker, err) < 0)
        return worker_failed(err);
    return FLOW_NEXT;
}

/* ---- the unit ---- */

static bool stale(const struct worker *w)
{
    return json_is_true(json_object_get(w->step.seen, "stale"));
}

static enum flow_verdict stop_stale(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;

    if (!stale(w))
        return FLOW_NEXT;
    json_object_set_new(w->step.memo, "stopped", json_true());
    if (step_save(&w->step, err) < 0)
        return worker_failed(err);
    return worker_unit_act(w, flow, "stop", ETCD_UNIT_NAME, err);
}

static enum flow_verdict remove_stale(struct flow *flow, void *ctx, struct error *err)
{
    _cleanup_(freep) char *dir = etcd_proxy_dir(ctx);

    if (stale(ctx) && fs_remove_tree(dir, err) < 0)
        return worker_failed(err);
    return FLOW_NEXT;
}

static enum flow_verdict write_unit(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;
    struct fs_attributes attributes = {
        .mode = 0644, .uid = geteuid(), .gid = getegid()};
    _cleanup_(freep) char *path = etcd_unit_path(w);
    _cleanup_(freep) char *text = render_etcd_unit(w->step.env->spec);
    char sha256[DIGEST_HEX_SIZE];

    digest_bytes(text, strlen(text), sha256);
    json_object_set_new(w->step.memo, "wrote", json_string(sha256));
    if (step_save(&w->step, err) < 0)
        return worker_failed(err);
    if (fs_mkdirs(etcd_options(w)->data_dir, 0700, err) < 0 ||
        fs_write_atomic(path, text, strlen(text), &attributes, NULL, err) < 0)
        return worker_failed(err);
    return FLOW_NEXT;
}

static enum flow_verdict load(struct flow *flow, void *ctx, struct error *err)
{
    return worker_unit_act(ctx, flow, "daemon-reload", NULL, err);
}

static enum flow_verdict enable(struct flow *flow, void *ctx, struct error *err)
{
    return worker_unit_act(ctx, flow, "enable", ETCD_UNIT_NAME, err);
}

static enum flow_verdict clear(struct flow *flow, void *ctx, struct error *err)
{
    return worker_unit_try(ctx, flow, "reset-failed", ETCD_UNIT_NAME, err);
}

static enum flow_verdict start(struct flow *flow, void *ctx, struct error *err)
{
    step_says(ctx, "starting %s", ETCD_UNIT_NAME);
    return worker_unit_act(ctx, flow, "restart", ETCD_UNIT_NAME, err);
}

static enum flow_verdict say_started(struct flow *flow, void *ctx, struct error *err)
{
    step_says(ctx, "%s started", ETCD_UNIT_NAME);
    return FLOW_NEXT;
}

const struct flow_step etcd_proxy_apply[] = {
    {.name = "keep what was", .run = keep},
    {.name = "fetch etcd",
     .run = fetch,
     .cancel = worker_drop,
     .timeout_ms = WORKER_FETCH_TIMEOUT_MS},
    {.name = "unpack etcd", .run = unpack, .cancel = worker_drop, .timeout_ms = 90000},
    {.name = "install etcd", .run = install},
    {.name = "stop a stale proxy", .run = stop_stale, .cancel = worker_drop},
    {.name = "remove the stale record", .run = remove_stale},
    {.name = "write the unit", .run = write_unit},
    {.name = "load the unit", .run = load, .cancel = worker_drop},
    {.name = "enable the unit", .run = enable, .cancel = worker_drop},
    {.name = "reset-failed", .run = clear, .cancel = worker_drop},
    {.name = "start the unit", .run = start, .cancel = worker_drop},
    {.name = "say", .run = say_started},
    {0},
};

/* ---- prove ---- */

static void on_prove_unit(struct worker *w, const struct unit_state *state,
                          const struct error *call)
{
    if (call->code < 0)
        flow_fail(w->flow, call);
    else if (!str_equal(state->active, "active"))
        worker_fail(w, -EIO, "%s is %s", ETCD_UNIT_NAME, state->active);
    else if (!str_equal(state->file_state, "enabled"))
        worker_fail(w, -EIO, "%s is not enabled", ETCD_UNIT_NAME);
    else
        flow_next(w->flow);
}

static enum flow_verdict prove_unit(struct flow *flow, void *ctx, struct error *err)
{
    return worker_unit_show(ctx, flow, ETCD_UNIT_NAME, on_prove_unit, err);
}

static enum flow_verdict get(struct flow *flow, struct worker *w, const char *path,
                             worker_reply_f on_reply, struct error *err)
{
    _cleanup_(freep) char *base = render_etcd_local(w->step.env->spec);
    _cleanup_(freep) char *url = mem_printf("%s%s", base, path);

    return worker_http(w, flow, url, NULL, on_reply, err);
}

static void on_endpoints(struct worker *w, int status, const json_t *body,
                         const struct error *call)
{
    const json_t *endpoints = json_object_get(body, "endpoints");
    struct error err = {0};

    if (worker_expect(status, body, call, "GET /v2/config/local/proxy", &err) < 0) {
        flow_fail(w->flow, &err);
        return;
    }
    if (json_array_size(endpoints) == 0) {
        worker_fail(w, -EAGAIN, "the proxy has found no member of the cluster yet");
        return;
    }
    step_says(&w->step, "proxy to %zu member%s", json_array_size(endpoints),
              json_array_size(endpoints) == 1 ? "" : "s");
    flow_next(w->flow);
}

static enum flow_verdict prove_endpoints(struct flow *flow, void *ctx,
                                         struct error *err)
{
    if (etcd_options(ctx)->mode == PROXY_MODE_GATEWAY)
        return FLOW_NEXT; /* it has no HTTP of its own */
    return get(flow, ctx, "/v2/config/local/proxy", on_endpoints, err);
}

static void on_prove_health(struct worker *w, int status, const json_t *body,
                            const struct error *call)
{
    struct error err = {0};

    if (worker_expect(status, body, call, "GET /health", &err) < 0)
        flow_fail(w->flow, &err);
    else if (!str_equal(etcd_text(body, "health"), "true"))
        worker_fail(w, -EIO, "GET /health: etcd says \"%s\": it has no leader",
                    etcd_text(body, "health"));
    else
        flow_next(w->flow);
}

static enum flow_verdict prove_health(struct flow *flow, void *ctx, struct error *err)
{
    return get(flow, ctx, "/health", on_prove_health, err);
}

/* A gateway may lead to an etcd without the v2 API: then a v3 range, which is
 * linearizable by default, through its JSON gateway of each age. */
static const char *const quorum_paths[] = {"/v2/keys/?quorum=true", "/v3/kv/range",
                                           "/v3beta/kv/range", "/v3alpha/kv/range"};

static void on_quorum(struct worker *w, int status, const json_t *body,
                      const struct error *call)
{
    struct etcd_proxy *p = (struct etcd_proxy *)w;
    struct error err = {0};

    if (status == 404 && etcd_options(w)->mode == PROXY_MODE_GATEWAY &&
        p->tries + 1 < sizeof(quorum_paths) / sizeof(quorum_paths[0])) {
        worker_again(w, 0, "%s: HTTP status 404", quorum_paths[p->tries++]);
        return;
    }
    if (worker_expect(status, body, call, "a quorum read", &err) < 0)
        flow_fail(w->flow, &err);
    else
        flow_next(w->flow);
}

static enum flow_verdict prove_quorum(struct flow *flow, void *ctx, struct error *err)
{
    struct etcd_proxy *p = ctx;
    _cleanup_(freep) char *base = render_etcd_local(p->worker.step.env->spec);
    _cleanup_(freep) char *url = mem_printf("%s%s", base, quorum_paths[p->tries]);
    const char *body = p->tries ? "{\"key\":\"AA==\",\"limit\":\"1\"}" : NULL;

    return worker_http(&p->worker, flow, url, body, on_quorum, err);
}

static enum flow_verdict begin_quorum(struct flow *flow, void *ctx, struct error *err)
{
    struct etcd_proxy *p = ctx;

    p->tries = 0;
    return FLOW_NEXT;
}

const struct flow_step etcd_proxy_prove[] = {
    {.name = "the unit is active", .run = prove_unit, .cancel = worker_drop},
    {.name = "the proxy has endpoints", .run = prove_endpoints, .cancel = worker_drop},
    {.name = "etcd is healthy", .run = prove_health, .cancel = worker_drop},
    {.name = "begin the quorum read", .run = begin_quorum},
    {.name = "a quorum read succeeds", .run = prove_quorum, .cancel = worker_drop},
    {0},
};
