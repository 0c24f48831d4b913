/* sim_swarm.h - a whole rollout in one process: real members and runners over the model
 * ZooKeeper, on a false clock.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: test support.
 *
 * Story. sim_swarm_new makes the root, the rollout (by the very transaction that the
 * CLI uses) and N hosts. A host is a process (member, runner, a session: all lost by a
 * crash) on a machine (its disk: which acts were begun and ended, lost only by a wipe).
 * Its visitor is the simulation's: each stage has a number of disruptive acts, which
 * take time and may fail; an act is journaled, asked for, begun and ended as the real
 * steps do it, and reported to the history, so that the checker sees what a host did
 * beside what the server recorded. An act ends with its process. A host that is to look
 * at itself does so from time to time, as the daemon does it; what drifts on its
 * machine is right again when a visit has mended it.
 */
#ifndef CLOWDER_TESTS_SUPPORT_SIM_SWARM_H
#define CLOWDER_TESTS_SUPPORT_SIM_SWARM_H

#include "agentd/member.h"
#include "tests/support/model_zk.h"
#include "tests/support/sim_drift.h"

/* Where a process of a host may die between two things that it does. */
enum sim_moment {
    SIM_MOVED,     /* the runner has entered a state */
    SIM_JOURNALED, /* what it is going to disrupt is on its disk, the act is not begun
                    */
    SIM_ACTING,    /* the act has begun */
    SIM_ACTED,     /* the act has ended, nothing else was done since */
    SIM_VISITED, /* the visit's result is on its disk, the runner knows nothing of it */
};
enum { SIM_MOMENT_COUNT = SIM_VISITED + 1 };
const char *sim_moment_text(enum sim_moment moment);

struct sim_swarm_hooks { /* all optional; may not crash a host at once: post it */
    void (*moment)(void *ctx, int host, enum sim_moment moment);
    /* A host's new session, before it is used: a test may replace client->ops. */
    void (*connected)(void *ctx, struct zk *client);
    void *ctx;
};

struct sim_swarm_config {
    uint64_t seed;
    int hosts;
    int late;     /* further hosts, in no wave; started by the test */
    int canary;   /* size of the first wave; 0 = none */
    int waves;    /* the others in so many waves, at most SIM_WAVES_MAX; 0 = 1 */
    int restarts; /* K of lease `restart` */
    int installs; /* K of lease `install`; 0 = 10 */
    int zones;    /* hosts are dealt to so many zones in turn; 0 = they name none */
    int zone_restarts; /* permits of `restart` in each zone; 0 = no such limit */
    int max_failed;
    bool adopt;
    const char *spec;  /* more of it, such as "\"lost_after\":\"5m\""; NULL */
    int64_t act_ms;    /* of each disruptive act, up to twice that; 0 = 700 */
    int fail_ppm;      /* chance that a visit fails, per million; 0 = none */
    int unhealthy_ppm; /* of failed visits: the revert fails too */
    int fail_times;    /* host 0 fails its first so many visits of stage fail_stage */
    int fail_stage;
    bool fail_unhealthy; /* those */
    bool fail_early;     /* those, before their first act */
    int64_t look_ms;     /* how often a host looks at itself; 0 = never */
    int quiet_ppm;       /* hosts whose visits disrupt nothing */
    bool mutant_no_ask; /* a visitor that acts without leave: the checker must see it */
    bool mutant_no_zone;           /* a runner that takes no permit of its zone */
    bool mutant_journal_after_act; /* the act is repeated after a crash */
    bool mutant_hasty;             /* it is done before its act has ended */
    struct model_zk_config zk;
    struct sim_swarm_hooks hooks;
};
enum { SIM_WAVES_MAX = 4 };

struct sim_swarm;
struct sim_swarm *sim_swarm_new(const struct sim_swarm_config *config);
void sim_swarm_free(struct sim_swarm *swarm);

struct sim_loop *sim_swarm_loop(struct sim_swarm *swarm);
struct model_zk *sim_swarm_zk(struct sim_swarm *swarm);
const char *sim_swarm_rollout(const struct sim_swarm *swarm);

/* A host's process dies at once; its session ends by timeout; it can be started again.
 */
void sim_swarm_crash(struct sim_swarm *swarm, int host);
void sim_swarm_start(struct sim_swarm *swarm, int host);
bool sim_swarm_up(const struct sim_swarm *swarm, int host);
bool sim_swarm_quiet(const struct sim_swarm *swarm, int host); /* disrupts nothing */
/* Its machine has seen every disruptive act that it needs take effect. */
bool sim_swarm_all_acted(const struct sim_swarm *swarm, int host);
struct zk *sim_swarm_client(struct sim_swarm *swarm, int host); /* NULL when down */
const struct runner *sim_swarm_runner(const struct sim_swarm *swarm, int host);
const char *sim_swarm_host(const struct sim_swarm *swarm,
                           int host); /* NULL = no more */

bool sim_swarm_has_record(struct sim_swarm *swarm, int host);

/* What the server has now. */
struct gate sim_swarm_gate(struct sim_swarm *swarm);
struct record sim_swarm_record(struct sim_swarm *swarm, int host);
int sim_swarm_count(struct sim_swarm *swarm, enum host_state state);
/* The rollout is closed: gate done or keep. */
bool sim_swarm_closed(void *swarm);
/* Every record is terminal. */
bool sim_swarm_settled(void *swarm);

/* An operator's hand: CAS on the gate and /current, as order.h does it. */
void sim_swarm_set_phase(struct sim_swarm *swarm, enum gate_phase phase,
                         const char *reason);

/* The host's next look finds another Docker; its member publishes that. */
void sim_swarm_change_facts(struct sim_swarm *swarm, int host, const char *docker);

/* Something on the host's machine changes, or is changed back by hand. */
void sim_swarm_drift(struct sim_swarm *swarm, int host, enum sim_drift drift, bool is);
bool sim_swarm_drifted(const struct sim_swarm *swarm, int host, enum sim_drift drift);
/* Its next visit fails. */
void sim_swarm_doom(struct sim_swarm *swarm, int host, bool is);
/* Hosts in drifted/. */
int sim_swarm_drifted_count(struct sim_swarm *swarm);

/* Disruptive acts that a host's machine has seen begin, of all visits. */
int sim_swarm_acts(const struct sim_swarm *swarm, int host);

#endif
