/* proc.h - run one command to its end: captured output, deadline, whole group killed.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: io.
 *
 * Story: proc_start forks and execs argv (no shell) in a process group of its own with
 * stdin from bytes given (or /dev/null), a clean signal mask and no inherited fds;
 * stdout and stderr are captured up to a limit each (the rest is counted and dropped).
 * When the command has exited and both pipes are drained, done runs once. At the
 * deadline the group gets SIGTERM and, 2 s later, SIGKILL; the outcome says timed_out.
 * Cancel kills the group at once and done is never called. A missing binary is an
 * outcome, not a crash.
 */
#ifndef CLOWDER_IO_PROC_H
#define CLOWDER_IO_PROC_H

#include "shared/base/error.h"
#include "shared/io/event_loop.h"

#include <stdbool.h>
#include <stddef.h>

struct proc_options {
    const char *const *argv;        /* NULL-terminated; argv[0] looked up in PATH */
    const char *const *environment; /* NULL-terminated "K=v" added to ours; or NULL */
    const char *input;              /* stdin bytes or NULL */
    size_t input_len;
    int64_t timeout_ms;      /* 0 = 30000 */
    size_t output_max_bytes; /* per stream; 0 = 65536 */
};

struct proc_outcome {  /* borrowed during done */
    int exit_code;     /* 0..255, or -1 when a signal ended it or it timed out */
    int signal_number; /* 0 = none */
    bool timed_out;
    const char *output; /* stdout, terminated */
    size_t output_len;
    size_t output_dropped_bytes; /* beyond the limit */
    const char *errors;          /* stderr, terminated */
    size_t errors_len;
    size_t errors_dropped_bytes;
    const char *says; /* one sentence: "systemctl restart docker: exit code 1: ..." */
};

typedef void (*proc_done_f)(void *ctx, const struct proc_outcome *outcome);

struct proc;
MUST_CHECK int proc_start(struct event_loop *el, const struct proc_options *options,
                          proc_done_f done, void *ctx, struct proc **ret,
                          struct error *err);
void proc_cancel(struct proc *proc); /* NULL is allowed */

#endif
