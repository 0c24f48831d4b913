/* SPDX-License-Identifier: Apache-2.0
 *
 * One JSON value per answer, on one line where it repeats (watch), for programs. Times
 * are milliseconds since the epoch; what is not known is null.
 */
#include "coordinator/writer.h"
#include "shared/model/json.h"
#include "shared/model/zone_reach.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void print(FILE *to, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);
    if (text)
        (void)fprintf(to, "%s\n", text);
    free(text);
    json_decref(value);
}

static void put(json_t *object, const char *key, json_t *value)
{
    (void)json_object_set_new(object, key, value);
}

static json_t *time_or_null(int64_t at_ms)
{
    return at_ms > 0 ? json_integer(at_ms) : json_null();
}

static json_t *text_or_null(const char *text)
{
    return text && text[0] ? json_text(text) : json_null();
}

static json_t *json_of_counts(const struct progress_hosts *hosts)
{
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "total",
                     hosts->total, "done", hosts->done, "failed", hosts->failed,
                     "holding", hosts->holding, "waiting", hosts->waiting, "idle",
                     hosts->idle, "excluded", hosts->excluded, "lost", hosts->lost,
                     "drifted", hosts->drifted, "repairing", hosts->repairing);
}

static json_t *json_of_waves(const struct progress *progress)
{
    json_t *waves = json_array();
    for (int w = 0; progress && w < progress->waves_count; w++) {
        const struct progress_wave *wave = &progress->waves[w];
        json_t *stages = json_array();
        for (int s = 0; s < wave->stages_count; s++)
            (void)json_array_append_new(
                stages,
                json_pack("{s:s, s:i, s:b}", "name", wave->stages[s].name, "arrived",
                          wave->stages[s].arrived, "open", (int)wave->stages[s].open));
        (void)json_array_append_new(waves,
                                    json_pack("{s:s, s:i, s:o}", "name", wave->name,
                                              "size", wave->size, "stages", stages));
    }
    return waves;
}

static json_t *json_of_zones(const struct progress_lease *lease)
{
    json_t *zones = json_array();
    for (int z = 0; z < lease->zones_count; z++) {
        const struct progress_zone *zone = &lease->zones[z];
        (void)json_array_append_new(zones,
                                    json_pack("{s:s, s:i, s:i, s:i}", "zone",
                                              zone->zone, "limit", zone->limit, "held",
                                              zone->held, "waiting", zone->waiting));
    }
    return zones;
}

static json_t *json_of_leases(const struct progress *progress)
{
    json_t *leases = json_array();
    for (int l = 0; progress && l < progress->leases_count; l++) {
        const struct progress_lease *lease = &progress->leases[l];
        json_t *held = json_array();
        for (int i = 0; i < lease->held_count; i++) {
            const struct progress_held *h = &lease->held[i];
            (void)json_array_append_new(
                held,
                json_pack("{s:s, s:i, s:I, s:I, s:s, s:b, s:b, s:o, s:o, s:o, s:i}",
                          "host", h->host, "permit", h->permit, "token",
                          (json_int_t)h->token, "since_ms", (json_int_t)h->since_ms,
                          "state", host_state_text(h->state), "away", (int)h->away,
                          "unreadable", (int)h->unreadable, "stage",
                          text_or_null(h->stage), "step", text_or_null(h->step),
                          "doing", text_or_null(h->doing), "attempt", h->attempt));
        }
        json_t *one = json_pack("{s:s, s:i, s:o, s:i}", "name", lease->name, "limit",
                                lease->limit, "held", held, "waiting", lease->waiting);
        if (lease->zone_limit > 0) {
            put(one, "zone_limit", json_integer(lease->zone_limit));
            put(one, "zones", json_of_zones(lease));
        }
        (void)json_array_append_new(leases, one);
    }
    return leases;
}

static json_t *json_of_failures(const struct progress *progress)
{
    json_t *failures = json_array();
    for (int i = 0; progress && i < progress->failures_count; i++) {
        const struct progress_failure *f = &progress->failures[i];
        (void)json_array_append_new(
            failures,
            json_pack("{s:s, s:s, s:o, s:o, s:b}", "host", f->host, "state",
                      host_state_text(f->state), "step", text_or_null(f->step), "error",
                      text_or_null(f->error), "healthy", (int)f->healthy));
    }
    return failures;
}

static json_t *json_of_wait(const struct progress_wait *wait)
{
    if (wait->kind == PROGRESS_WAITS_FOR_NOTHING)
        return json_null();
    return json_pack("{s:s, s:o, s:o}", "for", progress_wait_text(wait->kind), "wave",
                     text_or_null(wait->wave), "until_ms",
                     time_or_null(wait->until_ms));
}

static json_t *json_of_drifted(const struct progress *progress)
{
    json_t *drifted = json_array();
    for (int i = 0; progress && i < progress->drifted_count; i++) {
        const struct progress_drifted *d = &progress->drifted[i];
        json_t *steps = json_object();
        for (int s = 0; s < d->steps_count; s++)
            put(steps, d->steps[s].step, json_text(d->steps[s].says));
        (void)json_array_append_new(
            drifted, json_pack("{s:s, s:b, s:o}", "host", d->host, "repairs",
                               (int)d->repairs, "steps", steps));
    }
    return drifted;
}

static json_t *json_of_progress(const struct progress *progress)
{
    static const struct progress none = {.eta_ms = -1};
    const struct progress *p = progress ? progress : &none;
    json_t *object = json_object();
    put(object, "rollout", text_or_null(p->rollout));
    put(object, "phase", json_string(progress ? gate_phase_text(p->phase) : "none"));
    put(object, "says", json_string(progress ? progress_phase_text(p) : "none"));
    put(object, "reason", text_or_null(p->reason));
    put(object, "by", text_or_null(p->by));
    put(object, "name", text_or_null(p->name));
    put(object, "calico", text_or_null(p->calico_version));
    put(object, "kind",
        progress ? json_string(rollout_kind_text(p->kind)) : json_null());
    put(object, "created_by", text_or_null(p->created_by));
    put(object, "started_ms", time_or_null(p->started_ms));
    put(object, "ended_ms",
        progress && progress_ended(p) ? time_or_null(p->phase_ms) : json_null());
    put(object, "eta_ms", time_or_null(p->eta_ms));
    put(object, "max_failed", json_integer(p->failed_budget));
    put(object, "wait", json_of_wait(&p->wait));
    put(object, "hosts", json_of_counts(&p->hosts));
    put(object, "waves", json_of_waves(progress));
    put(object, "leases", json_of_leases(progress));
    put(object, "failures", json_of_failures(progress));
    put(object, "drifted", json_of_drifted(progress));
    return object;
}

static void json_progress(struct writer *w, const struct progress *progress,
                          int64_t now_ms)
{
    print(w->out, json_of_progress(progress));
}

static json_t *json_of_steps(const struct plan_view *view, const struct plan_host *host)
{
    json_t *steps = json_array();
    for (int s = 0; s < STEP_COUNT; s++) {
        const struct judgement *j = &host->steps[s];
        if (!spec_policy(view->spec, (enum step_id)s)->enabled)
            continue;
        (void)json_array_append_new(
            steps,
            json_pack("{s:s, s:s, s:s, s:o}", "step", step_name((enum step_id)s),
                      "finding", finding_text(j->finding), "disruption",
                      disruption_text(j->disruption), "says", text_or_null(j->says)));
    }
    return steps;
}

static json_t *json_of_plan_hosts(const struct plan_view *view, bool left_out)
{
    static const char *const fits[] = {[PLAN_FIT] = "fit",
                                       [PLAN_ABSENT] = "absent",
                                       [PLAN_UNPROBED] = "unprobed",
                                       [PLAN_UNFIT] = "unfit",
                                       [PLAN_UNKNOWN_HOST] = "unknown"};
    json_t *hosts = json_array();
    for (int h = 0; h < view->plan->hosts_count; h++) {
        const struct plan_host *host = &view->plan->hosts[h];
        if ((host->wave < 0) != left_out)
            continue;
        json_t *one = json_pack("{s:s}", "host", host->host);
        if (left_out) {
            put(one, "fit", json_string(fits[host->fit]));
            put(one, "why", text_or_null(host->why));
        } else {
            put(one, "wave", json_string(view->plan->waves[host->wave].name));
            if (view->spec->zone_limits_count > 0)
                put(one, "zone", text_or_null(host->zone));
            put(one, "steps", json_of_steps(view, host));
        }
        (void)json_array_append_new(hosts, one);
    }
    return hosts;
}

static json_t *json_of_zone_limits(const struct plan_view *view)
{
    json_t *limits = json_array();
    for (int i = 0; i < view->spec->zone_limits_count; i++) {
        const struct spec_zone_limit *limit = &view->spec->zone_limits[i];
        struct zone_reach reach = zone_reach_of(view->plan, view->spec, limit);
        (void)json_array_append_new(
            limits, json_pack("{s:s, s:i, s:i, s:i, s:i, s:i}", "lease", limit->lease,
                              "in_each", limit->permits, "zones", reach.zones,
                              "unnamed", reach.unnamed, "at_most", reach.at_most,
                              "permits", reach.permits));
    }
    return limits;
}

static void json_plan(struct writer *w, const struct plan_view *view)
{
    const struct plan *plan = view->plan;
    json_t *object = json_object(), *waves = json_array();
    for (int i = 0; i < plan->waves_count; i++)
        (void)json_array_append_new(waves,
                                    json_pack("{s:s, s:i}", "name", plan->waves[i].name,
                                              "size", plan->waves[i].size));
    put(object, "calico", text_or_null(view->spec->calico_version));
    put(object, "kind", json_string(rollout_kind_text(view->kind)));
    put(object, "members", json_integer(plan->members));
    put(object, "waves", waves);
    put(object, "restarts",
        json_pack("{s:i, s:i, s:i, s:i}", "docker", plan->docker_restarts, "agent",
                  plan->agent_restarts, "reloads", plan->reloads, "at_a_time",
                  view->max_restarts));
    if (view->spec->zone_limits_count > 0)
        put(object, "zones", json_of_zone_limits(view));
    if (!view->brief)
        put(object, "hosts", json_of_plan_hosts(view, false));
    put(object, "left_out", json_of_plan_hosts(view, true));
    print(w->out, object);
}

static json_t *json_of_row(const struct host_row *row)
{
    json_t *one = json_pack("{s:s, s:b}", "host", row->host, "live", (int)row->live);
    put(one, "state",
        row->has_record ? json_string(host_state_text(row->state)) : json_null());
    if (row->has_record) {
        put(one, "wave", json_integer(row->wave));
        put(one, "stage", text_or_null(row->stage));
        put(one, "step", text_or_null(row->step));
        put(one, "doing", text_or_null(row->doing));
        put(one, "lease", text_or_null(row->lease));
        put(one, "since_ms", time_or_null(row->since_ms));
        put(one, "error", text_or_null(row->error));
        put(one, "drift", json_string(record_drift_text(row->drift)));
        put(one, "drifted", text_or_null(row->drifted));
    }
    if (row->has_facts) {
        put(one, "role", text_or_null(row->role));
        put(one, "zone", text_or_null(row->zone));
        put(one, "address", text_or_null(row->address));
        put(one, "docker", text_or_null(row->docker));
        put(one, "mesos", text_or_null(row->mesos));
        put(one, "dcos", text_or_null(row->dcos));
        put(one, "agentd", text_or_null(row->agentd));
        put(one, "seen_ms", time_or_null(row->seen_ms));
    }
    return one;
}

static void json_hosts(struct writer *w, const struct hosts_view *view, int64_t now_ms)
{
    json_t *rows = json_array();
    for (int i = 0; i < view->count; i++)
        (void)json_array_append_new(rows, json_of_row(&view->rows[i]));
    print(w->out, json_pack("{s:o, s:o}", "rollout", text_or_null(view->rollout),
                            "hosts", rows));
}

static json_t *document(char *text)
{
    json_t *value = text ? json_loads(text, 0, NULL) : NULL;
    free(text);
    return value ? value : json_null();
}

static void json_host(struct writer *w, const struct host_view *view, int64_t now_ms)
{
    json_t *object =
        json_pack("{s:s, s:b}", "host", view->host, "live", (int)view->live);
    put(object, "rollout", text_or_null(view->rollout));
    put(object, "record",
        view->record ? document(record_encode(view->record)) : json_null());
    put(object, "inventory",
        view->facts ? document(facts_encode(view->facts)) : json_null());
    print(w->out, object);
}

static void json_leases(struct writer *w, const struct progress *progress,
                        int64_t now_ms)
{
    print(w->out, json_pack("{s:o, s:o}", "rollout",
                            text_or_null(progress ? progress->rollout : NULL), "leases",
                            json_of_leases(progress)));
}

static void json_events(struct writer *w, const struct event *events, int count)
{
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
        (void)json_array_append_new(list, document(event_encode(&events[i])));
    print(w->out, list);
}

static json_t *json_of_cause(const struct why_cause *cause)
{
    json_t *one = json_pack("{s:s, s:i, s:o}", "kind", why_kind_text(cause->kind),
                            "depth", cause->depth, "says", json_text(cause->says));
    put(one, "host", text_or_null(cause->host));
    put(one, "lease", text_or_null(cause->lease));
    put(one, "wave", text_or_null(cause->wave));
    put(one, "stage", text_or_null(cause->stage));
    put(one, "step", text_or_null(cause->step));
    put(one, "by", text_or_null(cause->by));
    put(one, "since_ms", time_or_null(cause->since_ms));
    put(one, "until_ms", time_or_null(cause->until_ms));
    return one;
}

static void json_why(struct writer *w, const struct why_view *view, int64_t now_ms)
{
    json_t *causes = json_array(), *advice = json_array();
    for (int i = 0; i < view->why->causes_count; i++)
        (void)json_array_append_new(causes, json_of_cause(&view->why->causes[i]));
    for (int i = 0; i < view->why->advice_count; i++)
        (void)json_array_append_new(
            advice, json_pack("{s:s, s:s}", "command", view->why->advice[i].command,
                              "says", view->why->advice[i].says));
    print(w->out, json_pack("{s:s, s:o, s:s, s:o, s:o}", "host", view->host, "rollout",
                            text_or_null(view->rollout), "kind",
                            why_kind_text(view->why->causes[0].kind), "causes", causes,
                            "advice", advice));
}

static void json_gc(struct writer *w, const struct gc_view *view)
{
    const struct gc *gc = view->gc;
    json_t *rollouts = json_array(), *hosts = json_array();
    for (int i = 0; i < gc->rollouts_count; i++) {
        const struct gc_rollout *r = &gc->rollouts[i];
        (void)json_array_append_new(
            rollouts,
            json_pack("{s:s, s:s, s:b, s:I, s:i}", "rollout", r->id, "is",
                      gc_verdict_text(r->verdict), "goes", (int)gc_goes(r->verdict),
                      "created_ms", (json_int_t)r->created_ms, "hosts", r->hosts));
    }
    for (int i = 0; i < gc->hosts.count; i++)
        (void)json_array_append_new(hosts, json_text(gc->hosts.items[i]));
    json_t *object = json_pack("{s:b, s:o, s:o}", "dry_run", (int)view->dry_run,
                               "rollouts", rollouts, "absent_hosts", hosts);
    put(object, "removed",
        json_pack("{s:i, s:i, s:i}", "rollouts", view->rollouts, "znodes", view->znodes,
                  "hosts", view->hosts));
    put(object, "left", text_or_null(view->left));
    print(w->out, object);
}

static void json_said(struct writer *w, const json_t *facts, const char *sentence)
{
    json_t *object = json_deep_copy(facts);
    put(object, "says", json_text(sentence));
    print(w->out, object);
}

static void json_error(struct writer *w, enum exit_code code, const char *text,
                       const char *mistakes)
{
    json_t *object =
        json_pack("{s:o, s:i}", "error", json_text(text), "exit", (int)code);
    if (mistakes) {
        json_t *list = json_array();
        while (*mistakes) {
            size_t len = strcspn(mistakes, "\n");
            struct strbuf one = {0};
            strbuf_add_bytes(&one, mistakes, len);
            (void)json_array_append_new(list, json_text(one.text ? one.text : ""));
            strbuf_done(&one);
            mistakes += len + (mistakes[len] == '\n');
        }
        put(object, "mistakes", list);
    }
    (void)fflush(w->out);
    print(w->err, object);
}

const struct writer_ops writer_json = {
    .progress = json_progress,
    .plan = json_plan,
    .hosts = json_hosts,
    .host = json_host,
    .leases = json_leases,
    .events = json_events,
    .why = json_why,
    .gc = json_gc,
    .said = json_said,
    .error = json_error,
};

void writer_say(struct writer *w, json_t *facts, const char *fmt, ...)
{
    struct strbuf sentence = {0};
    va_list args;
    va_start(args, fmt);
    strbuf_vaddf(&sentence, fmt, args);
    va_end(args);
    w->ops->said(w, facts, sentence.text);
    strbuf_done(&sentence);
    json_decref(facts);
}
