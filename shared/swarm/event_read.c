/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/event_read.h"

#include "shared/base/mem.h"

#include <errno.h>
#include <stdlib.h>

enum { RETRY_MS = 100, WINDOW = 128 };

static void on_count(void *ctx, const struct zk_reply *reply)
{
    struct event_read *read = ctx;
    struct zpath path = zpath_events(read->root, read->rollout);
    struct error err = {0};
    read->request = NULL;
    if (reply->result == ZK_OK) {
        read->count = reply->stat.children_count;
        if (read->last > 0 && read->count - read->last > read->from)
            read->from = read->count - read->last;
        flow_next(&read->flow);
        return;
    }
    (void)zk_error(reply->result, path.text, &err);
    if (reply->result == ZK_NOT_CONNECTED || reply->result == ZK_AMBIGUOUS)
        flow_again(&read->flow, RETRY_MS, &err);
    else
        flow_fail(&read->flow, &err);
}

static enum flow_verdict count(struct flow *flow, void *ctx, struct error *err)
{
    struct event_read *read = ctx;
    read->request = zk_exists(read->zk, zpath_events(read->root, read->rollout).text,
                              NULL, on_count, read);
    return FLOW_WAIT;
}

static char *event_path(const struct event_read *read, int index)
{
    struct zpath events = zpath_events(read->root, read->rollout);
    return mem_printf("%s/e-%010d", events.text, read->from + index);
}

static struct zk_request *issue(void *ctx, int index, zk_done_f done, void *done_ctx)
{
    struct event_read *read = ctx;
    char *path = event_path(read, index);
    struct zk_request *request = zk_get(read->zk, path, NULL, done, done_ctx);
    free(path);
    return request;
}

static int on_event(void *ctx, int index, bool repeated, const struct zk_reply *reply,
                    struct error *err)
{
    struct event_read *read = ctx;
    if (reply->result == ZK_NO_NODE)
        return 0; /* removed by hand */
    if (reply->result != ZK_OK)
        return zk_error(reply->result, "event", err);
    int rc = event_decode(reply->data, reply->data_len, &read->events[index], err);
    if (rc < 0)
        return error_context(err, rc, "event %d of rollout %s", read->from + index,
                             read->rollout);
    read->there[index] = true;
    return 0;
}

static void on_read(void *ctx, int result, const struct error *err)
{
    struct event_read *read = ctx;
    if (result < 0)
        flow_fail(&read->flow, err);
    else
        flow_next(&read->flow);
}

static enum flow_verdict get_each(struct flow *flow, void *ctx, struct error *err)
{
    struct event_read *read = ctx;
    if (read->count <= read->from)
        return FLOW_NEXT;
    const struct batch_work work = {.count = read->count - read->from,
                                    .window = WINDOW,
                                    .issue = issue,
                                    .reply = on_event,
                                    .done = on_read,
                                    .ctx = read};
    read->events = mem_array((size_t)work.count, sizeof(*read->events));
    read->there = mem_array((size_t)work.count, sizeof(*read->there));
    batch_start(&read->batch, read->zk, read->loop, &work);
    return FLOW_WAIT;
}

static void drop(void *ctx)
{
    struct event_read *read = ctx;
    zk_cancel(read->zk, read->request);
    read->request = NULL;
    batch_cancel(&read->batch);
}

static const struct flow_step steps[] = {
    {.name = "count the events", .run = count, .cancel = drop},
    {.name = "read the events", .run = get_each, .cancel = drop},
    {0},
};

static void release(struct event_read *read)
{
    batch_cancel(&read->batch);
    free(read->events);
    free(read->there);
    read->events = NULL;
    read->there = NULL;
}

static void on_done(void *ctx, int result, const struct error *err)
{
    struct event_read *read = ctx;
    for (int i = 0; result == 0 && read->events && i < read->count - read->from; i++)
        if (read->there[i])
            read->seen(read->seen_ctx, read->from + i, &read->events[i]);
    release(read);
    read->done(read->done_ctx, result, err);
}

void event_read_start(struct event_read *read, struct zk *zk, struct loop *loop,
                      const char *root, const char *rollout, int from, int last,
                      event_seen_f seen, void *seen_ctx, flow_done_f done,
                      void *done_ctx)
{
    *read = (struct event_read){.zk = zk,
                                .loop = loop,
                                .root = root,
                                .rollout = rollout,
                                .from = from,
                                .last = last,
                                .seen = seen,
                                .seen_ctx = seen_ctx,
                                .done = done,
                                .done_ctx = done_ctx};
    flow_start(&read->flow, loop, steps, read, on_done, read);
}

void event_read_cancel(struct event_read *read)
{
    if (!flow_active(&read->flow))
        return;
    flow_cancel(&read->flow);
    release(read);
}
