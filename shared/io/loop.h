/* loop.h - time, timers and posted work, behind one small port.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: io (no libevent here). Everything that waits does so through a loop: the
 * daemon and the CLI run on event_loop.h (libevent); tests run thousands of agents on a
 * false clock. Single-threaded. Timers live in one heap, so that a driver needs one
 * wake-up.
 *
 * Story: timer_start arms; the driver calls loop_run_due when the earliest deadline is
 * reached; each due timer is removed before its callback runs (which may re-arm it).
 * loop_post runs a callback in a later turn, in order: that is how "no operation calls
 * back from inside the call that started it" is kept.
 */
#ifndef CLOWDER_IO_LOOP_H
#define CLOWDER_IO_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;

struct loop_ops {
    int64_t (*now_ms)(struct loop *loop);  /* monotonic, includes suspend (BOOTTIME) */
    int64_t (*wall_ms)(struct loop *loop); /* ms since the epoch */
    void (*wake_at)(struct loop *loop, int64_t at_ms); /* earliest deadline changed;
                                                          INT64_MAX = none */
};

struct timer {
    void (*fn)(void *ctx);
    void *ctx;
    struct loop *loop;
    int64_t at_ms;
    uint64_t seq; /* equal deadlines run in the order of arming */
    size_t index; /* place in the heap + 1; 0 = not armed */
};

struct loop { /* embedded first in a driver */
    const struct loop_ops *ops;
    struct timer **heap;
    size_t heap_count, heap_size;
    uint64_t seq;
    uint64_t random_state;
    int64_t told_ms; /* what wake_at was told last */
    bool running;    /* inside loop_run_due: tells once, at its end */
};

void loop_init(struct loop *loop, const struct loop_ops *ops, uint64_t seed);
void loop_done(struct loop *loop); /* armed timers are forgotten */

int64_t loop_now_ms(struct loop *loop);
int64_t loop_wall_ms(struct loop *loop);
uint64_t loop_random(struct loop *loop); /* not for secrets */
int64_t loop_random_range(struct loop *loop, int64_t min, int64_t max); /* inclusive */

/* Zero-initialised timers are valid and stopped. Starting an armed timer moves it. */
void timer_start(struct timer *timer, struct loop *loop, int64_t after_ms,
                 void (*fn)(void *ctx), void *ctx);
void timer_stop(struct timer *timer);
bool timer_armed(const struct timer *timer);
/* A deferred call is a timer with delay 0: runs in a later turn, in order. */

/* For drivers: deadline of the earliest timer (INT64_MAX = none); runs those due. */
int64_t loop_next_deadline_ms(struct loop *loop);
void loop_run_due(struct loop *loop);

#endif
