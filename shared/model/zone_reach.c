/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/model/zone_reach.h"

#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <stdlib.h>
#include <string.h>

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct zone_reach zone_reach_of(const struct plan *plan, const struct spec *spec,
                                const struct spec_zone_limit *limit)
{
    struct zone_reach reach = {
        .permits = share_resolve(spec_permits(spec, limit->lease), plan->members)};
    const char **zones = mem_array((size_t)plan->members + 1, sizeof(*zones));
    int members = 0, in_zone = 0;

    for (int i = 0; i < plan->hosts_count && members < plan->members; i++)
        if (plan->hosts[i].wave >= 0)
            zones[members++] = plan->hosts[i].zone;
    qsort(zones, (size_t)members, sizeof(*zones), by_text);
    for (int i = 0; i < members; i++) {
        bool first = i == 0 || !str_equal(zones[i - 1], zones[i]);

        in_zone = first ? 1 : in_zone + 1;
        reach.zones += first;
        reach.unnamed += zones[i][0] == '\0';
        reach.at_most += in_zone <= limit->permits;
    }
    free(zones);
    return reach;
}
