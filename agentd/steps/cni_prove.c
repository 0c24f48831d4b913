/* cni_prove.c - step cni: one pass of its checks.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The agent's own /health says OK whatever happens, so that its registration and the
 * directories it looks into are asked for instead (DOMAIN.md A.3).
 */
#include "agentd/steps/cni.h"

#include "agentd/steps/installed.h"
#include "shared/base/cleanup.h"
#include "shared/base/fs.h"
#include "shared/base/str.h"
#include "shared/model/artifact.h"
#include "shared/model/render.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { NETWORK_MAX_BYTES = 65536 };

static int prove_binary(struct worker *w, enum cni_file file,
                        const struct artifact *wanted, struct error *err)
{
    _cleanup_(freep) char *path = cni_path(w, file);
    json_t *now = NULL;
    int r = installed_look(w->step.env->state_dir, path, &now, err);

    if (r < 0)
        return r;
    if (!artifact_in_place(wanted, now))
        r = error_set(err, -EBADMSG, "\"%s\" is not the file that is wanted", path);
    else if (!str_equal(cni_text(now, "mode"), "0755"))
        r = error_set(err, -EBADMSG, "\"%s\" has mode %s, not 0755", path,
                      cni_text(now, "mode"));
    json_decref(now);
    return r;
}

static enum flow_verdict prove_binaries(struct flow *flow, void *ctx, struct error *err)
{
    const struct cni_options *options = cni_options(ctx);

    if (prove_binary(ctx, CNI_CALICO, &options->calico, err) < 0 ||
        prove_binary(ctx, CNI_CALICO_IPAM, &options->calico_ipam, err) < 0)
        return worker_failed(err);
    return FLOW_NEXT;
}

static enum flow_verdict prove_config(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;
    _cleanup_(freep) char *path = cni_path(w, CNI_CONFIG);
    _cleanup_(freep) char *wanted =
        render_cni_config(w->step.env->spec, w->step.env->facts);
    _cleanup_(freep) char *bytes = NULL;
    size_t len = 0;

    if (fs_read(path, NETWORK_MAX_BYTES, &bytes, &len, err) < 0)
        return worker_failed(err);
    if (len == strlen(wanted) && memcmp(bytes, wanted, len) == 0)
        return FLOW_NEXT;
    (void)error_set(err, -EBADMSG, "\"%s\" is not as it was written", path);
    return FLOW_FAIL;
}

/* ---- VERSION ---- */

static bool supports(const json_t *versions, const char *wanted)
{
    const json_t *version;
    size_t i;

    json_array_foreach (versions, i, version) {
        if (str_equal(json_string_value(version), wanted))
            return true;
    }
    return false;
}

/* Without cniVersion a network is of 0.1.0. */
static void config_version(const struct worker *w, char *dst, size_t size)
{
    json_t *network = render_cni_document(w->step.env->spec, w->step.env->facts);
    const char *version = cni_text(network, "cniVersion");

    (void)snprintf(dst, size, "%s", *version ? version : "0.1.0");
    json_decref(network);
}

/* {"cniVersion":"0.3.1","supportedVersions":["0.1.0",…]}; before 1.7 only the first */
static void on_version(struct worker *w, const struct proc_outcome *outcome)
{
    json_t *answer = json_loadb(outcome->output, outcome->output_len, 0, NULL);
    const json_t *versions = json_object_get(answer, "supportedVersions");
    char wanted[16];

    config_version(w, wanted, sizeof(wanted));
    if (outcome->exit_code != 0)
        worker_fail(w, -EIO, "%s", outcome->says);
    else if (!*cni_text(answer, "cniVersion"))
        worker_fail(w, -EPROTO, "its answer to VERSION has no cniVersion");
    else if (versions && !supports(versions, wanted))
        worker_fail(w, -EPROTO, "it does not support CNI %s, which the network is of",
                    wanted);
    else
        flow_next(w->flow);
    json_decref(answer);
}

static enum flow_verdict ask_version(struct worker *w, struct flow *flow,
                                     enum cni_file file, struct error *err)
{
    static const char *const environment[] = {"CNI_COMMAND=VERSION",  "CNI_PATH=/",
                                              "CNI_IFNAME=none",      "CNI_NETNS=none",
                                              "CNI_CONTAINERID=none", NULL};
    _cleanup_(freep) char *path = cni_path(w, file);
    const char *argv[] = {path, NULL};

    if (version_compare(w->step.env->spec->calico_version, "0.22") < 0)
        return FLOW_NEXT; /* the Python plugins before 1.4 had no VERSION */
    return worker_run(w, flow, argv, environment, on_version, err);
}

static enum flow_verdict prove_calico(struct flow *flow, void *ctx, struct error *err)
{
    return ask_version(ctx, flow, CNI_CALICO, err);
}

static enum flow_verdict prove_ipam(struct flow *flow, void *ctx, struct error *err)
{
    return ask_version(ctx, flow, CNI_CALICO_IPAM, err);
}

/* ---- the agent ---- */

static double start_of(const json_t *object)
{
    return json_number_value(json_object_get(object, "start_time"));
}

static void on_state(struct worker *w, int status, const json_t *body,
                     const struct error *call)
{
    const json_t *flags = json_object_get(body, "flags");
    const json_t *was = json_object_get(cni_before(w), "agent");
    const struct cni_options *options = cni_options(w);
    struct error err = {0};

    if (cni_other_address(w, status))
        worker_again(w, 0, "%s", call->text);
    else if (worker_expect(status, body, call, "GET /state", &err) < 0)
        flow_fail(w->flow, &err);
    else if (!strstr(cni_text(flags, "isolation"), "network/cni"))
        worker_fail(w, -EIO, "the agent runs without isolation network/cni");
    else if (!names_directory(cni_text(flags, "network_cni_config_dir"),
                              options->config_dir))
        worker_fail(w, -EIO, "the agent reads networks from \"%s\"",
                    cni_text(flags, "network_cni_config_dir"));
    else if (!names_directory(cni_text(flags, "network_cni_plugins_dir"),
                              options->plugins_dir))
        worker_fail(w, -EIO, "the agent looks for plugins in \"%s\"",
                    cni_text(flags, "network_cni_plugins_dir"));
    else if (was && !str_equal(cni_text(was, "id"), cni_text(body, "id")))
        worker_fail(w, -EIO, "the agent is another: its id was \"%s\" and is \"%s\"",
                    cni_text(was, "id"), cni_text(body, "id"));
    else if (was && restart_done(&w->step, CNI_RESTART) &&
             start_of(body) == start_of(was)) /* the clock may have been set back */
        worker_fail(w, -EIO, "the agent's start_time has not moved");
    else
        flow_next(w->flow);
}

static enum flow_verdict prove_state(struct flow *flow, void *ctx, struct error *err)
{
    return cni_ask_agent(ctx, flow, "state", on_state, err);
}

static void on_metrics(struct worker *w, int status, const json_t *body,
                       const struct error *call)
{
    double registered = json_number_value(json_object_get(body, "slave/registered"));
    double errors = json_number_value(json_object_get(body, "slave/recovery_errors"));
    struct error err = {0};

    if (cni_other_address(w, status))
        worker_again(w, 0, "%s", call->text);
    else if (worker_expect(status, body, call, "GET /metrics/snapshot", &err) < 0)
        flow_fail(w->flow, &err);
    else if (registered < 1)
        worker_fail(w, -EAGAIN, "the agent is not registered with the master");
    else if (errors > 0)
        worker_fail(w, -EIO, "the agent recovered with %.0f errors", errors);
    else
        flow_next(w->flow);
}

static enum flow_verdict prove_metrics(struct flow *flow, void *ctx, struct error *err)
{
    return cni_ask_agent(ctx, flow, "metrics/snapshot", on_metrics, err);
}

const struct flow_step cni_prove[] = {
    {.name = "the binaries are in place", .run = prove_binaries},
    {.name = "the network is in place", .run = prove_config},
    {.name = "calico answers VERSION", .run = prove_calico, .cancel = worker_drop},
    {.name = "calico-ipam answers VERSION", .run = prove_ipam, .cancel = worker_drop},
    {.name = "the agent looks into our directories",
     .run = prove_state,
     .cancel = worker_drop},
    {.name = "the agent is registered", .run = prove_metrics, .cancel = worker_drop},
    {0},
};
