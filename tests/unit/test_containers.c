/* test_containers.c - steps libnetwork and node against a fake engine.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/steps/step.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/container.h"
#include "tests/unit/fake_engine.h"
#include "tests/unit/io_fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char root[64], docker_socket[128];
static struct spec *spec;
static struct facts facts;
static struct step_env env;
static json_t *saved; /* what a crash would leave */
static int saves, save_fails;
static char said[2048];
static int descriptors;

/* ---- a visit in small ---- */

static void no_ask(void *ctx, struct step *step, struct flow *flow)
{
    fail_msg("no step here disrupts");
}

static void no_ask_cancel(void *ctx, struct step *step)
{
}

static int save(void *ctx, struct step *step, struct error *err)
{
    if (save_fails)
        return error_set(err, -ENOSPC, "disk full");
    saves++;
    json_decref(saved);
    saved = json_deep_copy(step->memo);
    return 0;
}

static void says(void *ctx, struct step *step, const char *text)
{
    size_t len = strlen(said);

    snprintf(said + len, sizeof said - len, "%s;", text);
}

static struct error result;

static void on_flow(void *ctx, int code, const struct error *err)
{
    error_copy(&result, err);
    event_loop_stop(el, code);
}

static int phase(struct step *step, const struct flow_step *table)
{
    struct flow flow = {0};

    result = (struct error){0};
    flow_start(&flow, env.loop, table, step, on_flow, NULL);
    return run();
}

static void must(int code)
{
    if (code < 0)
        fail_msg("%s", result.text);
}

static void must_fail(int code, const char *says_so)
{
    if (code == 0)
        fail_msg("succeeded, wanted: %s", says_so);
    if (!strstr(result.text, says_so))
        fail_msg("\"%s\" does not say \"%s\"", result.text, says_so);
}

static enum finding observe(struct step *step)
{
    must(phase(step, step->type->observe));
    judge(step->type->id, spec, &facts, step->seen, &step->judgement);
    return step->judgement.finding;
}

/* A spec whose Felix answers on the fake's port. */
static void use(const char *text)
{
    json_t *document = json_loads(text, 0, NULL);
    struct strbuf errors = {0};
    char assignment[64];

    snprintf(assignment, sizeof assignment,
             "steps.node.env={\"FELIX_HEALTHPORT\":\"%d\"}", fake->felix_port);
    assert_int_equal(spec_document_set(document, assignment, NULL), 0);
    spec_free(spec);
    spec = NULL;
    if (spec_decode(document, &spec, &errors, NULL) < 0)
        fail_msg("%s", errors.text);
    strbuf_done(&errors);
    json_decref(document);
    env.spec = spec;
    snprintf(fake->image, sizeof fake->image, "%s", spec->node.image);
}

static const char plain[] = "{}";
static const char other[] = "{\"steps\":{\"node\":{\"pool_ipip\":\"always\"}}}";
static const char container_mode[] = "{\"steps\":{\"libnetwork\":{\"mode\":"
                                     "\"container\",\"image\":\"my/plugin:1\"}}}";
static const char old_calico[] = "{\"calico\":{\"version\":\"0.22.0\"}}";

static void put_file(const char *name, const char *text)
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
    free(path);
}

static void assert_file(const char *name, const char *wanted)
{
    char *path = mem_printf("%s%s", root, name), *bytes = NULL;

    assert_int_equal(fs_read(path, 1000, &bytes, NULL, NULL), 0);
    bytes[strcspn(bytes, "\n")] = '\0';
    assert_string_equal(bytes, wanted);
    free(bytes);
    free(path);
}

static bool exists(const char *name)
{
    char *path = mem_printf("%s%s", root, name);
    bool is = fs_exists(path);

    free(path);
    return is;
}

static int begin(void **state)
{
    descriptors = open_descriptors();
    strcpy(root, "/tmp/clowder-test-XXXXXX");
    assert_non_null(mkdtemp(root));
    snprintf(docker_socket, sizeof docker_socket, "%s/docker.sock", root);
    fake_engine_start(root);
    put_file("/proc/sys/net/ipv4/ip_forward", "0\n");
    put_file("/proc/sys/net/netfilter/nf_conntrack_max", "65536\n");
    put_file("/proc/modules", "xt_set 16384 0 - Live 0x0\nip6_tables 1 0 - Live 0x0\n");
    assert_int_equal(io_begin(state), 0);
    facts_init(&facts);
    strcpy(facts.host, "10.0.0.5");
    strcpy(facts.address, "10.0.0.5");
    facts.role = ROLE_SLAVE;
    env = (struct step_env){.el = el,
                            .loop = event_loop_port(el),
                            .facts = &facts,
                            .state_dir = root,
                            .cache_dir = root,
                            .docker_socket = docker_socket,
                            .root = root,
                            .ask = no_ask,
                            .ask_cancel = no_ask_cancel,
                            .save = save,
                            .says = says};
    saves = save_fails = 0;
    said[0] = '\0';
    use(plain);
    strcpy(fake->image_id, "sha256:aa");
    return 0;
}

static int end(void **state)
{
    json_decref(saved);
    saved = NULL;
    spec_free(spec);
    spec = NULL;
    facts_done(&facts);
    run_for(10);
    io_end(state);
    fake_engine_stop();
    assert_int_equal(fs_remove_tree(root, NULL), 0);
    assert_int_equal(open_descriptors(), descriptors);
    return 0;
}

static struct step *node(void)
{
    return step_new(STEP_NODE, &env, NULL);
}

/* A host with calico-node as the spec in use wants it. */
static void install(void)
{
    struct step *step = node();

    must(phase(step, step->type->apply));
    fake_settle();
    step_free(step);
    json_decref(saved);
    saved = NULL;
    saves = 0;
    said[0] = '\0';
    fake_forget_calls();
}

/* ---- node: apply ---- */

static void a_fresh_host_gets_calico_node_and_then_nothing(void **state)
{
    struct step *step = node();

    assert_int_equal(observe(step), FINDING_ABSENT);
    must(phase(step, step->type->apply));
    fake_settle();
    must(phase(step, step->type->prove));
    must(phase(step, step->type->prove));

    assert_true(fake_container("calico-node")->running);
    assert_non_null(strstr(fake_container("calico-node")->body, "IP=10.0.0.5"));
    assert_int_equal(fake_calls("POST /images/create"), 0); /* present: not pulled */
    assert_file("/proc/sys/net/ipv4/ip_forward", "1");
    assert_file("/proc/sys/net/netfilter/nf_conntrack_max", "1000000");
    assert_non_null(strstr(said, "calico-node started from quay.io"));
    assert_int_equal(saves, 1);

    fake_forget_calls();
    assert_int_equal(observe(step), FINDING_RIGHT);
    must(phase(step, step->type->apply));
    assert_int_equal(fake_calls("POST"), 0);
    assert_int_equal(fake_calls("DELETE"), 0);
    assert_int_equal(saves, 1);
    step_free(step);
}

static void a_right_host_is_not_even_journaled(void **state)
{
    struct step *step;

    install();
    step = node();
    must(phase(step, step->type->apply));
    assert_int_equal(saves, 0);
    assert_int_equal(json_object_size(step->memo), 0);
    assert_non_null(strstr(said, "runs already"));
    step_free(step);
}

static void an_absent_image_is_pulled_once(void **state)
{
    struct step *step = node();

    fake->image_id[0] = '\0';
    strcpy(fake->pulled_id, "sha256:bb");
    must(phase(step, step->type->apply));

    assert_int_equal(fake_calls("POST /images/create"), 1);
    assert_string_equal(fake_container("calico-node")->image_id, "sha256:bb");
    assert_non_null(strstr(said, "pulling quay.io/calico/node:v2.6.11"));
    assert_non_null(strstr(said, "50%"));
    step_free(step);
}

static void a_failed_pull_touches_nothing(void **state)
{
    struct step *step;

    install();
    use(other);
    strcpy(fake->image, "quay.io/calico/node:v2.6.11");
    fake->image_id[0] = '\0';
    step = node();
    must_fail(phase(step, step->type->apply), "repository does not exist");

    assert_int_equal(fake_calls("DELETE"), 0);
    assert_int_equal(saves, 0);
    assert_true(fake_container("calico-node")->running);
    step_free(step);
}

static void a_stale_node_is_replaced(void **state)
{
    struct step *step;

    install();
    use(other);
    step = node();
    assert_int_equal(observe(step), FINDING_STALE);
    must(phase(step, step->type->apply));
    fake_settle();

    assert_int_equal(fake_calls("DELETE /containers/4f"), 1);
    assert_non_null(
        strstr(fake_container("calico-node")->body, "CALICO_IPV4POOL_IPIP=always"));
    must(phase(step, step->type->prove));
    assert_int_equal(observe(step), FINDING_RIGHT);
    step_free(step);
}

static void a_node_that_somebody_replaces_during_a_pull_is_not_touched(void **state)
{
    struct step *step;

    install();
    use(other);
    fake->image_id[0] = '\0';
    strcpy(fake->pulled_id, "sha256:bb");
    fake->replaced_by_pull = true;
    step = node();
    must_fail(phase(step, step->type->apply), "already in use");

    assert_non_null(strstr(fake_container("calico-node")->body, "theirs"));
    assert_true(fake_container("calico-node")->running);
    step_free(step);
}

static void a_foreign_node_is_not_touched(void **state)
{
    struct step *step = node();

    fake_put("calico-node", "{\"Image\":\"calico/node:v1.0.0\",\"Env\":[\"CALICO_"
                            "NETWORKING_BACKEND=bird\"],\"HostConfig\":{}}");
    assert_int_equal(observe(step), FINDING_FOREIGN);
    must_fail(phase(step, step->type->apply), "made by calicoctl");
    assert_int_equal(result.code, -EEXIST);

    assert_int_equal(fake_calls("DELETE"), 0);
    assert_int_equal(fake_calls("POST"), 0);
    assert_int_equal(saves, 0);
    assert_file("/proc/sys/net/ipv4/ip_forward", "0");
    step_free(step);
}

static void native_calico_is_refused(void **state)
{
    struct step *step = node();

    facts.native_calico = true;
    assert_int_equal(observe(step), FINDING_FOREIGN);
    must_fail(phase(step, step->type->apply), "its own Calico");
    assert_int_equal(fake_calls("POST"), 0);
    step_free(step);
}

static void nothing_is_changed_before_it_is_in_the_journal(void **state)
{
    struct step *step = node();

    save_fails = 1;
    must_fail(phase(step, step->type->apply), "disk full");
    assert_int_equal(fake_calls("POST"), 0);
    assert_file("/proc/sys/net/ipv4/ip_forward", "0");
    assert_null(json_object_get(step->memo, "before"));

    save_fails = 0;
    must(phase(step, step->type->apply));
    step_free(step);
}

static void only_the_setting_is_written_where_the_container_is_right(void **state)
{
    struct step *step;

    install();
    put_file("/proc/sys/net/ipv4/ip_forward", "0\n");
    step = node();
    assert_int_equal(observe(step), FINDING_STALE);
    must(phase(step, step->type->apply));
    assert_file("/proc/sys/net/ipv4/ip_forward", "1");
    assert_int_equal(fake_calls("POST"), 0);

    must(phase(step, step->type->revert));
    assert_file("/proc/sys/net/ipv4/ip_forward", "0");
    assert_file("/proc/sys/net/netfilter/nf_conntrack_max", "1000000");
    assert_true(fake_container("calico-node")->running);
    assert_int_equal(fake_calls("DELETE"), 0);
    step_free(step);
}

static void a_right_setting_is_never_written(void **state)
{
    struct step *step = node();

    put_file("/proc/sys/net/ipv4/ip_forward", "1 \n"); /* as no writer of ours would */
    put_file("/proc/sys/net/netfilter/nf_conntrack_max", "2000000\n");
    must(phase(step, step->type->apply));
    assert_file("/proc/sys/net/ipv4/ip_forward", "1 ");
    assert_file("/proc/sys/net/netfilter/nf_conntrack_max", "2000000");
    must(phase(step, step->type->revert));
    assert_file("/proc/sys/net/netfilter/nf_conntrack_max", "2000000");
    step_free(step);
}

static void a_removal_in_progress_is_waited_for(void **state)
{
    struct step *step;

    install();
    use(other);
    fake->removal_in_progress = true;
    step = node();
    must(phase(step, step->type->apply));
    assert_int_equal(fake_calls("DELETE"), 2);
    step_free(step);
}

static void failures_of_docker_are_told_in_its_own_words(void **state)
{
    struct step *step = node();

    fake->create_fails = true;
    must_fail(phase(step, step->type->apply), "no space left on device");
    fake->create_fails = false;
    fake->start_fails = true;
    must_fail(phase(step, step->type->apply), "OCI runtime create failed");
    fake->start_fails = false;
    must(phase(step, step->type->apply)); /* the one that was created is made anew */
    assert_true(fake_container("calico-node")->running);
    step_free(step);
}

static void a_container_that_docker_brings_back_is_waited_for(void **state)
{
    struct fake_container *c;
    struct step *step;

    install();
    c = fake_container("calico-node");
    c->running = false;
    step = node();
    pid_t later = fork(); /* dockerd, bringing it back in a moment */
    if (later == 0) {
        usleep(700000);
        c->running = true;
        c->started++;
        _exit(0);
    }
    assert_int_equal(observe(step), FINDING_RIGHT);
    assert_int_equal(waitpid(later, NULL, 0), later);
    step_free(step);
}

/* ---- node: crashes ---- */

static void a_crash_after_the_removal_is_mended_and_still_reverted(void **state)
{
    struct step *step;
    char before[8192];

    install();
    strcpy(before, fake_container("calico-node")->body);
    use(other);
    step = node();
    fake->create_fails = true;
    must_fail(phase(step, step->type->apply), "no space");
    step_free(step);
    assert_null(fake_container("calico-node"));

    fake->create_fails = false; /* the agent starts again with its journal */
    step = step_new(STEP_NODE, &env, saved);
    saves = 0;
    assert_int_equal(observe(step), FINDING_ABSENT);
    must(phase(step, step->type->apply));
    assert_int_equal(saves, 0); /* what was before is remembered once */
    assert_non_null(
        strstr(fake_container("calico-node")->body, "CALICO_IPV4POOL_IPIP=always"));

    must(phase(step, step->type->revert));
    json_t *old = json_loads(before, 0, NULL);
    json_t *now = json_loads(fake_container("calico-node")->body, 0, NULL);
    assert_true(json_equal(old, now));
    assert_true(fake_container("calico-node")->running);
    json_decref(old);
    json_decref(now);
    step_free(step);
}

/* Every step of every phase is left in the middle; the sanitizers look on. */
static void a_cancelled_phase_leaves_nothing_behind(void **state)
{
    const struct flow_step *tables[4];
    struct step *step = node();

    tables[0] = step->type->observe;
    tables[1] = step->type->apply;
    tables[2] = step->type->prove;
    tables[3] = step->type->revert;
    for (int t = 0; t < 4; t++)
        for (int ms = 0; ms < 60; ms += 3) {
            struct flow flow = {0};
            flow_start(&flow, env.loop, tables[t], step, on_flow, NULL);
            timer_start(&pause_timer, env.loop, ms, on_pause, NULL);
            (void)run();
            timer_stop(&pause_timer);
            flow_cancel(&flow);
        }
    step_free(step);
    step = step_new(STEP_NODE, &env, saved);
    must(phase(step, step->type->apply));
    assert_true(fake_container("calico-node")->running);
    step_free(step);
}

/* ---- node: proof ---- */

static void each_check_of_the_proof_can_fail(void **state)
{
    struct fake_container *c;
    struct step *step;

    install();
    step = node();
    c = fake_container("calico-node");
    must(phase(step, step->type->prove));

    c->restarting = true;
    must_fail(phase(step, step->type->prove), "restarts all the time");
    c->restarting = false;
    c->started++;
    must_fail(phase(step, step->type->prove), "restarted between two checks");
    must(phase(step, step->type->prove));
    c->restarts++;
    must_fail(phase(step, step->type->prove), "restarted between two checks");
    must(phase(step, step->type->prove));

    strcpy(c->image_id, "sha256:other");
    must_fail(phase(step, step->type->prove), "another image");
    strcpy(c->image_id, "sha256:aa");

    put_file("/proc/sys/net/ipv4/ip_forward", "0\n");
    must_fail(phase(step, step->type->prove), "net.ipv4.ip_forward is 0 and not 1");
    put_file("/proc/sys/net/ipv4/ip_forward", "1\n");

    fake->felix_status = 503;
    must_fail(phase(step, step->type->prove), "Felix is not ready: HTTP status 503");
    fake->felix_status = 0;
    must_fail(phase(step, step->type->prove), "Felix does not answer");
    fake->felix_status = 204;
    must(phase(step, step->type->prove));

    fake->wrong_driver = true;
    must_fail(phase(step, step->type->prove), "does not implement NetworkDriver");
    fake->wrong_driver = false;
    fake->local_scope = true;
    must_fail(phase(step, step->type->prove), "scope is \"local\"");
    fake->local_scope = false;
    c->deaf = true;
    fake_settle();
    must_fail(phase(step, step->type->prove), "calico.sock: /Plugin.Activate");
    c->deaf = false;

    c->name[0] = '\0';
    must_fail(phase(step, step->type->prove), "No such container");
    step_free(step);
}

static int wall_later_s;
static int64_t wall_of_the_test_ms(struct loop *loop)
{
    return (int64_t)(1795464000 + wall_later_s) * 1000; /* 2026-11-23T20:00:00Z */
}

static void the_started_line_is_wanted_of_young_containers(void **state)
{
    static struct loop_ops ops;
    struct step *step;

    ops = *env.loop->ops;
    ops.wall_ms = wall_of_the_test_ms;
    env.loop->ops = &ops;
    wall_later_s = 60;
    fake->epoch_s = 1795464000;
    install();
    fake->started_line = false;
    step = node();
    must_fail(phase(step, step->type->prove), "has not logged");
    assert_int_equal(
        fake_calls("GET /containers/calico-node/logs?stdout=1&stderr=1&since=17954640"),
        1);
    wall_later_s = 7200;
    must(phase(step, step->type->prove));
    wall_later_s = 60;
    fake->unreadable_logs = true; /* Felix's word has to do */
    must(phase(step, step->type->prove));
    step_free(step);
}

static void a_young_container_has_to_stay_up_for_a_while(void **state)
{
    struct fake_container *c;
    struct step *step;

    fake->epoch_s = time(NULL); /* in a moment */
    install();
    step = node();
    c = fake_container("calico-node");
    pid_t later = fork(); /* falls over once, after 2 s */
    if (later == 0) {
        usleep(2000000);
        c->started++;
        c->restarts++;
        _exit(0);
    }
    int64_t begun_ms = loop_now_ms(env.loop);
    must_fail(phase(step, step->type->prove), "restarted between two checks");
    must(phase(step, step->type->prove));
    assert_in_range(loop_now_ms(env.loop) - begun_ms, 6500, 12000);
    assert_int_equal(waitpid(later, NULL, 0), later);
    step_free(step);
}

static void without_felix_health_the_log_has_to_be_read(void **state)
{
    struct step *step;

    use("{\"calico\":{\"version\":\"2.3.0\"}}");
    install();
    fake->felix_status = 0;
    step = node();
    must(phase(step, step->type->prove));
    fake->unreadable_logs = true;
    must_fail(phase(step, step->type->prove), "does not support reading");
    step_free(step);
}

/* ---- node: revert ---- */

static void a_revert_takes_back_what_was_not_there(void **state)
{
    struct step *step = node();

    must(phase(step, step->type->apply));
    fake_settle();
    assert_true(exists("/run/docker/plugins/calico.sock"));
    must(phase(step, step->type->revert));

    assert_null(fake_container("calico-node"));
    assert_false(exists("/run/docker/plugins/calico.sock"));
    assert_false(exists("/run/docker/plugins/calico-ipam.sock"));
    assert_file("/proc/sys/net/ipv4/ip_forward", "0");
    assert_file("/proc/sys/net/netfilter/nf_conntrack_max", "65536");
    must(phase(step, step->type->revert)); /* again: nothing to do */
    step_free(step);
}

static void a_revert_before_any_change_does_nothing(void **state)
{
    struct step *step;

    install();
    step = node();
    must(phase(step, step->type->revert));
    assert_true(fake_container("calico-node")->running);
    assert_int_equal(fake_calls("DELETE"), 0);
    step_free(step);
}

static void a_revert_brings_back_the_old_image_by_its_id(void **state)
{
    struct step *step;

    install();
    strcpy(fake->image_id, "sha256:bb"); /* the name was moved since */
    use(other);
    step = node();
    must(phase(step, step->type->apply));
    assert_string_equal(fake_container("calico-node")->image_id, "sha256:bb");

    must(phase(step, step->type->revert));

    assert_string_equal(fake_container("calico-node")->image_id, "sha256:aa");
    assert_null(
        strstr(fake_container("calico-node")->body, "CALICO_IPV4POOL_IPIP=always"));
    step_free(step);
}

static void a_revert_leaves_what_others_changed_since(void **state)
{
    struct step *step = node();

    must(phase(step, step->type->apply));
    put_file("/proc/sys/net/netfilter/nf_conntrack_max", "3000000\n");
    fake_container("calico-node")->name[0] = '\0';
    fake_put("calico-node", "{\"Image\":\"x\",\"Env\":[],\"HostConfig\":{}}");
    fake_forget_calls();
    must(phase(step, step->type->revert));
    assert_int_equal(fake_calls("DELETE"), 0);
    assert_file("/proc/sys/net/netfilter/nf_conntrack_max", "3000000");
    step_free(step);
}

static void a_foreign_successor_stops_a_revert(void **state)
{
    struct step *step;

    install();
    use(other);
    step = node();
    must(phase(step, step->type->apply));
    fake_container("calico-node")->name[0] = '\0';
    fake_put("calico-node", "{\"Image\":\"x\",\"Env\":[],\"HostConfig\":{}}");
    must_fail(phase(step, step->type->revert), "replaced by somebody else");
    step_free(step);
}

/* ---- modules ---- */

static void with_modprobe(const char *script)
{
    char *path = mem_printf("%s/bin:%s", root, "/usr/bin:/bin");

    put_file("/bin/modprobe", script);
    char *file = mem_printf("%s/bin/modprobe", root);
    assert_int_equal(chmod(file, 0755), 0);
    setenv("PATH", path, 1);
    free(file);
    free(path);
}

static void missing_modules_are_loaded_or_told(void **state)
{
    struct step *step = node();
    char *script = mem_printf("#!/bin/sh\necho \"$@\" > %s/asked\n"
                              "echo 'xt_set 1 0 - Live' > %s/proc/modules\n"
                              "echo 'FATAL: Module ip6_tables not found' >&2\nexit 1\n",
                              root, root);
    char *old = strdup(getenv("PATH"));

    put_file("/proc/modules", "xt_set_not 1 0 - Live\n");
    with_modprobe(script);
    must(phase(step, step->type->apply));
    assert_file("/asked", "-a xt_set ip6_tables");
    assert_non_null(strstr(said, "modules not loaded: ip6_tables (modprobe"));
    assert_true(fake_container("calico-node")->running);

    said[0] = '\0';
    put_file("/proc/modules", "xt_set 1 0 - Live\nip6_tables 1 0 - Live\n");
    put_file("/asked", "nobody");
    must(phase(step, step->type->apply));
    assert_file("/asked", "nobody");
    assert_null(strstr(said, "not loaded"));
    setenv("PATH", old, 1);
    free(old);
    free(script);
    step_free(step);
}

/* ---- libnetwork ---- */

static struct step *libnetwork(const char *text)
{
    use(text);
    snprintf(fake->image, sizeof fake->image, "%s", spec->libnetwork.image);
    return step_new(STEP_LIBNETWORK, &env, NULL);
}

static void embedded_libnetwork_is_left_to_node(void **state)
{
    struct step *step = step_new(STEP_LIBNETWORK, &env, NULL);

    assert_int_equal(observe(step), FINDING_RIGHT);
    must(phase(step, step->type->apply));
    must(phase(step, step->type->prove));
    must(phase(step, step->type->revert));
    assert_int_equal(fake_calls("POST"), 0);
    assert_int_equal(saves, 0);
    assert_non_null(strstr(said, "embedded in calico-node"));
    step_free(step);
}

static void libnetwork_runs_in_its_own_container(void **state)
{
    struct step *step = libnetwork(container_mode);

    assert_int_equal(observe(step), FINDING_ABSENT);
    must(phase(step, step->type->apply));
    fake_settle();
    must(phase(step, step->type->prove));
    must(phase(step, step->type->prove));
    assert_int_equal(observe(step), FINDING_RIGHT);

    must(phase(step, step->type->revert));
    fake_settle();
    assert_null(fake_container("calico-libnetwork"));
    step_free(step);
}

static void stale_sockets_do_not_stop_the_plugin(void **state)
{
    struct step *step = libnetwork(container_mode);

    must(phase(step, step->type->apply));
    fake_settle();
    fake_container("calico-libnetwork")->name[0] = '\0';
    fake_settle();
    assert_true(exists("/run/docker/plugins/calico.sock")); /* left behind */
    assert_int_equal(observe(step), FINDING_ABSENT);
    must(phase(step, step->type->apply));
    fake_settle();
    must(phase(step, step->type->prove));
    step_free(step);
}

static void old_releases_answer_on_one_socket(void **state)
{
    struct step *step = libnetwork(old_calico);

    fake->one_socket = true;
    must(phase(step, step->type->apply));
    fake_settle();
    must(phase(step, step->type->prove));
    assert_int_equal(observe(step), FINDING_RIGHT);
    step_free(step);
}

static void a_deaf_plugin_is_restarted(void **state)
{
    struct step *step = libnetwork(container_mode);

    fake->starts_deaf = true;
    must(phase(step, step->type->apply));
    assert_int_equal(observe(step), FINDING_STALE);
    must(phase(step, step->type->apply));
    fake_settle();
    assert_int_equal(fake_calls("POST /containers/calico-libnetwork/restart"), 1);
    must(phase(step, step->type->prove));
    step_free(step);
}

static void where_libnetwork_is_off_others_may_run_theirs(void **state)
{
    struct step *step = libnetwork("{\"steps\":{\"libnetwork\":{\"mode\":\"off\"}}}");

    fake_put("calico-libnetwork", "{\"Image\":\"x\",\"Env\":[],\"HostConfig\":{}}");
    assert_int_equal(observe(step), FINDING_RIGHT);
    must(phase(step, step->type->apply));
    must(phase(step, step->type->prove));
    assert_true(fake_container("calico-libnetwork")->running);
    step_free(step);

    step = libnetwork(plain); /* embedded: it would fight */
    assert_int_equal(observe(step), FINDING_FOREIGN);
    must_fail(phase(step, step->type->apply), "not clowder's");
    must_fail(phase(step, step->type->prove), "still there");
    step_free(step);
}

static void moving_into_calico_node_takes_the_container_away(void **state)
{
    struct step *step = libnetwork(container_mode);

    must(phase(step, step->type->apply));
    fake_settle();
    step_free(step);
    json_decref(saved);
    saved = NULL;

    step = libnetwork(plain);
    assert_int_equal(observe(step), FINDING_STALE);
    must_fail(phase(step, step->type->prove), "still there");
    must(phase(step, step->type->apply));
    assert_null(fake_container("calico-libnetwork"));
    must(phase(step, step->type->prove));

    strcpy(fake->image, "my/plugin:1");
    must(phase(step, step->type->revert));
    assert_true(fake_container("calico-libnetwork")->running);
    step_free(step);
}

static void docker_down_is_said(void **state)
{
    struct step *step = node();

    fake_engine_stop();
    must_fail(phase(step, step->type->observe), "is docker running?");
    assert_int_equal(result.code, -ECONNREFUSED);
    step_free(step);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_fresh_host_gets_calico_node_and_then_nothing),
        TEST(a_right_host_is_not_even_journaled),
        TEST(an_absent_image_is_pulled_once),
        TEST(a_failed_pull_touches_nothing),
        TEST(a_stale_node_is_replaced),
        TEST(a_node_that_somebody_replaces_during_a_pull_is_not_touched),
        TEST(a_foreign_node_is_not_touched),
        TEST(native_calico_is_refused),
        TEST(nothing_is_changed_before_it_is_in_the_journal),
        TEST(only_the_setting_is_written_where_the_container_is_right),
        TEST(a_right_setting_is_never_written),
        TEST(a_removal_in_progress_is_waited_for),
        TEST(failures_of_docker_are_told_in_its_own_words),
        TEST(a_container_that_docker_brings_back_is_waited_for),
        TEST(a_crash_after_the_removal_is_mended_and_still_reverted),
        TEST(a_cancelled_phase_leaves_nothing_behind),
        TEST(each_check_of_the_proof_can_fail),
        TEST(the_started_line_is_wanted_of_young_containers),
        TEST(a_young_container_has_to_stay_up_for_a_while),
        TEST(without_felix_health_the_log_has_to_be_read),
        TEST(a_revert_takes_back_what_was_not_there),
        TEST(a_revert_before_any_change_does_nothing),
        TEST(a_revert_brings_back_the_old_image_by_its_id),
        TEST(a_revert_leaves_what_others_changed_since),
        TEST(a_foreign_successor_stops_a_revert),
        TEST(missing_modules_are_loaded_or_told),
        TEST(embedded_libnetwork_is_left_to_node),
        TEST(libnetwork_runs_in_its_own_container),
        TEST(stale_sockets_do_not_stop_the_plugin),
        TEST(old_releases_answer_on_one_socket),
        TEST(a_deaf_plugin_is_restarted),
        TEST(where_libnetwork_is_off_others_may_run_theirs),
        TEST(moving_into_calico_node_takes_the_container_away),
        TEST(docker_down_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
