/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/fleet.h"

#include "shared/base/cleanup.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/io/fetch.h"
#include "shared/io/zk_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct fleet_host {
    struct visitor visitor;
    struct fleet *fleet;
    struct zk *zk;
    struct member member;
    struct runner runner;
    struct facts facts;
    struct live live;
    struct timer turn;
    struct fetch *fetch;
    struct visit_order order;
    int step, surveyed;
    bool surveying, may_act, has_failed, has_file, joined, ended, arriving;
    double visit_from, release_sent;
    double handed; /* when the permit that it has was given back, or 0 */
};

const char *const fleet_request_names[FLEET_REQUESTS] = {"get",   "exists", "children",
                                                         "multi", "single", "sync"};

double fleet_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- requests, counted on their way out ---- */

static struct fleet *counting;
static const struct zk_ops *under;

static void count(enum fleet_request kind, bool watches)
{
    struct fleet *f = counting;
    double now = fleet_seconds();
    f->requests[kind]++;
    f->watches += watches;
    if (f->per_tenth.count == 0)
        f->tenth_from = now;
    int tenth = (int)((now - f->tenth_from) * 10);
    while (f->per_tenth.count <= tenth)
        series_add(&f->per_tenth, 0);
    f->per_tenth.values[tenth]++;
}

static struct zk_request *get(struct zk *zk, const char *path, struct zk_watch *watch,
                              zk_done_f done, void *ctx)
{
    count(FLEET_GET, watch != NULL);
    return under->get(zk, path, watch, done, ctx);
}

static struct zk_request *exists(struct zk *zk, const char *path,
                                 struct zk_watch *watch, zk_done_f done, void *ctx)
{
    count(FLEET_EXISTS, watch != NULL);
    return under->exists(zk, path, watch, done, ctx);
}

static struct zk_request *children(struct zk *zk, const char *path,
                                   struct zk_watch *watch, zk_done_f done, void *ctx)
{
    count(FLEET_CHILDREN, watch != NULL);
    return under->children(zk, path, watch, done, ctx);
}

static struct zk_request *multi(struct zk *zk, const struct zk_op *ops, int op_count,
                                zk_done_f done, void *ctx)
{
    count(FLEET_MULTI, false);
    return under->multi(zk, ops, op_count, done, ctx);
}

static struct zk_request *single(struct zk *zk, const struct zk_op *op, zk_done_f done,
                                 void *ctx)
{
    count(FLEET_SINGLE, false);
    return under->single(zk, op, done, ctx);
}

static struct zk_request *sync_(struct zk *zk, const char *path, zk_done_f done,
                                void *ctx)
{
    count(FLEET_SYNC, false);
    return under->sync(zk, path, done, ctx);
}

static struct zk_ops counted;

static void count_requests_of(struct zk *zk)
{
    under = zk->ops;
    counted = *zk->ops;
    counted.get = get;
    counted.exists = exists;
    counted.children = children;
    counted.multi = multi;
    counted.single = single;
    counted.sync = sync_;
    zk->ops = &counted;
}

uint64_t fleet_requests(const struct fleet *f)
{
    uint64_t sum = 0;
    for (int i = 0; i < FLEET_REQUESTS; i++)
        sum += f->requests[i];
    return sum;
}

void fleet_forget_counts(struct fleet *f)
{
    memset(f->requests, 0, sizeof(f->requests));
    f->watches = 0;
    series_done(&f->per_tenth);
}

/* ---- the visitor: each step is asked for where it disrupts, and takes its time ----
 */

static struct fleet_host *host_of(struct visitor *visitor)
{
    return (struct fleet_host *)visitor;
}

static const struct spec_stage *stage_of(const struct fleet_host *h, int stage)
{
    return &h->runner.manifest->spec->stages[stage];
}

static bool disrupts(const struct fleet_host *h, int stage)
{
    return str_equal(stage_of(h, stage)->lease, "restart");
}

static void on_survey(void *ctx)
{
    struct fleet_host *h = ctx;
    runner_surveyed(&h->runner, disrupts(h, h->surveyed), NULL);
}

static void survey(struct visitor *visitor, struct runner *runner,
                   const struct manifest *manifest, int stage)
{
    struct fleet_host *h = host_of(visitor);
    h->surveyed = stage;
    timer_start(&h->turn, runner->swarm.loop, 0, on_survey, h);
}

static bool drawn_to_fail(struct fleet_host *h)
{
    uint64_t drawn = loop_random(h->runner.swarm.loop) % 1000000;
    if (h->has_failed || drawn >= (uint64_t)h->fleet->config.fail_ppm)
        return false;
    h->has_failed = true;
    return true;
}

static void end_visit(struct fleet_host *h)
{
    h->fleet->worked_s += (double)h->fleet->config.visit_ms / 1000;
    h->fleet->last_worked = fleet_seconds();
    if (drawn_to_fail(h))
        runner_visited(&h->runner, VISIT_FAILED, "it was drawn to fail", true);
    else
        runner_visited(&h->runner, VISIT_DONE, "", true);
}

static void begin_step(struct fleet_host *h);

static void on_step_over(void *ctx)
{
    struct fleet_host *h = ctx;
    const struct spec_stage *stage = stage_of(h, h->order.stage);
    struct record *record = runner_record(&h->runner);
    struct step_record *entry = record_step(record, step_name(stage->steps[h->step]));
    entry->state = STEP_PROVED;
    entry->took_ms = h->fleet->config.visit_ms / stage->steps_count;
    STR_COPY(entry->says, "proved three times");
    if (++h->step == stage->steps_count)
        end_visit(h);
    else
        begin_step(h);
}

static void take_time(struct fleet_host *h)
{
    const struct spec_stage *stage = stage_of(h, h->order.stage);
    int64_t each = h->fleet->config.visit_ms / stage->steps_count;
    timer_start(&h->turn, h->runner.swarm.loop, each, on_step_over, h);
}

/* ---- and fetches what it is to install */

static char *cache_of(const struct fleet_host *h)
{
    return mem_printf("%s/%s", h->fleet->config.fetch_dir, h->facts.host);
}

/* The file is not kept: a thousand of them would fill the disk. */
static void on_fetched(void *ctx, const struct fetch_result *result)
{
    struct fleet_host *h = ctx;
    struct fleet *f = h->fleet;
    _cleanup_(freep) char *cache = cache_of(h);
    h->fetch = NULL;
    h->has_file = true;
    f->fetching--;
    f->fetches++;
    f->fetches_failed += result->error.code < 0;
    f->fetched_bytes += result->bytes;
    if (result->error.code < 0)
        (void)fprintf(stderr, "swarm: %s: %s\n", h->facts.host, result->error.text);
    struct error err;
    if (fs_remove_tree(cache, &err) < 0)
        (void)fprintf(stderr, "swarm: %s\n", err.text);
    take_time(h);
}

static void fetch(struct fleet_host *h)
{
    struct fleet *f = h->fleet;
    _cleanup_(freep) char *cache = cache_of(h);
    struct fetch_options options = {.url = f->config.fetch_url,
                                    .sha256 = f->config.fetch_sha256,
                                    .cache_dir = cache};
    struct error err;
    if (fetch_start(f->el, &options, on_fetched, NULL, h, &h->fetch, &err) < 0) {
        (void)fprintf(stderr, "swarm: %s\n", err.text);
        exit(1);
    }
    if (++f->fetching > f->fetching_max)
        f->fetching_max = f->fetching;
}

static void begin_step(struct fleet_host *h)
{
    const struct spec_stage *stage = stage_of(h, h->order.stage);
    struct record *record = runner_record(&h->runner);
    STR_COPY(record->step, step_name(stage->steps[h->step]));
    STR_COPY(record->doing, "restart unit");
    record_step(record, step_name(stage->steps[h->step]))->state = STEP_RUNNING;
    if (disrupts(h, h->order.stage)) {
        runner_ask(&h->runner, false);
    } else {
        runner_progress(&h->runner);
        if (h->fleet->config.fetch_url && !h->has_file)
            fetch(h);
        else
            take_time(h);
    }
}

static void on_visit(void *ctx)
{
    begin_step(ctx);
}

static void visit(struct visitor *visitor, struct runner *runner,
                  const struct visit_order *order)
{
    struct fleet_host *h = host_of(visitor);
    h->order = *order;
    h->step = 0;
    timer_start(&h->turn, runner->swarm.loop, 0, on_visit, h);
}

static void on_stepped_back(void *ctx)
{
    struct fleet_host *h = ctx;
    runner_visited(&h->runner, VISIT_STEPPED_BACK, "", true);
}

static void answer(struct visitor *visitor, int code)
{
    struct fleet_host *h = host_of(visitor);
    if (code < 0) {
        timer_start(&h->turn, h->runner.swarm.loop, 0, on_stepped_back, h);
        return;
    }
    if (h->handed > 0)
        series_add(&h->fleet->act, 1000 * (fleet_seconds() - h->handed));
    h->handed = 0;
    take_time(h);
}

static void cancel(struct visitor *visitor)
{
    struct fleet_host *h = host_of(visitor);
    timer_stop(&h->turn);
    if (h->fetch)
        h->fleet->fetching--;
    fetch_cancel(take_ptr(h->fetch));
}

static const struct visitor_ops visitor_ops = {
    .survey = survey, .visit = visit, .answer = answer, .cancel = cancel};

/* ---- what is measured ---- */

static struct fleet_barrier *barrier_of(struct fleet *f, int wave, int stage, int size)
{
    for (int i = 0; i < f->barriers_count; i++)
        if (f->barriers[i].wave == wave && f->barriers[i].stage == stage)
            return &f->barriers[i];
    if (f->barriers_count == FLEET_BARRIERS_MAX)
        return NULL;
    f->barriers[f->barriers_count] =
        (struct fleet_barrier){.wave = wave, .stage = stage, .size = size};
    return &f->barriers[f->barriers_count++];
}

/* NULL unless the host stands at a barrier of its own wave. */
static struct fleet_barrier *own_barrier(struct fleet_host *h)
{
    const struct record *record = &h->runner.at.record;
    if (record->wave < 0 || record->stages_done == 0)
        return NULL;
    return barrier_of(h->fleet, record->wave, record->stages_done - 1,
                      h->runner.manifest->waves[record->wave].size);
}

static void on_arrived(struct fleet_host *h, double now)
{
    struct fleet_barrier *barrier = own_barrier(h);
    if (!barrier || !h->arriving)
        return;
    h->arriving = false;
    barrier->arrived++;
    barrier->last_sent = h->release_sent;
    barrier->last_arrived = now;
}

static void on_opened(struct fleet_host *h, double now)
{
    struct fleet_barrier *barrier = own_barrier(h);
    if (!barrier)
        return;
    barrier->released++;
    barrier->last_released = now;
}

static void on_granted(struct fleet_host *h, double now)
{
    struct fleet *f = h->fleet;
    if (++f->grants == f->config.permits)
        f->all_granted = now;
    h->handed = 0;
    if (f->freed_taken == f->freed.count)
        return;
    h->handed = f->freed.values[f->freed_taken++];
    series_add(&f->handoff, 1000 * (now - h->handed));
}

static void on_ended(struct fleet_host *h, double now)
{
    struct fleet *f = h->fleet;
    enum host_state state = h->runner.at.record.state;
    if (h->ended || !h->runner.member || !record_terminal(&h->runner.at.record))
        return;
    h->ended = true;
    f->done += state == HOST_DONE;
    f->failed += state != HOST_DONE;
    f->last_done = now;
    if (f->done + f->failed == f->config.hosts && f->on_all_ended)
        f->on_all_ended(f->ctx);
}

static void on_runner_moved(void *ctx, enum runner_state from, enum runner_state to)
{
    struct fleet_host *h = ctx;
    struct fleet *f = h->fleet;
    double now = fleet_seconds();
    f->queued += (to == RUNNER_QUEUED) - (from == RUNNER_QUEUED);
    if (to == RUNNER_QUEUED && f->first_queued == 0)
        f->first_queued = now;
    if (from == RUNNER_QUEUED && to == RUNNER_VISITING)
        on_granted(h, now);
    if (to == RUNNER_RELEASING || to == RUNNER_GIVING_BACK || to == RUNNER_FAILING) {
        h->release_sent = now;
        h->arriving = to == RUNNER_RELEASING;
        if (f->queued > 0)
            series_add(&f->freed, now);
    }
    if (to == RUNNER_AWAITING)
        on_arrived(h, now);
    if (from == RUNNER_AWAITING && to == RUNNER_SOAKING)
        on_opened(h, now);
    if (from == RUNNER_RELEASING || from == RUNNER_FAILING || to == RUNNER_RESTING)
        on_ended(h, now);
}

static void on_member_moved(void *ctx, enum member_state from, enum member_state to)
{
    struct fleet_host *h = ctx;
    struct fleet *f = h->fleet;
    f->following += (to == MEMBER_FOLLOWING) - (from == MEMBER_FOLLOWING);
    if (f->following > f->following_max)
        f->following_max = f->following;
    if (to != MEMBER_FOLLOWING || f->following < f->config.hosts)
        return;
    f->all_joined = fleet_seconds();
    if (f->on_all_joined)
        f->on_all_joined(f->ctx);
}

static void on_session(void *ctx, enum zk_session_event event, bool fresh)
{
    struct fleet_host *h = ctx;
    h->fleet->expired += event == ZK_SESSION_EXPIRED;
    h->fleet->disconnected += event == ZK_SESSION_DISCONNECTED;
    h->fleet->reconnected += event == ZK_SESSION_CONNECTED && !fresh;
}

static void on_trouble(void *ctx, const struct error *err)
{
    struct fleet_host *h = ctx;
    if (!strstr(err->text, "drawn to fail"))
        (void)fprintf(stderr, "swarm: %s: %s\n", h->facts.host, err->text);
}

/* ---- making and ending ---- */

static void describe(struct fleet_host *h, int number, struct loop *loop)
{
    facts_init(&h->facts);
    (void)snprintf(h->facts.host, sizeof(h->facts.host), "10.%d.%d.%d", number / 62500,
                   number / 250 % 250, number % 250);
    STR_COPY(h->facts.address, h->facts.host);
    h->facts.role = ROLE_SLAVE;
    (void)snprintf(h->facts.zone, sizeof(h->facts.zone), "rack-%d", number % 40);
    STR_COPY(h->facts.docker, "20.10.24");
    STR_COPY(h->facts.mesos, "1.4.3");
    STR_COPY(h->facts.dcos, "1.10.11");
    STR_COPY(h->facts.agentd, CLOWDER_VERSION);
    h->facts.seen_ms = loop_wall_ms(loop);
    (void)snprintf(h->facts.machine_id, sizeof(h->facts.machine_id), "machine-%d",
                   number);
    STR_COPY(h->live.machine_id, h->facts.machine_id);
    STR_COPY(h->live.boot_id, "boot");
    STR_COPY(h->live.version, CLOWDER_VERSION);
    h->live.incarnation = h->facts.seen_ms;
    h->live.pid = getpid();
}

static void start_host(struct fleet *f, struct fleet_host *h, int number)
{
    static const struct member_observer member_observer = {
        .moved = on_member_moved, .session = on_session, .trouble = on_trouble};
    static const struct runner_observer runner_observer = {.moved = on_runner_moved,
                                                           .trouble = on_trouble};
    struct loop *loop = event_loop_port(f->el);
    struct zk_client_config config = {.servers = f->config.servers,
                                      .session_timeout_ms = f->config.session_ms};
    struct error err;
    h->fleet = f;
    h->visitor.ops = &visitor_ops;
    describe(h, number, loop);
    if (zk_client_new(f->el, &config, &h->zk, &err) < 0) {
        (void)fprintf(stderr, "swarm: %s\n", err.text);
        exit(1);
    }
    count_requests_of(h->zk);
    struct swarm place = {.zk = h->zk, .loop = loop};
    STR_COPY(place.root, FLEET_ROOT);
    runner_init(&h->runner, &place, &h->visitor, &runner_observer, h);
    member_init(&h->member, &place, &h->live, &h->runner, &member_observer, h);
    member_start(&h->member, &h->facts);
}

void fleet_start(struct fleet *f, struct event_loop *el,
                 const struct fleet_config *config)
{
    f->config = *config;
    f->el = el;
    counting = f;
    f->hosts = mem_array((size_t)config->hosts, sizeof(*f->hosts));
    for (int i = 0; i < config->hosts; i++)
        start_host(f, &f->hosts[i], i);
}

void fleet_stop(struct fleet *f)
{
    for (int i = 0; i < f->config.hosts; i++) {
        struct fleet_host *h = &f->hosts[i];
        runner_done(&h->runner);
        member_done(&h->member);
        timer_stop(&h->turn);
        zk_free(h->zk);
        facts_done(&h->facts);
    }
    free(f->hosts);
    series_done(&f->handoff);
    series_done(&f->act);
    series_done(&f->freed);
    series_done(&f->per_tenth);
}

const char *fleet_host_id(const struct fleet *f, int host)
{
    return f->hosts[host].facts.host;
}
