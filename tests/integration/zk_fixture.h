/* zk_fixture.h - a loop and sessions of the real client against real servers, for tests
 * that read top to bottom: each helper runs the loop until its answer is there.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CLOWDER_TESTS_INTEGRATION_ZK_FIXTURE_H
#define CLOWDER_TESTS_INTEGRATION_ZK_FIXTURE_H

#include "shared/io/event_loop.h"
#include "shared/io/zk_client.h"
#include "tests/support/zk_server.h"
#include "tests/unit/cmocka_all.h"

enum { EVENTS_MAX = 64, CHILDREN_MAX = 32 };

extern struct event_loop *el;

/* A session and what its listener heard. */
struct heard {
    struct zk *zk;
    enum zk_session_event events[EVENTS_MAX];
    bool fresh[EVENTS_MAX];
    int count;
    int counts[4]; /* by event */
};

/* What a callback saw, copied. */
struct answer {
    int times;
    enum zk_result result;
    struct zk_stat stat;
    char data[256];
    size_t data_len;
    char path[256];
    char children[CHILDREN_MAX][64];
    int children_count;
    int ops_count, failed_op;
    enum zk_result op_results[16];
    struct zk_stat op_stats[16];
    char op_paths[16][128];
};

int fixture_begin(void **state);
int fixture_end(void **state);

/* Runs the loop until *counter reaches wanted; false after ms. */
bool run_until(const int *counter, int wanted, int ms);
void run_for(int ms);

struct heard *session_new(const struct zk_client_config *config);
/* Opens and waits for CONNECTED. Sessions left open are closed by fixture_end. */
struct heard *session_open(const char *servers, const char *digest,
                           int session_timeout_ms);
void session_close(struct heard *heard);
bool session_wait(struct heard *heard, enum zk_session_event event, int times, int ms);

void on_answer(void *ctx, const struct zk_reply *reply); /* ctx: struct answer */
void on_fired(void *ctx);                                /* ctx: int counter */

/* Each starts and runs to the answer, which is static until the next. */
const struct answer *ask_get(struct heard *h, const char *path, struct zk_watch *watch);
const struct answer *ask_exists(struct heard *h, const char *path,
                                struct zk_watch *watch);
const struct answer *ask_children(struct heard *h, const char *path,
                                  struct zk_watch *watch);
const struct answer *ask_create(struct heard *h, const char *path, const char *data,
                                int flags);
const struct answer *ask_set(struct heard *h, const char *path, const char *data,
                             int32_t version);
const struct answer *ask_delete(struct heard *h, const char *path, int32_t version);
const struct answer *ask_multi(struct heard *h, const struct zk_op *ops, int count);
const struct answer *ask_sync(struct heard *h, const char *path);

#endif
