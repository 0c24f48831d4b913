/* notify.c - sd_notify(3)'s datagrams.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/io/notify.h"

#include "shared/base/cleanup.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static int address_of(const char *name, struct sockaddr_un *ret, socklen_t *ret_len)
{
    size_t len = strlen(name);

    if (len < 2 || len >= sizeof(ret->sun_path) || (name[0] != '/' && name[0] != '@'))
        return -EINVAL;
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret->sun_path, name, len);
    if (name[0] == '@')
        ret->sun_path[0] = '\0'; /* abstract namespace */
    *ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return 0;
}

/* Failures are not told: the service manager acts on missing datagrams by itself, and a
 * daemon must not stop for a status line. */
void notify_send(const char *fmt, ...)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address;
    struct strbuf text = {0};
    socklen_t address_len;
    va_list args;

    if (!name || address_of(name, &address, &address_len) < 0)
        return;
    _cleanup_(closep) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    va_start(args, fmt);
    strbuf_vaddf(&text, fmt, args);
    va_end(args);
    (void)sendto(fd, text.text, text.len, MSG_NOSIGNAL | MSG_DONTWAIT,
                 (struct sockaddr *)&address, address_len);
    strbuf_done(&text);
}

void notify_status(const char *text)
{
    _cleanup_(freep) char *line = mem_strdup(text);

    for (char *c = line; *c; c++)
        if (iscntrl((unsigned char)*c))
            *c = ' ';
    notify_send("STATUS=%s", line);
}

int64_t notify_watchdog_interval_ms(void)
{
    const char *pid_text = getenv("WATCHDOG_PID"), *usec_text = getenv("WATCHDOG_USEC");
    int64_t pid, usec;

    if (!usec_text || str_to_int64(usec_text, 1, INT64_MAX, &usec) < 0)
        return 0;
    if (pid_text && (str_to_int64(pid_text, 1, INT64_MAX, &pid) < 0 || pid != getpid()))
        return 0;
    return usec < 2000 ? 1 : usec / 2000;
}
