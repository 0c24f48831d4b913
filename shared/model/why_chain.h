/* why_chain.h - how why.c builds its chain of causes.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure; of why.c, why_causes.c and why_holders.c only.
 */
#ifndef CLOWDER_MODEL_WHY_CHAIN_H
#define CLOWDER_MODEL_WHY_CHAIN_H

#include "shared/model/host_rule.h"
#include "shared/model/why.h"

struct why_chain {
    const struct why_reading *in;
    int64_t now_ms;
    struct why *why;
    /* each but once */
    bool gate_said, hours_said, away_said, leases_said[GATE_LIMITS_MAX];
};

/* The cause is valid until the next one is added. */
struct why_cause *why_add(struct why_chain *chain, int depth, enum why_kind kind,
                          const char *host, const char *fmt, ...) PRINTF_LIKE(5, 6);
void why_more(struct why_chain *chain, int depth,
              int count); /* not named; 0: no line */
/* Is that to be had of the host at all? What the rule refuses is not advised. */
bool why_may_order(const struct why_chain *chain, const struct why_host *host,
                   enum host_order_kind kind);
/* A command that is there already is not repeated, and what would be the same for many
 * hosts stands there for the first few. command: "break %s --reason TEXT"
 * without the program's name, of the host or of whatever it is about. */
void why_advise(struct why_chain *chain, const char *says, const char *command, ...)
    PRINTF_LIKE(3, 4);

enum { SPAN_SIZE = 32 };
/* "4m 2s" since then. */
void why_span(const struct why_chain *chain, int64_t since_ms, char ret[SPAN_SIZE]);
/* Where in its stage it is at work: "docker-cluster-store: restart unit". */
void why_doing(const struct record *record, char *dst, size_t size);

/* What stands in the way of a host that waits, at that depth: closed gate, windows,
 * lease. True: there is something. */
bool why_gate(struct why_chain *chain, int depth);
bool why_hours(struct why_chain *chain, int depth);
void why_lease(struct why_chain *chain, int depth, const char *lease);
/* How a holder of a permit, failed and lost ones too, stands: without its own line. */
void why_holder(struct why_chain *chain, int depth, const struct why_host *host);
/* No session: said where a live one could go on. */
void why_away(struct why_chain *chain, int depth, const struct why_host *host);
/* The wave that a resting host waits for; false: nothing does stand in its way. */
bool why_wave(struct why_chain *chain, int depth, const struct record *record);
/* One line on a host, and its reasons below it. */
void why_one(struct why_chain *chain, int depth, const struct why_host *host);

#endif
