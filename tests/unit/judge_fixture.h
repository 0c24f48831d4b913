/* judge_fixture.h - a spec and a host for the tests of the judges.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef CLOWDER_TESTS_UNIT_JUDGE_FIXTURE_H
#define CLOWDER_TESTS_UNIT_JUDGE_FIXTURE_H

#include "shared/base/str.h"
#include "shared/model/judge.h"
#include "tests/unit/cmocka_all.h"

#include <string.h>

static struct spec *spec;
static struct facts facts;
static struct judgement judged;

/* A spec from text with ' for ". */
static inline struct spec *spec_of(const char *text)
{
    struct strbuf errors = {0}, json = {0};
    struct error err = {0};
    struct spec *made = NULL;

    for (const char *c = text; *c; c++)
        strbuf_add_bytes(&json, *c == '\'' ? "\"" : c, 1);
    if (spec_parse(json.text, json.len, &made, &errors, &err) < 0)
        fail_msg("%s: %s", err.text, errors.text);
    strbuf_done(&errors);
    strbuf_done(&json);
    return made;
}

static inline void use_spec(const char *text)
{
    struct spec *next = spec_of(text); /* may fail the test: the old one stays */

    spec_free(spec);
    spec = next;
}

static inline json_t *json_of(const char *text)
{
    struct strbuf json = {0};

    for (const char *c = text; *c; c++)
        strbuf_add_bytes(&json, *c == '\'' ? "\"" : c, 1);
    json_t *made = json_loads(json.text, 0, NULL);
    assert_non_null(made);
    strbuf_done(&json);
    return made;
}

static inline int judge_begin(void **state)
{
    spec = spec_of("{}");
    facts_init(&facts);
    facts.role = ROLE_SLAVE;
    STR_COPY(facts.host, "h1");
    STR_COPY(facts.address, "10.0.0.5");
    judged = (struct judgement){0};
    return 0;
}

static inline int judge_end(void **state)
{
    spec_free(spec);
    spec = NULL;
    facts_done(&facts);
    return 0;
}

static inline void assert_judged(enum finding finding, enum disruption disruption,
                                 const char *says)
{
    if (judged.finding != finding || judged.disruption != disruption ||
        !strstr(judged.says, says))
        fail_msg("judged %s, %s: \"%s\"", finding_text(judged.finding),
                 disruption_text(judged.disruption), judged.says);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, judge_begin, judge_end)

#endif
