/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/commands.h"

enum exit_code cmd_help(struct cli *cli)
{
    const struct command *command = cli->options.help ? cli->command : NULL;
    struct strbuf out = {0};
    if (!cli->options.help && cli->options.arguments.count == 1) {
        command = command_find(cli->options.arguments.items[0]);
        if (!command) {
            (void)command_unknown(cli->options.arguments.items[0], &cli->err);
            return cli_usage(cli, "%s", cli->err.text);
        }
    }
    help_render(command, cli->writer.style.width, &out);
    (void)fputs(out.text, cli->writer.out);
    strbuf_done(&out);
    return EXIT_DONE;
}

enum exit_code cmd_version(struct cli *cli)
{
    writer_say(&cli->writer, json_pack("{s:s}", "version", CLOWDER_VERSION),
               "clowder %s", CLOWDER_VERSION);
    return EXIT_DONE;
}
