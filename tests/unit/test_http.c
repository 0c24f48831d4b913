/* test_http.c - one exchange in a worker process, against scripted answers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/fs.h"
#include "shared/base/str.h"
#include "shared/io/http.h"
#include "tests/unit/http_stub.h"
#include "tests/unit/io_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static struct http_reply seen;
static char body[1 << 16], root[64], streamed[64];
static int done_count, chunk_count, progress_count, descriptors;
static int64_t last_total;
static struct http *http;

static void handle(int fd, const char *request)
{
    static char big[40000];

    if (strstr(request, " /hello ")) {
        stub_answer(fd, 200, "", "hello");
    } else if (strstr(request, " /echo ")) {
        stub_answer(fd, 201, "", strstr(request, "\r\n\r\n") + 4);
    } else if (strstr(request, " /missing ")) {
        stub_answer(fd, 404, "", "{\"message\":\"no such thing\"}");
    } else if (strstr(request, " /redirect ")) {
        stub_answer(fd, 302, "Location: /hello\r\n", "elsewhere");
    } else if (strstr(request, " /loop ")) {
        stub_answer(fd, 302, "Location: /loop\r\n", "");
    } else if (strstr(request, " /leak ")) {
        stub_answer(fd, 302, "Location: file:///etc/passwd\r\n", "");
    } else if (strstr(request, " /chunked ")) {
        stub_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                      "5\r\nfirst\r\n");
        usleep(50000);
        stub_send(fd, "6\r\nsecond\r\n0\r\n\r\n");
    } else if (strstr(request, " /big ")) {
        memset(big, 'b', sizeof(big) - 1);
        stub_answer(fd, 200, "", big);
    } else if (strstr(request, " /hang ")) {
        stub_hang(fd);
    } else if (strstr(request, " /stall ")) {
        stub_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome");
        stub_hang(fd);
    } else if (strstr(request, " /short ")) {
        stub_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome");
    } else if (strstr(request, " /slow ")) {
        stub_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n");
        for (int i = 0; i < 12; i++) {
            usleep(100000);
            stub_send(fd, "s");
        }
    } else if (strstr(request, " /range ")) {
        if (strcasestr(request, "Range: bytes=4-"))
            stub_answer(fd, 206, "Content-Range: bytes 4-9/10\r\n", "456789");
        else
            stub_answer(fd, 200, "", "0123456789");
    } else if (strstr(request, " /wrong-range ")) {
        stub_answer(fd, 206, "Content-Range: bytes 2-9/10\r\n", "23456789");
    } else if (strstr(request, " /no-range ")) {
        stub_answer(fd, 200, "", "0123456789");
    } else if (strstr(request, " /empty ")) {
        stub_answer(fd, 200, "", "");
    } else if (strstr(request, " /garbage ")) {
        stub_send(fd, "SSH-2.0-OpenSSH\r\n");
    }
}

static void on_done(void *ctx, const struct http_reply *reply)
{
    done_count++;
    seen = *reply;
    assert_true(reply->body_len < sizeof(body));
    memcpy(body, reply->body, reply->body_len + 1);
    assert_int_equal(strlen(body), reply->body_len);
    http_cancel(http); /* harmless inside done */
    event_loop_stop(el, 0);
}

static void on_progress(void *ctx, int64_t bytes, int64_t total)
{
    progress_count++;
    last_total = total;
}

static void on_chunk(void *ctx, const char *bytes, size_t len)
{
    chunk_count++;
    strncat(streamed, bytes, len);
}

static void on_chunk_cancel(void *ctx, const char *bytes, size_t len)
{
    chunk_count++;
    http_cancel(http);
}

static int begin(void **state)
{
    descriptors = open_descriptors();
    done_count = chunk_count = progress_count = 0;
    body[0] = '\0';
    strcpy(root, "/tmp/clowder-test-XXXXXX");
    assert_non_null(mkdtemp(root));
    stub_start(handle);
    return io_begin(state);
}

static int end(void **state)
{
    siginfo_t child;

    stub_stop();
    /* Workers that were killed are reaped by the loop, when the machine gets to it. */
    for (int i = 0; i < 500; i++) {
        if (waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT) == -1)
            break;
        run_for(10);
    }
    io_end(state);
    assert_int_equal(fs_remove_tree(root, NULL), 0);
    assert_int_equal(open_descriptors(), descriptors);
    return waitpid(-1, NULL, WNOHANG) == -1 ? 0 : -1; /* no zombie is left */
}

static void start(const struct http_options *options)
{
    done_count = 0;
    assert_int_equal(
        http_start(el, options, on_done, on_progress, NULL, NULL, &http, NULL), 0);
    assert_int_equal(done_count, 0);
}

static void request(struct http_options options, const char *path)
{
    if (!options.url)
        options.url = stub_url(path);
    start(&options);
    assert_int_equal(run(), 0);
    assert_int_equal(done_count, 1);
}

#define REQUEST(path, ...) request((struct http_options){__VA_ARGS__}, path)

static const char *in_root(const char *name)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/%s", root, name);
    return path;
}

static void assert_file(const char *name, const char *text)
{
    char *bytes;

    assert_int_equal(fs_read(in_root(name), 100000, &bytes, NULL, NULL), 0);
    assert_string_equal(bytes, text);
    free(bytes);
}

static void write_file(const char *name, const char *text)
{
    assert_int_equal(
        fs_write_atomic(in_root(name), text, strlen(text), NULL, NULL, NULL), 0);
}

static void an_answer_comes_back(void **state)
{
    REQUEST("/hello", .url = NULL);

    assert_int_equal(seen.error.code, 0);
    assert_int_equal(seen.status, 200);
    assert_string_equal(body, "hello");
}

/* systemd's DefaultEnvironment names one, say, which cannot reach this host's ports. */
static void only_downloads_go_through_a_proxy(void **state)
{
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    REQUEST("/hello", .to_file = in_root("f"));
    int downloaded = seen.error.code;
    REQUEST("/hello", .url = NULL);
    unsetenv("http_proxy");

    assert_int_equal(downloaded, -ECONNREFUSED);
    assert_int_equal(seen.status, 200);
    assert_string_equal(body, "hello");
}

static void libcurl_is_never_mapped_here(void **state)
{
    char *maps;

    REQUEST("/hello", .url = NULL);
    assert_int_equal(fs_read("/proc/self/maps", 1 << 24, &maps, NULL, NULL), 0);
    assert_non_null(strstr(maps, "libevent"));
    assert_null(strstr(maps, "libcurl"));
    assert_null(strstr(maps, "libssl"));
    free(maps);
}

static void a_404_is_an_answer_not_an_error(void **state)
{
    REQUEST("/missing", .url = NULL);

    assert_int_equal(seen.error.code, 0);
    assert_int_equal(seen.status, 404);
    assert_string_equal(body, "{\"message\":\"no such thing\"}");
}

static void method_body_and_headers_are_sent(void **state)
{
    const char *headers[] = {"X-Colour: red", NULL};

    REQUEST("/echo", .method = "PUT", .body = "{\"a\":1}", .body_len = 7,
            .headers = headers);

    assert_int_equal(seen.status, 201);
    assert_string_equal(body, "{\"a\":1}");
    const char *sent = stub_seen->requests[0];
    assert_true(str_starts(sent, "PUT /echo HTTP/1.1\r\n"));
    assert_non_null(strstr(sent, "\r\nX-Colour: red\r\n"));
    assert_non_null(strstr(sent, "\r\nContent-Type: application/json\r\n"));
    assert_null(strcasestr(sent, "expect"));
}

static void post_without_a_body_has_no_content_type(void **state)
{
    REQUEST("/echo", .method = "POST");

    assert_true(str_starts(stub_seen->requests[0], "POST "));
    assert_null(strcasestr(stub_seen->requests[0], "content-type"));
    assert_non_null(strcasestr(stub_seen->requests[0], "\r\ncontent-length: 0\r\n"));
}

static void redirects_are_followed_but_not_for_ever_nor_to_files(void **state)
{
    REQUEST("/redirect", .url = NULL);
    assert_int_equal(seen.status, 200);
    assert_string_equal(body, "hello");
    REQUEST("/loop", .url = NULL);
    assert_int_equal(seen.error.code, -ELOOP);
    REQUEST("/leak", .url = NULL);
    assert_int_equal(seen.error.code, -EPROTONOSUPPORT);
    assert_string_equal(body, "");
}

static void a_unix_socket_is_spoken_to(void **state)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/sock", root);
    stub_stop();
    stub_start_unix(path, handle);

    REQUEST("", .url = "http://unix/hello", .unix_socket = path);
    assert_string_equal(body, "hello");
    stub_stop();
    REQUEST("", .url = "http://unix/hello", .unix_socket = path);
    assert_int_equal(seen.error.code, -ECONNREFUSED);
    assert_non_null(strstr(seen.error.text, "GET /hello on "));
    stub_start(handle);
}

static void nobody_listening_is_said(void **state)
{
    stub_stop();
    REQUEST("/hello", .url = NULL);

    assert_int_equal(seen.error.code, -ECONNREFUSED);
    assert_int_equal(seen.status, 0);
    assert_true(str_starts(seen.error.text, "GET http://127.0.0.1:"));
    stub_start(handle);
}

static void passwords_in_a_url_are_not_told(void **state)
{
    REQUEST("", .url = "http://user:hunter2@127.0.0.1:1/x");

    assert_int_equal(seen.error.code, -ECONNREFUSED);
    assert_true(str_starts(seen.error.text, "GET http://127.0.0.1:1/x: "));
    assert_null(strstr(seen.error.text, "hunter2"));
}

static void a_silent_server_is_given_up(void **state)
{
    int64_t start_ms = loop_now_ms(event_loop_port(el));

    REQUEST("/hang", .timeout_ms = 300);

    assert_int_equal(seen.error.code, -ETIMEDOUT);
    assert_in_range(loop_now_ms(event_loop_port(el)) - start_ms, 290, 5000);
}

static void a_stalled_transfer_is_given_up(void **state)
{
    REQUEST("/stall", .stall_timeout_ms = 1000, .timeout_ms = 15000);

    assert_int_equal(seen.error.code, -ETIMEDOUT);
    assert_string_equal(body, "");
}

static void a_reply_cut_short_is_an_error(void **state)
{
    REQUEST("/short", .url = NULL);

    assert_int_equal(seen.error.code, -ECONNRESET);
}

static void what_is_not_http_is_an_error(void **state)
{
    REQUEST("/garbage", .url = NULL);

    assert_true(seen.error.code < 0);
    assert_int_equal(seen.status, 0);
}

static void a_reply_too_large_is_an_error(void **state)
{
    REQUEST("/big", .reply_max_bytes = 20000);
    assert_int_equal(seen.error.code, -EFBIG);
    assert_non_null(strstr(seen.error.text, "20000 bytes"));

    REQUEST("/big", .reply_max_bytes = 39999);
    assert_int_equal(seen.error.code, 0);
    assert_int_equal(seen.body_len, 39999);
}

static void chunks_are_collected_or_streamed(void **state)
{
    struct http_options options = {.url = stub_url("/chunked")};

    REQUEST("/chunked", .url = NULL);
    assert_string_equal(body, "firstsecond");

    streamed[0] = '\0';
    assert_int_equal(
        http_start(el, &options, on_done, NULL, on_chunk, NULL, &http, NULL), 0);
    assert_int_equal(run(), 0);
    assert_string_equal(streamed, "firstsecond");
    assert_in_range(chunk_count, 2, 3);
    assert_int_equal(seen.body_len, 0);
}

static void a_chunk_may_cancel(void **state)
{
    struct http_options options = {.url = stub_url("/chunked")};

    assert_int_equal(
        http_start(el, &options, on_done, NULL, on_chunk_cancel, NULL, &http, NULL), 0);
    run_for(300);

    assert_int_equal(chunk_count, 1);
    assert_int_equal(done_count, 0);
}

static void progress_is_told_now_and_then(void **state)
{
    REQUEST("/slow", .url = NULL);

    assert_string_equal(body, "ssssssssssss");
    assert_in_range(progress_count, 1, 3);
    assert_int_equal(last_total, 12);
}

static void a_file_is_written_with_its_digest(void **state)
{
    char hex[DIGEST_HEX_SIZE];

    REQUEST("/hello", .to_file = in_root("f"));

    assert_int_equal(seen.error.code, 0);
    assert_int_equal(seen.file_bytes, 5);
    assert_false(seen.resumed);
    digest_bytes("hello", 5, hex);
    assert_string_equal(seen.sha256, hex);
    assert_string_equal(body, "");
    assert_file("f", "hello");
    struct fs_attributes found;
    assert_int_equal(fs_attributes_get(in_root("f"), &found, NULL), 0);
    assert_int_equal(found.mode, 0600);

    REQUEST("/empty", .to_file = in_root("f")); /* a whole answer replaces */
    assert_int_equal(seen.file_bytes, 0);
    assert_file("f", "");
}

static void a_404_does_not_touch_the_file(void **state)
{
    write_file("f", "part");
    REQUEST("/missing", .to_file = in_root("f"), .resume_from = 4);

    assert_int_equal(seen.error.code, 0);
    assert_int_equal(seen.status, 404);
    assert_file("f", "part");
}

static void a_download_is_resumed(void **state)
{
    char hex[DIGEST_HEX_SIZE];

    write_file("f", "0123");
    REQUEST("/range", .to_file = in_root("f"), .resume_from = 4);

    assert_int_equal(seen.status, 206);
    assert_true(seen.resumed);
    assert_int_equal(seen.file_bytes, 10);
    digest_bytes("0123456789", 10, hex);
    assert_string_equal(seen.sha256, hex);
    assert_file("f", "0123456789");
}

static void a_server_without_ranges_sends_all_again(void **state)
{
    write_file("f", "wxyz");
    REQUEST("/no-range", .to_file = in_root("f"), .resume_from = 4);

    assert_int_equal(seen.status, 200);
    assert_false(seen.resumed);
    assert_file("f", "0123456789");
}

static void the_wrong_range_is_refused(void **state)
{
    write_file("f", "0123");
    REQUEST("/wrong-range", .to_file = in_root("f"), .resume_from = 4);

    assert_int_equal(seen.error.code, -EPROTO);
    assert_file("f", "0123");
}

static void a_file_too_large_is_refused(void **state)
{
    REQUEST("/big", .to_file = in_root("f"), .file_max_bytes = 39998);
    assert_int_equal(seen.error.code, -EFBIG);
    REQUEST("/chunked", .to_file = in_root("f"), .file_max_bytes = 10);
    assert_int_equal(seen.error.code, -EFBIG);
    REQUEST("/big", .to_file = in_root("f"), .file_max_bytes = 39999);
    assert_int_equal(seen.error.code, 0);
}

static void a_full_disk_is_said(void **state)
{
    REQUEST("/hello", .to_file = "/dev/full");

    if (seen.error.code == -EINVAL) /* a device is not truncated: then by write */
        assert_non_null(strstr(seen.error.text, "truncate '/dev/full'"));
    else
        assert_int_equal(seen.error.code, -ENOSPC);
}

static void a_file_url_is_copied(void **state)
{
    char url[256];

    write_file("source", "local");
    snprintf(url, sizeof(url), "file://%s/source", root);
    REQUEST("", .url = url, .to_file = in_root("copy"));
    assert_int_equal(seen.error.code, 0);
    assert_int_equal(seen.status, 200);
    assert_file("copy", "local");

    REQUEST("", .url = "file:///nonexistent/x", .to_file = in_root("copy2"));
    assert_int_equal(seen.error.code, -ENOENT);
    assert_false(fs_exists(in_root("copy2")));
}

static pid_t only_worker(void)
{
    char path[64], text[256] = "";

    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    close(fd);
    for (char *at = text; *at;) {
        pid_t pid = (pid_t)strtol(at, &at, 10);

        if (pid > 0 && pid != stub_pid)
            return pid;
        at += strspn(at, " \n");
    }
    fail_msg("no worker among '%s'", text);
    return -1;
}

/* Killed and reaped, which a busy machine may take its time for. */
static void assert_gone_soon(pid_t worker)
{
    for (int i = 0; i < 500 && kill(worker, 0) == 0; i++)
        run_for(10);
    assert_int_equal(kill(worker, 0), -1);
}

static void a_worker_that_is_killed_is_an_ordinary_failure(void **state)
{
    start(&(struct http_options){.url = stub_url("/hang")});
    assert_int_equal(kill(only_worker(), SIGKILL), 0);
    assert_int_equal(run(), 0);

    assert_int_equal(seen.error.code, -EIO);
    assert_non_null(
        strstr(seen.error.text, "/hang: the worker was killed by signal 9"));
}

static void a_worker_that_hangs_is_killed_by_the_parent(void **state)
{
    start(&(struct http_options){.url = stub_url("/hang"), .timeout_ms = 200});
    pid_t worker = only_worker();
    assert_int_equal(kill(worker, SIGSTOP), 0);
    assert_int_equal(run(), 0);

    assert_int_equal(seen.error.code, -ETIMEDOUT);
    assert_non_null(strstr(seen.error.text, "the worker hangs"));
    assert_gone_soon(worker);
}

static void cancel_kills_the_worker_and_is_silent(void **state)
{
    start(&(struct http_options){.url = stub_url("/hang")});
    pid_t worker = only_worker();
    http_cancel(http);
    run_for(50);

    assert_int_equal(kill(worker, 0), -1);
    assert_int_equal(done_count, 0);
    http_cancel(NULL);
}

static void the_worker_dies_with_its_parent(void **state)
{
    int ends[2];
    pid_t worker = 0;

    assert_int_equal(pipe(ends), 0);
    pid_t parent = fork();
    if (parent == 0) { /* a loop of its own, as in a program of its own */
        struct event_loop *own;
        struct http *request_;

        stub_pid = 0;
        if (event_loop_new(&own, NULL) < 0 ||
            http_start(own, &(struct http_options){.url = stub_url("/hang")}, on_done,
                       NULL, NULL, NULL, &request_, NULL) < 0)
            _exit(1);
        usleep(100000);
        worker = only_worker();
        if (write(ends[1], &worker, sizeof(worker)) < 0)
            _exit(1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(ends[0], &worker, sizeof(worker)), (int)sizeof(worker));
    assert_int_equal(kill(worker, 0), 0);
    kill(parent, SIGKILL);
    assert_int_equal(waitpid(parent, NULL, 0), parent);

    char path[64], text[256];
    bool over = false;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)worker);
    for (int i = 0; i < 1000 && !over; i++, usleep(5000)) {
        FILE *f = fopen(path, "r");

        over = !f || !fgets(text, sizeof(text), f) || strstr(text, ") Z ");
        if (f)
            fclose(f);
    }
    assert_true(over);
    close(ends[0]);
    close(ends[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_comes_back),
        TEST(only_downloads_go_through_a_proxy),
        TEST(libcurl_is_never_mapped_here),
        TEST(a_404_is_an_answer_not_an_error),
        TEST(method_body_and_headers_are_sent),
        TEST(post_without_a_body_has_no_content_type),
        TEST(redirects_are_followed_but_not_for_ever_nor_to_files),
        TEST(a_unix_socket_is_spoken_to),
        TEST(nobody_listening_is_said),
        TEST(passwords_in_a_url_are_not_told),
        TEST(a_silent_server_is_given_up),
        TEST(a_stalled_transfer_is_given_up),
        TEST(a_reply_cut_short_is_an_error),
        TEST(what_is_not_http_is_an_error),
        TEST(a_reply_too_large_is_an_error),
        TEST(chunks_are_collected_or_streamed),
        TEST(a_chunk_may_cancel),
        TEST(progress_is_told_now_and_then),
        TEST(a_file_is_written_with_its_digest),
        TEST(a_404_does_not_touch_the_file),
        TEST(a_download_is_resumed),
        TEST(a_server_without_ranges_sends_all_again),
        TEST(the_wrong_range_is_refused),
        TEST(a_file_too_large_is_refused),
        TEST(a_full_disk_is_said),
        TEST(a_file_url_is_copied),
        TEST(a_worker_that_is_killed_is_an_ordinary_failure),
        TEST(a_worker_that_hangs_is_killed_by_the_parent),
        TEST(cancel_kills_the_worker_and_is_silent),
        TEST(the_worker_dies_with_its_parent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
