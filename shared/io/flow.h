/* flow.h - a straight line of asynchronous steps with an end. The table is the program.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: io (port loop.h only). Owner: embed struct flow; zero-initialised is idle.
 *
 * Story: flow_start runs the first step in a later turn of the loop. A step's run
 * starts at most one operation and says NEXT (go on at once), WAIT (an operation is
 * under way; its callback calls flow_next, flow_fail or flow_again), DONE (skip the
 * rest, success) or FAIL (err is filled). The engine owns order, deadlines and
 * cancellation: when a step runs out of time, or the flow is cancelled while it waits,
 * its .cancel drops the operation. `done` is the last thing that a flow does: the owner
 * may free it there.
 *
 * Polling: a step that finds "not yet" calls flow_again(f, delay_ms, &err) from its
 * callback (or returns flow_poll(...)): the same step runs again after the delay, until
 * its timeout_ms, which then fails the flow with the last error remembered.
 */
#ifndef CLOWDER_IO_FLOW_H
#define CLOWDER_IO_FLOW_H

#include "shared/base/error.h"
#include "shared/io/loop.h"

#include <stdbool.h>

struct flow;

enum flow_verdict { FLOW_NEXT, FLOW_WAIT, FLOW_DONE, FLOW_FAIL };

struct flow_step {
    const char *name; /* a short phrase: "restart unit"; NULL ends the table */
    enum flow_verdict (*run)(struct flow *flow, void *ctx, struct error *err);
    void (*cancel)(void *ctx); /* drops what run started; required if it can WAIT on
                                  more than a poll */
    int64_t timeout_ms;        /* of all polls together; 0 = FLOW_DEFAULT_TIMEOUT_MS */
};

enum { FLOW_DEFAULT_TIMEOUT_MS = 30000 };

/* result 0, or the negative errno of err (never NULL). Timeout is -ETIMEDOUT and names
 * the step and the last thing seen. */
typedef void (*flow_done_f)(void *done_ctx, int result, const struct error *err);
/* Every step's end, for logs and progress; took_ms of the step. result as above. It may
 * not touch the flow. */
typedef void (*flow_observer_f)(void *observer_ctx, const char *step, int result,
                                int64_t took_ms);

struct flow {
    struct loop *loop;
    const struct flow_step *steps, *at;
    void *ctx;
    flow_done_f done;
    void *done_ctx;
    flow_observer_f observer;
    void *observer_ctx;
    struct timer deadline, turn;
    int64_t step_started_ms;
    bool entered;      /* the step has run at least once */
    bool waiting;      /* inside WAIT: an operation is under way */
    bool polling;      /* between two polls */
    bool running;      /* inside run or the observer: guards rule 1 */
    bool failed;       /* flow_fail was called: last is why */
    struct error last; /* what the last poll said */
    int64_t timeout_override_ms;
};

void flow_start(struct flow *flow, struct loop *loop, const struct flow_step *steps,
                void *ctx, flow_done_f done, void *done_ctx);
void flow_observe(struct flow *flow, flow_observer_f observer, void *observer_ctx);
bool flow_active(const struct flow *flow);
const char *flow_step_name(const struct flow *flow); /* "" when idle */

/* From the callback of the step's operation. The flow goes on in a later turn, so that
 * the callback's frame (and its object) is gone before `done` can free anything. */
void flow_next(struct flow *flow);
void flow_finish(struct flow *flow);
void flow_fail(struct flow *flow, const struct error *err);
void flow_again(struct flow *flow, int64_t delay_ms, const struct error *why);

/* From inside run: `return flow_poll(flow, 1000, err);` with err filled: same as again.
 */
enum flow_verdict flow_poll(struct flow *flow, int64_t delay_ms,
                            const struct error *why);
/* From inside run of the current step: a deadline from the spec instead of the table.
 */
void flow_set_timeout(struct flow *flow, int64_t timeout_ms);

/* Drops what is under way; done is not called. Idle: nothing happens. */
void flow_cancel(struct flow *flow);

#endif
