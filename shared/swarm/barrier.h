/* barrier.h - Barrier: all hosts of a wave have finished a stage (PROTOCOL.md 4).
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm.
 *
 * Story. The arrival itself is part of Release or Fail. Waiting is exists(open, watch);
 * a host of the wave also reads exists(arrived): with N or more children and no open it
 * creates open. The N-th arrival's own read follows its write in session order, so
 * somebody sees N. The N-th knows itself: the last change among the arrivals (pzxid) is
 * its own. It creates at once; not to have everybody do so, any other that sees N waits
 * 50-500 ms for the event first, unless hash(host) % 64 == 0. Everybody checks again
 * after 60-120 s: the author may have died in between. A host of the next wave waits
 * here too, and checks for the same reason. N is the wave's size and never changes:
 * excluding a host creates its arrival. A barrier that is promoted by hand is opened by
 * the operator only.
 *
 * 3 requests and 1 event per host; no listing. Crash points: none to mend, each
 * operation stands alone and is repeated by whoever checks next.
 */
#ifndef CLOWDER_SWARM_BARRIER_H
#define CLOWDER_SWARM_BARRIER_H

#include "shared/swarm/swarm.h"

struct barrier {
    struct txn txn;
    int wave, size;
    char stage[NAME_SIZE];
    bool manual;          /* opened by the operator only */
    int64_t arrival_zxid; /* of the own arrival's transaction; 0 = unknown */
    bool opened_it;       /* on TXN_DONE: by this host */
    bool member, looked, creating;
    bool patient; /* has seen N: the next look creates open */
    int arrived;  /* last seen, for people */
    struct zk_watch open_watch;
    struct timer recheck;
};
/* TXN_DONE: it is open. member: of that wave, so that it looks at the count at once;
 * arrival_zxid: when it arrived, the mzxid of its record then; 0 = unknown. */
void barrier_start(struct barrier *barrier, struct swarm *swarm, int wave, int size,
                   const char *stage, bool manual, bool member, int64_t arrival_zxid,
                   txn_done_f done, void *ctx);
void barrier_cancel(struct barrier *barrier);

/* For a host that arrived without waiting (it failed, or was taken out): it may have
 * been the N-th. Each barrier of its wave from stage `from` on that is full is opened.
 */
struct barrier_offer {
    struct txn txn;
    const struct manifest *manifest;
    int wave, stage;
    bool last_open; /* on TXN_DONE: the wave's last barrier is open */
};
void barrier_offer_start(struct barrier_offer *offer, struct swarm *swarm,
                         const struct manifest *manifest, int wave, int from,
                         txn_done_f done, void *ctx);
void barrier_offer_cancel(struct barrier_offer *offer);

#endif
