/* test_render.c - the texts and values that steps write.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/cleanup.h"
#include "shared/model/artifact.h"
#include "shared/model/render.h"
#include "tests/unit/judge_fixture.h"

#include <stdlib.h>

static void assert_text(char *text, const char *wanted)
{
    assert_string_equal(text, wanted);
    free(text);
}

static void the_store_follows_from_the_etcd_endpoints(void **state)
{
    use_spec("{'etcd':{'endpoints':['http://10.0.0.1:2379','http://e2.x:4001/']}}");
    assert_text(render_docker_store(spec), "etcd://10.0.0.1:2379,e2.x:4001");

    use_spec("{'steps':{'docker-cluster-store':{'store':'zk://zk-1.zk:2181'}}}");
    assert_text(render_docker_store(spec), "zk://zk-1.zk:2181");
    assert_null(render_docker_store_url(spec));
}

static void advertise_auto_is_the_hosts_address(void **state)
{
    use_spec("{'steps':{'docker-cluster-store':{'advertise':'auto',"
             "'store':'etcd://e1:2379,e2:2379/pre','opts':{'kv.path':'docker/n'}}}}");
    assert_text(render_docker_advertise(spec, &facts), "10.0.0.5:2375");
    assert_text(render_docker_node_key(spec, &facts),
                "/v2/keys/pre/docker/n/10.0.0.5:2375");
    assert_text(render_docker_store_url(spec), "http://e1:2379");
    json_t *keys = render_docker_keys(spec, &facts);
    assert_int_equal(json_object_size(keys), 3);
    json_decref(keys);
}

static void without_advertise_there_is_no_key_of_the_host(void **state)
{
    assert_null(render_docker_node_key(spec, &facts));
}

static void the_network_is_that_of_the_calico_version(void **state)
{
    use_spec("{'calico':{'version':'2.6.11'}}");
    assert_text(render_cni_config(spec, &facts),
                "{\n    \"name\": \"calico\",\n    \"type\": \"calico\",\n"
                "    \"etcd_endpoints\": \"http://127.0.0.1:2379\",\n"
                "    \"nodename\": \"10.0.0.5\",\n"
                "    \"ipam\": {\n        \"type\": \"calico-ipam\"\n    }\n}\n");

    use_spec("{'calico':{'version':'2.0.0'},'steps':{'node':{'node_name':'n7'}}}");
    json_t *old = render_cni_document(spec, &facts);
    assert_string_equal(json_string_value(json_object_get(old, "hostname")), "n7");
    assert_null(json_object_get(old, "nodename"));
    json_decref(old);

    use_spec("{'calico':{'version':'3.1.0'},'steps':{'etcd-proxy':{'mode':"
             "'gateway','endpoints':['10.0.0.1:2379']}}}");
    json_t *new = render_cni_document(spec, &facts);
    assert_string_equal(json_string_value(json_object_get(new, "cniVersion")), "0.1.0");
    assert_string_equal(json_string_value(json_object_get(new, "datastore_type")),
                        "etcdv3");
    json_decref(new);
}

static void a_document_of_the_spec_replaces_the_network(void **state)
{
    use_spec("{'steps':{'cni':{'config':{'name':'n','type':'t'}}}}");
    assert_text(render_cni_config(spec, &facts),
                "{\n    \"name\": \"n\",\n    \"type\": \"t\"\n}\n");
}

static void the_unit_is_by_role(void **state)
{
    assert_string_equal(render_cni_unit(spec, &facts), "dcos-mesos-slave.service");
    facts.role = ROLE_SLAVE_PUBLIC;
    assert_string_equal(render_cni_unit(spec, &facts),
                        "dcos-mesos-slave-public.service");
    use_spec("{'steps':{'cni':{'unit':'x.service'}}}");
    assert_string_equal(render_cni_unit(spec, &facts), "x.service");
}

static void assert_unit_has(const char *line)
{
    _cleanup_(freep) char *text = render_etcd_unit(spec);

    if (!strstr(text, line))
        fail_msg("no \"%s\" in:\n%s", line, text);
}

static void the_proxy_finds_its_cluster_as_the_spec_says(void **state)
{
    assert_unit_has("ExecStart=/usr/bin/etcd --proxy=on --discovery-srv=etcd.mesos "
                    "--listen-client-urls=http://127.0.0.1:2379 "
                    "--data-dir=/var/lib/clowder/etcd-proxy\n");
    assert_unit_has("\nBefore=docker.service\n");
    assert_unit_has("\nRestart=always\n");
    assert_unit_has(RENDER_MARK);

    use_spec("{'steps':{'etcd-proxy':{'cluster':'a=http://10.0.0.1:2380',"
             "'listen':['http://127.0.0.1:2379','http://127.0.0.1:4001']}}}");
    assert_unit_has("--initial-cluster=a=http://10.0.0.1:2380 "
                    "--listen-client-urls=http://127.0.0.1:2379,http://127.0.0.1:4001");

    use_spec("{'steps':{'etcd-proxy':{'mode':'gateway',"
             "'endpoints':['10.0.0.1:2379','10.0.0.2:2379']}}}");
    assert_unit_has(
        "ExecStart=/usr/bin/etcd gateway start --listen-addr=127.0.0.1:2379 "
        "--endpoints=10.0.0.1:2379,10.0.0.2:2379 --retry-delay=10s\n");
}

static void nothing_in_the_unit_is_systemds_to_expand(void **state)
{
    use_spec("{'steps':{'etcd-proxy':{'data_dir':'/var/a%b $c'}}}");
    assert_unit_has("\"--data-dir=/var/a%%b $$c\"\n");
}

static void a_download_stands_beside_the_data(void **state)
{
    use_spec("{'steps':{'etcd-proxy':{'binary':{'url':'http://x/etcd.tar.gz'}}}}");
    assert_text(render_etcd_binary(spec), "/var/lib/clowder/bin/etcd");
    assert_unit_has("ExecStart=/var/lib/clowder/bin/etcd --proxy=on");
}

static void the_local_address_is_one_that_a_client_can_reach(void **state)
{
    use_spec("{'steps':{'etcd-proxy':{'listen':['http://0.0.0.0:4001']}}}");
    assert_text(render_etcd_local(spec), "http://127.0.0.1:4001");
    assert_int_equal(render_url_port("http://[::1]", 7), 7);
    assert_int_equal(render_url_port("http://[::1]:80/x", 7), 80);
}

static void an_artifact_is_in_place_by_digest_or_by_memory(void **state)
{
    char url[] = "http://x/c", sha[65], other[65], none[] = "";
    struct artifact pinned = {url, sha, none}, loose = {url, none, none};

    memset(sha, 'a', 64);
    memset(other, 'b', 64);
    sha[64] = other[64] = '\0';
    json_t *bare = json_pack("{s:s}", "sha256", sha);
    json_t *left = json_pack("{s:s,s:{s:s,s:s,s:s}}", "sha256", other, "recorded",
                             "sha256", other, "fetched", sha, "url", url);
    json_t *changed = json_pack("{s:s,s:{s:s,s:s,s:s}}", "sha256", sha, "recorded",
                                "sha256", other, "fetched", other, "url", url);

    assert_true(artifact_in_place(&pinned, bare));
    assert_true(artifact_in_place(&pinned, left)); /* unpacked from the pinned file */
    assert_false(artifact_in_place(&loose, bare)); /* of unknown origin */
    assert_true(artifact_in_place(&loose, left));
    assert_false(artifact_in_place(&loose, changed));
    assert_false(artifact_in_place(&pinned, NULL));
    json_decref(bare);
    json_decref(left);
    json_decref(changed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_store_follows_from_the_etcd_endpoints),
        TEST(advertise_auto_is_the_hosts_address),
        TEST(without_advertise_there_is_no_key_of_the_host),
        TEST(the_network_is_that_of_the_calico_version),
        TEST(a_document_of_the_spec_replaces_the_network),
        TEST(the_unit_is_by_role),
        TEST(the_proxy_finds_its_cluster_as_the_spec_says),
        TEST(nothing_in_the_unit_is_systemds_to_expand),
        TEST(a_download_stands_beside_the_data),
        TEST(the_local_address_is_one_that_a_client_can_reach),
        TEST(an_artifact_is_in_place_by_digest_or_by_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
