/* config.h - the daemon's settings: /etc/clowder/agentd.json and --set key=value.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd. One const table of options (name, type, unit, default, help) in
 * config.c, from which the decoder, the help and the default file are made. Strict: an
 * unknown key or a wrong type is a mistake that names file, key and expected type, and
 * all mistakes are reported at once. Validated wholly, then used.
 *
 * {"zk":"zk-1.zk:2181,zk-2.zk:2181/clowder","zk_digest_file":"","host":"auto",…}
 */
#ifndef CLOWDER_AGENTD_CONFIG_H
#define CLOWDER_AGENTD_CONFIG_H

#include "shared/base/error.h"
#include "shared/base/log.h"
#include "shared/base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define CONFIG_DEFAULT_PATH "/etc/clowder/agentd.json"

struct config {           /* strings are owned and never NULL */
    char *zk;             /* [zk://]host[:port],…[/root] */
    char *zk_digest_file; /* "" = no digest */
    char *host;           /* "auto" or a host id */
    char *zone;
    char *state_dir, *cache_dir;
    enum log_level log_level;
    int64_t session_timeout_ms, connect_timeout_ms, probe_interval_ms;
    char *docker_socket;
    char *agent_url; /* of the Mesos agent, for its version */
    char *roles_dir, *detect_ip;
    char *root; /* before every DC/OS and /proc path; "" but in tests */
};

/* path NULL: CONFIG_DEFAULT_PATH, which may be absent (all defaults); a path that was
 * asked for must exist. sets: "key=value", applied over the file; value is JSON where
 * it parses as the option's type, else text. -EINVAL: errors holds every mistake, one
 * per line, and err says how many. */
MUST_CHECK int config_load(const char *path, const char *const *sets, int sets_count,
                           struct config *ret, struct strbuf *errors,
                           struct error *err);
/* The same from bytes; source names them in the messages. */
MUST_CHECK int config_parse(const char *source, const char *bytes, size_t len,
                            const char *const *sets, int sets_count, struct config *ret,
                            struct strbuf *errors, struct error *err);
void config_done(struct config *config);

/* Adds the names of options that differ and that a reload cannot change, ", "-joined.
 * The others (log_level, probe_interval, …) may be taken over at once. */
void config_changes(const struct config *from, const struct config *to,
                    struct strbuf *ret_need_restart);

/* "user:password" from zk_digest_file: one line, a regular file that nobody but its
 * owner may read; NULL when no file is configured. Caller frees (and should wipe). */
MUST_CHECK int config_read_digest(const struct config *config, char **ret,
                                  struct error *err);

void config_help(struct strbuf *ret);         /* one paragraph per option */
void config_default_file(struct strbuf *ret); /* the JSON with every default */
/* The effective settings as JSON (no secret in it: the digest stays in its file). */
void config_show(const struct config *config, struct strbuf *ret);

#endif
