/* facts.h - what a host is and what its probes saw: /hosts/<host>, the inventory.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure. Published by each agentd; `clowder plan` judges it with the very
 * functions that the agent uses (judge.h), so that the plan and the act cannot differ.
 *
 * {"v":1,"role":"slave","zone":"","address":"10.0.0.5","machine_id":"…","agentd":"0.1.0",
 *  "kernel":"6.1.0","dcos":"1.10.0","docker":"20.10.24","mesos":"1.4.1",
 *  "native_calico":false,"seen_ms":1795464000000,
 *  "seen":{"etcd-proxy":{…},"docker-cluster-store":{…},…},       per step: judge.h
 *  "errors":{"cni":"agent:5051 does not answer: …"},             probes that failed
 *  "in_use":{"net1":"web1, web2"},             Calico networks and containers on them
 *  "drift":{"cni":"calico.cni to be renewed"}} steps that are not as they were proved
 */
#ifndef CLOWDER_MODEL_FACTS_H
#define CLOWDER_MODEL_FACTS_H

#include "shared/base/error.h"
#include "shared/model/names.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum host_role { ROLE_UNKNOWN, ROLE_SLAVE, ROLE_SLAVE_PUBLIC, ROLE_MASTER };
enum { ROLE_COUNT = ROLE_MASTER + 1 };
const char *host_role_text(enum host_role role); /* "unknown", "slave", ... */

enum { VERSION_SIZE = 48 };
struct facts {
    char host[HOST_ID_SIZE];
    enum host_role role;
    char zone[NAME_SIZE];
    char address[46]; /* IPv4 or IPv6, numeric */
    char machine_id[40];
    char agentd[VERSION_SIZE], kernel[VERSION_SIZE], dcos[VERSION_SIZE];
    char docker[VERSION_SIZE],
        mesos[VERSION_SIZE]; /* "" = not there or not answering */
    bool native_calico;      /* DC/OS >= 2.1 ships its own: refuse */
    int64_t seen_ms;         /* wall clock of the probes; 0 = not yet probed */
    json_t *seen;            /* owned; object by step name */
    json_t *errors;          /* owned; object of strings by step name */
    json_t *in_use;          /* owned; object of strings by network */
    json_t *drift;           /* owned; object of strings by step name: drift.h */
};

void facts_init(struct facts *facts);
void facts_done(struct facts *facts);
MUST_CHECK int facts_decode(const char *bytes, size_t len, struct facts *ret,
                            struct error *err);
char *facts_encode(const struct facts *facts); /* caller frees */

/* -1, 0, 1 by dotted numbers; what follows them ("-ce", "~3") is ignored. */
int version_compare(const char *a, const char *b);

/* /live/<host>: {"v":1,"boot_id","machine_id","incarnation","pid","version"} */
struct live {
    char boot_id[40], machine_id[40];
    int64_t incarnation; /* wall ms of the process's start */
    int64_t pid;
    char version[VERSION_SIZE];
};
MUST_CHECK int live_decode(const char *bytes, size_t len, struct live *ret,
                           struct error *err);
char *live_encode(const struct live *live);

#endif
