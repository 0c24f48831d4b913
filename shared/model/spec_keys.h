/* spec_keys.h - the one table of a spec's options, and what its parts share.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: model, pure; spec_keys() is for everybody (help, schema, `clowder init`), the
 * rest for spec_*.c only.
 */
#ifndef CLOWDER_MODEL_SPEC_KEYS_H
#define CLOWDER_MODEL_SPEC_KEYS_H

#include "shared/model/json.h"
#include "shared/model/spec.h"

/* Ends with a zero entry. Base is struct spec. */
const struct json_key *spec_keys(void);

extern const char *const spec_step_names[];          /* by enum step_id */
extern const struct json_custom spec_stages_custom;  /* base: struct spec */
extern const struct json_custom spec_leases_custom;  /* base: struct spec */
extern const struct json_custom spec_waves_custom;   /* base: struct spec */
extern const struct json_custom spec_windows_custom; /* base: struct spec */
extern const struct json_custom spec_zones_custom;   /* base: struct spec */
enum { SPEC_PERMITS_MAX = 100000, SPEC_CANARY_MAX = 100000 };

/* What follows from other options, where the document does not say. */
void spec_derive(struct spec *spec, const json_t *document);
/* What two options must agree on. */
void spec_check(const struct spec *spec, struct json_mistakes *mistakes);

/* Checks of one string: NULL when good, else what is wrong with it. */
const char *check_url(const char *text);      /* http, https, file */
const char *check_http_url(const char *text); /* http, https with a host */
const char *check_sha256(const char *text);
const char *check_path(const char *text); /* absolute, no ".." */
const char *check_file_name(const char *text);
const char *check_cidr(const char *text);
const char *check_volume(const char *text); /* "/host:/container[:ro]" */
const char *check_host_port(const char *text);
const char *check_store(const char *text); /* etcd://, zk://, consul:// */
const char *check_ip_or_auto(const char *text);
const char *check_advertise(const char *text);
const char *check_node_name(const char *text);
const char *check_word(const char *text); /* no blank, no control character */
bool url_is_loopback(const char *url);

#endif
