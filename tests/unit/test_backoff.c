/* test_backoff.c - exponential delays.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/backoff.h"
#include "tests/unit/cmocka_all.h"

static void delays_double_up_to_the_maximum(void **state)
{
    static const int64_t whole[] = {100, 200, 400, 800, 1000, 1000};

    for (int attempt = 0; attempt < 6; attempt++) {
        int64_t half = whole[attempt] / 2;

        assert_int_equal(backoff_delay_ms(attempt, 100, 1000, 0), half);
        assert_int_equal(backoff_delay_ms(attempt, 100, 1000, (uint64_t)half),
                         2 * half);
    }
}

static void no_random_number_leaves_the_spread(void **state)
{
    for (uint64_t random = 0; random < 1000; random++) {
        int64_t ms = backoff_delay_ms(3, 100, 100000, random * 0x9e3779b97f4a7c15u);

        assert_in_range(ms, 400, 800);
    }
}

static void huge_attempts_and_limits_do_not_overflow(void **state)
{
    int64_t ms = backoff_delay_ms(1000000, 1, INT64_MAX, UINT64_MAX);

    assert_true(ms >= INT64_MAX / 2);
    assert_int_equal(backoff_delay_ms(5, 0, 1000, 7), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_double_up_to_the_maximum),
        cmocka_unit_test(no_random_number_leaves_the_spread),
        cmocka_unit_test(huge_attempts_and_limits_do_not_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
