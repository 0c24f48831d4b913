/* checker.h - the invariants of PROTOCOL.md 5, checked over a history of one rollout.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: test support (+ shared/model to decode). Fed with entries in zxid order, on
 * line (history_listen(history, checker_feed, checker)) or from a file; keeps the state
 * of the rollout and the first violation, after which it looks no further.
 *
 * - I1 permit names h, in its data and below it <=> h's record has that permit
 *   (holding, lost, failed and unhealthy; of its zone also while it waits)
 * - I2 occupied permits <= K of the gate that the grant checked, of each zone, too
 * - I3 no grant while the gate is closed; R5 every grant checks the gate
 * - I4 one host, at most one permit of a lease; R4 a record is never deleted
 * - I5 tokens grow, and are their grant's zxid
 * - I6 open => every member of the wave arrived
 * - I7 gate.failed = children of failed/
 * - I8 states move as declared, and only a kept rollout takes late hosts; at the end
 *   every host is done, failed, lost or excluded
 * - I9 a disruptive act only under its permit, once per attempt
 * - turn: a grant only behind the barrier that is before it
 * - drift: drifted/h exists <=> h's record says that it has drifted or repairs itself;
 * a done host goes back to work under keep only, and only with its gate checked
 * - zone: where a lease is limited per zone its permit comes after the zone's; a host
 *   never changes its zone
 * - close: the gate becomes done only with every permit free
 * - form: a document does not decode, or the history is out of order
 */
#ifndef CLOWDER_TESTS_SUPPORT_CHECKER_H
#define CLOWDER_TESTS_SUPPORT_CHECKER_H

#include "shared/model/record.h"
#include "tests/support/history.h"

struct checker_config {
    const char *root;              /* NULL = "/clowder" */
    const char *rollout;           /* NULL = the first whose gate is created */
    bool unchecked_grants_allowed; /* not R5: only what really went wrong (for mutants)
                                    */
    bool leaves_may_be_missing;    /* not R7 */
    bool ends_may_be_missing;      /* an act's end was not reported: its agent died */
};

struct violation {
    char rule[8]; /* "I1" */
    int64_t zxid; /* of the transaction, or the last before the act; 0 = at the end */
    char text[600];
};

struct checker_counts {
    int txns, grants, releases, failures, acts, opens, gate_changes;
    int drifts, mends; /* drifted/ was added to; done hosts went back to work */
    int occupied_max;  /* permits of all leases together */
    int hosts, ended;  /* records, and those in an end state */
};

struct checker;

struct checker *checker_new(const struct checker_config *config);
void checker_free(struct checker *checker);
void checker_feed(void *checker, const struct history_entry *entry); /* a history_f */
/* The history is over. complete: every host must have come to its end. */
void checker_finish(struct checker *checker, bool complete);

const struct violation *checker_violation(const struct checker *checker); /* or NULL */
struct checker_counts checker_counts(const struct checker *checker);
/* A host's record as it is now; NULL = none. And a hash of the rest: the gate's phase,
 * limits and count of failures, how many permits of each lease, and how many open
 * barriers. */
const struct record *checker_record(const struct checker *checker, const char *host);
uint64_t checker_state(const struct checker *checker);
const char *checker_rollout(const struct checker *checker); /* "" = none seen */

#endif
