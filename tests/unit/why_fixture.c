/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/why_fixture.h"

#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "tests/unit/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

enum { STAGES = 3, FOUR_MINUTES_MS = 242000 };

static void add_wave(struct manifest *manifest, const char *name, int size)
{
    STR_COPY(manifest->waves[manifest->waves_count].name, name);
    manifest->waves[manifest->waves_count++].size = size;
    manifest->hosts += size;
}

static struct manifest *make_manifest(const char *spec)
{
    struct manifest *manifest = NEW(struct manifest);
    struct strbuf errors = {0};
    struct error err = {0};
    if (spec_parse(spec, strlen(spec), &manifest->spec, &errors, &err) < 0)
        fail_msg("%s: %s", err.text, errors.text);
    strbuf_done(&errors);
    STR_COPY(manifest->id, "20261123-200000-1a2b");
    add_wave(manifest, "canary", 2);
    add_wave(manifest, "wave-1", 30);
    add_wave(manifest, "wave-2", 88);
    return manifest;
}

void why_begin(struct why_fixture *f, const char *spec)
{
    struct error err = {0};
    *f = (struct why_fixture){.manifest = make_manifest(spec)};
    f->rollout.manifest = f->manifest;
    f->rollout.hours = (struct window_state){.open = true, .until_ms = INT64_MAX};
    f->rollout.barriers = mem_array(STAGES * STAGES, sizeof(*f->rollout.barriers));
    assert_int_equal(gate_set_limit(&f->rollout.gate, "install", 12, &err), 0);
    assert_int_equal(gate_set_limit(&f->rollout.gate, "restart", 1, &err), 0);
    why_gate_is(f, GATE_RUN, "ops@laptop", "");
    for (int s = 0; s < STAGES; s++)
        why_arrived(f, 0, s, 2, true);
    facts_init(&f->facts);
    STR_COPY(f->facts.address, WHY_HOST);
    f->in.rollout = &f->rollout;
    f->in.facts = &f->facts;
    STR_COPY(f->in.host.host, WHY_HOST);
    f->in.host.live = true;
    f->in.host.has_record = true;
    f->in.host.record = why_record(HOST_IDLE, "", "", -1);
}

void why_end(struct why_fixture *f)
{
    why_done(&f->why);
    facts_done(&f->facts);
    progress_reading_done(&f->rollout);
    manifest_free(f->manifest);
}

void why_explain(struct why_fixture *f)
{
    why_done(&f->why);
    why_make(&f->in, WHY_NOW_MS, &f->why);
}

void why_gate_is(struct why_fixture *f, enum gate_phase phase, const char *by,
                 const char *reason)
{
    f->rollout.gate.phase = phase;
    f->rollout.gate.at_ms = WHY_NOW_MS - 12 * INT64_C(60000);
    STR_COPY(f->rollout.gate.by, by);
    STR_COPY(f->rollout.gate.reason, reason);
}

void why_arrived(struct why_fixture *f, int wave, int stage, int count, bool open)
{
    f->rollout.barriers[wave * STAGES + stage] = (struct progress_barrier){
        .arrived = count, .open = open, .opened_ms = open ? WHY_NOW_MS - 60000 : 0};
}

struct record why_record(enum host_state state, const char *stage, const char *lease,
                         int permit)
{
    struct record record;
    record_init(&record, 1);
    record.state = state;
    record.since_ms = WHY_NOW_MS - FOUR_MINUTES_MS;
    record.permit = permit;
    record.attempt = state == HOST_HOLDING;
    STR_COPY(record.stage, stage);
    STR_COPY(record.lease, lease);
    return record;
}

static int lease_index(const struct why_fixture *f, const char *lease)
{
    int l = 0;
    while (!str_equal(f->rollout.gate.limits[l].lease, lease))
        l++;
    return l;
}

struct progress_permit *why_held_by(struct why_fixture *f, const char *lease,
                                    const char *host, enum host_state state, bool live)
{
    struct progress_reading *rollout = &f->rollout;
    int i = rollout->permits_count++;
    rollout->permits = mem_resize(rollout->permits, (size_t)rollout->permits_count,
                                  sizeof(*rollout->permits));
    struct progress_permit *permit = &rollout->permits[i];
    *permit = (struct progress_permit){.lease = lease_index(f, lease),
                                       .permit = i,
                                       .since_ms = WHY_NOW_MS - FOUR_MINUTES_MS,
                                       .heard_ms = WHY_NOW_MS - 90000,
                                       .live = live,
                                       .has_record = true};
    STR_COPY(permit->host, host);
    permit->record = why_record(state, "restart", lease, i);
    permit->record.stages_done = 1;
    STR_COPY(permit->record.step, "docker-cluster-store");
    STR_COPY(permit->record.doing, state == HOST_HOLDING ? "restart unit" : "");
    return permit;
}

struct why_host *why_missing(struct why_fixture *f, const char *host, bool live,
                             struct record record)
{
    struct why_host *missing = &f->in.missing[f->in.missing_named++];
    f->in.missing_count++;
    *missing = (struct why_host){.live = live, .has_record = true, .record = record};
    STR_COPY(missing->host, host);
    return missing;
}

void why_wait_in_line(struct why_fixture *f)
{
    f->in.host.record = why_record(HOST_WAITING, "restart", "restart", -1);
    f->in.host.record.stages_done = 1;
    f->in.place = 2;
    f->in.in_queue = 12;
}

void why_wait_for_wave(struct why_fixture *f)
{
    f->in.host.record = why_record(HOST_IDLE, "restart", "", -1);
    f->in.host.record.stages_done = 2;
    why_arrived(f, 1, 0, 30, true);
    why_arrived(f, 1, 1, 17, false);
    struct progress_permit *held =
        why_held_by(f, "restart", "10.0.0.5", HOST_HOLDING, true);
    why_missing(f, "10.0.0.5", true, held->record);
    why_missing(f, "10.0.0.6", true,
                why_record(HOST_WAITING, "restart", "restart", -1));
    why_missing(f, "10.0.0.7", false, why_record(HOST_IDLE, "", "", -1));
    f->in.missing_count = 13;
}
