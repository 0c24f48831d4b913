/* zk_watches.c - which watches are armed on which znode.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/io/zk_watches.h"

#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>

static struct zk_node **bucket_of(struct zk_watches *watches, const char *path)
{
    unsigned hash = 5381;
    for (; *path != '\0'; path++)
        hash = hash * 33 + (unsigned char)*path;
    return &watches->buckets[hash % ZK_WATCH_BUCKETS];
}

struct zk_node *zk_watches_node(struct zk_watches *watches, struct zk_session *session,
                                const char *path, enum zk_watch_kind kind)
{
    struct zk_node **bucket = bucket_of(watches, path);
    for (struct zk_node *node = *bucket; node; node = node->next) {
        if (node->kind == kind && strcmp(node->path, path) == 0)
            return node;
    }
    size_t size = strlen(path) + 1;
    struct zk_node *node = mem_new(sizeof(*node) + size);
    node->session = session;
    node->kind = kind;
    memcpy(node->path, path, size);
    node->next = *bucket;
    *bucket = node;
    return node;
}

struct zk_arm *zk_arm_new(struct zk_node *node, struct zk_watch *watch)
{
    struct zk_arm *arm = NEW(struct zk_arm);
    arm->delivery.kind = ZK_DELIVER_WATCH;
    arm->watch = watch;
    arm->node = node;
    arm->next = node->arms;
    if (arm->next)
        arm->next->prev = arm;
    node->arms = arm;
    watch->armed = arm;
    return arm;
}

static void leave_node(struct zk_arm *arm)
{
    if (arm->node == NULL)
        return;
    if (arm->prev)
        arm->prev->next = arm->next;
    else
        arm->node->arms = arm->next;
    if (arm->next)
        arm->next->prev = arm->prev;
    arm->prev = arm->next = NULL;
    arm->node = NULL;
}

void zk_arm_free(struct zk_arm *arm, struct zk_deliveries *deliveries)
{
    leave_node(arm);
    zk_deliveries_drop(deliveries, &arm->delivery);
    arm->watch->armed = NULL;
    free(arm);
}

void zk_node_fire(struct zk_node *node, struct zk_deliveries *deliveries)
{
    struct zk_arm *next;
    for (struct zk_arm *arm = node->arms; arm; arm = next) {
        next = arm->next;
        if (arm->state != ZK_ARM_ARMED)
            continue;
        leave_node(arm);
        arm->state = ZK_ARM_FIRED;
        zk_deliveries_put(deliveries, &arm->delivery);
    }
}

bool zk_node_unused(const struct zk_node *node)
{
    return node->arms == NULL && node->requests_out == 0;
}

void zk_watches_suspect(struct zk_watches *watches, struct zk_node *node)
{
    if (node->suspect)
        return;
    node->suspect = true;
    node->next_suspect = watches->suspects;
    watches->suspects = node;
}

struct zk_node *zk_watches_next_suspect(struct zk_watches *watches)
{
    struct zk_node *node = watches->suspects;
    if (node) {
        watches->suspects = node->next_suspect;
        node->suspect = false;
    }
    return node;
}

void zk_watches_drop(struct zk_watches *watches, struct zk_node *node)
{
    struct zk_node **at = bucket_of(watches, node->path);
    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    free(node);
}

struct zk_node *zk_watches_any(const struct zk_watches *watches)
{
    for (int i = 0; i < ZK_WATCH_BUCKETS; i++) {
        if (watches->buckets[i])
            return watches->buckets[i];
    }
    return NULL;
}
