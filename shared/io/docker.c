/* docker.c - the Docker Engine API over its unix socket.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A call is one HTTP exchange. A pull is one too, whose reply is a stream of JSON
 * objects, one to a line; its status is 200 even when the pull fails, and then one of
 * the objects has an "error".
 */
#include "shared/io/docker.h"

#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/io/http.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    REPLY_MAX_BYTES = 16 << 20, /* a host with thousands of containers */
    LINE_MAX_BYTES = 65536,
    MESSAGE_MAX = 360,
};

struct docker_call {
    struct http *http;
    char *socket, *what;
    struct strbuf line; /* pull: what has come of the current line */
    char
        message[MESSAGE_MAX + 1]; /* pull: the stream's error, or a refusal's message */
    bool failed;                  /* pull: the stream said "error" */
    bool finishing;
    bool reading; /* the chunk's reader is on the stack: it frees the call */
    bool cancelled;
    docker_done_f done;
    docker_progress_f progress;
    void *ctx;
};

static void destroy(struct docker_call *call)
{
    http_cancel(call->http);
    strbuf_done(&call->line);
    free(call->socket);
    free(call->what);
    free(call);
}

static void finish(struct docker_call *call, int status, const json_t *body,
                   const struct error *err)
{
    call->http = NULL;
    call->finishing = true;
    call->done(call->ctx, status, body, err);
    destroy(call);
}

static int status_code(int status)
{
    switch (status) {
    case 400:
        return -EINVAL;
    case 401:
    case 403:
        return -EACCES;
    case 404:
        return -ENOENT;
    case 409:
        return -EEXIST;
    default:
        return -EIO;
    }
}

/* Engines before 1.13 answer some errors as plain text. */
static void take_message(const json_t *json, const char *text, char *dst, size_t size)
{
    const char *message = json_string_value(json_object_get(json, "message"));

    (void)str_copy(dst, size, message ? message : text);
    for (size_t len = strlen(dst); len > 0 && isspace((unsigned char)dst[len - 1]);)
        dst[--len] = '\0';
}

static void refuse(const struct docker_call *call, int status, const char *message,
                   struct error *err)
{
    (void)error_set(err, status_code(status), "%s: %s (HTTP status %d)", call->what,
                    message[0] ? message : "no reason given", status);
}

static void no_answer(const struct docker_call *call, const struct http_reply *reply,
                      struct error *err)
{
    if (reply->error.code == -ECONNREFUSED)
        (void)error_set(err, -ECONNREFUSED,
                        "%s: nothing answers on '%s': is docker running?", call->what,
                        call->socket);
    else
        error_copy(err, &reply->error);
}

static bool succeeded(int status)
{
    return status / 100 == 2 || status == 304; /* 304: is so already */
}

static void on_reply(void *ctx, const struct http_reply *reply)
{
    struct docker_call *call = ctx;
    json_t *json = json_loadb(reply->body, reply->body_len, JSON_DECODE_ANY, NULL);
    char message[MESSAGE_MAX + 1];
    struct error err = {0};

    if (reply->error.code) {
        no_answer(call, reply, &err);
    } else if (!succeeded(reply->status)) {
        take_message(json, reply->body, message, sizeof(message));
        refuse(call, reply->status, message, &err);
    }
    finish(call, reply->status, json, &err);
    json_decref(json);
}

static int percent(const json_t *detail)
{
    double current = json_number_value(json_object_get(detail, "current"));
    double total = json_number_value(json_object_get(detail, "total"));

    return total > 0 && current >= 0 && current <= total ? (int)(100 * current / total)
                                                         : -1;
}

static void tell_progress(struct docker_call *call, const json_t *json)
{
    const char *id = json_string_value(json_object_get(json, "id"));
    const char *status = json_string_value(json_object_get(json, "status"));
    int share = percent(json_object_get(json, "progressDetail"));
    struct strbuf says = {0};

    if (!status || !call->progress)
        return;
    if (id)
        strbuf_addf(&says, "%s: ", id);
    strbuf_add(&says, status);
    if (share >= 0)
        strbuf_addf(&says, " %d%%", share);
    call->progress(call->ctx, says.text);
    strbuf_done(&says);
}

static void take_line(struct docker_call *call, const char *text, size_t len)
{
    json_t *json = json_loadb(text, len, 0, NULL);
    const char *error = json_string_value(json_object_get(json, "error"));

    if (error) {
        call->failed = true;
        take_message(NULL, error, call->message, sizeof(call->message));
    } else if (json_object_get(json, "message")) {
        take_message(json, "", call->message, sizeof(call->message));
    } else if (!json && !call->message[0]) {
        (void)str_copy(call->message, sizeof(call->message), text);
    } else {
        tell_progress(call, json);
    }
    json_decref(json);
}

static void on_chunk(void *ctx, const char *bytes, size_t len)
{
    struct docker_call *call = ctx;

    call->reading = true;
    while (len > 0 && !call->cancelled) {
        const char *end = memchr(bytes, '\n', len);
        size_t part = end ? (size_t)(end - bytes) : len;

        if (call->line.len + part <= LINE_MAX_BYTES)
            strbuf_add_bytes(&call->line, bytes, part);
        if (end) {
            char *line = strbuf_take(&call->line);

            part++;
            if (line[0])
                take_line(call, line, strlen(line));
            free(line);
        }
        bytes += part;
        len -= part;
    }
    call->reading = false;
    if (call->cancelled)
        destroy(call);
}

static int stream_code(const char *message)
{
    return strstr(message, "not found") || strstr(message, "manifest unknown") ||
                   strstr(message, "does not exist")
               ? -ENOENT
               : -EIO;
}

static void on_pulled(void *ctx, const struct http_reply *reply)
{
    struct docker_call *call = ctx;
    struct error err = {0};

    if (call->line.len > 0) {
        docker_progress_f progress = call->progress;

        call->progress = NULL; /* the last words are no progress */
        take_line(call, call->line.text, call->line.len);
        call->progress = progress;
    }
    if (reply->error.code)
        no_answer(call, reply, &err);
    else if (!succeeded(reply->status))
        refuse(call, reply->status, call->message, &err);
    else if (call->failed)
        (void)error_set(&err, stream_code(call->message), "%s: %s", call->what,
                        call->message);
    finish(call, reply->status, NULL, &err);
}

static struct docker_call *call_new(const char *socket, docker_done_f done, void *ctx)
{
    struct docker_call *call = NEW(struct docker_call);

    call->socket = mem_strdup(socket ? socket : "/var/run/docker.sock");
    call->done = done;
    call->ctx = ctx;
    return call;
}

int docker_call(struct event_loop *el, const char *socket, const char *method,
                const char *path, const json_t *body, int64_t timeout_ms,
                docker_done_f done, void *ctx, struct docker_call **ret,
                struct error *err)
{
    struct docker_call *call = call_new(socket, done, ctx);
    char *url = mem_printf("http://docker%s", path);
    char *text = body ? json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    const struct http_options options = {
        .method = method,
        .url = url,
        .unix_socket = call->socket,
        .body = text,
        .body_len = text ? strlen(text) : 0,
        .timeout_ms = timeout_ms,
        .reply_max_bytes = REPLY_MAX_BYTES,
    };
    int r;

    call->what = mem_printf("docker %s %s", method, path);
    r = http_start(el, &options, on_reply, NULL, NULL, call, &call->http, err);
    free(text);
    free(url);
    if (r < 0) {
        destroy(call);
        return r;
    }
    *ret = call;
    return 0;
}

static void add_escaped(struct strbuf *b, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (isalnum(c) || strchr("-._~/", c))
            strbuf_add_bytes(b, &text[i], 1);
        else
            strbuf_addf(b, "%%%02X", c);
    }
}

/* "repo[:tag]" or "repo@digest"; without a tag the engine would pull them all. */
static char *pull_url(const char *image)
{
    const char *digest = strchr(image, '@'), *slash = strrchr(image, '/');
    const char *colon = strchr(slash ? slash : image, ':');
    const char *split = digest ? digest : colon;
    const char *tag = split ? split + 1 : "latest";
    size_t repo_len = split ? (size_t)(split - image) : strlen(image);
    struct strbuf url = {0};

    if (digest && colon && colon < digest) /* repo:tag@digest: the digest decides */
        repo_len = (size_t)(colon - image);
    strbuf_add(&url, "http://docker/images/create?fromImage=");
    add_escaped(&url, image, repo_len);
    strbuf_add(&url, "&tag=");
    add_escaped(&url, tag, strlen(tag));
    return strbuf_take(&url);
}

int docker_pull(struct event_loop *el, const char *socket, const char *image,
                int64_t timeout_ms, docker_done_f done, docker_progress_f progress,
                void *ctx, struct docker_call **ret, struct error *err)
{
    struct docker_call *call = call_new(socket, done, ctx);
    char *url = pull_url(image);
    const struct http_options options = {
        .method = "POST",
        .url = url,
        .unix_socket = call->socket,
        .timeout_ms = timeout_ms,
        .reply_max_bytes = REPLY_MAX_BYTES,
    };
    int r;

    call->what = mem_printf("docker pull %s", image);
    call->progress = progress;
    r = http_start(el, &options, on_pulled, NULL, on_chunk, call, &call->http, err);
    free(url);
    if (r < 0) {
        destroy(call);
        return r;
    }
    *ret = call;
    return 0;
}

void docker_cancel(struct docker_call *call)
{
    if (!call || call->finishing)
        return;
    if (call->reading)
        call->cancelled = true;
    else
        destroy(call);
}
