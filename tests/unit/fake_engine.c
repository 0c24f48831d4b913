/* fake_engine.c - a Docker engine of one host in a child process.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/fake_engine.h"

#include "shared/base/fs.h"
#include "shared/base/str.h"
#include "tests/unit/cmocka_all.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct fake_engine *fake;
static pid_t engine_pid;
static char engine_root[128];

enum { DOCKER, FELIX, CALICO, CALICO_IPAM, LISTENERS };
static int listeners[LISTENERS];
static int engine_fds[LISTENERS];

/* ---- what the tests see ---- */

struct fake_container *fake_container(const char *name)
{
    for (int i = 0; i < FAKE_CONTAINERS; i++)
        if (fake->containers[i].name[0] && strcmp(fake->containers[i].name, name) == 0)
            return &fake->containers[i];
    return NULL;
}

struct fake_container *fake_put(const char *name, const char *body)
{
    for (int i = 0; i < FAKE_CONTAINERS; i++) {
        struct fake_container *c = &fake->containers[i];
        if (c->name[0])
            continue;
        memset(c, 0, sizeof *c);
        snprintf(c->body, sizeof c->body, "%s", body);
        snprintf(c->image_id, sizeof c->image_id, "%s", fake->image_id);
        c->running = true;
        c->started = ++fake->start_clock;
        snprintf(c->id, sizeof c->id, "4f%02x", ++fake->id_clock);
        snprintf(c->name, sizeof c->name, "%s", name);
        return c;
    }
    return NULL;
}

int fake_calls(const char *start)
{
    int count = 0;

    for (int i = 0; i < fake->calls_count && i < FAKE_CALLS; i++)
        count += str_starts(fake->calls[i], start);
    return count;
}

void fake_forget_calls(void)
{
    fake->calls_count = 0;
}

/* ---- HTTP ---- */

static void put(int fd, const char *bytes, size_t len)
{
    ssize_t ignored = send(fd, bytes, len, MSG_NOSIGNAL);
    (void)ignored; /* the client may have gone */
}

static void answer_bytes(int fd, int status, const char *bytes, size_t len)
{
    char head[128];

    snprintf(head, sizeof head,
             "HTTP/1.1 %d Said\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
             status, len);
    put(fd, head, strlen(head));
    put(fd, bytes, len);
}

static void answer(int fd, int status, const char *body)
{
    answer_bytes(fd, status, body, strlen(body));
}

static void answer_json(int fd, int status, json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT);

    answer(fd, status, text);
    free(text);
    json_decref(body);
}

static bool read_request(int fd, char *text, size_t size)
{
    size_t len = 0, want = 0;

    for (;;) {
        ssize_t got = recv(fd, text + len, size - len - 1, 0);
        if (got <= 0)
            return false;
        len += (size_t)got;
        text[len] = '\0';
        const char *end = strstr(text, "\r\n\r\n");
        const char *length = strcasestr(text, "content-length:");
        if (!end)
            continue;
        want = (size_t)(end + 4 - text);
        if (length && length < end)
            want += strtoul(length + 15, NULL, 10);
        if (len >= want)
            return true;
    }
}

/* ---- containers ---- */

static const struct fake_container *plugin(void);
static void follow_plugin(int which, const char *name, bool wanted);

static const char *env_value(const struct fake_container *c, const char *line)
{
    return strstr(c->body, line);
}

static json_t *inspect(const struct fake_container *c)
{
    json_t *body = json_loads(c->body, 0, NULL);
    char started_at[64], name[80];

    if (c->started == 0)
        snprintf(started_at, sizeof started_at, "0001-01-01T00:00:00Z");
    else {
        time_t at = (time_t)(fake->epoch_s + c->started);
        struct tm tm;
        gmtime_r(&at, &tm);
        strftime(started_at, sizeof started_at, "%Y-%m-%dT%H:%M:%S.123456789Z", &tm);
    }
    snprintf(name, sizeof name, "/%s", c->name);
    json_t *labels = json_object_get(body, "Labels");
    json_t *whole =
        json_pack("{s:s, s:s, s:s, s:i, s:{s:b, s:b, s:s}, s:{s:O, s:O, s:o}, s:O}",
                  "Id", c->id, "Name", name, "Image", c->image_id, "RestartCount",
                  c->restarts, "State", "Running", c->running, "Restarting",
                  c->restarting, "StartedAt", started_at, "Config", "Image",
                  json_object_get(body, "Image"), "Env", json_object_get(body, "Env"),
                  "Labels", labels ? json_incref(labels) : json_object(), "HostConfig",
                  json_object_get(body, "HostConfig"));

    json_decref(body);
    return whole;
}

static void answer_logs(int fd)
{
    static const char line[] = "Calico node started successfully\n";
    char stream[128] = {1,   0,   0,   0,   0,   0,   0,   9,   'S',
                        't', 'a', 'r', 't', 'i', 'n', 'g', '\n'};
    size_t len = 17;

    if (fake->unreadable_logs) {
        answer(fd, 501, "{\"message\":\"logging driver does not support reading\"}");
        return;
    }
    if (fake->started_line) {
        char header[8] = {1, 0, 0, 0, 0, 0, 0, sizeof line - 1};
        memcpy(stream + len, header, 8);
        memcpy(stream + len + 8, line, sizeof line - 1);
        len += 8 + sizeof line - 1;
    }
    answer_bytes(fd, 200, stream, len);
}

static void start(struct fake_container *c)
{
    c->running = true;
    c->deaf = fake->starts_deaf;
    fake->starts_deaf = false;
    c->started = ++fake->start_clock;
}

static void create(int fd, const char *name, const char *body)
{
    json_t *parsed = json_loads(body, 0, NULL);
    const char *image = json_string_value(json_object_get(parsed, "Image"));
    bool known = image && fake->image_id[0] &&
                 (strcmp(image, fake->image) == 0 ||
                  strcmp(image, fake->image_id) == 0 || str_starts(image, "sha256:"));

    if (fake->create_fails)
        answer(fd, 500, "{\"message\":\"no space left on device\"}");
    else if (fake_container(name))
        answer(fd, 409, "{\"message\":\"Conflict. The name is already in use\"}");
    else if (!known)
        answer(fd, 404, "{\"message\":\"No such image\"}");
    else {
        struct fake_container *c = fake_put(name, body);
        c->running = false;
        c->started = 0;
        if (str_starts(image, "sha256:"))
            snprintf(c->image_id, sizeof c->image_id, "%s", image);
        answer(fd, 201, "{\"Id\":\"4f00\",\"Warnings\":null}");
    }
    json_decref(parsed);
}

static void remove_one(int fd, struct fake_container *c)
{
    if (fake->removal_in_progress) {
        fake->removal_in_progress = false;
        answer(fd, 409,
               "{\"message\":\"removal of container is already in progress\"}");
        return;
    }
    c->name[0] = '\0';
    follow_plugin(CALICO, "calico", plugin() != NULL); /* its processes are dead now */
    follow_plugin(CALICO_IPAM, "calico-ipam", plugin() != NULL && !fake->one_socket);
    answer(fd, 204, "");
}

static struct fake_container *named_or_of_id(const char *name)
{
    for (int i = 0; i < FAKE_CONTAINERS; i++)
        if (fake->containers[i].name[0] && strcmp(fake->containers[i].id, name) == 0)
            return &fake->containers[i];
    return fake_container(name);
}

static void on_container(int fd, const char *method, const char *rest, const char *body)
{
    char name[64];

    if (str_starts(rest, "create?name=")) {
        snprintf(name, sizeof name, "%s", rest + strlen("create?name="));
        create(fd, name, body);
        return;
    }
    size_t len = strcspn(rest, "/?");
    snprintf(name, sizeof name, "%.*s", (int)len, rest);
    struct fake_container *c = named_or_of_id(name);
    const char *verb = rest + len;
    if (!c)
        answer(fd, 404, "{\"message\":\"No such container\"}");
    else if (strcmp(method, "DELETE") == 0)
        remove_one(fd, c);
    else if (str_starts(verb, "/json"))
        answer_json(fd, 200, inspect(c));
    else if (str_starts(verb, "/logs"))
        answer_logs(fd);
    else if (str_starts(verb, "/start") && fake->start_fails)
        answer(fd, 500, "{\"message\":\"OCI runtime create failed\"}");
    else if (str_starts(verb, "/start") && c->running)
        answer(fd, 304, "");
    else if (str_starts(verb, "/start") || str_starts(verb, "/restart")) {
        start(c);
        answer(fd, 204, "");
    } else
        answer(fd, 400, "{\"message\":\"the fake does not know this\"}");
}

static void replace(struct fake_container *c)
{
    char name[sizeof c->name];

    snprintf(name, sizeof name, "%s", c->name);
    c->name[0] = '\0';
    fake_put(name, "{\"Image\":\"theirs\",\"Env\":[],\"HostConfig\":{}}");
}

static void pull(int fd)
{
    if (fake->replaced_by_pull)
        replace(fake_container("calico-node"));
    if (!fake->pulled_id[0]) {
        answer(fd, 404, "{\"message\":\"repository does not exist\"}");
        return;
    }
    snprintf(fake->image_id, sizeof fake->image_id, "%s", fake->pulled_id);
    answer(fd, 200,
           "{\"status\":\"Downloading\",\"id\":\"4c1d\",\"progressDetail\":{"
           "\"current\":1,\"total\":2}}\r\n{\"status\":\"Pull complete\"}\r\n");
}

static void on_image(int fd, const char *path)
{
    char wanted[256], by_id[256];

    snprintf(wanted, sizeof wanted, "/images/%s/json", fake->image);
    snprintf(by_id, sizeof by_id, "/images/%s/json", fake->image_id);
    if (fake->image_id[0] && (!strcmp(path, wanted) || !strcmp(path, by_id)))
        answer_json(fd, 200, json_pack("{s:s}", "Id", fake->image_id));
    else
        answer(fd, 404, "{\"message\":\"No such image\"}");
}

static void on_docker(int fd, const char *request)
{
    char method[16], path[256];
    const char *body = strstr(request, "\r\n\r\n") + 4;

    if (sscanf(request, "%15s %255s", method, path) != 2)
        return;
    if (fake->calls_count < FAKE_CALLS)
        snprintf(fake->calls[fake->calls_count], sizeof fake->calls[0], "%s %.140s",
                 method, path);
    fake->calls_count++;
    if (str_starts(path, "/containers/"))
        on_container(fd, method, path + strlen("/containers/"), body);
    else if (str_starts(path, "/images/create"))
        pull(fd);
    else if (str_starts(path, "/images/"))
        on_image(fd, path);
    else if (strcmp(path, "/version") == 0)
        answer(fd, 200, "{\"Version\":\"1.13.1\",\"ApiVersion\":\"1.26\"}");
    else
        answer(fd, 404, "{\"message\":\"page not found\"}");
}

/* ---- inside the containers ---- */

static const struct fake_container *plugin(void)
{
    struct fake_container *own = fake_container("calico-libnetwork");
    struct fake_container *node = fake_container("calico-node");

    if (own && own->running && !own->deaf)
        return own;
    if (node && node->running && !node->deaf &&
        env_value(node, "CALICO_LIBNETWORK_ENABLED=true"))
        return node;
    return NULL;
}

static void on_plugin(int fd, int which, const char *request)
{
    if (strstr(request, "POST /Plugin.Activate ") && which == CALICO &&
        fake->one_socket)
        answer(fd, 200, "{\"Implements\":[\"NetworkDriver\",\"IpamDriver\"]}");
    else if (strstr(request, "POST /Plugin.Activate "))
        answer(fd, 200,
               (which == CALICO) != fake->wrong_driver
                   ? "{\"Implements\":[\"NetworkDriver\"]}"
                   : "{\"Implements\":[\"IpamDriver\"]}");
    else if (strstr(request, "POST /NetworkDriver.GetCapabilities "))
        answer(fd, 200,
               fake->local_scope ? "{\"Scope\":\"local\"}" : "{\"Scope\":\"global\"}");
    else if (strstr(request, "POST /IpamDriver.GetCapabilities "))
        answer(fd, 200, "{\"RequiresMACAddress\":false}");
    else
        answer(fd, 405, "");
}

static void on_felix(int fd)
{
    const struct fake_container *node = fake_container("calico-node");

    if (node && node->running && fake->felix_status)
        answer(fd, fake->felix_status, fake->felix_status == 200 ? "" : "not ready");
}

static int listen_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(fd, 16) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void follow_plugin(int which, const char *name, bool wanted)
{
    char path[256];

    snprintf(path, sizeof path, "%s/run/docker/plugins/%s.sock", engine_root, name);
    if (wanted && engine_fds[which] < 0)
        engine_fds[which] = listen_unix(path); /* fails where a stale file stands */
    if (!wanted && engine_fds[which] >= 0) {
        close(engine_fds[which]);
        engine_fds[which] = -1;
    }
}

static void serve_one(int which)
{
    static char request[1 << 16];
    int fd = accept(engine_fds[which], NULL, NULL);

    if (fd < 0)
        return;
    if (read_request(fd, request, sizeof request)) {
        if (which == DOCKER)
            on_docker(fd, request);
        else if (which == FELIX)
            on_felix(fd);
        else
            on_plugin(fd, which, request);
    }
    close(fd);
}

static void engine(void)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        struct pollfd polled[LISTENERS];

        follow_plugin(CALICO, "calico", plugin() != NULL);
        follow_plugin(CALICO_IPAM, "calico-ipam",
                      plugin() != NULL && !fake->one_socket);
        for (int i = 0; i < LISTENERS; i++)
            polled[i] = (struct pollfd){.fd = engine_fds[i], .events = POLLIN};
        if (poll(polled, LISTENERS, 5) <= 0)
            continue;
        for (int i = 0; i < LISTENERS; i++)
            if (polled[i].revents & POLLIN)
                serve_one(i);
    }
}

void fake_settle(void)
{
    usleep(50000); /* ten turns of the engine */
}

void fake_engine_start(const char *root)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    char path[256];

    fake = mmap(NULL, sizeof *fake, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                -1, 0);
    assert_true(fake != MAP_FAILED);
    snprintf(engine_root, sizeof engine_root, "%s", root);
    snprintf(path, sizeof path, "%s/run/docker/plugins", root);
    assert_int_equal(fs_mkdirs(path, 0755, NULL), 0);
    listeners[FELIX] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listeners[FELIX], (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(listeners[FELIX], (struct sockaddr *)&address, &len),
                     0);
    assert_int_equal(listen(listeners[FELIX], 16), 0);
    fake->felix_port = ntohs(address.sin_port);
    fake->epoch_s = time(NULL) - 1800;
    fake->felix_status = 200;
    fake->started_line = true;
    snprintf(path, sizeof path, "%s/docker.sock", root);
    listeners[DOCKER] = listen_unix(path);
    assert_true(listeners[DOCKER] >= 0);
    engine_fds[DOCKER] = listeners[DOCKER];
    engine_fds[FELIX] = listeners[FELIX];
    engine_fds[CALICO] = engine_fds[CALICO_IPAM] = -1;
    engine_pid = fork();
    assert_true(engine_pid >= 0);
    if (engine_pid == 0)
        engine();
    close(listeners[DOCKER]);
    close(listeners[FELIX]);
}

void fake_engine_stop(void)
{
    if (engine_pid <= 0)
        return;
    kill(engine_pid, SIGKILL);
    waitpid(engine_pid, NULL, 0);
    munmap(fake, sizeof *fake);
    fake = NULL;
    engine_pid = 0;
}
