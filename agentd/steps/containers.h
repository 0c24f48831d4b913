/* containers.h - what steps libnetwork and node do alike with their one container.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd. Embedded first in the private struct of both steps; the functions are
 * flow steps of their tables, with worker_drop as the cancel.
 *
 * Story of an apply: look at the container (one that Docker is just bringing back after
 * its restart is given 10 s) → refuse a foreign one → image: present, or pulled → plan:
 * remove and create anew, restart, or nothing → remember in the memo what was there →
 * remove → create → start. Each act is skipped where the plan has none, so the table
 * reads straight down. Nothing here disrupts tasks: the old container goes only after
 * the new image is on the host.
 *
 * memo: {"before":{"container":{…container_keep…} or null,…}}; written once, before the
 * first change; a crash leads through the same table again and finds its half-done
 * work: no container, or one created but not running, both of which are made anew.
 *
 * A revert plans from the memo (remove ours; recreate the one before from its own body
 * and image) and goes through the same acts, then looks again.
 */
#ifndef CLOWDER_AGENTD_CONTAINERS_H
#define CLOWDER_AGENTD_CONTAINERS_H

#include "agentd/steps/worker.h"
#include "shared/model/container.h"

enum { IMAGE_ID_SIZE = 80 };

struct container_work {
    struct worker worker; /* first */
    const char *name;
    json_t *wanted;    /* owned: create body */
    const char *image; /* inside wanted */

    json_t *inspected;            /* owned; NULL = not there */
    char image_id[IMAGE_ID_SIZE]; /* of image; "" = not on this host */
    int64_t looking_since_ms;     /* 0 = not looking */

    /* the plan of an apply or revert */
    bool remove, start, restart;
    json_t *create; /* owned; NULL = none */

    /* the pass of the proof before this one */
    char started_at[48];
    int64_t restarts;
    int64_t same_since_ms; /* monotonic: both were as now since then */
};

/* init makes nothing: `wanted` is taken over; NULL where no container is wanted. */
void container_work_init(struct container_work *c, const char *name, json_t *wanted);
void container_work_done(struct container_work *c);

/* Docker calls of any method; the callback gets the answer as worker_reply_f does. */
enum flow_verdict container_call(struct container_work *c, struct flow *flow,
                                 const char *method, const char *path,
                                 const json_t *body, worker_reply_f done,
                                 struct error *err);

/* Flow steps. Their context is the step. */
enum flow_verdict container_look(struct flow *flow, void *ctx, struct error *err);
enum flow_verdict container_look_image(struct flow *flow, void *ctx, struct error *err);
enum flow_verdict container_refuse_foreign(struct flow *flow, void *ctx,
                                           struct error *err);
enum flow_verdict container_pull(struct flow *flow, void *ctx, struct error *err);
enum flow_verdict container_remove(struct flow *flow, void *ctx, struct error *err);
enum flow_verdict container_create(struct flow *flow, void *ctx, struct error *err);
enum flow_verdict container_start(struct flow *flow, void *ctx, struct error *err);
enum flow_verdict container_restart(struct flow *flow, void *ctx, struct error *err);

/* Runs as wanted, was not restarted since the last pass, and has been up for 5 s: one
 * that falls over every few seconds would else slip through between its falls. */
enum flow_verdict container_prove_runs(struct flow *flow, void *ctx, struct error *err);
enum flow_verdict container_prove_image(struct flow *flow, void *ctx,
                                        struct error *err);

/* Plans from the memo; DONE when there is nothing to put back. */
enum flow_verdict container_revert_plan(struct flow *flow, void *ctx,
                                        struct error *err);
enum flow_verdict container_revert_prove(struct flow *flow, void *ctx,
                                         struct error *err);

/* Parts for the steps' own functions. */
bool container_ours(const struct container_work *c); /* what was inspected */
/* When the container of the last pass was started, in s since the epoch; 0 = unknown.
 */
int64_t container_started_s(const struct container_work *c);
/* Compares what was inspected with what is wanted. */
enum container_match container_match(const struct container_work *c, char *why,
                                     size_t why_size);
/* Same name, but another image under it by now. */
bool container_image_moved(const struct container_work *c);
void container_plan_nothing(struct container_work *c);
/* Plans: remove what is there if it is ours, create and start the wanted. */
void container_plan_anew(struct container_work *c);
/* Puts {"container":…} and more (taken; may be NULL) under memo.before and saves,
 * unless it stands there already. */
MUST_CHECK int container_remember(struct container_work *c, json_t *more,
                                  struct error *err);
json_t *container_seen_of(const struct container_work *c); /* {"container","image"} */

#endif
