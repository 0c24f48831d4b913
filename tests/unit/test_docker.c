/* test_docker.c - the engine's API against a fake engine on a unix socket.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/fs.h"
#include "shared/base/str.h"
#include "shared/io/docker.h"
#include "tests/unit/http_stub.h"
#include "tests/unit/io_fixture.h"

#include <errno.h>
#include <string.h>

static char root[64], sock[128], progress[1024];
static int seen_status, done_count, descriptors;
static json_t *seen_body;
static struct error seen;
static struct docker_call *call;

static void stream(int fd, const char *lines)
{
    char head[128];

    snprintf(head, sizeof(head),
             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n",
             strlen(lines));
    stub_send(fd, head);
    for (size_t i = 0; i < strlen(lines); i += 7) { /* lines come in pieces */
        char piece[8];

        snprintf(piece, sizeof(piece), "%s", lines + i);
        stub_send(fd, piece);
        usleep(1000);
    }
    stub_send(fd, "\r\n0\r\n\r\n");
}

static void handle(int fd, const char *request)
{
    if (str_starts(request, "GET /info ")) {
        stub_answer(fd, 200, "",
                    "{\"ServerVersion\":\"1.13.1\",\"ClusterStore\":\"\"}");
    } else if (str_starts(request, "GET /_ping ")) {
        stub_answer(fd, 200, "", "OK");
    } else if (str_starts(request, "GET /containers/absent/json ")) {
        stub_answer(fd, 404, "", "{\"message\":\"No such container: absent\"}");
    } else if (str_starts(request, "GET /old-engine ")) {
        stub_answer(fd, 500, "Content-Type: text/plain\r\n", "server error, as text\n");
    } else if (str_starts(request, "POST /containers/create?name=x ")) {
        stub_answer(fd, 409, "", "{\"message\":\"Conflict. The name is in use\"}");
    } else if (str_starts(request, "POST /containers/x/start ")) {
        stub_answer(fd, 304, "", "");
    } else if (strstr(request, "fromImage=calico/node&tag=v2.6.11 ")) {
        stream(fd, "{\"status\":\"Pulling from calico/node\",\"id\":\"v2.6.11\"}\r\n"
                   "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":50,"
                   "\"total\":200},\"id\":\"4c1d\"}\r\n"
                   "{\"status\":\"Download complete\",\"id\":\"4c1d\"}\r\n");
    } else if (strstr(request, "fromImage=broken&tag=latest ")) {
        stream(fd, "{\"status\":\"Pulling\"}\n{\"errorDetail\":{\"message\":\"no space "
                   "left\"},\"error\":\"no space left\"}");
    } else if (strstr(request, "fromImage=gone&tag=latest ")) {
        stream(fd, "{\"error\":\"manifest for gone:latest not found\"}\r\n");
    } else if (strstr(request, "fromImage=refused&tag=latest ")) {
        stub_answer(fd, 404, "", "{\"message\":\"pull access denied\"}");
    } else if (strstr(request, "fromImage=hang&")) {
        stub_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n16\r\n"
                      "{\"status\":\"Waiting\"}\r\n\r\n");
        stub_hang(fd);
    } else {
        stub_answer(fd, 200, "", "{\"ok\":true}");
    }
}

static void on_done(void *ctx, int status, const json_t *body, const struct error *err)
{
    done_count++;
    seen_status = status;
    json_decref(seen_body);
    seen_body = json_deep_copy(body);
    error_copy(&seen, err);
    docker_cancel(call); /* harmless inside done */
    event_loop_stop(el, 0);
}

static void on_progress(void *ctx, const char *says)
{
    strcat(progress, says);
    strcat(progress, ";");
}

static void on_progress_cancel(void *ctx, const char *says)
{
    docker_cancel(call);
    event_loop_stop(el, 7);
}

static int begin(void **state)
{
    descriptors = open_descriptors();
    done_count = 0;
    progress[0] = '\0';
    strcpy(root, "/tmp/clowder-test-XXXXXX");
    assert_non_null(mkdtemp(root));
    snprintf(sock, sizeof(sock), "%s/docker.sock", root);
    stub_start_unix(sock, handle);
    return io_begin(state);
}

static int end(void **state)
{
    json_decref(seen_body);
    seen_body = NULL;
    run_for(10);
    io_end(state);
    stub_stop();
    assert_int_equal(fs_remove_tree(root, NULL), 0);
    assert_int_equal(open_descriptors(), descriptors);
    return 0;
}

static void ask(const char *method, const char *path, const json_t *body)
{
    assert_int_equal(
        docker_call(el, sock, method, path, body, 5000, on_done, NULL, &call, NULL), 0);
    assert_int_equal(run(), 0);
    assert_int_equal(done_count, 1);
}

static void pull(const char *image)
{
    assert_int_equal(
        docker_pull(el, sock, image, 5000, on_done, on_progress, NULL, &call, NULL), 0);
    assert_int_equal(run(), 0);
    assert_int_equal(done_count, 1);
}

static void an_answer_is_parsed(void **state)
{
    ask("GET", "/info", NULL);

    assert_int_equal(seen.code, 0);
    assert_int_equal(seen_status, 200);
    assert_string_equal(json_string_value(json_object_get(seen_body, "ServerVersion")),
                        "1.13.1");
}

static void an_answer_that_is_no_json_is_no_error(void **state)
{
    ask("GET", "/_ping", NULL);

    assert_int_equal(seen.code, 0);
    assert_int_equal(seen_status, 200);
    assert_null(seen_body);
}

static void a_body_is_sent_as_json(void **state)
{
    json_t *body = json_pack("{s:s, s:[s]}", "Image", "x", "Env", "A=b");

    ask("POST", "/containers/create", body);
    json_decref(body);

    const char *sent = stub_seen->requests[0];
    assert_non_null(strstr(sent, "\r\nContent-Type: application/json\r\n"));
    assert_true(str_ends(sent, "\r\n\r\n{\"Image\":\"x\",\"Env\":[\"A=b\"]}"));
}

static void a_404_names_the_call_and_the_reason(void **state)
{
    ask("GET", "/containers/absent/json", NULL);

    assert_int_equal(seen.code, -ENOENT);
    assert_int_equal(seen_status, 404);
    assert_string_equal(seen.text, "docker GET /containers/absent/json: "
                                   "No such container: absent (HTTP status 404)");
}

static void a_409_exists_already(void **state)
{
    ask("POST", "/containers/create?name=x", NULL);

    assert_int_equal(seen.code, -EEXIST);
    assert_non_null(strstr(seen.text, "Conflict. The name is in use"));
}

static void a_304_is_success(void **state)
{
    ask("POST", "/containers/x/start", NULL);

    assert_int_equal(seen.code, 0);
    assert_int_equal(seen_status, 304);
}

static void an_old_engine_answers_in_text(void **state)
{
    ask("GET", "/old-engine", NULL);

    assert_int_equal(seen.code, -EIO);
    assert_string_equal(
        seen.text, "docker GET /old-engine: server error, as text (HTTP status 500)");
}

static void docker_down_is_said(void **state)
{
    stub_stop();
    ask("GET", "/info", NULL);
    assert_int_equal(seen.code, -ECONNREFUSED);
    assert_int_equal(seen_status, 0);
    assert_non_null(strstr(seen.text, "is docker running?"));

    unlink(sock); /* not even a socket */
    done_count = 0;
    ask("GET", "/info", NULL);
    assert_int_equal(seen.code, -ECONNREFUSED);
}

static void a_pull_tells_its_progress(void **state)
{
    pull("calico/node:v2.6.11");

    assert_int_equal(seen.code, 0);
    assert_int_equal(seen_status, 200);
    assert_string_equal(progress, "v2.6.11: Pulling from calico/node;"
                                  "4c1d: Downloading 25%;4c1d: Download complete;");
}

static void an_error_inside_the_stream_fails_the_pull(void **state)
{
    pull("broken");

    assert_int_equal(seen.code, -EIO);
    assert_string_equal(seen.text, "docker pull broken: no space left");
}

static void an_image_that_is_not_there_is_enoent(void **state)
{
    pull("gone");
    assert_int_equal(seen.code, -ENOENT);
    done_count = 0;
    pull("refused");
    assert_int_equal(seen.code, -ENOENT);
    assert_non_null(strstr(seen.text, "pull access denied"));
}

static void image_names_are_split_and_escaped(void **state)
{
    static const struct {
        const char *image, *query;
    } cases[] = {
        {"host:5000/a/b", "fromImage=host%3A5000/a/b&tag=latest "},
        {"host:5000/a/b:v1", "fromImage=host%3A5000/a/b&tag=v1 "},
        {"a@sha256:00ff", "fromImage=a&tag=sha256%3A00ff "},
        {"a:v1@sha256:00ff", "fromImage=a&tag=sha256%3A00ff "},
    };

    for (int i = 0; i < 4; i++) {
        done_count = 0;
        pull(cases[i].image);
        assert_non_null(strstr(stub_seen->requests[i], cases[i].query));
    }
}

static void cancel_is_silent_also_from_its_progress(void **state)
{
    assert_int_equal(
        docker_pull(el, sock, "hang", 5000, on_done, on_progress, NULL, &call, NULL),
        0);
    while (!progress[0])
        run_for(10);
    assert_string_equal(progress, "Waiting;");
    docker_cancel(call);
    run_for(30);
    assert_int_equal(docker_pull(el, sock, "hang", 5000, on_done, on_progress_cancel,
                                 NULL, &call, NULL),
                     0);
    assert_int_equal(run(), 7);
    run_for(30);

    assert_int_equal(done_count, 0);
    docker_cancel(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_is_parsed),
        TEST(an_answer_that_is_no_json_is_no_error),
        TEST(a_body_is_sent_as_json),
        TEST(a_404_names_the_call_and_the_reason),
        TEST(a_409_exists_already),
        TEST(a_304_is_success),
        TEST(an_old_engine_answers_in_text),
        TEST(docker_down_is_said),
        TEST(a_pull_tells_its_progress),
        TEST(an_error_inside_the_stream_fails_the_pull),
        TEST(an_image_that_is_not_there_is_enoent),
        TEST(image_names_are_split_and_escaped),
        TEST(cancel_is_silent_also_from_its_progress),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
