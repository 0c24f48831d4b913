/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/commands.h"
#include "coordinator/current.h"
#include "coordinator/manifest_get.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/swarm/event_read.h"

#include <stdlib.h>

enum { LAST_DEFAULT = 50 };

struct events {
    struct event *items;
    int count, size;
};

static void on_event(void *ctx, int number, const struct event *event)
{
    struct events *events = ctx;
    if (events->count == events->size) {
        events->size = events->size ? 2 * events->size : 64;
        events->items =
            mem_resize(events->items, (size_t)events->size, sizeof(*events->items));
    }
    events->items[events->count++] = *event;
}

enum exit_code events_check(struct cli *cli)
{
    const struct strings *arguments = &cli->options.arguments;
    if (arguments->count == 1 && !rollout_id_valid(arguments->items[0]))
        return cli_usage(cli, "events: \"%.60s\" %s", arguments->items[0],
                         rollout_id_check(arguments->items[0]));
    return EXIT_DONE;
}

/* The one that is named, which must be there still; else the last one, "" = none. */
static int find_rollout(struct cli *cli, struct current *ret)
{
    const struct strings *arguments = &cli->options.arguments;
    struct manifest *manifest = NULL;
    if (arguments->count == 0)
        return current_get(cli, ret);
    STR_COPY(ret->rollout, arguments->items[0]);
    int rc = manifest_get(cli, ret->rollout, &manifest);
    manifest_free(manifest);
    return rc;
}

enum exit_code cmd_events(struct cli *cli)
{
    struct current found = {0};
    struct events events = {0};
    struct event_read read = {0};
    int last = cli->options.last ? (int)cli->options.last : LAST_DEFAULT;
    if (find_rollout(cli, &found) < 0)
        return cli_fail(cli);
    if (!found.rollout[0]) {
        cli->writer.ops->events(&cli->writer, NULL, 0);
        return EXIT_DONE;
    }
    event_read_start(&read, cli->zk, cli->loop, cli->root, found.rollout, 0,
                     cli->options.all ? 0 : last, on_event, &events, cli_done, cli);
    int rc = cli_wait(cli);
    if (rc < 0)
        event_read_cancel(&read);
    else
        cli->writer.ops->events(&cli->writer, events.items, events.count);
    free(events.items);
    return rc < 0 ? cli_fail(cli) : EXIT_DONE;
}
