/* backup.c - the exact state of a file, to be put back: bytes, mode, owner, absence.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/steps/backup.h"

#include "agentd/steps/place.h"
#include "shared/base/cleanup.h"
#include "shared/base/digest.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_MAX_BYTES = 1 << 20 };

static const char *text(const json_t *entry, const char *key)
{
    const char *s = json_string_value(json_object_get(entry, key));

    return s ? s : "";
}

static bool absent(const json_t *entry)
{
    return json_is_true(json_object_get(entry, "absent"));
}

static char *kept_at(const char *state_dir, const char *sha256)
{
    return mem_printf("%s/backup/%s", state_dir, sha256);
}

/* The file as an entry, without keeping its bytes. */
static int look(const char *path, json_t **ret, struct error *err)
{
    char link[PATH_MAX], mode[8], sha256[DIGEST_HEX_SIZE];
    json_t *entry;
    struct stat st;
    ssize_t len;
    int r;

    entry = json_pack("{s:s}", "path", path);
    len = readlink(path, link, sizeof(link) - 1);
    if (len >= 0) {
        link[len] = '\0';
        json_object_set_new(entry, "link", json_string(link));
    }
    if (stat(path, &st) < 0) {
        r = -errno;
        if (r == -ENOENT || r == -ENOTDIR) {
            json_object_set_new(entry, "absent", json_true());
            *ret = entry;
            return 0;
        }
        json_decref(entry);
        return error_set(err, r, "cannot look at \"%s\": %s", path, strerror(-r));
    }
    r = S_ISREG(st.st_mode) ? digest_file(path, sha256, err)
                            : error_set(err, -EISDIR, "\"%s\" is no file", path);
    if (r < 0) {
        json_decref(entry);
        return r;
    }
    (void)snprintf(mode, sizeof(mode), "%04o", (unsigned)(st.st_mode & 07777));
    json_object_set_new(entry, "sha256", json_string(sha256));
    json_object_set_new(entry, "mode", json_string(mode));
    json_object_set_new(entry, "uid", json_integer(st.st_uid));
    json_object_set_new(entry, "gid", json_integer(st.st_gid));
    *ret = entry;
    return 0;
}

static int keep(const char *state_dir, const char *path, const char *sha256,
                struct error *err)
{
    struct fs_attributes private = {.mode = 0600, .uid = geteuid(), .gid = getegid()};
    _cleanup_(freep) char *dir = mem_printf("%s/backup", state_dir);
    _cleanup_(freep) char *to = kept_at(state_dir, sha256);
    char copied[DIGEST_HEX_SIZE];
    int r;

    r = fs_mkdirs(dir, 0700, err);
    if (r < 0)
        return r;
    r = place_file(path, to, &private, NULL, err);
    if (r < 0)
        return r;
    r = digest_file(to, copied, err);
    if (r < 0)
        return r;
    if (!str_equal(copied, sha256))
        return error_set(err, -EBUSY, "\"%s\" changed while it was backed up", path);
    return 0;
}

int backup_take(const char *state_dir, const char *path, json_t **ret_entry,
                struct error *err)
{
    json_t *entry = NULL;
    int r = look(path, &entry, err);

    if (r == 0 && !absent(entry))
        r = keep(state_dir, path, text(entry, "sha256"), err);
    if (r < 0) {
        json_decref(entry);
        return error_context(err, r, "cannot back up");
    }
    *ret_entry = entry;
    return 0;
}

int backup_with(const char *state_dir, const char *path, const char *text,
                json_t **ret_entry, struct error *err)
{
    struct fs_attributes private = {.mode = 0600, .uid = geteuid(), .gid = getegid()};
    _cleanup_(freep) char *dir = mem_printf("%s/backup", state_dir);
    char sha256[DIGEST_HEX_SIZE];
    json_t *entry = NULL;
    int r;

    if (!text) {
        *ret_entry = json_pack("{s:s,s:b}", "path", path, "absent", 1);
        return 0;
    }
    digest_bytes(text, strlen(text), sha256);
    _cleanup_(freep) char *to = kept_at(state_dir, sha256);
    r = look(path, &entry, err);
    if (r == 0)
        r = fs_mkdirs(dir, 0700, err);
    if (r == 0)
        r = fs_write_atomic(to, text, strlen(text), &private, NULL, err);
    if (r < 0) {
        json_decref(entry);
        return r;
    }
    json_object_set_new(entry, "sha256", json_string(sha256));
    *ret_entry = entry;
    return 0;
}

int backup_read(const char *state_dir, const json_t *entry, char **ret_bytes,
                size_t *ret_len, struct error *err)
{
    if (absent(entry)) {
        *ret_bytes = mem_strdup("");
        *ret_len = 0;
        return 0;
    }
    _cleanup_(freep) char *from = kept_at(state_dir, text(entry, "sha256"));
    return fs_read(from, READ_MAX_BYTES, ret_bytes, ret_len, err);
}

int backup_matches(const json_t *entry, bool *ret, struct error *err)
{
    json_t *now = NULL;
    int r = look(text(entry, "path"), &now, err);

    if (r < 0)
        return r;
    *ret = json_equal(entry, now);
    json_decref(now);
    return 0;
}

/* Puts the symlink itself back where it is another one now. */
static int restore_link(const json_t *entry, struct error *err)
{
    const char *path = text(entry, "path"), *link = text(entry, "link");
    char now[PATH_MAX];
    ssize_t len = readlink(path, now, sizeof(now) - 1);

    if (len >= 0)
        now[len] = '\0';
    if (!*link || (len >= 0 && str_equal(now, link)))
        return 0;
    _cleanup_(freep) char *dir = place_directory(path);
    const char *slash = strrchr(path, '/');
    _cleanup_(freep) char *temp =
        mem_printf("%s/.clowder-link-%.200s", dir, slash ? slash + 1 : path);
    (void)unlink(temp); /* of a crash before */
    if (symlink(link, temp) < 0 || rename(temp, path) < 0) {
        int r = -errno;

        (void)unlink(temp);
        return error_set(err, r, "cannot restore the symlink \"%s\": %s", path,
                         strerror(-r));
    }
    return 0;
}

static int restore_bytes(const char *state_dir, const json_t *entry,
                         const char *stage_dir, struct error *err)
{
    const char *sha256 = text(entry, "sha256");
    _cleanup_(freep) char *from = kept_at(state_dir, sha256);
    struct fs_attributes attributes = {
        .mode = (mode_t)strtoul(text(entry, "mode"), NULL, 8),
        .uid = (uid_t)json_integer_value(json_object_get(entry, "uid")),
        .gid = (gid_t)json_integer_value(json_object_get(entry, "gid")),
    };
    char kept[DIGEST_HEX_SIZE];
    int r = digest_file(from, kept, err);

    if (r < 0)
        return r;
    if (!str_equal(kept, sha256))
        return error_set(err, -EBADMSG, "the backup \"%s\" is damaged", from);
    return place_file(from, text(entry, "path"), &attributes, stage_dir, err);
}

static int remove_made(const json_t *entry, struct error *err)
{
    const char *path = text(entry, "path");
    _cleanup_(freep) char *resolved = realpath(path, NULL);

    /* of a dangling symlink we made only the target */
    if (*text(entry, "link"))
        return resolved ? fs_remove(resolved, err) : 0;
    return fs_remove(path, err);
}

static int changed_since(const json_t *entry, const char *ours, bool *ret_as_before,
                         struct error *err)
{
    const char *path = text(entry, "path");
    json_t *now = NULL;
    int r = look(path, &now, err);

    if (r < 0)
        return r;
    *ret_as_before = json_equal(entry, now);
    if (!*ret_as_before && ours && !absent(now) &&
        !str_equal(text(now, "sha256"), ours) &&
        !str_equal(text(now, "sha256"), text(entry, "sha256")))
        r = error_set(err, -ESTALE,
                      "\"%s\" was changed by somebody since clowder wrote it: "
                      "restore it by hand, or use --force",
                      path);
    json_decref(now);
    return r;
}

int backup_check(const json_t *entry, const char *ours, struct error *err)
{
    bool as_before;

    return changed_since(entry, ours, &as_before, err);
}

int backup_restore(const char *state_dir, const json_t *entry, const char *ours,
                   const char *stage_dir, struct error *err)
{
    bool as_before = false;
    int r = changed_since(entry, ours, &as_before, err);

    if (r < 0 || as_before)
        return r;
    if (absent(entry))
        return remove_made(entry, err);
    r = restore_link(entry, err);
    if (r < 0)
        return r;
    return restore_bytes(state_dir, entry, stage_dir, err);
}

json_t *backup_missing_dirs(const char *path)
{
    json_t *dirs = json_array();
    _cleanup_(freep) char *at = mem_strdup(path);
    size_t len = strlen(at);

    while (len > 1 && at[len - 1] == '/')
        at[--len] = '\0';
    while (at[0] == '/' && at[1] && access(at, F_OK) < 0) {
        char *up = place_directory(at);

        json_array_insert_new(dirs, 0, json_string(at));
        free(at);
        at = up;
    }
    return dirs;
}

void backup_remove_dirs(const json_t *dirs)
{
    for (size_t i = json_array_size(dirs); i-- > 0;) {
        const char *dir = json_string_value(json_array_get(dirs, i));

        if (dir)
            (void)rmdir(dir); /* somebody's files in it keep it */
    }
}
