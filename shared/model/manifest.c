/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/model/manifest.h"

#include "shared/base/cleanup.h"
#include "shared/base/digest.h"
#include "shared/base/mem.h"
#include "shared/model/json.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { WAVE_MAX = 1000000 };

static const struct json_key entry_keys[] = {
    {"name", KEY_CHARS, JSON_AT(struct wave_entry, name), .required = true,
     .filled = true, .check = name_check},
    {"size", KEY_INT, JSON_AT(struct wave_entry, size), .required = true, .min = 1,
     .max = WAVE_MAX},
    {0},
};

static void waves_read(const json_t *value, const char *path, void *field,
                       struct json_mistakes *mistakes)
{
    struct manifest *manifest = field;
    char entry_path[64];
    size_t i;
    json_t *item;

    if (!json_is_array(value) || json_array_size(value) > WAVES_MAX) {
        json_mistake(mistakes, path, "expected a list of at most %d waves", WAVES_MAX);
        return;
    }
    json_array_foreach (value, i, item) {
        (void)snprintf(entry_path, sizeof(entry_path), "%s[%zu]", path, i);
        json_read(item, entry_path, entry_keys,
                  &manifest->waves[manifest->waves_count++], mistakes);
    }
}

static json_t *waves_write(const void *field)
{
    const struct manifest *manifest = field;
    json_t *waves = json_array();

    for (int i = 0; i < manifest->waves_count; i++)
        (void)json_array_append_new(waves, json_write(entry_keys, &manifest->waves[i]));
    return waves;
}

static const struct json_custom waves_custom = {.read = waves_read,
                                                .write = waves_write};

static void spec_read(const json_t *value, const char *path, void *field,
                      struct json_mistakes *mistakes)
{
    struct strbuf errors = {0};
    struct error err;

    if (spec_decode(value, field, &errors, &err) != 0)
        json_mistake(mistakes, path, "%s", err.text);
    strbuf_done(&errors);
}

static json_t *spec_write(const void *field)
{
    const struct spec *spec = *(struct spec *const *)field;

    return json_deep_copy(spec->document);
}

static void spec_release(void *field)
{
    spec_free(*(struct spec **)field);
    *(struct spec **)field = NULL;
}

static const struct json_custom spec_custom = {
    .read = spec_read, .write = spec_write, .release = spec_release};

static const char *const kinds[] = {
    [ROLLOUT_INSTALL] = "install",
    [ROLLOUT_UNINSTALL] = "uninstall",
    [ROLLOUT_ROLLBACK] = "rollback",
    NULL,
};

const char *rollout_kind_text(enum rollout_kind kind)
{
    return kinds[kind];
}

bool manifest_undoes(const struct manifest *manifest)
{
    return manifest->kind != ROLLOUT_INSTALL;
}

bool manifest_manual(const struct manifest *manifest, int wave, int stage)
{
    return manifest->spec->promote_manual &&
           stage == manifest->spec->stages_count - 1 &&
           wave < manifest->waves_count - 1;
}

void manifest_turn(struct manifest *manifest)
{
    if (!manifest_undoes(manifest))
        return;
    spec_turn(manifest->spec);
    manifest->spec->adopt = false;
}

static const char *digest_check(const char *text)
{
    return digest_valid(text) ? NULL : "is no SHA-256";
}

static const struct json_key keys[] = {
    {"id", KEY_CHARS, JSON_AT(struct manifest, id), .required = true, .filled = true,
     .check = rollout_id_check},
    {"by", KEY_CHARS, JSON_AT(struct manifest, by)},
    {"why", KEY_CHARS, JSON_AT(struct manifest, why)},
    {"created_ms", KEY_INT64, JSON_AT(struct manifest, created_ms), .max = INT64_MAX},
    {"digest", KEY_CHARS, JSON_AT(struct manifest, digest), .required = true,
     .filled = true, .check = digest_check},
    {"hosts", KEY_INT, JSON_AT(struct manifest, hosts), .required = true,
     .max = WAVE_MAX},
    {"waves", KEY_CUSTOM, .required = true, .custom = &waves_custom},
    {"kind", KEY_CHOICE, JSON_AT(struct manifest, kind), .required = true,
     .values = kinds},
    {"of", KEY_CHARS, JSON_AT(struct manifest, of), .check = rollout_id_check},
    {"force", KEY_BOOL, JSON_AT(struct manifest, force)},
    {"spec", KEY_CUSTOM, JSON_AT(struct manifest, spec), .required = true,
     .custom = &spec_custom},
    {0},
};

void spec_digest(const struct spec *spec, char ret[65])
{
    _cleanup_(freep) char *text = json_line(spec->document);

    digest_bytes(text, strlen(text), ret);
}

/* The digest is of the text that was stored, whatever this program would add to it. */
static bool digest_holds(const json_t *whole)
{
    char digest[DIGEST_HEX_SIZE];
    const char *stated = json_string_value(json_object_get(whole, "digest"));
    _cleanup_(freep) char *text = json_line(json_object_get(whole, "spec"));

    if (!stated || !text)
        return false;
    digest_bytes(text, strlen(text), digest);
    return str_equal(digest, stated);
}

static void check_digest(const char *bytes, size_t len, struct json_mistakes *mistakes)
{
    _cleanup_(json_decrefp) json_t *whole = json_loadb(bytes, len, 0, NULL);

    if (!digest_holds(whole))
        json_mistake(mistakes, "digest",
                     "is not that of the spec: somebody changed one of them");
}

/* A spec that is as it was stored, and is not understood here: no hand changed it. */
static bool spec_is_newer(const char *bytes, size_t len)
{
    _cleanup_(json_decrefp) json_t *whole = json_loadb(bytes, len, 0, NULL);
    struct spec *spec = NULL;
    bool newer = digest_holds(whole) &&
                 spec_decode(json_object_get(whole, "spec"), &spec, NULL, NULL) < 0;

    spec_free(spec);
    return newer;
}

static void check_waves(const struct manifest *manifest, struct json_mistakes *mistakes)
{
    int64_t members = 0;

    for (int i = 0; i < manifest->waves_count; i++) {
        members += manifest->waves[i].size;
        for (int j = 0; j < i; j++) {
            if (str_equal(manifest->waves[i].name, manifest->waves[j].name))
                json_mistake(mistakes, "waves", "\"%s\" stands there twice",
                             manifest->waves[i].name);
        }
    }
    if (members != manifest->hosts)
        json_mistake(mistakes, "hosts", "%d, but the waves have %lld", manifest->hosts,
                     (long long)members);
}

static void check_kind(const struct manifest *manifest, struct json_mistakes *mistakes)
{
    if ((manifest->kind == ROLLOUT_ROLLBACK) != (manifest->of[0] != '\0'))
        json_mistake(mistakes, "of", "a rollback, and nothing else, is of a rollout");
}

int manifest_decode(const char *bytes, size_t len, struct manifest **ret,
                    struct error *err)
{
    struct manifest *manifest = NEW(struct manifest);
    struct json_mistakes mistakes = {0};
    int rc = json_decode(bytes, len, "manifest", keys, manifest, err);

    if (rc == -EINVAL && spec_is_newer(bytes, len))
        rc = error_set(err, -EPROTONOSUPPORT,
                       "written by a newer program: upgrade this one: %s",
                       err ? err->text : "");
    if (rc == 0) {
        check_digest(bytes, len, &mistakes);
        check_waves(manifest, &mistakes);
        check_kind(manifest, &mistakes);
        rc = json_mistakes_error(&mistakes, "manifest", err);
        json_mistakes_done(&mistakes);
    }
    if (rc < 0) {
        manifest_free(manifest);
        return rc;
    }
    manifest_turn(manifest);
    *ret = manifest;
    return 0;
}

char *manifest_encode(const struct manifest *manifest)
{
    struct manifest whole = *manifest;

    spec_digest(whole.spec, whole.digest);
    return json_encode(keys, &whole);
}

void manifest_free(struct manifest *manifest)
{
    if (!manifest)
        return;
    spec_free(manifest->spec);
    free(manifest);
}

/* /waves/<n> ------------------------------------------------------------------- */

static const struct json_key wave_keys[] = {
    {"name", KEY_CHARS, JSON_AT(struct wave, name), .required = true, .filled = true,
     .check = name_check},
    {"hosts", KEY_STRINGS, JSON_AT(struct wave, hosts), .required = true,
     .filled = true, .check = host_id_check},
    {0},
};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int check_twice(const struct strings *hosts, struct error *err)
{
    _cleanup_(freep) const char **sorted = NULL;

    if (hosts->count == 0)
        return 0;
    sorted = mem_array((size_t)hosts->count, sizeof(*sorted));
    memcpy(sorted, hosts->items, (size_t)hosts->count * sizeof(*sorted));
    qsort(sorted, (size_t)hosts->count, sizeof(*sorted), by_text);
    for (int i = 1; i < hosts->count; i++) {
        if (str_equal(sorted[i], sorted[i - 1]))
            return error_set(err, -EINVAL, "wave: hosts: \"%s\" stands there twice",
                             sorted[i]);
    }
    return 0;
}

int wave_decode(const char *bytes, size_t len, struct wave *ret, struct error *err)
{
    struct wave wave = {0};
    int rc = json_decode(bytes, len, "wave", wave_keys, &wave, err);

    if (rc < 0)
        return rc;
    rc = check_twice(&wave.hosts, err);
    if (rc < 0) {
        wave_done(&wave);
        return rc;
    }
    *ret = wave;
    return 0;
}

char *wave_encode(const struct wave *wave)
{
    return json_encode(wave_keys, wave);
}

void wave_done(struct wave *wave)
{
    strings_done(&wave->hosts);
    strings_done(&wave->zones);
}
