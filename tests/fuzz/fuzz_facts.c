/* fuzz_facts.c - /hosts/<host> and /live/<host> from any bytes; and what the judges
 * make of it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/model/judge.h"
#include "tests/fuzz/fuzz.h"

static void judge_all(const struct facts *facts)
{
    static struct spec *spec;
    struct judgement judgement = {0};

    if (!spec)
        fuzz_require(spec_parse("{}", 2, &spec, NULL, NULL) == 0, "{} is a spec");
    for (int i = 0; i < STEP_COUNT; i++) {
        judge((enum step_id)i, spec, facts,
              json_object_get(facts->seen, step_name((enum step_id)i)), &judgement);
        fuzz_require(memchr(judgement.says, '\0', sizeof(judgement.says)) != NULL,
                     "a judgement is a string");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const char *text = (const char *)bytes;
    struct facts facts;
    struct live live;
    struct error err = {0};
    char *first, *second;
    int rc = live_decode(text, len, &live, &err);

    if (rc < 0)
        fuzz_refused(rc, &err);
    rc = facts_decode(text, len, &facts, &err);
    if (rc < 0) {
        fuzz_refused(rc, &err);
        return 0;
    }
    judge_all(&facts);
    (void)version_compare(facts.docker, facts.mesos);
    first = facts_encode(&facts);
    facts_done(&facts);
    fuzz_require(facts_decode(first, strlen(first), &facts, &err) == 0,
                 "an inventory decodes again");
    second = facts_encode(&facts);
    fuzz_require(strcmp(first, second) == 0, "and is the same");
    facts_done(&facts);
    free(first);
    free(second);
    return 0;
}
