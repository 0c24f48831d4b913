/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/file_server.h"

#include "shared/base/mem.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BACKLOG = 4096, REQUEST_MAX = 8192, STACK_BYTES = 65536 };

static struct file_server_counts *counts; /* of the serving process */
static char *content;
static size_t content_len;
static int held_ms;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void opened(void)
{
    int open = atomic_fetch_add(&counts->open, 1) + 1;
    int most = atomic_load(&counts->open_max);
    counts->connections++;
    while (open > most && !atomic_compare_exchange_weak(&counts->open_max, &most, open))
        ;
}

static bool send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        counts->bytes += n;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static bool read_request(int fd)
{
    char request[REQUEST_MAX + 1];
    size_t len = 0;
    while (len < REQUEST_MAX) {
        ssize_t n = recv(fd, request + len, REQUEST_MAX - len, 0);
        if (n <= 0)
            return false;
        len += (size_t)n;
        request[len] = '\0';
        if (strstr(request, "\r\n\r\n"))
            return true;
    }
    return false;
}

static void answer(int fd)
{
    char head[160];
    struct timespec hold = {.tv_sec = held_ms / 1000,
                            .tv_nsec = held_ms % 1000 * 1000000};
    size_t half = content_len / 2;
    int len = snprintf(head, sizeof(head),
                       "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n"
                       "Connection: close\r\n\r\n",
                       content_len);
    if (!send_all(fd, head, (size_t)len) || !send_all(fd, content, half))
        return;
    (void)nanosleep(&hold, NULL);
    if (send_all(fd, content + half, content_len - half))
        counts->answers++;
}

static void *serve_one(void *ctx)
{
    int fd = (int)(intptr_t)ctx;
    char byte;
    if (read_request(fd))
        answer(fd);
    (void)shutdown(fd, SHUT_WR);
    while (recv(fd, &byte, 1, 0) > 0) /* until the other end has closed, too */
        ;
    counts->open--;
    (void)close(fd);
    return NULL;
}

static void serve(int listener)
{
    pthread_attr_t attr;
    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    for (;;) {
        pthread_t thread;
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        opened();
        if (pthread_create(&thread, &attr, serve_one, (void *)(intptr_t)fd) != 0)
            die("file server: no thread");
    }
}

static void make_content(size_t bytes)
{
    content = mem_array(bytes, 1);
    content_len = bytes;
    for (size_t i = 0; i < bytes; i++)
        content[i] = (char)(i * 7919 >> 3);
}

void file_server_start(struct file_server *server, size_t bytes, int hold_ms)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(in);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&in, sizeof(in)) < 0 ||
        listen(listener, BACKLOG) < 0 ||
        getsockname(listener, (struct sockaddr *)&in, &len) < 0)
        die("file server: listen");
    counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (counts == MAP_FAILED)
        die("file server: mmap");
    make_content(bytes);
    held_ms = hold_ms;
    *server = (struct file_server){.counts = counts};
    (void)snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%d/file",
                   ntohs(in.sin_port));
    digest_bytes(content, content_len, server->sha256);
    server->pid = fork();
    if (server->pid < 0)
        die("file server: fork");
    if (server->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(listener);
    }
    (void)close(listener);
    free(content);
}

void file_server_stop(struct file_server *server)
{
    (void)kill(server->pid, SIGKILL);
    (void)waitpid(server->pid, NULL, 0);
    (void)munmap(server->counts, sizeof(*server->counts));
}
