/* zk_answer.h - a reply kept beyond its callback, for tests that ask and then look.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: test support. Use: zk_get(zk, path, NULL, zk_answer_take, &answer), run the
 * loop until answer.done, look, zk_answer_done. Taking a second reply frees the first.
 */
#ifndef CLOWDER_TESTS_SUPPORT_ZK_ANSWER_H
#define CLOWDER_TESTS_SUPPORT_ZK_ANSWER_H

#include "shared/io/zk.h"

struct zk_answer {
    bool done;
    int count; /* of replies taken */
    enum zk_result result;
    struct zk_stat stat;
    char *data;
    size_t data_len;
    char *path;
    char **children; /* sorted */
    int children_count;
    struct zk_op_reply *ops; /* paths are copies */
    int ops_count, failed_op;
};

void zk_answer_take(void *answer, const struct zk_reply *reply); /* a zk_done_f */
bool zk_answer_ready(void *answer);                              /* a predicate */
void zk_answer_done(struct zk_answer *answer); /* frees; empty again */

#endif
