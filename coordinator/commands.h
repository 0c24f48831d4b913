/* commands.h - what each command does: one file per command.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: coordinator.
 */
#ifndef CLOWDER_COORDINATOR_COMMANDS_H
#define CLOWDER_COORDINATOR_COMMANDS_H

#include "coordinator/cli.h"
#include "coordinator/command.h"

enum exit_code break_check(struct cli *cli);
enum exit_code exclude_check(struct cli *cli);
enum exit_code force_complete_check(struct cli *cli);
enum exit_code gc_check(struct cli *cli);
enum exit_code hosts_check(struct cli *cli);
enum exit_code install_check(struct cli *cli);
enum exit_code promote_check(struct cli *cli);
enum exit_code retry_check(struct cli *cli);
enum exit_code rollback_check(struct cli *cli);
enum exit_code set_limit_check(struct cli *cli);
enum exit_code uninstall_check(struct cli *cli);
enum exit_code why_check(struct cli *cli);

enum exit_code cmd_abort(struct cli *cli);
enum exit_code cmd_break(struct cli *cli);
enum exit_code events_check(struct cli *cli);
enum exit_code cmd_events(struct cli *cli);
enum exit_code cmd_exclude(struct cli *cli);
enum exit_code cmd_force_complete(struct cli *cli);
enum exit_code cmd_gc(struct cli *cli);
enum exit_code cmd_help(struct cli *cli);
enum exit_code cmd_hosts(struct cli *cli);
enum exit_code cmd_init(struct cli *cli);
enum exit_code cmd_install(struct cli *cli);
enum exit_code cmd_leases(struct cli *cli);
enum exit_code cmd_pause(struct cli *cli);
enum exit_code cmd_plan(struct cli *cli);
enum exit_code cmd_promote(struct cli *cli);
enum exit_code cmd_resume(struct cli *cli);
enum exit_code cmd_retry(struct cli *cli);
enum exit_code cmd_rollback(struct cli *cli);
enum exit_code cmd_set_limit(struct cli *cli);
enum exit_code cmd_skip(struct cli *cli);
enum exit_code cmd_status(struct cli *cli);
enum exit_code cmd_uninstall(struct cli *cli);
enum exit_code cmd_version(struct cli *cli);
enum exit_code cmd_watch(struct cli *cli);
enum exit_code cmd_why(struct cli *cli);

#endif
