/* gate.h - the one znode that every grant checks: /rollouts/<id>/gate.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure. The count of failures, the budget and the phase live in it, so
 * that no grant can commit after the pause, the abort or the failure that used up the
 * budget (PROTOCOL.md R5).
 *
 * {"v":1,"phase":"run","limits":{"restart":4,"install":10},
 *  "zone_limits":{"restart":1,"restart.rack-7":2},"failed":2,"max_failed":5,
 *  "wave_failed":{"0":1,"3":1},
 *  "streak":{"wave":3,"stage":1,"failed":1,"arrived":17},
 *  "reason":"","by":"ops@laptop","at_ms":1795464000000}
 */
#ifndef CLOWDER_MODEL_GATE_H
#define CLOWDER_MODEL_GATE_H

#include "shared/base/error.h"
#include "shared/model/lease.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gate_phase { GATE_RUN, GATE_PAUSE, GATE_ABORT, GATE_KEEP, GATE_DONE };
enum { GATE_PHASE_COUNT = GATE_DONE + 1 };
const char *gate_phase_text(enum gate_phase phase);
MUST_CHECK int gate_phase_from_text(const char *text, enum gate_phase *ret);

enum { GATE_LIMITS_MAX = 64 };
struct gate_limit {
    char lease[NAME_SIZE];
    int permits; /* K >= 1, resolved from percentages when the rollout is created */
};

/* Of each zone ("restart"), and of those that an operator gave another one
 * ("restart.rack-7"): however many zones there are, the gate stays small. */
enum { GATE_ZONE_LIMITS_MAX = 32 };
struct gate_zone_limit {
    char lease[LEASE_SIZE];
    int permits;
};

enum { GATE_WAVES_MAX = 128 };
struct gate_wave { /* a wave in which hosts have failed */
    int wave, failed;
};
struct gate_streak { /* failures in a row, in one stage of one wave (failure.h) */
    int wave, stage;
    int failed;
    int arrived; /* at that barrier, after the last of them */
};

struct gate {
    enum gate_phase phase;
    bool kept; /* paused while it kept late hosts coming: a resume goes back to keep */
    struct gate_limit limits[GATE_LIMITS_MAX];
    int limits_count;
    struct gate_zone_limit zone_limits[GATE_ZONE_LIMITS_MAX];
    int zone_limits_count;
    int failed;     /* = number of children of failed/ */
    int max_failed; /* failed > max_failed pauses */
    struct gate_wave waves[GATE_WAVES_MAX];
    int waves_count;
    struct gate_streak streak;
    char reason[REASON_SIZE];
    char by[WHO_SIZE]; /* who last changed the phase: an operator or a host */
    int64_t at_ms;     /* when; the writer's wall clock */
};

MUST_CHECK int gate_decode(const char *bytes, size_t len, struct gate *ret,
                           struct error *err);
char *gate_encode(const struct gate *gate); /* caller frees */

/* Of a lease of all hosts or of one zone; 0 = no such lease. */
int gate_limit(const struct gate *gate, const char *lease);
MUST_CHECK int gate_set_limit(struct gate *gate, const char *lease, int permits,
                              struct error *err);
/* What stands in zone_limits under that name; 0 = nothing. */
int gate_zone_limit(const struct gate *gate, const char *lease);
/* lease "restart": of each zone that has none of its own; "restart.rack-7": its own. */
MUST_CHECK int gate_set_zone_limit(struct gate *gate, const char *lease, int permits,
                                   struct error *err);
bool gate_grants(const struct gate *gate); /* phase run or keep */
/* Counts one failure; pauses with a reason that names the host when a budget is used
 * up. */
struct failure;
void gate_count_failure(struct gate *gate, const struct failure *failure);
int gate_wave_failed(const struct gate *gate, int wave);

/* A failure in that stage is taken back: the host is retried, given up, or came back.
 */
void gate_uncount_failure(struct gate *gate, int wave, int stage);

/* /current: {"v":1,"rollout":"20261123-203000-1a2b","phase":"run"}; no rollout: {"v":1}
 */
struct current {
    char rollout[ROLLOUT_ID_SIZE]; /* "" = none */
    enum gate_phase phase;         /* a copy for people; the gate decides */
};
MUST_CHECK int current_decode(const char *bytes, size_t len, struct current *ret,
                              struct error *err);
char *current_encode(const struct current *current);

#endif
