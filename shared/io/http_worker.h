/* http_worker.h - the child's side of http.h, and the frames between the two.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: io; for http.c only.
 *
 * Shape: a stream of frames, each a struct http_frame and len bytes: BODY (bytes as
 * they come), PROGRESS (struct http_frame_progress), and one END (struct
 * http_frame_end) as the last. Both ends are the same program, so the structs go as
 * they are; the parent checks kind and len nevertheless, for the child parses what
 * strangers send.
 */
#ifndef CLOWDER_IO_HTTP_WORKER_H
#define CLOWDER_IO_HTTP_WORKER_H

#include "shared/base/digest.h"
#include "shared/base/error.h"
#include "shared/io/http.h"

#include <stdint.h>
#include <sys/types.h>

enum http_frame_kind { HTTP_FRAME_BODY = 1, HTTP_FRAME_PROGRESS, HTTP_FRAME_END };
enum { HTTP_FRAME_MAX = 16384 };

struct http_frame {
    uint32_t kind, len;
};

struct http_frame_progress {
    int64_t bytes, total;
};

struct http_frame_end {
    int32_t status;
    bool resumed;
    int64_t file_bytes;
    char sha256[DIGEST_HEX_SIZE]; /* of the file */
    struct error error;
};

/* options have no zero that means a default any more. pipe: the end to write to.
 * parent: the pid to die with. */
_Noreturn void http_worker_run(const struct http_options *options, int pipe,
                               pid_t parent);

#endif
