/* flow.c - a straight line of asynchronous steps with an end.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A flow that is active is in exactly one of these: a turn is armed (start, after next,
 * after fail, between polls), a step waits (waiting), or its code is on the stack
 * (running). The deadline is armed only while the step waits or polls.
 */
#include "shared/io/flow.h"

#include "shared/base/str.h"

#include <assert.h>
#include <errno.h>

static void on_turn(void *ctx);

static void go_idle(struct flow *flow)
{
    timer_stop(&flow->deadline);
    timer_stop(&flow->turn);
    flow->at = NULL;
    flow->entered = flow->waiting = flow->polling = flow->failed = false;
}

static void finish(struct flow *flow, const struct error *err)
{
    struct error copy = {0};

    if (err)
        error_copy(&copy, err);
    go_idle(flow);
    if (flow->done)
        flow->done(flow->done_ctx, copy.code, &copy); /* may free the flow */
}

static void end_step(struct flow *flow, int result)
{
    timer_stop(&flow->deadline);
    timer_stop(&flow->turn);
    flow->entered = flow->waiting = flow->polling = false;
    if (flow->observer) {
        int64_t took_ms = loop_now_ms(flow->loop) - flow->step_started_ms;

        flow->running = true;
        flow->observer(flow->observer_ctx, flow->at->name, result, took_ms);
        flow->running = false;
    }
}

static void fill_reason(struct error *err)
{
    if (err->code >= 0)
        (void)error_set(err, -EIO, "failed without saying why");
}

static void enter_step(struct flow *flow)
{
    flow->entered = true;
    flow->step_started_ms = loop_now_ms(flow->loop);
    flow->timeout_override_ms = 0;
    flow->last = (struct error){0};
}

static int64_t step_timeout_ms(const struct flow *flow)
{
    if (flow->timeout_override_ms > 0)
        return flow->timeout_override_ms;
    return flow->at->timeout_ms > 0 ? flow->at->timeout_ms : FLOW_DEFAULT_TIMEOUT_MS;
}

static void time_out(struct flow *flow)
{
    struct error err = {0};
    char limit[32];

    str_from_duration_ms(step_timeout_ms(flow), limit, sizeof(limit));
    (void)error_set(&err, -ETIMEDOUT, "%s: not done within %s%s%s", flow->at->name,
                    limit, flow->last.text[0] ? "; last seen: " : "", flow->last.text);
    end_step(flow, err.code);
    finish(flow, &err);
}

static void on_deadline(void *ctx)
{
    struct flow *flow = ctx;

    if (flow->waiting && flow->at->cancel)
        flow->at->cancel(flow->ctx);
    time_out(flow);
}

static void wait_for_step(struct flow *flow)
{
    int64_t end_ms = flow->step_started_ms + step_timeout_ms(flow);

    flow->waiting = !flow->polling;
    timer_start(&flow->deadline, flow->loop, end_ms - loop_now_ms(flow->loop),
                on_deadline, flow);
}

static enum flow_verdict run_step(struct flow *flow, struct error *err)
{
    if (!flow->entered)
        enter_step(flow);
    flow->polling = false;
    flow->running = true;
    enum flow_verdict verdict = flow->at->run(flow, flow->ctx, err);
    flow->running = false;
    return verdict;
}

static void on_turn(void *ctx)
{
    struct flow *flow = ctx;

    if (flow->failed) {
        finish(flow, &flow->last);
        return;
    }
    while (flow->at->name) {
        struct error err = {0};

        switch (run_step(flow, &err)) {
        case FLOW_NEXT:
            end_step(flow, 0);
            flow->at++;
            break;
        case FLOW_WAIT:
            wait_for_step(flow);
            return;
        case FLOW_DONE:
            end_step(flow, 0);
            finish(flow, NULL);
            return;
        case FLOW_FAIL:
            fill_reason(&err);
            end_step(flow, err.code);
            finish(flow, &err);
            return;
        }
    }
    finish(flow, NULL);
}

void flow_start(struct flow *flow, struct loop *loop, const struct flow_step *steps,
                void *ctx, flow_done_f done, void *done_ctx)
{
    assert(!flow_active(flow));
    *flow = (struct flow){
        .loop = loop,
        .steps = steps,
        .at = steps,
        .ctx = ctx,
        .done = done,
        .done_ctx = done_ctx,
        .observer = flow->observer,
        .observer_ctx = flow->observer_ctx,
    };
    timer_start(&flow->turn, loop, 0, on_turn, flow);
}

void flow_observe(struct flow *flow, flow_observer_f observer, void *observer_ctx)
{
    flow->observer = observer;
    flow->observer_ctx = observer_ctx;
}

bool flow_active(const struct flow *flow)
{
    return flow->at != NULL;
}

const char *flow_step_name(const struct flow *flow)
{
    return flow->at && flow->at->name ? flow->at->name : "";
}

/* Every answer to a wait goes through here: late or double answers are bugs. */
static void assert_waiting(const struct flow *flow)
{
    assert(flow_active(flow));
    assert(!flow->running); /* an operation called back from the call that started it */
    assert(flow->waiting);
}

void flow_next(struct flow *flow)
{
    assert_waiting(flow);
    end_step(flow, 0);
    flow->at++;
    timer_start(&flow->turn, flow->loop, 0, on_turn, flow);
}

void flow_finish(struct flow *flow)
{
    assert_waiting(flow);
    end_step(flow, 0);
    while (flow->at->name)
        flow->at++;
    timer_start(&flow->turn, flow->loop, 0, on_turn, flow);
}

void flow_fail(struct flow *flow, const struct error *err)
{
    assert_waiting(flow);
    flow->last = err ? *err : (struct error){0};
    fill_reason(&flow->last);
    end_step(flow, flow->last.code);
    flow->failed = true;
    timer_start(&flow->turn, flow->loop, 0, on_turn, flow);
}

static void poll_later(struct flow *flow, int64_t delay_ms, const struct error *why)
{
    if (why)
        error_copy(&flow->last, why);
    flow->waiting = false;
    flow->polling = true;
    timer_start(&flow->turn, flow->loop, delay_ms, on_turn, flow);
}

void flow_again(struct flow *flow, int64_t delay_ms, const struct error *why)
{
    assert_waiting(flow);
    poll_later(flow, delay_ms, why);
}

enum flow_verdict flow_poll(struct flow *flow, int64_t delay_ms,
                            const struct error *why)
{
    assert(flow->running);
    poll_later(flow, delay_ms, why);
    return FLOW_WAIT;
}

void flow_set_timeout(struct flow *flow, int64_t timeout_ms)
{
    assert(flow->running);
    flow->timeout_override_ms = timeout_ms;
}

void flow_cancel(struct flow *flow)
{
    if (!flow_active(flow))
        return;
    assert(!flow->running);
    if (flow->waiting && flow->at->cancel)
        flow->at->cancel(flow->ctx);
    go_idle(flow);
}
