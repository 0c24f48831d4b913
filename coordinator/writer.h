/* writer.h - where results go: text for people or JSON for programs.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: coordinator. Results go to out, errors to err; nothing else prints.
 */
#ifndef CLOWDER_COORDINATOR_WRITER_H
#define CLOWDER_COORDINATOR_WRITER_H

#include "coordinator/command.h"
#include "coordinator/style.h"
#include "coordinator/views.h"

#include <jansson.h>
#include <stdio.h>

struct writer;
struct writer_ops {
    /* progress NULL: no rollout was ever in force. */
    void (*progress)(struct writer *w, const struct progress *progress, int64_t now_ms);
    void (*plan)(struct writer *w, const struct plan_view *view);
    void (*hosts)(struct writer *w, const struct hosts_view *view, int64_t now_ms);
    void (*host)(struct writer *w, const struct host_view *view, int64_t now_ms);
    void (*leases)(struct writer *w, const struct progress *progress, int64_t now_ms);
    void (*events)(struct writer *w, const struct event *events, int count);
    void (*why)(struct writer *w, const struct why_view *view, int64_t now_ms);
    void (*gc)(struct writer *w, const struct gc_view *view);
    /* The outcome of an order: facts for programs, a sentence for people. */
    void (*said)(struct writer *w, const json_t *facts, const char *sentence);
    /* mistakes: more lines, or NULL. */
    void (*error)(struct writer *w, enum exit_code code, const char *text,
                  const char *mistakes);
};

struct writer {
    const struct writer_ops *ops;
    FILE *out, *err;
    struct style style;     /* of out */
    struct style err_style; /* of err */
};
extern const struct writer_ops writer_text, writer_json;

/* facts is taken over. */
void writer_say(struct writer *w, json_t *facts, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

#endif
