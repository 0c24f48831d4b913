/* container.c - bodies of our containers, and comparing with one that is there.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/model/container.h"

#include "shared/base/cleanup.h"
#include "shared/base/digest.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/render.h"

#include <stdio.h>
#include <string.h>

const char CONTAINER_NODE[] = "calico-node";
const char CONTAINER_LIBNETWORK[] = "calico-libnetwork";
const char CONTAINER_LABEL[] = "clowder.spec";

static bool older(const struct spec *spec, const char *version)
{
    return version_compare(spec->calico_version, version) < 0;
}

static bool set(const char *s)
{
    return s && *s;
}

/* ---- by version ---- */

enum libnetwork_mode container_libnetwork_mode(const struct spec *spec)
{
    if (!spec->libnetwork.policy.enabled)
        return LIBNETWORK_OFF;
    return spec->libnetwork.mode;
}

const char *container_libnetwork_mode_text(enum libnetwork_mode mode)
{
    switch (mode) {
    case LIBNETWORK_AUTO:
        return "auto";
    case LIBNETWORK_CONTAINER:
        return "container";
    case LIBNETWORK_EMBEDDED:
        return "embedded";
    case LIBNETWORK_OFF:
        return "off";
    }
    return "?";
}

bool container_libnetwork_one_socket(const struct spec *spec)
{
    return older(spec, "1.0");
}

int container_felix_port(const struct spec *spec)
{
    const char *text =
        json_string_value(json_object_get(spec->node.env, "FELIX_HEALTHPORT"));
    int64_t port;

    if (older(spec, "2.4"))
        return 0;
    if (text && str_to_int64(text, 1, 65535, &port) == 0)
        return (int)port;
    return 9099;
}

/* ---- bodies ---- */

static void env_set(json_t *env, const char *key, const char *value)
{
    (void)json_object_set_new(env, key, json_string(value));
}

static void env_merge(json_t *env, json_t *more)
{
    const char *key;
    json_t *value;

    json_object_foreach (more, key, value)
        if (json_is_string(value))
            (void)json_object_set(env, key, value);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* {"K":"v"} -> ["K=v"], sorted: the same spec gives the same digest. Takes env. */
static json_t *env_list(json_t *env)
{
    size_t count = json_object_size(env), i = 0;
    char **lines = mem_array(count + 1, sizeof *lines);
    json_t *list = json_array(), *value;
    const char *key;

    json_object_foreach (env, key, value)
        lines[i++] = mem_printf("%s=%s", key, json_string_value(value));
    qsort(lines, count, sizeof *lines, by_text);
    for (i = 0; i < count; i++) {
        (void)json_array_append_new(list, json_string(lines[i]));
        free(lines[i]);
    }
    free(lines);
    json_decref(env);
    return list;
}

static char *endpoints(const struct spec *spec)
{
    struct strbuf text = {0};

    for (int i = 0; i < spec->etcd_endpoints.count; i++)
        strbuf_addf(&text, "%s%s", i ? "," : "", spec->etcd_endpoints.items[i]);
    return strbuf_take(&text);
}

/* "http://h:2379/" -> "h:2379", which is all that the 0.x releases read. */
static void env_set_authority(json_t *env, const struct spec *spec)
{
    if (!older(spec, "1.0") || spec->etcd_endpoints.count == 0)
        return;
    const char *url = spec->etcd_endpoints.items[0];
    const char *start = strstr(url, "://");
    start = start ? start + 3 : url;
    _cleanup_(freep) char *authority = mem_strndup(start, strcspn(start, "/"));
    env_set(env, "ETCD_AUTHORITY", authority);
}

static void env_set_address(json_t *env, const struct spec *spec,
                            const struct facts *facts)
{
    const char *ip = spec->node.ip;

    if (!set(ip) || strcmp(ip, "auto") == 0)
        ip = facts->address;
    env_set(env, strchr(ip, ':') ? "IP6" : "IP", ip);
}

static void env_set_networking(json_t *env, const struct spec *spec)
{
    const char *backend = set(spec->node.backend) ? spec->node.backend : "bird";

    if (older(spec, "1.0"))
        env_set(env, "CALICO_NETWORKING", strcmp(backend, "none") ? "true" : "false");
    else
        env_set(env, "CALICO_NETWORKING_BACKEND", backend);
    if (set(spec->node.pool_cidr))
        env_set(env, "CALICO_IPV4POOL_CIDR", spec->node.pool_cidr);
    if (set(spec->node.pool_ipip))
        env_set(env, "CALICO_IPV4POOL_IPIP", spec->node.pool_ipip);
}

static json_t *node_env(const struct spec *spec, const struct facts *facts)
{
    _cleanup_(freep) char *etcd = endpoints(spec);
    bool embedded = container_libnetwork_mode(spec) == LIBNETWORK_EMBEDDED;
    json_t *env = json_object();
    char name[NODE_NAME_SIZE];

    render_node_name(spec, facts, name);
    env_set(env, "ETCD_ENDPOINTS", etcd);
    env_set_authority(env, spec);
    if (!older(spec, "1.0"))
        env_set(env, "NODENAME", name);
    if (older(spec, "2.4")) /* calico/node <= 1.x */
        env_set(env, "HOSTNAME", name);
    env_set_address(env, spec, facts);
    env_set_networking(env, spec);
    /* rc.local starts the plugin on the exact string "true" only: always say it */
    if (!older(spec, "1.0") && older(spec, "3.0"))
        env_set(env, "CALICO_LIBNETWORK_ENABLED", embedded ? "true" : "false");
    /* the agent's unit writes rp_filter=2, on which Felix otherwise exits */
    if (older(spec, "3.12"))
        env_set(env, "FELIX_IGNORELOOSERPF", "true");
    if (!older(spec, "2.4"))
        env_set(env, "FELIX_HEALTHENABLED", "true");
    env_set(env, "WAIT_FOR_DATASTORE", "true");
    if (embedded)
        env_merge(env, spec->libnetwork.env);
    env_merge(env, spec->node.env);
    return env_list(env);
}

static void bind(json_t *binds, const char *text)
{
    (void)json_array_append_new(binds, json_string(text));
}

static json_t *node_binds(const struct spec *spec)
{
    json_t *binds = json_array();

    bind(binds, "/lib/modules:/lib/modules");
    bind(binds, "/var/run/calico:/var/run/calico");
    bind(binds, "/var/log/calico:/var/log/calico");
    if (!older(spec, "3.0")) /* the nodename file that CNI >= 3.1 insists on */
        bind(binds, "/var/lib/calico:/var/lib/calico");
    if (!older(spec, "2.6")) /* the lock of iptables */
        bind(binds, "/run:/run");
    if (container_libnetwork_mode(spec) == LIBNETWORK_EMBEDDED) {
        bind(binds, "/run/docker/plugins:/run/docker/plugins");
        bind(binds, "/var/run/docker.sock:/var/run/docker.sock");
    }
    for (int i = 0; i < spec->node.volumes.count; i++)
        bind(binds, spec->node.volumes.items[i]);
    return binds;
}

/* Takes env and binds. */
static json_t *sealed_body(const char *image, json_t *env, json_t *binds)
{
    char digest[DIGEST_HEX_SIZE];
    json_t *body =
        json_pack("{s:s, s:o, s:{s:s, s:b, s:{s:s}, s:o}}", "Image", image, "Env", env,
                  "HostConfig", "NetworkMode", "host", "Privileged", 1, "RestartPolicy",
                  "Name", "always", "Binds", binds);
    _cleanup_(freep) char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);

    digest_bytes(text ? text : "", text ? strlen(text) : 0, digest);
    (void)json_object_set_new(body, "Labels",
                              json_pack("{s:s}", CONTAINER_LABEL, digest));
    return body;
}

json_t *container_node_body(const struct spec *spec, const struct facts *facts)
{
    return sealed_body(spec->node.image, node_env(spec, facts), node_binds(spec));
}

json_t *container_libnetwork_body(const struct spec *spec, const struct facts *facts)
{
    _cleanup_(freep) char *etcd = endpoints(spec);
    json_t *env = json_object(), *binds = json_array();
    char name[NODE_NAME_SIZE];

    render_node_name(spec, facts, name);
    env_set(env, "HOSTNAME", name);
    env_set(env, "ETCD_ENDPOINTS", etcd);
    env_set_authority(env, spec);
    env_merge(env, spec->libnetwork.env);
    bind(binds, "/run/docker/plugins:/run/docker/plugins");
    if (!older(spec, "1.0")) /* it asks Docker about the network */
        bind(binds, "/var/run/docker.sock:/var/run/docker.sock");
    return sealed_body(spec->libnetwork.image, env_list(env), binds);
}

/* ---- what is there ---- */

static const json_t *at(const json_t *object, const char *a, const char *b)
{
    return json_object_get(json_object_get(object, a), b);
}

static const char *text_at(const json_t *object, const char *a, const char *b)
{
    const char *text =
        json_string_value(b ? at(object, a, b) : json_object_get(object, a));

    return text ? text : "";
}

static bool env_has(const json_t *env, const char *start)
{
    const json_t *line;
    size_t i;

    json_array_foreach (env, i, line) {
        const char *text = json_string_value(line);
        if (text && str_starts(text, start))
            return true;
    }
    return false;
}

/* By the marks that each leaves (DOMAIN.md A.4, A.5). */
static const char *made_by(const json_t *inspected)
{
    const json_t *env = at(inspected, "Config", "Env");

    if (str_starts(text_at(inspected, "Name", NULL), "/mesos-") ||
        env_has(env, "MESOS_TASK_ID=") || env_has(env, "MESOS_CONTAINER_NAME="))
        return "a Mesos task";
    if (env_has(env, "FELIX_IGNORELOOSERPF=") && env_has(env, "ETCD_SCHEME="))
        return "calico-dcos";
    if (env_has(env, "CALICO_NETWORKING_BACKEND=") ||
        env_has(env, "CALICO_NETWORKING=") ||
        (env_has(env, "ETCD_ENDPOINTS=") && env_has(env, "HOSTNAME=")))
        return "calicoctl";
    return "somebody else";
}

/* Only the settings that are compared: others may hold secrets. */
static bool env_kept(const char *line)
{
    static const char *const starts[] = {"IP=",
                                         "IP6=",
                                         "NODENAME=",
                                         "HOSTNAME=",
                                         "ETCD_ENDPOINTS=",
                                         "ETCD_AUTHORITY=",
                                         "CALICO_",
                                         "FELIX_",
                                         "WAIT_FOR_DATASTORE="};

    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
        if (str_starts(line, starts[i]))
            return true;
    return false;
}

static json_t *env_small(const json_t *env)
{
    json_t *small = json_array();
    const json_t *line;
    size_t i;

    json_array_foreach (env, i, line) {
        const char *text = json_string_value(line);
        if (text && env_kept(text) && strlen(text) < 256 && json_array_size(small) < 32)
            (void)json_array_append_new(small, json_string(text));
    }
    return small;
}

json_t *container_seen(const json_t *inspected)
{
    if (!json_is_object(inspected))
        return NULL;
    const json_t *labels = at(inspected, "Config", "Labels");
    const char *spec = json_string_value(json_object_get(labels, CONTAINER_LABEL));
    json_t *seen = json_pack(
        "{s:s, s:s, s:s, s:b, s:b, s:I, s:s, s:s, s:s, s:s, s:b}", "id",
        text_at(inspected, "Id", NULL), "image", text_at(inspected, "Config", "Image"),
        "image_id", text_at(inspected, "Image", NULL), "running",
        json_is_true(at(inspected, "State", "Running")), "restarting",
        json_is_true(at(inspected, "State", "Restarting")), "restarts",
        json_integer_value(json_object_get(inspected, "RestartCount")), "started_at",
        text_at(inspected, "State", "StartedAt"), "spec", spec ? spec : "", "restart",
        text_at(json_object_get(inspected, "HostConfig"), "RestartPolicy", "Name"),
        "network", text_at(inspected, "HostConfig", "NetworkMode"), "privileged",
        json_is_true(at(inspected, "HostConfig", "Privileged")));

    if (!spec) {
        (void)json_object_set_new(seen, "made_by", json_string(made_by(inspected)));
        (void)json_object_set_new(seen, "env",
                                  env_small(at(inspected, "Config", "Env")));
    }
    return seen;
}

static bool list_has(const json_t *list, const char *wanted)
{
    const json_t *line;
    size_t i;

    json_array_foreach (list, i, line)
        if (str_equal(json_string_value(line), wanted))
            return true;
    return false;
}

/* The first thing in which a foreign one differs from the wanted; "" when in none. */
static void difference(const json_t *wanted, const json_t *seen, char *ret, size_t size)
{
    const char *image = text_at(wanted, "Image", NULL);
    const json_t *line;
    size_t i;

    ret[0] = '\0';
    if (strcmp(image, text_at(seen, "image", NULL)) != 0) {
        (void)snprintf(ret, size, "another image than %s", image);
        return;
    }
    json_array_foreach (json_object_get(wanted, "Env"), i, line) {
        const char *text = json_string_value(line);
        if (text && env_kept(text) && !list_has(json_object_get(seen, "env"), text)) {
            (void)snprintf(ret, size, "no %s", text);
            return;
        }
    }
    if (!json_is_true(json_object_get(seen, "privileged")) ||
        strcmp(text_at(seen, "network", NULL), "host") != 0)
        (void)snprintf(ret, size, "other host settings");
}

static void say_foreign(const char *name, const json_t *wanted, const json_t *seen,
                        char *why, size_t size)
{
    char differs[96];

    difference(wanted, seen, differs, sizeof differs);
    (void)snprintf(
        why, size,
        "container \"%s\" is not clowder's: made by %s (image %.64s, %s%s); to "
        "hand over: docker rm -f %s, then retry",
        name, text_at(seen, "made_by", NULL), text_at(seen, "image", NULL),
        differs[0] ? "it has " : "the same as wanted but for our label", differs, name);
}

static const char *changed_since(const json_t *seen)
{
    if (strcmp(text_at(seen, "restart", NULL), "always") != 0)
        return "its restart policy is no longer \"always\"";
    if (strcmp(text_at(seen, "network", NULL), "host") != 0)
        return "it is not on the host's network";
    return NULL;
}

enum container_match container_compare(const char *name, const json_t *wanted,
                                       const json_t *seen, char *why, size_t size)
{
    const char *image = text_at(wanted, "Image", NULL);

    if (!json_is_object(seen)) {
        (void)snprintf(why, size, "container \"%s\" is not there", name);
        return CONTAINER_ABSENT;
    }
    if (!*text_at(seen, "spec", NULL)) {
        say_foreign(name, wanted, seen, why, size);
        return CONTAINER_FOREIGN;
    }
    if (strcmp(text_at(seen, "spec", NULL),
               text_at(wanted, "Labels", CONTAINER_LABEL))) {
        bool same = strcmp(image, text_at(seen, "image", NULL)) == 0;
        (void)snprintf(why, size, "container \"%s\" has %s%.96s%s", name,
                       same ? "the image " : "image ", text_at(seen, "image", NULL),
                       same ? " but other settings" : "");
        return CONTAINER_STALE;
    }
    if (changed_since(seen)) {
        (void)snprintf(why, size, "container \"%s\": %s", name, changed_since(seen));
        return CONTAINER_STALE;
    }
    if (!json_is_true(json_object_get(seen, "running")) ||
        json_is_true(json_object_get(seen, "restarting"))) {
        (void)snprintf(
            why, size, "container \"%s\" %s (%lld restarts)", name,
            json_is_true(json_object_get(seen, "restarting")) ? "restarts all the time"
                                                              : "does not run",
            (long long)json_integer_value(json_object_get(seen, "restarts")));
        return CONTAINER_STOPPED;
    }
    (void)snprintf(why, size, "container \"%s\" runs %.128s", name, image);
    return CONTAINER_RIGHT;
}

json_t *container_keep(const json_t *inspected)
{
    const json_t *config = json_object_get(inspected, "Config");
    const json_t *host = json_object_get(inspected, "HostConfig");
    static const char *const of_config[] = {"Image", "Env", "Labels"};
    static const char *const of_host[] = {"NetworkMode", "Privileged", "RestartPolicy",
                                          "Binds"};

    if (!json_is_object(inspected))
        return NULL;
    json_t *body = json_object(), *kept_host = json_object();
    for (size_t i = 0; i < sizeof(of_config) / sizeof(of_config[0]); i++)
        if (json_object_get(config, of_config[i]))
            (void)json_object_set_new(
                body, of_config[i],
                json_deep_copy(json_object_get(config, of_config[i])));
    for (size_t i = 0; i < sizeof(of_host) / sizeof(of_host[0]); i++)
        if (json_object_get(host, of_host[i]))
            (void)json_object_set_new(
                kept_host, of_host[i],
                json_deep_copy(json_object_get(host, of_host[i])));
    (void)json_object_set_new(body, "HostConfig", kept_host);
    return json_pack("{s:s, s:b, s:o}", "image_id", text_at(inspected, "Image", NULL),
                     "running", json_is_true(at(inspected, "State", "Running")), "body",
                     body);
}
