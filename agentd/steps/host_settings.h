/* host_settings.h - kernel settings and modules of this host, as calico-node needs
 * them.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd, blocking (/proc). What is wanted: shared/model/host_needs.h. Paths
 * stand under env->root. A setting that is right is never written.
 */
#ifndef CLOWDER_AGENTD_HOST_SETTINGS_H
#define CLOWDER_AGENTD_HOST_SETTINGS_H

#include "agentd/steps/step.h"

/* {"net.ipv4.ip_forward":{"value":"1","writable":true},…}; absent ones left out. */
json_t *host_sysctls_seen(const struct step_env *env);
json_t *host_modules_seen(const struct step_env *env); /* {"xt_set":true,…} */

/* The values now of those that have to be written: {"net.…":"0"}; may be empty. */
json_t *host_sysctls_before(const struct step_env *env);
/* Writes those, and reads them back. */
MUST_CHECK int host_sysctls_write(const struct step_env *env, struct error *err);
/* 0 when every needed one is right; what is tolerated is right. */
MUST_CHECK int host_sysctls_check(const struct step_env *env, struct error *err);
/* Puts `before` back where the value is still the one that we wrote. */
MUST_CHECK int host_sysctls_restore(const struct step_env *env, const json_t *before,
                                    struct error *err);

#endif
