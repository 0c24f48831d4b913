/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/documents.h"

#include "coordinator/command.h"
#include "coordinator/options.h"
#include "shared/base/roff.h"

#include <string.h>

static void add_man_option(struct strbuf *out, const struct option *option)
{
    strbuf_add(out, ".TP\n.B ");
    roff_add(out, option->name);
    if (option->value) {
        strbuf_add(out, " \\fI");
        roff_add(out, option->value);
        strbuf_add(out, "\\fR");
    }
    strbuf_add(out, "\n");
    roff_add(out, option->help);
    if (option->env) {
        strbuf_add(out, " (or the variable \\fB");
        roff_add(out, option->env);
        strbuf_add(out, "\\fR)");
    }
    strbuf_add(out, "\n");
}

static void add_man_command(struct strbuf *out, const struct command *command)
{
    strbuf_add(out, ".SS ");
    roff_add(out, command->name);
    if (command->arguments[0]) {
        strbuf_add(out, " ");
        roff_add(out, command->arguments);
    }
    strbuf_add(out, "\n");
    roff_add(out, command->summary);
    strbuf_add(out, ".\n");
    if (command->details) {
        strbuf_add(out, ".PP\n");
        roff_add(out, command->details);
        strbuf_add(out, "\n");
    }
    if (command->wants_reason) {
        strbuf_add(out, ".PP\n");
        roff_add(out, command_reason_note);
        strbuf_add(out, "\n");
    }
    for (const struct option *o = option_table; o->name; o++)
        if (command_takes(command, o->name))
            add_man_option(out, o);
}

void document_man(struct strbuf *out)
{
    strbuf_add(out, ".\\\" SPDX-License-Identifier: Apache-2.0\n"
                    ".\\\" Generated from the tables of commands and options.\n"
                    ".TH CLOWDER 8 \"\" \"clowder " CLOWDER_VERSION "\"\n"
                    ".SH NAME\nclowder \\- rolling install of Calico on DC/OS agents\n"
                    ".SH SYNOPSIS\n.B clowder\n.I COMMAND\n[\\fIOPTIONS\\fR]\n"
                    ".SH DESCRIPTION\n"
                    "clowder plans a rollout, writes it to ZooKeeper, gives orders and "
                    "shows where it stands. The hosts carry the rollout through by "
                    "themselves, by\n.BR clowder\\-agentd (8):\n"
                    "this program may end at any moment and nothing changes.\n"
                    ".SH COMMANDS\n");
    for (const struct command *c = command_table; c->name; c++)
        add_man_command(out, c);
    strbuf_add(out, ".SH OPTIONS\nTaken by every command:\n");
    for (const struct option *o = option_table; o->name; o++)
        if (o->everywhere)
            add_man_option(out, o);
    strbuf_add(out, ".SH EXIT STATUS\n"
                    ".TP\n.B 0\ndone\n"
                    ".TP\n.B 1\nfailed, refused, or (watch, install \\-\\-watch) the "
                    "rollout ended with a host that is not done\n"
                    ".TP\n.B 2\nwrong usage, or mistakes in the spec; nothing was "
                    "written\n"
                    ".TP\n.B 3\nZooKeeper cannot be reached\n"
                    ".SH SEE ALSO\n.BR clowder\\-agentd (8)\n");
}

static void add_words(struct strbuf *out, const struct command *command)
{
    for (const struct option *o = option_table; o->name; o++)
        if (o->everywhere || (command && command_takes(command, o->name)))
            strbuf_addf(out, " %s", o->name);
}

void document_completion(struct strbuf *out)
{
    strbuf_add(out,
               "# bash completion for clowder, generated from its tables\n"
               "# SPDX-License-Identifier: Apache-2.0\n"
               "_clowder() {\n"
               "    local word=${COMP_WORDS[COMP_CWORD]} before command= i\n"
               "    before=${COMP_WORDS[COMP_CWORD - 1]}\n"
               "    case $before in\n"
               "    --output) COMPREPLY=($(compgen -W 'text json' -- \"$word\")); "
               "return ;;\n"
               "    --spec | --digest-file) COMPREPLY=($(compgen -f -- \"$word\")); "
               "return ;;\n    ");
    bool first = true;
    for (const struct option *o = option_table; o->name; o++) {
        if (!o->value || !strcmp(o->name, "--output") || !strcmp(o->name, "--spec") ||
            !strcmp(o->name, "--digest-file"))
            continue;
        strbuf_addf(out, "%s%s", first ? "" : " | ", o->name);
        first = false;
    }
    strbuf_add(out, ") return ;;\n    esac\n"
                    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                    "        case ${COMP_WORDS[i]} in\n        ");
    for (const struct command *c = command_table; c->name; c++)
        strbuf_addf(out, "%s%s", c == command_table ? "" : " | ", c->name);
    strbuf_add(out, ") command=${COMP_WORDS[i]}; break ;;\n        esac\n    done\n"
                    "    case $command in\n    '') COMPREPLY=($(compgen -W '");
    for (const struct command *c = command_table; c->name; c++)
        strbuf_addf(out, "%s%s", c == command_table ? "" : " ", c->name);
    add_words(out, NULL);
    strbuf_add(out, "' -- \"$word\")) ;;\n");
    for (const struct command *c = command_table; c->name; c++) {
        strbuf_addf(out, "    %s) COMPREPLY=($(compgen -W '", c->name);
        for (const struct command *h = command_table;
             !strcmp(c->name, "help") && h->name; h++)
            strbuf_addf(out, " %s", h->name);
        add_words(out, c);
        strbuf_add(out, "' -- \"$word\")) ;;\n");
    }
    strbuf_add(out, "    esac\n}\ncomplete -F _clowder clowder\n");
}
