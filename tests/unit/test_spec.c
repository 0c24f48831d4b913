/* test_spec.c - the operator's document: defaults, mistakes, and what follows from
 * what.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/cleanup.h"
#include "shared/base/fs.h"
#include "shared/model/calico.h"
#include "shared/model/spec_keys.h"
#include "tests/unit/cmocka_all.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct spec *good(const char *text)
{
    struct spec *spec = NULL;
    struct strbuf errors = {0};
    struct error err = {0};

    if (spec_parse(text, strlen(text), &spec, &errors, &err) != 0)
        fail_msg("%s\n%s", err.text, errors.text ? errors.text : "");
    strbuf_done(&errors);
    return spec;
}

/* Every mistake, one per line; the caller frees. */
static char *bad(const char *text)
{
    struct spec *spec = NULL;
    struct strbuf errors = {0};
    struct error err = {0};

    assert_int_equal(spec_parse(text, strlen(text), &spec, &errors, &err), -EINVAL);
    assert_null(spec);
    return strbuf_take(&errors);
}

static void an_empty_document_installs_what_the_seed_describes(void **state)
{
    struct spec *spec = good("{}");

    for (int i = 0; i < STEP_COUNT; i++)
        assert_true(spec_policy(spec, i)->enabled);
    assert_string_equal(spec->calico_version, "2.6.11");
    assert_string_equal(spec->etcd_endpoints.items[0], "http://127.0.0.1:2379");
    assert_string_equal(spec->etcd_proxy.discovery_srv, "etcd.mesos");
    assert_string_equal(spec->etcd_proxy.binary.path, "/usr/bin/etcd");
    assert_string_equal(spec->docker_store.daemon_json, "/etc/docker/daemon.json");
    assert_string_equal(spec->cni.config_name, "calico.cni");
    assert_string_equal(spec->cni.calico.url,
                        "https://github.com/projectcalico/cni-plugin/releases/"
                        "download/v1.11.7/calico");
    assert_string_equal(spec->cni.calico_ipam.url,
                        "https://github.com/projectcalico/cni-plugin/releases/"
                        "download/v1.11.7/calico-ipam");
    assert_string_equal(spec->node.image, "quay.io/calico/node:v2.6.11");
    assert_int_equal(spec->libnetwork.mode, LIBNETWORK_EMBEDDED);
    assert_int_equal(spec->stages_count, 3);
    assert_string_equal(spec->stages[1].name, "restart");
    assert_string_equal(spec->stages[1].lease, "restart");
    assert_int_equal(spec->stages[1].steps[0], STEP_DOCKER_STORE);
    assert_int_equal(spec->stages[1].steps[1], STEP_CNI);
    assert_int_equal(share_resolve(spec_permits(spec, "restart"), 5000), 1);
    assert_int_equal(share_resolve(spec_permits(spec, "install"), 5000), 500);
    assert_int_equal(share_resolve(spec_permits(spec, "install"), 5), 10);
    assert_int_equal(spec->canary, 1);
    assert_int_equal(spec->wave_sizes_count, 1);
    assert_int_equal(spec->wave_sizes[0].percent, 25);
    assert_int_equal(spec->lost_after_ms, 600000);
    assert_int_equal(spec->docker_store.policy.attempts, 3);
    assert_int_equal(spec->docker_store.policy.backoff_ms, 5000);
    assert_true(spec->adopt);
    assert_int_equal(spec->drift, DRIFT_AUTO);
    assert_int_equal(spec->cni.policy.drift, DRIFT_AUTO);
    spec_free(spec);
}

static void the_document_is_whole_and_the_same_when_decoded_again(void **state)
{
    static const char *const texts[] = {
        "{}",
        "{\"calico\":{\"version\":\"0.22.0\"}}",
        "{\"calico\":{\"version\":\"3.14.0\"},\"etcd\":{\"endpoints\":"
        "[\"http://10.0.0.1:2379\",\"http://10.0.0.2:2379\"]}}",
        "{\"leases\":{\"zone-a\":\"5%\",\"restart\":3},\"max_failed\":\"2%\","
        "\"steps\":{\"node\":{\"env\":{\"B\":\"2\",\"A\":\"1\"},\"timeout\":90000}}}",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct spec *spec = good(texts[i]), *again = NULL;
        char *first = json_line(spec->document), *second;

        assert_int_equal(spec_decode(spec->document, &again, NULL, NULL), 0);
        second = json_line(again->document);
        assert_string_equal(first, second);
        assert_int_equal(strncmp(first, "{\"v\":1,\"name\":", 14), 0);
        free(first);
        free(second);
        spec_free(spec);
        spec_free(again);
    }
}

static void the_order_of_an_object_does_not_matter(void **state)
{
    struct spec *a = good("{\"leases\":{\"x\":1,\"restart\":2},\"adopt\":false,"
                          "\"steps\":{\"node\":{\"env\":{\"B\":\"2\",\"A\":\"1\"}}}}");
    struct spec *b = good("{\"steps\":{\"node\":{\"env\":{\"A\":\"1\",\"B\":\"2\"}}},"
                          "\"adopt\":false,\"leases\":{\"restart\":2,\"x\":1}}");
    char *first = json_line(a->document), *second = json_line(b->document);

    assert_string_equal(first, second);
    free(first);
    free(second);
    spec_free(a);
    spec_free(b);
}

static void a_lease_is_limited_per_zone_where_the_spec_says_so(void **state)
{
    struct spec *plain = good("{}");
    struct spec *zoned = good("{\"leases\":{\"restart\":5,\"x\":2},"
                              "\"zone_limits\":{\"x\":2,\"restart\":1}}");
    char *text = json_line(zoned->document);

    assert_int_equal(spec_zone_limit(plain, "restart"), 0);
    assert_int_equal(spec_zone_limit(zoned, "restart"), 1);
    assert_int_equal(spec_zone_limit(zoned, "x"), 2);
    assert_int_equal(spec_zone_limit(zoned, "install"), 0);
    assert_non_null(strstr(text, "\"zone_limits\":{\"restart\":1,\"x\":2}"));
    free(text);
    spec_free(plain);
    spec_free(zoned);
}

static void every_mistake_is_told_at_once_with_its_path(void **state)
{
    char *errors =
        bad("{\"nmae\":\"x\",\"calico\":{\"version\":2.6},"
            "\"steps\":{\"cni\":{\"restart\":\"maybe\",\"enabled\":\"yes\"},"
            "\"docker-cluster-store\":{\"daemon_json\":\"daemon.json\"},"
            "\"node\":{\"volumes\":[\"/a\"],\"prove\":{\"passes\":0}}},"
            "\"waves\":{\"size\":\"0%\",\"canary\":-1},\"max_failed\":\"abc\","
            "\"lost_after\":\"soon\",\"leases\":{\"restart\":\"101%\"}}");

    assert_string_equal(
        errors,
        "nmae: unknown key; did you mean \"name\"?\n"
        "calico.version: expected a string, got 2.6\n"
        "steps.docker-cluster-store.daemon_json: \"daemon.json\" is not an absolute "
        "path (use /...)\n"
        "steps.cni.enabled: expected true or false, got \"yes\"\n"
        "steps.cni.restart: \"maybe\" is not one of auto, always, never\n"
        "steps.node.prove.passes: expected a whole number from 1 to 1000, got 0\n"
        "steps.node.volumes[0]: \"/a\" is no volume (use /host:/container or "
        "/host:/container:ro)\n"
        "leases.restart: bad percentage \"101%\": use a percentage from \"1%\" to "
        "\"100%\" such as \"10%\", or a number such as 5\n"
        "waves.canary: expected a whole number from 0 to 100000, got -1\n"
        "waves.size: bad percentage \"0%\": use a percentage from \"1%\" to \"100%\" "
        "such as \"10%\", or a number such as 5\n"
        "max_failed: bad percentage \"abc\": use a percentage from \"1%\" to \"100%\" "
        "such as \"10%\", or a number such as 5\n"
        "lost_after: expected a duration such as \"90s\", \"5m\" or a number of "
        "milliseconds, got \"soon\"\n");
    free(errors);
}

static void each_single_mistake_has_its_sentence(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"[]", "spec: expected an object, got a list"},
        {"{\"steps\":{\"cni\":{\"restrat\":\"auto\"}}}",
         "steps.cni.restrat: unknown key; did you mean \"restart\"?"},
        {"{\"steps\":{\"flannel\":{}}}",
         "steps.flannel: unknown key; known here: etcd-proxy, docker-cluster-store, "
         "cni, libnetwork, node"},
        {"{\"steps\":[]}", "steps: expected an object, got a list"},
        {"{\"steps.cni.restart\":\"auto\"}", "steps.cni.restart: unknown key"},
        {"{\"etcd\":{\"endpoints\":[]}}", "etcd.endpoints: must name an address"},
        {"{\"etcd\":{\"endpoints\":[\"10.0.0.1:2379\"]}}",
         "etcd.endpoints[0]: \"10.0.0.1:2379\" is no URL"},
        {"{\"etcd\":{\"endpoints\":[\"http://h:99999\"]}}", "bad host or port"},
        {"{\"etcd\":{\"endpoints\":[\"http://h:1\",\"https://h:2\"]}}",
         "etcd.endpoints: must be all http or all https"},
        {"{\"etcd\":{\"endpoints\":[\"https://h:1\"]}}",
         "steps.docker-cluster-store.opts: etcd.endpoints are https"},
        {"{\"calico\":{\"version\":\"v2.6\"}}",
         "calico.version: \"v2.6\" is no version (use digits such as \"2.6.11\")"},
        {"{\"calico\":{\"version\":\"3.1.0\"}}",
         "steps.etcd-proxy.mode: Calico 3.1.0 speaks etcd's v3 API, which mode "
         "\"proxy\" cannot carry: use \"gateway\""},
        {"{\"calico\":{\"version\":\"0.19.0\"}}",
         "steps.cni.calico: needs a url or the path of an installed file"},
        {"{\"calico\":{\"version\":\"1.0.0\"},\"steps\":{\"node\":{\"pool_cidr\":"
         "\"10.1.0.0/16\"}}}",
         "steps.node.pool_cidr: calico/node 1.0.0 cannot be told a pool"},
        {"{\"steps\":{\"etcd-proxy\":{\"mode\":\"gateway\"}}}",
         "steps.etcd-proxy.endpoints: a gateway needs the members' addresses"},
        {"{\"steps\":{\"etcd-proxy\":{\"mode\":\"gateway\",\"endpoints\":[\"h\"]}}}",
         "steps.etcd-proxy.endpoints[0]: \"h\" is no host:port"},
        {"{\"steps\":{\"etcd-proxy\":{\"endpoints\":[\"h:1\"]}}}",
         "steps.etcd-proxy.endpoints: belongs to mode \"gateway\""},
        {"{\"steps\":{\"etcd-proxy\":{\"discovery_srv\":\"\"}}}",
         "steps.etcd-proxy.discovery_srv: a proxy needs"},
        {"{\"steps\":{\"etcd-proxy\":{\"binary\":{\"url\":\"http://h/e\",\"path\":"
         "\"/e\"}}}}",
         "steps.etcd-proxy.binary: has both a url and a path"},
        {"{\"steps\":{\"cni\":{\"calico\":{\"url\":\"ftp://h/x\"}}}}",
         "steps.cni.calico.url: \"ftp://h/x\" is no URL (use http://, https:// or "
         "file:///)"},
        {"{\"steps\":{\"cni\":{\"calico\":{\"sha256\":\"12ab\"}}}}",
         "steps.cni.calico.sha256: \"12ab\" is no SHA-256 (64 hexadecimal digits)"},
        {"{\"steps\":{\"cni\":{\"config_name\":\"../x\"}}}",
         "steps.cni.config_name: \"../x\" is no plain file name"},
        {"{\"steps\":{\"cni\":{\"config\":\"x\"}}}",
         "steps.cni.config: expected an object, got \"x\""},
        {"{\"steps\":{\"node\":{\"env\":{\"A B\":\"1\"}}}}",
         "steps.node.env: \"A B\" is no name of a variable"},
        {"{\"steps\":{\"node\":{\"env\":{\"A\":1}}}}",
         "steps.node.env.A: expected a string, got 1"},
        {"{\"steps\":{\"node\":{\"ip\":\"eth0\"}}}", "is no IP address (or \"auto\")"},
        {"{\"steps\":{\"node\":{\"backend\":\"frr\"}}}",
         "steps.node.backend: \"frr\" is not one of bird, gobgp, none"},
        {"{\"steps\":{\"node\":{\"pool_cidr\":\"10.0.0.0\"}}}",
         "is no address range (use 192.168.0.0/16)"},
        {"{\"steps\":{\"libnetwork\":{\"mode\":\"container\"}}}",
         "steps.libnetwork.image: Calico 2.6.11 ships no image"},
        {"{\"calico\":{\"version\":\"0.22.0\"},\"steps\":{\"libnetwork\":{\"mode\":"
         "\"embedded\"}}}",
         "steps.libnetwork.mode: calico/node 0.22.0 has no libnetwork plugin in it"},
        {"{\"steps\":{\"docker-cluster-store\":{\"store\":\"http://h:1\"}}}",
         "is no cluster store"},
        {"{\"steps\":{\"docker-cluster-store\":{\"advertise\":\"here\"}}}",
         "is neither \"auto\" nor address:port"},
        {"{\"steps\":{\"cni\":{\"timeout\":\"10ms\"}}}",
         "steps.cni.timeout: \"10ms\" is not between 1s and 1d"},
        {"{\"waves\":{\"size\":[]}}",
         "waves.size: expected 1 to 16 sizes such as [1,\"5%\",\"10%\"]"},
        {"{\"waves\":{\"size\":[1,\"5\"]}}", "waves.size[1]: bad percentage \"5\": use "
                                             "a percentage from \"1%\" to \"100%\" "
                                             "such as \"10%\", or a number such as 5"},
        {"{\"leases\":{\"restart\":0}}",
         "leases.restart: expected a whole number from 1 to 100000, got 0"},
        {"{\"leases\":{\"Restart\":1}}", "leases: \"Restart\" is no name"},
        {"{\"leases\":{\"restart\":{\"percent\":0,\"at_least\":1}}}",
         "leases.restart: expected {\"percent\":10,\"at_least\":10}"},
        {"{\"zone_limits\":{\"restrt\":1}}",
         "zone_limits: \"restrt\" is no lease (see leases)"},
        {"{\"zone_limits\":{\"restart\":0}}",
         "zone_limits: restart: expected a whole number of hosts, 1 to 100000"},
        {"{\"zone_limits\":{\"restart\":\"10%\"}}",
         "zone_limits: restart: expected a whole number"},
        {"{\"zone_limits\":{\"restart.a\":1}}",
         "zone_limits: \"restart.a\" is no name"},
        {"{\"zone_limits\":1}", "zone_limits: expected an object such as"},
        {"{\"stages\":{}}", "stages: expected a list such as"},
        {"{\"stages\":[{\"name\":\"a\",\"steps\":[\"etcd\"]}]}",
         "stages[0].steps[0]: \"etcd\" is not one of etcd-proxy, docker-cluster-store"},
        {"{\"stages\":[{\"name\":\"a\"}]}", "stages[0].steps: is missing"},
        {"{\"stages\":[{\"name\":\"a\",\"steps\":[\"etcd-proxy\","
         "\"docker-cluster-store\",\"cni\",\"libnetwork\"]}]}",
         "stages: step \"node\" is enabled but stands in no stage"},
        {"{\"stages\":[{\"name\":\"a\",\"steps\":[\"etcd-proxy\",\"cni\","
         "\"docker-cluster-store\",\"libnetwork\"]},{\"name\":\"b\",\"steps\":["
         "\"cni\",\"node\"]}]}",
         "stages[1].steps[0]: step \"cni\" stands in stage \"a\" already"},
        {"{\"stages\":[{\"name\":\"a\",\"steps\":[\"etcd-proxy\","
         "\"docker-cluster-store\",\"cni\"]},{\"name\":\"a\",\"steps\":["
         "\"libnetwork\",\"node\"]}]}",
         "stages[1].name: there is a stage \"a\" already"},
        {"{\"stages\":[{\"name\":\"a\",\"steps\":[\"etcd-proxy\","
         "\"docker-cluster-store\",\"cni\",\"libnetwork\",\"node\"],\"lease\":"
         "\"docker\"}]}",
         "stages[0].lease: \"docker\" is not in leases"},
        {"{\"stages\":[{\"name\":\"a\",\"steps\":[\"etcd-proxy\",\"node\",\"cni\","
         "\"libnetwork\",\"docker-cluster-store\"]}]}",
         "stages: docker-cluster-store must come before node: its restart of Docker "
         "would stop the container"},
        {"{\"v\":0}", "spec: v: expected 1, got 0"},
        {"{\"a\":1,\"a\":2}", "duplicate"},
        {"{\n \"name\": \"x\",\n}", "not JSON: line 3, column 1"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *errors = bad(rows[i].text);

        if (!strstr(errors, rows[i].says))
            fail_msg("row %zu: \"%s\" lacks \"%s\"", i, errors, rows[i].says);
        free(errors);
    }
}

static void a_newer_document_says_upgrade(void **state)
{
    struct spec *spec = NULL;
    struct strbuf errors = {0};
    struct error err;

    assert_int_equal(spec_parse("{\"v\":2}", 7, &spec, &errors, &err),
                     -EPROTONOSUPPORT);
    assert_non_null(strstr(err.text, "newer program"));
    assert_non_null(strstr(errors.text, "upgrade"));
    strbuf_done(&errors);
}

static void static_endpoints_turn_the_proxy_off_unless_asked_for(void **state)
{
    struct spec *off = good("{\"etcd\":{\"endpoints\":[\"http://10.0.0.1:2379\"]}}");
    struct spec *on = good("{\"etcd\":{\"endpoints\":[\"http://10.0.0.1:2379\"]},"
                           "\"steps\":{\"etcd-proxy\":{\"enabled\":true}}}");
    struct spec *local = good("{\"etcd\":{\"endpoints\":[\"http://localhost:2379\"]}}");
    struct spec *never = good("{\"steps\":{\"etcd-proxy\":{\"enabled\":false}}}");

    assert_false(off->etcd_proxy.policy.enabled);
    assert_true(on->etcd_proxy.policy.enabled);
    assert_true(local->etcd_proxy.policy.enabled);
    assert_false(never->etcd_proxy.policy.enabled);
    spec_free(off);
    spec_free(on);
    spec_free(local);
    spec_free(never);
}

static void a_download_replaces_the_installed_binary(void **state)
{
    struct spec *spec = good("{\"steps\":{\"etcd-proxy\":{\"binary\":{\"url\":"
                             "\"https://h/etcd\"}},\"cni\":{\"calico\":{\"path\":"
                             "\"/opt/calico\"}}}}");

    assert_string_equal(spec->etcd_proxy.binary.path, "");
    assert_string_equal(spec->cni.calico.url, "");
    assert_true(spec->cni.calico_ipam.url[0] != '\0');
    spec_free(spec);
}

static void releases_bring_their_components(void **state)
{
    static const struct {
        const char *version, *node, *cni, *asset;
        enum calico_libnetwork libnetwork;
    } rows[] = {
        {"0.19.0", "calico/node:v0.19.0", "", "", CALICO_LIBNETWORK_CONTAINER},
        {"0.22.0", "calico/node:v0.22.0", "1.4.1", "/calico",
         CALICO_LIBNETWORK_CONTAINER},
        {"1.0.0", "calico/node:v1.0.0", "1.5.5", "/calico", CALICO_LIBNETWORK_NODE},
        {"2.0", "calico/node:v1.0.0", "1.5.5", "/calico", CALICO_LIBNETWORK_NODE},
        {"2.3.0", "calico/node:v1.3.0", "1.9.1", "/calico", CALICO_LIBNETWORK_NODE},
        {"2.5.1", "calico/node:v2.5.1", "1.10.0", "/calico", CALICO_LIBNETWORK_NODE},
        {"2.6.0", "quay.io/calico/node:v2.6.0", "1.11.0", "/calico",
         CALICO_LIBNETWORK_NODE},
        {"2.6.10", "quay.io/calico/node:v2.6.10", "1.11.6", "/calico",
         CALICO_LIBNETWORK_NODE},
        {"3.0.4", "quay.io/calico/node:v3.0.4", "2.0.4", "/calico",
         CALICO_LIBNETWORK_NONE},
        {"3.14.0", "quay.io/calico/node:v3.14.0", "3.14.0", "/calico-amd64",
         CALICO_LIBNETWORK_NONE},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct calico calico;

        assert_null(calico_version_check(rows[i].version));
        calico_of(rows[i].version, &calico);
        assert_string_equal(calico.node_image, rows[i].node);
        assert_string_equal(calico.cni_version, rows[i].cni);
        assert_true(str_ends(calico.cni_url, rows[i].asset));
        assert_int_equal(calico.libnetwork, rows[i].libnetwork);
    }
}

static void shares_resolve(void **state)
{
    assert_int_equal(share_resolve((struct share){.number = 5}, 3), 5);
    assert_int_equal(share_resolve((struct share){.percent = 10}, 39), 3);
    assert_int_equal(share_resolve((struct share){.percent = 1}, 5), 1);
    assert_int_equal(share_resolve((struct share){.percent = 100}, 20000), 20000);
    assert_int_equal(share_resolve((struct share){.percent = 10, .at_least = 10}, 50),
                     10);
    assert_int_equal(share_resolve((struct share){0}, 50), 0);
}

static void budgets_of_waves_and_of_availability_resolve(void **state)
{
    struct spec *spec = good("{\"max_failed_wave\":\"10%\",\"min_available\":\"95%\","
                             "\"max_failed_consecutive\":2}");

    assert_int_equal(spec_max_failed_wave(spec, 9), 0);
    assert_int_equal(spec_max_failed_wave(spec, 25), 2);
    assert_int_equal(spec->max_failed_consecutive, 2);
    assert_int_equal(spec_min_available(spec, 100), 95);
    assert_int_equal(spec_min_available(spec, 10), 10); /* 9.5 is not enough */
    spec_free(spec);

    spec = good("{}");
    assert_int_equal(spec_max_failed_wave(spec, 25), -1);
    assert_int_equal(spec->max_failed_consecutive, 0);
    assert_int_equal(spec_min_available(spec, 100), 0);
    spec_free(spec);
}

static void a_budget_in_percent_may_be_none_of_few_hosts(void **state)
{
    struct spec *spec = good("{\"max_failed\":\"5%\"}");

    assert_int_equal(spec_max_failed(spec, 10), 0);
    assert_int_equal(spec_max_failed(spec, 100), 5);
    spec_free(spec);
}

static json_t *set(json_t *document, const char *assignment)
{
    struct error err = {0};

    if (spec_document_set(document, assignment, &err) != 0)
        fail_msg("%s", err.text);
    return document;
}

static void options_of_the_command_line_change_the_document(void **state)
{
    json_t *document = json_object();
    struct spec *spec = NULL;
    struct strbuf errors = {0};

    set(document, "steps.cni.restart=always");
    set(document, "calico.version=2.6");
    set(document, "etcd.endpoints=http://10.0.0.1:2379,http://10.0.0.2:2379");
    set(document, "steps.docker-cluster-store.opts.kv.path=clowder/x");
    set(document, "waves.size=10%");
    set(document, "max_failed=3");
    set(document, "leases.restart=2");
    set(document, "steps.node.env.WAIT=1");
    set(document, "adopt=false");
    set(document, "lost_after=20m");
    set(document, "name=a=b");

    if (spec_decode(document, &spec, &errors, NULL) != 0)
        fail_msg("%s", errors.text);
    assert_int_equal(spec->cni.restart, RESTART_ALWAYS);
    assert_string_equal(spec->calico_version, "2.6");
    assert_string_equal(spec->etcd_endpoints.items[1], "http://10.0.0.2:2379");
    assert_string_equal(
        json_string_value(json_object_get(spec->docker_store.opts, "kv.path")),
        "clowder/x");
    assert_int_equal(spec->wave_sizes[0].percent, 10);
    assert_int_equal(spec->max_failed.number, 3);
    assert_int_equal(spec_permits(spec, "restart").number, 2);
    assert_string_equal(json_string_value(json_object_get(spec->node.env, "WAIT")),
                        "1");
    assert_false(spec->adopt);
    assert_int_equal(spec->lost_after_ms, 1200000);
    assert_string_equal(spec->name, "a=b");
    spec_free(spec);
    json_decref(document);
}

static void a_bad_option_of_the_command_line_is_told(void **state)
{
    json_t *document = json_pack("{s:s}", "steps", "x");
    struct error err;

    assert_int_equal(spec_document_set(document, "steps.cni.restart", &err), -EINVAL);
    assert_string_equal(err.text, "--set: \"steps.cni.restart\": expected key=value");
    assert_int_equal(spec_document_set(document, "=1", &err), -EINVAL);
    assert_int_equal(spec_document_set(document, "a..b=1", &err), -EINVAL);
    assert_int_equal(spec_document_set(document, "a.=1", &err), -EINVAL);
    assert_int_equal(spec_document_set(document, "steps.cni.restart=always", &err),
                     -EINVAL);
    assert_non_null(strstr(err.text, "\"steps.cni\" is not an object"));
    assert_int_equal(spec_document_set(document, "name=\xff", &err), -EINVAL);
    /* Found by fuzzing: an object under a name that is not UTF-8 was used when freed.
     */
    assert_int_equal(spec_document_set(document, "a\xff.b.c=1", &err), -EINVAL);
    json_decref(document);
}

/* The schema in the tree ------------------------------------------------------ */

static const char SCHEMA_PATH[] = "deploy/etc/spec.schema.json";

/* What the table says, as the file must say it. */
static json_t *schema_of_the_table(void)
{
    json_t *schema = json_pack(
        "{s:s,s:s,s:s}", "$schema", "https://json-schema.org/draft/2020-12/schema",
        "title", "Clowder rollout", "description",
        "What a rollout installs and how it rolls. Every key is optional.");
    json_t *body = json_schema(spec_keys());

    (void)json_object_set_new(json_object_get(body, "properties"), "v",
                              json_pack("{s:i,s:s}", "const", JSON_VERSION,
                                        "description", "format of this document"));
    (void)json_object_set_new(json_object_get(body, "properties"), "$schema",
                              json_pack("{s:s}", "type", "string"));
    (void)json_object_update(schema, body);
    json_decref(body);
    return schema;
}

/* CLOWDER_UPDATE=1 writes the file anew. */
static void the_schema_in_the_tree_says_what_the_table_says(void **state)
{
    json_t *wanted = schema_of_the_table(), *found;
    _cleanup_(freep) char *text = json_dumps(wanted, JSON_INDENT(2));
    json_error_t error;

    if (getenv("CLOWDER_UPDATE")) {
        FILE *file = fopen(SCHEMA_PATH, "w");

        assert_non_null(file);
        assert_true(fprintf(file, "%s\n", text) > 0);
        assert_int_equal(fclose(file), 0);
    }
    found = json_load_file(SCHEMA_PATH, 0, &error);
    if (!found)
        fail_msg("%s: %s", SCHEMA_PATH, error.text);
    if (!json_equal(wanted, found))
        fail_msg("%s differs from the options in shared/model/spec_keys.c; run this "
                 "test with CLOWDER_UPDATE=1 and look at the difference",
                 SCHEMA_PATH);
    json_decref(wanted);
    json_decref(found);
}

/* The schema's defaults put together are the table's defaults. */
static json_t *defaults_of(const json_t *schema)
{
    json_t *properties = json_object_get(schema, "properties");
    json_t *defaults = json_object(), *property;
    const char *name;

    json_object_foreach (properties, name, property) {
        json_t *value = json_object_get(property, "default");

        if (value)
            (void)json_object_set(defaults, name, value);
        else if (json_object_get(property, "properties"))
            (void)json_object_set_new(defaults, name, defaults_of(property));
    }
    return defaults;
}

static void the_schemas_defaults_decode_to_the_same_spec(void **state)
{
    json_t *schema = json_load_file(SCHEMA_PATH, 0, NULL);
    json_t *defaults = defaults_of(schema);
    struct spec *from_schema = NULL, *plain = good("{}");
    struct strbuf errors = {0};

    if (spec_decode(defaults, &from_schema, &errors, NULL) != 0)
        fail_msg("%s", errors.text);
    assert_true(json_equal(from_schema->document, plain->document));
    spec_free(from_schema);
    spec_free(plain);
    json_decref(schema);
    json_decref(defaults);
}

static void the_example_is_a_good_spec(void **state)
{
    _cleanup_(freep) char *text = NULL;
    size_t len;
    struct error err;
    struct spec *spec;

    assert_int_equal(fs_read("deploy/etc/spec.example.json", 65536, &text, &len, &err),
                     0);
    spec = good(text);
    assert_string_equal(spec->calico_version, "2.6.11");
    spec_free(spec);
}

static void the_help_names_every_option_with_its_default(void **state)
{
    struct strbuf help = {0};

    json_help(spec_keys(), &help);
    for (const struct json_key *key = spec_keys(); key->path; key++) {
        assert_non_null(strstr(help.text, key->path));
        assert_non_null(key->help);
    }
    assert_non_null(strstr(help.text, "(auto | always | never; default \"auto\")"));
    strbuf_done(&help);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_document_installs_what_the_seed_describes),
        cmocka_unit_test(the_document_is_whole_and_the_same_when_decoded_again),
        cmocka_unit_test(the_order_of_an_object_does_not_matter),
        cmocka_unit_test(a_lease_is_limited_per_zone_where_the_spec_says_so),
        cmocka_unit_test(every_mistake_is_told_at_once_with_its_path),
        cmocka_unit_test(each_single_mistake_has_its_sentence),
        cmocka_unit_test(a_newer_document_says_upgrade),
        cmocka_unit_test(static_endpoints_turn_the_proxy_off_unless_asked_for),
        cmocka_unit_test(a_download_replaces_the_installed_binary),
        cmocka_unit_test(releases_bring_their_components),
        cmocka_unit_test(shares_resolve),
        cmocka_unit_test(a_budget_in_percent_may_be_none_of_few_hosts),
        cmocka_unit_test(budgets_of_waves_and_of_availability_resolve),
        cmocka_unit_test(options_of_the_command_line_change_the_document),
        cmocka_unit_test(a_bad_option_of_the_command_line_is_told),
        cmocka_unit_test(the_schema_in_the_tree_says_what_the_table_says),
        cmocka_unit_test(the_schemas_defaults_decode_to_the_same_spec),
        cmocka_unit_test(the_example_is_a_good_spec),
        cmocka_unit_test(the_help_names_every_option_with_its_default),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
