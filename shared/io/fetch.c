/* fetch.c - get a file by URL into the local cache by digest.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A fetch is always in one of: timer armed (before an attempt), or http under way.
 * The HTTP worker has fsynced the part and told its digest, so the loop never blocks on
 * a large file; only a cached one is hashed here before it is trusted.
 */
#include "shared/io/fetch.h"

#include "shared/base/backoff.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/io/http.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    DEFAULT_MAX_BYTES = 512 << 20,
    DEFAULT_TIMEOUT_MS = 600000,
    DEFAULT_ATTEMPTS = 5,
    STALL_TIMEOUT_MS = 60000,
    BACKOFF_FIRST_MS = 500,
    BACKOFF_MAX_MS = 30000,
};

struct fetch {
    struct event_loop *el;
    struct timer timer;
    struct http *http;
    char *url, *part;
    char wanted[DIGEST_HEX_SIZE]; /* "" = any */
    char *cache_dir;
    int64_t max_bytes, timeout_ms;
    int attempts, attempt;
    bool foreign_part; /* what is resumed was begun by an earlier run */
    bool finishing;
    struct fetch_result result;
    fetch_done_f done;
    fetch_progress_f progress;
    void *ctx;
};

static void destroy(struct fetch *fetch)
{
    timer_stop(&fetch->timer);
    http_cancel(fetch->http);
    free(fetch->url);
    free(fetch->part);
    free(fetch->cache_dir);
    free(fetch);
}

static void finish(struct fetch *fetch)
{
    fetch->finishing = true;
    fetch->done(fetch->ctx, &fetch->result);
    destroy(fetch);
}

static void drop_part(struct fetch *fetch)
{
    int ignored = fs_remove(fetch->part, NULL);

    (void)ignored; /* then it is resumed, and the digest tells whether that was right */
    fetch->foreign_part = false;
}

static void fail(struct fetch *fetch, const struct error *err)
{
    error_copy(&fetch->result.error, err);
    finish(fetch);
}

static void cache_path(const struct fetch *fetch, const char *hex, char *dst,
                       size_t size)
{
    (void)snprintf(dst, size, "%s/sha256-%s", fetch->cache_dir, hex);
}

static void attempt(void *ctx);

static void retry(struct fetch *fetch, const struct error *why)
{
    struct loop *loop = event_loop_port(fetch->el);
    struct error err = {0};

    if (++fetch->attempt < fetch->attempts) {
        timer_start(&fetch->timer, loop,
                    backoff_delay_ms(fetch->attempt - 1, BACKOFF_FIRST_MS,
                                     BACKOFF_MAX_MS, loop_random(loop)),
                    attempt, fetch);
        return;
    }
    (void)error_set(&err, why->code, "%s (attempt %d of %d)", why->text, fetch->attempt,
                    fetch->attempts);
    fail(fetch, &err);
}

static bool worth_another_attempt(int code)
{
    static const int transient[] = {-ECONNRESET,   -ETIMEDOUT, -ECONNREFUSED,
                                    -EHOSTUNREACH, -EIO,       -EPROTO,
                                    -EAGAIN,       -ENOMEM};

    for (size_t i = 0; i < sizeof(transient) / sizeof(transient[0]); i++)
        if (transient[i] == code)
            return true;
    return false;
}

static void on_error(struct fetch *fetch, const struct error *err)
{
    if (worth_another_attempt(err->code)) {
        if (err->code == -EPROTO) /* such as a wrong range: begin afresh */
            drop_part(fetch);
        retry(fetch, err);
        return;
    }
    drop_part(fetch); /* too big, disk full: do not keep the space occupied */
    fail(fetch, err);
}

static int status_code(int status)
{
    if (status == 404 || status == 410)
        return -ENOENT;
    return status == 401 || status == 403 ? -EACCES : -EIO;
}

static void on_refusal(struct fetch *fetch, int status)
{
    struct error err = {0};

    (void)error_set(&err, status_code(status), "GET %s: HTTP status %d", fetch->url,
                    status);
    if (status == 416) { /* the part is not a beginning of what is there now */
        drop_part(fetch);
        retry(fetch, &err);
    } else if (status >= 500 || status == 408 || status == 429) {
        retry(fetch, &err);
    } else {
        drop_part(fetch);
        fail(fetch, &err);
    }
}

static void on_wrong_digest(struct fetch *fetch, const struct http_reply *reply)
{
    bool retried = fetch->foreign_part && reply->resumed;
    struct error err = {0};

    drop_part(fetch);
    if (retried) {
        timer_start(&fetch->timer, event_loop_port(fetch->el), 0, attempt, fetch);
        return;
    }
    (void)error_set(&err, -EBADMSG, "GET %s: sha256 is '%s', expected '%s'", fetch->url,
                    reply->sha256, fetch->wanted);
    fail(fetch, &err);
}

static void on_file(struct fetch *fetch, const struct http_reply *reply)
{
    struct fetch_result *result = &fetch->result;

    if (fetch->wanted[0] && strcmp(fetch->wanted, reply->sha256) != 0) {
        on_wrong_digest(fetch, reply);
        return;
    }
    STR_COPY(result->sha256, reply->sha256);
    cache_path(fetch, reply->sha256, result->path, sizeof(result->path));
    result->bytes = reply->file_bytes;
    if (fs_rename(fetch->part, result->path, &result->error) < 0)
        drop_part(fetch);
    finish(fetch);
}

static void on_http(void *ctx, const struct http_reply *reply)
{
    struct fetch *fetch = ctx;

    fetch->http = NULL;
    if (reply->error.code)
        on_error(fetch, &reply->error);
    else if (reply->status / 100 == 2)
        on_file(fetch, reply);
    else
        on_refusal(fetch, reply->status);
}

static void on_progress(void *ctx, int64_t bytes, int64_t total)
{
    struct fetch *fetch = ctx;

    if (fetch->progress)
        fetch->progress(fetch->ctx, bytes, total);
}

/* Bytes that are there to go on from. */
static int64_t part_bytes(const struct fetch *fetch)
{
    struct stat st;

    if (strncasecmp(fetch->url, "file:", 5) == 0)
        return 0; /* copying again is cheaper than thinking */
    return lstat(fetch->part, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : 0;
}

static void attempt(void *ctx)
{
    struct fetch *fetch = ctx;
    struct error err = {0};
    struct http_options options = {
        .url = fetch->url,
        .timeout_ms = fetch->timeout_ms,
        .stall_timeout_ms = STALL_TIMEOUT_MS,
        .to_file = fetch->part,
        .resume_from = part_bytes(fetch),
        .file_max_bytes = fetch->max_bytes,
    };

    if (options.resume_from >= fetch->max_bytes) {
        drop_part(fetch);
        options.resume_from = 0;
    }
    if (http_start(fetch->el, &options, on_http, on_progress, NULL, fetch, &fetch->http,
                   &err) < 0)
        retry(fetch, &err);
}

/* A cached file is trusted by its bytes, not by its name. */
static bool in_cache(struct fetch *fetch)
{
    struct fetch_result *result = &fetch->result;
    char path[sizeof(result->path)], hex[DIGEST_HEX_SIZE];
    struct stat st;

    cache_path(fetch, fetch->wanted, path, sizeof(path));
    if (stat(path, &st) < 0 || digest_file(path, hex, NULL) < 0 ||
        strcmp(hex, fetch->wanted) != 0)
        return false; /* a damaged one is replaced by the rename */
    STR_COPY(result->path, path);
    STR_COPY(result->sha256, hex);
    result->bytes = st.st_size;
    result->cached = true;
    return true;
}

static void begin(void *ctx)
{
    struct fetch *fetch = ctx;

    if (fetch->wanted[0] && in_cache(fetch)) {
        finish(fetch);
        return;
    }
    if (!fetch->wanted[0])
        drop_part(fetch); /* nothing would tell that two halves do not match */
    fetch->foreign_part = part_bytes(fetch) > 0;
    attempt(fetch);
}

static bool known_scheme(const char *url)
{
    return strncasecmp(url, "http://", 7) == 0 ||
           strncasecmp(url, "https://", 8) == 0 || strncasecmp(url, "file://", 7) == 0;
}

static int check(const struct fetch_options *o, struct error *err)
{
    enum { NAME_MAX_LEN = 80 }; /* "/sha256-" and the digits */

    if (!o->url || !known_scheme(o->url))
        return error_set(err, -EINVAL, "url '%s': want http, https or file",
                         o->url ? o->url : "");
    if (o->sha256 && o->sha256[0] && !digest_valid(o->sha256))
        return error_set(err, -EINVAL, "sha256 '%s': want 64 hexadecimal digits",
                         o->sha256);
    if (strlen(o->cache_dir) + NAME_MAX_LEN >= sizeof(((struct fetch_result *)0)->path))
        return error_set(err, -ENAMETOOLONG, "cache directory '%s': name too long",
                         o->cache_dir);
    return fs_mkdirs(o->cache_dir, 0700, err);
}

static void copy_digest(char dst[DIGEST_HEX_SIZE], const char *hex)
{
    for (int i = 0; hex && hex[i] && i < DIGEST_HEX_SIZE - 1; i++)
        dst[i] = (char)tolower((unsigned char)hex[i]);
}

int fetch_start(struct event_loop *el, const struct fetch_options *options,
                fetch_done_f done, fetch_progress_f progress, void *ctx,
                struct fetch **ret, struct error *err)
{
    char url_hex[DIGEST_HEX_SIZE];
    int r = check(options, err);

    if (r < 0)
        return r;
    digest_bytes(options->url, strlen(options->url), url_hex);

    struct fetch *fetch = NEW(struct fetch);
    fetch->el = el;
    fetch->url = mem_strdup(options->url);
    fetch->cache_dir = mem_strdup(options->cache_dir);
    fetch->part = mem_printf("%s/.part-%s", options->cache_dir, url_hex);
    fetch->max_bytes = options->max_bytes > 0 ? options->max_bytes : DEFAULT_MAX_BYTES;
    fetch->timeout_ms =
        options->timeout_ms > 0 ? options->timeout_ms : DEFAULT_TIMEOUT_MS;
    fetch->attempts = options->attempts > 0 ? options->attempts : DEFAULT_ATTEMPTS;
    fetch->done = done;
    fetch->progress = progress;
    fetch->ctx = ctx;
    copy_digest(fetch->wanted, options->sha256);
    timer_start(&fetch->timer, event_loop_port(el), 0, begin, fetch);
    *ret = fetch;
    return 0;
}

void fetch_cancel(struct fetch *fetch)
{
    if (fetch && !fetch->finishing)
        destroy(fetch);
}
