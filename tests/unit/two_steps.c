/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/two_steps.h"

#include "shared/base/fs.h"
#include "shared/base/str.h"
#include "tests/unit/io_fixture.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

struct world *world;

char root[64];
struct runner runner;
static struct visit *visit;
static struct journal *journal;
struct manifest manifest;
static struct facts facts;
static struct timer answer;
static bool asked_to_go_back;

/* ---- the runner ---- */

static void on_answer(void *ctx)
{
    struct visitor *visitor = visit_visitor(visit);
    visitor->ops->answer(visitor,
                         world->gate_closed && !asked_to_go_back ? -ECANCELED : 0);
}

struct record *runner_record(struct runner *r)
{
    return &r->next;
}

bool runner_declared(const struct runner *r, const char *step)
{
    return world->first_declared && str_equal(step, step_name(STEP_DOCKER_STORE));
}

bool runner_repairs(const struct runner *r)
{
    return world->repairs;
}

/* A host that goes down takes agentd with it. */
void runner_progress(struct runner *r)
{
    if (!world->outlives_ms &&
        str_equal(runner_record(r)->doing, "the host is going down"))
        event_loop_stop(el, CRASHED);
}

void runner_surveyed(struct runner *r, bool disrupts, const struct error *err)
{
}

void runner_ask(struct runner *r, bool going_back)
{
    asked_to_go_back = going_back;
    timer_start(&answer, event_loop_port(el), 0, on_answer, NULL);
}

void runner_ask_cancel(struct runner *r)
{
    timer_stop(&answer);
}

void runner_visited(struct runner *r, enum visit_result result, const char *error,
                    bool healthy)
{
    world->result = result;
    world->healthy = healthy;
    STR_COPY(world->error, error);
    event_loop_stop(el, ENDED);
}

/* ---- the steps ---- */

static int index_of(const struct step *step)
{
    return step->type->id == STEP_CNI;
}

static enum flow_verdict maybe_die(struct flow *flow, void *ctx, struct error *err)
{
    if (++world->point != world->crash_at)
        return FLOW_NEXT;
    event_loop_stop(el, CRASHED);
    return FLOW_WAIT;
}

static enum flow_verdict look(struct flow *flow, void *ctx, struct error *err)
{
    struct step *step = ctx;
    int i = index_of(step);
    bool used = i == 0 || !world->asks_late || world->restarted;
    step->seen = json_boolean(world->installed[i] && used);
    return FLOW_NEXT;
}

static bool remembers(const struct step *step)
{
    return index_of(step) == 1 && world->cni_remembers;
}

static enum flow_verdict note(struct flow *flow, void *ctx, struct error *err)
{
    struct step *step = ctx;
    if (remembers(step) && json_object_get(step->memo, "before"))
        return FLOW_NEXT;
    json_object_set_new(step->memo, "before", json_object());
    return step_save(step, err) < 0 ? FLOW_FAIL : FLOW_NEXT;
}

static enum flow_verdict act(struct flow *flow, void *ctx, struct error *err)
{
    if (world->act_fails) {
        error_set(err, world->act_fails, "the file may not be written");
        return FLOW_FAIL;
    }
    world->acts[index_of(ctx)]++;
    world->installed[index_of(ctx)] = true;
    return FLOW_NEXT;
}

static enum flow_verdict put_file(struct flow *flow, void *ctx, struct error *err)
{
    return world->installed[index_of(ctx)] ? FLOW_NEXT : act(flow, ctx, err);
}

static enum flow_verdict restart(struct flow *flow, void *ctx, struct error *err)
{
    world->restarted = true;
    return FLOW_NEXT;
}

static enum flow_verdict prove(struct flow *flow, void *ctx, struct error *err)
{
    if (!(index_of(ctx) == 0 ? world->first_fails : world->cni_fails))
        return FLOW_NEXT;
    error_set(err, -EIO, "it does not answer%s", world->more);
    return FLOW_FAIL;
}

static enum flow_verdict take_back(struct flow *flow, void *ctx, struct error *err)
{
    struct step *step = ctx;
    if (step_save(step, err) < 0)
        return FLOW_FAIL;
    if (world->undo_fails) {
        error_set(err, world->undo_fails, "it does not go");
        return FLOW_FAIL;
    }
    if (index_of(step) == 0 ? world->first_is_stuck : world->cni_is_stuck) {
        error_set(err, -EIO, "it is stuck");
        return FLOW_FAIL;
    }
    if (json_object_get(step->memo, "before") && world->installed[index_of(step)]) {
        world->installed[index_of(step)] = false;
        world->reverts[index_of(step)]++;
    }
    return FLOW_NEXT;
}

static enum flow_verdict forget(struct flow *flow, void *ctx, struct error *err)
{
    struct step *step = ctx;
    if (remembers(step))
        return FLOW_NEXT;
    json_object_clear(step->memo);
    return step_save(step, err) < 0 ? FLOW_FAIL : FLOW_NEXT;
}

#define DIE                                                                            \
    {                                                                                  \
        .name = "die", .run = maybe_die, .timeout_ms = 60000                           \
    }
static const struct flow_step observe_steps[] = {{.name = "look", .run = look}, {0}};
static const struct flow_step apply_steps[] = {
    STEP_ASK, DIE, {.name = "note", .run = note}, DIE, {.name = "act", .run = act},
    DIE,      {0}};
static const struct flow_step late_steps[] = {{.name = "note", .run = note},
                                              DIE,
                                              {.name = "put", .run = put_file},
                                              DIE,
                                              STEP_ASK,
                                              DIE,
                                              {.name = "restart", .run = restart},
                                              {0}};
static const struct flow_step prove_steps[] = {
    {.name = "prove", .run = prove}, DIE, {0}};
static const struct flow_step revert_steps[] = {STEP_ASK,
                                                DIE,
                                                {.name = "take back", .run = take_back},
                                                DIE,
                                                {.name = "forget", .run = forget},
                                                DIE,
                                                {0}};

static enum flow_verdict prove_back(struct flow *flow, void *ctx, struct error *err)
{
    struct step *step = ctx;
    if (!world->master_is_dead || step->env->steps_back)
        return FLOW_NEXT;
    error_set(err, -EIO, "the agent is not registered");
    return FLOW_FAIL;
}

/* It has disrupted nothing, and asks for nothing. */
static const struct flow_step late_revert_steps[] = {
    {.name = "take back", .run = take_back}, DIE, {.name = "prove", .run = prove_back},
    {.name = "forget", .run = forget},       DIE, {0}};

const struct step_type *step_type_of(enum step_id id)
{
    static struct step_type types[STEP_COUNT];
    bool late = id == STEP_CNI && world->asks_late;
    types[id] = (struct step_type){.id = id,
                                   .size = sizeof(struct step),
                                   .observe = observe_steps,
                                   .apply = late ? late_steps : apply_steps,
                                   .prove = prove_steps,
                                   .revert = late ? late_revert_steps : revert_steps};
    return &types[id];
}

void judge(enum step_id step, const struct spec *spec, const struct facts *f,
           const json_t *seen, struct judgement *ret)
{
    *ret = (struct judgement){
        .finding = json_is_true(seen) ? FINDING_RIGHT : FINDING_ABSENT,
        .disruption = world->looks_quiet ? DISRUPTION_NONE : DISRUPTION_DOCKER_RESTART,
    };
}

/* ---- one host's process ---- */

static int stage_of_restarts(void)
{
    for (int i = 0; i < manifest.spec->stages_count; i++)
        if (str_equal(manifest.spec->stages[i].name, "restart"))
            return i;
    fail_msg("no stage 'restart'");
    return -1;
}

int visit_once(int attempt)
{
    struct error err = {0};
    if (journal_open(root, &journal, &err) < 0)
        fail_msg("%s", err.text);
    struct visit_world place = {
        .el = el,
        .journal = journal,
        .facts = &facts,
        .state_dir = root,
        .cache_dir = root,
        .boot_id = "boot",
        .going_down_ms = world->outlives_ms,
    };
    struct visit_order order = {
        .manifest = &manifest,
        .stage = stage_of_restarts(),
        .attempt = attempt,
        .token = 4711,
        .own_lease = !world->quiet_lease,
    };
    memset(&runner, 0, sizeof(runner));
    runner.next.disrupted = world->had_leave;
    visit = visit_new(&place);
    visit_visitor(visit)->ops->visit(visit_visitor(visit), &runner, &order);
    int code = run();
    timer_stop(&answer);
    visit_free(visit);
    journal_close(journal);
    return code;
}

int two_steps_share(void **state)
{
    world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return world == MAP_FAILED ? -1 : 0;
}

int two_steps_begin(void **state)
{
    static const enum step_id ids[] = {STEP_DOCKER_STORE, STEP_CNI};
    struct strbuf errors = {0};
    struct error err;
    *world = (struct world){.more = ""};
    memset(&manifest, 0, sizeof(manifest));
    STR_COPY(manifest.id, "20261123-203000-1a2b");
    facts_init(&facts);
    strcpy(root, "/tmp/clowder-test-XXXXXX");
    if (spec_parse("{}", 2, &manifest.spec, &errors, &err) < 0)
        fail_msg("%s: %s", err.text, errors.text);
    for (int i = 0; i < STEPS; i++) {
        struct step_policy *policy =
            (struct step_policy *)(uintptr_t)spec_policy(manifest.spec, ids[i]);
        policy->attempts = policy->prove_passes = 1;
        policy->prove_timeout_ms = policy->prove_interval_ms = 1;
    }
    return mkdtemp(root) ? io_begin(state) : -1;
}

int two_steps_end(void **state)
{
    spec_free(manifest.spec);
    facts_done(&facts);
    io_end(state);
    return fs_remove_tree(root, NULL);
}

void begin_again(void)
{
    assert_int_equal(fs_remove_tree(root, NULL), 0);
    assert_int_equal(fs_mkdirs(root, 0700, NULL), 0);
    *world = (struct world){.more = ""};
}
