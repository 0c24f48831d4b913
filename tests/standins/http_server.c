/* http_server.c - see http_server.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct listener {
    int fd;
    http_handler_f *handler;
    void *ctx;
};

struct connection {
    const struct listener *listener;
    int fd;
};

static void give_up(const char *what, const char *which)
{
    fprintf(stderr, "standin: %s %s: %s\n", what, which, strerror(errno));
    exit(1);
}

static void *must_alloc(size_t size)
{
    void *memory = calloc(1, size);

    if (!memory)
        abort();
    return memory;
}

/* Reads until the head and Content-Length bytes are there; 0 when they are. */
static int request_read(int fd, char *bytes, size_t size, char **ret_body)
{
    size_t have = 0;

    while (have + 1 < size) {
        ssize_t got = read(fd, bytes + have, size - 1 - have);
        char *end, *length;

        if (got <= 0)
            return -1;
        have += (size_t)got;
        bytes[have] = '\0';
        end = strstr(bytes, "\r\n\r\n");
        if (!end)
            continue;
        length = strcasestr(bytes, "\r\nContent-Length:");
        if (!length || length > end)
            length = NULL;
        if (have >=
            (size_t)(end + 4 - bytes) + (length ? strtoul(length + 17, NULL, 10) : 0)) {
            *ret_body = end + 4;
            return 0;
        }
    }
    return -1;
}

static const char *status_text(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 503:
        return "Service Unavailable";
    }
    return "Status";
}

static void reply_write(int fd, const struct http_reply *reply)
{
    int status = reply->status ? reply->status : 200;
    char head[256];
    int length =
        snprintf(head, sizeof head,
                 "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n"
                 "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                 status, status_text(status),
                 reply->type ? reply->type : "application/json", strlen(reply->body));

    if (send(fd, head, (size_t)length, MSG_NOSIGNAL | MSG_MORE) == length)
        (void)send(fd, reply->body, strlen(reply->body), MSG_NOSIGNAL);
}

static void *connection_run(void *ctx)
{
    struct connection *connection = ctx;
    const struct listener *listener = connection->listener;
    struct http_request *request = must_alloc(sizeof *request);
    struct http_reply *reply = must_alloc(sizeof *reply);
    char *bytes = must_alloc(16384);
    char *body;

    if (request_read(connection->fd, bytes, 16384, &body) == 0 &&
        sscanf(bytes, "%7s %255s", request->method, request->path) == 2) {
        request->path[strcspn(request->path, "?")] = '\0';
        snprintf(request->body, sizeof request->body, "%s", body);
        listener->handler(request, reply, listener->ctx);
        reply_write(connection->fd, reply);
    }
    close(connection->fd);
    free(bytes);
    free(reply);
    free(request);
    free(connection);
    return NULL;
}

static void *listener_run(void *ctx)
{
    struct listener *listener = ctx;

    for (;;) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
        struct connection *connection;
        pthread_t thread;

        if (fd < 0)
            continue;
        connection = must_alloc(sizeof *connection);
        connection->listener = listener;
        connection->fd = fd;
        if (pthread_create(&thread, NULL, connection_run, connection) != 0)
            abort();
        pthread_detach(thread);
    }
    return NULL;
}

static void listener_start(int fd, http_handler_f *handler, void *ctx)
{
    struct listener *listener = must_alloc(sizeof *listener);
    pthread_t thread;

    *listener = (struct listener){.fd = fd, .handler = handler, .ctx = ctx};
    if (pthread_create(&thread, NULL, listener_run, listener) != 0)
        abort();
    pthread_detach(thread);
}

void http_serve_port(int port, http_handler_f *handler, void *ctx)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    char text[16];

    snprintf(text, sizeof text, "%d", port);
    if (fd < 0)
        give_up("socket for port", text);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, 64) != 0)
        give_up("cannot listen on port", text);
    listener_start(fd, handler, ctx);
}

void http_serve_socket(const char *path, http_handler_f *handler, void *ctx)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        give_up("socket for", path);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    /* One left by a killed predecessor: a file that refuses connections. */
    unlink(path);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, 64) != 0)
        give_up("cannot listen on", path);
    listener_start(fd, handler, ctx);
}
