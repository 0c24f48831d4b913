/* SPDX-License-Identifier: Apache-2.0
 *
 * A lease that is full, and how those stand that hold its permits.
 */
#include "shared/model/why_chain.h"

#include "shared/base/str.h"

#include <stdio.h>

enum { HOLDERS_NAMED = 3 };

static struct why_host host_of_permit(const struct progress_permit *permit)
{
    struct why_host host = {.live = permit->live,
                            .has_record = permit->has_record,
                            .record = permit->record,
                            .bad = permit->bad,
                            .heard_ms = permit->heard_ms};
    STR_COPY(host.host, permit->host);
    return host;
}

static void advise_failed(struct why_chain *chain, const struct why_host *host)
{
    const struct record *record = &host->record;
    bool keeps = record->permit >= 0;
    why_advise(chain, "lets it try again, once it is mended", "clowder retry %s",
               host->host);
    if (record->step[0])
        why_advise(chain, "declares the step complete where it was done by hand",
                   "clowder force-complete %s %s --reason TEXT", host->host,
                   record->step);
    why_advise(chain,
               keeps ? "gives it up as it is: its permit is free at once"
                     : "leaves it out: the rollout goes on without it",
               keeps ? "clowder break %s --reason TEXT"
                     : "clowder exclude %s --reason TEXT",
               host->host);
}

static void explain_failed(struct why_chain *chain, int depth,
                           const struct why_host *host)
{
    const struct record *record = &host->record;
    char span[SPAN_SIZE];
    bool keeps = record->permit >= 0;
    why_span(chain, record->since_ms, span);
    struct why_cause *cause = why_add(
        chain, depth, WHY_FAILED, host->host, "%s failed %s ago in step %s: %s. %s",
        host->host, span, record->step[0] ? record->step : "(none)", record->error,
        keeps ? "It was not proved healthy after that: it keeps its permit, so "
                "that no other host begins in its place"
        : record->healthy
            ? "What it had changed was put back and proved healthy; it gave "
              "its permit back"
            : "It gave its permit back");
    STR_COPY(cause->stage, record->stage);
    STR_COPY(cause->step, record->step);
    STR_COPY(cause->lease, record->lease);
    cause->since_ms = record->since_ms;
    if (why_may_order(chain, host, HOST_RETRY))
        advise_failed(chain, host);
    if (!host->live)
        why_away(chain, depth + 1, host);
    if (depth == 0)
        (void)why_gate(chain, depth + 1);
}

static void explain_lost(struct why_chain *chain, int depth,
                         const struct why_host *host)
{
    const struct record *record = &host->record;
    char span[SPAN_SIZE], doing[96];
    why_span(chain, record->since_ms, span);
    why_doing(record, doing, sizeof(doing));
    struct why_cause *cause = why_add(
        chain, depth, WHY_LOST, host->host,
        "%s is lost since %s: %s. It was last seen in %s. Its permit of lease %s stays "
        "taken: nobody knows whether it is in the middle of a restart%s",
        host->host, span, record->error, doing, record->lease,
        host->live ? ". Its agentd is back: it goes on by itself" : "");
    STR_COPY(cause->stage, record->stage);
    STR_COPY(cause->step, record->step);
    STR_COPY(cause->lease, record->lease);
    cause->since_ms = record->since_ms;
    if (why_may_order(chain, host, HOST_BREAK))
        why_advise(chain, "gives it up: its permit is free at once",
                   "clowder break %s --reason TEXT", host->host);
    if (!host->live)
        why_away(chain, depth + 1, host);
    if (depth == 0)
        (void)why_gate(chain, depth + 1);
}

/* Closed meanwhile: what has disrupted nothing yet steps back, the rest ends. */
static void explain_visit(struct why_chain *chain, int depth,
                          const struct why_host *host)
{
    bool closed = why_gate(chain, depth);
    closed = why_hours(chain, depth) || closed;
    if (closed && host->record.disrupted)
        (void)why_add(chain, depth, WHY_HOLDS, host->host,
                      "it has begun to change this host: it finishes its visit");
    else if (closed)
        (void)why_add(chain, depth, WHY_HOLDS, host->host,
                      "it has disrupted nothing yet: it gives its permit back before "
                      "it would");
}

static void explain_holding(struct why_chain *chain, int depth,
                            const struct why_host *host)
{
    const struct record *record = &host->record;
    char span[SPAN_SIZE], doing[96], visit[32] = "";
    why_span(chain, record->since_ms, span);
    why_doing(record, doing, sizeof(doing));
    if (record->attempt > 1)
        (void)snprintf(visit, sizeof(visit), ", visit %d", record->attempt);
    struct why_cause *cause =
        why_add(chain, depth, WHY_HOLDS, host->host,
                "%s holds permit %d of lease %s for %s%s: stage %s, %s", host->host,
                record->permit, record->lease, span, visit, record->stage, doing);
    STR_COPY(cause->stage, record->stage);
    STR_COPY(cause->step, record->step);
    STR_COPY(cause->lease, record->lease);
    cause->since_ms = record->since_ms;
    if (!host->live)
        why_away(chain, depth + 1, host);
    else if (depth == 0)
        explain_visit(chain, depth + 1, host);
}

void why_holder(struct why_chain *chain, int depth, const struct why_host *host)
{
    if (host->record.state == HOST_FAILED)
        explain_failed(chain, depth, host);
    else if (host->record.state == HOST_LOST)
        explain_lost(chain, depth, host);
    else
        explain_holding(chain, depth, host);
}

static int lease_index(const struct gate *gate, const char *lease)
{
    for (int l = 0; l < gate->limits_count; l++)
        if (str_equal(gate->limits[l].lease, lease))
            return l;
    return -1;
}

/* Its record read after its permit may have moved on. */
static bool still_holds(const struct progress_permit *permit, const char *lease)
{
    if (permit->bad.code < 0)
        return true;
    return permit->has_record && permit->record.permit == permit->permit &&
           str_equal(permit->record.lease, lease);
}

/* A holder that will not give its permit back by itself, or may not. */
static bool in_trouble(const struct progress_permit *permit)
{
    return !permit->live || permit->bad.code < 0 ||
           permit->record.state != HOST_HOLDING;
}

static bool is_said(const struct why_chain *chain, const char *host)
{
    for (int i = 0; i < chain->why->causes_count; i++) {
        enum why_kind kind = chain->why->causes[i].kind;
        if ((kind == WHY_HOLDS || kind == WHY_FAILED || kind == WHY_LOST) &&
            str_equal(chain->why->causes[i].host, host))
            return true;
    }
    return false;
}

static void name_holder(struct why_chain *chain, int depth,
                        const struct progress_permit *permit)
{
    const struct why_host holder = host_of_permit(permit);
    if (is_said(chain, holder.host))
        (void)why_add(chain, depth, WHY_HOLDS, holder.host, "by %s, as above",
                      holder.host);
    else
        why_one(chain, depth, &holder);
}

static bool is_of(const struct progress_permit *permit, int lease, const char *zone)
{
    return permit->lease == lease &&
           (!zone || str_equal(zone_text(permit->record.zone), zone));
}

/* Those in trouble first, then the others as they come. zone: of it only; NULL = all.
 * Returns how many are named. */
static int name_holders(struct why_chain *chain, int depth, int lease, const char *zone)
{
    const struct progress_reading *rollout = chain->in->rollout;
    int named = 0;
    for (int trouble = 1; trouble >= 0; trouble--) {
        for (int i = 0; i < rollout->permits_count && named < HOLDERS_NAMED; i++) {
            const struct progress_permit *permit = &rollout->permits[i];
            if (!is_of(permit, lease, zone) ||
                !still_holds(permit, rollout->gate.limits[lease].lease) ||
                in_trouble(permit) != (trouble == 1))
                continue;
            name_holder(chain, depth, permit);
            named++;
        }
    }
    return named;
}

/* A zone that is full: who of it is at work; or those that have its permits wait for
 * the lease themselves. */
static void why_zone(struct why_chain *chain, int depth, const char *name)
{
    const struct gate *gate = &chain->in->rollout->gate;
    struct lease_name all = lease_of_all(name);
    int limit = gate_limit(gate, name);
    struct why_cause *cause = why_add(
        chain, depth, WHY_LEASE, "", "lease %s lets %d %s of zone %s in at a time",
        all.text, limit, limit == 1 ? "host" : "hosts", lease_zone(name));
    STR_COPY(cause->lease, name);
    int lease = lease_index(gate, all.text);
    if (lease >= 0 && name_holders(chain, depth + 1, lease, lease_zone(name)) == 0)
        why_lease(chain, depth + 1, all.text);
    why_advise(chain, "lets one more host of that zone in at a time",
               "clowder set-limit %s %d", name, limit + 1);
}

void why_lease(struct why_chain *chain, int depth, const char *name)
{
    const struct progress_reading *rollout = chain->in->rollout;
    int lease = lease_index(&rollout->gate, name), held = 0;
    if (lease_zone(name)) {
        why_zone(chain, depth, name);
        return;
    }
    if (lease < 0 || chain->leases_said[lease])
        return;
    chain->leases_said[lease] = true;
    int limit = rollout->gate.limits[lease].permits;
    for (int i = 0; i < rollout->permits_count; i++)
        held += rollout->permits[i].lease == lease;
    struct why_cause *cause;
    if (held >= limit)
        cause = why_add(chain, depth, WHY_LEASE, "",
                        "lease %s lets %d %s in at a time, and %d %s taken", name,
                        limit, limit == 1 ? "host" : "hosts", held,
                        held == 1 ? "permit is" : "permits are");
    else
        cause = why_add(chain, depth, WHY_LEASE, "",
                        "lease %s has %d of %d permits free: those that are before it "
                        "in line go first, and take one at any moment",
                        name, limit - held, limit);
    STR_COPY(cause->lease, name);
    if (held < limit)
        return;
    why_more(chain, depth + 1, held - name_holders(chain, depth + 1, lease, NULL));
    why_advise(chain, "lets one more host in at a time", "clowder set-limit %s %d",
               name, held + 1);
}
