/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/render_parts.h"

#include <stdio.h>

static void add_drifted(struct strbuf *out, const struct style *style,
                        const struct progress_drifted *drifted)
{
    enum { LEFT = INDENT + 9 + 21 };
    const char *step = drifted->steps_count ? drifted->steps[0].step : "";
    char text[320];
    if (drifted->repairs)
        (void)snprintf(text, sizeof(text), "repairs itself%s%s", step[0] ? ": " : "",
                       step);
    else if (drifted->steps_count > 1)
        (void)snprintf(text, sizeof(text), "%s and %d more: %s", step,
                       drifted->steps_count - 1, drifted->steps[0].says);
    else
        (void)snprintf(text, sizeof(text), "%s%s%s", step, step[0] ? ": " : "",
                       step[0] ? drifted->steps[0].says : "");
    style_cell(out, style, TONE_PLAIN, INDENT, "");
    style_cell(out, style, drifted->repairs ? TONE_BUSY : TONE_WARN, 9, "drifted");
    style_cell(out, style, TONE_BOLD, 20, drifted->host);
    strbuf_add(out, " ");
    if (style->width - LEFT >= 8)
        style_cell(out, style, TONE_PLAIN, style->width - LEFT, text);
    style_end_line(out);
}

void render_drifted(struct strbuf *out, const struct style *style,
                    const struct progress *progress, int lines)
{
    int all = progress->hosts.drifted, shown = progress->drifted_count;
    if (lines > 0 && shown >= lines)
        shown = lines - 1; /* and a line for those that are not shown */
    for (int i = 0; i < shown; i++)
        add_drifted(out, style, &progress->drifted[i]);
    if (shown < all) {
        char more[64];
        (void)snprintf(more, sizeof(more), "  %s%d %s: `clowder hosts`",
                       shown ? "and " : "", all - shown,
                       shown ? "more" : "have drifted");
        style_add(out, style, TONE_DIM, more);
        style_end_line(out);
    }
}
