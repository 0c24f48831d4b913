/* test_fetch.c - downloads into the cache by digest.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/io/fetch.h"
#include "tests/unit/http_stub.h"
#include "tests/unit/io_fixture.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#define CONTENT "0123456789"

static struct fetch_result seen;
static char cache[128], root[64], digest[DIGEST_HEX_SIZE];
static int done_count, descriptors;
static struct fetch *fetch;

static void handle(int fd, const char *request)
{
    const char *range = strcasestr(request, "Range: bytes=");
    long from = range ? strtol(range + 13, NULL, 10) : 0;

    if (strstr(request, " /file ") && from >= 10) {
        stub_answer(fd, 416, "", "");
    } else if (strstr(request, " /file ") && range) {
        char headers[64];

        snprintf(headers, sizeof(headers), "Content-Range: bytes %ld-9/10\r\n", from);
        stub_answer(fd, 206, headers, &CONTENT[from]);
    } else if (strstr(request, " /file ")) {
        stub_answer(fd, 200, "", CONTENT);
    } else if (strstr(request, " /broken-once ") && stub_seen->count == 1) {
        stub_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123");
    } else if (strstr(request, " /broken-once ")) {
        stub_answer(fd, 206, "Content-Range: bytes 4-9/10\r\n", &CONTENT[4]);
    } else if (strstr(request, " /busy-once ")) {
        if (stub_seen->count == 1)
            stub_answer(fd, 500, "", "try again");
        else
            stub_answer(fd, 200, "", CONTENT);
    } else if (strstr(request, " /too-many-once ")) {
        if (stub_seen->count == 1)
            stub_answer(fd, 429, "", "");
        else
            stub_answer(fd, 200, "", CONTENT);
    } else if (strstr(request, " /always-503 ")) {
        stub_answer(fd, 503, "", "no");
    } else if (strstr(request, " /hang ")) {
        stub_hang(fd);
    } else if (strstr(request, " /secret ")) {
        stub_answer(fd, 403, "", "");
    } else {
        stub_answer(fd, 404, "", "no such file");
    }
}

static void on_done(void *ctx, const struct fetch_result *result)
{
    done_count++;
    seen = *result;
    fetch_cancel(fetch); /* harmless inside done */
    event_loop_stop(el, 0);
}

static int begin(void **state)
{
    descriptors = open_descriptors();
    done_count = 0;
    digest_bytes(CONTENT, 10, digest);
    strcpy(root, "/tmp/clowder-test-XXXXXX");
    assert_non_null(mkdtemp(root));
    snprintf(cache, sizeof(cache), "%s/cache", root);
    stub_start(handle);
    return io_begin(state);
}

static int end(void **state)
{
    run_for(10);
    io_end(state);
    stub_stop();
    assert_int_equal(fs_remove_tree(root, NULL), 0);
    assert_int_equal(open_descriptors(), descriptors);
    return 0;
}

static void get(struct fetch_options options, const char *path)
{
    if (!options.url)
        options.url = stub_url(path);
    options.cache_dir = cache;
    done_count = 0;
    assert_int_equal(fetch_start(el, &options, on_done, NULL, NULL, &fetch, NULL), 0);
    assert_int_equal(done_count, 0);
    assert_int_equal(run(), 0);
    assert_int_equal(done_count, 1);
}

#define GET(path, ...) get((struct fetch_options){__VA_ARGS__}, path)

static char *part_path(const char *url)
{
    char hex[DIGEST_HEX_SIZE];

    digest_bytes(url, strlen(url), hex);
    return mem_printf("%s/.part-%s", cache, hex);
}

static void leave_part(const char *url, const char *text)
{
    char *path = part_path(url);

    assert_int_equal(fs_mkdirs(cache, 0700, NULL), 0);
    assert_int_equal(fs_write_atomic(path, text, strlen(text), NULL, NULL, NULL), 0);
    free(path);
}

static void assert_no_part(const char *url)
{
    char *path = part_path(url);

    assert_false(fs_exists(path));
    free(path);
}

static void assert_got(void)
{
    char *bytes, *path = mem_printf("%s/sha256-%s", cache, digest);

    assert_string_equal(seen.error.text, "");
    assert_int_equal(seen.error.code, 0);
    assert_string_equal(seen.path, path);
    assert_string_equal(seen.sha256, digest);
    assert_int_equal(seen.bytes, 10);
    assert_int_equal(fs_read(path, 100, &bytes, NULL, NULL), 0);
    assert_string_equal(bytes, CONTENT);
    free(bytes);
    free(path);
}

static void a_file_is_fetched_verified_and_named_by_its_digest(void **state)
{
    struct fs_attributes found;

    GET("/file", .sha256 = digest);

    assert_got();
    assert_false(seen.cached);
    assert_no_part(stub_url("/file"));
    assert_int_equal(fs_attributes_get(cache, &found, NULL), 0);
    assert_int_equal(found.mode, 0700);
}

static void the_second_time_it_comes_from_the_cache(void **state)
{
    char upper[DIGEST_HEX_SIZE];

    STR_COPY(upper, digest);
    for (char *c = upper; *c; c++)
        if (*c >= 'a')
            *c = (char)(*c - 32);
    GET("/file", .sha256 = digest);
    GET("/file", .sha256 = upper); /* upper case is the same digest */

    assert_got();
    assert_true(seen.cached);
    assert_int_equal(stub_seen->count, 1);
}

static void a_damaged_cache_entry_is_replaced(void **state)
{
    char *path = mem_printf("%s/sha256-%s", cache, digest);

    assert_int_equal(fs_mkdirs(cache, 0700, NULL), 0);
    assert_int_equal(fs_write_atomic(path, "rotten", 6, NULL, NULL, NULL), 0);
    free(path);
    GET("/file", .sha256 = digest);

    assert_false(seen.cached);
    assert_got();
}

static void without_a_digest_it_is_always_fetched(void **state)
{
    GET("/file", .sha256 = NULL);
    assert_got();
    GET("/file", .sha256 = "");
    assert_got();
    assert_false(seen.cached);
    assert_int_equal(stub_seen->count, 2);
}

static void what_an_earlier_run_left_is_resumed(void **state)
{
    leave_part(stub_url("/file"), "01234");
    GET("/file", .sha256 = digest);

    assert_got();
    assert_non_null(strcasestr(stub_seen->requests[0], "Range: bytes=5-"));
}

static void without_a_digest_an_earlier_part_is_not_used(void **state)
{
    leave_part(stub_url("/file"), "wrong");
    GET("/file", .sha256 = NULL);

    assert_got();
    assert_null(strcasestr(stub_seen->requests[0], "Range:"));
}

static void a_broken_transfer_is_resumed(void **state)
{
    GET("/broken-once", .sha256 = digest);

    assert_got();
    assert_int_equal(stub_seen->count, 2);
    assert_non_null(strcasestr(stub_seen->requests[1], "Range: bytes=4-"));
}

static void an_earlier_part_of_something_else_is_fetched_anew(void **state)
{
    leave_part(stub_url("/file"), "wxyz");
    GET("/file", .sha256 = digest);

    assert_got();
    assert_int_equal(stub_seen->count, 2);
}

static void an_earlier_part_longer_than_the_file_is_dropped(void **state)
{
    leave_part(stub_url("/file"), "0123456789ABCDEF");
    GET("/file", .sha256 = digest);

    assert_got();
    assert_int_equal(stub_seen->count, 2);
}

static void a_server_in_trouble_is_asked_again(void **state)
{
    GET("/busy-once", .sha256 = digest);
    assert_got();
    assert_int_equal(stub_seen->count, 2);
}

static void too_many_requests_is_asked_again(void **state)
{
    GET("/too-many-once", .sha256 = digest);
    assert_got();
    assert_int_equal(stub_seen->count, 2);
}

static void attempts_come_to_an_end(void **state)
{
    GET("/always-503", .attempts = 2);

    assert_int_equal(seen.error.code, -EIO);
    assert_non_null(
        strstr(seen.error.text, "/always-503: HTTP status 503 (attempt 2 of 2)"));
    assert_int_equal(stub_seen->count, 2);
}

static void a_404_is_final(void **state)
{
    GET("/absent", .sha256 = digest);

    assert_int_equal(seen.error.code, -ENOENT);
    assert_non_null(strstr(seen.error.text, "/absent: HTTP status 404"));
    assert_int_equal(stub_seen->count, 1);
    GET("/secret", .sha256 = digest);
    assert_int_equal(seen.error.code, -EACCES);
    assert_int_equal(stub_seen->count, 2);
}

static void a_wrong_digest_is_final_and_names_both(void **state)
{
    char other[DIGEST_HEX_SIZE];

    digest_bytes("other", 5, other);
    GET("/file", .sha256 = other);

    assert_int_equal(seen.error.code, -EBADMSG);
    assert_non_null(strstr(seen.error.text, digest));
    assert_non_null(strstr(seen.error.text, other));
    assert_int_equal(stub_seen->count, 1);
    assert_no_part(stub_url("/file"));
}

static void a_file_too_large_is_final_and_leaves_nothing(void **state)
{
    GET("/file", .max_bytes = 9);

    assert_int_equal(seen.error.code, -EFBIG);
    assert_int_equal(stub_seen->count, 1);
    assert_no_part(stub_url("/file"));
    GET("/file", .max_bytes = 10);
    assert_got();
}

static void a_silent_server_is_tried_again_and_named(void **state)
{
    GET("/hang", .timeout_ms = 200, .attempts = 2);

    assert_int_equal(seen.error.code, -ETIMEDOUT);
    assert_non_null(strstr(seen.error.text, "/hang"));
    assert_non_null(strstr(seen.error.text, "attempt 2 of 2"));
}

static void a_file_url_is_copied_and_verified(void **state)
{
    char *path = mem_printf("%s/source", root), *url = mem_printf("file://%s", path);

    assert_int_equal(fs_write_atomic(path, CONTENT, 10, NULL, NULL, NULL), 0);
    GET("", .url = url, .sha256 = digest);
    assert_got();
    GET("", .url = "file:///nonexistent/file", .sha256 = NULL);
    assert_int_equal(seen.error.code, -ENOENT);
    free(path);
    free(url);
}

static void a_full_disk_is_final_and_frees_its_space(void **state)
{
    char *big = mem_printf("%s/big", root), *url = mem_printf("file://%s", big);
    char *bytes = mem_new(300000);

    assert_int_equal(fs_mkdirs(cache, 0700, NULL), 0);
    if (mount("none", cache, "tmpfs", 0, "size=65536") < 0) {
        print_message("skipped: no tmpfs can be mounted here\n");
        free(bytes);
        free(url);
        free(big);
        skip();
    }
    assert_int_equal(fs_write_atomic(big, bytes, 300000, NULL, NULL, NULL), 0);
    GET("", .url = url, .sha256 = NULL);
    assert_int_equal(seen.error.code, -ENOSPC);
    assert_no_part(url);
    assert_int_equal(umount2(cache, MNT_DETACH), 0);
    free(bytes);
    free(url);
    free(big);
}

static void nonsense_is_refused_at_once(void **state)
{
    static const struct fetch_options bad[] = {
        {.url = "ftp://x/y", .cache_dir = cache},
        {.url = "http://x/y", .sha256 = "abc", .cache_dir = cache},
        {.url = NULL, .cache_dir = cache},
        {.url = "http://x/y", .cache_dir = "/proc/nonexistent/cache"},
    };
    struct error err = {0};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_true(fetch_start(el, &bad[i], on_done, NULL, NULL, &fetch, &err) < 0);
        assert_true(err.text[0] != '\0');
    }
}

static void cancel_at_any_time_is_silent(void **state)
{
    static const int after_ms[] = {-1, 0, 5, 150, 400};
    struct fetch_options options = {
        .url = stub_url("/always-503"), .cache_dir = cache, .attempts = 100};

    for (size_t i = 0; i < sizeof(after_ms) / sizeof(after_ms[0]); i++) {
        assert_int_equal(fetch_start(el, &options, on_done, NULL, NULL, &fetch, NULL),
                         0);
        if (after_ms[i] >= 0)
            run_for(after_ms[i]);
        fetch_cancel(fetch);
        run_for(50);
    }
    assert_int_equal(done_count, 0);
    fetch_cancel(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_fetched_verified_and_named_by_its_digest),
        TEST(the_second_time_it_comes_from_the_cache),
        TEST(a_damaged_cache_entry_is_replaced),
        TEST(without_a_digest_it_is_always_fetched),
        TEST(what_an_earlier_run_left_is_resumed),
        TEST(without_a_digest_an_earlier_part_is_not_used),
        TEST(a_broken_transfer_is_resumed),
        TEST(an_earlier_part_of_something_else_is_fetched_anew),
        TEST(an_earlier_part_longer_than_the_file_is_dropped),
        TEST(a_server_in_trouble_is_asked_again),
        TEST(too_many_requests_is_asked_again),
        TEST(attempts_come_to_an_end),
        TEST(a_404_is_final),
        TEST(a_wrong_digest_is_final_and_names_both),
        TEST(a_file_too_large_is_final_and_leaves_nothing),
        TEST(a_silent_server_is_tried_again_and_named),
        TEST(a_file_url_is_copied_and_verified),
        TEST(a_full_disk_is_final_and_frees_its_space),
        TEST(nonsense_is_refused_at_once),
        TEST(cancel_at_any_time_is_silent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
