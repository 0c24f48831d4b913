/* lease.h - the name of a lease: of all hosts, or of those of one zone.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure. "restart" is a lease of all hosts. Where a spec limits it per
 * zone there is one more for each zone, "restart.rack-7": a host takes a permit of that
 * one first, then one of "restart", always in this order, and gives both back together.
 * So a full zone's queue holds up nobody else, and no two hosts wait for each other.
 *
 * Hosts that name no zone are taken as one zone, "restart._": nobody knows which of
 * them would fail together.
 */
#ifndef CLOWDER_MODEL_LEASE_H
#define CLOWDER_MODEL_LEASE_H

#include "shared/model/names.h"

enum { LEASE_SIZE = 2 * NAME_SIZE };

struct lease_name {
    char text[LEASE_SIZE];
};
struct lease_name lease_in_zone(const char *lease, const char *zone);
struct lease_name lease_of_all(const char *name); /* "restart.rack-7" -> "restart" */
const char *lease_zone(const char *name); /* "rack-7", "_"; NULL = it is of all */
const char *zone_text(const char *zone);  /* as it stands in a lease's name */

/* As a check of json.h, of either kind. */
const char *lease_check(const char *name);

#endif
