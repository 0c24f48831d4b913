/* backup.h - the exact state of a file, to be put back: bytes, mode, owner, absence.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd. The bytes stand in <state_dir>/backup/<sha256>; the rest is an entry
 * in the step's memo:
 * {"path":"/etc/docker/daemon.json","sha256":"…","mode":"0600","uid":0,"gid":0,
 *  "link":"../shared/daemon.json"}       link: only where path is a symlink
 * {"path":"…","absent":true}
 */
#ifndef CLOWDER_AGENTD_BACKUP_H
#define CLOWDER_AGENTD_BACKUP_H

#include "shared/base/error.h"

#include <jansson.h>
#include <stdbool.h>

/* Bytes are on disk before it returns. */
MUST_CHECK int backup_take(const char *state_dir, const char *path, json_t **ret_entry,
                           struct error *err);
/* The entry of a file that is there, but with these bytes (kept, too); text NULL = that
 * it is absent. */
MUST_CHECK int backup_with(const char *state_dir, const char *path, const char *text,
                           json_t **ret_entry, struct error *err);
/* What the entry's file held; nothing where it is absent. Caller frees. */
MUST_CHECK int backup_read(const char *state_dir, const json_t *entry, char **ret_bytes,
                           size_t *ret_len, struct error *err);
/* Is the file now as the entry says? */
MUST_CHECK int backup_matches(const json_t *entry, bool *ret, struct error *err);
/* Would backup_restore refuse it? */
MUST_CHECK int backup_check(const json_t *entry, const char *ours, struct error *err);
/* -ESTALE when the file is neither as the entry says nor as we left it (digest ours;
 * NULL = not looked at): somebody changed it since. stage_dir as in fs.h. */
MUST_CHECK int backup_restore(const char *state_dir, const json_t *entry,
                              const char *ours, const char *stage_dir,
                              struct error *err);

/* Which directories of the path do not exist: array, outermost first. And takes such
 * directories away again where they are empty, innermost first. */
json_t *backup_missing_dirs(const char *path);
void backup_remove_dirs(const json_t *dirs);

#endif
