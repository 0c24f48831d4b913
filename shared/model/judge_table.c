/* The one table of judges; apart from judge.c, so that a program that needs the words
 * only does not link every rule.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/model/judge.h"

typedef void judge_f(const struct spec *, const struct facts *, const json_t *,
                     struct judgement *);

static judge_f *const judges[STEP_COUNT] = {
    [STEP_ETCD_PROXY] = judge_etcd_proxy,
    [STEP_DOCKER_STORE] = judge_docker_store,
    [STEP_CNI] = judge_cni,
    [STEP_LIBNETWORK] = judge_libnetwork,
    [STEP_NODE] = judge_node,
};

void judge(enum step_id step, const struct spec *spec, const struct facts *facts,
           const json_t *seen, struct judgement *ret)
{
    judges[step](spec, facts, seen, ret);
}
