/* why.h - what a host does or waits for and who could change it, in plain words.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure. What is read for it, in O(K), is swarm/why_read.h's.
 *
 * The answer is a chain: a cause that is one level deeper says why the one above it is
 * so. The end of it is what an operator can do, as commands.
 *
 *   10.0.0.9 waits for a permit of lease restart, for 3m 10s: about 2nd of 12 in line
 *     the only permit of lease restart is taken
 *       10.0.0.5 holds it for 4m 2s: docker-cluster-store: restart unit
 *         its agentd has no session; ...
 */
#ifndef CLOWDER_MODEL_WHY_H
#define CLOWDER_MODEL_WHY_H

#include "shared/model/facts.h"
#include "shared/model/progress.h"

/* A host as it was read. */
struct why_host {
    char host[HOST_ID_SIZE];
    bool live; /* its agentd has a session */
    bool has_record;
    struct record record;
    struct error bad; /* its record does not decode: code < 0 */
    int64_t heard_ms; /* when its record was last written, the server's clock */
};

enum { WHY_NAMED_MAX = 10 }; /* hosts of one cause that are named; the others counted */

struct why_reading {
    const struct progress_reading *rollout; /* NULL = none is in force */
    struct why_host host;
    const struct facts *facts; /* NULL = never registered */
    bool twins; /* inventory and session are of two machines with this host id */
    /* Of a waiting host: its ticket's distance from the last one that was granted, and
     * the length of the queue; 0 = not known. */
    int place, in_queue;
    /* Of the barrier that why_barrier names: the first few that have not arrived. */
    struct why_host missing[WHY_NAMED_MAX];
    int missing_named, missing_count;
};

/* The first barrier on a resting host's way that is not open yet; false: none. */
bool why_barrier(const struct progress_reading *rollout, const struct record *record,
                 int *ret_wave, int *ret_stage);

enum why_kind {
    /* what the host does */
    WHY_NO_ROLLOUT, /* nothing is asked of it */
    WHY_NO_MEMBER,
    WHY_LATE, /* joins by itself */
    WHY_WAITS_FOR_PERMIT,
    WHY_WAITS_FOR_WAVE, /* its own or the one before */
    WHY_BEGINS,         /* nothing stands in its way */
    WHY_HOLDS,          /* is at work under a permit */
    WHY_DONE,
    WHY_FAILED,
    WHY_LOST,
    WHY_EXCLUDED,
    WHY_ENDED, /* the rollout ended before it was done */
    WHY_UNREADABLE,
    /* why that is so */
    WHY_GATE_CLOSED,
    WHY_OUTSIDE_WINDOWS,
    WHY_LEASE,
    WHY_BARRIER,
    WHY_PROMOTE,
    WHY_SOAK,
    WHY_AWAY,
    WHY_UNFIT,   /* what its probes saw stops it */
    WHY_DRIFTED, /* a step is not as it was proved any more */
    WHY_TWINS,
    WHY_MORE, /* hosts that are not named */
};
const char *why_kind_text(enum why_kind kind); /* "waits-for-permit", ... */

struct why_cause {
    enum why_kind kind;
    int depth;               /* 0 = the host itself */
    char host[HOST_ID_SIZE]; /* whom it is about; or "" */
    char lease[LEASE_SIZE], wave[NAME_SIZE], stage[NAME_SIZE], step[NAME_SIZE];
    char by[WHO_SIZE];
    int64_t since_ms; /* wall clock; 0 = none */
    int64_t until_ms; /* no sooner than that; 0 = none */
    char says[640];
};

struct why_advice {
    char command[160];
    char says[160]; /* what it does */
};

struct why {
    struct why_cause *causes;
    int causes_count;
    struct why_advice *advice; /* none = nothing to do but to wait */
    int advice_count;
};

void why_make(const struct why_reading *reading, int64_t now_ms, struct why *ret);
void why_done(struct why *why);

#endif
