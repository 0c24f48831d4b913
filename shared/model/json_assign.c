/* "path=value" into a document, guided by its table.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/model/json.h"

#include "shared/base/cleanup.h"
#include "shared/base/mem.h"

#include <errno.h>
#include <string.h>

/* The key of which path is the whole, or (an object's member) the beginning. */
static const struct json_key *key_of(const struct json_key *keys, const char *path)
{
    for (const struct json_key *key = keys; key->path; key++) {
        size_t len = strlen(key->path);

        if (strncmp(key->path, path, len) != 0)
            continue;
        if (path[len] == '\0' ||
            (path[len] == '.' && (key->type == KEY_MAP || key->type == KEY_OBJECT ||
                                  key->type == KEY_CUSTOM)))
            return key;
    }
    return NULL;
}

static json_t *split(const char *text)
{
    json_t *list = json_array();

    while (*text) {
        size_t len = strcspn(text, ",");

        (void)json_array_append_new(list, json_stringn(text, len));
        text += len + (text[len] == ',');
    }
    return list;
}

static bool wants_string(const struct json_key *key, bool member)
{
    switch (key->type) {
    case KEY_CHARS:
    case KEY_TEXT:
    case KEY_CHOICE:
        return true;
    case KEY_MAP:
        return member;
    case KEY_BOOL:
    case KEY_INT:
    case KEY_INT64:
    case KEY_DURATION:
    case KEY_STRINGS:
    case KEY_OBJECT:
    case KEY_SHARE:
    case KEY_CUSTOM:
        return false;
    }
    return false;
}

static json_t *value_of(const struct json_key *key, bool member, const char *text)
{
    json_t *value = NULL;

    if (!key || !wants_string(key, member) || text[0] == '"')
        value = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    if (!value && key && key->type == KEY_STRINGS)
        value = split(text);
    return value ? value : json_string(text);
}

static bool is_utf8(const char *text)
{
    json_t *string = json_string(text);

    json_decref(string);
    return string != NULL;
}

/* The object at path, made where it is absent; NULL when something else is there. */
static json_t *object_at(json_t *object, const char *path, size_t len)
{
    while (len > 0) {
        const char *dot = memchr(path, '.', len);
        size_t part = dot ? (size_t)(dot - path) : len;
        json_t *inner = json_object_getn(object, path, part);

        if (!inner) {
            inner = json_object();
            (void)json_object_setn_new(object, path, part, inner);
        }
        if (!json_is_object(inner))
            return NULL;
        object = inner;
        path += part + (dot != NULL);
        len -= part + (dot != NULL);
    }
    return object;
}

int json_assign(json_t *document, const struct json_key *keys, const char *assignment,
                struct error *err)
{
    const char *equals = strchr(assignment, '='), *leaf;
    _cleanup_(freep) char *path = NULL;
    const struct json_key *key;
    json_t *object, *value;
    bool member;
    size_t section;

    if (!equals || equals == assignment)
        return error_set(err, -EINVAL, "\"%s\": expected key=value", assignment);
    if (!is_utf8(assignment)) /* also: jansson frees what it does not take */
        return error_set(err, -EINVAL, "\"%s\": not UTF-8 text", assignment);
    path = mem_strndup(assignment, (size_t)(equals - assignment));
    key = key_of(keys, path);
    member = key && path[strlen(key->path)] == '.';
    leaf = member ? path + strlen(key->path) + 1 : strrchr(path, '.');
    if (!member)
        leaf = leaf ? leaf + 1 : path;
    section = leaf == path ? 0 : (size_t)(leaf - path) - 1;
    if (*leaf == '\0' || path[0] == '.' || strstr(path, ".."))
        return error_set(err, -EINVAL, "\"%s\" is no key", path);
    object = json_is_object(document) ? object_at(document, path, section) : NULL;
    if (!object)
        return error_set(err, -EINVAL, "\"%.*s\" is not an object", (int)section, path);
    value = value_of(key, member, equals + 1);
    (void)json_object_set_new(object, leaf, value);
    return 0;
}
