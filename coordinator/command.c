/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/command.h"

#include "coordinator/commands.h"
#include "coordinator/options.h"
#include "coordinator/prepare.h"
#include "shared/base/spelling.h"

#include <errno.h>
#include <string.h>

#define SPEC_OPTIONS                                                                   \
    "--spec", "--set", "--hosts", "--canary", "--wave-size", "--max-restarts",         \
        "--zone-restarts"

enum { ARGUMENTS_MAX = 100000 };

const struct command command_table[] = {
    {.name = "init",
     .arguments = "",
     .summary = "make the root in ZooKeeper, once per cluster",
     .details = "Creates the root of --zk and what stands below it. With --digest-file "
                "everything there can be read and changed by its owner only. Where the "
                "root exists nothing is changed.",
     .needs_zk = true,
     .may_make_root = true,
     .run = cmd_init},
    {.name = "plan",
     .arguments = "",
     .summary = "show what an install would do, and change nothing",
     .details =
         "Judges what every host's agentd last saw by the rules that the agents "
         "use: which hosts, in which waves, what each would change, which "
         "restarts are really needed, and which hosts are left out and why. Waits at "
         "most 30 s for hosts whose agentd has just begun.",
     .options = {SPEC_OPTIONS, "--all"},
     .needs_zk = true,
     .check = prepare_spec,
     .run = cmd_plan},
    {.name = "install",
     .arguments = "",
     .summary = "begin a rolling install",
     .details = "Shows the plan's summary and asks, then writes the rollout. From then "
                "on the hosts carry it through by themselves: this program may end at "
                "any moment. One rollout is in force at a time.",
     .options = {SPEC_OPTIONS, "--yes", "--watch", "--stop-when-paused", "--reason"},
     .needs_zk = true,
     .check = install_check,
     .run = cmd_install},
    {.name = "uninstall",
     .arguments = "",
     .summary = "take everything away again, host by host",
     .details =
         "A rollout like an install, with the same waves, leases, budget and proofs: "
         "each host goes back to what it was before the first rollout, the last step "
         "first. The spec is that of the last rollout, changed by --set, or --spec. A "
         "host with containers on Calico networks is left out, and a file that "
         "somebody changed since fails its host, unless --force is given.",
     .options = {SPEC_OPTIONS, "--force", "--yes", "--watch", "--stop-when-paused",
                 "--reason"},
     .needs_zk = true,
     .check = uninstall_check,
     .run = cmd_uninstall},
    {.name = "rollback",
     .arguments = "[ROLLOUT]",
     .max_arguments = 1,
     .summary = "put hosts back to what they had before a rollout",
     .details =
         "Of a finished or paused install: the one that is named, else the last "
         "rollout, which must be one then. Each host that it has visited goes back, by "
         "its own memory of it, under the same leases and proofs. A paused rollout is "
         "aborted first. A file that somebody changed since fails its host, unless "
         "--force is given.",
     .options = {"--set", "--hosts", "--canary", "--wave-size", "--max-restarts",
                 "--zone-restarts", "--force", "--yes", "--watch", "--stop-when-paused",
                 "--reason"},
     .needs_zk = true,
     .check = rollback_check,
     .run = cmd_rollback},
    {.name = "status",
     .arguments = "",
     .summary = "show where the rollout stands",
     .needs_zk = true,
     .run = cmd_status},
    {.name = "watch",
     .arguments = "",
     .summary = "follow the rollout until it ends",
     .details = "On a terminal a live picture, elsewhere one line per event. Ends with "
                "the rollout: code 0 when every host is done, else 1. Leaving it "
                "(Ctrl-C) changes nothing.",
     .options = {"--stop-when-paused"},
     .needs_zk = true,
     .run = cmd_watch},
    {.name = "pause",
     .arguments = "",
     .summary = "let no further host begin; those in flight finish their visit",
     .options = {"--reason"},
     .needs_zk = true,
     .run = cmd_pause},
    {.name = "resume",
     .arguments = "",
     .summary = "go on after a pause",
     .options = {"--reason"},
     .needs_zk = true,
     .run = cmd_resume},
    {.name = "abort",
     .arguments = "",
     .summary = "end the rollout; hosts in flight finish their visit",
     .details = "What hosts have done stays done. The rollout is closed as soon as no "
                "host holds a permit.",
     .options = {"--yes", "--reason"},
     .wants_reason = true,
     .needs_zk = true,
     .run = cmd_abort},
    {.name = "set-limit",
     .arguments = "LEASE N",
     .min_arguments = 2,
     .max_arguments = 2,
     .summary = "change how many hosts a lease lets in at a time",
     .details = "A lower limit takes nothing from those who hold a permit: it holds as "
                "soon as enough of them are done. Where the rollout limits a lease per "
                "zone, LEASE.ZONE gives one zone a limit of its own, and --each-zone "
                "changes that of all others.",
     .options = {"--each-zone", "--reason"},
     .wants_reason = true,
     .needs_zk = true,
     .check = set_limit_check,
     .run = cmd_set_limit},
    {.name = "promote",
     .arguments = "WAVE",
     .min_arguments = 1,
     .max_arguments = 1,
     .summary = "let the wave after this one begin (waves.promote: manual)",
     .options = {"--reason"},
     .needs_zk = true,
     .check = promote_check,
     .run = cmd_promote},
    {.name = "retry",
     .arguments = "HOST...|--failed",
     .max_arguments = ARGUMENTS_MAX,
     .summary = "let failed hosts try again",
     .details =
         "A host that was put back and proved healthy queues again. One that was "
         "not keeps its permit, and tries again under it, also while the rollout "
         "is paused.",
     .options = {"--failed", "--reason"},
     .needs_zk = true,
     .check = retry_check,
     .run = cmd_retry},
    {.name = "exclude",
     .arguments = "HOST...",
     .min_arguments = 1,
     .max_arguments = ARGUMENTS_MAX,
     .summary = "leave hosts out for the rest of this rollout",
     .details = "For hosts that hold no permit: nobody waits for them any more. What "
                "they have done stays done. They can take part in the next rollout.",
     .options = {"--reason"},
     .wants_reason = true,
     .needs_zk = true,
     .check = exclude_check,
     .run = cmd_exclude},
    {.name = "skip",
     .arguments = "HOST...",
     .min_arguments = 1,
     .max_arguments = ARGUMENTS_MAX,
     .summary = "the same as exclude",
     .options = {"--reason"},
     .wants_reason = true,
     .needs_zk = true,
     .check = exclude_check,
     .run = cmd_skip},
    {.name = "break",
     .arguments = "HOST",
     .min_arguments = 1,
     .max_arguments = 1,
     .summary = "give up a host that holds a permit: frees it and leaves the host out",
     .details = "Says what is put at risk and wants the host's name typed (or --yes): "
                "the host may be in the middle of a restart when the next one begins.",
     .options = {"--yes", "--reason"},
     .wants_reason = true,
     .needs_zk = true,
     .check = break_check,
     .run = cmd_break},
    {.name = "force-complete",
     .arguments = "HOST STEP",
     .min_arguments = 2,
     .max_arguments = 2,
     .summary = "declare a failed host's step complete, and let the host go on",
     .details = "The step is neither looked at nor done there; who said so is kept in "
                "the host's record. The rest is as with retry.",
     .options = {"--reason"},
     .wants_reason = true,
     .needs_zk = true,
     .check = force_complete_check,
     .run = cmd_force_complete},
    {.name = "hosts",
     .arguments = "[HOST]",
     .max_arguments = 1,
     .summary = "show every host's state, or one host in full",
     .options = {"--inventory"},
     .needs_zk = true,
     .check = hosts_check,
     .run = cmd_hosts},
    {.name = "why",
     .arguments = "HOST",
     .min_arguments = 1,
     .max_arguments = 1,
     .summary = "explain what a host does or waits for, and who could change it",
     .details = "Follows the causes to their end: the lease and who holds it, the wave "
                "and which of its hosts are missing, the gate and who closed it, time "
                "windows, failures; and says with which commands that could be "
                "changed. Changes nothing.",
     .needs_zk = true,
     .check = why_check,
     .run = cmd_why},
    {.name = "leases",
     .arguments = "",
     .summary = "show who holds a permit of which lease, and since when",
     .needs_zk = true,
     .run = cmd_leases},
    {.name = "events",
     .arguments = "[ROLLOUT]",
     .max_arguments = 1,
     .summary = "show who did what to the rollout, when and why",
     .details =
         "Of the one that is named, as long as gc has left it there, else of the "
         "last one. `clowder gc --dry-run` names them all.",
     .options = {"--last", "--all"},
     .needs_zk = true,
     .check = events_check,
     .run = cmd_events},
    {.name = "gc",
     .arguments = "",
     .summary = "remove what old rollouts left in ZooKeeper",
     .details =
         "Removes closed rollouts but the newest ones, what an install that died "
         "while writing left (once it is an hour old), and what an interrupted gc "
         "left; with --absent also the inventories of hosts that are gone. Never "
         "the rollout that was in force last, nor one that is not closed. A "
         "rollout that was removed cannot be rolled back any more. It may be "
         "interrupted, and run again.",
     .options = {"--keep", "--absent", "--older-than", "--dry-run", "--yes"},
     .needs_zk = true,
     .check = gc_check,
     .run = cmd_gc},
    {.name = "version",
     .arguments = "",
     .summary = "show the version",
     .run = cmd_version},
    {.name = "help",
     .arguments = "[COMMAND]",
     .max_arguments = 1,
     .summary = "show this help, or one command's",
     .run = cmd_help},
    {.name = NULL},
};

const char command_reason_note[] =
    "The reason goes into the rollout's events. Where --reason is not given it is "
    "asked "
    "for on a terminal; elsewhere the command is refused.";

const struct command *command_find(const char *name)
{
    for (const struct command *c = command_table; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

bool command_takes(const struct command *command, const char *option)
{
    for (int i = 0; i < COMMAND_OPTIONS_MAX && command->options[i]; i++)
        if (strcmp(command->options[i], option) == 0)
            return true;
    return false;
}

static void consider(const char *given, const char *name, const char **best, int *least)
{
    int d = spelling_distance(given, name);
    if (d < *least) {
        *least = d;
        *best = name;
    }
}

static const char *command_guess(const char *name)
{
    const char *best = NULL;
    int least = strlen(name) < 3 ? (int)strlen(name) : 3; /* "ls" is far from "gc" */
    for (const struct command *c = command_table; c->name; c++)
        consider(name, c->name, &best, &least);
    return best;
}

int command_unknown(const char *name, struct error *err)
{
    const char *guess = command_guess(name);
    return error_set(err, -EINVAL, "\"%s\" is no command: %s%s%ssee `clowder help`",
                     name, guess ? "did you mean " : "", guess ? guess : "",
                     guess ? "? Else " : "");
}

const char *option_guess(const struct command *command, const char *name)
{
    const char *best = NULL;
    int least = strlen(name) > 6 ? 4 : 2;
    for (const struct option *o = option_table; o->name; o++)
        if (!command || o->everywhere || command_takes(command, o->name))
            consider(name, o->name, &best, &least);
    return best;
}
