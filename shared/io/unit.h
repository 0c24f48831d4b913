/* unit.h - systemd units by systemctl: observed state and the few acts that we need.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: io. Only what systemd 219 knows (DOMAIN.md B): `systemctl show -p
 * LoadState,ActiveState,SubState,MainPID,ActiveEnterTimestampMonotonic,UnitFileState`.
 *
 * Errors: -ENOENT without systemctl, -ETIMEDOUT, -EIO where it failed; -ESHUTDOWN where
 * it failed and systemctl is-system-running says that the host is going down, or says
 * nothing (systemd cancels what it was asked, and goes before its clients do).
 */
#ifndef CLOWDER_IO_UNIT_H
#define CLOWDER_IO_UNIT_H

#include "shared/base/error.h"
#include "shared/io/event_loop.h"

#include <stdbool.h>
#include <stdint.h>

struct unit_state {
    bool loaded;             /* LoadState=loaded */
    char active[24];         /* "active", "inactive", "failed", "activating", ... */
    char sub[24];            /* "running", "dead", ... */
    char file_state[24];     /* "enabled", "disabled", "static", "" */
    int64_t main_pid;        /* 0 = none */
    int64_t active_enter_us; /* ActiveEnterTimestampMonotonic */
};

struct unit_call;
typedef void (*unit_state_f)(void *ctx, const struct unit_state *state,
                             const struct error *err); /* err->code 0 = state is good */
typedef void (*unit_act_f)(void *ctx, const struct error *err);

MUST_CHECK int unit_show(struct event_loop *el, const char *unit, unit_state_f done,
                         void *ctx, struct unit_call **ret, struct error *err);
/* verb: "restart", "start", "stop", "reload", "enable", "disable", "reset-failed",
 * "daemon-reload" (unit NULL), "mask"... timeout kills systemctl, not the job. */
MUST_CHECK int unit_act(struct event_loop *el, const char *verb, const char *unit,
                        int64_t timeout_ms, unit_act_f done, void *ctx,
                        struct unit_call **ret, struct error *err);
void unit_cancel(struct unit_call *call); /* NULL is allowed */

#endif
