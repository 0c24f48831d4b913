/* test_error.c - errors as values.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/error.h"
#include "tests/unit/cmocka_all.h"

#include <errno.h>
#include <string.h>

static void context_is_put_before_the_text(void **state)
{
    struct error err = {0};

    assert_int_equal(error_set(&err, -ENOENT, "open '%s'", "/x"), -ENOENT);
    assert_int_equal(error_context(&err, -EIO, "journal"), -ENOENT);

    assert_string_equal(err.text, "journal: open '/x'");
}

static void an_error_may_quote_its_own_text(void **state)
{
    struct error err = {0};

    (void)error_set(&err, -EIO, "inner");
    (void)error_set(&err, -EINVAL, "outer (%s)", err.text);

    assert_int_equal(err.code, -EINVAL);
    assert_string_equal(err.text, "outer (inner)");
}

static void without_a_place_only_the_code_is_returned(void **state)
{
    assert_int_equal(error_set(NULL, -EIO, "lost"), -EIO);
    assert_int_equal(error_context(NULL, -ESRCH, "lost"), -ESRCH);
}

static void long_texts_are_cut_and_terminated(void **state)
{
    struct error err = {0};
    char longer[2 * sizeof(err.text)];

    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    (void)error_set(&err, -EIO, "%s", longer);
    (void)error_context(&err, -EIO, "%s", longer);

    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(context_is_put_before_the_text),
        cmocka_unit_test(an_error_may_quote_its_own_text),
        cmocka_unit_test(without_a_place_only_the_code_is_returned),
        cmocka_unit_test(long_texts_are_cut_and_terminated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
