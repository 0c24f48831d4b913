/* progress_read.h - reads where a rollout stands: two round trips of O(K) bytes.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm. Owner: embed struct progress_reader (zero-initialised is idle).
 *
 * Story. The first refresh finds the rollout (/current) and its plan, which never
 * changes. Every refresh then sends, pipelined,
 *   1. get(gate), exists(failed), exists(excluded), exists(drifted), exists(events);
 *      of each lease: exists(queue), children(permits), get(permits/i) for i < limit;
 *      of each lease of a zone, but at most of 64: exists(queue), exists(permits)
 * (their names are listed once, where a lease is limited per zone); of each barrier not
 * yet known to be open: exists(arrived), exists(open)
 *   2. the records of the holders and their signs of life; permits beyond the limit (it
 *      was lowered); the names in failed/ if that has changed; those in drifted/ while
 *      they are not many
 *   3. only where 2 found such: the same of those permits, the failed hosts' records,
 *      those of the first drifted hosts
 * None of it grows with the number of hosts. Readings are not one instant: progress.h
 * says how a record that moved on since is treated.
 *
 * A lost connection only delays: what was out is asked again.
 */
#ifndef CLOWDER_SWARM_PROGRESS_READ_H
#define CLOWDER_SWARM_PROGRESS_READ_H

#include "shared/io/flow.h"
#include "shared/io/zk.h"
#include "shared/model/progress.h"
#include "shared/model/zpath.h"
#include "shared/swarm/batch.h"

enum { PROGRESS_FAILURES_MAX = 100 }; /* listed with their error; all are counted */
/* So many are listed, and none while there are more than the other; all are counted. */
enum { PROGRESS_DRIFTED_MAX = 20, PROGRESS_DRIFTED_NAMES_MAX = 200 };

struct progress_probe;
struct progress_reader {
    struct zk *zk;
    struct loop *loop;
    char root[ZROOT_MAX];
    char rollout[ROLLOUT_ID_SIZE]; /* "" until /current was read, or none in force */
    struct manifest *manifest;     /* owned */
    struct flow flow;
    flow_done_f done;
    void *done_ctx;
    struct zk_request *request;
    struct batch batch;
    struct progress_probe *probes; /* of the trip under way */
    int probes_count, probes_size;
    struct gate known; /* limits of the last refresh: which permits to ask for */
    struct strings zone_leases; /* that are looked at */
    int zones_left_out;
    bool zones_listed;
    int64_t failed_seen; /* pzxid of failed/ when its names were read */
    struct progress_reading reading, fresh; /* the last whole one; being filled */
    int events_count;    /* events/e-<events_count - 1> is the last one */
    int requests, trips; /* of the last refresh: for tests and benchmarks */
};

/* rollout: an id, or NULL for the one in force. */
void progress_reader_init(struct progress_reader *reader, struct zk *zk,
                          struct loop *loop, const char *root, const char *rollout);
/* done's result 0: reader->reading and manifest are whole, or rollout is "" when none
 * is in force. On failure the last reading stays. -ENOENT: it was removed. */
void progress_reader_refresh(struct progress_reader *reader, flow_done_f done,
                             void *done_ctx);
void progress_reader_cancel(struct progress_reader *reader);
void progress_reader_done(struct progress_reader *reader);

#endif
