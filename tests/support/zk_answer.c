/* zk_answer.c - a reply kept beyond its callback.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/zk_answer.h"

#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void zk_answer_take(void *ctx, const struct zk_reply *reply)
{
    struct zk_answer *answer = ctx;
    int count = answer->count;

    zk_answer_done(answer);
    *answer = (struct zk_answer){
        .done = true,
        .count = count + 1,
        .result = reply->result,
        .stat = reply->stat,
        .data_len = reply->data_len,
        .path = mem_strdup(reply->path),
        .children_count = reply->children_count,
        .ops_count = reply->ops_count,
        .failed_op = reply->failed_op,
    };
    if (reply->data) {
        answer->data = mem_new(reply->data_len + 1);
        memcpy(answer->data, reply->data, reply->data_len);
    }
    answer->children = mem_array((size_t)reply->children_count, sizeof(char *));
    for (int i = 0; i < reply->children_count; i++)
        answer->children[i] = mem_strdup(reply->children[i]);
    qsort(answer->children, (size_t)reply->children_count, sizeof(char *),
          compare_names);
    answer->ops = mem_array((size_t)reply->ops_count, sizeof(struct zk_op_reply));
    for (int i = 0; i < reply->ops_count; i++) {
        answer->ops[i] = reply->ops[i];
        answer->ops[i].path = mem_strdup(reply->ops[i].path);
    }
}

bool zk_answer_ready(void *answer)
{
    return ((struct zk_answer *)answer)->done;
}

void zk_answer_done(struct zk_answer *answer)
{
    for (int i = 0; i < answer->children_count; i++)
        free(answer->children[i]);
    for (int i = 0; i < answer->ops_count; i++)
        free((char *)answer->ops[i].path);
    free(answer->children);
    free(answer->ops);
    free(answer->data);
    free(answer->path);
    *answer = (struct zk_answer){0};
}
