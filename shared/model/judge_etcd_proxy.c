/* judge_etcd_proxy.c - what step etcd-proxy would do.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * seen: {"binary":{"path":"/usr/bin/etcd","version":"3.4.23"},       artifact.h
 *        "unit":{"sha256":"…","ours":true,"active":"active","enabled":"enabled"},
 *        "taken":{"port":2379,"by":"etcd (pid 77)"},   the port, by a process not ours
 *        "member":true,              the data directory is an etcd member's
 *        "stale":true,               no peer recorded in proxy/cluster answers
 *        "healthy":false,"why":"…"}  of GET /health, asked where our unit is active
 * Absent members are as good as false.
 */
#include "shared/model/artifact.h"
#include "shared/model/judge_say.h"
#include "shared/model/render.h"

#include "shared/base/cleanup.h"
#include "shared/base/digest.h"

#include <string.h>

static bool unfit_binary(const struct spec *spec, const json_t *binary,
                         struct judgement *ret)
{
    const struct etcd_proxy_options *options = &spec->etcd_proxy;
    const char *version = seen_text(binary, "version");

    if (render_etcd_fetches(spec) && !options->binary.url[0]) {
        judge_refuse(ret, "steps.etcd-proxy.binary has neither path nor url");
        return true;
    }
    if (render_etcd_fetches(spec))
        return false; /* it will be replaced where it is not as pinned */
    if (seen_true(binary, "absent")) {
        judge_refuse(ret,
                     "there is no etcd at \"%s\": install it, or set "
                     "steps.etcd-proxy.binary.url",
                     seen_text(binary, "path"));
        return true;
    }
    if (!*version)
        return false;
    if (options->mode == PROXY_MODE_PROXY && version_compare(version, "3.6") >= 0) {
        judge_refuse(ret,
                     "etcd %s has no proxy mode (removed in 3.6): set "
                     "steps.etcd-proxy.mode=gateway or use an older etcd",
                     version);
        return true;
    }
    if (options->mode == PROXY_MODE_GATEWAY && version_compare(version, "3.0") < 0) {
        judge_refuse(ret,
                     "etcd %s has no gateway (it came in 3.0): set "
                     "steps.etcd-proxy.mode=proxy or use a newer etcd",
                     version);
        return true;
    }
    return false;
}

static bool unfit_host(const struct spec *spec, const json_t *seen,
                       struct judgement *ret)
{
    const json_t *unit = json_object_get(seen, "unit");
    const json_t *taken = json_object_get(seen, "taken");

    if (unit && !seen_true(unit, "ours")) {
        judge_refuse(ret, "%s exists and was not written by clowder: remove it",
                     ETCD_UNIT_NAME);
        return true;
    }
    if (taken) {
        judge_refuse(ret,
                     "port %d is taken by %s: stop it, or set steps.etcd-proxy.listen "
                     "and etcd.endpoints",
                     (int)seen_number(taken, "port"), seen_text(taken, "by"));
        return true;
    }
    if (seen_true(seen, "member") && spec->etcd_proxy.mode == PROXY_MODE_PROXY) {
        judge_refuse(ret,
                     "\"%s\" holds an etcd member, which cannot be a proxy: set "
                     "steps.etcd-proxy.data_dir",
                     spec->etcd_proxy.data_dir);
        return true;
    }
    return false;
}

/* What is not as wanted in a unit of ours; NULL = nothing. */
static const char *stale_because(const struct spec *spec, const json_t *seen)
{
    const json_t *unit = json_object_get(seen, "unit");
    _cleanup_(freep) char *text = render_etcd_unit(spec);
    char digest[DIGEST_HEX_SIZE];

    digest_bytes(text, strlen(text), digest);
    if (!str_equal(digest, seen_text(unit, "sha256")))
        return "the unit's text is another";
    if (render_etcd_fetches(spec) &&
        !artifact_in_place(&spec->etcd_proxy.binary, json_object_get(seen, "binary")))
        return "the binary is another";
    if (seen_true(seen, "stale"))
        return "no recorded etcd peer answers";
    if (!str_equal(seen_text(unit, "active"), "active"))
        return "the unit does not run";
    if (!str_equal(seen_text(unit, "enabled"), "enabled"))
        return "the unit is not enabled";
    if (json_is_false(json_object_get(seen, "healthy")))
        return "etcd does not answer through it";
    return NULL;
}

void judge_etcd_proxy(const struct spec *spec, const struct facts *facts,
                      const json_t *seen, struct judgement *ret)
{
    const char *mode =
        spec->etcd_proxy.mode == PROXY_MODE_GATEWAY ? "gateway" : "proxy";
    const char *why;

    if (judge_unfit_host(facts, ret))
        return;
    if (!seen) {
        judge_say(ret, FINDING_UNKNOWN, DISRUPTION_NONE, "not probed yet");
        return;
    }
    if (unfit_host(spec, seen, ret) ||
        unfit_binary(spec, json_object_get(seen, "binary"), ret))
        return;
    if (!json_object_get(seen, "unit")) {
        judge_say(ret, FINDING_ABSENT, DISRUPTION_NONE, "etcd %s to be installed",
                  mode);
        return;
    }
    why = stale_because(spec, seen);
    if (why)
        judge_say(ret, FINDING_STALE, DISRUPTION_NONE, "etcd %s to be renewed: %s%s%s",
                  mode, why, *seen_text(seen, "why") ? ": " : "",
                  seen_text(seen, "why"));
    else
        judge_say(ret, FINDING_RIGHT, DISRUPTION_NONE, "etcd %s runs as wanted", mode);
}
