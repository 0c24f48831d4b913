/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/model/host_rule.h"

#include "shared/base/str.h"

#include <errno.h>
#include <stdio.h>

const char *host_order_text(enum host_order_kind kind)
{
    static const char *const texts[] = {
        [HOST_RETRY] = "retry",
        [HOST_SKIP] = "skip",
        [HOST_EXCLUDE] = "exclude",
        [HOST_BREAK] = "break",
        [HOST_FORCE_COMPLETE] = "force-complete",
    };
    return texts[kind];
}

bool host_order_wants_reason(enum host_order_kind kind)
{
    return kind != HOST_RETRY;
}

/* ---- refusals ---- */

/* "holding permit 0 of lease 'restart'" */
static void say_state(const struct record *record, char *text, size_t size)
{
    const char *state = host_state_text(record->state);

    if (record->permit < 0 && record->zone_permit >= 0)
        (void)snprintf(text, size, "%s and keeps permit %d of lease '%s'", state,
                       record->zone_permit, record_zone_lease(record).text);
    else if (record->permit >= 0 && record->state != HOST_HOLDING)
        (void)snprintf(text, size, "%s and keeps permit %d of lease '%s'", state,
                       record->permit, record->lease);
    else if (record->permit >= 0)
        (void)snprintf(text, size, "holding permit %d of lease '%s'", record->permit,
                       record->lease);
    else if (record->state == HOST_WAITING)
        (void)snprintf(text, size, "waiting for a permit of lease '%s'", record->lease);
    else if (record->state == HOST_FAILED)
        (void)snprintf(text, size, "failed, and gave its permit back");
    else if (record->state == HOST_EXCLUDED && record->by[0])
        (void)snprintf(text, size, "excluded by %s", record->by);
    else
        (void)snprintf(text, size, "%s", state);
}

static int PRINTF_LIKE(4, 5)
    refuse(const struct host_order_request *request, const struct record *record,
           struct error *err, const char *instead, ...)
{
    char state[160], hint[256];
    va_list args;

    say_state(record, state, sizeof(state));
    va_start(args, instead);
    (void)vsnprintf(hint, sizeof(hint), instead, args);
    va_end(args);
    return error_set(err, -EPERM, "cannot %s host '%s': it is %s; %s",
                     host_order_text(request->kind), request->host, state, hint);
}

static int check_phase(const struct host_order_request *request,
                       const struct manifest *manifest, const struct gate *gate,
                       const struct record *record, struct error *err)
{
    switch (gate->phase) {
    case GATE_RUN:
    case GATE_PAUSE:
    case GATE_KEEP:
        return 0;
    case GATE_ABORT:
        /* An abort ends when the last permit is free: that much can be ordered. */
        if (record_keeps_permit(record))
            return 0;
        return error_set(err, -EPERM,
                         "cannot %s host '%s': rollout %s is being aborted; install "
                         "again when it has ended",
                         host_order_text(request->kind), request->host, manifest->id);
    case GATE_DONE:
        break;
    }
    return error_set(err, -EPERM,
                     "cannot %s host '%s': rollout %s has ended; install again",
                     host_order_text(request->kind), request->host, manifest->id);
}

/* ---- retry, force-complete ---- */

static int check_failed(const struct host_order_request *request,
                        const struct record *record, struct error *err)
{
    const char *host = request->host;

    switch (record->state) {
    case HOST_FAILED:
        return 0;
    case HOST_IDLE:
    case HOST_WAITING:
        return refuse(request, record, err,
                      "it has not failed: `clowder why %s` says what it waits for",
                      host);
    case HOST_HOLDING:
        return refuse(request, record, err,
                      "its visit is under way: wait for its end, or `clowder break %s`",
                      host);
    case HOST_DONE:
        return refuse(request, record, err, "nothing is left to do there");
    case HOST_LOST:
        return refuse(request, record, err,
                      "it goes on by itself when its agentd is back; `clowder break "
                      "%s` gives it up",
                      host);
    case HOST_EXCLUDED:
        return refuse(request, record, err, "it takes part in the next rollout only");
    }
    return -EPERM;
}

static void back_to_work(const struct host_order_request *request,
                         struct host_change *change)
{
    struct record *record = &change->record;

    change->uncounts = true;
    record->retried = true;
    record->error[0] = '\0';
    record->step[0] = '\0';
    record->doing[0] = '\0';
    if (record_keeps_permit(record)) {
        record->state = HOST_HOLDING;
        record->attempt++;
        record->disrupted = true; /* so it goes on under a pause, too */
    } else {
        record->state = HOST_IDLE;
        record->stage[0] = '\0';
    }
    record->healthy = false;
    (void)STR_COPY(record->by, request->who);
    record->by_ms = request->at_ms;
}

static const struct spec_stage *current_stage(const struct manifest *manifest,
                                              const struct record *record)
{
    return record->stages_done < manifest->spec->stages_count
               ? &manifest->spec->stages[record->stages_done]
               : NULL;
}

static int declare_step(const struct host_order_request *request,
                        const struct manifest *manifest, struct record *record,
                        struct error *err)
{
    const struct spec_stage *stage = current_stage(manifest, record);
    struct strbuf names = {0};

    for (int i = 0; stage && i < stage->steps_count; i++) {
        const char *name = step_name(stage->steps[i]);
        struct step_record *step;

        if (!spec_policy(manifest->spec, stage->steps[i])->enabled)
            continue;
        strbuf_addf(&names, "%s%s", names.len ? ", " : "", name);
        if (!str_equal(name, request->step))
            continue;
        strbuf_done(&names);
        step = record_step(record, name);
        if (!step)
            return error_set(err, -EINVAL, "record of host '%s' has no room for '%s'",
                             request->host, name);
        step->state = STEP_ALREADY;
        (void)STR_COPY(step->by, request->who);
        (void)snprintf(step->says, sizeof(step->says), "declared complete: %.130s",
                       request->why);
        return 0;
    }
    (void)error_set(
        err, -EINVAL,
        "\"%.40s\" is no step of stage '%s', where host '%s' failed: it has "
        "%s",
        request->step, stage ? stage->name : "", request->host,
        names.len ? names.text : "none");
    strbuf_done(&names);
    return -EINVAL;
}

/* ---- exclude, skip, break ---- */

static int check_excludable(const struct host_order_request *request,
                            const struct record *record, struct error *err)
{
    const char *host = request->host;

    switch (record->state) {
    case HOST_IDLE:
    case HOST_WAITING:
    case HOST_EXCLUDED:
        return 0;
    case HOST_FAILED:
        if (!record_keeps_permit(record))
            return 0;
        return refuse(request, record, err,
                      "it was not proved healthy: repair it and `clowder retry %s`, or "
                      "`clowder break %s`",
                      host, host);
    case HOST_HOLDING:
        return refuse(request, record, err,
                      "let it finish its visit, or `clowder break %s`", host);
    case HOST_LOST:
        return refuse(request, record, err,
                      "it may be in the middle of a restart: `clowder break %s` gives "
                      "it up",
                      host);
    case HOST_DONE:
        return refuse(request, record, err, "nothing of it is left to leave out");
    }
    return -EPERM;
}

static int check_breakable(const struct host_order_request *request,
                           const struct record *record, struct error *err)
{
    const char *host = request->host;

    switch (record->state) {
    case HOST_HOLDING:
    case HOST_LOST:
    case HOST_EXCLUDED:
        return 0;
    case HOST_FAILED:
        if (record_keeps_permit(record))
            return 0;
        return refuse(request, record, err,
                      "there is no permit to break: `clowder retry %s` or `clowder "
                      "exclude %s`",
                      host, host);
    case HOST_WAITING: /* it may have its zone's, and be silent */
        if (record_keeps_permit(record))
            return 0;
        return refuse(request, record, err,
                      "there is no permit to break: `clowder exclude %s` leaves it out",
                      host);
    case HOST_IDLE:
        return refuse(request, record, err,
                      "there is no permit to break: `clowder exclude %s` leaves it out",
                      host);
    case HOST_DONE:
        return refuse(request, record, err, "there is no permit to break");
    }
    return -EPERM;
}

static void leave_out(const struct host_order_request *request,
                      struct host_change *change)
{
    struct record *record = &change->record;

    change->excludes = true;
    change->uncounts = record->state == HOST_FAILED || record->state == HOST_LOST;
    change->frees = record_keeps_permit(record);
    (void)snprintf(record->error, sizeof(record->error), "%s by %.96s: %.256s",
                   request->kind == HOST_BREAK ? "its permit was broken" : "excluded",
                   request->who, request->why);
    record->state = HOST_EXCLUDED;
    record->permit = record->zone_permit = -1;
    record->token = 0;
    record->lease[0] = '\0';
    record->step[0] = '\0';
    record->doing[0] = '\0';
    record->disrupted = false;
    record->drift = RECORD_STEADY;
    (void)STR_COPY(record->by, request->who);
    record->by_ms = request->at_ms;
}

/* ---- the rule ---- */

static int check_request(const struct host_order_request *request, struct error *err)
{
    if (!host_id_valid(request->host))
        return error_set(err, -EINVAL, "\"%.64s\" %s", request->host,
                         host_id_check(request->host));
    if (host_order_wants_reason(request->kind) && !request->why[0])
        return error_set(err, -EINVAL,
                         "%s of host '%s' goes into the rollout's events: say why with "
                         "--reason",
                         host_order_text(request->kind), request->host);
    return 0;
}

int host_rule(const struct host_order_request *request, const struct manifest *manifest,
              const struct gate *gate, const struct record *record,
              struct host_change *ret, struct error *err)
{
    struct host_change change = {.record = *record};
    int rc = check_request(request, err);

    if (rc == 0)
        rc = check_phase(request, manifest, gate, record, err);
    if (rc < 0)
        return rc;
    change.record.since_ms = request->at_ms;
    switch (request->kind) {
    case HOST_RETRY:
    case HOST_FORCE_COMPLETE:
        rc = check_failed(request, record, err);
        if (rc == 0 && request->kind == HOST_FORCE_COMPLETE)
            rc = declare_step(request, manifest, &change.record, err);
        if (rc == 0)
            back_to_work(request, &change);
        break;
    case HOST_SKIP:
    case HOST_EXCLUDE:
    case HOST_BREAK:
        rc = request->kind == HOST_BREAK ? check_breakable(request, record, err)
                                         : check_excludable(request, record, err);
        change.already = record->state == HOST_EXCLUDED;
        if (rc == 0 && !change.already)
            leave_out(request, &change);
        break;
    }
    if (rc == 0)
        *ret = change;
    return rc;
}

void host_break_risk(const char *host, const struct record *record, bool live,
                     int64_t now_ms, struct strbuf *ret)
{
    char ago[32];

    if (!record_keeps_permit(record))
        return;
    str_from_duration_ms(now_ms > record->since_ms ? now_ms - record->since_ms : 0, ago,
                         sizeof(ago));
    if (record->permit < 0) {
        strbuf_addf(ret,
                    "Host %s is %s with permit %d of lease '%s', for %s: it was given "
                    "no leave to disrupt anything, and takes no further part in this "
                    "rollout.",
                    host, host_state_text(record->state), record->zone_permit,
                    record_zone_lease(record).text, ago);
        return;
    }
    strbuf_addf(ret, "Host %s is %s with permit %d of lease '%s', for %s.", host,
                host_state_text(record->state), record->permit, record->lease, ago);
    if (record->step[0])
        strbuf_addf(ret, " It was last seen in step %s%s%s.", record->step,
                    record->doing[0] ? ": " : "", record->doing);
    if (record->state == HOST_FAILED)
        strbuf_addf(ret, " It was not proved healthy after its failure: %s.",
                    record->error);
    strbuf_addf(ret, "%s",
                live ? " Its agentd is alive: it may be restarting something at this "
                       "moment, and stops before its next such act only."
                     : " Its agentd gives no sign of life: nobody knows whether it is "
                       "in the middle of a restart, or down.");
    strbuf_addf(
        ret,
        " With its permit broken the next host may begin at once: then more "
        "hosts are disrupted than lease '%s' allows. It takes no further part in "
        "this rollout and is left as it is.",
        record->lease);
}
