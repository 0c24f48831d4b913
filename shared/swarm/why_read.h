/* why_read.h - all that model/why.h explains a host by, in O(K) reading.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm. Owner: embed struct why_read (zero-initialised is idle).
 *
 * Story. A refresh of progress_read.h gives the gate, the barriers and the holders;
 * then the host's inventory, sign of life and record, pipelined. What more is read
 * depends on what it waits for:
 *
 *   a permit   the queue's hint and the length of it; the place of its ticket, which is
 *              the one whose czxid is its record's mzxid: tickets are ordered by czxid,
 *              so a few rounds of exists find it and nothing is listed
 *   a wave     who has arrived at the first barrier on its way that is not open, and
 *              the wave's list, each once; records and signs of life of the first few
 *              that are missing, those first that hold a permit
 *   (unknown)  the names in /hosts, for "did you mean"
 */
#ifndef CLOWDER_SWARM_WHY_READ_H
#define CLOWDER_SWARM_WHY_READ_H

#include "shared/model/why.h"
#include "shared/swarm/progress_read.h"

enum { WHY_TICKETS_MAX = 32 }; /* looked at in a round */

struct why_read {
    struct zk *zk;
    struct loop *loop;
    char root[ZROOT_MAX];
    struct progress_reader progress;
    struct why_reading reading; /* after success */
    struct facts facts;
    struct live live;
    bool registered, has_live;
    int64_t record_mzxid;
    /* of the barrier */
    int wave, stage;
    struct strings arrived, members;
    /* of the queue: the ticket is one of low..high */
    int hint, low, high, step, next_low, next_high, found;
    struct flow flow;
    struct batch batch;
    flow_done_f done;
    void *done_ctx;
};

/* done's result 0: reading is whole, and borrows from this. -ENOENT: no such host; err
 * names those that are spelled like it. */
void why_read_start(struct why_read *read, struct zk *zk, struct loop *loop,
                    const char *root, const char *host, flow_done_f done,
                    void *done_ctx);
void why_read_done(struct why_read *read); /* drops what is under way */

#endif
