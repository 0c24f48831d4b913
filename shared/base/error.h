/* error.h - one error as a value: a negative errno and a sentence for people.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: base. Owner: the caller's stack. Every function that can fail takes one as
 * its last parameter and NULL is allowed. Text: lower case, names the object and the
 * value in quotes, says what to do where that helps.
 */
#ifndef CLOWDER_BASE_ERROR_H
#define CLOWDER_BASE_ERROR_H

#include <stdarg.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

struct error {
    int code;       /* negative errno; 0 = no error */
    char text[512]; /* one sentence, no trailing newline */
};

/* Fills *err (when not NULL) and returns code, so that callers write
 * return error_set(err, -EINVAL, "...", ...); code must be negative. */
int error_set(struct error *err, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "context: " before the text that is there; returns err->code (or code when err
 * is NULL). Each layer adds its context once. */
int error_context(struct error *err, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

void error_copy(struct error *dst, const struct error *src);

#endif
