/* log.h - lines for the journal: a subsystem token first, then key=value.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: base. The only global of the programs. shared/ logs at debug only; agentd/ and
 * coordinator/ log once, where the error is handled.
 * Under systemd (JOURNAL_STREAM set) each line is prefixed "<N>" (sd-daemon(3) level).
 */
#ifndef CLOWDER_BASE_LOG_H
#define CLOWDER_BASE_LOG_H

#include "shared/base/error.h"

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level);
MUST_CHECK int log_level_from_text(const char *text, enum log_level *ret);
bool log_enabled(enum log_level level);

/* log_info("runner", "state=holding stage=%s took_ms=%d", ...): one write(2) per line
 * to stderr; control characters are replaced, so a value cannot forge a line. */
void log_line(enum log_level level, const char *subsystem, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                                                 \
    do {                                                                               \
        if (log_enabled(LOG_LEVEL_DEBUG))                                              \
            log_line(LOG_LEVEL_DEBUG, __VA_ARGS__);                                    \
    } while (0)

#endif
