/* fuzz_container.c - any bytes as Docker's answers and as a host's observation: looked
 * at, judged and read as a log, without a word of trust.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/model/container.h"
#include "shared/model/docker_log.h"
#include "shared/model/judge.h"
#include "tests/fuzz/fuzz.h"

static struct spec *the_spec(void)
{
    static struct spec *spec;
    static const char text[] = "{\"steps\":{\"libnetwork\":{\"mode\":\"container\","
                               "\"image\":\"i\"}}}";

    if (!spec)
        fuzz_require(spec_parse(text, strlen(text), &spec, NULL, NULL) == 0, "a spec");
    return spec;
}

static void judge_it(enum step_id step, const json_t *seen)
{
    struct facts facts;
    struct judgement judgement = {0};

    facts_init(&facts);
    (void)STR_COPY(facts.address, "10.0.0.5");
    facts.role = ROLE_SLAVE;
    judge(step, the_spec(), &facts, seen, &judgement);
    fuzz_require(judgement.says[0] != '\0', "a judgement says something");
    fuzz_require(judgement.finding != FINDING_UNKNOWN, "what was seen is judged");
    facts_done(&facts);
}

static void look(json_t *inspected)
{
    struct facts facts;
    char why[256] = "";

    facts_init(&facts);
    json_t *wanted = container_node_body(the_spec(), &facts);
    json_t *seen = container_seen(inspected), *kept = container_keep(inspected);
    enum container_match match =
        container_compare(CONTAINER_NODE, wanted, seen, why, sizeof why);
    fuzz_require(why[0] != '\0', "a comparison says something");
    fuzz_require((seen == NULL) == (match == CONTAINER_ABSENT), "absent is absent");
    json_decref(wanted);
    json_decref(seen);
    json_decref(kept);
    facts_done(&facts);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char needle[] = "Calico node started successfully";
    struct docker_log log, whole;
    json_t *value = json_loadb((const char *)bytes, len, JSON_DECODE_ANY, NULL);

    docker_log_init(&log, needle);
    docker_log_init(&whole, needle);
    for (size_t i = 0; i < len; i++)
        (void)docker_log_feed(&log, (const char *)bytes + i, 1);
    (void)docker_log_feed(&whole, (const char *)bytes, len);
    fuzz_require(log.found == whole.found, "chunks do not matter");
    if (value) {
        look(value);
        judge_it(STEP_NODE, value);
        judge_it(STEP_LIBNETWORK, value);
    }
    json_decref(value);
    return 0;
}
