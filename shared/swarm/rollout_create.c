/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/rollout_create.h"

#include "shared/base/cleanup.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/event.h"
#include "shared/swarm/swarm.h"

#include <errno.h>
#include <string.h>

enum { RETRY_MS = 100, RECORDS_WINDOW = 16, WRITE_TIMEOUT_MS = 300000 };

static bool away(const struct zk_reply *reply)
{
    return reply->result == ZK_AMBIGUOUS || reply->result == ZK_NOT_CONNECTED;
}

/* For a read, or a write that may be sent again. */
static void retry_or_fail(struct rollout_create *create, const char *what,
                          const struct zk_reply *reply)
{
    struct error err = {0};
    (void)zk_error(reply->result, what, &err);
    if (away(reply))
        flow_again(&create->flow, RETRY_MS, &err);
    else
        flow_fail(&create->flow, &err);
}

static void fail_decode(struct rollout_create *create, const char *path,
                        struct error *err)
{
    (void)error_context(err, err->code, "znode '%s'", path);
    flow_fail(&create->flow, err);
}

static struct zpath incumbent_gate(const struct rollout_create *create)
{
    return zpath_gate(create->root, create->current.rollout);
}

/* Why this rollout is refused; returns the code. */
static int say_in_force(const struct rollout_create *create, struct error *err)
{
    const char *id = create->current.rollout;
    enum gate_phase phase = create->incumbent.phase;
    if (!create->occupied[0])
        return error_set(err, -EBUSY,
                         "rollout %s is in force (phase %s): see it with `clowder "
                         "watch`, or end it with `clowder abort`",
                         id, gate_phase_text(phase));
    return error_set(
        err, -EBUSY,
        "rollout %s is %s, but host '%s' still holds a permit of lease '%s': try again "
        "when `clowder leases` shows it free",
        id, phase == GATE_ABORT && !create->was_keep ? "being aborted" : "finished",
        create->occupant, create->occupied);
}

static void fail_in_force(struct rollout_create *create)
{
    struct error err = {0};
    (void)say_in_force(create, &err);
    flow_fail(&create->flow, &err);
}

static void on_current(void *ctx, const struct zk_reply *reply)
{
    struct rollout_create *create = ctx;
    struct zpath path = zpath_current(create->root);
    struct error err = {0};
    create->request = NULL;
    if (reply->result == ZK_NO_NODE) {
        (void)error_set(&err, -ENOENT,
                        "there is no clowder at '%s' in this ZooKeeper: run `clowder "
                        "init`, or name another root with --zk",
                        create->root);
        flow_fail(&create->flow, &err);
    } else if (reply->result != ZK_OK) {
        retry_or_fail(create, path.text, reply);
    } else if (current_decode(reply->data, reply->data_len, &create->current, &err) <
               0) {
        fail_decode(create, path.text, &err);
    } else {
        create->current_version = reply->stat.version;
        flow_next(&create->flow);
    }
}

static enum flow_verdict read_current(struct flow *flow, void *ctx, struct error *err)
{
    struct rollout_create *create = ctx;
    create->request =
        zk_get(create->zk, zpath_current(create->root).text, NULL, on_current, create);
    return FLOW_WAIT;
}

static bool read_gate(struct rollout_create *create, const struct zk_reply *reply)
{
    struct zpath path = incumbent_gate(create);
    struct error err = {0};
    create->request = NULL;
    if (reply->result == ZK_NO_NODE) {
        create->has_incumbent = false; /* deleted by hand: it grants nothing */
        return true;
    }
    if (reply->result != ZK_OK) {
        retry_or_fail(create, path.text, reply);
        return false;
    }
    if (gate_decode(reply->data, reply->data_len, &create->incumbent, &err) < 0) {
        fail_decode(create, path.text, &err);
        return false;
    }
    create->incumbent_version = reply->stat.version;
    create->has_incumbent = create->incumbent.phase != GATE_DONE;
    return true;
}

static void on_gate(void *ctx, const struct zk_reply *reply)
{
    struct rollout_create *create = ctx;
    if (!read_gate(create, reply))
        return;
    enum gate_phase phase = create->incumbent.phase;
    if (create->has_incumbent && phase != GATE_KEEP && phase != GATE_ABORT)
        fail_in_force(create);
    else
        flow_next(&create->flow);
}

static enum flow_verdict read_incumbent(struct flow *flow, void *ctx, struct error *err)
{
    struct rollout_create *create = ctx;
    if (!create->current.rollout[0])
        return FLOW_NEXT;
    create->request =
        zk_get(create->zk, incumbent_gate(create).text, NULL, on_gate, create);
    return FLOW_WAIT;
}

static void on_occupant(void *ctx, const struct zk_reply *reply)
{
    struct rollout_create *create = ctx;
    create->request = NULL;
    if (reply->result == ZK_NO_NODE) { /* freed since */
        flow_again(&create->flow, 0, NULL);
    } else if (reply->result != ZK_OK) {
        retry_or_fail(create, "permit", reply);
    } else {
        STR_COPY(create->occupant, reply->data_len ? reply->data : "?");
        flow_next(&create->flow);
    }
}

static void on_permits(void *ctx, const struct zk_reply *reply)
{
    struct rollout_create *create = ctx;
    create->request = NULL;
    if (reply->result != ZK_OK && reply->result != ZK_NO_NODE) {
        retry_or_fail(create, "permits", reply);
    } else if (reply->result == ZK_NO_NODE || reply->children_count == 0) {
        flow_again(&create->flow, 0, NULL); /* freed since */
    } else {
        struct zpath permits = zpath_permits(create->root, create->current.rollout,
                                             create->occupancy.lease);
        _cleanup_(freep) char *path =
            mem_printf("%s/%s", permits.text, reply->children[0]);
        STR_COPY(create->occupied, create->occupancy.lease);
        create->request = zk_get(create->zk, path, NULL, on_occupant, create);
    }
}

static void on_occupancy(void *ctx, const struct zk_reply *failed)
{
    struct rollout_create *create = ctx;
    struct zpath permits =
        zpath_permits(create->root, create->current.rollout, create->occupancy.lease);
    if (failed)
        retry_or_fail(create, "permits", failed);
    else if (create->occupancy.count == 0)
        flow_next(&create->flow);
    else
        create->request =
            zk_children(create->zk, permits.text, NULL, on_permits, create);
}

/* Ends with `occupied` naming a lease, or "" when every permit is free. */
static enum flow_verdict look_at_permits(struct flow *flow, void *ctx,
                                         struct error *err)
{
    struct rollout_create *create = ctx;
    create->occupied[0] = '\0';
    if (!create->has_incumbent)
        return FLOW_NEXT;
    occupancy_look(&create->occupancy, create->zk, create->root,
                   create->current.rollout, &create->incumbent, on_occupancy, create);
    return FLOW_WAIT;
}

static enum flow_verdict refuse_occupied(struct flow *flow, void *ctx,
                                         struct error *err)
{
    struct rollout_create *create = ctx;
    if (!create->occupied[0])
        return FLOW_NEXT;
    (void)say_in_force(create, err);
    return FLOW_FAIL;
}

static struct zk_request *issue_chunk(void *ctx, int index, zk_done_f done,
                                      void *done_ctx)
{
    struct rollout_create *create = ctx;
    const int *chunk = &create->layout.chunks[create->first_chunk + index];
    return zk_multi(create->zk, create->layout.ops + chunk[0], chunk[1] - chunk[0],
                    done, done_ctx);
}

static int on_chunk(void *ctx, int index, bool repeated, const struct zk_reply *reply,
                    struct error *err)
{
    struct rollout_create *create = ctx;
    const int *chunk = &create->layout.chunks[create->first_chunk + index];
    bool there = repeated && txn_guilty(reply, 0, ZK_NODE_EXISTS);
    if (reply->result != ZK_OK && !there) {
        int op = reply->failed_op >= 0 ? reply->failed_op : 0;
        return zk_error(reply->result, create->layout.ops[chunk[0] + op].path, err);
    }
    create->written += chunk[1] - chunk[0];
    if (create->progress)
        create->progress(create->progress_ctx, create->written,
                         create->layout.ops_count);
    return 0;
}

static void on_written(void *ctx, int result, const struct error *err)
{
    struct rollout_create *create = ctx;
    if (result < 0)
        flow_fail(&create->flow, err);
    else
        flow_next(&create->flow);
}

static void write_chunks(struct rollout_create *create, int first, int count,
                         int window)
{
    create->first_chunk = first;
    const struct batch_work work = {.count = count,
                                    .window = window,
                                    .issue = issue_chunk,
                                    .reply = on_chunk,
                                    .done = on_written,
                                    .ctx = create};
    batch_start(&create->batch, create->zk, create->loop, &work);
}

static enum flow_verdict write_structure(struct flow *flow, void *ctx,
                                         struct error *err)
{
    struct rollout_create *create = ctx;
    int rc =
        rollout_layout_make(create->root, &create->documents, &create->layout, err);
    if (rc < 0)
        return FLOW_FAIL;
    write_chunks(create, 0, create->layout.structure_chunks, 1);
    return FLOW_WAIT;
}

static enum flow_verdict write_records(struct flow *flow, void *ctx, struct error *err)
{
    struct rollout_create *create = ctx;
    int first = create->layout.structure_chunks;
    write_chunks(create, first, create->layout.chunks_count - first, RECORDS_WINDOW);
    return FLOW_WAIT;
}

static void say_superseded(const struct rollout_create *create, char *dst, size_t size)
{
    (void)snprintf(dst, size, "superseded by rollout %s",
                   create->documents.manifest->id);
}

/* It keeps nothing any more, by our own doing: only the reply was lost. */
static bool stopped_by_us(const struct rollout_create *create)
{
    char reason[REASON_SIZE];

    say_superseded(create, reason, sizeof(reason));
    return create->has_incumbent && create->incumbent.phase == GATE_ABORT &&
           str_equal(create->incumbent.reason, reason);
}

/* The incumbent's gate with another phase; its other fields stay. */
static char *incumbent_in_phase(const struct rollout_create *create,
                                enum gate_phase phase)
{
    struct gate gate = create->incumbent;
    gate.phase = phase;
    gate.at_ms = loop_wall_ms(create->loop);
    STR_COPY(gate.by, create->documents.manifest->by);
    if (phase == GATE_KEEP)
        gate.reason[0] = '\0';
    else
        say_superseded(create, gate.reason, sizeof(gate.reason));
    return gate_encode(&gate);
}

static void on_stopped(void *ctx, const struct zk_reply *reply)
{
    struct rollout_create *create = ctx;
    create->request = NULL;
    if (reply->result == ZK_OK) {
        create->incumbent_version = reply->stat.version;
        create->incumbent.phase = GATE_ABORT;
        create->was_keep = true;
        flow_next(&create->flow);
    } else if (reply->result == ZK_BAD_VERSION || away(reply)) {
        create->look_again = true;
        flow_again(&create->flow, away(reply) ? RETRY_MS : 0, NULL);
    } else {
        retry_or_fail(create, incumbent_gate(create).text, reply);
    }
}

static void on_gate_again(void *ctx, const struct zk_reply *reply)
{
    struct rollout_create *create = ctx;
    if (!read_gate(create, reply))
        return;
    create->look_again = false;
    create->was_keep = create->was_keep || stopped_by_us(create);
    flow_again(&create->flow, 0, NULL);
}

static enum flow_verdict stop_grants(struct flow *flow, void *ctx, struct error *err)
{
    struct rollout_create *create = ctx;
    struct zpath path = incumbent_gate(create);
    if (!create->has_incumbent)
        return FLOW_NEXT;
    if (create->look_again) {
        create->request = zk_get(create->zk, path.text, NULL, on_gate_again, create);
        return FLOW_WAIT;
    }
    if (create->incumbent.phase == GATE_ABORT)
        return FLOW_NEXT;
    if (create->incumbent.phase != GATE_KEEP) {
        (void)error_set(
            err, -EBUSY, "rollout %s came to phase %s while this one was being written",
            create->current.rollout, gate_phase_text(create->incumbent.phase));
        return FLOW_FAIL;
    }
    _cleanup_(freep) char *data = incumbent_in_phase(create, GATE_ABORT);
    create->request = zk_set(create->zk, path.text, data, strlen(data),
                             create->incumbent_version, on_stopped, create);
    return FLOW_WAIT;
}

static void on_given_back(void *ctx, const struct zk_reply *reply)
{
    struct rollout_create *create = ctx;
    create->request = NULL;
    fail_in_force(
        create); /* a gate that could not be set back ends as done: ignoring */
}

static enum flow_verdict give_grants_back(struct flow *flow, void *ctx,
                                          struct error *err)
{
    struct rollout_create *create = ctx;
    if (!create->occupied[0])
        return FLOW_NEXT;
    if (!create->was_keep)
        return refuse_occupied(flow, ctx, err);
    _cleanup_(freep) char *data = incumbent_in_phase(create, GATE_KEEP);
    create->request =
        zk_set(create->zk, incumbent_gate(create).text, data, strlen(data),
               create->incumbent_version, on_given_back, create);
    return FLOW_WAIT;
}

static void on_opened(void *ctx, const struct zk_reply *reply)
{
    struct rollout_create *create = ctx;
    create->request = NULL;
    if (reply->result == ZK_OK)
        flow_finish(&create->flow);
    else if (reply->result == ZK_BAD_VERSION || reply->result == ZK_NODE_EXISTS)
        flow_next(&create->flow);
    else
        retry_or_fail(create, "open the gate", reply);
}

static enum flow_verdict open_gate(struct flow *flow, void *ctx, struct error *err)
{
    struct rollout_create *create = ctx;
    const struct manifest *manifest = create->documents.manifest;
    struct current current = {.phase = create->documents.gate->phase};
    struct event event = {.at_ms = loop_wall_ms(create->loop)};
    STR_COPY(current.rollout, manifest->id);
    STR_COPY(event.who, manifest->by);
    STR_COPY(event.why, manifest->why);
    snprintf(event.what, sizeof(event.what), "%s%s%s: %d host%s in %d wave%s",
             rollout_kind_text(manifest->kind), manifest->of[0] ? " of " : "",
             manifest->of, manifest->hosts, manifest->hosts == 1 ? "" : "s",
             manifest->waves_count, manifest->waves_count == 1 ? "" : "s");

    struct zpath incumbent_path = incumbent_gate(create);
    struct zpath gate_path = zpath_gate(create->root, manifest->id);
    struct zpath current_path = zpath_current(create->root);
    struct zpath events = zpath_events(create->root, manifest->id);
    _cleanup_(freep) char *event_path = mem_printf("%s/e-", events.text);
    _cleanup_(freep) char *incumbent = incumbent_in_phase(create, GATE_DONE);
    _cleanup_(freep) char *gate = gate_encode(create->documents.gate);
    _cleanup_(freep) char *current_data = current_encode(&current);
    _cleanup_(freep) char *event_data = event_encode(&event);
    const struct zk_op ops[] = {
        op_set(incumbent_path.text, incumbent, create->incumbent_version),
        op_create(gate_path.text, gate, ZK_PERSISTENT),
        op_set(current_path.text, current_data, create->current_version),
        op_create(event_path, event_data, ZK_SEQUENTIAL),
    };
    int skip = create->has_incumbent ? 0 : 1;
    create->request = zk_multi(create->zk, ops + skip, 4 - skip, on_opened, create);
    return FLOW_WAIT;
}

static void on_winner(void *ctx, const struct zk_reply *reply)
{
    struct rollout_create *create = ctx;
    struct current current;
    struct error err = {0};
    create->request = NULL;
    if (reply->result != ZK_OK) {
        retry_or_fail(create, zpath_current(create->root).text, reply);
    } else if (current_decode(reply->data, reply->data_len, &current, &err) < 0) {
        fail_decode(create, zpath_current(create->root).text, &err);
    } else if (str_equal(current.rollout, create->documents.manifest->id)) {
        flow_next(&create->flow); /* ours: only the reply was lost */
    } else {
        (void)error_set(&err, -EBUSY,
                        "rollout %s changed, or came into force, while this one was "
                        "being written: see `clowder status`, then try again",
                        current.rollout);
        flow_fail(&create->flow, &err);
    }
}

static enum flow_verdict see_who_won(struct flow *flow, void *ctx, struct error *err)
{
    struct rollout_create *create = ctx;
    create->request =
        zk_get(create->zk, zpath_current(create->root).text, NULL, on_winner, create);
    return FLOW_WAIT;
}

static void drop(void *ctx)
{
    struct rollout_create *create = ctx;
    zk_cancel(create->zk, create->request);
    create->request = NULL;
    batch_cancel(&create->batch);
    occupancy_cancel(&create->occupancy);
}

static const struct flow_step create_steps[] = {
    {.name = "read the rollout in force", .run = read_current, .cancel = drop},
    {.name = "read its gate", .run = read_incumbent, .cancel = drop},
    {.name = "look at its permits", .run = look_at_permits, .cancel = drop},
    {.name = "refuse while one is occupied", .run = refuse_occupied},
    {.name = "write the structure",
     .run = write_structure,
     .cancel = drop,
     .timeout_ms = WRITE_TIMEOUT_MS},
    {.name = "write the records",
     .run = write_records,
     .cancel = drop,
     .timeout_ms = WRITE_TIMEOUT_MS},
    {.name = "stop the finished one's grants", .run = stop_grants, .cancel = drop},
    {.name = "look at its permits again", .run = look_at_permits, .cancel = drop},
    {.name = "give its grants back", .run = give_grants_back, .cancel = drop},
    {.name = "open the gate", .run = open_gate, .cancel = drop},
    {.name = "see who won", .run = see_who_won, .cancel = drop},
    {0},
};

static const struct flow_step check_steps[] = {
    {.name = "read the rollout in force", .run = read_current, .cancel = drop},
    {.name = "read its gate", .run = read_incumbent, .cancel = drop},
    {.name = "look at its permits", .run = look_at_permits, .cancel = drop},
    {.name = "refuse while one is occupied", .run = refuse_occupied},
    {0},
};

static void on_flow_done(void *ctx, int result, const struct error *err)
{
    struct rollout_create *create = ctx;
    batch_cancel(&create->batch);
    rollout_layout_done(&create->layout);
    create->done(create->done_ctx, result, err);
}

void rollout_create_start(struct rollout_create *create, struct zk *zk,
                          struct loop *loop, const char *root,
                          const struct rollout_documents *documents,
                          rollout_progress_f progress, void *progress_ctx,
                          flow_done_f done, void *done_ctx)
{
    *create = (struct rollout_create){
        .zk = zk,
        .loop = loop,
        .root = root,
        .documents = *documents,
        .progress = progress,
        .progress_ctx = progress_ctx,
        .done = done,
        .done_ctx = done_ctx,
    };
    flow_start(&create->flow, loop, create_steps, create, on_flow_done, create);
}

void rollout_check_start(struct rollout_create *create, struct zk *zk,
                         struct loop *loop, const char *root, flow_done_f done,
                         void *done_ctx)
{
    *create = (struct rollout_create){
        .zk = zk, .loop = loop, .root = root, .done = done, .done_ctx = done_ctx};
    flow_start(&create->flow, loop, check_steps, create, on_flow_done, create);
}

void rollout_create_cancel(struct rollout_create *create)
{
    flow_cancel(&create->flow);
    rollout_layout_done(&create->layout);
}
