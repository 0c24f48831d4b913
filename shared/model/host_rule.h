/* host_rule.h - what an operator may order of one host, and what becomes of it.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure. The transaction is swarm/host_order.h.
 *
 * order           of a host that is             becomes
 * retry           failed, permit given back     idle: it queues again
 *                 failed, permit kept           holding, under the same permit
 * force-complete  failed                        as retry; that step counts as done
 * exclude, skip   idle, waiting, failed with    excluded, for the rest of this rollout
 *                 its permit given back
 * break           holding, lost, failed with    excluded, and its permit is free
 *                 its permit kept, waiting      (its zone's, too)
 *                 with its zone's permit
 *
 * Anything else is refused, with the state that the host is in and what to do instead.
 * An attempt is counted up for the host that goes on under its old permit; one that
 * queues again counts with its grant: so a visit is never taken for the last one.
 */
#ifndef CLOWDER_MODEL_HOST_RULE_H
#define CLOWDER_MODEL_HOST_RULE_H

#include "shared/model/gate.h"
#include "shared/model/manifest.h"
#include "shared/model/record.h"

enum host_order_kind {
    HOST_RETRY,
    HOST_SKIP, /* as exclude, by another name in the rollout's events */
    HOST_EXCLUDE,
    HOST_BREAK,
    HOST_FORCE_COMPLETE,
};
const char *host_order_text(enum host_order_kind kind); /* "retry", ... */
bool host_order_wants_reason(enum host_order_kind kind);

struct host_order_request {
    enum host_order_kind kind;
    char host[HOST_ID_SIZE];
    char step[NAME_SIZE]; /* of force-complete */
    char who[WHO_SIZE];
    char why[REASON_SIZE]; /* required but for retry */
    int64_t at_ms;
};

struct host_change {
    bool already;         /* it was excluded before: nothing is to be done */
    struct record record; /* as it will be */
    bool uncounts;        /* failed/host goes, and the gate counts one less */
    bool frees;           /* what permits it has go: of the lease, of its zone */
    bool excludes;        /* excluded/host comes, and the arrivals that it still owes */
};

/* -EPERM: refused, -EINVAL: the order itself is wrong; err says what would be right. */
MUST_CHECK int host_rule(const struct host_order_request *request,
                         const struct manifest *manifest, const struct gate *gate,
                         const struct record *record, struct host_change *ret,
                         struct error *err);

/* What a break of this host's permit puts at risk, in plain words. live: its agentd has
 * a session. Empty where the rule refuses a break. */
void host_break_risk(const char *host, const struct record *record, bool live,
                     int64_t now_ms, struct strbuf *ret);

#endif
