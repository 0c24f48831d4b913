/* plan.h - which hosts, in which waves, and what each would change.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure. From a spec and the inventory to waves; the same plan for the
 * same input. Order: canaries first (private agents with no failed probe before
 * others), then by host id; unfit, unprobed and absent hosts are left out, each with
 * its reason.
 */
#ifndef CLOWDER_MODEL_PLAN_H
#define CLOWDER_MODEL_PLAN_H

#include "shared/model/judge.h"
#include "shared/model/manifest.h"

struct plan_input {
    struct facts facts;
    bool live; /* its /live node exists */
};
enum plan_fit {
    PLAN_FIT,
    PLAN_ABSENT,
    PLAN_UNPROBED, /* registered; its agentd is still looking at it */
    PLAN_UNFIT,
    PLAN_UNKNOWN_HOST
};
struct plan_host {
    char host[HOST_ID_SIZE];
    enum plan_fit fit;
    char zone[NAME_SIZE];               /* of its inventory; "" = it names none */
    char why[256];                      /* of a host that is left out */
    int wave;                           /* -1 = left out */
    struct judgement steps[STEP_COUNT]; /* of enabled steps */
};
struct plan {
    struct plan_host *hosts; /* in order of wave, then id; those left out last */
    int hosts_count;
    struct wave_entry waves[WAVES_MAX];
    int waves_count;
    int members;
    int min_available;                            /* members that it takes to begin */
    int docker_restarts, agent_restarts, reloads; /* really needed */
};
/* wanted: host ids of --hosts, or count 0 = all. Never fails on hosts (they are
 * reported); fails (-EINVAL) where no plan is possible, e.g. more waves than WAVES_MAX.
 */
MUST_CHECK int plan_make(const struct spec *spec, const struct plan_input *inputs,
                         int count, const struct strings *wanted, struct plan *ret,
                         struct error *err);
/* The same for an uninstall or a rollback (judge_undo.h, without the hosts' memory).
 * Hosts with containers on Calico networks are left out unless force. */
MUST_CHECK int plan_make_undo(const struct spec *spec, const struct plan_input *inputs,
                              int count, const struct strings *wanted, bool force,
                              struct plan *ret, struct error *err);
/* May a rollout begin with it? -EINVAL: too few hosts are fit; err says how many. */
MUST_CHECK int plan_check(const struct plan *plan, struct error *err);
void plan_done(struct plan *plan);

#endif
