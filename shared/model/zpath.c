/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/model/zpath.h"

#include "shared/base/cleanup.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

const char ZK_ADDRESS_DEFAULT[] = "zk://zk-1.zk:2181,zk-2.zk:2181,zk-3.zk:2181,"
                                  "zk-4.zk:2181,zk-5.zk:2181/clowder";
#define EXAMPLE "for example zk://10.0.0.1:2181,10.0.0.2:2181/clowder"

static struct zpath PRINTF_LIKE(1, 2) join(const char *fmt, ...)
{
    struct zpath p;
    va_list args;
    int len;

    va_start(args, fmt);
    len = vsnprintf(p.text, sizeof(p.text), fmt, args);
    va_end(args);
    if (len < 0 || len >= ZPATH_SIZE)
        p.text[0] = '\0';
    return p;
}

static bool host_spelled(const char *host, size_t len)
{
    if (len == 0)
        return false;
    if (host[0] == '[')
        return len > 2 && host[len - 1] == ']' &&
               strspn(host + 1, "0123456789abcdefABCDEF:.") >= len - 2;
    return strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "0123456789.-_") >= len;
}

/* "h1:2181" or "h1" or "[::1]:2181" onto the list. */
static int server_add(struct strbuf *servers, const char *text, size_t len,
                      struct error *err)
{
    _cleanup_(freep) char *server = mem_strndup(text, len);
    char *bracket = strrchr(server, ']'),
         *colon = strchr(bracket ? bracket : server, ':');
    size_t host_len = colon ? (size_t)(colon - server) : len;
    int64_t port = 2181;

    if (len == 0)
        return error_set(err, -EINVAL, "an empty server name; " EXAMPLE);
    if (!host_spelled(server, host_len))
        return error_set(err, -EINVAL, "bad server \"%s\"; " EXAMPLE, server);
    if (colon && str_to_int64(colon + 1, 1, 65535, &port) != 0)
        return error_set(err, -EINVAL,
                         "bad port in \"%s\" (1 to 65535, usually 2181); " EXAMPLE,
                         server);
    strbuf_addf(servers, "%s%.*s:%d", servers->len ? "," : "", (int)host_len, server,
                (int)port);
    return 0;
}

static int servers_parse(const char *text, size_t len, struct strbuf *servers,
                         struct error *err)
{
    const char *end = text + len;

    for (;;) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        size_t item = comma ? (size_t)(comma - text) : (size_t)(end - text);
        int rc = server_add(servers, text, item, err);

        if (rc < 0)
            return rc;
        if (!comma)
            return 0;
        text = comma + 1;
    }
}

static int root_check(const char *root, struct error *err)
{
    const char *name = root + 1;

    if (strcmp(root, "/") == 0)
        return error_set(err, -EINVAL,
                         "\"/\" cannot be the root: name a path of its own, " EXAMPLE);
    if (strlen(root) >= ZROOT_MAX)
        return error_set(err, -EINVAL, "root \"%.40s...\" is longer than %d bytes",
                         root, ZROOT_MAX - 1);
    if (str_starts(root, "/zookeeper/") || str_equal(root, "/zookeeper"))
        return error_set(err, -EINVAL, "root \"%s\" is ZooKeeper's own; " EXAMPLE,
                         root);
    for (;;) {
        size_t len = strcspn(name, "/");
        bool dots =
            (len == 1 && name[0] == '.') || (len == 2 && !strncmp(name, "..", 2));

        for (size_t i = 0; i < len; i++)
            dots = dots || name[i] <= ' ' || name[i] > '~';
        if (len == 0 || dots)
            return error_set(err, -EINVAL, "bad root \"%s\"; " EXAMPLE, root);
        if (name[len] == '\0')
            return 0;
        name += len + 1;
    }
}

int zk_address_parse(const char *address, char **ret_servers, struct zpath *ret_root,
                     struct error *err)
{
    const char *text = str_starts(address, "zk://") ? address + 5 : address;
    size_t len = strcspn(text, "/");
    const char *root = text[len] ? text + len : "/clowder";
    struct strbuf servers = {0};
    int rc;

    if (strstr(text, "://"))
        rc = error_set(err, -EINVAL, "only zk:// is known; " EXAMPLE);
    else if (memchr(text, '@', len))
        rc = error_set(err, -EINVAL,
                       "no user or password belongs here (see the configuration's "
                       "digest); " EXAMPLE);
    else
        rc = servers_parse(text, len, &servers, err);
    if (rc == 0)
        rc = root_check(root, err);
    if (rc < 0) {
        strbuf_done(&servers);
        return error_context(err, rc, "zookeeper address \"%s\"", address);
    }
    *ret_servers = strbuf_take(&servers);
    *ret_root = join("%s", root);
    return 0;
}

struct zpath zpath_hosts(const char *root)
{
    return join("%s/hosts", root);
}

struct zpath zpath_host(const char *root, const char *host)
{
    return join("%s/hosts/%s", root, host);
}

struct zpath zpath_lives(const char *root)
{
    return join("%s/live", root);
}

struct zpath zpath_live(const char *root, const char *host)
{
    return join("%s/live/%s", root, host);
}

struct zpath zpath_current(const char *root)
{
    return join("%s/current", root);
}

struct zpath zpath_rollouts(const char *root)
{
    return join("%s/rollouts", root);
}

struct zpath zpath_rollout(const char *root, const char *id)
{
    return join("%s/rollouts/%s", root, id);
}

struct zpath zpath_spec(const char *root, const char *id)
{
    return join("%s/rollouts/%s/spec", root, id);
}

struct zpath zpath_wave(const char *root, const char *id, int wave)
{
    return join("%s/rollouts/%s/waves/%d", root, id, wave);
}

struct zpath zpath_gate(const char *root, const char *id)
{
    return join("%s/rollouts/%s/gate", root, id);
}

struct zpath zpath_records(const char *root, const char *id)
{
    return join("%s/rollouts/%s/hosts", root, id);
}

struct zpath zpath_record(const char *root, const char *id, const char *host)
{
    return join("%s/rollouts/%s/hosts/%s", root, id, host);
}

struct zpath zpath_failures(const char *root, const char *id)
{
    return join("%s/rollouts/%s/failed", root, id);
}

struct zpath zpath_failure(const char *root, const char *id, const char *host)
{
    return join("%s/rollouts/%s/failed/%s", root, id, host);
}

struct zpath zpath_retries(const char *root, const char *id)
{
    return join("%s/rollouts/%s/retrying", root, id);
}

struct zpath zpath_retry(const char *root, const char *id, const char *host)
{
    return join("%s/rollouts/%s/retrying/%s", root, id, host);
}

struct zpath zpath_drifts(const char *root, const char *id)
{
    return join("%s/rollouts/%s/drifted", root, id);
}

struct zpath zpath_drift(const char *root, const char *id, const char *host)
{
    return join("%s/rollouts/%s/drifted/%s", root, id, host);
}

struct zpath zpath_exclusions(const char *root, const char *id)
{
    return join("%s/rollouts/%s/excluded", root, id);
}

struct zpath zpath_leases(const char *root, const char *id)
{
    return join("%s/rollouts/%s/leases", root, id);
}

struct zpath zpath_lease(const char *root, const char *id, const char *lease)
{
    return join("%s/rollouts/%s/leases/%s", root, id, lease);
}

struct zpath zpath_queue(const char *root, const char *id, const char *lease)
{
    return join("%s/rollouts/%s/leases/%s/queue", root, id, lease);
}

struct zpath zpath_ticket(const char *root, const char *id, const char *lease, int seq)
{
    return join("%s/rollouts/%s/leases/%s/queue/t-%010d", root, id, lease, seq);
}

struct zpath zpath_permits(const char *root, const char *id, const char *lease)
{
    return join("%s/rollouts/%s/leases/%s/permits", root, id, lease);
}

struct zpath zpath_permit(const char *root, const char *id, const char *lease,
                          int permit)
{
    return join("%s/rollouts/%s/leases/%s/permits/%d", root, id, lease, permit);
}

struct zpath zpath_permit_owner(const char *root, const char *id, const char *lease,
                                int permit, const char *host)
{
    return join("%s/rollouts/%s/leases/%s/permits/%d/%s", root, id, lease, permit,
                host);
}

struct zpath zpath_barrier(const char *root, const char *id, int wave,
                           const char *stage)
{
    return join("%s/rollouts/%s/barriers/%d.%s", root, id, wave, stage);
}

struct zpath zpath_arrivals(const char *root, const char *id, int wave,
                            const char *stage)
{
    return join("%s/rollouts/%s/barriers/%d.%s/arrived", root, id, wave, stage);
}

struct zpath zpath_arrival(const char *root, const char *id, int wave,
                           const char *stage, const char *host)
{
    return join("%s/rollouts/%s/barriers/%d.%s/arrived/%s", root, id, wave, stage,
                host);
}

struct zpath zpath_open(const char *root, const char *id, int wave, const char *stage)
{
    return join("%s/rollouts/%s/barriers/%d.%s/open", root, id, wave, stage);
}

struct zpath zpath_events(const char *root, const char *id)
{
    return join("%s/rollouts/%s/events", root, id);
}

const char *zpath_leaf(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

int ticket_seq(const char *leaf)
{
    int64_t seq;

    if (!str_starts(leaf, "t-") || strlen(leaf) != 12 ||
        strspn(leaf + 2, "0123456789") != 10 ||
        str_to_int64(leaf + 2, 0, INT_MAX, &seq) != 0)
        return -1;
    return (int)seq;
}
