/* failure.h - one host's failure, with what decides whether it closes the gate.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure. Three budgets, each a number of failures that do not yet pause:
 *
 *   max_failed              of all hosts       resolved once, stands in the gate
 *   max_failed_wave         of its wave        a share of the wave's size
 *   max_failed_consecutive  in a row
 *
 * All counts live in the gate, so the failure that exceeds a budget pauses in its own
 * transaction (fail.h, lost.h). A completed visit does not write the gate - every
 * release of 5,000 hosts would contend with every grant's check of it - so "in a row"
 * is told by the arrivals at the barrier of the stage: a failing host reads how many
 * there are, just before its transaction, and the gate remembers how many there were
 * after the last failure. The same number, in the same stage of the same wave: nobody
 * has finished in between, and the streak goes on. Any other: it begins anew. So a
 * visit that completes while a failure is being written counts as after it; a host that
 * an operator excludes ends a streak as well; and one that is retried with success does
 * not (its arrival existed already). Nor does one that repairs itself (drift.h): so a
 * repair that fails is part of no streak either, and counts in the other two.
 */
#ifndef CLOWDER_MODEL_FAILURE_H
#define CLOWDER_MODEL_FAILURE_H

#include "shared/model/manifest.h"
#include "shared/model/record.h"

struct failure {
    const char *host, *why;
    int64_t at_ms;
    int wave, stage;       /* indices; wave -1 = of a late host, counted overall only */
    const char *wave_name; /* "" */
    int wave_budget;       /* -1 = no limit of its own */
    int streak_budget;     /* 0 = no limit of its own: arrived need not be read */
    int arrived;           /* at its barrier */
    bool arrives;          /* its own arrival is new there */
};

/* record: the failing host's, as it was while it held its permit. arrived and arrives
 * are the caller's to fill in where streak_budget is not 0. Borrows all three. */
struct failure failure_of(const struct manifest *manifest, const struct record *record,
                          const char *host, const char *why, int64_t at_ms);

#endif
