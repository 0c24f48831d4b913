/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/model/progress.h"

#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <stdlib.h>
#include <string.h>

void pace_add(struct pace *pace, int64_t at_ms, int arrivals)
{
    int last = (pace->next + PACE_SAMPLES - 1) % PACE_SAMPLES;
    if (pace->count > 0 && pace->samples[last].arrivals == arrivals)
        return; /* a sample is an arrival, not a look */
    pace->samples[pace->next] =
        (struct pace_sample){.at_ms = at_ms, .arrivals = arrivals};
    pace->next = (pace->next + 1) % PACE_SAMPLES;
    if (pace->count < PACE_SAMPLES)
        pace->count++;
}

/* Arrivals and the time they took: of the samples where they say enough, else since
 * the start. */
static void pace_of(const struct pace *pace, const struct progress *progress,
                    int64_t now_ms, double *ret_arrivals, double *ret_ms)
{
    *ret_arrivals = progress->arrivals;
    *ret_ms = (double)(now_ms - progress->started_ms);
    if (!pace || pace->count < 4)
        return;
    int first = (pace->next + PACE_SAMPLES - pace->count) % PACE_SAMPLES;
    int arrivals = progress->arrivals - pace->samples[first].arrivals;
    if (arrivals > 0 && now_ms > pace->samples[first].at_ms) {
        *ret_arrivals = arrivals;
        *ret_ms = (double)(now_ms - pace->samples[first].at_ms);
    }
}

/* Until somebody promotes, or a window opens, nothing goes on; and the first wave,
 * often of one host, says nothing about many at a time. */
static bool has_pace(const struct progress *progress)
{
    bool stands = progress->wait.kind == PROGRESS_WAITS_FOR_PROMOTE ||
                  progress->wait.kind == PROGRESS_WAITS_FOR_WINDOW;
    bool first = progress->waves_count > 1 && !progress->waves[0].ended;
    return progress->phase == GATE_RUN && !stands && !first;
}

static int64_t eta(const struct progress *progress, const struct pace *pace,
                   int64_t now_ms)
{
    double arrivals, took_ms;
    int left = progress->arrivals_wanted - progress->arrivals;
    if (!has_pace(progress))
        return -1;
    pace_of(pace, progress, now_ms, &arrivals, &took_ms);
    if (arrivals <= 0 || took_ms <= 0)
        return -1;
    return now_ms + (int64_t)(took_ms / arrivals * (left > 0 ? left : 0));
}

static void make_waves(const struct progress_reading *reading, struct progress *ret)
{
    const struct manifest *manifest = reading->manifest;
    const struct spec *spec = manifest->spec;
    ret->waves = mem_array((size_t)manifest->waves_count + 1, sizeof(*ret->waves));
    ret->waves_count = manifest->waves_count;
    bool before_ended = true;
    for (int w = 0; w < manifest->waves_count; w++) {
        struct progress_wave *wave = &ret->waves[w];
        STR_COPY(wave->name, manifest->waves[w].name);
        wave->size = manifest->waves[w].size;
        wave->stages_count = spec->stages_count;
        wave->begun = before_ended;
        for (int s = 0; s < spec->stages_count; s++) {
            const struct progress_barrier *barrier =
                &reading->barriers[w * spec->stages_count + s];
            struct progress_stage *stage = &wave->stages[s];
            STR_COPY(stage->name, spec->stages[s].name);
            STR_COPY(stage->lease, spec->stages[s].lease);
            stage->arrived = barrier->arrived;
            stage->open = barrier->open;
            wave->ended = barrier->open;
            ret->arrivals += barrier->arrived;
            ret->arrivals_wanted += wave->size;
        }
        before_ended = wave->ended;
    }
}

/* A record read after its permit may have moved on: then it says nothing about it. */
static bool permit_in_force(const struct progress_reading *reading,
                            const struct progress_permit *permit)
{
    return permit->has_record && permit->record.permit == permit->permit &&
           str_equal(permit->record.lease, reading->gate.limits[permit->lease].lease);
}

static void add_held(const struct progress_reading *reading,
                     const struct progress_permit *permit, struct progress_lease *lease)
{
    struct progress_held *held = &lease->held[lease->held_count++];
    STR_COPY(held->host, permit->host);
    held->permit = permit->permit;
    held->token = permit->token;
    held->since_ms = permit->since_ms;
    held->state = HOST_HOLDING;
    held->away = !permit->live;
    held->unreadable = permit->bad.code < 0;
    if (permit_in_force(reading, permit)) {
        held->state = permit->record.state;
        STR_COPY(held->zone, permit->record.zone);
        STR_COPY(held->stage, permit->record.stage);
        STR_COPY(held->step, permit->record.step);
        STR_COPY(held->doing, permit->record.doing);
        held->attempt = permit->record.attempt;
    }
}

static int compare_held(const void *a, const void *b)
{
    const struct progress_held *x = a, *y = b;
    if (x->since_ms != y->since_ms)
        return x->since_ms < y->since_ms ? -1 : 1;
    return strcmp(x->host, y->host);
}

static void make_zones(const struct progress_reading *reading,
                       struct progress_lease *lease)
{
    const struct strings *names = reading->zone_leases;
    int count = names ? names->count : 0;
    lease->zone_limit = gate_zone_limit(&reading->gate, lease->name);
    lease->zones = mem_array((size_t)count + 1, sizeof(*lease->zones));
    for (int i = 0; i < count && lease->zone_limit > 0; i++) {
        if (!str_equal(lease_of_all(names->items[i]).text, lease->name))
            continue;
        struct progress_zone *zone = &lease->zones[lease->zones_count++];
        STR_COPY(zone->zone, lease_zone(names->items[i]));
        zone->limit = gate_limit(&reading->gate, names->items[i]);
        zone->held = reading->zones[i].held;
        zone->waiting = reading->zones[i].waiting;
        lease->waiting += zone->waiting;
    }
}

static void make_leases(const struct progress_reading *reading, struct progress *ret)
{
    const struct gate *gate = &reading->gate;
    ret->leases = mem_array((size_t)gate->limits_count + 1, sizeof(*ret->leases));
    ret->leases_count = gate->limits_count;
    for (int l = 0; l < gate->limits_count; l++) {
        struct progress_lease *lease = &ret->leases[l];
        int count = 0;
        STR_COPY(lease->name, gate->limits[l].lease);
        lease->limit = gate->limits[l].permits;
        lease->waiting = reading->waiting[l];
        for (int i = 0; i < reading->permits_count; i++)
            count += reading->permits[i].lease == l;
        lease->held = mem_array((size_t)count + 1, sizeof(*lease->held));
        for (int i = 0; i < reading->permits_count; i++)
            if (reading->permits[i].lease == l)
                add_held(reading, &reading->permits[i], lease);
        qsort(lease->held, (size_t)count, sizeof(*lease->held), compare_held);
        make_zones(reading, lease);
    }
}

/* Where it failed; steps before that one may have been put back with it. */
static const char *failed_step(const struct record *record)
{
    const char *step = record->step;
    for (int i = 0; i < record->steps_count && !step[0]; i++)
        if (record->steps[i].state == STEP_FAILED)
            step = record->steps[i].name;
    return step;
}

static void make_failures(const struct progress_reading *reading, struct progress *ret)
{
    ret->failures =
        mem_array((size_t)reading->failed_listed + 1, sizeof(*ret->failures));
    ret->failures_count = reading->failed_listed;
    for (int i = 0; i < reading->failed_listed; i++) {
        const struct progress_failed *failed = &reading->failed[i];
        struct progress_failure *failure = &ret->failures[i];
        STR_COPY(failure->host, failed->host);
        failure->state = HOST_FAILED;
        if (failed->has_record) {
            failure->state = failed->record.state;
            failure->healthy = failed->record.healthy;
            STR_COPY(failure->step, failed_step(&failed->record));
            STR_COPY(failure->error, failed->record.error);
        } else {
            STR_COPY(failure->error, failed->bad.text);
        }
    }
}

static void make_drifted(const struct progress_reading *reading, struct progress *ret)
{
    ret->drifted =
        mem_array((size_t)reading->drifted_listed + 1, sizeof(*ret->drifted));
    ret->drifted_count = reading->drifted_listed;
    for (int i = 0; i < reading->drifted_listed; i++) {
        const struct record *record = &reading->drifted[i].record;
        struct progress_drifted *drifted = &ret->drifted[i];
        STR_COPY(drifted->host, reading->drifted[i].host);
        drifted->repairs = record->drift == RECORD_REPAIRING;
        for (int s = 0; s < record->steps_count; s++) {
            if (record->steps[s].state != STEP_DRIFTED)
                continue;
            int n = drifted->steps_count++;
            STR_COPY(drifted->steps[n].step, record->steps[s].name);
            STR_COPY(drifted->steps[n].says, record->steps[s].says);
        }
    }
}

static int at_least_0(int n)
{
    return n > 0 ? n : 0;
}

static void count_hosts(const struct progress_reading *reading, struct progress *ret)
{
    struct progress_hosts *hosts = &ret->hosts;
    int late = 0, retried = 0, arrived = 0;
    hosts->total = reading->manifest->hosts;
    for (int i = 0; i < reading->permits_count; i++) {
        const struct progress_permit *permit = &reading->permits[i];
        const struct record *record = &permit->record;
        if (!permit_in_force(reading, permit))
            continue;
        hosts->holding += record->state == HOST_HOLDING;
        hosts->lost += record->state == HOST_LOST;
        late += record->state == HOST_HOLDING && record->wave < 0;
        bool repairs = record->drift == RECORD_REPAIRING;
        /* Lost or not: its wave has got its arrival; a late host has none. */
        retried += (record->state == HOST_HOLDING || record->state == HOST_LOST) &&
                   record->wave >= 0 && (record->retried || repairs);
        hosts->repairing += record->state == HOST_HOLDING && repairs;
    }
    for (int i = 0; i < reading->drifted_listed; i++) {
        const struct record *record = &reading->drifted[i].record;
        retried += record->state == HOST_WAITING && record->wave >= 0 &&
                   record->drift == RECORD_REPAIRING; /* it stands in a queue */
    }
    for (int l = 0; l < ret->leases_count; l++)
        hosts->waiting += ret->leases[l].waiting;
    for (int w = 0; w < ret->waves_count; w++)
        if (ret->waves[w].stages_count > 0)
            arrived += ret->waves[w].stages[ret->waves[w].stages_count - 1].arrived;
    hosts->failed = at_least_0(reading->failed_count - hosts->lost);
    hosts->excluded = reading->excluded_count;
    hosts->drifted = reading->drifted_count;
    hosts->done = at_least_0(arrived - hosts->failed - hosts->excluded - retried);
    hosts->idle =
        at_least_0(hosts->total - hosts->done - hosts->failed - hosts->lost -
                   hosts->excluded - (hosts->holding - late) - hosts->waiting);
}

const char *progress_wait_text(enum progress_wait_kind kind)
{
    static const char *const texts[] = {
        [PROGRESS_WAITS_FOR_NOTHING] = NULL,
        [PROGRESS_WAITS_FOR_WINDOW] = "window",
        [PROGRESS_WAITS_FOR_PROMOTE] = "promote",
        [PROGRESS_WAITS_FOR_SOAK] = "soak",
    };
    return texts[kind];
}

/* Between two waves: is the one before complete, and what keeps the next one? */
static void look_between_waves(const struct progress_reading *reading, int64_t now_ms,
                               struct progress_wait *wait)
{
    const struct manifest *manifest = reading->manifest;
    int stages = manifest->spec->stages_count;
    for (int w = 0; w < manifest->waves_count - 1; w++) {
        const struct progress_barrier *last = &reading->barriers[(w + 1) * stages - 1];
        int64_t until_ms = last->opened_ms + manifest->spec->soak_ms;
        if (last->open && last[1].arrived == 0 && now_ms < until_ms) {
            wait->kind = PROGRESS_WAITS_FOR_SOAK;
            wait->until_ms = until_ms;
        } else if (!last->open && last->arrived >= manifest->waves[w].size &&
                   manifest_manual(manifest, w, stages - 1)) {
            wait->kind = PROGRESS_WAITS_FOR_PROMOTE;
        } else {
            continue;
        }
        STR_COPY(wait->wave, manifest->waves[w].name);
        return;
    }
}

static void look_for_waits(const struct progress_reading *reading, int64_t now_ms,
                           struct progress_wait *wait)
{
    if (reading->gate.phase != GATE_RUN)
        return;
    if (reading->manifest->spec->stages_count > 0)
        look_between_waves(reading, now_ms, wait);
    if (wait->kind != PROGRESS_WAITS_FOR_NOTHING || reading->hours.open ||
        reading->manifest->spec->windows_count == 0)
        return;
    wait->kind = PROGRESS_WAITS_FOR_WINDOW;
    wait->until_ms = reading->hours.until_ms;
}

void progress_make(const struct progress_reading *reading, const struct pace *pace,
                   int64_t now_ms, struct progress *ret)
{
    const struct manifest *manifest = reading->manifest;
    *ret = (struct progress){
        .phase = reading->gate.phase,
        .kind = manifest->kind,
        .adopts = manifest->spec->adopt,
        .started_ms = manifest->created_ms,
        .phase_ms = reading->gate.at_ms,
        .failed_budget = reading->gate.max_failed,
        .zones_left_out = reading->zones_left_out,
    };
    STR_COPY(ret->rollout, manifest->id);
    STR_COPY(ret->of, manifest->of);
    STR_COPY(ret->name, manifest->spec->name ? manifest->spec->name : "");
    STR_COPY(ret->calico_version,
             manifest->spec->calico_version ? manifest->spec->calico_version : "");
    STR_COPY(ret->created_by, manifest->by);
    STR_COPY(ret->reason, reading->gate.reason);
    STR_COPY(ret->by, reading->gate.by);
    make_waves(reading, ret);
    make_leases(reading, ret);
    make_failures(reading, ret);
    make_drifted(reading, ret);
    count_hosts(reading, ret);
    look_for_waits(reading, now_ms, &ret->wait);
    ret->eta_ms = eta(ret, pace, now_ms);
}

void progress_done(struct progress *progress)
{
    for (int l = 0; progress->leases && l < progress->leases_count; l++) {
        free(progress->leases[l].held);
        free(progress->leases[l].zones);
    }
    free(progress->leases);
    free(progress->waves);
    free(progress->failures);
    free(progress->drifted);
    *progress = (struct progress){0};
}

void progress_reading_done(struct progress_reading *reading)
{
    free(reading->barriers);
    free(reading->permits);
    free(reading->failed);
    free(reading->drifted);
    *reading = (struct progress_reading){0};
}

bool progress_ended(const struct progress *progress)
{
    return progress->phase == GATE_DONE || progress->phase == GATE_KEEP;
}

static bool all_open(const struct progress *progress)
{
    int last = progress->waves_count - 1;
    return last >= 0 && progress->waves[last].ended;
}

bool progress_succeeded(const struct progress *progress)
{
    return progress_ended(progress) && all_open(progress) &&
           progress->hosts.failed == 0 && progress->hosts.lost == 0;
}

int progress_holders(const struct progress *progress)
{
    int count = 0;
    for (int l = 0; l < progress->leases_count; l++)
        count += progress->leases[l].held_count;
    return count;
}

const char *progress_phase_text(const struct progress *progress)
{
    switch (progress->phase) {
    case GATE_RUN:
        return "running";
    case GATE_PAUSE:
        return "paused";
    case GATE_ABORT:
        return "aborting";
    case GATE_KEEP:
    case GATE_DONE:
        break;
    }
    if (!all_open(progress))
        return "aborted";
    return progress_succeeded(progress) ? "finished" : "finished with failures";
}
