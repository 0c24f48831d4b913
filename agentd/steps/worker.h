/* worker.h - a step with at most one operation of the outside world under way.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd. Embedded first in a step's private struct; the context of its flows.
 *
 * Story: a flow step's run calls one worker_* function and returns its verdict; the
 * worker keeps the operation's handle, so that every table has the one cancel function
 * worker_drop; the callback given continues the flow. Where no callback is given,
 * success is flow_next and failure is flow_fail with the operation's own sentence.
 */
#ifndef CLOWDER_AGENTD_WORKER_H
#define CLOWDER_AGENTD_WORKER_H

#include "agentd/steps/step.h"
#include "shared/base/digest.h"
#include "shared/io/docker.h"
#include "shared/io/fetch.h"
#include "shared/io/http.h"
#include "shared/io/proc.h"
#include "shared/io/unit.h"

/* A flow step's; the visit's deadline of an apply comes first, and a later attempt
 * resumes the download. */
enum { WORKER_FETCH_TIMEOUT_MS = 1800000 };

struct worker;
/* status 0 = no answer, body NULL = none or no JSON; err->code 0 = an HTTP answer. */
typedef void (*worker_reply_f)(struct worker *w, int status, const json_t *body,
                               const struct error *err);
typedef void (*worker_unit_f)(struct worker *w, const struct unit_state *state,
                              const struct error *err);
typedef void (*worker_proc_f)(struct worker *w, const struct proc_outcome *outcome);

struct worker {
    struct step step;  /* first */
    struct flow *flow; /* of the operation under way */
    struct http *http;
    struct proc *proc;
    struct unit_call *unit;
    struct docker_call *docker;
    struct fetch *fetch;
    worker_reply_f on_reply;
    worker_unit_f on_unit;
    worker_proc_f on_proc;
    bool tolerant;           /* of a failing systemctl */
    const char *restart_key; /* restart.h */
    char fetched_path[512];  /* result of worker_fetch */
    char fetched_sha256[DIGEST_HEX_SIZE];
    char fetching[48]; /* for the progress */
};

void worker_drop(void *ctx); /* the .cancel of every flow step here */

/* GET (body NULL) or POST of JSON. url is copied. */
enum flow_verdict worker_http(struct worker *w, struct flow *flow, const char *url,
                              const char *body, worker_reply_f done, struct error *err);
enum flow_verdict worker_docker(struct worker *w, struct flow *flow, const char *path,
                                worker_reply_f done, struct error *err);
enum flow_verdict worker_unit_show(struct worker *w, struct flow *flow,
                                   const char *unit, worker_unit_f done,
                                   struct error *err);
enum flow_verdict worker_unit_act(struct worker *w, struct flow *flow, const char *verb,
                                  const char *unit, struct error *err);
/* The same, going on where systemctl fails (reset-failed of a unit never loaded). */
enum flow_verdict worker_unit_try(struct worker *w, struct flow *flow, const char *verb,
                                  const char *unit, struct error *err);
enum flow_verdict worker_run(struct worker *w, struct flow *flow,
                             const char *const *argv, const char *const *environment,
                             worker_proc_f done, struct error *err);
/* Result in fetched_path and fetched_sha256; progress as "downloading <what> 40%". */
enum flow_verdict worker_fetch(struct worker *w, struct flow *flow, const char *url,
                               const char *sha256, const char *what, struct error *err);

/* 0 when an answer with this status and a JSON object came, else an error that names
 * what was asked. */
int worker_expect(int status, const json_t *body, const struct error *call,
                  const char *what, struct error *err);

/* FLOW_FAIL for an error of the file system or the like. -EPERM and -ECANCELED mean
 * "needs the lease" and "step back" to the visit, and only step_env.ask may say so. */
enum flow_verdict worker_failed(struct error *err);

/* Sentences of a failed check: flow_fail and flow_again with a formatted error. */
void worker_fail(struct worker *w, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
void worker_again(struct worker *w, int64_t delay_ms, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* timeout of one apply, from the spec */
int64_t worker_timeout_ms(const struct worker *w);

#endif
