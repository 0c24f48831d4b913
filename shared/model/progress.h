/* progress.h - where a rollout stands, from few and small readings.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure. No host's record is needed but those of the holders and of the
 * failed, so that a refresh costs O(K) at any number of hosts. What is counted how:
 *
 *   total     members of the plan (manifest)
 *   holding   occupied permits whose record says holding
 *   lost      occupied permits whose record says lost (a lost host keeps its permit)
 *   failed    children of failed/, less the lost ones
 *   excluded  children of excluded/
 *   done      arrivals at the last stage's barriers, less failed and excluded (both
 *             arrive there so that they hold nobody up), less retried holders
 *   drifted   children of drifted/: done hosts that are not as they were proved, and
 *             those that repair themselves, failed in it or not
 *   waiting   tickets in all queues, those of zones included
 *   idle      the rest: between two stages, not begun, or their wave not begun
 *
 * A failed host that is retried counts as done from the order until it holds a permit:
 * its arrivals exist already. So does a host that repairs itself.  A late host, member
 * of no wave, is seen as a holder only.
 */
#ifndef CLOWDER_MODEL_PROGRESS_H
#define CLOWDER_MODEL_PROGRESS_H

#include "shared/model/gate.h"
#include "shared/model/manifest.h"
#include "shared/model/record.h"

/* What was read. */
struct progress_permit {
    int lease; /* index into the gate's limits */
    int permit;
    char host[HOST_ID_SIZE];
    int64_t token;    /* the permit's czxid */
    int64_t since_ms; /* its ctime, the server's clock */
    int64_t heard_ms; /* when its record was last written, the server's clock */
    bool live;        /* its agentd has a session */
    bool has_record;
    struct record record;
    struct error bad; /* its record does not decode: code < 0 */
};
struct progress_failed { /* or drifted */
    char host[HOST_ID_SIZE];
    bool has_record;
    struct record record;
    struct error bad;
};
struct progress_barrier {
    int arrived;
    bool open;
    int64_t opened_ms; /* the server's clock */
};
enum { PROGRESS_ZONES_MAX = 64 };
struct progress_zone_counts {
    int held, waiting; /* permits; tickets */
};
struct progress_reading {
    const struct manifest *manifest;
    const struct strings *zone_leases; /* "restart.rack-7", by zones; NULL = none */
    struct progress_zone_counts zones[PROGRESS_ZONES_MAX];
    int zones_left_out; /* leases of zones that were not looked at */
    struct gate gate;
    struct window_state hours;    /* of the spec's windows, by the reader's clock */
    int waiting[GATE_LIMITS_MAX]; /* tickets by lease */
    struct progress_barrier *barriers; /* [wave * stages_count + stage] */
    struct progress_permit *permits;
    int permits_count;
    int failed_count, excluded_count;
    struct progress_failed *failed; /* the first few of failed_count */
    int failed_listed;
    int drifted_count;
    struct progress_failed *drifted; /* the first few of drifted_count */
    int drifted_listed;
};

/* The pace of arrivals: a few samples of a watch, or none. */
enum { PACE_SAMPLES = 64 };
struct pace {
    struct pace_sample {
        int64_t at_ms;
        int arrivals;
    } samples[PACE_SAMPLES];
    int count, next;
};
void pace_add(struct pace *pace, int64_t at_ms, int arrivals);

/* What people see. */
struct progress_hosts {
    int total, done, failed, holding, waiting, idle, excluded, lost;
    int drifted, repairing; /* beside: most of them are done, some hold permits */
};
struct progress_stage {
    char name[NAME_SIZE];
    char lease[NAME_SIZE];
    int arrived;
    bool open;
};
struct progress_wave {
    char name[NAME_SIZE];
    int size;
    struct progress_stage stages[SPEC_STAGES_MAX];
    int stages_count;
    bool begun, ended; /* the wave before it has ended; its last barrier is open */
};
struct progress_held {
    char host[HOST_ID_SIZE];
    int permit;
    int64_t token;
    int64_t since_ms;
    char zone[NAME_SIZE];
    enum host_state state; /* holding, failed or lost */
    bool away;             /* its agentd has no session: it may become lost */
    bool unreadable;       /* its record is nonsense, or of a newer program */
    char stage[NAME_SIZE], step[NAME_SIZE], doing[49];
    int attempt;
};
struct progress_zone {
    char zone[NAME_SIZE]; /* "_": of hosts that name none */
    int limit, held, waiting;
};
struct progress_lease {
    char name[NAME_SIZE];
    int limit, waiting; /* waiting: in its zones' queues, too */
    int zone_limit;     /* of each zone; 0 = none */
    struct progress_zone *zones;
    int zones_count;
    struct progress_held *held; /* by since, oldest first */
    int held_count;
};
struct progress_failure {
    char host[HOST_ID_SIZE];
    enum host_state state; /* failed or lost */
    char step[NAME_SIZE];
    char error[384];
    bool healthy;
};

/* What keeps hosts of a running rollout from beginning, beside the leases. */
enum progress_wait_kind {
    PROGRESS_WAITS_FOR_NOTHING,
    PROGRESS_WAITS_FOR_WINDOW,
    PROGRESS_WAITS_FOR_PROMOTE, /* `clowder promote` */
    PROGRESS_WAITS_FOR_SOAK,
};
const char *progress_wait_text(enum progress_wait_kind kind); /* "window", ...; NULL */
struct progress_wait {
    enum progress_wait_kind kind;
    char wave[NAME_SIZE]; /* the one that is complete */
    int64_t until_ms;     /* wall clock; 0 = not known */
};

struct progress_drifted {
    char host[HOST_ID_SIZE];
    bool repairs; /* is at it; else what has drifted is only reported, or waits */
    struct progress_drifted_step {
        char step[NAME_SIZE];
        char says[160];
    } steps[RECORD_STEPS_MAX];
    int steps_count;
};

struct progress {
    char rollout[ROLLOUT_ID_SIZE];
    char name[128]; /* the spec's, for people; may be "" */
    char calico_version[48];
    enum rollout_kind kind;
    char of[ROLLOUT_ID_SIZE]; /* what a rollback takes back */
    char created_by[WHO_SIZE];
    enum gate_phase phase;
    bool adopts; /* goes on for late hosts when it has ended */
    char reason[REASON_SIZE], by[WHO_SIZE]; /* of the phase */
    int64_t started_ms, phase_ms;           /* wall clock; phase_ms: since when */
    int64_t eta_ms; /* wall clock of the expected end; -1 = not known */
    int failed_budget;
    struct progress_wait wait;
    struct progress_hosts hosts;
    int arrivals, arrivals_wanted; /* of all barriers */
    struct progress_wave *waves;
    int waves_count;
    struct progress_lease *leases;
    int leases_count;
    int zones_left_out; /* of all leases: there are more than are looked at */
    struct progress_failure *failures;
    int failures_count; /* listed; hosts.failed + hosts.lost counts all */
    struct progress_drifted *drifted;
    int drifted_count; /* listed; hosts.drifted counts all */
};

/* pace may be NULL. */
void progress_make(const struct progress_reading *reading, const struct pace *pace,
                   int64_t now_ms, struct progress *ret);
void progress_done(struct progress *progress);
bool progress_ended(const struct progress *progress); /* done or keep */
/* Ended, and every member is done or was excluded. */
bool progress_succeeded(const struct progress *progress);
int progress_holders(const struct progress *progress); /* of all leases */

/* Where the members stand in one word: "running", "paused", "aborting", "aborted",
 * "finished", "finished with failures". */
const char *progress_phase_text(const struct progress *progress);

void progress_reading_done(struct progress_reading *reading); /* not the manifest */

#endif
