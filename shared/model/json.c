/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/model/json_value.h"

#include "shared/base/cleanup.h"
#include "shared/base/mem.h"
#include "shared/base/spelling.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

void json_mistake(struct json_mistakes *mistakes, const char *path, const char *fmt,
                  ...)
{
    va_list args;

    strbuf_addf(&mistakes->text, "%s: ", path[0] ? path : "document");
    va_start(args, fmt);
    strbuf_vaddf(&mistakes->text, fmt, args);
    va_end(args);
    strbuf_add(&mistakes->text, "\n");
    mistakes->count++;
}

int json_mistakes_error(const struct json_mistakes *mistakes, const char *what,
                        struct error *err)
{
    _cleanup_(freep) char *joined = NULL;
    struct strbuf b = {0};

    if (mistakes->count == 0)
        return 0;
    for (const char *p = mistakes->text.text; *p; p++) {
        if (*p != '\n')
            strbuf_add_bytes(&b, p, 1);
        else if (p[1])
            strbuf_add(&b, "; ");
    }
    joined = strbuf_take(&b);
    return error_set(err, -EINVAL, "%s: %s", what, joined);
}

void json_mistakes_done(struct json_mistakes *mistakes)
{
    strbuf_done(&mistakes->text);
    mistakes->count = mistakes->unknown = 0;
}

/* How a document's key relates to a table: a key, the way to one, or neither. */
enum match { MATCH_NONE, MATCH_SECTION, MATCH_KEY };

static enum match table_match(const struct json_key *keys, const char *path)
{
    size_t len = strlen(path);

    for (const struct json_key *key = keys; key->path; key++) {
        if (strncmp(key->path, path, len) != 0)
            continue;
        if (key->path[len] == '\0')
            return MATCH_KEY;
        if (key->path[len] == '.')
            return MATCH_SECTION;
    }
    return MATCH_NONE;
}

static void unknown_key(const struct json_key *keys, const char *section,
                        const char *name, const char *path,
                        struct json_mistakes *mistakes)
{
    size_t skip = section[0] ? strlen(section) + 1 : 0, near_len = 0, last_len = 0;
    const char *near = NULL, *last = NULL;
    struct strbuf known = {0};
    int best = 3;

    mistakes->unknown++;
    for (const struct json_key *key = keys; key->path; key++) {
        const char *sibling = key->path + skip;
        size_t len;
        int distance;

        if (skip &&
            (strncmp(key->path, section, skip - 1) != 0 || key->path[skip - 1] != '.'))
            continue;
        len = strcspn(sibling, ".");
        if (last && len == last_len && strncmp(last, sibling, len) == 0)
            continue;
        last = sibling;
        last_len = len;
        strbuf_addf(&known, "%s%.*s", known.len ? ", " : "", (int)len, sibling);
        distance = spelling_distance_n(name, strlen(name), sibling, len);
        if (distance < best) {
            best = distance;
            near = sibling;
            near_len = len;
        }
    }
    if (near)
        json_mistake(mistakes, path, "unknown key; did you mean \"%.*s\"?",
                     (int)near_len, near);
    else
        json_mistake(mistakes, path, "unknown key; known here: %s",
                     known.text ? known.text : "none");
    strbuf_done(&known);
}

/* Keys that the table does not know, and sections that are no objects. */
static void check_known(const json_t *object, const char *prefix, const char *section,
                        const struct json_key *keys, struct json_mistakes *mistakes)
{
    char inner[JSON_PATH_SIZE], path[JSON_PATH_SIZE], shown[JSON_SHOWN_SIZE];
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)object, name, value) {
        (void)json_path_join(section, name, inner);
        (void)json_path_join(prefix, inner, path);
        switch (strchr(name, '.') ? MATCH_NONE : table_match(keys, inner)) {
        case MATCH_KEY:
            break;
        case MATCH_SECTION:
            if (json_is_object(value))
                check_known(value, prefix, inner, keys, mistakes);
            else
                json_mistake(mistakes, path, "expected an object, got %s",
                             json_show(value, shown));
            break;
        case MATCH_NONE:
            unknown_key(keys, section, name, path, mistakes);
            break;
        }
    }
}

static const json_t *value_at(const json_t *object, const char *path)
{
    const char *dot;

    while ((dot = strchr(path, '.'))) {
        object = json_object_getn(object, path, (size_t)(dot - path));
        path = dot + 1;
    }
    return json_object_get(object, path);
}

void json_read(const json_t *object, const char *prefix, const struct json_key *keys,
               void *base, struct json_mistakes *mistakes)
{
    char shown[JSON_SHOWN_SIZE], path[JSON_PATH_SIZE];

    if (!json_is_object(object))
        json_mistake(mistakes, prefix, "expected an object, got %s",
                     json_show(object, shown));
    else
        check_known(object, prefix, "", keys, mistakes);
    for (const struct json_key *key = keys; key->path; key++) {
        const json_t *value = value_at(object, key->path);

        json_value_clear(key, base);
        (void)json_path_join(prefix, key->path, path);
        if (value)
            json_value_read(key, value, path, base, mistakes);
        else if (key->required && json_is_object(object))
            json_mistake(mistakes, path, "is missing");
        else
            json_value_default(key, path, base, mistakes);
    }
}

void json_release(const struct json_key *keys, void *base)
{
    for (const struct json_key *key = keys; key->path; key++)
        json_value_release(key, base);
}

/* Text ------------------------------------------------------------------------ */

int json_parse(const char *text, size_t len, json_t **ret, struct error *err)
{
    json_error_t error;
    json_t *value =
        json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);

    if (!value)
        return error_set(err, -EINVAL, "not JSON: line %d, column %d: %s", error.line,
                         error.column, error.text);
    *ret = value;
    return 0;
}

int json_version_take(json_t *object, const char *what, bool required,
                      struct error *err)
{
    const json_t *v = json_object_get(object, "v");
    char shown[JSON_SHOWN_SIZE];

    if (!json_is_object(object))
        return error_set(err, -EINVAL, "%s: expected an object, got %s", what,
                         json_show(object, shown));
    if (!v)
        return required ? error_set(err, -EINVAL, "%s: v: is missing", what) : 0;
    if (!json_is_integer(v) || json_integer_value(v) < 1)
        return error_set(err, -EINVAL, "%s: v: expected %d, got %s", what, JSON_VERSION,
                         json_show(v, shown));
    if (json_integer_value(v) > JSON_VERSION)
        return error_set(err, -EPROTONOSUPPORT,
                         "%s: written by a newer program (format %s, this one knows "
                         "%d): upgrade this one",
                         what, json_show(v, shown), JSON_VERSION);
    (void)json_object_del(object, "v");
    return 0;
}

/* Refused all the same; but its reader can tell it from nonsense. */
static int decode_error(const struct json_mistakes *mistakes, const char *what,
                        struct error *err)
{
    struct error own = {0};
    int rc = json_mistakes_error(mistakes, what, &own);

    if (rc < 0 && mistakes->unknown == mistakes->count)
        rc = error_set(&own, -EPROTONOSUPPORT,
                       "written by a newer program (upgrade this one) or changed by "
                       "hand (put it right): %s",
                       own.text);
    if (rc < 0)
        error_copy(err, &own);
    return rc;
}

int json_decode(const char *text, size_t len, const char *what,
                const struct json_key *keys, void *base, struct error *err)
{
    _cleanup_(json_decrefp) json_t *object = NULL;
    struct json_mistakes mistakes = {0};
    int rc = json_parse(text, len, &object, err);

    if (rc < 0)
        return error_context(err, rc, "%s", what);
    rc = json_version_take(object, what, true, err);
    if (rc < 0)
        return rc;
    json_read(object, "", keys, base, &mistakes);
    rc = decode_error(&mistakes, what, err);
    json_mistakes_done(&mistakes);
    if (rc < 0)
        json_release(keys, base);
    return rc;
}

char *json_line(const json_t *value)
{
    return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
}

char *json_encode(const struct json_key *keys, const void *base)
{
    _cleanup_(json_decrefp) json_t *body = json_write(keys, base);
    _cleanup_(json_decrefp) json_t *whole = json_object();

    (void)json_object_set_new(whole, "v", json_integer(JSON_VERSION));
    (void)json_object_update(whole, body);
    return json_line(whole);
}

/* Length of the UTF-8 sequence at s, 0 when it is none (RFC 3629). */
static size_t utf8_len(const unsigned char *s)
{
    size_t len = s[0] < 0x80                    ? 1
                 : s[0] >= 0xc2 && s[0] <= 0xdf ? 2
                 : (s[0] & 0xf0) == 0xe0        ? 3
                 : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
                                                : 0;

    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return len;
}

json_t *json_text(const char *bytes)
{
    _cleanup_(freep) char *clean = mem_strdup(bytes);

    for (unsigned char *p = (unsigned char *)clean; *p;) {
        size_t len = utf8_len(p);

        if (len == 0)
            *p = '?';
        p += len ? len : 1;
    }
    return json_string(clean);
}
