/* schedule_internal.h - a schedule under way.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Private to schedule.c (its life), schedule_faults.c, schedule_strikes.c and
 * schedule_aim.c (what befalls it),
 * schedule_operator.c (who looks after it) and schedule_trace.c (what is seen of it).
 */
#ifndef CLOWDER_TESTS_SCENARIO_SCHEDULE_INTERNAL_H
#define CLOWDER_TESTS_SCENARIO_SCHEDULE_INTERNAL_H

#include "shared/swarm/host_order.h"
#include "shared/swarm/order.h"
#include "shared/swarm/promote.h"
#include "tests/scenario/schedule.h"
#include "tests/support/checker.h"
#include "tests/support/sim_swarm.h"

enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS, DAY_MS = 24 * 60 * MINUTE_MS };
enum { EVENTS_MAX = 14, KILLS_MAX = 64, HOSTS_MAX = 64, RECENT = 64 };

struct run;
struct event {
    struct run *run;
    struct timer start, end;
    enum event_kind kind;
    int host; /* or server */
    int64_t lasts_ms, amount;
};

enum orders { ORDERS_NOTHING, ORDERS_ROLLOUT, ORDERS_HOST, ORDERS_PROMOTION };
struct operator_hand {
    struct zk *zk; /* NULL = not connected */
    enum orders busy;
    struct order order;
    struct host_order host_order;
    struct promote promote;
    struct timer look, death;
    int64_t orders, looks; /* so far */
};

struct run {
    const struct schedule_options *options;
    struct schedule_result *result;
    uint64_t seed, random;
    struct sim_swarm_config config;
    int soak_s, lost_after_s;
    bool manual;    /* waves are promoted by the operator */
    char spec[192]; /* of config */
    struct sim_swarm *swarm;
    struct sim_loop *loop;
    struct model_zk *mz;
    struct checker *checker;
    struct mutant_zk *mutant;
    int all_hosts;
    int64_t start_ms, heal_ms;
    bool healed, aborted, moved; /* moved: worth a look whether it is over */
    int kill_ppm, moment_ppm, gate_ppm;
    int64_t kills_last_ms; /* 0 = as each draws */
    struct {
        enum txn_kind kind;
        enum blow blow;
        int skip, left; /* times */
    } aim;
    int lives[HOSTS_MAX];
    uint64_t moments[HOSTS_MAX];
    struct event events[EVENTS_MAX];
    int events_count;
    struct event kills[KILLS_MAX];
    struct timer heal, abort, strike;
    uint64_t strike_id;
    struct operator_hand hand;
    int faults_size;
    int writes; /* transactions but for sessions that end */
    /* What each host, and the operator behind them, has sent. */
    unsigned char recent[HOSTS_MAX + 1][RECENT]; /* kinds, by number of the request */
    enum txn_kind sent;                          /* the last of anybody */
    uint64_t in_flight[HOSTS_MAX + 1]; /* number of the last write; 0 = none is out */
    uint64_t state;                    /* as it was last seen */
};

int64_t run_draw(struct run *r, int64_t min, int64_t max);
uint64_t run_mix(uint64_t a, uint64_t b);

/* schedule_faults.c */
void faults_draw(struct run *r);  /* into r->config and r */
void faults_begin(struct run *r); /* the swarm exists */
void faults_end(struct run *r);

/* schedule_strikes.c */
bool fault_allow(struct run *r, uint64_t id, const char *what, const char *who);
void host_down(struct run *r, int host);
void host_up(struct run *r, int host);
void note_event(struct run *r, enum event_kind kind);
enum model_zk_fault strike_fault(void *run, uint64_t id, const char *client,
                                 enum model_zk_fault drawn);
void strike_request(void *run, struct zk *client,
                    const struct model_zk_request *request);
void strike_moment(void *run, int host, enum sim_moment moment);

/* schedule_aim.c */
void aim_draw(struct run *r);        /* the rollout is drawn, its faults are not */
void aim_bend_faults(struct run *r); /* those, too */
void aim_bend_event(struct run *r, struct event *event);
bool aim_hits(struct run *r, enum txn_kind kind, enum blow blow);

/* schedule_operator.c; each does nothing while an order is under way */
void operator_order(struct run *r, enum order_kind kind);
void operator_sets_limit(struct run *r, uint64_t how, int permits);
void operator_order_host(struct run *r, enum host_order_kind kind, int host);
void operator_looks(void *run); /* and again every minute */
void operator_dies(struct run *r);

/* schedule_trace.c */
void trace(struct run *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
void trace_entry(struct run *r, const struct history_entry *entry);
void trace_moment(struct run *r, int host, enum sim_moment moment);
void states_see(struct run *r, const struct history_entry *entry); /* NULL = no txn */

#endif
