/* io_fixture.h - an event loop for one test, that fails the test when nothing happens.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CLOWDER_TESTS_UNIT_IO_FIXTURE_H
#define CLOWDER_TESTS_UNIT_IO_FIXTURE_H

#include "shared/io/event_loop.h"
#include "tests/unit/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static struct event_loop *el;
static struct timer watchdog, pause_timer;

static inline void on_watchdog(void *ctx)
{
    fail_msg("nothing happened for 20 s");
}

static inline void on_pause(void *ctx)
{
    event_loop_stop(el, -1);
}

/* Runs until somebody stops the loop; returns the code. */
static inline int run(void)
{
    timer_start(&watchdog, event_loop_port(el), 20000, on_watchdog, NULL);
    int code = event_loop_run(el);
    timer_stop(&watchdog);
    return code;
}

static inline void run_for(int64_t ms)
{
    timer_start(&pause_timer, event_loop_port(el), ms, on_pause, NULL);
    assert_int_equal(run(), -1);
}

static inline int io_begin(void **state)
{
    watchdog = pause_timer = (struct timer){0};
    return event_loop_new(&el, NULL);
}

static inline int io_end(void **state)
{
    event_loop_free(el);
    return 0;
}

/* How many descriptors this process has open: leaks show as a difference. */
static inline int open_descriptors(void)
{
    int count = 0;
    struct stat st;

    for (int fd = 0; fd < 1024; fd++)
        count += fstat(fd, &st) == 0;
    return count;
}

#endif
