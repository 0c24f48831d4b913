/* SPDX-License-Identifier: Apache-2.0
 *
 * Who holds a permit of which lease and what it does there: part of the picture of a
 * rollout, and `clowder leases`.
 */
#include "coordinator/render_parts.h"

#include <stdio.h>

static void held_does(const struct progress_held *held, char *dst, size_t size)
{
    const char *away = held->away ? "away: " : "";
    if (held->unreadable)
        (void)snprintf(dst, size, "%sits record cannot be read: `clowder why %s`", away,
                       held->host);
    else if (held->state == HOST_FAILED)
        (void)snprintf(dst, size, "failed in %s, keeps its permit", held->step);
    else if (held->state == HOST_LOST)
        (void)snprintf(dst, size, "lost in %s, keeps its permit", held->step);
    else if (held->step[0])
        (void)snprintf(dst, size, "%s%s%s%s", away, held->step,
                       held->doing[0] ? ": " : "", held->doing);
    else
        (void)snprintf(dst, size, "%s%s", away, held->stage);
}

/* Room for the longest name of all holders, but not more than for what it does. */
static int name_width(const struct progress *progress, int room)
{
    int width = 16;
    for (int l = 0; l < progress->leases_count; l++)
        for (int i = 0; i < progress->leases[l].held_count; i++)
            if (text_width(progress->leases[l].held[i].host) + 2 > width)
                width = text_width(progress->leases[l].held[i].host) + 2;
    return width <= room / 2 ? width : room > 32 ? room / 2 : room < 16 ? room : 16;
}

static void add_held(struct strbuf *out, const struct style *style,
                     const struct progress *progress, const struct progress_held *held,
                     int64_t now_ms)
{
    char does[160], span[24];
    int room = style->width - (LEFT_WIDTH)-8;
    int name = name_width(progress, room);
    bool bad = held->unreadable || held->state != HOST_HOLDING;
    enum tone tone = bad ? TONE_BAD : held->away ? TONE_WARN : TONE_PLAIN;
    held_does(held, does, sizeof(does));
    duration_text(now_ms - held->since_ms, span, sizeof(span));
    style_cell(out, style, tone, name - 1, held->host);
    strbuf_add(out, " ");
    if (room - name >= 8)
        style_cell(out, style, tone, room - name, does);
    style_cell(out, style, TONE_DIM, -8, span);
    style_end_line(out);
}

/* What is not shown of a lease, in words; "" = nothing. */
static void rest_text(const struct progress_lease *lease, int shown, char *dst,
                      size_t size)
{
    int more = lease->held_count - shown, trouble = 0;
    char waiting[32] = "", of_them[32] = "";
    for (int i = shown; i < lease->held_count; i++)
        trouble += lease->held[i].away || lease->held[i].state != HOST_HOLDING;
    if (trouble > 0)
        (void)snprintf(of_them, sizeof(of_them), " (%d in trouble)", trouble);
    if (lease->waiting > 0)
        (void)snprintf(waiting, sizeof(waiting), "%s%d waiting",
                       more > 0 || lease->held_count == 0 ? ", " : "", lease->waiting);
    if (lease->held_count == 0)
        (void)snprintf(dst, size, "free%s", waiting);
    else if (more > 0)
        (void)snprintf(dst, size, "%s%d more%s%s", shown > 0 ? "and " : "", more,
                       of_them, waiting);
    else
        (void)snprintf(dst, size, "%s", waiting);
}

static void add_lease(struct strbuf *out, const struct style *style,
                      const struct progress *progress,
                      const struct progress_lease *lease, int64_t now_ms, int lines)
{
    char use[32], rest[64];
    int whole = lease->held_count + (lease->waiting > 0);
    int shown = whole <= lines ? lease->held_count : lines - 1;
    (void)snprintf(use, sizeof(use), "%d/%d", lease->held_count, lease->limit);
    style_cell(out, style, TONE_PLAIN, INDENT, "");
    style_cell(out, style, TONE_BOLD, NAME_WIDTH, lease->name);
    style_cell(out, style, lease->held_count ? TONE_PLAIN : TONE_DIM, -COUNT_WIDTH,
               use);
    style_cell(out, style, TONE_PLAIN, INDENT, "");
    for (int i = 0; i < shown; i++) {
        if (i > 0)
            style_cell(out, style, TONE_PLAIN, LEFT_WIDTH, "");
        add_held(out, style, progress, &lease->held[i], now_ms);
    }
    rest_text(lease, shown, rest, sizeof(rest));
    if (!rest[0])
        return;
    if (shown > 0)
        style_cell(out, style, TONE_PLAIN, LEFT_WIDTH, "");
    style_cell(out, style, TONE_DIM, style->width - LEFT_WIDTH, rest);
    style_end_line(out);
}

static void zones_text(const struct progress_lease *lease, char *dst, size_t size)
{
    int full = 0, waiting = 0;
    for (int z = 0; z < lease->zones_count; z++) {
        full += lease->zones[z].held >= lease->zones[z].limit;
        waiting += lease->zones[z].waiting;
    }
    (void)snprintf(dst, size, "zones: %d of %d full, %d %s; at most %d in each", full,
                   lease->zones_count, waiting, plural(waiting, "waits", "wait"),
                   lease->zone_limit);
}

/* How its zones stand, in one line, however many there are. */
static void add_zones(struct strbuf *out, const struct style *style,
                      const struct progress_lease *lease)
{
    char text[120];
    if (lease->zone_limit == 0)
        return;
    zones_text(lease, text, sizeof(text));
    style_cell(out, style, TONE_PLAIN, LEFT_WIDTH, "");
    style_cell(out, style, TONE_DIM, style->width - LEFT_WIDTH, text);
    style_end_line(out);
}

static bool is_shown(const struct progress *progress, int l)
{
    const struct progress_lease *lease = &progress->leases[l];
    return l < 4 || lease->held_count > 0 || lease->waiting > 0;
}

int render_holders_least(const struct progress *progress)
{
    int shown = 0;
    if (progress_ended(progress) && progress_holders(progress) == 0)
        return 0;
    for (int l = 0; l < progress->leases_count; l++)
        if (is_shown(progress, l))
            shown += 1 + (progress->leases[l].zone_limit > 0);
    return shown;
}

/* Each lease its line, and of what is left as much as it can use. */
void render_holders(struct strbuf *out, const struct style *style,
                    const struct progress *progress, int64_t now_ms, int lines)
{
    enum { LINES_MAX = 10 };
    int shown = render_holders_least(progress), spare = lines - shown;
    for (int l = 0; shown > 0 && l < progress->leases_count; l++) {
        const struct progress_lease *lease = &progress->leases[l];
        int wanted = lease->held_count + (lease->waiting > 0);
        if (!is_shown(progress, l))
            continue;
        if (wanted > LINES_MAX)
            wanted = LINES_MAX;
        if (lines > 0 && wanted - 1 > spare)
            wanted = spare > 0 ? spare + 1 : 1;
        if (wanted > 1)
            spare -= wanted - 1;
        add_lease(out, style, progress, lease, now_ms, wanted);
        add_zones(out, style, lease);
    }
}

static void add_permit(struct strbuf *out, const struct style *style,
                       const struct progress_held *held, int64_t now_ms)
{
    char does[160], span[24], token[40], permit[16];
    int room = style->width - 2 - 4 - 20 - 8 - 16 - 2;
    held_does(held, does, sizeof(does));
    duration_text(now_ms - held->since_ms, span, sizeof(span));
    (void)snprintf(token, sizeof(token), "token %lld", (long long)held->token);
    (void)snprintf(permit, sizeof(permit), "%d", held->permit);
    style_cell(out, style, TONE_PLAIN, INDENT, "");
    style_cell(out, style, TONE_DIM, -2, permit);
    strbuf_add(out, "  ");
    style_cell(out, style, state_tone(held->state), 19, held->host);
    strbuf_add(out, " ");
    if (room >= 8)
        style_cell(out, style, TONE_PLAIN, room, does);
    style_cell(out, style, TONE_PLAIN, -8, span);
    strbuf_add(out, "  ");
    style_cell(out, style, TONE_DIM, 0, token);
    style_end_line(out);
}

/* Those where a permit is held or waited for; the others say nothing. */
static void add_zone_list(struct strbuf *out, const struct style *style,
                          const struct progress_lease *lease)
{
    char text[120];
    if (lease->zone_limit == 0)
        return;
    zones_text(lease, text, sizeof(text));
    style_cell(out, style, TONE_PLAIN, INDENT, "");
    style_cell(out, style, TONE_PLAIN, style->width - INDENT, text);
    style_end_line(out);
    for (int z = 0; z < lease->zones_count; z++) {
        const struct progress_zone *zone = &lease->zones[z];
        if (zone->held == 0 && zone->waiting == 0)
            continue;
        (void)snprintf(text, sizeof(text), "%d of %d held, %d waiting", zone->held,
                       zone->limit, zone->waiting);
        style_cell(out, style, TONE_PLAIN, 2 * INDENT + 2, "");
        style_cell(out, style, TONE_BOLD, 19, zone->zone);
        strbuf_add(out, " ");
        style_cell(out, style, TONE_PLAIN, 0, text);
        style_end_line(out);
    }
}

static void add_zones_left_out(struct strbuf *out, const struct style *style,
                               const struct progress *progress)
{
    char more[64];
    if (progress->zones_left_out == 0)
        return;
    (void)snprintf(more, sizeof(more), "  and %d more zones, not looked at",
                   progress->zones_left_out);
    style_add(out, style, TONE_DIM, more);
    style_end_line(out);
}

void render_leases(struct strbuf *out, const struct style *style,
                   const struct progress *progress, int64_t now_ms)
{
    for (int l = 0; l < progress->leases_count; l++) {
        const struct progress_lease *lease = &progress->leases[l];
        char head[160];
        (void)snprintf(head, sizeof(head), "%s: %d of %d %s held, %d waiting",
                       lease->name, lease->held_count, lease->limit,
                       plural(lease->limit, "permit", "permits"), lease->waiting);
        style_cell(out, style, TONE_BOLD, 0, head);
        style_end_line(out);
        for (int i = 0; i < lease->held_count; i++)
            add_permit(out, style, &lease->held[i], now_ms);
        add_zone_list(out, style, lease);
    }
    add_zones_left_out(out, style, progress);
}
