/* judge_say.c - fills a judgement with its sentence: for the judges only.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/model/judge_say.h"

#include <stdarg.h>
#include <stdio.h>

static void PRINTF_LIKE(4, 0)
    say(struct judgement *ret, enum finding finding, enum disruption disruption,
        const char *fmt, va_list args)
{
    ret->finding = finding;
    ret->disruption = disruption;
    (void)vsnprintf(ret->says, sizeof(ret->says), fmt, args);
}

void judge_say(struct judgement *ret, enum finding finding, enum disruption disruption,
               const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say(ret, finding, disruption, fmt, args);
    va_end(args);
}

void judge_refuse(struct judgement *ret, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say(ret, FINDING_FOREIGN, DISRUPTION_NONE, fmt, args);
    va_end(args);
}

bool judge_unfit_host(const struct facts *facts, struct judgement *ret)
{
    if (facts->native_calico)
        judge_refuse(ret, "DC/OS brings its own Calico here (2.1 and later), with the "
                          "same network and the same keys of daemon.json");
    else if (facts->role == ROLE_MASTER)
        judge_refuse(ret, "this host is a master: Calico belongs on agents");
    else
        return false;
    return true;
}

const char *seen_text(const json_t *seen, const char *key)
{
    const char *text = json_string_value(json_object_get(seen, key));

    return text ? text : "";
}

int64_t seen_number(const json_t *seen, const char *key)
{
    return (int64_t)json_number_value(json_object_get(seen, key));
}

bool seen_true(const json_t *seen, const char *key)
{
    return json_is_true(json_object_get(seen, key));
}
