/* child.c - what a fresh child does before anything else.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/io/child.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_crash(int number) /* left to the sanitizers, where they are built in */
{
    return number == SIGSEGV || number == SIGBUS || number == SIGFPE ||
           number == SIGILL || number == SIGABRT;
}

void child_reset_signals(void)
{
    const struct sigaction plain = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        if (!is_crash(number))
            (void)sigaction(number, &plain, NULL); /* KILL and STOP refuse: right so */
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

void child_close_from(int first)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)first, ~0u, 0u) == 0)
        return;
#endif
    /* kernels before 5.9 */
    long end = sysconf(_SC_OPEN_MAX);

    for (int fd = first; fd < end; fd++)
        (void)close(fd);
}
