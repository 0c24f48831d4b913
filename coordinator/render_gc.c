/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/render.h"

#include <stdio.h>

enum { NAMES_SHOWN = 20 };

static void add_rollout(struct strbuf *out, const struct style *style,
                        const struct gc *gc, const struct gc_rollout *rollout)
{
    char text[64];
    bool goes = gc_goes(rollout->verdict);
    style_cell(out, style, goes ? TONE_WARN : TONE_DIM, 8, goes ? "remove" : "keep");
    style_cell(out, style, TONE_PLAIN, 22, rollout->id);
    if (style->width >= 80) {
        char age[24];
        duration_text(gc->server_ms - rollout->created_ms, age, sizeof(age));
        (void)snprintf(text, sizeof(text), "%d %s, %s old", rollout->hosts,
                       plural(rollout->hosts, "host", "hosts"), age);
        style_cell(out, style, TONE_DIM, 24, text);
    }
    int rest = style->width - 30 - (style->width >= 80 ? 24 : 0);
    style_cell(out, style, TONE_DIM, rest, gc_verdict_says(rollout->verdict));
    style_end_line(out);
}

static void add_hosts(struct strbuf *out, const struct style *style,
                      const struct strings *hosts)
{
    struct strbuf names = {0};
    int shown = hosts->count < NAMES_SHOWN ? hosts->count : NAMES_SHOWN;
    if (hosts->count == 0)
        return;
    strbuf_addf(&names, "%s of %d absent %s: ",
                plural(hosts->count, "inventory", "inventories"), hosts->count,
                plural(hosts->count, "host", "hosts"));
    for (int i = 0; i < shown; i++)
        strbuf_addf(&names, "%s%s", i ? ", " : "", hosts->items[i]);
    if (shown < hosts->count)
        strbuf_addf(&names, " and %d more", hosts->count - shown);
    style_cell(out, style, TONE_WARN, 8, "remove");
    style_wrap(out, style, TONE_PLAIN, 8, names.text);
    style_end_line(out);
    strbuf_done(&names);
}

static void add_outcome(struct strbuf *out, const struct gc_view *view)
{
    strbuf_addf(out, "removed %d %s (%d znodes) and %d %s\n", view->rollouts,
                plural(view->rollouts, "rollout", "rollouts"), view->znodes,
                view->hosts, plural(view->hosts, "inventory", "inventories"));
    strbuf_add(out, view->left);
}

void render_gc(struct strbuf *out, const struct style *style,
               const struct gc_view *view)
{
    const struct gc *gc = view->gc;
    if (view->done) {
        add_outcome(out, view);
        return;
    }
    for (int i = 0; i < gc->rollouts_count; i++)
        add_rollout(out, style, gc, &gc->rollouts[i]);
    add_hosts(out, style, &gc->hosts);
    if (gc_going(gc) == 0 && gc->hosts.count == 0)
        strbuf_add(out, "there is nothing to remove\n");
    else if (view->dry_run)
        strbuf_add(out, "nothing was removed: this was a dry run\n");
}
