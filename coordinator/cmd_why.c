/* SPDX-License-Identifier: Apache-2.0
 *
 * why: what a host does or waits for, from the outside in.
 */
#include "coordinator/commands.h"
#include "shared/swarm/why_read.h"

enum exit_code why_check(struct cli *cli)
{
    const char *host = cli->options.arguments.items[0];
    if (!host_id_valid(host))
        return cli_usage(cli, "why: \"%s\" %s", host, host_id_check(host));
    return EXIT_DONE;
}

static void show(struct cli *cli, const struct why_read *read)
{
    int64_t now_ms = cli_now_ms(cli);
    struct why why;
    why_make(&read->reading, now_ms, &why);
    const struct why_view view = {.host = read->reading.host.host,
                                  .rollout = read->progress.rollout,
                                  .why = &why};
    cli->writer.ops->why(&cli->writer, &view, now_ms);
    why_done(&why);
}

enum exit_code cmd_why(struct cli *cli)
{
    struct why_read read;
    why_read_start(&read, cli->zk, cli->loop, cli->root,
                   cli->options.arguments.items[0], cli_done, cli);
    int rc = cli_wait(cli);
    if (rc == 0)
        show(cli, &read);
    why_read_done(&read);
    return rc < 0 ? cli_fail(cli) : EXIT_DONE;
}
