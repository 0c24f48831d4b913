/* SPDX-License-Identifier: Apache-2.0
 *
 * promote: opens the barrier at the end of a wave that waits for an operator.
 */
#include "coordinator/commands.h"
#include "shared/base/str.h"
#include "shared/swarm/promote.h"

enum exit_code promote_check(struct cli *cli)
{
    const char *wave = cli->options.arguments.items[0];
    if (!name_valid(wave))
        return cli_usage(cli, "promote: wave \"%s\" %s", wave, name_check(wave));
    return EXIT_DONE;
}

enum exit_code cmd_promote(struct cli *cli)
{
    struct promote_request request = {.at_ms = cli_now_ms(cli)};
    struct promote promote = {0};
    STR_COPY(request.wave, cli->options.arguments.items[0]);
    STR_COPY(request.who, cli->who);
    STR_COPY(request.why, cli->options.reason ? cli->options.reason : "");
    promote_start(&promote, cli->zk, cli->loop, cli->root, &request, cli_done, cli);
    int rc = cli_wait(cli);
    if (rc == 0)
        writer_say(&cli->writer,
                   json_pack("{s:s, s:s, s:s, s:b}", "rollout",
                             promote.in_force.current.rollout, "order", "promote",
                             "wave", request.wave, "changed", (int)promote.changed),
                   promote.changed ? "wave %s is promoted: the next one begins"
                                   : "wave %s was promoted already",
                   request.wave);
    promote_done(&promote);
    return rc < 0 ? cli_fail(cli) : EXIT_DONE;
}
