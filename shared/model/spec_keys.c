/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/model/spec_keys.h"

#include "shared/model/calico.h"

enum { DAY_MS = 86400000, HOUR_MS = 3600000 };

static const char *const proxy_modes[] = {
    [PROXY_MODE_PROXY] = "proxy", [PROXY_MODE_GATEWAY] = "gateway", NULL};
static const char *const restarts[] = {[RESTART_AUTO] = "auto",
                                       [RESTART_ALWAYS] = "always",
                                       [RESTART_NEVER] = "never",
                                       NULL};
static const char *const libnetwork_modes[] = {[LIBNETWORK_AUTO] = "auto",
                                               [LIBNETWORK_CONTAINER] = "container",
                                               [LIBNETWORK_EMBEDDED] = "embedded",
                                               [LIBNETWORK_OFF] = "off",
                                               NULL};
static const char *const backends[] = {"bird", "gobgp", "none", NULL};
static const char *const ipips[] = {"off", "always", "cross-subnet", NULL};
static const char *const promotes[] = {"auto", "manual", NULL};
static const char *const on_failures[] = {
    [ON_FAILURE_REVERT] = "revert", [ON_FAILURE_LEAVE] = "leave", NULL};
static const char *const drifts[] = {
    [DRIFT_AUTO] = "auto", [DRIFT_REPORT] = "report", [DRIFT_REPAIR] = "repair", NULL};

#define AT(member) JSON_AT(struct spec, member)

/* The options that every step has. */
#define POLICY(section, options, enabled_help, timeout, prove)                         \
    {section ".enabled", KEY_BOOL, AT(options.policy.enabled), .fallback = "true",     \
     .help = enabled_help},                                                            \
        {section ".timeout",                                                           \
         KEY_DURATION,                                                                 \
         AT(options.policy.timeout_ms),                                                \
         .min = 1000,                                                                  \
         .max = DAY_MS,                                                                \
         .fallback = timeout,                                                          \
         .help = "longest time of one try of the change, downloads included"},         \
        {section ".attempts",                                                          \
         KEY_INT,                                                                      \
         AT(options.policy.attempts),                                                  \
         .min = 1,                                                                     \
         .max = 100,                                                                   \
         .fallback = "3",                                                              \
         .help = "tries of change and proof in one visit"},                            \
        {section ".backoff",                                                           \
         KEY_DURATION,                                                                 \
         AT(options.policy.backoff_ms),                                                \
         .min = 0,                                                                     \
         .max = HOUR_MS,                                                               \
         .fallback = "\"5s\"",                                                         \
         .help = "pause after the first failed try; doubled each time"},               \
        {section ".prove.passes",                                                      \
         KEY_INT,                                                                      \
         AT(options.policy.prove_passes),                                              \
         .min = 1,                                                                     \
         .max = 1000,                                                                  \
         .fallback = "3",                                                              \
         .help = "good proofs in a row that it takes"},                                \
        {section ".prove.interval",                                                    \
         KEY_DURATION,                                                                 \
         AT(options.policy.prove_interval_ms),                                         \
         .min = 0,                                                                     \
         .max = HOUR_MS,                                                               \
         .fallback = "\"1s\"",                                                         \
         .help = "pause between two proofs"},                                          \
        {section ".drift",                                                             \
         KEY_CHOICE,                                                                   \
         AT(options.policy.drift),                                                     \
         .values = drifts,                                                             \
         .fallback = "\"auto\"",                                                       \
         .help = "what a host does about it when it has changed since (default: as "   \
                 "drift)"},                                                            \
    {                                                                                  \
        section ".prove.timeout", KEY_DURATION, AT(options.policy.prove_timeout_ms),   \
            .min = 1000, .max = DAY_MS, .fallback = prove,                             \
            .help = "longest time until it is proved"                                  \
    }

#define ARTIFACT(section, options, installed, what)                                    \
    {section ".url", KEY_TEXT, AT(options.url), .check = check_url,                    \
     .help = "where " what " is downloaded from (http, https, file)"},                 \
        {section ".sha256", KEY_TEXT, AT(options.sha256), .check = check_sha256,       \
         .help = "its SHA-256 in 64 hexadecimal digits; empty = not checked"},         \
    {                                                                                  \
        section ".path", KEY_TEXT, AT(options.path),                                   \
            .check = check_path, .fallback = installed,                                \
            .help = "an installed file to use instead of a download"                   \
    }

#define RESTART(section, options, what)                                                \
    {                                                                                  \
        section ".restart", KEY_CHOICE, AT(options.restart),                           \
            .values = restarts, .fallback = "\"auto\"", .help = what                   \
    }

#define STAGES                                                                         \
    "[{\"name\":\"proxy\",\"steps\":[\"etcd-proxy\"],\"lease\":\"install\"},"          \
    "{\"name\":\"restart\",\"steps\":[\"docker-cluster-store\",\"cni\"],"              \
    "\"lease\":\"restart\"},"                                                          \
    "{\"name\":\"run\",\"steps\":[\"libnetwork\",\"node\"],\"lease\":\"install\"}]"
#define LEASES "{\"restart\":1,\"install\":{\"percent\":10,\"at_least\":10}}"

static const struct json_key keys[] = {
    {"name", KEY_TEXT, AT(name), .help = "free text for people"},
    {"calico.version", KEY_TEXT, AT(calico_version), .filled = true,
     .fallback = "\"2.6.11\"", .check = calico_version_check,
     .help = "decides images, CNI plugins and where libnetwork runs"},
    {"etcd.endpoints", KEY_STRINGS, AT(etcd_endpoints), .filled = true,
     .fallback = "[\"http://127.0.0.1:2379\"]", .check = check_http_url,
     .help = "what Calico and Docker talk to; other than this host's own = a static "
             "cluster, and etcd-proxy is off unless enabled"},

    POLICY("steps.etcd-proxy", etcd_proxy,
           "run etcd on every host as a proxy (default: only if etcd.endpoints is this "
           "host)",
           "\"5m\"", "\"60s\""),
    {"steps.etcd-proxy.mode", KEY_CHOICE, AT(etcd_proxy.mode), .values = proxy_modes,
     .fallback = "\"proxy\"",
     .help = "proxy: etcd --proxy on (v2 API); gateway: etcd gateway (v2 and v3)"},
    {"steps.etcd-proxy.discovery_srv", KEY_TEXT, AT(etcd_proxy.discovery_srv),
     .fallback = "\"etcd.mesos\"", .check = check_word,
     .help = "domain whose SRV records name the members"},
    {"steps.etcd-proxy.cluster", KEY_TEXT, AT(etcd_proxy.cluster), .check = check_word,
     .help = "static --initial-cluster of a proxy (name=http://host:2380,...)"},
    {"steps.etcd-proxy.endpoints", KEY_STRINGS, AT(etcd_proxy.endpoints),
     .filled = true, .check = check_host_port,
     .help = "members of a gateway (host:2379)"},
    {"steps.etcd-proxy.listen", KEY_STRINGS, AT(etcd_proxy.listen), .filled = true,
     .fallback = "[\"http://127.0.0.1:2379\"]", .check = check_http_url,
     .help = "where the proxy listens"},
    {"steps.etcd-proxy.data_dir", KEY_TEXT, AT(etcd_proxy.data_dir), .filled = true,
     .fallback = "\"/var/lib/clowder/etcd-proxy\"", .check = check_path,
     .help = "the proxy's own directory"},
    ARTIFACT("steps.etcd-proxy.binary", etcd_proxy.binary, "\"/usr/bin/etcd\"",
             "the etcd program"),

    POLICY("steps.docker-cluster-store", docker_store,
           "let Docker use the cluster store", "\"2m\"", "\"60s\""),
    {"steps.docker-cluster-store.store", KEY_TEXT, AT(docker_store.store),
     .check = check_store,
     .help = "cluster-store (etcd://, zk://, consul://); empty = from etcd.endpoints"},
    {"steps.docker-cluster-store.advertise", KEY_TEXT, AT(docker_store.advertise),
     .check = check_advertise,
     .help = "cluster-advertise: address:port, \"auto\" or empty; with it a first "
             "change needs a reload only"},
    {"steps.docker-cluster-store.opts", KEY_MAP, AT(docker_store.opts),
     .help = "cluster-store-opts, such as kv.cacertfile"},
    RESTART("steps.docker-cluster-store", docker_store,
            "restart of Docker: where needed, always, or never"),
    {"steps.docker-cluster-store.daemon_json", KEY_TEXT, AT(docker_store.daemon_json),
     .filled = true, .fallback = "\"/etc/docker/daemon.json\"", .check = check_path,
     .help = "Docker's configuration file"},
    {"steps.docker-cluster-store.unit", KEY_TEXT, AT(docker_store.unit), .filled = true,
     .fallback = "\"docker.service\"", .check = check_file_name,
     .help = "Docker's systemd unit"},

    POLICY("steps.cni", cni, "install the CNI plugins and their configuration",
           "\"5m\"", "\"2m\""),
    {"steps.cni.plugins_dir", KEY_TEXT, AT(cni.plugins_dir), .filled = true,
     .fallback = "\"/opt/mesosphere/active/cni\"", .check = check_path,
     .help = "where the Mesos agent looks for plugins"},
    {"steps.cni.config_dir", KEY_TEXT, AT(cni.config_dir), .filled = true,
     .fallback = "\"/opt/mesosphere/etc/dcos/network/cni\"", .check = check_path,
     .help = "where the Mesos agent looks for networks"},
    {"steps.cni.config_name", KEY_TEXT, AT(cni.config_name), .filled = true,
     .fallback = "\"calico.cni\"", .check = check_file_name,
     .help = "the network's file in config_dir"},
    ARTIFACT("steps.cni.calico", cni.calico, NULL, "plugin calico"),
    ARTIFACT("steps.cni.calico_ipam", cni.calico_ipam, NULL, "plugin calico-ipam"),
    {"steps.cni.config", KEY_OBJECT, AT(cni.config),
     .help = "the whole network document; empty = derived"},
    RESTART("steps.cni", cni,
            "restart of the Mesos agent: where needed, always, or never"),
    {"steps.cni.agent_url", KEY_TEXT, AT(cni.agent_url), .filled = true,
     .fallback = "\"http://127.0.0.1:5051\"", .check = check_http_url,
     .help = "the Mesos agent's API on each host"},
    {"steps.cni.unit", KEY_TEXT, AT(cni.unit), .check = check_file_name,
     .help = "the Mesos agent's systemd unit; empty = by role"},

    POLICY("steps.libnetwork", libnetwork, "Docker's network plugin", "\"10m\"",
           "\"60s\""),
    {"steps.libnetwork.mode", KEY_CHOICE, AT(libnetwork.mode),
     .values = libnetwork_modes, .fallback = "\"auto\"",
     .help = "a container of its own, embedded in calico/node, or off; auto = by "
             "calico.version"},
    {"steps.libnetwork.image", KEY_TEXT, AT(libnetwork.image), .check = check_word,
     .help = "image of the container; empty = by calico.version"},
    {"steps.libnetwork.env", KEY_MAP, AT(libnetwork.env),
     .help = "more environment of the container"},

    POLICY("steps.node", node, "run calico/node", "\"10m\"", "\"2m\""),
    {"steps.node.image", KEY_TEXT, AT(node.image), .check = check_word,
     .help = "image; empty = by calico.version"},
    {"steps.node.ip", KEY_TEXT, AT(node.ip), .filled = true, .fallback = "\"auto\"",
     .check = check_ip_or_auto, .help = "the host's address; auto = as DC/OS sees it"},
    {"steps.node.node_name", KEY_TEXT, AT(node.node_name), .filled = true,
     .fallback = "\"auto\"", .check = check_node_name,
     .help = "name in Calico; auto = the host's address, as in Mesos"},
    {"steps.node.pool_cidr", KEY_TEXT, AT(node.pool_cidr), .check = check_cidr,
     .help = "first address pool; empty = Calico's own default"},
    {"steps.node.pool_ipip", KEY_TEXT, AT(node.pool_ipip), .values = ipips,
     .help = "IP in IP of the first pool; empty = Calico's own default"},
    {"steps.node.backend", KEY_TEXT, AT(node.backend), .filled = true,
     .fallback = "\"bird\"", .values = backends, .help = "routing daemon"},
    {"steps.node.env", KEY_MAP, AT(node.env),
     .help = "more environment of the container"},
    {"steps.node.volumes", KEY_STRINGS, AT(node.volumes), .filled = true,
     .check = check_volume, .help = "more volumes, /host:/container[:ro]"},

    {"stages", KEY_CUSTOM, .custom = &spec_stages_custom, .fallback = STAGES,
     .help = "what a host does in one visit, in this order; a barrier after each"},
    {"leases", KEY_CUSTOM, .custom = &spec_leases_custom, .fallback = LEASES,
     .help = "hosts that may be in such a stage at the same time"},
    {"zone_limits", KEY_CUSTOM, .custom = &spec_zones_custom, .fallback = "{}",
     .help = "of the hosts that a lease allows, how many may be in one zone; {} = any"},
    {"waves.canary", KEY_INT, AT(canary), .max = SPEC_CANARY_MAX, .fallback = "1",
     .help = "hosts that go first"},
    {"waves.size", KEY_CUSTOM, .custom = &spec_waves_custom, .fallback = "\"25%\"",
     .help =
         "hosts of each later wave, or of the next, the one after, ... and all that "
         "follow; 0 = one wave for the rest"},
    {"waves.soak", KEY_DURATION, AT(soak_ms), .max = 30 * (int64_t)DAY_MS,
     .fallback = "\"0s\"", .help = "pause after each wave"},
    {"waves.promote", KEY_CHOICE, AT(promote_manual), .values = promotes,
     .fallback = "\"auto\"", .help = "who opens the next wave: nobody, or an operator"},
    {"max_failed", KEY_SHARE, AT(max_failed), .max = INT32_MAX, .fallback = "0",
     .help = "failed hosts that do not yet pause the rollout"},
    {"max_failed_wave", KEY_SHARE, AT(max_failed_wave), .max = INT32_MAX,
     .fallback = "0", .help = "the same of each wave; 0 = no limit of its own"},
    {"max_failed_consecutive", KEY_INT, AT(max_failed_consecutive), .max = INT32_MAX,
     .fallback = "0",
     .help =
         "the same in a row, with no host done in between; 0 = no limit of its own"},
    {"min_available", KEY_SHARE, AT(min_available), .max = INT32_MAX, .fallback = "0",
     .help = "fit hosts that it takes to begin: a number, or a percentage of all"},
    {"windows", KEY_CUSTOM, .custom = &spec_windows_custom, .fallback = "[]",
     .help = "when a host may begin something (days, start, length, zone); empty = "
             "always"},
    {"on_failure", KEY_CHOICE, AT(on_failure), .values = on_failures,
     .fallback = "\"revert\"", .help = "put a failed host back, or leave it as it is"},
    {"lost_after", KEY_DURATION, AT(lost_after_ms), .min = 10000, .max = DAY_MS,
     .fallback = "\"10m\"",
     .help = "a host that holds a permit and is away for longer is lost"},
    {"adopt", KEY_BOOL, AT(adopt), .fallback = "true",
     .help = "install hosts that come later, too"},
    {"drift", KEY_CHOICE, AT(drift), .values = drifts, .fallback = "\"auto\"",
     .help = "what a host does when it has changed since: report it, repair itself, or "
             "(auto) repair what takes no restart"},
    {0},
};

const struct json_key *spec_keys(void)
{
    return keys;
}
