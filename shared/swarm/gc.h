/* gc.h - what rollouts leave behind: which of it may go.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: swarm. Owner: embed struct gc (zero-initialised is idle).
 *
 * This is the look; gc_rollout.h removes one rollout, gc_hosts.h inventories.
 *
 * Story of the look. The server's clock is read from a write: /rollouts is set to the
 * bytes that it has, and the answer says when (the only write of a look; nobody watches
 * that znode). Then /current; then of each rollout its root, its gate, its number of
 * hosts. What goes:
 *
 *   debris   no gate, and its root is older than debris_ms: its CLI died while writing
 *   closed   gate in phase done, and not among the newest `keep` of those
 *   half     its gate bears GC_MARK: an earlier gc was interrupted; goes in any case
 *
 * What stays: the rollout in /current whatever its phase, every one whose gate is not
 * done or cannot be read, and what is young. Inventories go (on request) of hosts with
 * no sign of life, that are in no rollout that stays, and were last written more than
 * hosts_ms ago; rollouts that go do not hold their hosts back.
 *
 * How a rollout goes, so that it never looks alive:
 *
 *   list it                            a permit that is occupied -> left alone
 *   multi[ check(/current, cv), set(gate, done + GC_MARK, gv) ]    closed, or
 *   multi[ check(/current, cv), create(gate, done + GC_MARK) ]     debris
 *   multi[ delete ... ] up to 200 each, children before parents, pipelined
 *   multi[ delete(gate), delete(root) ]                            last, and together
 *
 * An agent follows only /current, so what is not in it is inert; but a CLI that was
 * suspended while it wrote could wake and bring half a rollout into force. The mark
 * takes the name of the gate that it has yet to create: its last multi fails, and while
 * the root exists so does a gate that is done. Debris and half-removed rollouts are
 * therefore told apart by one read, and a done gate is never opened again.
 *
 * Crash points. Before the mark: nothing has happened. After it: half; the next gc
 * finishes it. Between the last two multis: root and gate only; half. After the last:
 * gone. Lost replies, another gc at the same time, a CLI that still writes: a delete
 * then finds too little (NO_NODE) or too much (NOT_EMPTY); the rollout is looked at and
 * listed anew, and what is still there goes.
 *
 * Memory: a few hundred bytes per rollout, one name per absent host; while removing,
 * one rollout's names (2 MB for 20,000 hosts).
 */
#ifndef CLOWDER_SWARM_GC_H
#define CLOWDER_SWARM_GC_H

#include "shared/io/flow.h"
#include "shared/model/strings.h"
#include "shared/swarm/batch.h"
#include "shared/swarm/swarm.h"

/* The reason in the gate of a rollout that is being removed. */
#define GC_MARK "removed by clowder gc"

enum { GC_OPS_MAX = 200 }; /* in one multi */

enum gc_verdict {
    GC_KEEP_CURRENT,
    GC_KEEP_OPEN, /* its gate is not done */
    GC_KEEP_YOUNG,
    GC_KEEP_RECENT,
    GC_KEEP_UNREADABLE,
    GC_DEBRIS,
    GC_CLOSED,
    GC_HALF,
};
bool gc_goes(enum gc_verdict verdict);
const char *gc_verdict_text(enum gc_verdict verdict); /* "debris": for programs */
const char *gc_verdict_says(enum gc_verdict verdict); /* for people */

struct gc_policy {
    int keep;          /* closed rollouts, beside the one in /current */
    int64_t debris_ms; /* younger than this may be in the making */
    bool hosts;        /* inventories too */
    int64_t hosts_ms;
};

struct gc_rollout {
    char id[ROLLOUT_ID_SIZE];
    enum gc_verdict verdict;
    int64_t created_ms; /* the server's clock */
    int64_t czxid;
    int hosts;
    bool there, has_gate, gate_bad, marked;
    enum gate_phase phase;
};

struct gc {
    struct gc_policy policy;
    struct zk *zk;
    struct loop *loop;
    char root[ZROOT_MAX];
    struct flow flow;
    flow_done_f done;
    void *done_ctx;
    struct zk_request *io;
    struct batch batch;
    int64_t server_ms; /* the server's clock when the look began */
    struct current current;
    struct gc_rollout *rollouts; /* owned; newest first */
    int rollouts_count;
    struct strings hosts; /* whose inventory may go, in order */
    struct strings live;  /* of the look only, like what follows */
    bool *spared;         /* per host */
};

/* done's result: 0; -ENOENT: there is no clowder at root. */
void gc_look_start(struct gc *gc, struct zk *zk, struct loop *loop, const char *root,
                   const struct gc_policy *policy, flow_done_f done, void *done_ctx);
void gc_done(struct gc *gc); /* drops what is under way, frees what was found */
int gc_going(const struct gc *gc);

#endif
