/* str.h - bounded strings: copying into fixed fields, growing buffers, parsing numbers.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: base.
 */
#ifndef CLOWDER_BASE_STR_H
#define CLOWDER_BASE_STR_H

#include "shared/base/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copies with truncation and always terminates; false when it had to cut. */
bool str_copy(char *dst, size_t size, const char *src);
#define STR_COPY(array, src) str_copy((array), sizeof(array), (src))

bool str_equal(const char *a, const char *b); /* NULL equals NULL only */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* A growing buffer; zero-initialised is empty. text is always terminated once used. */
struct strbuf {
    char *text;
    size_t len;
    size_t size;
};
void strbuf_add(struct strbuf *b, const char *text);
void strbuf_add_bytes(struct strbuf *b, const void *bytes, size_t len);
void strbuf_addf(struct strbuf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void strbuf_vaddf(struct strbuf *b, const char *fmt, va_list args) PRINTF_LIKE(2, 0);
char *strbuf_take(struct strbuf *b); /* caller frees; never NULL; b is empty again */
void strbuf_done(struct strbuf *b);

/* Whole string must be a decimal number in [min, max]. */
MUST_CHECK int str_to_int64(const char *s, int64_t min, int64_t max, int64_t *ret);

/* "90s", "5m", "1500ms", "2h", "1h30m" -> ms; and back ("1m 30s"). */
MUST_CHECK int str_to_duration_ms(const char *s, int64_t *ret_ms);
void str_from_duration_ms(int64_t ms, char *dst, size_t size);

#endif
