/* cni.c - step cni: Calico's CNI plugins and their network, for the Mesos agent.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Story: observe looks at the two binaries, the network's file and its neighbours, and
 * at the agent's /state (shape: shared/model/judge_cni.c). apply puts the binaries in
 * place first and the network last, each by rename: an agent that reads the directory
 * in between sees nothing or everything. The network's file is staged beside its
 * directory, never in it, since Mesos 1.0 stops on any file there that it cannot use.
 * Only an agent of Mesos 1.0 or 1.1 is restarted (or by restart: always); afterwards it
 * must be the same agent, with a later start.
 *
 * memo: {"before":{"calico":{…},"calico_ipam":{…},"config":{…},   backup.h
 *                  "installed":{"<path>":{…}},"missing":[…],
 *                  "agent":{"id":"…","start_time":1490000000.5}},
 *        "wrote":"<sha256 of the network's file>","restart_due":true,
 *        "restart":{…},"unrestart":{…}}                           restart.h
 */
#include "agentd/steps/cni.h"

#include "agentd/steps/installed.h"
#include "agentd/steps/place.h"
#include "shared/base/cleanup.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/json.h"
#include "shared/model/render.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

enum { NETWORK_MAX_BYTES = 65536, LOOK_AGAIN_MS = 1000 };

const struct cni_options *cni_options(const struct worker *w)
{
    return &w->step.env->spec->cni;
}

const char *cni_unit(const struct worker *w)
{
    return render_cni_unit(w->step.env->spec, w->step.env->facts);
}

const json_t *cni_before(const struct worker *w)
{
    return json_object_get(w->step.memo, "before");
}

const char *cni_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

const char *cni_key(enum cni_file file)
{
    static const char *const keys[CNI_FILES] = {"calico", "calico_ipam", "config"};

    return keys[file];
}

char *cni_path(const struct worker *w, enum cni_file file)
{
    const struct cni_options *options = cni_options(w);

    switch (file) {
    case CNI_CALICO:
        return render_path(options->plugins_dir, "calico");
    case CNI_CALICO_IPAM:
        return render_path(options->plugins_dir, "calico-ipam");
    case CNI_CONFIG:
        return render_path(options->config_dir, options->config_name);
    }
    return NULL;
}

char *cni_stage_dir(const struct worker *w)
{
    _cleanup_(freep) char *dir = render_path(cni_options(w)->config_dir, "");

    dir[strlen(dir) - 1] = '\0'; /* the one slash at the end */
    return place_directory(dir);
}

/* ---- files ---- */

static double seconds(const struct timespec *at)
{
    return (double)at->tv_sec + (double)at->tv_nsec / 1e9;
}

static void look_into(json_t *config, const char *bytes, size_t len)
{
    char sha256[DIGEST_HEX_SIZE];
    json_error_t where;
    json_t *network = json_loadb(bytes, len, 0, &where);

    digest_bytes(bytes, len, sha256);
    json_object_set_new(config, "sha256", json_string(sha256));
    if (network) {
        json_object_set_new(config, "name", json_string(cni_text(network, "name")));
        json_object_set_new(config, "type", json_string(cni_text(network, "type")));
    } else
        json_object_set_new(config, "invalid",
                            json_sprintf("line %d: %s", where.line, where.text));
    json_decref(network);
}

static int look_at_config(struct worker *w, struct error *err)
{
    _cleanup_(freep) char *path = cni_path(w, CNI_CONFIG);
    _cleanup_(freep) char *bytes = NULL;
    json_t *config;
    size_t len = 0;
    struct stat st;
    int r = fs_read(path, NETWORK_MAX_BYTES, &bytes, &len, err);

    if (r < 0 && r != -ENOENT)
        return r;
    config = json_pack("{s:s}", "path", path);
    if (r == 0)
        look_into(config, bytes, len);
    if (r == 0 && stat(path, &st) == 0)
        json_object_set_new(config, "mtime", json_real(seconds(&st.st_mtim)));
    json_object_set_new(w->step.seen, "config", config);
    return 0;
}

static bool names_network(const char *dir, const char *file, const char *name)
{
    _cleanup_(freep) char *path = render_path(dir, file);
    _cleanup_(freep) char *bytes = NULL;
    size_t len = 0;

    if (fs_read(path, NETWORK_MAX_BYTES, &bytes, &len, NULL) < 0)
        return false; /* a subdirectory, or gone meanwhile */
    json_t *network = json_loadb(bytes, len, 0, NULL);
    bool same = str_equal(cni_text(network, "name"), name);
    json_decref(network);
    return same;
}

/* Mesos takes one file for a network's name: in which other file does it stand? */
static void look_at_neighbours(struct worker *w)
{
    const struct cni_options *options = cni_options(w);
    json_t *wanted = render_cni_document(w->step.env->spec, w->step.env->facts);
    DIR *dir = opendir(options->config_dir);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        if (str_equal(entry->d_name, options->config_name) ||
            !names_network(options->config_dir, entry->d_name,
                           cni_text(wanted, "name")))
            continue;
        json_object_set_new(w->step.seen, "same_name", json_text(entry->d_name));
    }
    if (dir)
        (void)closedir(dir);
    json_decref(wanted);
}

enum flow_verdict cni_look_at_files(struct flow *flow, void *ctx, struct error *err)
{
    struct worker *w = ctx;

    json_decref(w->step.seen);
    w->step.seen = json_object();
    for (int i = 0; i < CNI_BINARIES; i++) {
        _cleanup_(freep) char *path = cni_path(w, (enum cni_file)i);
        json_t *file = NULL;

        if (installed_look(w->step.env->state_dir, path, &file, err) < 0)
            return worker_failed(err);
        json_object_set_new(w->step.seen, cni_key((enum cni_file)i), file);
    }
    if (look_at_config(w, err) < 0)
        return worker_failed(err);
    look_at_neighbours(w);
    if (json_is_true(json_object_get(w->step.memo, "restart_due")))
        json_object_set_new(w->step.seen, "restart_due", json_true());
    else if (restart_done(&w->step, CNI_RESTART) &&
             !json_object_get(w->step.memo, CNI_UNRESTART))
        json_object_set_new(w->step.seen, "restarted", json_true());
    return FLOW_NEXT;
}

/* ---- the agent ---- */

static bool at_loopback(const char *url)
{
    return strstr(url, "://127.") || strstr(url, "://localhost") ||
           strstr(url, "://[::1]");
}

static char *agent_url(const struct cni *c, const char *path)
{
    const struct step_env *env = c->worker.step.env;
    const char *base = env->spec->cni.agent_url, *address = env->facts->address;
    _cleanup_(freep) char *other = NULL;

    if (c->by_address) {
        other = mem_printf(strchr(address, ':') ? "http://[%s]:%d" : "http://%s:%d",
                           address, render_url_port(base, 5051));
        base = other;
    }
    return render_path(base, path);
}

enum flow_verdict cni_ask_agent(struct worker *w, struct flow *flow, const char *path,
                                worker_reply_f done, struct error *err)
{
    _cleanup_(freep) char *url = agent_url((struct cni *)w, path);

    return worker_http(w, flow, url, NULL, done, err);
}

/* DC/OS has the agent listen on the address of detect_ip alone. */
bool cni_other_address(struct worker *w, int status)
{
    struct cni *c = (struct cni *)w;

    if (status)
        return false;
    if (c->by_address || !w->step.env->facts->address[0] ||
        !at_loopback(cni_options(w)->agent_url)) {
        c->by_address = false; /* next time from the beginning: it may come back */
        return false;
    }
    c->by_address = true;
    return true;
}

static json_t *agent_of(const json_t *state)
{
    const json_t *flags = json_object_get(state, "flags");
    const char *isolation = cni_text(flags, "isolation");

    return json_pack("{s:s,s:s,s:f,s:b,s:s,s:s}", "version", cni_text(state, "version"),
                     "id", cni_text(state, "id"), "start_time",
                     json_number_value(json_object_get(state, "start_time")),
                     "isolation", (int)(strstr(isolation, "network/cni") != NULL),
                     "config_dir", cni_text(flags, "network_cni_config_dir"),
                     "plugins_dir", cni_text(flags, "network_cni_plugins_dir"));
}

static void on_state(struct worker *w, int status, const json_t *body,
                     const struct error *call)
{
    struct error err = {0};

    if (cni_other_address(w, status)) {
        worker_again(w, 0, "%s", call->text);
        return;
    }
    if (worker_expect(status, body, call, "GET /state", &err) == 0)
        json_object_set_new(w->step.seen, "agent", agent_of(body));
    else if (cni_before(w) && json_object_get(w->step.memo, CNI_RESTART)) {
        flow_again(w->flow, LOOK_AGAIN_MS, &err); /* back from our restart soon */
        return;
    } else {
        json_object_set_new(w->step.seen, "down", json_text(err.text));
    }
    flow_next(w->flow);
}

enum flow_verdict cni_look_at_agent(struct flow *flow, void *ctx, struct error *err)
{
    return cni_ask_agent(ctx, flow, "state", on_state, err);
}

static const struct flow_step observe[] = {CNI_OBSERVE, {0}};

const struct step_type step_cni = {
    .id = STEP_CNI,
    .size = sizeof(struct cni),
    .observe = observe,
    .apply = cni_apply,
    .prove = cni_prove,
    .revert = cni_revert,
};
