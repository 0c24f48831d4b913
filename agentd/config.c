/* config.c - one table of options: decode, help and default file come from it.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Layer: agentd.
 */
#include "agentd/config.h"

#include "shared/base/cleanup.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/model/json.h"
#include "shared/model/names.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* ---- values: each check says what is wrong, or NULL */

static bool server_valid(const char *s, size_t len)
{
    const char *colon;
    int64_t port;

    if (len == 0)
        return false;
    if (s[0] == '[') { /* [IPv6]:port */
        const char *end = memchr(s, ']', len);
        if (!end || end == s + 1)
            return false;
        if (end + 1 == s + len)
            return true;
        colon = end + 1;
        if (*colon != ':')
            return false;
    } else {
        size_t name = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789.-_");
        if (name == 0)
            return false;
        if (name >= len)
            return name == len;
        colon = s + name;
        if (*colon != ':')
            return false;
    }
    char *digits = mem_strndup(colon + 1, (size_t)(s + len - (colon + 1)));
    bool good = str_to_int64(digits, 1, 65535, &port) == 0;
    free(digits);
    return good;
}

static bool root_valid(const char *root)
{
    if (root[0] == '\0' || strcmp(root, "/") == 0)
        return true;
    return !strstr(root, "//") && !str_ends(root, "/") && !strstr(root, "/./") &&
           !strstr(root, "/../") && !str_ends(root, "/.") && !str_ends(root, "/..");
}

static bool servers_valid(const char *s)
{
    if (str_starts(s, "zk://"))
        s += strlen("zk://");
    size_t all = strcspn(s, "/");
    const char *root = s + all;
    for (const char *at = s;;) {
        size_t len = strcspn(at, ",/");
        if (!server_valid(at, len))
            return false;
        at += len;
        if (*at != ',')
            break;
        at++;
    }
    return root_valid(root);
}

static const char *servers_wrong(const char *s)
{
    return servers_valid(s) ? NULL : "is not [zk://]host[:port],...[/root]";
}

static const char *path_wrong(const char *s)
{
    return s[0] == '/' ? NULL : "is not an absolute path";
}

static const char *host_wrong(const char *s)
{
    return host_id_valid(s) ? NULL
                            : "is neither \"auto\" nor a host id ([a-z0-9.-], 1 to 64)";
}

static const char *name_wrong(const char *s)
{
    return name_valid(s) ? NULL : "is not a name ([a-z0-9-], 1 to 32)";
}

static const char *url_wrong(const char *s)
{
    return (str_starts(s, "http://") && s[7]) || (str_starts(s, "https://") && s[8])
               ? NULL
               : "is not a URL that starts with http:// or https://";
}

/* ---- the table */

static const char *const levels[] = {
    [LOG_LEVEL_ERROR] = "error",  [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_INFO] = "info",    [LOG_LEVEL_DEBUG] = "debug",
    [LOG_LEVEL_DEBUG + 1] = NULL,
};

#define AT(field) JSON_AT(struct config, field)

static const struct json_key options[] = {
    {"zk", KEY_TEXT, AT(zk), .filled = true, .check = servers_wrong,
     .fallback = "\"zk-1.zk:2181,zk-2.zk:2181,zk-3.zk:2181,zk-4.zk:2181,zk-5.zk:2181"
                 "/clowder\"",
     .help = "ZooKeeper's servers and the root of the swarm's nodes: "
             "[zk://]host[:port],...[/root]"},
    {"zk_digest_file", KEY_TEXT, AT(zk_digest_file), .check = path_wrong,
     .help = "file with user:password for ZooKeeper, mode 0600; empty: no "
             "authentication"},
    {"host", KEY_TEXT, AT(host), .filled = true, .check = host_wrong,
     .fallback = "\"auto\"",
     .help = "this host's name in the swarm; auto: what detect_ip prints, else the "
             "address towards ZooKeeper"},
    {"zone", KEY_TEXT, AT(zone), .check = name_wrong,
     .help =
         "failure domain of this host, for limits per zone; hosts without one count "
         "as one zone"},
    {"state_dir", KEY_TEXT, AT(state_dir), .filled = true, .check = path_wrong,
     .fallback = "\"/var/lib/clowder\"",
     .help = "journal, baseline and backups: must survive reboots"},
    {"cache_dir", KEY_TEXT, AT(cache_dir), .filled = true, .check = path_wrong,
     .fallback = "\"/var/cache/clowder\"",
     .help = "downloads by digest; may be emptied at any time"},
    {"log_level", KEY_CHOICE, AT(log_level), .values = levels, .fallback = "\"info\"",
     .help = "how much is logged"},
    {"session_timeout", KEY_DURATION, AT(session_timeout_ms), .min = 4000, .max = 40000,
     .fallback = "\"30s\"",
     .help = "how long this host may be silent before its ZooKeeper session ends; "
             "permits outlive it"},
    {"connect_timeout", KEY_DURATION, AT(connect_timeout_ms), .min = 100, .max = 30000,
     .fallback = "\"3s\"",
     .help =
         "how long one ZooKeeper server may take to answer before the next is tried"},
    {"probe_interval", KEY_DURATION, AT(probe_interval_ms), .min = 1000,
     .max = 24LL * 3600 * 1000, .fallback = "\"5m\"",
     .help = "how often an idle host looks at itself: two looks that agree find drift"},
    {"docker_socket", KEY_TEXT, AT(docker_socket), .filled = true, .check = path_wrong,
     .fallback = "\"/var/run/docker.sock\"", .help = "the Docker engine's unix socket"},
    {"agent_url", KEY_TEXT, AT(agent_url), .filled = true, .check = url_wrong,
     .fallback = "\"http://127.0.0.1:5051\"",
     .help = "the Mesos agent on this host, asked for its version"},
    {"roles_dir", KEY_TEXT, AT(roles_dir), .filled = true, .check = path_wrong,
     .fallback = "\"/etc/mesosphere/roles\"",
     .help =
         "where DC/OS keeps this host's role: a file slave, slave_public or master"},
    {"detect_ip", KEY_TEXT, AT(detect_ip), .check = path_wrong,
     .fallback = "\"/opt/mesosphere/bin/detect_ip\"",
     .help = "script that prints this host's IPv4 address; may be absent"},
    {"root", KEY_TEXT, AT(root), .check = path_wrong,
     .help =
         "put before every DC/OS, /proc and /run path that is looked at; for tests"},
    {0},
};

/* What a reload takes over at once; the others need a restart of the daemon. */
static const char *const live[] = {"log_level", "probe_interval", "agent_url",
                                   "roles_dir", "detect_ip",      NULL};

/* ---- decoding */

/* Each line of mistakes behind its source. */
static void say_mistakes(const char *source, const struct json_mistakes *mistakes,
                         struct strbuf *errors)
{
    for (const char *at = mistakes->text.text; errors && at && *at;) {
        size_t len = strcspn(at, "\n");
        strbuf_addf(errors, "%s%s: %.*s", errors->len > 0 ? "\n" : "", source, (int)len,
                    at);
        at += len + (at[len] == '\n');
    }
}

/* Reads one source by itself, only for its mistakes; returns how many. */
static int mistakes_of(const char *source, const json_t *document,
                       struct strbuf *errors)
{
    struct json_mistakes mistakes = {0};
    struct config config;

    json_read(document, "", options, &config, &mistakes);
    int count = mistakes.count;
    say_mistakes(source, &mistakes, errors);
    json_mistakes_done(&mistakes);
    config_done(&config);
    return count;
}

static int say_one(struct strbuf *errors, const char *source, const char *text)
{
    if (errors)
        strbuf_addf(errors, "%s%s: %s", errors->len > 0 ? "\n" : "", source, text);
    return 1;
}

static int take_file(const char *source, const char *bytes, size_t len, json_t *into,
                     struct strbuf *errors)
{
    json_t *document = NULL;
    struct error why = {0};

    if (json_parse(bytes, len, &document, &why) < 0)
        return say_one(errors, source, why.text);
    int count = mistakes_of(source, document, errors);
    (void)json_object_update(into, document);
    json_decref(document);
    return count;
}

/* Every option but the durations is a text; they take a text, too. */
static int take_sets(const char *const *sets, int sets_count, json_t *into,
                     struct strbuf *errors)
{
    json_t *document = json_object();
    int count = 0;

    for (int i = 0; i < sets_count; i++) {
        const char *equals = strchr(sets[i], '=');
        if (!equals || equals == sets[i]) {
            _cleanup_(freep) char *text =
                mem_printf("\"%.64s\" is not key=value", sets[i]);
            count += say_one(errors, "--set", text);
            continue;
        }
        _cleanup_(freep) char *key = mem_strndup(sets[i], (size_t)(equals - sets[i]));
        if (json_object_set_new(document, key, json_string(equals + 1)) < 0)
            count += say_one(errors, "--set", "a key or value is not UTF-8");
    }
    count += mistakes_of("--set", document, errors);
    (void)json_object_update(into, document);
    json_decref(document);
    return count;
}

int config_parse(const char *source, const char *bytes, size_t len,
                 const char *const *sets, int sets_count, struct config *ret,
                 struct strbuf *errors, struct error *err)
{
    json_t *whole = json_object();
    struct config config;
    int count = bytes ? take_file(source, bytes, len, whole, errors) : 0;

    count += take_sets(sets, sets_count, whole, errors);
    if (count > 0) {
        json_decref(whole);
        return error_set(err, -EINVAL, "configuration \"%s\" has %d mistake%s", source,
                         count, count == 1 ? "" : "s");
    }
    struct json_mistakes none = {0};
    json_read(whole, "", options, &config, &none);
    json_mistakes_done(&none);
    json_decref(whole);
    *ret = config;
    return 0;
}

int config_load(const char *path, const char *const *sets, int sets_count,
                struct config *ret, struct strbuf *errors, struct error *err)
{
    const char *source = path ? path : CONFIG_DEFAULT_PATH;
    _cleanup_(freep) char *bytes = NULL;
    size_t len = 0;
    struct error why = {0};
    int r = fs_read(source, 65536, &bytes, &len, &why);

    if (r < 0 && !(r == -ENOENT && !path)) {
        error_copy(err, &why);
        return error_context(err, r, "configuration");
    }
    return config_parse(source, bytes, len, sets, sets_count, ret, errors, err);
}

void config_done(struct config *config)
{
    json_release(options, config);
}

/* ---- comparing, showing */

static bool is_live(const char *name)
{
    for (int i = 0; live[i]; i++)
        if (strcmp(live[i], name) == 0)
            return true;
    return false;
}

void config_changes(const struct config *from, const struct config *to,
                    struct strbuf *ret_need_restart)
{
    json_t *a = json_write(options, from), *b = json_write(options, to), *value;
    const char *name;

    json_object_foreach (a, name, value)
        if (!is_live(name) && !json_equal(value, json_object_get(b, name)))
            strbuf_addf(ret_need_restart, "%s%s", ret_need_restart->len > 0 ? ", " : "",
                        name);
    json_decref(a);
    json_decref(b);
}

void config_help(struct strbuf *ret)
{
    json_help(options, ret);
}

void config_show(const struct config *config, struct strbuf *ret)
{
    json_t *document = json_write(options, config);
    _cleanup_(freep) char *text = json_dumps(document, JSON_INDENT(4));

    strbuf_add(ret, text ? text : "{}");
    strbuf_add(ret, "\n");
    json_decref(document);
}

void config_default_file(struct strbuf *ret)
{
    struct config config;

    if (config_parse("defaults", NULL, 0, NULL, 0, &config, NULL, NULL) < 0)
        return;
    config_show(&config, ret);
    config_done(&config);
}

/* ---- the digest's file */

static int digest_check_file(const char *path, struct error *err)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return error_set(err, -errno, "zk_digest_file \"%s\": %s", path,
                         strerror(errno));
    if (!S_ISREG(st.st_mode))
        return error_set(err, -EINVAL, "zk_digest_file \"%s\" is not a regular file",
                         path);
    if (st.st_mode & 077)
        return error_set(err, -EPERM,
                         "zk_digest_file \"%s\" has mode %04o: others could read the "
                         "password; run chmod 0600 on it",
                         path, (unsigned)(st.st_mode & 07777));
    return 0;
}

int config_read_digest(const struct config *config, char **ret, struct error *err)
{
    const char *path = config->zk_digest_file;
    char *bytes = NULL;
    size_t len = 0;

    if (!*path) {
        *ret = NULL;
        return 0;
    }
    int r = digest_check_file(path, err);
    if (r == 0)
        r = fs_read(path, 4096, &bytes, &len, err);
    if (r < 0)
        return r;
    while (len > 0 && (bytes[len - 1] == '\n' || bytes[len - 1] == '\r'))
        bytes[--len] = '\0';
    const char *colon = strchr(bytes, ':');
    if (strlen(bytes) != len || strpbrk(bytes, "\r\n") || !colon || colon == bytes ||
        !colon[1]) {
        explicit_bzero(bytes, len);
        free(bytes);
        return error_set(err, -EINVAL,
                         "zk_digest_file \"%s\" must hold one line: user:password",
                         path);
    }
    *ret = bytes;
    return 0;
}
