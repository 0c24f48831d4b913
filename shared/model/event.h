/* event.h - who did what to a rollout, when and why: /rollouts/<id>/events/e-%010d.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure. Sequential znodes, never changed: the rollout's audit trail.
 *
 * {"v":1,"who":"ops@laptop","what":"pause","why":"night","at_ms":1795464000000}
 */
#ifndef CLOWDER_MODEL_EVENT_H
#define CLOWDER_MODEL_EVENT_H

#include "shared/base/error.h"
#include "shared/model/names.h"

#include <stddef.h>
#include <stdint.h>

enum { EVENT_WHAT_SIZE = 161 };
struct event {
    char who[WHO_SIZE]; /* "user@machine", or a host's id */
    char what[EVENT_WHAT_SIZE];
    char why[REASON_SIZE]; /* may be "" */
    int64_t at_ms;         /* the writer's wall clock */
};

MUST_CHECK int event_decode(const char *bytes, size_t len, struct event *ret,
                            struct error *err);
char *event_encode(const struct event *event); /* caller frees */

#endif
