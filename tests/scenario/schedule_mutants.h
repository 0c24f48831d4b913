/* schedule_mutants.h - bugs that are planted, each to be seen by the checker within a
 * stated number of schedules.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CLOWDER_TESTS_SCENARIO_SCHEDULE_MUTANTS_H
#define CLOWDER_TESTS_SCENARIO_SCHEDULE_MUTANTS_H

#include "tests/scenario/schedule.h"

bool mutant_choose(struct schedule_options *options, const char *name);
/* Plants one after the other. 0 when each was seen within its number of schedules. */
int mutants_run(uint64_t from);

#endif
