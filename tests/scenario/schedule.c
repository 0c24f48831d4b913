/* schedule.c - one random rollout: drawn, played, judged.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/scenario/schedule_internal.h"

#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    TURNS_MAX = 3000000, /* and more for each host: a rollout that spins */
    TURNS_PER_HOST = 20000,
    SETTLE_MS = 5 * SECOND_MS,
    QUIET_MS = 3 * MINUTE_MS,
};

uint64_t run_mix(uint64_t a, uint64_t b)
{
    uint64_t z = a + 0x9e3779b97f4a7c15u * (b + 1);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int64_t run_draw(struct run *r, int64_t min, int64_t max)
{
    r->random = run_mix(r->random, 0);
    return min + (int64_t)(r->random % (uint64_t)(max - min + 1));
}

/* --- the rollout */

/* Half of them limit `restart` per zone; by draws of its own, so that the others stay
 * what they were. A rollout without named zones has one. */
static void draw_zones(struct run *r)
{
    uint64_t drawn = run_mix(r->seed + 53, 0);
    if (drawn % 2)
        return;
    r->config.zones = (int)((drawn >> 8) % 4);
    r->config.zone_restarts = (drawn >> 16) % 3 ? 1 : 2;
}

static void draw_rollout(struct run *r)
{
    const struct schedule_options *o = r->options;
    int hosts = (int)run_draw(r, 2, 7);
    r->config = (struct sim_swarm_config){
        .seed = r->seed,
        .hosts = o->hosts ? o->hosts : hosts,
        .late = run_draw(r, 0, 2) ? 0 : (int)run_draw(r, 1, 2),
        .canary = (int)run_draw(r, 0, 2),
        .waves = (int)run_draw(r, 1, 3),
        .restarts = (int)run_draw(r, 1, 3),
        .installs = (int)run_draw(r, 1, 3),
        .max_failed = (int)run_draw(r, 0, 3),
        .adopt = run_draw(r, 0, 1) != 0,
        .act_ms = run_draw(r, 0, 3) ? run_draw(r, 50, 3000) : 30000,
        .fail_ppm = run_draw(r, 0, 2) ? 0 : (int)run_draw(r, 0, 250000),
        .unhealthy_ppm = run_draw(r, 0, 1) ? 0 : 300000,
        .quiet_ppm = run_draw(r, 0, 2) ? 0 : 300000,
        .mutant_no_ask = o->no_ask,
        .mutant_no_zone = o->no_zone,
        .mutant_journal_after_act = o->journal_after_act,
        .mutant_hasty = o->hasty,
        .zk = {.servers = run_draw(r, 0, 1) ? 3 : 1,
               .delay_max_ms = run_draw(r, 1, 60),
               .lag_max_ms = run_draw(r, 1, 80),
               .unordered = true},
    };
    draw_zones(r);
    r->soak_s = run_draw(r, 0, 3) ? 0 : (int)run_draw(r, 1, 120);
    r->manual = run_draw(r, 0, 7) == 0;
    r->lost_after_s = run_draw(r, 0, 1) ? 600 : (int)run_draw(r, 10, 90);
    aim_draw(r);
    /* Of its own seed, so that the others stay as they are. */
    if (r->config.adopt && run_mix(r->seed, 0xd21f7) % 3 == 0)
        r->config.look_ms = 20 * SECOND_MS;
    snprintf(r->spec, sizeof(r->spec),
             "\"waves\":{\"soak\":\"%ds\",\"promote\":\"%s\"},\"lost_after\":\"%ds\"%s",
             r->soak_s, r->manual ? "manual" : "auto", r->lost_after_s,
             r->config.look_ms > 0 ? ",\"drift\":\"repair\"" : "");
    r->config.spec = r->spec;
    if (r->config.canary >= r->config.hosts)
        r->config.canary = 0;
    r->all_hosts = r->config.hosts + r->config.late;
}

static void describe(struct run *r)
{
    const struct sim_swarm_config *c = &r->config;
    const int *p = c->zk.faults_ppm;
    snprintf(r->result->config, sizeof(r->result->config),
             "hosts=%d late=%d canary=%d waves=%d soak=%d restart=%d install=%d "
             "zones=%d/%d max_failed=%d adopt=%d act_ms=%" PRId64 " fail=%d servers=%d "
             "faults=%d/%d/%d/%d/%d/%d kill=%d/%d/%d heal_s=%" PRId64 " %s",
             c->hosts, c->late, c->canary, c->waves, r->soak_s, c->restarts,
             c->installs, c->zones, c->zone_restarts, c->max_failed, c->adopt,
             c->act_ms, c->fail_ppm, c->zk.servers, p[1], p[2], p[3], p[4], p[5], p[6],
             r->kill_ppm, r->moment_ppm, r->gate_ppm, r->heal_ms / 1000, r->spec);
    r->result->hosts = c->hosts;
}

/* --- is it over? */

static int children(struct run *r, struct zpath path)
{
    struct zk_stat stat;
    return model_zk_peek(r->mz, path.text, NULL, NULL, &stat) ? stat.children_count : 0;
}

/* Not what an operator declared complete, which nobody looks at any more. */
static bool drifts(struct run *r, int host, const struct record *record)
{
    bool drifts = record->drift != RECORD_STEADY;
    for (int d = 0; d < SIM_DRIFTS; d++) {
        const char *step = step_name(sim_drift_step((enum sim_drift)d));
        drifts = drifts || (r->config.look_ms > 0 &&
                            sim_swarm_drifted(r->swarm, host, (enum sim_drift)d) &&
                            !runner_declared(sim_swarm_runner(r->swarm, host), step));
    }
    return drifts;
}

/* What is still missing at one host, or NULL. */
static const char *host_lacks(struct run *r, int host, enum gate_phase phase)
{
    const struct runner *runner = sim_swarm_runner(r->swarm, host);
    bool member = sim_swarm_has_record(r->swarm, host);
    if (!sim_swarm_up(r->swarm, host))
        return "is not up";
    if (runner->state != RUNNER_RESTING)
        return "is under way";
    if (!member)
        return host >= r->config.hosts && phase != GATE_KEEP ? NULL : "has no record";
    struct record record = sim_swarm_record(r->swarm, host);
    bool ended = record.state == HOST_DONE || record.state == HOST_FAILED ||
                 record.state == HOST_EXCLUDED;
    /* After an abort, or an end that leaves late hosts out. */
    bool left = record.state == HOST_IDLE && phase == GATE_DONE &&
                (r->aborted || record.wave < 0);
    if (!ended && !left)
        return "has not come to its end";
    if (record.state == HOST_FAILED && r->config.fail_ppm == 0)
        return "failed, though nothing was to fail";
    if (phase == GATE_KEEP && record.state == HOST_DONE && drifts(r, host, &record))
        return "has drifted, and has not repaired itself";
    bool declared = false; /* by force-complete */
    for (int i = 0; i < record.steps_count; i++)
        declared = declared || record.steps[i].by[0];
    bool undone = sim_swarm_drifted(r->swarm, host, SIM_STORE_GONE); /* since */
    if (record.state == HOST_DONE && !declared && !undone &&
        !sim_swarm_all_acted(r->swarm, host))
        return "is done without having done it";
    return NULL;
}

/* Most of the time it is not over, and that is seen without decoding anything. */
static bool surely_not_over(const struct run *r)
{
    if (!r->healed || r->hand.busy != ORDERS_NOTHING)
        return true;
    for (int i = 0; i < KILLS_MAX; i++)
        if (timer_armed(&r->kills[i].start) || timer_armed(&r->kills[i].end))
            return true;
    for (int i = 0; i < r->all_hosts; i++)
        if (!sim_swarm_up(r->swarm, i) ||
            sim_swarm_runner(r->swarm, i)->state != RUNNER_RESTING)
            return true;
    return false;
}

static bool over(struct run *r, struct strbuf *why)
{
    static const char *const leases[] = {"restart",        "install",
                                         "restart.zone-0", "restart.zone-1",
                                         "restart.zone-2", "restart._"};
    const char *id = sim_swarm_rollout(r->swarm);
    struct gate gate = sim_swarm_gate(r->swarm);
    size_t before = why->len;
    if (!r->healed || r->hand.busy != ORDERS_NOTHING)
        strbuf_add(why, "; not healed, or an order under way");
    if (gate.phase != GATE_DONE && gate.phase != GATE_KEEP)
        strbuf_addf(why, "; the gate is %s", gate_phase_text(gate.phase));
    for (int i = 0; i < r->all_hosts; i++) {
        const char *lacks = host_lacks(r, i, gate.phase);
        if (lacks)
            strbuf_addf(why, "; %s %s", sim_swarm_host(r->swarm, i), lacks);
    }
    for (size_t i = 0; i < sizeof(leases) / sizeof(leases[0]); i++) {
        int permits = children(r, zpath_permits("/clowder", id, leases[i]));
        int tickets = children(r, zpath_queue("/clowder", id, leases[i]));
        if (permits || tickets)
            strbuf_addf(why, "; lease %s has %d permits and %d tickets", leases[i],
                        permits, tickets);
    }
    return why->len == before;
}

static void say_hosts(struct run *r, struct strbuf *text)
{
    struct gate gate = sim_swarm_gate(r->swarm);
    strbuf_addf(text, "\n    gate %s, %d failed: %s", gate_phase_text(gate.phase),
                gate.failed, gate.reason);
    for (int i = 0; i < r->all_hosts; i++) {
        const struct runner *runner = sim_swarm_runner(r->swarm, i);
        bool up = sim_swarm_up(r->swarm, i);
        strbuf_addf(text, "\n    %s ", sim_swarm_host(r->swarm, i));
        if (sim_swarm_has_record(r->swarm, i)) {
            struct record record = sim_swarm_record(r->swarm, i);
            strbuf_addf(text, "%s stage '%s' done %d permit %d zone's %d; ",
                        host_state_text(record.state), record.stage, record.stages_done,
                        record.permit, record.zone_permit);
        }
        strbuf_addf(text, "%s: %s", up ? runner_state_text(runner->state) : "down",
                    up ? runner->says : "");
    }
}

static void fail_run(struct run *r, const char *what, const char *why)
{
    struct strbuf text = {0};
    strbuf_addf(&text, "%s%s", what, why);
    say_hosts(r, &text);
    snprintf(r->result->failure, sizeof(r->result->failure), "%s", text.text);
    strbuf_done(&text);
}

/* --- playing */

static bool drift_is_to_come(const struct run *r)
{
    bool is = false;
    for (int i = 0; i < r->events_count; i++)
        is = is ||
             (r->events[i].kind == EVENT_DRIFT && timer_armed(&r->events[i].start));
    return is;
}

static bool spinning(const struct run *r)
{
    return sim_loop_turns(r->loop) >
           TURNS_MAX + (uint64_t)r->all_hosts * TURNS_PER_HOST;
}

static bool is_over(struct run *r)
{
    struct strbuf why = {0};
    r->moved = false;
    bool is = !surely_not_over(r) && !drift_is_to_come(r) && over(r, &why);
    strbuf_done(&why);
    return is;
}

/* A rollout that nothing holds up waits for no look after a minute. */
static int64_t prompt_ms(const struct run *r)
{
    const struct sim_swarm_config *c = &r->config;
    int64_t visits_ms = (int64_t)r->all_hosts * (6 * c->act_ms + 6 * SECOND_MS);
    return visits_ms + (int64_t)(c->waves + 1) * (r->soak_s + 4) * SECOND_MS +
           3 * MINUTE_MS + /* late hosts come up to two minutes late */
           (c->look_ms > 0 ? 40 * MINUTE_MS : 0); /* a second repair waits */
}

static void play_to_its_end(struct run *r)
{
    struct strbuf why = {0};
    int64_t limit_ms = r->start_ms + r->heal_ms + DAY_MS;
    while (!r->moved || !is_over(r)) {
        if (checker_violation(r->checker))
            return;
        if (!spinning(r) && sim_loop_step(r->loop, limit_ms))
            continue;
        (void)over(r, &why);
        fail_run(r, spinning(r) ? "it spins" : "it did not end", why.text);
        strbuf_done(&why);
        return;
    }
    r->result->took_ms = sim_loop_now_ms(r->loop) - r->start_ms;
    if (r->heal_ms == 0 && r->config.fail_ppm == 0 && !r->aborted && !r->manual &&
        r->result->took_ms > prompt_ms(r))
        fail_run(r, "nothing was in its way, and it took too long", "");
}

static void stays_quiet(struct run *r)
{
    struct strbuf why = {0};
    timer_stop(&r->hand.look);
    r->aim.left = 0;
    sim_loop_run_for(r->loop, SETTLE_MS + 2 * r->config.look_ms); /* on its way */
    int writes = r->writes;
    sim_loop_run_for(r->loop, QUIET_MS);
    int more = r->writes - writes;
    if (more > 0) {
        strbuf_addf(&why, "it was over, and then came %d more transactions", more);
        fail_run(r, why.text, "");
    } else if (!over(r, &why)) {
        fail_run(r, "it did not stay over", why.text);
    }
    strbuf_done(&why);
}

static void on_entry(void *ctx, const struct history_entry *entry)
{
    struct run *r = ctx;
    checker_feed(r->checker, entry);
    r->moved = true;
    r->writes += entry->kind == HISTORY_TXN && !entry->close && entry->ops_count > 0;
    trace_entry(r, entry);
    states_see(r, entry);
}

static void begin(struct run *r)
{
    struct checker_config checks = {
        .root = "/clowder",
        .unchecked_grants_allowed = r->options->lenient,
        .leaves_may_be_missing = r->options->lenient,
    };
    r->random = r->seed;
    draw_rollout(r);
    faults_draw(r);
    if (r->options->mutant != MUTANT_NONE)
        r->mutant = mutant_zk_new(r->options->mutant);
    r->checker = checker_new(&checks);
    struct sim_swarm *swarm = sim_swarm_new(&r->config);
    r->loop = sim_swarm_loop(swarm);
    r->mz = sim_swarm_zk(swarm);
    r->start_ms = sim_loop_now_ms(r->loop);
    r->swarm = swarm; /* from here on it can be struck */
    describe(r);
    trace(r, "seed %" PRIu64 ": %s", r->seed, r->result->config);
    struct history *h = model_zk_history(r->mz);
    for (int i = 0; i < history_count(h); i++)
        on_entry(r, history_at(h, i));
    history_listen(h, on_entry, r);
}

static void write_dump(struct run *r)
{
    struct error err;
    FILE *file = fopen(r->options->dump, "we");
    if (!file || history_write(model_zk_history(r->mz), file, &err) < 0)
        fprintf(stderr, "schedules: cannot write '%s'\n", r->options->dump);
    if (file)
        (void)fclose(file);
}

static void end(struct run *r)
{
    const struct violation *v = checker_violation(r->checker);
    if (v)
        snprintf(r->result->failure, sizeof(r->result->failure),
                 "%s at zxid 0x%" PRIx64 ": %s", v->rule, v->zxid, v->text);
    trace(r, "%s", r->result->failure[0] ? r->result->failure : "over");
    r->result->txns = checker_counts(r->checker).txns;
    r->result->acts = checker_counts(r->checker).acts;
    r->result->turns = sim_loop_turns(r->loop);
    if (r->options->dump)
        write_dump(r);
    faults_end(r);
    history_listen(model_zk_history(r->mz), NULL, NULL);
    sim_swarm_free(r->swarm);
    checker_free(r->checker);
    mutant_zk_free(r->mutant);
}

void schedule_run(const struct schedule_options *options, uint64_t seed,
                  struct schedule_result *ret)
{
    struct run *r = NEW(struct run);
    *ret = (struct schedule_result){0};
    r->options = options;
    r->result = ret;
    r->seed = seed;
    begin(r);
    faults_begin(r);
    play_to_its_end(r);
    checker_finish(r->checker, false);
    if (!ret->failure[0] && !checker_violation(r->checker))
        stays_quiet(r);
    end(r);
    free(r);
}

void schedule_result_done(struct schedule_result *result)
{
    free(result->faults);
    result->faults = NULL;
    result->faults_count = 0;
}
