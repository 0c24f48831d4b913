/* child.h - what a fresh child does before anything else.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: io; for proc.c and http_worker.c only. Runs between fork and exec (or instead
 * of exec): async-signal-safe calls only.
 */
#ifndef CLOWDER_IO_CHILD_H
#define CLOWDER_IO_CHILD_H

/* Default signal dispositions, nothing blocked. */
void child_reset_signals(void);
/* Closes every descriptor from first on. */
void child_close_from(int first);

#endif
