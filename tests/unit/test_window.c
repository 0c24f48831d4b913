/* test_window.c - when something may begin, across weeks, midnights and clock changes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/str.h"
#include "shared/base/zone.h"
#include "shared/model/window.h"
#include "tests/unit/cmocka_all.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t at(int year, int month, int day, int hour, int minute)
{
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_min = minute};
    return (int64_t)timegm(&tm) * 1000;
}

/* Berlin of 2026: summer from 29 March 01:00 UTC to 25 October 01:00 UTC. */
static int berlin(const char *zone, int64_t utc_s)
{
    int64_t ms = utc_s * 1000;
    if (str_equal(zone, "UTC"))
        return 0;
    return ms >= at(2026, 3, 29, 1, 0) && ms < at(2026, 10, 25, 1, 0) ? 7200 : 3600;
}

static struct window window(const char *days, const char *start, int hours,
                            const char *zone)
{
    struct window w = {.days = window_days(days),
                       .start_min = window_start(start),
                       .length_ms = hours * INT64_C(3600000)};
    STR_COPY(w.zone, zone);
    return w;
}

static void assert_open(const struct window *w, int count, int64_t now, int64_t until)
{
    struct window_state state = windows_at(w, count, now, berlin);
    assert_true(state.open);
    assert_int_equal(state.until_ms, until);
}

static void assert_closed(const struct window *w, int count, int64_t now, int64_t until)
{
    struct window_state state = windows_at(w, count, now, berlin);
    assert_false(state.open);
    assert_int_equal(state.until_ms, until);
}

static void no_window_is_always(void **state)
{
    assert_open(NULL, 0, 0, INT64_MAX);
}

static void a_window_opens_at_its_start_and_closes_after_its_length(void **state)
{
    struct window w = window("mon-sun", "22:00", 6, "UTC");

    assert_closed(&w, 1, at(2026, 11, 23, 21, 59), at(2026, 11, 23, 22, 0));
    assert_open(&w, 1, at(2026, 11, 23, 22, 0), at(2026, 11, 24, 4, 0));
    assert_open(&w, 1, at(2026, 11, 24, 3, 59), at(2026, 11, 24, 4, 0));
    assert_closed(&w, 1, at(2026, 11, 24, 4, 0), at(2026, 11, 24, 22, 0));
}

static void a_night_belongs_to_the_day_on_which_it_began(void **state)
{
    struct window w = window("mon-fri", "22:00", 6, "UTC"); /* the 23rd is a Monday */

    assert_open(&w, 1, at(2026, 11, 28, 3, 0), at(2026, 11, 28, 4, 0)); /* Saturday */
    assert_closed(&w, 1, at(2026, 11, 28, 22, 30), at(2026, 11, 30, 22, 0));
    assert_closed(&w, 1, at(2026, 11, 30, 3, 0), at(2026, 11, 30, 22, 0)); /* Monday */
}

static void the_wall_clock_of_its_zone_decides(void **state)
{
    struct window w = window("mon-sun", "22:00", 2, "Europe/Berlin");

    assert_closed(&w, 1, at(2026, 7, 1, 19, 59), at(2026, 7, 1, 20, 0));
    assert_closed(&w, 1, at(2026, 1, 1, 20, 0), at(2026, 1, 1, 21, 0));
    /* 23:30 UTC on Sunday is Monday in Berlin. */
    struct window monday = window("mon", "00:00", 1, "Europe/Berlin");
    assert_open(&monday, 1, at(2026, 11, 22, 23, 30), at(2026, 11, 23, 0, 0));
}

static void in_the_night_of_a_clock_change_the_length_is_real_time(void **state)
{
    struct window w = window("mon-sun", "22:00", 6, "Europe/Berlin");

    /* Saturday 22:00 (21:00 UTC) to Sunday 05:00 summer time (03:00 UTC). */
    assert_open(&w, 1, at(2026, 3, 28, 21, 0), at(2026, 3, 29, 3, 0));
    /* Saturday 22:00 summer time (20:00 UTC) to Sunday 03:00 (02:00 UTC). */
    assert_open(&w, 1, at(2026, 10, 24, 20, 0), at(2026, 10, 25, 2, 0));
    /* The next ones are at their hour again. */
    assert_closed(&w, 1, at(2026, 3, 29, 3, 0), at(2026, 3, 29, 20, 0));
    assert_closed(&w, 1, at(2026, 10, 25, 2, 0), at(2026, 10, 25, 21, 0));
}

static void a_start_that_the_clocks_skip_is_later_by_as_much(void **state)
{
    struct window w = window("sun", "02:30", 1, "Europe/Berlin");

    assert_closed(&w, 1, at(2026, 3, 29, 1, 29), at(2026, 3, 29, 1, 30)); /* 03:30 */
    assert_open(&w, 1, at(2026, 3, 29, 1, 30), at(2026, 3, 29, 2, 30));
}

static void a_start_that_is_shown_twice_is_the_first(void **state)
{
    struct window w = window("sun", "02:30", 1, "Europe/Berlin");

    assert_closed(&w, 1, at(2026, 10, 25, 0, 29), at(2026, 10, 25, 0, 30));
    assert_open(&w, 1, at(2026, 10, 25, 0, 30), at(2026, 10, 25, 1, 30));
    assert_closed(&w, 1, at(2026, 10, 25, 1, 30), at(2026, 11, 1, 1, 30));
}

static void windows_that_meet_or_overlap_are_one(void **state)
{
    struct window w[] = {window("mon", "22:00", 2, "UTC"),
                         window("tue", "00:00", 3, "UTC"),
                         window("tue", "02:00", 4, "UTC")};

    assert_open(w, 3, at(2026, 11, 23, 22, 30), at(2026, 11, 24, 6, 0));
    assert_closed(w, 3, at(2026, 11, 24, 6, 0), at(2026, 11, 30, 22, 0));
}

static void a_window_as_long_as_a_week_has_no_gap(void **state)
{
    struct window week = window("sat", "08:00", 7 * 24, "UTC");
    struct window days = window("mon-sun", "09:00", 24, "Europe/Berlin");
    struct window_state open = windows_at(&days, 1, at(2026, 10, 25, 8, 30), berlin);

    for (int hour = 0; hour < 24 * 9; hour++) {
        struct window_state s = windows_at(
            &week, 1, at(2026, 11, 20, 0, 0) + hour * INT64_C(3600000), berlin);
        assert_true(s.open);
    }
    /* But for the hour that the clocks give back: 24 h of real time end at 08:00. */
    assert_true(open.open);
    struct window_state hole = windows_at(&days, 1, at(2026, 10, 25, 7, 30), berlin);
    assert_false(hole.open);
    assert_int_equal(hole.until_ms, at(2026, 10, 25, 8, 0));
}

/* Every minute of two years: at a change the state is another, and before it is not. */
static void the_next_change_is_the_next_change(void **state)
{
    struct window w[] = {window("fri-sun", "21:30", 5, "Europe/Berlin"),
                         window("wed", "02:30", 1, "Europe/Berlin"),
                         window("thu", "23:00", 26, "UTC")};
    int64_t now = at(2026, 1, 1, 0, 0), end = at(2027, 1, 1, 0, 0);
    int changes = 0;
    while (now < end) {
        struct window_state s = windows_at(w, 3, now, berlin);
        assert_true(s.until_ms > now);
        struct window_state before = windows_at(w, 3, s.until_ms - 1000, berlin);
        struct window_state after = windows_at(w, 3, s.until_ms, berlin);
        struct window_state middle =
            windows_at(w, 3, now + (s.until_ms - now) / 2, berlin);
        assert_int_equal(before.open, s.open);
        assert_int_equal(middle.open, s.open);
        assert_int_not_equal(after.open, s.open);
        now = s.until_ms;
        changes++;
    }
    assert_true(changes > 300);
}

static void days_and_times_read_and_write(void **state)
{
    struct strbuf text = {0};
    char out[80];

    assert_int_equal(window_days("mon-fri"), 0x1f);
    assert_int_equal(window_days("sat-mon"), 0x61);
    assert_int_equal(window_days("sun"), 0x40);
    assert_int_equal(window_days("mon-"), 0);
    assert_int_equal(window_days("Mon"), 0);
    assert_int_equal(window_days("monday"), 0);
    assert_int_equal(window_start("23:59"), 1439);
    assert_int_equal(window_start("24:00"), -1);
    assert_int_equal(window_start("9:00"), -1);
    assert_non_null(window_zone_check("../etc/passwd"));
    assert_non_null(window_zone_check("/etc/passwd"));
    assert_non_null(window_zone_check(""));
    assert_null(window_zone_check("America/Argentina/Buenos_Aires"));
    window_days_text(0x61, &text);
    assert_string_equal(text.text, "mon,sat,sun");
    strbuf_done(&text);
    struct window w = window("mon-fri", "22:00", 6, "Europe/Berlin");
    window_text(&w, out, sizeof(out));
    assert_string_equal(out, "mon-fri 22:00 for 6h (Europe/Berlin)");
}

/* ---- the C library's database ---- */

static void the_database_agrees_on_berlin(void **state)
{
    if (!zone_known("Europe/Berlin"))
        skip(); /* no tzdata */
    (void)setenv("TZ", "America/New_York", 1);
    for (int64_t ms = at(2026, 1, 1, 0, 0); ms < at(2027, 1, 1, 0, 0); ms += 1800000)
        assert_int_equal(zone_offset_s("Europe/Berlin", ms / 1000),
                         berlin("Europe/Berlin", ms / 1000));
    assert_string_equal(getenv("TZ"), "America/New_York"); /* put back */
    time_t noon = (time_t)(at(2026, 1, 1, 12, 0) / 1000);
    struct tm tm;
    localtime_r(&noon, &tm);
    assert_int_equal(tm.tm_hour, 7);
    (void)unsetenv("TZ");
    (void)zone_offset_s("Europe/Berlin", 0);
    assert_null(getenv("TZ"));
}

static void an_unknown_zone_is_not_taken_for_utc(void **state)
{
    assert_false(zone_known("Europe/Atlantis"));
    assert_false(zone_known("Europe"));
    assert_true(zone_known("UTC"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_window_is_always),
        cmocka_unit_test(a_window_opens_at_its_start_and_closes_after_its_length),
        cmocka_unit_test(a_night_belongs_to_the_day_on_which_it_began),
        cmocka_unit_test(the_wall_clock_of_its_zone_decides),
        cmocka_unit_test(in_the_night_of_a_clock_change_the_length_is_real_time),
        cmocka_unit_test(a_start_that_the_clocks_skip_is_later_by_as_much),
        cmocka_unit_test(a_start_that_is_shown_twice_is_the_first),
        cmocka_unit_test(windows_that_meet_or_overlap_are_one),
        cmocka_unit_test(a_window_as_long_as_a_week_has_no_gap),
        cmocka_unit_test(the_next_change_is_the_next_change),
        cmocka_unit_test(days_and_times_read_and_write),
        cmocka_unit_test(the_database_agrees_on_berlin),
        cmocka_unit_test(an_unknown_zone_is_not_taken_for_utc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
