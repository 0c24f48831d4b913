/* container.h - the two containers that Clowder makes, and how one that is there
 * compares.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure. The body of POST /containers/create is made here, for the step
 * that creates it, the check that proves it and the plan that foretells it. Each
 * carries the label clowder.spec = SHA-256 of its body without that label, so that one
 * look tells "ours and right" from "ours but stale" from somebody else's.
 *
 * calico-node, Calico 2.6 (DOMAIN.md A.5):
 * {"Image":"quay.io/calico/node:v2.6.11",
 *  "Env":["CALICO_LIBNETWORK_ENABLED=true","CALICO_NETWORKING_BACKEND=bird",
 *         "ETCD_ENDPOINTS=http://127.0.0.1:2379","FELIX_HEALTHENABLED=true",
 *         "FELIX_IGNORELOOSERPF=true","IP=10.0.0.5","NODENAME=10.0.0.5",
 *         "WAIT_FOR_DATASTORE=true"],
 *  "Labels":{"clowder.spec":"…"},
 *  "HostConfig":{"NetworkMode":"host","Privileged":true,
 *   "RestartPolicy":{"Name":"always"},"Binds":["/lib/modules:/lib/modules",…]}}
 *
 * As a probe keeps it ("seen"):
 * {"id":"4f…","image":"…","image_id":"sha256:…","running":true,"restarting":false,
 *  "restarts":0,"started_at":"2018-01-01T00:00:00Z","spec":"<the label or empty>",
 *  "restart":"always","network":"host","privileged":true,
 *  "made_by":"calicoctl","env":["IP=…",…]}           the last two of foreign ones only
 */
#ifndef CLOWDER_MODEL_CONTAINER_H
#define CLOWDER_MODEL_CONTAINER_H

#include "shared/model/facts.h"
#include "shared/model/spec.h"

#include <stddef.h>

extern const char CONTAINER_NODE[];       /* "calico-node" */
extern const char CONTAINER_LIBNETWORK[]; /* "calico-libnetwork" */
extern const char CONTAINER_LABEL[];      /* "clowder.spec" */

/* The spec's mode, or off where the step is disabled. */
enum libnetwork_mode container_libnetwork_mode(const struct spec *spec);
const char *container_libnetwork_mode_text(enum libnetwork_mode mode);
/* One socket for both drivers (libnetwork 0.x) or two. */
bool container_libnetwork_one_socket(const struct spec *spec);

/* New references, label and all. */
json_t *container_node_body(const struct spec *spec, const struct facts *facts);
json_t *container_libnetwork_body(const struct spec *spec, const struct facts *facts);

/* Felix's health port where this version serves one (Calico >= 2.4), else 0. */
int container_felix_port(const struct spec *spec);

/* GET /containers/<name>/json made small; NULL in gives NULL. New reference. */
json_t *container_seen(const json_t *inspected);

enum container_match {
    CONTAINER_ABSENT,
    CONTAINER_RIGHT,   /* ours, as wanted, running */
    CONTAINER_STOPPED, /* ours, as wanted, not running or restarting all the time */
    CONTAINER_STALE,   /* ours, made from another spec or changed since */
    CONTAINER_FOREIGN, /* the name is taken by one that is not ours */
};
/* why: one sentence about what is there (and, if foreign, how to proceed). */
enum container_match container_compare(const char *name, const json_t *wanted,
                                       const json_t *seen, char *why, size_t why_size);

/* What is needed to make one of ours again:
 * {"image_id":"sha256:…","running":true,"body":{…}}; NULL in gives NULL. */
json_t *container_keep(const json_t *inspected);

#endif
