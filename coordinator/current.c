/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/current.h"

#include "shared/base/str.h"

static void on_current(void *ctx, const struct zk_reply *reply);

static void ask(void *ctx)
{
    struct current_read *read = ctx;
    struct cli *cli = read->cli;
    read->request =
        zk_get(cli->zk, zpath_current(cli->root).text, NULL, on_current, read);
}

static void on_current(void *ctx, const struct zk_reply *reply)
{
    struct current_read *read = ctx;
    struct zpath path = zpath_current(read->cli->root);
    struct error err = {0};
    read->request = NULL;
    if (reply->result == ZK_NOT_CONNECTED || reply->result == ZK_AMBIGUOUS) {
        timer_start(&read->retry, read->cli->loop, 50, ask, read);
        return;
    }
    int rc = zk_error(reply->result, path.text, &err);
    if (rc == 0 &&
        (rc = current_decode(reply->data, reply->data_len, &read->current, &err)) < 0)
        rc = error_context(&err, rc, "znode '%s'", path.text);
    cli_done(read->cli, rc, &err);
}

int current_get(struct cli *cli, struct current *ret)
{
    struct current_read read = {.cli = cli};
    ask(&read);
    int rc = cli_wait(cli);
    zk_cancel(cli->zk, read.request);
    timer_stop(&read.retry);
    if (rc == 0)
        *ret = read.current;
    return rc;
}
