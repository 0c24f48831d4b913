/* SPDX-License-Identifier: Apache-2.0
 *
 * status and leases: one look.
 */
#include "coordinator/commands.h"
#include "shared/swarm/progress_read.h"

static enum exit_code look(struct cli *cli,
                           void (*show)(struct writer *w, const struct progress *p,
                                        int64_t now_ms))
{
    struct progress_reader reader;
    struct progress progress = {0};
    enum exit_code code = EXIT_DONE;
    progress_reader_init(&reader, cli->zk, cli->loop, cli->root, NULL);
    progress_reader_refresh(&reader, cli_done, cli);
    if (cli_wait(cli) < 0) {
        code = cli_fail(cli);
    } else if (!reader.rollout[0]) {
        show(&cli->writer, NULL, cli_now_ms(cli));
    } else {
        progress_make(&reader.reading, NULL, cli_now_ms(cli), &progress);
        show(&cli->writer, &progress, cli_now_ms(cli));
    }
    progress_done(&progress);
    progress_reader_done(&reader);
    return code;
}

enum exit_code cmd_status(struct cli *cli)
{
    return look(cli, cli->writer.ops->progress);
}

enum exit_code cmd_leases(struct cli *cli)
{
    return look(cli, cli->writer.ops->leases);
}
