/* Options that follow from others where the document does not say.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/model/spec_keys.h"

#include "shared/base/mem.h"
#include "shared/model/calico.h"

#include <stdlib.h>
#include <string.h>

static void text_set(char **field, const char *text)
{
    free(*field);
    *field = mem_strdup(text);
}

static void text_default(char **field, const char *text)
{
    if ((*field)[0] == '\0')
        text_set(field, text);
}

static bool says(const json_t *document, const char *step, const char *section,
                 const char *key)
{
    const json_t *at = json_object_get(json_object_get(document, "steps"), step);

    return json_object_get(section ? json_object_get(at, section) : at, key) != NULL;
}

static void derive_proxy(struct spec *spec, const json_t *document)
{
    struct artifact *binary = &spec->etcd_proxy.binary;
    bool local = spec->etcd_endpoints.count > 0;

    for (int i = 0; i < spec->etcd_endpoints.count; i++)
        local = local && url_is_loopback(spec->etcd_endpoints.items[i]);
    if (!says(document, "etcd-proxy", NULL, "enabled"))
        spec->etcd_proxy.policy.enabled = local;
    if (binary->url[0] && !says(document, "etcd-proxy", "binary", "path"))
        text_set(&binary->path, "");
}

static void derive_artifact(struct artifact *artifact, const char *url)
{
    if (artifact->path[0] == '\0')
        text_default(&artifact->url, url);
}

static void derive_drift(struct spec *spec, const json_t *document)
{
    struct step_policy *policies[STEP_COUNT] = {
        [STEP_ETCD_PROXY] = &spec->etcd_proxy.policy,
        [STEP_DOCKER_STORE] = &spec->docker_store.policy,
        [STEP_CNI] = &spec->cni.policy,
        [STEP_LIBNETWORK] = &spec->libnetwork.policy,
        [STEP_NODE] = &spec->node.policy,
    };

    for (int i = 0; i < STEP_COUNT; i++)
        if (!says(document, step_name((enum step_id)i), NULL, "drift"))
            policies[i]->drift = spec->drift;
}

void spec_derive(struct spec *spec, const json_t *document)
{
    struct calico calico;

    derive_proxy(spec, document);
    derive_drift(spec, document);
    if (spec->calico_version[0] == '\0') /* mistaken */
        return;
    calico_of(spec->calico_version, &calico);
    derive_artifact(&spec->cni.calico, calico.cni_url);
    derive_artifact(&spec->cni.calico_ipam, calico.cni_ipam_url);
    text_default(&spec->node.image, calico.node_image);
    if (spec->libnetwork.mode == LIBNETWORK_AUTO) {
        switch (calico.libnetwork) {
        case CALICO_LIBNETWORK_CONTAINER:
            spec->libnetwork.mode = LIBNETWORK_CONTAINER;
            break;
        case CALICO_LIBNETWORK_NODE:
            spec->libnetwork.mode = LIBNETWORK_EMBEDDED;
            break;
        case CALICO_LIBNETWORK_NONE:
            spec->libnetwork.mode = LIBNETWORK_OFF;
            break;
        }
    }
    if (spec->libnetwork.mode == LIBNETWORK_CONTAINER)
        text_default(&spec->libnetwork.image, calico.libnetwork_image);
}
