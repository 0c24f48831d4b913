/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/cli/scenes.h"

#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *scene_name(enum scene scene)
{
    static const char *const names[] = {
        [SCENE_RUNNING] = "running",       [SCENE_PAUSED_BY_FAILURE] = "paused",
        [SCENE_LOST_HOLDER] = "lost",      [SCENE_ABORTING] = "aborting",
        [SCENE_FINISHED] = "finished",     [SCENE_FINISHED_WITH_FAILURES] = "failures",
        [SCENE_MANY_WAVES] = "waves",      [SCENE_HOSTILE_TEXT] = "hostile",
        [SCENE_BETWEEN_WAVES] = "between", [SCENE_DRIFTED] = "drifted",
        [SCENE_LARGE] = "large",           [SCENE_ZONES] = "zones",
    };
    return names[scene];
}

static struct spec *parse(const char *text)
{
    struct spec *spec = NULL;
    struct strbuf errors = {0};
    struct error err = {0};
    if (spec_parse(text, strlen(text), &spec, &errors, &err) < 0) {
        (void)fprintf(stderr, "scene: %s: %s\n", err.text, errors.text);
        abort();
    }
    strbuf_done(&errors);
    return spec;
}

static void add_wave(struct manifest *m, const char *name, int size)
{
    STR_COPY(m->waves[m->waves_count].name, name);
    m->waves[m->waves_count++].size = size;
    m->hosts += size;
}

static struct manifest *make_manifest(enum scene scene)
{
    struct manifest *m = NEW(struct manifest);
    m->spec = parse("{\"name\":\"calico-2.6\",\"calico\":{\"version\":\"2.6.11\"}}");
    m->spec->promote_manual = scene == SCENE_BETWEEN_WAVES;
    STR_COPY(m->id, "20261123-200000-1a2b");
    STR_COPY(m->by, "ops@laptop");
    m->created_ms = SCENE_NOW_MS - 600000;
    if (scene == SCENE_MANY_WAVES || scene == SCENE_LARGE) {
        int waves = scene == SCENE_LARGE ? 20 : 9,
            size = scene == SCENE_LARGE ? 263 : 600;
        for (int w = 0; w < waves; w++) {
            char name[24];
            (void)snprintf(name, sizeof(name), "wave-%d", w + 1);
            add_wave(m, w == 0 ? "canary" : name, w == 0 ? 5 : size);
        }
    } else {
        add_wave(m, "canary", 2);
        add_wave(m, "wave-1", 30);
        add_wave(m, "wave-2", 88);
    }
    return m;
}

static void set_gate(struct gate *gate, int restart, int install)
{
    struct error err;
    if (gate_set_limit(gate, "install", install, &err) < 0 ||
        gate_set_limit(gate, "restart", restart, &err) < 0)
        abort();
    gate->at_ms = SCENE_NOW_MS - 45000;
    STR_COPY(gate->by, "ops@laptop");
}

static void arrive(struct progress_reading *r, int wave, int stage, int count,
                   bool open)
{
    int stages = r->manifest->spec->stages_count;
    r->barriers[wave * stages + stage] =
        (struct progress_barrier){.arrived = count, .open = open};
}

static void arrive_all(struct progress_reading *r, int wave)
{
    for (int s = 0; s < r->manifest->spec->stages_count; s++)
        arrive(r, wave, s, r->manifest->waves[wave].size, true);
}

static struct record *hold(struct progress_reading *r, int lease, int permit,
                           const char *host, const char *step, const char *doing,
                           int64_t for_ms)
{
    int i = r->permits_count++;
    r->permits = mem_resize(r->permits, (size_t)r->permits_count, sizeof(*r->permits));
    r->permits[i] = (struct progress_permit){.lease = lease,
                                             .permit = permit,
                                             .token = 4294968123 + i,
                                             .since_ms = SCENE_NOW_MS - for_ms,
                                             .live = true,
                                             .has_record = true};
    STR_COPY(r->permits[i].host, host);
    struct record *record = &r->permits[i].record;
    record_init(record, 1);
    record->state = HOST_HOLDING;
    record->permit = permit;
    record->attempt = 1;
    STR_COPY(record->lease, r->gate.limits[lease].lease);
    STR_COPY(record->stage, lease ? "restart" : "run");
    STR_COPY(record->step, step);
    STR_COPY(record->doing, doing);
    return record;
}

static void add_failed(struct progress_reading *r, const char *host, const char *error)
{
    int i = r->failed_listed++;
    r->failed = mem_resize(r->failed, (size_t)r->failed_listed, sizeof(*r->failed));
    r->failed[i] = (struct progress_failed){.has_record = true};
    STR_COPY(r->failed[i].host, host);
    record_init(&r->failed[i].record, 1);
    r->failed[i].record.state = HOST_FAILED;
    r->failed[i].record.healthy = true;
    STR_COPY(r->failed[i].record.error, error);
    STR_COPY(r->failed[i].record.step, "docker-cluster-store");
    r->failed_count++;
    r->gate.failed++;
}

static struct record *add_drifted(struct progress_reading *r, const char *host,
                                  enum record_drift drift)
{
    int i = r->drifted_listed++;
    r->drifted = mem_resize(r->drifted, (size_t)r->drifted_listed, sizeof(*r->drifted));
    r->drifted[i] = (struct progress_failed){.has_record = true};
    STR_COPY(r->drifted[i].host, host);
    record_init(&r->drifted[i].record, 1);
    r->drifted[i].record.drift = drift;
    r->drifted_count++;
    return &r->drifted[i].record;
}

static void drifted_step(struct record *record, const char *name, const char *says)
{
    struct step_record *step = record_step(record, name);
    step->state = STEP_DRIFTED;
    STR_COPY(step->says, says);
}

static const char docker_error[] =
    "docker.service did not come up within 1m: \"Job for docker.service failed because "
    "the control process exited with error code\"; the old daemon.json was put back "
    "and "
    "Docker is healthy";

static void middle(struct progress_reading *r)
{
    arrive_all(r, 0);
    arrive(r, 1, 0, 30, true);
    arrive(r, 1, 1, 12, false);
    hold(r, 1, 0, "10.0.0.17", "docker-cluster-store", "restart unit", 12000);
    hold(r, 0, 3, "10.0.0.18", "node", "pull image", 3000);
    hold(r, 0, 1, "node-with-a-long-name.example.net", "libnetwork", "prove", 64000);
    r->waiting[1] = 12;
}

static void hold_many(struct progress_reading *r, int lease, int count)
{
    for (int i = 0; i < count; i++) {
        char host[32];
        (void)snprintf(host, sizeof(host), "10.%d.2.%d", lease + 1, i);
        hold(r, lease, i, host, "node", "pull image", 1000 * i);
    }
}

static void fill_large(struct progress_reading *r)
{
    for (int w = 0; w < 7; w++)
        arrive_all(r, w);
    arrive(r, 7, 0, 263, true);
    arrive(r, 7, 1, 88, false);
    hold_many(r, 0, 40);
    hold_many(r, 1, 25);
    r->permits[3].live = false;
    r->waiting[0] = 91;
    r->waiting[1] = 17;
    for (int i = 0; i < 30; i++) {
        char host[32];
        (void)snprintf(host, sizeof(host), "10.7.7.%d", i);
        add_failed(r, host, docker_error);
    }
    r->gate.phase = GATE_PAUSE;
    r->gate.max_failed = 29;
    STR_COPY(r->gate.by, "10.7.7.29");
    STR_COPY(r->gate.reason, "host 10.7.7.29 failed (30 failed, at most 29 allowed)");
}

/* restart: three at a time, of each rack one. */
static void zones(struct progress_reading *r)
{
    static char names[4][16] = {"restart._", "restart.rack-1", "restart.rack-2",
                                "restart.rack-3"};
    static char *items[4] = {names[0], names[1], names[2], names[3]};
    static const struct strings leases = {items, 4};
    struct error err;
    middle(r);
    if (gate_set_limit(&r->gate, "restart", 3, &err) < 0 ||
        gate_set_zone_limit(&r->gate, "restart", 1, &err) < 0 ||
        gate_set_zone_limit(&r->gate, "restart.rack-3", 2, &err) < 0)
        abort();
    STR_COPY(r->permits[0].record.zone, "rack-1");
    r->waiting[1] = 0;
    r->zone_leases = &leases;
    r->zones[1] = (struct progress_zone_counts){.held = 1, .waiting = 9};
    r->zones[3] = (struct progress_zone_counts){.held = 1};
}

static void fill(enum scene scene, struct progress_reading *r)
{
    switch (scene) {
    case SCENE_RUNNING:
        middle(r);
        break;
    case SCENE_PAUSED_BY_FAILURE:
        middle(r);
        r->permits_count = 1;
        add_failed(r, "10.0.0.9", docker_error);
        r->gate.phase = GATE_PAUSE;
        STR_COPY(r->gate.by, "10.0.0.9");
        STR_COPY(r->gate.reason, "host 10.0.0.9 failed (1 failed, at most 0 allowed)");
        break;
    case SCENE_LOST_HOLDER:
        middle(r);
        r->permits[0].record.state = HOST_LOST;
        r->failed_count = 1;
        break;
    case SCENE_ABORTING:
        middle(r);
        r->gate.phase = GATE_ABORT;
        STR_COPY(r->gate.reason, "wrong image");
        break;
    case SCENE_DRIFTED:
        drifted_step(add_drifted(r, "10.0.0.17", RECORD_REPAIRING), "node",
                     "to run quay.io/calico/node:v2.6.11");
        drifted_step(add_drifted(r, "10.0.0.5", RECORD_DRIFTED), "docker-cluster-store",
                     "Docker's store to become etcd://127.0.0.1:2379 by a restart");
        drifted_step(&r->drifted[1].record, "cni",
                     "calico.cni to be renewed; the Mesos agent restarts");
        drifted_step(add_drifted(r, "10.0.0.9", RECORD_DRIFTED), "cni",
                     "the Mesos agent does not answer");
        r->drifted_count = 41;
        hold(r, 0, 0, "10.0.0.17", "node", "pull image", 4000)->drift =
            RECORD_REPAIRING;
        for (int w = 0; w < 3; w++)
            arrive_all(r, w);
        r->gate.phase = GATE_KEEP;
        break;
    case SCENE_FINISHED:
    case SCENE_FINISHED_WITH_FAILURES:
        for (int w = 0; w < 3; w++)
            arrive_all(r, w);
        r->gate.phase = GATE_KEEP;
        if (scene == SCENE_FINISHED_WITH_FAILURES)
            add_failed(r, "10.0.0.9", docker_error);
        break;
    case SCENE_MANY_WAVES:
        for (int w = 0; w < 4; w++)
            arrive_all(r, w);
        arrive(r, 4, 0, 512, false);
        arrive(r, 4, 1, 88, false);
        hold_many(r, 0, 25);
        r->waiting[0] = 400;
        break;
    case SCENE_HOSTILE_TEXT:
        middle(r);
        r->gate.phase = GATE_PAUSE;
        STR_COPY(r->gate.reason, "line one\nline \033[31mtwo\033[0m\tand \007 a bell");
        add_failed(r, "10.0.0.9", "\033[2J\nwiped \303\244\303\266\303\274 screen");
        break;
    case SCENE_BETWEEN_WAVES:
        arrive_all(r, 0);
        arrive(r, 0, 2, 2, false);
        hold(r, 0, 1, "10.0.0.18", "node", "pull image", 3000);
        r->permits[0].live = false;
        break;
    case SCENE_LARGE:
        fill_large(r);
        break;
    case SCENE_ZONES:
        zones(r);
        break;
    }
}

void scene_make(enum scene scene, struct progress *ret)
{
    struct manifest *manifest = make_manifest(scene);
    struct progress_reading r = {.manifest = manifest, .gate = {.phase = GATE_RUN}};
    set_gate(&r.gate, 1, scene == SCENE_MANY_WAVES || scene == SCENE_LARGE ? 480 : 12);
    r.barriers =
        mem_array((size_t)(manifest->waves_count * manifest->spec->stages_count),
                  sizeof(*r.barriers));
    fill(scene, &r);
    progress_make(&r, NULL, SCENE_NOW_MS, ret);
    progress_reading_done(&r);
    manifest_free(manifest);
}

static void judge_as(struct plan_host *host, enum step_id step, enum finding finding,
                     enum disruption disruption)
{
    host->steps[step].finding = finding;
    host->steps[step].disruption = disruption;
    STR_COPY(host->steps[step].says,
             finding == FINDING_RIGHT ? "as wanted" : "not there");
}

struct plan_scene plan_scene_make(void)
{
    static const char *const names[] = {"10.0.0.5", "10.0.0.6", "10.0.0.7",
                                        "10.0.0.8", "10.0.0.9", "10.0.0.10"};
    struct plan_scene s = {.spec = parse("{\"calico\":{\"version\":\"2.6.11\"}}")};
    s.plan.hosts = mem_array(6, sizeof(*s.plan.hosts));
    s.plan.hosts_count = 6;
    s.plan.members = 3;
    s.plan.waves_count = 2;
    STR_COPY(s.plan.waves[0].name, "canary");
    STR_COPY(s.plan.waves[1].name, "wave-1");
    s.plan.waves[0].size = 1;
    s.plan.waves[1].size = 2;
    s.plan.docker_restarts = 1;
    s.plan.agent_restarts = 1;
    s.plan.reloads = 1;
    for (int h = 0; h < 6; h++) {
        struct plan_host *host = &s.plan.hosts[h];
        STR_COPY(host->host, names[h]);
        host->wave = h == 0 ? 0 : h < 3 ? 1 : -1;
        for (int i = 0; i < STEP_COUNT; i++)
            judge_as(host, (enum step_id)i, h == 2 ? FINDING_RIGHT : FINDING_ABSENT,
                     DISRUPTION_NONE);
    }
    judge_as(&s.plan.hosts[0], STEP_DOCKER_STORE, FINDING_ABSENT,
             DISRUPTION_DOCKER_RESTART);
    judge_as(&s.plan.hosts[0], STEP_CNI, FINDING_STALE, DISRUPTION_AGENT_RESTART);
    judge_as(&s.plan.hosts[1], STEP_DOCKER_STORE, FINDING_ABSENT, DISRUPTION_RELOAD);
    s.plan.hosts[3].fit = PLAN_ABSENT;
    STR_COPY(s.plan.hosts[3].why,
             "its agentd has no session: start clowder-agentd there");
    s.plan.hosts[4].fit = PLAN_UNFIT;
    STR_COPY(s.plan.hosts[4].why,
             "docker-cluster-store: Docker 23.0.1 has no cluster store (it was removed "
             "in 23.0); use a Docker before 23, or disable the step");
    s.plan.hosts[5].fit = PLAN_UNKNOWN_HOST;
    STR_COPY(s.plan.hosts[5].why, "never registered");
    return s;
}

void plan_scene_done(struct plan_scene *scene)
{
    plan_done(&scene->plan);
    spec_free(scene->spec);
}
