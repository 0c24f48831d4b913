/* record.h - a host's own state in a rollout: /rollouts/<id>/hosts/<host>.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure. Written only by its host, but for operator orders on terminal
 * records and a lost holder's mark; never deleted while its rollout exists, so that its
 * znode version never repeats: every transaction of a host carries it (PROTOCOL.md R4).
 * The fencing token is the mzxid of the record's write in the granting transaction,
 * which is also the czxid of the permit; a write cannot contain its own zxid, so the
 * token appears in the record from the next write on.
 *
 * {"v":1,"state":"holding","wave":1,"stage":"restart","stages_done":1,
 *  "step":"docker-cluster-store","doing":"restart unit","zone":"rack-7",
 *  "lease":"restart","permit":0,"zone_permit":-1,
 *  "token":4294968123,"attempt":1,"since_ms":1795464000000,
 *  "steps":{"etcd-proxy":{"state":"proved","ms":1200,"says":"3 endpoints"}},
 *  "error":"","healthy":true,"retried":false,"disrupted":true,"by":"",
 *  "by_ms":0,"drift":"none","repairs":0,"repaired_ms":0}
 */
#ifndef CLOWDER_MODEL_RECORD_H
#define CLOWDER_MODEL_RECORD_H

#include "shared/base/error.h"
#include "shared/model/lease.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum host_state {
    HOST_IDLE,     /* between stages, or not begun */
    HOST_WAITING,  /* has a ticket in a lease's queue */
    HOST_HOLDING,  /* has a permit */
    HOST_DONE,     /* every stage proved */
    HOST_FAILED,   /* keeps its permit unless proved healthy after the revert */
    HOST_LOST,     /* a holder whose session is gone for longer than the grace */
    HOST_EXCLUDED, /* taken out by a named operator order */
};
enum { HOST_STATE_COUNT = HOST_EXCLUDED + 1 };
const char *host_state_text(enum host_state state);

enum step_state {
    STEP_PENDING,
    STEP_RUNNING,
    STEP_ALREADY, /* was already right: nothing done */
    STEP_PROVED,  /* applied and proved */
    STEP_FAILED,
    STEP_REVERTED, /* put back after a failure, and proved so */
    STEP_DISABLED, /* by the spec */
    STEP_DRIFTED,  /* was proved, and is not right any more */
};
enum { STEP_STATE_COUNT = STEP_DRIFTED + 1 };
const char *step_state_text(enum step_state state);

enum record_drift {                /* all but steady: the host is counted in drifted/ */
                    RECORD_STEADY, /* as it was proved, or not yet done */
                    RECORD_DRIFTED,   /* done, but for steps that have drifted */
                    RECORD_REPAIRING, /* was done, and does some stages again */
};
enum { RECORD_DRIFT_COUNT = RECORD_REPAIRING + 1 };
const char *record_drift_text(enum record_drift drift);

struct step_record {
    char name[NAME_SIZE];
    enum step_state state;
    int64_t took_ms;
    char says[160];    /* for people: what was found or done */
    char by[WHO_SIZE]; /* who declared it complete (force-complete); or "" */
};
enum { RECORD_STEPS_MAX = 8 };

struct record {
    enum host_state state;
    int wave;              /* index; -1 = late host, member of no wave */
    char stage[NAME_SIZE]; /* the current one; "" before the first and after the last */
    int stages_done;       /* stages released so far = index of the current stage */
    char step[NAME_SIZE];  /* under way; of a failed host: where; or "" */
    char doing[49];        /* the step's flow step, for people */
    char zone[NAME_SIZE];  /* as its inventory had it when it became a member */
    char lease[LEASE_SIZE]; /* of the ticket or the permit, or "" */
    int permit;       /* index while holding, lost, or failed and unhealthy; else -1 */
    int zone_permit;  /* of the same lease in its zone, taken first; or -1 */
    int64_t token;    /* 0 until known */
    int attempt;      /* visits of this stage begun, 1-based; 0 = none */
    int64_t since_ms; /* wall clock of the last change of state, the host's */
    struct step_record steps[RECORD_STEPS_MAX];
    int steps_count;
    char error[384];   /* of a failed, lost or excluded host */
    bool healthy;      /* failed: proved healthy after the revert */
    bool retried;      /* did fail once: its arrivals exist already */
    bool disrupted;    /* this visit had leave to disrupt: it is not left half done */
    char by[WHO_SIZE]; /* who excluded, retried, broke; or "" */
    int64_t by_ms;     /* when: the operator's wall clock; the order's name */
    enum record_drift drift;
    int repairs;         /* of itself, within a day of each other (drift.h) */
    int64_t repaired_ms; /* when the last of them began */
};

void record_init(struct record *record, int wave);
MUST_CHECK int record_decode(const char *bytes, size_t len, struct record *ret,
                             struct error *err);
char *record_encode(const struct record *record); /* caller frees; one line of JSON */

/* The step's entry, appended when absent (NULL when there is no room). */
struct step_record *record_step(struct record *record, const char *name);
int record_drifted_steps(const struct record *record); /* how many */
/* "cni, node": those; "" = none. */
void record_drifted_names(const struct record *record, char *dst, size_t size);
/* "cni: calico.cni to be renewed; node: ...": the same with what was seen. */
void record_drifted_says(const struct record *record, char *dst, size_t size);
bool record_step_drifted(const struct record *record, const char *name);
/* It had failed, and its wave does not wait for it any more, but it is at work again.
 */
bool record_retrying(const struct record *record);
/* Its rollout has begun a visit there, and may have changed it. */
bool record_visited(const struct record *record);
bool record_keeps_permit(const struct record *record); /* of the lease or its zone */
/* The lease that zone_permit is of. */
struct lease_name record_zone_lease(const struct record *record);
bool record_terminal(const struct record *record); /* done, failed, lost, excluded */

#endif
