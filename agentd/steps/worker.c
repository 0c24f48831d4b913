/* worker.c - a step with at most one operation of the outside world under way.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/steps/worker.h"

#include "shared/base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { ANSWER_TIMEOUT_MS = 5000, STATE_MAX_BYTES = 32 << 20 };

void worker_drop(void *ctx)
{
    struct worker *w = ctx;

    http_cancel(w->http);
    proc_cancel(w->proc);
    unit_cancel(w->unit);
    docker_cancel(w->docker);
    fetch_cancel(w->fetch);
    w->http = NULL;
    w->proc = NULL;
    w->unit = NULL;
    w->docker = NULL;
    w->fetch = NULL;
}

int64_t worker_timeout_ms(const struct worker *w)
{
    return spec_policy(w->step.env->spec, w->step.type->id)->timeout_ms;
}

static int plain_code(int code)
{
    if (code == -EPERM)
        return -EACCES;
    return code == -ECANCELED ? -EINTR : code;
}

enum flow_verdict worker_failed(struct error *err)
{
    err->code = plain_code(err->code);
    return FLOW_FAIL;
}

static void fail_with(struct worker *w, const struct error *err)
{
    struct error plain = *err;

    plain.code = plain_code(plain.code);
    flow_fail(w->flow, &plain);
}

static enum flow_verdict started(int r, struct error *err)
{
    return r < 0 ? worker_failed(err) : FLOW_WAIT;
}

void worker_fail(struct worker *w, int code, const char *fmt, ...)
{
    struct error err = {.code = code};
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(err.text, sizeof(err.text), fmt, args);
    va_end(args);
    flow_fail(w->flow, &err);
}

void worker_again(struct worker *w, int64_t delay_ms, const char *fmt, ...)
{
    struct error err = {.code = -EAGAIN};
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(err.text, sizeof(err.text), fmt, args);
    va_end(args);
    flow_again(w->flow, delay_ms, &err);
}

int worker_expect(int status, const json_t *body, const struct error *call,
                  const char *what, struct error *err)
{
    if (call->code < 0 && status == 0) {
        error_copy(err, call);
        return error_context(err, call->code, "%s", what);
    }
    if (status != 200) {
        const char *message = json_string_value(json_object_get(body, "message"));

        return error_set(err, -EPROTO, "%s: HTTP status %d%s%s", what, status,
                         message ? ": " : "", message ? message : "");
    }
    if (!json_is_object(body))
        return error_set(err, -EPROTO, "%s: the answer is no JSON object", what);
    return 0;
}

static void on_http(void *ctx, const struct http_reply *reply)
{
    struct worker *w = ctx;
    json_t *body = NULL;

    w->http = NULL;
    if (reply->error.code == 0)
        body = json_loadb(reply->body, reply->body_len, JSON_DECODE_ANY, NULL);
    w->on_reply(w, reply->error.code == 0 ? reply->status : 0, body, &reply->error);
    json_decref(body);
}

enum flow_verdict worker_http(struct worker *w, struct flow *flow, const char *url,
                              const char *body, worker_reply_f done, struct error *err)
{
    struct http_options options = {
        .method = body ? "POST" : "GET",
        .url = url,
        .body = body,
        .body_len = body ? strlen(body) : 0,
        .timeout_ms = ANSWER_TIMEOUT_MS,
        .connect_timeout_ms = ANSWER_TIMEOUT_MS / 2,
        .reply_max_bytes = STATE_MAX_BYTES, /* a busy agent's /state is large */
    };

    w->flow = flow;
    w->on_reply = done;
    return started(
        http_start(w->step.env->el, &options, on_http, NULL, NULL, w, &w->http, err),
        err);
}

static void on_docker(void *ctx, int status, const json_t *body,
                      const struct error *err)
{
    struct worker *w = ctx;

    w->docker = NULL;
    w->on_reply(w, status, body, err);
}

enum flow_verdict worker_docker(struct worker *w, struct flow *flow, const char *path,
                                worker_reply_f done, struct error *err)
{
    w->flow = flow;
    w->on_reply = done;
    return started(docker_call(w->step.env->el, w->step.env->docker_socket, "GET", path,
                               NULL, ANSWER_TIMEOUT_MS, on_docker, w, &w->docker, err),
                   err);
}

static void on_unit_state(void *ctx, const struct unit_state *state,
                          const struct error *err)
{
    struct worker *w = ctx;

    w->unit = NULL;
    w->on_unit(w, state, err);
}

enum flow_verdict worker_unit_show(struct worker *w, struct flow *flow,
                                   const char *unit, worker_unit_f done,
                                   struct error *err)
{
    w->flow = flow;
    w->on_unit = done;
    return started(unit_show(w->step.env->el, unit, on_unit_state, w, &w->unit, err),
                   err);
}

static void on_unit_act(void *ctx, const struct error *err)
{
    struct worker *w = ctx;

    w->unit = NULL;
    if (err->code < 0 && !w->tolerant)
        fail_with(w, err);
    else
        flow_next(w->flow);
}

static enum flow_verdict act(struct worker *w, struct flow *flow, const char *verb,
                             const char *unit, bool tolerant, struct error *err)
{
    w->flow = flow;
    w->tolerant = tolerant;
    flow_set_timeout(flow, worker_timeout_ms(w) + 5000); /* systemctl's own is first */
    return started(unit_act(w->step.env->el, verb, unit, worker_timeout_ms(w),
                            on_unit_act, w, &w->unit, err),
                   err);
}

enum flow_verdict worker_unit_act(struct worker *w, struct flow *flow, const char *verb,
                                  const char *unit, struct error *err)
{
    return act(w, flow, verb, unit, false, err);
}

enum flow_verdict worker_unit_try(struct worker *w, struct flow *flow, const char *verb,
                                  const char *unit, struct error *err)
{
    return act(w, flow, verb, unit, true, err);
}

static void on_proc(void *ctx, const struct proc_outcome *outcome)
{
    struct worker *w = ctx;

    w->proc = NULL;
    if (w->on_proc)
        w->on_proc(w, outcome);
    else if (outcome->exit_code != 0)
        worker_fail(w, -EIO, "%s", outcome->says);
    else
        flow_next(w->flow);
}

enum flow_verdict worker_run(struct worker *w, struct flow *flow,
                             const char *const *argv, const char *const *environment,
                             worker_proc_f done, struct error *err)
{
    struct proc_options options = {.argv = argv, .environment = environment};

    w->flow = flow;
    w->on_proc = done;
    flow_set_timeout(flow, 35000); /* the command's own deadline is first */
    return started(proc_start(w->step.env->el, &options, on_proc, w, &w->proc, err),
                   err);
}

static void on_fetch_progress(void *ctx, int64_t bytes, int64_t total)
{
    struct worker *w = ctx;

    if (total > 0)
        step_says(&w->step, "downloading %s %d%%", w->fetching,
                  (int)(bytes * 100 / total));
    else
        step_says(&w->step, "downloading %s %lld kB", w->fetching,
                  (long long)(bytes / 1024));
}

static void on_fetch(void *ctx, const struct fetch_result *result)
{
    struct worker *w = ctx;

    w->fetch = NULL;
    if (result->error.code < 0) {
        fail_with(w, &result->error);
        return;
    }
    STR_COPY(w->fetched_path, result->path);
    STR_COPY(w->fetched_sha256, result->sha256);
    flow_next(w->flow);
}

enum flow_verdict worker_fetch(struct worker *w, struct flow *flow, const char *url,
                               const char *sha256, const char *what, struct error *err)
{
    struct fetch_options options = {
        .url = url, .sha256 = sha256, .cache_dir = w->step.env->cache_dir};

    w->flow = flow;
    STR_COPY(w->fetching, what);
    return started(fetch_start(w->step.env->el, &options, on_fetch, on_fetch_progress,
                               w, &w->fetch, err),
                   err);
}
