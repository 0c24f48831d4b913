/* claim.c - the memo of a host that has lost its own: what is recognisably ours goes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/steps/claim.h"

#include "agentd/steps/backup.h"
#include "agentd/steps/daemon_json.h"
#include "shared/base/cleanup.h"
#include "shared/base/digest.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/artifact.h"
#include "shared/model/judge_undo.h"
#include "shared/model/render.h"

#include <string.h>

enum { FILE_MAX_BYTES = 1 << 20 };

static const char *sha256_of(const json_t *file)
{
    const char *sha256 = json_string_value(json_object_get(file, "sha256"));

    return sha256 ? sha256 : "";
}

static json_t *absent(const char *path)
{
    return json_pack("{s:s,s:b}", "path", path, "absent", 1);
}

static json_t *claim_etcd_proxy(const struct step *step)
{
    const char *root = step->env->root ? step->env->root : "";
    _cleanup_(freep) char *path =
        mem_printf("%s/etc/systemd/system/%s", root, ETCD_UNIT_NAME);

    return json_pack("{s:{s:o,s:b,s:b,s:b},s:s}", "before", "unit", absent(path),
                     "data", 0, "active", 0, "enabled", 0, "wrote",
                     sha256_of(json_object_get(step->seen, "unit")));
}

static int claim_docker_store(const struct step *step, json_t **ret, struct error *err)
{
    const struct step_env *env = step->env;
    const char *path = env->spec->docker_store.daemon_json;
    json_t *keys = render_docker_keys(env->spec, env->facts), *file = NULL;
    _cleanup_(freep) char *bytes = NULL;
    _cleanup_(freep) char *text = NULL;
    size_t len = 0;
    int r = fs_read(path, FILE_MAX_BYTES, &bytes, &len, err);

    if (r == 0)
        r = daemon_json_without(bytes, len, keys, &text, err);
    if (r == 0)
        r = backup_with(env->state_dir, path, text, &file, err);
    json_decref(keys);
    if (r < 0)
        return r;
    *ret = json_pack("{s:{s:o,s:s},s:s}", "before", "file", file, "store", "", "wrote",
                     sha256_of(json_object_get(step->seen, "file")));
    return 0;
}

/* With the pinned digest, or as we recorded it. */
static bool binary_ours(const struct artifact *artifact, const json_t *file)
{
    return judge_undo_ours(file) ||
           (artifact->sha256[0] && artifact_in_place(artifact, file));
}

static json_t *claim_cni(const struct step *step)
{
    const struct cni_options *options = &step->env->spec->cni;
    const json_t *calico = json_object_get(step->seen, "calico");
    const json_t *ipam = json_object_get(step->seen, "calico_ipam");
    const json_t *config = json_object_get(step->seen, "config");
    _cleanup_(freep) char *bytes = render_cni_config(step->env->spec, step->env->facts);
    char digest[DIGEST_HEX_SIZE];
    json_t *before = json_object();

    if (binary_ours(&options->calico, calico))
        json_object_set_new(before, "calico",
                            absent(json_string_value(json_object_get(calico, "path"))));
    if (binary_ours(&options->calico_ipam, ipam))
        json_object_set_new(before, "calico_ipam",
                            absent(json_string_value(json_object_get(ipam, "path"))));
    digest_bytes(bytes, strlen(bytes), digest);
    if (str_equal(digest, sha256_of(config)))
        json_object_set_new(before, "config",
                            absent(json_string_value(json_object_get(config, "path"))));
    return json_pack("{s:o,s:s}", "before", before, "wrote", sha256_of(config));
}

int step_claim(struct step *step, struct error *err)
{
    json_t *memo = NULL;
    int r = 0;

    switch (step->type->id) {
    case STEP_ETCD_PROXY:
        memo = claim_etcd_proxy(step);
        break;
    case STEP_DOCKER_STORE:
        r = claim_docker_store(step, &memo, err);
        break;
    case STEP_CNI:
        memo = claim_cni(step);
        break;
    case STEP_LIBNETWORK:
    case STEP_NODE:
        memo = json_pack("{s:{s:n}}", "before", "container");
        break;
    }
    if (r < 0)
        return r;
    json_decref(step->memo);
    step->memo = memo;
    return 0;
}
