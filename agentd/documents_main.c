/* documents_main.c - clowder-agentd-documents: prints the daemon's man page, whose
 * settings come from the table that reads them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/config.h"
#include "shared/base/roff.h"

#include <stdio.h>
#include <string.h>

static const char head[] =
    ".\\\" SPDX-License-Identifier: Apache-2.0\n"
    ".\\\" Generated from the table of settings.\n"
    ".TH CLOWDER\\-AGENTD 8 \"\" \"clowder " CLOWDER_VERSION "\"\n"
    ".SH NAME\nclowder\\-agentd \\- carries out Clowder's rollouts on this host\n"
    ".SH SYNOPSIS\n.B clowder\\-agentd\n"
    "[\\fB\\-\\-config\\fR \\fIFILE\\fR] [\\fB\\-\\-set\\fR \\fIKEY=VALUE\\fR]...\n"
    "[\\fB\\-\\-check\\-config\\fR | \\fB\\-\\-set\\-journal\\-aside\\fR]\n"
    ".SH DESCRIPTION\n"
    "One per DC/OS agent host, run by systemd as clowder\\-agentd.service. It "
    "registers "
    "in ZooKeeper, waits while ZooKeeper is away, and does nothing until a rollout "
    "that\n"
    ".BR clowder (8)\nbegan names its host.\n"
    ".SH OPTIONS\n"
    ".TP\n.BR \\-c \", \" \\-\\-config \" \\fIFILE\\fR\"\nthe settings "
    "(default " CONFIG_DEFAULT_PATH ")\n"
    ".TP\n.BR \\-s \", \" \\-\\-set \" \\fIKEY=VALUE\\fR\"\none setting, over the "
    "file's; may be repeated\n"
    ".TP\n.B \\-\\-check\\-config\ncheck the settings, print them, and exit\n"
    ".TP\n.B \\-\\-set\\-journal\\-aside\nrename a journal that cannot be read, so "
    "that "
    "this host can be retried once somebody has looked at it, and exit\n"
    ".TP\n.B \\-\\-version\nprint the version and exit\n"
    ".SH SETTINGS\n"
    "The file is one JSON object. A key that is not known or a value of a wrong type "
    "is "
    "an error that names both, and the daemon does not start.\n";

static const char tail[] =
    ".SH SIGNALS\n"
    ".TP\n.B SIGTERM\nends the act under way, if any, and exits; the next start goes "
    "on "
    "with what the journal tells\n"
    ".TP\n.B SIGHUP\nreads the settings again; what needs a restart is said in the "
    "log\n"
    ".SH EXIT STATUS\n"
    ".TP\n.B 0\nended by a signal, or done\n"
    ".TP\n.B 1\nit could not start, or the journal could not be set aside\n"
    ".TP\n.B 2\nwrong usage, or mistakes in the settings\n"
    ".SH FILES\n"
    ".TP\n.I " CONFIG_DEFAULT_PATH "\n"
    ".TP\n.I /var/lib/clowder\njournal, baseline and backups: what a host needs to be "
    "put back\n"
    ".TP\n.I /var/cache/clowder\ndownloads\n"
    ".SH SEE ALSO\n.BR clowder (8)\n";

/* config_help's lines: a key, or, further in, what it is. */
static void add_setting(struct strbuf *out, const char *line)
{
    size_t blanks = strspn(line, " ");
    strbuf_add(out, blanks > 2 ? "" : ".TP\n.B ");
    roff_add(out, line + blanks);
    strbuf_add(out, "\n");
}

int main(void)
{
    struct strbuf out = {0}, help = {0};
    config_help(&help);
    strbuf_add(&out, head);
    for (char *rest = help.text, *line; (line = strsep(&rest, "\n"));)
        if (*line)
            add_setting(&out, line);
    strbuf_add(&out, tail);
    int failed = fputs(out.text, stdout) < 0 || fflush(stdout) != 0;
    strbuf_done(&help);
    strbuf_done(&out);
    return failed;
}
