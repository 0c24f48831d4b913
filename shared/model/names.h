/* names.h - limits and checks of the names that appear in paths and documents.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure.
 */
#ifndef CLOWDER_MODEL_NAMES_H
#define CLOWDER_MODEL_NAMES_H

#include <stdbool.h>

/* The lease of visits that disrupt nothing, so that downloads do not stampede. */
#define LEASE_INSTALL "install"

enum {
    HOST_ID_SIZE = 65,    /* [a-z0-9.-], 1..64 bytes */
    ROLLOUT_ID_SIZE = 40, /* [a-z0-9-], sorts by time: 20261123-203000-1a2b */
    NAME_SIZE = 33,       /* steps, stages, leases, waves: [a-z0-9-], 1..32 */
    WHO_SIZE = 97,        /* "user@machine" */
    REASON_SIZE = 257,
};

#include <stdint.h>

/* FNV-1a: spreads work over hosts, nothing more. */
uint32_t host_hash(const char *host);

bool host_id_valid(const char *s);
bool rollout_id_valid(const char *s);
bool name_valid(const char *s);

/* The same as a check of json.h: NULL when good, else what is wrong. */
const char *host_id_check(const char *s);
const char *rollout_id_check(const char *s);
const char *name_check(const char *s);

#endif
