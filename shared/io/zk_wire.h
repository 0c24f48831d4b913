/* zk_wire.h - what may be sent to a server, and what its answers mean.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: io, pure. A request above the limit makes the server drop the connection, and
 * a bad path inside zoo_amulti frees the caller's memory: both are refused here, before
 * the library sees them.
 */
#ifndef CLOWDER_IO_ZK_WIRE_H
#define CLOWDER_IO_ZK_WIRE_H

#include "shared/io/zk.h"

#include <stdbool.h>
#include <stddef.h>

/* jute.maxbuffer of a server as it comes: 0xfffff bytes, the length field not counted.
 */
enum { ZK_WIRE_MAX_BYTES = 1048575 };

/* Printable ASCII, absolute, no empty, "." or ".." parts, no '/' at the end. */
bool zk_wire_path_valid(const char *path);

/* Arguments that the library or a 3.4 server would choke on. */
bool zk_wire_op_valid(const struct zk_op *op);

/* Serialised sizes without the length field. acl_bytes: of the ACL that creates carry.
 */
size_t zk_wire_read_bytes(const char *path);
size_t zk_wire_op_bytes(const struct zk_op *op, size_t acl_bytes);
size_t zk_wire_multi_bytes(const struct zk_op *ops, int count, size_t acl_bytes);

/* The library's code; whatever leaves a doubt is ZK_AMBIGUOUS. */
enum zk_result zk_wire_result(int code);

struct Stat; /* zookeeper.h's */
struct zk_stat zk_wire_stat(const struct Stat *stat);

/* A failed multi: the first code that is neither 0 nor "runtime inconsistency" (-2,
 * which marks those after the guilty one) is the guilty one; -1 when the server refused
 * the request as a whole. */
int zk_wire_guilty_op(int overall, const int *codes, int count);

#endif
