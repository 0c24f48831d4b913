/* judge_libnetwork.c - what step libnetwork would do.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * seen: {"container":{…},                          container.h; absent = none
 *        "image":{"name":"calico/node-…","id":"sha256:…"},   id "" = not on this host
 *        "node":{"embeds":true,"running":true},    calico-node, whoever made it
 *        "sockets":{"calico":"listening","calico-ipam":"stale"}}   or "absent"
 *
 * container  our container calico-libnetwork answers on the sockets
 * embedded   the plugin runs inside calico-node: nothing to do here but to remove a
 *            container that would fight over the same sockets; step node proves it
 * off        nothing, and a container of ours is removed
 */
#include "shared/model/container.h"
#include "shared/model/judge_say.h"

#include "shared/base/str.h"

#include <string.h>

struct look {
    const struct spec *spec;
    const json_t *seen, *container, *node;
    json_t *wanted; /* owned: the create body */
    const char *image;
};

static bool listens(const struct look *look, const char *socket)
{
    return str_equal(seen_text(json_object_get(look->seen, "sockets"), socket),
                     "listening");
}

static bool node_embeds(const struct look *look)
{
    return seen_true(look->node, "embeds") && seen_true(look->node, "running");
}

static bool unknown_listener(const struct look *look, struct judgement *ret)
{
    bool explained = look->container || node_embeds(look);

    if (explained || !listens(look, "calico"))
        return false;
    judge_refuse(ret,
                 "another program listens on /run/docker/plugins/calico.sock, and "
                 "neither calico-node nor calico-libnetwork runs: stop that plugin, "
                 "then retry");
    return true;
}

/* Embedded and off: whatever has our container's name is in the way, or is not ours. */
static void decide_without(const struct look *look, enum libnetwork_mode mode,
                           struct judgement *ret)
{
    const char *text = container_libnetwork_mode_text(mode);
    bool ours = *seen_text(look->container, "spec");

    if (look->container && ours)
        judge_say(ret, FINDING_STALE, DISRUPTION_NONE,
                  "container \"%s\" to be removed (libnetwork is %s)",
                  CONTAINER_LIBNETWORK, text);
    else if (mode == LIBNETWORK_OFF)
        judge_say(ret, FINDING_RIGHT, DISRUPTION_NONE,
                  "libnetwork is off for Calico %s: nothing to do",
                  look->spec->calico_version);
    else if (look->container)
        judge_refuse(
            ret,
            "container \"%s\" (made by %s) would fight over the plugin's sockets "
            "with calico-node: docker rm -f %s, then retry",
            CONTAINER_LIBNETWORK, seen_text(look->container, "made_by"),
            CONTAINER_LIBNETWORK);
    else if (!unknown_listener(look, ret))
        judge_say(ret, FINDING_RIGHT, DISRUPTION_NONE,
                  "embedded in calico-node: nothing to do here; step node proves it");
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
    bool one = container_libnetwork_one_socket(look->spec);

    if (older_image(look))
        judge_say(ret, FINDING_STALE, DISRUPTION_NONE,
                  "%s, but made from an older image of that name: to be replaced", why);
    else if (!listens(look, "calico") || (!one && !listens(look, "calico-ipam")))
        judge_say(ret, FINDING_STALE, DISRUPTION_NONE,
                  "%s, but nothing listens on its sockets: to be restarted", why);
    else
        judge_say(ret, FINDING_RIGHT, DISRUPTION_NONE, "%s", why);
}

static void decide_container(const struct look *look, struct judgement *ret)
{
    char why[sizeof ret->says];

    switch (container_compare(CONTAINER_LIBNETWORK, look->wanted, look->container, why,
                              sizeof why)) {
    case CONTAINER_FOREIGN:
        judge_refuse(ret, "%s", why);
        return;
    case CONTAINER_ABSENT:
        if (!unknown_listener(look, ret))
            judge_say(ret, FINDING_ABSENT, DISRUPTION_NONE, "to run %.128s",
                      look->image);
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

void judge_libnetwork(const struct spec *spec, const struct facts *facts,
                      const json_t *seen, struct judgement *ret)
{
    enum libnetwork_mode mode = container_libnetwork_mode(spec);
    struct look look = {.spec = spec, .seen = seen};

    if (facts->native_calico) {
        judge_refuse(ret, "DC/OS brings its own Calico here (2.1 and later), with the "
                          "same plugin sockets");
        return;
    }
    if (!seen) {
        judge_say(ret, FINDING_UNKNOWN, DISRUPTION_NONE, "not probed yet");
        return;
    }
    look.container = json_object_get(seen, "container");
    look.node = json_object_get(seen, "node");
    look.wanted = container_libnetwork_body(spec, facts);
    look.image = seen_text(look.wanted, "Image");
    if (mode == LIBNETWORK_CONTAINER)
        decide_container(&look, ret);
    else
        decide_without(&look, mode, ret);
    json_decref(look.wanted);
}
