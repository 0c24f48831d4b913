/* unpack.h - one program out of a downloaded archive, by tar.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd. Works in <state_dir>/unpack, which is empty before and after.
 */
#ifndef CLOWDER_AGENTD_UNPACK_H
#define CLOWDER_AGENTD_UNPACK_H

#include "agentd/steps/worker.h"

bool unpack_needed(const char *url); /* .tar.gz, .tgz, .tar, .tar.xz; a query is cut */
/* Extracts what is named `program` in any directory of the archive. */
enum flow_verdict unpack_start(struct worker *w, struct flow *flow, const char *archive,
                               const char *program, struct error *err);
/* The program, once unpacked; caller frees. */
MUST_CHECK int unpack_find(struct worker *w, const char *program, char **ret_path,
                           struct error *err);
MUST_CHECK int unpack_clean(struct worker *w, struct error *err);

#endif
