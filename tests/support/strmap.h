/* strmap.h - from a string to a pointer, in the order of insertion when walked.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: test support. The walk's order does not depend on addresses, so that a run is
 * repeated exactly. Keys are borrowed: they must live as long as their entry.
 */
#ifndef CLOWDER_TESTS_SUPPORT_STRMAP_H
#define CLOWDER_TESTS_SUPPORT_STRMAP_H

#include <stddef.h>
#include <stdint.h>

struct strmap_entry {
    const char *key;
    void *value;
    uint64_t hash;
    struct strmap_entry *chain;       /* same bucket */
    struct strmap_entry *prev, *next; /* order of insertion */
};

struct strmap { /* zero-initialised is empty */
    struct strmap_entry **buckets;
    size_t buckets_count, count;
    struct strmap_entry *first, *last;
};

void *strmap_get(const struct strmap *map, const char *key); /* NULL = absent */
/* The key must be absent. */
void strmap_add(struct strmap *map, const char *key, void *value);
void *strmap_remove(struct strmap *map, const char *key); /* the value; NULL = absent */
void strmap_done(struct strmap *map);                     /* values stay the owner's */

uint64_t strmap_hash(const char *key);

#define STRMAP_EACH(map, e)                                                            \
    for (struct strmap_entry *e = (map)->first, *e##_next = e ? e->next : NULL; e;     \
         e = e##_next, e##_next = e ? e->next : NULL)

#endif
