/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/commands.h"
#include "coordinator/prepare.h"

enum exit_code cmd_plan(struct cli *cli)
{
    static const struct goal goal = {.kind = ROLLOUT_INSTALL};
    struct plan plan = {0};
    enum exit_code code = prepare_plan(cli, &goal, &plan);
    if (code == EXIT_DONE) {
        struct plan_view view = prepare_view(cli, &plan, &goal);
        cli->writer.ops->plan(&cli->writer, &view);
        if (plan.members > 0 && plan_check(&plan, &cli->err) < 0)
            code = cli_fail(cli);
    }
    plan_done(&plan);
    return code;
}
