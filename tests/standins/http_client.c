/* http_client.c - see http_client.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int connect_url(const char *url)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    const struct timeval limit = {.tv_sec = 5};
    char host[64];
    unsigned port = 80;
    int fd;

    if (sscanf(url, "http://%63[^:/]:%u", host, &port) < 1)
        return -1;
    if (strcmp(host, "localhost") == 0)
        strcpy(host, "127.0.0.1");
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        return -1;
    address.sin_port = htons((uint16_t)port);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int http_call(const char *target, const char *method, const char *path,
              const char *body)
{
    char bytes[4096];
    int status = 0;
    int length = snprintf(bytes, sizeof bytes,
                          "%s %s HTTP/1.1\r\nHost: standin\r\nConnection: close\r\n"
                          "Content-Type: application/x-www-form-urlencoded\r\n"
                          "Content-Length: %zu\r\n\r\n%s",
                          method, path, body ? strlen(body) : 0, body ? body : "");
    int fd = strncmp(target, "unix:", 5) == 0 ? connect_socket(target + 5)
                                              : connect_url(target);

    if (fd < 0)
        return 0;
    if (length < (int)sizeof bytes &&
        send(fd, bytes, (size_t)length, MSG_NOSIGNAL) == length) {
        ssize_t got = read(fd, bytes, sizeof bytes - 1);

        bytes[got > 0 ? got : 0] = '\0';
        (void)sscanf(bytes, "HTTP/1.%*d %d", &status);
    }
    close(fd);
    return status;
}
