/* zk_servers.h - which addresses to try next: names resolved without blocking.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: io. Owner: embed struct zk_servers in the session.
 *
 * Story: the list of names is fixed. Numeric addresses need nothing. Each name is asked
 * for by one short-lived `getent ahosts NAME` (so hosts file, DNS and whatever nsswitch
 * says count, and a dead DNS server blocks nobody); every answer calls on_change. A
 * name that does not resolve keeps its last good addresses. Addresses are de-duplicated
 * and shuffled, so that a swarm spreads over the servers, and handed out in turn.
 */
#ifndef CLOWDER_IO_ZK_SERVERS_H
#define CLOWDER_IO_ZK_SERVERS_H

#include "shared/base/error.h"
#include "shared/io/event_loop.h"
#include "shared/io/proc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ZK_SERVER_TEXT_SIZE = 64 };

struct zk_address {
    char text[ZK_SERVER_TEXT_SIZE]; /* "10.0.0.1:2181", "::1:2181": as the library reads
                                       it */
    char reason[80]; /* why it was of no use the last time; "" = not tried */
};

struct zk_server_name;

struct zk_servers {
    struct event_loop *el;
    void (*on_change)(void *ctx);
    void *ctx;
    struct zk_server_name *names;
    int names_count;
    struct zk_address *addresses;
    int addresses_count;
    int next;               /* place in addresses to hand out next */
    int current;            /* handed out last; -1 = none */
    int tried;              /* handed out since the last success */
    int lookups;            /* getents that run */
    int64_t resolved_at_ms; /* when the last round began; -1 = never */
};

/* list: "h1:2181,h2,[::1]:2181"; on_change runs from a later turn of the loop. */
MUST_CHECK int zk_servers_init(struct zk_servers *servers, struct event_loop *el,
                               const char *list, void (*on_change)(void *ctx),
                               void *ctx, struct error *err);
void zk_servers_done(struct zk_servers *servers);

/* Asks for all names again, unless that is under way or was less than 5 s ago. */
void zk_servers_resolve(struct zk_servers *servers);
bool zk_servers_resolving(const struct zk_servers *servers);

const char *
zk_servers_next(struct zk_servers *servers); /* NULL: no address known yet */
const char *zk_servers_current(const struct zk_servers *servers);
bool zk_servers_round_over(const struct zk_servers *servers); /* each was tried once */
void zk_servers_note_failure(struct zk_servers *servers, const char *reason);
void zk_servers_note_success(struct zk_servers *servers);

/* "10.0.0.1:2181: connection refused; zk-2.zk: does not resolve" */
void zk_servers_say(const struct zk_servers *servers, char *text, size_t size);

#endif
