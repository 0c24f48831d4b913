/* SPDX-License-Identifier: Apache-2.0 */
#include "coordinator/cli.h"

#include "coordinator/commands.h"
#include "shared/base/str.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

void terminal_measure(struct terminal *terminal)
{
    struct winsize size = {0};
    int64_t columns;
    const char *env = getenv("COLUMNS");
    terminal->width = WIDTH_DEFAULT;
    terminal->height = 24;
    if (terminal->out && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col) {
        terminal->width = size.ws_col;
        terminal->height = size.ws_row;
    } else if (env && str_to_int64(env, WIDTH_MIN, 1000, &columns) == 0) {
        terminal->width = (int)columns;
    }
    if (terminal->width < WIDTH_MIN)
        terminal->width = WIDTH_MIN;
}

static void find_terminal(struct cli *cli)
{
    struct terminal *terminal = &cli->terminal;
    const char *term = getenv("TERM");
    bool dumb = !term || !*term || str_equal(term, "dumb");
    bool utf8 = str_equal(nl_langinfo(CODESET), "UTF-8");
    bool color = !dumb && !cli->options.no_color;
    terminal->in = isatty(STDIN_FILENO);
    terminal->out = isatty(STDOUT_FILENO) && !dumb;
    terminal->err = isatty(STDERR_FILENO) && !dumb;
    terminal_measure(terminal);
    cli->writer.style = (struct style){.color = color && terminal->out,
                                       .utf8 = utf8,
                                       .width = terminal->width,
                                       .height = terminal->height - 1};
    cli->writer.err_style = (struct style){
        .color = color && terminal->err, .utf8 = utf8, .width = terminal->width};
}

/* Printable ASCII only: it goes into znodes and onto other people's screens. */
static void find_who(struct cli *cli)
{
    char machine[64] = "";
    struct passwd *user = getpwuid(geteuid());
    (void)gethostname(machine, sizeof(machine) - 1);
    (void)snprintf(cli->who, sizeof(cli->who), "%.31s@%.63s",
                   user ? user->pw_name : "?", machine[0] ? machine : "?");
    for (char *c = cli->who; *c; c++)
        if (*c <= ' ' || *c > '~')
            *c = '?';
}

int64_t cli_now_ms(struct cli *cli)
{
    struct timespec now;
    if (cli->loop)
        return loop_wall_ms(cli->loop);
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static enum exit_code code_of(const struct cli *cli)
{
    bool away = cli->zk && !cli->zk->connected;
    if (cli->err.code == -ENOTCONN || (cli->err.code == -ETIMEDOUT && away))
        return EXIT_UNREACHABLE;
    return EXIT_FAILED;
}

enum exit_code cli_fail(struct cli *cli)
{
    enum exit_code code = code_of(cli);
    cli->writer.ops->error(&cli->writer, code, cli->err.text, NULL);
    return code;
}

enum exit_code cli_usage(struct cli *cli, const char *fmt, ...)
{
    char text[640];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    cli->writer.ops->error(&cli->writer, EXIT_USAGE, text, NULL);
    return EXIT_USAGE;
}

/* Mistakes in the configuration of the connection are usage errors. */
static enum exit_code fail_connect(struct cli *cli)
{
    bool connection = cli->zk != NULL;
    if (connection)
        return cli_fail(cli);
    return cli_usage(cli, "%s", cli->err.text);
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t")] == '\0';
}

/* What changes the course of a rollout is done for a reason, which others will read. */
static enum exit_code find_reason(struct cli *cli)
{
    const char *reason = cli->options.reason;
    char question[96];
    if (!cli->command->wants_reason || (reason && !is_blank(reason)))
        return EXIT_DONE;
    if (cli->terminal.in && !reason) {
        (void)snprintf(question, sizeof(question), "%s: for what reason?",
                       cli->command->name);
        if (cli_ask_text(cli, question, cli->reason, sizeof(cli->reason)) &&
            !is_blank(cli->reason)) {
            cli->options.reason = cli->reason;
            return EXIT_DONE;
        }
    }
    return cli_usage(cli,
                     "%s goes into the rollout's events: say why with --reason TEXT",
                     cli->command->name);
}

static enum exit_code run(struct cli *cli)
{
    if (cli->options.help)
        return cmd_help(cli);
    if (cli->options.version)
        return cmd_version(cli);
    if (!cli->command) {
        struct strbuf out = {0};
        help_render(NULL, cli->writer.err_style.width, &out);
        (void)fputs(out.text, cli->writer.err);
        strbuf_done(&out);
        return EXIT_USAGE;
    }
    enum exit_code code = cli->command->check ? cli->command->check(cli) : EXIT_DONE;
    if (code == EXIT_DONE)
        code = find_reason(cli);
    if (code != EXIT_DONE)
        return code;
    if (cli->command->needs_zk) {
        int rc = cli_connect(cli);
        if (rc < 0 && !(rc == -ENOENT && cli->zk && cli->command->may_make_root))
            return fail_connect(cli);
    }
    return cli->command->run(cli);
}

/* A result that could not be written (disk full, reader gone) is a failure. */
static enum exit_code flush(struct cli *cli, enum exit_code code)
{
    bool failed = fflush(cli->writer.out) != 0 || ferror(cli->writer.out);
    return failed && code == EXIT_DONE ? EXIT_FAILED : code;
}

int cli_main(int argc, char **argv)
{
    struct cli cli = {.writer = {.ops = &writer_text, .out = stdout, .err = stderr}};
    (void)setlocale(LC_ALL, "");
    (void)signal(SIGPIPE, SIG_IGN);
    int rc = options_parse(&cli.options, argc, argv, &cli.command, &cli.err);
    if (cli.options.output == OUTPUT_JSON)
        cli.writer.ops = &writer_json;
    find_terminal(&cli);
    find_who(&cli);
    enum exit_code code = rc < 0 ? cli_usage(&cli, "%s", cli.err.text) : run(&cli);
    code = flush(&cli, code);
    cli_close(&cli);
    return (int)code;
}
