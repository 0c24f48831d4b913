/* visit_internal.h - between the files of the visit: visit.c tells the story.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd.
 */
#ifndef CLOWDER_AGENTD_VISIT_INTERNAL_H
#define CLOWDER_AGENTD_VISIT_INTERNAL_H

#include "agentd/steps/networks.h"
#include "agentd/visit.h"

enum visit_phase {
    PHASE_NONE,
    PHASE_SURVEY,
    PHASE_OBSERVE,
    PHASE_CONFIRM,
    PHASE_APPLY,
    PHASE_PROVE,
    PHASE_WAIT,
    PHASE_REVERT, /* of a failed install */
    PHASE_GUARD,
    PHASE_UNDO, /* of an uninstall or a rollback */
};
enum { VISIT_PHASES = PHASE_UNDO + 1 };

/* Beside the steps in the journal, from the decision to put back until the end. */
#define JOURNAL_GOING_BACK "going-back"

struct visit {
    struct visitor visitor;
    struct visit_world world;
    struct loop *loop;
    struct runner *runner;
    struct step_env env;
    struct flow flow;
    struct networks *networks;
    struct timer deadline, turn;

    const struct manifest *manifest;
    const struct spec_stage *stage;
    struct visit_order order;
    enum visit_phase phase;
    struct step *step;
    int index; /* into stage->steps */
    int attempt, passes;
    int64_t step_started_ms, prove_until_ms;
    bool changed[STEP_COUNT]; /* by this visit: to revert when it fails */
    bool recalled;            /* an undo's step has a memo of what was before */
    bool healthy;
    bool forgot; /* it had leave to disrupt before, and the journal tells nothing of it
                  */
    bool surveyed_disruptive;
    bool outlived;                /* the host said that it goes down, and did not */
    enum visit_result going_back; /* what a visit that puts back then ends as */
    struct error failure;
    enum step_id failed_step;

    struct step *asking;
    struct flow *asking_flow;
    int refusal; /* of leave, given to asking_flow in a later turn; 0 = none in this
                    phase */
    void (*parked)(void *ctx);
    void *parked_ctx;
};

/* ---- visit.c: what all kinds of visit have in common ---- */

enum step_id visit_step_id(const struct visit *v);
const struct step_policy *visit_policy(const struct visit *v);
struct step_record *visit_entry(struct visit *v, enum step_id id);
void visit_report(struct visit *v, enum step_id id, enum step_state state,
                  const char *says);
MUST_CHECK int visit_journal(struct visit *v, enum step_id id, enum journal_phase phase,
                             const json_t *memo, struct error *err);
void visit_take_up(struct visit *v, struct runner *runner,
                   const struct manifest *manifest, int stage);

void visit_run(struct visit *v, enum visit_phase phase, const struct flow_step *steps);
void visit_observe(struct visit *v);
void visit_drop_step(struct visit *v);
void visit_go_idle(struct visit *v);
bool visit_parks(struct visit *v); /* SIGTERM came: idle now, and that is said */

/* A host that repairs itself leaves this step as it is: it is only reported. */
bool visit_leaves(struct visit *v, const struct judgement *judgement);

/* visit_begin.c: a timer's callback, of the visit. */
void visit_on_begin(void *ctx);
void visit_begin_step(struct visit *v); /* the one at index; past the last = done */

/* A step is through, as far as it goes: each of these goes on by itself. */
void visit_next_step(struct visit *v);
void visit_step_done(struct visit *v, enum step_state state);
void visit_try_again(struct visit *v, const struct error *err);
void visit_fail(struct visit *v, const struct error *err);
bool visit_refused(const struct visit *v,
                   int result); /* a phase ended for want of leave */
enum visit_result visit_result_of_refusal(const struct visit *v);
const char *visit_result_text(enum visit_result result);
void visit_end(struct visit *v, enum visit_result result, const char *error);
void visit_end_broken(struct visit *v, const struct error *err);
void visit_end_failed(struct visit *v);

/* ---- a phase has ended: result 0, or err ---- */

typedef void visit_phase_done_f(struct visit *v, int result, const struct error *err);

/* visit_survey.c */
void visitor_survey(struct visitor *visitor, struct runner *runner,
                    const struct manifest *manifest, int stage);
visit_phase_done_f survey_observed;

/* visit_install.c */
visit_phase_done_f install_observed, install_applied, install_proved, install_reverted;
void install_failed(struct visit *v);
bool install_goes_back(struct visit *v); /* true = it goes on by itself */

/* visit_undo.c */
void undo_begin_step(struct visit *v);
visit_phase_done_f undo_observed, undo_ended;
bool undo_harmless(const struct step *step); /* its failure left the host healthy */
/* The host's memory of a step; *ret (caller drops it) NULL = it has none. */
MUST_CHECK int undo_recall(struct visit *v, enum step_id id, json_t **ret,
                           struct error *err);

#endif
