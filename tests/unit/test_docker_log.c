/* test_docker_log.c - a line is found in framed and raw logs, however they are cut.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/model/docker_log.h"
#include "tests/unit/cmocka_all.h"

#include <string.h>

static const char needle[] = "Calico node started successfully";

static size_t add_frame(char *to, int stream, const char *payload, size_t len)
{
    const char header[8] = {
        (char)stream,     0,        0, 0, (char)(len >> 24), (char)(len >> 16),
        (char)(len >> 8), (char)len};

    memcpy(to, header, 8);
    memcpy(to + 8, payload, len);
    return len + 8;
}

static bool found(const char *bytes, size_t len, size_t chunk)
{
    struct docker_log log;

    docker_log_init(&log, needle);
    for (size_t at = 0; at < len; at += chunk)
        (void)docker_log_feed(&log, bytes + at, len - at < chunk ? len - at : chunk);
    return log.found;
}

static void found_in_frames_of_any_chunking(void **state)
{
    static const char before[] = "Skipping datastore\nCalico node started, no\n";
    static const char line[] = "Calico node started successfully\n";
    char stream[512];
    size_t len = add_frame(stream, 2, before, strlen(before));

    len += add_frame(stream + len, 1, line, strlen(line));
    for (size_t chunk = 1; chunk <= len; chunk++)
        assert_true(found(stream, len, chunk));
    for (size_t cut = 0; cut < len - 1; cut++) /* the newline is not needed */
        assert_false(found(stream, cut, 7));
}

static void found_where_a_frame_ends_in_the_middle_of_it(void **state)
{
    for (size_t cut = 1; cut < sizeof(needle) - 1; cut++) {
        char stream[256];
        size_t len = add_frame(stream, 1, needle, cut);
        len += add_frame(stream + len, 2, "a warning meanwhile", 19);
        len += add_frame(stream + len, 1, needle + cut, sizeof(needle) - 1 - cut);
        assert_true(found(stream, len, 3));
    }
}

static void not_put_together_from_two_streams(void **state)
{
    char stream[256];
    size_t len = add_frame(stream, 1, needle, 10);

    len += add_frame(stream + len, 2, needle + 10, sizeof(needle) - 1 - 10);
    assert_false(found(stream, len, 1));
}

static void a_header_is_not_text(void **state)
{
    /* length 0x43616c69 spells "Cali" */
    static const char stream[] = "\1\0\0\0Cali"
                                 "co node started successfully";

    assert_false(found(stream, sizeof stream - 1, 4));
}

static void found_in_a_raw_stream(void **state)
{
    static const char raw[] = "\x1b[0mStarting\nCalico node started successfully\n";

    for (size_t chunk = 1; chunk < sizeof raw; chunk++)
        assert_true(found(raw, sizeof raw - 1, chunk));
    assert_true(found(needle, sizeof needle - 1, 5));
    assert_false(found(raw, 20, 5));
}

static void empty_frames_do_no_harm(void **state)
{
    char stream[256];
    size_t len = add_frame(stream, 1, "", 0);

    len += add_frame(stream + len, 1, needle, sizeof needle - 1);
    assert_true(found(stream, len, 2));
    assert_false(found("", 0, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_in_frames_of_any_chunking),
        cmocka_unit_test(found_where_a_frame_ends_in_the_middle_of_it),
        cmocka_unit_test(not_put_together_from_two_streams),
        cmocka_unit_test(a_header_is_not_text),
        cmocka_unit_test(found_in_a_raw_stream),
        cmocka_unit_test(empty_frames_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
