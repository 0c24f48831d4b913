/* cni.h - between the files of step cni.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd. cni.c tells the story.
 */
#ifndef CLOWDER_AGENTD_CNI_H
#define CLOWDER_AGENTD_CNI_H

#include "agentd/steps/restart.h"

#define CNI_RESTART "restart"     /* key of memo: the restart of apply */
#define CNI_UNRESTART "unrestart" /* and that of revert */

enum cni_file { CNI_CALICO, CNI_CALICO_IPAM, CNI_CONFIG };
enum { CNI_FILES = CNI_CONFIG + 1, CNI_BINARIES = CNI_CALICO_IPAM + 1 };

struct cni {
    struct worker worker; /* first */
    bool by_address;      /* the agent does not listen on loopback: ask its address */
    bool fetched[CNI_BINARIES];
};

const struct cni_options *cni_options(const struct worker *w);
const char *cni_unit(const struct worker *w);
const char *cni_key(enum cni_file file); /* "calico", "calico_ipam", "config" */
char *cni_path(const struct worker *w, enum cni_file file); /* caller frees */
char *cni_stage_dir(const struct worker *w); /* beside the config dir; caller frees */
const json_t *cni_before(const struct worker *w); /* memo.before or NULL */
const char *cni_text(const json_t *object, const char *key);

/* GET of the agent; on a refusal at loopback the same again at the host's address. */
enum flow_verdict cni_ask_agent(struct worker *w, struct flow *flow, const char *path,
                                worker_reply_f done, struct error *err);
bool cni_other_address(struct worker *w, int status); /* true: ask again, now there */

enum flow_verdict cni_look_at_files(struct flow *flow, void *ctx, struct error *err);
enum flow_verdict cni_look_at_agent(struct flow *flow, void *ctx, struct error *err);

#define CNI_OBSERVE                                                                    \
    {.name = "look at the files", .run = cni_look_at_files},                           \
    {                                                                                  \
        .name = "ask the agent", .run = cni_look_at_agent, .cancel = worker_drop,      \
        .timeout_ms = 60000                                                            \
    }

extern const struct flow_step cni_apply[], cni_prove[], cni_revert[];

#endif
