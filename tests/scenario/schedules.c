/* schedules.c - thousands of random rollouts, and what is made of those that fail.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A failing schedule is reported in its shortest form (schedule_shrink.h). --mutants
 * plants one bug after the other and wants each to be seen (schedule_mutants.h).
 */
#include "shared/base/str.h"
#include "tests/scenario/schedule_many.h"
#include "tests/scenario/schedule_mutants.h"
#include "tests/scenario/schedule_shrink.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CELLS_FROM = 10000 };

struct program {
    struct schedule_options schedule;
    uint64_t from, count;
    int64_t replay; /* -1 = none */
    int jobs;
    bool shrink, mutants, cover;
};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void print_result(const struct schedule_result *result)
{
    printf("  %s\n", result->config);
    for (int i = 0; i < result->faults_count; i++)
        printf("  %s\n", result->faults[i].text);
    printf("  fails: %s\n", result->failure);
}

static void report(void *ctx, uint64_t seed, const struct schedule_result *result)
{
    const struct program *p = ctx;
    struct shrink s;
    printf("seed %" PRIu64 " fails: %s\n", seed, result->failure);
    if (p->shrink) {
        shrink_run(&s, &p->schedule, seed);
        printf("  shortest, after %d runs:\n", s.runs);
        print_result(&s.result);
        shrink_done(&s);
    }
    printf("  again: schedules --replay %" PRIu64 " (the shortest with --shrink)\n",
           seed);
    (void)fflush(stdout);
}

static void print_tally(const struct program *p, const struct many *m, double took)
{
    const struct tally *t = &m->tally;
    printf("seeds %" PRIu64 " to %" PRIu64 ": schedules=%" PRIu64 " failed=%" PRIu64
           " states=%" PRIu64 " moves=%" PRIu64 " transactions=%" PRIu64
           " acts=%" PRIu64 " faults=%" PRIu64 " turns=%" PRIu64
           " simulated_h=%.0f jobs=%d seconds=%.1f per_second=%.0f\n",
           m->from, m->from + m->count - 1, t->schedules, t->failures,
           states_count(m->states), states_count(m->moves), t->txns, t->acts, t->faults,
           t->turns, (double)t->simulated_ms / 3600000, p->jobs, took,
           (double)t->schedules / took);
    cover_print(&t->cover);
}

static int run_many(struct program *p)
{
    struct many m = {.options = p->schedule,
                     .from = p->from,
                     .count = p->count,
                     .jobs = p->jobs,
                     .report = report,
                     .ctx = p};
    double start = seconds();
    many_run(&m);
    print_tally(p, &m, seconds() - start);
    int missing = p->cover ? cover_missing(&m.tally.cover, p->count >= CELLS_FROM) : 0;
    bool failed = m.tally.failures > 0 || m.died > 0 || missing > 0;
    many_done(&m);
    return failed ? 1 : 0;
}

/* One schedule as lines to read; with --shrink its shortest form. */
static int replay(struct program *p, uint64_t seed)
{
    struct shrink s = {0};
    struct schedule_result result;
    if (p->shrink) {
        shrink_run(&s, &p->schedule, seed);
        p->schedule.hosts = s.options.hosts;
        p->schedule.only = s.ids;
        p->schedule.only_count = s.ids_count;
    }
    p->schedule.trace = stdout;
    schedule_run(&p->schedule, seed, &result);
    bool failed = result.failure[0] != '\0';
    printf("seed %" PRIu64 "%s%s\n", seed, failed ? " fails: " : " holds",
           result.failure);
    schedule_result_done(&result);
    shrink_done(&s);
    return failed ? 1 : 0;
}

/* --- the command line */

static const char usage[] =
    "usage: schedules [--schedules N | --long] [--jobs N] [--from SEED] [--cover]\n"
    "                 [--shrink] [--hosts N] [--rate PPM] [--mutant NAME] [--lenient]\n"
    "                 [--dump FILE]\n"
    "       schedules --replay SEED [--shrink]\n"
    "       schedules --mutants [--from SEED]\n"
    "--schedules  300 by default\n"
    "--long       a million\n"
    "--jobs       processes (1); the schedules are the same for any number\n"
    "--cover      a fault that never happened is a failure; from 10,000 schedules on,\n"
    "             also one that never met one of the transactions\n"
    "--shrink     the shortest form of each failing schedule\n"
    "--replay     one schedule, line by line\n"
    "--rate       of request faults, per million (drawn by default)\n"
    "--lenient    a grant that does not check the gate is no violation of its own\n"
    "--mutants    plants one bug after the other: each must be seen soon enough\n"
    "Each process reports its first 10 failures. Exit code: 0 when all held.\n";

static bool parse_number(const char *text, int64_t max, int64_t *ret)
{
    return str_to_int64(text, 0, max, ret) == 0;
}

static bool parse_option(struct program *p, int option, const char *text)
{
    int64_t number = 0;
    if (strchr("cfjrhp", option) && !parse_number(text, INT32_MAX, &number))
        return false;
    switch (option) {
    case 'c':
        p->count = (uint64_t)number;
        return true;
    case 'f':
        p->from = (uint64_t)number;
        return true;
    case 'p':
        p->replay = number;
        return true;
    case 'r':
        p->schedule.rate_ppm = (int)number;
        return true;
    case 'h':
        p->schedule.hosts = (int)number;
        return number >= 2 && number <= 60;
    case 'j':
        p->jobs = (int)number;
        return number >= 1 && number <= MANY_JOBS_MAX;
    case 'L':
        p->count = 1000000;
        return true;
    case 'S':
        p->shrink = true;
        return true;
    case 'l':
        p->schedule.lenient = true;
        return true;
    case 'd':
        p->schedule.dump = text;
        return true;
    case 'm':
        return mutant_choose(&p->schedule, text);
    case 'C':
        p->cover = true;
        return true;
    case 'M':
        p->mutants = true;
        return true;
    default:
        return false;
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"schedules", required_argument, NULL, 'c'},
        {"jobs", required_argument, NULL, 'j'},
        {"from", required_argument, NULL, 'f'},
        {"replay", required_argument, NULL, 'p'},
        {"rate", required_argument, NULL, 'r'},
        {"hosts", required_argument, NULL, 'h'},
        {"dump", required_argument, NULL, 'd'},
        {"mutant", required_argument, NULL, 'm'},
        {"cover", no_argument, NULL, 'C'},
        {"long", no_argument, NULL, 'L'},
        {"shrink", no_argument, NULL, 'S'},
        {"lenient", no_argument, NULL, 'l'},
        {"mutants", no_argument, NULL, 'M'},
        {NULL, 0, NULL, 0},
    };
    struct program p = {
        .from = 1, .count = 300, .jobs = 1, .replay = -1, .schedule = {.rate_ppm = -1}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        if (!parse_option(&p, option, optarg)) {
            fputs(usage, stderr);
            return 2;
        }
    }
    if (optind != argc) {
        fputs(usage, stderr);
        return 2;
    }
    if (p.replay >= 0)
        return replay(&p, (uint64_t)p.replay);
    return p.mutants ? mutants_run(p.from) : run_many(&p);
}
