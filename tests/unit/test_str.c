/* test_str.c - bounded strings, numbers and durations.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/str.h"
#include "tests/unit/cmocka_all.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void copies_are_cut_and_always_terminated(void **state)
{
    char four[4];

    assert_true(STR_COPY(four, "abc"));
    assert_string_equal(four, "abc");
    assert_false(STR_COPY(four, "abcd"));
    assert_string_equal(four, "abc");
}

static void equality_starts_and_ends(void **state)
{
    assert_true(str_equal(NULL, NULL));
    assert_false(str_equal(NULL, ""));
    assert_true(str_equal("a", "a"));
    assert_true(str_starts("abc", "ab"));
    assert_false(str_starts("a", "ab"));
    assert_true(str_ends("abc", "bc"));
    assert_false(str_ends("c", "bc"));
}

static void a_buffer_grows_and_hands_over(void **state)
{
    struct strbuf b = {0};

    for (int i = 0; i < 1000; i++)
        strbuf_addf(&b, "%03d,", i);
    strbuf_add_bytes(&b, "a\0b", 3);

    assert_int_equal(b.len, 4003);
    assert_memory_equal(b.text + 3996, "999,a\0b", 8);
    char *text = strbuf_take(&b);
    assert_int_equal(b.len, 0);
    free(text);
    text = strbuf_take(&b);
    assert_string_equal(text, "");
    free(text);
    strbuf_done(&b);
}

static void numbers_are_whole_strings_in_range(void **state)
{
    int64_t n = 7;

    assert_int_equal(str_to_int64("-5", -10, 10, &n), 0);
    assert_int_equal(n, -5);
    assert_int_equal(str_to_int64("9223372036854775807", 0, INT64_MAX, &n), 0);
    assert_true(n == INT64_MAX);
    n = 7;
    assert_int_equal(str_to_int64("9223372036854775808", 0, INT64_MAX, &n), -ERANGE);
    assert_int_equal(str_to_int64("11", 0, 10, &n), -ERANGE);
    static const char *const bad[] = {"", " 1", "1 ", "+1", "0x1", "1.0", "-", "one"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(str_to_int64(bad[i], -100, 100, &n), -EINVAL);
    assert_int_equal(str_to_int64(NULL, 0, 1, &n), -EINVAL);
    assert_int_equal(n, 7);
}

static void durations_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"90s", 90000},     {"5m", 300000},    {"1500ms", 1500}, {"2h", 7200000},
        {"1h30m", 5400000}, {"1m 30s", 90000}, {"0s", 0},        {"1d", 86400000},
    };
    static const char *const bad[] = {"",    "5",    "s",   "5x",  "1m2h", "1m1m",
                                      "-1s", "1.5s", "1s ", " 1s", "1sm",  "5 s"};
    int64_t ms = 7;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(str_to_duration_ms(bad[i], &ms), -EINVAL);
    assert_int_equal(str_to_duration_ms("99999999999999999d", &ms), -ERANGE);
    assert_int_equal(ms, 7);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(str_to_duration_ms(good[i].text, &ms), 0);
        assert_int_equal(ms, good[i].ms);
    }
}

static void durations_are_written_in_two_units(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {0, "0ms"},          {350, "350ms"},      {1500, "1s 500ms"},
        {12345, "12s"},      {90000, "1m 30s"},   {5400000, "1h 30m"},
        {5405000, "1h 30m"}, {90000000, "1d 1h"}, {7200000, "2h"},
        {-90000, "-1m 30s"},
    };
    char text[32];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        str_from_duration_ms(cases[i].ms, text, sizeof(text));
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_are_cut_and_always_terminated),
        cmocka_unit_test(equality_starts_and_ends),
        cmocka_unit_test(a_buffer_grows_and_hands_over),
        cmocka_unit_test(numbers_are_whole_strings_in_range),
        cmocka_unit_test(durations_are_read),
        cmocka_unit_test(durations_are_written_in_two_units),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
