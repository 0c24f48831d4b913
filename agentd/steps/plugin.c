/* plugin.c - Docker's legacy plugin sockets of Calico.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/steps/plugin.h"

#include "shared/base/cleanup.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { ANSWER_TIMEOUT_MS = 5000 };

static const char *const names[] = {"calico", "calico-ipam"};
enum { NAME_COUNT = sizeof(names) / sizeof(names[0]) };

static char *socket_path(const struct step_env *env, const char *name)
{
    return mem_printf("%s/run/docker/plugins/%s.sock", env->root ? env->root : "",
                      name);
}

const char *plugin_socket_text(enum plugin_socket state)
{
    switch (state) {
    case PLUGIN_ABSENT:
        return "absent";
    case PLUGIN_STALE:
        return "stale";
    case PLUGIN_LISTENING:
        return "listening";
    }
    return "?";
}

enum plugin_socket plugin_look(const struct step_env *env, const char *name)
{
    _cleanup_(freep) char *path = socket_path(env, name);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _cleanup_(closep) int fd =
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || !str_copy(address.sun_path, sizeof address.sun_path, path))
        return PLUGIN_ABSENT;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ||
        errno == EAGAIN) /* its queue is full: somebody is there */
        return PLUGIN_LISTENING;
    return errno == ENOENT || errno == ENOTDIR ? PLUGIN_ABSENT : PLUGIN_STALE;
}

json_t *plugin_seen(const struct step_env *env)
{
    json_t *seen = json_object();

    for (int i = 0; i < NAME_COUNT; i++)
        (void)json_object_set_new(
            seen, names[i],
            json_string(plugin_socket_text(plugin_look(env, names[i]))));
    return seen;
}

int plugin_clear_stale(const struct step_env *env, struct error *err)
{
    for (int i = 0; i < NAME_COUNT; i++) {
        _cleanup_(freep) char *path = socket_path(env, names[i]);
        if (plugin_look(env, names[i]) != PLUGIN_STALE)
            continue;
        int r = fs_remove(path, err);
        if (r < 0)
            return error_context(err, r, "stale plugin socket");
    }
    return 0;
}

/* ---- proof ---- */

static void on_answer(void *ctx, const struct http_reply *reply)
{
    struct worker *w = ctx;
    json_t *body = NULL;

    w->http = NULL;
    if (reply->error.code == 0)
        body = json_loadb(reply->body, reply->body_len, JSON_DECODE_ANY, NULL);
    w->on_reply(w, reply->error.code == 0 ? reply->status : 0, body, &reply->error);
    json_decref(body);
}

static enum flow_verdict post(struct container_work *c, struct flow *flow,
                              const char *name, const char *path, worker_reply_f done,
                              struct error *err)
{
    static const char *const headers[] = {
        "Accept: application/vnd.docker.plugins.v1.2+json", NULL};
    struct worker *w = &c->worker;
    _cleanup_(freep) char *socket = socket_path(w->step.env, name);
    _cleanup_(freep) char *url = mem_printf("http://unix%s", path);
    struct http_options options = {.method = "POST",
                                   .url = url,
                                   .unix_socket = socket,
                                   .body = "{}",
                                   .body_len = 2,
                                   .headers = headers,
                                   .timeout_ms = ANSWER_TIMEOUT_MS};

    w->flow = flow;
    w->on_reply = done;
    int r =
        http_start(w->step.env->el, &options, on_answer, NULL, NULL, w, &w->http, err);
    return r < 0 ? FLOW_FAIL : FLOW_WAIT;
}

static const char *ipam_socket(const struct container_work *c)
{
    return names[container_libnetwork_one_socket(c->worker.step.env->spec) ? 0 : 1];
}

static bool has_text(const json_t *list, const char *wanted)
{
    const json_t *item;
    size_t i;

    json_array_foreach (list, i, item)
        if (str_equal(json_string_value(item), wanted))
            return true;
    return false;
}

static void check_implements(struct worker *w, const char *socket, const char *driver,
                             int status, const json_t *body, const struct error *call)
{
    struct error err = {0};
    char what[64];

    (void)snprintf(what, sizeof what, "%s.sock: /Plugin.Activate", socket);
    if (worker_expect(status, body, call, what, &err) < 0)
        flow_fail(w->flow, &err);
    else if (!has_text(json_object_get(body, "Implements"), driver))
        worker_fail(w, -EAGAIN, "%s: does not implement %s", what, driver);
    else
        flow_next(w->flow);
}

static void on_network(struct worker *w, int status, const json_t *body,
                       const struct error *call)
{
    check_implements(w, names[0], "NetworkDriver", status, body, call);
}

enum flow_verdict plugin_prove_network(struct flow *flow, void *ctx, struct error *err)
{
    return post(ctx, flow, names[0], "/Plugin.Activate", on_network, err);
}

static void on_scope(struct worker *w, int status, const json_t *body,
                     const struct error *call)
{
    const char *what = "calico.sock: /NetworkDriver.GetCapabilities";
    const char *scope = json_string_value(json_object_get(body, "Scope"));
    struct error err = {0};

    if (worker_expect(status, body, call, what, &err) < 0)
        flow_fail(w->flow, &err);
    else if (!str_equal(scope, "global"))
        worker_fail(w, -EAGAIN, "%s: scope is \"%.32s\", not \"global\"", what,
                    scope ? scope : "");
    else
        flow_next(w->flow);
}

enum flow_verdict plugin_prove_scope(struct flow *flow, void *ctx, struct error *err)
{
    return post(ctx, flow, names[0], "/NetworkDriver.GetCapabilities", on_scope, err);
}

static void on_ipam(struct worker *w, int status, const json_t *body,
                    const struct error *call)
{
    struct container_work *c = (struct container_work *)w;

    check_implements(w, ipam_socket(c), "IpamDriver", status, body, call);
}

enum flow_verdict plugin_prove_ipam(struct flow *flow, void *ctx, struct error *err)
{
    return post(ctx, flow, ipam_socket(ctx), "/Plugin.Activate", on_ipam, err);
}

static void on_ipam_answers(struct worker *w, int status, const json_t *body,
                            const struct error *call)
{
    struct container_work *c = (struct container_work *)w;
    struct error err = {0};
    char what[64];

    (void)snprintf(what, sizeof what, "%s.sock: /IpamDriver.GetCapabilities",
                   ipam_socket(c));
    if (worker_expect(status, body, call, what, &err) < 0)
        flow_fail(w->flow, &err);
    else
        flow_next(w->flow);
}

enum flow_verdict plugin_prove_ipam_answers(struct flow *flow, void *ctx,
                                            struct error *err)
{
    return post(ctx, flow, ipam_socket(ctx), "/IpamDriver.GetCapabilities",
                on_ipam_answers, err);
}
