/* model_zk_internal.h - what the model's server side and its clients know of each
 * other.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: test support, private to model_zk.c, model_zk_session.c and model_zk_client.c.
 */
#ifndef CLOWDER_TESTS_SUPPORT_MODEL_ZK_INTERNAL_H
#define CLOWDER_TESTS_SUPPORT_MODEL_ZK_INTERNAL_H

#include "tests/support/model_zk.h"
#include "tests/support/strmap.h"
#include "tests/support/ztree.h"
#include "tests/support/zwatch.h"

enum { MODEL_ZK_SERVERS_MAX = 5 };

struct client;

enum message_kind { M_GET, M_EXISTS, M_CHILDREN, M_MULTI, M_SINGLE, M_SYNC, M_CLOSE };

/* A request on its way to a server, or in it. */
struct message {
    struct message *next;
    enum message_kind kind;
    struct model_zk *mz;
    struct client *client; /* who gets the reply; NULL once the connection is gone */
    struct zk_request *request;
    int64_t session;
    int64_t at_ms; /* when it arrives */
    enum model_zk_fault fate;
    uint64_t number; /* of the client's requests */
    bool watch;
    const char *digest; /* interned in the model */
    char *path;         /* reads, sync */
    struct zk_op *ops;  /* multi, single: a deep copy */
    int ops_count;
    struct ztree_outcome *outcomes; /* after the leader */
    enum zk_result result;
    int failed;
    int64_t zxid;
    /* without a connection, or on the way to the leader: */
    struct timer timer;
    bool floating;
    struct message *float_prev, *float_next;
};

/* What a follower has still to apply, in order. */
struct commit {
    int references;
    int64_t zxid, time_ms, session;
    bool close;
    const char *digest;
    struct zk_op *ops;
    int ops_count;
};
struct pending {
    struct pending *next;
    struct commit *commit;   /* NULL: a sync passes */
    struct message *message; /* of a client of this server; answered then */
    int64_t at_ms;
};

struct server {
    struct model_zk *mz;
    int index;
    bool up;
    struct ztree *tree;
    struct zwatches watches;
    int64_t zxid; /* applied */
    struct pending *pending, *pending_last;
    struct timer apply;
};

struct session {
    char key[20];
    int64_t id;
    struct model_zk *mz;
    int64_t heard_ms, timeout_ms;
    struct client *client; /* connected now, or NULL */
    struct timer expiry;
};

enum item_kind {
    I_REPLY,        /* of the server */
    I_LOCAL,        /* a result made at the client */
    I_EVENT,        /* a watch fires */
    I_CONNECTED,    /* handshake done */
    I_EXPIRED,      /* handshake: no such session */
    I_DISCONNECTED, /* the connection is gone */
    I_LISTENER,     /* the owner is told */
};
enum event_kind { E_CREATED, E_DELETED, E_CHANGED, E_CHILDREN };

/* What a client is going to see, in order. */
struct item {
    struct item *next;
    enum item_kind kind;
    bool remote; /* came over the network: a cut holds it */
    int64_t at_ms;
    struct zk_request *request;
    enum zk_result result;
    struct zk_stat stat;
    char *data;
    size_t data_len;
    char *path; /* created, or of the event */
    const char **children;
    char *names; /* what children point into */
    int children_count;
    struct ztree_outcome *outcomes;
    int outcomes_count, failed;
    enum event_kind event;
    int64_t session, zxid;
    char server[32];
    bool fresh;
    enum zk_session_event told;
};

struct watch_entry { /* zk_watch.armed points here */
    struct watch_entry *prev, *next;
    struct zk_watch *watch;
    char *path;
    bool child;
    bool active;                /* its request has succeeded */
    bool absent;                /* exists found no node: waits for its creation */
    struct zk_request *request; /* while it is out */
    bool firing;
};

struct zk_request {
    struct zk_request *prev, *next;
    zk_done_f done;
    void *ctx;
    struct watch_entry *watch;
    enum message_kind kind;
    uint64_t number;
    char *path;
    bool cancelled;
    enum zk_result refusal; /* ZK_OK: it was sent */
    int ops_count;          /* of a multi */
    bool answered;          /* its answer is a local item already */
};

struct client {
    struct zk zk; /* first */
    struct model_zk *mz;
    struct client *prev, *next;
    char *name;
    const char *digest;
    uint64_t name_hash, random_state;
    uint64_t requests;
    struct server *server;   /* the connection, as the server sees it; NULL = none */
    struct session *session; /* while server is set */
    struct zwatcher watcher; /* must be empty while there is no connection */
    bool cut;
    int64_t seen_zxid;
    /* to the server: on the way, and waiting behind a write at the leader */
    struct message *out, *out_last, *arrived, *arrived_last;
    bool busy;
    struct timer out_timer;
    int64_t out_at_ms;
    /* to the client */
    struct item *in, *in_last;
    struct timer in_timer;
    int64_t in_at_ms;
    struct zk_request *outstanding, *outstanding_last;
    struct watch_entry *watches;
    struct timer connect, ping;
    struct model_zk_counts counts;
};

struct life { /* of the clients of one name */
    char *name;
    uint64_t count;
};

struct model_zk {
    struct sim_loop *sim;
    struct loop *loop, *background;
    struct model_zk_config config;
    uint64_t random_state;
    struct server servers[MODEL_ZK_SERVERS_MAX];
    int servers_count;
    int64_t zxid, next_session;
    struct strmap sessions; /* key -> struct session */
    struct strmap digests, lives;
    struct client *clients, *clients_last;
    struct client *current; /* whose callback runs; NULL once it is freed */
    struct message *floating;
    struct history *history;
    bool history_open;
    struct ztree_header *applying; /* by the leader */
    struct model_zk_counts counts;
};

/* model_zk.c: the servers */
uint64_t mz_hash(uint64_t a, uint64_t b);
int64_t mz_range(uint64_t *state, int64_t min, int64_t max); /* inclusive */
void message_free(struct message *message);
void message_arrive(struct client *client, struct message *message);
void message_float(struct message *message, int64_t after_ms);
void server_watch_again(struct client *client); /* SetWatches of a reconnect */
void leader_open_session(struct model_zk *mz);  /* a transaction */
void leader_close_session(struct model_zk *mz, int64_t session);
bool mz_serving(const struct model_zk *mz);
struct zk_op *zk_ops_copy(const struct zk_op *ops, int count); /* one block */

/* model_zk_session.c: sessions, connections, faults */
struct session *session_find(struct model_zk *mz, int64_t id);
void session_end(struct session *session); /* expiry or close; a transaction */
void session_heard(struct session *session);
void connection_close(
    struct client *client); /* all that was sent arrives, then the end */
void connection_drop(struct client *client, bool keep_inbox);
bool connection_open(struct client *client, struct server *server); /* handshake */
void sessions_free(struct model_zk *mz);

/* model_zk_client.c */
void client_push(struct client *client, struct item *item); /* a message to it */
void client_in_arm(struct client *client);
void client_out_arm(struct client *client);
void client_lose_inbox(struct client *client, int keep); /* of what is on the way */
void client_observe(struct client *client, const struct model_zk_request *request);
void item_free(struct item *item);

#endif
