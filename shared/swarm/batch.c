/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/batch.h"

#include "shared/base/mem.h"

#include <stdlib.h>

enum { RECONNECT_POLL_MS = 50 };
enum { TO_ISSUE, TO_REPEAT, OUT, OUT_REPEATED, ANSWERED };

static void pump(void *ctx);

static void release(struct batch *batch)
{
    timer_stop(&batch->turn);
    for (int i = 0; batch->slots && i < batch->work.window; i++)
        zk_cancel(batch->zk, batch->slots[i].request);
    free(batch->slots);
    free(batch->states);
    batch->slots = NULL;
    batch->states = NULL;
}

static void end(struct batch *batch, int result, const struct error *err)
{
    struct batch_work work = batch->work;
    release(batch);
    work.done(work.ctx, result, err);
}

static void on_reply(void *ctx, const struct zk_reply *reply)
{
    struct batch_slot *slot = ctx;
    struct batch *batch = slot->batch;
    int index = slot->index;
    bool repeated = batch->states[index] == OUT_REPEATED;
    slot->request = NULL;
    slot->index = -1;
    batch->out--;
    if (reply->result == ZK_NOT_CONNECTED || reply->result == ZK_AMBIGUOUS) {
        bool sent = repeated || reply->result == ZK_AMBIGUOUS;
        batch->states[index] = sent ? TO_REPEAT : TO_ISSUE;
        if (index < batch->next)
            batch->next = index;
        timer_start(&batch->turn, batch->loop, RECONNECT_POLL_MS, pump, batch);
        return;
    }
    batch->states[index] = ANSWERED;
    batch->answered++;
    struct error err = {0};
    int rc = batch->work.reply(batch->work.ctx, index, repeated, reply, &err);
    if (rc < 0)
        end(batch, rc, &err);
    else if (batch->answered == batch->work.count)
        end(batch, 0, &err);
    else if (!timer_armed(&batch->turn))
        pump(batch);
}

static struct batch_slot *free_slot(struct batch *batch)
{
    for (int i = 0; i < batch->work.window; i++)
        if (batch->slots[i].index < 0)
            return &batch->slots[i];
    return NULL;
}

static void issue(struct batch *batch, int index)
{
    struct batch_slot *slot = free_slot(batch);
    slot->index = index;
    batch->states[index] = batch->states[index] == TO_REPEAT ? OUT_REPEATED : OUT;
    batch->out++;
    slot->request = batch->work.issue(batch->work.ctx, index, on_reply, slot);
}

/* After a loss everything that was out comes back before anything is issued again, so
 * that the order of the indices is kept. */
static void pump(void *ctx)
{
    struct batch *batch = ctx;
    if (batch->work.count == 0) {
        static const struct error none = {0};
        end(batch, 0, &none);
        return;
    }
    if (!batch->zk->connected) {
        timer_start(&batch->turn, batch->loop, RECONNECT_POLL_MS, pump, batch);
        return;
    }
    for (; batch->next < batch->work.count && batch->out < batch->work.window;
         batch->next++)
        if (batch->states[batch->next] <= TO_REPEAT)
            issue(batch, batch->next);
}

void batch_start(struct batch *batch, struct zk *zk, struct loop *loop,
                 const struct batch_work *work)
{
    *batch = (struct batch){.zk = zk, .loop = loop, .work = *work};
    batch->slots = mem_array((size_t)work->window, sizeof(*batch->slots));
    batch->states = mem_array((size_t)work->count + 1, 1);
    for (int i = 0; i < work->window; i++)
        batch->slots[i] = (struct batch_slot){.batch = batch, .index = -1};
    timer_start(&batch->turn, loop, 0, pump, batch);
}

void batch_cancel(struct batch *batch)
{
    if (batch_active(batch))
        release(batch);
}

bool batch_active(const struct batch *batch)
{
    return batch->slots != NULL;
}
