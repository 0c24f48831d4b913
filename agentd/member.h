/* member.h - the host's membership of the swarm: its session, sign of life, inventory,
 * and the rollout in force.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd core (ports, model and swarm only).
 */
#ifndef CLOWDER_AGENTD_MEMBER_H
#define CLOWDER_AGENTD_MEMBER_H

#include "agentd/runner.h"
#include "shared/swarm/join.h"

enum member_state {
    MEMBER_WAITING, /* its host id is not known yet */
    MEMBER_CONNECTING,
    MEMBER_JOINING,
    MEMBER_FOLLOWING, /* registered; watches /current, the only node that all watch */
    MEMBER_REFUSED,   /* host id taken, root missing, access denied: tries again */
};
const char *member_state_text(enum member_state state);

struct member_observer { /* all optional */
    void (*moved)(void *ctx, enum member_state from, enum member_state to);
    void (*session)(void *ctx, enum zk_session_event event, bool fresh);
    void (*says)(void *ctx, const char *text);
    void (*trouble)(void *ctx, const struct error *err);
};

struct member {
    struct swarm swarm; /* the host is filled in by member_start */
    struct runner *runner;
    const struct live *live;
    const struct facts *facts;
    struct member_observer observer;
    void *observer_ctx;
    enum member_state state;
    bool acts; /* false: registers only (a DC/OS master) */
    bool held; /* a rollout may be in force; it waits for the first probe */
    struct join join;
    char *published; /* the inventory as last written */
    struct zk_request *request, *publishing;
    struct zk_watch current_watch;
    struct zk_request *looking; /* at the own sign of life */
    struct zk_watch live_watch;
    struct timer retry;
};

/* swarm: zk, loop, root. The runner's swarm is filled in here. Listens to zk. */
void member_init(struct member *member, const struct swarm *swarm,
                 const struct live *live, struct runner *runner,
                 const struct member_observer *observer, void *observer_ctx);
/* The host id is known: registers as soon as there is a session. facts, live: borrowed.
 * While facts has no seen_ms the host is registered, and follows no rollout. */
void member_start(struct member *member, const struct facts *facts);
/* The facts were looked at again: written if their text has changed (the time of
 * looking is no news). From the first time on a rollout in force is followed. */
void member_publish(struct member *member);
void member_done(struct member *member);

#endif
