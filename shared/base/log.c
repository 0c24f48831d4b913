/* log.c - lines for the journal.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *text;
    int journal; /* sd-daemon(3) */
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", 3},
    [LOG_LEVEL_WARN] = {"warn", 4},
    [LOG_LEVEL_INFO] = {"info", 6},
    [LOG_LEVEL_DEBUG] = {"debug", 7},
};

static enum log_level threshold = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
    threshold = level;
}

int log_level_from_text(const char *text, enum log_level *ret)
{
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        if (strcmp(text, levels[i].text) == 0) {
            *ret = (enum log_level)i;
            return 0;
        }
    }
    return -EINVAL;
}

bool log_enabled(enum log_level level)
{
    return level <= threshold;
}

void log_line(enum log_level level, const char *subsystem, const char *fmt, ...)
{
    static const char cut[] = " [cut]";
    char line[4096];
    size_t room = sizeof(line) - sizeof(cut) - 1, len = 0;
    int saved = errno;
    va_list args;

    if (!log_enabled(level))
        return;
    if (getenv("JOURNAL_STREAM"))
        len = (size_t)snprintf(line, room, "<%d>", levels[level].journal);
    len += (size_t)snprintf(line + len, room - len, "%.64s ", subsystem);
    va_start(args, fmt);
    errno = saved; /* for %m */
    int text_len = vsnprintf(line + len, room - len, fmt, args);
    va_end(args);
    if (text_len > 0)
        len += (size_t)text_len;
    if (len >= room) {
        len = room - 1;
        memcpy(line + len, cut, sizeof(cut) - 1);
        len += sizeof(cut) - 1;
    }
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = '?';
    line[len++] = '\n';
    while (write(STDERR_FILENO, line, len) < 0 && errno == EINTR)
        ; /* anything else: there is nowhere left to say it */
    errno = saved;
}
