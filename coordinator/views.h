/* views.h - what the commands show, ready to be written as text or as JSON.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: coordinator.
 */
#ifndef CLOWDER_COORDINATOR_VIEWS_H
#define CLOWDER_COORDINATOR_VIEWS_H

#include "shared/model/draft.h"
#include "shared/model/event.h"
#include "shared/model/plan.h"
#include "shared/model/progress.h"
#include "shared/model/why.h"
#include "shared/swarm/gc.h"

/* `clowder plan`, and what `install` asks about. */
struct plan_view {
    enum rollout_kind kind;
    const char *of; /* the rollout that is rolled back */
    const struct spec *spec;
    const struct plan *plan;
    int max_restarts; /* the restart lease's limit, resolved */
    bool all;         /* every host, however many */
    bool brief;       /* the summary only */
};

/* One line of `clowder hosts`. */
struct host_row {
    char host[HOST_ID_SIZE];
    bool live;       /* its agentd has a session */
    bool has_record; /* in the rollout in force */
    enum host_state state;
    int wave;
    char stage[NAME_SIZE], step[NAME_SIZE], doing[49], lease[LEASE_SIZE];
    int64_t since_ms;
    char error[384];
    enum record_drift drift;
    char drifted[256]; /* "cni: calico.cni to be renewed; node: ..." */
    bool has_facts;    /* --inventory */
    char role[16], zone[NAME_SIZE], address[46];
    char docker[VERSION_SIZE], mesos[VERSION_SIZE], dcos[VERSION_SIZE],
        agentd[VERSION_SIZE];
    int64_t seen_ms;
};
struct hosts_view {
    const struct host_row *rows;
    int count;
    const char *rollout; /* "" = none */
    bool inventory;
};

/* `clowder hosts HOST`. */
struct host_view {
    const char *host;
    bool live;
    const char *rollout;
    const struct manifest *manifest; /* NULL without a rollout */
    const struct facts *facts;       /* NULL = never registered */
    const struct record *record;     /* NULL = not in the rollout */
};

/* `clowder why HOST`. */
struct why_view {
    const char *host, *rollout; /* rollout "" = none is in force */
    const struct why *why;
};

/* `clowder gc`: what would go, or what went. */
struct gc_view {
    const struct gc *gc;
    bool dry_run, done;          /* neither: it is about to ask */
    int rollouts, znodes, hosts; /* removed */
    const char *left; /* rollouts that were left alone after all, a line each; "" */
};

#endif
