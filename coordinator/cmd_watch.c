/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/commands.h"
#include "coordinator/watch.h"

enum exit_code cmd_watch(struct cli *cli)
{
    return watch_rollout(cli, cli->options.stop_when_paused);
}
