/* What two options must agree on.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/model/spec_keys.h"

#include "shared/model/calico.h"

#include <ctype.h>
#include <string.h>

/* A clash over an option that was mistaken in itself would be noise. */
struct clashes {
    const struct json_mistakes *read; /* of the options one by one */
    struct json_mistakes found;
};

static bool mistaken(const struct clashes *clashes, const char *path)
{
    size_t len = strlen(path);
    const char *line = clashes->read->text.text;

    while (line && *line) {
        if (strncmp(line, path, len) == 0 && strchr(":.[", line[len]))
            return true;
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return false;
}

static void PRINTF_LIKE(3, 4)
    clash(struct clashes *clashes, const char *path, const char *fmt, ...)
{
    struct strbuf text = {0};
    va_list args;

    if (mistaken(clashes, path))
        return;
    va_start(args, fmt);
    strbuf_vaddf(&text, fmt, args);
    va_end(args);
    json_mistake(&clashes->found, path, "%s", text.text);
    strbuf_done(&text);
}

static bool enabled(const struct spec *spec, enum step_id id)
{
    return spec_policy(spec, id)->enabled;
}

/* Stages ---------------------------------------------------------------------- */

/* Where each step stands in the order of a visit: stage * STEP_COUNT + place, or -1. */
static void check_stage_steps(const struct spec *spec, int places[STEP_COUNT],
                              struct clashes *clashes)
{
    char path[64];

    for (int i = 0; i < STEP_COUNT; i++)
        places[i] = -1;
    for (int s = 0; s < spec->stages_count; s++) {
        const struct spec_stage *stage = &spec->stages[s];

        for (int i = 0; i < stage->steps_count; i++) {
            int *place = &places[stage->steps[i]];

            (void)snprintf(path, sizeof(path), "stages[%d].steps[%d]", s, i);
            if (*place >= 0)
                clash(clashes, path, "step \"%s\" stands in stage \"%s\" already",
                      step_name(stage->steps[i]),
                      spec->stages[*place / STEP_COUNT].name);
            else
                *place = s * STEP_COUNT + i;
        }
    }
    for (int i = 0; i < STEP_COUNT; i++) {
        if (places[i] < 0 && enabled(spec, (enum step_id)i))
            clash(clashes, "stages", "step \"%s\" is enabled but stands in no stage",
                  step_name((enum step_id)i));
    }
}

static void check_stage_names(const struct spec *spec, struct clashes *clashes)
{
    char path[64];

    for (int s = 0; s < spec->stages_count; s++) {
        const struct spec_stage *stage = &spec->stages[s];
        struct share permits = spec_permits(spec, stage->lease);

        (void)snprintf(path, sizeof(path), "stages[%d].name", s);
        for (int t = 0; t < s; t++) {
            if (stage->name[0] && str_equal(stage->name, spec->stages[t].name))
                clash(clashes, path, "there is a stage \"%s\" already", stage->name);
        }
        (void)snprintf(path, sizeof(path), "stages[%d].lease", s);
        if (stage->lease[0] && !mistaken(clashes, "leases") && permits.number == 0 &&
            permits.percent == 0)
            clash(clashes, path, "\"%s\" is not in leases", stage->lease);
    }
}

static void check_order(const struct spec *spec, const int places[STEP_COUNT],
                        struct clashes *clashes)
{
    static const enum step_id later[] = {STEP_LIBNETWORK, STEP_NODE};

    if (!enabled(spec, STEP_DOCKER_STORE))
        return;
    for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
        if (enabled(spec, later[i]) && places[later[i]] >= 0 &&
            places[STEP_DOCKER_STORE] > places[later[i]])
            clash(clashes, "stages",
                  "docker-cluster-store must come before %s: its restart of "
                  "Docker would stop the container that %s starts",
                  step_name(later[i]), step_name(later[i]));
    }
}

static void check_stages(const struct spec *spec, struct clashes *clashes)
{
    int places[STEP_COUNT];

    check_stage_names(spec, clashes);
    check_stage_steps(spec, places, clashes);
    check_order(spec, places, clashes);
}

/* Steps ----------------------------------------------------------------------- */

static void check_artifact(const struct artifact *artifact, const char *path,
                           struct clashes *clashes)
{
    if (artifact->url[0] && artifact->path[0])
        clash(clashes, path, "has both a url and a path; give one of them");
    else if (!artifact->url[0] && !artifact->path[0])
        clash(clashes, path, "needs a url or the path of an installed file");
}

static void check_proxy(const struct spec *spec, const struct calico *calico,
                        struct clashes *clashes)
{
    const struct etcd_proxy_options *options = &spec->etcd_proxy;

    if (!options->policy.enabled)
        return;
    check_artifact(&options->binary, "steps.etcd-proxy.binary", clashes);
    if (options->listen.count == 0)
        clash(clashes, "steps.etcd-proxy.listen", "must name an address");
    if (options->mode == PROXY_MODE_GATEWAY) {
        if (options->endpoints.count == 0)
            clash(clashes, "steps.etcd-proxy.endpoints",
                  "a gateway needs the members' addresses, for example "
                  "[\"10.0.0.1:2379\"]");
        return;
    }
    if (options->endpoints.count > 0)
        clash(clashes, "steps.etcd-proxy.endpoints",
              "belongs to mode \"gateway\"; a proxy takes cluster or "
              "discovery_srv");
    if (!options->cluster[0] && !options->discovery_srv[0])
        clash(clashes, "steps.etcd-proxy.discovery_srv",
              "a proxy needs discovery_srv or cluster");
    if (calico->etcd3)
        clash(clashes, "steps.etcd-proxy.mode",
              "Calico %s speaks etcd's v3 API, which mode \"proxy\" cannot "
              "carry: use \"gateway\"",
              spec->calico_version);
}

static void check_store_tls(const struct spec *spec, struct clashes *clashes)
{
    bool tls = spec->etcd_endpoints.count > 0 &&
               str_starts(spec->etcd_endpoints.items[0], "https://");

    for (int i = 1; i < spec->etcd_endpoints.count; i++) {
        if (str_starts(spec->etcd_endpoints.items[i], "https://") != tls) {
            clash(clashes, "etcd.endpoints", "must be all http or all https");
            return;
        }
    }
    if (tls && spec->docker_store.policy.enabled && !spec->docker_store.store[0] &&
        !json_object_get(spec->docker_store.opts, "kv.cacertfile"))
        clash(clashes, "steps.docker-cluster-store.opts",
              "etcd.endpoints are https: Docker needs kv.cacertfile (and "
              "kv.certfile, kv.keyfile)");
}

static void check_env(const json_t *env, const char *path, struct clashes *clashes)
{
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)env, name, value) {
        bool good = name[0] != '\0' && !isdigit((unsigned char)name[0]);

        for (const char *p = name; *p; p++)
            good = good && (isalnum((unsigned char)*p) || *p == '_');
        if (!good)
            clash(clashes, path, "\"%.64s\" is no name of a variable", name);
    }
}

static void check_node(const struct spec *spec, const struct calico *calico,
                       struct clashes *clashes)
{
    const struct node_options *node = &spec->node;

    check_env(node->env, "steps.node.env", clashes);
    check_env(spec->libnetwork.env, "steps.libnetwork.env", clashes);
    if ((node->pool_cidr[0] || node->pool_ipip[0]) &&
        (str_starts(calico->node_version, "0.") ||
         str_starts(calico->node_version, "1.0.")))
        clash(clashes,
              node->pool_cidr[0] ? "steps.node.pool_cidr" : "steps.node.pool_ipip",
              "calico/node %s cannot be told a pool (1.1 and later can)",
              calico->node_version);
}

static void check_libnetwork(const struct spec *spec, const struct calico *calico,
                             struct clashes *clashes)
{
    const struct libnetwork_options *options = &spec->libnetwork;

    if (!options->policy.enabled)
        return;
    if (options->mode == LIBNETWORK_EMBEDDED &&
        calico->libnetwork != CALICO_LIBNETWORK_NODE)
        clash(clashes, "steps.libnetwork.mode",
              "calico/node %s has no libnetwork plugin in it: use \"container\" "
              "or \"off\"",
              calico->node_version);
    if (options->mode == LIBNETWORK_CONTAINER && !options->image[0])
        clash(clashes, "steps.libnetwork.image",
              "Calico %s ships no image of its own for mode \"container\": name "
              "one",
              spec->calico_version);
}

static void check_zones(const struct spec *spec, struct clashes *clashes)
{
    for (int i = 0; i < spec->zone_limits_count; i++) {
        const char *lease = spec->zone_limits[i].lease;
        struct share permits = spec_permits(spec, lease);

        if (permits.number == 0 && permits.percent == 0)
            clash(clashes, "zone_limits", "\"%s\" is no lease (see leases)", lease);
    }
}

static void check_all(const struct spec *spec, struct clashes *clashes)
{
    struct calico calico;

    if (!mistaken(clashes, "stages"))
        check_stages(spec, clashes);
    if (!mistaken(clashes, "leases"))
        check_zones(spec, clashes);
    if (spec->etcd_endpoints.count == 0)
        clash(clashes, "etcd.endpoints", "must name an address");
    check_store_tls(spec, clashes);
    if (mistaken(clashes, "calico.version"))
        return;
    calico_of(spec->calico_version, &calico);
    check_proxy(spec, &calico, clashes);
    if (spec->cni.policy.enabled) {
        check_artifact(&spec->cni.calico, "steps.cni.calico", clashes);
        check_artifact(&spec->cni.calico_ipam, "steps.cni.calico_ipam", clashes);
    }
    check_node(spec, &calico, clashes);
    check_libnetwork(spec, &calico, clashes);
}

void spec_check(const struct spec *spec, struct json_mistakes *mistakes)
{
    struct clashes clashes = {.read = mistakes};

    check_all(spec, &clashes);
    if (clashes.found.count > 0)
        strbuf_add(&mistakes->text, clashes.found.text.text);
    mistakes->count += clashes.found.count;
    json_mistakes_done(&clashes.found);
}
