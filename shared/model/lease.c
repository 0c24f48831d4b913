/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/model/lease.h"

#include "shared/base/str.h"

#include <stdio.h>
#include <string.h>

#define ZONE_NONE "_"

const char *zone_text(const char *zone)
{
    return zone[0] ? zone : ZONE_NONE;
}

struct lease_name lease_in_zone(const char *lease, const char *zone)
{
    struct lease_name name;

    (void)snprintf(name.text, sizeof(name.text), "%.*s.%.*s", NAME_SIZE - 1, lease,
                   NAME_SIZE - 1, zone_text(zone));
    return name;
}

struct lease_name lease_of_all(const char *name)
{
    struct lease_name all;

    (void)snprintf(all.text, sizeof(all.text), "%.*s", (int)strcspn(name, "."), name);
    return all;
}

const char *lease_zone(const char *name)
{
    const char *dot = strchr(name, '.');

    return dot ? dot + 1 : NULL;
}

const char *lease_check(const char *name)
{
    const char *zone = lease_zone(name);

    if (!name_valid(lease_of_all(name).text) ||
        (zone && !str_equal(zone, ZONE_NONE) && !name_valid(zone)))
        return "is no lease (a name, or a name, '.' and a zone)";
    return NULL;
}
