/* daemon_json.h - Docker's daemon.json: read strictly, merge keys, keep the rest.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd, pure.
 */
#ifndef CLOWDER_AGENTD_DAEMON_JSON_H
#define CLOWDER_AGENTD_DAEMON_JSON_H

#include "shared/base/error.h"

#include <jansson.h>
#include <stddef.h>

/* Nothing but blanks is an empty object. -EINVAL names line and column; a duplicate key
 * is a mistake, since a merge would lose one of the two. */
MUST_CHECK int daemon_json_parse(const char *bytes, size_t len, json_t **ret,
                                 struct error *err);
/* Every other key stays, in its place and order. Where none of the keys is there yet,
 * they are put in before the last brace and every other byte stays as it was; else the
 * document is written anew with the file's indentation, a key that is there in its
 * place and a new one last. Caller frees. */
MUST_CHECK int daemon_json_merge(const char *bytes, size_t len, const json_t *keys,
                                 char **ret_text, struct error *err);
/* Without these keys; *ret_text is NULL where nothing else is left. Caller frees. */
MUST_CHECK int daemon_json_without(const char *bytes, size_t len, const json_t *keys,
                                   char **ret_text, struct error *err);
/* With the keys of these names as they were in `before`, and all others as they are;
 * *ret_text is NULL where those others are as they were, too. Caller frees. */
MUST_CHECK int daemon_json_keys_back(const char *bytes, size_t len, const char *before,
                                     size_t before_len, const char *const *names,
                                     char **ret_text, struct error *err);

#endif
