/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/commands.h"

#include "shared/base/str.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

/* RFC 4122, version 4. */
static int uuid_make(char ret[CLUSTER_ID_SIZE], struct error *err)
{
    unsigned char b[16];
    if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
        return error_set(err, -EIO, "no random number from the kernel");
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    (void)snprintf(
        ret, CLUSTER_ID_SIZE,
        "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
        b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
        b[13], b[14], b[15]);
    return 0;
}

enum exit_code cmd_init(struct cli *cli)
{
    struct init init = {0};
    struct init_request wanted = {.protect = cli->digest != NULL};
    STR_COPY(wanted.root, cli->root);
    if (uuid_make(wanted.cluster, &cli->err) < 0)
        return cli_fail(cli);
    init_start(&init, cli->zk, cli->loop, &wanted, cli_done, cli);
    if (cli_wait(cli) < 0) {
        init_cancel(&init);
        return cli_fail(cli);
    }
    json_t *facts =
        json_pack("{s:s, s:s, s:b, s:i}", "root", cli->root, "cluster", init.cluster,
                  "created", (int)!init.was_there, "mended", init.mended);
    if (!init.was_there)
        writer_say(&cli->writer, facts, "made %s (cluster %s)%s", cli->root,
                   init.cluster, wanted.protect ? ", for the digest's owner only" : "");
    else if (init.mended)
        writer_say(&cli->writer, facts,
                   "%s was there (cluster %s); put back %d missing znode%s", cli->root,
                   init.cluster, init.mended, plural(init.mended, "", "s"));
    else
        writer_say(&cli->writer, facts, "%s was there already (cluster %s)", cli->root,
                   init.cluster);
    return EXIT_DONE;
}
