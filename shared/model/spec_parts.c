/* The spec's stages and leases.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/model/spec_keys.h"

#include <stdlib.h>
#include <string.h>

struct stage_entry { /* a stage as it is written */
    char name[NAME_SIZE];
    struct strings steps;
    char lease[NAME_SIZE];
};
static const struct json_key stage_keys[] = {
    {"name", KEY_CHARS, JSON_AT(struct stage_entry, name), .required = true,
     .filled = true, .check = name_check},
    {"steps", KEY_STRINGS, JSON_AT(struct stage_entry, steps), .required = true,
     .filled = true, .values = spec_step_names},
    {"lease", KEY_CHARS, JSON_AT(struct stage_entry, lease), .filled = true,
     .fallback = "\"install\"", .check = name_check},
    {0},
};

static void stage_read(const json_t *value, const char *path, struct spec_stage *stage,
                       struct json_mistakes *mistakes)
{
    struct stage_entry entry;

    json_read(value, path, stage_keys, &entry, mistakes);
    (void)STR_COPY(stage->name, entry.name);
    (void)STR_COPY(stage->lease, entry.lease);
    stage->steps_count = 0;
    for (int i = 0; i < entry.steps.count && i < STEP_COUNT; i++) {
        int id = step_from_name(entry.steps.items[i]);

        if (id >= 0)
            stage->steps[stage->steps_count++] = (enum step_id)id;
    }
    if (entry.steps.count > STEP_COUNT)
        json_mistake(mistakes, path, "there are %d steps only", STEP_COUNT);
    json_release(stage_keys, &entry);
}

static void stages_read(const json_t *value, const char *path, void *field,
                        struct json_mistakes *mistakes)
{
    struct spec *spec = field;
    char stage_path[64];
    size_t i;
    json_t *item;

    spec->stages_count = 0;
    if (!json_is_array(value)) {
        json_mistake(mistakes, path,
                     "expected a list such as [{\"name\":\"proxy\",\"steps\":"
                     "[\"etcd-proxy\"],\"lease\":\"install\"}]");
        return;
    }
    if (json_array_size(value) > SPEC_STAGES_MAX) {
        json_mistake(mistakes, path, "more than %d stages", SPEC_STAGES_MAX);
        return;
    }
    json_array_foreach (value, i, item) {
        (void)snprintf(stage_path, sizeof(stage_path), "%s[%zu]", path, i);
        stage_read(item, stage_path, &spec->stages[spec->stages_count++], mistakes);
    }
}

static json_t *stages_write(const void *field)
{
    const struct spec *spec = field;
    json_t *stages = json_array();

    for (int i = 0; i < spec->stages_count; i++) {
        const struct spec_stage *stage = &spec->stages[i];
        struct stage_entry entry = {0};

        (void)STR_COPY(entry.name, stage->name);
        (void)STR_COPY(entry.lease, stage->lease);
        for (int j = 0; j < stage->steps_count; j++)
            strings_add(&entry.steps, step_name(stage->steps[j]));
        (void)json_array_append_new(stages, json_write(stage_keys, &entry));
        json_release(stage_keys, &entry);
    }
    return stages;
}

#define SHARE_SCHEMA                                                                   \
    "{\"oneOf\":[{\"type\":\"integer\",\"minimum\":1},"                                \
    "{\"type\":\"string\",\"pattern\":\"^([1-9][0-9]?|100)%$\"},"                      \
    "{\"type\":\"object\",\"additionalProperties\":false,"                             \
    "\"required\":[\"percent\",\"at_least\"],\"properties\":{"                         \
    "\"percent\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100},"                \
    "\"at_least\":{\"type\":\"integer\",\"minimum\":1}}}]}"

const struct json_custom spec_stages_custom = {
    .read = stages_read,
    .write = stages_write,
    .type = "list of stages",
    .schema = "{\"type\":\"array\",\"maxItems\":8,\"items\":{\"type\":\"object\","
              "\"additionalProperties\":false,\"required\":[\"name\",\"steps\"],"
              "\"properties\":{"
              "\"name\":{\"type\":\"string\",\"pattern\":\"^[a-z0-9-]{1,32}$\"},"
              "\"steps\":{\"type\":\"array\",\"items\":{\"enum\":[\"etcd-proxy\","
              "\"docker-cluster-store\",\"cni\",\"libnetwork\",\"node\"]}},"
              "\"lease\":{\"type\":\"string\",\"pattern\":\"^[a-z0-9-]{1,32}$\","
              "\"default\":\"install\"}}}}",
};

/* Leases --------------------------------------------------------------------- */

struct lease_entry {
    struct share permits;
};
/* A table of one key: the lease's name. */
static void lease_keys(const char *name, struct json_key ret[2])
{
    ret[0] = (struct json_key){.path = name,
                               .type = KEY_SHARE,
                               JSON_AT(struct lease_entry, permits),
                               .min = 1,
                               .max = SPEC_PERMITS_MAX};
    ret[1] = (struct json_key){0};
}

static bool lease_known(const struct spec *spec, const char *name)
{
    struct share permits = spec_permits(spec, name);

    return permits.number != 0 || permits.percent != 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct spec_lease *)a)->name,
                  ((const struct spec_lease *)b)->name);
}

static struct spec_lease *lease_add(struct spec *spec, const char *name,
                                    struct share permits)
{
    struct spec_lease *lease = &spec->leases[spec->leases_count++];

    (void)STR_COPY(lease->name, name);
    lease->permits = permits;
    return lease;
}

static void leases_read(const json_t *value, const char *path, void *field,
                        struct json_mistakes *mistakes)
{
    struct spec *spec = field;
    const char *name;
    json_t *permits;

    spec->leases_count = 0;
    if (!json_is_object(value)) {
        json_mistake(mistakes, path, "expected an object such as {\"restart\":1}");
        return;
    }
    json_object_foreach ((json_t *)value, name, permits) {
        struct lease_entry entry = {{0}};
        struct json_key keys[2];
        json_t *one;

        if (!name_valid(name)) {
            json_mistake(mistakes, path, "\"%.40s\" %s", name, name_check(name));
            continue;
        }
        if (spec->leases_count == SPEC_LEASES_MAX - 2) {
            json_mistake(mistakes, path, "more than %d leases", SPEC_LEASES_MAX - 2);
            return;
        }
        one = json_pack("{s:O}", name, permits);
        lease_keys(name, keys);
        json_read(one, path, keys, &entry, mistakes);
        json_decref(one);
        (void)lease_add(spec, name, entry.permits);
    }
    if (!lease_known(spec, "restart"))
        (void)lease_add(spec, "restart", (struct share){.number = 1});
    if (!lease_known(spec, "install"))
        (void)lease_add(spec, "install", (struct share){.percent = 10, .at_least = 10});
    /* An object has no order: one text for the same leases. */
    qsort(spec->leases, (size_t)spec->leases_count, sizeof(spec->leases[0]), by_name);
}

static json_t *leases_write(const void *field)
{
    const struct spec *spec = field;
    json_t *leases = json_object();

    for (int i = 0; i < spec->leases_count; i++) {
        const struct spec_lease *lease = &spec->leases[i];
        struct lease_entry entry = {lease->permits};
        struct json_key keys[2];
        json_t *one;

        lease_keys(lease->name, keys);
        one = json_write(keys, &entry);
        (void)json_object_update(leases, one);
        json_decref(one);
    }
    return leases;
}

const struct json_custom spec_leases_custom = {
    .read = leases_read,
    .write = leases_write,
    .type = "object of numbers or percentages",
    .schema = "{\"type\":\"object\",\"maxProperties\":14,"
              "\"propertyNames\":{\"pattern\":\"^[a-z0-9-]{1,32}$\"},"
              "\"additionalProperties\":" SHARE_SCHEMA "}",
};
