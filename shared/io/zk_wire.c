/* zk_wire.c - what may be sent to a server, and what its answers mean.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/io/zk_wire.h"

#include <string.h>
#include <zookeeper/zookeeper.h>

enum {
    HEADER_BYTES = 8,       /* xid, type */
    MULTI_HEADER_BYTES = 9, /* type, done, err: before each operation and at the end */
    INT_BYTES = 4,
};

static bool part_valid(const char *part, size_t len)
{
    if (len == 0 || (len == 1 && part[0] == '.') ||
        (len == 2 && part[0] == '.' && part[1] == '.'))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (part[i] < 0x20 || part[i] > 0x7e)
            return false;
    }
    return true;
}

bool zk_wire_path_valid(const char *path)
{
    if (path == NULL || path[0] != '/')
        return false;
    if (path[1] == '\0')
        return true;
    for (const char *part = path + 1;; part++) {
        size_t len = strcspn(part, "/");
        if (!part_valid(part, len))
            return false;
        part += len;
        if (*part == '\0')
            return true;
    }
}

bool zk_wire_op_valid(const struct zk_op *op)
{
    if (!zk_wire_path_valid(op->path) || (op->data == NULL && op->data_len > 0))
        return false;
    switch (op->kind) {
    case ZK_OP_CREATE: /* any other bit would be a container or a TTL: not before 3.5 */
        return (op->flags & ~(ZK_EPHEMERAL | ZK_SEQUENTIAL | ZK_PROTECTED)) == 0;
    case ZK_OP_SET:
    case ZK_OP_DELETE:
    case ZK_OP_CHECK:
        return op->version >= -1;
    }
    return false;
}

size_t zk_wire_read_bytes(const char *path)
{
    return HEADER_BYTES + INT_BYTES + strlen(path) + 1; /* and the watch flag */
}

static size_t body_bytes(const struct zk_op *op, size_t acl_bytes)
{
    size_t bytes = INT_BYTES + strlen(op->path);
    switch (op->kind) {
    case ZK_OP_CREATE:
        return bytes + INT_BYTES + op->data_len + acl_bytes + INT_BYTES;
    case ZK_OP_SET:
        return bytes + INT_BYTES + op->data_len + INT_BYTES;
    case ZK_OP_DELETE:
    case ZK_OP_CHECK:
        return bytes + INT_BYTES;
    }
    return bytes;
}

size_t zk_wire_op_bytes(const struct zk_op *op, size_t acl_bytes)
{
    return HEADER_BYTES + body_bytes(op, acl_bytes);
}

size_t zk_wire_multi_bytes(const struct zk_op *ops, int count, size_t acl_bytes)
{
    size_t bytes = HEADER_BYTES + MULTI_HEADER_BYTES;
    for (int i = 0; i < count; i++)
        bytes += MULTI_HEADER_BYTES + body_bytes(&ops[i], acl_bytes);
    return bytes;
}

enum zk_result zk_wire_result(int code)
{
    switch (code) {
    case ZOK:
        return ZK_OK;
    case ZNONODE:
        return ZK_NO_NODE;
    case ZNODEEXISTS:
        return ZK_NODE_EXISTS;
    case ZBADVERSION:
        return ZK_BAD_VERSION;
    case ZNOTEMPTY:
        return ZK_NOT_EMPTY;
    case ZNOCHILDRENFOREPHEMERALS:
        return ZK_EPHEMERAL_PARENT;
    case ZNOAUTH:
        return ZK_NO_AUTH;
    case ZBADARGUMENTS:
        return ZK_INVALID;
    case ZCONNECTIONLOSS:
    case ZOPERATIONTIMEOUT:
    case ZSESSIONEXPIRED:
    case ZSESSIONMOVED:
    case ZCLOSING:
    case ZRUNTIMEINCONSISTENCY: /* what is out when a stray answer ends a connection */
    case ZDATAINCONSISTENCY:
    case ZSYSTEMERROR:
    case ZAUTHFAILED: /* what is out when the server refuses the digest */
    case ZINVALIDSTATE:
    case -122: /* request timeout, from servers of 3.6 on */
        return ZK_AMBIGUOUS;
    default:
        return ZK_SERVER_ERROR;
    }
}

struct zk_stat zk_wire_stat(const struct Stat *stat)
{
    return (struct zk_stat){
        .czxid = stat->czxid,
        .mzxid = stat->mzxid,
        .pzxid = stat->pzxid,
        .ctime_ms = stat->ctime,
        .mtime_ms = stat->mtime,
        .ephemeral_owner = stat->ephemeralOwner,
        .version = stat->version,
        .cversion = stat->cversion,
        .children_count = stat->numChildren,
        .data_len = stat->dataLength,
    };
}

int zk_wire_guilty_op(int overall, const int *codes, int count)
{
    if (count > 1 && codes[0] == overall && codes[1] == overall)
        return -1;
    for (int i = 0; i < count; i++) {
        if (codes[i] != ZOK && codes[i] != ZRUNTIMEINCONSISTENCY)
            return i;
    }
    return -1;
}
