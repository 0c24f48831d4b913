/* SPDX-License-Identifier: Apache-2.0
 *
 * When the rollout's time windows are open, by this host's clock and zone files.
 */
#include "agentd/runner_internal.h"

#include "shared/base/zone.h"

#include <errno.h>

/* Kept until the next change: the zone's rules are files. The clock may be set back. */
static void look_at_hours(struct runner *r, int64_t now_ms)
{
    const struct spec *spec = r->manifest->spec;
    if (r->hours_at_ms > 0 && now_ms >= r->hours_at_ms && now_ms < r->hours.until_ms)
        return;
    r->hours = windows_at(spec->windows, spec->windows_count, now_ms, zone_offset_s);
    r->hours_at_ms = now_ms;
}

bool runner_hours_open(void *ctx, int64_t *ret_wait_ms)
{
    struct runner *r = ctx;
    int64_t now_ms = loop_wall_ms(r->swarm.loop);
    char span[32];
    if (!r->manifest || r->manifest->spec->windows_count == 0)
        return true;
    look_at_hours(r, now_ms);
    if (r->hours.open)
        return true;
    *ret_wait_ms = r->hours.until_ms - now_ms;
    str_from_duration_ms(*ret_wait_ms / 60000 * 60000, span, sizeof(span));
    runner_says(r, "outside the time windows of the rollout; the next one opens in %s",
                span);
    return false;
}

/* Windows of a zone that this host does not know are no windows: nothing is guessed. */
int runner_check_zones(const struct spec *spec, struct error *err)
{
    for (int i = 0; i < spec->windows_count; i++)
        if (!zone_known(spec->windows[i].zone))
            return error_set(err, -ENOENT,
                             "the rollout's windows are of time zone \"%s\", which is "
                             "not known on this host: install tzdata",
                             spec->windows[i].zone);
    return 0;
}
