/* JSON Schema and help from a table.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/model/json.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static json_t *values_schema(const struct json_key *key, bool empty)
{
    json_t *values = json_array();

    if (empty)
        (void)json_array_append_new(values, json_string(""));
    for (int i = 0; key->values[i]; i++)
        (void)json_array_append_new(values, json_string(key->values[i]));
    return json_pack("{s:o}", "enum", values);
}

static json_t *number_schema(const struct json_key *key)
{
    json_t *schema = json_pack("{s:s}", "type", "integer");

    if (key->min != 0 || key->max != 0) {
        (void)json_object_set_new(schema, "minimum", json_integer(key->min));
        if (key->max < INT_MAX)
            (void)json_object_set_new(schema, "maximum", json_integer(key->max));
    }
    return schema;
}

static json_t *string_schema(const struct json_key *key)
{
    json_t *schema;

    if (key->values)
        return values_schema(key, !key->filled);
    schema = json_pack("{s:s}", "type", "string");
    if (key->filled)
        (void)json_object_set_new(schema, "minLength", json_integer(1));
    return schema;
}

static json_t *share_schema(const struct json_key *key)
{
    return json_pack(
        "{s:[o,{s:s,s:s},{s:s,s:b,s:[s,s],s:{s:{s:s,s:i,s:i},s:{s:s,s:i}}}]}", "oneOf",
        number_schema(key), "type", "string", "pattern", "^([1-9][0-9]?|100)%$", "type",
        "object", "additionalProperties", 0, "required", "percent", "at_least",
        "properties", "percent", "type", "integer", "minimum", 1, "maximum", 100,
        "at_least", "type", "integer", "minimum", 1);
}

static json_t *type_schema(const struct json_key *key)
{
    switch (key->type) {
    case KEY_BOOL:
        return json_pack("{s:s}", "type", "boolean");
    case KEY_INT:
    case KEY_INT64:
        return number_schema(key);
    case KEY_DURATION:
        return json_pack("{s:[{s:s,s:s},{s:s,s:i}]}", "oneOf", "type", "string",
                         "pattern", "^([0-9]+(ms|s|m|h))+$", "type", "integer",
                         "minimum", 0);
    case KEY_CHARS:
    case KEY_TEXT:
        return string_schema(key);
    case KEY_CHOICE:
        return values_schema(key, false);
    case KEY_STRINGS:
        return json_pack("{s:s,s:o}", "type", "array", "items", string_schema(key));
    case KEY_MAP:
        return json_pack("{s:s,s:{s:s}}", "type", "object", "additionalProperties",
                         "type", "string");
    case KEY_OBJECT:
        return json_pack("{s:s}", "type", "object");
    case KEY_SHARE:
        return share_schema(key);
    case KEY_CUSTOM:
        return json_loads(key->custom->schema, 0, NULL);
    }
    return NULL;
}

/* The default as JSON; what an absent key means. */
static json_t *default_of(const struct json_key *key)
{
    if (key->fallback)
        return json_loads(key->fallback, JSON_DECODE_ANY, NULL);
    switch (key->type) {
    case KEY_BOOL:
        return json_false();
    case KEY_INT:
    case KEY_INT64:
    case KEY_DURATION:
    case KEY_SHARE:
        return json_integer(0);
    case KEY_CHARS:
    case KEY_TEXT:
        return json_string("");
    case KEY_CHOICE:
        return json_string(key->values[0]);
    case KEY_STRINGS:
        return json_array();
    case KEY_MAP:
    case KEY_OBJECT:
        return json_object();
    case KEY_CUSTOM:
        return NULL;
    }
    return NULL;
}

static json_t *section_new(void)
{
    return json_pack("{s:s,s:b,s:{}}", "type", "object", "additionalProperties", 0,
                     "properties");
}

json_t *json_schema(const struct json_key *keys)
{
    json_t *schema = section_new();

    for (const struct json_key *key = keys; key->path; key++) {
        const char *path = key->path, *dot;
        json_t *section = schema, *leaf = type_schema(key);

        while ((dot = strchr(path, '.'))) {
            size_t len = (size_t)(dot - path);
            json_t *properties = json_object_get(section, "properties");

            if (!json_object_getn(properties, path, len))
                (void)json_object_setn_new(properties, path, len, section_new());
            section = json_object_getn(properties, path, len);
            path = dot + 1;
        }
        if (key->help)
            (void)json_object_set_new(leaf, "description", json_string(key->help));
        if (!key->required)
            (void)json_object_set_new(leaf, "default", default_of(key));
        (void)json_object_set_new(json_object_get(section, "properties"), path, leaf);
    }
    return schema;
}

static void type_help(const struct json_key *key, struct strbuf *out)
{
    switch (key->type) {
    case KEY_BOOL:
        strbuf_add(out, "true or false");
        return;
    case KEY_INT:
    case KEY_INT64:
        strbuf_add(out, "number");
        if (key->max > 0 && key->max < INT_MAX)
            strbuf_addf(out, " %lld to %lld", (long long)key->min, (long long)key->max);
        return;
    case KEY_DURATION:
        strbuf_add(out, "duration such as 90s");
        return;
    case KEY_CHARS:
    case KEY_TEXT:
    case KEY_CHOICE:
        for (int i = 0; key->values && key->values[i]; i++)
            strbuf_addf(out, "%s%s", i ? " | " : "", key->values[i]);
        strbuf_add(out, key->values ? "" : "text");
        return;
    case KEY_STRINGS:
        strbuf_add(out, "list");
        return;
    case KEY_MAP:
        strbuf_add(out, "object of strings");
        return;
    case KEY_OBJECT:
        strbuf_add(out, "object");
        return;
    case KEY_SHARE:
        strbuf_add(out, "number or percentage such as 10%");
        return;
    case KEY_CUSTOM:
        strbuf_add(out, key->custom->type ? key->custom->type : "object");
        return;
    }
}

void json_help(const struct json_key *keys, struct strbuf *out)
{
    for (const struct json_key *key = keys; key->path; key++) {
        json_t *otherwise = key->required ? NULL : default_of(key);
        char *text = otherwise ? json_line(otherwise) : NULL;

        strbuf_addf(out, "  %s\n      %s (", key->path, key->help ? key->help : "");
        type_help(key, out);
        if (text)
            strbuf_addf(out, "; default %s", text);
        strbuf_add(out, key->required ? "; required)\n" : ")\n");
        free(text);
        json_decref(otherwise);
    }
}
