/* txnlog.c - the transaction log of a real ZooKeeper server as a history.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/txnlog.h"

#include "shared/base/cleanup.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "tests/support/strmap.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    TXN_ERROR = -1,
    TXN_CREATE_SESSION = -10,
    TXN_CLOSE_SESSION = -11,
    TXN_CREATE = 1,
    TXN_DELETE = 2,
    TXN_SET = 5,
    TXN_SET_ACL = 7,
    TXN_CHECK = 13,
    TXN_MULTI = 14,
    TXN_CREATE2 = 15,
    TXN_RECONFIG = 16,
    TXN_CREATE_CONTAINER = 19,
    TXN_DELETE_CONTAINER = 20,
    TXN_CREATE_TTL = 21,
};
enum { FILE_HEADER_BYTES = 16, FILE_BYTES_MAX = 1 << 30, RECORD_END = 'B' };

struct ephemeral {
    char *path;
    int64_t session;
};

struct reader {
    struct history *history;
    const char *root;
    struct strmap ephemerals; /* path -> struct ephemeral */
    struct history_op *ops;   /* of the transaction being read */
    char **texts;             /* what ops point into */
    int ops_count, ops_size, texts_count, texts_size;
};

/* --- jute */

struct jute {
    const unsigned char *at, *end;
    bool bad; /* ran over the end */
};

static uint64_t jute_number(struct jute *j, int bytes)
{
    uint64_t value = 0;

    if (j->end - j->at < bytes) {
        j->bad = true;
        return 0;
    }
    for (int i = 0; i < bytes; i++)
        value = value << 8 | *j->at++;
    return value;
}

static int32_t jute_int(struct jute *j)
{
    return (int32_t)jute_number(j, 4);
}

static int64_t jute_long(struct jute *j)
{
    return (int64_t)jute_number(j, 8);
}

/* A buffer or a string; a null one (-1) is empty. */
static struct jute jute_bytes(struct jute *j)
{
    int32_t len = jute_int(j);
    struct jute bytes = {.at = j->at, .end = j->at};

    if (len < -1 || len > j->end - j->at)
        j->bad = true;
    else if (len > 0)
        bytes.end = j->at += len;
    return bytes;
}

/* --- operations */

static char *keep(struct reader *r, struct jute bytes)
{
    if (r->texts_count == r->texts_size) {
        r->texts_size = r->texts_size ? r->texts_size * 2 : 16;
        r->texts = mem_resize(r->texts, (size_t)r->texts_size, sizeof(char *));
    }
    size_t len = (size_t)(bytes.end - bytes.at);
    char *copy = mem_new(len + 1);
    memcpy(copy, bytes.at, len);
    r->texts[r->texts_count++] = copy;
    return copy;
}

static struct history_op *add_op(struct reader *r, enum zk_op_kind kind,
                                 struct jute path)
{
    if (r->ops_count == r->ops_size) {
        r->ops_size = r->ops_size ? r->ops_size * 2 : 16;
        r->ops = mem_resize(r->ops, (size_t)r->ops_size, sizeof(*r->ops));
    }
    struct history_op *op = &r->ops[r->ops_count++];
    *op = (struct history_op){.kind = kind, .path = keep(r, path), .version = -1};
    return op;
}

static void add_data(struct reader *r, struct history_op *op, struct jute data)
{
    op->data = keep(r, data);
    op->data_len = (size_t)(data.end - data.at);
}

static void skip_acls(struct jute *j)
{
    int32_t count = jute_int(j);

    for (int32_t i = 0; i < count && !j->bad; i++) {
        (void)jute_int(j);
        (void)jute_bytes(j);
        (void)jute_bytes(j);
    }
}

static void remember(struct reader *r, const char *path, int64_t session)
{
    struct ephemeral *e = NEW(struct ephemeral);

    *e = (struct ephemeral){.path = mem_strdup(path), .session = session};
    strmap_add(&r->ephemerals, e->path, e);
}

static void forget(struct reader *r, const char *path)
{
    struct ephemeral *e = strmap_remove(&r->ephemerals, path);

    if (e)
        free(e->path);
    free(e);
}

static void read_create(struct reader *r, struct jute *j)
{
    struct history_op *op = add_op(r, ZK_OP_CREATE, jute_bytes(j));

    add_data(r, op, jute_bytes(j));
    op->version = 0;
    skip_acls(j);
    op->ephemeral = jute_number(j, 1) != 0;
}

static void read_delete(struct reader *r, struct jute *j)
{
    (void)add_op(r, ZK_OP_DELETE, jute_bytes(j));
}

static void read_set(struct reader *r, struct jute *j)
{
    struct history_op *op = add_op(r, ZK_OP_SET, jute_bytes(j));

    add_data(r, op, jute_bytes(j));
    op->version = jute_int(j);
}

static void read_check(struct reader *r, struct jute *j)
{
    struct history_op *op = add_op(r, ZK_OP_CHECK, jute_bytes(j));

    op->version = jute_int(j) - 1; /* the server logs the next one */
}

static void read_close(struct reader *r, int64_t session)
{
    STRMAP_EACH(&r->ephemerals, entry)
    {
        struct ephemeral *e = entry->value;
        struct jute path = {.at = (const unsigned char *)e->path};

        if (e->session != session)
            continue;
        path.end = path.at + strlen(e->path);
        (void)add_op(r, ZK_OP_DELETE, path);
    }
}

static bool read_txn(struct reader *r, int32_t type, struct jute *j, int64_t session);

/* Of a multi that failed the parts before the guilty one stand in the log as if they
 * had happened. */
static bool read_multi(struct reader *r, struct jute *j, int64_t session)
{
    int32_t count = jute_int(j);
    bool happened = true;

    for (int32_t i = 0; i < count && !j->bad; i++) {
        int32_t type = jute_int(j);
        struct jute part = jute_bytes(j);

        if (type == TXN_ERROR)
            happened = false;
        else if (!read_txn(r, type, &part, session))
            j->bad = true;
        j->bad = j->bad || part.bad;
    }
    if (!happened)
        r->ops_count = 0;
    return true;
}

static bool read_txn(struct reader *r, int32_t type, struct jute *j, int64_t session)
{
    switch (type) {
    case TXN_CREATE:
    case TXN_CREATE2:
    case TXN_CREATE_CONTAINER:
    case TXN_CREATE_TTL:
        read_create(r, j);
        return true;
    case TXN_DELETE:
    case TXN_DELETE_CONTAINER:
        read_delete(r, j);
        return true;
    case TXN_SET:
    case TXN_RECONFIG:
        read_set(r, j);
        return true;
    case TXN_CHECK:
        read_check(r, j);
        return true;
    case TXN_MULTI:
        return read_multi(r, j, session);
    case TXN_CLOSE_SESSION:
        read_close(r, session);
        return true;
    case TXN_ERROR:
    case TXN_CREATE_SESSION:
    case TXN_SET_ACL:
        return true;
    default:
        return false;
    }
}

/* --- records and files */

static bool below_root(const struct reader *r, const char *path)
{
    size_t len = r->root ? strlen(r->root) : 0;

    return !len || (strncmp(path, r->root, len) == 0 &&
                    (path[len] == '/' || path[len] == '\0'));
}

/* Only what did happen. */
static void track_ephemerals(struct reader *r, int64_t session)
{
    for (int i = 0; i < r->ops_count; i++) {
        const struct history_op *op = &r->ops[i];

        if (op->kind == ZK_OP_DELETE)
            forget(r, op->path);
        else if (op->kind == ZK_OP_CREATE && op->ephemeral &&
                 !strmap_get(&r->ephemerals, op->path))
            remember(r, op->path, session);
    }
}

static void hand_over(struct reader *r, int64_t zxid, int64_t session, int64_t time_ms,
                      bool closes)
{
    bool begun = false;

    for (int i = 0; i < r->ops_count; i++) {
        if (!below_root(r, r->ops[i].path))
            continue;
        if (!begun)
            history_begin(r->history, zxid, session, time_ms, closes);
        begun = true;
        history_op(r->history, &r->ops[i]);
    }
    if (begun)
        history_end(r->history);
}

static void clear_ops(struct reader *r)
{
    for (int i = 0; i < r->texts_count; i++)
        free(r->texts[i]);
    r->texts_count = r->ops_count = 0;
}

static int read_record(struct reader *r, struct jute j, struct error *err)
{
    int64_t session = jute_long(&j);
    (void)jute_int(&j); /* cxid */
    int64_t zxid = jute_long(&j), time_ms = jute_long(&j);
    int32_t type = jute_int(&j);

    clear_ops(r);
    if (!j.bad && !read_txn(r, type, &j, session))
        return error_set(err, -EINVAL, "transaction 0x%" PRIx64 ": type %d is unknown",
                         zxid, type);
    if (j.bad)
        return error_set(err, -EINVAL,
                         "transaction 0x%" PRIx64 " of type %d is too short", zxid,
                         type);
    track_ephemerals(r, session);
    hand_over(r, zxid, session, time_ms, type == TXN_CLOSE_SESSION);
    return 0;
}

static uint32_t adler32(const unsigned char *bytes, size_t len)
{
    uint32_t a = 1, b = 0;

    for (size_t i = 0; i < len; i++) {
        a = (a + bytes[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

static int read_file(struct reader *r, const char *path, struct error *err)
{
    _cleanup_(freep) char *bytes = NULL;
    size_t size;
    int rc = fs_read(path, FILE_BYTES_MAX, &bytes, &size, err);
    const unsigned char *start = (const unsigned char *)bytes;

    if (rc < 0)
        return rc;
    if (size < FILE_HEADER_BYTES)
        return 0; /* just made */
    if (memcmp(bytes, "ZKLG", 4) != 0)
        return error_set(err, -EINVAL, "'%s' is no transaction log", path);
    struct jute j = {.at = start + FILE_HEADER_BYTES, .end = start + size};
    while (j.end - j.at > 12) {
        size_t offset = (size_t)(j.at - start);
        int64_t sum = jute_long(&j);
        struct jute record = jute_bytes(&j);
        size_t len = (size_t)(record.end - record.at);

        if (j.bad || len == 0 || j.at == j.end)
            break; /* not written yet */
        if (jute_number(&j, 1) != RECORD_END || adler32(record.at, len) != sum)
            return error_set(err, -EINVAL, "'%s' at %zu: the record is damaged", path,
                             offset);
        rc = read_record(r, record, err);
        if (rc < 0)
            return error_context(err, rc, "'%s' at %zu", path, offset);
    }
    return 0;
}

static int is_log(const struct dirent *entry)
{
    return str_starts(entry->d_name, "log.");
}

static int compare_logs(const struct dirent **a, const struct dirent **b)
{
    unsigned long long x = strtoull((*a)->d_name + 4, NULL, 16);
    unsigned long long y = strtoull((*b)->d_name + 4, NULL, 16);

    return (x > y) - (x < y);
}

static int read_dir(struct reader *r, const char *dir, struct error *err)
{
    struct dirent **entries = NULL;
    int count = scandir(dir, &entries, is_log, compare_logs), rc = 0;

    for (int i = 0; i < count; i++) {
        _cleanup_(freep) char *path = mem_printf("%s/%s", dir, entries[i]->d_name);

        if (rc == 0)
            rc = read_file(r, path, err);
        free(entries[i]);
    }
    free(entries);
    if (rc < 0)
        return rc;
    return count > 0
               ? 0
               : error_set(err, -ENOENT, "directory '%s' has no transaction log", dir);
}

int txnlog_read(const char *dir, const char *root, struct history *history,
                struct error *err)
{
    struct reader r = {.history = history, .root = root};
    _cleanup_(freep) char *below = mem_printf("%s/version-2", dir);
    int rc = read_dir(&r, fs_exists(below) ? below : dir, err);

    clear_ops(&r);
    free(r.ops);
    free(r.texts);
    STRMAP_EACH(&r.ephemerals, e)
    {
        struct ephemeral *ephemeral = e->value;

        free(ephemeral->path);
        free(ephemeral);
    }
    strmap_done(&r.ephemerals);
    return rc;
}
