/* fetch.h - get a file by URL into the local cache by digest: resume, retry, verify.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: io.
 *
 * Story: with a sha256 and a cached file of that digest, done comes at once
 * (cached=true). Else the file is downloaded to "<cache>/.part-<digest of url>"
 * (resumed when a part is there), with attempts, exponential backoff and jitter; 4xx
 * but 408 and 429 are final at once; then it is verified and renamed to
 * "<cache>/sha256-<hex>". A wrong digest deletes the part and fails with both digests
 * named; it is not retried, unless an earlier run's part was resumed: then all is
 * downloaded once more. Without a sha256 nothing of an earlier run is used. One fetch
 * of a URL at a time.
 */
#ifndef CLOWDER_IO_FETCH_H
#define CLOWDER_IO_FETCH_H

#include "shared/base/digest.h"
#include "shared/base/error.h"
#include "shared/io/event_loop.h"

#include <stdbool.h>
#include <stdint.h>

struct fetch_options {
    const char *url;       /* http, https, file */
    const char *sha256;    /* 64 hex digits, or NULL or "": not verified */
    const char *cache_dir; /* made when absent (0700) */
    int64_t max_bytes;     /* 0 = 512 MiB */
    int64_t timeout_ms;    /* of each attempt; 0 = 600000 */
    int attempts;          /* 0 = 5 */
};

struct fetch_result { /* borrowed during done */
    char path[512];   /* the verified file in the cache */
    char sha256[DIGEST_HEX_SIZE];
    int64_t bytes;
    bool cached;
    struct error error; /* code 0 on success */
};
typedef void (*fetch_done_f)(void *ctx, const struct fetch_result *result);
typedef void (*fetch_progress_f)(void *ctx, int64_t bytes, int64_t total);

struct fetch;
MUST_CHECK int fetch_start(struct event_loop *el, const struct fetch_options *options,
                           fetch_done_f done, fetch_progress_f progress, void *ctx,
                           struct fetch **ret, struct error *err);
void fetch_cancel(struct fetch *fetch); /* NULL is allowed */

#endif
