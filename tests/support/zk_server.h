/* zk_server.h - real ZooKeeper servers for tests: standalone or an ensemble, on
 * loopback.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Needs Debian's packages `zookeeper` (its jar) and a JRE. Blocking: for tests only.
 * The servers die with the test (PR_SET_PDEATHSIG), whatever happens to it.
 */
#ifndef CLOWDER_TESTS_SUPPORT_ZK_SERVER_H
#define CLOWDER_TESTS_SUPPORT_ZK_SERVER_H

#include "shared/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { ZK_SERVERS_MAX = 5 };

struct zk_server {
    int number; /* from 1 */
    int port;   /* for clients, on 127.0.0.1 */
    int quorum_port, election_port;
    pid_t pid; /* 0 = not running */
};

struct zk_ensemble {
    char dir[128];     /* temporary; logs are in <dir>/<number>/out */
    char servers[256]; /* "127.0.0.1:1,127.0.0.1:2,..." */
    int count;
    int tick_ms;
    const char *java_option; /* for members started from now on; NULL = none */
    struct zk_server server[ZK_SERVERS_MAX];
};

/* NULL, or why there can be no servers here: "needs java". */
const char *zk_server_missing(void);
/* Prints the reason and exits with code 77 (skipped) where servers cannot run. */
void zk_server_require(void);

/* count 1 or 3. tick_ms: sessions of 2 to 20 ticks are granted; 0 = 500. Returns when
 * all serve. */
MUST_CHECK int zk_ensemble_start(int count, int tick_ms, struct zk_ensemble **ret,
                                 struct error *err);
/* java_option: for the JVM of each ("@file" for several), or NULL. */
MUST_CHECK int zk_ensemble_start_with(int count, int tick_ms, const char *java_option,
                                      struct zk_ensemble **ret, struct error *err);
void zk_ensemble_free(
    struct zk_ensemble *ensemble); /* kills all, removes dir; NULL ok */

/* One member. Starting waits until it serves (for what is left of a quorum to elect).
 */
MUST_CHECK int zk_server_start(struct zk_ensemble *ensemble, int i, struct error *err);
MUST_CHECK int zk_server_launch(struct zk_ensemble *ensemble, int i, struct error *err);
MUST_CHECK int zk_server_wait(struct zk_ensemble *ensemble, int i, struct error *err);
void zk_server_kill(struct zk_ensemble *ensemble, int i); /* SIGKILL, reaped */
void zk_server_stop(struct zk_ensemble *ensemble, int i); /* SIGTERM, reaped */
void zk_server_freeze(struct zk_ensemble *ensemble,
                      int i); /* SIGSTOP; returns when it stands */
void zk_server_thaw(struct zk_ensemble *ensemble, int i);
/* Forgets its data (stopped members only): it comes back as new. */
MUST_CHECK int zk_server_wipe(struct zk_ensemble *ensemble, int i, struct error *err);
int zk_ensemble_leader(struct zk_ensemble *ensemble); /* index, or -1 */

/* A four-letter word: -ECONNREFUSED and the like when it does not answer within 1 s. */
MUST_CHECK int zk_server_ask(const struct zk_server *server, const char *word,
                             char *text, size_t size);

#endif
