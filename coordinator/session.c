/* SPDX-License-Identifier: Apache-2.0
 *
 * The session with ZooKeeper, and waiting for one operation at a time. While there is
 * no connection a watchdog counts: after --timeout the wait ends, naming what was
 * tried.
 */
#include "coordinator/cli.h"
#include "shared/base/fs.h"
#include "shared/base/str.h"
#include "shared/io/zk_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { WATCHDOG_MS = 50 };

void cli_done(void *ctx, int result, const struct error *err)
{
    struct cli *cli = ctx;
    cli->done = true;
    cli->result = result;
    error_copy(&cli->err, err);
    if (cli->waiting)
        event_loop_stop(cli->el, 0);
}

static void give_up(struct cli *cli)
{
    char limit[32];
    str_from_duration_ms(cli->options.timeout_ms, limit, sizeof(limit));
    cli->result = error_set(&cli->err, -ENOTCONN,
                            "ZooKeeper cannot be reached at %s within %s: %s",
                            cli->servers, limit, zk_client_says(cli->zk));
    cli->done = true;
    event_loop_stop(cli->el, 0);
}

static void on_watchdog(void *ctx)
{
    struct cli *cli = ctx;
    int64_t now_ms = loop_now_ms(cli->loop);
    if (cli->zk->connected)
        cli->away_since_ms = 0;
    else if (!cli->away_since_ms)
        cli->away_since_ms = now_ms;
    if (!cli->patient && cli->away_since_ms &&
        now_ms - cli->away_since_ms >= cli->options.timeout_ms)
        give_up(cli);
    else
        timer_start(&cli->watchdog, cli->loop, WATCHDOG_MS, on_watchdog, cli);
}

int cli_wait(struct cli *cli)
{
    cli->waiting = true;
    if (!cli->done) {
        timer_start(&cli->watchdog, cli->loop, 0, on_watchdog, cli);
        (void)event_loop_run(cli->el);
        timer_stop(&cli->watchdog);
    }
    cli->waiting = cli->done = false;
    return cli->result;
}

static int read_digest(struct cli *cli)
{
    const char *file = cli->options.digest_file;
    size_t len;
    if (!file)
        return 0;
    int rc = fs_read(file, 4096, &cli->digest, &len, &cli->err);
    if (rc < 0)
        return error_context(&cli->err, rc, "--digest-file");
    cli->digest[strcspn(cli->digest, "\r\n")] = '\0';
    if (!strchr(cli->digest, ':') || cli->digest[0] == ':')
        return error_set(&cli->err, -EINVAL,
                         "--digest-file: '%s' does not hold "
                         "\"user:password\"",
                         file);
    return 0;
}

static void on_session(void *ctx, enum zk_session_event event, bool fresh)
{
    struct cli *cli = ctx;
    struct error err = {0};
    switch (event) {
    case ZK_SESSION_CONNECTED:
        if (cli->connecting)
            cli_done(cli, 0, &err);
        break;
    case ZK_SESSION_AUTH_FAILED:
        (void)error_set(&err, -EACCES, "ZooKeeper at %s refuses the digest of '%s'",
                        cli->servers, cli->options.digest_file);
        if (cli->waiting)
            cli_done(cli, err.code, &err);
        break;
    case ZK_SESSION_DISCONNECTED:
    case ZK_SESSION_EXPIRED:
        break; /* the watchdog counts; operations ask again by themselves */
    }
}

static void on_root(void *ctx, const struct zk_reply *reply);

static void read_root(void *ctx)
{
    struct cli *cli = ctx;
    cli->root_request = zk_get(cli->zk, cli->root, NULL, on_root, cli);
}

static void on_root(void *ctx, const struct zk_reply *reply)
{
    struct cli *cli = ctx;
    char cluster[CLUSTER_ID_SIZE];
    struct error err = {0};
    int rc;
    cli->root_request = NULL;
    if (reply->result == ZK_NOT_CONNECTED || reply->result == ZK_AMBIGUOUS) {
        timer_start(&cli->root_retry, cli->loop, WATCHDOG_MS, read_root, cli);
        return;
    }
    if (reply->result == ZK_NO_NODE)
        rc = error_set(&err, -ENOENT,
                       "there is no clowder at '%s' in this ZooKeeper: run `clowder "
                       "init`, or name another root with --zk",
                       cli->root);
    else if (reply->result == ZK_NO_AUTH)
        rc = error_set(&err, -EACCES, "'%s' is protected and %s", cli->root,
                       cli->digest ? "the digest of --digest-file is not its owner's"
                                   : "no --digest-file was given");
    else if (reply->result != ZK_OK)
        rc = zk_error(reply->result, cli->root, &err);
    else if ((rc = root_decode(reply->data, reply->data_len, cluster, &err)) < 0)
        rc = error_context(&err, rc, "znode '%s'", cli->root);
    cli_done(cli, rc, &err);
}

int cli_connect(struct cli *cli)
{
    struct zpath root;
    int rc = zk_address_parse(cli->options.zk, &cli->servers, &root, &cli->err);
    if (rc == 0)
        rc = read_digest(cli);
    if (rc == 0)
        rc = event_loop_new(&cli->el, &cli->err);
    if (rc < 0)
        return rc;
    cli->loop = event_loop_port(cli->el);
    const struct zk_client_config config = {.servers = cli->servers,
                                            .digest = cli->digest};
    rc = zk_client_new(cli->el, &config, &cli->zk, &cli->err);
    if (rc < 0)
        return rc;
    zk_listen(cli->zk, on_session, cli);
    cli->connecting = true;
    rc = cli_wait(cli);
    cli->connecting = false;
    if (rc < 0)
        return rc;
    STR_COPY(cli->root, root.text);
    read_root(cli);
    rc = cli_wait(cli);
    zk_cancel(cli->zk, cli->root_request);
    timer_stop(&cli->root_retry);
    return rc;
}

void cli_close(struct cli *cli)
{
    zk_free(cli->zk);
    event_loop_free(cli->el);
    free(cli->servers);
    free(cli->digest);
    spec_free(cli->spec);
    options_done(&cli->options);
}
