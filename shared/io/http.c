/* http.c - the parent's side: start the worker, read its frames, tell the end once.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The end is told when the END frame is there, or, without one, when the pipe is at its
 * end and the worker was reaped: then its wait status is the reason. The parent's own
 * deadline stands a second behind libcurl's, for a worker that hangs.
 * Callbacks may cancel: `busy` postpones the destruction until the frames' reader is
 * off the stack.
 */
#include "shared/io/http.h"

#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/io/http_worker.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    DEFAULT_TIMEOUT_MS = 10000,
    DEFAULT_CONNECT_TIMEOUT_MS = 3000,
    DEFAULT_REPLY_MAX_BYTES = 1 << 20,
    WORKER_GRACE_MS = 1000,
};

struct http {
    struct event_loop *el;
    pid_t pid;
    int fd;
    struct event *event;
    struct timer deadline;
    struct strbuf pending; /* bytes of a frame that is not complete */
    struct strbuf body;
    size_t reply_max_bytes;
    int64_t timeout_ms;
    char *what; /* "GET http://..." */
    bool eof, exited, busy, cancelled;
    int wait_status;
    http_done_f done;
    http_progress_f progress;
    http_chunk_f chunk;
    void *ctx;
};

static void release(struct http *http)
{
    timer_stop(&http->deadline);
    if (http->event)
        event_free(http->event);
    http->event = NULL;
    if (http->fd >= 0)
        (void)close(http->fd);
    http->fd = -1;
    if (http->pid > 0 && !http->exited) {
        (void)kill(http->pid, SIGKILL); /* not reaped yet, so the pid is the worker's */
        event_loop_forget_child(http->el, http->pid);
    }
    http->exited = true;
}

static void destroy(struct http *http)
{
    release(http);
    strbuf_done(&http->pending);
    strbuf_done(&http->body);
    free(http->what);
    free(http);
}

/* The worker is gone before done runs; a cancel inside done finds busy. */
static void finish(struct http *http, struct http_reply *reply)
{
    release(http);
    strbuf_add(&http->body, "");
    reply->body = reply->error.code ? "" : http->body.text;
    reply->body_len = reply->error.code ? 0 : http->body.len;
    if (reply->error.code)
        (void)error_context(&reply->error, reply->error.code, "%s", http->what);
    http->busy = true;
    http->done(http->ctx, reply);
    destroy(http);
}

static void fail(struct http *http, int code, const char *text)
{
    struct http_reply reply = {0};

    (void)error_set(&reply.error, code, "%s", text);
    finish(http, &reply);
}

static void finish_without_end(struct http *http)
{
    char text[128];

    if (!http->eof || !http->exited)
        return;
    if (WIFSIGNALED(http->wait_status))
        snprintf(text, sizeof(text), "the worker was killed by signal %d",
                 WTERMSIG(http->wait_status));
    else
        snprintf(text, sizeof(text), "the worker ended early with exit code %d",
                 WEXITSTATUS(http->wait_status));
    fail(http, -EIO, text);
}

static void on_worker_exit(void *ctx, int wait_status)
{
    struct http *http = ctx;

    http->exited = true;
    http->wait_status = wait_status;
    finish_without_end(http);
}

static void on_deadline(void *ctx)
{
    struct http *http = ctx;
    char limit[32], text[96];

    str_from_duration_ms(http->timeout_ms, limit, sizeof(limit));
    snprintf(text, sizeof(text), "no end within %s, and the worker hangs", limit);
    fail(http, -ETIMEDOUT, text);
}

enum frame_result { FRAME_GO_ON, FRAME_OVER };

static enum frame_result take_end(struct http *http, const struct http_frame_end *end)
{
    struct http_reply reply = {
        .status = end->status,
        .file_bytes = end->file_bytes,
        .resumed = end->resumed,
        .error = end->error,
    };

    memcpy(reply.sha256, end->sha256, sizeof(reply.sha256));
    reply.sha256[sizeof(reply.sha256) - 1] = '\0';
    reply.error.text[sizeof(reply.error.text) - 1] = '\0';
    finish(http, &reply);
    return FRAME_OVER;
}

static enum frame_result bad_frame(struct http *http)
{
    fail(http, -EPROTO, "the worker sent nonsense");
    return FRAME_OVER;
}

static enum frame_result take_body(struct http *http, const char *bytes, size_t len)
{
    if (http->chunk) {
        http->chunk(http->ctx, bytes, len);
        return FRAME_GO_ON;
    }
    if (http->body.len + len > http->reply_max_bytes)
        return bad_frame(http);
    strbuf_add_bytes(&http->body, bytes, len);
    return FRAME_GO_ON;
}

static enum frame_result take_frame(struct http *http, const struct http_frame *frame,
                                    const char *payload)
{
    struct http_frame_progress progress;
    struct http_frame_end end;

    switch ((enum http_frame_kind)frame->kind) {
    case HTTP_FRAME_BODY:
        return take_body(http, payload, frame->len);
    case HTTP_FRAME_PROGRESS:
        if (frame->len != sizeof(progress))
            return bad_frame(http);
        memcpy(&progress, payload, sizeof(progress));
        if (http->progress)
            http->progress(http->ctx, progress.bytes, progress.total);
        return FRAME_GO_ON;
    case HTTP_FRAME_END:
        if (frame->len != sizeof(end))
            return bad_frame(http);
        memcpy(&end, payload, sizeof(end));
        return take_end(http, &end);
    }
    return bad_frame(http);
}

/* Takes every complete frame out of pending. */
static enum frame_result take_frames(struct http *http)
{
    struct strbuf *pending = &http->pending;
    struct http_frame frame;
    size_t at = 0;

    while (pending->len - at >= sizeof(frame)) {
        memcpy(&frame, pending->text + at, sizeof(frame));
        if (frame.len > HTTP_FRAME_MAX)
            return bad_frame(http);
        if (pending->len - at < sizeof(frame) + frame.len)
            break;
        http->busy = true;
        enum frame_result result =
            take_frame(http, &frame, pending->text + at + sizeof(frame));
        if (result == FRAME_OVER)
            return FRAME_OVER;
        http->busy = false;
        if (http->cancelled) {
            destroy(http);
            return FRAME_OVER;
        }
        at += sizeof(frame) + frame.len;
    }
    memmove(pending->text, pending->text + at, pending->len - at);
    pending->len -= at;
    return FRAME_GO_ON;
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
    struct http *http = ctx;
    char block[16384];
    ssize_t got = read(fd, block, sizeof(block));

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0) {
        strbuf_add_bytes(&http->pending, block, (size_t)got);
        (void)take_frames(http);
        return;
    }
    event_free(http->event);
    http->event = NULL;
    http->eof = true;
    finish_without_end(http);
}

/* No user and password in what people read. Caller frees. */
static char *describe(const struct http_options *o)
{
    const char *host = strstr(o->url, "://");
    size_t scheme = host ? (size_t)(host + 3 - o->url) : 0;
    const char *rest = o->url + scheme;
    size_t authority = strcspn(rest, "/?#");
    const char *at = memrchr(rest, '@', authority);

    if (o->unix_socket)
        return mem_printf("%s %s on %s", o->method, rest + authority, o->unix_socket);
    return mem_printf("%s %.*s%s", o->method, (int)scheme, o->url, at ? at + 1 : rest);
}

static struct http_options with_defaults(const struct http_options *given)
{
    struct http_options o = *given;

    if (!o.method)
        o.method = "GET";
    if (!o.content_type)
        o.content_type = "application/json";
    if (o.timeout_ms <= 0)
        o.timeout_ms = DEFAULT_TIMEOUT_MS;
    if (o.connect_timeout_ms <= 0)
        o.connect_timeout_ms = DEFAULT_CONNECT_TIMEOUT_MS;
    if (o.reply_max_bytes == 0)
        o.reply_max_bytes = DEFAULT_REPLY_MAX_BYTES;
    return o;
}

static int fork_worker(const struct http_options *options, pid_t *ret_pid, int *ret_fd,
                       struct error *err)
{
    int ends[2], code;

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
        code = errno;
        return error_set(err, -code, "no pipe for the HTTP worker: %s", strerror(code));
    }
    (void)fcntl(ends[1], F_SETFL, 0); /* the worker's end blocks */
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        http_worker_run(options, ends[1], parent);
    code = errno;
    (void)close(ends[1]);
    if (pid < 0) {
        (void)close(ends[0]);
        return error_set(err, -code, "cannot fork the HTTP worker: %s", strerror(code));
    }
    *ret_pid = pid;
    *ret_fd = ends[0];
    return 0;
}

static int watch(struct http *http, struct error *err)
{
    http->event = event_new(event_loop_base(http->el), http->fd, EV_READ | EV_PERSIST,
                            on_readable, http);
    if (!http->event || event_add(http->event, NULL) < 0)
        return error_set(err, -EIO, "cannot watch the HTTP worker");
    return event_loop_on_exit(http->el, http->pid, on_worker_exit, http, err);
}

int http_start(struct event_loop *el, const struct http_options *options,
               http_done_f done, http_progress_f progress, http_chunk_f chunk,
               void *ctx, struct http **ret, struct error *err)
{
    const struct http_options o = with_defaults(options);
    struct http *http = NEW(struct http);
    int r;

    *http = (struct http){
        .el = el,
        .fd = -1,
        .reply_max_bytes = o.reply_max_bytes,
        .timeout_ms = o.timeout_ms,
        .what = describe(&o),
        .done = done,
        .progress = progress,
        .chunk = chunk,
        .ctx = ctx,
    };
    r = fork_worker(&o, &http->pid, &http->fd, err);
    if (r == 0)
        r = watch(http, err);
    if (r < 0) {
        if (http->pid > 0) {
            (void)kill(http->pid, SIGKILL);
            (void)waitpid(http->pid, NULL, 0);
            http->exited = true;
        }
        destroy(http);
        return r;
    }
    timer_start(&http->deadline, event_loop_port(el), o.timeout_ms + WORKER_GRACE_MS,
                on_deadline, http);
    *ret = http;
    return 0;
}

void http_cancel(struct http *http)
{
    if (!http)
        return;
    if (http->busy)
        http->cancelled = true; /* the reader on the stack destroys it */
    else
        destroy(http);
}
