/* join.h - Join: the host's inventory and its sign of life (PROTOCOL.md 4).
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm.
 *
 * create /hosts/<h> (exists: set if changed; but what an earlier life of the agentd has
 * probed stays until this one has, which facts without seen_ms say).  /live/<h>: absent
 * -> create ephemeral; mine -> done; another session of the same machine -> multi[
 * delete(ver), create ] (takeover of the own old session); another machine -> refused,
 * and said so: a cloned host.
 *
 * Crash points: none to mend; each is repeated after every new session (R3).
 */
#ifndef CLOWDER_SWARM_JOIN_H
#define CLOWDER_SWARM_JOIN_H

#include "shared/model/facts.h"
#include "shared/swarm/swarm.h"

struct join {
    struct txn txn;
    char *facts; /* the inventory's text */
    char *live;  /* the sign of life's text */
    char machine_id[40];
    bool probed;
};
/* TXN_REFUSED: the host id is taken by another machine, or the root is missing. */
void join_start(struct join *join, struct swarm *swarm, const struct facts *facts,
                const struct live *live, txn_done_f done, void *ctx);
void join_cancel(struct join *join);

#endif
