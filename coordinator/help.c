/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/command.h"
#include "coordinator/options.h"
#include "coordinator/style.h"

#include <stdio.h>

static struct style plain(int width)
{
    return (struct style){.width = width < 100 ? width : 100};
}

static void add_pair(struct strbuf *out, int width, int column, const char *name,
                     const char *text)
{
    struct style style = plain(width);
    strbuf_add(out, "  ");
    if (text_width(name) < column) {
        style_cell(out, &style, TONE_PLAIN, column, name);
    } else { /* the name has a line of its own */
        strbuf_addf(out, "%s\n  ", name);
        style_cell(out, &style, TONE_PLAIN, column, "");
    }
    style_wrap(out, &style, TONE_PLAIN, column + 2, text);
    strbuf_add(out, "\n");
}

static void add_option(struct strbuf *out, int width, const struct option *option)
{
    char name[48], text[256];
    (void)snprintf(name, sizeof(name), "%s%s%s", option->name, option->value ? " " : "",
                   option->value ? option->value : "");
    (void)snprintf(text, sizeof(text), "%s%s%s%s", option->help,
                   option->env ? " (or " : "", option->env ? option->env : "",
                   option->env ? ")" : "");
    add_pair(out, width, 22, name, text);
}

static void add_paragraph(struct strbuf *out, int width, const char *text)
{
    struct style style = plain(width);
    style_wrap(out, &style, TONE_PLAIN, 0, text);
    strbuf_add(out, "\n");
}

static void add_everywhere(struct strbuf *out, int width)
{
    strbuf_add(out, "\nTaken by every command:\n");
    for (const struct option *o = option_table; o->name; o++)
        if (o->everywhere)
            add_option(out, width, o);
    strbuf_add(out,
               "\nExit codes: 0 done, 1 failed, 2 wrong usage or spec (nothing was "
               "written),\n3 ZooKeeper not reachable.\n");
}

static void help_all(struct strbuf *out, int width)
{
    strbuf_add(out, "clowder installs Calico on DC/OS agents, a few at a time.\n\n"
                    "Usage: clowder COMMAND [OPTIONS]\n\n");
    for (const struct command *c = command_table; c->name; c++) {
        char name[48];
        (void)snprintf(name, sizeof(name), "%s%s%s", c->name,
                       c->arguments[0] ? " " : "", c->arguments);
        add_pair(out, width, 20, name, c->summary);
    }
    add_everywhere(out, width);
    strbuf_add(out, "\nA first install: clowder init, clowder plan, clowder install "
                    "--watch.\n");
}

static void help_one(const struct command *command, int width, struct strbuf *out)
{
    char usage[128];
    (void)snprintf(usage, sizeof(usage), "Usage: clowder %s%s%s%s\n\n", command->name,
                   command->arguments[0] ? " " : "", command->arguments,
                   command->options[0] ? " [OPTIONS]" : "");
    strbuf_add(out, usage);
    add_paragraph(out, width, command->details ? command->details : command->summary);
    if (command->wants_reason) {
        strbuf_add(out, "\n");
        add_paragraph(out, width, command_reason_note);
    }
    if (command->options[0])
        strbuf_add(out, "\n");
    for (const struct option *o = option_table; o->name; o++)
        if (command_takes(command, o->name))
            add_option(out, width, o);
    add_everywhere(out, width);
}

void help_render(const struct command *command, int width, struct strbuf *out)
{
    if (command)
        help_one(command, width, out);
    else
        help_all(out, width);
}
