/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/base/zone.h"

#include "shared/base/cleanup.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

bool zone_known(const char *zone)
{
    const char *dir = getenv("TZDIR");
    struct stat stat_of;

    if (str_equal(zone, "UTC"))
        return true;
    _cleanup_(freep) char *path =
        mem_printf("%s/%s", dir ? dir : "/usr/share/zoneinfo", zone);
    return stat(path, &stat_of) == 0 && S_ISREG(stat_of.st_mode);
}

static void set_zone(const char *tz)
{
    if (tz)
        (void)setenv("TZ", tz, 1);
    else
        (void)unsetenv("TZ");
    tzset();
}

int zone_offset_s(const char *zone, int64_t utc_s)
{
    time_t at = (time_t)utc_s;
    struct tm tm = {0};

    if (str_equal(zone, "UTC"))
        return 0;
    _cleanup_(freep) char *before = mem_strdup(getenv("TZ"));
    _cleanup_(freep) char *tz = mem_printf(":%s", zone);
    set_zone(tz);
    (void)localtime_r(&at, &tm);
    set_zone(before);
    return (int)tm.tm_gmtoff;
}
