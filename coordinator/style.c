/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/style.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static bool begins_character(char c)
{
    return ((unsigned char)c & 0xc0U) != 0x80U;
}

int text_width(const char *text)
{
    int width = 0;
    for (; *text; text++)
        width += begins_character(*text);
    return width;
}

/* Bytes of the first `width` characters. */
static size_t prefix_bytes(const char *text, int width)
{
    size_t i = 0;
    for (int seen = 0; text[i]; i++) {
        seen += begins_character(text[i]);
        if (seen > width)
            break;
    }
    return i;
}

/* C0, DEL, and C1 (U+0080 to U+009F), which some terminals obey too. */
static bool is_control(const char *c)
{
    unsigned char byte = (unsigned char)*c, next = (unsigned char)c[1];
    return byte < 0x20 || byte == 0x7f || (byte == 0xc2 && next >= 0x80 && next < 0xa0);
}

static void add_clean(struct strbuf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool control = is_control(text + i);
        strbuf_add_bytes(out, control ? " " : text + i, 1);
        if (control && (unsigned char)text[i] == 0xc2)
            i++;
    }
}

static const char *escape(enum tone tone)
{
    switch (tone) {
    case TONE_PLAIN:
        return NULL;
    case TONE_DIM:
        return "\033[2m";
    case TONE_BOLD:
        return "\033[1m";
    case TONE_GOOD:
        return "\033[32m";
    case TONE_BUSY:
        return "\033[36m";
    case TONE_WARN:
        return "\033[33m";
    case TONE_BAD:
        return "\033[31m";
    }
    return NULL;
}

static bool open_tone(struct strbuf *out, const struct style *style, enum tone tone)
{
    const char *sequence = style->color ? escape(tone) : NULL;
    if (sequence)
        strbuf_add(out, sequence);
    return sequence != NULL;
}

static void close_tone(struct strbuf *out, bool opened)
{
    if (opened)
        strbuf_add(out, "\033[0m");
}

static void blanks(struct strbuf *out, int count)
{
    for (int i = 0; i < count; i++)
        strbuf_add(out, " ");
}

void style_cell(struct strbuf *out, const struct style *style, enum tone tone,
                int width, const char *text)
{
    int room = width < 0 ? -width : width, wide = text_width(text);
    bool cut = room > 0 && wide > room;
    const char *ellipsis = style->utf8 ? "\u2026" : "~";
    if (width < 0 && !cut)
        blanks(out, room - wide);
    bool opened = *text && open_tone(out, style, tone);
    add_clean(out, text, cut ? prefix_bytes(text, room - 1) : strlen(text));
    if (cut)
        strbuf_add(out, ellipsis);
    close_tone(out, opened);
    if (width > 0 && !cut)
        blanks(out, room - wide);
}

void style_add(struct strbuf *out, const struct style *style, enum tone tone,
               const char *text)
{
    style_cell(out, style, tone, 0, text);
}

void style_end_line(struct strbuf *out)
{
    while (out->len > 0 && out->text[out->len - 1] == ' ')
        out->text[--out->len] = '\0';
    strbuf_add(out, "\n");
}

void style_wrap(struct strbuf *out, const struct style *style, enum tone tone,
                int indent, const char *text)
{
    int room = style->width - indent > 20 ? style->width - indent : 20;
    while (*text) {
        size_t len = prefix_bytes(text, room);
        if (text[len]) { /* break at the last blank that leaves enough on the line */
            size_t at = len;
            while (at > len / 2 && text[at] != ' ')
                at--;
            if (text[at] == ' ')
                len = at;
        }
        bool opened = open_tone(out, style, tone);
        add_clean(out, text, len);
        close_tone(out, opened);
        text += len;
        while (*text == ' ')
            text++;
        if (*text) {
            strbuf_add(out, "\n");
            blanks(out, indent);
        }
    }
}

void style_bar(struct strbuf *out, const struct style *style, enum tone tone, int width,
               int done, int total)
{
    if (done > total)
        done = total;
    int full = total > 0 ? (int)((int64_t)width * done / total) : 0;
    if (done > 0 && full == 0)
        full = 1; /* something has happened: show it */
    bool opened = open_tone(out, style, tone);
    for (int i = 0; i < full; i++)
        strbuf_add(out, style->utf8 ? "\u2501" : "=");
    close_tone(out, opened);
    opened = open_tone(out, style, TONE_DIM);
    for (int i = full; i < width; i++)
        strbuf_add(out, style->utf8 ? "\u2500" : "-");
    close_tone(out, opened);
}

void duration_text(int64_t ms, char *dst, size_t size)
{
    int64_t s = ms < 0 ? 0 : (ms + 500) / 1000;
    if (s < 60)
        (void)snprintf(dst, size, "%ds", (int)s);
    else if (s < 3600)
        (void)snprintf(dst, size, "%dm %02ds", (int)(s / 60), (int)(s % 60));
    else if (s < 86400)
        (void)snprintf(dst, size, "%dh %02dm", (int)(s / 3600), (int)(s / 60 % 60));
    else
        (void)snprintf(dst, size, "%dd %dh", (int)(s / 86400), (int)(s / 3600 % 24));
}

static void format_time(int64_t wall_ms, const char *format, char *dst, size_t size)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    dst[0] = '\0';
    if (localtime_r(&seconds, &tm)) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* only the two below */
        (void)strftime(dst, size, format, &tm);
#pragma GCC diagnostic pop
    }
}

void clock_text(int64_t wall_ms, int64_t now_ms, char *dst, size_t size)
{
    char day[16], today[16];
    format_time(wall_ms, "%Y-%m-%d", day, sizeof(day));
    format_time(now_ms, "%Y-%m-%d", today, sizeof(today));
    format_time(wall_ms, strcmp(day, today) == 0 ? "%H:%M" : "%b %d %H:%M", dst, size);
}

void stamp_text(int64_t wall_ms, char *dst, size_t size)
{
    format_time(wall_ms, "%Y-%m-%d %H:%M:%S", dst, size);
}

const char *plural(int count, const char *one, const char *many)
{
    return count == 1 ? one : many;
}
