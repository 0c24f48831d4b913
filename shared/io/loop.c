/* loop.c - timers in one heap, behind one small port.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/io/loop.h"

#include "shared/base/mem.h"

#include <assert.h>
#include <stdlib.h>

void loop_init(struct loop *loop, const struct loop_ops *ops, uint64_t seed)
{
    *loop = (struct loop){.ops = ops, .random_state = seed};
    loop->told_ms = INT64_MAX;
}

void loop_done(struct loop *loop)
{
    for (size_t i = 0; i < loop->heap_count; i++)
        loop->heap[i]->index = 0;
    free(loop->heap);
    loop->heap = NULL;
    loop->heap_count = loop->heap_size = 0;
}

int64_t loop_now_ms(struct loop *loop)
{
    return loop->ops->now_ms(loop);
}

int64_t loop_wall_ms(struct loop *loop)
{
    return loop->ops->wall_ms(loop);
}

uint64_t loop_random(struct loop *loop) /* splitmix64 */
{
    uint64_t z = loop->random_state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int64_t loop_random_range(struct loop *loop, int64_t min, int64_t max)
{
    uint64_t span = (uint64_t)max - (uint64_t)min + 1;

    assert(min <= max);
    uint64_t offset = span ? loop_random(loop) % span : loop_random(loop);
    return (int64_t)((uint64_t)min + offset);
}

static bool before(const struct timer *a, const struct timer *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->seq < b->seq;
}

static void place(struct loop *loop, size_t i, struct timer *timer)
{
    loop->heap[i] = timer;
    timer->index = i + 1;
}

static void sift_up(struct loop *loop, size_t i, struct timer *timer)
{
    while (i > 0 && before(timer, loop->heap[(i - 1) / 2])) {
        place(loop, i, loop->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(loop, i, timer);
}

static void sift_down(struct loop *loop, size_t i, struct timer *timer)
{
    for (;;) {
        size_t child = 2 * i + 1;

        if (child + 1 < loop->heap_count &&
            before(loop->heap[child + 1], loop->heap[child]))
            child++;
        if (child >= loop->heap_count || !before(loop->heap[child], timer))
            break;
        place(loop, i, loop->heap[child]);
        i = child;
    }
    place(loop, i, timer);
}

static void heap_add(struct loop *loop, struct timer *timer)
{
    if (loop->heap_count == loop->heap_size) {
        loop->heap_size = loop->heap_size ? loop->heap_size * 2 : 16;
        loop->heap = mem_resize(loop->heap, loop->heap_size, sizeof(struct timer *));
    }
    sift_up(loop, loop->heap_count++, timer);
}

static void heap_remove(struct loop *loop, struct timer *timer)
{
    size_t i = timer->index - 1;
    struct timer *last = loop->heap[--loop->heap_count];

    timer->index = 0;
    if (last == timer)
        return;
    if (i > 0 && before(last, loop->heap[(i - 1) / 2]))
        sift_up(loop, i, last);
    else
        sift_down(loop, i, last);
}

/* Tells the driver when the earliest deadline is not what it was told last. */
static void tell(struct loop *loop)
{
    int64_t at_ms = loop_next_deadline_ms(loop);

    if (loop->running || at_ms == loop->told_ms)
        return;
    loop->told_ms = at_ms;
    loop->ops->wake_at(loop, at_ms);
}

void timer_start(struct timer *timer, struct loop *loop, int64_t after_ms,
                 void (*fn)(void *ctx), void *ctx)
{
    int64_t now_ms = loop_now_ms(loop);

    if (timer->index)
        heap_remove(timer->loop, timer);
    *timer = (struct timer){.fn = fn, .ctx = ctx, .loop = loop, .seq = loop->seq++};
    if (after_ms < 0)
        after_ms = 0;
    if (__builtin_add_overflow(now_ms, after_ms, &timer->at_ms))
        timer->at_ms = INT64_MAX - 1;
    heap_add(loop, timer);
    tell(loop);
}

void timer_stop(struct timer *timer)
{
    if (!timer->index)
        return;
    heap_remove(timer->loop, timer);
    tell(timer->loop);
}

bool timer_armed(const struct timer *timer)
{
    return timer->index != 0;
}

int64_t loop_next_deadline_ms(struct loop *loop)
{
    return loop->heap_count ? loop->heap[0]->at_ms : INT64_MAX;
}

/* A timer armed by a callback has a higher seq and a deadline not before now_ms, so it
 * sorts behind all that were due at the start: it waits for the next turn. */
void loop_run_due(struct loop *loop)
{
    int64_t now_ms = loop_now_ms(loop);
    uint64_t end = loop->seq;

    loop->running = true;
    while (loop->heap_count && loop->heap[0]->at_ms <= now_ms &&
           loop->heap[0]->seq < end) {
        struct timer *timer = loop->heap[0];

        heap_remove(loop, timer);
        timer->fn(timer->ctx); /* may re-arm or free the timer */
    }
    loop->running = false;
    loop->told_ms =
        INT64_MIN; /* what the driver was told has fired: tell in any case */
    tell(loop);
}
