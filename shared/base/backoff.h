/* backoff.h - exponential delays with jitter.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: base, pure: the random number is handed in.
 */
#ifndef CLOWDER_BASE_BACKOFF_H
#define CLOWDER_BASE_BACKOFF_H

#include <stdint.h>

/* attempt 0 -> about first_ms, then doubled each time, at most max_ms; the result is
 * spread over [half, whole] by random. */
int64_t backoff_delay_ms(int attempt, int64_t first_ms, int64_t max_ms,
                         uint64_t random);

#endif
