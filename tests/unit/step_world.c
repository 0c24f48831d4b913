/* step_world.c - a small fake host around one step.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/unit/step_world.h"

#include "shared/base/cleanup.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct world world;
static char root[64], *old_path;
static struct step *step;
static struct flow flow;
static struct timer watchdog, answer_timer;
static struct flow *asking;

/* ---- files ---- */

const char *world_path(const char *name)
{
    static char paths[8][512];
    static int next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof(paths[0]), "%s/%s", root, name);
    return path;
}

void world_write(const char *name, mode_t mode, const char *text)
{
    const struct fs_attributes attributes = {mode, geteuid(), getegid()};
    _cleanup_(freep) char *path = mem_strdup(world_path(name));
    _cleanup_(freep) char *dir = mem_strndup(path, (size_t)(strrchr(path, '/') - path));

    assert_int_equal(fs_mkdirs(dir, 0755, NULL), 0);
    assert_int_equal(fs_write_atomic(path, text, strlen(text), &attributes, NULL, NULL),
                     0);
}

void world_assert_file(const char *name, const char *text, mode_t mode)
{
    _cleanup_(freep) char *bytes = NULL;
    struct error err = {0};
    struct stat st;

    if (fs_read(world_path(name), 1 << 20, &bytes, NULL, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(bytes, text);
    assert_int_equal(stat(world_path(name), &st), 0);
    assert_int_equal(st.st_mode & 07777, mode);
}

static char *expanded(const char *text)
{
    struct strbuf out = {0};

    for (const char *c = text; *c; c++) {
        if (str_starts(c, "{P}"))
            strbuf_addf(&out, "%d", world.port);
        else if (str_starts(c, "{W}"))
            strbuf_add(&out, root);
        else {
            strbuf_add_bytes(&out, *c == '\'' ? "\"" : c, 1);
            continue;
        }
        c += 2;
    }
    return strbuf_take(&out);
}

void world_spec(enum step_id id, const char *text)
{
    _cleanup_(freep) char *json = expanded(text);
    struct strbuf errors = {0};
    struct error err = {0};
    struct spec *next = NULL;

    if (spec_parse(json, strlen(json), &next, &errors, &err) < 0)
        fail_msg("%s: %s", err.text, errors.text);
    strbuf_done(&errors);
    spec_free(world.spec);
    world.spec = next;
    world.env.spec = next;
    world.id = id;
}

/* ---- the HTTP server ---- */

static void serve_one(int listener, const char *name)
{
    char request[8192], path[256], file[512], *bytes = NULL;
    int fd = accept(listener, NULL, NULL);
    ssize_t got = fd < 0 ? -1 : recv(fd, request, sizeof(request) - 1, 0);
    size_t len = 0;

    if (got <= 0 ||
        (request[got] = '\0', sscanf(request, "%*s %255[^ ?]", path)) != 1) {
        close(fd);
        return;
    }
    for (char *c = path; *c; c++)
        *c = *c == '/' ? '_' : *c;
    snprintf(file, sizeof(file), "%s/http/%s/DOWN", root, name);
    if (!fs_exists(file)) {
        char head[128];
        const char *body = "{}";
        int status = 404;

        snprintf(file, sizeof(file), "%s/http/%s/%s", root, name, path);
        if (fs_read(file, 1 << 20, &bytes, &len, NULL) == 0) {
            status = atoi(bytes);
            body = bytes + 4;
        }
        snprintf(head, sizeof(head),
                 "HTTP/1.1 %d Said\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                 status, strlen(body));
        (void)!send(fd, head, strlen(head), MSG_NOSIGNAL);
        (void)!send(fd, body, strlen(body), MSG_NOSIGNAL);
        (void)shutdown(fd, SHUT_WR);
        while (recv(fd, request, sizeof(request), 0) > 0)
            ;
    }
    free(bytes);
    close(fd);
}

static int listen_tcp(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fd, 16) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int free_port(void)
{
    int fd = listen_tcp(0);
    struct sockaddr_in address;
    socklen_t len = sizeof(address);

    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void serve(int docker)
{
    char up[128], is_up[128];
    int tcp = -1;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    snprintf(up, sizeof(up), "%s/up", root);
    snprintf(is_up, sizeof(is_up), "%s/is-up", root);
    for (;;) {
        struct pollfd fds[2] = {{.fd = docker, .events = POLLIN}};

        if (fs_exists(up) && tcp < 0) {
            tcp = listen_tcp(world.port);
            close(open(is_up, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        } else if (!fs_exists(up) && tcp >= 0) {
            close(tcp);
            tcp = -1;
            unlink(is_up);
        }
        fds[1] = (struct pollfd){.fd = tcp, .events = POLLIN};
        if (poll(fds, 2, 10) <= 0)
            continue;
        if (fds[0].revents)
            serve_one(docker, "docker");
        if (tcp >= 0 && fds[1].revents)
            serve_one(tcp, "tcp");
    }
}

static void start_server(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int docker = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/docker.sock", root);
    assert_int_equal(bind(docker, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(docker, 16), 0);
    world.port = free_port();
    world.server = fork();
    assert_true(world.server >= 0);
    if (world.server == 0)
        serve(docker);
    close(docker);
}

void world_up(void)
{
    world_write("up", 0644, "");
    for (int i = 0; i < 500 && !fs_exists(world_path("is-up")); i++)
        usleep(10000);
    assert_true(fs_exists(world_path("is-up")));
}

/* ---- systemctl ---- */

static const char systemctl[] =
    "#!/bin/sh\n"
    "W=%s\n"
    "verb=$1; for unit in \"$@\"; do :; done\n"
    "f=$W/units/$unit\n"
    "active=inactive sub=dead pid=0 enter=0 enabled= serial=0 load=not-found\n"
    "[ -f $f ] && { load=loaded; . $f; }\n"
    "put() {\n"
    "  printf "
    "'active=%%s\\nsub=%%s\\npid=%%s\\nenter=%%s\\nenabled=%%s\\nserial=%%s\\n' "
    "$active $sub $pid $enter \"$enabled\" $serial > $f.new && mv $f.new $f\n"
    "}\n"
    "begin() {\n"
    "  [ -f $W/fail/$unit ] && { active=failed sub=failed pid=0; put; "
    "echo 'Job failed' >&2; exit 1; }\n"
    "  serial=$((serial + 1)) pid=$((812 + serial)) enter=$((enter + 1000))\n"
    "  [ -f $W/pids/$unit ] && pid=$(cat $W/pids/$unit)\n"
    "  active=active sub=running; put\n"
    "  if [ -f $W/hooks/$unit ]; then . $W/hooks/$unit; fi\n"
    "}\n"
    "echo \"$@\" >> $W/acts\n"
    "case $verb in\n"
    "show) printf 'LoadState=%%s\\nActiveState=%%s\\nSubState=%%s\\nMainPID=%%s\\n"
    "ActiveEnterTimestampMonotonic=%%s\\nUnitFileState=%%s\\n' "
    "$load $active $sub $pid $enter \"$enabled\" ;;\n"
    "cat) cat $W/cat/$unit 2>/dev/null || exit 1 ;;\n"
    "restart) begin ;;\n"
    "start) [ $active = active ] || begin ;;\n"
    "stop) active=inactive sub=dead pid=0; put; rm -f $W/up\n"
    "  while [ -f $W/is-up ]; do sleep 0.02; done ;;\n"
    "enable) enabled=enabled; put ;;\n"
    "disable) enabled=disabled; put ;;\n"
    "kill) . $W/hooks/$unit.hup ;;\n"
    "daemon-reload) for u in $W/units/clowder-*; do\n"
    "  [ -f $W/root/etc/systemd/system/${u##*/} ] || rm -f $u; done ;;\n"
    "reset-failed) [ -f $f ] || exit 1 ;;\n"
    "is-system-running) echo degraded; exit 1 ;;\n"
    "*) exit 1 ;;\n"
    "esac\n"
    "exit 0\n";

void world_unit(const char *unit, const char *active)
{
    char name[128], text[256];

    snprintf(name, sizeof(name), "units/%s", unit);
    snprintf(text, sizeof(text),
             "active=%s\nsub=running\npid=%d\nenter=1000\nenabled=enabled\nserial=0\n",
             active, str_equal(active, "active") ? 812 : 0);
    world_write(name, 0644, text);
}

int world_restarts(const char *unit)
{
    _cleanup_(freep) char *bytes = NULL;
    char name[128];

    snprintf(name, sizeof(name), "units/%s", unit);
    if (fs_read(world_path(name), 4096, &bytes, NULL, NULL) < 0)
        return 0;
    const char *serial = strstr(bytes, "serial=");
    return serial ? atoi(serial + 7) : -1;
}

bool world_did(const char *act)
{
    _cleanup_(freep) char *bytes = NULL;
    _cleanup_(freep) char *line = mem_printf("%s\n", act);

    return fs_read(world_path("acts"), 1 << 20, &bytes, NULL, NULL) == 0 &&
           strstr(bytes, line);
}

/* ---- what a visit is for a step ---- */

static void on_answer(void *ctx)
{
    struct error err = {0};
    struct flow *of = asking;

    asking = NULL;
    if (world.answer == 0) {
        flow_next(of);
        return;
    }
    (void)error_set(&err, world.answer, "refused");
    flow_fail(of, &err);
}

static void env_ask(void *ctx, struct step *of, struct flow *asked)
{
    world.asks++;
    if (world.when_asked)
        world.when_asked();
    world.restarts_when_asked =
        world.asked_unit ? world_restarts(world.asked_unit) : -1;
    asking = asked;
    timer_start(&answer_timer, event_loop_port(world.el), 0, on_answer, NULL);
}

static void env_ask_cancel(void *ctx, struct step *of)
{
    timer_stop(&answer_timer);
    asking = NULL;
}

static void journal(struct step *of)
{
    json_decref(world.journal);
    world.journal = json_deep_copy(of->memo);
}

static int env_save(void *ctx, struct step *of, struct error *err)
{
    world.saves++;
    if (world.crash != CRASH_NEVER && world.saves == world.crash_at) {
        if (world.crash == CRASH_AFTER_SAVE)
            journal(of);
        return error_set(err, -EIO, "crashed");
    }
    journal(of);
    return 0;
}

static void env_says(void *ctx, struct step *of, const char *text)
{
    STR_COPY(world.says, text);
}

static void on_watchdog(void *ctx)
{
    fail_msg("step \"%s\" did not end within 30 s", flow_step_name(&flow));
}

static void on_done(void *ctx, int result, const struct error *err)
{
    if (result < 0)
        error_copy(&world.err, err);
    event_loop_stop(world.el, result);
}

enum { CANCELLED = -9999 };

static void on_step(void *ctx, const char *name, int result, int64_t took_ms)
{
    if (world.cancel_at && ++world.steps == world.cancel_at)
        event_loop_stop(world.el, CANCELLED); /* the next step has begun by then */
}

static int run_phase(const struct flow_step *steps, flow_observer_f observer)
{
    timer_start(&watchdog, event_loop_port(world.el), 30000, on_watchdog, NULL);
    flow_observe(&flow, observer, NULL);
    flow_start(&flow, event_loop_port(world.el), steps, step, on_done, NULL);
    int code = event_loop_run(world.el);
    timer_stop(&watchdog);
    flow_cancel(&flow);
    return code;
}

static void new_step(void)
{
    step_free(step);
    step = step_new(world.id, &world.env, world.journal);
    world.err = (struct error){0};
    world.says[0] = '\0';
}

static int observe(void)
{
    int r = run_phase(step->type->observe, NULL);

    if (r < 0)
        return r;
    judge(world.id, world.spec, &world.facts, step->seen, &step->judgement);
    world.judgement = step->judgement;
    _cleanup_(freep) char *seen = json_dumps(step->seen, JSON_COMPACT);
    assert_true(strlen(seen) < 2048); /* it goes into the inventory */
    return 0;
}

int world_observe(void)
{
    new_step();
    return observe();
}

int world_visit(void)
{
    int r = world_observe();

    if (r < 0)
        return r;
    switch (world.judgement.finding) {
    case FINDING_UNKNOWN:
    case FINDING_FOREIGN:
        return -EEXIST;
    case FINDING_ABSENT:
    case FINDING_STALE:
        r = run_phase(step->type->apply, on_step);
        if (r < 0)
            return r;
        break;
    case FINDING_RIGHT:
        break;
    }
    return run_phase(step->type->prove, NULL);
}

int world_revert(void)
{
    new_step();
    return run_phase(step->type->revert, on_step);
}

void world_forget(void)
{
    json_decref(world.journal);
    world.journal = NULL;
    world.saves = world.asks = world.steps = 0;
    world.crash = CRASH_NEVER;
    world.cancel_at = 0;
}

int world_begin(void **state)
{
    char path[4096], text[sizeof(systemctl) + 64];

    world = (struct world){0};
    strcpy(root, "/tmp/clowder-test-XXXXXX");
    assert_non_null(mkdtemp(root));
    start_server();
    snprintf(text, sizeof(text), systemctl, root);
    world_write("bin/systemctl", 0755, text);
    world_write("units/.keep", 0644, "");
    old_path = strdup(getenv("PATH"));
    snprintf(path, sizeof(path), "%s/bin:%s", root, old_path);
    setenv("PATH", path, 1);
    facts_init(&world.facts);
    world.facts.role = ROLE_SLAVE;
    STR_COPY(world.facts.host, "h1");
    STR_COPY(world.facts.address, "127.0.0.1");
    watchdog = answer_timer = (struct timer){0};
    flow = (struct flow){0};
    assert_int_equal(event_loop_new(&world.el, NULL), 0);
    world.env = (struct step_env){
        .el = world.el,
        .loop = event_loop_port(world.el),
        .facts = &world.facts,
        .state_dir = strdup(world_path("state")),
        .cache_dir = strdup(world_path("cache")),
        .docker_socket = strdup(world_path("docker.sock")),
        .root = strdup(world_path("root")),
        .ask = env_ask,
        .ask_cancel = env_ask_cancel,
        .save = env_save,
        .says = env_says,
    };
    world_write("root/etc/systemd/system/.keep", 0644, "");
    return 0;
}

int world_end(void **state)
{
    step_free(step);
    step = NULL;
    event_loop_free(world.el);
    (void)kill(world.server, SIGKILL);
    (void)waitpid(world.server, NULL, 0);
    free((char *)(uintptr_t)world.env.state_dir);
    free((char *)(uintptr_t)world.env.cache_dir);
    free((char *)(uintptr_t)world.env.docker_socket);
    free((char *)(uintptr_t)world.env.root);
    spec_free(world.spec);
    facts_done(&world.facts);
    json_decref(world.journal);
    setenv("PATH", old_path, 1);
    free(old_path);
    return fs_remove_tree(root, NULL);
}
