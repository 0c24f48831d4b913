/* gc_hosts.h - inventories of hosts that are gone are removed.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm. Owner: embed struct gc_hosts (zero-initialised is idle).
 *
 * Story. Each host that the look found (gc.h) is looked at once more: gone, live or
 * written since -> no longer a candidate. Then, for up to 66 hosts in one multi,
 *
 *   check(/current, cv), and per host  create(/live/h), delete(/live/h),
 *                                      delete(/hosts/h, v)
 *
 * The create fails where a sign of life exists: that is how ZooKeeper is made to check
 * that something does not. A host that registers makes its sign of life first and its
 * inventory after it, so it either stops this multi or makes its inventory anew. What a
 * multi refused is looked at again, in another round. Another rollout in /current ends
 * it: that one may count on a host.
 *
 * Crash points: between two multis; run it again.
 */
#ifndef CLOWDER_SWARM_GC_HOSTS_H
#define CLOWDER_SWARM_GC_HOSTS_H

#include "shared/swarm/gc.h"

struct gc_host {
    int32_t version;
    bool settled; /* gone, or no longer a candidate */
};

struct gc_hosts {
    const struct gc *gc; /* borrowed */
    struct flow flow;
    flow_done_f done;
    void *done_ctx;
    struct zk_request *io;
    struct batch batch;
    int32_t current_version;
    struct gc_host *hosts; /* as gc->hosts */
    int *pending, pending_count;
    int round;
    int removed, spared; /* after success: together gc->hosts.count */
};

/* done's result: 0; -EAGAIN: another rollout came into force, or signs of life keep
 * coming and going. */
void gc_hosts_start(struct gc_hosts *hosts, const struct gc *gc, flow_done_f done,
                    void *done_ctx);
void gc_hosts_cancel(struct gc_hosts *hosts);

#endif
