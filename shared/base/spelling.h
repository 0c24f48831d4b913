/* spelling.h - how far two words are apart: for "did you mean".
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: base.
 */
#ifndef CLOWDER_BASE_SPELLING_H
#define CLOWDER_BASE_SPELLING_H

#include <stddef.h>

enum { SPELLING_MAX = 64 };

/* Letters to insert, drop or change (Levenshtein); SPELLING_MAX where one of them is
 * longer than that. */
int spelling_distance(const char *a, const char *b);
int spelling_distance_n(const char *a, size_t a_len, const char *b, size_t b_len);

#endif
