/* command.h - the commands of `clowder`: one table, from which all else comes.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: coordinator.
 */
#ifndef CLOWDER_COORDINATOR_COMMAND_H
#define CLOWDER_COORDINATOR_COMMAND_H

#include "shared/base/error.h"
#include "shared/base/str.h"

#include <stdbool.h>

struct cli;

enum exit_code { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3 };

enum { COMMAND_OPTIONS_MAX = 14 };
struct command {
    const char *name;
    const char *arguments; /* "[HOST]" for the usage; "" */
    int min_arguments, max_arguments;
    const char *summary; /* one line */
    const char *details; /* paragraphs; NULL = the summary says it */
    const char *options[COMMAND_OPTIONS_MAX]; /* names, beside those taken everywhere */
    bool wants_reason;  /* asked for on a terminal, refused without elsewhere */
    bool needs_zk;      /* run is called with a session open and the root checked */
    bool may_make_root; /* ... or the root may be missing */
    enum exit_code (*check)(struct cli *cli); /* before the connection, or NULL */
    enum exit_code (*run)(struct cli *cli);
};
extern const struct command command_table[]; /* ends with name NULL */
extern const char command_reason_note[];     /* of those that want a reason */

const struct command *command_find(const char *name);
bool command_takes(const struct command *command, const char *option);
/* Says that there is no such command, and which one it is close to. Returns -EINVAL. */
int command_unknown(const char *name, struct error *err);
/* The command's option that is closest to a mistyped one, or NULL. */
const char *option_guess(const struct command *command, const char *name);

/* Usage of one command, or of all (NULL). width: of the terminal. */
void help_render(const struct command *command, int width, struct strbuf *out);

#endif
