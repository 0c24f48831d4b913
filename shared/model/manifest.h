/* manifest.h - /rollouts/<id>/spec and /rollouts/<id>/waves/<n>: the immutable plan.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure. The manifest carries each wave's size but no member: nothing that
 * an agent reads grows with the number of hosts.
 *
 * spec:    {"v":1,"id":"20261123-203000-1a2b","by":"ops@laptop","why":"",
 *           "created_ms":1795464000000,"digest":"<sha256 of the text of spec>",
 *           "hosts":120,"waves":[{"name":"canary","size":1},…],"kind":"install",
 *           "of":"","force":false,"spec":{…}}
 * waves/n: {"v":1,"name":"canary","hosts":["10.0.0.5",…]}
 */
#ifndef CLOWDER_MODEL_MANIFEST_H
#define CLOWDER_MODEL_MANIFEST_H

#include "shared/model/spec.h"

enum rollout_kind {
    ROLLOUT_INSTALL,
    ROLLOUT_UNINSTALL, /* each host to what it was before the first rollout */
    ROLLOUT_ROLLBACK,  /* each host to what it was before rollout `of` */
};
const char *rollout_kind_text(enum rollout_kind kind); /* "install", ... */

enum { WAVES_MAX = 128 };
struct wave_entry {
    char name[NAME_SIZE];
    int size; /* N of its barriers: fixed */
};
struct manifest {
    char id[ROLLOUT_ID_SIZE];
    char by[WHO_SIZE];
    char why[REASON_SIZE];
    int64_t created_ms;
    char digest[65];
    enum rollout_kind kind;
    char of[ROLLOUT_ID_SIZE]; /* of a rollback; else "" */
    bool force; /* what was changed since, or is in use, is put back all the same */
    int hosts;  /* members of all waves */
    struct wave_entry waves[WAVES_MAX];
    int waves_count;
    struct spec *spec; /* owned */
};
/* Takes away, instead of putting there. Its spec is that of the install, turned: the
 * stages and the steps of each stand in reverse, and no late host is adopted. */
bool manifest_undoes(const struct manifest *manifest);
/* A barrier that the operator opens, and nobody else: the last one of a wave that
 * others follow, where the spec says waves.promote: manual. */
bool manifest_manual(const struct manifest *manifest, int wave, int stage);
/* Turns the spec; decoding does it by itself. */
void manifest_turn(struct manifest *manifest);

/* Of the spec's stored document, in compact text: what the manifest's digest must be.
 */
void spec_digest(const struct spec *spec, char ret[65]);

/* Refuses a digest that is not the spec's, and waves that do not make up hosts. */
MUST_CHECK int manifest_decode(const char *bytes, size_t len, struct manifest **ret,
                               struct error *err);
/* The digest is computed here, whatever stands in the field. Caller frees. */
char *manifest_encode(const struct manifest *manifest);
void manifest_free(struct manifest *manifest);

struct wave {
    char name[NAME_SIZE];
    struct strings hosts;
    struct strings zones; /* of a draft's hosts, in their order; each goes into its
                           * host's record, not into the wave */
};
MUST_CHECK int wave_decode(const char *bytes, size_t len, struct wave *ret,
                           struct error *err);
char *wave_encode(const struct wave *wave); /* caller frees */
void wave_done(struct wave *wave);

#endif
