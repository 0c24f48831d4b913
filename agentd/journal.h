/* journal.h - what this host has begun, on disk before it is done; crash-safe.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd, blocking (small files). One visit at a time. Two files in <state_dir>,
 * both written by fs_write_atomic (temp, fsync, rename, fsync of the directory), 0600:
 *
 * journal.json   the visit under way; absent = none
 * {"v":1,"rollout":"20261123-…","stage":"restart","attempt":1,"token":4294968123,
 *  "boot_id":"…","begun_ms":1795464000000,
 *  "steps":{"cni":{"phase":"applying","memo":{…}}}}
 *
 * baseline.json  what each step found before the FIRST visit that changed it: what an
 * uninstall puts back; no later visit overwrites it
 * {"v":1,"steps":{"cni":{"rollout":"…","token":…,"saved_ms":…,"memo":{…}}}}
 *
 * A file that is there but cannot be read (truncated, nonsense, from a newer program)
 * is never guessed at: the journal is JOURNAL_UNREADABLE, says which file and why, and
 * refuses to begin anything until an operator's order sets it aside
 * (`clowder-agentd --set-journal-aside`).
 */
#ifndef CLOWDER_AGENTD_JOURNAL_H
#define CLOWDER_AGENTD_JOURNAL_H

#include "shared/base/error.h"
#include "shared/model/names.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum journal_state {
    JOURNAL_ABSENT,     /* no visit under way */
    JOURNAL_GOOD,       /* a visit was begun and not ended: finish it */
    JOURNAL_UNREADABLE, /* journal_trouble says which file and what to do */
};

enum journal_phase {
    JOURNAL_OBSERVED, /* nothing changed yet */
    JOURNAL_APPLYING, /* the memo holds what is needed to put things back */
    JOURNAL_PROVED,
    JOURNAL_REVERTING,
    JOURNAL_REVERTED,
    JOURNAL_FAILED,
};
enum { JOURNAL_PHASE_COUNT = JOURNAL_FAILED + 1 };
const char *journal_phase_text(enum journal_phase phase);

struct journal_visit { /* whose work this is */
    char rollout[ROLLOUT_ID_SIZE];
    char stage[NAME_SIZE];
    int attempt;
    int64_t token;    /* 0 = not known yet */
    char boot_id[40]; /* of the boot in which it was begun */
    int64_t begun_ms; /* wall clock */
};

struct journal;

/* Reads both files; state_dir must exist. Fails only where the disk does (-EIO,
 * -EACCES, …): unreadable contents are a state, not an error. */
MUST_CHECK int journal_open(const char *state_dir, struct journal **ret,
                            struct error *err);
void journal_close(struct journal *journal); /* NULL is allowed; changes nothing */

enum journal_state journal_state(const struct journal *journal);
/* "journal /var/lib/clowder/journal.json: …"; "" when readable. */
const char *journal_trouble(const struct journal *journal);
/* Renames the unreadable files to <name>.bad-<wall_ms>, and the journal is ABSENT. */
MUST_CHECK int journal_set_aside(struct journal *journal, int64_t wall_ms,
                                 struct error *err);

/* The visit that is under way; valid while GOOD. */
const struct journal_visit *journal_visit(const struct journal *journal);

/* Starts a visit: the state becomes GOOD with no steps. -EBUSY while another visit is
 * under way (the same rollout and stage: it goes on; attempt, token, boot id and
 * begun_ms are taken over and its steps are kept), -EBADMSG while unreadable. */
MUST_CHECK int journal_begin(struct journal *journal, const struct journal_visit *visit,
                             struct error *err);

/* Records a step's phase and memo (borrowed and copied; an object). Returns 0 only once
 * it is on disk; on failure the journal is as before. The first APPLYING with a memo
 * that is not empty keeps it as the step's baseline, unless there is one. REVERTED of
 * the very visit that made the baseline removes it first: the host is as it was before.
 */
MUST_CHECK int journal_step(struct journal *journal, const char *step,
                            enum journal_phase phase, const json_t *memo,
                            int64_t wall_ms, struct error *err);

/* Of the visit under way: false = the step was not begun in it. memo is borrowed until
 * the next change; either output may be NULL. */
bool journal_step_get(const struct journal *journal, const char *step,
                      enum journal_phase *ret_phase, const json_t **ret_memo);

/* The visit is over, its result recorded elsewhere: what it changed goes to the archive
 * of its rollout (archive.h). ABSENT afterwards; ending when there is none is success.
 */
MUST_CHECK int journal_end(struct journal *journal, struct error *err);

/* What the step found before anything of ours; borrowed; NULL = we never changed it. */
const json_t *journal_baseline(const struct journal *journal, const char *step);
/* The rollout that made the baseline; "" when there is none. */
const char *journal_baseline_rollout(const struct journal *journal, const char *step);
/* After an uninstall proved that the host is as it was. */
MUST_CHECK int journal_baseline_forget(struct journal *journal, const char *step,
                                       struct error *err);

#endif
