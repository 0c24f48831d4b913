/* story.h - a simulated rollout as a test tells it, watched by the checker throughout.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CLOWDER_TESTS_SCENARIO_STORY_H
#define CLOWDER_TESTS_SCENARIO_STORY_H

#include "tests/support/checker.h"
#include "tests/support/sim_swarm.h"

struct story_counts;
struct story {
    struct sim_swarm *swarm;
    struct sim_loop *loop;
    struct model_zk *zk;
    struct checker *checker;
    struct story_counts *counts;
};

/* The rollout exists and the hosts have been started. Fails the test on a violation. */
struct story story_begin(struct sim_swarm_config config);
void story_end(struct story *story);

void story_step(struct story *story);
void story_runs_to_its_end(struct story *story); /* closed, within a simulated day */
bool story_until_paused(struct story *story);
bool story_until_acting(struct story *story); /* a disruptive act has begun */

/* By hand, as with zkCli.sh; what is done from the first on is no history that the
 * checker knows, so it looks away. */
void story_look_away(struct story *story);
void story_write(struct story *story, const char *path, const char *data);
void story_remove(struct story *story, const char *path);
void story_remove_tree(struct story *story, const char *path);
uint64_t story_requests(struct story *story); /* of all clients so far */

int story_permits(struct story *story, const char *lease);
int story_tickets(struct story *story, const char *lease);
int story_holder(struct story *story); /* a host that is in a disruptive act */
int story_grants(struct story *story, const char *lease);
int story_acts_begun(struct story *story);
int story_most_acting(struct story *story); /* hosts at once, over the whole story */

#endif
