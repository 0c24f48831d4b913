/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/progress_read.h"

#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/base/zone.h"
#include "shared/swarm/progress_probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_MS = 100, WINDOW = 128 };

static void on_trip(void *ctx, int result, const struct error *err)
{
    struct progress_reader *reader = ctx;
    if (result < 0)
        flow_fail(&reader->flow, err);
    else
        flow_next(&reader->flow);
}

/* Probes first..probes_count are sent; replies may add more for the next trip, so the
 * count is taken now and those sent stay until their trip has ended. */
static enum flow_verdict send_probes(struct progress_reader *reader)
{
    if (reader->probes_count == 0)
        return FLOW_NEXT;
    reader->trips++;
    const struct batch_work work = {.count = reader->probes_count,
                                    .window = WINDOW,
                                    .issue = progress_probe_issue,
                                    .reply = progress_probe_reply,
                                    .done = on_trip,
                                    .ctx = reader};
    batch_start(&reader->batch, reader->zk, reader->loop, &work);
    return FLOW_WAIT;
}

/* Forgets the first `sent` probes: their answers are in. */
static void keep_new_probes(struct progress_reader *reader, int sent)
{
    reader->probes_count -= sent;
    memmove(reader->probes, reader->probes + sent,
            (size_t)reader->probes_count * sizeof(*reader->probes));
}

static void on_current(void *ctx, const struct zk_reply *reply)
{
    struct progress_reader *reader = ctx;
    struct zpath path = zpath_current(reader->root);
    struct current current;
    struct error err = {0};
    reader->request = NULL;
    if (reply->result == ZK_NOT_CONNECTED || reply->result == ZK_AMBIGUOUS) {
        (void)zk_error(reply->result, path.text, &err);
        flow_again(&reader->flow, RETRY_MS, &err);
    } else if (reply->result != ZK_OK) {
        (void)zk_error(reply->result, path.text, &err);
        flow_fail(&reader->flow, &err);
    } else if (current_decode(reply->data, reply->data_len, &current, &err) < 0) {
        (void)error_context(&err, err.code, "znode '%s'", path.text);
        flow_fail(&reader->flow, &err);
    } else {
        STR_COPY(reader->rollout, current.rollout);
        if (current.rollout[0])
            flow_next(&reader->flow);
        else
            flow_finish(&reader->flow);
    }
}

static enum flow_verdict find_rollout(struct flow *flow, void *ctx, struct error *err)
{
    struct progress_reader *reader = ctx;
    if (reader->rollout[0])
        return FLOW_NEXT;
    reader->trips++;
    reader->requests++;
    reader->request =
        zk_get(reader->zk, zpath_current(reader->root).text, NULL, on_current, reader);
    return FLOW_WAIT;
}

static enum flow_verdict read_plan(struct flow *flow, void *ctx, struct error *err)
{
    struct progress_reader *reader = ctx;
    reader->probes_count = 0;
    if (!reader->manifest)
        progress_probe(reader, PROBE_MANIFEST, 0, 0);
    if (!reader->reading.barriers)
        progress_probe(reader, PROBE_GATE, 0, 0);
    return send_probes(reader);
}

static void begin_reading(struct progress_reader *reader)
{
    const struct manifest *manifest = reader->manifest;
    struct progress_reading *fresh = &reader->fresh, *last = &reader->reading;
    size_t barriers =
        (size_t)manifest->waves_count * (size_t)manifest->spec->stages_count;
    struct gate gate = last->barriers ? last->gate : fresh->gate;
    progress_reading_done(fresh);
    fresh->manifest = manifest;
    fresh->gate = gate;
    fresh->barriers = mem_array(barriers + 1, sizeof(*fresh->barriers));
    fresh->failed_listed = last->failed_listed;
    fresh->failed = mem_array((size_t)last->failed_listed + 1, sizeof(*fresh->failed));
    if (last->barriers)
        memcpy(fresh->barriers, last->barriers, barriers * sizeof(*fresh->barriers));
    if (last->failed_listed)
        memcpy(fresh->failed, last->failed,
               (size_t)last->failed_listed * sizeof(*fresh->failed));
    reader->known = gate;
}

static void probe_barriers(struct progress_reader *reader)
{
    int stages = reader->manifest->spec->stages_count;
    for (int w = 0; w < reader->manifest->waves_count; w++) {
        for (int s = 0; s < stages; s++) {
            const struct progress_barrier *barrier =
                &reader->fresh.barriers[w * stages + s];
            if (barrier->open && barrier->arrived >= reader->manifest->waves[w].size)
                continue; /* nothing of it changes any more */
            progress_probe(reader, PROBE_ARRIVED, w, s);
            progress_probe(reader, PROBE_OPEN, w, s);
        }
    }
}

static enum flow_verdict read_counts(struct flow *flow, void *ctx, struct error *err)
{
    struct progress_reader *reader = ctx;
    begin_reading(reader);
    reader->probes_count = 0;
    progress_probe(reader, PROBE_GATE, 0, 0);
    progress_probe(reader, PROBE_FAILED_COUNT, 0, 0);
    progress_probe(reader, PROBE_EXCLUDED_COUNT, 0, 0);
    progress_probe(reader, PROBE_DRIFTED_COUNT, 0, 0);
    progress_probe(reader, PROBE_EVENTS_COUNT, 0, 0);
    for (int l = 0; l < reader->known.limits_count; l++) {
        progress_probe(reader, PROBE_QUEUE, l, 0);
        progress_probe(reader, PROBE_PERMIT_NAMES, l, 0);
        for (int i = 0; i < progress_permits_asked(reader, l); i++)
            progress_probe(reader, PROBE_PERMIT, l, i);
    }
    if (reader->known.zone_limits_count > 0 && !reader->zones_listed)
        progress_probe(reader, PROBE_LEASE_NAMES, 0, 0);
    progress_probe_zones(reader);
    probe_barriers(reader);
    return send_probes(reader);
}

/* What the holders of the permits from `first` on say, and whether they live. */
static void probe_records(struct progress_reader *reader, int first)
{
    for (int i = first; i < reader->fresh.permits_count; i++) {
        progress_probe(reader, PROBE_HOLDER_RECORD, i, 0);
        progress_probe(reader, PROBE_HOLDER_LIVE, i, 0);
    }
}

static enum flow_verdict read_holders(struct flow *flow, void *ctx, struct error *err)
{
    struct progress_reader *reader = ctx;
    keep_new_probes(reader, reader->batch.work.count);
    probe_records(reader, 0);
    return send_probes(reader);
}

static bool sent_kind(const struct progress_reader *reader, enum probe_kind kind)
{
    for (int i = 0; i < reader->probes_count; i++)
        if (reader->probes[i].kind == kind)
            return true;
    return false;
}

static enum flow_verdict read_stragglers(struct flow *flow, void *ctx,
                                         struct error *err)
{
    struct progress_reader *reader = ctx;
    bool names = sent_kind(reader, PROBE_FAILED_NAMES);
    int holders = 0;
    for (int i = 0; i < reader->probes_count; i++)
        holders += reader->probes[i].kind == PROBE_HOLDER_RECORD;
    reader->probes_count = 0;
    probe_records(reader, holders);
    for (int i = 0; names && i < reader->fresh.failed_listed; i++)
        progress_probe(reader, PROBE_FAILED_RECORD, i, 0);
    for (int i = 0; i < reader->fresh.drifted_listed; i++)
        progress_probe(reader, PROBE_DRIFTED_RECORD, i, 0);
    return send_probes(reader);
}

static void drop(void *ctx)
{
    struct progress_reader *reader = ctx;
    zk_cancel(reader->zk, reader->request);
    reader->request = NULL;
    batch_cancel(&reader->batch);
}

static const struct flow_step steps[] = {
    {.name = "find the rollout", .run = find_rollout, .cancel = drop},
    {.name = "read its plan", .run = read_plan, .cancel = drop},
    {.name = "read gate and counts", .run = read_counts, .cancel = drop},
    {.name = "read the holders", .run = read_holders, .cancel = drop},
    {.name = "read the rest", .run = read_stragglers, .cancel = drop},
    {0},
};

/* The limits may have grown or moved: permits by index of the new gate's leases. */
static void settle_leases(struct progress_reader *reader)
{
    struct progress_reading *fresh = &reader->fresh;
    int waiting[GATE_LIMITS_MAX] = {0}, kept = 0;
    for (int i = 0; i < reader->known.limits_count; i++)
        for (int l = 0; l < fresh->gate.limits_count; l++)
            if (str_equal(fresh->gate.limits[l].lease, reader->known.limits[i].lease))
                waiting[l] = fresh->waiting[i];
    for (int i = 0; i < fresh->permits_count; i++) {
        struct progress_permit *permit = &fresh->permits[i];
        const char *lease = reader->known.limits[permit->lease].lease;
        for (int l = 0; l < fresh->gate.limits_count; l++) {
            if (str_equal(fresh->gate.limits[l].lease, lease)) {
                permit->lease = l;
                fresh->permits[kept++] = *permit;
                break;
            }
        }
    }
    fresh->permits_count = kept;
    memcpy(fresh->waiting, waiting, sizeof(waiting));
}

/* The rollout's time windows, by this machine's clock and zones. */
static void look_at_hours(struct progress_reader *reader)
{
    const struct spec *spec = reader->manifest->spec;
    reader->fresh.hours = windows_at(spec->windows, spec->windows_count,
                                     loop_wall_ms(reader->loop), zone_offset_s);
}

static void on_refreshed(void *ctx, int result, const struct error *err)
{
    struct progress_reader *reader = ctx;
    if (result == 0 && reader->rollout[0]) {
        settle_leases(reader);
        reader->fresh.zone_leases = &reader->zone_leases;
        reader->fresh.zones_left_out = reader->zones_left_out;
        look_at_hours(reader);
        progress_reading_done(&reader->reading);
        reader->reading = reader->fresh;
        reader->fresh = (struct progress_reading){0};
    } else {
        reader->failed_seen = 0;
        progress_reading_done(&reader->fresh);
    }
    reader->done(reader->done_ctx, result, err);
}

void progress_reader_init(struct progress_reader *reader, struct zk *zk,
                          struct loop *loop, const char *root, const char *rollout)
{
    *reader = (struct progress_reader){.zk = zk, .loop = loop};
    STR_COPY(reader->root, root);
    STR_COPY(reader->rollout, rollout ? rollout : "");
}

void progress_reader_refresh(struct progress_reader *reader, flow_done_f done,
                             void *done_ctx)
{
    reader->done = done;
    reader->done_ctx = done_ctx;
    reader->requests = reader->trips = 0;
    flow_start(&reader->flow, reader->loop, steps, reader, on_refreshed, reader);
}

void progress_reader_cancel(struct progress_reader *reader)
{
    if (!flow_active(&reader->flow))
        return;
    flow_cancel(&reader->flow);
    batch_cancel(&reader->batch);
    reader->failed_seen = 0;
    progress_reading_done(&reader->fresh);
}

void progress_reader_done(struct progress_reader *reader)
{
    progress_reader_cancel(reader);
    progress_reading_done(&reader->reading);
    manifest_free(reader->manifest);
    strings_done(&reader->zone_leases);
    free(reader->probes);
    *reader = (struct progress_reader){0};
}
