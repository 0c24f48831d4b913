/* test_digest.c - SHA-256 against known answers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/digest.h"
#include "shared/base/fs.h"
#include "tests/unit/cmocka_all.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void bytes_have_the_published_digests(void **state)
{
    char hex[DIGEST_HEX_SIZE];

    digest_bytes("abc", 3, hex);
    assert_string_equal(hex, ABC);
    digest_bytes(NULL, 0, hex);
    assert_string_equal(hex, EMPTY);
}

static void a_file_has_the_digest_of_its_bytes(void **state)
{
    char path[] = "/tmp/clowder-test-XXXXXX", hex[DIGEST_HEX_SIZE];
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "abc", 3), 3);
    close(fd);

    assert_int_equal(digest_file(path, hex, NULL), 0);
    assert_string_equal(hex, ABC);
    unlink(path);
}

static void an_absent_file_is_named(void **state)
{
    struct error err = {0};
    char hex[DIGEST_HEX_SIZE] = "kept";

    assert_int_equal(digest_file("/nonexistent/x", hex, &err), -ENOENT);
    assert_non_null(strstr(err.text, "'/nonexistent/x'"));
    assert_string_equal(hex, "kept");
}

static void only_64_hex_digits_are_valid(void **state)
{
    assert_true(digest_valid(ABC));
    assert_false(digest_valid(ABC "0"));
    assert_false(digest_valid(&ABC[1]));
    assert_false(digest_valid("g" EMPTY));
    assert_false(digest_valid(""));
    assert_false(digest_valid(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_have_the_published_digests),
        cmocka_unit_test(a_file_has_the_digest_of_its_bytes),
        cmocka_unit_test(an_absent_file_is_named),
        cmocka_unit_test(only_64_hex_digits_are_valid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
