/* test_probe.c - what a host is, under a root of its own, with parts missing or wrong.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/probe.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "tests/unit/fake_engine.h"
#include "tests/unit/http_stub.h"
#include "tests/unit/io_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char root[64];
static struct config config;
static struct spec *spec;
static struct facts facts;
static int probes, descriptors, named;
static bool docker_was_asked; /* when the name was told */

static void put_file(const char *name, const char *text, mode_t mode)
{
    char *path = mem_printf("%s%s", root, name);
    char *slash = strrchr(path, '/');

    *slash = '\0';
    assert_int_equal(fs_mkdirs(path, 0755, NULL), 0);
    *slash = '/';
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
    free(path);
}

static void set_text(char **field, const char *text)
{
    free(*field);
    *field = mem_strdup(text);
}

static int begin(void **state)
{
    descriptors = open_descriptors();
    strcpy(root, "/tmp/clowder-test-XXXXXX");
    assert_non_null(mkdtemp(root));
    fake_engine_start(root);
    assert_int_equal(io_begin(state), 0);
    assert_int_equal(config_parse("test", NULL, 0, NULL, 0, &config, NULL, NULL), 0);
    set_text(&config.root, root);
    set_text(&config.zk, "127.0.0.1:1");
    set_text(&config.agent_url, "http://127.0.0.1:1");
    free(config.docker_socket);
    config.docker_socket = mem_printf("%s/docker.sock", root);
    put_file("/etc/mesosphere/roles/slave", "", 0644);
    put_file("/etc/machine-id", "0123456789abcdef0123456789abcdef\n", 0444);
    put_file("/opt/mesosphere/etc/dcos-version.json",
             "{\"version\":\"1.10.0\",\"dcos-variant\":\"open\"}", 0644);
    put_file("/opt/mesosphere/bin/detect_ip", "#!/bin/sh\necho ' 10.1.2.3 '\n", 0755);
    facts_init(&facts);
    probes = 0;
    return 0;
}

static int end(void **state)
{
    facts_done(&facts);
    config_done(&config);
    spec_free(spec);
    spec = NULL;
    run_for(10);
    io_end(state);
    fake_engine_stop();
    stub_stop();
    assert_int_equal(fs_remove_tree(root, NULL), 0);
    assert_int_equal(open_descriptors(), descriptors);
    return 0;
}

static void on_probed(void *ctx, struct facts *ret)
{
    facts_done(&facts);
    facts = *ret;
    probes++;
    event_loop_stop(el, 0);
}

static void probe(const char *towards_zk)
{
    struct probe_options options = {
        .el = el, .config = &config, .spec = spec, .address_to_zk = towards_zk};

    assert_non_null(probe_start(&options, on_probed, NULL));
    assert_int_equal(run(), 0);
    assert_int_equal(probes, 1);
    probes = 0;
}

static void assert_error(const char *what, const char *says)
{
    const char *text = json_string_value(json_object_get(facts.errors, what));

    if (!text)
        fail_msg("no error for %s", what);
    if (!strstr(text, says))
        fail_msg("\"%s\" does not say \"%s\"", text, says);
}

static void a_private_agent_is_described(void **state)
{
    probe("192.0.2.7");

    assert_int_equal(facts.role, ROLE_SLAVE);
    assert_string_equal(facts.address, "10.1.2.3");
    assert_string_equal(facts.host, "10.1.2.3");
    assert_string_equal(facts.machine_id, "0123456789abcdef0123456789abcdef");
    assert_string_equal(facts.dcos, "1.10.0");
    assert_string_equal(facts.docker, "1.13.1");
    assert_true(facts.kernel[0] != '\0');
    assert_string_equal(facts.agentd, CLOWDER_VERSION);
    assert_false(facts.native_calico);
    assert_true(facts.seen_ms > 0);
    assert_error("mesos", "127.0.0.1:1");
    assert_null(json_object_get(facts.errors, "docker"));
    assert_int_equal(json_object_size(facts.seen), 0); /* no spec, no steps */
}

static void on_named(void *ctx, const struct facts *known)
{
    named++;
    docker_was_asked = known->docker[0] != '\0';
    assert_string_equal(known->host, "10.1.2.3");
    assert_string_equal(known->address, "10.1.2.3");
    assert_int_equal(known->role, ROLE_SLAVE);
    assert_int_equal(known->seen_ms, 0);
}

static void the_name_is_told_before_anybody_is_asked(void **state)
{
    struct probe_options options = {.el = el, .config = &config, .named = on_named};

    named = 0;
    assert_non_null(probe_start(&options, on_probed, NULL));
    assert_int_equal(run(), 0);

    assert_int_equal(named, 1);
    assert_false(docker_was_asked);
    assert_string_equal(facts.docker, "1.13.1");
}

static void a_glance_sees_files_and_the_settings(void **state)
{
    probe_glance(&config, &facts);
    assert_int_equal(facts.role, ROLE_SLAVE);
    assert_string_equal(facts.dcos, "1.10.0");
    assert_string_equal(facts.agentd, CLOWDER_VERSION);
    assert_string_equal(facts.host, ""); /* detect_ip is a process */
    assert_int_equal(facts.seen_ms, 0);

    set_text(&config.host, "h-1");
    probe_glance(&config, &facts);
    assert_string_equal(facts.host, "h-1");
}

static void a_master_is_a_master_whatever_else_it_is(void **state)
{
    put_file("/etc/mesosphere/roles/master", "", 0644);
    probe("");
    assert_int_equal(facts.role, ROLE_MASTER);
    assert_null(json_object_get(facts.errors, "mesos")); /* has no agent to ask */
}

static void a_public_agent_and_no_agent_at_all(void **state)
{
    put_file("/etc/mesosphere/roles/slave_public", "", 0644);
    probe("");
    assert_int_equal(facts.role, ROLE_SLAVE_PUBLIC);
    set_text(&config.roles_dir, "/nowhere");
    probe("");
    assert_int_equal(facts.role, ROLE_UNKNOWN);
    assert_error("role", "is this host part of a DC/OS cluster?");
}

static void native_calico_is_seen(void **state)
{
    put_file("/opt/mesosphere/active/calico/pkginfo.json", "{}", 0644);
    probe("");
    assert_true(facts.native_calico);
}

static void what_detect_ip_prints_is_not_believed_blindly(void **state)
{
    static const struct {
        const char *script, *says;
    } cases[] = {
        {"echo 127.0.0.1", "loopback"},
        {"echo 198.51.100.1", "spartan"},
        {"echo 0.0.0.0", "no address of a host"},
        {"echo 224.0.0.1", "no address of a host"},
        {"echo 10.0.0.1 10.0.0.2", "no IP address"},
        {"echo 10.0.0", "no IP address"},
        {"echo fe80::1", "other hosts"},
        {"true", "no IP address"},
        {"echo 10.0.0.1; echo oops >&2; exit 3", "exit code 3"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *script = mem_printf("#!/bin/sh\n%s\n", cases[i].script);
        put_file("/opt/mesosphere/bin/detect_ip", script, 0755);
        probe("192.0.2.7");
        assert_string_equal(facts.address, "192.0.2.7");
        assert_string_equal(facts.host, "192.0.2.7");
        assert_error("detect_ip", cases[i].says);
        free(script);
    }
}

static void without_detect_ip_the_address_towards_zookeeper_counts(void **state)
{
    set_text(&config.detect_ip, "/absent");
    probe("192.0.2.7");
    assert_string_equal(facts.host, "192.0.2.7");
    assert_null(json_object_get(facts.errors, "detect_ip"));

    set_text(&config.zk, "zk://127.0.0.1:2181/x"); /* nothing was handed in */
    probe("");
    assert_string_equal(facts.address, "127.0.0.1");
    set_text(&config.zk, "localhost");
    probe("");
    assert_true(facts.address[0] != '\0');
}

static void an_unknown_address_is_said_and_no_host_is_made_up(void **state)
{
    set_text(&config.detect_ip, "");
    set_text(&config.zk, "no-such-host.invalid:2181");
    probe("");
    assert_string_equal(facts.host, "");
    assert_error("host", "set host in agentd.json");

    set_text(&config.host, "h-1");
    probe("");
    assert_string_equal(facts.host, "h-1");
}

static void an_ipv6_address_becomes_a_host_id(void **state)
{
    put_file("/opt/mesosphere/bin/detect_ip", "#!/bin/sh\necho FD00::5\n", 0755);
    probe("");
    assert_string_equal(facts.address, "FD00::5");
    assert_string_equal(facts.host, "fd00--5");
    assert_true(host_id_valid(facts.host));
}

static void docker_down_is_an_error_and_no_end(void **state)
{
    set_text(&config.docker_socket, "/nowhere/docker.sock");
    probe("");
    assert_string_equal(facts.docker, "");
    assert_error("docker", "docker");
    assert_string_equal(facts.host, "10.1.2.3");
}

static void mesos(int fd, const char *request)
{
    if (strstr(request, "GET /version "))
        stub_answer(fd, 404, "", "");
    else if (strstr(request, "GET /state "))
        stub_answer(fd, 200, "", "{\"id\":\"S3\",\"version\":\"1.4.1\"}");
    else
        stub_answer(fd, 500, "", "");
}

static void the_agents_state_tells_where_version_does_not(void **state)
{
    stub_start(mesos);
    set_text(&config.agent_url, stub_url("/"));
    probe("");
    assert_string_equal(facts.mesos, "1.4.1");
    assert_null(json_object_get(facts.errors, "mesos"));
}

static void use_containers_only(void)
{
    static const char text[] =
        "{\"steps\":{\"etcd-proxy\":{\"enabled\":false},\"docker-cluster-store\":{"
        "\"enabled\":false},\"cni\":{\"enabled\":false}}}";

    assert_int_equal(spec_parse(text, strlen(text), &spec, NULL, NULL), 0);
}

static void enabled_steps_are_observed_in_turn(void **state)
{
    use_containers_only();
    put_file("/proc/sys/net/ipv4/ip_forward", "1\n", 0644);
    probe("");
    assert_int_equal(json_object_size(facts.seen), 2);
    assert_non_null(json_object_get(facts.seen, "libnetwork"));
    const json_t *node = json_object_get(facts.seen, "node");
    assert_non_null(
        json_object_get(json_object_get(node, "sysctls"), "net.ipv4.ip_forward"));
    char *text = facts_encode(&facts); /* what is published */
    struct facts again;
    assert_int_equal(facts_decode(text, strlen(text), &again, NULL), 0);
    facts_done(&again);
    free(text);
}

static void an_observation_that_fails_stops_no_other(void **state)
{
    use_containers_only();
    set_text(&config.docker_socket, "/nowhere/docker.sock");
    probe("");
    assert_error("libnetwork", "docker");
    assert_error("node", "docker");
    assert_int_equal(json_object_size(facts.seen), 0);
}

static void a_probe_can_be_cancelled_anywhere(void **state)
{
    use_containers_only();
    put_file("/opt/mesosphere/bin/detect_ip", "#!/bin/sh\nsleep 0.01; echo 10.1.2.3\n",
             0755);
    for (int ms = 0; ms < 120; ms += 3) {
        struct probe_options options = {.el = el, .config = &config, .spec = spec};
        struct probe *p = probe_start(&options, on_probed, NULL);
        timer_start(&pause_timer, event_loop_port(el), ms, on_pause, NULL);
        (void)run();
        timer_stop(&pause_timer);
        if (probes == 0)
            probe_cancel(p);
        probes = 0;
    }
    probe_cancel(NULL);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_private_agent_is_described),
        TEST(the_name_is_told_before_anybody_is_asked),
        TEST(a_glance_sees_files_and_the_settings),
        TEST(a_master_is_a_master_whatever_else_it_is),
        TEST(a_public_agent_and_no_agent_at_all),
        TEST(native_calico_is_seen),
        TEST(what_detect_ip_prints_is_not_believed_blindly),
        TEST(without_detect_ip_the_address_towards_zookeeper_counts),
        TEST(an_unknown_address_is_said_and_no_host_is_made_up),
        TEST(an_ipv6_address_becomes_a_host_id),
        TEST(docker_down_is_an_error_and_no_end),
        TEST(the_agents_state_tells_where_version_does_not),
        TEST(enabled_steps_are_observed_in_turn),
        TEST(an_observation_that_fails_stops_no_other),
        TEST(a_probe_can_be_cancelled_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
