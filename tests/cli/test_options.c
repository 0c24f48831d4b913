/* test_options.c - the command line: what is taken, and what a mistake is told.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "coordinator/command.h"
#include "coordinator/options.h"
#include "shared/base/str.h"
#include "shared/model/zpath.h"
#include "tests/unit/cmocka_all.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct parsed {
    struct options options;
    const struct command *command;
    struct error err;
    int rc;
};

static struct parsed parse(const char *line)
{
    static char copy[512];
    static char name[] = "clowder";
    char *argv[32] = {name};
    int argc = 1;
    struct parsed p = {0};
    (void)STR_COPY(copy, line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    p.rc = options_parse(&p.options, argc, argv, &p.command, &p.err);
    return p;
}

static void assert_taken(const struct parsed *p)
{
    if (p->rc < 0)
        fail_msg("%s", p->err.text);
}

static void assert_refused(const char *line, const char *names, const char *fix)
{
    struct parsed p = parse(line);
    if (p.rc != -EINVAL)
        fail_msg("\"%s\" was taken", line);
    if (!strstr(p.err.text, names) || !strstr(p.err.text, fix))
        fail_msg("\"%s\": %s", line, p.err.text);
    options_done(&p.options);
}

static void an_install_with_everything(void **state)
{
    struct parsed p =
        parse("install --spec s.json --set a.b=1 --set c=d,e --hosts h1,h2 "
              "--hosts h3 --canary 0 --wave-size 25% --max-restarts=2 "
              "--yes --watch --reason because");

    assert_taken(&p);
    assert_string_equal(p.command->name, "install");
    assert_string_equal(p.options.spec_file, "s.json");
    assert_int_equal(p.options.sets.count, 2);
    assert_string_equal(p.options.sets.items[1], "c=d,e");
    assert_int_equal(p.options.hosts.count, 3);
    assert_string_equal(p.options.canary, "0");
    assert_string_equal(p.options.wave_size, "25%");
    assert_string_equal(p.options.max_restarts, "2");
    assert_true(p.options.yes && p.options.watch);
    assert_string_equal(p.options.reason, "because");
    options_done(&p.options);
}

static void options_stand_before_or_after_the_command(void **state)
{
    struct parsed p = parse("--output json --zk h1:2181/x status --timeout 500ms");

    assert_taken(&p);
    assert_string_equal(p.command->name, "status");
    assert_int_equal(p.options.output, OUTPUT_JSON);
    assert_string_equal(p.options.zk, "h1:2181/x");
    assert_int_equal(p.options.timeout_ms, 500);
    options_done(&p.options);
}

static void the_defaults(void **state)
{
    struct parsed p = parse("status");

    assert_taken(&p);
    assert_string_equal(p.options.zk, ZK_ADDRESS_DEFAULT);
    assert_int_equal(p.options.timeout_ms, 10000);
    assert_int_equal(p.options.output, OUTPUT_TEXT);
    assert_false(p.options.no_color);
    options_done(&p.options);
}

static void the_environment_fills_in_what_was_not_given(void **state)
{
    (void)setenv("CLOWDER_ZK", "env:1", 1);
    (void)setenv("NO_COLOR", "1", 1);
    struct parsed from_env = parse("status");
    struct parsed given = parse("status --zk line:2");
    (void)unsetenv("CLOWDER_ZK");
    (void)unsetenv("NO_COLOR");

    assert_string_equal(from_env.options.zk, "env:1");
    assert_true(from_env.options.no_color);
    assert_string_equal(given.options.zk, "line:2");
    options_done(&from_env.options);
    options_done(&given.options);
}

static void mistakes_name_the_option_and_the_fix(void **state)
{
    assert_refused("instal", "instal", "did you mean install?");
    assert_refused("frobnicate", "frobnicate", "clowder help");
    assert_refused("nonsense", "nonsense", "see `clowder help`");
    assert_refused("ls", "\"ls\" is no command: see `clowder help`", "ls");
    assert_refused("--nonsense", "--nonsense", "see `clowder help`");
    assert_refused("install --nonsense", "--nonsense", "see `clowder install --help`");
    assert_refused("install --cannary 1", "--cannary", "did you mean --canary?");
    assert_refused("status --canary 1", "--canary", "clowder status --help");
    assert_refused("install --canary", "--canary", "--canary N");
    assert_refused("install --canary one", "--canary: \"one\"", "0 or more");
    assert_refused("install --wave-size 0%", "--wave-size: \"0%\"", "1% to 100%");
    assert_refused("install --wave-size 101%", "--wave-size", "1% to 100%");
    assert_refused("install --max-restarts -1", "--max-restarts", "number of hosts");
    assert_refused("install --yes=no", "--yes", "takes no value");
    assert_refused("install --set nothing", "--set: \"nothing\"", "KEY=VALUE");
    assert_refused("install --hosts Bad_Host", "--hosts: \"Bad_Host\"", "a-z");
    assert_refused("status --output xml", "--output: \"xml\"", "text, json");
    assert_refused("status --timeout soon", "--timeout: \"soon\"", "10s");
    assert_refused("status now", "now", "clowder status");
    assert_refused("set-limit restart", "set-limit", "LEASE N");
    assert_refused("events --last 0", "--last: \"0\"", "1 or more");
}

/* --hosts "$HOSTS" of a script whose variable is empty is not every host. */
static void an_empty_list_of_hosts_is_not_all_of_them(void **state)
{
    assert_refused("uninstall --yes --hosts=", "--hosts", "HOST,...");
    assert_refused("install --yes --hosts ,", "--hosts", "HOST,...");
    assert_refused("install --hosts h1 --hosts=", "--hosts", "HOST,...");
}

static void a_mistake_is_told_in_the_form_that_was_asked_for(void **state)
{
    struct parsed p = parse("frobnicate --output json --no-color");

    assert_int_equal(p.rc, -EINVAL);
    assert_int_equal(p.options.output, OUTPUT_JSON);
    assert_true(p.options.no_color);
    options_done(&p.options);
}

static void what_follows_two_dashes_is_no_option(void **state)
{
    struct parsed p = parse("hosts -- --yes");

    assert_taken(&p);
    assert_string_equal(p.options.arguments.items[0], "--yes");
    options_done(&p.options);
}

static void help_needs_nothing_else(void **state)
{
    struct parsed p = parse("set-limit --help");
    struct parsed q = parse("-h");

    assert_taken(&p);
    assert_true(p.options.help);
    assert_taken(&q);
    assert_true(q.options.help);
    assert_null(q.command);
    options_done(&p.options);
    options_done(&q.options);
}

static void every_option_of_a_command_is_in_the_table(void **state)
{
    for (const struct command *c = command_table; c->name; c++)
        for (int i = 0; i < COMMAND_OPTIONS_MAX && c->options[i]; i++)
            if (!option_find(c->options[i], strlen(c->options[i])))
                fail_msg("%s of %s", c->options[i], c->name);
}

static void every_option_belongs_to_some_command(void **state)
{
    for (const struct option *o = option_table; o->name; o++) {
        bool taken = o->everywhere;
        for (const struct command *c = command_table; c->name; c++)
            taken = taken || command_takes(c, o->name);
        if (!taken)
            fail_msg("%s", o->name);
    }
}

static void help_names_every_command_and_every_option(void **state)
{
    struct strbuf all = {0};
    help_render(NULL, 80, &all);
    for (const struct command *c = command_table; c->name; c++) {
        struct strbuf one = {0};
        assert_non_null(strstr(all.text, c->name));
        help_render(c, 80, &one);
        for (int i = 0; i < COMMAND_OPTIONS_MAX && c->options[i]; i++)
            assert_non_null(strstr(one.text, c->options[i]));
        strbuf_done(&one);
    }
    strbuf_done(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_install_with_everything),
        cmocka_unit_test(options_stand_before_or_after_the_command),
        cmocka_unit_test(the_defaults),
        cmocka_unit_test(the_environment_fills_in_what_was_not_given),
        cmocka_unit_test(mistakes_name_the_option_and_the_fix),
        cmocka_unit_test(an_empty_list_of_hosts_is_not_all_of_them),
        cmocka_unit_test(a_mistake_is_told_in_the_form_that_was_asked_for),
        cmocka_unit_test(what_follows_two_dashes_is_no_option),
        cmocka_unit_test(help_needs_nothing_else),
        cmocka_unit_test(every_option_of_a_command_is_in_the_table),
        cmocka_unit_test(every_option_belongs_to_some_command),
        cmocka_unit_test(help_names_every_command_and_every_option),
    };
    (void)unsetenv("CLOWDER_ZK");
    (void)unsetenv("CLOWDER_DIGEST_FILE");
    (void)unsetenv("NO_COLOR");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
