/* schedule_strikes.c - what strikes right at something that somebody does: at a
 * request, or between two things that a host does.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/scenario/schedule_internal.h"

#include "shared/base/mem.h"

#include <stdlib.h>

/* --- what may happen */

static bool listed(const struct schedule_options *o, uint64_t id)
{
    for (int i = 0; i < o->only_count; i++)
        if (o->only[i] == id)
            return true;
    return false;
}

bool fault_allow(struct run *r, uint64_t id, const char *what, const char *who)
{
    struct schedule_result *result = r->result;
    if (r->options->only && !listed(r->options, id))
        return false;
    if (result->faults_count == r->faults_size) {
        r->faults_size = r->faults_size ? 2 * r->faults_size : 32;
        result->faults =
            mem_resize(result->faults, (size_t)r->faults_size, sizeof(*result->faults));
    }
    struct schedule_fault *fault = &result->faults[result->faults_count++];
    fault->id = id;
    snprintf(fault->text, sizeof(fault->text), "%9.3f s %s %s",
             (double)(sim_loop_now_ms(r->loop) - r->start_ms) / 1000, what, who);
    trace(r, "fault %s %s", what, who);
    return true;
}

/* The request was observed right before its fate is. */
static void note_blow(struct run *r, enum txn_kind kind, enum blow blow)
{
    if (r->options->cover)
        r->options->cover->met[kind][blow]++;
}

void note_event(struct run *r, enum event_kind kind)
{
    if (r->options->cover)
        r->options->cover->events[kind]++;
}

enum model_zk_fault strike_fault(void *ctx, uint64_t id, const char *client,
                                 enum model_zk_fault drawn)
{
    static const enum blow blows[] = {
        [MODEL_ZK_FAULT_LOST] = BLOW_LOST, [MODEL_ZK_FAULT_APPLIED] = BLOW_APPLIED,
        [MODEL_ZK_FAULT_LATE] = BLOW_LATE, [MODEL_ZK_FAULT_EXPIRE] = BLOW_EXPIRED,
        [MODEL_ZK_FAULT_SLOW] = BLOW_SLOW, [MODEL_ZK_FAULT_OUTLIVE] = BLOW_OUTLIVED,
    };
    struct run *r = ctx;
    for (int i = MODEL_ZK_FAULT_LOST; i < MODEL_ZK_FAULT_COUNT; i++) {
        if (aim_hits(r, r->sent, blows[i])) {
            drawn = (enum model_zk_fault)i;
            r->aim.left--;
        }
    }
    if (drawn == MODEL_ZK_FAULT_NONE ||
        !fault_allow(r, id, model_zk_fault_text(drawn), client))
        return MODEL_ZK_FAULT_NONE;
    note_blow(r, r->sent, blows[drawn]);
    return drawn;
}

/* --- processes */

void host_down(struct run *r, int host)
{
    if (!sim_swarm_up(r->swarm, host))
        return;
    trace(r, "%s dies", sim_swarm_host(r->swarm, host));
    sim_swarm_crash(r->swarm, host);
    r->in_flight[host] = 0;
}

void host_up(struct run *r, int host)
{
    if (sim_swarm_up(r->swarm, host))
        return;
    trace(r, "%s starts", sim_swarm_host(r->swarm, host));
    r->lives[host]++;
    sim_swarm_start(r->swarm, host);
}

static int host_of(struct run *r, const struct zk *client)
{
    for (int i = 0; i < r->all_hosts; i++)
        if (sim_swarm_client(r->swarm, i) == client)
            return i;
    return -1;
}

/* --- kills: posted, since nothing may be freed inside of what it is doing */

static void kill_ends(void *ctx)
{
    struct event *kill = ctx;
    host_up(kill->run, kill->host);
    kill->run->moved = true;
}

static void kill_starts(void *ctx)
{
    struct event *kill = ctx;
    struct run *r = kill->run;
    host_down(r, kill->host);
    timer_start(&kill->end, sim_loop_port(r->loop), kill->lasts_ms, kill_ends, kill);
}

static int64_t kill_lasts_ms(const struct run *r, uint64_t id)
{
    uint64_t how = run_mix(id, 1), length = run_mix(id, 2);
    if (r->kills_last_ms > 0)
        return r->kills_last_ms / 2 + (int64_t)(length % (uint64_t)r->kills_last_ms);
    if (how % 4 == 0)
        return (int64_t)(length % 100); /* its session is still there */
    if (how % 16 == 1)
        return (int64_t)(length % (25 * MINUTE_MS)); /* it may be marked as lost */
    return (int64_t)(length % (90 * SECOND_MS));
}

static bool kill_host(struct run *r, int host, uint64_t id, const char *when)
{
    char what[64];
    snprintf(what, sizeof(what), "kill at %s", when);
    for (int i = 0; i < KILLS_MAX; i++) {
        struct event *kill = &r->kills[i];
        if (timer_armed(&kill->start) || timer_armed(&kill->end))
            continue;
        if (!fault_allow(r, id, what, sim_swarm_host(r->swarm, host)))
            return false;
        *kill = (struct event){.run = r,
                               .kind = EVENT_KILL,
                               .host = host,
                               .lasts_ms = kill_lasts_ms(r, id)};
        timer_start(&kill->start, sim_loop_port(r->loop), 0, kill_starts, kill);
        note_event(r, EVENT_KILL);
        return true;
    }
    return false;
}

static void operator_dies_now(void *ctx)
{
    struct run *r = ctx;
    operator_dies(r);
    r->moved = true;
}

static bool kill_operator(struct run *r, uint64_t id, const char *when)
{
    char what[64];
    snprintf(what, sizeof(what), "kill at %s", when);
    if (timer_armed(&r->hand.death) || !fault_allow(r, id, what, "operator"))
        return false;
    timer_start(&r->hand.death, sim_loop_port(r->loop), 0, operator_dies_now, r);
    return true;
}

/* --- the gate moves while requests are on their way */

static void strike_gate(void *ctx)
{
    struct run *r = ctx;
    struct gate gate = sim_swarm_gate(r->swarm);
    const char *lease = r->strike_id % 2 ? "restart" : "install";
    struct error err;
    if (!gate_grants(&gate))
        return;
    if (r->strike_id % 3) {
        sim_swarm_set_phase(r->swarm, GATE_PAUSE, "all at once");
        return;
    }
    if (gate_set_limit(&gate, lease, 1 + (int)(r->strike_id / 6 % 3), &err) < 0)
        return;
    char *data = gate_encode(&gate);
    struct zpath path = zpath_gate("/clowder", sim_swarm_rollout(r->swarm));
    struct zk_op op = op_set(path.text, data, -1);
    (void)model_zk_poke(r->mz, &op, 1);
    free(data);
}

static bool gate_moves(struct run *r, uint64_t id)
{
    if (timer_armed(&r->strike) || !fault_allow(r, id, "move of", "the gate"))
        return false;
    r->strike_id = id;
    note_event(r, EVENT_GATE_MOVES);
    timer_start(&r->strike, sim_loop_port(r->loop), 0, strike_gate, r);
    return true;
}

static bool strikes(const struct run *r, uint64_t id, int ppm)
{
    return r->swarm && !r->healed && (int)(id % 1000000) < ppm;
}

/* Remembers what is sent: what becomes of it is told by its number only. */
static enum txn_kind kind_of(struct run *r, int sender,
                             const struct model_zk_request *request)
{
    unsigned char *kind = &r->recent[sender][request->number % RECENT];
    struct txn_scan scan = {0};
    if (request->moment != MODEL_ZK_SENT)
        return (enum txn_kind) * kind;
    for (int i = 0; i < request->ops_count; i++)
        txn_scan_op(&scan, request->ops[i].kind, request->ops[i].path,
                    request->ops[i].data, request->ops[i].data_len);
    r->sent = request->ops_count ? txn_scan_kind(&scan) : TXN_READ;
    *kind = (unsigned char)r->sent;
    if (r->options->cover)
        r->options->cover->sent[r->sent]++;
    return r->sent;
}

static void note_in_flight(struct run *r, int sender, enum txn_kind kind,
                           const struct model_zk_request *request)
{
    uint64_t *out = &r->in_flight[sender];
    if (request->moment == MODEL_ZK_SENT && kind != TXN_READ)
        *out = request->number;
    else if (request->moment == MODEL_ZK_REPLIED && *out == request->number)
        *out = 0;
}

/* A permit that was just taken is given back where the gate closes before the act. */
static void close_gate_on_holder(struct run *r, enum txn_kind kind)
{
    const uint64_t pause = 1;
    if (kind == TXN_TAKE && r->aim.left > 0 && r->aim.kind == TXN_GIVE_BACK)
        (void)gate_moves(r, pause);
}

static void move_gate(struct run *r, enum txn_kind kind, uint64_t id)
{
    bool aimed = aim_hits(r, kind, BLOW_GATE_MOVES);
    if ((aimed || strikes(r, id, r->gate_ppm)) && gate_moves(r, id))
        note_blow(r, kind, BLOW_GATE_MOVES);
    r->aim.left -= aimed;
}

void strike_request(void *ctx, struct zk *client,
                    const struct model_zk_request *request)
{
    static const char *const texts[] = {[MODEL_ZK_SENT] = "sent request",
                                        [MODEL_ZK_APPLIED] = "applied request",
                                        [MODEL_ZK_REPLIED] = "reply"};
    static const enum blow blows[] = {[MODEL_ZK_SENT] = BLOW_KILL_SENT,
                                      [MODEL_ZK_APPLIED] = BLOW_KILL_APPLIED,
                                      [MODEL_ZK_REPLIED] = BLOW_KILL_REPLIED};
    struct run *r = ctx;
    enum model_zk_moment moment = request->moment;
    int host = r->swarm ? host_of(r, client) : -1;
    bool is_operator = r->swarm && host < 0 && client == r->hand.zk;
    int sender = is_operator ? HOSTS_MAX : host;
    r->sent = TXN_OTHER;
    if (sender < 0)
        return;
    enum txn_kind kind = kind_of(r, sender, request);
    note_in_flight(r, sender, kind, request);
    int64_t life = is_operator ? r->hand.orders : r->lives[host];
    uint64_t id = run_mix(run_mix(r->seed + 7, (uint64_t)(sender * 1000 + life)),
                          request->number * 3 + (uint64_t)moment);
    bool aimed = aim_hits(r, kind, blows[moment]);
    bool dies = (aimed || strikes(r, id, r->kill_ppm)) &&
                (is_operator ? kill_operator(r, id, texts[moment])
                             : kill_host(r, host, id, texts[moment]));
    if (dies)
        note_blow(r, kind, blows[moment]);
    r->aim.left -= aimed;
    if (moment == MODEL_ZK_SENT)
        move_gate(r, kind, run_mix(id, 3));
    if (moment == MODEL_ZK_REPLIED)
        close_gate_on_holder(r, kind);
}

void strike_moment(void *ctx, int host, enum sim_moment moment)
{
    struct run *r = ctx;
    r->moved = true;
    if (!r->swarm)
        return;
    trace_moment(r, host, moment);
    states_see(r, NULL);
    uint64_t number = r->moments[host]++;
    uint64_t id =
        run_mix(run_mix(r->seed + 13, (uint64_t)(host * 1000 + r->lives[host])),
                number * 8 + (uint64_t)moment);
    /* The few moments around an act are worth more than a change of state. */
    int ppm = moment == SIM_MOVED ? r->moment_ppm / 10 : r->moment_ppm;
    if (strikes(r, id, ppm) && kill_host(r, host, id, sim_moment_text(moment)) &&
        r->options->cover)
        r->options->cover->killed_at[moment]++;
}
