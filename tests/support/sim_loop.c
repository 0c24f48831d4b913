/* sim_loop.c - a loop on a false clock.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/sim_loop.h"

#include "shared/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIM_START_MS = 1000000 };

struct side { /* a loop that knows whose clock it has */
    struct loop loop;
    struct sim_loop *sim;
};

struct sim_loop {
    struct side port, background;
    int64_t now_ms;
    int64_t wall_offset_ms; /* wall clock minus now_ms */
    uint64_t turns;
    uint64_t turns_at_now;
};

static int64_t sim_now_ms(struct loop *loop)
{
    return ((struct side *)loop)->sim->now_ms;
}

static int64_t sim_wall_ms(struct loop *loop)
{
    struct sim_loop *sim = ((struct side *)loop)->sim;

    return sim->now_ms + sim->wall_offset_ms;
}

static void sim_wake_at(struct loop *loop, int64_t at_ms)
{
    (void)loop; /* the driver asks for the deadline itself, each turn */
    (void)at_ms;
}

static const struct loop_ops sim_ops = {
    .now_ms = sim_now_ms,
    .wall_ms = sim_wall_ms,
    .wake_at = sim_wake_at,
};

struct sim_loop *sim_loop_new(uint64_t seed)
{
    struct sim_loop *sim = NEW(struct sim_loop);

    sim->now_ms = SIM_START_MS;
    sim->wall_offset_ms = SIM_WALL_START_MS - SIM_START_MS;
    sim->port.sim = sim->background.sim = sim;
    loop_init(&sim->port.loop, &sim_ops, seed);
    loop_init(&sim->background.loop, &sim_ops, ~seed);
    return sim;
}

void sim_loop_free(struct sim_loop *sim)
{
    if (!sim)
        return;
    loop_done(&sim->port.loop);
    loop_done(&sim->background.loop);
    free(sim);
}

struct loop *sim_loop_port(struct sim_loop *sim)
{
    return &sim->port.loop;
}

struct loop *sim_loop_background(struct sim_loop *sim)
{
    return &sim->background.loop;
}

int64_t sim_loop_now_ms(const struct sim_loop *sim)
{
    return sim->now_ms;
}

uint64_t sim_loop_turns(const struct sim_loop *sim)
{
    return sim->turns;
}

void sim_loop_set_wall(struct sim_loop *sim, int64_t wall_ms)
{
    sim->wall_offset_ms = wall_ms - sim->now_ms;
}

void sim_loop_jump_wall(struct sim_loop *sim, int64_t by_ms)
{
    sim->wall_offset_ms += by_ms;
}

static void advance(struct sim_loop *sim, int64_t at_ms)
{
    if (at_ms > sim->now_ms) {
        sim->now_ms = at_ms;
        sim->turns_at_now = 0;
    } else if (++sim->turns_at_now > SIM_TURNS_MAX) {
        fprintf(stderr, "sim_loop: %d turns at %" PRId64 " ms: time stands still\n",
                SIM_TURNS_MAX, sim->now_ms);
        abort();
    }
    sim->turns++;
}

bool sim_loop_step(struct sim_loop *sim, int64_t limit_ms)
{
    int64_t port_ms = loop_next_deadline_ms(&sim->port.loop);
    int64_t background_ms = loop_next_deadline_ms(&sim->background.loop);
    int64_t next_ms = port_ms < background_ms ? port_ms : background_ms;

    if (next_ms > limit_ms) {
        if (limit_ms > sim->now_ms)
            sim->now_ms = limit_ms;
        return false;
    }
    advance(sim, next_ms);
    if (port_ms <= sim->now_ms)
        loop_run_due(&sim->port.loop);
    if (background_ms <= sim->now_ms)
        loop_run_due(&sim->background.loop);
    return true;
}

void sim_loop_run_to(struct sim_loop *sim, int64_t at_ms)
{
    while (sim_loop_step(sim, at_ms))
        ;
}

void sim_loop_run_for(struct sim_loop *sim, int64_t span_ms)
{
    sim_loop_run_to(sim, sim->now_ms + span_ms);
}

bool sim_loop_run_until(struct sim_loop *sim, bool (*holds)(void *ctx), void *ctx,
                        int64_t within_ms)
{
    int64_t limit_ms = sim->now_ms + within_ms;

    while (!holds(ctx)) {
        if (!sim_loop_step(sim, limit_ms))
            return holds(ctx); /* the clock has moved to the limit */
    }
    return true;
}

static bool port_idle(void *ctx)
{
    return loop_next_deadline_ms(&((struct sim_loop *)ctx)->port.loop) == INT64_MAX;
}

bool sim_loop_run_until_idle(struct sim_loop *sim, int64_t within_ms)
{
    return sim_loop_run_until(sim, port_idle, sim, within_ms);
}
