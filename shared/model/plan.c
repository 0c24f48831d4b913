/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/model/plan.h"

#include "shared/base/cleanup.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/judge_undo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct goal {
    const struct spec *spec;
    bool undo, force;
};

/* A host on its way into the plan; sorted instead of the large plan_host. */
struct candidate {
    const char *host;
    const struct plan_input *input; /* NULL = not in the inventory */
    int wave;
    struct plan_host *judged;
};

static int by_host(const void *a, const void *b)
{
    return strcmp(((const struct candidate *)a)->host,
                  ((const struct candidate *)b)->host);
}

/* Members first, by wave and host; then those left out, by host. */
static int by_wave(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    int wx = x->wave < 0 ? WAVES_MAX : x->wave, wy = y->wave < 0 ? WAVES_MAX : y->wave;

    return wx != wy ? wx - wy : strcmp(x->host, y->host);
}

/* Who is asked for -------------------------------------------------------------- */

static struct candidate *all_hosts(const struct plan_input *inputs, int count)
{
    struct candidate *all = mem_array((size_t)count + 1, sizeof(*all));

    for (int i = 0; i < count; i++)
        all[i] = (struct candidate){.host = inputs[i].facts.host, .input = &inputs[i]};
    qsort(all, (size_t)count, sizeof(*all), by_host);
    return all;
}

static struct candidate *wanted_hosts(struct candidate *all, int count,
                                      const struct strings *wanted, int *ret_count)
{
    struct candidate *some = mem_array((size_t)wanted->count + 1, sizeof(*some));
    int n = 0;

    for (int i = 0; i < wanted->count; i++)
        some[i].host = wanted->items[i];
    qsort(some, (size_t)wanted->count, sizeof(*some), by_host);
    for (int i = 0; i < wanted->count; i++) {
        const struct candidate *found;

        if (n > 0 && str_equal(some[n - 1].host, some[i].host))
            continue; /* asked for twice */
        found = bsearch(&some[i], all, (size_t)count, sizeof(*all), by_host);
        some[n++] = found ? *found : some[i];
    }
    *ret_count = n;
    return some;
}

/* Who is fit -------------------------------------------------------------------- */

static void PRINTF_LIKE(3, 4)
    leave_out(struct plan_host *host, enum plan_fit fit, const char *fmt, ...)
{
    va_list args;

    host->fit = fit;
    va_start(args, fmt);
    (void)vsnprintf(host->why, sizeof(host->why), fmt, args);
    va_end(args);
}

static bool role_fits(const struct facts *facts, struct plan_host *host)
{
    switch (facts->role) {
    case ROLE_SLAVE:
    case ROLE_SLAVE_PUBLIC:
        return true;
    case ROLE_MASTER:
        leave_out(host, PLAN_UNFIT,
                  "a DC/OS master: Calico is installed on agents only");
        return false;
    case ROLE_UNKNOWN:
        leave_out(host, PLAN_UNFIT,
                  "no DC/OS agent: it has neither role slave nor "
                  "slave_public");
        return false;
    }
    return false;
}

/* What a master is asked is known at once. */
static bool is_unprobed(const struct facts *facts)
{
    return facts->seen_ms == 0 && facts->role != ROLE_MASTER;
}

static void judge_steps(const struct spec *spec, const struct facts *facts,
                        struct plan_host *host)
{
    for (int i = 0; i < STEP_COUNT; i++) {
        enum step_id id = (enum step_id)i;
        struct judgement *judgement = &host->steps[i];

        if (!spec_policy(spec, id)->enabled)
            continue;
        judge(id, spec, facts, json_object_get(facts->seen, step_name(id)), judgement);
        if (judgement->finding == FINDING_FOREIGN && host->fit == PLAN_FIT)
            leave_out(host, PLAN_UNFIT, "%s: %s", step_name(id), judgement->says);
    }
}

/* The host may remember what this plan cannot see: nothing is foreign here. */
static void judge_undo_steps(const struct goal *goal, const struct facts *facts,
                             struct plan_host *host)
{
    const char *network = NULL, *each;
    json_t *containers = NULL, *value;

    json_object_foreach (facts->in_use, each, value) {
        network = each;
        containers = value;
    }
    if (network && !goal->force)
        leave_out(host, PLAN_UNFIT,
                  "containers are on Calico network \"%s\" (%s): stop them first, or "
                  "use --force",
                  network, json_string_value(containers));
    for (int i = 0; i < STEP_COUNT; i++) {
        enum step_id id = (enum step_id)i;

        if (spec_policy(goal->spec, id)->enabled)
            judge_undo(id, goal->spec, facts,
                       json_object_get(facts->seen, step_name(id)), NULL,
                       &host->steps[i]);
    }
}

static void judge_host(const struct goal *goal, const struct candidate *candidate,
                       struct plan_host *host)
{
    const struct plan_input *input = candidate->input;

    (void)STR_COPY(host->host, candidate->host);
    host->wave = -1;
    if (input)
        (void)STR_COPY(host->zone, input->facts.zone);
    if (!host_id_valid(candidate->host))
        leave_out(host, PLAN_UNFIT, "\"%.64s\" %s", candidate->host,
                  host_id_check(candidate->host));
    else if (!input)
        leave_out(host, PLAN_UNKNOWN_HOST,
                  "not in the inventory: has clowder-agentd ever run there?");
    else if (input->live && is_unprobed(&input->facts))
        leave_out(host, PLAN_UNPROBED,
                  "not yet probed: clowder-agentd has just begun there and is still "
                  "looking at the host; plan again in a moment");
    else if (!role_fits(&input->facts, host))
        return;
    else if (!input->live)
        leave_out(host, PLAN_ABSENT, "clowder-agentd is not connected to ZooKeeper");
    else if (input->facts.native_calico)
        leave_out(host, PLAN_UNFIT,
                  "DC/OS runs its own Calico there (calico_enabled): "
                  "turn that off first");
    else if (goal->undo)
        judge_undo_steps(goal, &input->facts, host);
    else
        judge_steps(goal->spec, &input->facts, host);
}

/* Waves ------------------------------------------------------------------------- */

static void wave_add(struct plan *plan, const char *name, int size)
{
    struct wave_entry *wave = &plan->waves[plan->waves_count++];

    (void)STR_COPY(wave->name, name);
    wave->size = size;
}

/* Of the wave with that number after the canary; 0 = the rest. */
static int wave_size(const struct spec *spec, int number, int members)
{
    int last = spec->wave_sizes_count - 1;

    return share_resolve(spec->wave_sizes[number < last ? number : last], members);
}

static int make_waves(const struct spec *spec, struct plan *plan, struct error *err)
{
    int canary = spec->canary < plan->members ? spec->canary : plan->members;
    int rest = plan->members - canary;

    if (canary > 0)
        wave_add(plan, "canary", canary);
    for (int i = 0; rest > 0; i++) {
        int size = wave_size(spec, i, plan->members);
        int members = size == 0 || size > rest ? rest : size;
        char name[NAME_SIZE];

        if (plan->waves_count == WAVES_MAX)
            return error_set(
                err, -EINVAL,
                "%d hosts make more than %d waves: use a larger waves.size",
                plan->members, WAVES_MAX);
        (void)snprintf(name, sizeof(name), "wave-%d", i + 1);
        wave_add(plan, size == 0 ? "rest" : name, members);
        rest -= members;
    }
    return 0;
}

static bool preferred(const struct candidate *candidate)
{
    const struct facts *facts = &candidate->input->facts;

    return facts->role == ROLE_SLAVE && json_object_size(facts->errors) == 0;
}

/* candidates are sorted by host: the first preferred ones are canaries, then others as
 * long as canaries are missing; the rest follow in order. */
static void deal(struct plan *plan, struct candidate *candidates, int count, int canary)
{
    int wave = canary > 0 ? 1 : 0, in_wave = 0;

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < count && canary > 0; i++) {
            struct candidate *c = &candidates[i];

            if (c->judged->fit != PLAN_FIT || c->wave >= 0 ||
                (round == 0 && !preferred(c)))
                continue;
            c->wave = 0;
            canary--;
        }
    }
    for (int i = 0; i < count; i++) {
        struct candidate *c = &candidates[i];

        if (c->judged->fit != PLAN_FIT || c->wave >= 0)
            continue;
        if (in_wave == plan->waves[wave].size) {
            wave++;
            in_wave = 0;
        }
        c->wave = wave;
        in_wave++;
    }
}

static void count_disruptions(struct plan *plan, const struct plan_host *host)
{
    bool docker = false, agent = false, reload = false;

    for (int i = 0; i < STEP_COUNT; i++) {
        switch (host->steps[i].disruption) {
        case DISRUPTION_NONE:
            break;
        case DISRUPTION_RELOAD:
            reload = true;
            break;
        case DISRUPTION_DOCKER_RESTART:
            docker = true;
            break;
        case DISRUPTION_AGENT_RESTART:
            agent = true;
            break;
        }
    }
    plan->docker_restarts += docker;
    plan->agent_restarts += agent;
    plan->reloads += reload;
}

static int plan_fill(const struct goal *goal, struct candidate *candidates, int count,
                     struct plan *plan, struct error *err)
{
    _cleanup_(freep) struct plan_host *judged =
        mem_array((size_t)count + 1, sizeof(*judged));
    int rc;

    for (int i = 0; i < count; i++) {
        candidates[i].wave = -1;
        candidates[i].judged = &judged[i];
        judge_host(goal, &candidates[i], &judged[i]);
        plan->members += judged[i].fit == PLAN_FIT;
    }
    plan->min_available = goal->undo ? 0 : spec_min_available(goal->spec, count);
    rc = make_waves(goal->spec, plan, err);
    if (rc < 0)
        return rc;
    deal(plan, candidates, count,
         plan->waves_count > 0 && goal->spec->canary > 0 ? plan->waves[0].size : 0);
    qsort(candidates, (size_t)count, sizeof(*candidates), by_wave);
    plan->hosts = mem_array((size_t)count + 1, sizeof(*plan->hosts));
    for (int i = 0; i < count; i++) {
        struct plan_host *host = &plan->hosts[plan->hosts_count++];

        *host = *candidates[i].judged;
        host->wave = candidates[i].wave;
        if (host->fit == PLAN_FIT)
            count_disruptions(plan, host);
    }
    return 0;
}

static int make(const struct goal *goal, const struct plan_input *inputs, int count,
                const struct strings *wanted, struct plan *ret, struct error *err)
{
    _cleanup_(freep) struct candidate *all = all_hosts(inputs, count);
    _cleanup_(freep) struct candidate *some = NULL;
    struct plan plan = {0};
    int rc;

    if (wanted && wanted->count > 0)
        some = wanted_hosts(all, count, wanted, &count);
    rc = plan_fill(goal, some ? some : all, count, &plan, err);
    if (rc == 0)
        *ret = plan;
    return rc;
}

int plan_make(const struct spec *spec, const struct plan_input *inputs, int count,
              const struct strings *wanted, struct plan *ret, struct error *err)
{
    const struct goal goal = {.spec = spec};

    return make(&goal, inputs, count, wanted, ret, err);
}

int plan_make_undo(const struct spec *spec, const struct plan_input *inputs, int count,
                   const struct strings *wanted, bool force, struct plan *ret,
                   struct error *err)
{
    const struct goal goal = {.spec = spec, .undo = true, .force = force};

    return make(&goal, inputs, count, wanted, ret, err);
}

int plan_check(const struct plan *plan, struct error *err)
{
    if (plan->members == 0)
        return error_set(err, -EINVAL,
                         "no host is fit for this rollout: see `clowder plan`");
    if (plan->members < plan->min_available)
        return error_set(err, -EINVAL,
                         "only %d of %d hosts are fit, and min_available asks for %d: "
                         "see `clowder plan --all` for those left out and why",
                         plan->members, plan->hosts_count, plan->min_available);
    return 0;
}

void plan_done(struct plan *plan)
{
    free(plan->hosts);
    *plan = (struct plan){0};
}
