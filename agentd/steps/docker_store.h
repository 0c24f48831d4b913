/* docker_store.h - between the files of step docker-cluster-store.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd. docker_store.c tells the story.
 */
#ifndef CLOWDER_AGENTD_DOCKER_STORE_H
#define CLOWDER_AGENTD_DOCKER_STORE_H

#include "agentd/steps/restart.h"

#define DOCKER_RESTART "restart"     /* key of memo: the restart of apply */
#define DOCKER_UNRESTART "unrestart" /* and that of revert */

const struct docker_store_options *docker_options(const struct worker *w);
json_t *docker_before(const struct worker *w); /* memo.before or NULL */
bool docker_memo_is(const struct worker *w, const char *key, const char *text);
const char *docker_text(const json_t *object, const char *key); /* "" where absent */
extern const char *const docker_key_names[];                    /* ends with NULL */
/* Do these keys of a daemon.json hold what the spec wants? */
bool docker_keys_right(const struct worker *w, const json_t *keys);

enum flow_verdict docker_read_file(struct flow *flow, void *ctx, struct error *err);
enum flow_verdict docker_look_at_unit(struct flow *flow, void *ctx, struct error *err);
enum flow_verdict docker_read_flags(struct flow *flow, void *ctx, struct error *err);
enum flow_verdict docker_ask(struct flow *flow, void *ctx, struct error *err);

#define DOCKER_OBSERVE                                                                 \
    {.name = "read daemon.json", .run = docker_read_file},                             \
        {.name = "look at the unit",                                                   \
         .run = docker_look_at_unit,                                                   \
         .cancel = worker_drop},                                                       \
        {.name = "read dockerd's flags",                                               \
         .run = docker_read_flags,                                                     \
         .cancel = worker_drop,                                                        \
         .timeout_ms = 40000},                                                         \
    {                                                                                  \
        .name = "ask docker", .run = docker_ask, .cancel = worker_drop                 \
    }

extern const struct flow_step docker_store_apply[], docker_store_prove[],
    docker_store_revert[];

#endif
