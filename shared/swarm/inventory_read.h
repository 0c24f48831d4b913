/* inventory_read.h - every host's inventory, sign of life and record, pipelined.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm. Owner: embed struct inventory_read (zero-initialised is idle).
 *
 * Story. One trip lists /hosts, /live and the rollout's records; the names in order go
 * to `names`; then one get per host and kind, many in flight, each answer to its
 * callback in any order. This is the only reading that grows with the number of hosts
 * (`plan`, `install`, `hosts`).
 */
#ifndef CLOWDER_SWARM_INVENTORY_READ_H
#define CLOWDER_SWARM_INVENTORY_READ_H

#include "shared/io/flow.h"
#include "shared/io/zk.h"
#include "shared/model/facts.h"
#include "shared/model/record.h"
#include "shared/model/strings.h"
#include "shared/model/zpath.h"
#include "shared/swarm/batch.h"

struct inventory_request {
    const char *root;    /* borrowed */
    const char *rollout; /* borrowed; NULL = no records */
    const char *host;    /* borrowed; NULL = all */
    bool facts;
    /* names: sorted; registered: has an inventory. Called once, before the others. */
    void (*names)(void *ctx, const struct strings *names, const bool *live);
    /* The callee may take *facts by copying it and calling facts_init on it. */
    void (*on_facts)(void *ctx, int index, struct facts *facts);
    void (*on_record)(void *ctx, int index, const struct record *record);
    /* A znode that does not decode; the reading goes on. */
    void (*on_bad)(void *ctx, int index, const struct error *err);
    void *ctx;
};

struct inventory_read {
    struct inventory_request wanted;
    struct zk *zk;
    struct loop *loop;
    struct flow flow;
    flow_done_f done;
    void *done_ctx;
    struct batch batch;
    struct strings listed[3]; /* hosts, live, records */
    struct strings names;     /* all of them */
    bool *live;
};

void inventory_read_start(struct inventory_read *read, struct zk *zk, struct loop *loop,
                          const struct inventory_request *wanted, flow_done_f done,
                          void *done_ctx);
void inventory_read_cancel(struct inventory_read *read);

#endif
