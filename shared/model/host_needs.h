/* host_needs.h - kernel settings and modules that calico-node expects of its host.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure. What calicoctl node run sets on a host (DOMAIN.md A.5), with one
 * difference: IPv6 forwarding makes a host ignore router advertisements, so it is only
 * touched where the spec uses IPv6.
 *
 * As a probe sees them: {"net.ipv4.ip_forward":{"value":"0","writable":true},…}, absent
 * ones left out; {"xt_set":true,…} for modules: loaded or built in.
 */
#ifndef CLOWDER_MODEL_HOST_NEEDS_H
#define CLOWDER_MODEL_HOST_NEEDS_H

#include "shared/model/facts.h"
#include "shared/model/spec.h"

struct host_sysctl {
    const char *name; /* "net.ipv4.ip_forward"; NULL ends the table */
    int64_t wanted;
    bool at_least; /* more is right, too */
    bool required; /* where it is wrong and cannot be written, the host is unfit */
    bool ipv6;     /* only where the spec uses IPv6 */
};
extern const struct host_sysctl host_sysctls[];
extern const char *const host_modules[]; /* NULL-terminated */

enum need {
    NEED_MET,
    NEED_WRITE,
    NEED_UNMET /* wrong, read-only, tolerated */,
    NEED_UNFIT
};
enum need host_sysctl_need(const struct host_sysctl *sysctl, const struct spec *spec,
                           const struct facts *facts, const json_t *seen);

#endif
