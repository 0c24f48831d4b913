/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/model/why_chain.h"

#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/drift.h"
#include "shared/model/judge.h"
#include "shared/model/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { ALIKE_MAX = 2 };

const char *why_kind_text(enum why_kind kind)
{
    static const char *const texts[] = {
        [WHY_NO_ROLLOUT] = "no-rollout",
        [WHY_NO_MEMBER] = "no-member",
        [WHY_LATE] = "late",
        [WHY_WAITS_FOR_PERMIT] = "waits-for-permit",
        [WHY_WAITS_FOR_WAVE] = "waits-for-wave",
        [WHY_BEGINS] = "begins",
        [WHY_HOLDS] = "holds",
        [WHY_DONE] = "done",
        [WHY_FAILED] = "failed",
        [WHY_LOST] = "lost",
        [WHY_EXCLUDED] = "excluded",
        [WHY_ENDED] = "ended",
        [WHY_UNREADABLE] = "unreadable",
        [WHY_GATE_CLOSED] = "gate-closed",
        [WHY_OUTSIDE_WINDOWS] = "outside-windows",
        [WHY_LEASE] = "lease",
        [WHY_BARRIER] = "barrier",
        [WHY_PROMOTE] = "promote",
        [WHY_SOAK] = "soak",
        [WHY_AWAY] = "away",
        [WHY_UNFIT] = "unfit",
        [WHY_DRIFTED] = "drifted",
        [WHY_TWINS] = "twins",
        [WHY_MORE] = "more",
    };
    return texts[kind];
}

/* ---- the chain ---- */

struct why_cause *why_add(struct why_chain *chain, int depth, enum why_kind kind,
                          const char *host, const char *fmt, ...)
{
    struct why *why = chain->why;
    va_list args;
    why->causes =
        mem_resize(why->causes, (size_t)why->causes_count + 1, sizeof(*why->causes));
    struct why_cause *cause = &why->causes[why->causes_count++];
    *cause = (struct why_cause){.kind = kind, .depth = depth};
    STR_COPY(cause->host, host);
    va_start(args, fmt);
    (void)vsnprintf(cause->says, sizeof(cause->says), fmt, args);
    va_end(args);
    return cause;
}

void why_advise(struct why_chain *chain, const char *says, const char *command, ...)
{
    struct why *why = chain->why;
    struct why_advice advice = {0};
    int alike = 0;
    va_list args;
    va_start(args, command);
    (void)vsnprintf(advice.command, sizeof(advice.command), command, args);
    va_end(args);
    STR_COPY(advice.says, says);
    for (int i = 0; i < why->advice_count; i++) {
        if (str_equal(why->advice[i].command, advice.command))
            return;
        alike += str_equal(why->advice[i].says, advice.says);
    }
    if (alike == ALIKE_MAX)
        return;
    why->advice =
        mem_resize(why->advice, (size_t)why->advice_count + 1, sizeof(*why->advice));
    why->advice[why->advice_count++] = advice;
}

bool why_may_order(const struct why_chain *chain, const struct why_host *host,
                   enum host_order_kind kind)
{
    const struct progress_reading *rollout = chain->in->rollout;
    struct host_order_request request = {.kind = kind, .why = "TEXT"};
    struct host_change change;
    STR_COPY(request.host, host->host);
    return host_rule(&request, rollout->manifest, &rollout->gate, &host->record,
                     &change, NULL) == 0;
}

void why_more(struct why_chain *chain, int depth, int count)
{
    if (count > 0)
        (void)why_add(chain, depth, WHY_MORE, "", "and %d more", count);
}

void why_span(const struct why_chain *chain, int64_t since_ms, char ret[SPAN_SIZE])
{
    int64_t ms = chain->now_ms > since_ms ? chain->now_ms - since_ms : 0;
    int64_t unit = ms < 3600000 ? 1000 : 60000;
    if (ms < 1000)
        str_copy(ret, SPAN_SIZE, "a moment");
    else
        str_from_duration_ms(ms / unit * unit, ret, SPAN_SIZE);
}

void why_doing(const struct record *record, char *dst, size_t size)
{
    if (record->step[0])
        (void)snprintf(dst, size, "%s%s%s", record->step, record->doing[0] ? ": " : "",
                       record->doing);
    else
        (void)snprintf(dst, size, "at its beginning");
}

void why_done(struct why *why)
{
    free(why->causes);
    free(why->advice);
    *why = (struct why){0};
}

/* ---- no rollout, or no member of it ---- */

static const struct manifest *manifest_of(const struct why_chain *chain)
{
    return chain->in->rollout->manifest;
}

/* What would become of it in this plan, by what its probes last saw; "" = it fits. */
static void judge_fitness(const struct why_chain *chain, char *why, size_t size)
{
    const struct strings all = {0};
    struct plan plan = {0};
    struct error err = {0};
    struct plan_input input = {.live = chain->in->host.live};
    why[0] = '\0';
    if (!chain->in->facts)
        return;
    input.facts = *chain->in->facts; /* borrowed for the call */
    if (plan_make(manifest_of(chain)->spec, &input, 1, &all, &plan, &err) < 0)
        return;
    if (plan.hosts_count == 1 && plan.hosts[0].fit != PLAN_FIT)
        (void)snprintf(why, size, "%s", plan.hosts[0].why);
    plan_done(&plan);
}

static void explain_no_rollout(struct why_chain *chain)
{
    const struct why_host *host = &chain->in->host;
    (void)why_add(chain, 0, WHY_NO_ROLLOUT, host->host,
                  "no rollout is in force: nothing is asked of %s", host->host);
    if (!host->live)
        why_away(chain, 1, host);
    why_advise(chain, "shows what an install would do", "clowder plan");
}

static void explain_no_member(struct why_chain *chain)
{
    const struct why_host *host = &chain->in->host;
    const struct manifest *manifest = manifest_of(chain);
    enum gate_phase phase = chain->in->rollout->gate.phase;
    bool ends = phase == GATE_ABORT || phase == GATE_DONE;
    char unfit[256];
    if (manifest->spec->adopt && phase == GATE_KEEP)
        (void)why_add(
            chain, 0, WHY_LATE, host->host,
            "%s is no member of rollout %s yet: it joins by itself, as a late "
            "host",
            host->host, manifest->id);
    else if (manifest->spec->adopt && !ends)
        (void)why_add(chain, 0, WHY_LATE, host->host,
                      "%s was not in the plan of rollout %s: it joins by itself when "
                      "the members are done",
                      host->host, manifest->id);
    else
        (void)why_add(chain, 0, WHY_NO_MEMBER, host->host,
                      "%s was not in the plan of rollout %s: it can take part in the "
                      "next one",
                      host->host, manifest->id);
    judge_fitness(chain, unfit, sizeof(unfit));
    if (host->live && unfit[0])
        (void)why_add(chain, 1, WHY_UNFIT, host->host, "a plan leaves it out: %s",
                      unfit);
    if (!host->live)
        why_away(chain, 1, host);
    why_advise(chain, "shows which hosts would take part, and why others not",
               "clowder plan --all");
}

/* ---- members ---- */

/* What is in the way of the steps that are still to come. */
static void warn_of_unfit(struct why_chain *chain, int depth,
                          const struct why_host *host)
{
    const struct facts *facts = chain->in->facts;
    const struct spec *spec = manifest_of(chain)->spec;
    if (!facts || manifest_undoes(manifest_of(chain)))
        return;
    for (int s = host->record.stages_done; s < spec->stages_count; s++) {
        for (int i = 0; i < spec->stages[s].steps_count; i++) {
            enum step_id step = spec->stages[s].steps[i];
            struct judgement found = {0};
            if (!spec_policy(spec, step)->enabled)
                continue;
            judge(step, spec, facts, json_object_get(facts->seen, step_name(step)),
                  &found);
            if (found.finding != FINDING_FOREIGN)
                continue;
            struct why_cause *cause =
                why_add(chain, depth, WHY_UNFIT, host->host,
                        "its step %s will stop there: %s", step_name(step), found.says);
            STR_COPY(cause->step, step_name(step));
        }
    }
}

static bool ended(const struct why_chain *chain)
{
    enum gate_phase phase = chain->in->rollout->gate.phase;
    return phase == GATE_ABORT || phase == GATE_DONE;
}

static struct why_cause *add_state(struct why_chain *chain, int depth,
                                   enum why_kind kind, const struct why_host *host,
                                   const char *text)
{
    const struct record *record = &host->record;
    struct why_cause *cause = why_add(chain, depth, kind, host->host, "%s", text);
    const struct manifest *manifest = manifest_of(chain);
    if (record->wave >= 0 && record->wave < manifest->waves_count)
        STR_COPY(cause->wave, manifest->waves[record->wave].name);
    STR_COPY(cause->stage, record->stage);
    STR_COPY(cause->step, record->step);
    STR_COPY(cause->lease, record->lease);
    STR_COPY(cause->by, record->by);
    cause->since_ms = record->since_ms;
    return cause;
}

static void place_text(const struct why_reading *in, char *dst, size_t size)
{
    dst[0] = '\0';
    if (in->place == 1)
        (void)snprintf(dst, size, ": first of %d in line", in->in_queue);
    else if (in->place > 1)
        (void)snprintf(dst, size, ": about place %d of %d in line", in->place,
                       in->in_queue);
}

static void explain_waiting(struct why_chain *chain, int depth,
                            const struct why_host *host)
{
    const struct record *record = &host->record;
    bool subject = host == &chain->in->host;
    char span[SPAN_SIZE], place[64] = "", text[512];
    why_span(chain, record->since_ms, span);
    if (subject)
        place_text(chain->in, place, sizeof(place));
    (void)snprintf(text, sizeof(text),
                   "%s waits for a permit of lease %s, for stage %s, for %s%s",
                   host->host, record->lease, record->stage, span, place);
    (void)add_state(chain, depth, WHY_WAITS_FOR_PERMIT, host, text);
    if (!host->live)
        why_away(chain, depth + 1, host);
    bool closed = why_gate(chain, depth + 1);
    closed = why_hours(chain, depth + 1) || closed;
    if (!closed)
        why_lease(chain, depth + 1, record->lease);
    if (subject)
        warn_of_unfit(chain, depth + 1, host);
}

static void repair_text(const struct why_host *host, char *dst, size_t size)
{
    char names[RECORD_STEPS_MAX * NAME_SIZE];
    record_drifted_names(&host->record, names, sizeof(names));
    (void)snprintf(dst, size, "%s was done, and repairs itself: it has drifted%s%s",
                   host->host, names[0] ? " in " : "", names);
}

static void explain_idle(struct why_chain *chain, int depth,
                         const struct why_host *host)
{
    const struct record *record = &host->record;
    const struct manifest *manifest = manifest_of(chain);
    bool repairs = record->drift == RECORD_REPAIRING;
    char span[SPAN_SIZE], text[512];
    int wave, stage;
    why_span(chain, record->since_ms, span);
    if (ended(chain)) {
        (void)snprintf(text, sizeof(text), "%s was %s when rollout %s ended",
                       host->host, repairs ? "about to repair itself" : "not done",
                       manifest->id);
        (void)add_state(chain, depth, WHY_ENDED, host, text);
        (void)why_gate(chain, depth + 1);
        return;
    }
    bool blocked = why_barrier(chain->in->rollout, record, &wave, &stage);
    if (repairs)
        repair_text(host, text, sizeof(text));
    else if (record->stages_done > 0)
        (void)snprintf(text, sizeof(text),
                       "%s has done %d of %d stages and rests, for %s", host->host,
                       record->stages_done, manifest->spec->stages_count, span);
    else
        (void)snprintf(text, sizeof(text), "%s has not begun%s%s", host->host,
                       record->retried ? " again since it was retried by " : "",
                       record->retried ? record->by : "");
    (void)add_state(chain, depth,
                    blocked      ? WHY_WAITS_FOR_WAVE
                    : host->live ? WHY_BEGINS
                                 : WHY_AWAY,
                    host, text);
    if (!host->live)
        why_away(chain, depth + 1, host);
    if (host == &chain->in->host) {
        bool waits = why_wave(chain, depth + 1, record);
        if (!waits && host->live && !why_gate(chain, depth + 1) &&
            !why_hours(chain, depth + 1))
            (void)why_add(chain, depth + 1, WHY_BEGINS, "",
                          "nothing stands in its way: it looks at what its next stage "
                          "would do, and queues for the lease");
        warn_of_unfit(chain, depth + 1, host);
    }
}

/* When the host mends it by itself; NULL = never: no phase keep is to come. */
static const char *mends_when(const struct why_chain *chain)
{
    const struct gate *gate = &chain->in->rollout->gate;
    switch (gate->phase) {
    case GATE_KEEP:
        return "the host mends it by itself, under the leases";
    case GATE_PAUSE:
        if (gate->kept)
            return "the host mends it by itself when the rollout is resumed";
        break;
    case GATE_RUN:
        break;
    case GATE_ABORT:
    case GATE_DONE:
        return NULL;
    }
    return manifest_of(chain)->spec->adopt
               ? "the host mends it by itself when the rollout is done"
               : NULL;
}

/* Who mends it: the host by itself, or nobody. */
static const char *mended_text(const struct why_chain *chain, enum step_id step)
{
    const struct facts *facts = chain->in->facts;
    const struct spec *spec = manifest_of(chain)->spec;
    struct judgement found = {0};
    judge(step, spec, facts, json_object_get(facts->seen, step_name(step)), &found);
    if (found.finding == FINDING_FOREIGN)
        return "it is never mended by itself: put right by hand what is in its place";
    if (!drift_repairs(spec, step, &found))
        return "it is only reported (steps.*.drift): another install mends it";
    const char *when = mends_when(chain);
    return when ? when
                : "this rollout mends nothing by itself any more: another install "
                  "mends it";
}

static void explain_drift(struct why_chain *chain, int depth,
                          const struct why_host *host)
{
    const struct facts *facts = chain->in->facts;
    for (int s = 0; facts && s < STEP_COUNT; s++) {
        const char *name = step_name((enum step_id)s);
        const char *says = json_string_value(json_object_get(facts->drift, name));
        if (!record_step_drifted(&host->record, name))
            continue;
        struct why_cause *cause = why_add(
            chain, depth, WHY_DRIFTED, host->host,
            "its step %s is not as it was proved any more%s%s; %s", name,
            says ? ": " : "", says ? says : "", mended_text(chain, (enum step_id)s));
        STR_COPY(cause->step, name);
    }
}

static void explain_done(struct why_chain *chain, int depth,
                         const struct why_host *host)
{
    char span[SPAN_SIZE], text[256];
    why_span(chain, host->record.since_ms, span);
    (void)snprintf(text, sizeof(text), "%s is done since %s: every step was proved",
                   host->host, span);
    (void)add_state(chain, depth, WHY_DONE, host, text);
    if (host == &chain->in->host && host->record.drift == RECORD_DRIFTED)
        explain_drift(chain, depth + 1, host);
    if (!host->live)
        why_away(chain, depth + 1, host);
}

static void explain_excluded(struct why_chain *chain, int depth,
                             const struct why_host *host)
{
    char span[SPAN_SIZE], text[600];
    why_span(chain, host->record.since_ms, span);
    (void)snprintf(text, sizeof(text),
                   "%s is left out of this rollout since %s: %s. It can take part in "
                   "the next one",
                   host->host, span,
                   host->record.error[0] ? host->record.error : "no reason is given");
    (void)add_state(chain, depth, WHY_EXCLUDED, host, text);
}

static void explain_unreadable(struct why_chain *chain, int depth,
                               const struct why_host *host)
{
    bool newer = host->bad.code == -EPROTONOSUPPORT;
    (void)why_add(chain, depth, WHY_UNREADABLE, host->host,
                  "%s's record cannot be read: %s", host->host, host->bad.text);
    if (newer)
        why_advise(chain,
                   "this program is older than the host's agentd: upgrade it; if it is "
                   "not, the record was changed by hand: put it right",
                   "clowder version");
    else
        why_advise(chain,
                   "the record was changed by hand: its agentd refuses it too, and "
                   "acts on nothing; put it right with ZooKeeper's own tools",
                   "zkCli.sh get");
}

void why_one(struct why_chain *chain, int depth, const struct why_host *host)
{
    if (host->bad.code < 0) {
        explain_unreadable(chain, depth, host);
        return;
    }
    if (!host->has_record) {
        (void)why_add(chain, depth, WHY_NO_MEMBER, host->host, "%s has no record",
                      host->host);
        return;
    }
    switch (host->record.state) {
    case HOST_IDLE:
        explain_idle(chain, depth, host);
        return;
    case HOST_WAITING:
        explain_waiting(chain, depth, host);
        return;
    case HOST_HOLDING:
    case HOST_FAILED:
    case HOST_LOST:
        why_holder(chain, depth, host);
        return;
    case HOST_DONE:
        explain_done(chain, depth, host);
        return;
    case HOST_EXCLUDED:
        explain_excluded(chain, depth, host);
        return;
    }
}

static bool settled(const struct why_host *host)
{
    return host->has_record && record_terminal(&host->record);
}

void why_make(const struct why_reading *reading, int64_t now_ms, struct why *ret)
{
    struct why_chain chain = {.in = reading, .now_ms = now_ms, .why = ret};
    const struct why_host *host = &reading->host;
    *ret = (struct why){0};
    if (!reading->rollout)
        explain_no_rollout(&chain);
    else if (!host->has_record && host->bad.code == 0)
        explain_no_member(&chain);
    else
        why_one(&chain, 0, host);
    if (ret->advice_count == 0 && reading->rollout && !settled(host))
        why_advise(&chain, "follows the rollout: there is nothing to do but to wait",
                   "clowder watch");
    if (reading->twins)
        (void)why_add(&chain, 1, WHY_TWINS, host->host,
                      "two machines call themselves %s: the one that has the session "
                      "is not the one that the inventory is of; give one of them "
                      "another host id",
                      host->host);
}
