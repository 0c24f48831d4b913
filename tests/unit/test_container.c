/* test_container.c - our containers' bodies, what is there, and the judges of
 * libnetwork and node.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/mem.h"
#include "shared/model/container.h"
#include "shared/model/host_needs.h"
#include "shared/model/judge.h"
#include "tests/unit/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

static struct spec *spec;
static struct facts facts;
static struct judgement judged;

static void use(const char *text)
{
    struct strbuf errors = {0};
    struct error err = {0};

    spec_free(spec);
    spec = NULL;
    if (spec_parse(text, strlen(text), &spec, &errors, &err) < 0)
        fail_msg("%s: %s", err.text, errors.text ? errors.text : "");
    strbuf_done(&errors);
}

static int begin(void **state)
{
    facts_init(&facts);
    strcpy(facts.host, "10.0.0.5");
    strcpy(facts.address, "10.0.0.5");
    facts.role = ROLE_SLAVE;
    use("{}");
    return 0;
}

static int end(void **state)
{
    facts_done(&facts);
    spec_free(spec);
    spec = NULL;
    return 0;
}

static bool has(const json_t *list, const char *text)
{
    const json_t *item;
    size_t i;

    json_array_foreach (list, i, item)
        if (strcmp(json_string_value(item), text) == 0)
            return true;
    return false;
}

static bool has_key(const json_t *env, const char *key)
{
    const json_t *item;
    size_t i;

    json_array_foreach (env, i, item)
        if (strncmp(json_string_value(item), key, strlen(key)) == 0 &&
            json_string_value(item)[strlen(key)] == '=')
            return true;
    return false;
}

static const json_t *env_of(const json_t *body)
{
    return json_object_get(body, "Env");
}

static const json_t *binds_of(const json_t *body)
{
    return json_object_get(json_object_get(body, "HostConfig"), "Binds");
}

static const char *label_of(const json_t *body)
{
    return json_string_value(
        json_object_get(json_object_get(body, "Labels"), CONTAINER_LABEL));
}

/* What GET /containers/x/json would say of a container made from body. */
static json_t *inspected(const json_t *body, const char *state)
{
    return json_pack("{s:s, s:s, s:s, s:i, s:o, s:{s:O, s:O, s:O}, s:O}", "Id", "4f00",
                     "Name", "/calico-node", "Image", "sha256:aa", "RestartCount", 0,
                     "State", json_loads(state, 0, NULL), "Config", "Image",
                     json_object_get(body, "Image"), "Env", env_of(body), "Labels",
                     json_object_get(body, "Labels"), "HostConfig",
                     json_object_get(body, "HostConfig"));
}
static const char running[] =
    "{\"Running\":true,\"Restarting\":false,\"StartedAt\":\"2018-01-01T00:00:00Z\"}";

/* The observation of a host with this container (reference taken) and these settings.
 */
static json_t *node_seen(json_t *container, const char *ip_forward, bool writable)
{
    json_t *seen =
        json_pack("{s:{s:{s:s, s:b}}, s:{}, s:{s:s, s:s}}", "sysctls",
                  "net.ipv4.ip_forward", "value", ip_forward, "writable", writable,
                  "modules", "image", "name", spec->node.image, "id", "sha256:aa");

    if (container)
        json_object_set_new(seen, "container", container_seen(container));
    json_decref(container);
    return seen;
}

static void judge_seen(enum step_id step, json_t *seen)
{
    memset(&judged, 0, sizeof judged);
    judge(step, spec, &facts, seen, &judged);
    json_decref(seen);
    assert_int_equal(judged.disruption, DISRUPTION_NONE);
}

static void assert_judged(enum finding finding, const char *says)
{
    if (judged.finding != finding || !strstr(judged.says, says))
        fail_msg("%s: %s (wanted %s: %s)", finding_text(judged.finding), judged.says,
                 finding_text(finding), says);
}

/* ---- bodies ---- */

static void calico_2_6_gets_what_the_documents_say(void **state)
{
    json_t *body = container_node_body(spec, &facts);
    const json_t *host = json_object_get(body, "HostConfig");
    static const char *const env[] = {"ETCD_ENDPOINTS=http://127.0.0.1:2379",
                                      "NODENAME=10.0.0.5",
                                      "IP=10.0.0.5",
                                      "CALICO_LIBNETWORK_ENABLED=true",
                                      "CALICO_NETWORKING_BACKEND=bird",
                                      "FELIX_IGNORELOOSERPF=true",
                                      "FELIX_HEALTHENABLED=true",
                                      "WAIT_FOR_DATASTORE=true"};
    static const char *const binds[] = {"/lib/modules:/lib/modules",
                                        "/var/run/calico:/var/run/calico",
                                        "/var/log/calico:/var/log/calico",
                                        "/run:/run",
                                        "/run/docker/plugins:/run/docker/plugins",
                                        "/var/run/docker.sock:/var/run/docker.sock"};

    assert_string_equal(json_string_value(json_object_get(body, "Image")),
                        "quay.io/calico/node:v2.6.11");
    for (size_t i = 0; i < sizeof(env) / sizeof(env[0]); i++)
        assert_true(has(env_of(body), env[i]));
    assert_int_equal(json_array_size(env_of(body)), 8);
    for (size_t i = 0; i < sizeof(binds) / sizeof(binds[0]); i++)
        assert_true(has(binds_of(body), binds[i]));
    assert_string_equal(json_string_value(json_object_get(host, "NetworkMode")),
                        "host");
    assert_true(json_is_true(json_object_get(host, "Privileged")));
    assert_string_equal(json_string_value(json_object_get(
                            json_object_get(host, "RestartPolicy"), "Name")),
                        "always");
    assert_int_equal(strlen(label_of(body)), 64);
    json_decref(body);
}

static void older_releases_get_their_own_words(void **state)
{
    json_t *body;

    use("{\"calico\":{\"version\":\"0.22.0\"}}");
    body = container_node_body(spec, &facts);
    assert_true(has(env_of(body), "HOSTNAME=10.0.0.5"));
    assert_true(has(env_of(body), "ETCD_AUTHORITY=127.0.0.1:2379"));
    assert_true(has(env_of(body), "CALICO_NETWORKING=true"));
    assert_false(has_key(env_of(body), "NODENAME"));
    assert_false(has_key(env_of(body), "CALICO_LIBNETWORK_ENABLED"));
    assert_false(has_key(env_of(body), "FELIX_HEALTHENABLED"));
    assert_int_equal(container_felix_port(spec), 0);
    json_decref(body);

    use("{\"calico\":{\"version\":\"2.0.0\"}}");
    body = container_node_body(spec, &facts);
    assert_string_equal(json_string_value(json_object_get(body, "Image")),
                        "calico/node:v1.0.0");
    assert_true(has(env_of(body), "HOSTNAME=10.0.0.5"));
    assert_true(has(env_of(body), "NODENAME=10.0.0.5"));
    json_decref(body);

    use("{\"calico\":{\"version\":\"3.1.3\"},\"steps\":{\"etcd-proxy\":{\"enabled\":"
        "false}}}");
    body = container_node_body(spec, &facts);
    assert_false(has_key(env_of(body), "HOSTNAME"));
    assert_false(has_key(env_of(body), "CALICO_LIBNETWORK_ENABLED"));
    assert_true(has(binds_of(body), "/var/lib/calico:/var/lib/calico"));
    assert_false(has(binds_of(body), "/var/run/docker.sock:/var/run/docker.sock"));
    json_decref(body);
}

static void the_spec_has_the_last_word(void **state)
{
    use("{\"steps\":{\"libnetwork\":{\"env\":{\"CALICO_LIBNETWORK_IFPREFIX\":\"cal\"}},"
        "\"node\":{\"ip\":\"10.9.9.9\",\"node_name\":\"n1\",\"pool_cidr\":\"172.29.0.0/"
        "16\",\"pool_ipip\":\"always\",\"backend\":\"none\",\"env\":{\"FELIX_"
        "HEALTHPORT\":"
        "\"19099\",\"WAIT_FOR_DATASTORE\":\"false\"},\"volumes\":[\"/a:/b\"]}}}");
    json_t *body = container_node_body(spec, &facts);

    assert_true(has(env_of(body), "IP=10.9.9.9"));
    assert_true(has(env_of(body), "NODENAME=n1"));
    assert_true(has(env_of(body), "CALICO_IPV4POOL_CIDR=172.29.0.0/16"));
    assert_true(has(env_of(body), "CALICO_IPV4POOL_IPIP=always"));
    assert_true(has(env_of(body), "CALICO_NETWORKING_BACKEND=none"));
    assert_true(has(env_of(body), "WAIT_FOR_DATASTORE=false"));
    assert_true(has(env_of(body), "CALICO_LIBNETWORK_IFPREFIX=cal"));
    assert_true(has(binds_of(body), "/a:/b"));
    assert_int_equal(container_felix_port(spec), 19099);
    json_decref(body);
}

static void an_ipv6_address_is_ip6(void **state)
{
    strcpy(facts.address, "fd00::5");
    json_t *body = container_node_body(spec, &facts);

    assert_true(has(env_of(body), "IP6=fd00::5"));
    assert_false(has_key(env_of(body), "IP"));
    json_decref(body);
}

static void the_label_changes_with_every_setting(void **state)
{
    json_t *a = container_node_body(spec, &facts),
           *b = container_node_body(spec, &facts);

    assert_string_equal(label_of(a), label_of(b));
    json_decref(b);
    strcpy(facts.address, "10.0.0.6");
    b = container_node_body(spec, &facts);
    assert_string_not_equal(label_of(a), label_of(b));
    json_decref(b);
    strcpy(facts.address, "10.0.0.5");
    use("{\"steps\":{\"node\":{\"volumes\":[\"/a:/b\"]}}}");
    b = container_node_body(spec, &facts);
    assert_string_not_equal(label_of(a), label_of(b));
    json_decref(a);
    json_decref(b);
}

static void libnetwork_by_version(void **state)
{
    json_t *body;

    use("{\"calico\":{\"version\":\"0.22.0\"}}");
    assert_int_equal(container_libnetwork_mode(spec), LIBNETWORK_CONTAINER);
    assert_true(container_libnetwork_one_socket(spec));
    body = container_libnetwork_body(spec, &facts);
    assert_string_equal(json_string_value(json_object_get(body, "Image")),
                        "calico/node-libnetwork:v0.9.0");
    assert_true(has(env_of(body), "HOSTNAME=10.0.0.5"));
    assert_true(has(binds_of(body), "/run/docker/plugins:/run/docker/plugins"));
    assert_int_equal(json_array_size(binds_of(body)), 1);
    json_decref(body);

    use("{\"steps\":{\"libnetwork\":{\"mode\":\"container\",\"image\":\"my/"
        "plugin:1\"}}}");
    body = container_node_body(spec, &facts);
    assert_true(has(env_of(body), "CALICO_LIBNETWORK_ENABLED=false"));
    json_decref(body);

    use("{\"steps\":{\"libnetwork\":{\"enabled\":false}}}");
    assert_int_equal(container_libnetwork_mode(spec), LIBNETWORK_OFF);
    use("{\"calico\":{\"version\":\"3.1.3\"},\"steps\":{\"etcd-proxy\":{\"enabled\":"
        "false}}}");
    assert_int_equal(container_libnetwork_mode(spec), LIBNETWORK_OFF);
}

/* ---- node's judge ---- */

static void node_absent_right_and_stopped(void **state)
{
    json_t *body = container_node_body(spec, &facts);

    judge_seen(STEP_NODE, NULL);
    assert_judged(FINDING_UNKNOWN, "not probed");
    judge_seen(STEP_NODE, node_seen(NULL, "1", true));
    assert_judged(FINDING_ABSENT, "to run quay.io/calico/node:v2.6.11");
    judge_seen(STEP_NODE, node_seen(inspected(body, running), "1", true));
    assert_judged(FINDING_RIGHT, "runs quay.io/calico/node:v2.6.11");
    judge_seen(STEP_NODE, node_seen(inspected(body, "{\"Running\":false}"), "1", true));
    assert_judged(FINDING_STALE, "does not run");
    judge_seen(STEP_NODE,
               node_seen(inspected(body, "{\"Running\":true,\"Restarting\":true}"), "1",
                         true));
    assert_judged(FINDING_STALE, "restarts all the time");
    json_decref(body);
}

static void a_node_of_another_spec_is_stale(void **state)
{
    use("{\"calico\":{\"version\":\"2.5.1\"}}");
    json_t *old = container_node_body(spec, &facts);
    use("{\"steps\":{\"node\":{\"pool_ipip\":\"always\"}}}");
    json_t *other = container_node_body(spec, &facts);
    use("{}");

    judge_seen(STEP_NODE, node_seen(inspected(old, running), "1", true));
    assert_judged(FINDING_STALE, "has image calico/node:v2.5.1; to run quay.io");
    judge_seen(STEP_NODE, node_seen(inspected(other, running), "1", true));
    assert_judged(FINDING_STALE, "but other settings");
    json_decref(old);
    json_decref(other);
}

static void a_changed_restart_policy_is_stale(void **state)
{
    json_t *body = container_node_body(spec, &facts);
    json_t *look = inspected(body, running);
    json_t *copy = json_deep_copy(look);

    json_object_set_new(
        json_object_get(json_object_get(copy, "HostConfig"), "RestartPolicy"), "Name",
        json_string("no"));
    judge_seen(STEP_NODE, node_seen(copy, "1", true));
    assert_judged(FINDING_STALE, "restart policy");
    json_decref(look);
    json_decref(body);
}

static void an_image_that_moved_is_stale(void **state)
{
    json_t *body = container_node_body(spec, &facts);
    json_t *seen = node_seen(inspected(body, running), "1", true);

    json_object_set_new(json_object_get(seen, "image"), "id", json_string("sha256:bb"));
    judge_seen(STEP_NODE, json_incref(seen));
    assert_judged(FINDING_STALE, "older image");
    json_object_set_new(json_object_get(seen, "image"), "name", json_string("other"));
    judge_seen(STEP_NODE, seen);
    assert_judged(FINDING_RIGHT, "runs");
    json_decref(body);
}

static json_t *foreign(const char *image, const char *env_text)
{
    json_t *body =
        json_pack("{s:s, s:o, s:{s:s, s:b, s:{s:s}, s:[]}}", "Image", image, "Env",
                  json_loads(env_text, 0, NULL), "HostConfig", "NetworkMode", "host",
                  "Privileged", 1, "RestartPolicy", "Name", "always", "Binds");
    json_object_set_new(body, "Labels", json_object());
    json_t *look = inspected(body, running);

    json_decref(body);
    return look;
}

static void a_foreign_node_is_named_with_the_way_on(void **state)
{
    judge_seen(STEP_NODE,
               node_seen(foreign("calico/node:v1.0.0",
                                 "[\"FELIX_IGNORELOOSERPF=true\",\"ETCD_SCHEME=http\","
                                 "\"HOSTNAME=a\",\"SECRET=x\"]"),
                         "1", true));
    assert_judged(FINDING_FOREIGN, "made by calico-dcos");
    assert_judged(FINDING_FOREIGN, "docker rm -f calico-node");
    judge_seen(STEP_NODE, node_seen(foreign("calico/node:v1.0.0",
                                            "[\"CALICO_NETWORKING_BACKEND=bird\"]"),
                                    "1", true));
    assert_judged(FINDING_FOREIGN, "made by calicoctl");
    judge_seen(STEP_NODE, node_seen(foreign("x", "[\"MESOS_TASK_ID=7\"]"), "1", true));
    assert_judged(FINDING_FOREIGN, "a Mesos task");
    judge_seen(STEP_NODE, node_seen(foreign("x", "[]"), "1", true));
    assert_judged(FINDING_FOREIGN, "somebody else");
}

static void an_equal_foreign_node_is_said_to_be_equal(void **state)
{
    json_t *body = container_node_body(spec, &facts);
    json_object_set_new(body, "Labels", json_object());
    judge_seen(STEP_NODE, node_seen(inspected(body, running), "1", true));
    assert_judged(FINDING_FOREIGN, "the same as wanted but for our label");
    json_decref(body);
}

static void secrets_of_a_foreign_container_are_not_published(void **state)
{
    json_t *look = foreign("x", "[\"SECRET=x\",\"IP=10.0.0.1\"]");
    json_t *seen = container_seen(look);

    assert_int_equal(json_array_size(json_object_get(seen, "env")), 1);
    json_decref(look);
    json_decref(seen);
    assert_null(container_seen(NULL));
}

static void settings_are_written_or_refused(void **state)
{
    json_t *body = container_node_body(spec, &facts);

    judge_seen(STEP_NODE, node_seen(inspected(body, running), "0", true));
    assert_judged(FINDING_STALE, "net.ipv4.ip_forward is 0, to become 1");
    judge_seen(STEP_NODE, node_seen(inspected(body, running), "0", false));
    assert_judged(FINDING_FOREIGN, "cannot be written");
    judge_seen(STEP_NODE, node_seen(inspected(body, running), "1", false));
    assert_judged(FINDING_RIGHT, "runs");
    json_decref(body);
}

static enum need need_of(const char *name, const char *value, bool writable)
{
    json_t *seen =
        value ? json_pack("{s:{s:s, s:b}}", name, "value", value, "writable", writable)
              : json_object();
    enum need need = NEED_UNFIT;

    for (const struct host_sysctl *s = host_sysctls; s->name; s++)
        if (strcmp(s->name, name) == 0)
            need = host_sysctl_need(s, spec, &facts, seen);
    json_decref(seen);
    return need;
}

static void each_setting_has_its_own_rule(void **state)
{
    const char *conntrack = "net.netfilter.nf_conntrack_max";
    const char *ipv6 = "net.ipv6.conf.all.forwarding";

    assert_int_equal(need_of("net.ipv4.ip_forward", NULL, false), NEED_UNFIT);
    assert_int_equal(need_of("net.ipv4.ip_forward", "x", true), NEED_WRITE);
    assert_int_equal(need_of(conntrack, "2000000", true), NEED_MET);
    assert_int_equal(need_of(conntrack, "65536", true), NEED_WRITE);
    assert_int_equal(need_of(conntrack, "65536", false), NEED_UNMET);
    assert_int_equal(need_of(conntrack, NULL, false), NEED_UNMET);
    assert_int_equal(need_of(ipv6, "0", true), NEED_MET);
    use("{\"steps\":{\"node\":{\"env\":{\"FELIX_IPV6SUPPORT\":\"true\"}}}}");
    assert_int_equal(need_of(ipv6, "0", true), NEED_WRITE);
}

static void unfit_hosts_and_specs_are_refused(void **state)
{
    facts.native_calico = true;
    judge_seen(STEP_NODE, NULL);
    assert_judged(FINDING_FOREIGN, "its own Calico");
    judge_seen(STEP_LIBNETWORK, NULL);
    assert_judged(FINDING_FOREIGN, "its own Calico");
    facts.native_calico = false;
    facts.role = ROLE_MASTER;
    judge_seen(STEP_NODE, NULL);
    assert_judged(FINDING_FOREIGN, "master");
    facts.role = ROLE_SLAVE;
    facts.address[0] = '\0';
    judge_seen(STEP_NODE, NULL);
    assert_judged(FINDING_FOREIGN, "address is not known");
    strcpy(facts.address, "10.0.0.5");
}

/* ---- libnetwork's judge ---- */

static json_t *lib_seen(json_t *container, const char *node, const char *calico,
                        const char *ipam)
{
    json_t *seen =
        json_pack("{s:{s:s, s:s}}", "sockets", "calico", calico, "calico-ipam", ipam);

    if (container)
        json_object_set_new(seen, "container", container_seen(container));
    if (node)
        json_object_set_new(seen, "node", json_loads(node, 0, NULL));
    json_decref(container);
    return seen;
}

static void embedded_does_nothing_and_says_so(void **state)
{
    judge_seen(STEP_LIBNETWORK, lib_seen(NULL, NULL, "absent", "absent"));
    assert_judged(FINDING_RIGHT, "embedded in calico-node");
    judge_seen(STEP_LIBNETWORK, lib_seen(NULL, NULL, "stale", "stale"));
    assert_judged(FINDING_RIGHT, "embedded in calico-node");
    judge_seen(STEP_LIBNETWORK, lib_seen(NULL, "{\"embeds\":true,\"running\":true}",
                                         "listening", "listening"));
    assert_judged(FINDING_RIGHT, "embedded in calico-node");
    judge_seen(STEP_LIBNETWORK, lib_seen(NULL, NULL, "listening", "listening"));
    assert_judged(FINDING_FOREIGN, "another program listens");
}

static void a_container_in_the_way_goes_if_it_is_ours(void **state)
{
    json_t *body = container_libnetwork_body(spec, &facts);

    judge_seen(STEP_LIBNETWORK,
               lib_seen(inspected(body, running), NULL, "listening", "listening"));
    assert_judged(FINDING_STALE, "to be removed (libnetwork is embedded)");
    judge_seen(STEP_LIBNETWORK,
               lib_seen(foreign("x", "[]"), NULL, "listening", "listening"));
    assert_judged(FINDING_FOREIGN, "fight over");
    use("{\"calico\":{\"version\":\"3.1.3\"},\"steps\":{\"etcd-proxy\":{\"enabled\":"
        "false}}}");
    judge_seen(STEP_LIBNETWORK,
               lib_seen(foreign("x", "[]"), NULL, "listening", "listening"));
    assert_judged(FINDING_RIGHT, "libnetwork is off");
    judge_seen(STEP_LIBNETWORK,
               lib_seen(inspected(body, running), NULL, "listening", "listening"));
    assert_judged(FINDING_STALE, "to be removed (libnetwork is off)");
    json_decref(body);
}

static void the_container_has_to_listen(void **state)
{
    use("{\"calico\":{\"version\":\"0.22.0\"}}");
    json_t *body = container_libnetwork_body(spec, &facts);

    judge_seen(STEP_LIBNETWORK, lib_seen(NULL, NULL, "stale", "absent"));
    assert_judged(FINDING_ABSENT, "to run calico/node-libnetwork:v0.9.0");
    judge_seen(STEP_LIBNETWORK, lib_seen(NULL, NULL, "listening", "absent"));
    assert_judged(FINDING_FOREIGN, "another program");
    judge_seen(STEP_LIBNETWORK,
               lib_seen(inspected(body, running), NULL, "listening", "absent"));
    assert_judged(FINDING_RIGHT, "runs");
    judge_seen(STEP_LIBNETWORK,
               lib_seen(inspected(body, running), NULL, "stale", "absent"));
    assert_judged(FINDING_STALE, "nothing listens");
    json_decref(body);

    use("{\"steps\":{\"libnetwork\":{\"mode\":\"container\",\"image\":\"my/"
        "plugin:1\"}}}");
    body = container_libnetwork_body(spec, &facts);
    judge_seen(STEP_LIBNETWORK,
               lib_seen(inspected(body, running), NULL, "listening", "absent"));
    assert_judged(FINDING_STALE, "nothing listens");
    json_decref(body);
}

static void what_is_kept_makes_the_same_container_again(void **state)
{
    json_t *body = container_node_body(spec, &facts);
    json_t *look = inspected(body, running);
    json_t *kept = container_keep(look);

    assert_true(json_equal(json_object_get(kept, "body"), body));
    assert_string_equal(json_string_value(json_object_get(kept, "image_id")),
                        "sha256:aa");
    assert_true(json_is_true(json_object_get(kept, "running")));
    assert_null(container_keep(NULL));
    json_decref(kept);
    json_decref(look);
    json_decref(body);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(calico_2_6_gets_what_the_documents_say),
        TEST(older_releases_get_their_own_words),
        TEST(the_spec_has_the_last_word),
        TEST(an_ipv6_address_is_ip6),
        TEST(the_label_changes_with_every_setting),
        TEST(libnetwork_by_version),
        TEST(node_absent_right_and_stopped),
        TEST(a_node_of_another_spec_is_stale),
        TEST(a_changed_restart_policy_is_stale),
        TEST(an_image_that_moved_is_stale),
        TEST(a_foreign_node_is_named_with_the_way_on),
        TEST(an_equal_foreign_node_is_said_to_be_equal),
        TEST(secrets_of_a_foreign_container_are_not_published),
        TEST(settings_are_written_or_refused),
        TEST(each_setting_has_its_own_rule),
        TEST(unfit_hosts_and_specs_are_refused),
        TEST(embedded_does_nothing_and_says_so),
        TEST(a_container_in_the_way_goes_if_it_is_ours),
        TEST(the_container_has_to_listen),
        TEST(what_is_kept_makes_the_same_container_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
