/* txn_kind.h - which transaction of PROTOCOL.md 4 it is, by its operations.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: test support (+ shared/model to decode). For whoever counts and names what
 * clients sent or a server committed.
 */
#ifndef CLOWDER_TESTS_SUPPORT_TXN_KIND_H
#define CLOWDER_TESTS_SUPPORT_TXN_KIND_H

#include "shared/io/zk.h"

enum txn_kind {
    TXN_READ, /* none */
    TXN_JOIN,
    TXN_TAKEOVER, /* of the own old session's sign of life */
    TXN_INVENTORY,
    TXN_ENQUEUE,
    TXN_LEAVE,
    TXN_TAKE,
    TXN_TAKE_ZONE, /* a permit of the host's zone, and a ticket of all hosts */
    TXN_ACT,
    TXN_PUBLISH,
    TXN_RELEASE,
    TXN_GIVE_BACK,
    TXN_FAIL,
    TXN_OPEN,
    TXN_LOST,
    TXN_RETURN,
    TXN_ADOPT,
    TXN_CLOSE,
    TXN_DRIFT, /* told, or to be mended */
    /* of an operator */
    TXN_ORDER, /* on the gate */
    TXN_RETRY,
    TXN_EXCLUDE, /* or skip */
    TXN_BREAK,
    TXN_FORCE,
    TXN_PROMOTE,
    TXN_OTHER,
};
enum { TXN_KIND_COUNT = TXN_OTHER + 1 };
const char *txn_kind_text(enum txn_kind kind);

/* Operations are added one by one to a zeroed scan; their memory is borrowed until the
 * kind is asked for. */
struct txn_scan {
    unsigned char seen[13]; /* by place: a bit per kind of operation */
    const char *record;     /* that is written */
    size_t record_len;
};
void txn_scan_op(struct txn_scan *scan, enum zk_op_kind kind, const char *path,
                 const char *data, size_t len);
enum txn_kind txn_scan_kind(const struct txn_scan *scan);

#endif
