/* style.h - how text looks: colours, glyphs, widths, and lines built of cells.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: coordinator. Pure: everything is written to a buffer.
 *
 * Widths are counted in characters; a text that does not fit ends with an ellipsis.
 * Control characters of foreign text (an error, a reason) become blanks, so that it
 * cannot draw on the screen.
 */
#ifndef CLOWDER_COORDINATOR_STYLE_H
#define CLOWDER_COORDINATOR_STYLE_H

#include "shared/base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { WIDTH_DEFAULT = 80, WIDTH_MIN = 40 };

struct style {
    bool color;
    bool utf8;
    int width;  /* of a line */
    int height; /* of a picture; 0 = as many lines as it takes */
};

enum tone {
    TONE_PLAIN,
    TONE_DIM,
    TONE_BOLD,
    TONE_GOOD,
    TONE_BUSY,
    TONE_WARN,
    TONE_BAD
};

int text_width(const char *text);
/* Adds text cut or padded to width; width < 0: right-aligned in -width; 0: as it is.
 */
void style_cell(struct strbuf *out, const struct style *style, enum tone tone,
                int width, const char *text);
void style_add(struct strbuf *out, const struct style *style, enum tone tone,
               const char *text);
/* Ends the line; blanks before its end are taken back. */
void style_end_line(struct strbuf *out);
/* Foreign text over several lines: each but the first begins with indent blanks. */
void style_wrap(struct strbuf *out, const struct style *style, enum tone tone,
                int indent, const char *text);
/* done of total as a bar of width characters. */
void style_bar(struct strbuf *out, const struct style *style, enum tone tone, int width,
               int done, int total);

/* "12s", "3m 05s", "2h 10m", "3d 4h": for people, at most seven characters. */
void duration_text(int64_t ms, char *dst, size_t size);
/* Local time: "20:41" today, else "Nov 24 20:41". */
void clock_text(int64_t wall_ms, int64_t now_ms, char *dst, size_t size);
void stamp_text(int64_t wall_ms, char *dst, size_t size); /* "2026-11-23 20:31:05" */
const char *plural(int count, const char *one, const char *many);

#endif
