/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/begin.h"
#include "coordinator/commands.h"

enum exit_code install_check(struct cli *cli)
{
    enum exit_code code = begin_check(cli);
    return code == EXIT_DONE ? prepare_spec(cli) : code;
}

enum exit_code cmd_install(struct cli *cli)
{
    static const struct goal goal = {.kind = ROLLOUT_INSTALL};
    return begin_rollout(cli, &goal);
}
