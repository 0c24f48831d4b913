/* identity.h - this machine and this boot: machine-id, boot id.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd.
 */
#ifndef CLOWDER_AGENTD_IDENTITY_H
#define CLOWDER_AGENTD_IDENTITY_H

#include "shared/model/facts.h"

/* root: prefix of every path, "" but in tests. */
MUST_CHECK int identity_read(const char *root, struct live *ret, struct error *err);

#endif
