/* zk_server.c - real ZooKeeper servers for tests: standalone or an ensemble, on
 * loopback.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/zk_server.h"

#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char jar[] = "/usr/share/java/zookeeper.jar";
static const char java[] = "/usr/bin/java";

enum { SERVING_TIMEOUT_MS = 60000, ASK_EVERY_MS = 50 };

const char *zk_server_missing(void)
{
    if (access(java, X_OK) < 0)
        return "needs java (Debian: default-jre-headless)";
    if (access(jar, R_OK) < 0)
        return "needs ZooKeeper's server (Debian: zookeeper)";
    return NULL;
}

void zk_server_require(void)
{
    const char *missing = zk_server_missing();
    if (missing == NULL)
        return;
    (void)printf("SKIPPED: %s\n", missing);
    exit(77);
}

static int64_t now_ms(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Held open until all are known, so that no two are the same. */
static int free_ports(int *ports, int count)
{
    int fds[3 * ZK_SERVERS_MAX];
    int opened = 0, r = 0;
    for (; opened < count && r == 0; opened++) {
        struct sockaddr_in at = {.sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof(at);
        fds[opened] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (bind(fds[opened], (struct sockaddr *)&at, sizeof(at)) < 0 ||
            getsockname(fds[opened], (struct sockaddr *)&at, &len) < 0)
            r = -errno;
        ports[opened] = ntohs(at.sin_port);
    }
    while (opened > 0)
        (void)close(fds[--opened]);
    return r;
}

static char *config_text(const struct zk_ensemble *e, const struct zk_server *server)
{
    struct strbuf text = {0};
    strbuf_addf(&text,
                "tickTime=%d\ninitLimit=20\nsyncLimit=10\nmaxClientCnxns=0\n"
                "dataDir=%s/%d\nclientPort=%d\nclientPortAddress=127.0.0.1\n"
                "admin.enableServer=false\n4lw.commands.whitelist=*\n"
                "forceSync=no\nsnapshot.trust.empty=true\n",
                e->tick_ms, e->dir, server->number, server->port);
    for (int i = 0; e->count > 1 && i < e->count; i++)
        strbuf_addf(&text, "server.%d=127.0.0.1:%d:%d\n", e->server[i].number,
                    e->server[i].quorum_port, e->server[i].election_port);
    return strbuf_take(&text);
}

static int write_file(const char *path, char *text, struct error *err)
{
    int r = fs_write_atomic(path, text, strlen(text), NULL, NULL, err);
    free(text);
    return r;
}

static int configure(struct zk_ensemble *e, const struct zk_server *server,
                     struct error *err)
{
    char path[192];
    (void)snprintf(path, sizeof(path), "%s/%d", e->dir, server->number);
    int r = fs_mkdirs(path, 0700, err);
    if (r < 0)
        return r;
    (void)snprintf(path, sizeof(path), "%s/%d/myid", e->dir, server->number);
    r = write_file(path, mem_printf("%d\n", server->number), err);
    if (r < 0)
        return r;
    (void)snprintf(path, sizeof(path), "%s/%d/zoo.cfg", e->dir, server->number);
    return write_file(path, config_text(e, server), err);
}

static void become_java(const char *out, const char *config, const char *option)
{
    int fd = open(out, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || null < 0 || dup2(null, 0) < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0 ||
        prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        _exit(127);
    (void)setpgid(0, 0);
    (void)execl(java, java, "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                option, "-cp", jar, "org.apache.zookeeper.server.quorum.QuorumPeerMain",
                config, (char *)NULL);
    _exit(127);
}

int zk_server_launch(struct zk_ensemble *e, int i, struct error *err)
{
    struct zk_server *server = &e->server[i];
    char out[192], config[192];
    (void)snprintf(out, sizeof(out), "%s/%d/out", e->dir, server->number);
    (void)snprintf(config, sizeof(config), "%s/%d/zoo.cfg", e->dir, server->number);
    pid_t pid = fork();
    if (pid < 0)
        return error_set(err, -errno, "zookeeper server: cannot fork: %s",
                         strerror(errno));
    if (pid == 0)
        become_java(out, config,
                    e->java_option ? e->java_option : "-Djava.awt.headless=true");
    server->pid = pid;
    return 0;
}

int zk_server_wipe(struct zk_ensemble *e, int i, struct error *err)
{
    char path[192];
    (void)snprintf(path, sizeof(path), "%s/%d/version-2", e->dir, e->server[i].number);
    return fs_remove_tree(path, err);
}

int zk_server_ask(const struct zk_server *server, const char *word, char *text,
                  size_t size)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)server->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 1};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t len = 0;
    ssize_t n = -1;
    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
        send(fd, word, strlen(word), MSG_NOSIGNAL) > 0) {
        while (len + 1 < size && (n = recv(fd, text + len, size - 1 - len, 0)) > 0)
            len += (size_t)n;
    }
    int r = n < 0 && len == 0 ? -errno : 0;
    text[len] = '\0';
    (void)close(fd);
    return r;
}

int zk_server_wait(struct zk_ensemble *e, int i, struct error *err)
{
    struct zk_server *server = &e->server[i];
    int64_t until_ms = now_ms() + SERVING_TIMEOUT_MS;
    char text[4096] = "";
    while (now_ms() < until_ms) {
        int status;
        if (waitpid(server->pid, &status, WNOHANG) == server->pid) {
            server->pid = 0;
            return error_set(err, -ECHILD, "zookeeper server %d ended: see '%s/%d/out'",
                             server->number, e->dir, server->number);
        }
        if (zk_server_ask(server, "srvr", text, sizeof(text)) == 0 &&
            strstr(text, "Mode: "))
            return 0;
        struct timespec pause = {.tv_nsec = ASK_EVERY_MS * 1000000L};
        (void)nanosleep(&pause, NULL);
    }
    return error_set(err, -ETIMEDOUT, "zookeeper server %d does not serve: '%s'",
                     server->number, text);
}

int zk_server_start(struct zk_ensemble *e, int i, struct error *err)
{
    int r = zk_server_launch(e, i, err);
    return r < 0 ? r : zk_server_wait(e, i, err);
}

static void end(struct zk_ensemble *e, int i, int signal_number)
{
    struct zk_server *server = &e->server[i];
    if (server->pid <= 0)
        return;
    (void)kill(server->pid, signal_number);
    (void)kill(server->pid, SIGCONT);
    while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    server->pid = 0;
}

void zk_server_kill(struct zk_ensemble *e, int i)
{
    end(e, i, SIGKILL);
}

void zk_server_stop(struct zk_ensemble *e, int i)
{
    end(e, i, SIGTERM);
}

void zk_server_freeze(struct zk_ensemble *e, int i)
{
    pid_t pid = e->server[i].pid;
    if (pid <= 0 || kill(pid, SIGSTOP) < 0)
        return;
    while (waitpid(pid, NULL, WUNTRACED) < 0 && errno == EINTR)
        ; /* its threads may still run for a moment after kill() has returned */
}

void zk_server_thaw(struct zk_ensemble *e, int i)
{
    if (e->server[i].pid > 0)
        (void)kill(e->server[i].pid, SIGCONT);
}

int zk_ensemble_leader(struct zk_ensemble *e)
{
    for (int i = 0; i < e->count; i++) {
        char text[4096];
        if (e->server[i].pid > 0 &&
            zk_server_ask(&e->server[i], "srvr", text, sizeof(text)) == 0 &&
            (strstr(text, "Mode: leader") || strstr(text, "Mode: standalone")))
            return i;
    }
    return -1;
}

static int launch_all(struct zk_ensemble *e, struct error *err)
{
    int r = 0;
    for (int i = 0; i < e->count && r == 0; i++) {
        r = configure(e, &e->server[i], err);
        if (r == 0)
            r = zk_server_launch(e, i, err);
    }
    for (int i = 0; i < e->count && r == 0; i++)
        r = zk_server_wait(e, i, err);
    return r;
}

int zk_ensemble_start(int count, int tick_ms, struct zk_ensemble **ret,
                      struct error *err)
{
    return zk_ensemble_start_with(count, tick_ms, NULL, ret, err);
}

int zk_ensemble_start_with(int count, int tick_ms, const char *java_option,
                           struct zk_ensemble **ret, struct error *err)
{
    struct zk_ensemble *e = NEW(struct zk_ensemble);
    int ports[3 * ZK_SERVERS_MAX];
    (void)STR_COPY(e->dir, "/tmp/clowder-zk-XXXXXX");
    if (mkdtemp(e->dir) == NULL || free_ports(ports, 3 * count) < 0) {
        int r = error_set(err, -errno, "zookeeper server: no directory or no port: %s",
                          strerror(errno));
        free(e);
        return r;
    }
    e->tick_ms = tick_ms ? tick_ms : 500;
    e->count = count;
    e->java_option = java_option;
    for (int i = 0; i < count; i++) {
        const int *own = &ports[3 * i];
        e->server[i] = (struct zk_server){.number = i + 1,
                                          .port = own[0],
                                          .quorum_port = own[1],
                                          .election_port = own[2]};
        size_t len = strlen(e->servers);
        (void)snprintf(e->servers + len, sizeof(e->servers) - len, "%s127.0.0.1:%d",
                       i ? "," : "", own[0]);
    }
    int r = launch_all(e, err);
    if (r < 0) {
        zk_ensemble_free(e);
        return r;
    }
    *ret = e;
    return 0;
}

void zk_ensemble_free(struct zk_ensemble *e)
{
    if (e == NULL)
        return;
    for (int i = 0; i < e->count; i++)
        zk_server_kill(e, i);
    struct error err;
    if (fs_remove_tree(e->dir, &err) < 0)
        (void)fprintf(stderr, "ignoring: %s\n", err.text);
    free(e);
}
