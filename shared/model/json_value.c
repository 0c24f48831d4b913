/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/model/json_value.h"

#include "shared/base/cleanup.h"
#include "shared/base/mem.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

const char *json_show(const json_t *value, char dst[JSON_SHOWN_SIZE])
{
    _cleanup_(freep) char *text = NULL;

    if (json_is_object(value))
        return "an object";
    if (json_is_array(value))
        return "a list";
    text = json_dumps(value,
                      JSON_ENCODE_ANY | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(12));
    if (!text)
        return "a value that is not text";
    if (!str_copy(dst, JSON_SHOWN_SIZE, text))
        memcpy(dst + JSON_SHOWN_SIZE - 4, "...", 4);
    return dst;
}

const char *json_path_join(const char *prefix, const char *key,
                           char dst[JSON_PATH_SIZE])
{
    if (prefix[0])
        (void)snprintf(dst, JSON_PATH_SIZE, "%s.%s", prefix, key);
    else
        (void)snprintf(dst, JSON_PATH_SIZE, "%s", key);
    return dst;
}

static void *field_of(const struct json_key *key, void *base)
{
    return (char *)base + key->offset;
}

static void key_range(const struct json_key *key, int64_t *min, int64_t *max)
{
    bool none = key->min == 0 && key->max == 0;

    *min = none && key->type != KEY_DURATION && key->type != KEY_SHARE ? INT64_MIN
                                                                       : key->min;
    *max = none ? INT64_MAX : key->max;
    if (key->type == KEY_INT || key->type == KEY_SHARE) {
        *min = *min < INT_MIN ? INT_MIN : *min;
        *max = *max > INT_MAX ? INT_MAX : *max;
    }
}

static bool number_read(const struct json_key *key, const json_t *value,
                        const char *path, int64_t *ret, struct json_mistakes *mistakes)
{
    char shown[JSON_SHOWN_SIZE];
    int64_t min, max, number;

    key_range(key, &min, &max);
    number = json_integer_value(value);
    if (json_is_integer(value) && number >= min && number <= max) {
        *ret = number;
        return true;
    }
    if (min > INT_MIN && max < INT_MAX)
        json_mistake(mistakes, path,
                     "expected a whole number from %lld to %lld, got %s",
                     (long long)min, (long long)max, json_show(value, shown));
    else if (min > INT_MIN)
        json_mistake(mistakes, path, "expected a whole number, %lld or more, got %s",
                     (long long)min, json_show(value, shown));
    else
        json_mistake(mistakes, path, "expected a whole number, got %s",
                     json_show(value, shown));
    return false;
}

static bool duration_read(const struct json_key *key, const json_t *value,
                          const char *path, int64_t *ret,
                          struct json_mistakes *mistakes)
{
    char shown[JSON_SHOWN_SIZE], least[32], most[32];
    int64_t min, max, ms = -1;

    key_range(key, &min, &max);
    if (json_is_integer(value))
        ms = json_integer_value(value);
    else if (!json_is_string(value) ||
             str_to_duration_ms(json_string_value(value), &ms) != 0)
        ms = -1;
    if (ms < 0) {
        json_mistake(mistakes, path,
                     "expected a duration such as \"90s\", \"5m\" or a number of "
                     "milliseconds, got %s",
                     json_show(value, shown));
        return false;
    }
    if (ms < min || ms > max) {
        str_from_duration_ms(min, least, sizeof(least));
        str_from_duration_ms(max, most, sizeof(most));
        json_mistake(mistakes, path, "%s is not between %s and %s",
                     json_show(value, shown), least,
                     max == INT64_MAX ? "any length" : most);
        return false;
    }
    *ret = ms;
    return true;
}

static int values_find(const struct json_key *key, const char *text)
{
    for (int i = 0; text && key->values[i]; i++) {
        if (strcmp(text, key->values[i]) == 0)
            return i;
    }
    return -1;
}

static void values_mistake(const struct json_key *key, const json_t *value,
                           const char *path, struct json_mistakes *mistakes)
{
    struct strbuf allowed = {0};
    char shown[JSON_SHOWN_SIZE];

    for (int i = 0; key->values[i]; i++)
        strbuf_addf(&allowed, "%s%s", i ? ", " : "", key->values[i]);
    json_mistake(mistakes, path, "%s is not one of %s", json_show(value, shown),
                 allowed.text);
    strbuf_done(&allowed);
}

static const char *string_read(const struct json_key *key, const json_t *value,
                               const char *path, struct json_mistakes *mistakes)
{
    const char *text = json_string_value(value), *wrong;
    char shown[JSON_SHOWN_SIZE];

    wrong = text && text[0] && key->check ? key->check(text) : NULL;
    if (!text)
        json_mistake(mistakes, path, "expected a string, got %s",
                     json_show(value, shown));
    else if (text[0] == '\0' && key->filled)
        json_mistake(mistakes, path, "must not be empty");
    else if (text[0] && key->values && values_find(key, text) < 0)
        values_mistake(key, value, path, mistakes);
    else if (wrong)
        json_mistake(mistakes, path, "%s %s", json_show(value, shown), wrong);
    else if (key->type == KEY_CHARS && strlen(text) >= key->size)
        json_mistake(mistakes, path, "%s is longer than %zu bytes",
                     json_show(value, shown), key->size - 1);
    else
        return text;
    return NULL;
}

static void choice_read(const struct json_key *key, const json_t *value,
                        const char *path, void *field, struct json_mistakes *mistakes)
{
    int index = values_find(key, json_string_value(value));

    if (index < 0) {
        mistakes->unknown += json_is_string(value);
        values_mistake(key, value, path, mistakes);
    } else if (key->size == sizeof(bool))
        *(bool *)field = index != 0;
    else
        memcpy(field, &index, sizeof(index));
}

static void strings_read(const struct json_key *key, const json_t *value,
                         const char *path, struct strings *field,
                         struct json_mistakes *mistakes)
{
    char item_path[JSON_PATH_SIZE + 16], shown[JSON_SHOWN_SIZE];
    size_t i;
    json_t *item;

    if (!json_is_array(value)) {
        json_mistake(mistakes, path, "expected a list of strings, got %s",
                     json_show(value, shown));
        return;
    }
    json_array_foreach (value, i, item) {
        const char *text;

        (void)snprintf(item_path, sizeof(item_path), "%s[%zu]", path, i);
        text = string_read(key, item, item_path, mistakes);
        if (text)
            strings_add(field, text);
    }
}

static void object_read(const struct json_key *key, const json_t *value,
                        const char *path, json_t **field,
                        struct json_mistakes *mistakes)
{
    char item_path[JSON_PATH_SIZE], shown[JSON_SHOWN_SIZE];
    const char *name;
    json_t *item;

    if (!json_is_object(value)) {
        json_mistake(mistakes, path, "expected an object%s, got %s",
                     key->type == KEY_MAP ? " of strings" : "",
                     json_show(value, shown));
        return;
    }
    if (key->type == KEY_MAP) {
        json_object_foreach ((json_t *)value, name, item)
            (void)string_read(key, item, json_path_join(path, name, item_path),
                              mistakes);
    }
    json_decref(*field);
    *field = json_deep_copy(value);
}

static bool percent_parse(const char *text, int *ret)
{
    size_t len = strlen(text);
    char digits[8];
    int64_t percent;

    if (len < 2 || len > 4 || text[len - 1] != '%')
        return false;
    memcpy(digits, text, len - 1);
    digits[len - 1] = '\0';
    if (str_to_int64(digits, 1, 100, &percent) != 0)
        return false;
    *ret = (int)percent;
    return true;
}

static bool share_object_read(const json_t *value, struct share *ret)
{
    const json_t *percent = json_object_get(value, "percent");
    const json_t *at_least = json_object_get(value, "at_least");
    json_int_t p = json_integer_value(percent), n = json_integer_value(at_least);

    if (json_object_size(value) != 2 || p < 1 || p > 100 || n < 1 || n > INT_MAX)
        return false;
    *ret = (struct share){.percent = (int)p, .at_least = n > 1 ? (int)n : 0};
    return true;
}

static void share_read(const struct json_key *key, const json_t *value,
                       const char *path, struct share *field,
                       struct json_mistakes *mistakes)
{
    struct share share = {0};
    char shown[JSON_SHOWN_SIZE];
    int64_t number;

    if (json_is_integer(value)) {
        if (number_read(key, value, path, &number, mistakes))
            *field = (struct share){.number = (int)number};
    } else if (json_is_string(value)) {
        if (percent_parse(json_string_value(value), &share.percent))
            *field = share;
        else
            json_mistake(mistakes, path,
                         "bad percentage %s: use a percentage from \"1%%\" to "
                         "\"100%%\" such as \"10%%\", or a number such as 5",
                         json_show(value, shown));
    } else if (json_is_object(value)) {
        if (share_object_read(value, &share))
            *field = share;
        else
            json_mistake(mistakes, path,
                         "expected {\"percent\":10,\"at_least\":10} with a percentage "
                         "from 1 to 100");
    } else {
        json_mistake(mistakes, path,
                     "expected a number such as 5 or a percentage such as \"10%%\", "
                     "got %s",
                     json_show(value, shown));
    }
}

void json_value_read(const struct json_key *key, const json_t *value, const char *path,
                     void *base, struct json_mistakes *mistakes)
{
    void *field = field_of(key, base);
    char shown[JSON_SHOWN_SIZE];
    const char *text;
    int64_t number;

    switch (key->type) {
    case KEY_BOOL:
        if (json_is_boolean(value))
            *(bool *)field = json_is_true(value);
        else
            json_mistake(mistakes, path, "expected true or false, got %s",
                         json_show(value, shown));
        return;
    case KEY_INT:
        if (number_read(key, value, path, &number, mistakes))
            *(int *)field = (int)number;
        return;
    case KEY_INT64:
        (void)number_read(key, value, path, field, mistakes);
        return;
    case KEY_DURATION:
        (void)duration_read(key, value, path, field, mistakes);
        return;
    case KEY_CHARS:
        text = string_read(key, value, path, mistakes);
        if (text)
            (void)str_copy(field, key->size, text);
        return;
    case KEY_TEXT:
        text = string_read(key, value, path, mistakes);
        if (text) {
            free(*(char **)field);
            *(char **)field = mem_strdup(text);
        }
        return;
    case KEY_CHOICE:
        choice_read(key, value, path, field, mistakes);
        return;
    case KEY_STRINGS:
        strings_read(key, value, path, field, mistakes);
        return;
    case KEY_MAP:
    case KEY_OBJECT:
        object_read(key, value, path, field, mistakes);
        return;
    case KEY_SHARE:
        share_read(key, value, path, field, mistakes);
        return;
    case KEY_CUSTOM:
        key->custom->read(value, path, field, mistakes);
        return;
    }
}

void json_value_clear(const struct json_key *key, void *base)
{
    void *field = field_of(key, base);

    if (key->type != KEY_CUSTOM)
        memset(field, 0, key->size);
    if (key->type == KEY_TEXT)
        *(char **)field = mem_strdup("");
    else if (key->type == KEY_MAP || key->type == KEY_OBJECT)
        *(json_t **)field = json_object();
}

void json_value_default(const struct json_key *key, const char *path, void *base,
                        struct json_mistakes *mistakes)
{
    json_t *value;

    if (!key->fallback)
        return;
    value = json_loads(key->fallback, JSON_DECODE_ANY, NULL);
    if (value)
        json_value_read(key, value, path, base, mistakes);
    else
        json_mistake(mistakes, path, "the default is not JSON");
    json_decref(value);
}

void json_value_release(const struct json_key *key, void *base)
{
    void *field = field_of(key, base);

    if (key->type == KEY_TEXT) {
        free(*(char **)field);
        *(char **)field = NULL;
    } else if (key->type == KEY_MAP || key->type == KEY_OBJECT) {
        json_decref(*(json_t **)field);
        *(json_t **)field = NULL;
    } else if (key->type == KEY_STRINGS) {
        strings_done(field);
    } else if (key->type == KEY_CUSTOM && key->custom->release) {
        key->custom->release(field);
    }
}
