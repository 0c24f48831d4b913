/* init.h - `clowder init`: the root that every other transaction stands on.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm. Owner: embed struct init.
 *
 * Story. The root's ancestors are made one by one (there already is fine), then
 *
 *   multi[ create(root, {"v":1,"cluster":"<uuid>"}), create(root/hosts),
 * create(root/live), create(root/rollouts), create(root/current, {"v":1}) ]
 *
 * so that a root is either whole or not there. Where the root exists it is read
 * instead: not ours, or written by a newer program -> refused; ours -> children that
 * are missing (somebody's hand) are put back, and nothing that is there is touched.
 *
 * Crash points: before the multi, empty ancestors are left; init again.
 */
#ifndef CLOWDER_SWARM_INIT_H
#define CLOWDER_SWARM_INIT_H

#include "shared/io/flow.h"
#include "shared/io/zk.h"
#include "shared/model/zpath.h"

enum { CLUSTER_ID_SIZE = 37 };

struct init_request {
    char root[ZROOT_MAX];
    char cluster[CLUSTER_ID_SIZE]; /* a fresh UUID */
    bool protect;                  /* ACL: only this digest's owner (ZK_PROTECTED) */
};

struct init {
    struct init_request wanted;
    struct zk *zk;
    struct flow flow;
    struct zk_request *request;
    size_t at;      /* how much of the root's path exists */
    int child;      /* of a root that was there: the child being put back */
    bool was_there; /* the root existed */
    char cluster[CLUSTER_ID_SIZE]; /* in force, after success */
    int mended;                    /* children that had to be put back */
};

void init_start(struct init *init, struct zk *zk, struct loop *loop,
                const struct init_request *wanted, flow_done_f done, void *ctx);
void init_cancel(struct init *init);

/* The root's own znode: {"v":1,"cluster":"<uuid>"}. -EPROTO: a newer version. */
MUST_CHECK int root_decode(const char *bytes, size_t len,
                           char ret_cluster[CLUSTER_ID_SIZE], struct error *err);
char *root_encode(const char *cluster); /* caller frees */

#endif
