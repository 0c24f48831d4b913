/* checker.c - the state of one rollout, from a history.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A transaction is applied whole to the state, noting what it touched; then the rules
 * look at what was touched. So a rule may be broken between two operations of one
 * multi, as it is on the server.
 */
#include "tests/support/checker_internal.h"

#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

void checker_fail(struct checker *c, const char *rule, const char *fmt, ...)
{
    va_list args;

    if (c->violated)
        return;
    c->violated = true;
    STR_COPY(c->violation.rule, rule);
    c->violation.zxid = c->zxid;
    va_start(args, fmt);
    vsnprintf(c->violation.text, sizeof(c->violation.text), fmt, args);
    va_end(args);
}

struct checker *checker_new(const struct checker_config *config)
{
    struct checker *c = NEW(struct checker);

    c->config = *config;
    STR_COPY(c->root, config->root ? config->root : "/clowder");
    STR_COPY(c->rollout, config->rollout ? config->rollout : "");
    return c;
}

static void host_free(struct host *host)
{
    while (host->acts) {
        struct act *act = host->acts;

        host->acts = act->next;
        free(act);
    }
    free(host);
}

static void names_free(struct strmap *names)
{
    STRMAP_EACH(names, e)
    free(e->value);
    strmap_done(names);
}

static void grants_free(struct checker *c)
{
    while (c->grants) {
        struct grant *grant = c->grants;

        c->grants = grant->next;
        free(grant);
    }
}

void checker_free(struct checker *c)
{
    if (!c)
        return;
    STRMAP_EACH(&c->hosts, e)
    host_free(e->value);
    STRMAP_EACH(&c->permits, e)
    {
        struct permit *permit = e->value;

        free(permit->path);
        free(permit);
    }
    STRMAP_EACH(&c->waves, e)
    {
        struct wave_members *wave = e->value;

        names_free(&wave->hosts);
        free(wave->key);
        free(wave);
    }
    STRMAP_EACH(&c->barriers, e)
    {
        struct barrier_state *barrier = e->value;

        names_free(&barrier->arrived);
        free(barrier->key);
        free(barrier);
    }
    names_free(&c->failed);
    names_free(&c->drifted);
    names_free(&c->leases);
    strmap_done(&c->hosts);
    strmap_done(&c->permits);
    strmap_done(&c->waves);
    strmap_done(&c->barriers);
    grants_free(c);
    manifest_free(c->manifest);
    free(c);
}

struct host *checker_host(struct checker *c, const char *name)
{
    struct host *host = strmap_get(&c->hosts, name);

    if (!host) {
        host = NEW(struct host);
        STR_COPY(host->name, name);
        strmap_add(&c->hosts, host->name, host);
    }
    return host;
}

void checker_touch(struct checker *c, struct host *host)
{
    if (host->touched)
        return;
    host->touched = true;
    host->had_record = host->has_record;
    host->before = host->record;
    host->freed_token = 0;
    host->next_touched = c->touched;
    c->touched = host;
}

const struct permit *checker_permit(const struct host *host)
{
    for (const struct permit *p = host->permits; p; p = p->next_of_host) {
        if (!lease_zone(p->lease->name))
            return p;
    }
    return NULL;
}

/* --- one kind of znode each; op->kind is create, set or delete */

static void see_gate(struct checker *c, const struct history_op *op)
{
    struct error err;

    c->counts_touched = true;
    c->counts.gate_changes++;
    c->has_gate = op->kind != ZK_OP_DELETE;
    if (!c->has_gate)
        return;
    c->gate_version = op->version;
    if (gate_decode(op->data ? op->data : "", op->data_len, &c->gate, &err) < 0)
        checker_fail(c, "form", "znode '%s': %s", op->path, err.text);
}

static void see_manifest(struct checker *c, const struct history_op *op)
{
    struct error err;

    manifest_free(c->manifest);
    c->manifest = NULL;
    if (op->kind != ZK_OP_DELETE && op->data &&
        manifest_decode(op->data, op->data_len, &c->manifest, &err) < 0)
        checker_fail(c, "form", "znode '%s': %s", op->path, err.text);
}

static void see_record(struct checker *c, const struct history_op *op, const char *name)
{
    struct host *host = checker_host(c, name);
    struct error err;

    checker_touch(c, host);
    host->has_record = op->kind != ZK_OP_DELETE;
    if (!host->has_record) {
        record_init(&host->record, -1);
        return;
    }
    if (record_decode(op->data ? op->data : "", op->data_len, &host->record, &err) < 0)
        checker_fail(c, "form", "znode '%s': %s", op->path, err.text);
}

static void see_failed(struct checker *c, const struct history_op *op, const char *name)
{
    c->counts_touched = true;
    checker_touch(c, checker_host(c, name));
    if (op->kind == ZK_OP_CREATE && !strmap_get(&c->failed, name)) {
        char *copy = mem_strdup(name);

        strmap_add(&c->failed, copy, copy);
        c->counts.failures++;
    } else if (op->kind == ZK_OP_DELETE) {
        free(strmap_remove(&c->failed, name));
    }
}

static void see_drifted(struct checker *c, const struct history_op *op,
                        const char *name)
{
    checker_touch(c, checker_host(c, name));
    if (op->kind == ZK_OP_CREATE && !strmap_get(&c->drifted, name)) {
        char *copy = mem_strdup(name);

        strmap_add(&c->drifted, copy, copy);
        c->counts.drifts++;
    } else if (op->kind == ZK_OP_DELETE) {
        free(strmap_remove(&c->drifted, name));
    }
}

static void permit_remove(struct checker *c, struct permit *permit)
{
    struct permit **at = &permit->host->permits;

    checker_touch(c, permit->host);
    if (!lease_zone(permit->lease->name))
        permit->host->freed_token = permit->zxid;
    while (*at != permit)
        at = &(*at)->next_of_host;
    *at = permit->next_of_host;
    permit->lease->occupied--;
    c->occupied--;
    c->counts.releases++;
    for (struct grant *g = c->grants; g; g = g->next) {
        if (g->permit == permit)
            g->permit = NULL;
    }
    (void)strmap_remove(&c->permits, permit->path);
    free(permit->path);
    free(permit);
}

static void permit_add(struct checker *c, const struct history_op *op,
                       const char *lease, int index)
{
    struct permit *permit = NEW(struct permit);
    struct grant *grant = NEW(struct grant);
    char name[HOST_ID_SIZE];

    snprintf(name, sizeof(name), "%.*s", (int)op->data_len, op->data ? op->data : "");
    permit->path = mem_strdup(op->path);
    permit->index = index;
    permit->zxid = c->zxid;
    permit->host = checker_host(c, name);
    permit->lease = strmap_get(&c->leases, lease);
    if (!permit->lease) {
        permit->lease = NEW(struct lease);
        STR_COPY(permit->lease->name, lease);
        strmap_add(&c->leases, permit->lease->name, permit->lease);
    }
    checker_touch(c, permit->host);
    permit->next_of_host = permit->host->permits;
    permit->host->permits = permit;
    strmap_add(&c->permits, permit->path, permit);
    permit->lease->occupied++;
    c->counts.grants++;
    if (++c->occupied > c->counts.occupied_max)
        c->counts.occupied_max = c->occupied;
    *grant = (struct grant){.permit = permit, .next = c->grants};
    c->grants = grant;
}

static void see_permit(struct checker *c, const struct history_op *op,
                       const char *lease, const char *leaf)
{
    struct permit *permit = strmap_get(&c->permits, op->path);
    int64_t index;

    if (str_to_int64(leaf, 0, INT_MAX, &index) < 0) {
        checker_fail(c, "form", "znode '%s': no permit is called so", op->path);
        return;
    }
    if (permit)
        permit_remove(c, permit);
    if (op->kind != ZK_OP_DELETE)
        permit_add(c, op, lease, (int)index);
}

static void see_permit_owner(struct checker *c, const struct history_op *op,
                             const char *leaf)
{
    char path[512];

    snprintf(path, sizeof(path), "%.*s", (int)(strlen(op->path) - strlen(leaf) - 1),
             op->path);
    struct permit *permit = strmap_get(&c->permits, path);
    if (!permit)
        return;
    STR_COPY(permit->owner, op->kind == ZK_OP_DELETE ? "" : leaf);
    checker_touch(c, permit->host);
}

static void see_wave(struct checker *c, const struct history_op *op, const char *leaf)
{
    struct wave_members *wave = strmap_get(&c->waves, leaf);
    json_t *json = json_loadb(op->data ? op->data : "", op->data_len, 0, NULL);
    json_t *hosts = json_object_get(json, "hosts"), *item;
    size_t i;

    if (op->kind == ZK_OP_DELETE) {
        json_decref(json);
        return;
    }
    if (!wave) {
        wave = NEW(struct wave_members);
        wave->key = mem_strdup(leaf);
        strmap_add(&c->waves, wave->key, wave);
    }
    if (!json_is_array(hosts))
        checker_fail(c, "form", "znode '%s' has no list of hosts", op->path);
    names_free(&wave->hosts);
    json_array_foreach (hosts, i, item) {
        char *name = mem_strdup(json_string_value(item));

        if (name)
            strmap_add(&wave->hosts, name, name);
    }
    json_decref(json);
}

static struct barrier_state *barrier_get(struct checker *c, const char *key)
{
    struct barrier_state *barrier = strmap_get(&c->barriers, key);

    if (!barrier) {
        barrier = NEW(struct barrier_state);
        barrier->key = mem_strdup(key);
        strmap_add(&c->barriers, barrier->key, barrier);
    }
    return barrier;
}

static void see_arrival(struct checker *c, const struct history_op *op, const char *key,
                        const char *host)
{
    struct barrier_state *barrier = barrier_get(c, key);

    if (op->kind == ZK_OP_DELETE) {
        rules_arrival_gone(c, barrier, host);
        free(strmap_remove(&barrier->arrived, host));
    } else if (!strmap_get(&barrier->arrived, host)) {
        char *copy = mem_strdup(host);

        strmap_add(&barrier->arrived, copy, copy);
    }
}

static void see_open(struct checker *c, const struct history_op *op, const char *key)
{
    struct barrier_state *barrier = barrier_get(c, key);

    barrier->open = op->kind != ZK_OP_DELETE;
    if (op->kind == ZK_OP_CREATE) {
        c->opened = barrier;
        c->counts.opens++;
    }
}

/* --- paths */

enum { PARTS_MAX = 6 };

static int split(char *text, const char *parts[PARTS_MAX])
{
    int count = 0;
    char *rest;

    for (char *part = strtok_r(text, "/", &rest); part && count < PARTS_MAX;
         part = strtok_r(NULL, "/", &rest))
        parts[count++] = part;
    return count;
}

static void see_below(struct checker *c, const struct history_op *op)
{
    char text[512];
    const char *p[PARTS_MAX] = {0};

    STR_COPY(text, op->path + c->prefix_len);
    int count = split(text, p);
    if (count == 1 && str_equal(p[0], "gate"))
        see_gate(c, op);
    else if (count == 1 && str_equal(p[0], "spec"))
        see_manifest(c, op);
    else if (count == 2 && str_equal(p[0], "hosts"))
        see_record(c, op, p[1]);
    else if (count == 2 && str_equal(p[0], "failed"))
        see_failed(c, op, p[1]);
    else if (count == 2 && str_equal(p[0], "drifted"))
        see_drifted(c, op, p[1]);
    else if (count == 2 && str_equal(p[0], "waves"))
        see_wave(c, op, p[1]);
    else if (count == 4 && str_equal(p[0], "leases") && str_equal(p[2], "permits"))
        see_permit(c, op, p[1], p[3]);
    else if (count == 5 && str_equal(p[0], "leases") && str_equal(p[2], "permits"))
        see_permit_owner(c, op, p[4]);
    else if (count == 4 && str_equal(p[0], "barriers") && str_equal(p[2], "arrived"))
        see_arrival(c, op, p[1], p[3]);
    else if (count == 3 && str_equal(p[0], "barriers") && str_equal(p[2], "open"))
        see_open(c, op, p[1]);
}

/* "<root>/rollouts/<id>/..." -> id; "" where it is none. */
static void rollout_of(const struct checker *c, const char *path,
                       char ret[ROLLOUT_ID_SIZE])
{
    char prefix[sizeof(c->root) + 16];
    size_t len;

    snprintf(prefix, sizeof(prefix), "%s/rollouts/", c->root);
    ret[0] = '\0';
    if (!str_starts(path, prefix))
        return;
    path += strlen(prefix);
    len = strcspn(path, "/");
    if (path[len] == '/' && len < ROLLOUT_ID_SIZE)
        snprintf(ret, ROLLOUT_ID_SIZE, "%.*s", (int)len, path);
}

static void see_op(struct checker *c, const struct history_op *op)
{
    char rollout[ROLLOUT_ID_SIZE];

    rollout_of(c, op->path, rollout);
    if (!rollout[0] || (c->rollout[0] && !str_equal(rollout, c->rollout)))
        return;
    if (!c->rollout[0])
        STR_COPY(c->rollout, rollout);
    if (!c->prefix_len)
        c->prefix_len = (size_t)snprintf(c->prefix, sizeof(c->prefix),
                                         "%s/rollouts/%s/", c->root, c->rollout);
    if (op->kind != ZK_OP_CHECK)
        see_below(c, op);
    else if (str_equal(op->path + c->prefix_len, "gate"))
        c->gate_checked = true;
}

static void see_txn(struct checker *c, const struct history_entry *entry)
{
    if (entry->zxid <= c->last_zxid)
        checker_fail(c, "form", "transaction 0x%" PRIx64 " stands behind 0x%" PRIx64,
                     entry->zxid, c->last_zxid);
    c->last_zxid = entry->zxid;
    c->counts.txns++;
    c->had_gate = c->has_gate;
    c->gate_before = c->gate;
    c->gate_checked = c->counts_touched = false;
    c->opened = NULL;
    for (int i = 0; i < entry->ops_count; i++)
        see_op(c, &entry->ops[i]);
    if (!c->violated)
        rules_txn(c);
    while (c->touched) {
        struct host *host = c->touched;

        host->touched = false;
        c->touched = host->next_touched;
        c->counts.hosts += host->has_record - host->had_record;
        c->counts.ended += (host->has_record && record_terminal(&host->record)) -
                           (host->had_record && record_terminal(&host->before));
    }
    grants_free(c);
}

void checker_feed(void *checker, const struct history_entry *entry)
{
    struct checker *c = checker;

    if (c->violated)
        return;
    if (entry->kind == HISTORY_TXN) {
        c->zxid = entry->zxid;
        see_txn(c, entry);
    } else {
        rules_act(c, entry);
    }
}

void checker_finish(struct checker *c, bool complete)
{
    c->zxid = 0;
    if (complete && !c->violated)
        rules_end(c);
}

const struct violation *checker_violation(const struct checker *c)
{
    return c->violated ? &c->violation : NULL;
}

struct checker_counts checker_counts(const struct checker *c)
{
    return c->counts;
}

const struct record *checker_record(const struct checker *c, const char *name)
{
    const struct host *host = strmap_get(&c->hosts, name);

    return host && host->has_record ? &host->record : NULL;
}

static uint64_t add_to(uint64_t state, uint64_t value)
{
    return (state ^ value) * 0x100000001b3u;
}

uint64_t checker_state(const struct checker *c)
{
    uint64_t state = add_to(0xcbf29ce484222325u, c->has_gate ? c->gate.phase + 1 : 0);

    state = add_to(state, (uint64_t)c->gate.failed);
    for (int i = 0; i < c->gate.limits_count; i++)
        state = add_to(state, (uint64_t)c->gate.limits[i].permits);
    STRMAP_EACH(&c->leases, e)
    {
        const struct lease *lease = e->value;

        state = add_to(state, strmap_hash(e->key) + (uint64_t)lease->occupied);
    }
    return add_to(state, (uint64_t)c->counts.opens);
}

const char *checker_rollout(const struct checker *c)
{
    return c->rollout;
}
