/* fleet.h - N real agents in one process whose steps only take time, and what they
 * cost.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: benchmarks. Members and runners as agentd runs them, each with a session of
 * its own on one event loop; every request is counted at the port on its way out.
 */
#ifndef CLOWDER_TESTS_BENCH_FLEET_H
#define CLOWDER_TESTS_BENCH_FLEET_H

#include "agentd/member.h"
#include "shared/io/event_loop.h"
#include "tests/bench/figures.h"

#define FLEET_ROOT "/clowder"

struct fleet_config {
    const char *servers;
    int hosts;
    int permits;        /* of lease restart: for all_granted */
    int64_t visit_ms;   /* of each leased stage, shared out among its steps */
    int fail_ppm;       /* chance that a visit fails, once per host */
    int64_t session_ms; /* 0 = 30000 */
    /* What each host fetches in its first visit that disrupts nothing, so under lease
     * install; NULL = nothing. Into a directory of its own below fetch_dir. */
    const char *fetch_url, *fetch_sha256, *fetch_dir;
};

enum fleet_request {
    FLEET_GET,
    FLEET_EXISTS,
    FLEET_CHILDREN,
    FLEET_MULTI,
    FLEET_SINGLE,
    FLEET_SYNC,
};
enum { FLEET_REQUESTS = FLEET_SYNC + 1 };
extern const char *const fleet_request_names[FLEET_REQUESTS];

enum { FLEET_BARRIERS_MAX = 64 };
struct fleet_barrier {
    int wave, stage, size, arrived, released;
    /* seconds; of the last arrival: its transaction sent, and answered */
    double last_sent, last_arrived, last_released;
};

struct fleet_host;
struct fleet {
    struct fleet_config config;
    struct event_loop *el;
    struct fleet_host *hosts;
    int following, following_max; /* registered now, and at most so far */
    int expired, disconnected, reconnected;
    double all_joined; /* seconds: when the last one came (back) */
    uint64_t requests[FLEET_REQUESTS], watches;
    struct series per_tenth; /* requests in each tenth of a second */
    double tenth_from;
    int grants, done, failed;
    /* seconds: the first ticket, and the last permit of those there were at first */
    double first_queued, all_granted;
    double last_done; /* seconds */
    int fetches, fetches_failed;
    int64_t fetched_bytes;
    int fetching, fetching_max; /* now, and at most so far */
    double worked_s;            /* visits that ended, together */
    double last_worked;         /* seconds: when the last of them did */
    struct series handoff;      /* ms: start of a release to the next grant */
    struct series act;          /* ms: the same to the leave for its first act */
    struct series freed;        /* seconds: releases that no grant has followed yet */
    int freed_taken;
    struct fleet_barrier barriers[FLEET_BARRIERS_MAX];
    int barriers_count;
    int queued; /* waiting for a permit now */
    void (*on_all_joined)(void *ctx);
    void (*on_all_ended)(void *ctx);
    void *ctx;
};

double fleet_seconds(void); /* monotonic */
void fleet_start(struct fleet *fleet, struct event_loop *el,
                 const struct fleet_config *config);
void fleet_forget_counts(struct fleet *fleet);
void fleet_stop(struct fleet *fleet);
const char *fleet_host_id(const struct fleet *fleet, int host);
uint64_t fleet_requests(const struct fleet *fleet);

#endif
