/* SPDX-License-Identifier: Apache-2.0
 *
 * uninstall and rollback: rollouts like any other, planned from the spec of the rollout
 * that they take back. A rollback of the rollout in force, paused, ends that one first.
 */
#include "coordinator/begin.h"
#include "coordinator/commands.h"
#include "coordinator/current.h"
#include "coordinator/manifest_get.h"
#include "coordinator/settle.h"
#include "shared/base/cleanup.h"
#include "shared/base/mem.h"
#include "shared/swarm/inventory_read.h"
#include "shared/swarm/order.h"

#include <errno.h>
#include <stdlib.h>

/* ---- uninstall ---- */

enum exit_code uninstall_check(struct cli *cli)
{
    enum exit_code code = begin_check(cli);
    return code == EXIT_DONE && cli->options.spec_file ? prepare_spec(cli) : code;
}

/* The last rollout's spec says where things are. */
static enum exit_code take_spec_of(struct cli *cli, const struct manifest *manifest)
{
    return prepare_spec_from(cli, json_deep_copy(manifest->spec->document));
}

static enum exit_code take_last_spec(struct cli *cli)
{
    struct current current;
    struct manifest *manifest = NULL;
    if (current_get(cli, &current) < 0)
        return cli_fail(cli);
    if (!current.rollout[0]) {
        (void)error_set(&cli->err, -EINVAL,
                        "there was no rollout here: say by --spec what was installed");
        return cli_fail(cli);
    }
    if (manifest_get(cli, current.rollout, &manifest) < 0)
        return cli_fail(cli);
    enum exit_code code = take_spec_of(cli, manifest);
    manifest_free(manifest);
    return code;
}

enum exit_code cmd_uninstall(struct cli *cli)
{
    const struct goal goal = {.kind = ROLLOUT_UNINSTALL, .force = cli->options.force};
    enum exit_code code = cli->spec ? EXIT_DONE : take_last_spec(cli);
    return code == EXIT_DONE ? begin_rollout(cli, &goal) : code;
}

/* ---- rollback ---- */

enum exit_code rollback_check(struct cli *cli)
{
    const struct strings *arguments = &cli->options.arguments;
    if (arguments->count > 0 && !rollout_id_valid(arguments->items[0]))
        return cli_usage(cli, "rollback: \"%s\" %s", arguments->items[0],
                         rollout_id_check(arguments->items[0]));
    return begin_check(cli);
}

struct begun_hosts { /* of the rollout that is to be rolled back */
    struct strings names;
    bool *begun;
};

static void on_names(void *ctx, const struct strings *names, const bool *live)
{
    struct begun_hosts *hosts = ctx;
    (void)live;
    for (int i = 0; i < names->count; i++)
        strings_add(&hosts->names, names->items[i]);
    hosts->begun = mem_array((size_t)names->count + 1, sizeof(*hosts->begun));
}

static void on_record(void *ctx, int index, const struct record *record)
{
    struct begun_hosts *hosts = ctx;
    hosts->begun[index] = record_visited(record);
}

static void on_bad(void *ctx, int index, const struct error *err)
{
    struct begun_hosts *hosts = ctx;
    (void)err;
    hosts->begun[index] = true; /* the host itself knows */
}

static int read_begun(struct cli *cli, const char *rollout, struct begun_hosts *ret)
{
    struct inventory_read read = {0};
    const struct inventory_request wanted = {.root = cli->root,
                                             .rollout = rollout,
                                             .names = on_names,
                                             .on_record = on_record,
                                             .on_bad = on_bad,
                                             .ctx = ret};
    inventory_read_start(&read, cli->zk, cli->loop, &wanted, cli_done, cli);
    int rc = cli_wait(cli);
    if (rc < 0)
        inventory_read_cancel(&read);
    return rc;
}

static bool is_among(const struct strings *names, const char *host)
{
    for (int i = 0; i < names->count; i++)
        if (str_equal(names->items[i], host))
            return true;
    return false;
}

static bool asked_for(const struct strings *asked, const char *host)
{
    return asked->count == 0 || is_among(asked, host);
}

/* --hosts becomes those that the rollout has visited, and those that nobody knows:
 * the plan refuses them by name. */
static enum exit_code choose_hosts(struct cli *cli, const char *rollout)
{
    struct begun_hosts hosts = {0};
    struct strings chosen = {0};
    int rc = read_begun(cli, rollout, &hosts);
    for (int i = 0; rc == 0 && i < hosts.names.count; i++)
        if (hosts.begun[i] && asked_for(&cli->options.hosts, hosts.names.items[i]))
            strings_add(&chosen, hosts.names.items[i]);
    for (int i = 0; rc == 0 && i < cli->options.hosts.count; i++)
        if (!is_among(&hosts.names, cli->options.hosts.items[i]))
            strings_add(&chosen, cli->options.hosts.items[i]);
    strings_done(&hosts.names);
    free(hosts.begun);
    strings_done(&cli->options.hosts);
    cli->options.hosts = chosen;
    if (rc == 0 && chosen.count == 0)
        rc = error_set(&cli->err, -EINVAL,
                       "rollout %s has visited no such host: there is nothing to roll "
                       "back",
                       rollout);
    return rc < 0 ? cli_fail(cli) : EXIT_DONE;
}

static int end_in_force(struct cli *cli)
{
    struct order order = {0};
    struct order_request request = {.kind = ORDER_ABORT, .at_ms = cli_now_ms(cli)};
    STR_COPY(request.who, cli->who);
    STR_COPY(request.why, "it is rolled back");
    order_start(&order, cli->zk, cli->loop, cli->root, &request, cli_done, cli);
    int rc = cli_wait(cli);
    if (rc < 0)
        order_cancel(&order);
    return rc < 0 ? rc : settle_if_due(cli);
}

static enum exit_code refuse(struct cli *cli, const struct manifest *manifest,
                             const struct current *current, bool in_force)
{
    if (manifest_undoes(manifest))
        (void)error_set(&cli->err, -EINVAL,
                        "rollout %s is no install but %s %s: name the install to roll "
                        "back (`clowder gc --dry-run` lists what is there), or run "
                        "`clowder install`",
                        manifest->id, manifest->kind == ROLLOUT_UNINSTALL ? "an" : "a",
                        rollout_kind_text(manifest->kind));
    else if (in_force && current->phase == GATE_RUN)
        (void)error_set(&cli->err, -EBUSY,
                        "rollout %s is under way: `clowder pause` it first",
                        manifest->id);
    else
        return EXIT_DONE;
    return cli_fail(cli);
}

static enum exit_code roll_back(struct cli *cli, const struct current *current,
                                const char *rollout)
{
    struct manifest *manifest = NULL;
    bool in_force = str_equal(current->rollout, rollout);
    const struct goal goal = {
        .kind = ROLLOUT_ROLLBACK,
        .of = rollout,
        .force = cli->options.force,
        .instead = in_force && current->phase == GATE_PAUSE ? end_in_force : NULL,
    };
    if (manifest_get(cli, rollout, &manifest) < 0)
        return cli_fail(cli);
    enum exit_code code = refuse(cli, manifest, current, in_force);
    if (code == EXIT_DONE)
        code = take_spec_of(cli, manifest);
    manifest_free(manifest);
    if (code == EXIT_DONE)
        code = choose_hosts(cli, rollout);
    return code == EXIT_DONE ? begin_rollout(cli, &goal) : code;
}

enum exit_code cmd_rollback(struct cli *cli)
{
    const struct strings *arguments = &cli->options.arguments;
    struct current current;
    if (current_get(cli, &current) < 0)
        return cli_fail(cli);
    const char *rollout = arguments->count > 0 ? arguments->items[0] : current.rollout;
    if (!rollout[0]) {
        (void)error_set(&cli->err, -EINVAL, "there was no rollout here");
        return cli_fail(cli);
    }
    return roll_back(cli, &current, rollout);
}
