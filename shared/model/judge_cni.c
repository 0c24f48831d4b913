/* judge_cni.c - what step cni would do.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * seen: {"calico":{…},"calico_ipam":{…},     artifact.h
 *        "config":{"path":"…/calico.cni","sha256":"…","name":"calico","type":"calico",
 *                  "mtime":1490000000.5,     or "invalid":"line 1: …"},
 *        "same_name":"calico.conf",          another file for the same network name
 *        "agent":{"version":"1.4.1","id":"…-S3","start_time":1490000000.5,
 *                 "isolation":true,"config_dir":"…","plugins_dir":"a:b"},
 *        "down":"…",                         why there is no agent
 *        "restart_due":true,"restarted":true}    of this visit (memo)
 * "config" without "sha256" = no file.
 *
 * Mesos 1.2 and later read the directory again on a cache miss; 1.0 and 1.1 only at
 * their start (DOMAIN.md 0.2).
 */
#include "shared/model/artifact.h"
#include "shared/model/judge_say.h"
#include "shared/model/render.h"

#include "shared/base/cleanup.h"
#include "shared/base/digest.h"

#include <string.h>

struct look {
    const struct spec *spec;
    const struct facts *facts;
    const json_t *seen, *config, *agent;
    json_t *wanted; /* owned: the document */
    const char *version;
};

static bool unfit_agent(const struct look *look, struct judgement *ret)
{
    const struct cni_options *options = &look->spec->cni;
    const char *config_dir = seen_text(look->agent, "config_dir");
    const char *plugins_dir = seen_text(look->agent, "plugins_dir");

    if (!look->agent && !seen_true(look->seen, "restart_due"))
        judge_refuse(ret, "the Mesos agent does not answer: %s: start %s first",
                     seen_text(look->seen, "down"),
                     render_cni_unit(look->spec, look->facts));
    else if (!look->agent)
        return false;
    else if (*look->version && version_compare(look->version, "1.0") < 0)
        judge_refuse(ret,
                     "Mesos %s knows no CNI (1.0 does): upgrade, or disable this "
                     "step",
                     look->version);
    else if (!seen_true(look->agent, "isolation"))
        judge_refuse(ret, "the Mesos agent runs without isolation network/cni: add it, "
                          "or disable this step");
    else if (!names_directory(config_dir, options->config_dir))
        judge_refuse(ret,
                     "the Mesos agent reads networks from \"%s\", not \"%s\": set "
                     "steps.cni.config_dir",
                     config_dir, options->config_dir);
    else if (!names_directory(plugins_dir, options->plugins_dir))
        judge_refuse(ret,
                     "the Mesos agent looks for plugins in \"%s\", not \"%s\": set "
                     "steps.cni.plugins_dir",
                     plugins_dir, options->plugins_dir);
    else
        return false;
    return true;
}

static bool foreign_config(const struct look *look, struct judgement *ret)
{
    const char *path = seen_text(look->config, "path");
    const char *other = seen_text(look->seen, "same_name");

    if (*other)
        judge_refuse(ret,
                     "\"%s\" beside \"%s\" is for network \"%s\" too, and Mesos takes "
                     "only one: remove it",
                     other, look->spec->cni.config_name,
                     seen_text(look->wanted, "name"));
    else if (!*seen_text(look->config, "sha256"))
        return false;
    else if (*seen_text(look->config, "invalid"))
        judge_refuse(ret, "\"%s\" is not valid: %s: remove it", path,
                     seen_text(look->config, "invalid"));
    else if (!str_equal(seen_text(look->config, "type"),
                        seen_text(look->wanted, "type")))
        judge_refuse(ret, "\"%s\" is not ours: its type is \"%s\": remove it", path,
                     seen_text(look->config, "type"));
    else if (!str_equal(seen_text(look->config, "name"),
                        seen_text(look->wanted, "name")))
        judge_refuse(ret, "\"%s\" is not ours: it names network \"%s\": remove it",
                     path, seen_text(look->config, "name"));
    else
        return false;
    return true;
}

static bool nowhere_to_fetch(const struct look *look, struct judgement *ret)
{
    const struct artifact *each[] = {&look->spec->cni.calico,
                                     &look->spec->cni.calico_ipam};
    static const char *const keys[] = {"calico", "calico_ipam"};

    for (int i = 0; i < 2; i++) {
        _cleanup_(freep) char *source = artifact_source(each[i]);

        if (source || artifact_in_place(each[i], json_object_get(look->seen, keys[i])))
            continue;
        judge_refuse(ret, "steps.cni.%s.url is not set: where to get it from", keys[i]);
        return true;
    }
    return false;
}

static bool file_is_right(const json_t *file, const struct artifact *wanted)
{
    return artifact_in_place(wanted, file) &&
           str_equal(seen_text(file, "mode"), "0755");
}

static bool config_is_right(const struct look *look)
{
    _cleanup_(freep) char *bytes = render_cni_config(look->spec, look->facts);
    char digest[DIGEST_HEX_SIZE];

    digest_bytes(bytes, strlen(bytes), digest);
    return str_equal(digest, seen_text(look->config, "sha256"));
}

/* An old agent that was started before the file was written has not read it. */
static bool not_read_yet(const struct look *look)
{
    double start = json_number_value(json_object_get(look->agent, "start_time"));
    double written = json_number_value(json_object_get(look->config, "mtime"));

    /* by this visit: whatever the clock says, which may have been set back */
    if (seen_true(look->seen, "restarted"))
        return false;
    return look->agent && *look->version && version_compare(look->version, "1.2") < 0 &&
           start <= written;
}

static enum disruption needed(const struct look *look, bool changes)
{
    enum restart_policy policy = look->spec->cni.restart;
    bool old = *look->version && version_compare(look->version, "1.2") < 0;

    if (policy == RESTART_NEVER)
        return DISRUPTION_NONE;
    if (seen_true(look->seen, "restart_due") ||
        (changes && (policy == RESTART_ALWAYS || old)) ||
        (!changes && not_read_yet(look)))
        return DISRUPTION_AGENT_RESTART;
    return DISRUPTION_NONE;
}

static void decide(const struct look *look, struct judgement *ret)
{
    const struct cni_options *options = &look->spec->cni;
    const json_t *calico = json_object_get(look->seen, "calico");
    bool config_right = config_is_right(look);
    bool binaries_right = file_is_right(calico, &options->calico) &&
                          file_is_right(json_object_get(look->seen, "calico_ipam"),
                                        &options->calico_ipam);
    enum disruption disruption = needed(look, !config_right || !binaries_right);
    bool absent = !*seen_text(look->config, "sha256") && seen_true(calico, "absent");
    const char *and_restart =
        disruption == DISRUPTION_AGENT_RESTART ? "; the Mesos agent restarts" : "";

    if (config_right && binaries_right && disruption == DISRUPTION_NONE)
        judge_say(ret, FINDING_RIGHT, disruption, "binaries and %s are as wanted",
                  options->config_name);
    else if (config_right && binaries_right)
        judge_say(ret, FINDING_STALE, disruption,
                  "binaries and %s are as wanted, but not taken up yet%s",
                  options->config_name, and_restart);
    else
        judge_say(ret, absent ? FINDING_ABSENT : FINDING_STALE, disruption,
                  "%s%s%s to be %s%s", binaries_right ? "" : "binaries",
                  binaries_right || config_right ? "" : " and ",
                  config_right ? "" : options->config_name,
                  absent ? "installed" : "renewed", and_restart);
}

void judge_cni(const struct spec *spec, const struct facts *facts, const json_t *seen,
               struct judgement *ret)
{
    struct look look = {.spec = spec, .facts = facts, .seen = seen};

    if (judge_unfit_host(facts, ret))
        return;
    if (!seen) {
        judge_say(ret, FINDING_UNKNOWN, DISRUPTION_NONE, "not probed yet");
        return;
    }
    look.config = json_object_get(seen, "config");
    look.agent = json_object_get(seen, "agent");
    look.version = *seen_text(look.agent, "version") ? seen_text(look.agent, "version")
                                                     : facts->mesos;
    look.wanted = render_cni_document(spec, facts);
    if (!unfit_agent(&look, ret) && !foreign_config(&look, ret) &&
        !nowhere_to_fetch(&look, ret))
        decide(&look, ret);
    json_decref(look.wanted);
}
