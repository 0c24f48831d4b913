/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/why_read.h"

#include "shared/base/spelling.h"
#include "shared/base/str.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

enum { NEAR_MAX = 3, NEAR_DISTANCE = 2 };

static const char *host(const struct why_read *read)
{
    return read->reading.host.host;
}

static const char *rollout(const struct why_read *read)
{
    return read->progress.rollout;
}

static bool has_rollout(const struct why_read *read)
{
    return rollout(read)[0] != '\0';
}

static const char *stage_name(const struct why_read *read)
{
    return read->progress.manifest->spec->stages[read->stage].name;
}

static void on_trip(void *ctx, int result, const struct error *err)
{
    struct why_read *read = ctx;
    if (result < 0)
        flow_fail(&read->flow, err);
    else
        flow_next(&read->flow);
}

static enum flow_verdict
send(struct why_read *read, int count,
     struct zk_request *(*issue)(void *ctx, int index, zk_done_f done, void *done_ctx),
     int (*reply)(void *ctx, int index, bool repeated, const struct zk_reply *reply,
                  struct error *err))
{
    const struct batch_work work = {.count = count,
                                    .window = count,
                                    .issue = issue,
                                    .reply = reply,
                                    .done = on_trip,
                                    .ctx = read};
    if (count == 0)
        return FLOW_NEXT;
    batch_start(&read->batch, read->zk, read->loop, &work);
    return FLOW_WAIT;
}

/* ---- a host's sign of life and record ---- */

/* A record that does not decode is part of the answer. */
static void take_record(struct why_host *ret, const struct zk_reply *reply,
                        const char *path)
{
    ret->heard_ms = reply->stat.mtime_ms;
    if (record_decode(reply->data, reply->data_len, &ret->record, &ret->bad) == 0)
        ret->has_record = true;
    else
        (void)error_context(&ret->bad, ret->bad.code, "znode '%s'", path);
}

static enum flow_verdict read_rollout(struct flow *flow, void *ctx, struct error *err)
{
    struct why_read *read = ctx;
    progress_reader_refresh(&read->progress, on_trip, read);
    return FLOW_WAIT;
}

enum { OWN_FACTS, OWN_LIVE, OWN_RECORD, OWN_COUNT };

static struct zpath own_path(const struct why_read *read, int index)
{
    if (index == OWN_FACTS)
        return zpath_host(read->root, host(read));
    return index == OWN_LIVE ? zpath_live(read->root, host(read))
                             : zpath_record(read->root, rollout(read), host(read));
}

static struct zk_request *issue_own(void *ctx, int index, zk_done_f done,
                                    void *done_ctx)
{
    struct why_read *read = ctx;
    return zk_get(read->zk, own_path(read, index).text, NULL, done, done_ctx);
}

static int on_own(void *ctx, int index, bool repeated, const struct zk_reply *reply,
                  struct error *err)
{
    struct why_read *read = ctx;
    struct zpath path = own_path(read, index);
    if (reply->result == ZK_NO_NODE)
        return 0;
    if (reply->result != ZK_OK)
        return zk_error(reply->result, path.text, err);
    if (index == OWN_RECORD) {
        take_record(&read->reading.host, reply, path.text);
        read->record_mzxid = reply->stat.mzxid;
    } else if (index == OWN_LIVE) { /* that it exists is what counts */
        read->reading.host.live = true;
        read->has_live =
            live_decode(reply->data, reply->data_len, &read->live, err) == 0;
    } else {
        read->registered = true;
        facts_done(&read->facts);
        if (facts_decode(reply->data, reply->data_len, &read->facts, err) < 0)
            facts_init(&read->facts);
        else
            read->reading.facts = &read->facts;
        STR_COPY(read->facts.host, host(read));
    }
    return 0;
}

static enum flow_verdict read_own(struct flow *flow, void *ctx, struct error *err)
{
    struct why_read *read = ctx;
    if (has_rollout(read))
        read->reading.rollout = &read->progress.reading;
    return send(read, has_rollout(read) ? OWN_COUNT : OWN_RECORD, issue_own, on_own);
}

/* ---- an unknown host ---- */

static bool is_known(const struct why_read *read)
{
    const struct why_host *own = &read->reading.host;
    return read->registered || own->live || own->has_record || own->bad.code < 0;
}

/* The nearest first, and those of one distance in order. */
static void add_near(struct strbuf *near, const struct zk_reply *reply,
                     const char *wanted)
{
    int found = 0;
    for (int d = 1; d <= NEAR_DISTANCE; d++) {
        struct strings names = {0};
        for (int i = 0; i < reply->children_count; i++)
            if (spelling_distance(wanted, reply->children[i]) == d)
                strings_add(&names, reply->children[i]);
        strings_sort(&names);
        for (int i = 0; i < names.count && found < NEAR_MAX; i++)
            strbuf_addf(near, "%s%s", found++ ? ", " : "", names.items[i]);
        strings_done(&names);
    }
}

static struct zk_request *issue_names(void *ctx, int index, zk_done_f done,
                                      void *done_ctx)
{
    struct why_read *read = ctx;
    return zk_children(read->zk, zpath_hosts(read->root).text, NULL, done, done_ctx);
}

static int on_names(void *ctx, int index, bool repeated, const struct zk_reply *reply,
                    struct error *err)
{
    struct why_read *read = ctx;
    struct strbuf near = {0};
    if (reply->result != ZK_OK && reply->result != ZK_NO_NODE)
        return zk_error(reply->result, zpath_hosts(read->root).text, err);
    add_near(&near, reply, host(read));
    int rc = error_set(err, -ENOENT,
                       "host '%s' has never registered and is in no plan%s%s%s: see "
                       "`clowder hosts`",
                       host(read), near.len ? " (did you mean " : "",
                       near.len ? near.text : "", near.len ? "?)" : "");
    strbuf_done(&near);
    return rc;
}

static enum flow_verdict know_it(struct flow *flow, void *ctx, struct error *err)
{
    struct why_read *read = ctx;
    return send(read, is_known(read) ? 0 : 1, issue_names, on_names);
}

/* ---- the wave ---- */

enum { WAVE_ARRIVED, WAVE_MEMBERS, WAVE_COUNT };

static struct zpath wave_path(const struct why_read *read, int index)
{
    return index == WAVE_ARRIVED
               ? zpath_arrivals(read->root, rollout(read), read->wave, stage_name(read))
               : zpath_wave(read->root, rollout(read), read->wave);
}

static struct zk_request *issue_wave(void *ctx, int index, zk_done_f done,
                                     void *done_ctx)
{
    struct why_read *read = ctx;
    struct zpath path = wave_path(read, index);
    return index == WAVE_ARRIVED
               ? zk_children(read->zk, path.text, NULL, done, done_ctx)
               : zk_get(read->zk, path.text, NULL, done, done_ctx);
}

static int on_wave(void *ctx, int index, bool repeated, const struct zk_reply *reply,
                   struct error *err)
{
    struct why_read *read = ctx;
    struct zpath path = wave_path(read, index);
    struct wave wave = {0};
    if (reply->result == ZK_NO_NODE && index == WAVE_ARRIVED)
        return 0;
    if (reply->result != ZK_OK)
        return zk_error(reply->result, path.text, err);
    if (index == WAVE_ARRIVED) {
        for (int i = 0; i < reply->children_count; i++)
            strings_add(&read->arrived, reply->children[i]);
        strings_sort(&read->arrived);
        return 0;
    }
    int rc = wave_decode(reply->data, reply->data_len, &wave, err);
    if (rc < 0)
        return error_context(err, rc, "znode '%s'", path.text);
    read->members = wave.hosts;
    return 0;
}

static enum flow_verdict read_wave(struct flow *flow, void *ctx, struct error *err)
{
    struct why_read *read = ctx;
    const struct why_reading *reading = &read->reading;
    bool waits =
        reading->rollout && reading->host.has_record &&
        why_barrier(reading->rollout, &reading->host.record, &read->wave, &read->stage);
    return send(read, waits ? WAVE_COUNT : 0, issue_wave, on_wave);
}

static bool holds_permit(const struct why_read *read, const char *name)
{
    const struct progress_reading *rollout = read->reading.rollout;
    for (int i = 0; i < rollout->permits_count; i++)
        if (str_equal(rollout->permits[i].host, name))
            return true;
    return false;
}

/* Those that are at work first: the others wait for them. */
static void find_missing(struct why_read *read)
{
    struct why_reading *reading = &read->reading;
    for (int working = 1; working >= 0; working--) {
        for (int i = 0; i < read->members.count; i++) {
            const char *name = read->members.items[i];
            if (strings_have_sorted(&read->arrived, name) ||
                holds_permit(read, name) != (working == 1))
                continue;
            reading->missing_count++;
            if (reading->missing_named < WHY_NAMED_MAX)
                STR_COPY(reading->missing[reading->missing_named++].host, name);
        }
    }
}

/* Index 2n is missing host n's record, 2n + 1 its sign of life. */
static struct zpath missing_path(const struct why_read *read, int index)
{
    const char *name = read->reading.missing[index / 2].host;
    return index % 2 ? zpath_live(read->root, name)
                     : zpath_record(read->root, rollout(read), name);
}

static struct zk_request *issue_missing(void *ctx, int index, zk_done_f done,
                                        void *done_ctx)
{
    struct why_read *read = ctx;
    struct zpath path = missing_path(read, index);
    return index % 2 ? zk_exists(read->zk, path.text, NULL, done, done_ctx)
                     : zk_get(read->zk, path.text, NULL, done, done_ctx);
}

static int on_missing(void *ctx, int index, bool repeated, const struct zk_reply *reply,
                      struct error *err)
{
    struct why_read *read = ctx;
    struct zpath path = missing_path(read, index);
    struct why_host *missing = &read->reading.missing[index / 2];
    if (reply->result == ZK_NO_NODE)
        return 0;
    if (reply->result != ZK_OK)
        return zk_error(reply->result, path.text, err);
    if (index % 2)
        missing->live = true;
    else
        take_record(missing, reply, path.text);
    return 0;
}

static enum flow_verdict read_missing(struct flow *flow, void *ctx, struct error *err)
{
    struct why_read *read = ctx;
    if (read->members.count > 0)
        find_missing(read);
    return send(read, 2 * read->reading.missing_named, issue_missing, on_missing);
}

/* ---- the queue ---- */

static struct zpath queue_path(const struct why_read *read)
{
    return zpath_queue(read->root, rollout(read), read->reading.host.record.lease);
}

static struct zk_request *issue_queue(void *ctx, int index, zk_done_f done,
                                      void *done_ctx)
{
    struct why_read *read = ctx;
    return zk_get(read->zk, queue_path(read).text, NULL, done, done_ctx);
}

/* Tickets are dense: as many were drawn as children were ever created. */
static int on_queue(void *ctx, int index, bool repeated, const struct zk_reply *reply,
                    struct error *err)
{
    struct why_read *read = ctx;
    int64_t hint;
    if (reply->result == ZK_NO_NODE)
        return 0;
    if (reply->result != ZK_OK)
        return zk_error(reply->result, queue_path(read).text, err);
    if (reply->data_len && str_to_int64(reply->data, -1, INT_MAX, &hint) == 0)
        read->hint = (int)hint;
    read->reading.in_queue = reply->stat.children_count;
    read->low = read->hint + 1;
    read->high = (reply->stat.cversion + reply->stat.children_count) / 2 - 1;
    return 0;
}

static enum flow_verdict read_queue(struct flow *flow, void *ctx, struct error *err)
{
    struct why_read *read = ctx;
    const struct why_host *own = &read->reading.host;
    bool waits = own->has_record && own->record.state == HOST_WAITING;
    return send(read, waits ? 1 : 0, issue_queue, on_queue);
}

static int ticket_of(const struct why_read *read, int index)
{
    return read->low + index * read->step;
}

static struct zk_request *issue_ticket(void *ctx, int index, zk_done_f done,
                                       void *done_ctx)
{
    struct why_read *read = ctx;
    struct zpath path =
        zpath_ticket(read->root, rollout(read), read->reading.host.record.lease,
                     ticket_of(read, index));
    return zk_exists(read->zk, path.text, NULL, done, done_ctx);
}

/* A ticket that is gone says nothing. The bounds are of the next round. */
static int on_ticket(void *ctx, int index, bool repeated, const struct zk_reply *reply,
                     struct error *err)
{
    struct why_read *read = ctx;
    int seq = ticket_of(read, index);
    if (reply->result == ZK_NO_NODE)
        return 0;
    if (reply->result != ZK_OK)
        return zk_error(reply->result, "ticket", err);
    if (reply->stat.czxid == read->record_mzxid)
        read->found = seq;
    else if (reply->stat.czxid < read->record_mzxid && seq + 1 > read->next_low)
        read->next_low = seq + 1;
    else if (reply->stat.czxid > read->record_mzxid && seq - 1 < read->next_high)
        read->next_high = seq - 1;
    return 0;
}

static void on_round(void *ctx, int result, const struct error *err)
{
    struct why_read *read = ctx;
    struct error none = {0};
    if (result < 0) {
        flow_fail(&read->flow, err);
        return;
    }
    bool all_seen = read->step == 1;
    read->low = all_seen ? 0 : read->next_low;
    read->high = all_seen ? -1 : read->next_high;
    flow_again(&read->flow, 0, &none);
}

/* As wide as a round of all tickets allows; finer each time, also where the round
 * before found none, so that it ends. */
static int finer_step(int last, int left)
{
    int step = (left + WHY_TICKETS_MAX - 1) / WHY_TICKETS_MAX;
    return last > 0 && step >= last ? last / 2 : step;
}

/* Tickets between that are gone count, but not beyond those that are there. */
static int place_of(const struct why_read *read)
{
    int place = read->found - read->hint;
    return place < read->reading.in_queue ? place : read->reading.in_queue;
}

/* Rounds of exists over low..high. */
static enum flow_verdict find_ticket(struct flow *flow, void *ctx, struct error *err)
{
    struct why_read *read = ctx;
    int left = read->high - read->low + 1;
    if (read->found >= 0)
        read->reading.place = place_of(read);
    if (read->found >= 0 || left <= 0)
        return FLOW_NEXT;
    read->next_low = read->low;
    read->next_high = read->high;
    read->step = finer_step(read->step, left);
    const struct batch_work work = {.count = (left + read->step - 1) / read->step,
                                    .window = WHY_TICKETS_MAX,
                                    .issue = issue_ticket,
                                    .reply = on_ticket,
                                    .done = on_round,
                                    .ctx = read};
    batch_start(&read->batch, read->zk, read->loop, &work);
    return FLOW_WAIT;
}

/* ---- the reading ---- */

static void drop(void *ctx)
{
    struct why_read *read = ctx;
    progress_reader_cancel(&read->progress);
    batch_cancel(&read->batch);
}

static const struct flow_step steps[] = {
    {.name = "read the rollout", .run = read_rollout, .cancel = drop},
    {.name = "read the host", .run = read_own, .cancel = drop},
    {.name = "look for hosts of a like name", .run = know_it, .cancel = drop},
    {.name = "read the wave", .run = read_wave, .cancel = drop},
    {.name = "read who is missing", .run = read_missing, .cancel = drop},
    {.name = "read the queue", .run = read_queue, .cancel = drop},
    {.name = "find the ticket", .run = find_ticket, .cancel = drop},
    {0},
};

static void on_read(void *ctx, int result, const struct error *err)
{
    struct why_read *read = ctx;
    const struct why_reading *reading = &read->reading;
    read->reading.twins = read->has_live && reading->facts &&
                          reading->facts->machine_id[0] &&
                          !str_equal(read->live.machine_id, reading->facts->machine_id);
    read->done(read->done_ctx, result, err);
}

void why_read_start(struct why_read *read, struct zk *zk, struct loop *loop,
                    const char *root, const char *name, flow_done_f done,
                    void *done_ctx)
{
    *read = (struct why_read){.zk = zk,
                              .loop = loop,
                              .hint = -1,
                              .high = -1,
                              .found = -1,
                              .done = done,
                              .done_ctx = done_ctx};
    STR_COPY(read->root, root);
    STR_COPY(read->reading.host.host, name);
    facts_init(&read->facts);
    progress_reader_init(&read->progress, zk, loop, root, NULL);
    flow_start(&read->flow, loop, steps, read, on_read, read);
}

void why_read_done(struct why_read *read)
{
    flow_cancel(&read->flow);
    progress_reader_done(&read->progress);
    facts_done(&read->facts);
    strings_done(&read->arrived);
    strings_done(&read->members);
}
