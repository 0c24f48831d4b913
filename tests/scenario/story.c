/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/scenario/story.h"

#include "tests/unit/cmocka_all.h"

#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/swarm/swarm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOT "/clowder"
enum { DAY_MS = 24 * 3600 * 1000 };

struct story_counts {
    struct checker *checker;
    int acting, most_acting, begun;
    char last_host[HOST_ID_SIZE];
    char grants[64][LEASE_SIZE];
    int grants_count[64], leases;
};

static void count_grant(struct story_counts *c, const char *path)
{
    const char *lease = strstr(path, "/leases/");
    const char *end = lease ? strstr(lease + 8, "/permits/") : NULL;
    if (!end || strchr(end + strlen("/permits/"), '/')) /* below it: whose it is */
        return;
    char name[LEASE_SIZE];
    snprintf(name, sizeof(name), "%.*s", (int)(end - lease - 8), lease + 8);
    int i = 0;
    while (i < c->leases && !str_equal(c->grants[i], name))
        i++;
    if (i == c->leases)
        STR_COPY(c->grants[c->leases++], name);
    c->grants_count[i]++;
}

static void on_entry(void *ctx, const struct history_entry *entry)
{
    struct story_counts *c = ctx;
    switch (entry->kind) {
    case HISTORY_TXN:
        for (int i = 0; i < entry->ops_count; i++)
            if (entry->ops[i].kind == ZK_OP_CREATE)
                count_grant(c, entry->ops[i].path);
        break;
    case HISTORY_ACT_BEGIN:
        c->begun++;
        c->acting++;
        if (c->acting > c->most_acting)
            c->most_acting = c->acting;
        STR_COPY(c->last_host, entry->host);
        break;
    case HISTORY_ACT_END:
        c->acting--;
        break;
    }
    checker_feed(c->checker, entry);
}

static void fail_on_violation(const struct story *s)
{
    const struct violation *v = checker_violation(s->checker);
    if (v)
        fail_msg("%s at zxid 0x%llx: %s", v->rule, (unsigned long long)v->zxid,
                 v->text);
}

struct story story_begin(struct sim_swarm_config config)
{
    static const struct checker_config checks = {.root = ROOT};
    struct story s = {.checker = checker_new(&checks),
                      .counts = NEW(struct story_counts)};
    if (config.seed == 0)
        config.seed = 1;
    s.counts->checker = s.checker;
    s.swarm = sim_swarm_new(&config);
    s.loop = sim_swarm_loop(s.swarm);
    s.zk = sim_swarm_zk(s.swarm);
    struct history *history = model_zk_history(s.zk);
    for (int i = 0; i < history_count(history); i++)
        on_entry(s.counts, history_at(history, i));
    history_listen(history, on_entry, s.counts);
    return s;
}

void story_end(struct story *s)
{
    checker_finish(s->checker, false);
    fail_on_violation(s);
    history_listen(model_zk_history(s->zk), NULL, NULL);
    sim_swarm_free(s->swarm);
    checker_free(s->checker);
    free(s->counts);
}

void story_step(struct story *s)
{
    assert_true(sim_loop_step(s->loop, sim_loop_now_ms(s->loop) + DAY_MS));
    fail_on_violation(s);
}

static void say_where(struct story *s)
{
    struct gate gate = sim_swarm_gate(s->swarm);
    print_error("gate %s failed=%d reason=%s\n", gate_phase_text(gate.phase),
                gate.failed, gate.reason);
    for (int i = 0; sim_swarm_host(s->swarm, i); i++) {
        if (!sim_swarm_has_record(s->swarm, i))
            continue;
        struct record record = sim_swarm_record(s->swarm, i);
        const struct runner *runner = sim_swarm_runner(s->swarm, i);
        print_error("%s record=%s stage=%s done=%d permit=%d runner=%s says=%s\n",
                    sim_swarm_host(s->swarm, i), host_state_text(record.state),
                    record.stage, record.stages_done, record.permit,
                    runner_state_text(runner->state), runner->says);
    }
}

void story_runs_to_its_end(struct story *s)
{
    bool closed = sim_loop_run_until(s->loop, sim_swarm_closed, s->swarm, DAY_MS);
    fail_on_violation(s);
    if (!closed) {
        say_where(s);
        fail_msg("the rollout did not end");
    }
}

static bool paused(void *ctx)
{
    return sim_swarm_gate(ctx).phase == GATE_PAUSE;
}

bool story_until_paused(struct story *s)
{
    return sim_loop_run_until(s->loop, paused, s->swarm, DAY_MS);
}

static bool acting(void *ctx)
{
    return ((struct story_counts *)ctx)->acting > 0;
}

bool story_until_acting(struct story *s)
{
    return sim_loop_run_until(s->loop, acting, s->counts, DAY_MS);
}

void story_look_away(struct story *s)
{
    history_listen(model_zk_history(s->zk), NULL, NULL);
}

void story_write(struct story *s, const char *path, const char *data)
{
    struct zk_op op = op_set(path, data, -1);
    assert_int_equal(model_zk_poke(s->zk, &op, 1), ZK_OK);
}

void story_remove(struct story *s, const char *path)
{
    struct zk_op op = op_delete(path, -1);
    assert_int_equal(model_zk_poke(s->zk, &op, 1), ZK_OK);
}

struct names {
    char *names[128];
    int count;
};

static void add_name(void *ctx, const char *leaf)
{
    struct names *names = ctx;
    if (names->count < (int)(sizeof(names->names) / sizeof(names->names[0])))
        names->names[names->count++] = mem_strdup(leaf);
}

void story_remove_tree(struct story *s, const char *path)
{
    struct names below = {0};
    (void)model_zk_children(s->zk, path, add_name, &below);
    for (int i = 0; i < below.count; i++) {
        char *child = mem_printf("%s/%s", path, below.names[i]);
        story_remove_tree(s, child);
        free(child);
        free(below.names[i]);
    }
    story_remove(s, path);
}

uint64_t story_requests(struct story *s)
{
    struct model_zk_counts counts = model_zk_counts(s->zk);
    return counts.reads + counts.writes;
}

static int children(struct story *s, const char *path)
{
    struct zk_stat stat;
    return model_zk_peek(s->zk, path, NULL, NULL, &stat) ? stat.children_count : -1;
}

int story_permits(struct story *s, const char *lease)
{
    return children(s, zpath_permits(ROOT, sim_swarm_rollout(s->swarm), lease).text);
}

int story_tickets(struct story *s, const char *lease)
{
    return children(s, zpath_queue(ROOT, sim_swarm_rollout(s->swarm), lease).text);
}

int story_holder(struct story *s)
{
    for (int i = 0; sim_swarm_host(s->swarm, i); i++)
        if (str_equal(sim_swarm_host(s->swarm, i), s->counts->last_host))
            return i;
    fail_msg("nobody acts");
    return -1;
}

int story_grants(struct story *s, const char *lease)
{
    for (int i = 0; i < s->counts->leases; i++)
        if (str_equal(s->counts->grants[i], lease))
            return s->counts->grants_count[i];
    return 0;
}

int story_acts_begun(struct story *s)
{
    return s->counts->begun;
}

int story_most_acting(struct story *s)
{
    return s->counts->most_acting;
}
