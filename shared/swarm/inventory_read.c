/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/inventory_read.h"

#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <stdlib.h>
#include <string.h>

enum { WINDOW = 256, READ_TIMEOUT_MS = 120000 };
enum { LIST_HOSTS, LIST_LIVE, LIST_RECORDS, LISTS };

static struct zpath list_path(const struct inventory_read *read, int list)
{
    switch (list) {
    case LIST_HOSTS:
        return zpath_hosts(read->wanted.root);
    case LIST_LIVE:
        return zpath_lives(read->wanted.root);
    default:
        return zpath_records(read->wanted.root, read->wanted.rollout);
    }
}

static struct zpath one_path(const struct inventory_read *read, int list)
{
    switch (list) {
    case LIST_HOSTS:
        return zpath_host(read->wanted.root, read->wanted.host);
    case LIST_LIVE:
        return zpath_live(read->wanted.root, read->wanted.host);
    default:
        return zpath_record(read->wanted.root, read->wanted.rollout, read->wanted.host);
    }
}

static struct zk_request *issue_list(void *ctx, int list, zk_done_f done,
                                     void *done_ctx)
{
    struct inventory_read *read = ctx;
    if (read->wanted.host)
        return zk_exists(read->zk, one_path(read, list).text, NULL, done, done_ctx);
    return zk_children(read->zk, list_path(read, list).text, NULL, done, done_ctx);
}

static int on_list(void *ctx, int list, bool repeated, const struct zk_reply *reply,
                   struct error *err)
{
    struct inventory_read *read = ctx;
    if (reply->result == ZK_NO_NODE)
        return 0;
    if (reply->result != ZK_OK)
        return zk_error(reply->result, list_path(read, list).text, err);
    if (read->wanted.host)
        strings_add(&read->listed[list], read->wanted.host);
    for (int i = 0; !read->wanted.host && i < reply->children_count; i++)
        strings_add(&read->listed[list], reply->children[i]);
    return 0;
}

static void on_batch(void *ctx, int result, const struct error *err)
{
    struct inventory_read *read = ctx;
    if (result < 0)
        flow_fail(&read->flow, err);
    else
        flow_next(&read->flow);
}

static enum flow_verdict list_names(struct flow *flow, void *ctx, struct error *err)
{
    struct inventory_read *read = ctx;
    const struct batch_work work = {.count =
                                        read->wanted.rollout ? LISTS : LIST_RECORDS,
                                    .window = LISTS,
                                    .issue = issue_list,
                                    .reply = on_list,
                                    .done = on_batch,
                                    .ctx = read};
    batch_start(&read->batch, read->zk, read->loop, &work);
    return FLOW_WAIT;
}

/* All lists, in order, each name once. */
static void merge(struct inventory_read *read)
{
    struct strings all = {0};
    for (int list = 0; list < LISTS; list++) {
        strings_sort(&read->listed[list]);
        for (int i = 0; i < read->listed[list].count; i++)
            strings_add(&all, read->listed[list].items[i]);
    }
    strings_sort(&all);
    for (int i = 0; i < all.count; i++)
        if (i == 0 || !str_equal(all.items[i], all.items[i - 1]))
            strings_add(&read->names, all.items[i]);
    strings_done(&all);
    read->live = mem_array((size_t)read->names.count + 1, sizeof(*read->live));
    for (int i = 0; i < read->names.count; i++)
        read->live[i] =
            strings_have_sorted(&read->listed[LIST_LIVE], read->names.items[i]);
}

/* Index 2n is host n's inventory, 2n + 1 its record. */
static struct zk_request *issue_get(void *ctx, int index, zk_done_f done,
                                    void *done_ctx)
{
    struct inventory_read *read = ctx;
    const char *name = read->names.items[index / 2];
    struct zpath path =
        index % 2 ? zpath_record(read->wanted.root, read->wanted.rollout, name)
                  : zpath_host(read->wanted.root, name);
    return zk_get(read->zk, path.text, NULL, done, done_ctx);
}

static int on_facts_bytes(struct inventory_read *read, int host,
                          const struct zk_reply *reply, struct error *err)
{
    struct facts facts;
    int rc = facts_decode(reply->data, reply->data_len, &facts, err);
    if (rc < 0)
        return rc;
    STR_COPY(facts.host, read->names.items[host]);
    read->wanted.on_facts(read->wanted.ctx, host, &facts);
    facts_done(&facts);
    return 0;
}

static int on_get(void *ctx, int index, bool repeated, const struct zk_reply *reply,
                  struct error *err)
{
    struct inventory_read *read = ctx;
    const char *name = read->names.items[index / 2];
    struct record record;
    struct error bad = {0};
    int rc = 0;
    if (reply->result == ZK_NO_NODE)
        return 0;
    if (reply->result != ZK_OK)
        return zk_error(reply->result, name, err);
    if (index % 2 == 0)
        rc = on_facts_bytes(read, index / 2, reply, &bad);
    else if ((rc = record_decode(reply->data, reply->data_len, &record, &bad)) == 0)
        read->wanted.on_record(read->wanted.ctx, index / 2, &record);
    if (rc < 0)
        read->wanted.on_bad(read->wanted.ctx, index / 2, &bad);
    return 0;
}

/* One kind only: the other indices are not asked for. */
static struct zk_request *issue_facts(void *ctx, int index, zk_done_f done,
                                      void *done_ctx)
{
    return issue_get(ctx, 2 * index, done, done_ctx);
}

static int on_facts_only(void *ctx, int index, bool repeated,
                         const struct zk_reply *reply, struct error *err)
{
    return on_get(ctx, 2 * index, repeated, reply, err);
}

static struct zk_request *issue_record(void *ctx, int index, zk_done_f done,
                                       void *done_ctx)
{
    return issue_get(ctx, 2 * index + 1, done, done_ctx);
}

static int on_record_only(void *ctx, int index, bool repeated,
                          const struct zk_reply *reply, struct error *err)
{
    return on_get(ctx, 2 * index + 1, repeated, reply, err);
}

static enum flow_verdict get_each(struct flow *flow, void *ctx, struct error *err)
{
    struct inventory_read *read = ctx;
    struct batch_work work = {
        .count = read->names.count, .window = WINDOW, .done = on_batch, .ctx = read};
    merge(read);
    read->wanted.names(read->wanted.ctx, &read->names, read->live);
    work.count = read->names.count;
    if (read->wanted.facts && read->wanted.rollout) {
        work.count *= 2;
        work.issue = issue_get;
        work.reply = on_get;
    } else if (read->wanted.facts) {
        work.issue = issue_facts;
        work.reply = on_facts_only;
    } else if (read->wanted.rollout) {
        work.issue = issue_record;
        work.reply = on_record_only;
    } else {
        return FLOW_NEXT;
    }
    batch_start(&read->batch, read->zk, read->loop, &work);
    return FLOW_WAIT;
}

static void drop(void *ctx)
{
    struct inventory_read *read = ctx;
    batch_cancel(&read->batch);
}

static const struct flow_step steps[] = {
    {.name = "list the hosts", .run = list_names, .cancel = drop},
    {.name = "read each host",
     .run = get_each,
     .cancel = drop,
     .timeout_ms = READ_TIMEOUT_MS},
    {0},
};

static void release(struct inventory_read *read)
{
    batch_cancel(&read->batch);
    for (int i = 0; i < LISTS; i++)
        strings_done(&read->listed[i]);
    strings_done(&read->names);
    free(read->live);
    read->live = NULL;
}

static void on_done(void *ctx, int result, const struct error *err)
{
    struct inventory_read *read = ctx;
    release(read);
    read->done(read->done_ctx, result, err);
}

void inventory_read_start(struct inventory_read *read, struct zk *zk, struct loop *loop,
                          const struct inventory_request *wanted, flow_done_f done,
                          void *done_ctx)
{
    *read = (struct inventory_read){
        .wanted = *wanted, .zk = zk, .loop = loop, .done = done, .done_ctx = done_ctx};
    flow_start(&read->flow, loop, steps, read, on_done, read);
}

void inventory_read_cancel(struct inventory_read *read)
{
    if (!flow_active(&read->flow))
        return;
    flow_cancel(&read->flow);
    release(read);
}
