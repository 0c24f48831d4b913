/* steps.c - the one table of step types.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/steps/step.h"

const struct step_type *step_type_of(enum step_id id)
{
    static const struct step_type *const types[STEP_COUNT] = {
        [STEP_ETCD_PROXY] = &step_etcd_proxy,
        [STEP_DOCKER_STORE] = &step_docker_store,
        [STEP_CNI] = &step_cni,
        [STEP_LIBNETWORK] = &step_libnetwork,
        [STEP_NODE] = &step_node,
    };

    return types[id];
}
