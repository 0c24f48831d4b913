/* herd.c - herd: N hosts in one process, against a real ZooKeeper.
 *
 * SPDX-License-Identifier: Apache-2.0
 * For tests of the CLI: real members and runners (the agent's core), each with its own
 * session, whose steps only take time.
 *
 *   herd --zk ADDRESS --hosts N [--step-ms MS] [--fail HOST] [--probe-ms MS]
 *        [--digest U:P]
 *
 * Hosts are host-001 ... HOST fails in its stage `restart`, once. Their
 * first probe takes MS. Prints "ready" when
 * all have registered; runs until its standard input ends.
 */
#include "agentd/member.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/io/event_loop.h"
#include "shared/io/zk_client.h"

#include <event2/event.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PHRASES = 3 };
static const char *const phrases[PHRASES] = {"write config", "restart unit",
                                             "prove healthy"};

struct herd {
    struct event_loop *el;
    char *servers;
    struct zpath root;
    const char *digest, *fail;
    int64_t step_ms, probe_ms;
    struct sheep *sheep;
    int count, ready;
};

struct sheep {
    struct visitor visitor;
    struct herd *herd;
    char id[HOST_ID_SIZE];
    struct zk *zk;
    struct member member;
    struct runner runner;
    struct facts facts;
    struct live live;
    struct timer turn, probe;
    struct visit_order order;
    int step, phrase, surveyed_stage;
    bool failed, right[STEP_COUNT];
};

static struct sheep *sheep_of(struct visitor *visitor)
{
    return (struct sheep *)visitor;
}

static const struct spec_stage *stage_of(const struct sheep *s, int stage)
{
    return &s->runner.manifest->spec->stages[stage];
}

static bool all_right(const struct sheep *s, int stage)
{
    for (int i = 0; i < stage_of(s, stage)->steps_count; i++)
        if (!s->right[stage_of(s, stage)->steps[i]])
            return false;
    return true;
}

static void on_survey(void *ctx)
{
    struct sheep *s = ctx;
    bool restart = str_equal(stage_of(s, s->surveyed_stage)->name, "restart");
    runner_surveyed(&s->runner, restart && !all_right(s, s->surveyed_stage), NULL);
}

static void survey(struct visitor *visitor, struct runner *runner,
                   const struct manifest *manifest, int stage)
{
    struct sheep *s = sheep_of(visitor);
    s->surveyed_stage = stage;
    timer_start(&s->turn, runner->swarm.loop, 2, on_survey, s);
}

static void on_turn(void *ctx);

static void say(struct sheep *s, enum step_id step, enum step_state state)
{
    struct record *record = runner_record(&s->runner);
    STR_COPY(record->step, step_name(step));
    STR_COPY(record->doing, state == STEP_RUNNING ? phrases[s->phrase] : "");
    struct step_record *entry = record_step(record, step_name(step));
    entry->state = state;
    entry->took_ms = state == STEP_RUNNING ? 0 : s->herd->step_ms;
    STR_COPY(entry->says, state == STEP_PROVED ? "proved three times" : "");
    runner_progress(&s->runner);
}

static void fail_visit(struct sheep *s, enum step_id step)
{
    s->failed = true;
    say(s, step, STEP_REVERTED);
    runner_visited(&s->runner, VISIT_FAILED,
                   "docker.service did not come up within 1m: \"Job for docker.service "
                   "failed because the control process exited with error code\"; the "
                   "old configuration was put back and Docker is healthy",
                   true);
}

static void on_turn(void *ctx)
{
    struct sheep *s = ctx;
    const struct spec_stage *stage = stage_of(s, s->order.stage);
    bool restart = str_equal(stage->name, "restart");
    if (s->step == stage->steps_count) {
        runner_visited(&s->runner, VISIT_DONE, "", true);
        return;
    }
    enum step_id step = stage->steps[s->step];
    if (restart && s->phrase == 1 && !s->failed && s->herd->fail &&
        str_equal(s->herd->fail, s->id)) {
        fail_visit(s, step);
        return;
    }
    if (s->phrase == PHRASES || s->right[step]) {
        say(s, step, s->right[step] ? STEP_ALREADY : STEP_PROVED);
        s->right[step] = true;
        s->step++;
        s->phrase = 0;
        timer_start(&s->turn, s->runner.swarm.loop, 1, on_turn, s);
        return;
    }
    say(s, step, STEP_RUNNING);
    s->phrase++;
    timer_start(&s->turn, s->runner.swarm.loop, s->herd->step_ms / PHRASES, on_turn, s);
}

static void visit(struct visitor *visitor, struct runner *runner,
                  const struct visit_order *order)
{
    struct sheep *s = sheep_of(visitor);
    s->order = *order;
    s->step = s->phrase = 0;
    timer_start(&s->turn, runner->swarm.loop, 1, on_turn, s);
}

static void answer(struct visitor *visitor, int code)
{
}

static void cancel(struct visitor *visitor)
{
    timer_stop(&sheep_of(visitor)->turn);
}

static const struct visitor_ops ops = {
    .survey = survey, .visit = visit, .answer = answer, .cancel = cancel};

static void on_moved(void *ctx, enum member_state from, enum member_state to)
{
    struct sheep *s = ctx;
    if (to != MEMBER_FOLLOWING)
        return;
    if (++s->herd->ready == s->herd->count) {
        (void)puts("ready");
        (void)fflush(stdout);
    }
}

static void on_trouble(void *ctx, const struct error *err)
{
    struct sheep *s = ctx;
    (void)fprintf(stderr, "herd: %s: %s\n", s->id, err->text);
}

static void on_probed(void *ctx)
{
    struct sheep *s = ctx;
    s->facts.seen_ms = s->live.incarnation;
    member_publish(&s->member);
}

static void start(struct herd *herd, struct sheep *s, int number)
{
    static const struct member_observer observer = {.moved = on_moved,
                                                    .trouble = on_trouble};
    static const struct runner_observer runner_observer = {.trouble = on_trouble};
    struct loop *loop = event_loop_port(herd->el);
    struct zk_client_config config = {.servers = herd->servers, .digest = herd->digest};
    struct error err;
    s->herd = herd;
    s->visitor.ops = &ops;
    (void)snprintf(s->id, sizeof(s->id), "host-%03d", number);
    facts_init(&s->facts);
    STR_COPY(s->facts.host, s->id);
    s->facts.role = number % 4 == 0 ? ROLE_SLAVE_PUBLIC : ROLE_SLAVE;
    (void)snprintf(s->facts.zone, sizeof(s->facts.zone), "rack-%d", number % 3 + 1);
    (void)snprintf(s->facts.address, sizeof(s->facts.address), "10.0.%d.%d",
                   number / 250, number % 250 + 1);
    STR_COPY(s->facts.docker, "20.10.24");
    STR_COPY(s->facts.mesos, "1.4.3");
    STR_COPY(s->facts.dcos, "1.10.11");
    STR_COPY(s->facts.agentd, CLOWDER_VERSION);
    (void)snprintf(s->facts.machine_id, sizeof(s->facts.machine_id), "machine-%d",
                   number);
    STR_COPY(s->live.machine_id, s->facts.machine_id);
    STR_COPY(s->live.boot_id, "boot");
    STR_COPY(s->live.version, CLOWDER_VERSION);
    s->live.incarnation = loop_wall_ms(loop);
    if (herd->probe_ms == 0)
        s->facts.seen_ms = s->live.incarnation;
    else
        timer_start(&s->probe, loop, herd->probe_ms, on_probed, s);
    s->live.pid = getpid();
    if (zk_client_new(herd->el, &config, &s->zk, &err) < 0) {
        (void)fprintf(stderr, "herd: %s\n", err.text);
        exit(1);
    }
    struct swarm place = {.zk = s->zk, .loop = loop};
    STR_COPY(place.root, herd->root.text);
    runner_init(&s->runner, &place, &s->visitor, &runner_observer, s);
    member_init(&s->member, &place, &s->live, &s->runner, &observer, s);
    member_start(&s->member, &s->facts);
}

static void stop(struct sheep *s)
{
    runner_done(&s->runner);
    member_done(&s->member);
    timer_stop(&s->turn);
    timer_stop(&s->probe);
    zk_free(s->zk);
    facts_done(&s->facts);
}

static void on_input(evutil_socket_t fd, short what, void *ctx)
{
    struct herd *herd = ctx;
    char byte;
    if (read((int)fd, &byte, 1) <= 0)
        event_loop_stop(herd->el, 0);
}

static int usage(void)
{
    (void)fputs("usage: herd --zk ADDRESS --hosts N [--step-ms MS] [--fail HOST] "
                "[--probe-ms MS] [--digest USER:PASSWORD]\n",
                stderr);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"zk", required_argument, NULL, 'z'},
                                          {"hosts", required_argument, NULL, 'n'},
                                          {"step-ms", required_argument, NULL, 's'},
                                          {"fail", required_argument, NULL, 'f'},
                                          {"probe-ms", required_argument, NULL, 'p'},
                                          {"digest", required_argument, NULL, 'd'},
                                          {0}};
    struct herd herd = {.step_ms = 300};
    struct error err;
    const char *zk = NULL;
    int c;
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 'z')
            zk = optarg;
        else if (c == 'n')
            herd.count = atoi(optarg);
        else if (c == 's')
            herd.step_ms = atoi(optarg);
        else if (c == 'f')
            herd.fail = optarg;
        else if (c == 'p')
            herd.probe_ms = atoi(optarg);
        else if (c == 'd')
            herd.digest = optarg;
        else
            return usage();
    }
    if (!zk || herd.count < 1)
        return usage();
    if (zk_address_parse(zk, &herd.servers, &herd.root, &err) < 0 ||
        event_loop_new(&herd.el, &err) < 0) {
        (void)fprintf(stderr, "herd: %s\n", err.text);
        return 1;
    }
    herd.sheep = mem_array((size_t)herd.count, sizeof(*herd.sheep));
    for (int i = 0; i < herd.count; i++)
        start(&herd, &herd.sheep[i], i + 1);
    struct event *input = event_new(event_loop_base(herd.el), STDIN_FILENO,
                                    EV_READ | EV_PERSIST, on_input, &herd);
    (void)event_add(input, NULL);
    int code = event_loop_run(herd.el);
    event_free(input);
    for (int i = 0; i < herd.count; i++)
        stop(&herd.sheep[i]);
    free(herd.sheep);
    free(herd.servers);
    event_loop_free(herd.el);
    return code;
}
