/* etcd_proxy.h - between the files of step etcd-proxy.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd. etcd_proxy.c tells the story.
 */
#ifndef CLOWDER_AGENTD_ETCD_PROXY_H
#define CLOWDER_AGENTD_ETCD_PROXY_H

#include "agentd/steps/worker.h"

struct etcd_proxy {
    struct worker worker; /* first */
    json_t *peers;        /* recorded in proxy/cluster; asked one after another */
    size_t peer;
    size_t tries; /* of the quorum read: which API */
    bool fetched; /* by this apply: to be installed */
};

enum flow_verdict etcd_look_at_unit(struct flow *flow, void *ctx, struct error *err);
enum flow_verdict etcd_look_at_binary(struct flow *flow, void *ctx, struct error *err);
enum flow_verdict etcd_look_at_port(struct flow *flow, void *ctx, struct error *err);
enum flow_verdict etcd_ask_health(struct flow *flow, void *ctx, struct error *err);
enum flow_verdict etcd_ask_peers(struct flow *flow, void *ctx, struct error *err);

const struct etcd_proxy_options *etcd_options(const struct worker *w);
char *etcd_unit_path(const struct worker *w); /* caller frees */
char *etcd_proxy_dir(const struct worker *w); /* <data_dir>/proxy; caller frees */
const char *etcd_text(const json_t *object, const char *key);

extern const struct flow_step etcd_proxy_apply[], etcd_proxy_prove[],
    etcd_proxy_revert[];

#endif
