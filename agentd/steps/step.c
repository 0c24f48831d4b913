/* step.c - one change on one host: the parts that all steps share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/steps/step.h"

#include "shared/base/mem.h"

#include <stdio.h>
#include <stdlib.h>

struct step *step_new(enum step_id id, const struct step_env *env, const json_t *memo)
{
    const struct step_type *type = step_type_of(id);
    struct step *step = mem_new(type->size);

    step->type = type;
    step->env = env;
    step->memo = json_is_object(memo) ? json_deep_copy(memo) : json_object();
    if (type->init)
        type->init(step);
    return step;
}

void step_free(struct step *step)
{
    if (!step)
        return;
    if (step->type->done)
        step->type->done(step);
    json_decref(step->seen);
    json_decref(step->memo);
    free(step);
}

enum flow_verdict step_ask_to_disrupt(struct flow *flow, void *ctx, struct error *err)
{
    struct step *step = ctx;

    step->env->ask(step->env->ctx, step, flow);
    return FLOW_WAIT;
}

void step_ask_cancel(void *ctx)
{
    struct step *step = ctx;

    step->env->ask_cancel(step->env->ctx, step);
}

int step_save(struct step *step, struct error *err)
{
    int r = step->env->save(step->env->ctx, step, err);

    if (r < 0)
        return error_context(err, r, "cannot journal step %s",
                             step_name(step->type->id));
    return 0;
}

void step_says(struct step *step, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(step->says, sizeof(step->says), fmt, args);
    va_end(args);
    if (step->env->says)
        step->env->says(step->env->ctx, step, step->says);
}
