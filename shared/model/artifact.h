/* artifact.h - is a file on a host the one that the spec wants?
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure.
 *
 * A file as a probe sees it:
 * {"path":"/opt/mesosphere/active/cni/calico","mode":"0755","sha256":"<of the file
 * now>", "recorded":{"sha256":"<as we installed it>","url":"…","fetched":"<of the
 * download>"}} or {"path":"…","absent":true}. "recorded" is there only where we
 * installed it.
 */
#ifndef CLOWDER_MODEL_ARTIFACT_H
#define CLOWDER_MODEL_ARTIFACT_H

#include "shared/model/spec.h"

/* Where it comes from: "file://<path>", else the url; NULL when neither is set. Caller
 * frees. */
char *artifact_source(const struct artifact *artifact);

/* With a pinned digest: the file has it, or was unpacked from a download that had it
 * and is as we left it. Without: it is as we left it, and came from the same url. */
bool artifact_in_place(const struct artifact *wanted, const json_t *file);

#endif
