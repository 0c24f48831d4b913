/* zk_sessions.c - bench_zk_sessions [SESSIONS [IDLE_SECONDS]]: what sessions cost.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Prints one JSON object: time to connect all, resident bytes per session, requests per
 * second of one session (one at a time and pipelined), wake-ups and CPU of an idle
 * minute scaled from IDLE_SECONDS. Against a standalone server of its own, without
 * fsync.
 */
#include "shared/base/mem.h"
#include "shared/io/zk_client.h"
#include "tests/support/zk_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SETS = 5000, SINGLES = 1000 };

static struct event_loop *el;
static int connected, answered, wanted, started, pipelined;
static struct timer stop_timer;

static void on_stop(void *ctx)
{
    event_loop_stop(el, 0);
}

static void run_for(int64_t ms)
{
    timer_start(&stop_timer, event_loop_port(el), ms, on_stop, NULL);
    (void)event_loop_run(el);
}

static void on_event(void *ctx, enum zk_session_event event, bool fresh)
{
    connected += event == ZK_SESSION_CONNECTED;
    if (connected == wanted)
        event_loop_stop(el, 0);
}

static void on_set(void *ctx, const struct zk_reply *reply)
{
    if (reply->result != ZK_OK)
        (void)fprintf(stderr, "set: %s\n", zk_result_text(reply->result));
    if (++answered == wanted)
        event_loop_stop(el, 0);
    else if (!pipelined && started++ < wanted)
        (void)zk_set(ctx, "/", "x", 1, -1, on_set, ctx);
}

static double seconds(void)
{
    return (double)loop_now_ms(event_loop_port(el)) / 1000;
}

static double sets_per_second(struct zk *zk, int count, int at_once)
{
    double from = seconds();
    answered = 0;
    pipelined = at_once;
    wanted = count;
    started = 1;
    for (int i = 0; i < (at_once ? count : 1); i++)
        (void)zk_set(zk, "/", "x", 1, -1, on_set, zk);
    (void)event_loop_run(el);
    return count / (seconds() - from);
}

static long resident_bytes(void)
{
    long pages = 0, skip = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f == NULL || fscanf(f, "%ld %ld", &skip, &pages) != 2)
        pages = 0;
    if (f)
        (void)fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

struct usage {
    long waits;
    double cpu;
};

static struct usage usage_now(void)
{
    struct rusage r;
    (void)getrusage(RUSAGE_SELF, &r);
    return (struct usage){
        .waits = r.ru_nvcsw,
        .cpu = (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
               (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6,
    };
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 1000;
    int idle_s = argc > 2 ? atoi(argv[2]) : 60;
    struct rlimit files;
    struct zk_ensemble *ensemble;
    struct error err;
    zk_server_require();
    if (count < 1 || idle_s < 1) {
        (void)fprintf(stderr, "usage: bench_zk_sessions [SESSIONS [IDLE_SECONDS]]\n");
        return 2;
    }
    (void)getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    /* 1500 ms: a session of 30 s is the longest that it grants */
    if (zk_ensemble_start(1, 1500, &ensemble, &err) < 0 ||
        event_loop_new(&el, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return 1;
    }

    struct zk_client_config config = {.servers = ensemble->servers};
    struct zk **zk = mem_array((size_t)count, sizeof(struct zk *));
    long bare_bytes = resident_bytes();
    double from = seconds();
    wanted = count;
    for (int i = 0; i < count; i++) {
        if (zk_client_new(el, &config, &zk[i], &err) < 0)
            return 1;
        zk_listen(zk[i], on_event, NULL);
    }
    (void)event_loop_run(el);
    double connect_s = seconds() - from;
    long full_bytes = resident_bytes();
    double single = sets_per_second(zk[0], SINGLES, false);
    double many = sets_per_second(zk[0], SETS, true);
    from = seconds();
    for (int i = 1; i < count; i++)
        zk_free(zk[i]);
    double close_s = seconds() - from;

    wanted = -1;
    run_for(1000);
    struct usage before = usage_now();
    run_for((int64_t)idle_s * 1000);
    struct usage after = usage_now();
    (void)printf("{\"sessions\": %d, \"connect_s\": %.3f, \"close_s\": %.3f, "
                 "\"rss_bytes\": %ld, \"rss_bytes_per_session\": %ld, "
                 "\"sets_per_s\": %.0f, \"sets_per_s_pipelined\": %.0f, "
                 "\"idle_waits_per_minute\": %.1f, \"idle_cpu_ms_per_minute\": %.2f}\n",
                 count, connect_s, close_s, full_bytes,
                 (full_bytes - bare_bytes) / count, single, many,
                 (double)(after.waits - before.waits) * 60 / idle_s,
                 (after.cpu - before.cpu) * 1000 * 60 / idle_s);

    zk_free(zk[0]);
    free(zk);
    event_loop_free(el);
    zk_ensemble_free(ensemble);
    return 0;
}
