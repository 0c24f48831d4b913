/* progress_probe.h - one question of a refresh: which znode, how it is asked, what its
 * answer means.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm, of progress_read.c. A reader's probes are those of the trip under way;
 * an answer may add more for the next one.
 */
#ifndef CLOWDER_SWARM_PROGRESS_PROBE_H
#define CLOWDER_SWARM_PROGRESS_PROBE_H

#include "shared/swarm/progress_read.h"

enum probe_kind {
    PROBE_MANIFEST,
    PROBE_GATE,
    PROBE_FAILED_COUNT,
    PROBE_EXCLUDED_COUNT,
    PROBE_EVENTS_COUNT,
    PROBE_DRIFTED_COUNT,
    PROBE_QUEUE,
    PROBE_PERMIT_NAMES,
    PROBE_PERMIT,
    PROBE_LEASE_NAMES,
    PROBE_ZONE_QUEUE,
    PROBE_ZONE_PERMITS,
    PROBE_ARRIVED,
    PROBE_OPEN,
    PROBE_FAILED_NAMES,
    PROBE_DRIFTED_NAMES,
    PROBE_HOLDER_RECORD,
    PROBE_HOLDER_LIVE,
    PROBE_FAILED_RECORD,
    PROBE_DRIFTED_RECORD,
};
struct progress_probe {
    enum probe_kind kind;
    int a, b; /* lease and permit; wave and stage; or an index */
};

void progress_probe(struct progress_reader *reader, enum probe_kind kind, int a, int b);
/* Permits below this are asked for without knowing whether they are occupied. */
int progress_permits_asked(const struct progress_reader *reader, int lease);
/* Those of the zones that were listed. */
void progress_probe_zones(struct progress_reader *reader);

/* Of a batch over reader->probes; ctx is the reader. */
struct zk_request *progress_probe_issue(void *ctx, int index, zk_done_f done,
                                        void *done_ctx);
MUST_CHECK int progress_probe_reply(void *ctx, int index, bool repeated,
                                    const struct zk_reply *reply, struct error *err);

#endif
