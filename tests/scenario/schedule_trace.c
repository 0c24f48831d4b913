/* schedule_trace.c - what is seen of a schedule: a line per event, and its states.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A state of the swarm is, for people who count: which runner states go with which
 * record states, stages and permits, whether that host's session is connected and which
 * transaction it has out (without names, so that hosts are exchangeable), the gate's
 * phase, limits and count of failures, and how many barriers are open.
 */
#include "tests/scenario/schedule_internal.h"

#include "shared/base/str.h"
#include "tests/support/strmap.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

/* --- lines */

static void line(struct run *r)
{
    int64_t at_ms = r->loop ? sim_loop_now_ms(r->loop) - r->start_ms : 0;
    fprintf(r->options->trace, "%9.3f  ", (double)at_ms / 1000);
}

void trace(struct run *r, const char *fmt, ...)
{
    va_list args;
    if (!r->options->trace)
        return;
    line(r);
    va_start(args, fmt);
    vfprintf(r->options->trace, fmt, args);
    va_end(args);
    fputc('\n', r->options->trace);
}

static const char *who(struct run *r, int64_t session)
{
    for (int i = 0; r->swarm && i < r->all_hosts; i++) {
        struct zk *client = sim_swarm_client(r->swarm, i);
        if (client && client->session_id == session)
            return sim_swarm_host(r->swarm, i);
    }
    return r->hand.zk && r->hand.zk->session_id == session ? "operator" : "(gone)";
}

static const char *below_rollout(struct run *r, const char *path)
{
    const char *id = r->swarm ? strstr(path, sim_swarm_rollout(r->swarm)) : NULL;
    return id ? id + strlen(sim_swarm_rollout(r->swarm)) + 1 : path;
}

static void trace_op(struct run *r, const struct history_op *op)
{
    static const char *const kinds[] = {[ZK_OP_CREATE] = "+",
                                        [ZK_OP_SET] = "=",
                                        [ZK_OP_DELETE] = "-",
                                        [ZK_OP_CHECK] = "?"};
    FILE *out = r->options->trace;
    struct record record;
    struct gate gate;
    struct error err;
    const char *path = below_rollout(r, op->path);
    bool writes = op->data && (op->kind == ZK_OP_SET || op->kind == ZK_OP_CREATE);
    fprintf(out, " %s%s", kinds[op->kind], path);
    if (writes && str_starts(path, "hosts/") &&
        record_decode(op->data, op->data_len, &record, &err) == 0)
        fprintf(out, "(%s done=%d try=%d%s%s)", host_state_text(record.state),
                record.stages_done, record.attempt, record.step[0] ? " " : "",
                record.step);
    else if (writes && str_equal(path, "gate") &&
             gate_decode(op->data, op->data_len, &gate, &err) == 0)
        fprintf(out, "(%s failed=%d)", gate_phase_text(gate.phase), gate.failed);
}

void trace_entry(struct run *r, const struct history_entry *entry)
{
    FILE *out = r->options->trace;
    if (!out || !r->swarm)
        return;
    line(r);
    switch (entry->kind) {
    case HISTORY_TXN:
        fprintf(out, "%" PRIx64 " %s:", entry->zxid & 0xffffffff,
                who(r, entry->session));
        if (entry->close)
            fprintf(out, " (session ends)");
        for (int i = 0; i < entry->ops_count; i++)
            trace_op(r, &entry->ops[i]);
        break;
    case HISTORY_ACT_BEGIN:
        fprintf(out, "%s BEGINS %s", entry->host, entry->step);
        break;
    case HISTORY_ACT_END:
        fprintf(out, "%s ENDS %s", entry->host, entry->step);
        break;
    }
    fputc('\n', out);
}

void trace_moment(struct run *r, int host, enum sim_moment moment)
{
    const struct runner *runner = sim_swarm_runner(r->swarm, host);
    if (!r->options->trace)
        return;
    if (moment != SIM_MOVED)
        trace(r, "%s %s", sim_swarm_host(r->swarm, host), sim_moment_text(moment));
    else
        trace(r, "%s is %s", sim_swarm_host(r->swarm, host),
              runner_state_text(runner->state));
}

/* --- states */

static uint64_t host_state(struct run *r, int host)
{
    const struct record *record =
        checker_record(r->checker, sim_swarm_host(r->swarm, host));
    const struct zk *client = sim_swarm_client(r->swarm, host);
    bool up = sim_swarm_up(r->swarm, host);
    uint64_t z = up ? 1 + (uint64_t)sim_swarm_runner(r->swarm, host)->state : 0;
    uint64_t out = r->in_flight[host];
    z = run_mix(z, client && client->connected);
    z = run_mix(z, out ? r->recent[host][out % RECENT] : TXN_READ);
    if (!record)
        return run_mix(z, 1);
    z = run_mix(z, 2 + (uint64_t)record->state);
    z = run_mix(z, (uint64_t)(record->wave + 1));
    z = run_mix(z, (uint64_t)record->stages_done);
    return run_mix(z, record->permit < 0 ? 0 : strmap_hash(record->lease));
}

static enum txn_kind kind_of(const struct history_entry *entry)
{
    struct txn_scan scan = {0};
    for (int i = 0; i < entry->ops_count; i++)
        txn_scan_op(&scan, entry->ops[i].kind, entry->ops[i].path, entry->ops[i].data,
                    entry->ops[i].data_len);
    return txn_scan_kind(&scan);
}

void states_see(struct run *r, const struct history_entry *entry)
{
    const struct schedule_options *o = r->options;
    if (!o->states || !r->swarm)
        return;
    if (entry && entry->kind == HISTORY_TXN)
        states_add(o->moves,
                   run_mix(r->state,
                           entry->close ? TXN_KIND_COUNT : (uint64_t)kind_of(entry)));
    uint64_t z = checker_state(r->checker);
    for (int i = 0; i < r->all_hosts; i++)
        z += host_state(r, i);
    r->state = run_mix(z, (uint64_t)r->all_hosts);
    states_add(o->states, r->state);
}
