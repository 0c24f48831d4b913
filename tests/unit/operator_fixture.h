/* operator_fixture.h - the operator's transactions over the model ZooKeeper.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CLOWDER_TESTS_OPERATOR_FIXTURE_H
#define CLOWDER_TESTS_OPERATOR_FIXTURE_H

#include "shared/swarm/init.h"
#include "shared/swarm/order.h"
#include "shared/swarm/rollout_create.h"
#include "tests/support/model_zk.h"
#include "tests/support/sim_loop.h"

#define ROOT "/t/clowder"

struct desk_fixture {
    struct sim_loop *sim;
    struct loop *loop;
    struct model_zk *mz;
    struct zk *zk;
    bool done;
    int result, calls;
    struct error err;
};

void desk_begin(struct desk_fixture *f, const struct model_zk_config *config);
void desk_end(struct desk_fixture *f);
/* flow_done_f, ctx is the fixture. */
void desk_done(void *ctx, int result, const struct error *err);
int desk_wait(
    struct desk_fixture *f); /* fails the test when nothing ends within a day */

void desk_init(struct desk_fixture *f); /* the root is made */
/* A rollout of `hosts` hosts in waves of `wave` (0: one wave). */
struct desk_rollout {
    struct manifest *manifest;
    struct wave *waves;
    struct gate gate;
};
struct desk_rollout desk_rollout_new(const char *id, int hosts, int wave,
                                     const char *spec);
void desk_rollout_done(struct desk_rollout *rollout);
int desk_create(struct desk_fixture *f, const struct desk_rollout *rollout);

struct gate desk_gate(struct desk_fixture *f, const char *id);
struct current desk_current(struct desk_fixture *f);
int desk_children(struct desk_fixture *f, const char *path); /* -1: no such znode */
void desk_poke_create(struct desk_fixture *f, const char *path, const char *data);
void desk_poke_set(struct desk_fixture *f, const char *path, const char *data);

#endif
