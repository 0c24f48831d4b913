/* place.h - copy a file of any size to where it belongs, atomically.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd. Blocks; for binaries of some 10 MB.
 */
#ifndef CLOWDER_AGENTD_PLACE_H
#define CLOWDER_AGENTD_PLACE_H

#include "shared/base/fs.h"

/* temp file beside the target (or in stage_dir, same file system) -> fsync -> mode and
 * owner -> rename -> fsync directory. A symlink at `to` is followed. */
MUST_CHECK int place_file(const char *from, const char *to,
                          const struct fs_attributes *attributes, const char *stage_dir,
                          struct error *err);
/* The directory of a path; caller frees. */
char *place_directory(const char *path);

#endif
