/* runner.h - one host's way through a rollout: the table of the agent's life in it.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd core (ports, model and swarm only: thousands run in one process).
 *
 * The runner knows nothing of Docker or of files: it asks a visitor what a stage would
 * do on this host (survey) and lets it do so (visit) while it holds the permit. The
 * real visitor is visit.h; the tests and benchmarks have one whose steps only take
 * time.
 *
 * The record in ZooKeeper is the authority: after any doubt (lost reply, expiry,
 * restart) the runner re-reads it and goes on from what it says (PROTOCOL.md R2). A
 * visit under way is not stopped by a lost connection: it finishes and proves, while
 * its disruptive acts wait for leave (act.h) until the connection is back.
 */
#ifndef CLOWDER_AGENTD_RUNNER_H
#define CLOWDER_AGENTD_RUNNER_H

#include "shared/model/drift.h"
#include "shared/swarm/act.h"
#include "shared/swarm/adopt.h"
#include "shared/swarm/alarm.h"
#include "shared/swarm/barrier.h"
#include "shared/swarm/close.h"
#include "shared/swarm/drift.h"
#include "shared/swarm/enqueue.h"
#include "shared/swarm/fail.h"
#include "shared/swarm/lost.h"
#include "shared/swarm/release.h"
#include "shared/swarm/take.h"

struct runner;

struct visit_order { /* borrowed for the whole visit */
    const struct manifest *manifest;
    int stage;      /* index */
    int attempt;    /* which visit of this stage, 1-based */
    int64_t token;  /* fencing token */
    bool own_lease; /* the permit is of the stage's own lease: restarts are allowed */
};

enum visit_result {
    VISIT_DONE,         /* every step of the stage is proved or was right */
    VISIT_FAILED,       /* error says why; healthy: put back and proved so */
    VISIT_STEPPED_BACK, /* nothing was disrupted; the permit goes back */
    VISIT_NEEDS_LEASE,  /* the same, and the stage's own lease is needed */
};

struct visitor;
struct visitor_ops {
    /* Observes the stage's steps, then runner_surveyed, once. */
    void (*survey)(struct visitor *visitor, struct runner *runner,
                   const struct manifest *manifest, int stage);
    /* Does the stage; runner_progress as it goes, runner_ask before each disruptive
     * act, then runner_visited, once. */
    void (*visit)(struct visitor *visitor, struct runner *runner,
                  const struct visit_order *order);
    /* The answer to runner_ask: 0, or -ECANCELED: the gate is closed, step back. Never
     * from inside runner_ask. */
    void (*answer)(struct visitor *visitor, int code);
    /* Drops a survey or a visit; it calls nothing any more. Whatever a visit has begun
     * stays in its journal. */
    void (*cancel)(struct visitor *visitor);
};
struct visitor {
    const struct visitor_ops *ops;
};

enum runner_state {
    RUNNER_UNLED,     /* no rollout in force, or not connected yet */
    RUNNER_OFFLINE,   /* connection away; a visit may go on */
    RUNNER_READING,   /* the manifest and the own record */
    RUNNER_ADOPTING,  /* late: makes its own record */
    RUNNER_AWAITING,  /* a barrier */
    RUNNER_SOAKING,   /* the pause between waves */
    RUNNER_SURVEYING, /* what would the next stage do here? */
    RUNNER_ENQUEUING,
    RUNNER_FINDING, /* the own ticket, after a lost reply */
    RUNNER_QUEUED,  /* Take */
    RUNNER_LEAVING, /* gives its ticket back: the rollout ends */
    RUNNER_VISITING,
    RUNNER_RELEASING,
    RUNNER_GIVING_BACK,
    RUNNER_FAILING,
    RUNNER_RETURNING, /* marked lost while it was away: takes the mark back */
    RUNNER_OFFERING, /* a terminal host looks whether a barrier waits for its opening */
    RUNNER_CLOSING,
    RUNNER_DRIFTING, /* done: tells that it has changed, or goes back to work */
    RUNNER_RESTING,  /* done, failed, excluded, or no member */
    RUNNER_STUCK,    /* a znode is nonsense or refuses: says so, tries again */
};
enum { RUNNER_STATE_COUNT = RUNNER_STUCK + 1 };
const char *runner_state_text(enum runner_state state);

struct runner_observer { /* all optional */
    void (*moved)(void *ctx, enum runner_state from, enum runner_state to);
    void (*says)(void *ctx, const char *text); /* what it is doing, for STATUS= */
    void (*trouble)(void *ctx, const struct error *err);
};

struct runner {
    struct swarm swarm;
    struct visitor *visitor;
    struct runner_observer observer;
    void *observer_ctx;
    enum runner_state state;
    enum gate_phase phase; /* of /current, a hint */
    struct manifest *manifest;
    struct record_at at; /* the record as last read or written */
    struct record next;  /* as this visit sees it: published from time to time */
    bool member;         /* the record exists */
    bool connected;
    char says[sizeof(((struct error *)0)->text)];

    /* the visit, which outlives connections */
    struct visit_order order;
    bool visiting;   /* under way */
    bool disrupted;  /* it has had leave to disrupt */
    bool asking;     /* it waits for an answer */
    bool going_back; /* what it asks for is part of a revert */
    bool ended;      /* it has ended and its result is not yet written */
    enum visit_result result;
    bool needs_lease; /* the next enqueue is for the stage's own lease */

    int32_t gate_version;   /* of a gate that granted, as last seen; -1 = unknown */
    int seq;                /* the own ticket, while ticket_session is the session */
    int64_t ticket_session; /* session in which the last Enqueue was sent */
    bool left_zone;         /* leaving gives a permit of its zone back */
    int64_t ticket_mzxid;   /* the record's mzxid when seq was made; 0 = unknown */
    bool opened_last;       /* this host opened the last barrier: it closes */
    bool passed_last;       /* it has seen the last barrier open */
    bool offered;           /* terminal: its arrivals' barriers were looked at */
    bool alarmed; /* what was read is not as it must be: the swarm is to pause */
    char told[sizeof(((struct error *)0)->text)]; /* the trouble it was paused for */
    bool dirty, publishing; /* next differs from what is published */
    struct record sent;     /* being published */
    int64_t published_ms;
    char published_step[NAME_SIZE];

    struct drift drift; /* what looks at a done host have shown */
    bool drift_closed;  /* the gate was seen not to keep, whatever the phase hints */

    struct zk_request *request;
    struct zk_watch record_watch;
    struct timer wake, publish_timer;
    union {
        struct adopt adopt;
        struct alarm alarm;
        struct barrier barrier;
        struct barrier_offer offer;
        struct enqueue enqueue;
        struct leave leave;
        struct ticket_find find;
        struct take take;
        struct release release;
        struct fail fail;
        struct act act;
        struct close_rollout close;
        struct drift_change drift;
        struct lost_return returning;
    } txn;
    struct window_state hours; /* of the spec's windows */
    int64_t hours_at_ms;    /* wall clock at which they were looked at; 0 = not yet */
    struct lost_watch lost; /* of others, while this host waits */
    struct timer lost_timer;
};

/* swarm: zk, loop, root and host; the rollout is filled in by runner_follow. */
void runner_init(struct runner *runner, const struct swarm *swarm,
                 struct visitor *visitor, const struct runner_observer *observer,
                 void *observer_ctx);
void runner_done(struct runner *runner); /* cancels everything */

/* From the agent: what /current says (rollout "" = none), on every change of it and
 * after every (re)connection; and the loss of the connection. */
void runner_follow(struct runner *runner, const char *rollout, enum gate_phase phase);
void runner_disconnected(struct runner *runner);

/* From the agent: it has looked at this host, with what the rollout's spec asks about
 * in facts.seen. True: what was seen wants another look soon. */
bool runner_looked(struct runner *runner, const struct facts *facts);

/* From the visitor, never from inside the call that started it. */
void runner_surveyed(struct runner *runner, bool disrupts, const struct error *err);
/* next: step, doing, steps. */
struct record *runner_record(struct runner *runner);
/* An operator declared that step of this host complete: it is neither looked at nor
 * done. */
bool runner_declared(const struct runner *runner, const char *step);
/* It was done, has drifted, and mends itself (model/drift.h). */
bool runner_repairs(const struct runner *runner);
void runner_progress(struct runner *runner);
/* going_back: the act puts back what this visit did, which no closed gate stops. */
void runner_ask(struct runner *runner, bool going_back);
void runner_ask_cancel(struct runner *runner);
void runner_visited(struct runner *runner, enum visit_result result, const char *error,
                    bool healthy);

#endif
