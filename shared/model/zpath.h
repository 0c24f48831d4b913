/* zpath.h - where everything stands in ZooKeeper (PROTOCOL.md 2).
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure. By value: struct zpath p = zpath_gate(root, id); use p.text.
 * Names are checked where they come in (names.h); one that is too long for a path gives
 * the empty path, which every ZooKeeper call refuses.
 */
#ifndef CLOWDER_MODEL_ZPATH_H
#define CLOWDER_MODEL_ZPATH_H

#include "shared/base/error.h"

enum { ZPATH_SIZE = 512, ZROOT_MAX = 128 };

struct zpath {
    char text[ZPATH_SIZE];
};

/* "zk://h1:2181,h2:2181/root" -> servers "h1:2181,h2:2181" and root "/root". Also
 * without "zk://", without ports (2181) and without a root ("/clowder"). "/" as root is
 * refused. Caller frees *ret_servers. */
MUST_CHECK int zk_address_parse(const char *address, char **ret_servers,
                                struct zpath *ret_root, struct error *err);
/* "zk://zk-1.zk:2181,...,zk-5.zk:2181/clowder" */
extern const char ZK_ADDRESS_DEFAULT[];

struct zpath zpath_hosts(const char *root);
struct zpath zpath_host(const char *root, const char *host);
struct zpath zpath_lives(const char *root);
struct zpath zpath_live(const char *root, const char *host);
struct zpath zpath_current(const char *root);
struct zpath zpath_rollouts(const char *root);
struct zpath zpath_rollout(const char *root, const char *id);
struct zpath zpath_spec(const char *root, const char *id);
struct zpath zpath_wave(const char *root, const char *id, int wave);
struct zpath zpath_gate(const char *root, const char *id);
struct zpath zpath_records(const char *root, const char *id);
struct zpath zpath_record(const char *root, const char *id, const char *host);
struct zpath zpath_failures(const char *root, const char *id);
struct zpath zpath_failure(const char *root, const char *id, const char *host);
/* Hosts that had failed and are at work again: while there is one the rollout is not
 * closed. */
struct zpath zpath_retries(const char *root, const char *id);
struct zpath zpath_retry(const char *root, const char *id, const char *host);
/* Hosts that are not as they were proved any more, one child each. */
struct zpath zpath_drifts(const char *root, const char *id);
struct zpath zpath_drift(const char *root, const char *id, const char *host);
/* Hosts that an operator took out: one child each, so that they can be counted. */
struct zpath zpath_exclusions(const char *root, const char *id);
struct zpath zpath_leases(const char *root, const char *id);
/* lease: as it stands in lease.h, of all hosts or of one zone. */
struct zpath zpath_lease(const char *root, const char *id, const char *lease);
struct zpath zpath_queue(const char *root, const char *id, const char *lease);
struct zpath zpath_ticket(const char *root, const char *id, const char *lease, int seq);
struct zpath zpath_permits(const char *root, const char *id, const char *lease);
struct zpath zpath_permit(const char *root, const char *id, const char *lease,
                          int permit);
/* Below a permit: names its holder in a way that a multi can check. */
struct zpath zpath_permit_owner(const char *root, const char *id, const char *lease,
                                int permit, const char *host);
struct zpath zpath_barrier(const char *root, const char *id, int wave,
                           const char *stage);
struct zpath zpath_arrivals(const char *root, const char *id, int wave,
                            const char *stage);
struct zpath zpath_arrival(const char *root, const char *id, int wave,
                           const char *stage, const char *host);
struct zpath zpath_open(const char *root, const char *id, int wave, const char *stage);
struct zpath zpath_events(const char *root, const char *id);
const char *zpath_leaf(const char *path); /* what follows the last '/' */

/* "t-0000000042" -> 42; -1 when it is no ticket. */
int ticket_seq(const char *leaf);

#endif
