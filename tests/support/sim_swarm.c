/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/sim_swarm.h"

#include "shared/base/cleanup.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/swarm/init.h"
#include "shared/swarm/rollout_create.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOT "/clowder"
#define ROLLOUT "20261123-200000-5eed"

enum { RESTART_STAGE = 1, ACTS = 2 };
static const char *const act_steps[ACTS] = {"docker-cluster-store", "cni"};

struct host;

struct sim_visitor {
    struct visitor visitor;
    struct host *host;
    struct runner *runner;
    struct visit_order order;
    struct timer turn;
    struct timer patience; /* how long it waits for leave before it asks anew */
    int act;               /* index of the disruptive act under way or next */
    bool surveying, asking;
    bool acting;     /* it has begun and not ended */
    bool going_back; /* puts back what the acts before have done */
};

struct disk {           /* survives the process, not the machine */
    bool acted[ACTS];   /* the world: the act has taken effect in this rollout */
    bool journal[ACTS]; /* begun, as journaled before the act */
    bool failed;        /* the visit failed, as journaled */
    int failed_attempt, failed_stage;
    bool failed_healthy;
    int failures; /* of fail_times */
    int begun;    /* acts begun, ever */
    bool drifted[SIM_DRIFTS];
    bool doomed; /* the next visit fails, and puts back what it did */
};

struct host {
    struct sim_swarm *swarm;
    char id[HOST_ID_SIZE];
    int index;
    bool quiet;
    struct disk disk;
    /* the process */
    bool up;
    struct zk *zk;
    struct member member;
    struct runner runner;
    struct sim_visitor visitor;
    struct facts facts;
    struct live live;
    struct timer look;
    int64_t incarnation;
    uint64_t random;
};

struct sim_swarm {
    struct sim_swarm_config config;
    struct sim_loop *sim;
    struct model_zk *mz;
    struct host *hosts;
    struct manifest *manifest;
    int created; /* 0 = under way, 1 = done */
};

/* Each host draws from its own seed, so that faults left out do not change the others.
 */
static uint64_t draw(struct host *h)
{
    uint64_t z = (h->random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static bool chance(struct host *h, int ppm)
{
    return draw(h) % 1000000 < (uint64_t)ppm;
}

static int all_hosts(const struct sim_swarm *swarm)
{
    return swarm->config.hosts + swarm->config.late;
}

const char *sim_moment_text(enum sim_moment moment)
{
    static const char *const texts[] = {
        [SIM_MOVED] = "moved", [SIM_JOURNALED] = "journaled", [SIM_ACTING] = "acting",
        [SIM_ACTED] = "acted", [SIM_VISITED] = "visited",
    };
    return texts[moment];
}

static void tell(struct host *h, enum sim_moment moment)
{
    const struct sim_swarm_hooks *hooks = &h->swarm->config.hooks;
    if (hooks->moment)
        hooks->moment(hooks->ctx, h->index, moment);
}

/* ---- the visitor ---- */

static void visit_next(struct sim_visitor *v);
static void finish(struct sim_visitor *v);

static void on_next(void *ctx)
{
    visit_next(ctx);
}

static void on_finish(void *ctx)
{
    finish(ctx);
}

static struct sim_visitor *visitor_of(struct visitor *visitor)
{
    return (struct sim_visitor *)visitor;
}

static void report_act(struct sim_visitor *v, enum history_kind kind)
{
    struct host *h = v->host;
    char step[NAME_SIZE];
    snprintf(step, sizeof(step), "%s%s", act_steps[v->act],
             v->going_back ? "-back" : "");
    struct history_entry act = {
        .kind = kind,
        .host = h->id,
        .lease = "restart",
        .step = step,
        .token = v->order.token,
        .attempt = v->order.attempt,
        .at_zxid = model_zk_zxid(h->swarm->mz),
    };
    history_act(model_zk_history(h->swarm->mz), &act);
}

static void begin_report(struct sim_visitor *v)
{
    report_act(v, HISTORY_ACT_BEGIN);
    v->acting = true;
}

static void end_report(struct sim_visitor *v)
{
    if (v->acting)
        report_act(v, HISTORY_ACT_END);
    v->acting = false;
}

static int acts_of(const struct sim_visitor *v, int stage)
{
    return stage == RESTART_STAGE && !v->host->quiet ? ACTS : 0;
}

/* ---- drift ---- */

static void look_at(struct host *h)
{
    sim_see(h->swarm->manifest->spec, h->disk.drifted, &h->facts);
}

/* A host that repairs itself leaves alone what is only to be reported. */
static bool mends(const struct sim_visitor *v, enum step_id step)
{
    const struct spec *spec = v->host->swarm->manifest->spec;
    struct judgement j;
    if (!runner_repairs(v->runner))
        return true;
    look_at(v->host);
    judge(step, spec, &v->host->facts,
          json_object_get(v->host->facts.seen, step_name(step)), &j);
    return drift_repairs(spec, step, &j);
}

/* The visit is done: what it mended, and what each step came to. */
static void mend_stage(struct sim_visitor *v)
{
    const struct spec_stage *stage =
        &v->host->swarm->manifest->spec->stages[v->order.stage];
    for (int i = 0; i < stage->steps_count; i++) {
        enum step_id step = stage->steps[i];
        struct step_record *entry =
            record_step(runner_record(v->runner), step_name(step));
        bool right = mends(v, step), is = false;
        for (int d = 0; d < SIM_DRIFTS; d++) {
            bool *drifted = &v->host->disk.drifted[d];
            if (sim_drift_step((enum sim_drift)d) == step)
                *drifted = *drifted && !right;
            is = is || (*drifted && sim_drift_step((enum sim_drift)d) == step);
        }
        if (!entry->by[0])
            entry->state = is ? STEP_DRIFTED : STEP_PROVED;
    }
}

static bool due(const struct sim_visitor *v, int act)
{
    return !v->host->disk.acted[act] && !runner_declared(v->runner, act_steps[act]) &&
           mends(v, (enum step_id)step_from_name(act_steps[act]));
}

static int64_t act_ms(const struct sim_visitor *v)
{
    int64_t base =
        v->host->swarm->config.act_ms > 0 ? v->host->swarm->config.act_ms : 700;
    return base + (int64_t)(draw(v->host) % (uint64_t)base);
}

static void on_act_end(void *ctx)
{
    struct sim_visitor *v = ctx;
    struct disk *disk = &v->host->disk;
    end_report(v);
    if (v->host->swarm->config.mutant_journal_after_act)
        disk->acted[v->act] = !v->going_back;
    v->act += v->going_back ? -1 : 1;
    if (chance(v->host, 500000))
        runner_progress(v->runner);
    tell(v->host, SIM_ACTED);
    timer_start(&v->turn, v->runner->swarm.loop, 0, on_next, v);
}

static void act(void *ctx)
{
    struct sim_visitor *v = ctx;
    struct disk *disk = &v->host->disk;
    begin_report(v);
    disk->begun++;
    /* From here on an observation sees that it was restarted. */
    if (!v->host->swarm->config.mutant_journal_after_act)
        disk->acted[v->act] = !v->going_back;
    if (v->host->swarm->config.mutant_hasty)
        timer_start(&v->turn, v->runner->swarm.loop, 0, on_finish, v);
    else
        timer_start(&v->turn, v->runner->swarm.loop, act_ms(v), on_act_end, v);
    tell(v->host, SIM_ACTING);
}

/* The act itself is another turn, so that the process may die in between. */
static void begin_act(struct sim_visitor *v)
{
    v->host->disk.journal[v->act] = true;
    timer_start(&v->turn, v->runner->swarm.loop, 0, act, v);
    tell(v->host, SIM_JOURNALED);
}

/* By fail_times: in a visit that may act, where the stage has acts. */
static bool is_fated(const struct sim_visitor *v)
{
    const struct sim_swarm_config *config = &v->host->swarm->config;
    return v->host->index == 0 && v->order.stage == config->fail_stage &&
           v->host->disk.failures < config->fail_times &&
           (v->order.own_lease || acts_of(v, v->order.stage) == 0);
}

static bool is_to_fail(struct sim_visitor *v)
{
    const struct sim_swarm_config *config = &v->host->swarm->config;
    struct disk *disk = &v->host->disk;
    if (is_fated(v)) {
        disk->failures++;
        memset(disk->acted, 0, sizeof(disk->acted)); /* it put things back */
        disk->failed_healthy = !config->fail_unhealthy;
        return true;
    }
    if (disk->doomed) {
        disk->doomed = false;
        disk->failed_healthy = true;
        return true;
    }
    if (!chance(v->host, config->fail_ppm))
        return false;
    disk->failed_healthy = !chance(v->host, config->unhealthy_ppm);
    return true;
}

static bool failed_before(const struct sim_visitor *v)
{
    const struct disk *disk = &v->host->disk;
    return disk->failed && disk->failed_attempt == v->order.attempt &&
           disk->failed_stage == v->order.stage;
}

/* A visit under another lease has disrupted nothing: what was done is of one before. */
static bool to_put_back(const struct sim_visitor *v)
{
    const struct disk *disk = &v->host->disk;
    bool acted = false;
    if (!v->order.own_lease)
        return false;
    for (int i = 0; i < acts_of(v, v->order.stage); i++)
        acted = acted || disk->acted[i];
    return acted && disk->failed_healthy;
}

static void go_back(struct sim_visitor *v);

static void finish(struct sim_visitor *v)
{
    struct disk *disk = &v->host->disk;
    if (failed_before(v)) {
        v->going_back = to_put_back(v);
        v->act = ACTS - 1;
        if (v->going_back)
            go_back(v);
        else
            runner_visited(v->runner, VISIT_FAILED, "it was drawn to fail",
                           disk->failed_healthy);
    } else if (is_to_fail(v)) {
        disk->failed = true;
        disk->failed_attempt = v->order.attempt;
        disk->failed_stage = v->order.stage;
        timer_start(&v->turn, v->runner->swarm.loop, 0, on_finish, v);
        tell(v->host, SIM_VISITED); /* the runner is told in another turn */
    } else {
        mend_stage(v);
        runner_visited(v->runner, VISIT_DONE, "", true);
    }
}

static void on_impatient(void *ctx);

static void ask(struct sim_visitor *v)
{
    struct record *record = runner_record(v->runner);
    snprintf(record->step, sizeof(record->step), "act-%d", v->act);
    if (v->host->swarm->config.mutant_no_ask) {
        begin_act(v);
        return;
    }
    if (chance(v->host, 500000))
        runner_progress(v->runner);
    v->asking = true;
    timer_start(&v->patience, v->runner->swarm.loop, 5 * act_ms(v), on_impatient, v);
    runner_ask(v->runner, v->going_back);
}

static void on_ask(void *ctx)
{
    ask(ctx);
}

static void on_impatient(void *ctx)
{
    struct sim_visitor *v = ctx;
    v->asking = false;
    runner_ask_cancel(v->runner);
    timer_start(&v->turn, v->runner->swarm.loop, act_ms(v), on_ask, v);
}

/* The newest first; then the failure is told. */
static void go_back(struct sim_visitor *v)
{
    while (v->act >= 0 && !v->host->disk.acted[v->act])
        v->act--;
    if (v->act < 0)
        finish(v);
    else
        ask(v);
}

static void visit_next(struct sim_visitor *v)
{
    if (v->going_back) {
        go_back(v);
        return;
    }
    while (v->act < acts_of(v, v->order.stage) && !due(v, v->act))
        v->act++;
    if (v->act >= acts_of(v, v->order.stage)) {
        timer_start(&v->turn, v->runner->swarm.loop, act_ms(v) / 4, on_finish, v);
        return;
    }
    if (!v->order.own_lease) {
        runner_visited(v->runner, VISIT_NEEDS_LEASE, "", true);
        return;
    }
    ask(v);
}

static void on_visit(void *ctx)
{
    struct sim_visitor *v = ctx;
    struct record *record = runner_record(v->runner);
    bool early = v->host->swarm->config.fail_early && is_fated(v);
    if (failed_before(v) || early) {
        finish(v);
        return;
    }
    STR_COPY(record->step, "look");
    runner_progress(v->runner);
    timer_start(&v->turn, v->runner->swarm.loop, act_ms(v) / 8, on_next, v);
}

static void on_survey(void *ctx)
{
    struct sim_visitor *v = ctx;
    v->surveying = false;
    bool disrupts = false;
    for (int i = 0; i < acts_of(v, v->order.stage); i++)
        disrupts = disrupts || due(v, i);
    runner_surveyed(v->runner, disrupts, NULL);
}

static void sim_survey(struct visitor *visitor, struct runner *runner,
                       const struct manifest *manifest, int stage)
{
    struct sim_visitor *v = visitor_of(visitor);
    (void)manifest;
    v->runner = runner;
    v->order.stage = stage;
    v->surveying = true;
    timer_start(&v->turn, runner->swarm.loop, 5, on_survey, v);
}

static void sim_visit(struct visitor *visitor, struct runner *runner,
                      const struct visit_order *order)
{
    struct sim_visitor *v = visitor_of(visitor);
    v->runner = runner;
    v->order = *order;
    v->act = 0;
    v->asking = v->going_back = false;
    timer_start(&v->turn, runner->swarm.loop, 1, on_visit, v);
}

static void sim_answer(struct visitor *visitor, int code)
{
    struct sim_visitor *v = visitor_of(visitor);
    if (!v->asking)
        return;
    v->asking = false;
    timer_stop(&v->patience);
    if (code == 0)
        begin_act(v);
    else
        runner_visited(v->runner, VISIT_STEPPED_BACK, "", true);
}

static void sim_cancel(struct visitor *visitor)
{
    struct sim_visitor *v = visitor_of(visitor);
    timer_stop(&v->turn);
    timer_stop(&v->patience);
    v->asking = v->surveying = false;
    end_report(v);
}

static const struct visitor_ops sim_visitor_ops = {
    .survey = sim_survey,
    .visit = sim_visit,
    .answer = sim_answer,
    .cancel = sim_cancel,
};

/* ---- hosts ---- */

static void on_moved(void *ctx, enum runner_state from, enum runner_state to)
{
    struct host *h = ctx;
    if (h->swarm->config.mutant_no_zone && h->runner.manifest)
        h->runner.manifest->spec->zone_limits_count = 0;
    tell(h, SIM_MOVED);
}

static const struct runner_observer sim_observer = {.moved = on_moved};

/* As the daemon does it: what is seen is published where it is news. */
static void on_look(void *ctx)
{
    struct host *h = ctx;
    int64_t next_ms = h->swarm->config.look_ms;
    if (!h->runner.visiting && h->runner.state != RUNNER_SURVEYING) {
        look_at(h);
        if (runner_looked(&h->runner, &h->facts))
            next_ms /= 5;
        json_decref(h->facts.drift);
        h->facts.drift = drift_wrong(&h->runner.drift);
        member_publish(&h->member);
    }
    timer_start(&h->look, h->runner.swarm.loop, next_ms + 37 * h->index, on_look, h);
}

void sim_swarm_start(struct sim_swarm *swarm, int index)
{
    struct host *h = &swarm->hosts[index];
    if (h->up)
        return;
    h->up = true;
    h->zk = model_zk_connect(swarm->mz, h->id, NULL);
    h->visitor = (struct sim_visitor){.visitor = {.ops = &sim_visitor_ops}, .host = h};
    h->live.incarnation = ++h->incarnation;
    struct swarm place = {.zk = h->zk, .loop = sim_loop_port(swarm->sim)};
    STR_COPY(place.root, ROOT);
    if (swarm->config.hooks.connected)
        swarm->config.hooks.connected(swarm->config.hooks.ctx, h->zk);
    runner_init(&h->runner, &place, &h->visitor.visitor, &sim_observer, h);
    member_init(&h->member, &place, &h->live, &h->runner, NULL, NULL);
    if (swarm->config.look_ms > 0)
        timer_start(&h->look, place.loop, swarm->config.look_ms, on_look, h);
    member_start(&h->member, &h->facts);
}

void sim_swarm_crash(struct sim_swarm *swarm, int index)
{
    struct host *h = &swarm->hosts[index];
    if (!h->up)
        return;
    h->up = false;
    end_report(&h->visitor);
    runner_done(&h->runner);
    member_done(&h->member);
    timer_stop(&h->visitor.turn);
    timer_stop(&h->visitor.patience);
    timer_stop(&h->look);
    model_zk_crash(h->zk);
    h->zk = NULL;
}

bool sim_swarm_up(const struct sim_swarm *swarm, int host)
{
    return swarm->hosts[host].up;
}

struct zk *sim_swarm_client(struct sim_swarm *swarm, int host)
{
    return swarm->hosts[host].zk;
}

const struct runner *sim_swarm_runner(const struct sim_swarm *swarm, int host)
{
    return &swarm->hosts[host].runner;
}

const char *sim_swarm_host(const struct sim_swarm *swarm, int host)
{
    return host < all_hosts(swarm) ? swarm->hosts[host].id : NULL;
}

void sim_swarm_change_facts(struct sim_swarm *swarm, int index, const char *docker)
{
    struct host *h = &swarm->hosts[index];
    STR_COPY(h->facts.docker, docker);
    member_publish(&h->member);
}

void sim_swarm_drift(struct sim_swarm *swarm, int host, enum sim_drift drift, bool is)
{
    struct disk *disk = &swarm->hosts[host].disk;
    disk->drifted[drift] = is;
    if (drift == SIM_STORE_GONE)
        disk->acted[0] = !is;
}

void sim_swarm_doom(struct sim_swarm *swarm, int host, bool is)
{
    swarm->hosts[host].disk.doomed = is;
}

bool sim_swarm_drifted(const struct sim_swarm *swarm, int host, enum sim_drift drift)
{
    return swarm->hosts[host].disk.drifted[drift];
}

int sim_swarm_drifted_count(struct sim_swarm *swarm)
{
    struct zk_stat stat;
    return model_zk_peek(swarm->mz, zpath_drifts(ROOT, ROLLOUT).text, NULL, NULL, &stat)
               ? stat.children_count
               : -1;
}

int sim_swarm_acts(const struct sim_swarm *swarm, int host)
{
    return swarm->hosts[host].disk.begun;
}

bool sim_swarm_quiet(const struct sim_swarm *swarm, int host)
{
    return swarm->hosts[host].quiet;
}

bool sim_swarm_all_acted(const struct sim_swarm *swarm, int host)
{
    const struct host *h = &swarm->hosts[host];
    for (int i = 0; i < ACTS; i++)
        if (!h->quiet && !h->disk.acted[i])
            return false;
    return true;
}

static void make_host(struct sim_swarm *swarm, int index)
{
    struct host *h = &swarm->hosts[index];
    h->swarm = swarm;
    h->index = index;
    h->random = swarm->config.seed * 1000003u + (uint64_t)index;
    snprintf(h->id, sizeof(h->id), "host-%d", index);
    h->quiet = chance(h, swarm->config.quiet_ppm);
    facts_init(&h->facts);
    STR_COPY(h->facts.host, h->id);
    h->facts.role = ROLE_SLAVE;
    if (swarm->config.zones > 0)
        snprintf(h->facts.zone, sizeof(h->facts.zone), "zone-%d",
                 index % swarm->config.zones);
    STR_COPY(h->facts.address, "127.0.0.1");
    h->facts.seen_ms = 1;
    snprintf(h->facts.machine_id, sizeof(h->facts.machine_id), "machine-%d", index);
    STR_COPY(h->live.machine_id, h->facts.machine_id);
    STR_COPY(h->live.boot_id, "boot");
    STR_COPY(h->live.version, "0.1.0");
}

/* ---- the rollout ---- */

static void on_flow_done(void *ctx, int result, const struct error *err)
{
    struct sim_swarm *swarm = ctx;
    if (result < 0) {
        fprintf(stderr, "sim_swarm: %s\n", err->text);
        abort();
    }
    swarm->created = 1;
}

static bool created(void *ctx)
{
    return ((struct sim_swarm *)ctx)->created;
}

static void wait_created(struct sim_swarm *swarm)
{
    if (!sim_loop_run_until(swarm->sim, created, swarm, 600000)) {
        fprintf(stderr, "sim_swarm: the rollout was not created\n");
        abort();
    }
    swarm->created = 0;
}

static int installs(const struct sim_swarm_config *c)
{
    return c->installs > 0 ? c->installs : 10;
}

static struct manifest *make_manifest(struct sim_swarm *swarm)
{
    struct manifest *m = NEW(struct manifest);
    struct error err;
    struct strbuf errors = {0}, text = {0};
    const struct sim_swarm_config *c = &swarm->config;
    strbuf_add(&text, "{");
    if (c->zone_restarts > 0)
        strbuf_addf(&text, "\"zone_limits\":{\"restart\":%d},", c->zone_restarts);
    strbuf_addf(&text, "\"adopt\":%s,\"leases\":{\"restart\":%d,\"install\":%d}%s%s}",
                c->adopt ? "true" : "false", c->restarts, installs(c),
                c->spec ? "," : "", c->spec ? c->spec : "");
    if (spec_parse(text.text, text.len, &m->spec, &errors, &err) < 0) {
        fprintf(stderr, "sim_swarm: %s %s\n", err.text, errors.text);
        abort();
    }
    strbuf_done(&errors);
    strbuf_done(&text);
    STR_COPY(m->id, ROLLOUT);
    STR_COPY(m->by, "ops@test");
    memset(m->digest, 'a', 64);
    m->created_ms = SIM_WALL_START_MS;
    m->hosts = c->hosts;
    int canary = c->canary < c->hosts ? c->canary : 0;
    if (canary > 0) {
        STR_COPY(m->waves[m->waves_count].name, "canary");
        m->waves[m->waves_count++].size = canary;
    }
    int waves = c->waves > 1 ? c->waves : 1, rest = c->hosts - canary;
    for (int i = 0; i < waves && i < rest; i++) {
        struct wave_entry *wave = &m->waves[m->waves_count++];
        snprintf(wave->name, sizeof(wave->name), i ? "rest-%d" : "rest", i);
        wave->size = rest / waves + (i < rest % waves);
    }
    return m;
}

static void fill_waves(struct sim_swarm *swarm, struct wave *waves)
{
    int host = 0;
    for (int i = 0; i < swarm->manifest->waves_count; i++) {
        const struct wave_entry *entry = &swarm->manifest->waves[i];
        STR_COPY(waves[i].name, entry->name);
        for (int j = 0; j < entry->size; j++, host++) {
            strings_add(&waves[i].hosts, swarm->hosts[host].id);
            strings_add(&waves[i].zones, swarm->hosts[host].facts.zone);
        }
    }
}

static void create_rollout(struct sim_swarm *swarm)
{
    struct zk *zk = model_zk_connect(swarm->mz, "cli", NULL);
    struct loop *loop = sim_loop_port(swarm->sim);
    struct init init = {0};
    struct init_request wanted = {.root = ROOT,
                                  .cluster = "00000000-0000-0000-0000-000000000000"};
    init_start(&init, zk, loop, &wanted, on_flow_done, swarm);
    wait_created(swarm);

    struct gate gate = {.phase = GATE_RUN, .max_failed = swarm->config.max_failed};
    struct error err;
    if (gate_set_limit(&gate, "restart", swarm->config.restarts, &err) < 0 ||
        gate_set_limit(&gate, "install", installs(&swarm->config), &err) < 0)
        abort();
    if (swarm->config.zone_restarts > 0 &&
        gate_set_zone_limit(&gate, "restart", swarm->config.zone_restarts, &err) < 0)
        abort();
    struct wave waves[SIM_WAVES_MAX + 1] = {0};
    fill_waves(swarm, waves);
    struct rollout_documents documents = {
        .manifest = swarm->manifest, .waves = waves, .gate = &gate};
    struct rollout_create create = {0};
    rollout_create_start(&create, zk, loop, ROOT, &documents, NULL, NULL, on_flow_done,
                         swarm);
    wait_created(swarm);
    for (int i = 0; i < SIM_WAVES_MAX + 1; i++)
        wave_done(&waves[i]);
    zk_free(zk);
}

struct sim_swarm *sim_swarm_new(const struct sim_swarm_config *config)
{
    struct sim_swarm *swarm = NEW(struct sim_swarm);
    struct model_zk_config zk = config->zk;
    swarm->config = *config;
    swarm->sim = sim_loop_new(config->seed);
    zk.seed = config->seed;
    memset(zk.faults_ppm, 0,
           sizeof(zk.faults_ppm)); /* the CLI is not under test here */
    swarm->mz = model_zk_new(swarm->sim, &zk);
    swarm->hosts = mem_array((size_t)all_hosts(swarm), sizeof(struct host));
    for (int i = 0; i < all_hosts(swarm); i++)
        make_host(swarm, i);
    swarm->manifest = make_manifest(swarm);
    create_rollout(swarm);
    model_zk_set_faults(swarm->mz, config->zk.faults_ppm);
    for (int i = 0; i < config->hosts; i++)
        sim_swarm_start(swarm, i);
    return swarm;
}

void sim_swarm_free(struct sim_swarm *swarm)
{
    if (!swarm)
        return;
    for (int i = 0; i < all_hosts(swarm); i++) {
        sim_swarm_crash(swarm, i);
        facts_done(&swarm->hosts[i].facts);
    }
    manifest_free(swarm->manifest);
    model_zk_free(swarm->mz);
    sim_loop_free(swarm->sim);
    free(swarm->hosts);
    free(swarm);
}

struct sim_loop *sim_swarm_loop(struct sim_swarm *swarm)
{
    return swarm->sim;
}

struct model_zk *sim_swarm_zk(struct sim_swarm *swarm)
{
    return swarm->mz;
}

const char *sim_swarm_rollout(const struct sim_swarm *swarm)
{
    return swarm->manifest->id;
}

/* ---- looking ---- */

static void peek(struct sim_swarm *swarm, const char *path, const char **data,
                 size_t *len, struct zk_stat *stat)
{
    if (!model_zk_peek(swarm->mz, path, data, len, stat)) {
        fprintf(stderr, "sim_swarm: no znode %s\n", path);
        abort();
    }
}

struct gate sim_swarm_gate(struct sim_swarm *swarm)
{
    struct gate gate;
    struct error err;
    const char *data;
    size_t len;
    peek(swarm, zpath_gate(ROOT, ROLLOUT).text, &data, &len, NULL);
    if (gate_decode(data, len, &gate, &err) < 0) {
        fprintf(stderr, "sim_swarm: %s\n", err.text);
        abort();
    }
    return gate;
}

bool sim_swarm_has_record(struct sim_swarm *swarm, int host)
{
    return model_zk_peek(swarm->mz,
                         zpath_record(ROOT, ROLLOUT, swarm->hosts[host].id).text, NULL,
                         NULL, NULL);
}

struct record sim_swarm_record(struct sim_swarm *swarm, int host)
{
    struct record record;
    struct error err;
    const char *data;
    size_t len;
    peek(swarm, zpath_record(ROOT, ROLLOUT, swarm->hosts[host].id).text, &data, &len,
         NULL);
    if (record_decode(data, len, &record, &err) < 0) {
        fprintf(stderr, "sim_swarm: %s\n", err.text);
        abort();
    }
    return record;
}

int sim_swarm_count(struct sim_swarm *swarm, enum host_state state)
{
    int count = 0;
    for (int i = 0; i < swarm->config.hosts; i++)
        count += sim_swarm_record(swarm, i).state == state;
    return count;
}

bool sim_swarm_closed(void *ctx)
{
    struct gate gate = sim_swarm_gate(ctx);
    return gate.phase == GATE_DONE || gate.phase == GATE_KEEP;
}

bool sim_swarm_settled(void *ctx)
{
    struct sim_swarm *swarm = ctx;
    for (int i = 0; i < swarm->config.hosts; i++) {
        struct record record = sim_swarm_record(swarm, i);
        if (!record_terminal(&record))
            return false;
    }
    return true;
}

void sim_swarm_set_phase(struct sim_swarm *swarm, enum gate_phase phase,
                         const char *reason)
{
    struct gate gate = sim_swarm_gate(swarm);
    struct current current = {.phase = phase};
    gate.phase = phase;
    STR_COPY(gate.reason, reason);
    STR_COPY(gate.by, "ops@test");
    STR_COPY(current.rollout, ROLLOUT);
    _cleanup_(freep) char *gate_data = gate_encode(&gate);
    _cleanup_(freep) char *current_data = current_encode(&current);
    struct zpath gate_path = zpath_gate(ROOT, ROLLOUT);
    struct zpath current_path = zpath_current(ROOT);
    struct zk_op ops[] = {op_set(gate_path.text, gate_data, -1),
                          op_set(current_path.text, current_data, -1)};
    if (model_zk_poke(swarm->mz, ops, 2) != ZK_OK)
        abort();
}
