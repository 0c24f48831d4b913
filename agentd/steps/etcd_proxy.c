/* etcd_proxy.c - step etcd-proxy: an etcd proxy or gateway of this host, by systemd.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Story: never a container, since Docker needs the store to start and the proxy would
 * need Docker (DOMAIN.md C.2). observe looks at our unit, the binary, the port, and,
 * where the unit runs but etcd does not answer through it, at the peers that the proxy
 * has recorded: with none of them alive it will never find the cluster again, and its
 * record must go (shape: shared/model/judge_etcd_proxy.c). apply fetches, unpacks and
 * places the binary where a url is given, writes the unit, and (re)starts it: nothing
 * of that disturbs a task. revert takes all of it away again.
 *
 * memo: {"before":{"unit":{…},"binary":{…},"installed":{…},"missing":[…],
 *                  "data":true,"active":true,"enabled":true},          backup.h
 *        "wrote":"<sha256 of the unit>","stopped":true}
 */
#include "agentd/steps/etcd_proxy.h"

#include "agentd/steps/installed.h"
#include "agentd/steps/listener.h"
#include "shared/base/cleanup.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/render.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { UNIT_MAX_BYTES = 65536, RECORD_MAX_BYTES = 65536, PEERS_MAX = 7 };

const struct etcd_proxy_options *etcd_options(const struct worker *w)
{
    return &w->step.env->spec->etcd_proxy;
}

char *etcd_unit_path(const struct worker *w)
{
    const char *root = w->step.env->root;

    return mem_printf("%s/etc/systemd/system/%s", root ? root : "", ETCD_UNIT_NAME);
}

char *etcd_proxy_dir(const struct worker *w)
{
    return render_path(etcd_options(w)->data_dir, "proxy");
}

const char *etcd_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

/* ---- the unit ---- */

static int look_at_text(struct worker *w, struct error *err)
{
    _cleanup_(freep) char *path = etcd_unit_path(w);
    _cleanup_(freep) char *bytes = NULL;
    char sha256[DIGEST_HEX_SIZE];
    size_t len = 0;
    int r = fs_read(path, UNIT_MAX_BYTES, &bytes, &len, err);

    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    digest_bytes(bytes, len, sha256);
    json_object_set_new(w->step.seen, "unit",
                        json_pack("{s:s,s:b}", "sha256", sha256, "ours",
                                  (int)str_starts(bytes, RENDER_MARK)));
    return 0;
}

static void on_unit(struct worker *w, const struct unit_state *state,
                    const struct error *call)
{
    json_t *unit = json_object_get(w->step.seen, "unit");

    if (call->code < 0) {
        flow_fail(w->flow, call);
        return;
    }
    json_object_set_new(unit, "active", json_string(state->active));
    json_object_set_new(unit, "enabled", json_string(state->file_state));
    json_object_set_new(unit, "pid", json_integer(state->main_pid));
    flow_next(w->flow);
}

enum flow_verdict etcd_look_at_unit(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;

    json_decref(w->step.seen);
    w->step.seen = json_object();
    if (look_at_text(w, err) < 0)
        return worker_failed(err);
    if (!json_object_get(w->step.seen, "unit"))
        return FLOW_NEXT;
    return worker_unit_show(w, flow, ETCD_UNIT_NAME, on_unit, err);
}

/* ---- the binary ---- */

/* "etcd Version: 3.4.23\nGit SHA: …" */
static void on_version(struct worker *w, const struct proc_outcome *outcome)
{
    static const char before[] = "etcd Version: ";
    const char *at = strstr(outcome->output, before);

    if (outcome->exit_code == 0 && at) {
        at += sizeof(before) - 1;
        json_object_set_new(json_object_get(w->step.seen, "binary"), "version",
                            json_stringn(at, strcspn(at, " \r\n")));
    }
    flow_next(w->flow);
}

enum flow_verdict etcd_look_at_binary(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;
    const struct spec *spec = w->step.env->spec;
    _cleanup_(freep) char *path = render_etcd_binary(spec);
    const char *argv[] = {path, "--version", NULL};
    json_t *binary = NULL;

    if (render_etcd_fetches(spec)) {
        if (installed_look(w->step.env->state_dir, path, &binary, err) < 0)
            return worker_failed(err);
    } else {
        binary = json_pack("{s:s}", "path", path);
        if (access(path, X_OK) < 0)
            json_object_set_new(binary, "absent", json_true());
    }
    json_object_set_new(w->step.seen, "binary", binary);
    if (json_object_get(binary, "absent"))
        return FLOW_NEXT;
    return worker_run(w, flow, argv, NULL, on_version, err);
}

/* ---- the port, the data directory ---- */

static bool taken_by_other(const struct worker *w, const char *url, json_t **ret)
{
    const json_t *unit = json_object_get(w->step.seen, "unit");
    int port = render_url_port(url, 2379);
    struct listener listener;

    if (!listener_find(port, &listener) ||
        (unit && listener.pid == json_integer_value(json_object_get(unit, "pid"))))
        return false;
    *ret = json_pack("{s:i,s:o}", "port", port, "by",
                     listener.pid
                         ? json_sprintf("%s (pid %d)", listener.name, (int)listener.pid)
                         : json_string(listener.name));
    return true;
}

enum flow_verdict etcd_look_at_port(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;
    const struct strings *listen = &etcd_options(w)->listen;
    _cleanup_(freep) char *member = render_path(etcd_options(w)->data_dir, "member");
    json_t *taken = NULL;

    for (int i = 0; i < listen->count && !taken; i++)
        (void)taken_by_other(w, listen->items[i], &taken);
    if (taken)
        json_object_set_new(w->step.seen, "taken", taken);
    if (fs_exists(member))
        json_object_set_new(w->step.seen, "member", json_true());
    return FLOW_NEXT;
}

/* ---- does etcd answer? ---- */

static void on_health(struct worker *w, int status, const json_t *body,
                      const struct error *call)
{
    struct error err = {0};
    bool healthy = worker_expect(status, body, call, "GET /health", &err) == 0 &&
                   str_equal(etcd_text(body, "health"), "true");

    json_object_set_new(w->step.seen, "healthy", json_boolean(healthy));
    if (!healthy)
        json_object_set_new(w->step.seen, "why",
                            json_string(err.code < 0 ? err.text : "etcd is unhealthy"));
    flow_next(w->flow);
}

enum flow_verdict etcd_ask_health(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;
    const json_t *unit = json_object_get(w->step.seen, "unit");
    _cleanup_(freep) char *base = render_etcd_local(w->step.env->spec);
    _cleanup_(freep) char *url = mem_printf("%s/health", base);

    if (!str_equal(etcd_text(unit, "active"), "active"))
        return FLOW_NEXT;
    return worker_http(w, flow, url, NULL, on_health, err);
}

/* {"PeerURLs":["http://10.0.0.7:2380",…]}: what the proxy goes by instead of DNS. */
static json_t *recorded_peers(const struct worker *w)
{
    _cleanup_(freep) char *dir = etcd_proxy_dir(w);
    _cleanup_(freep) char *path = render_path(dir, "cluster");
    _cleanup_(freep) char *bytes = NULL;
    size_t len = 0;

    if (fs_read(path, RECORD_MAX_BYTES, &bytes, &len, NULL) < 0)
        return NULL;
    json_t *record = json_loadb(bytes, len, 0, NULL);
    json_t *peers = json_incref(json_object_get(record, "PeerURLs"));
    json_decref(record);
    return peers ? peers : json_array(); /* unreadable is as good as stale */
}

/* Any HTTP answer is a sign of life. */
static void on_peer(struct worker *w, int status, const json_t *body,
                    const struct error *call)
{
    struct etcd_proxy *p = (struct etcd_proxy *)w;

    if (status) {
        flow_next(w->flow);
        return;
    }
    p->peer++;
    flow_again(w->flow, 0, call);
}

enum flow_verdict etcd_ask_peers(struct flow *flow, void *ctx, struct error *err)
{
    struct etcd_proxy *p = ctx;
    struct worker *w = ctx;

    if (!json_is_false(json_object_get(w->step.seen, "healthy")) ||
        etcd_options(w)->mode != PROXY_MODE_PROXY)
        return FLOW_NEXT;
    if (!p->peers) {
        p->peers = recorded_peers(w);
        p->peer = 0;
        if (!p->peers)
            return FLOW_NEXT;
    }
    const char *peer = json_string_value(json_array_get(p->peers, p->peer));
    if (!peer || p->peer == PEERS_MAX) {
        json_object_set_new(w->step.seen, "stale", json_true());
        return FLOW_NEXT;
    }
    _cleanup_(freep) char *url = render_path(peer, "members");
    return worker_http(w, flow, url, NULL, on_peer, err);
}

static enum flow_verdict forget_peers(struct flow *flow, void *ctx, struct error *err)
{
    struct etcd_proxy *p = ctx;

    json_decref(p->peers);
    p->peers = NULL;
    return FLOW_NEXT;
}

static const struct flow_step observe[] = {
    {.name = "look at the unit", .run = etcd_look_at_unit, .cancel = worker_drop},
    {.name = "look at the binary",
     .run = etcd_look_at_binary,
     .cancel = worker_drop,
     .timeout_ms = 40000},
    {.name = "look at the port", .run = etcd_look_at_port},
    {.name = "ask etcd", .run = etcd_ask_health, .cancel = worker_drop},
    {.name = "forget earlier peers", .run = forget_peers},
    {.name = "ask the recorded peers",
     .run = etcd_ask_peers,
     .cancel = worker_drop,
     .timeout_ms = 60000},
    {0},
};

static void done(struct step *step)
{
    struct etcd_proxy *p = (struct etcd_proxy *)step;

    json_decref(p->peers);
}

const struct step_type step_etcd_proxy = {
    .id = STEP_ETCD_PROXY,
    .size = sizeof(struct etcd_proxy),
    .done = done,
    .observe = observe,
    .apply = etcd_proxy_apply,
    .prove = etcd_proxy_prove,
    .revert = etcd_proxy_revert,
};
