/* archive.h - what each rollout found on this host before it changed it.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd, blocking (small files). One file per rollout, written when a visit of
 * it ends (journal_end), atomically, 0600: <state_dir>/rollouts/<id>.json
 *
 * {"v":1,"rollout":"20261123-203000-1a2b",
 *  "steps":{"cni":{"before":{…},"wrote":"<sha256>"},…}}
 *
 * A rollout that changed nothing here has a file with no steps: a missing file means
 * that the host has no memory of it. Only the last ARCHIVE_KEPT are kept, and older
 * ones that are the last to have changed some step.
 */
#ifndef CLOWDER_AGENTD_ARCHIVE_H
#define CLOWDER_AGENTD_ARCHIVE_H

#include "shared/base/error.h"
#include "shared/model/names.h"

#include <jansson.h>
#include <stdbool.h>

enum { ARCHIVE_KEPT = 16 };

/* steps: memos by name. Of a step that the file has already, the first "before" stays
 * and the rest is taken over: a rollout may visit a host more than once. */
MUST_CHECK int archive_add(const char *state_dir, const char *rollout,
                           const json_t *steps, struct error *err);

/* *ret (caller drops it) is NULL where the rollout did not change the step. -ENOENT: no
 * memory of the rollout. -EBUSY: a later rollout changed the step too (not with force);
 * err names it. */
MUST_CHECK int archive_find(const char *state_dir, const char *rollout,
                            const char *step, bool force, json_t **ret,
                            struct error *err);
/* The step was put back to what it was before that rollout. */
MUST_CHECK int archive_forget(const char *state_dir, const char *rollout,
                              const char *step, struct error *err);

/* From the baseline of a step, made by rollout `since`, to what an uninstall needs:
 * what later rollouts found of things that the first had not touched, and what the last
 * of them wrote. New reference. -EBUSY: one of them put a file of the step elsewhere
 * (not with force, which leaves it there); err names it. */
MUST_CHECK int archive_whole(const char *state_dir, const char *since, const char *step,
                             const json_t *baseline, bool force, json_t **ret,
                             struct error *err);

#endif
