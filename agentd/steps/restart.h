/* restart.h - restart a unit exactly once, whatever dies in between.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd.
 *
 * Story: before the act memo[key] says which process is to go:
 * {"restart":{"state":"begun","unit":"docker.service","main_pid":812,
 *             "active_enter_us":81200000}}
 * After a crash restart_settle looks at the unit: another process or another time of
 * entry means that the restart has happened (state "done"); the same means that it has
 * not. A restart done also ends memo.restart_due, in the same write.
 *
 * Order in a table: restart_settle (first of all) ... ask to disrupt, restart_note,
 * restart_clear, restart_act, restart_wait.
 */
#ifndef CLOWDER_AGENTD_RESTART_H
#define CLOWDER_AGENTD_RESTART_H

#include "agentd/steps/worker.h"

enum flow_verdict restart_settle(struct worker *w, struct flow *flow, const char *key,
                                 const char *unit, struct error *err);
enum flow_verdict restart_note(struct worker *w, struct flow *flow, const char *key,
                               const char *unit, struct error *err);
/* reset-failed: three restarts in a minute are systemd's limit for Docker */
enum flow_verdict restart_clear(struct worker *w, struct flow *flow, const char *unit,
                                struct error *err);
enum flow_verdict restart_act(struct worker *w, struct flow *flow, const char *unit,
                              struct error *err);
enum flow_verdict restart_wait(struct worker *w, struct flow *flow, const char *key,
                               const char *unit, struct error *err);

bool restart_begun(const struct step *step, const char *key); /* noted, not settled */
bool restart_done(const struct step *step, const char *key);
/* Is it another process, or another start, than the one noted? */
bool restart_moved(const struct step *step, const char *key,
                   const struct unit_state *state);
bool restart_under_way(const struct unit_state *state); /* "activating" and so on */

#endif
