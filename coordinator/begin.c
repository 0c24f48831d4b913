/* SPDX-License-Identifier: Apache-2.0
 *
 * Plan, ask, write. Nothing is written before the spec was valid, no other rollout was
 * in force, every host that was named is known, and the operator said yes.
 */
#include "coordinator/begin.h"

#include "coordinator/current.h"
#include "coordinator/watch.h"
#include "shared/model/draft.h"
#include "shared/swarm/rollout_create.h"

#include <errno.h>
#include <stdio.h>

enum { PROGRESS_FROM = 2000 }; /* znodes: below that it is a matter of a blink */

enum exit_code begin_check(struct cli *cli)
{
    bool cannot_ask = !cli->terminal.in || cli->options.output == OUTPUT_JSON;
    if (cannot_ask && !cli->options.yes)
        return cli_usage(
            cli, "%s asks before it begins, and %s: give --yes%s", cli->command->name,
            cli->terminal.in ? "cannot with --output json"
                             : "standard input is no terminal",
            str_equal(cli->command->name, "install") ? " (and see `clowder plan` first)"
                                                     : "");
    return EXIT_DONE;
}

static int check_in_force(struct cli *cli)
{
    struct rollout_create check = {0};
    rollout_check_start(&check, cli->zk, cli->loop, cli->root, cli_done, cli);
    int rc = cli_wait(cli);
    if (rc < 0)
        rollout_create_cancel(&check);
    return rc;
}

/* A host that was named must at least be known: the rest is the plan's business. */
static enum exit_code check_named(struct cli *cli, const struct plan *plan)
{
    struct strbuf unknown = {0};
    int count = 0;
    for (int h = 0; h < plan->hosts_count; h++) {
        if (plan->hosts[h].fit != PLAN_UNKNOWN_HOST)
            continue;
        strbuf_addf(&unknown, "%s%s", count ? "\n" : "", plan->hosts[h].host);
        count++;
    }
    if (count > 0) {
        char text[160];
        (void)snprintf(text, sizeof(text),
                       "--hosts names %d %s that never registered (see `clowder "
                       "hosts`); nothing was written",
                       count, plural(count, "host", "hosts"));
        cli->writer.ops->error(&cli->writer, EXIT_USAGE, text, unknown.text);
    }
    strbuf_done(&unknown);
    return count > 0 ? EXIT_USAGE : EXIT_DONE;
}

static bool confirmed(struct cli *cli, const struct plan *plan, const struct goal *goal)
{
    static const char *const verbs[] = {
        [ROLLOUT_INSTALL] = "Begin on",
        [ROLLOUT_UNINSTALL] = "Uninstall from",
        [ROLLOUT_ROLLBACK] = "Roll back",
    };
    char question[96];
    struct plan_view view = prepare_view(cli, plan, goal);
    view.brief = true;
    if (cli->options.output == OUTPUT_TEXT)
        cli->writer.ops->plan(&cli->writer, &view);
    if (cli->options.yes)
        return true;
    (void)snprintf(question, sizeof(question), "%s %d %s?", verbs[goal->kind],
                   plan->members, plural(plan->members, "host", "hosts"));
    return cli_ask(cli, question);
}

static void on_progress(void *ctx, int written, int total)
{
    struct cli *cli = ctx;
    if (total < PROGRESS_FROM || !cli->terminal.err)
        return;
    (void)fprintf(cli->writer.err, "\rwriting the rollout: %d of %d%s", written, total,
                  written == total ? "\r\033[K" : "");
    (void)fflush(cli->writer.err);
}

static int write_rollout(struct cli *cli, const struct draft *draft)
{
    struct rollout_create create = {0};
    const struct rollout_documents documents = {
        .manifest = draft->manifest, .waves = draft->waves, .gate = &draft->gate};
    rollout_create_start(&create, cli->zk, cli->loop, cli->root, &documents,
                         on_progress, cli, cli_done, cli);
    int rc = cli_wait(cli);
    if (rc < 0)
        rollout_create_cancel(&create);
    return rc;
}

static int make_draft(struct cli *cli, const struct plan *plan, const struct goal *goal,
                      struct draft *ret)
{
    struct draft_header header = {.created_ms = cli_now_ms(cli),
                                  .kind = goal->kind,
                                  .of = goal->of,
                                  .force = goal->force};
    struct current last;
    int rc = current_get(cli, &last);
    if (rc < 0)
        return rc;
    rollout_id_after(last.rollout, header.created_ms, loop_random(cli->loop),
                     header.id);
    STR_COPY(header.by, cli->who);
    STR_COPY(header.why, cli->options.reason ? cli->options.reason : "");
    return draft_make(&cli->spec, plan, &header, ret, &cli->err);
}

static void say_begun(struct cli *cli, const struct manifest *manifest)
{
    json_t *facts = json_pack("{s:s, s:s, s:s, s:i, s:i}", "rollout", manifest->id,
                              "kind", rollout_kind_text(manifest->kind), "phase", "run",
                              "hosts", manifest->hosts, "waves", manifest->waves_count);
    if (cli->options.watch && cli->options.output == OUTPUT_JSON)
        json_decref(facts); /* the first look says all of it */
    else
        writer_say(&cli->writer, facts, "rollout %s has begun%s", manifest->id,
                   cli->options.watch ? "\n" : ": see it with `clowder watch`");
}

static enum exit_code begin(struct cli *cli, const struct plan *plan,
                            const struct goal *goal)
{
    struct draft draft = {0};
    int rc = make_draft(cli, plan, goal, &draft);
    if (rc == 0)
        rc = write_rollout(cli, &draft);
    if (rc == 0)
        say_begun(cli, draft.manifest);
    draft_done(&draft);
    if (rc < 0)
        return cli_fail(cli);
    return cli->options.watch ? watch_rollout(cli, cli->options.stop_when_paused)
                              : EXIT_DONE;
}

static enum exit_code unfit(struct cli *cli, const struct plan *plan,
                            const struct goal *goal)
{
    struct plan_view view = prepare_view(cli, plan, goal);
    cli->writer.ops->plan(&cli->writer, &view);
    (void)error_set(&cli->err, -EINVAL, "no host %s; nothing was written",
                    plan->hosts_count > 0 ? "is fit" : "has registered");
    return cli_fail(cli);
}

enum exit_code begin_rollout(struct cli *cli, const struct goal *goal)
{
    struct plan plan = {0};
    if (!goal->instead && check_in_force(cli) < 0)
        return cli_fail(cli);
    enum exit_code code = prepare_plan(cli, goal, &plan);
    if (code == EXIT_DONE)
        code = check_named(cli, &plan);
    if (code == EXIT_DONE && plan.members == 0) {
        code = unfit(cli, &plan, goal);
    } else if (code == EXIT_DONE && plan_check(&plan, &cli->err) < 0) {
        code = cli_fail(cli);
    } else if (code == EXIT_DONE && !confirmed(cli, &plan, goal)) {
        writer_say(&cli->writer, json_pack("{s:b}", "changed", 0),
                   "nothing was written");
        code = EXIT_FAILED;
    } else if (code == EXIT_DONE) {
        if (goal->instead && goal->instead(cli) < 0)
            code = cli_fail(cli);
        else
            code = begin(cli, &plan, goal);
    }
    plan_done(&plan);
    return code;
}
