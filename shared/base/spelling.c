/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/base/spelling.h"

#include <string.h>

static int least(int a, int b, int c)
{
    int ab = a < b ? a : b;
    return ab < c ? ab : c;
}

int spelling_distance_n(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int row[SPELLING_MAX + 1];
    if (a_len > SPELLING_MAX || b_len > SPELLING_MAX)
        return SPELLING_MAX;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= a_len; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= b_len; j++) {
            int change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = least(change, row[j] + 1, row[j - 1] + 1);
        }
    }
    return row[b_len];
}

int spelling_distance(const char *a, const char *b)
{
    return spelling_distance_n(a, strlen(a), b, strlen(b));
}
