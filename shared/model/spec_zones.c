/* The spec's limits per zone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/model/spec_keys.h"

#include <stdlib.h>
#include <string.h>

static int by_lease(const void *a, const void *b)
{
    return strcmp(((const struct spec_zone_limit *)a)->lease,
                  ((const struct spec_zone_limit *)b)->lease);
}

static void limit_read(const json_t *value, const char *path, const char *lease,
                       struct spec *spec, struct json_mistakes *mistakes)
{
    json_int_t permits = json_integer_value(value);
    struct spec_zone_limit *limit;

    if (!name_valid(lease)) {
        json_mistake(mistakes, path, "\"%.40s\" %s", lease, name_check(lease));
    } else if (permits < 1 || permits > SPEC_PERMITS_MAX) {
        json_mistake(mistakes, path, "%s: expected a whole number of hosts, 1 to %d",
                     lease, SPEC_PERMITS_MAX);
    } else if (spec->zone_limits_count == SPEC_LEASES_MAX) {
        json_mistake(mistakes, path, "%s: more than %d leases", lease, SPEC_LEASES_MAX);
    } else {
        limit = &spec->zone_limits[spec->zone_limits_count++];
        (void)STR_COPY(limit->lease, lease);
        limit->permits = (int)permits;
    }
}

static void zones_read(const json_t *value, const char *path, void *field,
                       struct json_mistakes *mistakes)
{
    struct spec *spec = field;
    const char *lease;
    json_t *permits;

    spec->zone_limits_count = 0;
    if (!json_is_object(value)) {
        json_mistake(mistakes, path, "expected an object such as {\"restart\":1}");
        return;
    }
    json_object_foreach ((json_t *)value, lease, permits)
        limit_read(permits, path, lease, spec, mistakes);
    /* An object has no order: one text for the same limits. */
    qsort(spec->zone_limits, (size_t)spec->zone_limits_count,
          sizeof(spec->zone_limits[0]), by_lease);
}

static json_t *zones_write(const void *field)
{
    const struct spec *spec = field;
    json_t *limits = json_object();

    for (int i = 0; i < spec->zone_limits_count; i++)
        (void)json_object_set_new(limits, spec->zone_limits[i].lease,
                                  json_integer(spec->zone_limits[i].permits));
    return limits;
}

const struct json_custom spec_zones_custom = {
    .read = zones_read,
    .write = zones_write,
    .type = "object of numbers",
    .schema = "{\"type\":\"object\",\"maxProperties\":16,"
              "\"propertyNames\":{\"pattern\":\"^[a-z0-9-]{1,32}$\"},"
              "\"additionalProperties\":{\"type\":\"integer\",\"minimum\":1}}",
};
