/* networks.c - which containers are on a network of driver calico.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Story: list the networks; then ask for each of driver calico by itself, since the
 * list names no containers from API 1.28 on. One that goes meanwhile is in nobody's
 * use, and an engine without networks (before 1.9) has none.
 */
#include "agentd/steps/networks.h"

#include "shared/base/cleanup.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/io/docker.h"
#include "shared/io/flow.h"
#include "shared/model/json.h"

#include <errno.h>
#include <stdlib.h>

enum { CALL_TIMEOUT_MS = 10000, NAMES_MAX = 4, NETWORKS_MAX = 8 };

struct networks {
    struct event_loop *el;
    const char *socket;
    networks_done_f done;
    void *ctx;
    struct flow flow;
    struct docker_call *call;
    json_t *ids; /* of driver calico */
    size_t next;
    json_t *in_use;
};

static void drop(void *ctx)
{
    struct networks *n = ctx;

    docker_cancel(take_ptr(n->call));
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static void on_list(void *ctx, int status, const json_t *body, const struct error *err)
{
    struct networks *n = ctx;
    const json_t *network;
    size_t i;

    n->call = NULL;
    if (err->code < 0 && status != 404) {
        flow_fail(&n->flow, err);
        return;
    }
    json_array_foreach (body, i, network) {
        if (str_equal(text_of(network, "Driver"), "calico"))
            json_array_append(n->ids, json_object_get(network, "Id"));
    }
    flow_next(&n->flow);
}

static enum flow_verdict list(struct flow *flow, void *ctx, struct error *err)
{
    struct networks *n = ctx;

    (void)flow;
    int r = docker_call(n->el, n->socket, "GET", "/networks", NULL, CALL_TIMEOUT_MS,
                        on_list, n, &n->call, err);
    return r < 0 ? FLOW_FAIL : FLOW_WAIT;
}

/* "Containers":{"<id>":{"Name":"web1",…},"ep-…":{…}} */
static void add_users(struct networks *n, const json_t *network)
{
    json_t *containers = json_object_get(network, "Containers"), *one;
    struct strbuf names = {0};
    const char *id;
    size_t count = 0;

    json_object_foreach (containers, id, one) {
        const char *name = *text_of(one, "Name") ? text_of(one, "Name") : id;

        if (count++ < NAMES_MAX)
            strbuf_addf(&names, "%s%s", names.len ? ", " : "", name);
    }
    if (count > NAMES_MAX)
        strbuf_addf(&names, " and %zu more", count - NAMES_MAX);
    if (names.len && json_object_size(n->in_use) < NETWORKS_MAX)
        json_object_set_new(n->in_use, text_of(network, "Name"), json_text(names.text));
    strbuf_done(&names);
}

static void on_network(void *ctx, int status, const json_t *body,
                       const struct error *err)
{
    struct networks *n = ctx;
    struct error next = {0};

    n->call = NULL;
    if (err->code < 0 && status != 404) {
        flow_fail(&n->flow, err);
        return;
    }
    if (err->code == 0)
        add_users(n, body);
    n->next++;
    (void)error_set(&next, -EAGAIN, "network %zu of %zu", n->next,
                    json_array_size(n->ids));
    flow_again(&n->flow, 0, &next);
}

static enum flow_verdict look(struct flow *flow, void *ctx, struct error *err)
{
    struct networks *n = ctx;
    const char *id = json_string_value(json_array_get(n->ids, n->next));

    (void)flow;
    if (!id)
        return FLOW_NEXT;
    _cleanup_(freep) char *path = mem_printf("/networks/%s", id);
    int r = docker_call(n->el, n->socket, "GET", path, NULL, CALL_TIMEOUT_MS,
                        on_network, n, &n->call, err);
    return r < 0 ? FLOW_FAIL : FLOW_WAIT;
}

static const struct flow_step steps[] = {
    {.name = "list networks", .run = list, .cancel = drop},
    {.name = "look at calico networks",
     .run = look,
     .cancel = drop,
     .timeout_ms = 120000},
    {0},
};

static void networks_free(struct networks *n)
{
    json_decref(n->ids);
    json_decref(n->in_use);
    free(n);
}

static void on_done(void *ctx, int result, const struct error *err)
{
    struct networks *n = ctx;
    networks_done_f done = n->done;
    void *done_ctx = n->ctx;
    json_t *in_use = result < 0 ? NULL : json_incref(n->in_use);

    networks_free(n);
    done(done_ctx, in_use, err);
    json_decref(in_use);
}

struct networks *networks_look(struct event_loop *el, const char *docker_socket,
                               networks_done_f done, void *ctx)
{
    struct networks *n = NEW(struct networks);

    n->el = el;
    n->socket = docker_socket;
    n->done = done;
    n->ctx = ctx;
    n->ids = json_array();
    n->in_use = json_object();
    flow_start(&n->flow, event_loop_port(el), steps, n, on_done, n);
    return n;
}

void networks_cancel(struct networks *n)
{
    if (!n)
        return;
    flow_cancel(&n->flow);
    networks_free(n);
}
