/* dockerd_flags.h - the cluster flags that dockerd was or will be started with.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd. Docker refuses to start where a key stands both in daemon.json and on
 * its command line, so both the running process and the unit's text (which the next
 * start takes) are looked at.
 *
 * Each flag is appended as "--cluster-store=etcd://h:1 (command line of pid 812)" or
 * "… (in /etc/systemd/system/docker.service.d/x.conf)".
 */
#ifndef CLOWDER_AGENTD_DOCKERD_FLAGS_H
#define CLOWDER_AGENTD_DOCKERD_FLAGS_H

#include <jansson.h>
#include <sys/types.h>

/* root: before /proc, "" or NULL but in tests. pid 0: nothing. */
void dockerd_flags_of_process(const char *root, pid_t pid, json_t *flags);
/* text: of `systemctl cat`; files that EnvironmentFile= names are read too. */
void dockerd_flags_of_unit(const char *text, json_t *flags);

#endif
