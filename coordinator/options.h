/* options.h - every option of `clowder`, in one table, and what was given.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: coordinator. Parsing, help, the man page and the completion come from the
 * table; which command takes which option stands in the commands' table (command.h).
 */
#ifndef CLOWDER_COORDINATOR_OPTIONS_H
#define CLOWDER_COORDINATOR_OPTIONS_H

#include "shared/base/error.h"
#include "shared/model/strings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum output { OUTPUT_TEXT, OUTPUT_JSON };

struct options {
    /* of every command */
    enum output output;
    const char *zk; /* address; never NULL after options_finish */
    const char *digest_file;
    int64_t timeout_ms;
    bool no_color, help, version;
    /* of some */
    const char *spec_file;
    struct strings sets;  /* "path=value" */
    struct strings hosts; /* host ids */
    /* values for the spec; NULL */
    const char *canary, *wave_size, *max_restarts, *zone_restarts;
    bool yes, watch, all, inventory, follow, force, stop_when_paused, failed;
    bool absent, dry_run, each_zone;
    const char *keep; /* a whole number; NULL */
    int64_t older_than_ms;
    const char *reason;
    int64_t last;
    struct strings arguments; /* what follows the command's name */
};

enum option_type {
    OPTION_FLAG,     /* bool */
    OPTION_TEXT,     /* const char * */
    OPTION_SHARE,    /* const char *: "5" or "10%" */
    OPTION_COUNT,    /* const char *: a whole number, 0 or more */
    OPTION_NUMBER,   /* int64_t, 1 or more */
    OPTION_DURATION, /* int64_t ms: "10s" */
    OPTION_LIST,     /* struct strings: repeated, or separated by commas */
    OPTION_EACH,     /* struct strings: repeated, taken as it is */
    OPTION_OUTPUT,   /* enum output */
};

struct option {
    const char *name;  /* "--spec" */
    const char *value; /* "FILE"; NULL for a flag */
    enum option_type type;
    size_t offset;    /* in struct options */
    const char *help; /* one line */
    const char *env;  /* variable that it falls back to, or NULL */
    bool everywhere;  /* taken by every command */
};
extern const struct option option_table[]; /* ends with name NULL */
const struct option *option_find(const char *name, size_t len);

struct command;
/* Zero-initialised is empty. argv[0] is skipped. The command may stand anywhere; NULL
 * when none was given. -EINVAL: err names the option and says what is right; output and
 * no_color hold even then. */
MUST_CHECK int options_parse(struct options *options, int argc, char *const *argv,
                             const struct command **ret_command, struct error *err);
void options_done(struct options *options);

#endif
