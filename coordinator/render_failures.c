/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/render_parts.h"

#include <stdio.h>
#include <string.h>

/* The first lines of a text; what is left out is marked. */
static void add_first_lines(struct strbuf *out, const struct style *style,
                            const char *text, int lines)
{
    const char *end = text;
    for (int i = 0; i < lines && *end; i++)
        end += strcspn(end, "\n") + (i + 1 < lines && strchr(end, '\n') != NULL);
    strbuf_add_bytes(out, text, (size_t)(end - text));
    if (*end)
        strbuf_add(out, style->utf8 ? " \u2026" : " ...");
}

static void add_failure(struct strbuf *out, const struct style *style,
                        const struct progress_failure *failure, int lines)
{
    struct style narrower = *style;
    struct strbuf text = {0};
    narrower.width -= 4; /* for the mark */
    style_cell(out, style, TONE_PLAIN, INDENT, "");
    style_cell(out, style, TONE_BAD, 7, host_state_text(failure->state));
    style_cell(out, style, TONE_BOLD, 20, failure->host);
    strbuf_add(out, " ");
    style_cell(out, style, TONE_BOLD, style->width - INDENT - 28, failure->step);
    style_end_line(out);
    style_cell(out, style, TONE_PLAIN, INDENT + 7, "");
    style_wrap(&text, lines ? &narrower : style, TONE_PLAIN, INDENT + 7,
               failure->error[0] ? failure->error : "(no error text)");
    if (lines)
        add_first_lines(out, style, text.text, lines);
    else
        strbuf_add(out, text.text);
    style_end_line(out);
    strbuf_done(&text);
}

void render_failures(struct strbuf *out, const struct style *style,
                     const struct progress *progress, int lines)
{
    enum {
        SHOWN_MAX = 20,
        TEXT_LEAST = 2 /* lines of an error, where they are many */
    };
    int all = progress->hosts.failed + progress->hosts.lost;
    int shown = 0, budget = lines - 1; /* for those that are not shown */
    int each = all > 0 ? budget / all - 1 : 0;
    int text = each > TEXT_LEAST ? each : TEXT_LEAST;
    while (shown < progress->failures_count && shown < SHOWN_MAX) {
        struct strbuf one = {0};
        int room = budget - count_lines(out) - 1;
        if (lines && room < 1)
            break;
        add_failure(&one, style, &progress->failures[shown],
                    lines ? (room > text ? text : room) : 0);
        strbuf_add(out, one.text);
        strbuf_done(&one);
        shown++;
    }
    if (shown < all) {
        char more[64];
        (void)snprintf(more, sizeof(more), "  %s%d more: `clowder hosts`",
                       shown ? "and " : "", all - shown);
        style_add(out, style, TONE_DIM, more);
        style_end_line(out);
    }
}
