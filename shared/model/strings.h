/* strings.h - an owned list of strings.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure. Zero-initialised is empty.
 */
#ifndef CLOWDER_MODEL_STRINGS_H
#define CLOWDER_MODEL_STRINGS_H

#include <stdbool.h>

struct strings {
    char **items;
    int count;
};

void strings_add(struct strings *list, const char *item); /* copies */
bool strings_have(const struct strings *list, const char *item);
void strings_sort(struct strings *list);
bool strings_have_sorted(const struct strings *list, const char *item);
void strings_done(struct strings *list); /* empty again */

#endif
