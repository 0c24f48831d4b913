/* json_value.h - one value of a document, by its row of the table.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure; of json.c only. What is wrong becomes a mistake with its path.
 */
#ifndef CLOWDER_MODEL_JSON_VALUE_H
#define CLOWDER_MODEL_JSON_VALUE_H

#include "shared/model/json.h"

enum { JSON_PATH_SIZE = 256, JSON_SHOWN_SIZE = 64 };

/* A value as it appears in a message. */
const char *json_show(const json_t *value, char dst[JSON_SHOWN_SIZE]);
const char *json_path_join(const char *prefix, const char *key,
                           char dst[JSON_PATH_SIZE]);

/* base: the struct that the table describes; the field is cleared before it is read. */
void json_value_clear(const struct json_key *key, void *base); /* "", [], {} */
void json_value_read(const struct json_key *key, const json_t *value, const char *path,
                     void *base, struct json_mistakes *mistakes);
void json_value_default(const struct json_key *key, const char *path, void *base,
                        struct json_mistakes *mistakes);
void json_value_release(const struct json_key *key, void *base);

#endif
