/* clowder_step.c - one step by hand on this host: its phases in the order given, with a
 * journal, without ZooKeeper. For trying a step out and for tests on real hosts.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * clowder-step STATE_DIR SPEC.json STEP PHASE...
 *   observe  prints the judgement            apply, prove, revert  as in step.h
 *   forget   the memo (the visit is over)
 * Exit code 0, or 1 at the first phase that fails. Disruptive acts are always allowed.
 */
#include "agentd/journal.h"
#include "agentd/steps/step.h"
#include "shared/base/cleanup.h"
#include "shared/base/fs.h"
#include "shared/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct run {
    struct event_loop *el;
    struct journal *journal;
    struct step *step;
    struct spec *spec;
    struct facts facts;
    struct step_env env;
};

static void allow(void *ctx, struct step *step, struct flow *flow)
{
    flow_next(flow);
}

static void allow_cancel(void *ctx, struct step *step)
{
}

static int save(void *ctx, struct step *step, struct error *err)
{
    struct run *run = ctx;

    return journal_step(run->journal, step_name(step->type->id), JOURNAL_APPLYING,
                        step->memo, loop_wall_ms(run->env.loop), err);
}

static void says(void *ctx, struct step *step, const char *text)
{
    printf("  says: %s\n", text);
}

static void on_step(void *ctx, const char *name, int result, int64_t took_ms)
{
    printf("  %-26s %s %lld ms\n", name, result == 0 ? "ok" : "FAILED",
           (long long)took_ms);
}

static void on_done(void *ctx, int result, const struct error *err)
{
    struct run *run = ctx;

    if (result < 0)
        printf("  failed: %s\n", err->text);
    event_loop_stop(run->el, result < 0 ? 1 : 0);
}

static int phase(struct run *run, const struct flow_step *table)
{
    struct flow flow = {0};

    flow_start(&flow, run->env.loop, table, run->step, on_done, run);
    flow_observe(&flow, on_step, run);
    return event_loop_run(run->el);
}

static int observe(struct run *run)
{
    struct step *step = run->step;
    int r = phase(run, step->type->observe);

    if (r != 0)
        return r;
    judge(step->type->id, run->spec, &run->facts, step->seen, &step->judgement);
    printf("  %s: %s\n", finding_text(step->judgement.finding), step->judgement.says);
    return 0;
}

static int one(struct run *run, const char *name)
{
    const struct step_type *type = run->step->type;

    printf("%s %s\n", step_name(type->id), name);
    if (strcmp(name, "observe") == 0)
        return observe(run);
    if (strcmp(name, "apply") == 0)
        return phase(run, type->apply);
    if (strcmp(name, "prove") == 0)
        return phase(run, type->prove);
    if (strcmp(name, "revert") == 0)
        return phase(run, type->revert);
    if (strcmp(name, "forget") == 0)
        return journal_end(run->journal, NULL) < 0;
    (void)fprintf(stderr, "clowder-step: no phase \"%s\"\n", name);
    return 2;
}

static void describe_host(struct facts *facts)
{
    FILE *pipe = popen("/opt/mesosphere/bin/detect_ip || hostname -i", "re");

    facts_init(facts);
    facts->role = ROLE_SLAVE;
    if (pipe && fgets(facts->address, sizeof facts->address, pipe))
        facts->address[strcspn(facts->address, " \n")] = '\0';
    if (pipe)
        (void)pclose(pipe);
    (void)STR_COPY(facts->host, facts->address);
}

static int start(struct run *run, const char *state_dir, const char *spec_path,
                 const char *name, struct error *err)
{
    static const struct journal_visit visit = {
        .rollout = "by-hand", .stage = "by-hand", .attempt = 1};
    _cleanup_(freep) char *bytes = NULL;
    struct strbuf errors = {0};
    const json_t *memo = NULL;
    size_t len;
    int id = step_from_name(name);

    if (id < 0)
        return error_set(err, -1, "no step \"%s\"", name);
    int r = fs_read(spec_path, 1 << 20, &bytes, &len, err);
    if (r == 0)
        r = spec_parse(bytes, len, &run->spec, &errors, err);
    if (errors.len > 0)
        (void)fprintf(stderr, "%s", errors.text);
    strbuf_done(&errors);
    if (r == 0)
        r = fs_mkdirs(state_dir, 0700, err);
    if (r == 0)
        r = journal_open(state_dir, &run->journal, err);
    if (r == 0)
        r = journal_begin(run->journal, &visit, err);
    if (r == 0)
        r = event_loop_new(&run->el, err);
    if (r < 0)
        return r;
    describe_host(&run->facts);
    run->env = (struct step_env){.el = run->el,
                                 .loop = event_loop_port(run->el),
                                 .spec = run->spec,
                                 .facts = &run->facts,
                                 .state_dir = state_dir,
                                 .cache_dir = state_dir,
                                 .docker_socket = "/var/run/docker.sock",
                                 .ctx = run,
                                 .ask = allow,
                                 .ask_cancel = allow_cancel,
                                 .save = save,
                                 .says = says};
    (void)journal_step_get(run->journal, name, NULL, &memo);
    run->step = step_new((enum step_id)id, &run->env, memo);
    return 0;
}

int main(int argc, char **argv)
{
    struct run run = {0};
    struct error err = {0};
    int r = 0;

    if (argc < 5) {
        (void)fprintf(stderr,
                      "usage: clowder-step STATE_DIR SPEC.json STEP PHASE...\n");
        return 2;
    }
    if (start(&run, argv[1], argv[2], argv[3], &err) < 0) {
        (void)fprintf(stderr, "clowder-step: %s\n", err.text);
        return 2;
    }
    for (int i = 4; i < argc && r == 0; i++)
        r = one(&run, argv[i]);
    step_free(run.step);
    spec_free(run.spec);
    facts_done(&run.facts);
    journal_close(run.journal);
    event_loop_free(run.el);
    return r;
}
