/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/options.h"

#include "coordinator/command.h"
#include "shared/base/cleanup.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/names.h"
#include "shared/model/zpath.h"

#include <errno.h>
#include <string.h>

#define AT(member) .offset = offsetof(struct options, member)

const struct option option_table[] = {
    {.name = "--zk",
     .value = "ADDRESS",
     .type = OPTION_TEXT,
     AT(zk),
     .env = "CLOWDER_ZK",
     .everywhere = true,
     .help = "ZooKeeper and the root in it: zk://h1:2181,h2:2181/clowder"},
    {.name = "--digest-file",
     .value = "FILE",
     .type = OPTION_TEXT,
     AT(digest_file),
     .env = "CLOWDER_DIGEST_FILE",
     .everywhere = true,
     .help = "holds \"user:password\", where ZooKeeper's ACLs ask for it"},
    {.name = "--output",
     .value = "text|json",
     .type = OPTION_OUTPUT,
     AT(output),
     .everywhere = true,
     .help = "for people (the default) or for programs"},
    {.name = "--timeout",
     .value = "TIME",
     .type = OPTION_DURATION,
     AT(timeout_ms),
     .everywhere = true,
     .help = "how long to try to reach ZooKeeper (default 10s)"},
    {.name = "--no-color",
     .type = OPTION_FLAG,
     AT(no_color),
     .env = "NO_COLOR",
     .everywhere = true,
     .help = "no colours; they are used on a terminal only"},
    {.name = "--help",
     .type = OPTION_FLAG,
     AT(help),
     .everywhere = true,
     .help = "show this help"},
    {.name = "--version",
     .type = OPTION_FLAG,
     AT(version),
     .everywhere = true,
     .help = "show the version"},
    {.name = "--spec",
     .value = "FILE",
     .type = OPTION_TEXT,
     AT(spec_file),
     .help = "the spec, as JSON (\"-\" reads standard input); default: {}"},
    {.name = "--set",
     .value = "KEY=VALUE",
     .type = OPTION_EACH,
     AT(sets),
     .help = "change one key of the spec, such as steps.cni.restart=always"},
    {.name = "--hosts",
     .value = "HOST,...",
     .type = OPTION_LIST,
     AT(hosts),
     .help = "only these hosts (default: all that are fit)"},
    {.name = "--canary",
     .value = "N",
     .type = OPTION_COUNT,
     AT(canary),
     .help = "hosts in the first wave (0: no canary)"},
    {.name = "--wave-size",
     .value = "N|%",
     .type = OPTION_SHARE,
     AT(wave_size),
     .help = "hosts in each later wave"},
    {.name = "--max-restarts",
     .value = "N|%",
     .type = OPTION_SHARE,
     AT(max_restarts),
     .help = "hosts that may be in a restart at the same time (default 1)"},
    {.name = "--zone-restarts",
     .value = "N",
     .type = OPTION_COUNT,
     AT(zone_restarts),
     .help = "of them at most so many in one zone (default: zones are no matter)"},
    {.name = "--each-zone",
     .type = OPTION_FLAG,
     AT(each_zone),
     .help = "the lease's limit of each zone, where the rollout has one"},
    {.name = "--yes",
     .type = OPTION_FLAG,
     AT(yes),
     .help = "do not ask; needed where standard input is no terminal"},
    {.name = "--watch",
     .type = OPTION_FLAG,
     AT(watch),
     .help = "stay and show the rollout until it ends"},
    {.name = "--stop-when-paused",
     .type = OPTION_FLAG,
     AT(stop_when_paused),
     .help = "leave (with code 1) when the rollout is paused"},
    {.name = "--failed",
     .type = OPTION_FLAG,
     AT(failed),
     .help = "every host that has failed"},
    {.name = "--force",
     .type = OPTION_FLAG,
     AT(force),
     .help = "put back what somebody changed since, or what is in use, too"},
    {.name = "--reason",
     .value = "TEXT",
     .type = OPTION_TEXT,
     AT(reason),
     .help = "why; kept in the rollout's events"},
    {.name = "--all",
     .type = OPTION_FLAG,
     AT(all),
     .help = "all of them, however many there are"},
    {.name = "--inventory",
     .type = OPTION_FLAG,
     AT(inventory),
     .help = "what the hosts are, instead of how far they are"},
    {.name = "--last",
     .value = "N",
     .type = OPTION_NUMBER,
     AT(last),
     .help = "only the last N (default 50; --all for all)"},
    {.name = "--dry-run",
     .type = OPTION_FLAG,
     AT(dry_run),
     .help = "show what would go, and remove nothing"},
    {.name = "--keep",
     .value = "N",
     .type = OPTION_COUNT,
     AT(keep),
     .help = "closed rollouts to keep, beside the last one in force (default 10)"},
    {.name = "--absent",
     .type = OPTION_FLAG,
     AT(absent),
     .help = "also inventories of hosts that are not connected and in no kept rollout"},
    {.name = "--older-than",
     .value = "TIME",
     .type = OPTION_DURATION,
     AT(older_than_ms),
     .help = "of --absent: not written for this long (default 30d)"},
    {.name = NULL},
};

const struct option *option_find(const char *name, size_t len)
{
    for (const struct option *o = option_table; o->name; o++)
        if (strlen(o->name) == len && strncmp(o->name, name, len) == 0)
            return o;
    return NULL;
}

static void *field(struct options *options, const struct option *option)
{
    return (char *)options + option->offset;
}

static int bad_value(const struct option *option, const char *value, const char *wants,
                     struct error *err)
{
    return error_set(err, -EINVAL, "%s: \"%s\" is not %s", option->name, value, wants);
}

static bool is_share(const char *value)
{
    size_t len = strlen(value);
    _cleanup_(freep) char *digits = mem_strdup(value);
    bool percent = len > 1 && digits[len - 1] == '%';
    int64_t n;
    if (percent)
        digits[len - 1] = '\0';
    return str_to_int64(digits, percent ? 1 : 0, percent ? 100 : 1000000, &n) == 0;
}

static int add_list(const struct option *option, const char *value,
                    struct strings *list, struct error *err)
{
    if (!value[strspn(value, ",")])
        return error_set(err, -EINVAL, "%s: \"%s\" names nobody: want %s", option->name,
                         value, option->value);
    while (*value) {
        size_t len = strcspn(value, ",");
        if (len > 0) {
            _cleanup_(freep) char *item = mem_strndup(value, len);
            strings_add(list, item);
        }
        value += len + (value[len] == ',');
    }
    return 0;
}

static int take_output(const struct option *option, const char *value, enum output *ret,
                       struct error *err)
{
    if (str_equal(value, "text"))
        *ret = OUTPUT_TEXT;
    else if (str_equal(value, "json"))
        *ret = OUTPUT_JSON;
    else
        return bad_value(option, value, "one of text, json", err);
    return 0;
}

static int take(struct options *options, const struct option *option, const char *value,
                struct error *err)
{
    void *at = field(options, option);
    int64_t n;
    switch (option->type) {
    case OPTION_FLAG:
        *(bool *)at = true;
        return 0;
    case OPTION_TEXT:
        if (!*value)
            return error_set(err, -EINVAL, "%s: a %s is missing", option->name,
                             option->value);
        *(const char **)at = value;
        return 0;
    case OPTION_SHARE:
        if (!is_share(value))
            return bad_value(option, value,
                             "a number of hosts, or a percentage from 1% to 100%", err);
        *(const char **)at = value;
        return 0;
    case OPTION_COUNT:
        if (str_to_int64(value, 0, 1000000, &n) < 0)
            return bad_value(option, value, "a whole number, 0 or more", err);
        *(const char **)at = value;
        return 0;
    case OPTION_NUMBER:
        if (str_to_int64(value, 1, INT32_MAX, (int64_t *)at) < 0)
            return bad_value(option, value, "a whole number, 1 or more", err);
        return 0;
    case OPTION_DURATION:
        if (str_to_duration_ms(value, &n) < 0 || n <= 0)
            return bad_value(option, value, "a time such as 500ms, 10s, 2m or 30d",
                             err);
        *(int64_t *)at = n;
        return 0;
    case OPTION_LIST:
        return add_list(option, value, at, err);
    case OPTION_EACH:
        strings_add(at, value);
        return 0;
    case OPTION_OUTPUT:
        return take_output(option, value, at, err);
    }
    return -EINVAL;
}

static int unknown_option(const struct command *command, const char *arg, size_t len,
                          struct error *err)
{
    _cleanup_(freep) char *name = mem_strndup(arg, len);
    const char *guess = option_guess(command, name);
    if (guess)
        return error_set(err, -EINVAL, "%s: no such option; did you mean %s?", name,
                         guess);
    return error_set(err, -EINVAL, "%s: no such option: see `clowder %s%s`", name,
                     command ? command->name : "help", command ? " --help" : "");
}

/* argv[*at] is an option; a value that stands apart is consumed too. */
static int parse_option(struct options *options, const struct command *command,
                        int argc, char *const *argv, int *at, struct error *err)
{
    const char *arg = argv[*at];
    size_t len = strcspn(arg, "=");
    const char *value = arg[len] == '=' ? arg + len + 1 : NULL;
    if (str_equal(arg, "-h"))
        return options->help = true, 0;
    const struct option *option = option_find(arg, len);
    if (!option)
        return unknown_option(command, arg, len, err);
    if (command && !option->everywhere && !command_takes(command, option->name))
        return error_set(err, -EINVAL,
                         "%s is no option of `clowder %s`: see `clowder "
                         "%s --help`",
                         option->name, command->name, command->name);
    if (!option->value && value)
        return error_set(err, -EINVAL, "%s takes no value, but got \"%s\"",
                         option->name, value);
    if (option->value && !value) {
        if (*at + 1 >= argc)
            return error_set(err, -EINVAL, "%s: its value is missing: %s %s",
                             option->name, option->name, option->value);
        value = argv[++*at];
    }
    return take(options, option, value, err);
}

static bool takes_value_apart(const char *arg)
{
    const struct option *option = option_find(arg, strlen(arg));
    return option && option->value;
}

/* The first word that is no option and no option's value. */
static int find_command(int argc, char *const *argv, const struct command **ret,
                        int *ret_at, struct error *err)
{
    *ret = NULL;
    *ret_at = -1;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-' && argv[i][1]) {
            i += takes_value_apart(argv[i]);
            continue;
        }
        *ret = command_find(argv[i]);
        *ret_at = i;
        return *ret ? 0 : command_unknown(argv[i], err);
    }
    return 0;
}

static int check_arguments(const struct options *options, const struct command *command,
                           struct error *err)
{
    int count = options->arguments.count;
    if (options->help || options->version || !command)
        return 0;
    if (count < command->min_arguments)
        return error_set(err, -EINVAL, "`clowder %s` needs %s", command->name,
                         command->arguments);
    if (count > command->max_arguments)
        return error_set(err, -EINVAL,
                         "`clowder %s` does not know what to do with "
                         "\"%s\"",
                         command->name,
                         options->arguments.items[command->max_arguments]);
    return 0;
}

static int check_values(const struct options *options, struct error *err)
{
    for (int i = 0; i < options->hosts.count; i++)
        if (!host_id_valid(options->hosts.items[i]))
            return error_set(err, -EINVAL, "--hosts: \"%s\" %s",
                             options->hosts.items[i],
                             host_id_check(options->hosts.items[i]));
    for (int i = 0; i < options->sets.count; i++)
        if (!strchr(options->sets.items[i], '=') || options->sets.items[i][0] == '=')
            return error_set(err, -EINVAL,
                             "--set: \"%s\" is not KEY=VALUE, such as "
                             "steps.cni.restart=always",
                             options->sets.items[i]);
    if (options->reason && strlen(options->reason) >= REASON_SIZE)
        return error_set(err, -EINVAL, "--reason is longer than %d bytes",
                         REASON_SIZE - 1);
    return 0;
}

/* What was not given comes from the environment, else from the defaults. */
static int fill_in(struct options *options, struct error *err)
{
    for (const struct option *o = option_table; o->name; o++) {
        const char *value = o->env ? getenv(o->env) : NULL;
        if (!value || !*value)
            continue;
        bool given = o->type == OPTION_TEXT && *(const char **)field(options, o);
        int rc = given ? 0 : take(options, o, value, err);
        if (rc < 0)
            return error_context(err, rc, "environment variable %s", o->env);
    }
    if (!options->zk)
        options->zk = ZK_ADDRESS_DEFAULT;
    if (!options->timeout_ms)
        options->timeout_ms = 10000;
    return 0;
}

/* How a mistake is to be told must be known before the first one is found. */
static void take_presentation(struct options *options, int argc, char *const *argv)
{
    const char *no_color = getenv("NO_COLOR");
    options->no_color = no_color && *no_color;
    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : "";
        if (str_equal(argv[i], "--no-color"))
            options->no_color = true;
        if (str_equal(argv[i], "--output=json") ||
            (str_equal(argv[i], "--output") && str_equal(next, "json")))
            options->output = OUTPUT_JSON;
    }
}

int options_parse(struct options *options, int argc, char *const *argv,
                  const struct command **ret_command, struct error *err)
{
    take_presentation(options, argc, argv);
    const struct command *command;
    int command_at;
    bool only_arguments = false;
    int rc = find_command(argc, argv, &command, &command_at, err);
    for (int i = 1; rc == 0 && i < argc; i++) {
        if (i == command_at)
            continue;
        if (!only_arguments && str_equal(argv[i], "--"))
            only_arguments = true;
        else if (!only_arguments && argv[i][0] == '-' && argv[i][1])
            rc = parse_option(options, command, argc, argv, &i, err);
        else
            strings_add(&options->arguments, argv[i]);
    }
    if (rc == 0)
        rc = check_arguments(options, command, err);
    if (rc == 0)
        rc = check_values(options, err);
    if (rc == 0)
        rc = fill_in(options, err);
    if (rc == 0)
        *ret_command = command;
    return rc;
}

void options_done(struct options *options)
{
    strings_done(&options->sets);
    strings_done(&options->hosts);
    strings_done(&options->arguments);
    *options = (struct options){0};
}
