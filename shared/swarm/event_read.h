/* event_read.h - a rollout's events from a number on, pipelined.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm. Owner: embed struct event_read (zero-initialised is idle).
 *
 * Story. exists(events) tells how many there are; their numbers are dense, since none
 * is ever deleted, so no listing is needed. Each is handed over in order.
 */
#ifndef CLOWDER_SWARM_EVENT_READ_H
#define CLOWDER_SWARM_EVENT_READ_H

#include "shared/io/flow.h"
#include "shared/io/zk.h"
#include "shared/model/event.h"
#include "shared/model/zpath.h"
#include "shared/swarm/batch.h"

typedef void (*event_seen_f)(void *ctx, int number, const struct event *event);

struct event_read {
    struct zk *zk;
    struct loop *loop;
    const char *root, *rollout; /* borrowed */
    int from, last; /* the first number wanted; at most so many of the last */
    int count;      /* how many exist: the next number to ask for */
    struct event *events;
    bool *there;
    event_seen_f seen;
    void *seen_ctx;
    struct flow flow;
    flow_done_f done;
    void *done_ctx;
    struct zk_request *request;
    struct batch batch;
};

/* last: 0 = all from `from` on. After success count is where to go on. */
void event_read_start(struct event_read *read, struct zk *zk, struct loop *loop,
                      const char *root, const char *rollout, int from, int last,
                      event_seen_f seen, void *seen_ctx, flow_done_f done,
                      void *done_ctx);
void event_read_cancel(struct event_read *read);

#endif
