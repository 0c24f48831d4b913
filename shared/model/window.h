/* window.h - the hours in which a rollout may begin something.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure: the instant and the zones' offsets are the caller's.
 *
 * {"days":["mon-fri"],"start":"22:00","length":"6h","zone":"Europe/Berlin"}
 *
 * A window opens on each of its days at the wall clock's start and stays open for its
 * length, also past midnight: of mon-fri the last one ends on Saturday at 04:00. The
 * length is real time: with 6h from 22:00 the window ends at 03:00 or 05:00 on the
 * night that the clocks change. A start that the clocks skip is later by what they
 * skip; one that they show twice is the first. An empty list is always open; with
 * several windows any open one will do.
 *
 * Windows are looked at when a permit is granted and before a visit's first disruptive
 * act (swarm/take.h, swarm/act.h). What is under way then ends, as with a pause.
 */
#ifndef CLOWDER_MODEL_WINDOW_H
#define CLOWDER_MODEL_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WINDOWS_MAX = 16, ZONE_SIZE = 49 };
enum { WINDOW_ALL_DAYS = 0x7f };

struct window {
    unsigned days; /* bit 0 = Monday ... bit 6 = Sunday: of the start */
    int start_min; /* minutes after midnight, 0..1439 */
    int64_t length_ms;
    char zone[ZONE_SIZE];
};

/* Seconds that clocks of the zone are ahead of UTC at that instant. */
typedef int (*zone_offset_f)(const char *zone, int64_t utc_s);

struct window_state {
    bool open;
    int64_t until_ms; /* wall clock of the next change; INT64_MAX = none */
};
struct window_state windows_at(const struct window *windows, int count, int64_t wall_ms,
                               zone_offset_f offset);

/* "mon", "mon-fri", "sat-mon" -> bits; 0 when it is neither. */
unsigned window_days(const char *text);
int window_start(const char *text); /* "22:00" -> 1320; -1 */
/* As checks of json.h: NULL when good, else what is wrong. */
const char *window_days_check(const char *text);
const char *window_start_check(const char *text);
const char *window_zone_check(const char *text);

struct strbuf;
void window_days_text(unsigned days, struct strbuf *out); /* "mon-fri,sun" */
/* "mon-fri 22:00 for 6h (Europe/Berlin)" */
void window_text(const struct window *window, char *dst, size_t size);

#endif
