/* docker_log.h - looks for a text in a stream of GET /containers/<name>/logs.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure. Without a terminal the engine frames the stream: [stream, 0, 0,
 * 0, length as 4 bytes, big-endian] payload…; with one it is raw bytes. Both are read,
 * in chunks of any size; a text that is cut by a frame or a chunk is found all the
 * same.
 */
#ifndef CLOWDER_MODEL_DOCKER_LOG_H
#define CLOWDER_MODEL_DOCKER_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DOCKER_LOG_NEEDLE_MAX = 128 };
struct docker_log {
    const char *needle; /* borrowed */
    size_t needle_len;
    unsigned char header[8];
    size_t header_len;
    uint32_t left;                         /* bytes of the frame still to come */
    bool raw;                              /* not framed */
    char window[2][DOCKER_LOG_NEEDLE_MAX]; /* last bytes of stdout (or raw), stderr */
    size_t window_len[2];
    bool found;
    uint64_t seen_bytes; /* of payload */
};

void docker_log_init(struct docker_log *log, const char *needle);
bool docker_log_feed(struct docker_log *log, const char *bytes, size_t len); /* found */

#endif
