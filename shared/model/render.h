/* render.h - the texts and values that steps write and judges compare with.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure. One function per text, used by apply, by prove and by the judge,
 * so that what is written, what is checked and what `clowder plan` shows cannot differ.
 */
#ifndef CLOWDER_MODEL_RENDER_H
#define CLOWDER_MODEL_RENDER_H

#include "shared/model/facts.h"
#include "shared/model/spec.h"

extern const char ETCD_UNIT_NAME[]; /* "clowder-etcd-proxy.service" */
extern const char RENDER_MARK[];    /* first words of every file that is ours */
enum { NODE_NAME_SIZE = HOST_ID_SIZE };

/* A node's name in Calico: node, libnetwork and CNI must agree on it (DOMAIN.md A.3).
 * "auto" is the host's address, which is also its name in Mesos. */
void render_node_name(const struct spec *spec, const struct facts *facts,
                      char ret[NODE_NAME_SIZE]);

/* "http://127.0.0.1:2379": the first listen address as a client on the host reaches it,
 * without a slash at the end. Caller frees. */
char *render_etcd_local(const struct spec *spec);
int render_url_port(const char *url, int otherwise);
/* The binary that the unit runs: a download is put into <data_dir>/../bin/etcd. */
char *render_etcd_binary(const struct spec *spec);
bool render_etcd_fetches(const struct spec *spec); /* from a url, not installed */
char *render_etcd_unit(const struct spec *spec);   /* text of the unit file */

/* "etcd://h1:2379,h2:2379": the override, else from etcd.endpoints. Caller frees. */
char *render_docker_store(const struct spec *spec);
char *render_docker_advertise(const struct spec *spec, const struct facts *facts);
/* What must stand in daemon.json: {"cluster-store":…[,"cluster-advertise","…-opts"]} */
json_t *render_docker_keys(const struct spec *spec, const struct facts *facts);
/* "/v2/keys/docker/nodes/<advertise>" with the store's prefix and kv.path applied. */
char *render_docker_node_key(const struct spec *spec, const struct facts *facts);
/* "http://h1:2379" of an etcd or consul store; NULL for zk and with TLS. Caller
 * frees. */
char *render_docker_store_url(const struct spec *spec);

json_t *render_cni_document(const struct spec *spec, const struct facts *facts);
char *render_cni_config(const struct spec *spec, const struct facts *facts); /* bytes */
const char *render_cni_unit(const struct spec *spec, const struct facts *facts);
/* Does "a:b/" (a flag of the Mesos agent) name directory "b"? */
bool names_directory(const char *list, const char *dir);
char *render_path(const char *dir, const char *name); /* one slash between */

#endif
