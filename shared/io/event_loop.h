/* event_loop.h - the loop on libevent: the one file with the driver's code.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: io. Adds file descriptors, signals and children to loop.h.
 */
#ifndef CLOWDER_IO_EVENT_LOOP_H
#define CLOWDER_IO_EVENT_LOOP_H

#include "shared/base/error.h"
#include "shared/io/loop.h"

#include <sys/types.h>

struct event_base;
struct event_loop;

MUST_CHECK int event_loop_new(struct event_loop **ret, struct error *err);
void event_loop_free(struct event_loop *el);
struct loop *event_loop_port(struct event_loop *el);
struct event_base *event_loop_base(struct event_loop *el);

/* Runs until event_loop_stop(code); returns that code. */
int event_loop_run(struct event_loop *el);
void event_loop_stop(struct event_loop *el, int code);

/* fn runs in the loop, never in signal context. One handler per signal. */
MUST_CHECK int event_loop_on_signal(struct event_loop *el, int signal_number,
                                    void (*fn)(void *ctx, int signal_number), void *ctx,
                                    struct error *err);

/* fn runs once with the child's wait status (a pidfd is watched, so only this pid is
 * ever reaped). NULL: forget the child (it is still reaped). */
MUST_CHECK int event_loop_on_exit(struct event_loop *el, pid_t pid,
                                  void (*fn)(void *ctx, int wait_status), void *ctx,
                                  struct error *err);
void event_loop_forget_child(struct event_loop *el, pid_t pid);

#endif
