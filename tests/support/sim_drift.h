/* sim_drift.h - what a simulated host's look at itself shows: real observations of the
 * steps that can drift, as their judges read them.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: test support.
 */
#ifndef CLOWDER_TESTS_SUPPORT_SIM_DRIFT_H
#define CLOWDER_TESTS_SUPPORT_SIM_DRIFT_H

#include "shared/model/judge.h"

enum sim_drift {
    SIM_PROXY_DOWN,    /* etcd-proxy: its unit does not run */
    SIM_FILE_REVERTED, /* docker-cluster-store: gone from daemon.json; Docker has it */
    SIM_STORE_GONE,    /* docker-cluster-store: Docker lacks it, too: a restart */
    SIM_CNI_GONE,      /* cni: no calico.cni; no restart */
};
enum { SIM_DRIFTS = SIM_CNI_GONE + 1 };

enum step_id sim_drift_step(enum sim_drift drift);
/* Fills facts->seen. */
void sim_see(const struct spec *spec, const bool drifted[SIM_DRIFTS],
             struct facts *facts);

#endif
