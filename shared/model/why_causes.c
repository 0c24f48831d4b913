/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands in the way of a host: that it is away, the gate, the hours, the hosts
 * that its wave or the one before is missing.
 */
#include "shared/model/why_chain.h"

#include "shared/base/str.h"

#include <stdio.h>

enum { FAILED_NAMED = 3 };

static const struct manifest *manifest_of(const struct why_chain *chain)
{
    return chain->in->rollout->manifest;
}

/* ---- away ---- */

/* The first time with what becomes of it. */
static void say_holder_away(struct why_chain *chain, int depth,
                            const struct why_host *host)
{
    int64_t lost_after_ms = manifest_of(chain)->spec->lost_after_ms;
    char heard[SPAN_SIZE], grace[SPAN_SIZE];
    struct why_cause *cause;
    why_span(chain, host->heard_ms, heard);
    str_from_duration_ms(lost_after_ms, grace, sizeof(grace));
    if (chain->away_said)
        cause = why_add(chain, depth, WHY_AWAY, host->host,
                        "its agentd has no session, its last word is %s old: it may be "
                        "marked as lost",
                        heard);
    else
        cause = why_add(chain, depth, WHY_AWAY, host->host,
                        "its agentd has no session, its last word is %s old. It goes "
                        "on by itself when it is back; when it has been silent for %s "
                        "the hosts that wait mark it as lost, and its permit stays "
                        "taken",
                        heard, grace);
    chain->away_said = true;
    cause->since_ms = host->heard_ms;
    cause->until_ms = host->heard_ms + lost_after_ms;
}

void why_away(struct why_chain *chain, int depth, const struct why_host *host)
{
    const struct record *record = &host->record;
    char says[160];
    if (host->has_record && record->state == HOST_HOLDING) {
        say_holder_away(chain, depth, host);
        if (why_may_order(chain, host, HOST_BREAK))
            why_advise(chain,
                       "gives it up: its permit is free at once, whatever it is in "
                       "the middle of",
                       "clowder break %s --reason TEXT", host->host);
    } else {
        (void)why_add(chain, depth, WHY_AWAY, host->host,
                      "its agentd has no session: nothing begins there until it is "
                      "back");
        if (host->has_record &&
            (record->state == HOST_IDLE || record->state == HOST_WAITING) &&
            why_may_order(chain, host, HOST_EXCLUDE))
            why_advise(chain, "leaves it out: nobody waits for it any more",
                       "clowder exclude %s --reason TEXT", host->host);
    }
    (void)snprintf(says, sizeof(says), "on %s: what its agentd is doing", host->host);
    why_advise(chain, says, "systemctl status clowder-agentd");
}

/* ---- the gate ---- */

static void name_failed(struct why_chain *chain, int depth)
{
    const struct progress_reading *rollout = chain->in->rollout;
    int named = 0;
    for (int i = 0; i < rollout->failed_listed && named < FAILED_NAMED; i++) {
        const struct progress_failed *failed = &rollout->failed[i];
        struct why_cause *cause = why_add(
            chain, depth, failed->record.state == HOST_LOST ? WHY_LOST : WHY_FAILED,
            failed->host, "%s %s: %s", failed->host,
            failed->record.state == HOST_LOST ? "is lost" : "failed",
            failed->has_record ? failed->record.error : failed->bad.text);
        STR_COPY(cause->step, failed->record.step);
        cause->since_ms = failed->record.since_ms;
        named++;
    }
    why_more(chain, depth, rollout->failed_count - named);
    if (rollout->failed_count > 0)
        why_advise(chain, "lets the failed hosts try again, once they are mended",
                   "clowder retry --failed");
}

static void explain_pause(struct why_chain *chain, int depth)
{
    const struct gate *gate = &chain->in->rollout->gate;
    char span[SPAN_SIZE];
    why_span(chain, gate->at_ms, span);
    struct why_cause *cause =
        why_add(chain, depth, WHY_GATE_CLOSED, "",
                "the rollout is paused for %s, by %s%s%s: no host begins", span,
                gate->by[0] ? gate->by : "an operator", gate->reason[0] ? ": " : "",
                gate->reason);
    STR_COPY(cause->by, gate->by);
    cause->since_ms = gate->at_ms;
    name_failed(chain, depth + 1);
    why_advise(chain, "the rollout goes on", "clowder resume");
}

static void explain_end(struct why_chain *chain, int depth)
{
    const struct gate *gate = &chain->in->rollout->gate;
    const char *id = manifest_of(chain)->id;
    char span[SPAN_SIZE];
    struct why_cause *cause;
    int held = chain->in->rollout->permits_count;
    why_span(chain, gate->at_ms, span);
    if (gate->phase == GATE_ABORT)
        cause = why_add(chain, depth, WHY_GATE_CLOSED, "",
                        "rollout %s is being aborted for %s, by %s%s%s: it ends when "
                        "%d held %s given back",
                        id, span, gate->by, gate->reason[0] ? ": " : "", gate->reason,
                        held, held == 1 ? "permit is" : "permits are");
    else
        cause = why_add(chain, depth, WHY_GATE_CLOSED, "",
                        "rollout %s has ended %s ago%s%s", id, span,
                        gate->reason[0] ? ": " : "", gate->reason);
    STR_COPY(cause->by, gate->by);
    cause->since_ms = gate->at_ms;
    why_advise(chain, "shows what another install would do", "clowder plan");
}

bool why_gate(struct why_chain *chain, int depth)
{
    enum gate_phase phase = chain->in->rollout->gate.phase;
    if (phase == GATE_RUN || phase == GATE_KEEP)
        return false;
    if (chain->gate_said)
        return true;
    chain->gate_said = true;
    if (phase == GATE_PAUSE)
        explain_pause(chain, depth);
    else
        explain_end(chain, depth);
    return true;
}

/* ---- the hours ---- */

static void windows_text(const struct spec *spec, struct strbuf *out)
{
    for (int i = 0; i < spec->windows_count; i++) {
        char text[128];
        window_text(&spec->windows[i], text, sizeof(text));
        strbuf_addf(out, "%s%s", i ? "; " : "", text);
    }
}

bool why_hours(struct why_chain *chain, int depth)
{
    const struct spec *spec = manifest_of(chain)->spec;
    const struct window_state *hours = &chain->in->rollout->hours;
    struct strbuf windows = {0};
    char span[SPAN_SIZE];
    if (spec->windows_count == 0 || hours->open)
        return false;
    if (chain->hours_said)
        return true;
    chain->hours_said = true;
    windows_text(spec, &windows);
    str_from_duration_ms((hours->until_ms - chain->now_ms) / 60000 * 60000, span,
                         sizeof(span));
    why_add(chain, depth, WHY_OUTSIDE_WINDOWS, "",
            "it is outside the rollout's time windows (%.300s): the next one opens in "
            "%s",
            windows.text, span)
        ->until_ms = hours->until_ms;
    strbuf_done(&windows);
    return true;
}

/* ---- waves ---- */

bool why_barrier(const struct progress_reading *rollout, const struct record *record,
                 int *ret_wave, int *ret_stage)
{
    int stages = rollout->manifest->spec->stages_count, last;
    if (record->state != HOST_IDLE || record->drift == RECORD_REPAIRING ||
        record->wave < 0 || stages == 0 ||
        record->wave >= rollout->manifest->waves_count)
        return false;
    last = record->wave * stages + record->stages_done - 1; /* -1: it waits for none */
    for (int i = 0; i <= last; i++) {
        if (rollout->barriers[i].open)
            continue;
        *ret_wave = i / stages;
        *ret_stage = i % stages;
        return true;
    }
    return false;
}

static void explain_soak(struct why_chain *chain, int depth, int wave, int64_t until_ms)
{
    char left[SPAN_SIZE];
    const char *name = manifest_of(chain)->waves[wave].name;
    str_from_duration_ms((until_ms - chain->now_ms) / 1000 * 1000, left, sizeof(left));
    struct why_cause *cause =
        why_add(chain, depth, WHY_SOAK, "",
                "wave %s is complete, and the next one begins after a pause "
                "(waves.soak): about %s left",
                name, left);
    STR_COPY(cause->wave, name);
    cause->until_ms = until_ms;
}

/* The wave before that one is complete: does its first visit still wait? */
static bool soaks(struct why_chain *chain, int depth, int wave)
{
    const struct spec *spec = manifest_of(chain)->spec;
    if (wave <= 0 || spec->stages_count == 0)
        return false;
    const struct progress_barrier *last =
        &chain->in->rollout->barriers[wave * spec->stages_count - 1];
    if (!last->open || chain->now_ms >= last->opened_ms + spec->soak_ms)
        return false;
    explain_soak(chain, depth, wave - 1, last->opened_ms + spec->soak_ms);
    return true;
}

static void name_missing(struct why_chain *chain, int depth)
{
    const struct why_reading *in = chain->in;
    for (int i = 0; i < in->missing_named; i++)
        why_one(chain, depth, &in->missing[i]);
    why_more(chain, depth, in->missing_count - in->missing_named);
}

static void explain_complete(struct why_chain *chain, int depth, int wave, int stage)
{
    const struct wave_entry *entry = &manifest_of(chain)->waves[wave];
    if (!manifest_manual(manifest_of(chain), wave, stage)) {
        (void)why_add(chain, depth, WHY_BARRIER, "",
                      "all %d hosts of wave %s have done it: its barrier opens within "
                      "two minutes",
                      entry->size, entry->name);
        return;
    }
    struct why_cause *cause =
        why_add(chain, depth, WHY_PROMOTE, "",
                "wave %s is complete, and the next one begins when an operator says "
                "so (waves.promote: manual)",
                entry->name);
    STR_COPY(cause->wave, entry->name);
    why_advise(chain, "lets the next wave begin", "clowder promote %s", entry->name);
}

bool why_wave(struct why_chain *chain, int depth, const struct record *record)
{
    const struct progress_reading *rollout = chain->in->rollout;
    const struct manifest *manifest = manifest_of(chain);
    int wave, stage;
    if (!why_barrier(rollout, record, &wave, &stage))
        return record->stages_done == 0 && soaks(chain, depth, record->wave);
    const struct wave_entry *entry = &manifest->waves[wave];
    const char *name = manifest->spec->stages[stage].name;
    int arrived =
        rollout->barriers[wave * manifest->spec->stages_count + stage].arrived;
    struct why_cause *cause =
        why_add(chain, depth, WHY_BARRIER, "",
                "it waits for %swave %s, where %d of %d %s done stage %s",
                wave == record->wave ? "the others of " : "", entry->name, arrived,
                entry->size, arrived == 1 ? "has" : "have", name);
    STR_COPY(cause->wave, entry->name);
    STR_COPY(cause->stage, name);
    if (arrived >= entry->size)
        explain_complete(chain, depth + 1, wave, stage);
    else if (stage > 0 || !soaks(chain, depth + 1, wave))
        name_missing(chain, depth + 1);
    (void)why_gate(chain, depth);
    (void)why_hours(chain, depth);
    return true;
}
