/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/model/window.h"

#include "shared/base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { DAY_S = 86400 };

static const char *const day_names[7] = {"mon", "tue", "wed", "thu",
                                         "fri", "sat", "sun"};

/* ---- as it is written ---- */

static int day_from(const char *text, size_t len)
{
    for (int i = 0; i < 7; i++)
        if (len == 3 && strncmp(text, day_names[i], 3) == 0)
            return i;
    return -1;
}

unsigned window_days(const char *text)
{
    const char *dash = strchr(text, '-');
    int first = day_from(text, dash ? (size_t)(dash - text) : strlen(text));
    int last = dash ? day_from(dash + 1, strlen(dash + 1)) : first;
    unsigned days = 0;

    if (first < 0 || last < 0)
        return 0;
    for (int day = first;; day = (day + 1) % 7) {
        days |= 1U << day;
        if (day == last)
            return days;
    }
}

int window_start(const char *text)
{
    int hours, minutes;

    if (strlen(text) != 5 || text[2] != ':' || !isdigit((unsigned char)text[0]) ||
        !isdigit((unsigned char)text[1]) || !isdigit((unsigned char)text[3]) ||
        !isdigit((unsigned char)text[4]))
        return -1;
    hours = (text[0] - '0') * 10 + (text[1] - '0');
    minutes = (text[3] - '0') * 10 + (text[4] - '0');
    return hours < 24 && minutes < 60 ? hours * 60 + minutes : -1;
}

const char *window_days_check(const char *text)
{
    return window_days(text) ? NULL : "is no day (use mon, tue, ... or mon-fri)";
}

const char *window_start_check(const char *text)
{
    return window_start(text) < 0 ? "is no time of day (use 00:00 to 23:59)" : NULL;
}

const char *window_zone_check(const char *text)
{
    static const char wrong[] =
        "is no time zone's name (use one such as Europe/Berlin)";

    if (!isalpha((unsigned char)text[0]) || strlen(text) >= ZONE_SIZE)
        return wrong;
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("_+-/", *c))
            return wrong;
    return strstr(text, "//") ? wrong : NULL;
}

void window_days_text(unsigned days, struct strbuf *out)
{
    for (int i = 0; i < 7; i++) {
        int last = i;

        if (!(days & (1U << i)))
            continue;
        while (last < 6 && days & (1U << (last + 1)))
            last++;
        strbuf_addf(out, "%s%s", out->len ? "," : "", day_names[i]);
        if (last > i)
            strbuf_addf(out, "%s%s", last > i + 1 ? "-" : ",", day_names[last]);
        i = last;
    }
}

void window_text(const struct window *window, char *dst, size_t size)
{
    struct strbuf days = {0};
    char length[32];

    if (window->days == WINDOW_ALL_DAYS)
        strbuf_add(&days, "daily");
    else
        window_days_text(window->days, &days);
    str_from_duration_ms(window->length_ms, length, sizeof(length));
    (void)snprintf(dst, size, "%s %02d:%02d for %s (%s)", days.text,
                   window->start_min / 60, window->start_min % 60, length,
                   window->zone);
    strbuf_done(&days);
}

/* ---- instants ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* The instant at which the zone's clocks show that time (counted as if it were UTC).
 * The offsets a day before and a day after are those around a change, if there is one:
 * skipped times are later by what is skipped, of doubled ones it is the first. */
static int64_t instant_of(const char *zone, int64_t shown_s, zone_offset_f offset)
{
    int64_t before = shown_s - offset(zone, shown_s - DAY_S);
    int64_t after = shown_s - offset(zone, shown_s + DAY_S);

    if (before == after)
        return before;
    bool before_shows = before + offset(zone, before) == shown_s;
    bool after_shows = after + offset(zone, after) == shown_s;
    if (before_shows && after_shows)
        return before < after ? before : after;
    return after_shows ? after : before;
}

static bool opens_on(const struct window *window, int64_t day)
{
    int weekday = (int)(((day + 3) % 7 + 7) % 7); /* day 0 was a Thursday */

    return window->days & (1U << weekday);
}

/* Of one window: the opening in force at now_s, if any, and the next one. */
struct openings {
    bool open;
    int64_t closes_s, next_s; /* INT64_MAX = none */
};

static struct openings openings_at(const struct window *window, int64_t now_s,
                                   zone_offset_f offset)
{
    struct openings found = {.next_s = INT64_MAX};
    int64_t length_s = window->length_ms / 1000;
    int64_t today = floor_div(now_s + offset(window->zone, now_s), DAY_S);

    for (int64_t day = today - length_s / DAY_S - 2; day <= today + 8; day++) {
        if (!opens_on(window, day))
            continue;
        int64_t opens = instant_of(
            window->zone, day * DAY_S + window->start_min * INT64_C(60), offset);
        if (opens <= now_s && now_s < opens + length_s) {
            found.open = true;
            found.closes_s = opens + length_s; /* of the last one that has opened */
        }
        if (opens > now_s) {
            found.next_s = opens;
            break;
        }
    }
    return found;
}

struct window_state windows_at(const struct window *windows, int count, int64_t wall_ms,
                               zone_offset_f offset)
{
    int64_t now_s = floor_div(wall_ms, 1000), next_s = INT64_MAX, closes_s = now_s;

    if (count == 0)
        return (struct window_state){.open = true, .until_ms = INT64_MAX};
    /* Windows that follow each other without a gap are one; each joins at most once
     * per week, after which it is as good as always open. */
    for (int turn = 0; turn < 8 * count; turn++) {
        int64_t at_s = closes_s;

        next_s = INT64_MAX;
        for (int i = 0; i < count; i++) {
            struct openings o = openings_at(&windows[i], at_s, offset);

            if (o.open && o.closes_s > closes_s)
                closes_s = o.closes_s;
            if (o.next_s < next_s)
                next_s = o.next_s;
        }
        if (closes_s == at_s)
            break;
    }
    bool open = closes_s > now_s;
    int64_t until_s = open ? closes_s : next_s;

    return (struct window_state){
        .open = open, .until_ms = until_s == INT64_MAX ? INT64_MAX : until_s * 1000};
}
