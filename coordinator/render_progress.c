/* SPDX-License-Identifier: Apache-2.0
 *
 * The picture of a rollout, from the outside in: what and how long; a line per wave,
 * with a bar per stage for the one under way; who holds a permit and what it does; what
 * failed; the sums.
 */
#include "coordinator/render_parts.h"

#include <stdio.h>
#include <string.h>

enum tone phase_tone(const struct progress *progress)
{
    switch (progress->phase) {
    case GATE_RUN:
        return TONE_BUSY;
    case GATE_PAUSE:
        return TONE_WARN;
    case GATE_ABORT:
        return TONE_BAD;
    case GATE_KEEP:
    case GATE_DONE:
        break;
    }
    return progress_succeeded(progress) ? TONE_GOOD : TONE_BAD;
}

enum tone state_tone(enum host_state state)
{
    switch (state) {
    case HOST_IDLE:
    case HOST_EXCLUDED:
        return TONE_DIM;
    case HOST_WAITING:
        return TONE_PLAIN;
    case HOST_HOLDING:
        return TONE_BUSY;
    case HOST_DONE:
        return TONE_GOOD;
    case HOST_FAILED:
    case HOST_LOST:
        return TONE_BAD;
    }
    return TONE_PLAIN;
}

/* Left text, and right text at the right edge where there is room; else below it. */
static void two_sides(struct strbuf *out, const struct style *style,
                      enum tone left_tone, const char *left, enum tone right_tone,
                      const char *right)
{
    int gap = style->width - text_width(left) - text_width(right);
    if (!*right) {
        style_cell(out, style, left_tone, style->width, left);
    } else if (gap < 2) {
        style_cell(out, style, left_tone, style->width, left);
        style_end_line(out);
        style_cell(out, style, right_tone, style->width, right);
    } else {
        style_add(out, style, left_tone, left);
        style_cell(out, style, TONE_PLAIN, gap, "");
        style_add(out, style, right_tone, right);
    }
    style_end_line(out);
}

static void since_text(const struct progress *progress, int64_t now_ms, char *dst,
                       size_t size)
{
    char span[24];
    switch (progress->phase) {
    case GATE_RUN:
        duration_text(now_ms - progress->started_ms, span, sizeof(span));
        (void)snprintf(dst, size, "running for %s", span);
        return;
    case GATE_PAUSE:
    case GATE_ABORT:
        duration_text(now_ms - progress->phase_ms, span, sizeof(span));
        (void)snprintf(dst, size, "%s for %s", progress_phase_text(progress), span);
        return;
    case GATE_KEEP:
    case GATE_DONE:
        break;
    }
    duration_text(progress->phase_ms - progress->started_ms, span, sizeof(span));
    (void)snprintf(dst, size, "%s after %s", progress_phase_text(progress), span);
}

static void end_text(const struct progress *progress, int64_t now_ms, char *dst,
                     size_t size)
{
    char span[24], at[24];
    dst[0] = '\0';
    if (progress_ended(progress)) {
        clock_text(progress->phase_ms, now_ms, at, sizeof(at));
        (void)snprintf(dst, size, "at %s", at);
    } else if (progress->eta_ms >= 0) {
        duration_text(progress->eta_ms - now_ms, span, sizeof(span));
        clock_text(progress->eta_ms, now_ms, at, sizeof(at));
        (void)snprintf(dst, size, "about %s left, until %s", span, at);
    }
}

static bool is_failed_host(const struct progress *progress, const char *who)
{
    for (int i = 0; i < progress->failures_count; i++)
        if (str_equal(progress->failures[i].host, who))
            return true;
    return false;
}

/* Who closed the gate and why; a failure's text stands below, with its host. */
static void add_reason(struct strbuf *out, const struct style *style,
                       const struct progress *progress)
{
    char reason[REASON_SIZE + WHO_SIZE + 64];
    int failed = progress->hosts.failed + progress->hosts.lost;
    if (progress->phase == GATE_RUN)
        return;
    if (is_failed_host(progress, progress->by) && progress->phase == GATE_PAUSE)
        (void)snprintf(reason, sizeof(reason),
                       "paused by the failure of %s: %d failed, at most %d allowed",
                       progress->by, failed, progress->failed_budget);
    else if (progress->phase == GATE_PAUSE || progress->phase == GATE_ABORT)
        (void)snprintf(reason, sizeof(reason), "%s by %s%s%s",
                       progress->phase == GATE_PAUSE ? "paused" : "aborted",
                       progress->by, progress->reason[0] ? ": " : "", progress->reason);
    else if (progress->reason[0])
        (void)snprintf(reason, sizeof(reason), "%s: %s", progress->by,
                       progress->reason);
    else
        return;
    style_wrap(out, style, progress_ended(progress) ? TONE_DIM : TONE_WARN, 0, reason);
    style_end_line(out);
}

bool wait_text(const struct progress *progress, int64_t now_ms, char *dst, size_t size)
{
    const struct progress_wait *wait = &progress->wait;
    char span[24], at[24];
    duration_text(wait->until_ms - now_ms, span, sizeof(span));
    clock_text(wait->until_ms, now_ms, at, sizeof(at));
    switch (wait->kind) {
    case PROGRESS_WAITS_FOR_NOTHING:
        break;
    case PROGRESS_WAITS_FOR_WINDOW:
        (void)snprintf(dst, size,
                       "outside its time windows: no host begins for %s, until %s",
                       span, at);
        break;
    case PROGRESS_WAITS_FOR_PROMOTE:
        (void)snprintf(dst, size,
                       "wave %s is complete; the next begins with `clowder promote %s`",
                       wait->wave, wait->wave);
        break;
    case PROGRESS_WAITS_FOR_SOAK:
        (void)snprintf(dst, size,
                       "wave %s is complete and soaks; the next begins in %s, at %s",
                       wait->wave, span, at);
        break;
    }
    return wait->kind != PROGRESS_WAITS_FOR_NOTHING;
}

static void add_wait(struct strbuf *out, const struct style *style,
                     const struct progress *progress, int64_t now_ms)
{
    char text[200];
    if (!wait_text(progress, now_ms, text, sizeof(text)))
        return;
    style_wrap(out, style, TONE_WARN, 0, text);
    style_end_line(out);
}

static void add_header(struct strbuf *out, const struct style *style,
                       const struct progress *progress, int64_t now_ms)
{
    char left[256], right[96];
    const char *hosts = plural(progress->hosts.total, "host", "hosts");
    switch (progress->kind) {
    case ROLLOUT_INSTALL:
        (void)snprintf(left, sizeof(left), "Calico %s on %d %s",
                       progress->calico_version, progress->hosts.total, hosts);
        break;
    case ROLLOUT_UNINSTALL:
        (void)snprintf(left, sizeof(left), "Calico %s off %d %s",
                       progress->calico_version, progress->hosts.total, hosts);
        break;
    case ROLLOUT_ROLLBACK:
        (void)snprintf(left, sizeof(left), "Rollback of %s on %d %s", progress->of,
                       progress->hosts.total, hosts);
        break;
    }
    since_text(progress, now_ms, right, sizeof(right));
    two_sides(out, style, TONE_BOLD, left, phase_tone(progress), right);
    (void)snprintf(left, sizeof(left), "%s%s%s by %s", progress->name,
                   progress->name[0] ? ", " : "", progress->rollout,
                   progress->created_by);
    end_text(progress, now_ms, right, sizeof(right));
    two_sides(out, style, TONE_DIM, left, TONE_DIM, right);
    add_reason(out, style, progress);
    add_wait(out, style, progress, now_ms);
}

int count_lines(const struct strbuf *out)
{
    int lines = 0;
    for (const char *c = out->text; c && *c; c++)
        lines += *c == '\n';
    return lines;
}

static void add_sum(struct strbuf *out, const struct style *style, int *used, int count,
                    enum tone tone, const char *word, bool always)
{
    char text[48];
    if (count == 0 && !always)
        return;
    (void)snprintf(text, sizeof(text), "%d %s", count, word);
    int width = text_width(text) + 3;
    if (*used > INDENT && *used + width > style->width) {
        style_end_line(out);
        *used = 0;
    }
    if (*used == 0) {
        style_cell(out, style, TONE_PLAIN, INDENT, "");
        *used = INDENT;
    } else {
        strbuf_add(out, "   ");
    }
    style_add(out, style, count ? tone : TONE_DIM, text);
    *used += width;
}

static void add_sums(struct strbuf *out, const struct style *style,
                     const struct progress *progress)
{
    const struct progress_hosts *hosts = &progress->hosts;
    int used = 0;
    add_sum(out, style, &used, hosts->done, TONE_GOOD, "done", true);
    add_sum(out, style, &used, hosts->holding, TONE_BUSY, "holding", false);
    add_sum(out, style, &used, hosts->waiting, TONE_PLAIN, "waiting", false);
    add_sum(out, style, &used, hosts->idle, TONE_PLAIN, "idle", false);
    add_sum(out, style, &used, hosts->excluded, TONE_DIM, "excluded", false);
    add_sum(out, style, &used, hosts->lost, TONE_BAD, "lost", false);
    add_sum(out, style, &used, hosts->failed, TONE_BAD, "failed", true);
    add_sum(out, style, &used, hosts->drifted, TONE_WARN, "drifted", false);
    style_end_line(out);
}

static void add_advice(struct strbuf *out, const struct style *style,
                       const struct progress *progress)
{
    const char *says = NULL;
    if (progress->phase == GATE_PAUSE && progress->hosts.failed > 0)
        says = "mend what failed, `clowder retry --failed`, then `clowder resume`; or "
               "`clowder abort`";
    else if (progress->phase == GATE_PAUSE)
        says = "go on with `clowder resume`, or end it with `clowder abort`";
    else if (progress->phase == GATE_ABORT)
        says = "ends when the last permit is free";
    else if (progress->phase == GATE_KEEP && progress->hosts.drifted > 0)
        says = "what takes no restart repairs itself, unless the spec says otherwise; "
               "`clowder install` puts the rest right";
    else if (progress->phase == GATE_KEEP)
        says = "hosts that join later are installed too";
    if (!says)
        return;
    style_cell(out, style, TONE_PLAIN, INDENT, "");
    style_wrap(out, style, TONE_DIM, INDENT, says);
    style_end_line(out);
}

/* Parts that are there are set apart by an empty line. */
static void add_part(struct strbuf *out, struct strbuf *part)
{
    if (part->len > 0) {
        style_end_line(out);
        strbuf_add(out, part->text);
    }
    strbuf_done(part);
}

/* What failed comes before the holders where there is no room for all. */
void render_progress(struct strbuf *out, const struct style *style,
                     const struct progress *progress, int64_t now_ms, int height)
{
    struct strbuf waves = {0}, holders = {0}, failures = {0}, drifted = {0}, tail = {0};
    int least = render_holders_least(progress);
    add_header(out, style, progress, now_ms);
    render_waves(&waves, style, progress);
    add_sums(&tail, style, progress);
    add_advice(&tail, style, progress);
    int left = height - count_lines(out) - count_lines(&waves) - count_lines(&tail) - 2;
    if (least > 0)
        left -= 1; /* the line between */
    if (progress->failures_count > 0) {
        int lines = left - least - 1;
        render_failures(&failures, style, progress,
                        height ? (lines > 3 ? lines : 3) : 0);
        left -= count_lines(&failures) + 1;
    }
    if (progress->hosts.drifted > 0) {
        int lines = left - least - 1;
        render_drifted(&drifted, style, progress, height ? (lines > 2 ? lines : 2) : 0);
        left -= count_lines(&drifted) + 1;
    }
    render_holders(&holders, style, progress, now_ms,
                   height ? (left > 1 ? left : 1) : 0);
    add_part(out, &waves);
    add_part(out, &holders);
    add_part(out, &failures);
    add_part(out, &drifted);
    add_part(out, &tail);
}
