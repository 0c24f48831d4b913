/* judge_say.h - fills a judgement with its sentence: for the judges only.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure.
 */
#ifndef CLOWDER_MODEL_JUDGE_SAY_H
#define CLOWDER_MODEL_JUDGE_SAY_H

#include "shared/model/judge.h"

void judge_say(struct judgement *ret, enum finding finding, enum disruption disruption,
               const char *fmt, ...) PRINTF_LIKE(4, 5);
/* foreign: somebody else's, or unfit */
void judge_refuse(struct judgement *ret, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A master, or DC/OS with its own Calico: nothing is touched there. True = refused. */
bool judge_unfit_host(const struct facts *facts, struct judgement *ret);

/* Members of seen; "" and 0 where absent. */
const char *seen_text(const json_t *seen, const char *key);
int64_t seen_number(const json_t *seen, const char *key);
bool seen_true(const json_t *seen, const char *key);

#endif
