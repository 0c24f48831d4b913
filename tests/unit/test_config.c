/* test_config.c - settings: defaults, overrides, and every mistake named at once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/config.h"
#include "shared/base/fs.h"
#include "tests/unit/cmocka_all.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int parse(const char *text, const char *const *sets, int sets_count,
                 struct config *ret, struct strbuf *errors)
{
    return config_parse("agentd.json", text, strlen(text), sets, sets_count, ret,
                        errors, NULL);
}

static void an_empty_document_is_all_defaults(void **state)
{
    struct config config;

    assert_int_equal(parse("{}", NULL, 0, &config, NULL), 0);
    assert_non_null(strstr(config.zk, "zk-1.zk:2181,zk-2.zk:2181"));
    assert_non_null(strstr(config.zk, "/clowder"));
    assert_string_equal(config.host, "auto");
    assert_string_equal(config.zk_digest_file, "");
    assert_string_equal(config.state_dir, "/var/lib/clowder");
    assert_int_equal(config.log_level, LOG_LEVEL_INFO);
    assert_true(config.session_timeout_ms == 30000);
    assert_true(config.probe_interval_ms == 300000);
    assert_string_equal(config.docker_socket, "/var/run/docker.sock");
    config_done(&config);
}

static void the_default_file_gives_the_defaults(void **state)
{
    struct strbuf file = {0}, again = {0};
    struct config config;

    config_default_file(&file);
    assert_int_equal(parse(file.text, NULL, 0, &config, NULL), 0);
    config_show(&config, &again);
    assert_string_equal(file.text, again.text);
    config_done(&config);
    strbuf_done(&file);
    strbuf_done(&again);
}

static void set_wins_over_the_file(void **state)
{
    static const char *const sets[] = {"log_level=debug", "probe_interval=90s",
                                       "zk=zk://10.0.0.1,[fd00::1]:2182/x/y", "zone="};
    struct config config;

    assert_int_equal(parse("{\"log_level\":\"warn\",\"zone\":\"a-1\",\"host\":\"h.1\"}",
                           sets, 4, &config, NULL),
                     0);
    assert_int_equal(config.log_level, LOG_LEVEL_DEBUG);
    assert_true(config.probe_interval_ms == 90000);
    assert_string_equal(config.zk, "zk://10.0.0.1,[fd00::1]:2182/x/y");
    assert_string_equal(config.zone, "");
    assert_string_equal(config.host, "h.1");
    config_done(&config);
}

static void every_mistake_is_named_at_once(void **state)
{
    static const char *const sets[] = {"nonsense", "hots=x", "session_timeout=1s"};
    struct strbuf errors = {0};
    struct error err = {0};
    struct config config;
    const char *text = "{\"zk\":\"a b\",\"log_level\":\"loud\",\"state_dir\":\"var\","
                       "\"probe_interval\":true,\"zookeeper\":1,\"host\":\"A_B\"}";

    assert_int_equal(config_parse("/etc/clowder/agentd.json", text, strlen(text), sets,
                                  3, &config, &errors, &err),
                     -EINVAL);

    assert_non_null(
        strstr(errors.text, "/etc/clowder/agentd.json: zk: \"a b\" is not"));
    assert_non_null(
        strstr(errors.text, "log_level: \"loud\" is not one of error, warn"));
    assert_non_null(strstr(errors.text, "state_dir: \"var\" is not an absolute path"));
    assert_non_null(strstr(errors.text, "probe_interval: expected a duration"));
    assert_non_null(strstr(errors.text, "zookeeper: unknown key"));
    assert_non_null(strstr(errors.text, "host: \"A_B\""));
    assert_non_null(strstr(errors.text, "--set: \"nonsense\" is not key=value"));
    assert_non_null(strstr(errors.text, "--set: hots: unknown key; did you mean"));
    assert_non_null(strstr(errors.text, "--set: session_timeout: "));
    assert_non_null(strstr(err.text, "9 mistakes"));
    strbuf_done(&errors);
}

static void a_syntax_error_names_line_and_column(void **state)
{
    struct strbuf errors = {0};
    struct config config;

    assert_int_equal(parse("{\n \"zk\": \"a\",\n}", NULL, 0, &config, &errors),
                     -EINVAL);
    assert_non_null(strstr(errors.text, "agentd.json: not JSON: line 3"));
    strbuf_done(&errors);
    assert_int_equal(parse("[]", NULL, 0, &config, &errors), -EINVAL);
    assert_non_null(strstr(errors.text, "expected an object"));
    strbuf_done(&errors);
    assert_int_equal(parse("", NULL, 0, &config, &errors), -EINVAL);
    strbuf_done(&errors);
    assert_int_equal(parse("{\"zk\":\"a\",\"zk\":\"b\"}", NULL, 0, &config, &errors),
                     -EINVAL);
    assert_non_null(strstr(errors.text, "duplicate"));
    strbuf_done(&errors);
}

static void addresses_of_zookeeper_are_checked(void **state)
{
    static const char *const good[] = {
        "zk=a",        "zk=a:1",   "zk=a,b:2,c",       "zk=zk://a/r",
        "zk=a_b.c-d/", "zk=[::1]", "zk=[::1]:2181/r/s"};
    static const char *const bad[] = {
        "zk=",     "zk=,a",   "zk=a,",     "zk=a:0",    "zk=a:65536", "zk=a:b",
        "zk=/r",   "zk=a//r", "zk=a/r/",   "zk=a/../r", "zk=a/..",    "zk=[]:1",
        "zk=[::1", "zk=a;b",  "zk=[::1]x", "zk=a/./b"};
    struct config config;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (parse("{}", &good[i], 1, &config, NULL) < 0)
            fail_msg("%s was refused", good[i]);
        config_done(&config);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (parse("{}", &bad[i], 1, &config, NULL) == 0)
            fail_msg("%s was taken", bad[i]);
}

static void a_reload_tells_what_needs_a_restart(void **state)
{
    static const char *const live[] = {"log_level=debug", "probe_interval=5s"};
    static const char *const fixed[] = {"zk=other", "session_timeout=9s",
                                        "log_level=warn"};
    struct config a, b, c;
    struct strbuf names = {0};

    assert_int_equal(parse("{}", NULL, 0, &a, NULL), 0);
    assert_int_equal(parse("{}", live, 2, &b, NULL), 0);
    assert_int_equal(parse("{}", fixed, 3, &c, NULL), 0);
    config_changes(&a, &b, &names);
    assert_int_equal(names.len, 0);
    config_changes(&a, &c, &names);
    assert_string_equal(names.text, "zk, session_timeout");
    strbuf_done(&names);
    config_done(&a);
    config_done(&b);
    config_done(&c);
}

static void help_has_every_option(void **state)
{
    struct strbuf help = {0};

    config_help(&help);
    assert_non_null(strstr(help.text, "zk_digest_file"));
    assert_non_null(strstr(help.text, "probe_interval"));
    assert_non_null(strstr(help.text, "\"5m\""));
    strbuf_done(&help);
}

static void only_the_default_file_may_be_absent(void **state)
{
    struct error err = {0};
    struct config config;

    assert_int_equal(
        config_load("/nonexistent/agentd.json", NULL, 0, &config, NULL, &err), -ENOENT);
    assert_non_null(strstr(err.text, "/nonexistent/agentd.json"));
}

static int digest_of(const char *content, mode_t mode, char **ret, struct error *err)
{
    char path[] = "/tmp/clowder-test-XXXXXX";
    int fd = mkstemp(path);
    struct config config;
    char set[64];
    const char *sets[] = {set};

    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    snprintf(set, sizeof set, "zk_digest_file=%s", path);
    assert_int_equal(parse("{}", sets, 1, &config, NULL), 0);
    int r = config_read_digest(&config, ret, err);
    config_done(&config);
    unlink(path);
    return r;
}

static void the_digest_comes_from_a_private_file_only(void **state)
{
    struct error err = {0};
    struct config config;
    char *digest = NULL;

    assert_int_equal(digest_of("clowder:s3:cret\n", 0600, &digest, &err), 0);
    assert_string_equal(digest, "clowder:s3:cret");
    free(digest);
    assert_int_equal(digest_of("clowder:s", 0400, &digest, &err), 0);
    free(digest);

    assert_int_equal(digest_of("clowder:s", 0644, &digest, &err), -EPERM);
    assert_non_null(strstr(err.text, "chmod 0600"));
    assert_int_equal(digest_of("clowder:s", 0640, &digest, &err), -EPERM);
    assert_int_equal(digest_of("clowder", 0600, &digest, &err), -EINVAL);
    assert_int_equal(digest_of("a:b\nc:d\n", 0600, &digest, &err), -EINVAL);
    assert_int_equal(digest_of(":b", 0600, &digest, &err), -EINVAL);
    assert_int_equal(digest_of("a:", 0600, &digest, &err), -EINVAL);
    assert_int_equal(digest_of("", 0600, &digest, &err), -EINVAL);

    assert_int_equal(parse("{}", NULL, 0, &config, NULL), 0);
    digest = (char *)"untouched";
    assert_int_equal(config_read_digest(&config, &digest, &err), 0);
    assert_null(digest);
    config_done(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_document_is_all_defaults),
        cmocka_unit_test(the_default_file_gives_the_defaults),
        cmocka_unit_test(set_wins_over_the_file),
        cmocka_unit_test(every_mistake_is_named_at_once),
        cmocka_unit_test(a_syntax_error_names_line_and_column),
        cmocka_unit_test(addresses_of_zookeeper_are_checked),
        cmocka_unit_test(a_reload_tells_what_needs_a_restart),
        cmocka_unit_test(help_has_every_option),
        cmocka_unit_test(only_the_default_file_may_be_absent),
        cmocka_unit_test(the_digest_comes_from_a_private_file_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
