/* containers.c - what steps libnetwork and node do alike with their one container.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/steps/containers.h"

#include "shared/base/cleanup.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <errno.h>
#include <string.h>
#include <time.h>

enum {
    CALL_TIMEOUT_MS = 20000, /* a removal waits for the container's end */
    COMEBACK_MS = 10000,     /* Docker brings its containers back after a restart */
    COMEBACK_POLL_MS = 500,
    REMOVAL_POLL_MS = 300,
    STABLE_MS = 5000,
    STABLE_POLL_MS = 500,
};

void container_work_init(struct container_work *c, const char *name, json_t *wanted)
{
    c->name = name;
    c->wanted = wanted;
    c->image = wanted ? json_string_value(json_object_get(wanted, "Image")) : "";
}

void container_work_done(struct container_work *c)
{
    json_decref(c->wanted);
    json_decref(c->inspected);
    json_decref(c->create);
}

static void on_docker(void *ctx, int status, const json_t *body,
                      const struct error *err)
{
    struct worker *w = ctx;

    w->docker = NULL;
    w->on_reply(w, status, body, err);
}

enum flow_verdict container_call(struct container_work *c, struct flow *flow,
                                 const char *method, const char *path,
                                 const json_t *body, worker_reply_f done,
                                 struct error *err)
{
    struct worker *w = &c->worker;
    const struct step_env *env = w->step.env;

    w->flow = flow;
    w->on_reply = done;
    int r = docker_call(env->el, env->docker_socket, method, path, body,
                        CALL_TIMEOUT_MS, on_docker, w, &w->docker, err);
    return r < 0 ? FLOW_FAIL : FLOW_WAIT;
}

/* "/containers/<name><rest>" */
static enum flow_verdict call_named(struct container_work *c, struct flow *flow,
                                    const char *method, const char *rest,
                                    worker_reply_f done, struct error *err)
{
    _cleanup_(freep) char *path = mem_printf("/containers/%s%s", c->name, rest);

    return container_call(c, flow, method, path, NULL, done, err);
}

static void on_act(struct worker *w, int status, const json_t *body,
                   const struct error *err)
{
    (void)body;
    if (err->code < 0)
        flow_fail(w->flow, err);
    else
        flow_next(w->flow);
}

/* ---- looking ---- */

bool container_ours(const struct container_work *c)
{
    json_t *seen = container_seen(c->inspected);
    const char *label = json_string_value(json_object_get(seen, "spec"));
    bool ours = label && *label;

    json_decref(seen);
    return ours;
}

/* One that never started (a crash between create and start) does not come by itself. */
static bool coming_back(const struct container_work *c)
{
    const json_t *state = json_object_get(c->inspected, "State");
    const char *started_at = json_string_value(json_object_get(state, "StartedAt"));

    return started_at && !str_starts(started_at, "0001-") && container_ours(c) &&
           (!json_is_true(json_object_get(state, "Running")) ||
            json_is_true(json_object_get(state, "Restarting")));
}

static void keep_inspected(struct container_work *c, const json_t *body)
{
    json_decref(c->inspected);
    c->inspected = json_is_object(body) ? json_deep_copy(body) : NULL;
}

static void on_look(struct worker *w, int status, const json_t *body,
                    const struct error *err)
{
    struct container_work *c = (struct container_work *)w;

    if (err->code < 0 && status != 404) {
        flow_fail(w->flow, err);
        return;
    }
    keep_inspected(c, err->code == 0 ? body : NULL);
    if (coming_back(c) &&
        loop_now_ms(w->step.env->loop) - c->looking_since_ms < COMEBACK_MS) {
        worker_again(w, COMEBACK_POLL_MS, "container \"%s\" does not run", c->name);
        return;
    }
    c->looking_since_ms = 0;
    flow_next(w->flow);
}

enum flow_verdict container_look(struct flow *flow, void *ctx, struct error *err)
{
    struct container_work *c = ctx;

    if (c->looking_since_ms == 0)
        c->looking_since_ms = loop_now_ms(c->worker.step.env->loop);
    return call_named(c, flow, "GET", "/json", on_look, err);
}

static void on_look_image(struct worker *w, int status, const json_t *body,
                          const struct error *err)
{
    struct container_work *c = (struct container_work *)w;
    const char *id = json_string_value(json_object_get(body, "Id"));

    if (err->code < 0 && status != 404) {
        flow_fail(w->flow, err);
        return;
    }
    (void)STR_COPY(c->image_id, err->code == 0 && id ? id : "");
    flow_next(w->flow);
}

static enum flow_verdict call_image(struct container_work *c, struct flow *flow,
                                    const char *image, worker_reply_f done,
                                    struct error *err)
{
    _cleanup_(freep) char *path = mem_printf("/images/%s/json", image);

    return container_call(c, flow, "GET", path, NULL, done, err);
}

enum flow_verdict container_look_image(struct flow *flow, void *ctx, struct error *err)
{
    struct container_work *c = ctx;

    c->image_id[0] = '\0';
    if (!c->image || !*c->image)
        return FLOW_NEXT;
    return call_image(c, flow, c->image, on_look_image, err);
}

enum container_match container_match(const struct container_work *c, char *why,
                                     size_t why_size)
{
    json_t *seen = container_seen(c->inspected);
    enum container_match match =
        container_compare(c->name, c->wanted, seen, why, why_size);

    json_decref(seen);
    return match;
}

enum flow_verdict container_refuse_foreign(struct flow *flow, void *ctx,
                                           struct error *err)
{
    struct container_work *c = ctx;
    char why[256];

    (void)flow;
    if (container_match(c, why, sizeof why) != CONTAINER_FOREIGN)
        return FLOW_NEXT;
    (void)error_set(err, -EEXIST, "%s", why);
    return FLOW_FAIL;
}

bool container_image_moved(const struct container_work *c)
{
    const char *id = json_string_value(json_object_get(c->inspected, "Image"));

    return c->image_id[0] && id && strcmp(id, c->image_id) != 0;
}

json_t *container_seen_of(const struct container_work *c)
{
    json_t *seen = json_object(), *container = container_seen(c->inspected);

    if (container)
        (void)json_object_set_new(seen, "container", container);
    if (c->image && *c->image)
        (void)json_object_set_new(
            seen, "image",
            json_pack("{s:s, s:s}", "name", c->image, "id", c->image_id));
    return seen;
}

/* ---- the image ---- */

static void on_pull_progress(void *ctx, const char *says)
{
    struct container_work *c = ctx;

    step_says(&c->worker.step, "pulling %.80s: %.64s", c->image, says);
}

enum flow_verdict container_pull(struct flow *flow, void *ctx, struct error *err)
{
    struct container_work *c = ctx;
    struct worker *w = &c->worker;
    const struct step_env *env = w->step.env;

    if (c->image_id[0])
        return FLOW_NEXT;
    w->flow = flow;
    w->on_reply = on_act;
    flow_set_timeout(flow, worker_timeout_ms(w) + 5000); /* the call's own is first */
    step_says(&w->step, "pulling %.120s", c->image);
    int r = docker_pull(env->el, env->docker_socket, c->image, worker_timeout_ms(w),
                        on_docker, on_pull_progress, c, &w->docker, err);
    return r < 0 ? FLOW_FAIL : FLOW_WAIT;
}

/* ---- the acts ---- */

void container_plan_nothing(struct container_work *c)
{
    c->remove = c->start = c->restart = false;
    json_decref(c->create);
    c->create = NULL;
}

void container_plan_anew(struct container_work *c)
{
    container_plan_nothing(c);
    c->remove = c->inspected != NULL;
    c->create = json_incref(c->wanted);
    c->start = true;
}

static void on_remove(struct worker *w, int status, const json_t *body,
                      const struct error *err)
{
    const char *message = json_string_value(json_object_get(body, "message"));

    if (err->code == -EEXIST && message && strstr(message, "already in progress"))
        worker_again(w, REMOVAL_POLL_MS, "%s", err->text);
    else if (err->code < 0 && status != 404)
        flow_fail(w->flow, err);
    else
        flow_next(w->flow);
}

/* The one that was looked at: its name may be another's by now. */
enum flow_verdict container_remove(struct flow *flow, void *ctx, struct error *err)
{
    struct container_work *c = ctx;
    const char *id = json_string_value(json_object_get(c->inspected, "Id"));

    if (!c->remove)
        return FLOW_NEXT;
    _cleanup_(freep) char *path =
        mem_printf("/containers/%s?force=1", id && *id ? id : c->name);
    return container_call(c, flow, "DELETE", path, NULL, on_remove, err);
}

enum flow_verdict container_create(struct flow *flow, void *ctx, struct error *err)
{
    struct container_work *c = ctx;

    if (!c->create)
        return FLOW_NEXT;
    _cleanup_(freep) char *path = mem_printf("/containers/create?name=%s", c->name);
    return container_call(c, flow, "POST", path, c->create, on_act, err);
}

enum flow_verdict container_start(struct flow *flow, void *ctx, struct error *err)
{
    struct container_work *c = ctx;

    if (!c->start)
        return FLOW_NEXT;
    step_says(&c->worker.step, "starting %s", c->name);
    return call_named(c, flow, "POST", "/start", on_act, err);
}

enum flow_verdict container_restart(struct flow *flow, void *ctx, struct error *err)
{
    struct container_work *c = ctx;

    if (!c->restart)
        return FLOW_NEXT;
    step_says(&c->worker.step, "restarting %s", c->name);
    return call_named(c, flow, "POST", "/restart?t=5", on_act, err);
}

int container_remember(struct container_work *c, json_t *more, struct error *err)
{
    struct step *step = &c->worker.step;

    if (json_object_get(step->memo, "before")) {
        json_decref(more);
        return 0;
    }
    json_t *before = more ? more : json_object(), *kept = container_keep(c->inspected);
    (void)json_object_set_new(before, "container", kept ? kept : json_null());
    (void)json_object_set_new(step->memo, "before", before);
    int r = step_save(step, err);
    if (r < 0) /* not on disk: not remembered */
        (void)json_object_del(step->memo, "before");
    return r;
}

/* ---- proof ---- */

/* "2018-01-01T00:00:00.123Z" */
int64_t container_started_s(const struct container_work *c)
{
    struct tm tm = {0};

    return strptime(c->started_at, "%Y-%m-%dT%H:%M:%S", &tm) ? timegm(&tm) : 0;
}

/* By the wall clock where that makes sense, else by what this step saw of it. */
static bool stable(const struct container_work *c)
{
    struct loop *loop = c->worker.step.env->loop;
    int64_t age_ms = loop_wall_ms(loop) - container_started_s(c) * 1000;

    return age_ms >= STABLE_MS || loop_now_ms(loop) - c->same_since_ms >= STABLE_MS;
}

/* Takes over when it was started and how often; false = not as in the last pass. */
static bool same_as_before(struct container_work *c)
{
    const json_t *state = json_object_get(c->inspected, "State");
    const char *started_at = json_string_value(json_object_get(state, "StartedAt"));
    int64_t restarts =
        json_integer_value(json_object_get(c->inspected, "RestartCount"));
    bool first = c->same_since_ms == 0;
    bool same = restarts == c->restarts && str_equal(c->started_at, started_at);

    if (same && !first)
        return true;
    (void)STR_COPY(c->started_at, started_at ? started_at : "");
    c->restarts = restarts;
    c->same_since_ms = loop_now_ms(c->worker.step.env->loop);
    return first;
}

static void on_prove_runs(struct worker *w, int status, const json_t *body,
                          const struct error *err)
{
    struct container_work *c = (struct container_work *)w;
    char why[256];

    (void)status;
    if (err->code < 0) {
        flow_fail(w->flow, err);
        return;
    }
    keep_inspected(c, body);
    bool same = same_as_before(c);
    if (container_match(c, why, sizeof why) != CONTAINER_RIGHT)
        worker_fail(w, -EAGAIN, "%s", why);
    else if (!same)
        worker_fail(
            w, -EAGAIN,
            "container \"%s\" was restarted between two checks (started %s, %lld "
            "restarts)",
            c->name, c->started_at, (long long)c->restarts);
    else if (!stable(c))
        worker_again(w, STABLE_POLL_MS, "container \"%s\" has just been started",
                     c->name);
    else
        flow_next(w->flow);
}

enum flow_verdict container_prove_runs(struct flow *flow, void *ctx, struct error *err)
{
    return call_named(ctx, flow, "GET", "/json", on_prove_runs, err);
}

static void on_prove_image(struct worker *w, int status, const json_t *body,
                           const struct error *err)
{
    struct container_work *c = (struct container_work *)w;
    const char *id = json_string_value(json_object_get(body, "Id"));

    /* A name that was taken off the image meanwhile says nothing about the container.
     */
    if (err->code < 0 && status != 404) {
        flow_fail(w->flow, err);
        return;
    }
    (void)STR_COPY(c->image_id, err->code == 0 && id ? id : "");
    if (container_image_moved(c))
        worker_fail(w, -EAGAIN, "container \"%s\" runs another image than %s", c->name,
                    c->image);
    else
        flow_next(w->flow);
}

enum flow_verdict container_prove_image(struct flow *flow, void *ctx, struct error *err)
{
    struct container_work *c = ctx;

    return call_image(c, flow, c->image, on_prove_image, err);
}

/* ---- revert ---- */

static const json_t *before_of(const struct container_work *c)
{
    return json_object_get(c->worker.step.memo, "before");
}

static const char *label_of(const json_t *labels)
{
    const char *label = json_string_value(json_object_get(labels, CONTAINER_LABEL));

    return label ? label : "";
}

/* Is what was inspected the container of the memo? */
static bool is_the_one_before(const struct container_work *c)
{
    const json_t *kept = json_object_get(before_of(c), "container");
    const json_t *body = json_object_get(kept, "body");
    const json_t *config = json_object_get(c->inspected, "Config");

    return json_is_object(kept) && c->inspected &&
           strcmp(label_of(json_object_get(body, "Labels")),
                  label_of(json_object_get(config, "Labels"))) == 0 &&
           str_equal(json_string_value(json_object_get(c->inspected, "Image")),
                     json_string_value(json_object_get(kept, "image_id")));
}

static bool runs(const struct container_work *c)
{
    return json_is_true(
        json_object_get(json_object_get(c->inspected, "State"), "Running"));
}

/* The image by its name where that still means the same one, else by its id. */
static void on_revert_image(struct worker *w, int status, const json_t *body,
                            const struct error *err)
{
    struct container_work *c = (struct container_work *)w;
    const json_t *kept = json_object_get(before_of(c), "container");
    const char *wanted = json_string_value(json_object_get(kept, "image_id"));
    const char *id = json_string_value(json_object_get(body, "Id"));

    if (err->code < 0 && status != 404) {
        flow_fail(w->flow, err);
        return;
    }
    json_decref(c->create);
    c->create = json_deep_copy(json_object_get(kept, "body"));
    if (wanted && *wanted && !str_equal(id, wanted))
        (void)json_object_set_new(c->create, "Image", json_string(wanted));
    flow_next(w->flow);
}

enum flow_verdict container_revert_plan(struct flow *flow, void *ctx, struct error *err)
{
    struct container_work *c = ctx;
    const json_t *kept = json_object_get(before_of(c), "container");

    container_plan_nothing(c);
    if (!before_of(c))
        return FLOW_DONE;
    if (c->inspected && !container_ours(c)) {
        if (!json_is_object(kept))
            return FLOW_NEXT; /* ours is gone, and that is how it was */
        (void)error_set(err, -EEXIST,
                        "container \"%s\" was replaced by somebody else meanwhile: not "
                        "touched",
                        c->name);
        return FLOW_FAIL;
    }
    if (!json_is_object(kept)) {
        c->remove = c->inspected != NULL;
        return FLOW_NEXT;
    }
    c->start = json_is_true(json_object_get(kept, "running"));
    if (is_the_one_before(c))
        return FLOW_NEXT; /* starting what runs is a success for Docker */
    c->remove = c->inspected != NULL;
    const char *image =
        json_string_value(json_object_get(json_object_get(kept, "body"), "Image"));
    return call_image(c, flow, image ? image : "", on_revert_image, err);
}

static void on_revert_prove(struct worker *w, int status, const json_t *body,
                            const struct error *err)
{
    struct container_work *c = (struct container_work *)w;
    const json_t *kept = json_object_get(before_of(c), "container");

    if (err->code < 0 && status != 404) {
        flow_fail(w->flow, err);
        return;
    }
    keep_inspected(c, err->code == 0 ? body : NULL);
    if (!json_is_object(kept) && c->inspected && container_ours(c))
        worker_fail(w, -EAGAIN, "container \"%s\" is still there", c->name);
    else if (!json_is_object(kept))
        flow_next(w->flow);
    else if (!is_the_one_before(c))
        worker_fail(w, -EAGAIN, "container \"%s\" is not the one from before", c->name);
    else if (c->start && !runs(c))
        worker_again(w, COMEBACK_POLL_MS, "container \"%s\" does not run", c->name);
    else
        flow_next(w->flow);
}

enum flow_verdict container_revert_prove(struct flow *flow, void *ctx,
                                         struct error *err)
{
    return call_named(ctx, flow, "GET", "/json", on_revert_prove, err);
}
