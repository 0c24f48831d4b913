/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/model/record.h"

#include "shared/base/str.h"
#include "shared/model/json.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static const char *const host_states[] = {
    [HOST_IDLE] = "idle",         [HOST_WAITING] = "waiting",
    [HOST_HOLDING] = "holding",   [HOST_DONE] = "done",
    [HOST_FAILED] = "failed",     [HOST_LOST] = "lost",
    [HOST_EXCLUDED] = "excluded", [HOST_STATE_COUNT] = NULL,
};

static const char *const step_states[] = {
    [STEP_PENDING] = "pending",   [STEP_RUNNING] = "running",
    [STEP_ALREADY] = "already",   [STEP_PROVED] = "proved",
    [STEP_FAILED] = "failed",     [STEP_REVERTED] = "reverted",
    [STEP_DISABLED] = "disabled", [STEP_DRIFTED] = "drifted",
    [STEP_STATE_COUNT] = NULL,
};

static const char *const drifts[] = {
    [RECORD_STEADY] = "none",
    [RECORD_DRIFTED] = "seen",
    [RECORD_REPAIRING] = "repairing",
    [RECORD_DRIFT_COUNT] = NULL,
};

const char *host_state_text(enum host_state state)
{
    return host_states[state];
}

const char *step_state_text(enum step_state state)
{
    return step_states[state];
}

const char *record_drift_text(enum record_drift drift)
{
    return drifts[drift];
}

static const struct json_key step_keys[] = {
    {"state", KEY_CHOICE, JSON_AT(struct step_record, state), .required = true,
     .values = step_states},
    {"ms", KEY_INT64, JSON_AT(struct step_record, took_ms), .max = INT64_MAX},
    {"says", KEY_CHARS, JSON_AT(struct step_record, says)},
    {"by", KEY_CHARS, JSON_AT(struct step_record, by)},
    {0},
};

static void steps_read(const json_t *value, const char *path, void *field,
                       struct json_mistakes *mistakes)
{
    struct record *record = field;
    const char *name;
    json_t *entry;

    if (!json_is_object(value)) {
        json_mistake(mistakes, path, "expected an object of steps");
        return;
    }
    json_object_foreach ((json_t *)value, name, entry) {
        struct step_record *step = name_valid(name) ? record_step(record, name) : NULL;
        char step_path[2 * NAME_SIZE];

        if (!step) {
            json_mistake(mistakes, path,
                         "\"%.40s\" is no step's name, or one of more "
                         "than %d steps",
                         name, RECORD_STEPS_MAX);
            return;
        }
        (void)snprintf(step_path, sizeof(step_path), "%s.%s", path, name);
        json_read(entry, step_path, step_keys, step, mistakes);
    }
}

static json_t *steps_write(const void *field)
{
    const struct record *record = field;
    json_t *steps = json_object();

    for (int i = 0; i < record->steps_count; i++)
        (void)json_object_set_new(steps, record->steps[i].name,
                                  json_write(step_keys, &record->steps[i]));
    return steps;
}

static const struct json_custom steps_custom = {steps_read, steps_write, NULL, NULL,
                                                NULL};

static const struct json_key keys[] = {
    {"state", KEY_CHOICE, JSON_AT(struct record, state), .required = true,
     .values = host_states},
    {"wave", KEY_INT, JSON_AT(struct record, wave), .required = true, .min = -1,
     .max = 1000000},
    {"stage", KEY_CHARS, JSON_AT(struct record, stage), .check = name_check},
    {"stages_done", KEY_INT, JSON_AT(struct record, stages_done), .required = true,
     .max = 1000},
    {"step", KEY_CHARS, JSON_AT(struct record, step), .check = name_check},
    {"doing", KEY_CHARS, JSON_AT(struct record, doing)},
    {"zone", KEY_CHARS, JSON_AT(struct record, zone), .check = name_check},
    {"lease", KEY_CHARS, JSON_AT(struct record, lease), .check = lease_check},
    {"permit", KEY_INT, JSON_AT(struct record, permit), .required = true, .min = -1,
     .max = INT_MAX},
    {"zone_permit", KEY_INT, JSON_AT(struct record, zone_permit), .min = -1,
     .max = INT_MAX, .fallback = "-1"},
    {"token", KEY_INT64, JSON_AT(struct record, token), .max = INT64_MAX},
    {"attempt", KEY_INT, JSON_AT(struct record, attempt), .max = INT_MAX},
    {"since_ms", KEY_INT64, JSON_AT(struct record, since_ms), .max = INT64_MAX},
    {"steps", KEY_CUSTOM, .custom = &steps_custom},
    {"error", KEY_CHARS, JSON_AT(struct record, error)},
    {"healthy", KEY_BOOL, JSON_AT(struct record, healthy)},
    {"retried", KEY_BOOL, JSON_AT(struct record, retried)},
    {"disrupted", KEY_BOOL, JSON_AT(struct record, disrupted)},
    {"by", KEY_CHARS, JSON_AT(struct record, by)},
    {"by_ms", KEY_INT64, JSON_AT(struct record, by_ms), .max = INT64_MAX},
    {"drift", KEY_CHOICE, JSON_AT(struct record, drift), .values = drifts,
     .fallback = "\"none\""},
    {"repairs", KEY_INT, JSON_AT(struct record, repairs), .max = INT_MAX},
    {"repaired_ms", KEY_INT64, JSON_AT(struct record, repaired_ms), .max = INT64_MAX},
    {0},
};

void record_init(struct record *record, int wave)
{
    *record = (struct record){.wave = wave, .permit = -1, .zone_permit = -1};
}

/* A zone's permit is of the record's lease: a host that waits for one has none yet. */
static int check_zone_permit(const struct record *record, struct error *err)
{
    bool may_hold = record->permit >= 0 || record->state == HOST_WAITING ||
                    record->state == HOST_LOST;
    bool in_zone = lease_zone(record->lease) != NULL;

    if (record->zone_permit >= 0 && !may_hold)
        return error_set(err, -EINVAL,
                         "record: zone_permit: a host that is %s has none",
                         host_state_text(record->state));
    if (in_zone && (record->zone_permit >= 0 || record->permit >= 0))
        return error_set(err, -EINVAL,
                         "record: lease: is \"%s\", and a permit of it is held",
                         record->lease);
    return 0;
}

/* What the transactions rely on: a permit where one must be, and none elsewhere. A host
 * may be lost while it has its zone's alone. */
static int check_permit(const struct record *record, struct error *err)
{
    const char *state = host_state_text(record->state);
    bool holds = record->state == HOST_HOLDING ||
                 (record->state == HOST_LOST && record->zone_permit < 0);
    bool may_hold = record->state == HOST_HOLDING || record->state == HOST_LOST ||
                    record->state == HOST_FAILED;

    if (holds && record->permit < 0)
        return error_set(err, -EINVAL, "record: permit: a host that is %s has one",
                         state);
    if (!may_hold && record->permit >= 0)
        return error_set(err, -EINVAL, "record: permit: a host that is %s has none",
                         state);
    if ((record_keeps_permit(record) || record->state == HOST_WAITING) &&
        !record->lease[0])
        return error_set(err, -EINVAL, "record: lease: is missing for state %s", state);
    return check_zone_permit(record, err);
}

/* Done and at work again exclude each other; who is out is counted nowhere else. */
static int check_drift(const struct record *record, struct error *err)
{
    bool done = record->state == HOST_DONE;
    bool out = record->state == HOST_EXCLUDED;

    if ((record->drift == RECORD_DRIFTED && !done) ||
        (record->drift == RECORD_REPAIRING && (done || out)))
        return error_set(err, -EINVAL,
                         "record: drift: a host that is %s has not \"%s\"",
                         host_state_text(record->state), drifts[record->drift]);
    return 0;
}

int record_decode(const char *bytes, size_t len, struct record *ret, struct error *err)
{
    struct record record = {0};
    int rc = json_decode(bytes, len, "record", keys, &record, err);

    if (rc == 0)
        rc = check_permit(&record, err);
    if (rc == 0)
        rc = check_drift(&record, err);
    if (rc == 0)
        *ret = record;
    return rc;
}

char *record_encode(const struct record *record)
{
    return json_encode(keys, record);
}

struct step_record *record_step(struct record *record, const char *name)
{
    struct step_record *step;

    for (int i = 0; i < record->steps_count; i++) {
        if (str_equal(record->steps[i].name, name))
            return &record->steps[i];
    }
    if (record->steps_count == RECORD_STEPS_MAX)
        return NULL;
    step = &record->steps[record->steps_count++];
    *step = (struct step_record){0};
    (void)STR_COPY(step->name, name);
    return step;
}

int record_drifted_steps(const struct record *record)
{
    int count = 0;

    for (int i = 0; i < record->steps_count; i++)
        count += record->steps[i].state == STEP_DRIFTED;
    return count;
}

/* Each drifted step by name, behind one another; what was seen where it is asked for.
 */
static void list_drifted(const struct record *record, const char *between, bool says,
                         char *dst, size_t size)
{
    struct strbuf text = {0};

    for (int i = 0; i < record->steps_count; i++) {
        const struct step_record *step = &record->steps[i];

        if (step->state == STEP_DRIFTED)
            strbuf_addf(&text, "%s%s%s%s", text.len ? between : "", step->name,
                        says ? ": " : "", says ? step->says : "");
    }
    (void)str_copy(dst, size, text.text ? text.text : "");
    strbuf_done(&text);
}

void record_drifted_names(const struct record *record, char *dst, size_t size)
{
    list_drifted(record, ", ", false, dst, size);
}

void record_drifted_says(const struct record *record, char *dst, size_t size)
{
    list_drifted(record, "; ", true, dst, size);
}

bool record_step_drifted(const struct record *record, const char *name)
{
    for (int i = 0; i < record->steps_count; i++)
        if (str_equal(record->steps[i].name, name))
            return record->steps[i].state == STEP_DRIFTED;
    return false;
}

bool record_retrying(const struct record *record)
{
    switch (record->state) {
    case HOST_IDLE:
    case HOST_WAITING:
    case HOST_HOLDING:
    case HOST_LOST:
        return record->retried && record->wave >= 0;
    case HOST_DONE:
    case HOST_FAILED:
    case HOST_EXCLUDED:
        return false;
    }
    return false;
}

/* A repair begins again at attempt 0, of the first stage perhaps. */
bool record_visited(const struct record *record)
{
    return record->attempt > 0 || record->stages_done > 0 ||
           record->drift != RECORD_STEADY || record->repairs > 0;
}

bool record_keeps_permit(const struct record *record)
{
    return record->permit >= 0 || record->zone_permit >= 0;
}

struct lease_name record_zone_lease(const struct record *record)
{
    return lease_in_zone(record->lease, record->zone);
}

bool record_terminal(const struct record *record)
{
    switch (record->state) {
    case HOST_IDLE:
    case HOST_WAITING:
    case HOST_HOLDING:
        return false;
    case HOST_DONE:
    case HOST_FAILED:
    case HOST_LOST:
    case HOST_EXCLUDED:
        return true;
    }
    return true;
}
