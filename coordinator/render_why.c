/* SPDX-License-Identifier: Apache-2.0
 *
 * A chain of causes: each level one step to the right, in whole sentences; then what an
 * operator can do.
 */
#include "coordinator/render.h"

#include <stdio.h>

enum { LEVEL = 2 };

static enum tone cause_tone(const struct why_cause *cause)
{
    switch (cause->kind) {
    case WHY_FAILED:
    case WHY_LOST:
    case WHY_UNREADABLE:
    case WHY_UNFIT:
    case WHY_TWINS:
        return TONE_BAD;
    case WHY_AWAY:
    case WHY_GATE_CLOSED:
    case WHY_OUTSIDE_WINDOWS:
    case WHY_DRIFTED:
    case WHY_PROMOTE:
        return TONE_WARN;
    case WHY_MORE:
        return TONE_DIM;
    case WHY_DONE:
        return TONE_GOOD;
    case WHY_NO_ROLLOUT:
    case WHY_NO_MEMBER:
    case WHY_LATE:
    case WHY_WAITS_FOR_PERMIT:
    case WHY_WAITS_FOR_WAVE:
    case WHY_BEGINS:
    case WHY_HOLDS:
    case WHY_EXCLUDED:
    case WHY_ENDED:
    case WHY_LEASE:
    case WHY_BARRIER:
    case WHY_SOAK:
        break;
    }
    return cause->depth == 0 ? TONE_BOLD : TONE_PLAIN;
}

static void add_cause(struct strbuf *out, const struct style *style,
                      const struct why_cause *cause, int64_t now_ms)
{
    struct strbuf text = {0};
    char at[24];
    int indent = LEVEL * cause->depth;
    strbuf_add(&text, cause->says);
    if (cause->until_ms > now_ms) {
        clock_text(cause->until_ms, now_ms, at, sizeof(at));
        strbuf_addf(&text, " (not before %s)", at);
    }
    style_cell(out, style, TONE_PLAIN, indent, "");
    style_wrap(out, style, cause_tone(cause), indent, text.text);
    style_end_line(out);
    strbuf_done(&text);
}

static void add_advice(struct strbuf *out, const struct style *style,
                       const struct why_advice *advice)
{
    style_cell(out, style, TONE_PLAIN, LEVEL, "");
    style_add(out, style, TONE_BOLD, advice->command);
    style_end_line(out);
    style_cell(out, style, TONE_PLAIN, 3 * LEVEL, "");
    style_wrap(out, style, TONE_DIM, 3 * LEVEL, advice->says);
    style_end_line(out);
}

void render_why(struct strbuf *out, const struct style *style,
                const struct why_view *view, int64_t now_ms)
{
    const struct why *why = view->why;
    for (int i = 0; i < why->causes_count; i++)
        add_cause(out, style, &why->causes[i], now_ms);
    if (why->advice_count == 0)
        return;
    style_end_line(out);
    strbuf_add(out, "what you can do:\n");
    for (int i = 0; i < why->advice_count; i++)
        add_advice(out, style, &why->advice[i]);
}
