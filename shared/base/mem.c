/* mem.c - allocation that does not fail.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *checked(void *p)
{
    static const char text[] = "mem out of memory: aborting\n";

    if (!p) {
        ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);
        (void)ignored; /* nothing else can be done */
        abort();
    }
    return p;
}

static size_t checked_product(size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total))
        (void)checked(NULL);
    return total ? total : 1;
}

void *mem_new(size_t size)
{
    return checked(calloc(1, size ? size : 1));
}

void *mem_array(size_t count, size_t size)
{
    return checked(calloc(1, checked_product(count, size)));
}

void *mem_resize(void *p, size_t count, size_t size)
{
    return checked(realloc(p, checked_product(count, size)));
}

char *mem_strdup(const char *s)
{
    return s ? checked(strdup(s)) : NULL;
}

char *mem_strndup(const char *s, size_t len)
{
    return checked(strndup(s, len));
}

char *mem_printf(const char *fmt, ...)
{
    va_list args;
    char *text;

    va_start(args, fmt);
    int len = vasprintf(&text, fmt, args);
    va_end(args);
    return checked(len < 0 ? NULL : text);
}
