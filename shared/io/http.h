/* http.h - one HTTP exchange by libcurl, in a child process of its own.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: io. Why a child: libcurl with its TLS libraries costs 6 MB resident, a
 * resolver thread, and blocking corners; the daemon that must stay small,
 * single-threaded and always able to ping ZooKeeper never loads it (dlopen in the child
 * only).
 *
 * Story: http_start forks a worker (no exec) which closes every inherited descriptor,
 * loads libcurl, performs the transfer with blocking calls and streams progress and the
 * reply over a pipe; the parent reads frames in its loop and calls done once. The
 * worker dies with its parent (PR_SET_PDEATHSIG). Cancel and deadline kill it; a worker
 * that crashes is an ordinary failure with a sentence.
 */
#ifndef CLOWDER_IO_HTTP_H
#define CLOWDER_IO_HTTP_H

#include "shared/base/digest.h"
#include "shared/base/error.h"
#include "shared/io/event_loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_options {
    const char *method;      /* "GET", "POST", "PUT", "DELETE"; NULL = GET */
    const char *url;         /* http, https, file; with unix_socket: http://unix/path */
    const char *unix_socket; /* path or NULL */
    const char *body;        /* or NULL */
    size_t body_len;
    const char *content_type;   /* of the body; NULL = application/json */
    const char *const *headers; /* more "Name: value", NULL-terminated; or NULL */
    int64_t timeout_ms;         /* whole exchange; 0 = 10000 */
    int64_t connect_timeout_ms; /* 0 = 3000 */
    int64_t stall_timeout_ms;   /* no byte for so long = failure; 0 = none */
    size_t reply_max_bytes;     /* 0 = 1 MiB; more is an error */
    const char *to_file;        /* reply body goes here instead (created 0600) */
    int64_t resume_from;        /* with to_file: append from this byte (Range) */
    int64_t file_max_bytes;     /* with to_file: more is an error; 0 = no limit */
};

struct http_reply {   /* borrowed during done */
    int status;       /* HTTP status, or 0 when there was no answer (file://: 200) */
    const char *body; /* terminated; "" with to_file */
    size_t body_len;
    int64_t file_bytes;           /* with to_file: size now */
    bool resumed;                 /* the server honoured Range (206) */
    char sha256[DIGEST_HEX_SIZE]; /* with to_file and a 2xx: of the file, now on disk */
    struct error error; /* code 0 when an HTTP answer came, whatever its status */
};

typedef void (*http_done_f)(void *ctx, const struct http_reply *reply);
/* bytes so far and in all (0 = unknown); at most about twice a second. */
typedef void (*http_progress_f)(void *ctx, int64_t bytes, int64_t total);
/* Chunks of a streamed reply as they come (docker pull); NULL = collect in body. */
typedef void (*http_chunk_f)(void *ctx, const char *bytes, size_t len);

struct http;
MUST_CHECK int http_start(struct event_loop *el, const struct http_options *options,
                          http_done_f done, http_progress_f progress,
                          http_chunk_f chunk, void *ctx, struct http **ret,
                          struct error *err);
void http_cancel(struct http *http); /* NULL is allowed */

#endif
