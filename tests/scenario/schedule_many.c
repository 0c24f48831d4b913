/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/scenario/schedule_many.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct worker {
    pid_t pid;
    FILE *from;     /* what it hands over */
    uint64_t *seed; /* that it is at; shared with it */
};

static void add_result(struct tally *t, const struct schedule_result *result)
{
    t->schedules++;
    t->failures += result->failure[0] != '\0';
    t->txns += (uint64_t)result->txns;
    t->acts += (uint64_t)result->acts;
    t->turns += result->turns;
    t->faults += (uint64_t)result->faults_count;
    t->simulated_ms += (uint64_t)result->took_ms;
}

static void add_tally(struct tally *sum, const struct tally *more)
{
    sum->schedules += more->schedules;
    sum->failures += more->failures;
    sum->txns += more->txns;
    sum->acts += more->acts;
    sum->turns += more->turns;
    sum->faults += more->faults;
    sum->simulated_ms += more->simulated_ms;
    cover_add(&sum->cover, &more->cover);
}

/* Every jobs-th seed from the index-th on. */
static void run_share(struct many *m, int index, uint64_t *seed)
{
    struct schedule_options options = m->options;
    options.states = m->states;
    options.moves = m->moves;
    options.cover = &m->tally.cover;
    for (uint64_t i = (uint64_t)index; i < m->count; i += (uint64_t)m->jobs) {
        struct schedule_result result;
        *seed = m->from + i;
        schedule_run(&options, *seed, &result);
        add_result(&m->tally, &result);
        if (result.failure[0] && m->tally.failures <= MANY_REPORTS_MAX)
            m->report(m->ctx, *seed, &result);
        schedule_result_done(&result);
    }
}

static _Noreturn void be_worker(struct many *m, int index, uint64_t *seed, int to)
{
    FILE *out = fdopen(to, "w");
    run_share(m, index, seed);
    bool ok = out && fwrite(&m->tally, sizeof(m->tally), 1, out) == 1 &&
              states_write(m->states, out) && states_write(m->moves, out);
    (void)fflush(stdout);
    _exit(out && fclose(out) == 0 && ok ? 0 : 1);
}

static void start(struct many *m, int index, struct worker *w)
{
    int ends[2];
    if (pipe(ends) < 0 || (w->pid = fork()) < 0) {
        fprintf(stderr, "schedules: cannot start a process: %s\n", strerror(errno));
        exit(1);
    }
    if (w->pid == 0) {
        close(ends[0]);
        be_worker(m, index, w->seed, ends[1]);
    }
    close(ends[1]);
    w->from = fdopen(ends[0], "r");
}

static void collect(struct many *m, struct worker *w)
{
    struct tally tally;
    int status = 0;
    bool whole = w->from && fread(&tally, sizeof(tally), 1, w->from) == 1 &&
                 states_read(m->states, w->from) && states_read(m->moves, w->from);
    if (w->from)
        (void)fclose(w->from);
    (void)waitpid(w->pid, &status, 0);
    if (whole && status == 0) {
        add_tally(&m->tally, &tally);
        return;
    }
    m->died++;
    printf("a process died in the schedule of seed %" PRIu64
           ": schedules --replay %" PRIu64 "\n",
           *w->seed, *w->seed);
}

void many_run(struct many *m)
{
    struct worker workers[MANY_JOBS_MAX];
    uint64_t *seeds = mmap(NULL, sizeof(*seeds) * MANY_JOBS_MAX, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (seeds == MAP_FAILED)
        abort();
    m->states = states_new();
    m->moves = states_new();
    (void)fflush(stdout);
    for (int i = 0; i < m->jobs; i++) {
        workers[i] = (struct worker){.seed = &seeds[i]};
        start(m, i, &workers[i]);
    }
    for (int i = 0; i < m->jobs; i++)
        collect(m, &workers[i]);
    (void)munmap(seeds, sizeof(*seeds) * MANY_JOBS_MAX);
}

void many_done(struct many *m)
{
    states_free(m->states);
    states_free(m->moves);
}
