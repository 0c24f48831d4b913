/* checker_internal.h - the state of one rollout, shared by checker.c and its rules.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: test support, private.
 */
#ifndef CLOWDER_TESTS_SUPPORT_CHECKER_INTERNAL_H
#define CLOWDER_TESTS_SUPPORT_CHECKER_INTERNAL_H

#include "shared/model/gate.h"
#include "shared/model/manifest.h"
#include "shared/model/record.h"
#include "tests/support/checker.h"
#include "tests/support/strmap.h"

struct permit;

struct act { /* a disruptive act that a host began */
    struct act *next;
    char step[NAME_SIZE];
    int64_t token;
    int attempt;
    bool open;
};

struct host {
    char name[HOST_ID_SIZE];
    bool has_record;
    struct record record, before; /* before: as it was before this transaction */
    bool had_record;
    bool touched;
    struct host *next_touched;
    struct permit *permits; /* that name it; see checker_permit */
    int64_t last_token;
    int64_t leave_token; /* may disrupt once under this permit; 0 = may not */
    int64_t freed_token; /* of a permit that this transaction freed; 0 = none */
    struct act *acts;
};

struct lease {
    char name[LEASE_SIZE];
    int occupied;
};

struct permit {
    char *path;
    struct lease *lease;
    int index;
    struct host *host;
    char owner[HOST_ID_SIZE]; /* the child that names it to multis; "" = none */
    struct permit *next_of_host;
    int64_t zxid; /* of its grant: the fencing token */
};

struct wave_members {
    char *key;           /* "0" */
    struct strmap hosts; /* name -> name */
};

struct barrier_state {
    char *key; /* "<wave>.<stage>" */
    struct strmap arrived;
    bool open;
};

struct grant {
    struct permit *permit;
    struct grant *next;
};

struct checker {
    struct checker_config config;
    char root[128], rollout[ROLLOUT_ID_SIZE];
    char prefix[256];
    size_t prefix_len;
    struct strmap hosts, leases, permits, waves, barriers, failed, drifted;
    struct manifest *manifest; /* NULL = not seen */
    bool has_gate;
    struct gate gate;
    int32_t gate_version;
    /* this transaction */
    int64_t zxid, last_zxid;
    bool had_gate, gate_checked, counts_touched, released_any;
    struct gate gate_before;
    struct grant *grants;
    struct host *touched;
    struct barrier_state *opened;
    int occupied;
    struct checker_counts counts;
    bool violated;
    struct violation violation;
};

void checker_fail(struct checker *c, const char *rule, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
void checker_touch(struct checker *c, struct host *host);
struct host *checker_host(struct checker *c, const char *name);

/* The host's permit of a lease of all hosts, which lets it act; or NULL. */
const struct permit *checker_permit(const struct host *host);

void rules_txn(struct checker *c);
void rules_arrival_gone(struct checker *c, const struct barrier_state *barrier,
                        const char *host);
void rules_act(struct checker *c, const struct history_entry *entry);
void rules_end(struct checker *c);

#endif
