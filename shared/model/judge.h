/* judge.h - what a step would do on a host, from the spec and from what was seen.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure: one function per step, used by the agent before it acts and by
 * `clowder plan`. `seen` is the step's observation (facts.h "seen"), whose shape stands
 * in judge_<step>.c beside the rules; NULL = not observed yet (finding unknown).
 */
#ifndef CLOWDER_MODEL_JUDGE_H
#define CLOWDER_MODEL_JUDGE_H

#include "shared/model/facts.h"
#include "shared/model/spec.h"

enum finding {
    FINDING_UNKNOWN, /* not observed, or the probe failed */
    FINDING_RIGHT,   /* ours and right: nothing to do */
    FINDING_ABSENT,  /* nothing there: install */
    FINDING_STALE,   /* ours but not as wanted: replace */
    FINDING_FOREIGN, /* somebody else's, or unfit: stop and say what */
};
const char *finding_text(enum finding finding);

enum disruption {
    DISRUPTION_NONE,
    DISRUPTION_RELOAD,         /* docker SIGHUP: disturbs no task */
    DISRUPTION_DOCKER_RESTART, /* kills the host's Docker tasks */
    DISRUPTION_AGENT_RESTART,  /* dcos-mesos-slave */
};
const char *disruption_text(enum disruption disruption);
bool disruption_needs_lease(enum disruption disruption); /* the two restarts */

struct judgement {
    enum finding finding;
    enum disruption disruption; /* of the apply that would follow */
    char says[256];             /* what is there, what would change, what to do */
};

void judge(enum step_id step, const struct spec *spec, const struct facts *facts,
           const json_t *seen, struct judgement *ret);
void judge_etcd_proxy(const struct spec *, const struct facts *, const json_t *,
                      struct judgement *);
void judge_docker_store(const struct spec *, const struct facts *, const json_t *,
                        struct judgement *);
void judge_cni(const struct spec *, const struct facts *, const json_t *,
               struct judgement *);
void judge_libnetwork(const struct spec *, const struct facts *, const json_t *,
                      struct judgement *);
void judge_node(const struct spec *, const struct facts *, const json_t *,
                struct judgement *);

#endif
