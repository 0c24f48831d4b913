/* sim_loop.h - a loop on a false clock: time passes only when nothing is left to do
 * now.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: test support. Owner: the test. One loop is shared by all agents of a test, so
 * a whole swarm is one deterministic sequence of callbacks that a seed repeats exactly.
 *
 * Story: each turn runs what is due; when nothing is, the clock jumps to the next
 * deadline. The port is what the code under test sees. Housekeeping of models (pings,
 * expiry of sessions) runs on a second loop of the same clock, the background: it never
 * ends, so it does not count when a test asks whether the swarm has become idle.
 * More than SIM_TURNS_MAX turns without time passing is a bug (callbacks that re-arm
 * each other for ever): the run aborts and says so.
 */
#ifndef CLOWDER_TESTS_SUPPORT_SIM_LOOP_H
#define CLOWDER_TESTS_SUPPORT_SIM_LOOP_H

#include "shared/io/loop.h"

#include <stdbool.h>
#include <stdint.h>

enum { SIM_TURNS_MAX = 1000000 };
#define SIM_WALL_START_MS INT64_C(1795464000000) /* 2026-11-23 20:00:00 UTC */

struct sim_loop;

struct sim_loop *sim_loop_new(uint64_t seed);
void sim_loop_free(struct sim_loop *sim); /* armed timers are forgotten */
struct loop *sim_loop_port(struct sim_loop *sim);
struct loop *sim_loop_background(struct sim_loop *sim);

/* One turn: advances to the next deadline and runs what is due. False, with the clock
 * at limit_ms, when nothing is due up to limit_ms (inclusive). */
bool sim_loop_step(struct sim_loop *sim, int64_t limit_ms);

void sim_loop_run_to(struct sim_loop *sim, int64_t at_ms); /* absolute */
void sim_loop_run_for(struct sim_loop *sim, int64_t span_ms);
/* True as soon as the predicate holds (asked before the first and after every turn);
 * false when it still does not after within_ms. */
bool sim_loop_run_until(struct sim_loop *sim, bool (*holds)(void *ctx), void *ctx,
                        int64_t within_ms);
/* True when the port has no timer left; false when it still has after within_ms. */
bool sim_loop_run_until_idle(struct sim_loop *sim, int64_t within_ms);

int64_t
sim_loop_now_ms(const struct sim_loop *sim); /* monotonic, starts at 1,000,000 */
uint64_t sim_loop_turns(const struct sim_loop *sim);
/* The wall clock jumps; the monotonic one does not. */
void sim_loop_set_wall(struct sim_loop *sim, int64_t wall_ms);
void sim_loop_jump_wall(struct sim_loop *sim, int64_t by_ms);

#endif
