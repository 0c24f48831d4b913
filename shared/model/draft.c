/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/model/draft.h"

#include "shared/base/cleanup.h"
#include "shared/base/digest.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void rollout_id_make(int64_t wall_ms, uint64_t random, char ret[ROLLOUT_ID_SIZE])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    char stamp[24];
    (void)gmtime_r(&seconds, &tm);
    (void)strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &tm);
    (void)snprintf(ret, ROLLOUT_ID_SIZE, "%s-%04x", stamp,
                   (unsigned)(random & 0xffffU));
}

void rollout_id_after(const char *last, int64_t wall_ms, uint64_t random,
                      char ret[ROLLOUT_ID_SIZE])
{
    struct tm tm = {0};

    rollout_id_make(wall_ms, random, ret);
    if (strcmp(ret, last) > 0)
        return;
    const char *rest = strptime(last, "%Y%m%d-%H%M%S", &tm);
    if (rest && *rest == '-')
        rollout_id_make(((int64_t)timegm(&tm) + 1) * 1000, random, ret);
}

static int open_gate(const struct spec *spec, int members, struct gate *gate,
                     struct error *err)
{
    gate->phase = GATE_RUN;
    gate->max_failed = spec_max_failed(spec, members);
    for (int i = 0; i < spec->leases_count; i++) {
        const struct spec_lease *lease = &spec->leases[i];
        int rc = gate_set_limit(gate, lease->name,
                                share_resolve(lease->permits, members), err);
        if (rc < 0)
            return rc;
    }
    for (int i = 0; i < spec->zone_limits_count; i++) {
        const struct spec_zone_limit *limit = &spec->zone_limits[i];
        int rc = gate_set_zone_limit(gate, limit->lease, limit->permits, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static struct wave *waves_of(const struct plan *plan)
{
    struct wave *waves = mem_array((size_t)plan->waves_count, sizeof(*waves));
    for (int w = 0; w < plan->waves_count; w++)
        STR_COPY(waves[w].name, plan->waves[w].name);
    for (int h = 0; h < plan->hosts_count; h++) {
        const struct plan_host *host = &plan->hosts[h];
        if (host->wave < 0)
            continue;
        strings_add(&waves[host->wave].hosts, host->host);
        strings_add(&waves[host->wave].zones, host->zone);
    }
    return waves;
}

int draft_make(struct spec **spec, const struct plan *plan,
               const struct draft_header *header, struct draft *ret, struct error *err)
{
    struct draft draft = {0};
    int rc = plan_check(plan, err);
    if (rc == 0)
        rc = open_gate(*spec, plan->members, &draft.gate, err);
    if (rc < 0)
        return rc;
    STR_COPY(draft.gate.by, header->by);
    draft.gate.at_ms = header->created_ms;

    struct manifest *manifest = NEW(struct manifest);
    _cleanup_(freep) char *text = json_line((*spec)->document);
    STR_COPY(manifest->id, header->id);
    STR_COPY(manifest->by, header->by);
    STR_COPY(manifest->why, header->why);
    manifest->kind = header->kind;
    STR_COPY(manifest->of, header->of ? header->of : "");
    manifest->force = header->force;
    manifest->created_ms = header->created_ms;
    manifest->hosts = plan->members;
    manifest->waves_count = plan->waves_count;
    memcpy(manifest->waves, plan->waves, sizeof(manifest->waves));
    digest_bytes(text, strlen(text), manifest->digest);
    manifest->spec = take_ptr(*spec);
    manifest_turn(manifest);
    draft.manifest = manifest;
    draft.waves = waves_of(plan);
    *ret = draft;
    return 0;
}

void draft_done(struct draft *draft)
{
    for (int w = 0; draft->waves && w < draft->manifest->waves_count; w++)
        wave_done(&draft->waves[w]);
    free(draft->waves);
    manifest_free(draft->manifest);
    *draft = (struct draft){0};
}
