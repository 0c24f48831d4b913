/* fs.h - files that survive a crash: whole reads, atomic writes, mode and owner kept.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: base. All calls block; they are for small files (config, journal, backups).
 */
#ifndef CLOWDER_BASE_FS_H
#define CLOWDER_BASE_FS_H

#include "shared/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Reads a regular file of at most max_bytes; the copy is terminated with a NUL that is
 * not counted. -ENOENT when absent, -EFBIG when larger. Caller frees. */
MUST_CHECK int fs_read(const char *path, size_t max_bytes, char **ret_bytes,
                       size_t *ret_len, struct error *err);

struct fs_attributes {
    mode_t mode; /* permission bits */
    uid_t uid;
    gid_t gid;
};

/* That temp file by itself: new, empty, 0600, for one writer. dir NULL: the target's.
 * Returns the descriptor; *ret_path is the caller's to free. */
MUST_CHECK int fs_temp_open(const char *dir, const char *target, char **ret_path,
                            struct error *err);

/* temp file -> write -> fsync -> mode, owner -> rename -> fsync directory. The temp
 * file stands in stage_dir (NULL: the target's own directory) which must be on the same
 * file system; it is ".clowder-<target's name>", so that what a crash left is replaced
 * by the next try. A symlink at path is followed and its target replaced. attributes
 * NULL: keep those of the file that is there, else 0644. */
MUST_CHECK int fs_write_atomic(const char *path, const void *bytes, size_t len,
                               const struct fs_attributes *attributes,
                               const char *stage_dir, struct error *err);

MUST_CHECK int fs_remove(const char *path,
                         struct error *err); /* absent is success; fsyncs directory */
MUST_CHECK int fs_rename(const char *from, const char *to,
                         struct error *err); /* one file system; fsyncs directory */
MUST_CHECK int fs_mkdirs(const char *path, mode_t mode, struct error *err);
MUST_CHECK int fs_remove_tree(const char *path,
                              struct error *err); /* absent is success */
/* The file at path is this process's, until it ends or closes *ret_fd: made when
 * absent, never removed. -EBUSY while another process has it: err names its pid.
 * Children do not inherit the lock. */
MUST_CHECK int fs_lock(const char *path, int *ret_fd, struct error *err);
bool fs_exists(const char *path);
MUST_CHECK int fs_attributes_get(const char *path, struct fs_attributes *ret,
                                 struct error *err);

#endif
