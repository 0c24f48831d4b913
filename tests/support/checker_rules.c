/* checker_rules.c - the invariants of PROTOCOL.md 5, one function each.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/checker_internal.h"

#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- I1, I4, I5: permits and records */

/* What the record says of a permit of that lease: its index, or -1. */
static int claims(const struct record *r, const char *lease)
{
    if (!lease_zone(lease))
        return str_equal(r->lease, lease) ? r->permit : -1;
    return str_equal(record_zone_lease(r).text, lease) ? r->zone_permit : -1;
}

static const struct permit *permit_of(const struct host *host, const char *lease)
{
    for (const struct permit *p = host->permits; p; p = p->next_of_host) {
        if (str_equal(p->lease->name, lease))
            return p;
    }
    return NULL;
}

static void rule_i1(struct checker *c, const struct host *host)
{
    const struct record *r = &host->record;
    const char *state = host->has_record ? host_state_text(r->state) : "absent";

    for (const struct permit *p = host->permits; p; p = p->next_of_host) {
        if (!host->has_record || claims(r, p->lease->name) != p->index)
            checker_fail(c, "I1",
                         "permit %d of lease '%s' names host '%s', whose record is %s "
                         "with permit %d and its zone's %d of lease '%s'",
                         p->index, p->lease->name, host->name, state, r->permit,
                         r->zone_permit, r->lease);
        bool nameless = !p->owner[0] && c->config.unchecked_grants_allowed;
        if (!nameless && !str_equal(p->owner, host->name))
            checker_fail(
                c, "I1",
                "permit %d of lease '%s' names host '%s', and below it is '%s'",
                p->index, p->lease->name, host->name, p->owner);
    }
    if (host->has_record && r->permit >= 0 && !permit_of(host, r->lease))
        checker_fail(c, "I1",
                     "host '%s' is %s with permit %d of lease '%s', which does not "
                     "name it",
                     host->name, state, r->permit, r->lease);
    struct lease_name zone = record_zone_lease(r);
    if (host->has_record && r->zone_permit >= 0 && !permit_of(host, zone.text))
        checker_fail(c, "I1",
                     "host '%s' is %s with permit %d of lease '%s', which does not "
                     "name it",
                     host->name, state, r->zone_permit, zone.text);
}

/* A host's zone is what it was when the host became a member. */
static void rule_zone(struct checker *c, const struct host *host)
{
    if (host->had_record && host->has_record &&
        !str_equal(host->before.zone, host->record.zone))
        checker_fail(c, "zone", "host '%s' went from zone '%s' to '%s'", host->name,
                     zone_text(host->before.zone), zone_text(host->record.zone));
}

static void rule_i4(struct checker *c, const struct host *host)
{
    for (const struct permit *p = host->permits; p; p = p->next_of_host) {
        for (const struct permit *q = p->next_of_host; q; q = q->next_of_host) {
            if (p->lease == q->lease)
                checker_fail(c, "I4", "host '%s' has permits %d and %d of lease '%s'",
                             host->name, p->index, q->index, p->lease->name);
        }
    }
}

static void rule_i5(struct checker *c, struct host *host)
{
    int64_t token = host->record.token;

    if (!host->has_record || token == 0)
        return;
    if (token < host->last_token)
        checker_fail(c, "I5",
                     "the token of host '%s' went back from 0x%" PRIx64
                     " to 0x%" PRIx64,
                     host->name, host->last_token, token);
    host->last_token = token;
    for (const struct permit *p = host->permits; p; p = p->next_of_host) {
        if (str_equal(p->lease->name, host->record.lease) && p->zxid != token)
            checker_fail(c, "I5",
                         "host '%s' claims token 0x%" PRIx64 " for permit %d of lease "
                         "'%s', which was granted at 0x%" PRIx64,
                         host->name, token, p->index, p->lease->name, p->zxid);
    }
}

/* --- I2, I3, R5: a grant and the gate */

/* Where a lease is limited per zone, the permit of the zone comes before the other. */
static void rule_zone_first(struct checker *c, const struct permit *p)
{
    const char *lease = p->lease->name;
    const struct host *host = p->host;

    if (lease_zone(lease) || !c->had_gate || !gate_zone_limit(&c->gate_before, lease))
        return;
    struct lease_name zone = lease_in_zone(lease, host->record.zone);
    const struct permit *first = permit_of(host, zone.text);
    if (!first || first->zxid == c->zxid)
        checker_fail(c, "zone",
                     "permit %d of lease '%s' granted to '%s', which had none of '%s'",
                     p->index, lease, host->name, zone.text);
}

static void rule_grant(struct checker *c, const struct permit *p)
{
    const char *lease = p->lease->name, *host = p->host->name;
    int limit = c->had_gate ? gate_limit(&c->gate_before, lease) : 0;

    if (!c->had_gate || !gate_grants(&c->gate_before))
        checker_fail(
            c, "I3", "permit %d of lease '%s' granted to '%s' while the gate %s",
            p->index, lease, host,
            c->had_gate ? gate_phase_text(c->gate_before.phase) : "does not exist");
    if (p->lease->occupied > limit)
        checker_fail(
            c, "I2",
            "with the grant to '%s' %d permits of lease '%s' are occupied, and "
            "the gate allows %d",
            host, p->lease->occupied, lease, limit);
    if (p->index >= limit)
        checker_fail(c, "I2",
                     "host '%s' took permit %d of lease '%s', which has only %d", host,
                     p->index, lease, limit);
    if (!c->gate_checked && !c->config.unchecked_grants_allowed)
        checker_fail(c, "R5",
                     "the grant of permit %d of lease '%s' to '%s' did not check the "
                     "gate",
                     p->index, lease, host);
}

/* A host's turn comes when its wave has done the stage before, or the wave before its
 * last one. */
static void rule_turn(struct checker *c, const struct permit *p)
{
    const struct record *r = &p->host->record;
    int wave = r->wave, stage = r->stages_done - 1;
    char key[NAME_SIZE + 16];

    if (!c->manifest || wave < 0 || (wave == 0 && stage < 0))
        return;
    if (stage < 0) {
        wave--;
        stage = c->manifest->spec->stages_count - 1;
    }
    snprintf(key, sizeof(key), "%d.%s", wave, c->manifest->spec->stages[stage].name);
    const struct barrier_state *barrier = strmap_get(&c->barriers, key);
    if (!barrier || !barrier->open)
        checker_fail(c, "turn",
                     "host '%s' was granted permit %d of lease '%s' for stage %d of "
                     "wave %d, and barrier '%s' is not open",
                     p->host->name, p->index, p->lease->name, r->stages_done, r->wave,
                     key);
}

/* --- I6: barriers */

static void rule_i6(struct checker *c, const struct barrier_state *barrier)
{
    char wave[16];
    const struct wave_members *members;

    snprintf(wave, sizeof(wave), "%.*s", (int)strcspn(barrier->key, "."), barrier->key);
    members = strmap_get(&c->waves, wave);
    if (!members) {
        checker_fail(c, "I6", "barrier '%s' opened, and wave %s is not known",
                     barrier->key, wave);
        return;
    }
    STRMAP_EACH(&members->hosts, e)
    {
        if (!strmap_get(&barrier->arrived, e->key))
            checker_fail(
                c, "I6",
                "barrier '%s' opened, and host '%s' has not arrived (%zu of %zu "
                "have)",
                barrier->key, e->key, barrier->arrived.count, members->hosts.count);
    }
}

void rules_arrival_gone(struct checker *c, const struct barrier_state *barrier,
                        const char *host)
{
    if (barrier->open && c->has_gate)
        checker_fail(c, "I6", "the arrival of '%s' at open barrier '%s' was deleted",
                     host, barrier->key);
}

/* --- I7: the count of failures */

static void rule_i7(struct checker *c)
{
    if (c->has_gate && c->gate.failed != (int)c->failed.count)
        checker_fail(c, "I7", "the gate counts %d failed hosts, and failed/ has %zu",
                     c->gate.failed, c->failed.count);
}

/* And those are the hosts whose records say so. */
static void rule_listed(struct checker *c, const struct host *host)
{
    bool listed = strmap_get(&c->failed, host->name) != NULL;
    bool failed = host->has_record && (host->record.state == HOST_FAILED ||
                                       host->record.state == HOST_LOST);

    if (c->has_gate && listed != failed)
        checker_fail(c, "I7", "host '%s' is %s, and %s in failed/", host->name,
                     host->has_record ? host_state_text(host->record.state) : "absent",
                     listed ? "stands" : "does not stand");
}

/* --- I8: moves of a host */

enum { ANY = 1, IN_KEEP = 2 }; /* in any phase; only once the gate is in phase keep */

static const char moves[HOST_STATE_COUNT][HOST_STATE_COUNT] = {
    [HOST_IDLE] = {[HOST_IDLE] = ANY,
                   [HOST_WAITING] = ANY,
                   [HOST_DONE] = ANY,
                   [HOST_FAILED] = ANY,
                   [HOST_EXCLUDED] = ANY},
    [HOST_WAITING] = {[HOST_IDLE] = ANY,
                      [HOST_WAITING] = ANY,
                      [HOST_HOLDING] = ANY,
                      [HOST_FAILED] = ANY,
                      [HOST_LOST] = ANY, /* with its zone's permit: see record.c */
                      [HOST_EXCLUDED] = ANY},
    [HOST_HOLDING] = {[HOST_IDLE] = ANY,
                      [HOST_HOLDING] = ANY,
                      [HOST_DONE] = ANY,
                      [HOST_FAILED] = ANY,
                      [HOST_LOST] = ANY,
                      [HOST_EXCLUDED] = ANY},
    [HOST_DONE] = {[HOST_DONE] = ANY, [HOST_IDLE] = IN_KEEP},
    [HOST_FAILED] = {[HOST_FAILED] = ANY,
                     [HOST_IDLE] = ANY,
                     [HOST_HOLDING] = ANY,
                     [HOST_EXCLUDED] = ANY},
    [HOST_LOST] = {[HOST_LOST] = ANY,
                   [HOST_HOLDING] = ANY,
                   [HOST_WAITING] = ANY,
                   [HOST_EXCLUDED] = ANY},
    [HOST_EXCLUDED] = {[HOST_EXCLUDED] = ANY},
};

static void rule_i8(struct checker *c, const struct host *host)
{
    if (host->had_record && !host->has_record && c->has_gate)
        checker_fail(c, "R4", "the record of host '%s' was deleted", host->name);
    if (!host->had_record || !host->has_record)
        return;
    char allowed = moves[host->before.state][host->record.state];
    if (allowed == ANY ||
        (allowed == IN_KEEP && c->had_gate && c->gate_before.phase == GATE_KEEP))
        return;
    checker_fail(c, "I8", "host '%s' went from %s to %s", host->name,
                 host_state_text(host->before.state),
                 host_state_text(host->record.state));
}

/* A record that comes when the gate stands: a late host's, where those are kept. */
static void rule_late(struct checker *c, const struct host *host)
{
    if (host->had_record || !host->has_record || !c->had_gate)
        return;
    if (c->gate_before.phase != GATE_KEEP)
        checker_fail(c, "I8", "host '%s' joined while the gate is %s", host->name,
                     gate_phase_text(c->gate_before.phase));
    else if (!c->gate_checked && !c->config.unchecked_grants_allowed)
        checker_fail(c, "R5", "host '%s' joined and did not check the gate",
                     host->name);
}

/* A retry: under the same permit where it was kept, and never as the attempt that
 * failed. */
static void rule_retry(struct checker *c, const struct host *host)
{
    const struct record *was = &host->before, *is = &host->record;
    bool same = was->permit == is->permit && was->token == is->token &&
                str_equal(was->lease, is->lease);

    if (!host->had_record || was->state != HOST_FAILED ||
        (is->state != HOST_HOLDING && is->state != HOST_IDLE))
        return;
    if (is->state == HOST_HOLDING && (!same || is->attempt != was->attempt + 1))
        checker_fail(c, "I8",
                     "host '%s' was retried as attempt %d of permit %d, and had failed "
                     "in attempt %d of permit %d",
                     host->name, is->attempt, is->permit, was->attempt, was->permit);
    if (is->state == HOST_IDLE && (was->permit >= 0 || is->attempt < was->attempt))
        checker_fail(c, "I8",
                     "host '%s' was retried from permit %d and attempt %d to idle and "
                     "attempt %d",
                     host->name, was->permit, was->attempt, is->attempt);
}

/* --- drift */

static void rule_drift(struct checker *c, const struct host *host)
{
    const struct record *is = &host->record;
    bool counted = strmap_get(&c->drifted, host->name) != NULL;
    bool mends =
        host->had_record && host->before.state == HOST_DONE && is->state == HOST_IDLE;

    if (!host->has_record || !c->has_gate)
        return;
    if (counted != (is->drift != RECORD_STEADY))
        checker_fail(c, "drift",
                     "host '%s' is %scounted in drifted/ while its drift is "
                     "\"%s\"",
                     host->name, counted ? "" : "not ", record_drift_text(is->drift));
    c->counts.mends += mends;
    if (mends && (!c->gate_checked || is->drift != RECORD_REPAIRING ||
                  is->stages_done >= host->before.stages_done))
        checker_fail(
            c, "drift",
            "host '%s' went back to work at stage %d of %d with drift \"%s\"%s",
            host->name, is->stages_done, host->before.stages_done,
            record_drift_text(is->drift),
            c->gate_checked ? "" : " and did not check the gate");
}

/* From run, nobody is left behind; an abort leaves whoever had not begun. */
static void rule_ended(struct checker *c)
{
    if (!c->has_gate || !c->had_gate || c->gate_before.phase != GATE_RUN ||
        (c->gate.phase != GATE_DONE && c->gate.phase != GATE_KEEP))
        return;
    STRMAP_EACH(&c->hosts, e)
    {
        const struct host *host = e->value;

        if (host->has_record && host->record.wave >= 0 &&
            (!record_terminal(&host->record) || host->record.state == HOST_LOST))
            checker_fail(c, "close", "the gate became %s while host '%s' is %s",
                         gate_phase_text(c->gate.phase), host->name,
                         host_state_text(host->record.state));
    }
}

static void rule_close(struct checker *c)
{
    if (c->has_gate && c->gate.phase == GATE_DONE && c->counts_touched &&
        (!c->had_gate || c->gate_before.phase != GATE_DONE) && c->occupied > 0)
        checker_fail(c, "close", "the gate became done with %d permit(s) occupied",
                     c->occupied);
}

/* I9's other half: a permit goes while its holder's act is under way. Only an
 * operator's break may do that. */
static void rule_freed(struct checker *c, const struct host *host)
{
    if (!host->freed_token || c->config.ends_may_be_missing ||
        (host->has_record && host->record.state == HOST_EXCLUDED))
        return;
    for (const struct act *act = host->acts; act; act = act->next) {
        if (act->open && act->token == host->freed_token)
            checker_fail(c, "I9",
                         "the permit of host '%s' was freed while it still disrupts in "
                         "step '%s'",
                         host->name, act->step);
    }
}

static bool disrupted_under(const struct host *host, int64_t token)
{
    for (const struct act *act = host->acts; act; act = act->next) {
        if (act->token == token)
            return true;
    }
    return false;
}

/* A holder wrote its record and checked the gate: leave for its next disruptive act. */
static void note_leave(struct checker *c, struct host *host)
{
    const struct permit *permit = checker_permit(host);

    if (!c->gate_checked || !permit || permit->zxid == c->zxid || !host->has_record ||
        host->record.state != HOST_HOLDING || !c->had_gate)
        return;
    if (gate_grants(&c->gate_before) || disrupted_under(host, permit->zxid) ||
        host->before.disrupted)
        host->leave_token = permit->zxid;
}

/* A record calls its visit disrupted from its first leave on, or from the retry of a
 * host that was not proved healthy; and none that has no permit does. */
static void rule_disrupted(struct checker *c, const struct host *host)
{
    bool leave = c->gate_checked && c->had_gate && gate_grants(&c->gate_before);
    bool retry = host->before.state == HOST_FAILED && host->before.permit >= 0;

    if (!host->has_record || !host->record.disrupted)
        return;
    if (host->record.permit < 0)
        checker_fail(c, "R7",
                     "host '%s' is %s without a permit and calls its visit "
                     "disrupted",
                     host->name, host_state_text(host->record.state));
    if (!(host->had_record && host->before.disrupted) && !leave && !retry)
        checker_fail(c, "R7", "host '%s' calls its visit disrupted without leave",
                     host->name);
}

void rules_txn(struct checker *c)
{
    for (const struct grant *g = c->grants; g; g = g->next) {
        if (!g->permit)
            continue;
        rule_grant(c, g->permit);
        rule_turn(c, g->permit);
        rule_zone_first(c, g->permit);
    }
    for (struct host *host = c->touched; host; host = host->next_touched) {
        rule_i4(c, host);
        rule_i1(c, host);
        rule_zone(c, host);
        rule_i5(c, host);
        rule_i8(c, host);
        rule_late(c, host);
        rule_listed(c, host);
        rule_retry(c, host);
        rule_freed(c, host);
        rule_disrupted(c, host);
        rule_drift(c, host);
        note_leave(c, host);
    }
    if (c->opened)
        rule_i6(c, c->opened);
    if (c->counts_touched)
        rule_i7(c);
    rule_close(c);
    if (c->counts_touched)
        rule_ended(c);
}

/* --- I9: disruptive acts */

static struct act *find_act(struct host *host, const struct history_entry *e)
{
    for (struct act *act = host->acts; act; act = act->next) {
        if (str_equal(act->step, e->step) && act->token == e->token &&
            act->attempt == e->attempt)
            return act;
    }
    return NULL;
}

static const struct permit *permit_of_act(const struct host *host,
                                          const struct history_entry *e)
{
    for (const struct permit *p = host->permits; p; p = p->next_of_host) {
        if (str_equal(p->lease->name, e->lease))
            return p;
    }
    return e->lease[0] ? NULL : checker_permit(host);
}

static void begin_act(struct checker *c, struct host *host, const struct permit *permit,
                      const struct history_entry *e)
{
    struct act *act = find_act(host, e);

    c->counts.acts++;
    if (act)
        checker_fail(c, "I9",
                     "host '%s' disrupts in step '%s' twice under token 0x%" PRIx64
                     " (attempt %d)",
                     host->name, e->step, e->token, e->attempt);
    if (permit && host->record.state != HOST_HOLDING)
        checker_fail(c, "I9", "host '%s' disrupts in step '%s' while its record is %s",
                     host->name, e->step, host_state_text(host->record.state));
    if (permit && host->leave_token != permit->zxid && !c->config.leaves_may_be_missing)
        checker_fail(
            c, "R7",
            "host '%s' disrupts in step '%s' without leave: its last write that "
            "checked the gate was not under this permit, or an act has used it",
            host->name, e->step);
    host->leave_token = 0;
    if (act)
        return;
    act = NEW(struct act);
    *act = (struct act){
        .token = e->token, .attempt = e->attempt, .open = true, .next = host->acts};
    STR_COPY(act->step, e->step);
    host->acts = act;
}

void rules_act(struct checker *c, const struct history_entry *entry)
{
    struct host *host = checker_host(c, entry->host);
    const struct permit *permit = permit_of_act(host, entry);
    struct history_entry e = *entry;

    if (!e.token && permit)
        e.token = permit->zxid;
    if (!e.attempt)
        e.attempt = host->record.attempt;
    if (e.kind == HISTORY_ACT_END) {
        struct act *act = find_act(host, &e);

        if (act)
            act->open = false;
        return;
    }
    /* An operator broke the permit while this host had its leave in hand, at his own
     * risk. */
    bool broken =
        host->record.state == HOST_EXCLUDED && e.token && host->leave_token == e.token;
    if (broken && !permit)
        host->leave_token = 0;
    else if (!permit)
        checker_fail(c, "I9",
                     "host '%s' disrupts in step '%s' without a permit of lease '%s'",
                     host->name, e.step, e.lease);
    else if (permit->zxid != e.token)
        checker_fail(c, "I9",
                     "host '%s' disrupts in step '%s' under token 0x%" PRIx64
                     ", and its permit's is 0x%" PRIx64,
                     host->name, e.step, e.token, permit->zxid);
    begin_act(c, host, permit, &e);
}

/* --- the end */

void rules_end(struct checker *c)
{
    STRMAP_EACH(&c->hosts, e)
    {
        const struct host *host = e->value;

        if (host->has_record && !record_terminal(&host->record))
            checker_fail(c, "I8", "host '%s' did not come to its end: it is %s",
                         host->name, host_state_text(host->record.state));
    }
}
