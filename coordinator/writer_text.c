/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/render.h"
#include "coordinator/writer.h"

#include <string.h>

static void print(FILE *to, struct strbuf *text)
{
    if (text->text)
        (void)fputs(text->text, to);
    strbuf_done(text);
}

static void text_progress(struct writer *w, const struct progress *progress,
                          int64_t now_ms)
{
    struct strbuf out = {0};
    if (progress)
        render_progress(&out, &w->style, progress, now_ms, w->style.height);
    else
        strbuf_add(&out, "no rollout is in force: begin one with `clowder install`\n");
    print(w->out, &out);
}

static void text_plan(struct writer *w, const struct plan_view *view)
{
    struct strbuf out = {0};
    render_plan(&out, &w->style, view);
    print(w->out, &out);
}

static void text_hosts(struct writer *w, const struct hosts_view *view, int64_t now_ms)
{
    struct strbuf out = {0};
    render_hosts(&out, &w->style, view, now_ms);
    print(w->out, &out);
}

static void text_host(struct writer *w, const struct host_view *view, int64_t now_ms)
{
    struct strbuf out = {0};
    render_host(&out, &w->style, view, now_ms);
    print(w->out, &out);
}

static void text_leases(struct writer *w, const struct progress *progress,
                        int64_t now_ms)
{
    struct strbuf out = {0};
    if (progress)
        render_leases(&out, &w->style, progress, now_ms);
    else
        strbuf_add(&out, "no rollout is in force: begin one with `clowder install`\n");
    print(w->out, &out);
}

static void text_events(struct writer *w, const struct event *events, int count)
{
    struct strbuf out = {0};
    render_events(&out, &w->style, events, count);
    print(w->out, &out);
}

static void text_why(struct writer *w, const struct why_view *view, int64_t now_ms)
{
    struct strbuf out = {0};
    render_why(&out, &w->style, view, now_ms);
    print(w->out, &out);
}

static void text_gc(struct writer *w, const struct gc_view *view)
{
    struct strbuf out = {0};
    render_gc(&out, &w->style, view);
    print(w->out, &out);
}

static void text_said(struct writer *w, const json_t *facts, const char *sentence)
{
    (void)fprintf(w->out, "%s\n", sentence);
}

/* A single mistake, whether its line ends or not, stands in the sentence already. */
static bool said_already(const char *text, const char *mistakes)
{
    size_t len = strlen(text), mistake_len = strcspn(mistakes, "\n");
    bool single = mistakes[mistake_len + (mistakes[mistake_len] == '\n')] == '\0';
    return single && mistake_len <= len &&
           strncmp(text + len - mistake_len, mistakes, mistake_len) == 0;
}

static void text_error(struct writer *w, enum exit_code code, const char *text,
                       const char *mistakes)
{
    struct strbuf out = {0};
    if (mistakes && said_already(text, mistakes))
        mistakes = NULL;
    (void)fflush(w->out); /* what was said before stands before it */
    style_add(&out, &w->err_style, TONE_BAD, "clowder: ");
    style_add(&out, &w->err_style, TONE_PLAIN, text);
    strbuf_add(&out, "\n");
    while (mistakes && *mistakes) {
        size_t len = strcspn(mistakes, "\n");
        strbuf_add(&out, "  ");
        strbuf_add_bytes(&out, mistakes, len);
        strbuf_add(&out, "\n");
        mistakes += len + (mistakes[len] == '\n');
    }
    print(w->err, &out);
}

const struct writer_ops writer_text = {
    .progress = text_progress,
    .plan = text_plan,
    .hosts = text_hosts,
    .host = text_host,
    .leases = text_leases,
    .events = text_events,
    .why = text_why,
    .gc = text_gc,
    .said = text_said,
    .error = text_error,
};
