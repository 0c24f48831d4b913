/* docker.h - the Docker Engine API over its unix socket.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: io, on http.h. Unversioned paths, which every engine from 1.10 answers
 * (DOMAIN.md A.0). Shapes: DOMAIN.md E.
 */
#ifndef CLOWDER_IO_DOCKER_H
#define CLOWDER_IO_DOCKER_H

#include "shared/base/error.h"
#include "shared/io/event_loop.h"

#include <jansson.h>

struct docker_call;
/* status is the HTTP status (0 = no answer); body the parsed JSON or NULL (borrowed);
 * err->code is 0 when 2xx or 304; else the sentence names the call and the engine's own
 * {"message"}: -ENOENT for 404, -EEXIST for 409, -ECONNREFUSED when docker is down. */
typedef void (*docker_done_f)(void *ctx, int status, const json_t *body,
                              const struct error *err);
typedef void (*docker_progress_f)(void *ctx, const char *says);

/* method "GET" etc., path "/info" or "/containers/json?all=1"; body NULL or JSON
 * (borrowed during the call). socket NULL = /var/run/docker.sock. */
MUST_CHECK int docker_call(struct event_loop *el, const char *socket,
                           const char *method, const char *path, const json_t *body,
                           int64_t timeout_ms, docker_done_f done, void *ctx,
                           struct docker_call **ret, struct error *err);
/* POST /images/create: streams progress; an error inside the stream is an error. */
MUST_CHECK int docker_pull(struct event_loop *el, const char *socket, const char *image,
                           int64_t timeout_ms, docker_done_f done,
                           docker_progress_f progress, void *ctx,
                           struct docker_call **ret, struct error *err);
void docker_cancel(struct docker_call *call); /* NULL is allowed */

#endif
