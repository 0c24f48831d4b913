/* error.c - one error as a value.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/error.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *err, int code, const char *fmt, ...)
{
    assert(code < 0);
    if (err) {
        char text[sizeof(err->text)]; /* the arguments may point into err->text */
        va_list args;

        va_start(args, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, args);
        va_end(args);
        err->code = code;
        memcpy(err->text, text, sizeof(text));
    }
    return code;
}

int error_context(struct error *err, int code, const char *fmt, ...)
{
    if (!err)
        return code;

    char text[sizeof(err->text)];
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (len >= 0 && (size_t)len < sizeof(text))
        (void)snprintf(text + len, sizeof(text) - (size_t)len, "%s%s",
                       err->text[0] ? ": " : "", err->text);
    memcpy(err->text, text, sizeof(text));
    if (!err->code)
        err->code = code;
    return err->code;
}

void error_copy(struct error *dst, const struct error *src)
{
    if (dst && dst != src)
        *dst = *src;
}
