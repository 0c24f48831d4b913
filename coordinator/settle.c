/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/settle.h"

#include "shared/base/str.h"
#include "shared/swarm/progress_read.h"

bool settle_due(const struct progress *progress)
{
    bool all_open =
        progress->waves_count > 0 && progress->waves[progress->waves_count - 1].ended;
    bool due =
        progress->phase == GATE_ABORT || (progress->phase == GATE_RUN && all_open);
    return due && progress_holders(progress) == 0;
}

static void on_closed(void *ctx, enum txn_outcome outcome, const struct error *err)
{
    struct settle *settle = ctx;
    static const struct error none = {0};
    bool refused = outcome == TXN_REFUSED; /* unsure: the next look tells */
    settle->active = false;
    settle->closed = outcome == TXN_DONE && settle->close.closed;
    settle->done(settle->ctx, refused ? err->code : 0, refused ? err : &none);
}

void settle_start(struct settle *settle, struct cli *cli,
                  const struct manifest *manifest, flow_done_f done, void *ctx)
{
    *settle = (struct settle){.swarm = {.zk = cli->zk, .loop = cli->loop},
                              .active = true,
                              .done = done,
                              .ctx = ctx};
    STR_COPY(settle->swarm.root, cli->root);
    STR_COPY(settle->swarm.host, cli->who);
    STR_COPY(settle->swarm.rollout, manifest->id);
    close_start(&settle->close, &settle->swarm, manifest, on_closed, settle);
}

void settle_cancel(struct settle *settle)
{
    if (settle->active)
        close_cancel(&settle->close);
    settle->active = false;
}

int settle_if_due(struct cli *cli)
{
    struct progress_reader reader = {0};
    struct progress progress = {0};
    struct settle settle = {0};
    progress_reader_init(&reader, cli->zk, cli->loop, cli->root, NULL);
    progress_reader_refresh(&reader, cli_done, cli);
    int rc = cli_wait(cli);
    if (rc == 0 && reader.rollout[0]) {
        progress_make(&reader.reading, NULL, cli_now_ms(cli), &progress);
        if (settle_due(&progress)) {
            settle_start(&settle, cli, reader.manifest, cli_done, cli);
            rc = cli_wait(cli);
            settle_cancel(&settle);
        }
    }
    progress_done(&progress);
    progress_reader_done(&reader);
    return rc;
}
