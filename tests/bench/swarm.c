/* swarm.c - bench_swarm: a whole rollout over N real agents, and what it cost.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Real members and runners (fleet.h), each with its own session, against a real server
 * or an ensemble of its own. Prints a table, or one JSON object with --json.
 */
#include "shared/base/cleanup.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/io/zk_client.h"
#include "shared/swarm/init.h"
#include "shared/swarm/rollout_create.h"
#include "tests/bench/file_server.h"
#include "tests/bench/fleet.h"
#include "tests/support/checker.h"
#include "tests/support/txnlog.h"
#include "tests/support/zk_server.h"

#include <event2/event.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define ROLLOUT "20261123-200000-be9c"

static const char usage_text[] =
    "usage: bench_swarm [options]\n"
    "  --hosts N         agents, each with its own session (100)\n"
    "  --permits K[%]    of lease restart (1)\n"
    "  --installs K[%]   of lease install (10%, at least 10)\n"
    "  --stages 1|3      one disruptive stage of one step, or the default three (1)\n"
    "  --waves A,B[%]    sizes of the first waves; the rest is the last one\n"
    "  --visit-ms MS     how long a stage's visit takes (0)\n"
    "  --fail PPM        chance that a host's visit fails, per million (0)\n"
    "  --limit-s S       measure so long at most (600)\n"
    "  --servers 1|3     ZooKeeper servers (1)\n"
    "  --java OPTION     for their JVM; @file for several\n"
    "  --session-ms MS   session timeout (30000)\n"
    "  --fetch-kb KB     each host fetches a file of that size over HTTP, in its "
    "first\n"
    "                    visit under lease install (needs --stages 3)\n"
    "  --fetch-ms MS     the HTTP server holds each answer up so long (300)\n"
    "  --storm S         after S seconds of the rollout every server is killed\n"
    "  --storm-leader    ... only the leader\n"
    "  --outage-ms MS    and comes back after (1000)\n"
    "  --check           the invariants, over the server's transaction log\n"
    "  --serve           prints the address when the rollout has begun; runs until\n"
    "                    standard input ends\n"
    "  --json            one JSON object instead of a table\n";

struct options {
    int hosts, permits, installs, stages, fail_ppm, servers;
    int waves[WAVES_MAX], waves_count;
    int fetch_kb, fetch_ms;
    int64_t visit_ms, session_ms, outage_ms;
    double limit_s, storm_s;
    const char *java;
    bool storm, leader_only, check, serve, json;
};

/* By the servers: pings, connecting and the operator's requests are among them. */
struct server_counts {
    int64_t requests, replies, bytes /* received */, watches /* now */, events;
};

struct bench {
    struct options o;
    struct zk_ensemble *ensemble;
    struct event_loop *el;
    struct fleet fleet;
    struct file_server files;
    char fetch_dir[32];
    struct zk *operator_;
    struct manifest *manifest;
    struct init init;
    struct rollout_create create;
    struct timer limit;
    bool created;
    double began, joined_s, create_s, run_from, run_s;
    uint64_t join_requests;
    double server_cpu_from, own_cpu_from;
    int watch_count; /* in mid-rollout */
    struct server_counts from, to;
    pthread_t storm_thread;
    bool storm_begun;
    _Atomic double killed_at, served_at; /* seconds; by the storm's thread */
    char checker[700];
};

/* ---- the rollout ---- */

static void die(const char *what, const struct error *err)
{
    (void)fprintf(stderr, "bench_swarm: %s%s%s\n", what, err ? ": " : "",
                  err ? err->text : "");
    exit(1);
}

static char *spec_text(const struct options *o)
{
    static const char one_stage[] =
        ",\"stages\":[{\"name\":\"restart\",\"steps\":[\"cni\"],"
        "\"lease\":\"restart\"}],\"steps\":{\"etcd-proxy\":{\"enabled\":false},"
        "\"docker-cluster-store\":{\"enabled\":false},"
        "\"libnetwork\":{\"enabled\":false},\"node\":{\"enabled\":false}}";
    return mem_printf("{\"adopt\":false,\"leases\":{\"restart\":%d,\"install\":%d}%s}",
                      o->permits, o->installs, o->stages == 3 ? "" : one_stage);
}

static void make_manifest(struct bench *b)
{
    struct manifest *m = NEW(struct manifest);
    struct strbuf errors = {0};
    struct error err;
    _cleanup_(freep) char *text = spec_text(&b->o);
    if (spec_parse(text, strlen(text), &m->spec, &errors, &err) < 0)
        die(errors.text, &err);
    strbuf_done(&errors);
    STR_COPY(m->id, ROLLOUT);
    STR_COPY(m->by, "bench");
    m->created_ms = loop_wall_ms(event_loop_port(b->el));
    m->hosts = b->o.hosts;
    int left = b->o.hosts;
    for (int i = 0; i < b->o.waves_count && b->o.waves[i] < left; i++) {
        struct wave_entry *wave = &m->waves[m->waves_count++];
        (void)snprintf(wave->name, sizeof(wave->name), "wave-%d", i + 1);
        wave->size = b->o.waves[i];
        left -= wave->size;
    }
    STR_COPY(m->waves[m->waves_count].name, "rest");
    m->waves[m->waves_count++].size = left;
    b->manifest = m;
}

static void fill_waves(struct bench *b, struct wave *waves)
{
    int host = 0;
    for (int i = 0; i < b->manifest->waves_count; i++) {
        const struct wave_entry *entry = &b->manifest->waves[i];
        STR_COPY(waves[i].name, entry->name);
        waves[i].hosts.items = mem_array((size_t)entry->size, sizeof(char *));
        waves[i].hosts.count = entry->size;
        for (int j = 0; j < entry->size; j++)
            waves[i].hosts.items[j] = mem_strdup(fleet_host_id(&b->fleet, host++));
    }
}

static double server_cpu(const struct bench *b)
{
    double sum = 0;
    for (int i = 0; i < b->ensemble->count; i++)
        if (b->ensemble->server[i].pid > 0)
            sum += cpu_seconds(b->ensemble->server[i].pid);
    return sum;
}

static void stop_run(struct bench *b)
{
    if (b->run_s == 0)
        b->run_s = b->fleet.last_done - b->run_from;
    event_loop_stop(b->el, 0);
}

static void on_created(void *ctx, int result, const struct error *err)
{
    struct bench *b = ctx;
    if (result < 0)
        die("the rollout was not created", err);
    b->create_s = fleet_seconds() - b->run_from;
    b->run_from = fleet_seconds();
    event_loop_stop(b->el, 0);
}

static void create_rollout(struct bench *b)
{
    struct gate gate = {.phase = GATE_RUN, .max_failed = b->o.hosts};
    struct error err;
    if (gate_set_limit(&gate, "restart", b->o.permits, &err) < 0 ||
        gate_set_limit(&gate, "install", b->o.installs, &err) < 0)
        die("limits", &err);
    struct wave *waves = mem_array((size_t)b->manifest->waves_count, sizeof(*waves));
    fill_waves(b, waves);
    struct rollout_documents documents = {
        .manifest = b->manifest, .waves = waves, .gate = &gate};
    b->run_from = fleet_seconds();
    rollout_create_start(&b->create, b->operator_, event_loop_port(b->el), FLEET_ROOT,
                         &documents, NULL, NULL, on_created, b);
    (void)event_loop_run(b->el);
    for (int i = 0; i < b->manifest->waves_count; i++)
        wave_done(&waves[i]);
    free(waves);
}

/* ---- the storm: in a thread of its own, since servers are waited for ---- */

static void pause_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&t, &t) < 0)
        ;
}

static void *storm(void *ctx)
{
    struct bench *b = ctx;
    struct error err;
    pause_ms((int64_t)(b->o.storm_s * 1000));
    int leader = zk_ensemble_leader(b->ensemble);
    for (int i = 0; i < b->ensemble->count; i++)
        if (!b->o.leader_only || i == leader)
            zk_server_kill(b->ensemble, i);
    b->killed_at = fleet_seconds();
    pause_ms(b->o.outage_ms);
    for (int i = 0; i < b->ensemble->count; i++)
        if (b->ensemble->server[i].pid == 0 &&
            zk_server_launch(b->ensemble, i, &err) < 0)
            die("storm", &err);
    for (int i = 0; i < b->ensemble->count; i++)
        if (zk_server_wait(b->ensemble, i, &err) < 0)
            die("storm", &err);
    b->served_at = fleet_seconds();
    for (;;) /* the servers live as long as the thread that started them */
        pause_ms(1000);
    return NULL;
}

/* ---- what the hosts fetch ---- */

static void serve_files(struct bench *b)
{
    STR_COPY(b->fetch_dir, "/tmp/clowder-fetch-XXXXXX");
    if (!mkdtemp(b->fetch_dir))
        die("mkdtemp", NULL);
    file_server_start(&b->files, (size_t)b->o.fetch_kb * 1024, b->o.fetch_ms);
}

static void stop_files(struct bench *b)
{
    file_server_stop(&b->files);
    struct error err;
    if (fs_remove_tree(b->fetch_dir, &err) < 0)
        (void)fprintf(stderr, "bench_swarm: %s\n", err.text);
}

/* ---- phases ---- */

static void on_all_joined(void *ctx)
{
    struct bench *b = ctx;
    if (!b->created)
        event_loop_stop(b->el, 0);
}

static void on_all_ended(void *ctx)
{
    struct bench *b = ctx;
    if (!b->o.serve)
        stop_run(b);
}

static void on_limit(void *ctx)
{
    struct bench *b = ctx;
    b->run_s = fleet_seconds() - b->run_from;
    event_loop_stop(b->el, 0);
}

static void on_input(evutil_socket_t fd, short what, void *ctx)
{
    struct bench *b = ctx;
    char byte;
    if (read((int)fd, &byte, 1) <= 0)
        event_loop_stop(b->el, 0);
}

static void on_flow(void *ctx, int result, const struct error *err)
{
    struct bench *b = ctx;
    if (result < 0)
        die("init", err);
    event_loop_stop(b->el, 0);
}

static void on_operator(void *ctx, enum zk_session_event event, bool fresh)
{
    struct bench *b = ctx;
    event_loop_stop(b->el, 0);
}

static void make_root(struct bench *b)
{
    struct zk_client_config config = {.servers = b->ensemble->servers};
    struct init_request wanted = {.root = FLEET_ROOT,
                                  .cluster = "00000000-0000-0000-0000-000000000000"};
    struct error err;
    if (zk_client_new(b->el, &config, &b->operator_, &err) < 0)
        die("session", &err);
    zk_listen(b->operator_, on_operator, b);
    while (!b->operator_->connected)
        (void)event_loop_run(b->el);
    zk_listen(b->operator_, NULL, NULL);
    init_start(&b->init, b->operator_, event_loop_port(b->el), &wanted, on_flow, b);
    (void)event_loop_run(b->el);
}

static void join_all(struct bench *b)
{
    struct fleet_config config = {.servers = b->ensemble->servers,
                                  .hosts = b->o.hosts,
                                  .permits = b->o.permits,
                                  .visit_ms = b->o.visit_ms,
                                  .fail_ppm = b->o.fail_ppm,
                                  .session_ms = b->o.session_ms};
    if (b->o.fetch_kb > 0) {
        config.fetch_url = b->files.url;
        config.fetch_sha256 = b->files.sha256;
        config.fetch_dir = b->fetch_dir;
    }
    b->began = fleet_seconds();
    b->fleet.on_all_joined = on_all_joined;
    b->fleet.on_all_ended = on_all_ended;
    b->fleet.ctx = b;
    fleet_start(&b->fleet, b->el, &config);
    (void)event_loop_run(b->el);
    b->joined_s = fleet_seconds() - b->began;
    b->join_requests = fleet_requests(&b->fleet);
}

static int64_t mntr_value(const char *text, const char *key)
{
    const char *line = strstr(text, key);
    return line ? atoll(line + strlen(key)) : 0;
}

/* What all servers have counted since they were started; false: one does not answer. */
static bool ask_servers(const struct bench *b, struct server_counts *ret)
{
    struct server_counts sum = {0};
    char text[65536];
    for (int i = 0; i < b->ensemble->count; i++) {
        if (zk_server_ask(&b->ensemble->server[i], "mntr", text, sizeof(text)) < 0)
            return false;
        sum.requests += mntr_value(text, "\nzk_packets_received\t");
        sum.replies += mntr_value(text, "\nzk_packets_sent\t");
        sum.bytes += mntr_value(text, "\nzk_bytes_received_count\t");
        sum.watches += mntr_value(text, "\nzk_watch_count\t");
        sum.events += mntr_value(text, "\nzk_sum_node_created_watch_count\t") +
                      mntr_value(text, "\nzk_sum_node_deleted_watch_count\t") +
                      mntr_value(text, "\nzk_sum_node_changed_watch_count\t") +
                      mntr_value(text, "\nzk_sum_node_children_watch_count\t");
    }
    *ret = sum;
    return true;
}

static void on_half(void *ctx)
{
    struct bench *b = ctx;
    struct server_counts now;
    if (ask_servers(b, &now))
        b->watch_count = (int)now.watches;
}

static void serve(struct bench *b)
{
    (void)printf("zk://%s%s\n", b->ensemble->servers, FLEET_ROOT);
    (void)fflush(stdout);
    struct event *input = event_new(event_loop_base(b->el), STDIN_FILENO,
                                    EV_READ | EV_PERSIST, on_input, b);
    (void)event_add(input, NULL);
    (void)event_loop_run(b->el);
    event_free(input);
}

static void run(struct bench *b)
{
    struct loop *loop = event_loop_port(b->el);
    struct timer half = {0};
    b->created = true;
    make_manifest(b);
    fleet_forget_counts(&b->fleet);
    b->server_cpu_from = server_cpu(b);
    b->own_cpu_from = cpu_seconds(getpid());
    (void)ask_servers(b, &b->from);
    create_rollout(b);
    if (b->o.storm) {
        b->storm_begun = true;
        if (pthread_create(&b->storm_thread, NULL, storm, b) != 0)
            die("no thread", NULL);
    }
    if (b->o.serve) {
        serve(b);
    } else {
        timer_start(&half, loop, b->o.hosts / 4 + 100, on_half, b);
        timer_start(&b->limit, loop, (int64_t)(b->o.limit_s * 1000), on_limit, b);
        (void)event_loop_run(b->el);
    }
    timer_stop(&half);
    timer_stop(&b->limit);
    (void)ask_servers(b, &b->to);
}

/* ---- what came of it ---- */

static void check_log(struct bench *b)
{
    struct error err;
    char dir[192];
    (void)snprintf(dir, sizeof(dir), "%s/%d", b->ensemble->dir,
                   b->ensemble->server[0].number);
    struct history *h = history_new(true);
    if (txnlog_read(dir, FLEET_ROOT, h, &err) < 0)
        die("transaction log", &err);
    history_sort(h);
    struct checker *checker = checker_new(&(struct checker_config){
        .root = FLEET_ROOT, .rollout = ROLLOUT, .ends_may_be_missing = true});
    for (int i = 0; i < history_count(h); i++)
        checker_feed(checker, history_at(h, i));
    checker_finish(checker, b->fleet.done + b->fleet.failed == b->o.hosts);
    const struct violation *v = checker_violation(checker);
    struct checker_counts n = checker_counts(checker);
    if (v)
        (void)snprintf(b->checker, sizeof(b->checker), "violated: %s %s", v->rule,
                       v->text);
    else
        (void)snprintf(b->checker, sizeof(b->checker),
                       "holds: transactions=%d grants=%d releases=%d held_max=%d",
                       n.txns, n.grants, n.releases, n.occupied_max);
    checker_free(checker);
    history_free(h);
}

/* The critical path with no coordination: each stage of each wave in rounds of K. */
static double ideal_s(const struct bench *b)
{
    double sum = 0;
    for (int w = 0; w < b->manifest->waves_count; w++) {
        for (int s = 0; s < b->manifest->spec->stages_count; s++) {
            bool restart = str_equal(b->manifest->spec->stages[s].lease, "restart");
            int k = restart ? b->o.permits : b->o.installs;
            int rounds = (b->manifest->waves[w].size + k - 1) / k;
            sum += rounds * (double)b->o.visit_ms / 1000;
        }
    }
    return sum;
}

static json_t *barriers_json(struct bench *b)
{
    json_t *list = json_array();
    for (int i = 0; i < b->fleet.barriers_count; i++) {
        const struct fleet_barrier *barrier = &b->fleet.barriers[i];
        if (barrier->arrived < barrier->size || barrier->released < barrier->size)
            continue;
        (void)json_array_append_new(
            list, json_pack("{s:i,s:i,s:i,s:f,s:f}", "wave", barrier->wave, "stage",
                            barrier->stage, "size", barrier->size, "sent_to_released_s",
                            barrier->last_released - barrier->last_sent,
                            "arrived_to_released_s",
                            barrier->last_released - barrier->last_arrived));
    }
    return list;
}

static json_t *requests_json(struct bench *b)
{
    json_t *kinds = json_object();
    double all = (double)fleet_requests(&b->fleet);
    int stages = b->manifest->spec->stages_count;
    for (int i = 0; i < FLEET_REQUESTS; i++)
        (void)json_object_set_new(kinds, fleet_request_names[i],
                                  json_integer((json_int_t)b->fleet.requests[i]));
    struct series *tenths = &b->fleet.per_tenth;
    double peak = 0, window = 0;
    for (int i = 0; i < tenths->count; i++) {
        window += tenths->values[i] - (i >= 10 ? tenths->values[i - 10] : 0);
        peak = window > peak ? window : peak;
    }
    return json_pack("{s:f,s:f,s:f,s:f,s:f,s:f,s:o}", "all", all, "per_host",
                     all / b->o.hosts, "per_host_and_stage", all / b->o.hosts / stages,
                     "joining_per_host", (double)b->join_requests / b->o.hosts,
                     "watches_per_host", (double)b->fleet.watches / b->o.hosts,
                     "peak_per_s", peak, "kinds", kinds);
}

static json_t *storm_json(struct bench *b)
{
    if (!b->storm_begun)
        return json_null();
    double killed = b->killed_at, served = b->served_at;
    return json_pack("{s:f,s:f,s:i,s:i,s:i}", "outage_s", served - killed,
                     "joined_after_s", b->fleet.all_joined - served, "disconnected",
                     b->fleet.disconnected, "resumed", b->fleet.reconnected, "expired",
                     b->fleet.expired);
}

/* Over the rollout, from before it was written. Servers that were killed meanwhile
 * count from nothing: no figures then. */
static json_t *servers_json(const struct bench *b)
{
    if (b->storm_begun)
        return json_null();
    double hosts = b->o.hosts;
    return json_pack(
        "{s:I,s:f,s:f,s:f,s:f,s:i}", "requests",
        (json_int_t)(b->to.requests - b->from.requests), "requests_per_host",
        (double)(b->to.requests - b->from.requests) / hosts, "replies_per_host",
        (double)(b->to.replies - b->from.replies) / hosts, "bytes_received_per_host",
        (double)(b->to.bytes - b->from.bytes) / hosts, "events_per_host",
        (double)(b->to.events - b->from.events) / hosts, "watches_in_mid_rollout",
        b->watch_count);
}

/* The permits of lease install are the limit of what may be fetched at a time. */
static json_t *downloads_json(struct bench *b)
{
    const struct fleet *f = &b->fleet;
    if (b->o.fetch_kb == 0)
        return json_null();
    const struct file_server_counts *n = b->files.counts;
    return json_pack("{s:i,s:i,s:i,s:i,s:i,s:i,s:I,s:I,s:b}", "limit", b->o.installs,
                     "fetches", f->fetches, "failed", f->fetches_failed, "fetching_max",
                     f->fetching_max, "connections", n->connections, "connections_max",
                     n->open_max, "bytes", (json_int_t)f->fetched_bytes, "bytes_sent",
                     (json_int_t)n->bytes, "within", n->open_max <= b->o.installs);
}

/* Of a part of a rollout: how much of the permits' time went into visits. */
static double share_worked(const struct bench *b)
{
    double s = b->fleet.last_worked - b->run_from;
    return s > 0 ? b->fleet.worked_s / (s * b->o.permits) : 0;
}

static double since_begun(const struct bench *b, double at)
{
    return at > 0 ? at - b->run_from : 0;
}

static json_t *report(struct bench *b)
{
    struct options *o = &b->o;
    json_t *j = json_object();
    double used_s = (double)(b->run_s > 0 ? b->run_s : 1e-9);
    bool whole = b->fleet.done + b->fleet.failed == o->hosts;
    double ideal = ideal_s(b);
    (void)json_object_update_new(
        j, json_pack("{s:i,s:i,s:i,s:i,s:i,s:i,s:b,s:i,s:i}", "hosts", o->hosts,
                     "permits", o->permits, "installs", o->installs, "stages",
                     b->manifest->spec->stages_count, "waves", b->manifest->waves_count,
                     "visit_ms", (int)o->visit_ms, "whole", whole, "done",
                     b->fleet.done, "failed", b->fleet.failed));
    (void)json_object_update_new(
        j, json_pack("{s:f,s:f,s:f,s:f,s:f,s:i,s:f}", "join_s", b->joined_s, "create_s",
                     b->create_s, "run_s", used_s, "ideal_s", ideal, "efficiency",
                     whole ? ideal / used_s : share_worked(b), "grants",
                     b->fleet.grants, "grants_per_s", b->fleet.grants / used_s));
    (void)json_object_update_new(
        j,
        json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "handoff_ms",
                  series_json(&b->fleet.handoff), "act_ms", series_json(&b->fleet.act),
                  "barriers", barriers_json(b), "requests", requests_json(b), "bytes",
                  traffic_of_sockets(), "storm", storm_json(b), "downloads",
                  downloads_json(b), "servers", servers_json(b)));
    (void)json_object_update_new(j, json_pack("{s:f,s:f}", "first_ticket_s",
                                              since_begun(b, b->fleet.first_queued),
                                              "all_permits_s",
                                              since_begun(b, b->fleet.all_granted)));
    (void)json_object_update_new(
        j,
        json_pack("{s:I,s:f,s:f,s:s}", "rss_kb", (json_int_t)resident_kb(getpid()),
                  "own_cpu_s", cpu_seconds(getpid()) - b->own_cpu_from, "server_cpu_s",
                  server_cpu(b) - (b->storm_begun ? 0 : b->server_cpu_from), "checker",
                  b->checker));
    return j;
}

static void print_table(const json_t *value, const char *prefix)
{
    const char *key;
    json_t *item;
    json_object_foreach ((json_t *)value, key, item) {
        _cleanup_(freep) char *name = mem_printf("%s%s", prefix, key);
        _cleanup_(freep) char *inner = mem_printf("%s.", name);
        char *text = NULL;
        if (json_is_object(item)) {
            print_table(item, inner);
            continue;
        }
        text = json_is_real(item) ? mem_printf("%.4g", json_real_value(item))
                                  : json_dumps(item, JSON_ENCODE_ANY);
        (void)printf("%-28s %s\n", name, text);
        free(text);
    }
}

/* ---- options ---- */

static int share_of(const char *text, int hosts)
{
    int number = atoi(text);
    return strchr(text, '%') ? number * hosts / 100 : number;
}

static void parse_waves(struct options *o, char *text)
{
    char *rest = NULL;
    for (char *part = strtok_r(text, ",", &rest); part && o->waves_count < WAVES_MAX;
         part = strtok_r(NULL, ",", &rest))
        o->waves[o->waves_count++] = share_of(part, o->hosts);
}

enum { OPT_SERVE = 256, OPT_JSON, OPT_CHECK, OPT_LEADER };

static const struct option longs[] = {{"hosts", required_argument, NULL, 'n'},
                                      {"permits", required_argument, NULL, 'k'},
                                      {"installs", required_argument, NULL, 'i'},
                                      {"stages", required_argument, NULL, 'g'},
                                      {"waves", required_argument, NULL, 'w'},
                                      {"visit-ms", required_argument, NULL, 'v'},
                                      {"fail", required_argument, NULL, 'f'},
                                      {"limit-s", required_argument, NULL, 'l'},
                                      {"servers", required_argument, NULL, 's'},
                                      {"java", required_argument, NULL, 'j'},
                                      {"session-ms", required_argument, NULL, 't'},
                                      {"fetch-kb", required_argument, NULL, 'b'},
                                      {"fetch-ms", required_argument, NULL, 'h'},
                                      {"storm", required_argument, NULL, 'x'},
                                      {"outage-ms", required_argument, NULL, 'o'},
                                      {"storm-leader", no_argument, NULL, OPT_LEADER},
                                      {"check", no_argument, NULL, OPT_CHECK},
                                      {"serve", no_argument, NULL, OPT_SERVE},
                                      {"json", no_argument, NULL, OPT_JSON},
                                      {0}};

static bool parse(int argc, char **argv, struct options *o)
{
    const char *permits = "1", *installs = NULL;
    char *waves = NULL;
    int c;
    *o = (struct options){.hosts = 100,
                          .stages = 1,
                          .servers = 1,
                          .limit_s = 600,
                          .outage_ms = 1000,
                          .fetch_ms = 300};
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {
        case 'n':
            o->hosts = atoi(optarg);
            break;
        case 'k':
            permits = optarg;
            break;
        case 'i':
            installs = optarg;
            break;
        case 'g':
            o->stages = atoi(optarg);
            break;
        case 'w':
            waves = optarg;
            break;
        case 'v':
            o->visit_ms = atoll(optarg);
            break;
        case 'f':
            o->fail_ppm = atoi(optarg);
            break;
        case 'l':
            o->limit_s = atof(optarg);
            break;
        case 's':
            o->servers = atoi(optarg);
            break;
        case 'j':
            o->java = optarg;
            break;
        case 't':
            o->session_ms = atoll(optarg);
            break;
        case 'b':
            o->fetch_kb = atoi(optarg);
            break;
        case 'h':
            o->fetch_ms = atoi(optarg);
            break;
        case 'x':
            o->storm = true;
            o->storm_s = atof(optarg);
            break;
        case 'o':
            o->outage_ms = atoll(optarg);
            break;
        case OPT_LEADER:
            o->leader_only = true;
            break;
        case OPT_CHECK:
            o->check = true;
            break;
        case OPT_SERVE:
            o->serve = true;
            break;
        case OPT_JSON:
            o->json = true;
            break;
        default:
            return false;
        }
    }
    if (o->hosts < 1 || (o->servers != 1 && o->servers != 3))
        return false;
    o->permits = share_of(permits, o->hosts);
    o->installs = installs ? share_of(installs, o->hosts) : o->hosts / 10;
    if (o->permits < 1)
        o->permits = 1;
    if (o->installs < 10 && !installs)
        o->installs = 10;
    if (waves)
        parse_waves(o, waves);
    return true;
}

static void allow_many_files(void)
{
    struct rlimit files;
    (void)getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    struct bench *b = &bench;
    struct error err;
    if (!parse(argc, argv, &b->o)) {
        (void)fputs(usage_text, stderr);
        return 2;
    }
    zk_server_require();
    allow_many_files();
    if (b->o.fetch_kb > 0)
        serve_files(b); /* before there are threads */
    /* 1500 ms: a session of 30 s is the longest that it grants */
    if (event_loop_new(&b->el, &err) < 0 ||
        zk_ensemble_start_with(b->o.servers, 1500, b->o.java, &b->ensemble, &err) < 0)
        die("start", &err);
    make_root(b);
    join_all(b);
    run(b);
    if (b->o.check)
        check_log(b);
    json_t *result = report(b);
    if (b->o.json)
        (void)json_dumpf(result, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    else if (!b->o.serve)
        print_table(result, "");
    if (b->o.json)
        (void)puts("");
    json_decref(result);
    if (b->storm_begun) {
        (void)pthread_cancel(b->storm_thread);
        (void)pthread_join(b->storm_thread, NULL);
    }
    fleet_stop(&b->fleet);
    if (b->o.fetch_kb > 0)
        stop_files(b);
    zk_free(b->operator_);
    manifest_free(b->manifest);
    event_loop_free(b->el);
    zk_ensemble_free(b->ensemble);
    return strncmp(b->checker, "violated", 8) == 0;
}
