/* zk_deliveries.h - what waits to be told to the owner of a session, in order.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: io. A doubly linked list, so that a cancel takes its entry out at once.
 * Entries carry the turn in which they were put in: a drain takes only those of earlier
 * turns, so an owner that answers each result with a new request cannot starve the
 * loop.
 */
#ifndef CLOWDER_IO_ZK_DELIVERIES_H
#define CLOWDER_IO_ZK_DELIVERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum zk_delivery_kind { ZK_DELIVER_REPLY, ZK_DELIVER_WATCH, ZK_DELIVER_EVENT };

struct zk_delivery {                 /* embedded first in what is delivered */
    struct zk_delivery *prev, *next; /* NULL = not queued */
    enum zk_delivery_kind kind;
    uint64_t turn;
};

struct zk_deliveries {
    struct zk_delivery *first, *last;
    uint64_t turn;
};

static inline bool zk_delivery_queued(const struct zk_deliveries *list,
                                      const struct zk_delivery *d)
{
    return d->prev != NULL || list->first == d;
}

static inline void zk_deliveries_put(struct zk_deliveries *list, struct zk_delivery *d)
{
    d->turn = list->turn;
    d->prev = list->last;
    d->next = NULL;
    if (list->last)
        list->last->next = d;
    else
        list->first = d;
    list->last = d;
}

static inline void zk_deliveries_drop(struct zk_deliveries *list, struct zk_delivery *d)
{
    if (!zk_delivery_queued(list, d))
        return;
    if (d->prev)
        d->prev->next = d->next;
    else
        list->first = d->next;
    if (d->next)
        d->next->prev = d->prev;
    else
        list->last = d->prev;
    d->prev = d->next = NULL;
}

/* The next entry put in before the drain began; NULL = none left. */
static inline struct zk_delivery *zk_deliveries_take(struct zk_deliveries *list,
                                                     uint64_t before_turn)
{
    struct zk_delivery *d = list->first;
    if (d == NULL || d->turn >= before_turn)
        return NULL;
    zk_deliveries_drop(list, d);
    return d;
}

#endif
