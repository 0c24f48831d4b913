/* judge_node.c - what step node would do.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * seen: {"container":{…},                          container.h; absent = none
 *        "image":{"name":"quay.io/…","id":"sha256:…"},   id "" = not on this host
 *        "sysctls":{…},"modules":{…}}              host_needs.h
 * "image" is that of the spec in force when it was probed, so it counts only where the
 * names agree. Modules decide nothing: they may be built in, or loaded by iptables.
 */
#include "shared/model/container.h"
#include "shared/model/host_needs.h"
#include "shared/model/judge_say.h"

#include "shared/base/cleanup.h"
#include "shared/base/str.h"

#include <string.h>

struct look {
    const struct spec *spec;
    const struct facts *facts;
    const json_t *seen, *container;
    json_t *wanted; /* owned: the create body */
    const char *image;
};

static bool unfit_host(const struct look *look, struct judgement *ret)
{
    if (look->facts->native_calico)
        judge_refuse(ret, "DC/OS brings its own Calico here (2.1 and later): another "
                          "calico-node would fight over its sockets and routes");
    else if (look->facts->role == ROLE_MASTER)
        judge_refuse(ret, "this host is a master: calico-node belongs on agents");
    else
        return false;
    return true;
}

static bool unknown_address(const struct look *look, struct judgement *ret)
{
    const char *ip = look->spec->node.ip;

    if (look->facts->address[0] || (*ip && !str_equal(ip, "auto")))
        return false;
    judge_refuse(ret, "this host's address is not known: set steps.node.ip or make "
                      "detect_ip work");
    return true;
}

/* The first setting of that need; NULL = none. */
static const struct host_sysctl *first_need(const struct look *look, enum need need)
{
    const json_t *seen = json_object_get(look->seen, "sysctls");

    for (const struct host_sysctl *s = host_sysctls; s->name; s++)
        if (host_sysctl_need(s, look->spec, look->facts, seen) == need)
            return s;
    return NULL;
}

static const char *value_of(const struct look *look, const struct host_sysctl *s)
{
    const json_t *sysctls = json_object_get(look->seen, "sysctls");
    const char *value = seen_text(json_object_get(sysctls, s->name), "value");

    return *value ? value : "not there";
}

static bool unfit_settings(const struct look *look, struct judgement *ret)
{
    const struct host_sysctl *s = first_need(look, NEED_UNFIT);

    if (!s)
        return false;
    judge_refuse(ret,
                 "%s is %s and cannot be written (is /proc/sys read-only, as in a "
                 "container?): set it to %lld from outside",
                 s->name, value_of(look, s), (long long)s->wanted);
    return true;
}

static bool older_image(const struct look *look)
{
    const json_t *image = json_object_get(look->seen, "image");
    const char *id = seen_text(image, "id");

    return *id && strcmp(seen_text(image, "name"), look->image) == 0 &&
           strcmp(id, seen_text(look->container, "image_id")) != 0;
}

static void decide_running(const struct look *look, const char *why,
                           struct judgement *ret)
{
    const struct host_sysctl *s = first_need(look, NEED_WRITE);

    if (older_image(look))
        judge_say(ret, FINDING_STALE, DISRUPTION_NONE,
                  "%s, but made from an older image of that name: to be replaced", why);
    else if (s)
        judge_say(ret, FINDING_STALE, DISRUPTION_NONE, "%s; %s is %s, to become %lld",
                  why, s->name, value_of(look, s), (long long)s->wanted);
    else
        judge_say(ret, FINDING_RIGHT, DISRUPTION_NONE, "%s", why);
}

static void decide(const struct look *look, struct judgement *ret)
{
    char why[sizeof ret->says];

    switch (container_compare(CONTAINER_NODE, look->wanted, look->container, why,
                              sizeof why)) {
    case CONTAINER_FOREIGN:
        judge_refuse(ret, "%s", why);
        return;
    case CONTAINER_ABSENT:
        judge_say(ret, FINDING_ABSENT, DISRUPTION_NONE, "to run %.128s", look->image);
        return;
    case CONTAINER_STOPPED:
        judge_say(ret, FINDING_STALE, DISRUPTION_NONE, "%s: to be made anew", why);
        return;
    case CONTAINER_STALE:
        judge_say(ret, FINDING_STALE, DISRUPTION_NONE, "%s; to run %.96s", why,
                  look->image);
        return;
    case CONTAINER_RIGHT:
        decide_running(look, why, ret);
        return;
    }
}

void judge_node(const struct spec *spec, const struct facts *facts, const json_t *seen,
                struct judgement *ret)
{
    struct look look = {.spec = spec, .facts = facts, .seen = seen};

    if (unfit_host(&look, ret) || unknown_address(&look, ret))
        return;
    if (!seen) {
        judge_say(ret, FINDING_UNKNOWN, DISRUPTION_NONE, "not probed yet");
        return;
    }
    look.container = json_object_get(seen, "container");
    look.wanted = container_node_body(spec, facts);
    look.image = seen_text(look.wanted, "Image");
    if (!unfit_settings(&look, ret))
        decide(&look, ret);
    json_decref(look.wanted);
}
