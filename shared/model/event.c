/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/model/event.h"

#include "shared/model/json.h"

static const struct json_key keys[] = {
    {"who", KEY_CHARS, JSON_AT(struct event, who), .required = true},
    {"what", KEY_CHARS, JSON_AT(struct event, what), .required = true},
    {"why", KEY_CHARS, JSON_AT(struct event, why)},
    {"at_ms", KEY_INT64, JSON_AT(struct event, at_ms), .required = true,
     .max = INT64_MAX},
    {0},
};

int event_decode(const char *bytes, size_t len, struct event *ret, struct error *err)
{
    struct event event = {0};
    int rc = json_decode(bytes, len, "event", keys, &event, err);
    if (rc == 0)
        *ret = event;
    return rc;
}

char *event_encode(const struct event *event)
{
    return json_encode(keys, event);
}
