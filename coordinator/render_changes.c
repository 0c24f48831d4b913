/* SPDX-License-Identifier: Apache-2.0
 *
 * Two looks at a rollout, as lines: for a pipe or a log file, where a screen that
 * redraws itself is of no use. What came and went between two looks is not seen.
 */
#include "coordinator/render_parts.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static void line(struct strbuf *out, const struct style *style, int64_t now_ms,
                 enum tone tone, const char *who, const char *fmt, ...)
    PRINTF_LIKE(6, 7);

static void line(struct strbuf *out, const struct style *style, int64_t now_ms,
                 enum tone tone, const char *who, const char *fmt, ...)
{
    char stamp[32], text[768];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    stamp_text(now_ms, stamp, sizeof(stamp));
    style_add(out, style, TONE_DIM, stamp + 11); /* the time of day */
    strbuf_add(out, "  ");
    style_add(out, style, TONE_BOLD, who);
    strbuf_add(out, "  ");
    style_add(out, style, tone, text);
    style_end_line(out);
}

static void first_look(struct strbuf *out, const struct style *style,
                       const struct progress *p, int64_t now_ms)
{
    line(out, style, now_ms, TONE_PLAIN, p->rollout,
         "Calico %s on %d %s in %d %s, %s; %d done, %d failed", p->calico_version,
         p->hosts.total, plural(p->hosts.total, "host", "hosts"), p->waves_count,
         plural(p->waves_count, "wave", "waves"), progress_phase_text(p), p->hosts.done,
         p->hosts.failed + p->hosts.lost);
}

static const struct progress_held *held_by(const struct progress *p, const char *lease,
                                           const char *host, int64_t token)
{
    for (int l = 0; p && l < p->leases_count; l++)
        for (int i = 0; i < p->leases[l].held_count; i++) {
            const struct progress_held *held = &p->leases[l].held[i];
            if (held->token == token && str_equal(held->host, host) &&
                str_equal(p->leases[l].name, lease))
                return held;
        }
    return NULL;
}

static void held_change(struct strbuf *out, const struct style *style,
                        const struct progress_lease *lease,
                        const struct progress_held *was, const struct progress_held *is,
                        int64_t now_ms)
{
    if (!was)
        line(out, style, now_ms, TONE_BUSY, is->host, "holds %s%s%s", lease->name,
             is->stage[0] ? " for stage " : "", is->stage);
    if (is->step[0] &&
        (!was || !str_equal(was->step, is->step) || !str_equal(was->doing, is->doing)))
        line(out, style, now_ms, TONE_PLAIN, is->host, "%s%s%s", is->step,
             is->doing[0] ? ": " : "", is->doing);
    if (is->away != (was && was->away) && is->state == HOST_HOLDING)
        line(out, style, now_ms, is->away ? TONE_WARN : TONE_PLAIN, is->host,
             is->away ? "away: its agentd has no session; it keeps its permit of %s"
                      : "is back, with its permit of %s",
             lease->name);
    if (is->state == HOST_LOST && (!was || was->state != HOST_LOST))
        line(out, style, now_ms, TONE_BAD, is->host,
             "lost in %s; it keeps its permit of %s", is->step, lease->name);
}

static void held_changes(struct strbuf *out, const struct style *style,
                         const struct progress *before, const struct progress *after,
                         int64_t now_ms)
{
    for (int l = 0; l < after->leases_count; l++) {
        const struct progress_lease *lease = &after->leases[l];
        for (int i = 0; i < lease->held_count; i++) {
            const struct progress_held *is = &lease->held[i];
            held_change(out, style, lease,
                        held_by(before, lease->name, is->host, is->token), is, now_ms);
        }
    }
}

static void permits_given_back(struct strbuf *out, const struct style *style,
                               const struct progress *before,
                               const struct progress *after, int64_t now_ms)
{
    for (int l = 0; before && l < before->leases_count; l++) {
        const struct progress_lease *lease = &before->leases[l];
        for (int i = 0; i < lease->held_count; i++) {
            const struct progress_held *was = &lease->held[i];
            char span[24];
            duration_text(now_ms - was->since_ms, span, sizeof(span));
            if (!held_by(after, lease->name, was->host, was->token))
                line(out, style, now_ms, TONE_PLAIN, was->host, "gave %s back after %s",
                     lease->name, span);
        }
    }
}

static void wave_changes(struct strbuf *out, const struct style *style,
                         const struct progress *before, const struct progress *after,
                         int64_t now_ms)
{
    for (int w = 0; before && w < after->waves_count && w < before->waves_count; w++) {
        const struct progress_wave *wave = &after->waves[w];
        for (int s = 0; s < wave->stages_count; s++) {
            const struct progress_stage *was = &before->waves[w].stages[s];
            const struct progress_stage *is = &wave->stages[s];
            bool opened = is->open && !was->open;
            if (is->arrived != was->arrived || opened)
                line(out, style, now_ms, opened ? TONE_GOOD : TONE_PLAIN, wave->name,
                     "%s %d/%d%s", is->name, is->arrived, wave->size,
                     opened ? ", all there" : "");
        }
    }
}

static bool was_failed(const struct progress *p, const char *host)
{
    for (int i = 0; p && i < p->failures_count; i++)
        if (str_equal(p->failures[i].host, host))
            return true;
    return false;
}

/* "node: not proved within 2m": the error names the step itself. */
static bool begins_with_step(const struct progress_failure *failure)
{
    size_t len = strlen(failure->step);
    return strncmp(failure->error, failure->step, len) == 0 &&
           (len == 0 || failure->error[len] == ':');
}

static void failure_changes(struct strbuf *out, const struct style *style,
                            const struct progress *before, const struct progress *after,
                            int64_t now_ms)
{
    for (int i = 0; i < after->failures_count; i++) {
        const struct progress_failure *failure = &after->failures[i];
        if (failure->state == HOST_FAILED && !was_failed(before, failure->host))
            line(out, style, now_ms, TONE_BAD, failure->host, "failed%s%s: %s",
                 begins_with_step(failure) ? "" : " in ",
                 begins_with_step(failure) ? "" : failure->step, failure->error);
    }
}

static const struct progress_drifted *drifted_of(const struct progress *p,
                                                 const char *host)
{
    for (int i = 0; p && i < p->drifted_count; i++)
        if (str_equal(p->drifted[i].host, host))
            return &p->drifted[i];
    return NULL;
}

static void drift_changes(struct strbuf *out, const struct style *style,
                          const struct progress *before, const struct progress *after,
                          int64_t now_ms)
{
    for (int i = 0; i < after->drifted_count; i++) {
        const struct progress_drifted *is = &after->drifted[i];
        const struct progress_drifted *was = drifted_of(before, is->host);
        if (is->repairs && (!was || !was->repairs))
            line(out, style, now_ms, TONE_BUSY, is->host,
                 "has drifted, repairs itself");
        else if (!was && is->steps_count > 0)
            line(out, style, now_ms, TONE_WARN, is->host, "has drifted: %s: %s",
                 is->steps[0].step, is->steps[0].says);
    }
    for (int i = 0; before && i < before->drifted_count; i++)
        if (after->hosts.drifted == after->drifted_count &&
            !drifted_of(after, before->drifted[i].host))
            line(out, style, now_ms, TONE_GOOD, before->drifted[i].host,
                 "is as it was proved again");
}

static void limit_changes(struct strbuf *out, const struct style *style,
                          const struct progress *before, const struct progress *after,
                          int64_t now_ms)
{
    for (int l = 0; before && l < after->leases_count && l < before->leases_count; l++)
        if (after->leases[l].limit != before->leases[l].limit)
            line(out, style, now_ms, TONE_PLAIN, after->by,
                 "set the limit of %s from %d to %d", after->leases[l].name,
                 before->leases[l].limit, after->leases[l].limit);
}

static void wait_change(struct strbuf *out, const struct style *style,
                        const struct progress *before, const struct progress *after,
                        int64_t now_ms)
{
    char text[200];
    bool same = before && before->wait.kind == after->wait.kind &&
                str_equal(before->wait.wave, after->wait.wave);
    if (!same && wait_text(after, now_ms, text, sizeof(text)))
        line(out, style, now_ms, TONE_WARN, after->rollout, "%s", text);
}

static void phase_change(struct strbuf *out, const struct style *style,
                         const struct progress *before, const struct progress *after,
                         int64_t now_ms)
{
    char span[24];
    if (before && before->phase == after->phase)
        return;
    if (!progress_ended(after)) {
        if (before || after->phase != GATE_RUN)
            line(out, style, now_ms, phase_tone(after), after->rollout, "%s by %s%s%s",
                 progress_phase_text(after), after->by, after->reason[0] ? ": " : "",
                 after->reason);
        return;
    }
    duration_text(after->phase_ms - after->started_ms, span, sizeof(span));
    line(out, style, now_ms, phase_tone(after), after->rollout,
         "%s after %s: %d of %d done, %d failed, %d excluded",
         progress_phase_text(after), span, after->hosts.done, after->hosts.total,
         after->hosts.failed + after->hosts.lost, after->hosts.excluded);
}

void render_changes(struct strbuf *out, const struct style *style,
                    const struct progress *before, const struct progress *after,
                    int64_t now_ms)
{
    if (!before)
        first_look(out, style, after, now_ms);
    failure_changes(out, style, before, after, now_ms);
    drift_changes(out, style, before, after, now_ms);
    permits_given_back(out, style, before, after, now_ms);
    wave_changes(out, style, before, after, now_ms);
    held_changes(out, style, before, after, now_ms);
    limit_changes(out, style, before, after, now_ms);
    wait_change(out, style, before, after, now_ms);
    phase_change(out, style, before, after, now_ms);
}
