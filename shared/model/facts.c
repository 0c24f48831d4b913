/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/model/facts.h"

#include "shared/base/str.h"
#include "shared/model/json.h"

#include <arpa/inet.h>
#include <string.h>

static const char *const roles[] = {
    [ROLE_UNKNOWN] = "unknown",
    [ROLE_SLAVE] = "slave",
    [ROLE_SLAVE_PUBLIC] = "slave_public",
    [ROLE_MASTER] = "master",
    [ROLE_COUNT] = NULL,
};

const char *host_role_text(enum host_role role)
{
    return roles[role];
}

static const char *address_check(const char *text)
{
    unsigned char buf[sizeof(struct in6_addr)];

    if (inet_pton(AF_INET, text, buf) == 1 || inet_pton(AF_INET6, text, buf) == 1)
        return NULL;
    return "is no IP address";
}

static const struct json_key keys[] = {
    {"role", KEY_CHOICE, JSON_AT(struct facts, role), .required = true,
     .values = roles},
    {"zone", KEY_CHARS, JSON_AT(struct facts, zone), .check = name_check},
    {"address", KEY_CHARS, JSON_AT(struct facts, address), .check = address_check},
    {"machine_id", KEY_CHARS, JSON_AT(struct facts, machine_id)},
    {"agentd", KEY_CHARS, JSON_AT(struct facts, agentd)},
    {"kernel", KEY_CHARS, JSON_AT(struct facts, kernel)},
    {"dcos", KEY_CHARS, JSON_AT(struct facts, dcos)},
    {"docker", KEY_CHARS, JSON_AT(struct facts, docker)},
    {"mesos", KEY_CHARS, JSON_AT(struct facts, mesos)},
    {"native_calico", KEY_BOOL, JSON_AT(struct facts, native_calico)},
    {"seen_ms", KEY_INT64, JSON_AT(struct facts, seen_ms), .max = INT64_MAX},
    {"seen", KEY_OBJECT, JSON_AT(struct facts, seen)},
    {"errors", KEY_MAP, JSON_AT(struct facts, errors)},
    {"in_use", KEY_MAP, JSON_AT(struct facts, in_use)},
    {"drift", KEY_MAP, JSON_AT(struct facts, drift)},
    {0},
};

void facts_init(struct facts *facts)
{
    *facts = (struct facts){.seen = json_object(),
                            .errors = json_object(),
                            .in_use = json_object(),
                            .drift = json_object()};
}

void facts_done(struct facts *facts)
{
    json_release(keys, facts);
}

int facts_decode(const char *bytes, size_t len, struct facts *ret, struct error *err)
{
    struct facts facts = {0};
    int rc = json_decode(bytes, len, "inventory", keys, &facts, err);

    if (rc == 0)
        *ret = facts;
    return rc;
}

char *facts_encode(const struct facts *facts)
{
    return json_encode(keys, facts);
}

/* The number at *p, and past it and one dot; -1 at the end of the dotted numbers. */
static int64_t next_number(const char **p)
{
    const char *s = *p;
    int64_t n = 0;

    if (*s < '0' || *s > '9')
        return -1;
    for (; *s >= '0' && *s <= '9'; s++)
        n = n > 1000000000 ? n : n * 10 + (*s - '0');
    *p = s[0] == '.' ? s + 1 : "";
    return n;
}

int version_compare(const char *a, const char *b)
{
    a += *a == 'v';
    b += *b == 'v';
    for (;;) {
        int64_t x = next_number(&a), y = next_number(&b);

        if (x < 0 && y < 0)
            return 0;
        x = x < 0 ? 0 : x;
        y = y < 0 ? 0 : y;
        if (x != y)
            return x < y ? -1 : 1;
    }
}

static const struct json_key live_keys[] = {
    {"boot_id", KEY_CHARS, JSON_AT(struct live, boot_id), .required = true},
    {"machine_id", KEY_CHARS, JSON_AT(struct live, machine_id), .required = true},
    {"incarnation", KEY_INT64, JSON_AT(struct live, incarnation), .required = true,
     .max = INT64_MAX},
    {"pid", KEY_INT64, JSON_AT(struct live, pid), .max = INT64_MAX},
    {"version", KEY_CHARS, JSON_AT(struct live, version)},
    {0},
};

int live_decode(const char *bytes, size_t len, struct live *ret, struct error *err)
{
    struct live live = {0};
    int rc = json_decode(bytes, len, "live", live_keys, &live, err);

    if (rc == 0)
        *ret = live;
    return rc;
}

char *live_encode(const struct live *live)
{
    return json_encode(live_keys, live);
}
