/* step.h - one change on one host: observe, judge, apply, prove, revert.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd. One file per step; each phase is a flow table (flow.h), and the order
 * of the phases is the visit's (visit.h), the same for every step.
 *
 * observe  reads the world into step->seen (json, the shape in
 * shared/model/judge_<step>.c); changes nothing; a world that cannot be read is a
 * failure with a sentence. (judge)  pure: shared/model/judge.h, from spec, facts and
 * seen. apply    changes the world towards the spec. Idempotent: it may find its own
 * half-done work after a crash. Before the first change it saves what it will need to
 * put things back (step_save). Before each disruptive act the table has the flow step
 *          {"ask", step_ask_to_disrupt}: permit, gate and time are checked there.
 *          Right before the act it writes what it is about to do into memo (step_save),
 *          e.g. {"restarting":{"main_pid":812,"active_enter_us":…}}, so that after a
 * crash the act is observed and not repeated (I9). prove    one pass of named checks;
 * the visit runs it until prove_passes passes in a row or the deadline; the flow step's
 * name is the check's name. revert   puts back exactly what memo says this host had
 * (bytes, mode, owner, unit, container); nothing to put back is success; then proves so
 * itself. Disruptive acts ask too.
 */
#ifndef CLOWDER_AGENTD_STEP_H
#define CLOWDER_AGENTD_STEP_H

#include "shared/io/event_loop.h"
#include "shared/io/flow.h"
#include "shared/model/judge.h"

struct step;

/* What the visit gives to a step. Borrowed; outlives the step. */
struct step_env {
    struct event_loop *el;
    struct loop *loop;
    const struct spec *spec;
    const struct facts *facts;
    const char *state_dir;     /* /var/lib/clowder: backups in <state_dir>/backup */
    const char *cache_dir;     /* /var/cache/clowder: downloads by digest */
    const char *docker_socket; /* /var/run/docker.sock */
    const char *root;          /* before /proc, /run, /lib: NULL or "" but in tests */
    bool undoes; /* an uninstall or a rollback: revert is what was asked for, and the
                    memo is of earlier visits: {"before":{…},"wrote":"…"} */
    bool force;  /* ... over what somebody changed since, too */
    bool steps_back; /* revert, of a visit that got no leave: what it has not disturbed
                        need not be proved */
    void *ctx;       /* the visit */
    /* Calls flow_next on a yes, flow_fail on a no (-ECANCELED: step back, gate closed;
     * -EPERM: permit of the stage's own lease is needed). */
    void (*ask)(void *ctx, struct step *step, struct flow *flow);
    void (*ask_cancel)(void *ctx, struct step *step);
    /* Journals step->memo: written, fsynced, renamed before it returns 0. */
    int (*save)(void *ctx, struct step *step, struct error *err);
    /* Progress for people: "downloading calico 40%"; throttled by the visit. */
    void (*says)(void *ctx, struct step *step, const char *text);
};

struct step_type {
    enum step_id id;
    size_t size;                     /* of the private struct, with struct step first */
    void (*init)(struct step *step); /* or NULL */
    void (*done)(struct step *step); /* frees what is private; or NULL */
    const struct flow_step *observe, *apply, *prove, *revert;
};

struct step { /* embedded first in a step's private struct; zeroed */
    const struct step_type *type;
    const struct step_env *env;
    json_t *seen;               /* owned; NULL until observed */
    struct judgement judgement; /* of seen */
    json_t *memo;               /* owned object, never NULL; what the journal keeps */
    char says[160]; /* result for people, e.g. "docker restarted in 0.7 s" */
};

extern const struct step_type step_etcd_proxy, step_docker_store, step_cni,
    step_libnetwork, step_node;
const struct step_type *step_type_of(enum step_id id); /* the one table: steps.c */

struct step *step_new(enum step_id id, const struct step_env *env, const json_t *memo);
void step_free(struct step *step);

/* Flow steps shared by the tables. */
enum flow_verdict step_ask_to_disrupt(struct flow *flow, void *ctx, struct error *err);
void step_ask_cancel(void *ctx);
/* Leave is asked of ZooKeeper: an outage parks the host here and is no failure of its.
 */
enum { STEP_ASK_TIMEOUT_MS = 7 * 24 * 3600 * 1000 };
#define STEP_ASK                                                                       \
    {                                                                                  \
        .name = "ask to disrupt", .run = step_ask_to_disrupt,                          \
        .cancel = step_ask_cancel, .timeout_ms = STEP_ASK_TIMEOUT_MS                   \
    }

/* save(memo) with an error that names the step. */
MUST_CHECK int step_save(struct step *step, struct error *err);
void step_says(struct step *step, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
