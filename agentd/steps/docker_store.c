/* docker_store.c - step docker-cluster-store: Docker's daemon.json and what it takes.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Story: observe reads daemon.json, the unit, dockerd's flags and /info (shape:
 * shared/model/judge_docker_store.c). apply first settles a restart that a crash cut
 * off, looks again, keeps the exact file, merges the keys, and has Docker take them: by
 * nothing, one SIGHUP, or a restart, whichever is the least that does. A reload whose
 * effect does not show in time is followed by a restart at the next attempt, never by a
 * second SIGHUP (Docker 1.12 and 1.13 hang on it).
 *
 * memo: {"before":{"file":{…},"missing":["/etc/docker"],"store":"","installed":{…}},
 *        "wrote":"<sha256>","reload":"begun|done","restart_due":true,
 *        "restart":{…},"unrestart":{…}}         backup.h, restart.h
 */
#include "agentd/steps/docker_store.h"

#include "agentd/steps/daemon_json.h"
#include "agentd/steps/dockerd_flags.h"
#include "agentd/steps/installed.h"
#include "shared/base/cleanup.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/json.h"
#include "shared/model/render.h"

#include <errno.h>
#include <string.h>

enum { FILE_MAX_BYTES = 1 << 20, LOOK_AGAIN_MS = 500 };

const struct docker_store_options *docker_options(const struct worker *w)
{
    return &w->step.env->spec->docker_store;
}

static const char *unit_of(const struct worker *w)
{
    return docker_options(w)->unit;
}

json_t *docker_before(const struct worker *w)
{
    return json_object_get(w->step.memo, "before");
}

bool docker_memo_is(const struct worker *w, const char *key, const char *text)
{
    return str_equal(json_string_value(json_object_get(w->step.memo, key)), text);
}

const char *docker_text(const json_t *body, const char *key)
{
    const char *text = json_string_value(json_object_get(body, key));

    return text ? text : "";
}

bool docker_keys_right(const struct worker *w, const json_t *keys)
{
    json_t *wanted = render_docker_keys(w->step.env->spec, w->step.env->facts);
    bool right = true;
    const char *key;
    json_t *value;

    json_object_foreach (wanted, key, value)
        right = right && json_equal(value, json_object_get(keys, key));
    json_decref(wanted);
    return right;
}

/* ---- observe ---- */

static void put_memo(struct worker *w)
{
    json_t *seen = w->step.seen;
    const json_t *info = json_object_get(seen, "info");
    const char *store = json_string_value(json_object_get(info, "store"));

    if (docker_before(w))
        json_object_set_new(seen, "begun", json_true());
    if (json_is_true(json_object_get(w->step.memo, "restart_due")))
        json_object_set_new(seen, "restart_due", json_true());
    if (docker_memo_is(w, "reload", "begun") && !(store && *store))
        json_object_set_new(seen, "reload_failed", json_true());
}

const char *const docker_key_names[] = {"cluster-store", "cluster-advertise",
                                        "cluster-store-opts", NULL};

static void copy_keys(json_t *file, const json_t *document)
{
    json_t *keys = json_object();

    for (const char *const *name = docker_key_names; *name; name++) {
        json_t *value = json_object_get(document, *name);

        if (value)
            json_object_set(keys, *name, value);
    }
    json_object_set_new(file, "keys", keys);
}

static void look_into(json_t *file, const char *bytes, size_t len)
{
    char sha256[DIGEST_HEX_SIZE];
    struct error why = {0};
    json_t *document = NULL;

    digest_bytes(bytes, len, sha256);
    json_object_set_new(file, "sha256", json_string(sha256));
    if (daemon_json_parse(bytes, len, &document, &why) < 0)
        json_object_set_new(file, "invalid", json_text(why.text));
    else
        copy_keys(file, document);
    json_decref(document);
}

enum flow_verdict docker_read_file(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;
    const char *path = docker_options(w)->daemon_json;
    _cleanup_(freep) char *bytes = NULL;
    size_t len = 0;
    int r = fs_read(path, FILE_MAX_BYTES, &bytes, &len, err);

    if (r < 0 && r != -ENOENT)
        return worker_failed(err);
    json_t *file = json_pack("{s:s}", "path", path);
    json_t *installed = installed_get(w->step.env->state_dir, path);
    if (r == 0)
        look_into(file, bytes, len);
    if (json_object_get(installed, "store"))
        json_object_set(file, "ours", json_object_get(installed, "store"));
    json_decref(installed);
    json_decref(w->step.seen);
    w->step.seen = json_pack("{s:o}", "file", file);
    return FLOW_NEXT;
}

static void on_unit(struct worker *w, const struct unit_state *state,
                    const struct error *call)
{
    if (call->code < 0) {
        flow_fail(w->flow, call);
        return;
    }
    if (restart_under_way(state) && docker_before(w)) { /* by our own doing */
        worker_again(w, LOOK_AGAIN_MS, "%s is %s", unit_of(w), state->active);
        return;
    }
    json_object_set_new(w->step.seen, "unit",
                        json_pack("{s:s,s:I}", "active", state->active, "pid",
                                  (json_int_t)state->main_pid));
    flow_next(w->flow);
}

enum flow_verdict docker_look_at_unit(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;

    flow_set_timeout(flow, worker_timeout_ms(w));
    return worker_unit_show(w, flow, unit_of(w), on_unit, err);
}

static void on_unit_text(struct worker *w, const struct proc_outcome *outcome)
{
    const json_t *unit = json_object_get(w->step.seen, "unit");
    pid_t pid = (pid_t)json_integer_value(json_object_get(unit, "pid"));
    json_t *flags = json_array();

    dockerd_flags_of_process(w->step.env->root, pid, flags);
    if (outcome->exit_code == 0)
        dockerd_flags_of_unit(outcome->output, flags);
    if (json_array_size(flags))
        json_object_set(w->step.seen, "flags", flags);
    json_decref(flags);
    flow_next(w->flow);
}

enum flow_verdict docker_read_flags(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;
    const char *argv[] = {"systemctl", "cat", "--no-pager", unit_of(w), NULL};

    return worker_run(w, flow, argv, NULL, on_unit_text, err);
}

static void on_info(struct worker *w, int status, const json_t *body,
                    const struct error *call)
{
    struct error err = {0};

    if (worker_expect(status, body, call, "GET /info", &err) < 0)
        json_object_set_new(w->step.seen, "down", json_text(err.text));
    else
        json_object_set_new(
            w->step.seen, "info",
            json_pack("{s:s,s:s,s:s,s:s}", "version",
                      docker_text(body, "ServerVersion"), "store",
                      docker_text(body, "ClusterStore"), "advertise",
                      docker_text(body, "ClusterAdvertise"), "swarm",
                      docker_text(json_object_get(body, "Swarm"), "LocalNodeState")));
    put_memo(w);
    flow_next(w->flow);
}

enum flow_verdict docker_ask(struct flow *flow, void *ctx, struct error *err)
{
    return worker_docker(ctx, flow, "/info", on_info, err);
}

static const struct flow_step observe[] = {DOCKER_OBSERVE, {0}};

const struct step_type step_docker_store = {
    .id = STEP_DOCKER_STORE,
    .size = sizeof(struct worker),
    .observe = observe,
    .apply = docker_store_apply,
    .prove = docker_store_prove,
    .revert = docker_store_revert,
};
