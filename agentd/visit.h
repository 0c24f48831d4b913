/* visit.h - the real visitor: a stage's steps, in order, on this host.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd. Implements visitor_ops of runner.h over steps/step.h and journal.h.
 */
#ifndef CLOWDER_AGENTD_VISIT_H
#define CLOWDER_AGENTD_VISIT_H

#include "agentd/journal.h"
#include "agentd/runner.h"
#include "agentd/steps/step.h"

struct visit_world { /* borrowed for the visit's life */
    struct event_loop *el;
    struct journal *journal;
    const struct facts *facts;
    const char *state_dir, *cache_dir, *docker_socket;
    const char *boot_id;
    int64_t going_down_ms; /* for a host that says it goes down to be gone; 0: 5 min */
};

struct visit;
struct visit *visit_new(const struct visit_world *world);
void visit_free(struct visit *visit); /* cancels; NULL is allowed */
struct visitor *visit_visitor(struct visit *visit);

/* SIGTERM: no further disruptive act; parked runs in a later turn, when the act under
 * way (if any) has ended. The journal and the record let the next start go on. */
void visit_park(struct visit *visit, void (*parked)(void *ctx), void *ctx);

#endif
