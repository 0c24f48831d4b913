/* zk_session.h - one session with ZooKeeper, as the files zk_client.c, zk_connection.c
 * and zk_request.c share it; nothing else includes this.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: io. zk_client.c owns the life of the connection, zk_request.c what is asked of
 * it.
 */
#ifndef CLOWDER_IO_ZK_SESSION_H
#define CLOWDER_IO_ZK_SESSION_H

#include "shared/io/zk_client.h"
#include "shared/io/zk_deliveries.h"
#include "shared/io/zk_servers.h"
#include "shared/io/zk_watches.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <zookeeper/zookeeper.h>

enum zk_session_state {
    ZK_STATE_RESOLVING,  /* no address is known yet */
    ZK_STATE_PAUSING,    /* waits before the next attempt */
    ZK_STATE_CONNECTING, /* a connection is being made and the session asked for */
    ZK_STATE_CONNECTED,
};

struct zk_session_notice {
    struct zk_delivery delivery; /* first */
    enum zk_session_event event;
    bool fresh;
};

struct zk_session {
    struct zk zk; /* first */
    struct event_loop *el;
    struct loop *loop;
    char *digest; /* "user:password" or NULL */
    int64_t session_timeout_ms, connect_timeout_ms;
    const struct ACL_vector *acl; /* of what is created */
    size_t acl_bytes;

    enum zk_session_state state;
    zhandle_t *zh; /* NULL before the first attempt and after an expiry */
    struct zk_servers servers;
    bool doubled;             /* the list the library has names its server twice */
    int rounds;               /* all servers tried in vain, since the last connection */
    int64_t give_up_at_ms;    /* CONNECTING: when this server has had its time */
    int64_t known_session_id; /* the last one the listener was told of */
    int last_errno;           /* of the last call that ended a connection */
    bool digest_refused;      /* by the last server that was asked */

    struct event fd_event;
    int fd; /* watched; -1 = none */
    short fd_interest;
    struct timer wake; /* library's timeout, end of a pause, connect deadline */
    struct timer turn; /* something is to be delivered or settled in a later turn */

    int requests_out; /* the library holds them */
    struct zk_watches watches;
    struct zk_deliveries deliveries;
    bool closing;    /* completions free and tell nobody */
    bool *ret_freed; /* a drain runs up the stack: the owner freed us */
    char says[512];
};

struct zk_request {
    struct zk_delivery delivery; /* first */
    struct zk_session *session;
    zk_done_f done;
    void *ctx;
    struct zk_node *node; /* its watch context in the library, while out */
    struct zk_arm *arm;   /* the watch it brings; NULL: none, or dropped */
    bool out, cancelled;
    struct zk_reply reply;
    char *bytes;           /* data, name made, or the children's names */
    const char **children; /* into bytes */
    /* multi */
    int ops_count;
    zoo_op_result_t *results;
    struct Stat *stats;
    struct zk_op_reply *ops;
};

extern const struct zk_ops zk_request_ops; /* all but free; that is zk_session_free */

/* zk_client.c */
void zk_session_free(struct zk *zk);
void zk_session_tell(struct zk_session *session, enum zk_session_event event,
                     bool fresh);
/* Drains the queue; last in a turn: the owner may free the session meanwhile. */
void zk_session_deliver(struct zk_session *session);
/* Something was put into deliveries from outside the loop's own turn. */
void zk_session_deliver_later(struct zk_session *session);

/* zk_connection.c */
void zk_connection_start(struct zk_session *session);
void zk_connection_end(struct zk_session *session); /* completes what is out */
/* Looks at what became of the connection and waits for its next event. */
void zk_connection_settle(struct zk_session *session);
/* After each call of zoo_a*: it may have closed the socket and said nothing. */
void zk_connection_called(struct zk_session *session);

/* zk_request.c */
void zk_request_free(struct zk_request *request);
void zk_session_drop_arm(struct zk_session *session, struct zk_arm *arm);
/* Frees nodes that nothing needs any more; never from inside the library. */
void zk_session_sweep(struct zk_session *session);
/* All watches are gone without firing: the session is. */
void zk_session_forget_watches(struct zk_session *session);

#endif
