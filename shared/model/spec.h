/* spec.h - what a rollout installs and how it rolls: the one document that an operator
 * writes.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure. Decoded once, validated wholly (every mistake is reported at
 * once, with its path: "steps.cni.restart: \"maybe\" is not one of auto, always,
 * never"), then immutable. Every key is optional: an empty document {} installs what
 * SEED.txt describes. The schema in the tree (deploy/etc/spec.schema.json) says the
 * same for editors, and a test holds the two together.
 *
 * Absent keys get their default; those marked = below follow from other keys.
 *
 * {"v": 1,
 *  "name": "",                                   free text for people
 *  "calico": {"version": "2.6.11"},              decides what calico.h says
 *  "etcd": {"endpoints": ["http://127.0.0.1:2379"]},   ETCD_ENDPOINTS of everything
 *  "steps": {
 *   "etcd-proxy": {
 *    "enabled": true,                            = false if etcd.endpoints is elsewhere
 *    "mode": "proxy",                            or "gateway"
 *    "discovery_srv": "etcd.mesos",
 *    "cluster": "",                              static --initial-cluster of a proxy
 *    "endpoints": [],                            of a gateway: "host:2379"
 *    "listen": ["http://127.0.0.1:2379"],
 *    "data_dir": "/var/lib/clowder/etcd-proxy",
 *    "binary": {"url": "", "sha256": "",
 *               "path": "/usr/bin/etcd"}},       = "" where a url is given
 *   "docker-cluster-store": {
 *    "enabled": true,
 *    "store": "",                                "" = from etcd.endpoints
 *    "advertise": "",                            "auto" = <ip>:2375; for a reload
 *    "opts": {},                                 instead of a restart
 *    "restart": "auto",                          or "always", "never"
 *    "daemon_json": "/etc/docker/daemon.json",
 *    "unit": "docker.service"},
 *   "cni": {
 *    "enabled": true,
 *    "plugins_dir": "/opt/mesosphere/active/cni",
 *    "config_dir": "/opt/mesosphere/etc/dcos/network/cni",
 *    "config_name": "calico.cni",
 *    "calico": {"url": "…", "sha256": "", "path": ""},        = by calico.version
 *    "calico_ipam": {"url": "…", "sha256": "", "path": ""},   = by calico.version
 *    "config": {},                               the whole document; {} = derived
 *    "restart": "auto",                          or "always", "never"
 *    "agent_url": "http://127.0.0.1:5051",
 *    "unit": ""},                                "" = by role
 *   "libnetwork": {
 *    "enabled": true,
 *    "mode": "embedded",                         = by calico.version ("auto")
 *    "image": "", "env": {}},                    = by calico.version
 *   "node": {
 *    "enabled": true,
 *    "image": "quay.io/calico/node:v2.6.11",     = by calico.version
 *    "ip": "auto", "node_name": "auto",
 *    "pool_cidr": "", "pool_ipip": "",           "" = Calico's own default
 *    "backend": "bird", "env": {}, "volumes": []}},
 *   and in each step: "timeout": "5m" (one try), "attempts": 3, "backoff": "5s",
 *    "prove": {"passes": 3, "interval": "1s", "timeout": "1m"},
 *    "drift": "auto"                             = drift
 *  "stages": [{"name": "proxy", "steps": ["etcd-proxy"], "lease": "install"},
 *             {"name": "restart", "steps": ["docker-cluster-store", "cni"],
 *              "lease": "restart"},
 *             {"name": "run", "steps": ["libnetwork", "node"], "lease": "install"}],
 *  "leases": {"restart": 1,                      a number, "10%" of the hosts, or
 *             "install": {"percent": 10, "at_least": 10}},
 *  "zone_limits": {},                            {"restart": 1}: of those hosts at most
 *                                                one in each zone; {} = zones are no
 *                                                matter
 *  "waves": {"canary": 1, "size": "25%",         0 = one wave for the rest
 *                                                or growing: [1, "5%", "10%", 0]
 *            "soak": "0s", "promote": "auto"},   or "manual"
 *  "max_failed": 0,                              a number or "5%": failed hosts that do
 *                                                not yet pause the rollout
 *  "max_failed_wave": 0,                         the same of each wave; 0 = no limit
 *  "max_failed_consecutive": 0,                  in a row; 0 = no limit of its own
 *  "min_available": 0,                           fit hosts that it takes to begin, a
 *                                                number or "90%" of all
 *  "windows": [],                                when something may begin; [] = always;
 *                                                [{"days": ["mon-fri"],
 *                                                  "start": "22:00", "length": "6h",
 *                                                  "zone": "UTC"}]
 *  "on_failure": "revert",                       or "leave"
 *  "lost_after": "10m",
 *  "adopt": true,
 *  "drift": "auto"}                              or "report", "repair": drift.h
 */
#ifndef CLOWDER_MODEL_SPEC_H
#define CLOWDER_MODEL_SPEC_H

#include "shared/base/error.h"
#include "shared/base/str.h"
#include "shared/model/names.h"
#include "shared/model/share.h"
#include "shared/model/strings.h"
#include "shared/model/window.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum step_id {
    STEP_ETCD_PROXY,
    STEP_DOCKER_STORE,
    STEP_CNI,
    STEP_LIBNETWORK,
    STEP_NODE
};
enum { STEP_COUNT = STEP_NODE + 1 };
const char *step_name(enum step_id id); /* "etcd-proxy", "docker-cluster-store", ... */
int step_from_name(const char *name);   /* enum step_id or -1 */

enum restart_policy { RESTART_AUTO, RESTART_ALWAYS, RESTART_NEVER };
enum proxy_mode { PROXY_MODE_PROXY, PROXY_MODE_GATEWAY };
enum libnetwork_mode {
    LIBNETWORK_AUTO,
    LIBNETWORK_CONTAINER,
    LIBNETWORK_EMBEDDED,
    LIBNETWORK_OFF,
};
enum on_failure { ON_FAILURE_REVERT, ON_FAILURE_LEAVE };
enum drift_policy { DRIFT_AUTO, DRIFT_REPORT, DRIFT_REPAIR };

struct artifact {
    char *url;
    char *sha256; /* "" = not pinned */
    char *path;   /* an installed file instead of a download, or "" */
};

struct step_policy { /* first in each step's options */
    bool enabled;
    int64_t timeout_ms;
    int attempts; /* tries of apply + prove in one visit */
    int64_t backoff_ms;
    int prove_passes;
    int64_t prove_interval_ms;
    int64_t prove_timeout_ms;
    enum drift_policy drift;
};

struct etcd_proxy_options {
    struct step_policy policy;
    enum proxy_mode mode;
    char *discovery_srv;
    char *cluster;
    struct strings endpoints, listen;
    char *data_dir;
    struct artifact binary;
};
struct docker_store_options {
    struct step_policy policy;
    char *store, *advertise, *daemon_json, *unit;
    json_t *opts; /* object of strings */
    enum restart_policy restart;
};
struct cni_options {
    struct step_policy policy;
    char *plugins_dir, *config_dir, *config_name, *agent_url, *unit;
    struct artifact calico, calico_ipam;
    json_t *config; /* object; {} = derived */
    enum restart_policy restart;
};
struct libnetwork_options {
    struct step_policy policy;
    enum libnetwork_mode mode; /* never LIBNETWORK_AUTO once decoded */
    char *image;
    json_t *env;
};
struct node_options {
    struct step_policy policy;
    char *image, *ip, *node_name, *pool_cidr, *pool_ipip, *backend;
    json_t *env;
    struct strings volumes; /* more "/host:/container" */
};

enum { SPEC_STAGES_MAX = 8, SPEC_LEASES_MAX = 16 };
enum { SPEC_WAVE_SIZES_MAX = 16 };
struct spec_stage {
    char name[NAME_SIZE];
    char lease[NAME_SIZE];
    enum step_id steps[STEP_COUNT];
    int steps_count;
};
struct spec_lease {
    char name[NAME_SIZE];
    struct share permits;
};

struct spec_zone_limit {
    char lease[NAME_SIZE];
    int permits; /* in each zone */
};

struct spec {
    char *name;
    char *calico_version;
    struct strings etcd_endpoints;
    struct etcd_proxy_options etcd_proxy;
    struct docker_store_options docker_store;
    struct cni_options cni;
    struct libnetwork_options libnetwork;
    struct node_options node;
    struct spec_stage stages[SPEC_STAGES_MAX];
    int stages_count;
    struct spec_lease leases[SPEC_LEASES_MAX];
    int leases_count;
    struct spec_zone_limit zone_limits[SPEC_LEASES_MAX];
    int zone_limits_count;
    int canary;
    /* Of the waves after the canary, in order; the last one is that of all that follow.
     * 0/0 = the rest in one wave. */
    struct share wave_sizes[SPEC_WAVE_SIZES_MAX];
    int wave_sizes_count;
    int64_t soak_ms;
    bool promote_manual;
    struct share max_failed;            /* number may be 0 */
    struct share max_failed_wave;       /* 0 = no limit of its own */
    int max_failed_consecutive;         /* 0 = no limit of its own */
    struct share min_available;         /* 0 = none */
    struct window windows[WINDOWS_MAX]; /* none = always */
    int windows_count;
    enum on_failure on_failure;
    int64_t lost_after_ms;
    bool adopt;
    enum drift_policy drift;
    json_t *document; /* the whole, with every default filled in; what is stored */
};

/* Decodes and validates. On -EINVAL (or -EPROTONOSUPPORT: a newer "v"), errors holds
 * every mistake, one per line, each with its path; err says how many. {} is valid. */
MUST_CHECK int spec_decode(const json_t *document, struct spec **ret,
                           struct strbuf *errors, struct error *err);
/* The same from text; a JSON syntax error names line and column. */
MUST_CHECK int spec_parse(const char *text, size_t len, struct spec **ret,
                          struct strbuf *errors, struct error *err);
void spec_free(struct spec *spec);
/* The stages, and the steps of each, in reverse: what came last goes first. The
 * document stays as it is. */
void spec_turn(struct spec *spec);

const struct step_policy *spec_policy(const struct spec *spec, enum step_id id);
/* 0, 0 = no such lease. */
struct share spec_permits(const struct spec *spec, const char *lease);
/* 0 = as many in one zone as in all. */
int spec_zone_limit(const struct spec *spec, const char *lease);
/* A percentage rounds down, here also to 0. */
int spec_max_failed(const struct spec *spec, int hosts);
/* Of a wave of that size; -1 = no limit of its own. */
int spec_max_failed_wave(const struct spec *spec, int size);
/* Fit hosts out of so many that it takes to begin; a percentage rounds up. */
int spec_min_available(const struct spec *spec, int hosts);

/* "steps.cni.restart=always" of --set, into a document before it is decoded. The value
 * is JSON where the option is no string and it parses as JSON; a list of strings may be
 * written a,b. */
MUST_CHECK int spec_document_set(json_t *document, const char *assignment,
                                 struct error *err);

#endif
