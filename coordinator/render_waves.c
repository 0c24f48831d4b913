/* SPDX-License-Identifier: Apache-2.0
 *
 * The waves of a rollout: a bar per stage of the one under way, the others in a line.
 */
#include "coordinator/render_parts.h"

#include <stdio.h>

enum { STAGE_WIDTH = 9 };

static void add_wave_head(struct strbuf *out, const struct style *style, enum tone tone,
                          const char *name, int hosts)
{
    char size[16];
    (void)snprintf(size, sizeof(size), "%d", hosts);
    style_cell(out, style, TONE_PLAIN, INDENT, "");
    style_cell(out, style, tone, NAME_WIDTH, name);
    style_cell(out, style, tone, -COUNT_WIDTH, size);
    style_cell(out, style, TONE_PLAIN, INDENT, "");
}

/* Room for "30/30" of the largest stage of the wave. */
static int count_width(int size)
{
    char text[32];
    return snprintf(text, sizeof(text), "%d/%d", size, size);
}

static void add_stage(struct strbuf *out, const struct style *style,
                      const struct progress_wave *wave,
                      const struct progress_stage *stage)
{
    char count[32];
    int wide = count_width(wave->size);
    int used = LEFT_WIDTH + STAGE_WIDTH + 2 + wide;
    int width = style->width - used, gap = width < 0 ? 2 + width : 2;
    if (width > 40)
        width = 40;
    style_cell(out, style, stage->arrived || stage->open ? TONE_PLAIN : TONE_DIM,
               STAGE_WIDTH - 1, stage->name);
    strbuf_add(out, " ");
    if (width >= 6)
        style_bar(out, style, stage->open ? TONE_GOOD : TONE_BUSY, width,
                  stage->arrived, wave->size);
    (void)snprintf(count, sizeof(count), "%d/%d", stage->arrived, wave->size);
    style_cell(out, style, stage->arrived ? TONE_PLAIN : TONE_DIM, -wide - gap, count);
    style_end_line(out);
}

static void add_wave(struct strbuf *out, const struct style *style,
                     const struct progress_wave *wave)
{
    add_wave_head(out, style, TONE_BOLD, wave->name, wave->size);
    for (int s = 0; s < wave->stages_count; s++) {
        if (s > 0)
            style_cell(out, style, TONE_PLAIN, LEFT_WIDTH, "");
        add_stage(out, style, wave, &wave->stages[s]);
    }
}

/* Several waves as one line: those behind, or those ahead. */
static void add_waves_line(struct strbuf *out, const struct style *style,
                           const struct progress *progress, int first, int end,
                           enum tone tone, const char *says)
{
    char name[40];
    int hosts = 0;
    if (first >= end)
        return;
    for (int w = first; w < end; w++)
        hosts += progress->waves[w].size;
    if (end - first == 1)
        (void)snprintf(name, sizeof(name), "%s", progress->waves[first].name);
    else
        (void)snprintf(name, sizeof(name), "%d waves", end - first);
    add_wave_head(out, style, tone, name, hosts);
    style_cell(out, style, tone, style->width - (LEFT_WIDTH), says);
    style_end_line(out);
}

void render_waves(struct strbuf *out, const struct style *style,
                  const struct progress *progress)
{
    int at = 0, count = progress->waves_count;
    bool failed = progress->hosts.failed + progress->hosts.lost > 0;
    enum tone tone = failed ? TONE_PLAIN : TONE_GOOD;
    const char *says = failed ? "ended" : "done"; /* failures stand below */
    while (at < count && progress->waves[at].ended)
        at++;
    if (at > 2) {
        add_waves_line(out, style, progress, 0, at - 1, tone, says);
        add_waves_line(out, style, progress, at - 1, at, tone, says);
    } else {
        for (int w = 0; w < at; w++)
            add_waves_line(out, style, progress, w, w + 1, tone, says);
    }
    if (at < count)
        add_wave(out, style, &progress->waves[at]);
    if (at + 1 < count)
        add_waves_line(out, style, progress, at + 1, at + 2, TONE_DIM,
                       progress_ended(progress) ? "not begun" : "waits for its turn");
    if (at + 2 < count)
        add_waves_line(out, style, progress, at + 2, count, TONE_DIM,
                       progress_ended(progress) ? "not begun" : "after that");
}
