/* http_worker.c - the child that loads libcurl and carries out one exchange.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Everything here runs in the forked child only; blocking is right here. libcurl is
 * loaded with dlopen and reached through a small table, so that the parent has none of
 * it in its address space. Whatever happens, one END frame is the last word; a child
 * that dies without it is told by its wait status.
 */
#include "shared/io/http_worker.h"

#include "shared/base/str.h"
#include "shared/io/child.h"

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PIPE_FD = 3, PROGRESS_EVERY_MS = 500, REDIRECTS_MAX = 10 };

static struct {
    __typeof__(curl_easy_init) *init;
    __typeof__(curl_easy_setopt) *setopt;
    __typeof__(curl_easy_perform) *perform;
    __typeof__(curl_easy_getinfo) *getinfo;
    __typeof__(curl_easy_strerror) *strerror;
    __typeof__(curl_slist_append) *append;
} curl;

struct worker {
    const struct http_options *options;
    CURL *handle;
    int file;           /* -1 = not opened */
    int64_t file_bytes; /* written so far, what was there before included */
    size_t body_bytes;
    int64_t range_start; /* of a 206; -1 = not said */
    int64_t last_progress_ms;
    bool refused; /* the body of an answer that is not wanted was not read */
    struct http_frame_end end;
};

static void send_bytes(const void *bytes, size_t len)
{
    const char *at = bytes;

    while (len > 0) {
        ssize_t put = write(PIPE_FD, at, len);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            _exit(1); /* nobody listens */
        at += put;
        len -= (size_t)put;
    }
}

static void send_frame(enum http_frame_kind kind, const void *payload, size_t len)
{
    const struct http_frame frame = {.kind = kind, .len = (uint32_t)len};

    send_bytes(&frame, sizeof(frame));
    send_bytes(payload, len);
}

static _Noreturn void send_end(struct worker *w)
{
    send_frame(HTTP_FRAME_END, &w->end, sizeof(w->end));
    _exit(0);
}

static int64_t now_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int load_curl(struct error *err)
{
    static const struct {
        const char *name;
        void *place;
    } symbols[] = {
        {"curl_easy_init", &curl.init},         {"curl_easy_setopt", &curl.setopt},
        {"curl_easy_perform", &curl.perform},   {"curl_easy_getinfo", &curl.getinfo},
        {"curl_easy_strerror", &curl.strerror}, {"curl_slist_append", &curl.append},
    };
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);

    if (!library)
        library = dlopen("libcurl-gnutls.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return error_set(err, -ELIBACC,
                         "cannot load libcurl.so.4: install libcurl (%s)", dlerror());
    for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
        void *found = dlsym(library, symbols[i].name);

        if (!found)
            return error_set(err, -ELIBACC, "libcurl has no %s", symbols[i].name);
        memcpy(symbols[i].place, &found, sizeof(found));
    }
    return 0;
}

static bool is_file_url(const struct http_options *options)
{
    return strncasecmp(options->url, "file:", 5) == 0;
}

static int status_now(struct worker *w)
{
    long code = 0;

    (void)curl.getinfo(w->handle, CURLINFO_RESPONSE_CODE, &code);
    return code == 0 && is_file_url(w->options) ? 200 : (int)code;
}

static int64_t length_told(struct worker *w)
{
    double length = -1; /* the newer call is not in the libcurl of old hosts */

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    (void)curl.getinfo(w->handle, CURLINFO_CONTENT_LENGTH_DOWNLOAD, &length);
#pragma GCC diagnostic pop
    return length > 0 ? (int64_t)length : 0;
}

static int file_failed(struct worker *w, const char *verb)
{
    int code = errno;

    return error_set(&w->end.error, -code, "%s '%s': %s", verb, w->options->to_file,
                     strerror(code));
}

static int too_big(struct worker *w)
{
    return error_set(&w->end.error, -EFBIG,
                     "larger than the limit of %" PRId64 " bytes",
                     w->options->file_max_bytes);
}

static int check_range(struct worker *w, int64_t size)
{
    int64_t from = w->options->resume_from;

    if (size < from)
        return error_set(&w->end.error, -EINVAL,
                         "'%s' has %" PRId64 " bytes: cannot resume from %" PRId64,
                         w->options->to_file, size, from);
    if (w->range_start >= 0 && w->range_start != from)
        return error_set(&w->end.error, -EPROTO,
                         "the server resumed from byte %" PRId64 " instead of %" PRId64,
                         w->range_start, from);
    return 0;
}

/* Opened only when an answer that is wanted begins, so that a 404 leaves what is there.
 */
static int open_file(struct worker *w)
{
    const struct http_options *o = w->options;
    bool partial = status_now(w) == 206 || is_file_url(o);
    struct stat st;

    w->end.resumed = o->resume_from > 0 && partial;
    w->file = open(o->to_file, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (w->file < 0 || fstat(w->file, &st) < 0)
        return file_failed(w, "open");
    if (w->end.resumed) {
        int r = check_range(w, st.st_size);

        if (r < 0)
            return r;
        w->file_bytes = o->resume_from;
    }
    if (ftruncate(w->file, w->file_bytes) < 0 ||
        lseek(w->file, w->file_bytes, SEEK_SET) < 0)
        return file_failed(w, "truncate");
    if (o->file_max_bytes > 0 && w->file_bytes + length_told(w) > o->file_max_bytes)
        return too_big(w);
    return 0;
}

static void tell_progress(struct worker *w)
{
    int64_t now = now_ms(), length = length_told(w);

    if (now - w->last_progress_ms < PROGRESS_EVERY_MS)
        return;
    w->last_progress_ms = now;
    struct http_frame_progress progress = {
        .bytes = w->options->to_file ? w->file_bytes : (int64_t)w->body_bytes,
        .total = length ? length + (w->end.resumed ? w->options->resume_from : 0) : 0,
    };
    send_frame(HTTP_FRAME_PROGRESS, &progress, sizeof(progress));
}

static int add_to_file(struct worker *w, const char *bytes, size_t len)
{
    if (w->file < 0) {
        int r = open_file(w);

        if (r < 0)
            return r;
    }
    if (w->options->file_max_bytes > 0 &&
        w->file_bytes + (int64_t)len > w->options->file_max_bytes)
        return too_big(w);
    w->file_bytes += (int64_t)len;
    while (len > 0) {
        ssize_t put = write(w->file, bytes, len);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return file_failed(w, "write");
        bytes += put;
        len -= (size_t)put;
    }
    return 0;
}

static int add_to_reply(struct worker *w, const char *bytes, size_t len)
{
    w->body_bytes += len;
    if (w->body_bytes > w->options->reply_max_bytes)
        return error_set(&w->end.error, -EFBIG,
                         "the reply is larger than the limit of %zu bytes",
                         w->options->reply_max_bytes);
    while (len > 0) {
        size_t part = len < HTTP_FRAME_MAX ? len : HTTP_FRAME_MAX;

        send_frame(HTTP_FRAME_BODY, bytes, part);
        bytes += part;
        len -= part;
    }
    return 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
    struct worker *w = ctx;
    size_t len = size * count;
    int r;

    if (!w->options->to_file) {
        r = add_to_reply(w, bytes, len);
    } else if (status_now(w) / 100 == 2) {
        r = add_to_file(w, bytes, len);
    } else {
        w->refused = true;
        r = -ECANCELED;
    }
    tell_progress(w);
    return r < 0 ? 0 : len; /* 0: libcurl gives up with CURLE_WRITE_ERROR */
}

static size_t on_header(char *bytes, size_t size, size_t count, void *ctx)
{
    static const char name[] = "content-range: bytes ";
    struct worker *w = ctx;
    size_t len = size * count;
    char line[128];

    (void)snprintf(line, sizeof(line), "%.*s", (int)len, bytes);
    if (strncasecmp(line, name, sizeof(name) - 1) == 0)
        w->range_start = strtoll(line + sizeof(name) - 1, NULL, 10);
    return len;
}

static const struct {
    CURLcode curl;
    int code;
} codes[] = {
    {CURLE_UNSUPPORTED_PROTOCOL, -EPROTONOSUPPORT},
    {CURLE_URL_MALFORMAT, -EINVAL},
    {CURLE_COULDNT_RESOLVE_PROXY, -EHOSTUNREACH},
    {CURLE_COULDNT_RESOLVE_HOST, -EHOSTUNREACH},
    {CURLE_COULDNT_CONNECT, -ECONNREFUSED},
    {CURLE_PARTIAL_FILE, -ECONNRESET},
    {CURLE_SEND_ERROR, -ECONNRESET},
    {CURLE_RECV_ERROR, -ECONNRESET},
    {CURLE_GOT_NOTHING, -ECONNRESET},
    {CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT},
    {CURLE_SSL_CONNECT_ERROR, -EPROTO},
    {CURLE_PEER_FAILED_VERIFICATION, -EKEYREJECTED},
    {CURLE_TOO_MANY_REDIRECTS, -ELOOP},
    {CURLE_FILE_COULDNT_READ_FILE, -ENOENT},
    {CURLE_OUT_OF_MEMORY, -ENOMEM},
};

static void tell_curl_error(struct worker *w, CURLcode rc, char *text)
{
    int code = -EIO;

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (codes[i].curl == rc)
            code = codes[i].code;
    if (!text[0])
        (void)str_copy(text, CURL_ERROR_SIZE, curl.strerror(rc));
    if (text[0] >= 'A' && text[0] <= 'Z')
        text[0] = (char)(text[0] | 0x20);
    (void)error_set(&w->end.error, code, "%s", text);
}

#define SET(option, value)                                                             \
    do {                                                                               \
        CURLcode set_ = curl.setopt(w->handle, (option), (value));                     \
        if (set_ != CURLE_OK)                                                          \
            return error_set(&w->end.error, -ENOTSUP,                                  \
                             "libcurl refuses " #option ": %s", curl.strerror(set_));  \
    } while (0)

static int set_request(struct worker *w)
{
    const struct http_options *o = w->options;
    struct curl_slist *headers = NULL;
    char type[256];

    if (strcmp(o->method, "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
    } else if (strcmp(o->method, "GET") != 0 || o->body) {
        if (o->body || strcmp(o->method, "POST") == 0 ||
            strcmp(o->method, "PUT") == 0) {
            SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)o->body_len);
            SET(CURLOPT_POSTFIELDS, o->body ? o->body : "");
        }
        SET(CURLOPT_CUSTOMREQUEST, o->method);
    }
    (void)snprintf(type, sizeof(type), "Content-Type: %s", o->content_type);
    headers = curl.append(headers, "Expect:"); /* do not ask for "100 continue" */
    headers = curl.append(headers, o->body ? type : "Content-Type:");
    for (int i = 0; o->headers && o->headers[i]; i++)
        headers = curl.append(headers, o->headers[i]);
    SET(CURLOPT_HTTPHEADER, headers);
    return 0;
}

static int set_transfer(struct worker *w)
{
    static char range[32]; /* older libcurl keeps the pointer */
    const struct http_options *o = w->options;

    SET(CURLOPT_URL, o->url);
    SET(CURLOPT_USERAGENT, "clowder/" CLOWDER_VERSION);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_FOLLOWLOCATION, 1L);
    SET(CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    SET(CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS | CURLPROTO_FILE));
    SET(CURLOPT_REDIR_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#pragma GCC diagnostic pop
    SET(CURLOPT_TIMEOUT_MS, (long)o->timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_timeout_ms);
    if (o->stall_timeout_ms > 0) {
        SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
        SET(CURLOPT_LOW_SPEED_TIME, (long)((o->stall_timeout_ms + 999) / 1000));
    }
    if (o->unix_socket)
        SET(CURLOPT_UNIX_SOCKET_PATH, o->unix_socket);
    if (!o->to_file) /* what is asked of this host and of its cluster */
        SET(CURLOPT_NOPROXY, "*");
    if (o->to_file && o->resume_from > 0) {
        (void)snprintf(range, sizeof(range), "%" PRId64 "-", o->resume_from);
        SET(CURLOPT_RANGE, range);
    }
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, w);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, w);
    return 0;
}

/* The file is on disk and its digest is known before the parent hears of it. */
static int finish_file(struct worker *w)
{
    if (w->file < 0) { /* an empty body */
        int r = open_file(w);

        if (r < 0)
            return r;
    }
    if (fsync(w->file) < 0)
        return file_failed(w, "fsync");
    w->end.file_bytes = w->file_bytes;
    return digest_file(w->options->to_file, w->end.sha256, &w->end.error);
}

static void exchange(struct worker *w)
{
    static char text[CURL_ERROR_SIZE];

    if (curl.setopt(w->handle, CURLOPT_ERRORBUFFER, text) != CURLE_OK)
        text[0] = '\0'; /* then curl_easy_strerror has to do */
    if (set_transfer(w) < 0 || set_request(w) < 0)
        return;
    CURLcode rc = curl.perform(w->handle);

    if (w->end.error.code)
        return; /* our own reason for stopping the transfer */
    if (rc != CURLE_OK && !(rc == CURLE_WRITE_ERROR && w->refused)) {
        tell_curl_error(w, rc, text);
        return;
    }
    int status = status_now(w);
    if (status == 0)
        (void)error_set(&w->end.error, -EPROTO, "not an HTTP answer");
    else if (w->options->to_file && status / 100 == 2)
        (void)finish_file(w);
    w->end.status = w->end.error.code ? 0 : status;
}

void http_worker_run(const struct http_options *options, int pipe, pid_t parent)
{
    struct worker w = {.options = options, .file = -1, .range_start = -1};

    child_reset_signals();
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)prctl(PR_SET_NAME, "clowder-http");
    if (getppid() != parent || dup2(pipe, PIPE_FD) < 0)
        _exit(1); /* the parent went before it could have been noticed */
    child_close_from(PIPE_FD + 1);
    w.last_progress_ms = now_ms();
    if (load_curl(&w.end.error) == 0) {
        w.handle = curl.init();
        if (w.handle)
            exchange(&w);
        else
            (void)error_set(&w.end.error, -ENOMEM, "libcurl does not start");
    }
    send_end(&w);
}
