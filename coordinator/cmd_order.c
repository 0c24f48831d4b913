/* SPDX-License-Identifier: Apache-2.0
 *
 * pause, resume, abort, set-limit. An abort is closed at once when nobody holds a
 * permit: otherwise the last holder does it.
 */
#include "coordinator/commands.h"
#include "coordinator/settle.h"
#include "shared/base/str.h"
#include "shared/swarm/order.h"
#include "shared/swarm/progress_read.h"

#include <stdlib.h>
#include <string.h>

static void say(struct cli *cli, const struct order *order, const char *sentence)
{
    json_t *facts = json_pack("{s:s, s:s, s:s, s:b}", "rollout", order->current.rollout,
                              "order", order_kind_text(order->request.kind), "phase",
                              gate_phase_text(order->gate.phase), "changed",
                              (int)(order->outcome == ORDER_CHANGED));
    writer_say(&cli->writer, facts, "rollout %s %s", order->current.rollout, sentence);
}

static int carry_out(struct cli *cli, enum order_kind kind, struct order *order)
{
    struct order_request request = {.kind = kind, .at_ms = cli_now_ms(cli)};
    STR_COPY(request.who, cli->who);
    STR_COPY(request.why, cli->options.reason ? cli->options.reason : "");
    if (kind == ORDER_SET_LIMIT) {
        STR_COPY(request.lease, cli->options.arguments.items[0]);
        request.each_zone = cli->options.each_zone;
        request.permits = atoi(cli->options.arguments.items[1]);
    }
    order_start(order, cli->zk, cli->loop, cli->root, &request, cli_done, cli);
    int rc = cli_wait(cli);
    if (rc < 0)
        order_cancel(order);
    return rc;
}

enum exit_code cmd_pause(struct cli *cli)
{
    struct order order = {0};
    if (carry_out(cli, ORDER_PAUSE, &order) < 0)
        return cli_fail(cli);
    say(cli, &order,
        order.outcome == ORDER_ALREADY
            ? "was paused already"
            : "is paused: hosts in flight finish their visit, no other begins");
    return EXIT_DONE;
}

enum exit_code cmd_resume(struct cli *cli)
{
    struct order order = {0};
    if (carry_out(cli, ORDER_RESUME, &order) < 0)
        return cli_fail(cli);
    say(cli, &order, order.outcome == ORDER_ALREADY ? "was not paused" : "goes on");
    return EXIT_DONE;
}

static bool confirm_abort(struct cli *cli)
{
    if (cli->options.yes || !cli->terminal.in)
        return true; /* what is done stays done, and an install can follow */
    return cli_ask(cli, "Abort the rollout in force?");
}

static enum exit_code say_aborted(struct cli *cli, struct order *order,
                                  const struct progress *progress, bool closed)
{
    int holders = progress_holders(progress);
    char sentence[160];
    if (closed)
        order->gate.phase = GATE_DONE;
    if (closed || order->gate.phase == GATE_DONE)
        (void)snprintf(sentence, sizeof(sentence),
                       "is aborted: no host holds a permit");
    else
        (void)snprintf(sentence, sizeof(sentence),
                       "is being aborted: it ends when %d %s given back (`clowder "
                       "watch`)",
                       holders, plural(holders, "permit is", "permits are"));
    say(cli, order, sentence);
    return EXIT_DONE;
}

enum exit_code cmd_abort(struct cli *cli)
{
    struct order order = {0};
    struct progress_reader reader = {0};
    struct progress progress = {0};
    struct settle closing = {0};
    if (!confirm_abort(cli)) {
        writer_say(&cli->writer, json_pack("{s:b}", "changed", 0), "nothing was done");
        return EXIT_FAILED;
    }
    if (carry_out(cli, ORDER_ABORT, &order) < 0)
        return cli_fail(cli);
    progress_reader_init(&reader, cli->zk, cli->loop, cli->root, order.current.rollout);
    progress_reader_refresh(&reader, cli_done, cli);
    int rc = cli_wait(cli);
    if (rc == 0) {
        progress_make(&reader.reading, NULL, cli_now_ms(cli), &progress);
        if (settle_due(&progress)) {
            settle_start(&closing, cli, reader.manifest, cli_done, cli);
            rc = cli_wait(cli);
            settle_cancel(&closing);
        }
    }
    enum exit_code code =
        rc < 0 ? cli_fail(cli) : say_aborted(cli, &order, &progress, closing.closed);
    progress_done(&progress);
    progress_reader_done(&reader);
    return code;
}

enum exit_code set_limit_check(struct cli *cli)
{
    const struct strings *arguments = &cli->options.arguments;
    int64_t permits;
    const char *lease = arguments->items[0];
    if (lease_check(lease))
        return cli_usage(cli, "set-limit: lease \"%s\" %s", lease, lease_check(lease));
    if (cli->options.each_zone && lease_zone(lease))
        return cli_usage(cli,
                         "set-limit: \"%s\" is the lease of one zone, and "
                         "--each-zone means all of them",
                         lease);
    if (str_to_int64(arguments->items[1], 1, 1000000, &permits) < 0)
        return cli_usage(cli, "set-limit: \"%s\" is not a number of hosts, 1 or more",
                         arguments->items[1]);
    return EXIT_DONE;
}

enum exit_code cmd_set_limit(struct cli *cli)
{
    struct order order = {0};
    char sentence[160];
    if (carry_out(cli, ORDER_SET_LIMIT, &order) < 0)
        return cli_fail(cli);
    int permits = order.request.permits;
    (void)snprintf(sentence, sizeof(sentence), "lets %d %s %sinto %s at a time%s",
                   permits, plural(permits, "host", "hosts"),
                   order.request.each_zone ? "of each zone " : "", order.request.lease,
                   order.outcome == ORDER_ALREADY ? " already" : "");
    say(cli, &order, sentence);
    return EXIT_DONE;
}
