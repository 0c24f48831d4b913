/* installed.h - what we put on this host: <state_dir>/installed.json.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd. Survives rollouts: by it a later probe tells our file from a foreign
 * one, and a file as we left it from one that was changed since.
 *
 * {"v":1,"files":{"/opt/mesosphere/active/cni/calico":
 *                    {"url":"…","fetched":"<sha256>","sha256":"<sha256>",
 *                     "stat":"2049:1234:31457280:1490000000.5"},
 *                 "/etc/docker/daemon.json":{"store":"etcd://127.0.0.1:2379"}}}
 */
#ifndef CLOWDER_AGENTD_INSTALLED_H
#define CLOWDER_AGENTD_INSTALLED_H

#include "shared/base/error.h"

#include <jansson.h>

/* The entry (caller drops it) or NULL; an unreadable register is as good as none. */
json_t *installed_get(const char *state_dir, const char *path);
/* entry NULL removes. Written and fsynced before it returns. */
MUST_CHECK int installed_set(const char *state_dir, const char *path,
                             const json_t *entry, struct error *err);
/* Puts the executable `from` at path, and records it. It is on record before it stands
 * there: whenever this ends, what stands there is known to be ours or as it was. */
MUST_CHECK int installed_place(const char *state_dir, const char *from,
                               const char *path, const char *url, const char *fetched,
                               struct error *err);
/* The file as a probe shows it: shared/model/artifact.h. Its digest is taken anew only
 * where its inode, size or change time is another than recorded. */
MUST_CHECK int installed_look(const char *state_dir, const char *path, json_t **ret,
                              struct error *err);

#endif
