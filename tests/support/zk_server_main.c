/* zk_server_main.c - zk-server [COUNT]: servers for tests written in shell.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Prints "127.0.0.1:port,..." when they serve, then runs until its standard input ends
 * or a signal comes. Exit code 77 where servers cannot run.
 */
#include "tests/support/zk_server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void on_signal(int number)
{
}

int main(int argc, char **argv)
{
    struct zk_ensemble *ensemble = NULL;
    struct error err;
    struct sigaction action = {.sa_handler = on_signal}; /* read() ends with EINTR */
    zk_server_require();
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    int count = argc > 1 && argv[1][0] == '3' ? 3 : 1;
    if (zk_ensemble_start(count, 0, &ensemble, &err) < 0) {
        (void)fprintf(stderr, "zk-server: %s\n", err.text);
        return 1;
    }
    (void)printf("%s\n", ensemble->servers);
    (void)fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    zk_ensemble_free(ensemble);
    return 0;
}
