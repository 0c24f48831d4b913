/* http_server.h - as much of an HTTP server as a stand-in needs.
 *
 * SPDX-License-Identifier: Apache-2.0
 * One thread accepts, one thread per connection answers one request and closes, so
 * that a handler may sleep or hang without holding up the others.
 */
#ifndef CLOWDER_STANDINS_HTTP_SERVER_H
#define CLOWDER_STANDINS_HTTP_SERVER_H

struct http_request {
    char method[8];
    char path[256]; /* without the query */
    char body[8192];
};

struct http_reply {   /* zeroed before the handler runs */
    int status;       /* 0 means 200 */
    const char *type; /* NULL means application/json */
    char body[16384];
};

typedef void http_handler_f(const struct http_request *request,
                            struct http_reply *reply, void *ctx);

/* Both return when they listen; what cannot be had is said on stderr and exits with 1.
 * ctx lives as long as the process. */
void http_serve_port(int port, http_handler_f *handler, void *ctx);
void http_serve_socket(const char *path, http_handler_f *handler, void *ctx);

#endif
