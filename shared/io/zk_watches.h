/* zk_watches.h - which watches are armed on which znode.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: io. Owner: embed struct zk_watches in the session.
 *
 * Story: the library knows one registration per znode and kind (struct zk_node is its
 * context), however many watches hang on it; else a watch that is re-armed every minute
 * would pile up registrations. A watch given to a request gets an arm (watch->armed):
 *
 *   PENDING --reply ok--> ARMED --event--> FIRED (queued) --told--> gone
 *      \------------------- disarm: gone at any time ---------------/
 *
 * A node may be freed only when the library cannot name it any more: no registration,
 * no request out that would register it. The session's own events are no concern here.
 */
#ifndef CLOWDER_IO_ZK_WATCHES_H
#define CLOWDER_IO_ZK_WATCHES_H

#include "shared/io/zk.h"
#include "shared/io/zk_deliveries.h"

enum { ZK_WATCH_BUCKETS = 16 };
enum zk_watch_kind { ZK_WATCH_DATA, ZK_WATCH_CHILDREN };

struct zk_session;
struct zk_arm;

struct zk_node {
    struct zk_node *next;         /* in its bucket */
    struct zk_node *next_suspect; /* perhaps unused: looked at outside the library */
    struct zk_session *session;
    struct zk_arm *arms;
    enum zk_watch_kind kind;
    int requests_out; /* that carry this node as their watch context */
    bool registered;  /* the library holds it */
    bool suspect;
    char path[];
};

enum zk_arm_state { ZK_ARM_PENDING, ZK_ARM_ARMED, ZK_ARM_FIRED };

struct zk_arm {
    struct zk_delivery delivery; /* first: FIRED arms are queued */
    struct zk_arm *prev, *next;  /* on the node, unless FIRED */
    struct zk_node *node;        /* NULL when FIRED */
    struct zk_watch *watch;
    struct zk_request *request; /* that brought it, until told; or NULL */
    enum zk_arm_state state;
};

struct zk_watches {
    struct zk_node *buckets[ZK_WATCH_BUCKETS];
    struct zk_node *suspects;
};

struct zk_node *zk_watches_node(struct zk_watches *watches, struct zk_session *session,
                                const char *path, enum zk_watch_kind kind);
struct zk_arm *zk_arm_new(struct zk_node *node, struct zk_watch *watch);
/* Takes it off its node or out of the queue and frees it; watch->armed becomes NULL. */
void zk_arm_free(struct zk_arm *arm, struct zk_deliveries *deliveries);
/* Puts the armed ones into the queue; pending ones stay. */
void zk_node_fire(struct zk_node *node, struct zk_deliveries *deliveries);
bool zk_node_unused(const struct zk_node *node); /* no arm, no request out */
void zk_watches_suspect(struct zk_watches *watches, struct zk_node *node);
struct zk_node *zk_watches_next_suspect(struct zk_watches *watches); /* NULL: none */
/* Unlinks and frees; the library must not hold it and it must not be a suspect. */
void zk_watches_drop(struct zk_watches *watches, struct zk_node *node);
struct zk_node *zk_watches_any(const struct zk_watches *watches); /* NULL: none left */

#endif
