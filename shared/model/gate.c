/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/model/gate.h"

#include "shared/base/str.h"
#include "shared/model/failure.h"
#include "shared/model/json.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static const char *const phases[] = {
    [GATE_RUN] = "run",   [GATE_PAUSE] = "pause", [GATE_ABORT] = "abort",
    [GATE_KEEP] = "keep", [GATE_DONE] = "done",   [GATE_PHASE_COUNT] = NULL,
};

const char *gate_phase_text(enum gate_phase phase)
{
    return phases[phase];
}

int gate_phase_from_text(const char *text, enum gate_phase *ret)
{
    for (int i = 0; i < GATE_PHASE_COUNT; i++) {
        if (str_equal(text, phases[i])) {
            *ret = (enum gate_phase)i;
            return 0;
        }
    }
    return -EINVAL;
}

typedef int set_limit_f(struct gate *gate, const char *lease, int permits,
                        struct error *err);

/* {"restart":1,...} */
static void each_limit_read(const json_t *value, const char *path, struct gate *gate,
                            set_limit_f *set, struct json_mistakes *mistakes)
{
    const char *lease;
    json_t *permits;

    if (!json_is_object(value)) {
        json_mistake(mistakes, path, "expected an object such as {\"restart\":1}");
        return;
    }
    json_object_foreach ((json_t *)value, lease, permits) {
        json_int_t k = json_integer_value(permits);
        struct error err;

        if (k < 1 || k > INT_MAX)
            json_mistake(mistakes, path, "%.65s: expected a whole number, 1 or more",
                         lease);
        else if (set(gate, lease, (int)k, &err) < 0)
            json_mistake(mistakes, path, "%s", err.text);
    }
}

static void limits_read(const json_t *value, const char *path, void *field,
                        struct json_mistakes *mistakes)
{
    each_limit_read(value, path, field, gate_set_limit, mistakes);
}

static json_t *limits_write(const void *field)
{
    const struct gate *gate = field;
    json_t *limits = json_object();

    for (int i = 0; i < gate->limits_count; i++)
        (void)json_object_set_new(limits, gate->limits[i].lease,
                                  json_integer(gate->limits[i].permits));
    return limits;
}

static const struct json_custom limits_custom = {limits_read, limits_write, NULL, NULL,
                                                 NULL};

static void zone_limits_read(const json_t *value, const char *path, void *field,
                             struct json_mistakes *mistakes)
{
    each_limit_read(value, path, field, gate_set_zone_limit, mistakes);
}

static json_t *zone_limits_write(const void *field)
{
    const struct gate *gate = field;
    json_t *limits = json_object();

    for (int i = 0; i < gate->zone_limits_count; i++)
        (void)json_object_set_new(limits, gate->zone_limits[i].lease,
                                  json_integer(gate->zone_limits[i].permits));
    return limits;
}

static const struct json_custom zone_limits_custom = {
    zone_limits_read, zone_limits_write, NULL, NULL, NULL};

_Static_assert((int)GATE_WAVES_MAX >= (int)WAVES_MAX,
               "the gate counts failures of every wave");

/* "wave_failed": {"0":1,...} */
static void waves_read(const json_t *value, const char *path, void *field,
                       struct json_mistakes *mistakes)
{
    struct gate *gate = field;
    const char *name;
    json_t *count;

    if (!json_is_object(value)) {
        json_mistake(mistakes, path, "expected an object such as {\"0\":1}");
        return;
    }
    json_object_foreach ((json_t *)value, name, count) {
        json_int_t failed = json_integer_value(count);
        int64_t wave;

        if (str_to_int64(name, 0, GATE_WAVES_MAX - 1, &wave) < 0)
            json_mistake(mistakes, path, "\"%.20s\" is no wave's number", name);
        else if (failed < 1 || failed > INT_MAX)
            json_mistake(mistakes, path, "%s: expected a whole number, 1 or more",
                         name);
        else if (gate_wave_failed(gate, (int)wave) > 0)
            json_mistake(mistakes, path, "%s: stands twice", name);
        else
            gate->waves[gate->waves_count++] =
                (struct gate_wave){.wave = (int)wave, .failed = (int)failed};
    }
}

static json_t *waves_write(const void *field)
{
    const struct gate *gate = field;
    json_t *waves = json_object();
    char name[16];

    for (int i = 0; i < gate->waves_count; i++) {
        (void)snprintf(name, sizeof(name), "%d", gate->waves[i].wave);
        (void)json_object_set_new(waves, name, json_integer(gate->waves[i].failed));
    }
    return waves;
}

static const struct json_custom waves_custom = {waves_read, waves_write, NULL, NULL,
                                                NULL};

static const struct json_key keys[] = {
    {"phase", KEY_CHOICE, JSON_AT(struct gate, phase), .required = true,
     .values = phases},
    {"kept", KEY_BOOL, JSON_AT(struct gate, kept)},
    {"limits", KEY_CUSTOM, .required = true, .custom = &limits_custom},
    {"zone_limits", KEY_CUSTOM, .custom = &zone_limits_custom, .fallback = "{}"},
    {"failed", KEY_INT, JSON_AT(struct gate, failed), .required = true, .max = INT_MAX},
    {"max_failed", KEY_INT, JSON_AT(struct gate, max_failed), .required = true,
     .max = INT_MAX},
    {"wave_failed", KEY_CUSTOM, .custom = &waves_custom, .fallback = "{}"},
    {"streak.wave", KEY_INT, JSON_AT(struct gate, streak.wave), .max = INT_MAX},
    {"streak.stage", KEY_INT, JSON_AT(struct gate, streak.stage), .max = INT_MAX},
    {"streak.failed", KEY_INT, JSON_AT(struct gate, streak.failed), .max = INT_MAX},
    {"streak.arrived", KEY_INT, JSON_AT(struct gate, streak.arrived), .max = INT_MAX},
    {"reason", KEY_CHARS, JSON_AT(struct gate, reason)},
    {"by", KEY_CHARS, JSON_AT(struct gate, by)},
    {"at_ms", KEY_INT64, JSON_AT(struct gate, at_ms), .max = INT64_MAX},
    {0},
};

int gate_decode(const char *bytes, size_t len, struct gate *ret, struct error *err)
{
    struct gate gate = {0};
    int rc = json_decode(bytes, len, "gate", keys, &gate, err);

    if (rc == 0)
        *ret = gate;
    return rc;
}

char *gate_encode(const struct gate *gate)
{
    return json_encode(keys, gate);
}

int gate_zone_limit(const struct gate *gate, const char *lease)
{
    for (int i = 0; i < gate->zone_limits_count; i++) {
        if (str_equal(gate->zone_limits[i].lease, lease))
            return gate->zone_limits[i].permits;
    }
    return 0;
}

static int limit_in_zone(const struct gate *gate, const char *lease)
{
    int general = gate_zone_limit(gate, lease_of_all(lease).text);
    int own = gate_zone_limit(gate, lease);

    return own > 0 && general > 0 ? own : general;
}

int gate_limit(const struct gate *gate, const char *lease)
{
    if (lease_zone(lease))
        return limit_in_zone(gate, lease);
    for (int i = 0; i < gate->limits_count; i++) {
        if (str_equal(gate->limits[i].lease, lease))
            return gate->limits[i].permits;
    }
    return 0;
}

static int check_permits(const char *lease, int permits, struct error *err)
{
    if (permits >= 1)
        return 0;
    return error_set(err, -EINVAL,
                     "lease \"%s\": %d permits would stop everybody for ever; use 1 or "
                     "more, or pause the rollout",
                     lease, permits);
}

int gate_set_zone_limit(struct gate *gate, const char *lease, int permits,
                        struct error *err)
{
    int i = 0;

    if (lease_check(lease))
        return error_set(err, -EINVAL, "\"%.65s\" %s", lease, lease_check(lease));
    if (check_permits(lease, permits, err) < 0)
        return -EINVAL;
    while (i < gate->zone_limits_count && !str_equal(gate->zone_limits[i].lease, lease))
        i++;
    if (i == GATE_ZONE_LIMITS_MAX)
        return error_set(err, -ENOSPC, "lease \"%s\": more than %d limits of zones",
                         lease, GATE_ZONE_LIMITS_MAX);
    if (i == gate->zone_limits_count)
        gate->zone_limits_count++;
    (void)STR_COPY(gate->zone_limits[i].lease, lease);
    gate->zone_limits[i].permits = permits;
    return 0;
}

int gate_set_limit(struct gate *gate, const char *lease, int permits, struct error *err)
{
    int i = 0;

    if (!name_valid(lease))
        return error_set(err, -EINVAL, "\"%.40s\" %s", lease, name_check(lease));
    if (check_permits(lease, permits, err) < 0)
        return -EINVAL;
    while (i < gate->limits_count && !str_equal(gate->limits[i].lease, lease))
        i++;
    if (i == GATE_LIMITS_MAX)
        return error_set(err, -ENOSPC, "lease \"%s\": more than %d leases", lease,
                         GATE_LIMITS_MAX);
    if (i == gate->limits_count)
        gate->limits_count++;
    (void)STR_COPY(gate->limits[i].lease, lease);
    gate->limits[i].permits = permits;
    return 0;
}

bool gate_grants(const struct gate *gate)
{
    return gate->phase == GATE_RUN || gate->phase == GATE_KEEP;
}

/* ---- the budget of failures ---- */

static int find_wave(const struct gate *gate, int wave)
{
    int i = 0;

    while (i < gate->waves_count && gate->waves[i].wave != wave)
        i++;
    return i;
}

int gate_wave_failed(const struct gate *gate, int wave)
{
    int i = find_wave(gate, wave);

    return i < gate->waves_count ? gate->waves[i].failed : 0;
}

static void count_in_wave(struct gate *gate, int wave)
{
    int i = find_wave(gate, wave);

    if (wave < 0 || i == GATE_WAVES_MAX)
        return;
    if (i == gate->waves_count)
        gate->waves[gate->waves_count++] = (struct gate_wave){.wave = wave};
    if (gate->waves[i].failed < INT_MAX)
        gate->waves[i].failed++;
}

static bool same_streak(const struct gate *gate, int wave, int stage)
{
    const struct gate_streak *streak = &gate->streak;

    return streak->failed > 0 && streak->wave == wave && streak->stage == stage;
}

static void count_streak(struct gate *gate, const struct failure *failure)
{
    struct gate_streak *streak = &gate->streak;

    if (failure->streak_budget == 0 || failure->wave < 0)
        return;
    if (!same_streak(gate, failure->wave, failure->stage) ||
        streak->arrived != failure->arrived)
        *streak = (struct gate_streak){.wave = failure->wave, .stage = failure->stage};
    if (streak->failed < INT_MAX)
        streak->failed++;
    streak->arrived = failure->arrived + (failure->arrives ? 1 : 0);
}

static void PRINTF_LIKE(3, 4)
    pause_for(struct gate *gate, const struct failure *failure, const char *fmt, ...)
{
    char count[96];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(count, sizeof(count), fmt, args);
    va_end(args);
    gate->kept = gate->phase == GATE_KEEP;
    gate->phase = GATE_PAUSE;
    (void)snprintf(gate->reason, sizeof(gate->reason), "host %s failed (%s): %s",
                   failure->host, count, failure->why);
    (void)STR_COPY(gate->by, failure->host);
    gate->at_ms = failure->at_ms;
}

void gate_count_failure(struct gate *gate, const struct failure *failure)
{
    if (gate->failed < INT_MAX)
        gate->failed++;
    count_in_wave(gate, failure->wave);
    count_streak(gate, failure);
    if (!gate_grants(gate))
        return;
    int in_wave = gate_wave_failed(gate, failure->wave);
    if (gate->failed > gate->max_failed)
        pause_for(gate, failure, "%d failed, at most %d allowed", gate->failed,
                  gate->max_failed);
    else if (failure->wave_budget >= 0 && in_wave > failure->wave_budget)
        pause_for(gate, failure, "%d failed in wave %s, at most %d allowed", in_wave,
                  failure->wave_name, failure->wave_budget);
    else if (failure->streak_budget > 0 && gate->streak.failed > failure->streak_budget)
        pause_for(gate, failure, "%d failed in a row, at most %d allowed",
                  gate->streak.failed, failure->streak_budget);
}

void gate_uncount_failure(struct gate *gate, int wave, int stage)
{
    int i = find_wave(gate, wave);

    if (gate->failed > 0)
        gate->failed--;
    if (i < gate->waves_count && --gate->waves[i].failed <= 0)
        gate->waves[i] = gate->waves[--gate->waves_count];
    if (same_streak(gate, wave, stage))
        gate->streak.failed--;
}

/* /current: both keys or neither. */
static const struct json_key current_keys[] = {
    {"rollout", KEY_CHARS, JSON_AT(struct current, rollout), .check = rollout_id_check},
    {"phase", KEY_CHOICE, JSON_AT(struct current, phase), .values = phases,
     .fallback = "\"done\""},
    {0},
};
static const struct json_key no_keys[] = {{0}};

int current_decode(const char *bytes, size_t len, struct current *ret,
                   struct error *err)
{
    struct current current = {0};
    int rc = json_decode(bytes, len, "current", current_keys, &current, err);

    if (rc == 0)
        *ret = current;
    return rc;
}

char *current_encode(const struct current *current)
{
    return json_encode(current->rollout[0] ? current_keys : no_keys, current);
}
