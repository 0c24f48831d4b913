/* zone.h - time zones, from the C library's database.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: base. The library knows one zone at a time, by the environment's TZ: it is
 * switched and put back within the call, so this is for single-threaded programs.
 */
#ifndef CLOWDER_BASE_ZONE_H
#define CLOWDER_BASE_ZONE_H

#include <stdbool.h>
#include <stdint.h>

/* "Europe/Berlin": is it in this machine's database? The library itself takes an
 * unknown name for UTC without a word. "UTC" is always known. */
bool zone_known(const char *zone);

/* Seconds that clocks of the zone are ahead of UTC at that instant. */
int zone_offset_s(const char *zone, int64_t utc_s);

#endif
