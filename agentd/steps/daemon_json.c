/* daemon_json.c - Docker's daemon.json: read strictly, merge keys, keep the rest.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/steps/daemon_json.h"

#include "shared/base/cleanup.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { INDENT_DEFAULT = 4, INDENT_MAX = 31 };

static bool blank(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!strchr(" \t\r\n", bytes[i]) || bytes[i] == '\0')
            return false;
    }
    return true;
}

int daemon_json_parse(const char *bytes, size_t len, json_t **ret, struct error *err)
{
    json_error_t where;
    json_t *document;

    if (blank(bytes, len)) {
        *ret = json_object();
        return 0;
    }
    document = json_loadb(bytes, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
    if (!document)
        return error_set(err, -EINVAL, "line %d, column %d: %s", where.line,
                         where.column, where.text);
    if (!json_is_object(document)) {
        json_decref(document);
        return error_set(err, -EINVAL, "it is no JSON object");
    }
    *ret = document;
    return 0;
}

/* Blanks after the first line break; -1 = the file is one line. */
static int indent_of(const char *bytes, size_t len)
{
    const char *end = bytes + len, *c = memchr(bytes, '\n', len);
    int blanks = 0;

    if (!c)
        return blank(bytes, len) ? INDENT_DEFAULT : -1;
    for (c++; c < end && *c == ' ' && blanks < INDENT_MAX; c++)
        blanks++;
    return blanks > 0 ? blanks : INDENT_DEFAULT;
}

static void add_key(struct strbuf *text, const char *key, const json_t *value)
{
    json_t *name = json_string(key);
    _cleanup_(freep) char *left = json_dumps(name, JSON_ENCODE_ANY);
    _cleanup_(freep) char *right = json_dumps(value, JSON_ENCODE_ANY);

    strbuf_addf(text, "%s: %s", left, right);
    json_decref(name);
}

/* What stands between "{" and the first key: how the file separates its keys. */
static void separator_of(const char *bytes, const char *end, struct strbuf *ret)
{
    const char *brace = memchr(bytes, '{', (size_t)(end - bytes));
    const char *from = brace + 1, *to = from;

    while (to < end && strchr(" \t\r\n", *to))
        to++;
    if (memchr(from, '\n', (size_t)(to - from)))
        strbuf_add_bytes(ret, from, (size_t)(to - from));
    else
        strbuf_add(ret, " ");
}

/* The file's own bytes with the keys put in before its last brace. */
static char *inserted(const char *bytes, size_t len, const json_t *keys)
{
    const char *end = memrchr(bytes, '}', len), *last = end;
    struct strbuf text = {0}, separator = {0};
    const char *key;
    json_t *value;

    while (last > bytes && strchr(" \t\r\n", last[-1]))
        last--;
    separator_of(bytes, end, &separator);
    strbuf_add_bytes(&text, bytes, (size_t)(last - bytes));
    json_object_foreach ((json_t *)(uintptr_t)keys, key, value) {
        strbuf_addf(&text, ",%s", separator.text);
        add_key(&text, key, value);
    }
    strbuf_add_bytes(&text, last, (size_t)(bytes + len - last));
    strbuf_done(&separator);
    return strbuf_take(&text);
}

static bool holds_any(const json_t *document, const json_t *keys)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)keys, key, value) {
        if (json_object_get(document, key))
            return true;
    }
    return false;
}

static bool means(const char *text, const json_t *document)
{
    json_t *parsed = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    bool same = json_equal(parsed, document);

    json_decref(parsed);
    return same;
}

static char *dumped(const char *bytes, size_t len, const json_t *document)
{
    int indent = indent_of(bytes, len);
    bool newline = len == 0 || blank(bytes, len) || bytes[len - 1] == '\n';
    _cleanup_(freep) char *text =
        json_dumps(document, indent < 0 ? 0 : JSON_INDENT((size_t)indent));

    return mem_printf("%s%s", text, newline ? "\n" : "");
}

int daemon_json_merge(const char *bytes, size_t len, const json_t *keys,
                      char **ret_text, struct error *err)
{
    json_t *document = NULL;
    char *text = NULL;
    int r = daemon_json_parse(bytes, len, &document, err);

    if (r < 0)
        return r;
    if (json_object_size(document) > 0 && !holds_any(document, keys))
        text = inserted(bytes, len, keys);
    json_object_update(document, (json_t *)(uintptr_t)keys);
    if (!text || !means(text, document)) {
        free(text);
        text = dumped(bytes, len, document);
    }
    json_decref(document);
    *ret_text = text;
    return 0;
}

int daemon_json_without(const char *bytes, size_t len, const json_t *keys,
                        char **ret_text, struct error *err)
{
    json_t *document = NULL, *value;
    const char *key;
    int r = daemon_json_parse(bytes, len, &document, err);

    if (r < 0)
        return r;
    json_object_foreach ((json_t *)(uintptr_t)keys, key, value) {
        (void)json_object_del(document, key);
    }
    *ret_text = json_object_size(document) ? dumped(bytes, len, document) : NULL;
    json_decref(document);
    return 0;
}

/* Takes those keys out of the document. */
static json_t *taken_out(json_t *document, const char *const *names)
{
    json_t *taken = json_object();

    for (; *names; names++) {
        json_t *value = json_object_get(document, *names);

        if (value)
            json_object_set(taken, *names, value);
        (void)json_object_del(document, *names);
    }
    return taken;
}

int daemon_json_keys_back(const char *bytes, size_t len, const char *before,
                          size_t before_len, const char *const *names, char **ret_text,
                          struct error *err)
{
    json_t *now = NULL, *then = NULL;
    int r = daemon_json_parse(bytes, len, &now, err);

    if (r == 0)
        r = daemon_json_parse(before, before_len, &then, err);
    if (r < 0) {
        json_decref(now);
        return r;
    }
    json_t *old = taken_out(then, names);
    json_decref(taken_out(now, names));
    *ret_text = NULL;
    if (!json_equal(now, then)) {
        json_object_update(now, old);
        *ret_text = dumped(bytes, len, now);
    }
    json_decref(old);
    json_decref(now);
    json_decref(then);
    return 0;
}
