/* model_zk.h - a ZooKeeper in memory: servers, sessions, clients behind shared/io/zk.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: test support. Loop: a sim_loop; messages travel on its port, pings and session
 * timers on its background. Deterministic from config.seed.
 *
 * Story of a request: it leaves in FIFO order with a random delay, is carried out at
 * the client's server (reads from that server's own copy of the tree, which may lag;
 * writes in one order for all), and its reply travels back in FIFO order behind the
 * watch events that were fired before it. Between clients there is no order. When the
 * connection drops, of the requests under way the first few still arrive (some of them
 * late, when the client may be connected again), the others never; all of them end
 * ZK_AMBIGUOUS.
 *
 * Faults: by the calls below, and at random: each request of each client draws its fate
 * from hash(seed, client, number of the request), so that leaving one fault out does
 * not change the others. Every random fault has an id, the same in each run;
 * config.choose_fault may refuse it (that is how a failing schedule is shrunk) or
 * choose another.
 */
#ifndef CLOWDER_TESTS_SUPPORT_MODEL_ZK_H
#define CLOWDER_TESTS_SUPPORT_MODEL_ZK_H

#include "shared/io/zk.h"
#include "tests/support/history.h"
#include "tests/support/sim_loop.h"

#include <stdbool.h>
#include <stdint.h>

struct model_zk;

enum model_zk_fault {
    MODEL_ZK_FAULT_NONE,
    MODEL_ZK_FAULT_LOST,    /* connection drops, the request never arrives */
    MODEL_ZK_FAULT_APPLIED, /* the request is carried out, then the connection drops */
    MODEL_ZK_FAULT_LATE, /* connection drops, the request arrives up to late_ms later */
    MODEL_ZK_FAULT_EXPIRE,  /* the session expires instead */
    MODEL_ZK_FAULT_SLOW,    /* this request takes up to slow_ms more */
    MODEL_ZK_FAULT_OUTLIVE, /* the request is carried out, then the session expires */
};
enum { MODEL_ZK_FAULT_COUNT = MODEL_ZK_FAULT_OUTLIVE + 1 };
const char *model_zk_fault_text(enum model_zk_fault fault);

enum model_zk_moment {
    MODEL_ZK_SENT,    /* the client has issued it */
    MODEL_ZK_APPLIED, /* the server has carried it out */
    MODEL_ZK_REPLIED, /* the client's callback runs next */
};

struct model_zk_request { /* as its observer sees it */
    uint64_t number;      /* of the client's requests */
    enum model_zk_moment moment;
    const char *path;
    const struct zk_op *ops; /* of a write, when it is sent; else NULL */
    int ops_count;
};

struct model_zk_config {
    uint64_t seed;
    int servers;                        /* 1 (0 = 1); beyond the first they lag */
    int64_t delay_min_ms, delay_max_ms; /* of each message, one way; 0/0 = 0..3 */
    int64_t lag_max_ms;                 /* leader to another server and back; 0 = 5 */
    int64_t session_timeout_ms;         /* 0 = 30000 */
    int64_t tick_ms;          /* an expiry is noticed up to this late; 0 = 2000 */
    int64_t reconnect_max_ms; /* jitter before a new connection; 0 = 2000 */
    /* Chance of each fault per request, in millionths. */
    int faults_ppm[MODEL_ZK_FAULT_COUNT];
    int64_t slow_ms, late_ms; /* 0 = 2000 and 5000 */
    /* Asked for every request: what shall befall it, in place of what was drawn. NULL =
     * what was drawn. */
    enum model_zk_fault (*choose_fault)(void *ctx, uint64_t id, const char *client,
                                        enum model_zk_fault drawn);
    /* Seen at every request of every client; must not call into the model (post it). */
    void (*on_request)(void *ctx, struct zk *client,
                       const struct model_zk_request *request);
    void *ctx;      /* of both */
    bool forget;    /* do not keep the history (its listener still sees it) */
    bool unordered; /* children in a random order, as real servers give them */
};

struct model_zk *model_zk_new(struct sim_loop *sim,
                              const struct model_zk_config *config);
void model_zk_free(struct model_zk *mz); /* its clients are crashed */

/* A client process's session; connects by itself. digest "user:password" or NULL. The
 * name appears in reports and decides its fates. zk_free closes the session (its
 * ephemerals go), model_zk_crash does not (kill -9: they stay until the session's
 * timeout). */
struct zk *model_zk_connect(struct model_zk *mz, const char *name, const char *digest);
void model_zk_crash(struct zk *client);

/* Faults by hand; each takes effect at once. */
void model_zk_drop(struct zk *client); /* the connection breaks */
void model_zk_cut(struct zk *client,
                  bool cut);             /* no packet passes, in either direction */
void model_zk_expire(struct zk *client); /* the server ends its session */
void model_zk_stop(struct model_zk *mz, int server); /* -1 = all: nothing is served */
void model_zk_start(struct model_zk *mz,
                    int server); /* sessions get their whole timeout */
void model_zk_set_delays(struct model_zk *mz, int64_t min_ms, int64_t max_ms);
void model_zk_set_faults(struct model_zk *mz, const int ppm[MODEL_ZK_FAULT_COUNT]);

/* By hand on the server, in no time: an operator with zkCli, and the test's own look.
 */
enum zk_result model_zk_poke(struct model_zk *mz, const struct zk_op *ops, int count);
bool model_zk_peek(struct model_zk *mz, const char *path, const char **ret_data,
                   size_t *ret_len, struct zk_stat *ret_stat); /* any ret may be NULL */
int model_zk_children(struct model_zk *mz, const char *path,
                      void (*each)(void *ctx, const char *leaf),
                      void *ctx); /* -1 none */

struct history *model_zk_history(struct model_zk *mz);
int64_t model_zk_zxid(struct model_zk *mz);    /* of the last transaction */
int64_t model_zk_seen_zxid(struct zk *client); /* the last it heard of */

struct model_zk_counts {
    uint64_t reads, writes, events, pings, reply_bytes;
    uint64_t faults, faults_by[MODEL_ZK_FAULT_COUNT];
    uint64_t drops, expiries, sessions;
};
struct model_zk_counts model_zk_counts(const struct model_zk *mz); /* all clients */
struct model_zk_counts model_zk_client_counts(struct zk *client);

#endif
