/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/model/judge.h"

static const char *const findings[] = {
    [FINDING_UNKNOWN] = "unknown", [FINDING_RIGHT] = "right",
    [FINDING_ABSENT] = "absent",   [FINDING_STALE] = "stale",
    [FINDING_FOREIGN] = "foreign",
};

static const char *const disruptions[] = {
    [DISRUPTION_NONE] = "none",
    [DISRUPTION_RELOAD] = "docker reload",
    [DISRUPTION_DOCKER_RESTART] = "docker restart",
    [DISRUPTION_AGENT_RESTART] = "agent restart",
};

const char *finding_text(enum finding finding)
{
    return findings[finding];
}

const char *disruption_text(enum disruption disruption)
{
    return disruptions[disruption];
}

bool disruption_needs_lease(enum disruption disruption)
{
    return disruption == DISRUPTION_DOCKER_RESTART ||
           disruption == DISRUPTION_AGENT_RESTART;
}
