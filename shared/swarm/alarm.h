/* alarm.h - Alarm: a znode is not what it must be, so nothing new is begun.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm.
 *
 * set(gate, phase=pause and why, gv)    by a host that was refused by what it read:
 * nonsense, or its permit removed by hand. Whoever did that may have done more. A gate
 * that grants nothing is left as it is, and one that moved is read again. A host that
 * cannot tell whether it is a member looks for its record first: one that has none is
 * refused alone.
 *
 * Crash points: none to mend; the host is refused again when it looks again.
 */
#ifndef CLOWDER_SWARM_ALARM_H
#define CLOWDER_SWARM_ALARM_H

#include "shared/swarm/swarm.h"

struct alarm {
    struct txn txn;
    char why[REASON_SIZE];
    bool paused; /* after TXN_DONE: the pause in force is this host's */
};
/* TXN_DONE: the gate is closed now, by this or before, or no member asked for it. */
void alarm_start(struct alarm *alarm, struct swarm *swarm, bool member, const char *why,
                 txn_done_f done, void *ctx);
void alarm_cancel(struct alarm *alarm);

#endif
