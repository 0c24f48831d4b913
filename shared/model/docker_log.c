/* docker_log.c - looks for a text in a stream of container logs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/model/docker_log.h"

#include <assert.h>
#include <string.h>

void docker_log_init(struct docker_log *log, const char *needle)
{
    *log = (struct docker_log){.needle = needle, .needle_len = strlen(needle)};
    assert(log->needle_len > 0 && log->needle_len <= DOCKER_LOG_NEEDLE_MAX);
}

static void take(struct docker_log *log, int which, char byte)
{
    char *window = log->window[which];
    size_t *len = &log->window_len[which];

    if (*len == log->needle_len)
        memmove(window, window + 1, --*len);
    window[(*len)++] = byte;
    log->seen_bytes++;
    if (*len == log->needle_len && memcmp(window, log->needle, *len) == 0)
        log->found = true;
}

static bool header_good(const unsigned char *h)
{
    return h[0] <= 2 && h[1] == 0 && h[2] == 0 && h[3] == 0;
}

static void end_header(struct docker_log *log)
{
    const unsigned char *h = log->header;

    log->header_len = 0;
    if (header_good(h)) {
        log->left = (uint32_t)h[4] << 24 | (uint32_t)h[5] << 16 | (uint32_t)h[6] << 8 |
                    (uint32_t)h[7];
        return;
    }
    log->raw = true;
    for (size_t i = 0; i < sizeof log->header; i++)
        take(log, 0, (char)h[i]);
}

bool docker_log_feed(struct docker_log *log, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len && !log->found; i++) {
        if (log->raw) {
            take(log, 0, bytes[i]);
        } else if (log->left > 0) {
            log->left--;
            take(log, log->header[0] == 2, bytes[i]);
        } else {
            log->header[log->header_len++] = (unsigned char)bytes[i];
            if (log->header_len == sizeof log->header)
                end_header(log);
        }
    }
    return log->found;
}
