/* strmap.c - from a string to a pointer, in the order of insertion when walked.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/strmap.h"

#include "shared/base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

uint64_t strmap_hash(const char *key) /* FNV-1a */
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * 0x100000001b3u;
    return hash ^ (hash >> 29);
}

static struct strmap_entry **slot(const struct strmap *map, const char *key,
                                  uint64_t hash)
{
    struct strmap_entry **at = &map->buckets[hash & (map->buckets_count - 1)];

    while (*at && ((*at)->hash != hash || strcmp((*at)->key, key) != 0))
        at = &(*at)->chain;
    return at;
}

static void grow(struct strmap *map)
{
    map->buckets_count = map->buckets_count ? map->buckets_count * 2 : 16;
    free(map->buckets);
    map->buckets = mem_array(map->buckets_count, sizeof(struct strmap_entry *));
    for (struct strmap_entry *e = map->first; e; e = e->next) {
        struct strmap_entry **head = &map->buckets[e->hash & (map->buckets_count - 1)];

        e->chain = *head;
        *head = e;
    }
}

void *strmap_get(const struct strmap *map, const char *key)
{
    if (!map->count)
        return NULL;
    struct strmap_entry *e = *slot(map, key, strmap_hash(key));
    return e ? e->value : NULL;
}

void strmap_add(struct strmap *map, const char *key, void *value)
{
    struct strmap_entry *e = NEW(struct strmap_entry);

    *e = (struct strmap_entry){.key = key, .value = value, .hash = strmap_hash(key)};
    if (map->count == map->buckets_count)
        grow(map);
    struct strmap_entry **at = slot(map, key, e->hash);
    assert(!*at);
    *at = e;
    e->prev = map->last;
    *(map->last ? &map->last->next : &map->first) = e;
    map->last = e;
    map->count++;
}

void *strmap_remove(struct strmap *map, const char *key)
{
    if (!map->count)
        return NULL;
    struct strmap_entry **at = slot(map, key, strmap_hash(key)), *e = *at;
    if (!e)
        return NULL;
    void *value = e->value;
    *at = e->chain;
    *(e->prev ? &e->prev->next : &map->first) = e->next;
    *(e->next ? &e->next->prev : &map->last) = e->prev;
    map->count--;
    free(e);
    return value;
}

void strmap_done(struct strmap *map)
{
    STRMAP_EACH(map, e)
    free(e);
    free(map->buckets);
    *map = (struct strmap){0};
}
