/* failpoint.c - named points at which a test kills or stops the process.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/failpoint.h"

#ifdef CLOWDER_FAILPOINTS

#include "shared/base/cleanup.h"
#include "shared/base/log.h"
#include "shared/base/str.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { NAME_MAX_BYTES = 120, POINTS_MAX = 512 };

/* Alphabetical. ":send" is before a transaction leaves, ":sent" right after, ":replied"
 * when its success is known and nothing has been done about it. */
/* clang-format off */
static const char *const names[] = {
    "act:replied",
    "act:send",
    "act:sent",
    "adopt:replied",
    "adopt:send",
    "adopt:sent",
    "alarm:replied",
    "alarm:send",
    "alarm:sent",
    "close:replied",
    "close:send",
    "close:sent",
    "drift:replied",
    "drift:send",
    "drift:sent",
    "enqueue:replied",
    "enqueue:send",
    "enqueue:sent",
    "fail:replied",
    "fail:send",
    "fail:sent",
    "fs:removed",
    "fs:renamed",
    "fs:temp-made",
    "fs:temp-written",
    "inventory:replied",
    "inventory:send",
    "inventory:sent",
    "join:replied",
    "join:send",
    "join:sent",
    "journal:begin",
    "journal:begun",
    "journal:end",
    "journal:ended",
    "journal:step",
    "journal:step-kept",
    "journal:step-written",
    "leave:replied",
    "leave:send",
    "leave:sent",
    "lost:replied",
    "lost:send",
    "lost:sent",
    "open:replied",
    "open:send",
    "open:sent",
    "place:copied",
    "place:placed",
    "place:temp-made",
    "publish:replied",
    "publish:send",
    "publish:sent",
    "release:replied",
    "release:send",
    "release:sent",
    "restart:act",
    "restart:acted",
    "restart:acting",
    "restart:note",
    "restart:noted",
    "return:replied",
    "return:send",
    "return:sent",
    "take:replied",
    "take:send",
    "take:sent",
    "visit:begin",
    "visit:end",
};
/* clang-format on */

enum { NAMES_COUNT = sizeof(names) / sizeof(names[0]) };

const char *failpoint_name(int index)
{
    return index >= 0 && index < NAMES_COUNT ? names[index] : NULL;
}

/* How often this process came to each point. */
static int passed(const char *name)
{
    static struct {
        char name[NAME_MAX_BYTES];
        int count;
    } points[POINTS_MAX];
    int i = 0;

    while (i < POINTS_MAX - 1 && points[i].name[0] && !str_equal(points[i].name, name))
        i++;
    STR_COPY(points[i].name, name);
    return ++points[i].count;
}

static const char *file_path(void)
{
    const char *path = getenv("CLOWDER_FAILPOINT_FILE");

    return path && *path ? path : FAILPOINT_FILE;
}

/* What the file asks for; "" without one. */
static void read_order(char *dst, size_t size)
{
    _cleanup_(closep) int fd = open(file_path(), O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, dst, size - 1);

    dst[got < 0 ? 0 : got] = '\0';
    dst[strcspn(dst, "\n")] = '\0';
}

/* The order goes with the process: the next one lives. */
static void die(const char *name, long delay_ms)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    struct itimerspec when = {
        .it_value = {.tv_sec = delay_ms / 1000, .tv_nsec = delay_ms % 1000 * 1000000}};
    timer_t timer;

    (void)unlink(file_path());
    log_warn("failpoint", "killed=%s delay_ms=%ld", name, delay_ms);
    if (delay_ms <= 0 || timer_create(CLOCK_MONOTONIC, &event, &timer) < 0 ||
        timer_settime(timer, 0, &when, NULL) < 0)
        (void)raise(SIGKILL);
}

static void stop(const char *name)
{
    (void)unlink(file_path());
    log_warn("failpoint", "stopped=%s", name);
    (void)raise(SIGSTOP);
}

static void hit(const char *name)
{
    char order[NAME_MAX_BYTES + 32];
    int n = passed(name);
    size_t len = strlen(name);

    read_order(order, sizeof(order));
    if (str_equal(order, "list")) {
        log_info("failpoint", "name=%s n=%d", name, n);
        return;
    }
    if (strncmp(order, name, len) != 0 || (order[len] && order[len] != ' '))
        return;
    char *rest = order + len;
    long nth = strtol(rest, &rest, 10);
    if (n != (nth > 0 ? nth : 1))
        return;
    if (str_equal(rest, " stop"))
        stop(name);
    else
        die(name, strtol(rest, NULL, 10));
}

void failpoint_hit(const char *name)
{
    bool known = false;

    for (int i = 0; i < NAMES_COUNT && !known; i++)
        known = str_equal(names[i], name);
    assert(known && "failpoint is not in the table");
    if (known)
        hit(name);
}

void failpoint_hit_step(const char *phase, const char *step, const char *name)
{
    char full[NAME_MAX_BYTES];

    (void)snprintf(full, sizeof(full), "%s:%s:%s", phase, step, name);
    for (char *c = full; *c; c++)
        if (*c == ' ')
            *c = '-';
    hit(full);
}

#else

typedef int failpoint_is_not_compiled_in; /* a translation unit is never empty */

#endif
