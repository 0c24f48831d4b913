/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/model/names.h"

#include <string.h>

static bool spelled(const char *s, size_t size, const char *more)
{
    size_t len = strlen(s);

    if (len < 1 || len >= size)
        return false;
    for (size_t i = 0; i < len; i++) {
        bool plain = (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9');

        if (!plain && !strchr(more, s[i]))
            return false;
    }
    return true;
}

bool host_id_valid(const char *s)
{
    /* "." and ".." are no names in a ZooKeeper path. */
    return spelled(s, HOST_ID_SIZE, ".-") && strcmp(s, ".") != 0 &&
           strcmp(s, "..") != 0;
}

bool rollout_id_valid(const char *s)
{
    return spelled(s, ROLLOUT_ID_SIZE, "-");
}

bool name_valid(const char *s)
{
    return spelled(s, NAME_SIZE, "-");
}

const char *host_id_check(const char *s)
{
    return host_id_valid(s) ? NULL : "is no host id (1 to 64 of a-z, 0-9, '.', '-')";
}

const char *rollout_id_check(const char *s)
{
    return rollout_id_valid(s) ? NULL : "is no rollout id (1 to 39 of a-z, 0-9, '-')";
}

const char *name_check(const char *s)
{
    return name_valid(s) ? NULL : "is no name (1 to 32 of a-z, 0-9, '-')";
}

uint32_t host_hash(const char *host)
{
    uint32_t hash = 2166136261u;

    for (; *host; host++)
        hash = (hash ^ (unsigned char)*host) * 16777619u;
    return hash;
}
