/* zwatch.c - a server's table of one-shot watches.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "tests/support/zwatch.h"

#include "shared/base/mem.h"

#include <stdlib.h>
#include <string.h>

struct place {
    char *key; /* 'c' or 'd', then the path */
    struct zwatch **watches;
    int count, size;
};

struct zwatch {
    struct zwatcher *watcher;
    struct place *place;
    int index;                  /* in the place */
    struct zwatch *prev, *next; /* of the watcher */
};

static char *place_key(const char *path, bool child)
{
    return mem_printf("%c%s", child ? 'c' : 'd', path);
}

static struct place *place_get(struct zwatches *table, const char *path, bool child)
{
    char *key = place_key(path, child);
    struct place *place = strmap_get(&table->paths, key);

    if (place) {
        free(key);
        return place;
    }
    place = NEW(struct place);
    place->key = key;
    strmap_add(&table->paths, key, place);
    return place;
}

static void place_free(struct zwatches *table, struct place *place)
{
    (void)strmap_remove(&table->paths, place->key);
    free(place->key);
    free(place->watches);
    free(place);
}

void zwatch_add(struct zwatches *table, struct zwatcher *watcher, const char *path,
                bool child)
{
    struct place *place = place_get(table, path, child);

    for (struct zwatch *w = watcher->first; w; w = w->next) {
        if (w->place == place)
            return;
    }
    struct zwatch *watch = NEW(struct zwatch);
    *watch = (struct zwatch){.watcher = watcher, .place = place, .index = place->count};
    watch->next = watcher->first;
    if (watch->next)
        watch->next->prev = watch;
    watcher->first = watch;
    if (place->count == place->size) {
        place->size = place->size ? place->size * 2 : 4;
        place->watches = mem_resize(place->watches, (size_t)place->size, sizeof(watch));
    }
    place->watches[place->count++] = watch;
}

static void unlink_watcher(struct zwatch *watch)
{
    *(watch->prev ? &watch->prev->next : &watch->watcher->first) = watch->next;
    if (watch->next)
        watch->next->prev = watch->prev;
}

void zwatch_fire(struct zwatches *table, const char *path, bool child,
                 void (*tell)(void *ctx, struct zwatcher *watcher), void *ctx)
{
    if (!table->paths.count)
        return;
    char *key = place_key(path, child);
    struct place *place = strmap_get(&table->paths, key);
    free(key);
    if (!place)
        return;
    for (int i = 0; i < place->count; i++) {
        struct zwatch *watch = place->watches[i];

        unlink_watcher(watch);
        tell(ctx, watch->watcher);
        free(watch);
    }
    place_free(table, place);
}

void zwatch_forget(struct zwatches *table, struct zwatcher *watcher)
{
    while (watcher->first) {
        struct zwatch *watch = watcher->first;
        struct place *place = watch->place;
        struct zwatch *last = place->watches[--place->count];

        place->watches[watch->index] = last;
        last->index = watch->index;
        unlink_watcher(watch);
        free(watch);
        if (!place->count)
            place_free(table, place);
    }
}
