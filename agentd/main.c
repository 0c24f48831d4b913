/* main.c - clowder-agentd: arguments, then the agent's life.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/agent.h"
#include "agentd/journal.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, SETS_MAX = 64 };

static const char usage[] =
    "Usage: clowder-agentd [--config FILE] [--set KEY=VALUE]...\n"
    "                      [--check-config | --set-journal-aside]\n"
    "\n"
    "The Clowder agent: one per DC/OS agent host, run by systemd as\n"
    "clowder-agentd.service. It registers in ZooKeeper and takes part in rollouts.\n"
    "\n"
    "  -c, --config FILE     settings (default " CONFIG_DEFAULT_PATH ")\n"
    "  -s, --set KEY=VALUE   one setting, over the file's\n"
    "      --check-config    check the settings, print them, and exit\n"
    "      --set-journal-aside\n"
    "                        rename a journal that cannot be read, so that this host\n"
    "                        can be retried once somebody has looked at it, and exit\n"
    "      --version         print the version and exit\n"
    "  -h, --help            print this help and exit\n"
    "\n"
    "Settings:\n";

static void print_help(void)
{
    struct strbuf help = {0};
    config_help(&help);
    printf("%s%s", usage, help.text);
    strbuf_done(&help);
}

static void print_config(const struct config *config)
{
    struct strbuf text = {0};
    config_show(config, &text);
    printf("%s\n", text.text);
    strbuf_done(&text);
}

static int run(struct config *config, const char *path, const char *const *sets,
               int sets_count)
{
    struct event_loop *el = NULL;
    struct agent *agent = NULL;
    struct error err;
    int code = EXIT_FAILURE;
    (void)signal(SIGPIPE, SIG_IGN);
    log_set_level(config->log_level);
    if (event_loop_new(&el, &err) < 0 ||
        agent_new(el, config, path, sets, sets_count, &agent, &err) < 0) {
        log_error("agent", "start=failed error=\"%s\"", err.text);
    } else {
        agent_start(agent);
        code = event_loop_run(el);
    }
    agent_free(agent);
    event_loop_free(el);
    return code;
}

/* The operator's order, given on the host: what cannot be read is kept beside. */
static int set_journal_aside(const struct config *config)
{
    struct journal *journal = NULL;
    struct error err;
    int r = access(config->state_dir, R_OK) < 0
                ? error_set(&err, -errno, "state_dir \"%s\" cannot be read: %s",
                            config->state_dir, strerror(errno))
                : journal_open(config->state_dir, &journal, &err);
    bool bad = r == 0 && journal_state(journal) == JOURNAL_UNREADABLE;
    int64_t now_ms = (int64_t)time(NULL) * 1000;
    if (bad)
        r = journal_set_aside(journal, now_ms, &err);
    if (r < 0)
        fprintf(stderr, "clowder-agentd: %s\n", err.text);
    else if (bad)
        printf("The journal in %s is set aside as *.bad-%lld. Restart "
               "clowder-agentd.service, then `clowder retry` this host.\n",
               config->state_dir, (long long)now_ms);
    else
        printf("The journal in %s can be read: nothing is changed.\n",
               config->state_dir);
    journal_close(journal);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"set", required_argument, NULL, 's'},
        {"check-config", no_argument, NULL, 'C'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {"set-journal-aside", no_argument, NULL, 'J'},
        {0},
    };
    const char *path = NULL;
    const char *sets[SETS_MAX];
    int sets_count = 0, check = 0, aside = 0, opt;
    struct config config;
    struct strbuf errors = {0};
    struct error err;

    while ((opt = getopt_long(argc, argv, "c:s:h", options, NULL)) != -1) {
        switch (opt) {
        case 'c':
            path = optarg;
            break;
        case 's':
            if (sets_count == SETS_MAX) {
                fprintf(stderr, "clowder-agentd: more than %d --set\n", SETS_MAX);
                return EXIT_USAGE;
            }
            sets[sets_count++] = optarg;
            break;
        case 'C':
            check = 1;
            break;
        case 'J':
            aside = 1;
            break;
        case 'V':
            printf("clowder-agentd %s\n", CLOWDER_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            print_help();
            return EXIT_SUCCESS;
        default:
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "clowder-agentd: unexpected argument '%s' (see --help)\n",
                argv[optind]);
        return EXIT_USAGE;
    }
    if (config_load(path, sets, sets_count, &config, &errors, &err) < 0) {
        fprintf(stderr, "clowder-agentd: %s\n%s%s", err.text,
                errors.text ? errors.text : "", errors.text ? "\n" : "");
        strbuf_done(&errors);
        return EXIT_USAGE;
    }
    strbuf_done(&errors);
    int code = EXIT_SUCCESS;
    if (check)
        print_config(&config);
    else if (aside)
        code = set_journal_aside(&config);
    else
        code = run(&config, path, sets, sets_count);
    config_done(&config);
    return code;
}
