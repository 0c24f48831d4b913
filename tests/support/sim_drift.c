/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/sim_drift.h"

#include "shared/base/cleanup.h"
#include "shared/base/digest.h"
#include "shared/model/artifact.h"
#include "shared/model/render.h"

#include <string.h>

enum step_id sim_drift_step(enum sim_drift drift)
{
    switch (drift) {
    case SIM_PROXY_DOWN:
        return STEP_ETCD_PROXY;
    case SIM_FILE_REVERTED:
    case SIM_STORE_GONE:
        return STEP_DOCKER_STORE;
    case SIM_CNI_GONE:
        return STEP_CNI;
    }
    return STEP_NODE;
}

static json_t *see_proxy(const struct spec *spec, bool down)
{
    _cleanup_(freep) char *text = render_etcd_unit(spec);
    char sha256[DIGEST_HEX_SIZE];

    digest_bytes(text, strlen(text), sha256);
    return json_pack("{s:{s:s,s:s},s:{s:s,s:b,s:s,s:s},s:b}", "binary", "path",
                     "/usr/bin/etcd", "version", "3.4.23", "unit", "sha256", sha256,
                     "ours", 1, "active", down ? "failed" : "active", "enabled",
                     "enabled", "healthy", 1);
}

static json_t *see_store(const struct spec *spec, const struct facts *facts,
                         bool reverted, bool gone)
{
    _cleanup_(freep) char *store = render_docker_store(spec);
    json_t *file =
        json_pack("{s:s,s:o}", "path", spec->docker_store.daemon_json, "keys",
                  reverted || gone ? json_object() : render_docker_keys(spec, facts));

    return json_pack("{s:o,s:{s:s,s:s}}", "file", file, "info", "version", "20.10.24",
                     "store", gone ? "" : store);
}

static json_t *see_binary(const struct artifact *artifact)
{
    _cleanup_(freep) char *url = artifact_source(artifact);

    return json_pack("{s:s,s:s,s:{s:s,s:s}}", "mode", "0755", "sha256", "d1",
                     "recorded", "sha256", "d1", "url", url);
}

static json_t *see_config(const struct spec *spec, const struct facts *facts, bool gone)
{
    _cleanup_(freep) char *bytes = render_cni_config(spec, facts);
    char sha256[DIGEST_HEX_SIZE];

    if (gone)
        return json_pack("{s:s}", "path", "/calico.cni");
    digest_bytes(bytes, strlen(bytes), sha256);
    return json_pack("{s:s,s:s,s:s,s:s}", "path", "/calico.cni", "sha256", sha256,
                     "name", "calico", "type", "calico");
}

static json_t *see_cni(const struct spec *spec, const struct facts *facts, bool gone)
{
    json_t *agent =
        json_pack("{s:s,s:b,s:s,s:s}", "version", "1.4.1", "isolation", 1, "config_dir",
                  spec->cni.config_dir, "plugins_dir", spec->cni.plugins_dir);

    return json_pack("{s:o,s:o,s:o,s:o}", "calico", see_binary(&spec->cni.calico),
                     "calico_ipam", see_binary(&spec->cni.calico_ipam), "config",
                     see_config(spec, facts, gone), "agent", agent);
}

void sim_see(const struct spec *spec, const bool drifted[SIM_DRIFTS],
             struct facts *facts)
{
    json_object_set_new(facts->seen, step_name(STEP_ETCD_PROXY),
                        see_proxy(spec, drifted[SIM_PROXY_DOWN]));
    json_object_set_new(
        facts->seen, step_name(STEP_DOCKER_STORE),
        see_store(spec, facts, drifted[SIM_FILE_REVERTED], drifted[SIM_STORE_GONE]));
    json_object_set_new(facts->seen, step_name(STEP_CNI),
                        see_cni(spec, facts, drifted[SIM_CNI_GONE]));
}
