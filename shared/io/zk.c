/* zk.c - the port to ZooKeeper: what is the same for every implementation.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/io/zk.h"

#include <errno.h>

static const struct {
    const char *text;
    int code;
} results[] = {
    [ZK_OK] = {"ok", 0},
    [ZK_NO_NODE] = {"no node", -ENOENT},
    [ZK_NODE_EXISTS] = {"node exists", -EEXIST},
    [ZK_BAD_VERSION] = {"bad version", -ESTALE},
    [ZK_NOT_EMPTY] = {"not empty", -ENOTEMPTY},
    [ZK_EPHEMERAL_PARENT] = {"an ephemeral node has no children", -ENOTDIR},
    [ZK_NO_AUTH] = {"not authorised: wrong or missing digest", -EACCES},
    [ZK_TOO_BIG] = {"request too big", -EMSGSIZE},
    [ZK_INVALID] = {"invalid path or arguments", -EINVAL},
    [ZK_NOT_CONNECTED] = {"not connected", -ENOTCONN},
    [ZK_AMBIGUOUS] = {"connection lost: outcome unknown", -ECONNRESET},
    [ZK_SERVER_ERROR] = {"refused by the server", -EIO},
};

const char *zk_result_text(enum zk_result result)
{
    if ((size_t)result >= sizeof(results) / sizeof(results[0]))
        return "unknown result";
    return results[result].text;
}

int zk_error(enum zk_result result, const char *what, struct error *err)
{
    const char *text = zk_result_text(result);

    if (result == ZK_OK)
        return 0;
    int code = (size_t)result < sizeof(results) / sizeof(results[0])
                   ? results[result].code
                   : -EIO;
    if (what[0] == '/')
        return error_set(err, code, "znode '%s': %s", what, text);
    return error_set(err, code, "%s: %s", what, text);
}

void zk_listen(struct zk *zk, zk_listener_f listener, void *ctx)
{
    zk->listener = listener;
    zk->listener_ctx = ctx;
}

void zk_free(struct zk *zk)
{
    if (zk)
        zk->ops->free(zk);
}

struct zk_request *zk_get(struct zk *zk, const char *path, struct zk_watch *watch,
                          zk_done_f done, void *ctx)
{
    return zk->ops->get(zk, path, watch, done, ctx);
}

struct zk_request *zk_exists(struct zk *zk, const char *path, struct zk_watch *watch,
                             zk_done_f done, void *ctx)
{
    return zk->ops->exists(zk, path, watch, done, ctx);
}

struct zk_request *zk_children(struct zk *zk, const char *path, struct zk_watch *watch,
                               zk_done_f done, void *ctx)
{
    return zk->ops->children(zk, path, watch, done, ctx);
}

struct zk_request *zk_create(struct zk *zk, const char *path, const char *data,
                             size_t data_len, int flags, zk_done_f done, void *ctx)
{
    const struct zk_op op = {.kind = ZK_OP_CREATE,
                             .path = path,
                             .data = data,
                             .data_len = data_len,
                             .version = -1,
                             .flags = flags};

    return zk->ops->single(zk, &op, done, ctx);
}

struct zk_request *zk_set(struct zk *zk, const char *path, const char *data,
                          size_t data_len, int32_t version, zk_done_f done, void *ctx)
{
    const struct zk_op op = {.kind = ZK_OP_SET,
                             .path = path,
                             .data = data,
                             .data_len = data_len,
                             .version = version};

    return zk->ops->single(zk, &op, done, ctx);
}

struct zk_request *zk_delete(struct zk *zk, const char *path, int32_t version,
                             zk_done_f done, void *ctx)
{
    const struct zk_op op = {.kind = ZK_OP_DELETE, .path = path, .version = version};

    return zk->ops->single(zk, &op, done, ctx);
}

struct zk_request *zk_multi(struct zk *zk, const struct zk_op *ops, int count,
                            zk_done_f done, void *ctx)
{
    return zk->ops->multi(zk, ops, count, done, ctx);
}

struct zk_request *zk_sync(struct zk *zk, const char *path, zk_done_f done, void *ctx)
{
    return zk->ops->sync(zk, path, done, ctx);
}

void zk_cancel(struct zk *zk, struct zk_request *request)
{
    if (request)
        zk->ops->cancel(zk, request);
}

void zk_watch_init(struct zk_watch *watch, void (*fn)(void *ctx), void *ctx)
{
    *watch = (struct zk_watch){.fn = fn, .ctx = ctx};
}

void zk_disarm(struct zk *zk, struct zk_watch *watch)
{
    if (watch->armed)
        zk->ops->disarm(zk, watch);
}
