/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/watch.h"

#include "coordinator/render.h"
#include "coordinator/screen.h"
#include "coordinator/settle.h"
#include "shared/base/str.h"
#include "shared/io/zk_client.h"
#include "shared/swarm/progress_read.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

enum {
    TICK_MS = 250,
    REFRESH_MAX_MS = 2000,
    SETTLE_AFTER_MS = 3000, /* the host that ended it comes first */
    AWAY_LIMIT_MS = 300000, /* no terminal: nobody is there to leave */
    AWAY_SHOWN_AFTER_MS = 1500,
};

struct watch {
    struct cli *cli;
    struct progress_reader reader;
    struct progress progress;
    bool has_progress;
    struct pace pace;
    struct settle settle;
    int64_t due_since_ms; /* monotonic; 0 = there is nothing to settle */
    struct screen screen;
    bool live; /* a terminal */
    struct timer tick;
    int64_t refresh_at_ms; /* not before */
    int64_t away_since_ms;
    bool said_away, stop_when_paused, left;
    struct error trouble; /* of the last refresh that failed */
};

static void leave(struct watch *watch, int result, const struct error *err)
{
    static const struct error none = {0};
    timer_stop(&watch->tick);
    cli_done(watch->cli, result, err ? err : &none);
}

/* The last lines: what is wrong with the connection, or how to leave. */
static void add_foot(struct watch *watch, struct strbuf *out)
{
    struct cli *cli = watch->cli;
    const struct style *style = &cli->writer.style;
    int64_t away_ms =
        watch->away_since_ms ? loop_now_ms(cli->loop) - watch->away_since_ms : 0;
    char text[640], span[24];
    if (away_ms > AWAY_SHOWN_AFTER_MS) {
        duration_text(away_ms, span, sizeof(span));
        (void)snprintf(text, sizeof(text), "no contact with ZooKeeper for %s: %s", span,
                       zk_client_says(cli->zk));
        strbuf_add(out, "\n");
        style_wrap(out, style, TONE_WARN, 2, text);
    } else if (!watch->left && !progress_ended(&watch->progress)) {
        strbuf_add(out, "\n");
        style_cell(out, style, TONE_DIM, style->width,
                   "  Ctrl-C leaves; the rollout goes on without this window");
    }
    strbuf_add(out, "\n");
}

static void draw(struct watch *watch)
{
    struct cli *cli = watch->cli;
    struct strbuf out = {0};
    if (!watch->live || !watch->has_progress)
        return;
    int height = watch->screen.height - 3;
    render_progress(&out, &cli->writer.style, &watch->progress, cli_now_ms(cli),
                    height > 8 ? height : 8);
    add_foot(watch, &out);
    screen_draw(&watch->screen, out.text);
    strbuf_done(&out);
}

static void say_changes(struct watch *watch, const struct progress *next)
{
    struct cli *cli = watch->cli;
    struct strbuf out = {0};
    render_changes(&out, &cli->writer.style,
                   watch->has_progress ? &watch->progress : NULL, next,
                   cli_now_ms(cli));
    if (out.len > 0 && cli->options.output == OUTPUT_JSON)
        cli->writer.ops->progress(&cli->writer, next, cli_now_ms(cli));
    else if (out.len > 0)
        (void)fputs(out.text, cli->writer.out);
    (void)fflush(cli->writer.out);
    strbuf_done(&out);
}

static void on_settled(void *ctx, int result, const struct error *err)
{
    struct watch *watch = ctx;
    if (result < 0)
        error_copy(&watch->trouble, err);
    watch->due_since_ms = 0;
}

static void consider_settling(struct watch *watch)
{
    int64_t now_ms = loop_now_ms(watch->cli->loop);
    if (!settle_due(&watch->progress)) {
        watch->due_since_ms = 0;
        return;
    }
    if (!watch->due_since_ms)
        watch->due_since_ms = now_ms;
    if (!watch->settle.active && now_ms - watch->due_since_ms >= SETTLE_AFTER_MS)
        settle_start(&watch->settle, watch->cli, watch->reader.manifest, on_settled,
                     watch);
}

/* A look at many holders is rarer. */
static void pace_refreshes(struct watch *watch)
{
    int64_t delay_ms = TICK_MS + watch->reader.requests;
    if (delay_ms > REFRESH_MAX_MS)
        delay_ms = REFRESH_MAX_MS;
    watch->refresh_at_ms = loop_now_ms(watch->cli->loop) + delay_ms;
}

static bool paused(const struct watch *watch)
{
    return watch->stop_when_paused && watch->progress.phase == GATE_PAUSE &&
           progress_holders(&watch->progress) == 0;
}

static void take_reading(struct watch *watch)
{
    struct cli *cli = watch->cli;
    struct progress next;
    progress_make(&watch->reader.reading, &watch->pace, cli_now_ms(cli), &next);
    pace_add(&watch->pace, cli_now_ms(cli), next.arrivals);
    if (!watch->live)
        say_changes(watch, &next);
    progress_done(&watch->progress);
    watch->progress = next;
    watch->has_progress = true;
    watch->trouble = (struct error){0};
}

/* What is there cannot be read: hopeless at the first look, else the next may do. */
static void on_trouble(struct watch *watch, const struct error *err)
{
    struct cli *cli = watch->cli;
    bool said = str_equal(watch->trouble.text, err->text);
    error_copy(&watch->trouble, err);
    if (err->code == -ENOENT || (!watch->has_progress && cli->zk->connected))
        leave(watch, err->code, err);
    else if (!watch->live && !said && cli->zk->connected)
        cli->writer.ops->error(&cli->writer, EXIT_FAILED, err->text, NULL);
}

static void on_refreshed(void *ctx, int result, const struct error *err)
{
    struct watch *watch = ctx;
    struct error none = {0};
    pace_refreshes(watch);
    if (result < 0) {
        on_trouble(watch, err);
        return;
    }
    if (!watch->reader.rollout[0]) {
        (void)error_set(&none, -ENOENT,
                        "no rollout is in force: begin one with `clowder install`");
        leave(watch, none.code, &none);
        return;
    }
    take_reading(watch);
    draw(watch);
    consider_settling(watch);
    bool unread = ferror(watch->cli->writer.out);
    if (progress_ended(&watch->progress) || paused(watch) || unread)
        leave(watch, 0, NULL);
}

static void look_at_connection(struct watch *watch)
{
    struct cli *cli = watch->cli;
    int64_t now_ms = loop_now_ms(cli->loop);
    struct error err = {0};
    if (cli->zk->connected) {
        watch->away_since_ms = 0;
        watch->said_away = false;
        return;
    }
    if (!watch->away_since_ms)
        watch->away_since_ms = now_ms;
    if (watch->live || now_ms - watch->away_since_ms < AWAY_SHOWN_AFTER_MS)
        return;
    (void)error_set(&err, -ENOTCONN, "no contact with ZooKeeper: %s",
                    zk_client_says(cli->zk));
    if (!watch->said_away)
        cli->writer.ops->error(&cli->writer, EXIT_UNREACHABLE, err.text, NULL);
    watch->said_away = true;
    if (now_ms - watch->away_since_ms > AWAY_LIMIT_MS)
        leave(watch, err.code, &err);
}

static void on_tick(void *ctx)
{
    struct watch *watch = ctx;
    look_at_connection(watch);
    if (watch->cli->done)
        return;
    if (!flow_active(&watch->reader.flow) && watch->cli->zk->connected &&
        loop_now_ms(watch->cli->loop) >= watch->refresh_at_ms)
        progress_reader_refresh(&watch->reader, on_refreshed, watch);
    draw(watch);
    timer_start(&watch->tick, watch->cli->loop, TICK_MS, on_tick, watch);
}

static void on_leave(void *ctx, int number)
{
    struct watch *watch = ctx;
    watch->left = true;
    leave(watch, 0, NULL);
}

static void on_resize(void *ctx, int number)
{
    struct watch *watch = ctx;
    struct cli *cli = watch->cli;
    terminal_measure(&cli->terminal);
    cli->writer.style.width = cli->terminal.width;
    if (watch->live)
        screen_resize(&watch->screen, cli->terminal.height);
    draw(watch);
}

static int listen_to_signals(struct watch *watch)
{
    struct cli *cli = watch->cli;
    static const int leaving[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof(leaving) / sizeof(leaving[0]); i++) {
        int rc = event_loop_on_signal(cli->el, leaving[i], on_leave, watch, &cli->err);
        if (rc < 0)
            return rc;
    }
    return event_loop_on_signal(cli->el, SIGWINCH, on_resize, watch, &cli->err);
}

static enum exit_code end(struct watch *watch, int rc)
{
    struct cli *cli = watch->cli;
    draw(watch);
    screen_close(&watch->screen);
    if (rc < 0)
        return cli_fail(cli);
    if (watch->left && watch->live)
        (void)fputs("left; the rollout goes on (`clowder watch` shows it again)\n",
                    cli->writer.out);
    return watch->has_progress && progress_succeeded(&watch->progress) ? EXIT_DONE
                                                                       : EXIT_FAILED;
}

enum exit_code watch_rollout(struct cli *cli, bool stop_when_paused)
{
    struct watch watch = {.cli = cli, .stop_when_paused = stop_when_paused};
    watch.live = cli->terminal.out && cli->options.output == OUTPUT_TEXT;
    progress_reader_init(&watch.reader, cli->zk, cli->loop, cli->root, NULL);
    int rc = listen_to_signals(&watch);
    if (rc == 0) {
        if (watch.live)
            screen_open(&watch.screen, cli->writer.out, cli->terminal.height);
        cli->patient = true;
        timer_start(&watch.tick, cli->loop, 0, on_tick, &watch);
        rc = cli_wait(cli);
        cli->patient = false;
    }
    timer_stop(&watch.tick);
    settle_cancel(&watch.settle);
    enum exit_code code = end(&watch, rc);
    progress_done(&watch.progress);
    progress_reader_done(&watch.reader);
    return code;
}
