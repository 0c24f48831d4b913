/* Writing by table: the value of each key, in the table's order.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/model/json.h"

#include "shared/base/cleanup.h"

#include <string.h>

static int choice_of(const struct json_key *key, const void *field)
{
    int index;

    if (key->size == sizeof(bool))
        return *(const bool *)field;
    memcpy(&index, field, sizeof(index));
    return index;
}

static json_t *strings_write(const struct strings *list)
{
    json_t *array = json_array();

    for (int i = 0; i < list->count; i++)
        (void)json_array_append_new(array, json_text(list->items[i]));
    return array;
}

static json_t *share_write(const struct share *share)
{
    if (share->percent == 0)
        return json_integer(share->number);
    if (share->at_least > 1)
        return json_pack("{s:i, s:i}", "percent", share->percent, "at_least",
                         share->at_least);
    return json_sprintf("%d%%", share->percent);
}

static json_t *duration_write(int64_t ms)
{
    if (ms % 3600000 == 0 && ms > 0)
        return json_sprintf("%lldh", (long long)ms / 3600000);
    if (ms % 60000 == 0 && ms > 0)
        return json_sprintf("%lldm", (long long)ms / 60000);
    if (ms % 1000 == 0)
        return json_sprintf("%llds", (long long)ms / 1000);
    return json_sprintf("%lldms", (long long)ms);
}

/* A map has no order: one text for the same map. */
static json_t *map_write(const json_t *map)
{
    _cleanup_(freep) char *text = map ? json_dumps(map, JSON_SORT_KEYS) : NULL;

    return text ? json_loads(text, 0, NULL) : json_object();
}

static json_t *value_write(const struct json_key *key, const void *base)
{
    const void *field = (const char *)base + key->offset;
    const json_t *object;

    switch (key->type) {
    case KEY_BOOL:
        return json_boolean(*(const bool *)field);
    case KEY_INT:
        return json_integer(*(const int *)field);
    case KEY_INT64:
        return json_integer(*(const int64_t *)field);
    case KEY_DURATION:
        return duration_write(*(const int64_t *)field);
    case KEY_CHARS:
        return json_text(field);
    case KEY_TEXT:
        return json_text(*(char *const *)field ? *(char *const *)field : "");
    case KEY_CHOICE:
        return json_string(key->values[choice_of(key, field)]);
    case KEY_STRINGS:
        return strings_write(field);
    case KEY_MAP:
        return map_write(*(json_t *const *)field);
    case KEY_OBJECT:
        object = *(json_t *const *)field;
        return object ? json_deep_copy(object) : json_object();
    case KEY_SHARE:
        return share_write(field);
    case KEY_CUSTOM:
        return key->custom->write(field);
    }
    return NULL;
}

/* The object in which the last part of the path stands, made on the way. */
static json_t *section_of(json_t *object, const char *path, const char **ret_leaf)
{
    const char *dot;

    while ((dot = strchr(path, '.'))) {
        size_t len = (size_t)(dot - path);
        json_t *inner = json_object_getn(object, path, len);

        if (!inner) {
            inner = json_object();
            (void)json_object_setn_new(object, path, len, inner);
        }
        object = inner;
        path = dot + 1;
    }
    *ret_leaf = path;
    return object;
}

json_t *json_write(const struct json_key *keys, const void *base)
{
    json_t *object = json_object();

    for (const struct json_key *key = keys; key->path; key++) {
        const char *leaf;
        json_t *section = section_of(object, key->path, &leaf);

        (void)json_object_set_new(section, leaf, value_write(key, base));
    }
    return object;
}
