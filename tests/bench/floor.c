/* floor.c - bench_floor SERVERS [COUNT [PAUSE_MS]]: what no hand-off through ZooKeeper
 * can beat.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Two bare C clients, no library of ours between: A deletes the znode that B watches; B
 * gets the notification and creates its own. From A's call to B's answer: one write,
 * one notification, one write. Then the roles change. Prints one JSON object: ms.
 */
#include "tests/bench/figures.h"

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zookeeper/zookeeper.h>

enum { SIDES = 2 };
struct side {
    zhandle_t *zh;
    const char *path; /* its own */
    bool connected, watching, called, created, deleted;
};
static struct side sides[SIDES] = {{.path = "/floor-a"}, {.path = "/floor-b"}};

static double now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1000 + (double)t.tv_nsec / 1e6;
}

static void on_session(zhandle_t *zh, int type, int state, const char *path, void *ctx)
{
    ((struct side *)ctx)->connected = state == ZOO_CONNECTED_STATE;
}

static void on_created(int rc, const char *name, const void *ctx)
{
    if (rc != ZOK)
        exit(1);
    ((struct side *)ctx)->created = true;
}

static void on_deleted(int rc, const void *ctx)
{
    if (rc != ZOK)
        exit(1);
    ((struct side *)ctx)->deleted = true;
}

static void create_own(struct side *side)
{
    (void)zoo_acreate(side->zh, side->path, "host", 4, &ZOO_OPEN_ACL_UNSAFE,
                      ZOO_EPHEMERAL, on_created, side);
}

static void on_gone(zhandle_t *zh, int type, int state, const char *path, void *ctx)
{
    if (type != ZOO_DELETED_EVENT)
        return;
    ((struct side *)ctx)->called = true;
    create_own(ctx);
}

static void on_watching(int rc, const struct Stat *stat, const void *ctx)
{
    if (rc != ZOK)
        exit(1);
    ((struct side *)ctx)->watching = true;
}

static void turn(void)
{
    struct pollfd fds[SIDES];
    int wait_ms = 1000;
    for (int i = 0; i < SIDES; i++) {
        int interest = 0;
        struct timeval tv = {0};
        fds[i] = (struct pollfd){.fd = -1};
        if (zookeeper_interest(sides[i].zh, &fds[i].fd, &interest, &tv) != ZOK)
            fds[i].fd = -1;
        fds[i].events = (short)((interest & ZOOKEEPER_READ ? POLLIN : 0) |
                                (interest & ZOOKEEPER_WRITE ? POLLOUT : 0));
        int ms = (int)(tv.tv_sec * 1000 + tv.tv_usec / 1000);
        wait_ms = ms < wait_ms ? ms : wait_ms;
    }
    (void)poll(fds, SIDES, wait_ms);
    for (int i = 0; i < SIDES; i++)
        (void)zookeeper_process(sides[i].zh,
                                (fds[i].revents & POLLIN ? ZOOKEEPER_READ : 0) |
                                    (fds[i].revents & POLLOUT ? ZOOKEEPER_WRITE : 0));
}

static void wait_for(const bool *flag)
{
    while (!*flag)
        turn();
}

int main(int argc, char **argv)
{
    int count = argc > 2 ? atoi(argv[2]) : 1000;
    int pause_ms = argc > 3 ? atoi(argv[3]) : 0;
    struct timespec pause = {.tv_nsec = pause_ms % 1000 * 1000000L};
    struct series ms = {0};
    if (argc < 2) {
        (void)fputs("usage: bench_floor SERVERS [COUNT [PAUSE_MS]]\n", stderr);
        return 2;
    }
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    for (int i = 0; i < SIDES; i++) {
        sides[i].zh = zookeeper_init(argv[1], on_session, 30000, NULL, &sides[i], 0);
        if (!sides[i].zh)
            return 1;
    }
    for (int i = 0; i < SIDES; i++)
        wait_for(&sides[i].connected);
    create_own(&sides[0]);
    wait_for(&sides[0].created);
    for (int n = 0; n < count; n++) {
        struct side *holder = &sides[n % 2], *next = &sides[(n + 1) % 2];
        next->watching = next->called = next->created = holder->deleted = false;
        (void)zoo_awexists(next->zh, holder->path, on_gone, next, on_watching, next);
        wait_for(&next->watching);
        (void)nanosleep(&pause, NULL);
        double from = now_ms();
        (void)zoo_adelete(holder->zh, holder->path, -1, on_deleted, holder);
        wait_for(&next->created);
        series_add(&ms, now_ms() - from);
        wait_for(&holder->deleted);
    }
    json_t *result = series_json(&ms);
    (void)json_dumpf(result, stdout, JSON_COMPACT);
    (void)puts("");
    json_decref(result);
    series_done(&ms);
    return zookeeper_close(sides[0].zh) != ZOK || zookeeper_close(sides[1].zh) != ZOK;
}
