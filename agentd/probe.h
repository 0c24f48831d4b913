/* probe.h - gather what this host is, and what each step's observation sees.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd.
 *
 * Story: one flow. First the plain facts: those of files (role, machine id, kernel,
 * DC/OS), the address by detect_ip with a deadline and with it the host id, which
 * `named` is told; then native Calico, Docker's and the Mesos agent's versions, and
 * every enabled step's observe in turn, whose `seen` or error goes into the facts.
 * Nothing is changed. A part that fails leaves its field empty and an entry
 * in facts.errors; the probe as a whole always ends with facts, so done has no error.
 */
#ifndef CLOWDER_AGENTD_PROBE_H
#define CLOWDER_AGENTD_PROBE_H

#include "agentd/config.h"
#include "agentd/steps/step.h"

struct probe_options { /* config and spec are borrowed for the probe's life */
    struct event_loop *el;
    const struct config *config;
    const struct spec *spec;   /* whose steps are observed; NULL = plain facts only */
    const char *address_to_zk; /* local address towards ZooKeeper, or "" when unknown */
    /* The host id and the address are known, all else may take long. NULL is allowed */
    void (*named)(void *ctx, const struct facts *facts);
};

/* What takes neither a process nor an answer, seen at once: role, machine, versions in
 * files; the host id only where the settings name it. seen_ms stays 0: no probe yet. */
void probe_glance(const struct config *config, struct facts *facts);

struct probe;
/* What facts holds is the callee's (facts_done it, or copy the struct and keep it); the
 * struct itself is the probe's and valid during the call. */
typedef void (*probe_done_f)(void *ctx, struct facts *facts);

struct probe *probe_start(const struct probe_options *options, probe_done_f done,
                          void *ctx);
void probe_cancel(struct probe *probe); /* NULL is allowed */

#endif
