/* calico.h - which components belong to a Calico release.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure. From the releases that shipped together: release 2.0 to 2.3 had
 * node 1.0 to 1.3, and node's own numbers ("1.0.0", "0.22.0") are understood too.
 */
#ifndef CLOWDER_MODEL_CALICO_H
#define CLOWDER_MODEL_CALICO_H

#include <stdbool.h>

enum calico_libnetwork {
    CALICO_LIBNETWORK_CONTAINER,
    CALICO_LIBNETWORK_NODE,
    CALICO_LIBNETWORK_NONE
};

struct calico {
    char node_version[24]; /* "1.0.0" */
    char node_image[64];   /* "quay.io/calico/node:v2.6.11" */
    char cni_version[24];
    char cni_url[128], cni_ipam_url[128]; /* "" = no CNI plugin of that age */
    enum calico_libnetwork libnetwork;
    char libnetwork_image[64]; /* of a container, else "" */
    bool etcd3;                /* speaks etcd's v3 API only */
};

/* NULL when it is "2.6" or "2.6.11", else what is wrong with it. */
const char *calico_version_check(const char *version);
/* version must have passed the check. */
void calico_of(const char *version, struct calico *ret);

#endif
