/* why_fixture.h - a rollout and one of its hosts, for what is said of them.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Three waves (canary: 2 hosts, wave-1: 30, wave-2: 88), the default stages proxy,
 * restart, run; leases install (12) and restart (1). The canary is complete.
 */
#ifndef CLOWDER_TESTS_WHY_FIXTURE_H
#define CLOWDER_TESTS_WHY_FIXTURE_H

#include "shared/model/why.h"

#define WHY_NOW_MS INT64_C(1795464600000) /* 2026-11-23 20:10:00 UTC */
#define WHY_HOST "10.0.0.9"

struct why_fixture {
    struct manifest *manifest;
    struct progress_reading rollout;
    struct facts facts;
    struct why_reading in;
    struct why why;
};

/* spec: "{}" and what differs. The host is idle in wave-1, its session is there. */
void why_begin(struct why_fixture *f, const char *spec);
void why_end(struct why_fixture *f);
void why_explain(struct why_fixture *f);

void why_gate_is(struct why_fixture *f, enum gate_phase phase, const char *by,
                 const char *reason);
void why_arrived(struct why_fixture *f, int wave, int stage, int count, bool open);
/* The record of a host in that state: wave-1, for four minutes. */
struct record why_record(enum host_state state, const char *stage, const char *lease,
                         int permit);
/* That one holds it, at docker-cluster-store: restart unit. */
struct progress_permit *why_held_by(struct why_fixture *f, const char *lease,
                                    const char *host, enum host_state state, bool live);
/* The host waits for the restart lease, second of twelve in line. */
void why_wait_in_line(struct why_fixture *f);
struct why_host *why_missing(struct why_fixture *f, const char *host, bool live,
                             struct record record);

/* The host has done two stages; 13 of its wave are missing, at three stages of theirs,
 * and 10.0.0.5 holds the restart lease. */
void why_wait_for_wave(struct why_fixture *f);

#endif
