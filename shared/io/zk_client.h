/* zk_client.h - zk.h over the ZooKeeper C client (zookeeper_st) on libevent.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: io. Every trap of PROTOCOL.md 6 is handled here and nowhere else.
 */
#ifndef CLOWDER_IO_ZK_CLIENT_H
#define CLOWDER_IO_ZK_CLIENT_H

#include "shared/base/error.h"
#include "shared/io/event_loop.h"
#include "shared/io/zk.h"

struct zk_client_config {
    const char *servers;        /* "h1:2181,h2:2181": names or addresses; no chroot */
    const char *digest;         /* "user:password" or NULL */
    int64_t session_timeout_ms; /* 0 = 30000 */
    int64_t connect_timeout_ms; /* per server; 0 = 3000 */
};

MUST_CHECK int zk_client_new(struct event_loop *el,
                             const struct zk_client_config *config, struct zk **ret,
                             struct error *err);

/* What the session is doing, for people: "connected to 10.0.0.1:2181", "resolving the
 * servers' names", "no server answers (tried 10.0.0.1:2181: connection refused)": those
 * that did not resolve or answer, with the reason. Valid until the next call. */
const char *zk_client_says(struct zk *zk);

#endif
