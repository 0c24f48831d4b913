/* batch.h - many requests in flight at once, with a bounded window.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm (ports only).
 *
 * Story. batch_start issues requests 0..count-1 in order, at most `window` of them out
 * at a time; each answer goes to `reply`; after the last one `done` runs, once and
 * last. When the connection is lost, the requests that were out are issued again,
 * lowest first, as soon as it is back; `reply` is told so (repeated: the first one may
 * have happened, which only matters to a write). An error from `reply` ends the batch:
 * what is still out is dropped. There is no deadline here: the flow step around it has
 * one.
 */
#ifndef CLOWDER_SWARM_BATCH_H
#define CLOWDER_SWARM_BATCH_H

#include "shared/io/loop.h"
#include "shared/io/zk.h"

struct batch;
struct batch_slot {
    struct batch *batch;
    struct zk_request *request;
    int index; /* -1 = free */
};

struct batch_work {
    int count;
    int window; /* 1 = one after the other */
    struct zk_request *(*issue)(void *ctx, int index, zk_done_f done, void *done_ctx);
    /* Never sees ZK_NOT_CONNECTED or ZK_AMBIGUOUS. 0, or a negative errno with err. */
    int (*reply)(void *ctx, int index, bool repeated, const struct zk_reply *reply,
                 struct error *err);
    void (*done)(void *ctx, int result, const struct error *err);
    void *ctx;
};

struct batch { /* zero-initialised is idle */
    struct zk *zk;
    struct loop *loop;
    struct batch_work work;
    struct batch_slot *slots;
    unsigned char *states; /* one byte per index */
    int next;              /* no index below it is still to be issued */
    int out, answered;
    struct timer turn; /* the first turn, and waiting for the connection */
};

void batch_start(struct batch *batch, struct zk *zk, struct loop *loop,
                 const struct batch_work *work);
void batch_cancel(struct batch *batch); /* done is not called; idle is allowed */
bool batch_active(const struct batch *batch);

#endif
