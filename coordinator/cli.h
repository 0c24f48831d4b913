/* cli.h - one run of `clowder`: what was asked, where it goes, and the session.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: coordinator.
 *
 * A command is straight: it starts one operation, whose done is cli_done, and waits for
 * it with cli_wait, which turns the loop. Nothing runs between two waits.
 */
#ifndef CLOWDER_COORDINATOR_CLI_H
#define CLOWDER_COORDINATOR_CLI_H

#include "coordinator/options.h"
#include "coordinator/writer.h"
#include "shared/io/event_loop.h"
#include "shared/io/zk.h"
#include "shared/model/zpath.h"
#include "shared/swarm/init.h"

struct terminal {
    bool in, out, err; /* is it one? */
    int width, height; /* of out */
};

struct cli {
    struct options options;
    const struct command *command;
    struct writer writer;
    struct terminal terminal;
    char who[WHO_SIZE];       /* "user@machine" */
    char reason[REASON_SIZE]; /* as it was typed where it was asked for */
    struct spec *spec;        /* of plan and install: owned, NULL once in a rollout */

    struct event_loop *el;
    struct loop *loop;
    struct zk *zk;
    char root[ZROOT_MAX];
    char *servers;
    char *digest; /* "user:password", or NULL */

    bool connecting;
    bool patient; /* the command looks after lost connections itself */
    struct zk_request *root_request;
    struct timer root_retry;
    bool waiting, done; /* of the operation under way */
    int result;
    struct error err;
    struct timer watchdog;
    int64_t away_since_ms; /* monotonic; 0 = connected */
};

/* The whole program. */
int cli_main(int argc, char **argv);

/* For the operation under way: its flow_done_f, ctx is the cli. */
void cli_done(void *ctx, int result, const struct error *err);
/* Turns the loop until cli_done was called (its result is returned) or there was no
 * connection for --timeout: then -ENOTCONN, and the caller cancels its operation. The
 * error is in cli->err. */
MUST_CHECK int cli_wait(struct cli *cli);

/* Connects and reads the root's znode; -ENOENT: there is none. */
MUST_CHECK int cli_connect(struct cli *cli);
void cli_close(struct cli *cli);

/* Says cli->err and gives the exit code for it. */
enum exit_code cli_fail(struct cli *cli);
/* A mistake in how the program was called. */
enum exit_code cli_usage(struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Asks on the terminal; anything but y or yes is no. */
bool cli_ask(struct cli *cli, const char *question);
/* A line of text: false when it is empty, or does not fit. */
bool cli_ask_text(struct cli *cli, const char *question, char *dst, size_t size);
/* Wants this very word typed. */
bool cli_ask_word(struct cli *cli, const char *question, const char *word);

int64_t cli_now_ms(struct cli *cli); /* wall clock */
void terminal_measure(struct terminal *terminal);

#endif
