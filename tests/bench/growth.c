/* growth.c - bench_growth: what a rollout over N hosts is in ZooKeeper, without agents.
 *
 * SPDX-License-Identifier: Apache-2.0
 * The plan, the documents and the transactions are those of `clowder install` and
 * `clowder gc`; sizes are of the requests as they are serialised. Prints a table, or
 * one JSON object with --json. Exit code 1: something is larger than a server takes, or
 * gc left something.
 */
#include "shared/base/cleanup.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/io/zk_client.h"
#include "shared/io/zk_wire.h"
#include "shared/model/draft.h"
#include "shared/swarm/gc_rollout.h"
#include "shared/swarm/init.h"
#include "shared/swarm/rollout_create.h"
#include "tests/bench/figures.h"
#include "tests/support/zk_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROOT "/clowder"

enum { ACL_BYTES = 64 };

struct growth {
    struct zk_ensemble *ensemble;
    struct event_loop *el;
    struct zk *zk;
    struct spec *spec;
    struct plan plan;
    struct draft draft;
    int hosts, result;
    struct zk_request *request;
    /* what came of it */
    double plan_s, layout_s, create_s, gc_s;
    int requests, most_ops, znodes, removed;
    size_t spec_bytes, largest_wave_bytes, largest_znode_bytes, largest_request_bytes,
        all_bytes;
    int64_t znodes_before, znodes_with, znodes_after, data_bytes;
    double server_s;
};

static void die(const char *what, const struct error *err)
{
    (void)fprintf(stderr, "bench_growth: %s%s%s\n", what, err ? ": " : "",
                  err ? err->text : "");
    exit(1);
}

static double seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_done(void *ctx, int result, const struct error *err)
{
    struct growth *g = ctx;
    if (result < 0)
        die("a transaction failed", err);
    event_loop_stop(g->el, 0);
}

static void wait_done(struct growth *g)
{
    (void)event_loop_run(g->el);
}

static int64_t mntr(struct growth *g, const char *key)
{
    char text[16384];
    if (zk_server_ask(&g->ensemble->server[0], "mntr", text, sizeof(text)) < 0)
        die("mntr", NULL);
    const char *line = strstr(text, key);
    return line ? atoll(line + strlen(key)) : -1;
}

/* ---- the plan ---- */

static void make_plan(struct growth *g)
{
    struct error err;
    struct strbuf errors = {0};
    static const char text[] =
        "{\"waves\":{\"canary\":1,\"size\":[\"1%\",\"5%\",\"10%\","
        "\"100%\"]},\"leases\":{\"restart\":\"1%\"},"
        "\"zone_limits\":{\"restart\":1}}";
    _cleanup_(freep) struct plan_input *inputs =
        mem_array((size_t)g->hosts, sizeof(*inputs));
    if (spec_parse(text, strlen(text), &g->spec, &errors, &err) < 0)
        die(errors.text, &err);
    for (int i = 0; i < g->hosts; i++) {
        struct facts *facts = &inputs[i].facts;
        facts_init(facts);
        (void)snprintf(facts->host, sizeof(facts->host), "10.%d.%d.%d", i / 62500,
                       i / 250 % 250, i % 250);
        STR_COPY(facts->address, facts->host);
        (void)snprintf(facts->zone, sizeof(facts->zone), "rack-%d", i % 400);
        facts->role = ROLE_SLAVE;
        facts->seen_ms = 1;
        inputs[i].live = true;
    }
    double from = seconds();
    if (plan_make(g->spec, inputs, g->hosts, NULL, &g->plan, &err) < 0)
        die("no plan", &err);
    g->plan_s = seconds() - from;
    for (int i = 0; i < g->hosts; i++)
        facts_done(&inputs[i].facts);
}

static void make_draft(struct growth *g)
{
    struct draft_header header = {.by = "bench", .kind = ROLLOUT_INSTALL};
    struct error err;
    header.created_ms = loop_wall_ms(event_loop_port(g->el));
    rollout_id_make(header.created_ms, 1, header.id);
    if (draft_make(&g->spec, &g->plan, &header, &g->draft, &err) < 0)
        die("no draft", &err);
    _cleanup_(freep) char *manifest = manifest_encode(g->draft.manifest);
    g->spec_bytes = strlen(manifest);
    for (int i = 0; i < g->draft.manifest->waves_count; i++) {
        _cleanup_(freep) char *wave = wave_encode(&g->draft.waves[i]);
        if (strlen(wave) > g->largest_wave_bytes)
            g->largest_wave_bytes = strlen(wave);
    }
}

/* ---- the requests ---- */

static struct rollout_documents documents_of(const struct growth *g)
{
    return (struct rollout_documents){
        .manifest = g->draft.manifest, .waves = g->draft.waves, .gate = &g->draft.gate};
}

static void measure_layout(struct growth *g)
{
    struct rollout_layout layout;
    struct rollout_documents documents = documents_of(g);
    struct error err;
    double from = seconds();
    if (rollout_layout_make(ROOT, &documents, &layout, &err) < 0)
        die("too large", &err);
    g->layout_s = seconds() - from;
    g->znodes = layout.ops_count;
    g->requests = layout.chunks_count;
    for (int i = 0; i < layout.ops_count; i++)
        if (layout.ops[i].data_len > g->largest_znode_bytes)
            g->largest_znode_bytes = layout.ops[i].data_len;
    for (int i = 0; i < layout.chunks_count; i++) {
        int count = layout.chunks[i + 1] - layout.chunks[i];
        size_t bytes =
            zk_wire_multi_bytes(&layout.ops[layout.chunks[i]], count, ACL_BYTES);
        g->all_bytes += bytes;
        if (bytes > g->largest_request_bytes)
            g->largest_request_bytes = bytes;
        if (count > g->most_ops)
            g->most_ops = count;
    }
    rollout_layout_done(&layout);
}

static void create(struct growth *g)
{
    struct rollout_create create = {0};
    struct rollout_documents documents = documents_of(g);
    g->znodes_before = mntr(g, "zk_znode_count");
    double from = seconds(), cpu = cpu_seconds(g->ensemble->server[0].pid);
    rollout_create_start(&create, g->zk, event_loop_port(g->el), ROOT, &documents, NULL,
                         NULL, on_done, g);
    wait_done(g);
    g->create_s = seconds() - from;
    g->server_s = cpu_seconds(g->ensemble->server[0].pid) - cpu;
    g->znodes_with = mntr(g, "zk_znode_count");
    g->data_bytes = mntr(g, "zk_approximate_data_size");
}

/* ---- its end ---- */

static void on_closed(void *ctx, const struct zk_reply *reply)
{
    struct growth *g = ctx;
    if (reply->result != ZK_OK)
        die("it was not closed", NULL);
    event_loop_stop(g->el, 0);
}

/* As the last host does (close.h), and out of /current, as the next install does. */
static void close_it(struct growth *g)
{
    struct gate gate = g->draft.gate;
    struct current none = {.rollout = ""};
    gate.phase = GATE_DONE;
    _cleanup_(freep) char *text = gate_encode(&gate);
    _cleanup_(freep) char *current_text = current_encode(&none);
    struct zpath path = zpath_gate(ROOT, g->draft.manifest->id);
    struct zpath current = zpath_current(ROOT);
    struct zk_op ops[] = {op_set(path.text, text, -1),
                          op_set(current.text, current_text, -1)};
    g->request = zk_multi(g->zk, ops, 2, on_closed, g);
    wait_done(g);
}

static void collect(struct growth *g)
{
    struct gc gc = {0};
    struct gc_removal removal = {0};
    const struct gc_policy policy = {.keep = 0, .debris_ms = 3600000};
    struct loop *loop = event_loop_port(g->el);
    double from = seconds();
    gc_look_start(&gc, g->zk, loop, ROOT, &policy, on_done, g);
    wait_done(g);
    if (gc_going(&gc) != 1)
        die("gc does not take it", NULL);
    gc_rollout_start(&removal, &gc, gc.rollouts[0].id, "bench", on_done, g);
    wait_done(g);
    g->gc_s = seconds() - from;
    g->removed = removal.removed;
    g->znodes_after = mntr(g, "zk_znode_count");
    gc_done(&gc);
}

/* ---- the program ---- */

static void on_session(void *ctx, enum zk_session_event event, bool fresh)
{
    struct growth *g = ctx;
    event_loop_stop(g->el, 0);
}

static void begin(struct growth *g)
{
    struct init init = {0};
    struct init_request wanted = {.root = ROOT,
                                  .cluster = "00000000-0000-0000-0000-000000000000"};
    struct error err;
    if (event_loop_new(&g->el, &err) < 0 ||
        zk_ensemble_start(1, 1500, &g->ensemble, &err) < 0)
        die("start", &err);
    struct zk_client_config config = {.servers = g->ensemble->servers};
    if (zk_client_new(g->el, &config, &g->zk, &err) < 0)
        die("session", &err);
    zk_listen(g->zk, on_session, g);
    while (!g->zk->connected)
        wait_done(g);
    zk_listen(g->zk, NULL, NULL);
    init_start(&init, g->zk, event_loop_port(g->el), &wanted, on_done, g);
    wait_done(g);
}

static bool fits(const struct growth *g)
{
    return g->largest_znode_bytes <= LAYOUT_ZNODE_MAX &&
           g->largest_request_bytes <= ZK_WIRE_MAX_BYTES &&
           g->most_ops <= LAYOUT_OPS_MAX && g->znodes_after == g->znodes_before;
}

static json_t *report(const struct growth *g)
{
    json_t *j = json_pack(
        "{s:i,s:i,s:i,s:I,s:I,s:I,s:I,s:I,s:I}", "hosts", g->hosts, "znodes", g->znodes,
        "requests", g->requests, "most_operations", (json_int_t)g->most_ops,
        "spec_bytes", (json_int_t)g->spec_bytes, "largest_wave_bytes",
        (json_int_t)g->largest_wave_bytes, "largest_znode_bytes",
        (json_int_t)g->largest_znode_bytes, "largest_request_bytes",
        (json_int_t)g->largest_request_bytes, "all_bytes", (json_int_t)g->all_bytes);
    (void)json_object_update_new(
        j,
        json_pack("{s:f,s:f,s:f,s:f,s:f,s:i,s:I,s:I,s:b}", "plan_s", g->plan_s,
                  "layout_s", g->layout_s, "create_s", g->create_s, "create_server_s",
                  g->server_s, "gc_s", g->gc_s, "removed", g->removed, "left",
                  (json_int_t)(g->znodes_after - g->znodes_before), "server_data_bytes",
                  (json_int_t)g->data_bytes, "fits", fits(g)));
    return j;
}

int main(int argc, char **argv)
{
    static struct growth growth;
    struct growth *g = &growth;
    bool json = argc > 1 && str_equal(argv[argc - 1], "--json");
    g->hosts = argc > 1 && atoi(argv[1]) > 0 ? atoi(argv[1]) : 20000;
    zk_server_require();
    begin(g);
    make_plan(g);
    make_draft(g);
    measure_layout(g);
    create(g);
    close_it(g);
    collect(g);
    json_t *result = report(g);
    (void)json_dumpf(result, stdout, json ? JSON_COMPACT : JSON_INDENT(1));
    (void)puts("");
    json_decref(result);
    draft_done(&g->draft);
    plan_done(&g->plan);
    zk_free(g->zk);
    event_loop_free(g->el);
    zk_ensemble_free(g->ensemble);
    return fits(g) ? 0 : 1;
}
