/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/scenario/schedule_shrink.h"

#include "shared/base/mem.h"

#include <stdlib.h>

enum { RUNS_TO_SHRINK_MAX = 2000 };

/* Does it fail with these ids only? Then that is the shortest now. */
static bool still_fails(struct shrink *s, const uint64_t *ids, int count, int hosts)
{
    struct schedule_options options = s->options;
    struct schedule_result result;
    options.only = ids;
    options.only_count = count;
    options.hosts = hosts;
    s->runs++;
    schedule_run(&options, s->seed, &result);
    if (!result.failure[0]) {
        schedule_result_done(&result);
        return false;
    }
    schedule_result_done(&s->result);
    s->result = result;
    s->options.hosts = hosts;
    s->ids_count = result.faults_count;
    for (int i = 0; i < result.faults_count; i++)
        s->ids[i] = result.faults[i].id;
    return true;
}

static bool drop_some(struct shrink *s, int from, int count)
{
    uint64_t *rest = mem_array((size_t)s->ids_count + 1, sizeof(*rest));
    int rest_count = 0;
    for (int i = 0; i < s->ids_count; i++)
        if (i < from || i >= from + count)
            rest[rest_count++] = s->ids[i];
    bool fails = still_fails(s, rest, rest_count, s->options.hosts);
    free(rest);
    return fails;
}

static void shrink_faults(struct shrink *s)
{
    for (int size = s->ids_count; size > 0; size /= 2) {
        int from = 0;
        while (from < s->ids_count && s->runs < RUNS_TO_SHRINK_MAX)
            if (!drop_some(s, from, size))
                from += size;
    }
}

static void shrink_hosts(struct shrink *s)
{
    for (int hosts = 2; hosts < s->result.hosts && s->runs < RUNS_TO_SHRINK_MAX;
         hosts++)
        if (still_fails(s, s->ids, s->ids_count, hosts))
            return;
}

void shrink_run(struct shrink *s, const struct schedule_options *options, uint64_t seed)
{
    *s = (struct shrink){.options = *options, .seed = seed};
    s->options.states = s->options.moves = NULL;
    s->options.cover = NULL;
    schedule_run(&s->options, seed, &s->result);
    s->ids = mem_array((size_t)s->result.faults_count + 1, sizeof(*s->ids));
    s->ids_count = s->result.faults_count;
    for (int i = 0; i < s->ids_count; i++)
        s->ids[i] = s->result.faults[i].id;
    shrink_faults(s);
    shrink_hosts(s);
    shrink_faults(s);
}

void shrink_done(struct shrink *s)
{
    schedule_result_done(&s->result);
    free(s->ids);
    s->ids = NULL;
}
