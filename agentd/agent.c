/* SPDX-License-Identifier: Apache-2.0
 *
 * Story. agent_start glances at the host, which tells its id or soon will, lets the
 * member (member.h) register with that, and probes the host, which may take long; then
 * the member follows the rollout in force while the runner (runner.h) carries the host
 * through it with the visitor (visit.h). The probe is repeated from time to time while
 * nothing is visited, and published when it has changed; the runner is told what it
 * saw, and finds drift in it (model/drift.h), for which a look that differs is soon
 * repeated. SIGHUP reloads the settings. SIGTERM parks the visit at the end of the act
 * under way, closes the session (so that /live goes at once) and stops the loop.
 */
#include "agentd/agent.h"

#include "agentd/identity.h"
#include "agentd/journal.h"
#include "agentd/member.h"
#include "agentd/probe.h"
#include "agentd/visit.h"
#include "shared/base/cleanup.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/io/notify.h"
#include "shared/io/zk_client.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PARK_MS = 60000, AWAY_SAY_MS = 5000 };
enum { SOON = 5 }; /* a look that differs is repeated so much sooner */

struct agent {
    struct event_loop *el;
    struct loop *loop;
    struct config *config;
    const char *config_path;
    const char *const *sets;
    int sets_count;

    bool stopping;
    int lock_fd; /* of state_dir; -1 = not had */
    struct zpath root;
    struct live live;
    struct facts facts;
    struct spec *default_spec;
    const struct spec *probed_spec; /* of the probe under way; compared only */

    struct zk *zk;
    struct journal *journal;
    struct probe *probe;
    struct visit *visit;
    struct runner runner;
    struct member member;
    struct timer watchdog, probe_timer, stop_timer, away_timer;
    char status[256];
};

static void say(struct agent *a, const char *text)
{
    if (str_equal(a->status, text))
        return;
    STR_COPY(a->status, text);
    notify_status(text);
}

/* ---- inventory ---- */

static const struct spec *probe_spec(const struct agent *a)
{
    return a->runner.manifest ? a->runner.manifest->spec : a->default_spec;
}

static void on_probe_timer(void *ctx);

static void arm_probe(struct agent *a, int64_t after_ms)
{
    timer_start(&a->probe_timer, a->loop,
                after_ms + loop_random_range(a->loop, 0, after_ms / 10), on_probe_timer,
                a);
}

static void keep_identity(struct agent *a, struct facts *facts)
{
    /* The host id is fixed for the life of the process. */
    if (a->member.swarm.host[0])
        STR_COPY(facts->host, a->member.swarm.host);
    STR_COPY(facts->machine_id, a->live.machine_id);
    STR_COPY(facts->agentd, CLOWDER_VERSION);
    STR_COPY(facts->zone, a->config->zone);
}

/* Has this host drifted? Not to be seen in what another spec asked about. */
static bool look_for_drift(struct agent *a, struct facts *facts)
{
    bool soon = false;
    if (a->runner.manifest && a->probed_spec == a->runner.manifest->spec)
        soon = runner_looked(&a->runner, facts);
    json_decref(facts->drift);
    facts->drift = drift_wrong(&a->runner.drift);
    return soon;
}

/* The host id is known: it registers, its facts may still be looked for. */
static void join_swarm(struct agent *a)
{
    log_info("agent", "host=%s role=%s address=%s machine_id=%s zk=%s", a->facts.host,
             host_role_text(a->facts.role), a->facts.address, a->facts.machine_id,
             a->config->zk);
    member_start(&a->member, &a->facts);
}

static void on_named(void *ctx, const struct facts *facts)
{
    struct agent *a = ctx;
    if (a->member.state != MEMBER_WAITING)
        return;
    STR_COPY(a->facts.host, facts->host);
    STR_COPY(a->facts.address, facts->address);
    join_swarm(a);
}

static void on_probed(void *ctx, struct facts *facts)
{
    struct agent *a = ctx;
    a->probe = NULL;
    keep_identity(a, facts);
    bool soon = look_for_drift(a, facts);
    if (a->facts.seen_ms == 0)
        log_info("agent", "probed=first errors=%zu", json_object_size(facts->errors));
    facts_done(&a->facts);
    a->facts = *facts;
    arm_probe(a, a->config->probe_interval_ms / (soon ? SOON : 1));
    if (a->member.state != MEMBER_WAITING) {
        member_publish(&a->member);
        return;
    }
    /* No address, no name: nobody could be joined as. */
    const char *why = json_string_value(json_object_get(a->facts.errors, "host"));
    log_warn("agent", "state=unnamed error=\"%s\"", why ? why : "");
    say(a, why ? why : "this host's address is not known");
    arm_probe(a, 5000);
}

static void probe(struct agent *a)
{
    if (a->probe || a->stopping)
        return;
    struct probe_options options = {
        .el = a->el,
        .config = a->config,
        .spec = a->probed_spec = probe_spec(a),
        .address_to_zk = a->facts.address,
        .named = on_named,
    };
    a->probe = probe_start(&options, on_probed, a);
}

static void on_probe_timer(void *ctx)
{
    struct agent *a = ctx;
    if (a->runner.visiting || a->runner.state == RUNNER_SURVEYING)
        arm_probe(a, 10000);
    else
        probe(a);
}

/* ---- what member and runner tell ---- */

/* While no server answers: what is being tried, for systemctl status. */
static void on_away(void *ctx)
{
    struct agent *a = ctx;
    char text[256 + sizeof(a->runner.says)];
    snprintf(text, sizeof(text), "ZooKeeper: %s%s%s", zk_client_says(a->zk),
             a->runner.says[0] ? "; " : "", a->runner.says);
    say(a, text);
    timer_start(&a->away_timer, a->loop, AWAY_SAY_MS, on_away, a);
}

static void on_session(void *ctx, enum zk_session_event event, bool fresh)
{
    struct agent *a = ctx;
    switch (event) {
    case ZK_SESSION_CONNECTED:
        timer_stop(&a->away_timer);
        log_info("agent", "session=%s server=%s id=0x%llx", fresh ? "new" : "resumed",
                 a->zk->server, (unsigned long long)a->zk->session_id);
        return;
    case ZK_SESSION_DISCONNECTED:
        log_warn("agent", "session=disconnected says=\"%s\"", zk_client_says(a->zk));
        break;
    case ZK_SESSION_EXPIRED:
        log_warn("agent", "session=expired");
        break;
    case ZK_SESSION_AUTH_FAILED:
        log_error("agent",
                  "session=auth-failed error=\"ZooKeeper refuses the digest of "
                  "'%s'\"",
                  a->config->zk_digest_file);
        break;
    }
    timer_start(&a->away_timer, a->loop, 1000, on_away, a);
}

static void on_member_moved(void *ctx, enum member_state from, enum member_state to)
{
    struct agent *a = ctx;
    log_info("member", "state=%s from=%s host=%s", member_state_text(to),
             member_state_text(from), a->member.swarm.host);
}

static void on_says(void *ctx, const char *text)
{
    say(ctx, text);
}

static void on_member_trouble(void *ctx, const struct error *err)
{
    (void)ctx;
    log_error("member", "error=\"%s\"", err->text);
}

static const struct member_observer member_observer = {
    .moved = on_member_moved,
    .session = on_session,
    .says = on_says,
    .trouble = on_member_trouble,
};

static void on_runner_moved(void *ctx, enum runner_state from, enum runner_state to)
{
    struct agent *a = ctx;
    log_info("runner", "state=%s from=%s rollout=%s stage=%s", runner_state_text(to),
             runner_state_text(from), a->runner.swarm.rollout,
             a->runner.at.record.stage);
    /* What this host is has just changed: the plan of the next rollout reads it. */
    if (to == RUNNER_RESTING && from != RUNNER_DRIFTING)
        arm_probe(a, 2000);
    if (to == RUNNER_UNLED && a->probe) { /* it borrows the rollout's spec */
        probe_cancel(take_ptr(a->probe));
        arm_probe(a, 1000);
    }
}

static void on_runner_trouble(void *ctx, const struct error *err)
{
    (void)ctx;
    log_error("runner", "error=\"%s\"", err->text);
}

static const struct runner_observer runner_observer = {
    .moved = on_runner_moved,
    .says = on_says,
    .trouble = on_runner_trouble,
};

/* ---- signals, watchdog ---- */

static void on_parked(void *ctx)
{
    struct agent *a = ctx;
    event_loop_stop(a->el, 0);
}

static void on_terminate(void *ctx, int signal_number)
{
    struct agent *a = ctx;
    log_info("agent", "signal=%s", strsignal(signal_number));
    if (a->stopping)
        return;
    a->stopping = true;
    notify_send("STOPPING=1\nSTATUS=ending the step under way");
    probe_cancel(take_ptr(a->probe));
    timer_stop(&a->probe_timer);
    timer_start(&a->stop_timer, a->loop, PARK_MS, on_parked, a);
    visit_park(a->visit, on_parked, a);
}

static void on_reload(void *ctx, int signal_number)
{
    struct agent *a = ctx;
    struct config fresh;
    struct strbuf errors = {0}, differ = {0};
    struct error err;
    (void)signal_number;
    notify_send("RELOADING=1");
    if (config_load(a->config_path, a->sets, a->sets_count, &fresh, &errors, &err) <
        0) {
        log_error("agent", "reload=refused error=\"%s\"", err.text);
        for (char *rest = errors.text, *mistake; (mistake = strsep(&rest, "\n"));)
            if (*mistake)
                log_error("agent", "reload=refused mistake=\"%s\"", mistake);
    } else {
        config_changes(a->config, &fresh, &differ);
        if (differ.len > 0)
            log_warn("agent", "reload=partial needs_restart=\"%s\"", differ.text);
        a->config->probe_interval_ms = fresh.probe_interval_ms;
        a->config->log_level = fresh.log_level;
        log_set_level(fresh.log_level);
        log_info("agent", "reload=done");
        config_done(&fresh);
        arm_probe(a, 1000);
    }
    strbuf_done(&errors);
    strbuf_done(&differ);
    notify_send("READY=1");
}

static void on_watchdog(void *ctx)
{
    struct agent *a = ctx;
    notify_send("WATCHDOG=1");
    timer_start(&a->watchdog, a->loop, notify_watchdog_interval_ms(), on_watchdog, a);
}

/* ---- making and ending ---- */

static int open_zk(struct agent *a, struct error *err)
{
    _cleanup_(freep) char *servers = NULL;
    _cleanup_(freep) char *digest = NULL;
    int r = zk_address_parse(a->config->zk, &servers, &a->root, err);
    if (r < 0)
        return r;
    r = config_read_digest(a->config, &digest, err);
    if (r < 0)
        return r;
    struct zk_client_config config = {
        .servers = servers,
        .digest = digest,
        .session_timeout_ms = a->config->session_timeout_ms,
        .connect_timeout_ms = a->config->connect_timeout_ms,
    };
    r = zk_client_new(a->el, &config, &a->zk, err);
    if (digest)
        explicit_bzero(digest, strlen(digest));
    return r;
}

/* Two agents of one machine would take each other's place in the swarm, and act twice.
 */
static int lock_state(struct agent *a, struct error *err)
{
    _cleanup_(freep) char *path = mem_printf("%s/lock", a->config->state_dir);
    int r = fs_lock(path, &a->lock_fd, err);
    return r == -EBUSY ? error_context(err, r,
                                       "another clowder-agentd runs on this host: stop "
                                       "it first (systemctl stop clowder-agentd)")
                       : r;
}

static int open_disk(struct agent *a, struct error *err)
{
    int r = identity_read(a->config->root, &a->live, err);
    if (r < 0)
        return r;
    r = fs_mkdirs(a->config->state_dir, 0700, err);
    if (r < 0 && geteuid() != 0)
        return error_context(err, r, "clowder-agentd has to run as root");
    if (r < 0)
        return r;
    r = lock_state(a, err);
    if (r < 0)
        return r;
    r = fs_mkdirs(a->config->cache_dir, 0700, err);
    if (r < 0)
        return r;
    r = journal_open(a->config->state_dir, &a->journal, err);
    if (r == 0 && journal_state(a->journal) == JOURNAL_UNREADABLE)
        log_error("agent", "journal=unreadable error=\"%s\"",
                  journal_trouble(a->journal));
    return r;
}

static int watch_signals(struct agent *a, struct error *err)
{
    int r = event_loop_on_signal(a->el, SIGTERM, on_terminate, a, err);
    if (r < 0)
        return r;
    r = event_loop_on_signal(a->el, SIGINT, on_terminate, a, err);
    if (r < 0)
        return r;
    return event_loop_on_signal(a->el, SIGHUP, on_reload, a, err);
}

static int set_up(struct agent *a, struct error *err)
{
    int r = open_disk(a, err);
    if (r < 0)
        return r;
    r = spec_parse("{}", 2, &a->default_spec, NULL, err);
    if (r < 0)
        return r;
    r = open_zk(a, err);
    if (r < 0)
        return r;
    r = watch_signals(a, err);
    if (r < 0)
        return r;
    a->live.incarnation = loop_wall_ms(a->loop);
    a->live.pid = getpid();
    STR_COPY(a->live.version, CLOWDER_VERSION);
    struct swarm swarm = {.zk = a->zk, .loop = a->loop};
    STR_COPY(swarm.root, a->root.text);
    struct visit_world world = {
        .el = a->el,
        .journal = a->journal,
        .facts = &a->facts,
        .state_dir = a->config->state_dir,
        .cache_dir = a->config->cache_dir,
        .docker_socket = a->config->docker_socket,
        .boot_id = a->live.boot_id,
    };
    a->visit = visit_new(&world);
    runner_init(&a->runner, &swarm, visit_visitor(a->visit), &runner_observer, a);
    member_init(&a->member, &swarm, &a->live, &a->runner, &member_observer, a);
    return 0;
}

int agent_new(struct event_loop *el, struct config *config, const char *config_path,
              const char *const *sets, int sets_count, struct agent **ret,
              struct error *err)
{
    struct agent *a = NEW(struct agent);
    a->el = el;
    a->loop = event_loop_port(el);
    a->config = config;
    a->config_path = config_path;
    a->sets = sets;
    a->sets_count = sets_count;
    a->lock_fd = -1;
    facts_init(&a->facts);
    int r = set_up(a, err);
    if (r < 0) {
        agent_free(a);
        return r;
    }
    *ret = a;
    return 0;
}

void agent_free(struct agent *a)
{
    if (!a)
        return;
    probe_cancel(take_ptr(a->probe));
    if (a->visit) {
        runner_done(&a->runner);
        member_done(&a->member);
    }
    visit_free(a->visit);
    zk_free(a->zk);
    journal_close(a->journal);
    spec_free(a->default_spec);
    facts_done(&a->facts);
    timer_stop(&a->watchdog);
    timer_stop(&a->away_timer);
    timer_stop(&a->probe_timer);
    timer_stop(&a->stop_timer);
    closep(&a->lock_fd);
    free(a);
}

void agent_start(struct agent *a)
{
    if (notify_watchdog_interval_ms() > 0)
        on_watchdog(a);
    notify_send("READY=1\nSTATUS=looking at this host");
    timer_start(&a->away_timer, a->loop, AWAY_SAY_MS, on_away, a);
    probe_glance(a->config, &a->facts);
    keep_identity(a, &a->facts);
    if (a->facts.host[0])
        join_swarm(a);
    probe(a);
}
