/* history.c - what a ZooKeeper committed, and what agents say they did.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/history.h"

#include "shared/base/cleanup.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 64 * 1024 };

struct chunk {
    struct chunk *next;
    size_t used, size;
    _Alignas(max_align_t) char bytes[];
};

struct history {
    bool keep;
    history_f fn;
    void *ctx;
    struct chunk *chunks;
    struct history_entry **entries;
    int count, size;
    struct history_entry *open; /* between begin and end */
    int ops_size;
};

static void *take(struct history *h, size_t len)
{
    size_t rounded = (len + 15) & ~(size_t)15;

    if (!h->chunks || h->chunks->size - h->chunks->used < rounded) {
        size_t size = rounded > CHUNK_BYTES ? rounded : CHUNK_BYTES;
        struct chunk *chunk = mem_resize(NULL, 1, sizeof(*chunk) + size);

        *chunk = (struct chunk){.next = h->chunks, .size = size};
        h->chunks = chunk;
    }
    void *bytes = h->chunks->bytes + h->chunks->used;
    h->chunks->used += rounded;
    return bytes;
}

static const char *copy_bytes(struct history *h, const char *bytes, size_t len)
{
    if (!bytes)
        return NULL;
    char *copy = take(h, len + 1);
    memcpy(copy, bytes, len);
    copy[len] = '\0';
    return copy;
}

static const char *copy_text(struct history *h, const char *text)
{
    return text ? copy_bytes(h, text, strlen(text)) : "";
}

struct history *history_new(bool keep)
{
    struct history *h = NEW(struct history);

    h->keep = keep;
    return h;
}

static void free_chunks(struct chunk *chunk)
{
    while (chunk) {
        struct chunk *next = chunk->next;

        free(chunk);
        chunk = next;
    }
}

void history_free(struct history *h)
{
    if (!h)
        return;
    free_chunks(h->chunks);
    free(h->entries);
    free(h);
}

void history_listen(struct history *h, history_f fn, void *ctx)
{
    h->fn = fn;
    h->ctx = ctx;
}

static void add_entry(struct history *h, struct history_entry *entry)
{
    if (h->keep) {
        if (h->count == h->size) {
            h->size = h->size ? h->size * 2 : 64;
            h->entries = mem_resize(h->entries, (size_t)h->size, sizeof(*h->entries));
        }
        h->entries[h->count++] = entry;
    }
    if (h->fn)
        h->fn(h->ctx, entry);
    if (!h->keep && h->chunks) { /* the newest chunk serves again */
        free_chunks(h->chunks->next);
        h->chunks->next = NULL;
        h->chunks->used = 0;
    }
}

void history_begin(struct history *h, int64_t zxid, int64_t session, int64_t time_ms,
                   bool close)
{
    assert(!h->open);
    h->open = take(h, sizeof(*h->open));
    *h->open = (struct history_entry){
        .kind = HISTORY_TXN,
        .zxid = zxid,
        .session = session,
        .time_ms = time_ms,
        .close = close,
    };
    h->ops_size = 0;
}

void history_op(struct history *h, const struct history_op *op)
{
    struct history_entry *entry = h->open;

    if (entry->ops_count == h->ops_size) {
        struct history_op *old = entry->ops;

        h->ops_size = h->ops_size ? h->ops_size * 2 : 6;
        entry->ops = take(h, (size_t)h->ops_size * sizeof(*op));
        if (old)
            memcpy(entry->ops, old, (size_t)entry->ops_count * sizeof(*op));
    }
    struct history_op *copy = &entry->ops[entry->ops_count++];
    *copy = *op;
    copy->path = copy_text(h, op->path);
    copy->data = copy_bytes(h, op->data, op->data_len);
    copy->before = copy_bytes(h, op->before, op->before_len);
}

void history_end(struct history *h)
{
    struct history_entry *entry = h->open;

    h->open = NULL;
    add_entry(h, entry);
}

void history_act(struct history *h, const struct history_entry *act)
{
    struct history_entry *copy = take(h, sizeof(*copy));

    assert(!h->open && act->kind != HISTORY_TXN);
    *copy = *act;
    copy->host = copy_text(h, act->host);
    copy->lease = copy_text(h, act->lease);
    copy->step = copy_text(h, act->step);
    add_entry(h, copy);
}

int history_count(const struct history *h)
{
    return h->count;
}

const struct history_entry *history_at(const struct history *h, int index)
{
    return h->entries[index];
}

/* --- order */

struct place {
    struct history_entry *entry;
    int64_t zxid;
    int after; /* an act stands behind its transaction */
    int was;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->zxid != y->zxid)
        return x->zxid < y->zxid ? -1 : 1;
    if (x->after != y->after)
        return x->after - y->after;
    return x->was - y->was;
}

void history_sort(struct history *h)
{
    _cleanup_(freep) struct place *places =
        mem_array((size_t)h->count, sizeof(struct place));
    int64_t last = 0;

    for (int i = 0; i < h->count; i++) {
        struct history_entry *entry = h->entries[i];
        bool txn = entry->kind == HISTORY_TXN;

        if (txn)
            last = entry->zxid;
        places[i] = (struct place){
            .entry = entry,
            .zxid = txn || !entry->at_zxid ? last : entry->at_zxid,
            .after = !txn,
            .was = i,
        };
    }
    qsort(places, (size_t)h->count, sizeof(struct place), compare_places);
    for (int i = 0; i < h->count; i++)
        h->entries[i] = places[i].entry;
}

/* --- JSON lines */

static const char *const op_names[] = {
    [ZK_OP_CREATE] = "create",
    [ZK_OP_SET] = "set",
    [ZK_OP_DELETE] = "delete",
    [ZK_OP_CHECK] = "check",
};

static void put_bytes(json_t *object, const char *key, const char *bytes, size_t len)
{
    json_t *text = bytes ? json_stringn(bytes, len) : NULL;

    if (!bytes)
        return;
    if (text) {
        json_object_set_new(object, key, text);
        return;
    }
    struct strbuf hex = {0};
    _cleanup_(freep) char *hex_key = mem_printf("%s_hex", key);
    for (size_t i = 0; i < len; i++)
        strbuf_addf(&hex, "%02x", (unsigned char)bytes[i]);
    json_object_set_new(object, hex_key, json_string(hex.text));
    strbuf_done(&hex);
}

static json_t *op_to_json(const struct history_op *op)
{
    json_t *json = json_pack("{s:s,s:s,s:i}", "op", op_names[op->kind], "path",
                             op->path, "version", (int)op->version);

    put_bytes(json, "data", op->data, op->data_len);
    put_bytes(json, "before", op->before, op->before_len);
    if (op->ephemeral)
        json_object_set_new(json, "ephemeral", json_true());
    return json;
}

static json_t *entry_to_json(const struct history_entry *e)
{
    if (e->kind != HISTORY_TXN)
        return json_pack("{s:s,s:s,s:s,s:s,s:I,s:i,s:I}", "act",
                         e->kind == HISTORY_ACT_BEGIN ? "begin" : "end", "host",
                         e->host, "lease", e->lease, "step", e->step, "token",
                         (json_int_t)e->token, "attempt", e->attempt, "at_zxid",
                         (json_int_t)e->at_zxid);
    json_t *ops = json_array();
    json_t *json = json_pack("{s:I,s:I,s:I,s:o}", "zxid", (json_int_t)e->zxid,
                             "session", (json_int_t)e->session, "time_ms",
                             (json_int_t)e->time_ms, "ops", ops);
    for (int i = 0; i < e->ops_count; i++)
        json_array_append_new(ops, op_to_json(&e->ops[i]));
    if (e->close)
        json_object_set_new(json, "close", json_true());
    return json;
}

int history_write(const struct history *h, FILE *file, struct error *err)
{
    for (int i = 0; i < h->count; i++) {
        json_t *json = entry_to_json(h->entries[i]);
        int rc = json_dumpf(json, file, JSON_COMPACT);

        json_decref(json);
        if (rc < 0 || fputc('\n', file) == EOF)
            return error_set(err, -EIO, "history: cannot write entry %d", i);
    }
    if (fflush(file) == EOF)
        return error_set(err, -errno, "history: cannot write: %s", strerror(errno));
    return 0;
}

static int read_op(struct history *h, const json_t *json, struct error *err)
{
    const char *name = NULL, *path = NULL, *data = NULL, *before = NULL;
    size_t data_len = 0, before_len = 0;
    int version = 0, ephemeral = 0;

    if (json_unpack((json_t *)json, "{s:s,s:s,s?i,s?s%,s?s%,s?b}", "op", &name, "path",
                    &path, "version", &version, "data", &data, &data_len, "before",
                    &before, &before_len, "ephemeral", &ephemeral) < 0)
        return error_set(err, -EINVAL, "an operation is not of the history's form");
    for (int kind = ZK_OP_CREATE; kind <= ZK_OP_CHECK; kind++) {
        if (strcmp(op_names[kind], name) != 0)
            continue;
        history_op(h, &(struct history_op){
                          .kind = kind,
                          .path = path,
                          .data = data,
                          .data_len = data_len,
                          .before = before,
                          .before_len = before_len,
                          .version = version,
                          .ephemeral = ephemeral != 0,
                      });
        return 0;
    }
    return error_set(err, -EINVAL, "no operation is called \"%s\"", name);
}

static int read_txn(struct history *h, const json_t *json, struct error *err)
{
    json_int_t zxid = 0, session = 0, time_ms = 0;
    json_t *ops = NULL, *op;
    int closes = 0, rc = 0;
    size_t i;

    if (json_unpack((json_t *)json, "{s:I,s?I,s?I,s?b,s:o}", "zxid", &zxid, "session",
                    &session, "time_ms", &time_ms, "close", &closes, "ops", &ops) < 0 ||
        !json_is_array(ops))
        return error_set(err, -EINVAL, "neither a transaction nor an act");
    history_begin(h, zxid, session, time_ms, closes != 0);
    json_array_foreach (ops, i, op) {
        rc = read_op(h, op, err);
        if (rc < 0)
            break;
    }
    if (rc < 0)
        h->open = NULL;
    else
        history_end(h);
    return rc;
}

static int read_act(struct history *h, const json_t *json, const char *act,
                    struct error *err)
{
    json_int_t token = 0, at_zxid = 0;
    struct history_entry e = {.lease = ""};

    if (json_unpack((json_t *)json, "{s:s,s?s,s:s,s?I,s?i,s?I}", "host", &e.host,
                    "lease", &e.lease, "step", &e.step, "token", &token, "attempt",
                    &e.attempt, "at_zxid", &at_zxid) < 0)
        return error_set(err, -EINVAL, "an act lacks its host or step");
    if (strcmp(act, "begin") != 0 && strcmp(act, "end") != 0)
        return error_set(err, -EINVAL, "an act is \"begin\" or \"end\", not \"%s\"",
                         act);
    e.kind = act[0] == 'b' ? HISTORY_ACT_BEGIN : HISTORY_ACT_END;
    e.token = token;
    e.at_zxid = at_zxid;
    history_act(h, &e);
    return 0;
}

int history_read(struct history *h, FILE *file, struct error *err)
{
    _cleanup_(freep) char *line = NULL;
    size_t size = 0;
    ssize_t len;

    for (int number = 1; (len = getline(&line, &size, file)) >= 0; number++) {
        json_error_t why;
        json_t *json;
        int rc;

        if (line[strspn(line, " \t\r\n")] == '\0')
            continue;
        json = json_loadb(line, (size_t)len, JSON_ALLOW_NUL, &why);
        if (!json)
            return error_set(err, -EINVAL, "line %d: %s", number, why.text);
        const char *act = json_string_value(json_object_get(json, "act"));
        rc = act ? read_act(h, json, act, err) : read_txn(h, json, err);
        json_decref(json);
        if (rc < 0)
            return error_context(err, rc, "line %d", number);
    }
    if (ferror(file))
        return error_set(err, -EIO, "history: cannot read");
    return 0;
}
