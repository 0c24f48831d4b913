/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/scenario/schedule_mutants.h"

#include "shared/base/str.h"

#include <inttypes.h>
#include <string.h>

/* within: schedules, some three times as many as it took when the row was written.
 *
 * Not planted, since another operation of the same multi guards what they break, too: a
 * grant over whatever the record is (its ticket is gone), a release, a lost holder's
 * mark or a break (the permit's name is gone, or the arrival exists). */
static const struct planted {
    const char *name;
    enum mutant mutant;
    bool no_ask, journal_after_act, hasty; /* mutants of the visitor */
    bool no_zone;                          /* and of the runner */
    bool strict; /* the missing check is what it breaks: nothing else would show it */
    enum txn_kind txn; /* with: what each schedule aims at; else as it draws */
    enum blow blow;
    uint64_t within;
} planted[] = {
    {.name = "no-ask", .no_ask = true, .strict = true, .within = 10},
    {.name = "journal-after-act", .journal_after_act = true, .within = 100},
    {.name = "no-zone", .no_zone = true, .within = 10},
    {.name = "no-gate-check", .mutant = MUTANT_NO_GATE_CHECK, .within = 1000},
    {.name = "stale-gate", .mutant = MUTANT_STALE_GATE, .within = 1000},
    {.name = "shared-permits", .mutant = MUTANT_SHARED_PERMITS, .within = 10},
    {.name = "one-more", .mutant = MUTANT_ONE_MORE, .within = 10},
    {.name = "ephemeral-permits", .mutant = MUTANT_EPHEMERAL_PERMITS, .within = 100},
    {.name = "permit-guard",
     .mutant = MUTANT_PERMIT_GUARD,
     .txn = TXN_RELEASE,
     .blow = BLOW_LATE,
     .within = 200},
    {.name = "uncounted-failure", .mutant = MUTANT_UNCOUNTED_FAILURE, .within = 10},
    {.name = "early-barrier", .mutant = MUTANT_EARLY_BARRIER, .within = 10},
    {.name = "lost-frees", .mutant = MUTANT_LOST_FREES, .within = 100},
    {.name = "blind-close", .mutant = MUTANT_BLIND_CLOSE, .within = 1000},
    {.name = "stale-leave",
     .mutant = MUTANT_STALE_LEAVE,
     .strict = true,
     .within = 1000},
    {.name = "unguarded-progress", .mutant = MUTANT_UNGUARDED_PROGRESS, .within = 1000},
    {.name = "hasty", .hasty = true, .within = 10},
    {.name = "unguarded-failure",
     .mutant = MUTANT_UNGUARDED_FAILURE,
     .txn = TXN_FAIL,
     .blow = BLOW_SLOW,
     .within = 300},
    {.name = "uncounted-retry", .mutant = MUTANT_UNCOUNTED_RETRY, .within = 100},
    {.name = "forgotten-failure", .mutant = MUTANT_FORGOTTEN_FAILURE, .within = 10},
    {.name = "silent-release", .mutant = MUTANT_SILENT_RELEASE, .within = 10},
    {.name = "hoarding-release", .mutant = MUTANT_HOARDING_RELEASE, .within = 10},
    {.name = "hoarding-break", .mutant = MUTANT_HOARDING_BREAK, .within = 100},
    {.name = "early-start", .mutant = MUTANT_EARLY_START, .within = 10},
    {.name = "blind-adoption",
     .mutant = MUTANT_BLIND_ADOPTION,
     .txn = TXN_ADOPT,
     .blow = BLOW_GATE_MOVES,
     .within = 300},
};
enum { PLANTED = sizeof(planted) / sizeof(planted[0]) };

static struct schedule_options options_of(const struct planted *p)
{
    return (struct schedule_options){.rate_ppm = -1,
                                     .mutant = p->mutant,
                                     .no_ask = p->no_ask,
                                     .no_zone = p->no_zone,
                                     .journal_after_act = p->journal_after_act,
                                     .hasty = p->hasty,
                                     .lenient = !p->strict,
                                     .aim_txn = p->txn,
                                     .aim_blow = p->blow};
}

bool mutant_choose(struct schedule_options *o, const char *name)
{
    for (int i = 0; i < PLANTED; i++) {
        if (!str_equal(name, planted[i].name))
            continue;
        struct schedule_options options = options_of(&planted[i]);
        o->mutant = options.mutant;
        o->no_ask = options.no_ask;
        o->no_zone = options.no_zone;
        o->journal_after_act = options.journal_after_act;
        o->hasty = options.hasty;
        return true;
    }
    return false;
}

static bool is_seen(const struct planted *p, uint64_t from)
{
    struct schedule_options options = options_of(p);
    for (uint64_t seed = from; seed < from + p->within; seed++) {
        struct schedule_result result;
        schedule_run(&options, seed, &result);
        bool seen = result.failure[0] != '\0';
        if (seen)
            printf("mutant %-22s seen in schedule %4" PRIu64 " of %4" PRIu64 ": %.*s\n",
                   p->name, seed - from + 1, p->within,
                   (int)strcspn(result.failure, "\n"), result.failure);
        schedule_result_done(&result);
        if (seen)
            return true;
    }
    printf("mutant %-22s NOT SEEN in %" PRIu64 " schedules\n", p->name, p->within);
    return false;
}

int mutants_run(uint64_t from)
{
    int seen = 0;
    for (int i = 0; i < PLANTED; i++) {
        seen += is_seen(&planted[i], from);
        (void)fflush(stdout);
    }
    printf("%d passed, %d failed, 0 skipped\n", seen, PLANTED - seen);
    return seen == PLANTED ? 0 : 1;
}
