/* str.c - bounded strings.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/str.h"

#include "shared/base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool str_copy(char *dst, size_t size, const char *src)
{
    assert(size > 0);
    size_t len = strnlen(src, size);
    bool fits = len < size;

    if (!fits)
        len = size - 1;
    memmove(dst, src, len);
    dst[len] = '\0';
    return fits;
}

bool str_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool str_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
    size_t len = strlen(s), suffix_len = strlen(suffix);

    return len >= suffix_len && strcmp(s + len - suffix_len, suffix) == 0;
}

static void strbuf_reserve(struct strbuf *b, size_t more)
{
    size_t need, size = b->size ? b->size : 64;

    if (__builtin_add_overflow(b->len, more, &need) ||
        __builtin_add_overflow(need, 1, &need))
        need = SIZE_MAX; /* mem_resize aborts */
    if (need <= b->size)
        return;
    while (size < need && size <= SIZE_MAX / 2)
        size *= 2;
    if (size < need)
        size = need;
    b->text = mem_resize(b->text, size, 1);
    b->size = size;
}

void strbuf_add_bytes(struct strbuf *b, const void *bytes, size_t len)
{
    strbuf_reserve(b, len);
    if (len > 0)
        memcpy(b->text + b->len, bytes, len);
    b->len += len;
    b->text[b->len] = '\0';
}

void strbuf_add(struct strbuf *b, const char *text)
{
    strbuf_add_bytes(b, text, strlen(text));
}

void strbuf_vaddf(struct strbuf *b, const char *fmt, va_list args)
{
    va_list again;

    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    assert(len >= 0);
    strbuf_reserve(b, (size_t)len);
    (void)vsnprintf(b->text + b->len, (size_t)len + 1, fmt, again);
    va_end(again);
    b->len += (size_t)len;
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    strbuf_vaddf(b, fmt, args);
    va_end(args);
}

char *strbuf_take(struct strbuf *b)
{
    char *text = b->text ? b->text : mem_strdup("");

    *b = (struct strbuf){0};
    return text;
}

void strbuf_done(struct strbuf *b)
{
    free(b->text);
    *b = (struct strbuf){0};
}

int str_to_int64(const char *s, int64_t min, int64_t max, int64_t *ret)
{
    const char *digits = s && *s == '-' ? s + 1 : s;
    char *end;

    if (!digits || *digits < '0' ||
        *digits > '9') /* strtoll would skip blanks and '+' */
        return -EINVAL;
    errno = 0;
    long long value = strtoll(s, &end, 10);
    if (*end)
        return -EINVAL;
    if (errno == ERANGE || value < min || value > max)
        return -ERANGE;
    *ret = value;
    return 0;
}

static const struct unit {
    const char *name;
    int64_t ms;
} units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};
enum { UNIT_COUNT = sizeof(units) / sizeof(units[0]) };

static const struct unit *unit_named(const char *name, size_t len)
{
    for (size_t i = 0; i < UNIT_COUNT; i++)
        if (strlen(units[i].name) == len && memcmp(units[i].name, name, len) == 0)
            return &units[i];
    return NULL;
}

int str_to_duration_ms(const char *s, int64_t *ret_ms)
{
    int64_t total = 0;
    const struct unit *before = NULL;

    if (!s)
        return -EINVAL;
    do {
        size_t digits = strspn(s, "0123456789");
        size_t letters = strspn(s + digits, "dhms");
        const struct unit *unit = unit_named(s + digits, letters);
        int64_t value;

        if (digits == 0 || !unit || (before && unit <= before))
            return -EINVAL; /* "1m 2h" is a slip, not a sum */
        errno = 0;
        value = strtoll(s, NULL, 10);
        if (errno == ERANGE || __builtin_mul_overflow(value, unit->ms, &value) ||
            __builtin_add_overflow(total, value, &total))
            return -ERANGE;
        before = unit;
        s += digits + letters;
        s += *s == ' ' && s[1];
    } while (*s);
    *ret_ms = total;
    return 0;
}

void str_from_duration_ms(int64_t ms, char *dst, size_t size)
{
    const char *sign = ms < 0 ? "-" : "";
    uint64_t rest = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    size_t i = 0;

    while (i < UNIT_COUNT - 1 && rest < (uint64_t)units[i].ms)
        i++;
    uint64_t whole = rest / (uint64_t)units[i].ms;
    rest %= (uint64_t)units[i].ms;
    if (i + 1 < UNIT_COUNT)
        rest /= (uint64_t)units[i + 1].ms;
    if (i + 1 == UNIT_COUNT || rest == 0 || (units[i + 1].ms == 1 && whole >= 10))
        (void)snprintf(dst, size, "%s%llu%s", sign, (unsigned long long)whole,
                       units[i].name);
    else
        (void)snprintf(dst, size, "%s%llu%s %llu%s", sign, (unsigned long long)whole,
                       units[i].name, (unsigned long long)rest, units[i + 1].name);
}
