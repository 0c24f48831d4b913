/* artifact.c - is a file on a host the one that the spec wants?
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/model/artifact.h"

#include "shared/base/cleanup.h"
#include "shared/base/mem.h"

#include <strings.h>

static bool set(const char *s)
{
    return s && *s;
}

char *artifact_source(const struct artifact *artifact)
{
    if (set(artifact->path))
        return mem_printf("file://%s", artifact->path);
    return set(artifact->url) ? mem_strdup(artifact->url) : NULL;
}

static bool same_digest(const char *a, const char *b)
{
    return set(a) && set(b) && strcasecmp(a, b) == 0;
}

bool artifact_in_place(const struct artifact *wanted, const json_t *file)
{
    const char *now = json_string_value(json_object_get(file, "sha256"));
    const json_t *recorded = json_object_get(file, "recorded");
    const char *left = json_string_value(json_object_get(recorded, "sha256"));
    const char *fetched = json_string_value(json_object_get(recorded, "fetched"));
    const char *url = json_string_value(json_object_get(recorded, "url"));
    _cleanup_(freep) char *source = artifact_source(wanted);

    if (set(wanted->sha256))
        return same_digest(now, wanted->sha256) ||
               (same_digest(now, left) && same_digest(fetched, wanted->sha256));
    return same_digest(now, left) && source && str_equal(source, url);
}
