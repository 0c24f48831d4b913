/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/swarm/init.h"

#include "shared/base/cleanup.h"
#include "shared/base/str.h"
#include "shared/model/json.h"
#include "shared/swarm/swarm.h"

#include <string.h>

enum { RETRY_MS = 100, CHILDREN_COUNT = 4 };

struct root {
    char cluster[CLUSTER_ID_SIZE];
};

static const char *uuid_check(const char *text)
{
    bool good = strlen(text) == CLUSTER_ID_SIZE - 1 &&
                strspn(text, "0123456789abcdef-") == CLUSTER_ID_SIZE - 1;
    return good ? NULL : "is not a UUID";
}

static const struct json_key keys[] = {
    {"cluster", KEY_CHARS, JSON_AT(struct root, cluster), .required = true,
     .filled = true, .check = uuid_check},
    {0},
};

int root_decode(const char *bytes, size_t len, char ret_cluster[CLUSTER_ID_SIZE],
                struct error *err)
{
    struct root root = {0};
    int rc = json_decode(bytes, len, "root", keys, &root, err);
    if (rc == 0)
        str_copy(ret_cluster, CLUSTER_ID_SIZE, root.cluster);
    return rc;
}

char *root_encode(const char *cluster)
{
    struct root root = {0};
    STR_COPY(root.cluster, cluster);
    return json_encode(keys, &root);
}

static bool away(const struct zk_reply *reply)
{
    return reply->result == ZK_AMBIGUOUS || reply->result == ZK_NOT_CONNECTED;
}

static void fail_reply(struct init *init, const char *path,
                       const struct zk_reply *reply)
{
    struct error err = {0};
    (void)zk_error(reply->result, path, &err);
    if (away(reply))
        flow_again(&init->flow, RETRY_MS, &err);
    else
        flow_fail(&init->flow, &err);
}

/* "/a/b/root", at = length of the ancestor being made. */
static struct zpath ancestor(const struct init *init)
{
    struct zpath path = {0};
    memcpy(path.text, init->wanted.root, init->at);
    return path;
}

static void on_ancestor(void *ctx, const struct zk_reply *reply)
{
    struct init *init = ctx;
    init->request = NULL;
    if (reply->result != ZK_OK && reply->result != ZK_NODE_EXISTS) {
        fail_reply(init, ancestor(init).text, reply);
        return;
    }
    init->at++;
    flow_again(&init->flow, 0, NULL);
}

static enum flow_verdict make_ancestors(struct flow *flow, void *ctx, struct error *err)
{
    struct init *init = ctx;
    const char *slash = strchr(init->wanted.root + init->at, '/');
    if (!slash)
        return FLOW_NEXT;
    init->at = (size_t)(slash - init->wanted.root);
    init->request =
        zk_create(init->zk, ancestor(init).text, NULL, 0, 0, on_ancestor, init);
    return FLOW_WAIT;
}

static void on_root(void *ctx, const struct zk_reply *reply)
{
    struct init *init = ctx;
    init->request = NULL;
    if (reply->result == ZK_OK)
        STR_COPY(init->cluster, init->wanted.cluster);
    if (reply->result == ZK_OK)
        flow_finish(&init->flow);
    else if (reply->result == ZK_NODE_EXISTS)
        flow_next(&init->flow);
    else
        fail_reply(init, init->wanted.root, reply);
}

static void child_ops(const struct init *init, struct zpath paths[CHILDREN_COUNT],
                      struct zk_op ops[CHILDREN_COUNT])
{
    static const char none[] = "{\"v\":1}";
    const char *root = init->wanted.root;
    int flags = init->wanted.protect ? ZK_PROTECTED : ZK_PERSISTENT;
    paths[0] = zpath_hosts(root);
    paths[1] = zpath_lives(root);
    paths[2] = zpath_rollouts(root);
    paths[3] = zpath_current(root);
    for (int i = 0; i < CHILDREN_COUNT; i++)
        ops[i] = op_create(paths[i].text, i == 3 ? none : NULL, flags);
}

static enum flow_verdict make_root(struct flow *flow, void *ctx, struct error *err)
{
    struct init *init = ctx;
    _cleanup_(freep) char *data = root_encode(init->wanted.cluster);
    struct zpath paths[CHILDREN_COUNT];
    struct zk_op ops[1 + CHILDREN_COUNT];
    ops[0] = op_create(init->wanted.root, data,
                       init->wanted.protect ? ZK_PROTECTED : ZK_PERSISTENT);
    child_ops(init, paths, ops + 1);
    init->request = zk_multi(init->zk, ops, 1 + CHILDREN_COUNT, on_root, init);
    return FLOW_WAIT;
}

static void on_read(void *ctx, const struct zk_reply *reply)
{
    struct init *init = ctx;
    struct error err = {0};
    init->request = NULL;
    if (reply->result != ZK_OK) {
        fail_reply(init, init->wanted.root, reply);
    } else if (root_decode(reply->data, reply->data_len, init->cluster, &err) < 0) {
        (void)error_context(&err, err.code, "znode '%s'", init->wanted.root);
        flow_fail(&init->flow, &err);
    } else {
        /* Ours after all when the first multi's reply was lost. */
        init->was_there = !str_equal(init->cluster, init->wanted.cluster);
        flow_next(&init->flow);
    }
}

static enum flow_verdict read_root(struct flow *flow, void *ctx, struct error *err)
{
    struct init *init = ctx;
    init->request = zk_get(init->zk, init->wanted.root, NULL, on_read, init);
    return FLOW_WAIT;
}

static void on_child(void *ctx, const struct zk_reply *reply)
{
    struct init *init = ctx;
    init->request = NULL;
    if (reply->result != ZK_OK && reply->result != ZK_NODE_EXISTS) {
        fail_reply(init, init->wanted.root, reply);
        return;
    }
    init->mended += reply->result == ZK_OK;
    init->child++;
    flow_again(&init->flow, 0, NULL);
}

static enum flow_verdict mend_children(struct flow *flow, void *ctx, struct error *err)
{
    struct init *init = ctx;
    struct zpath paths[CHILDREN_COUNT];
    struct zk_op ops[CHILDREN_COUNT];
    if (init->child == CHILDREN_COUNT)
        return FLOW_NEXT;
    child_ops(init, paths, ops);
    const struct zk_op *op = &ops[init->child];
    init->request = zk_create(init->zk, op->path, op->data, op->data_len, op->flags,
                              on_child, init);
    return FLOW_WAIT;
}

static void drop(void *ctx)
{
    struct init *init = ctx;
    zk_cancel(init->zk, init->request);
    init->request = NULL;
}

static const struct flow_step steps[] = {
    {.name = "make the root's ancestors", .run = make_ancestors, .cancel = drop},
    {.name = "make the root", .run = make_root, .cancel = drop},
    {.name = "read the root that is there", .run = read_root, .cancel = drop},
    {.name = "put back missing children", .run = mend_children, .cancel = drop},
    {0},
};

void init_start(struct init *init, struct zk *zk, struct loop *loop,
                const struct init_request *wanted, flow_done_f done, void *ctx)
{
    *init = (struct init){.zk = zk, .wanted = *wanted, .at = 1};
    flow_start(&init->flow, loop, steps, init, done, ctx);
}

void init_cancel(struct init *init)
{
    flow_cancel(&init->flow);
}
