/* render.c - the texts and values that steps write and judges compare with.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/model/render.h"

#include "shared/base/cleanup.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <stdlib.h>
#include <string.h>

const char ETCD_UNIT_NAME[] = "clowder-etcd-proxy.service";
const char RENDER_MARK[] = "# Written by clowder";

static bool set(const char *s)
{
    return s && *s;
}

static bool automatic(const char *s)
{
    return !set(s) || str_equal(s, "auto");
}

void render_node_name(const struct spec *spec, const struct facts *facts,
                      char ret[NODE_NAME_SIZE])
{
    if (!automatic(spec->node.node_name))
        (void)str_copy(ret, NODE_NAME_SIZE, spec->node.node_name);
    else
        (void)str_copy(ret, NODE_NAME_SIZE,
                       facts->address[0] ? facts->address : facts->host);
}

char *render_path(const char *dir, const char *name)
{
    size_t len = strlen(dir);

    while (len > 1 && dir[len - 1] == '/')
        len--;
    return mem_printf("%.*s%s%s", (int)len, dir, len && dir[len - 1] == '/' ? "" : "/",
                      name);
}

/* "http://h:2379/x" -> "h:2379"; a missing port is added when wanted. */
static char *host_port(const char *url, int port)
{
    const char *start = strstr(url, "://");

    start = start ? start + 3 : url;
    size_t len = strcspn(start, "/?#");
    const char *colon = memrchr(start, ':', len);
    const char *bracket = memrchr(start, ']', len);
    bool has_port = colon && (!bracket || colon > bracket);

    if (has_port || port == 0)
        return mem_strndup(start, len);
    return mem_printf("%.*s:%d", (int)len, start, port);
}

int render_url_port(const char *url, int otherwise)
{
    _cleanup_(freep) char *text = host_port(url, otherwise);
    const char *colon = strrchr(text, ':');
    int64_t port = 0;

    if (!colon || str_to_int64(colon + 1, 1, 65535, &port) < 0)
        return otherwise;
    return (int)port;
}

static void join_hosts(struct strbuf *text, const struct strings *urls)
{
    for (int i = 0; i < urls->count; i++) {
        _cleanup_(freep) char *one = host_port(urls->items[i], 2379);

        strbuf_addf(text, "%s%s", i ? "," : "", one);
    }
}

/* ---- etcd ---- */

static const char *first_listen(const struct spec *spec)
{
    const struct strings *listen = &spec->etcd_proxy.listen;

    return listen->count ? listen->items[0] : "http://127.0.0.1:2379";
}

char *render_etcd_local(const struct spec *spec)
{
    const char *url = first_listen(spec);
    _cleanup_(freep) char *at = host_port(url, 2379);
    int port = render_url_port(url, 2379);

    if (str_starts(at, "0.0.0.0:"))
        return mem_printf("http://127.0.0.1:%d", port);
    if (str_starts(at, "[::]:"))
        return mem_printf("http://[::1]:%d", port);
    return mem_printf("%s://%s", str_starts(url, "https:") ? "https" : "http", at);
}

bool render_etcd_fetches(const struct spec *spec)
{
    return !set(spec->etcd_proxy.binary.path);
}

char *render_etcd_binary(const struct spec *spec)
{
    const char *data_dir = spec->etcd_proxy.data_dir;
    const char *slash = strrchr(data_dir, '/');

    if (!render_etcd_fetches(spec))
        return mem_strdup(spec->etcd_proxy.binary.path);
    if (slash && slash[1] == '\0' && slash != data_dir) /* ".../etcd-proxy/" */
        slash = memrchr(data_dir, '/', (size_t)(slash - data_dir));
    if (!slash || slash == data_dir)
        return mem_strdup("/var/lib/clowder/bin/etcd");
    return mem_printf("%.*s/bin/etcd", (int)(slash - data_dir), data_dir);
}

/* One argument of ExecStart: % and $ are systemd's, blanks need quotes. */
static void add_argument(struct strbuf *line, const char *argument)
{
    bool quote = argument[0] == '\0' || strpbrk(argument, " \t\"'\\;") != NULL;

    strbuf_add(line, line->len ? " " : "");
    strbuf_add(line, quote ? "\"" : "");
    for (const char *c = argument; *c; c++) {
        if (*c == '%' || *c == '$')
            strbuf_add_bytes(line, c, 1);
        else if (*c == '"' || *c == '\\')
            strbuf_add(line, "\\");
        strbuf_add_bytes(line, c, 1);
    }
    strbuf_add(line, quote ? "\"" : "");
}

static void add_option(struct strbuf *line, const char *name, const char *value)
{
    _cleanup_(freep) char *argument = mem_printf("--%s=%s", name, value);

    add_argument(line, argument);
}

static void add_proxy_arguments(struct strbuf *line, const struct spec *spec)
{
    const struct etcd_proxy_options *options = &spec->etcd_proxy;
    struct strbuf listen = {0};

    for (int i = 0; i < options->listen.count; i++)
        strbuf_addf(&listen, "%s%s", i ? "," : "", options->listen.items[i]);
    add_option(line, "proxy", "on");
    if (set(options->cluster))
        add_option(line, "initial-cluster", options->cluster);
    else
        add_option(line, "discovery-srv", options->discovery_srv);
    add_option(line, "listen-client-urls",
               listen.len ? listen.text : first_listen(spec));
    add_option(line, "data-dir", options->data_dir);
    strbuf_done(&listen);
}

static void add_gateway_arguments(struct strbuf *line, const struct spec *spec)
{
    const struct etcd_proxy_options *options = &spec->etcd_proxy;
    _cleanup_(freep) char *listen = host_port(first_listen(spec), 2379);
    struct strbuf endpoints = {0};

    add_argument(line, "gateway");
    add_argument(line, "start");
    add_option(line, "listen-addr", listen);
    join_hosts(&endpoints, &options->endpoints);
    if (endpoints.len)
        add_option(line, "endpoints", endpoints.text);
    else
        add_option(line, "discovery-srv", options->discovery_srv);
    add_option(line, "retry-delay", "10s"); /* 1 min by default: too long for a proof */
    strbuf_done(&endpoints);
}

char *render_etcd_unit(const struct spec *spec)
{
    bool gateway = spec->etcd_proxy.mode == PROXY_MODE_GATEWAY;
    _cleanup_(freep) char *binary = render_etcd_binary(spec);
    struct strbuf line = {0}, text = {0};

    add_argument(&line, binary);
    if (gateway)
        add_gateway_arguments(&line, spec);
    else
        add_proxy_arguments(&line, spec);
    strbuf_addf(&text, "%s: the next rollout replaces changes made here.\n",
                RENDER_MARK);
    strbuf_addf(&text,
                "[Unit]\n"
                "Description=etcd %s on this host for Calico and Docker\n"
                "Wants=network-online.target\n"
                "After=network-online.target\n"
                "Before=docker.service\n"
                "\n"
                "[Service]\n"
                "Type=simple\n"
                "ExecStart=%s\n"
                "Restart=always\n"
                "RestartSec=2\n"
                "StartLimitInterval=0\n"
                "Slice=clowder.slice\n"
                "LimitNOFILE=65536\n"
                "NoNewPrivileges=yes\n"
                "ProtectSystem=full\n"
                "PrivateTmp=yes\n"
                "\n"
                "[Install]\n"
                "WantedBy=multi-user.target\n",
                gateway ? "gateway" : "proxy", line.text);
    strbuf_done(&line);
    return strbuf_take(&text);
}

/* ---- docker ---- */

char *render_docker_store(const struct spec *spec)
{
    struct strbuf text = {0};

    if (set(spec->docker_store.store))
        return mem_strdup(spec->docker_store.store);
    strbuf_add(&text, "etcd://");
    join_hosts(&text, &spec->etcd_endpoints);
    return strbuf_take(&text);
}

char *render_docker_advertise(const struct spec *spec, const struct facts *facts)
{
    const char *advertise = spec->docker_store.advertise;

    if (!str_equal(advertise, "auto"))
        return mem_strdup(advertise ? advertise : "");
    return mem_printf(strchr(facts->address, ':') ? "[%s]:2375" : "%s:2375",
                      facts->address);
}

json_t *render_docker_keys(const struct spec *spec, const struct facts *facts)
{
    _cleanup_(freep) char *store = render_docker_store(spec);
    _cleanup_(freep) char *advertise = render_docker_advertise(spec, facts);
    json_t *keys = json_pack("{s:s}", "cluster-store", store);

    if (set(advertise))
        json_object_set_new(keys, "cluster-advertise", json_string(advertise));
    if (json_object_size(spec->docker_store.opts) > 0)
        json_object_set_new(keys, "cluster-store-opts",
                            json_deep_copy(spec->docker_store.opts));
    return keys;
}

/* What follows the addresses in "etcd://h1,h2/prefix". */
static const char *store_prefix(const char *store)
{
    const char *addresses = strstr(store, "://");
    const char *slash = strchr(addresses ? addresses + 3 : store, '/');

    return slash ? slash + 1 : "";
}

char *render_docker_node_key(const struct spec *spec, const struct facts *facts)
{
    _cleanup_(freep) char *store = render_docker_store(spec);
    _cleanup_(freep) char *advertise = render_docker_advertise(spec, facts);
    const char *path =
        json_string_value(json_object_get(spec->docker_store.opts, "kv.path"));
    const char *prefix = store_prefix(store);

    if (!set(advertise))
        return NULL;
    if (!set(path))
        path = "docker/nodes";
    while (*path == '/')
        path++;
    return mem_printf("/v2/keys/%s%s%s/%s", prefix, set(prefix) ? "/" : "", path,
                      advertise);
}

char *render_docker_store_url(const struct spec *spec)
{
    _cleanup_(freep) char *store = render_docker_store(spec);
    const char *ca =
        json_string_value(json_object_get(spec->docker_store.opts, "kv.cacertfile"));
    bool etcd = str_starts(store, "etcd://");

    if (set(ca) || (!etcd && !str_starts(store, "consul://")))
        return NULL; /* with TLS only Docker has the certificates */
    const char *first = strstr(store, "://") + 3;
    _cleanup_(freep) char *one = mem_strndup(first, strcspn(first, ",/"));
    _cleanup_(freep) char *at = host_port(one, etcd ? 2379 : 8500);

    return mem_printf("http://%s", at);
}

/* ---- cni ---- */

static void add_node_name(json_t *document, const struct spec *spec,
                          const struct facts *facts)
{
    char name[NODE_NAME_SIZE];

    render_node_name(spec, facts, name);
    if (version_compare(spec->calico_version, "2.2") <
        0) /* cni <= 1.6 knows no other */
        json_object_set_new(document, "hostname", json_string(name));
    if (version_compare(spec->calico_version, "2.1") >= 0)
        json_object_set_new(document, "nodename", json_string(name));
}

json_t *render_cni_document(const struct spec *spec, const struct facts *facts)
{
    struct strbuf endpoints = {0};
    json_t *document;

    if (json_object_size(spec->cni.config) > 0)
        return json_deep_copy(spec->cni.config);
    for (int i = 0; i < spec->etcd_endpoints.count; i++)
        strbuf_addf(&endpoints, "%s%s", i ? "," : "", spec->etcd_endpoints.items[i]);
    document = json_pack("{s:s,s:s}", "name", "calico", "type", "calico");
    if (version_compare(spec->calico_version, "3.0") >= 0) {
        /* Mesos parses results of 0.1.0 only (DOMAIN.md A.3) */
        json_object_set_new(document, "cniVersion", json_string("0.1.0"));
        json_object_set_new(document, "datastore_type", json_string("etcdv3"));
    }
    json_object_set_new(document, "etcd_endpoints",
                        json_string(endpoints.len ? endpoints.text : ""));
    add_node_name(document, spec, facts);
    json_object_set_new(document, "ipam", json_pack("{s:s}", "type", "calico-ipam"));
    strbuf_done(&endpoints);
    return document;
}

char *render_cni_config(const struct spec *spec, const struct facts *facts)
{
    json_t *document = render_cni_document(spec, facts);
    _cleanup_(freep) char *text = json_dumps(document, JSON_INDENT(4));
    char *bytes = mem_printf("%s\n", text ? text : "{}");

    json_decref(document);
    return bytes;
}

const char *render_cni_unit(const struct spec *spec, const struct facts *facts)
{
    if (set(spec->cni.unit))
        return spec->cni.unit;
    return facts->role == ROLE_SLAVE_PUBLIC ? "dcos-mesos-slave-public.service"
                                            : "dcos-mesos-slave.service";
}

bool names_directory(const char *list, const char *dir)
{
    size_t wanted = strlen(dir);

    while (wanted > 1 && dir[wanted - 1] == '/')
        wanted--;
    for (const char *at = list; *at;) {
        size_t len = strcspn(at, ":"), bare = len;

        while (bare > 1 && at[bare - 1] == '/')
            bare--;
        if (bare == wanted && strncmp(at, dir, wanted) == 0)
            return true;
        at += len + (at[len] == ':');
    }
    return false;
}
