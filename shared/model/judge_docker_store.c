/* judge_docker_store.c - what step docker-cluster-store would do.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * seen: {"file":{"path":"/etc/docker/daemon.json","sha256":"…","invalid":"line 3: …",
 *                "keys":{"cluster-store":"…","cluster-advertise":"…",
 *                        "cluster-store-opts":{}},
 *                "ours":"etcd://…"},         the store that we wrote last, where we did
 *        "unit":{"active":"active","pid":812},
 *        "flags":["--cluster-store=… (command line of pid 812)"],
 *        "info":{"version":"20.10.24","store":"","advertise":"","swarm":"inactive"},
 *        "down":"…",                         why there is no info
 *        "begun":true,"restart_due":true,"reload_failed":true}   of this visit (memo)
 * "file" without "sha256" = no file.
 *
 * Docker takes the keys by SIGHUP only where both store and advertise are in the file
 * and no store was configured before (DOMAIN.md A.2); everything else is a restart.
 */
#include "shared/model/judge_say.h"
#include "shared/model/render.h"

#include "shared/base/cleanup.h"

#include <string.h>

struct look { /* what the rules ask about */
    const struct spec *spec;
    const json_t *seen, *file, *info;
    json_t *wanted; /* owned */
    const char *version, *store, *running;
};

static bool unfit_docker(const struct look *look, struct judgement *ret)
{
    const char *swarm = seen_text(look->info, "swarm");

    if (*look->version && version_compare(look->version, "23.0") >= 0)
        judge_refuse(ret,
                     "Docker %s has no cluster-store (removed in 23.0) and would not "
                     "start with it: use Docker 1.10 to 20.10, or disable this step",
                     look->version);
    else if (*look->version && version_compare(look->version, "1.10") < 0)
        judge_refuse(ret,
                     "Docker %s reads no daemon.json (1.10 does): upgrade it, or "
                     "disable this step",
                     look->version);
    else if (*swarm && !str_equal(swarm, "inactive"))
        judge_refuse(ret,
                     "Docker is in swarm mode (%s), which excludes a cluster store: "
                     "`docker swarm leave`, or disable this step",
                     swarm);
    else
        return false;
    return true;
}

static bool unfit_file(const struct look *look, struct judgement *ret)
{
    const char *invalid = seen_text(look->file, "invalid");

    if (!*invalid)
        return false;
    judge_refuse(ret, "\"%s\" is not valid: %s: repair it by hand first",
                 look->spec->docker_store.daemon_json, invalid);
    return true;
}

/* The key of "--cluster-store-opt kv.path=x (…)" in daemon.json. */
static const char *key_of_flag(const char *flag)
{
    if (str_starts(flag, "--cluster-store-opt"))
        return "cluster-store-opts";
    return str_starts(flag, "--cluster-advertise") ? "cluster-advertise"
                                                   : "cluster-store";
}

static bool unfit_flags(const struct look *look, struct judgement *ret)
{
    const json_t *flag;
    size_t i;

    json_array_foreach (json_object_get(look->seen, "flags"), i, flag) {
        const char *text = json_string_value(flag);

        if (!text || !json_object_get(look->wanted, key_of_flag(text)))
            continue;
        judge_refuse(ret,
                     "dockerd has the flag %s: with the same key in daemon.json it "
                     "would not start: remove the flag, or disable this step",
                     text);
        return true;
    }
    return false;
}

static bool foreign_store(const struct look *look, struct judgement *ret)
{
    const char *in_file =
        seen_text(json_object_get(look->file, "keys"), "cluster-store");
    const char *ours = seen_text(look->file, "ours");
    const char *other = NULL;

    if (*in_file && !str_equal(in_file, look->store) && !str_equal(in_file, ours))
        other = in_file;
    else if (!*in_file && *look->running && !str_equal(look->running, look->store) &&
             !str_equal(look->running, ours))
        other = look->running;
    if (!other)
        return false;
    judge_refuse(ret,
                 "Docker has another cluster store, \"%s\" instead of \"%s\": remove "
                 "it, or set steps.docker-cluster-store.store",
                 other, look->store);
    return true;
}

static bool down(const struct look *look, struct judgement *ret)
{
    if (look->info || seen_true(look->seen, "begun"))
        return false; /* begun: it is down by our doing, and a restart is due */
    judge_refuse(ret, "Docker is not running (%s is %s: %s): start it first",
                 look->spec->docker_store.unit,
                 *seen_text(json_object_get(look->seen, "unit"), "active")
                     ? seen_text(json_object_get(look->seen, "unit"), "active")
                     : "not there",
                 seen_text(look->seen, "down"));
    return true;
}

static bool file_is_right(const struct look *look)
{
    const json_t *keys = json_object_get(look->file, "keys");
    const char *key;
    json_t *value;

    json_object_foreach (look->wanted, key, value) {
        if (!json_equal(value, json_object_get(keys, key)))
            return false;
    }
    return true;
}

static bool running_is_right(const struct look *look)
{
    const char *advertise = seen_text(look->wanted, "cluster-advertise");

    if (!look->info || !str_equal(look->running, look->store))
        return false;
    /* an advertise that we do not ask for is nobody's harm */
    return !*advertise || str_equal(advertise, seen_text(look->info, "advertise"));
}

static bool reload_is_enough(const struct look *look)
{
    return look->info && look->running[0] == '\0' &&
           json_object_get(look->wanted, "cluster-advertise") &&
           version_compare(look->version, "1.11.2") >= 0 &&
           !seen_true(look->seen, "reload_failed");
}

static enum disruption needed(const struct look *look, bool file_right)
{
    enum restart_policy policy = look->spec->docker_store.restart;

    if (policy == RESTART_NEVER)
        return reload_is_enough(look) ? DISRUPTION_RELOAD : DISRUPTION_NONE;
    if (seen_true(look->seen, "restart_due"))
        return DISRUPTION_DOCKER_RESTART;
    if (running_is_right(look))
        return policy == RESTART_ALWAYS && !file_right ? DISRUPTION_DOCKER_RESTART
                                                       : DISRUPTION_NONE;
    if (policy == RESTART_AUTO && reload_is_enough(look))
        return DISRUPTION_RELOAD;
    return DISRUPTION_DOCKER_RESTART;
}

static const char *by_text(enum disruption disruption)
{
    switch (disruption) {
    case DISRUPTION_NONE:
        return "without a restart";
    case DISRUPTION_RELOAD:
        return "by a reload";
    case DISRUPTION_DOCKER_RESTART:
    case DISRUPTION_AGENT_RESTART:
        return "by a restart of Docker";
    }
    return "";
}

static void decide(const struct look *look, struct judgement *ret)
{
    bool file_right = file_is_right(look);
    enum disruption disruption = needed(look, file_right);
    bool has_store = *seen_text(json_object_get(look->file, "keys"), "cluster-store");

    if (file_right && disruption == DISRUPTION_NONE) {
        if (running_is_right(look))
            judge_say(ret, FINDING_RIGHT, DISRUPTION_NONE, "Docker's store is %s",
                      look->store);
        else
            judge_say(ret, FINDING_RIGHT, DISRUPTION_NONE,
                      "%s is written; Docker takes it at its next restart "
                      "(restart: never)",
                      look->store);
        return;
    }
    judge_say(ret, has_store ? FINDING_STALE : FINDING_ABSENT, disruption,
              "Docker's store to become %s %s", look->store, by_text(disruption));
}

void judge_docker_store(const struct spec *spec, const struct facts *facts,
                        const json_t *seen, struct judgement *ret)
{
    struct look look = {.spec = spec, .seen = seen};
    _cleanup_(freep) char *store = render_docker_store(spec);

    if (judge_unfit_host(facts, ret))
        return;
    if (!seen) {
        judge_say(ret, FINDING_UNKNOWN, DISRUPTION_NONE, "not probed yet");
        return;
    }
    look.file = json_object_get(seen, "file");
    look.info = json_object_get(seen, "info");
    look.store = store;
    look.running = seen_text(look.info, "store");
    look.version = *seen_text(look.info, "version") ? seen_text(look.info, "version")
                                                    : facts->docker;
    look.wanted = render_docker_keys(spec, facts);
    if (!unfit_docker(&look, ret) && !unfit_file(&look, ret) && !down(&look, ret) &&
        !unfit_flags(&look, ret) && !foreign_store(&look, ret))
        decide(&look, ret);
    json_decref(look.wanted);
}
