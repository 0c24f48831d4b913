/* archive.c - what each rollout found on this host before it changed it.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Rollout ids begin with their time: the order of names is the order of rollouts.
 */
#include "agentd/archive.h"

#include "shared/base/cleanup.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARCHIVE_VERSION = 1, ARCHIVE_MAX_BYTES = 8 * 1024 * 1024 };

static const char suffix[] = ".json";

static char *path_of(const char *state_dir, const char *rollout)
{
    return mem_printf("%s/rollouts/%s%s", state_dir, rollout, suffix);
}

/* ---- one file ---- */

static int decode(const char *path, const char *bytes, size_t len, json_t **ret_steps,
                  struct error *err)
{
    json_error_t where;
    json_t *steps = NULL;
    const char *rollout;
    int version;
    json_t *document = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &where);

    if (!document ||
        json_unpack_ex(document, &where, 0, "{s:i, s:s, s:o !}", "v", &version,
                       "rollout", &rollout, "steps", &steps) < 0 ||
        version != ARCHIVE_VERSION || !json_is_object(steps)) {
        json_decref(document);
        return error_set(err, -EBADMSG,
                         "\"%s\" is unreadable (%s): what this host had before that "
                         "rollout is not known",
                         path, where.text);
    }
    *ret_steps = json_incref(steps);
    json_decref(document);
    return 0;
}

/* -ENOENT where there is none. */
static int load(const char *state_dir, const char *rollout, json_t **ret_steps,
                struct error *err)
{
    _cleanup_(freep) char *path = path_of(state_dir, rollout);
    _cleanup_(freep) char *bytes = NULL;
    size_t len = 0;
    int r = fs_read(path, ARCHIVE_MAX_BYTES, &bytes, &len, err);

    if (r == -ENOENT)
        return error_set(err, r, "this host has no memory of rollout %s", rollout);
    return r < 0 ? r : decode(path, bytes, len, ret_steps, err);
}

static int store(const char *state_dir, const char *rollout, json_t *steps,
                 struct error *err)
{
    struct fs_attributes attributes = {
        .mode = 0600, .uid = geteuid(), .gid = getegid()};
    _cleanup_(freep) char *dir = mem_printf("%s/rollouts", state_dir);
    _cleanup_(freep) char *path = path_of(state_dir, rollout);
    json_t *document = json_pack("{s:i,s:s,s:O}", "v", ARCHIVE_VERSION, "rollout",
                                 rollout, "steps", steps);
    _cleanup_(freep) char *text = json_dumps(document, JSON_COMPACT);

    json_decref(document);
    if (!text)
        return error_set(err, -EINVAL, "\"%s\": a text in it is not UTF-8", path);
    int r = fs_mkdirs(dir, 0700, err);
    return r < 0 ? r
                 : fs_write_atomic(path, text, strlen(text), &attributes, NULL, err);
}

/* ---- all of them, oldest first ---- */

struct names {
    struct dirent **entries;
    int count;
};

static int is_archive(const struct dirent *entry)
{
    return str_ends(entry->d_name, suffix) && entry->d_name[0] != '.';
}

static void names_done(struct names *names)
{
    for (int i = 0; i < names->count; i++)
        free(names->entries[i]);
    free(names->entries);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int list(const char *state_dir, struct names *ret, struct error *err)
{
    _cleanup_(freep) char *dir = mem_printf("%s/rollouts", state_dir);
    int count = scandir(dir, &ret->entries, is_archive, by_name);

    if (count < 0 && errno != ENOENT)
        return error_set(err, -errno, "cannot list \"%s\": %s", dir, strerror(errno));
    ret->count = count < 0 ? 0 : count;
    for (int i = 0; i < ret->count; i++) /* the name becomes the rollout's id */
        ret->entries[i]->d_name[strlen(ret->entries[i]->d_name) - strlen(suffix)] =
            '\0';
    return 0;
}

/* ---- pruning ---- */

/* Does it hold the newest memo of a step? Its steps are added to those seen. */
static bool is_last_of_some(const json_t *steps, json_t *seen)
{
    bool last = false;
    const char *step;
    json_t *memo;

    json_object_foreach ((json_t *)(uintptr_t)steps, step, memo) {
        last = last || !json_object_get(seen, step);
        json_object_set_new(seen, step, json_true());
    }
    return last;
}

static int prune(const char *state_dir, struct error *err)
{
    struct names names = {0};
    json_t *seen = json_object();
    int r = list(state_dir, &names, err);

    for (int i = names.count - 1; r == 0 && i >= 0; i--) {
        const char *rollout = names.entries[i]->d_name;
        _cleanup_(freep) char *path = path_of(state_dir, rollout);
        json_t *steps = NULL;

        if (load(state_dir, rollout, &steps, NULL) < 0)
            continue; /* left for a person to look at */
        if (!is_last_of_some(steps, seen) && names.count - i > ARCHIVE_KEPT)
            r = fs_remove(path, err);
        json_decref(steps);
    }
    json_decref(seen);
    names_done(&names);
    return r;
}

/* ---- a visit has ended ---- */

static json_t *kept_part(const json_t *memo)
{
    json_t *kept = json_object(), *wrote = json_object_get(memo, "wrote");

    json_object_set(kept, "before", json_object_get(memo, "before"));
    if (wrote)
        json_object_set(kept, "wrote", wrote);
    return kept;
}

/* Each by itself: one that was right at first may have been written by a later visit.
 */
static void add_settings(json_t *before, const json_t *later)
{
    static const char settings[] = "sysctls";

    (void)json_object_update_missing(json_object_get(before, settings),
                                     json_object_get(later, settings));
}

static void take_over(json_t *steps, const char *step, const json_t *memo)
{
    json_t *old = json_object_get(steps, step);
    json_t *kept = kept_part(memo);

    if (old) {
        json_t *before = json_deep_copy(json_object_get(old, "before"));
        add_settings(before, json_object_get(memo, "before"));
        json_object_set_new(kept, "before", before);
    }
    json_object_set_new(steps, step, kept);
}

int archive_add(const char *state_dir, const char *rollout, const json_t *steps,
                struct error *err)
{
    const char *step;
    json_t *all = NULL, *memo;
    int r = load(state_dir, rollout, &all, err);

    if (r == -ENOENT) {
        all = json_object();
        r = 0;
    }
    if (r < 0)
        return r;
    json_object_foreach ((json_t *)(uintptr_t)steps, step, memo)
        take_over(all, step, memo);
    r = store(state_dir, rollout, all, err);
    json_decref(all);
    return r < 0 ? r : prune(state_dir, err);
}

/* ---- taking back ---- */

/* Which rollout after that one changed the step as the last? "" = none. */
static int last_after(const char *state_dir, const char *rollout, const char *step,
                      char ret[ROLLOUT_ID_SIZE], struct error *err)
{
    struct names names = {0};
    int r = list(state_dir, &names, err);

    ret[0] = '\0';
    for (int i = 0; r == 0 && i < names.count; i++) {
        const char *other = names.entries[i]->d_name;
        json_t *steps = NULL;

        if (strcmp(other, rollout) <= 0)
            continue;
        r = load(state_dir, other, &steps, err);
        if (r == 0 && json_object_get(steps, step))
            (void)str_copy(ret, ROLLOUT_ID_SIZE, other);
        json_decref(steps);
    }
    names_done(&names);
    return r;
}

int archive_find(const char *state_dir, const char *rollout, const char *step,
                 bool force, json_t **ret, struct error *err)
{
    char later[ROLLOUT_ID_SIZE] = "";
    json_t *steps = NULL;
    int r = load(state_dir, rollout, &steps, err);

    if (r < 0)
        return r;
    json_t *memo = json_incref(json_object_get(steps, step));
    json_decref(steps);
    r = memo && !force ? last_after(state_dir, rollout, step, later, err) : 0;
    if (r == 0 && memo && later[0])
        r = error_set(err, -EBUSY,
                      "rollout %s changed it after %s: roll that one back first", later,
                      rollout);
    if (r < 0)
        json_decref(memo);
    else
        *ret = memo;
    return r;
}

int archive_forget(const char *state_dir, const char *rollout, const char *step,
                   struct error *err)
{
    json_t *steps = NULL;
    int r = load(state_dir, rollout, &steps, err);

    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return r;
    if (json_object_del(steps, step) == 0)
        r = store(state_dir, rollout, steps, err);
    json_decref(steps);
    return r;
}

static void add_later(json_t *whole, const json_t *memo)
{
    json_t *wrote = json_object_get(memo, "wrote");

    add_settings(json_object_get(whole, "before"), json_object_get(memo, "before"));
    (void)json_object_update_missing(json_object_get(whole, "before"),
                                     json_object_get(memo, "before"));
    if (wrote)
        json_object_set(whole, "wrote", wrote);
}

/* Of one thing only one place is put back. */
static int check_places(const json_t *whole, const json_t *memo, const char *rollout,
                        struct error *err)
{
    const json_t *before = json_object_get(whole, "before");
    const char *key;
    json_t *later;

    json_object_foreach (json_object_get(memo, "before"), key, later) {
        const json_t *first = json_object_get(json_object_get(before, key), "path");
        const json_t *then = json_object_get(later, "path");

        if (json_is_string(first) && json_is_string(then) && !json_equal(first, then))
            return error_set(err, -EBUSY,
                             "rollout %s put \"%s\" beside \"%s\": roll that one back "
                             "first",
                             rollout, json_string_value(then),
                             json_string_value(first));
    }
    return 0;
}

int archive_whole(const char *state_dir, const char *since, const char *step,
                  const json_t *baseline, bool force, json_t **ret, struct error *err)
{
    json_t *whole = json_object();
    struct names names = {0};
    int r = list(state_dir, &names, err);

    json_object_set_new(whole, "before",
                        json_deep_copy(json_object_get(baseline, "before")));
    for (int i = 0; r == 0 && i < names.count; i++) {
        json_t *steps = NULL;

        if (strcmp(names.entries[i]->d_name, since) < 0)
            continue;
        r = load(state_dir, names.entries[i]->d_name, &steps, err);
        if (r == 0 && !force)
            r = check_places(whole, json_object_get(steps, step),
                             names.entries[i]->d_name, err);
        if (r == 0 && json_object_get(steps, step))
            add_later(whole, json_object_get(steps, step));
        json_decref(steps);
    }
    names_done(&names);
    if (r < 0)
        json_decref(whole);
    else
        *ret = whole;
    return r;
}
