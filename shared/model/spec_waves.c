/* The spec's waves: how many hosts each takes; the last size is that of all that
 * follow.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/model/spec_keys.h"

struct size_entry {
    struct share size;
};

static struct json_key size_key(const char *name)
{
    return (struct json_key){.path = name,
                             .type = KEY_SHARE,
                             JSON_AT(struct size_entry, size),
                             .max = INT32_MAX};
}

/* name: "size" or "size[2]", as mistakes say it. */
static void size_read(const json_t *value, const char *name, struct spec *spec,
                      struct json_mistakes *mistakes)
{
    const struct json_key keys[] = {size_key(name), {0}};
    struct size_entry entry;
    json_t *one = json_pack("{s:O}", name, value);

    json_read(one, "waves", keys, &entry, mistakes);
    json_decref(one);
    spec->wave_sizes[spec->wave_sizes_count++] = entry.size;
}

static void sizes_read(const json_t *value, const char *path, void *field,
                       struct json_mistakes *mistakes)
{
    struct spec *spec = field;
    char name[32];
    size_t i;
    json_t *item;

    spec->wave_sizes_count = 0;
    if (!json_is_array(value)) {
        size_read(value, "size", spec, mistakes);
        return;
    }
    if (json_array_size(value) == 0 || json_array_size(value) > SPEC_WAVE_SIZES_MAX) {
        json_mistake(mistakes, path,
                     "expected 1 to %d sizes such as [1,\"5%%\",\"10%%\"]",
                     SPEC_WAVE_SIZES_MAX);
        return;
    }
    json_array_foreach (value, i, item) {
        (void)snprintf(name, sizeof(name), "size[%zu]", i);
        size_read(item, name, spec, mistakes);
    }
}

static json_t *size_write(struct share size)
{
    const struct json_key keys[] = {size_key("size"), {0}};
    struct size_entry entry = {size};
    json_t *one = json_write(keys, &entry);
    json_t *value = json_incref(json_object_get(one, "size"));

    json_decref(one);
    return value;
}

static json_t *sizes_write(const void *field)
{
    const struct spec *spec = field;
    json_t *sizes;

    if (spec->wave_sizes_count == 1)
        return size_write(spec->wave_sizes[0]);
    sizes = json_array();
    for (int i = 0; i < spec->wave_sizes_count; i++)
        (void)json_array_append_new(sizes, size_write(spec->wave_sizes[i]));
    return sizes;
}

#define SIZE_FORMS                                                                     \
    "{\"type\":\"integer\",\"minimum\":0},"                                            \
    "{\"type\":\"string\",\"pattern\":\"^([1-9][0-9]?|100)%$\"},"                      \
    "{\"type\":\"object\",\"additionalProperties\":false,"                             \
    "\"required\":[\"percent\",\"at_least\"],\"properties\":{"                         \
    "\"percent\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100},"                \
    "\"at_least\":{\"type\":\"integer\",\"minimum\":1}}}"

const struct json_custom spec_waves_custom = {
    .read = sizes_read,
    .write = sizes_write,
    .type = "number or percentage, or a list of them",
    .schema = "{\"oneOf\":[" SIZE_FORMS ",{\"type\":\"array\",\"minItems\":1,"
              "\"maxItems\":16,\"items\":{\"oneOf\":[" SIZE_FORMS "]}}]}",
};
