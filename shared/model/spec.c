/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/model/spec.h"

#include "shared/base/str.h"
#include "shared/model/spec_keys.h"

#include <stdlib.h>

const char *const spec_step_names[] = {
    [STEP_ETCD_PROXY] = "etcd-proxy",
    [STEP_DOCKER_STORE] = "docker-cluster-store",
    [STEP_CNI] = "cni",
    [STEP_LIBNETWORK] = "libnetwork",
    [STEP_NODE] = "node",
    [STEP_COUNT] = NULL,
};

const char *step_name(enum step_id id)
{
    return spec_step_names[id];
}

int step_from_name(const char *name)
{
    for (int i = 0; i < STEP_COUNT; i++) {
        if (str_equal(name, spec_step_names[i]))
            return i;
    }
    return -1;
}

void spec_free(struct spec *spec)
{
    if (!spec)
        return;
    json_release(spec_keys(), spec);
    json_decref(spec->document);
    free(spec);
}

static void turn_steps(struct spec_stage *stage)
{
    for (int i = 0, j = stage->steps_count - 1; i < j; i++, j--) {
        enum step_id step = stage->steps[i];
        stage->steps[i] = stage->steps[j];
        stage->steps[j] = step;
    }
}

void spec_turn(struct spec *spec)
{
    for (int i = 0, j = spec->stages_count - 1; i < j; i++, j--) {
        struct spec_stage stage = spec->stages[i];
        spec->stages[i] = spec->stages[j];
        spec->stages[j] = stage;
    }
    for (int i = 0; i < spec->stages_count; i++)
        turn_steps(&spec->stages[i]);
}

const struct step_policy *spec_policy(const struct spec *spec, enum step_id id)
{
    switch (id) {
    case STEP_ETCD_PROXY:
        return &spec->etcd_proxy.policy;
    case STEP_DOCKER_STORE:
        return &spec->docker_store.policy;
    case STEP_CNI:
        return &spec->cni.policy;
    case STEP_LIBNETWORK:
        return &spec->libnetwork.policy;
    case STEP_NODE:
        return &spec->node.policy;
    }
    return NULL;
}

struct share spec_permits(const struct spec *spec, const char *lease)
{
    for (int i = 0; i < spec->leases_count; i++) {
        if (str_equal(spec->leases[i].name, lease))
            return spec->leases[i].permits;
    }
    return (struct share){0};
}

int spec_zone_limit(const struct spec *spec, const char *lease)
{
    for (int i = 0; i < spec->zone_limits_count; i++) {
        if (str_equal(spec->zone_limits[i].lease, lease))
            return spec->zone_limits[i].permits;
    }
    return 0;
}

static int budget(struct share share, int hosts)
{
    if (share.percent == 0)
        return share.number;
    if (share.at_least > 0)
        return share_resolve(share, hosts);
    return (int)((int64_t)hosts * share.percent / 100);
}

int spec_max_failed(const struct spec *spec, int hosts)
{
    return budget(spec->max_failed, hosts);
}

int spec_max_failed_wave(const struct spec *spec, int size)
{
    const struct share *share = &spec->max_failed_wave;

    return share->percent == 0 && share->number == 0 ? -1 : budget(*share, size);
}

int spec_min_available(const struct spec *spec, int hosts)
{
    const struct share *share = &spec->min_available;
    int part = (int)(((int64_t)hosts * share->percent + 99) / 100);

    if (share->percent == 0)
        return share->number;
    return part > share->at_least ? part : share->at_least;
}
