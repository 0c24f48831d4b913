/* judge_undo.c - what taking a step back would do on a host.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * seen: as each step's judge has it. Docker is restarted where it runs with a store
 * that it had not before us; the Mesos agent where an install would restart it.
 */
#include "shared/model/judge_undo.h"

#include "shared/base/cleanup.h"
#include "shared/base/digest.h"
#include "shared/model/container.h"
#include "shared/model/judge_say.h"
#include "shared/model/render.h"

#include <string.h>

struct look {
    const struct spec *spec;
    const struct facts *facts;
    const json_t *seen, *memo, *before;
};

static void nothing(struct judgement *ret, const char *what)
{
    judge_say(ret, FINDING_RIGHT, DISRUPTION_NONE, "nothing of ours here: %s", what);
}

static void undo_etcd_proxy(const struct look *look, struct judgement *ret)
{
    const json_t *unit = json_object_get(look->seen, "unit");

    if (look->memo || seen_true(unit, "ours"))
        judge_say(ret, FINDING_STALE, DISRUPTION_NONE, "%s to be taken away",
                  ETCD_UNIT_NAME);
    else
        nothing(ret, unit ? "the unit is somebody else's" : "no unit");
}

/* A restart of this undo, under way or done: restart.h. */
static bool unrestart_is(const struct look *look, const char *state)
{
    return str_equal(seen_text(json_object_get(look->memo, "unrestart"), "state"),
                     state);
}

/* ---- Docker ---- */

static bool docker_keys_ours(const struct look *look)
{
    const json_t *file = json_object_get(look->seen, "file");
    const json_t *keys = json_object_get(file, "keys");
    const char *store = seen_text(keys, "cluster-store");
    json_t *wanted;
    bool same = true;
    const char *key;
    json_t *value;

    if (*store && str_equal(store, seen_text(file, "ours")))
        return true;
    wanted = render_docker_keys(look->spec, look->facts);
    json_object_foreach (wanted, key, value) {
        same = same && json_equal(value, json_object_get(keys, key));
    }
    json_decref(wanted);
    return *store && same;
}

static bool docker_restarts(const struct look *look)
{
    const char *running = seen_text(json_object_get(look->seen, "info"), "store");
    const char *before = seen_text(look->before, "store");

    if (look->spec->docker_store.restart == RESTART_NEVER || unrestart_is(look, "done"))
        return false;
    /* down by our own doing: its restart was begun */
    if (!json_object_get(look->seen, "info"))
        return unrestart_is(look, "begun");
    return *running && !str_equal(running, before);
}

static void undo_docker_store(const struct look *look, struct judgement *ret)
{
    const json_t *file = json_object_get(look->seen, "file");
    bool restarts = docker_restarts(look);

    if (!json_object_get(look->seen, "info") && !restarts)
        judge_refuse(ret, "Docker is not running (%s): start it first",
                     seen_text(look->seen, "down"));
    else if (look->memo)
        judge_say(ret, FINDING_STALE,
                  restarts ? DISRUPTION_DOCKER_RESTART : DISRUPTION_NONE,
                  "daemon.json to be put back%s", restarts ? "; Docker restarts" : "");
    else if (*seen_text(file, "invalid"))
        judge_refuse(ret, "\"%s\" is not valid: %s: repair it by hand first",
                     seen_text(file, "path"), seen_text(file, "invalid"));
    else if (docker_keys_ours(look))
        judge_say(ret, FINDING_STALE,
                  restarts ? DISRUPTION_DOCKER_RESTART : DISRUPTION_NONE,
                  "our keys to be taken out of daemon.json%s",
                  restarts ? "; Docker restarts" : "");
    else
        nothing(ret, "daemon.json has not our store");
}

/* ---- CNI ---- */

bool judge_undo_ours(const json_t *file)
{
    const char *left = seen_text(json_object_get(file, "recorded"), "sha256");

    return *left && str_equal(left, seen_text(file, "sha256"));
}

static bool cni_config_ours(const struct look *look)
{
    _cleanup_(freep) char *bytes = render_cni_config(look->spec, look->facts);
    char digest[DIGEST_HEX_SIZE];

    digest_bytes(bytes, strlen(bytes), digest);
    return str_equal(digest,
                     seen_text(json_object_get(look->seen, "config"), "sha256"));
}

/* One with our name and type, but not as we would write it. */
static bool cni_config_alike(const struct look *look)
{
    const json_t *config = json_object_get(look->seen, "config");
    json_t *wanted = render_cni_document(look->spec, look->facts);
    bool alike = *seen_text(config, "name") &&
                 str_equal(seen_text(config, "name"), seen_text(wanted, "name")) &&
                 str_equal(seen_text(config, "type"), seen_text(wanted, "type"));

    json_decref(wanted);
    return alike;
}

static bool agent_restarts(const struct look *look)
{
    const json_t *agent = json_object_get(look->seen, "agent");
    const char *version =
        *seen_text(agent, "version") ? seen_text(agent, "version") : look->facts->mesos;
    bool config = *seen_text(json_object_get(look->seen, "config"), "sha256") != '\0';

    if (look->spec->cni.restart == RESTART_NEVER || unrestart_is(look, "done"))
        return false;
    if (seen_true(look->memo, "restart_due"))
        return true;
    if (look->spec->cni.restart == RESTART_ALWAYS)
        return true;
    return config && *version && version_compare(version, "1.2") < 0;
}

static void undo_cni(const struct look *look, struct judgement *ret)
{
    bool binaries = judge_undo_ours(json_object_get(look->seen, "calico")) ||
                    judge_undo_ours(json_object_get(look->seen, "calico_ipam"));
    bool ours = look->memo || binaries || cni_config_ours(look);
    bool restarts = agent_restarts(look);

    if (!ours && !cni_config_alike(look))
        nothing(ret, "no network and no binaries");
    else if (!json_object_get(look->seen, "agent") &&
             !json_object_get(look->memo, "unrestart"))
        judge_refuse(ret, "the Mesos agent does not answer: %s: start %s first",
                     seen_text(look->seen, "down"),
                     render_cni_unit(look->spec, look->facts));
    else if (!ours)
        judge_refuse(ret,
                     "\"%s\" is not as clowder would write it, and this host has "
                     "lost what it knew: remove it by hand, or give --spec as it was "
                     "installed",
                     seen_text(json_object_get(look->seen, "config"), "path"));
    else
        judge_say(ret, FINDING_STALE,
                  restarts ? DISRUPTION_AGENT_RESTART : DISRUPTION_NONE,
                  "binaries and %s to be taken away%s", look->spec->cni.config_name,
                  restarts ? "; the Mesos agent restarts" : "");
}

/* ---- containers ---- */

static void undo_container(const struct look *look, const char *name,
                           struct judgement *ret)
{
    const json_t *container = json_object_get(look->seen, "container");

    if (look->memo || *seen_text(container, "spec"))
        judge_say(ret, FINDING_STALE, DISRUPTION_NONE, "%s to be taken away", name);
    else
        nothing(ret, container ? "the container is somebody else's" : "no container");
}

void judge_undo(enum step_id step, const struct spec *spec, const struct facts *facts,
                const json_t *seen, const json_t *memo, struct judgement *ret)
{
    struct look look = {.spec = spec,
                        .facts = facts,
                        .seen = seen,
                        .memo = memo,
                        .before = json_object_get(memo, "before")};

    if (!seen) {
        judge_say(ret, FINDING_UNKNOWN, DISRUPTION_NONE, "not probed yet");
        return;
    }
    switch (step) {
    case STEP_ETCD_PROXY:
        undo_etcd_proxy(&look, ret);
        return;
    case STEP_DOCKER_STORE:
        undo_docker_store(&look, ret);
        return;
    case STEP_CNI:
        undo_cni(&look, ret);
        return;
    case STEP_LIBNETWORK:
        undo_container(&look, CONTAINER_LIBNETWORK, ret);
        return;
    case STEP_NODE:
        undo_container(&look, CONTAINER_NODE, ret);
        return;
    }
}
