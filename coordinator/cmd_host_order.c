/* SPDX-License-Identifier: Apache-2.0
 *
 * retry, skip, exclude, break, force-complete: orders to single hosts. The rules are
 * model/host_rule.h's; here they are asked, confirmed and told.
 */
#include "coordinator/commands.h"
#include "coordinator/settle.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/swarm/host_order.h"
#include "shared/swarm/inventory_read.h"

#include <errno.h>
#include <stdlib.h>

static const char *host_argument(const struct cli *cli, int index)
{
    return cli->options.arguments.items[index];
}

/* ---- before the connection ---- */

static enum exit_code check_hosts(struct cli *cli, int count)
{
    for (int i = 0; i < count; i++)
        if (!host_id_valid(host_argument(cli, i)))
            return cli_usage(cli, "%s: \"%s\" %s", cli->command->name,
                             host_argument(cli, i),
                             host_id_check(host_argument(cli, i)));
    return EXIT_DONE;
}

enum exit_code retry_check(struct cli *cli)
{
    int count = cli->options.arguments.count;
    if (cli->options.failed && count > 0)
        return cli_usage(cli, "retry: either hosts by name or --failed");
    if (!cli->options.failed && count == 0)
        return cli_usage(cli, "retry: which hosts? name them, or --failed for all");
    return check_hosts(cli, count);
}

enum exit_code exclude_check(struct cli *cli)
{
    return check_hosts(cli, cli->options.arguments.count);
}

enum exit_code break_check(struct cli *cli)
{
    enum exit_code code = exclude_check(cli);
    if (code == EXIT_DONE && !cli->options.yes && !cli->terminal.in)
        return cli_usage(cli,
                         "break: standard input is no terminal on which the host's "
                         "name could be typed; say --yes");
    return code;
}

enum exit_code force_complete_check(struct cli *cli)
{
    enum exit_code code = check_hosts(cli, 1);
    if (code == EXIT_DONE && step_from_name(host_argument(cli, 1)) < 0)
        return cli_usage(cli,
                         "force-complete: \"%s\" is no step; the steps are "
                         "etcd-proxy, docker-cluster-store, cni, libnetwork, node",
                         host_argument(cli, 1));
    return code;
}

/* ---- one order ---- */

static const char *outcome_of(const struct host_order *order)
{
    const struct record *record = &order->change.record;
    switch (order->request.kind) {
    case HOST_RETRY:
    case HOST_FORCE_COMPLETE:
        return record->state == HOST_HOLDING ? "tries again under the permit that it "
                                               "kept"
                                             : "tries again: it queues for its lease";
    case HOST_SKIP:
    case HOST_EXCLUDE:
        return order->changed ? "is excluded: nobody waits for it in this rollout"
                              : "was excluded already";
    case HOST_BREAK:
        return order->changed ? "is excluded, and its permit is free"
                              : "was excluded already, it holds no permit";
    }
    return "";
}

static void say(struct cli *cli, const struct host_order *order)
{
    const struct host_order_request *request = &order->request;
    json_t *facts = json_pack(
        "{s:s, s:s, s:s, s:s, s:b}", "rollout", order->swarm.rollout, "order",
        host_order_text(request->kind), "host", request->host, "state",
        host_state_text(order->change.record.state), "changed", (int)order->changed);
    writer_say(&cli->writer, facts, "host %s %s%s%s", request->host, outcome_of(order),
               request->step[0] ? "; taken as complete: " : "", request->step);
}

static int carry_out(struct cli *cli, enum host_order_kind kind, const char *host,
                     const char *step)
{
    struct host_order_request request = {.kind = kind, .at_ms = cli_now_ms(cli)};
    struct host_order order = {0};
    STR_COPY(request.host, host);
    STR_COPY(request.step, step);
    STR_COPY(request.who, cli->who);
    STR_COPY(request.why, cli->options.reason ? cli->options.reason : "");
    host_order_start(&order, cli->zk, cli->loop, cli->root, &request, cli_done, cli);
    int rc = cli_wait(cli);
    if (rc == 0)
        say(cli, &order);
    host_order_done(&order);
    return rc;
}

/* One after the other: what is refused is said, and the others are still done. */
static enum exit_code all_of(struct cli *cli, enum host_order_kind kind,
                             const struct strings *hosts)
{
    enum exit_code code = EXIT_DONE;
    for (int i = 0; i < hosts->count; i++) {
        int rc = carry_out(cli, kind, hosts->items[i], "");
        if (rc == 0)
            continue;
        code = cli_fail(cli);
        if (rc != -EPERM && rc != -ENOENT && rc != -EINVAL && rc != -EPROTONOSUPPORT)
            return code;
    }
    return code;
}

/* ---- retry --failed ---- */

struct failed_read {
    struct cli *cli;
    struct flow flow;
    struct in_force in_force;
    struct zk_request *io;
    struct strings hosts;
};

static void on_failed(void *ctx, const struct zk_reply *reply)
{
    struct failed_read *read = ctx;
    read->io = NULL;
    if (reply->result != ZK_OK) {
        flow_again_or_fail(&read->flow, "list the failed hosts", reply);
        return;
    }
    for (int i = 0; i < reply->children_count; i++)
        strings_add(&read->hosts, reply->children[i]);
    flow_next(&read->flow);
}

static void on_in_force(void *ctx, int result, const struct error *err)
{
    struct failed_read *read = ctx;
    if (result < 0)
        flow_fail(&read->flow, err);
    else
        flow_next(&read->flow);
}

static enum flow_verdict find_rollout(struct flow *flow, void *ctx, struct error *err)
{
    struct failed_read *read = ctx;
    in_force_read(&read->in_force, read->cli->zk, read->cli->loop, read->cli->root,
                  on_in_force, read);
    return FLOW_WAIT;
}

static enum flow_verdict list_failed(struct flow *flow, void *ctx, struct error *err)
{
    struct failed_read *read = ctx;
    struct zpath path = zpath_failures(read->cli->root, read->in_force.current.rollout);
    read->io = zk_children(read->cli->zk, path.text, NULL, on_failed, read);
    return FLOW_WAIT;
}

static void drop_failed(void *ctx)
{
    struct failed_read *read = ctx;
    in_force_cancel(&read->in_force);
    zk_cancel(read->cli->zk, read->io);
    read->io = NULL;
}

static const struct flow_step failed_steps[] = {
    {.name = "find the rollout", .run = find_rollout, .cancel = drop_failed},
    {.name = "list the failed hosts", .run = list_failed, .cancel = drop_failed},
    {0},
};

static enum exit_code retry_failed(struct cli *cli)
{
    struct failed_read read = {.cli = cli};
    enum exit_code code;
    flow_start(&read.flow, cli->loop, failed_steps, &read, cli_done, cli);
    int rc = cli_wait(cli);
    flow_cancel(&read.flow);
    if (rc < 0) {
        code = cli_fail(cli);
    } else if (read.hosts.count == 0) {
        writer_say(&cli->writer, json_pack("{s:b}", "changed", 0),
                   "no host has failed");
        code = EXIT_DONE;
    } else {
        strings_sort(&read.hosts);
        code = all_of(cli, HOST_RETRY, &read.hosts);
    }
    strings_done(&read.hosts);
    in_force_done(&read.in_force);
    return code;
}

enum exit_code cmd_retry(struct cli *cli)
{
    return cli->options.failed ? retry_failed(cli)
                               : all_of(cli, HOST_RETRY, &cli->options.arguments);
}

/* ---- the others ---- */

/* With the last host that was missing, or the last permit, the rollout may have ended.
 */
static enum exit_code settled(struct cli *cli, enum exit_code code)
{
    if (code != EXIT_UNREACHABLE && settle_if_due(cli) < 0)
        return cli_fail(cli);
    return code;
}

enum exit_code cmd_exclude(struct cli *cli)
{
    return settled(cli, all_of(cli, HOST_EXCLUDE, &cli->options.arguments));
}

enum exit_code cmd_skip(struct cli *cli)
{
    return settled(cli, all_of(cli, HOST_SKIP, &cli->options.arguments));
}

enum exit_code cmd_force_complete(struct cli *cli)
{
    int rc = carry_out(cli, HOST_FORCE_COMPLETE, host_argument(cli, 0),
                       host_argument(cli, 1));
    return rc < 0 ? cli_fail(cli) : EXIT_DONE;
}

struct holder { /* as it is just before its permit is broken */
    bool live, has_record;
    struct record record;
    struct error bad;
};

static void on_holder_name(void *ctx, const struct strings *names, const bool *live)
{
    struct holder *holder = ctx;
    holder->live = names->count > 0 && live[0];
}

static void on_holder_record(void *ctx, int index, const struct record *record)
{
    struct holder *holder = ctx;
    holder->record = *record;
    holder->has_record = true;
}

static void on_holder_bad(void *ctx, int index, const struct error *err)
{
    struct holder *holder = ctx;
    error_copy(&holder->bad, err);
}

static int read_holder(struct cli *cli, const char *host, struct holder *holder)
{
    struct in_force in_force = {0};
    struct inventory_read read = {0};
    in_force_read(&in_force, cli->zk, cli->loop, cli->root, cli_done, cli);
    int rc = cli_wait(cli);
    if (rc == 0) {
        const struct inventory_request wanted = {.root = cli->root,
                                                 .rollout = in_force.current.rollout,
                                                 .host = host,
                                                 .names = on_holder_name,
                                                 .on_record = on_holder_record,
                                                 .on_bad = on_holder_bad,
                                                 .ctx = holder};
        inventory_read_start(&read, cli->zk, cli->loop, &wanted, cli_done, cli);
        rc = cli_wait(cli);
        if (rc < 0)
            inventory_read_cancel(&read);
    }
    in_force_done(&in_force);
    return rc;
}

/* Where the rule refuses the break there is nothing to confirm: the order says so. */
static bool confirm_break(struct cli *cli, const char *host,
                          const struct holder *holder)
{
    struct strbuf risk = {0};
    bool sure = true;
    if (holder->has_record)
        host_break_risk(host, &holder->record, holder->live, cli_now_ms(cli), &risk);
    if (risk.len && !cli->options.yes) {
        (void)fprintf(cli->writer.err, "%s\n", risk.text);
        sure = cli_ask_word(cli, "Type the host's name to break its permit:", host);
    }
    strbuf_done(&risk);
    return sure;
}

enum exit_code cmd_break(struct cli *cli)
{
    const char *host = host_argument(cli, 0);
    struct holder holder = {0};
    if (read_holder(cli, host, &holder) < 0)
        return cli_fail(cli);
    if (!confirm_break(cli, host, &holder)) {
        writer_say(&cli->writer, json_pack("{s:b}", "changed", 0), "nothing was done");
        return EXIT_FAILED;
    }
    if (carry_out(cli, HOST_BREAK, host, "") < 0)
        return cli_fail(cli);
    return settled(cli, EXIT_DONE);
}
