/* txnlog.h - the transaction log of a real ZooKeeper server as a history.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: test support. Reads what servers from 3.4 to 3.8 write, while they write it:
 * a last record that is not whole yet ends the log. Shape (jute, big-endian):
 *
 *   file    "ZKLG" int version=2 long dbid, then records, then zeros
 *   record  long adler32, int len, byte[len], 'B'
 *   bytes   TxnHeader{long session, int cxid, long zxid, long time, int type}, the
 *           transaction of that type, from 3.6 on a digest of the tree
 *
 * Requests that failed are logged too and left out here. A session's end becomes
 * deletes of its ephemerals (3.4 does not log them: they are remembered).
 */
#ifndef CLOWDER_TESTS_SUPPORT_TXNLOG_H
#define CLOWDER_TESTS_SUPPORT_TXNLOG_H

#include "tests/support/history.h"

/* Adds every transaction below root (NULL = all) of dir's log.* files, or of those in
 * dir/version-2, in order. -ENOENT: there are none. Errors name file and offset. */
MUST_CHECK int txnlog_read(const char *dir, const char *root, struct history *history,
                           struct error *err);

#endif
