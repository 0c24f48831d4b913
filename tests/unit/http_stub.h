/* http_stub.h - a tiny HTTP server in a child process, with answers written by the
 * test.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One connection at a time: the request is read (head and Content-Length body), the
 * handler writes the raw answer, the connection is closed. What the handlers record
 * goes to `stub_seen`, which is shared memory.
 */
#ifndef CLOWDER_TESTS_UNIT_HTTP_STUB_H
#define CLOWDER_TESTS_UNIT_HTTP_STUB_H

#include "tests/unit/cmocka_all.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

typedef void (*stub_handler_f)(int fd, const char *request);

struct stub_seen {
    int count;              /* requests so far, this one included */
    char requests[8][4096]; /* the first eight, head and body */
};

static struct stub_seen *stub_seen;
static pid_t stub_pid;
static int stub_port;

static inline void stub_send(int fd, const char *text)
{
    ssize_t ignored = send(fd, text, strlen(text), MSG_NOSIGNAL);
    (void)ignored; /* the client may have gone */
}

static inline void stub_answer(int fd, int status, const char *headers,
                               const char *body)
{
    char head[512];

    snprintf(head, sizeof(head), "HTTP/1.1 %d Said\r\nContent-Length: %zu\r\n%s\r\n",
             status, strlen(body), headers);
    stub_send(fd, head);
    stub_send(fd, body);
}

/* Holds the connection until the client leaves. */
static inline void stub_hang(int fd)
{
    char byte;

    while (recv(fd, &byte, 1, 0) > 0)
        ;
}

static inline bool stub_read(int fd, char *text, size_t size)
{
    size_t len = 0, want = 0;

    for (;;) {
        ssize_t got = recv(fd, text + len, size - len - 1, 0);

        if (got <= 0)
            return false;
        len += (size_t)got;
        text[len] = '\0';
        const char *end = strstr(text, "\r\n\r\n"),
                   *length = strcasestr(text, "content-length:");
        if (!end)
            continue;
        want = (size_t)(end + 4 - text);
        if (length && length < end)
            want += strtoul(length + 15, NULL, 10);
        if (len >= want)
            return true;
    }
}

static inline void stub_serve(int listener, stub_handler_f handler)
{
    static char request[1 << 16];

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        int fd = accept(listener, NULL, NULL);

        if (fd < 0)
            _exit(1);
        if (stub_read(fd, request, sizeof(request))) {
            int i = stub_seen->count++;

            if (i < 8)
                snprintf(stub_seen->requests[i], sizeof(stub_seen->requests[i]), "%s",
                         request);
            handler(fd, request);
        }
        close(fd);
    }
}

static inline void stub_fork(int listener, stub_handler_f handler)
{
    stub_seen = mmap(NULL, sizeof(*stub_seen), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(stub_seen != MAP_FAILED);
    assert_int_equal(listen(listener, 16), 0);
    stub_pid = fork();
    assert_true(stub_pid >= 0);
    if (stub_pid == 0)
        stub_serve(listener, handler);
    close(listener);
}

static inline void stub_start(stub_handler_f handler)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    stub_port = ntohs(address.sin_port);
    stub_fork(listener, handler);
}

static inline void stub_start_unix(const char *path, stub_handler_f handler)
{
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    stub_fork(listener, handler);
}

static inline void stub_stop(void)
{
    if (stub_pid <= 0)
        return;
    kill(stub_pid, SIGKILL);
    waitpid(stub_pid, NULL, 0);
    munmap(stub_seen, sizeof(*stub_seen));
    stub_pid = 0;
}

static inline const char *stub_url(const char *path)
{
    static char urls[4][256];
    static int next;
    char *url = urls[next++ % 4];

    snprintf(url, sizeof(urls[0]), "http://127.0.0.1:%d%s", stub_port, path);
    return url;
}

#endif
