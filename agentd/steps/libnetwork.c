/* libnetwork.c - Docker's network plugin: in its own container, in calico-node, or off.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd. The story of the container stands in containers.h, the modes in
 * judge_libnetwork.c. Embedded and off do nothing here but to take a container of ours
 * away; the embedded plugin is proved by step node, which starts it. A container that
 * runs and does not listen on its sockets gets some seconds (Docker may just have
 * restarted), then a restart.
 */
#include "agentd/steps/containers.h"
#include "agentd/steps/plugin.h"

#include "shared/base/str.h"

#include <errno.h>
#include <string.h>

enum { LISTEN_WAIT_MS = 5000, LISTEN_POLL_MS = 500 };

struct libnetwork {
    struct container_work work; /* first */
    enum libnetwork_mode mode;
    json_t *node; /* owned: {"embeds","running"} or NULL */
    int64_t listening_since_ms;
};

static void init(struct step *step)
{
    struct libnetwork *l = (struct libnetwork *)step;
    const struct step_env *env = step->env;

    l->mode = container_libnetwork_mode(env->spec);
    container_work_init(&l->work, CONTAINER_LIBNETWORK,
                        container_libnetwork_body(env->spec, env->facts));
}

static void done(struct step *step)
{
    struct libnetwork *l = (struct libnetwork *)step;

    container_work_done(&l->work);
    json_decref(l->node);
}

/* ---- observe ---- */

static bool env_is(const json_t *env, const char *wanted)
{
    const json_t *line;
    size_t i;

    json_array_foreach (env, i, line)
        if (str_equal(json_string_value(line), wanted))
            return true;
    return false;
}

static void on_look_node(struct worker *w, int status, const json_t *body,
                         const struct error *err)
{
    struct libnetwork *l = (struct libnetwork *)w;
    const json_t *config = json_object_get(body, "Config");
    const json_t *state = json_object_get(body, "State");

    if (err->code < 0 && status != 404) {
        flow_fail(w->flow, err);
        return;
    }
    json_decref(l->node);
    l->node = NULL;
    if (err->code == 0)
        l->node = json_pack(
            "{s:b, s:b}", "embeds",
            env_is(json_object_get(config, "Env"), "CALICO_LIBNETWORK_ENABLED=true"),
            "running", json_is_true(json_object_get(state, "Running")));
    flow_next(w->flow);
}

static enum flow_verdict look_at_node(struct flow *flow, void *ctx, struct error *err)
{
    return container_call(ctx, flow, "GET", "/containers/calico-node/json", NULL,
                          on_look_node, err);
}

static enum flow_verdict note(struct flow *flow, void *ctx, struct error *err)
{
    struct libnetwork *l = ctx;
    struct step *step = &l->work.worker.step;
    json_t *seen = container_seen_of(&l->work);

    (void)flow;
    (void)err;
    if (l->node)
        (void)json_object_set(seen, "node", l->node);
    (void)json_object_set_new(seen, "sockets", plugin_seen(step->env));
    json_decref(step->seen);
    step->seen = seen;
    return FLOW_NEXT;
}

/* ---- apply ---- */

static bool listens(const struct libnetwork *l)
{
    const struct step_env *env = l->work.worker.step.env;

    return plugin_look(env, "calico") == PLUGIN_LISTENING &&
           (container_libnetwork_one_socket(env->spec) ||
            plugin_look(env, "calico-ipam") == PLUGIN_LISTENING);
}

static enum flow_verdict refuse_foreign(struct flow *flow, void *ctx, struct error *err)
{
    struct libnetwork *l = ctx;

    if (l->mode == LIBNETWORK_OFF)
        return FLOW_NEXT; /* not ours to judge */
    return container_refuse_foreign(flow, ctx, err);
}

static enum flow_verdict pull(struct flow *flow, void *ctx, struct error *err)
{
    struct libnetwork *l = ctx;

    return l->mode == LIBNETWORK_CONTAINER ? container_pull(flow, ctx, err) : FLOW_NEXT;
}

static enum flow_verdict plan_without(struct libnetwork *l, struct error *err)
{
    struct step *step = &l->work.worker.step;

    if (!l->work.inspected || !container_ours(&l->work)) {
        step_says(step, l->mode == LIBNETWORK_OFF
                            ? "libnetwork is off: nothing to do"
                            : "embedded in calico-node: nothing to do here");
        return FLOW_DONE;
    }
    l->work.remove = true;
    return container_remember(&l->work, NULL, err) < 0 ? worker_failed(err) : FLOW_NEXT;
}

/* Right and running: only its sockets can be amiss. */
static enum flow_verdict plan_running(struct flow *flow, struct libnetwork *l,
                                      struct error *err)
{
    struct loop *loop = l->work.worker.step.env->loop;

    if (listens(l)) {
        step_says(&l->work.worker.step, "calico-libnetwork runs already");
        return FLOW_DONE;
    }
    if (l->listening_since_ms == 0)
        l->listening_since_ms = loop_now_ms(loop);
    if (loop_now_ms(loop) - l->listening_since_ms < LISTEN_WAIT_MS) {
        (void)error_set(err, -EAGAIN, "nothing listens on the plugin's sockets yet");
        return flow_poll(flow, LISTEN_POLL_MS, err);
    }
    l->work.restart = true;
    return container_remember(&l->work, NULL, err) < 0 ? worker_failed(err) : FLOW_NEXT;
}

static enum flow_verdict plan(struct flow *flow, void *ctx, struct error *err)
{
    struct libnetwork *l = ctx;
    char why[256];

    container_plan_nothing(&l->work);
    if (l->mode != LIBNETWORK_CONTAINER)
        return plan_without(l, err);
    if (!l->work.image_id[0]) {
        (void)error_set(err, -ENOENT, "image %s is not there after the pull",
                        l->work.image);
        return FLOW_FAIL;
    }
    if (container_match(&l->work, why, sizeof why) == CONTAINER_RIGHT &&
        !container_image_moved(&l->work))
        return plan_running(flow, l, err);
    container_plan_anew(&l->work);
    return container_remember(&l->work, NULL, err) < 0 ? worker_failed(err) : FLOW_NEXT;
}

static enum flow_verdict clear_sockets(struct flow *flow, void *ctx, struct error *err)
{
    struct libnetwork *l = ctx;

    (void)flow;
    return plugin_clear_stale(l->work.worker.step.env, err) < 0 ? worker_failed(err)
                                                                : FLOW_NEXT;
}

static enum flow_verdict tell(struct flow *flow, void *ctx, struct error *err)
{
    struct libnetwork *l = ctx;

    (void)flow;
    (void)err;
    if (l->mode == LIBNETWORK_CONTAINER)
        step_says(&l->work.worker.step, "calico-libnetwork started from %.96s",
                  l->work.image);
    else
        step_says(&l->work.worker.step, "calico-libnetwork removed");
    return FLOW_NEXT;
}

/* ---- prove ---- */

/* Embedded and off: no container of ours; step node proves the embedded plugin. */
static enum flow_verdict check_mode(struct flow *flow, void *ctx, struct error *err)
{
    struct libnetwork *l = ctx;

    (void)flow;
    if (l->mode == LIBNETWORK_CONTAINER)
        return FLOW_NEXT;
    if (!l->work.inspected || (l->mode == LIBNETWORK_OFF && !container_ours(&l->work)))
        return FLOW_DONE;
    (void)error_set(err, -EAGAIN, "container \"%s\" is still there",
                    CONTAINER_LIBNETWORK);
    return FLOW_FAIL;
}

static const struct flow_step observe_steps[] = {
    {.name = "look at container", .run = container_look, .cancel = worker_drop},
    {.name = "look at image", .run = container_look_image, .cancel = worker_drop},
    {.name = "look at calico-node", .run = look_at_node, .cancel = worker_drop},
    {.name = "look at sockets", .run = note},
    {0},
};

static const struct flow_step apply_steps[] = {
    {.name = "look at container", .run = container_look, .cancel = worker_drop},
    {.name = "refuse a foreign one", .run = refuse_foreign},
    {.name = "look at image", .run = container_look_image, .cancel = worker_drop},
    {.name = "pull image", .run = pull, .cancel = worker_drop},
    {.name = "find image", .run = container_look_image, .cancel = worker_drop},
    {.name = "plan", .run = plan},
    {.name = "remove container", .run = container_remove, .cancel = worker_drop},
    {.name = "clear stale sockets", .run = clear_sockets},
    {.name = "create container", .run = container_create, .cancel = worker_drop},
    {.name = "start container", .run = container_start, .cancel = worker_drop},
    {.name = "restart container", .run = container_restart, .cancel = worker_drop},
    {.name = "tell", .run = tell},
    {0},
};

static const struct flow_step prove_steps[] = {
    {.name = "look at container", .run = container_look, .cancel = worker_drop},
    {.name = "mode", .run = check_mode},
    {.name = "container runs", .run = container_prove_runs, .cancel = worker_drop},
    {.name = "image is the wanted one",
     .run = container_prove_image,
     .cancel = worker_drop},
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
    {.name = "clear stale sockets", .run = clear_sockets},
    {.name = "create container", .run = container_create, .cancel = worker_drop},
    {.name = "start container", .run = container_start, .cancel = worker_drop},
    {.name = "prove the revert", .run = container_revert_prove, .cancel = worker_drop},
    {0},
};

const struct step_type step_libnetwork = {
    .id = STEP_LIBNETWORK,
    .size = sizeof(struct libnetwork),
    .init = init,
    .done = done,
    .observe = observe_steps,
    .apply = apply_steps,
    .prove = prove_steps,
    .revert = revert_steps,
};
