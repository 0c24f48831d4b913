/* render_parts.h - the parts of a rollout's picture.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: coordinator, of render_progress.c.
 */
#ifndef CLOWDER_COORDINATOR_RENDER_PARTS_H
#define CLOWDER_COORDINATOR_RENDER_PARTS_H

#include "coordinator/render.h"

/* The left columns: a name, a count, and a gap before the rest. */
enum { INDENT = 2, NAME_WIDTH = 11, COUNT_WIDTH = 9 };
enum { LEFT_WIDTH = INDENT + NAME_WIDTH + COUNT_WIDTH + INDENT };

void render_waves(struct strbuf *out, const struct style *style,
                  const struct progress *progress);
/* Lines that the shortest picture of the leases takes; 0 = they are not shown. */
int render_holders_least(const struct progress *progress);
/* Who holds what, in at most so many lines (0 = as many as it takes), and at least one
 * per lease. */
void render_holders(struct strbuf *out, const struct style *style,
                    const struct progress *progress, int64_t now_ms, int lines);
/* What failed, in at most so many lines (0 = as many as it takes). */
void render_failures(struct strbuf *out, const struct style *style,
                     const struct progress *progress, int lines);

/* What keeps hosts from beginning, beside the leases; false: nothing does. */
bool wait_text(const struct progress *progress, int64_t now_ms, char *dst, size_t size);

/* What has drifted, a line per host, in at most so many lines. */
void render_drifted(struct strbuf *out, const struct style *style,
                    const struct progress *progress, int lines);

int count_lines(const struct strbuf *out);

#endif
