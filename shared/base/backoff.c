/* backoff.c - exponential delays with jitter.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/backoff.h"

int64_t backoff_delay_ms(int attempt, int64_t first_ms, int64_t max_ms, uint64_t random)
{
    int64_t whole = first_ms < 0 ? 0 : first_ms;

    if (max_ms < 0)
        max_ms = 0;
    for (; attempt > 0 && whole > 0 && whole < max_ms; attempt--)
        whole = whole > max_ms / 2 ? max_ms : whole * 2;
    if (whole > max_ms)
        whole = max_ms;

    int64_t half = whole / 2;
    return half + (int64_t)(random % (uint64_t)(whole - half + 1));
}
