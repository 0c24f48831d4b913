/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/model/strings.h"

#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <stdlib.h>
#include <string.h>

/* Capacity is the power of two at or above count, so it need not be stored. */
void strings_add(struct strings *list, const char *item)
{
    int count = list->count;

    if ((count & (count - 1)) == 0)
        list->items = mem_resize(list->items, count ? (size_t)count * 2 : 1,
                                 sizeof(*list->items));
    list->items[list->count++] = mem_strdup(item);
}

bool strings_have(const struct strings *list, const char *item)
{
    for (int i = 0; i < list->count; i++) {
        if (str_equal(list->items[i], item))
            return true;
    }
    return false;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void strings_sort(struct strings *list)
{
    if (list->count > 1)
        qsort(list->items, (size_t)list->count, sizeof(*list->items), compare);
}

bool strings_have_sorted(const struct strings *list, const char *item)
{
    return list->count > 0 && bsearch(&item, list->items, (size_t)list->count,
                                      sizeof(*list->items), compare);
}

void strings_done(struct strings *list)
{
    for (int i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct strings){0};
}
