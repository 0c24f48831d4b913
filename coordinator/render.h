/* render.h - the screens, as text in a buffer.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: coordinator. Pure: no terminal, no clock. No line is wider than the style.
 */
#ifndef CLOWDER_COORDINATOR_RENDER_H
#define CLOWDER_COORDINATOR_RENDER_H

#include "coordinator/style.h"
#include "coordinator/views.h"

/* height: lines there are for it (a live screen), or 0 for as many as it takes. */
void render_progress(struct strbuf *out, const struct style *style,
                     const struct progress *progress, int64_t now_ms, int height);
void render_leases(struct strbuf *out, const struct style *style,
                   const struct progress *progress, int64_t now_ms);
/* Where no host has ever registered: what to look at. */
extern const char render_no_host_note[];
void render_plan(struct strbuf *out, const struct style *style,
                 const struct plan_view *view);
void render_hosts(struct strbuf *out, const struct style *style,
                  const struct hosts_view *view, int64_t now_ms);
void render_host(struct strbuf *out, const struct style *style,
                 const struct host_view *view, int64_t now_ms);
void render_events(struct strbuf *out, const struct style *style,
                   const struct event *events, int count);
void render_why(struct strbuf *out, const struct style *style,
                const struct why_view *view, int64_t now_ms);
void render_gc(struct strbuf *out, const struct style *style,
               const struct gc_view *view);

/* One line per thing that changed between two looks; before NULL: the first look. */
void render_changes(struct strbuf *out, const struct style *style,
                    const struct progress *before, const struct progress *after,
                    int64_t now_ms);

enum tone phase_tone(const struct progress *progress);
enum tone state_tone(enum host_state state);

#endif
