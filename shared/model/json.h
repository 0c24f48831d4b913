/* json.h - strict reading and canonical writing of JSON documents, by table.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure. One table describes a document: reading, defaults, writing, the
 * JSON Schema and the help text come from it. Reading reports every mistake at once,
 * each with its path, and refuses unknown keys.
 *
 *   struct config { char *zk; int64_t retry_ms; enum level level; };
 *   static const char *const levels[] = {"error", "warn", "info", "debug", NULL};
 *   static const struct json_key keys[] = {
 *       {"zk", KEY_TEXT, JSON_AT(struct config, zk), .fallback = "\"zk-1.zk\"",
 *        .help = "where ZooKeeper is"},
 *       {"retry.after", KEY_DURATION, JSON_AT(struct config, retry_ms),
 *        .fallback = "\"5s\"", .min = 100, .max = 3600000},
 *       {"log.level", KEY_CHOICE, JSON_AT(struct config, level), .values = levels,
 *        .fallback = "\"info\""},
 *       {0},
 *   };
 *
 * A dot in a path is one level of nesting: {"log":{"level":"warn"}}. Paths of one
 * section stand next to each other; the order of the table is the order of writing.
 */
#ifndef CLOWDER_MODEL_JSON_H
#define CLOWDER_MODEL_JSON_H

#include "shared/base/error.h"
#include "shared/base/str.h"
#include "shared/model/share.h"
#include "shared/model/strings.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JSON_VERSION = 1 }; /* "v" of every document in ZooKeeper */

/* Mistakes, one line each: "path: what is wrong". Zero-initialised is none. */
struct json_mistakes {
    struct strbuf text;
    int count;
    int unknown; /* of them: keys and choices that a newer program may have written */
};
void json_mistake(struct json_mistakes *mistakes, const char *path, const char *fmt,
                  ...) PRINTF_LIKE(3, 4);
/* 0 when there is none; else -EINVAL with as many of them as fit, after "what: ". */
MUST_CHECK int json_mistakes_error(const struct json_mistakes *mistakes,
                                   const char *what, struct error *err);
void json_mistakes_done(struct json_mistakes *mistakes);

enum key_type {
    KEY_BOOL,     /* bool */
    KEY_INT,      /* int, min..max */
    KEY_INT64,    /* int64_t, min..max */
    KEY_DURATION, /* int64_t ms, min..max: "90s", or a number of ms */
    KEY_CHARS,    /* char[n]; longer is a mistake */
    KEY_TEXT,     /* char *, owned, never NULL */
    KEY_CHOICE,   /* enum or bool: the index in values */
    KEY_STRINGS,  /* struct strings, owned */
    KEY_MAP,      /* json_t *, owned, never NULL: object of strings */
    KEY_OBJECT,   /* json_t *, owned, never NULL: object, content not looked at */
    KEY_SHARE,    /* struct share, a number within min..max or 1% to 100% */
    KEY_CUSTOM,   /* custom->read and so on, given the field at offset */
};

struct json_custom {
    void (*read)(const json_t *value, const char *path, void *field,
                 struct json_mistakes *mistakes);
    json_t *(*write)(const void *field); /* new reference */
    void (*release)(void *field);        /* or NULL */
    const char *schema;                  /* JSON Schema of the value, as text */
    const char *type;                    /* for the help: "list of stages" */
};

struct json_key {
    const char *path;
    enum key_type type;
    size_t offset, size;
    bool required;             /* absent is a mistake */
    bool filled;               /* "" is a mistake (also in lists) */
    int64_t min, max;          /* of numbers; 0, 0 = no limit but the type's */
    const char *const *values; /* of a choice, or of strings; ends with NULL */
    const char *fallback;      /* default, as JSON text; NULL = zero, "", [] or {} */
    /* Of each string that is not "": NULL when good, else what is wrong with it:
     * "is not a URL (use http://, https:// or file://)". */
    const char *(*check)(const char *text);
    const struct json_custom *custom;
    const char *help; /* one line for people */
};
#define JSON_AT(type, member)                                                          \
    .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)
/* Reads an object into *base, which need not be initialised (but for custom fields).
 * Keys that are absent get their default; mistaken ones are left empty. json_release is
 * right afterwards in any case. prefix: "" or where the object stands. */
void json_read(const json_t *object, const char *prefix, const struct json_key *keys,
               void *base, struct json_mistakes *mistakes);
/* The whole with every key, in the table's order; new reference. */
json_t *json_write(const struct json_key *keys, const void *base);
void json_release(const struct json_key *keys, void *base);
/* JSON Schema (draft 2020-12) of the object; new reference. */
json_t *json_schema(const struct json_key *keys);
/* One line per key: path, type with unit and allowed values, default, help. */
void json_help(const struct json_key *keys, struct strbuf *out);

/* "path=value" of a command line into a document that is not yet read. The value is
 * JSON where the key is no string and it parses as JSON; a list of strings may be
 * written a,b; what follows an object's path is one name in it. Unknown paths are left
 * to json_read. */
MUST_CHECK int json_assign(json_t *document, const struct json_key *keys,
                           const char *assignment, struct error *err);

/* Text to value. A syntax error names line and column; a key that stands twice in one
 * object is refused. */
MUST_CHECK int json_parse(const char *text, size_t len, json_t **ret,
                          struct error *err);
/* Takes "v" out of the object: -EPROTONOSUPPORT when a newer program wrote it, -EINVAL
 * when it is absent and required, or nonsense. what: "gate". */
MUST_CHECK int json_version_take(json_t *object, const char *what, bool required,
                                 struct error *err);
/* parse + version + read; *base is released again on failure. -EPROTONOSUPPORT as well
 * when keys and choices that are not known here are all that is wrong: a newer program
 * wrote them, or a hand. */
MUST_CHECK int json_decode(const char *text, size_t len, const char *what,
                           const struct json_key *keys, void *base, struct error *err);
/* One line {"v":1,...}; caller frees. */
char *json_encode(const struct json_key *keys, const void *base);
char *json_line(const json_t *value); /* compact text of any value; caller frees */

/* A string value of any bytes: what is not UTF-8 becomes '?'. Never NULL. */
json_t *json_text(const char *bytes);

#endif
