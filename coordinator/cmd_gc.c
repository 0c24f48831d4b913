/* SPDX-License-Identifier: Apache-2.0
 *
 * gc: look, show, ask, remove. What changed since the look is seen again at each
 * removal (shared/swarm/gc.h).
 */
#include "coordinator/commands.h"
#include "shared/swarm/gc_hosts.h"
#include "shared/swarm/gc_rollout.h"

#include <errno.h>
#include <stdlib.h>

enum { KEEP_DEFAULT = 10 };
static const int64_t HOUR_MS = INT64_C(3600) * 1000;

enum exit_code gc_check(struct cli *cli)
{
    const struct options *options = &cli->options;
    bool cannot_ask = !cli->terminal.in || options->output == OUTPUT_JSON;
    if (options->older_than_ms && !options->absent)
        return cli_usage(cli, "--older-than says which hosts: give --absent too");
    if (cannot_ask && !options->yes && !options->dry_run)
        return cli_usage(cli,
                         "gc asks before it removes anything, and %s: give --yes (and "
                         "see `clowder gc --dry-run` first)",
                         cli->terminal.in ? "cannot with --output json"
                                          : "standard input is no terminal");
    return EXIT_DONE;
}

static int look(struct cli *cli, struct gc *gc)
{
    const struct options *options = &cli->options;
    const struct gc_policy policy = {
        .keep = options->keep ? atoi(options->keep) : KEEP_DEFAULT,
        .debris_ms = HOUR_MS,
        .hosts = options->absent,
        .hosts_ms = options->older_than_ms ? options->older_than_ms : 30 * 24 * HOUR_MS,
    };
    gc_look_start(gc, cli->zk, cli->loop, cli->root, &policy, cli_done, cli);
    return cli_wait(cli);
}

static bool confirmed(struct cli *cli, const struct gc *gc)
{
    char question[120];
    int going = gc_going(gc);
    if (cli->options.yes)
        return true;
    (void)snprintf(question, sizeof(question), "Remove %d %s and %d %s for good?",
                   going, plural(going, "rollout", "rollouts"), gc->hosts.count,
                   plural(gc->hosts.count, "inventory", "inventories"));
    return cli_ask(cli, question);
}

static void say_progress(struct cli *cli, int at, int going)
{
    if (!cli->terminal.err)
        return;
    (void)fprintf(cli->writer.err, "\rremoving rollout %d of %d%s", at, going,
                  at > going ? "\r\033[K" : "");
    (void)fflush(cli->writer.err);
}

static int remove_rollout(struct cli *cli, const struct gc *gc, const char *id,
                          struct gc_view *view, struct strbuf *left)
{
    struct gc_removal removal = {0};
    gc_rollout_start(&removal, gc, id, cli->who, cli_done, cli);
    int rc = cli_wait(cli);
    view->znodes += removal.removed;
    if (rc < 0)
        gc_rollout_cancel(&removal);
    else if (removal.gone)
        view->rollouts++;
    else
        strbuf_addf(left, "rollout %s was left alone: %s\n", id, removal.left);
    return rc;
}

/* Oldest first, so that what an interruption leaves is the newest. */
static int remove_rollouts(struct cli *cli, const struct gc *gc, struct gc_view *view,
                           struct strbuf *left)
{
    int rc = 0, at = 0, going = gc_going(gc);
    for (int i = gc->rollouts_count - 1; rc == 0 && i >= 0; i--) {
        if (!gc_goes(gc->rollouts[i].verdict))
            continue;
        say_progress(cli, ++at, going);
        rc = remove_rollout(cli, gc, gc->rollouts[i].id, view, left);
    }
    if (at > 0)
        say_progress(cli, going + 1, going);
    return rc;
}

static int remove_hosts(struct cli *cli, const struct gc *gc, struct gc_view *view)
{
    struct gc_hosts hosts = {0};
    if (gc->hosts.count == 0)
        return 0;
    gc_hosts_start(&hosts, gc, cli_done, cli);
    int rc = cli_wait(cli);
    view->hosts = hosts.removed;
    if (rc < 0)
        gc_hosts_cancel(&hosts);
    return rc;
}

static enum exit_code collect(struct cli *cli, const struct gc *gc)
{
    struct gc_view view = {.gc = gc, .done = true};
    struct strbuf left = {0};
    int rc = remove_rollouts(cli, gc, &view, &left);
    if (rc == 0 && left.len && gc->hosts.count) /* their hosts were not spared */
        strbuf_add(&left, "no inventory was removed for that: run it again\n");
    else if (rc == 0)
        rc = remove_hosts(cli, gc, &view);
    view.left = left.text ? left.text : "";
    /* Also after a failure: so much is gone. */
    cli->writer.ops->gc(&cli->writer, &view);
    strbuf_done(&left);
    return rc < 0 ? cli_fail(cli) : EXIT_DONE;
}

enum exit_code cmd_gc(struct cli *cli)
{
    struct gc gc = {0};
    enum exit_code code = EXIT_DONE;
    bool json = cli->options.output == OUTPUT_JSON;
    if (look(cli, &gc) < 0) {
        gc_done(&gc);
        return cli_fail(cli);
    }
    bool any = gc_going(&gc) > 0 || gc.hosts.count > 0;
    bool dry = cli->options.dry_run;
    const struct gc_view view = {.gc = &gc, .dry_run = dry, .left = ""};
    if (!json || dry || !any)
        cli->writer.ops->gc(&cli->writer, &view);
    if (any && !dry && !confirmed(cli, &gc)) {
        writer_say(&cli->writer, json_pack("{s:b}", "changed", 0),
                   "nothing was removed");
        code = EXIT_FAILED;
    } else if (any && !dry) {
        code = collect(cli, &gc);
    }
    gc_done(&gc);
    return code;
}
