/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/scenario/states.h"

#include "shared/base/mem.h"

#include <stdlib.h>

struct states {
    uint64_t *slots; /* open addressing; 0 = free */
    uint64_t count, size;
};

struct states *states_new(void)
{
    struct states *s = NEW(struct states);
    s->size = 1 << 16;
    s->slots = mem_array(s->size, sizeof(uint64_t));
    return s;
}

void states_free(struct states *s)
{
    if (!s)
        return;
    free(s->slots);
    free(s);
}

uint64_t states_count(const struct states *s)
{
    return s->count;
}

static bool put(struct states *s, uint64_t state)
{
    uint64_t at = state & (s->size - 1);
    while (s->slots[at] && s->slots[at] != state)
        at = (at + 1) & (s->size - 1);
    bool fresh = !s->slots[at];
    s->slots[at] = state;
    return fresh;
}

static void grow(struct states *s)
{
    struct states old = *s;
    s->size *= 2;
    s->slots = mem_array(s->size, sizeof(uint64_t));
    for (uint64_t i = 0; i < old.size; i++)
        if (old.slots[i])
            (void)put(s, old.slots[i]);
    free(old.slots);
}

void states_add(struct states *s, uint64_t state)
{
    s->count += put(s, state ? state : 1);
    if (s->count * 2 > s->size)
        grow(s);
}

bool states_write(const struct states *s, FILE *file)
{
    bool ok = fwrite(&s->count, sizeof(s->count), 1, file) == 1;
    for (uint64_t i = 0; ok && i < s->size; i++)
        if (s->slots[i])
            ok = fwrite(&s->slots[i], sizeof(uint64_t), 1, file) == 1;
    return ok;
}

bool states_read(struct states *s, FILE *file)
{
    uint64_t count, state;
    bool ok = fread(&count, sizeof(count), 1, file) == 1;
    for (uint64_t i = 0; ok && i < count; i++) {
        ok = fread(&state, sizeof(state), 1, file) == 1;
        if (ok)
            states_add(s, state);
    }
    return ok;
}
