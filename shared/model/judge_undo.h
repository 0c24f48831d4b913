/* judge_undo.h - what taking a step back would do on a host.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure: by the agent before it acts, and by the plan of an uninstall.
 *
 * memo is what the host keeps of its own past (journal.h, archive.h):
 * {"before":{…},"wrote":"<sha256>"}, per step; NULL = it keeps nothing, or is not asked
 * (the plan). Findings: right = nothing of ours is here; stale = something to put back
 * (always so with a memo); foreign = cannot be told or cannot be done, says why.
 */
#ifndef CLOWDER_MODEL_JUDGE_UNDO_H
#define CLOWDER_MODEL_JUDGE_UNDO_H

#include "shared/model/judge.h"

void judge_undo(enum step_id step, const struct spec *spec, const struct facts *facts,
                const json_t *seen, const json_t *memo, struct judgement *ret);

/* Are the bytes at this probed file (artifact.h) the ones that we left there? */
bool judge_undo_ours(const json_t *file);

#endif
