/* http_client.h - one blocking HTTP request, without a resolver (static programs).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CLOWDER_STANDINS_HTTP_CLIENT_H
#define CLOWDER_STANDINS_HTTP_CLIENT_H

/* target: "http://127.0.0.1:2379", "http://localhost:2379" or "unix:/path". body NULL
 * sends none, else a form. Returns the HTTP status, or 0 when nothing answered within
 * 5 s. */
int http_call(const char *target, const char *method, const char *path,
              const char *body);

#endif
