/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/manifest_get.h"

#include <errno.h>

struct manifest_read {
    struct cli *cli;
    struct zpath path;
    struct zk_request *request;
    struct timer retry;
    struct manifest *manifest;
};

static void on_manifest(void *ctx, const struct zk_reply *reply);

static void ask(void *ctx)
{
    struct manifest_read *read = ctx;
    read->request = zk_get(read->cli->zk, read->path.text, NULL, on_manifest, read);
}

static void on_manifest(void *ctx, const struct zk_reply *reply)
{
    struct manifest_read *read = ctx;
    struct error err = {0};
    int rc;
    read->request = NULL;
    if (reply->result == ZK_NOT_CONNECTED || reply->result == ZK_AMBIGUOUS) {
        timer_start(&read->retry, read->cli->loop, 50, ask, read);
        return;
    }
    if (reply->result != ZK_OK)
        rc = zk_error(reply->result, read->path.text, &err);
    else if ((rc = manifest_decode(reply->data, reply->data_len, &read->manifest,
                                   &err)) < 0)
        rc = error_context(&err, rc, "znode '%s'", read->path.text);
    cli_done(read->cli, rc, &err);
}

int manifest_get(struct cli *cli, const char *rollout, struct manifest **ret)
{
    struct manifest_read read = {.cli = cli, .path = zpath_spec(cli->root, rollout)};
    ask(&read);
    int rc = cli_wait(cli);
    zk_cancel(cli->zk, read.request);
    timer_stop(&read.retry);
    if (rc == -ENOENT)
        return error_set(&cli->err, rc, "there is no rollout %s", rollout);
    if (rc == 0)
        *ret = read.manifest;
    return rc;
}
