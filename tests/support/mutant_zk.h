/* mutant_zk.h - a client that breaks one rule of the protocol behind its owner's back.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: test support. A mutant rewrites what the code under test reads from and writes
 * to ZooKeeper, so that the production code need not know of any planted bug. What it
 * breaks must be seen by the checker, or else the checker checks nothing.
 *
 * Use: mutant_zk_new once, mutant_zk_infect each client before it is used; free it when
 * the clients are gone.
 */
#ifndef CLOWDER_TESTS_SUPPORT_MUTANT_ZK_H
#define CLOWDER_TESTS_SUPPORT_MUTANT_ZK_H

#include "shared/io/zk.h"

enum mutant {
    MUTANT_NONE,
    MUTANT_NO_GATE_CHECK,      /* a grant asks something else than the gate */
    MUTANT_STALE_GATE,         /* a grant is content with any version of the gate */
    MUTANT_SHARED_PERMITS,     /* permits do not exclude each other */
    MUTANT_ONE_MORE,           /* K + 1 */
    MUTANT_EPHEMERAL_PERMITS,  /* a permit is released when its session expires */
    MUTANT_PERMIT_GUARD,       /* the permit's version guards, not the record's */
    MUTANT_UNCOUNTED_FAILURE,  /* a failure is not counted in the gate */
    MUTANT_EARLY_BARRIER,      /* one host too few opens a barrier */
    MUTANT_LOST_FREES,         /* the permit of a lost holder is freed */
    MUTANT_BLIND_CLOSE,        /* closes with permits occupied */
    MUTANT_STALE_LEAVE,        /* leave to disrupt by any version of the gate */
    MUTANT_UNGUARDED_PROGRESS, /* progress is written over whatever the record is */
    MUTANT_UNGUARDED_FAILURE,  /* a failure, over whatever the gate is */
    MUTANT_UNCOUNTED_RETRY,    /* a retried host still counts as failed */
    MUTANT_FORGOTTEN_FAILURE,  /* a failure that is counted and not listed */
    MUTANT_SILENT_RELEASE,     /* a release without the arrival */
    MUTANT_HOARDING_RELEASE,   /* an arrival that releases nothing */
    MUTANT_HOARDING_BREAK,     /* a break that frees nothing */
    MUTANT_EARLY_START,        /* every barrier is taken for open */
    MUTANT_BLIND_ADOPTION,     /* a late host joins by any version of the gate */
};
enum { MUTANT_COUNT = MUTANT_BLIND_ADOPTION + 1 };
const char *mutant_text(enum mutant mutant); /* "no-gate-check", ... */

struct mutant_zk;
struct mutant_zk *mutant_zk_new(enum mutant mutant);
void mutant_zk_free(struct mutant_zk *m);
void mutant_zk_infect(struct mutant_zk *m, struct zk *client);

#endif
