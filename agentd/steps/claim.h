/* claim.h - the memo of a host that has lost its own: what is recognisably ours goes.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd. For an uninstall where the state directory was lost: what was there
 * before us is not known, so nothing was. A unit with our mark, a container with our
 * label, a network file as we would write it, binaries with the pinned digest, and our
 * keys in daemon.json are ours; what cannot be told stays.
 */
#ifndef CLOWDER_AGENTD_CLAIM_H
#define CLOWDER_AGENTD_CLAIM_H

#include "agentd/steps/step.h"

/* Of a step that judge_undo found stale without a memo: sets step->memo. */
MUST_CHECK int step_claim(struct step *step, struct error *err);

#endif
