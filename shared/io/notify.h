/* notify.h - sd_notify(3)'s datagrams: READY, STATUS, WATCHDOG, STOPPING, RELOADING.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: io. The protocol is one datagram to $NOTIFY_SOCKET (documented as stable); it
 * is done here because libsystemd would be the daemon's largest library.
 */
#ifndef CLOWDER_IO_NOTIFY_H
#define CLOWDER_IO_NOTIFY_H

#include <stdint.h>

/* "READY=1\nSTATUS=..." ; without NOTIFY_SOCKET nothing happens. */
void notify_send(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "STATUS=..." in one line, whatever stands in the text: a line of its own would be
 * another assignment. */
void notify_status(const char *text);
/* Half of WATCHDOG_USEC in ms when it is meant for this process; else 0. */
int64_t notify_watchdog_interval_ms(void);

#endif
