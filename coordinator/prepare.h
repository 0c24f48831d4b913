/* prepare.h - from the options to a spec, and from the spec and the hosts to a plan.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: coordinator. What `plan` and `install` have in common.
 */
#ifndef CLOWDER_COORDINATOR_PREPARE_H
#define CLOWDER_COORDINATOR_PREPARE_H

#include "coordinator/cli.h"
#include "shared/model/plan.h"

/* What the rollout is to do. */
struct goal {
    enum rollout_kind kind;
    const char *of; /* of a rollback */
    bool force;
    /* Ends the rollout in force, right before this one begins in its place; NULL: it
     * must have ended before. cli->err on failure. */
    int (*instead)(struct cli *cli);
};

/* The check of both commands: --spec, --set and the short options, validated wholly
 * into cli->spec before anything is connected. Every mistake is printed. */
enum exit_code prepare_spec(struct cli *cli);

/* The same from a document, with --set and the short options; takes the document. */
enum exit_code prepare_spec_from(struct cli *cli, json_t *document);

/* Reads the hosts and makes the plan; what fails is said. Waits a while for hosts that
 * have registered and are not yet probed, and says so on standard error. */
enum exit_code prepare_plan(struct cli *cli, const struct goal *goal, struct plan *ret);

struct plan_view prepare_view(const struct cli *cli, const struct plan *plan,
                              const struct goal *goal);

#endif
