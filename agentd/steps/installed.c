/* installed.c - what we put on this host: <state_dir>/installed.json.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/steps/installed.h"

#include "agentd/steps/place.h"
#include "shared/base/cleanup.h"
#include "shared/base/digest.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { REGISTER_MAX_BYTES = 1 << 20 };

static char *register_path(const char *state_dir)
{
    return mem_printf("%s/installed.json", state_dir);
}

static json_t *load(const char *state_dir)
{
    _cleanup_(freep) char *path = register_path(state_dir);
    _cleanup_(freep) char *bytes = NULL;
    json_t *document = NULL;
    size_t len = 0;

    if (fs_read(path, REGISTER_MAX_BYTES, &bytes, &len, NULL) == 0)
        document = json_loadb(bytes, len, 0, NULL);
    if (json_is_object(json_object_get(document, "files")))
        return document;
    json_decref(document);
    return json_pack("{s:i,s:{}}", "v", 1, "files");
}

json_t *installed_get(const char *state_dir, const char *path)
{
    json_t *document = load(state_dir);
    json_t *entry =
        json_incref(json_object_get(json_object_get(document, "files"), path));

    json_decref(document);
    return entry;
}

int installed_set(const char *state_dir, const char *path, const json_t *entry,
                  struct error *err)
{
    _cleanup_(freep) char *file = register_path(state_dir);
    struct fs_attributes attributes = {
        .mode = 0600, .uid = geteuid(), .gid = getegid()};
    json_t *document = load(state_dir);
    json_t *files = json_object_get(document, "files");
    int r;

    if (entry)
        json_object_set_new(files, path, json_deep_copy(entry));
    else
        json_object_del(files, path);
    _cleanup_(freep) char *text = json_dumps(document, JSON_INDENT(1));
    json_decref(document);
    r = fs_mkdirs(state_dir, 0700, err);
    if (r < 0)
        return r;
    return fs_write_atomic(file, text, strlen(text), &attributes, NULL, err);
}

static void stat_text(const struct stat *st, char *dst, size_t size)
{
    (void)snprintf(dst, size, "%llu:%llu:%lld:%lld.%09ld",
                   (unsigned long long)st->st_dev, (unsigned long long)st->st_ino,
                   (long long)st->st_size, (long long)st->st_ctim.tv_sec,
                   st->st_ctim.tv_nsec);
}

/* As the file at `as` is; with its stat only where that is its place. */
static int record(const char *state_dir, const char *path, const char *as,
                  const char *url, const char *fetched, struct error *err)
{
    char sha256[DIGEST_HEX_SIZE], now[96];
    struct stat st;
    int r = digest_file(as, sha256, err);

    if (r < 0)
        return r;
    if (stat(as, &st) < 0)
        return error_set(err, -errno, "cannot look at \"%s\": %s", as, strerror(errno));
    json_t *entry =
        json_pack("{s:s,s:s,s:s}", "url", url, "fetched", fetched, "sha256", sha256);
    if (as == path) {
        stat_text(&st, now, sizeof(now));
        json_object_set_new(entry, "stat", json_string(now));
    }
    r = installed_set(state_dir, path, entry, err);
    json_decref(entry);
    return r;
}

int installed_place(const char *state_dir, const char *from, const char *path,
                    const char *url, const char *fetched, struct error *err)
{
    struct fs_attributes attributes = {
        .mode = 0755, .uid = geteuid(), .gid = getegid()};
    int r = record(state_dir, path, from, url, fetched, err);

    if (r == 0)
        r = place_file(from, path, &attributes, NULL, err);
    return r == 0 ? record(state_dir, path, path, url, fetched, err) : r;
}

static int digest_now(const char *path, const struct stat *st, const json_t *entry,
                      char ret[DIGEST_HEX_SIZE], struct error *err)
{
    const char *then = json_string_value(json_object_get(entry, "stat"));
    const char *sha256 = json_string_value(json_object_get(entry, "sha256"));
    char now[96];

    stat_text(st, now, sizeof(now));
    if (str_equal(then, now) && sha256 && str_copy(ret, DIGEST_HEX_SIZE, sha256))
        return 0;
    return digest_file(path, ret, err);
}

/* What a judge needs of an entry; the stat is ours alone. */
static json_t *recorded(const json_t *entry)
{
    json_t *copy = json_copy((json_t *)(uintptr_t)entry); /* shallow; entry unchanged */

    json_object_del(copy, "stat");
    return copy;
}

int installed_look(const char *state_dir, const char *path, json_t **ret,
                   struct error *err)
{
    json_t *entry = installed_get(state_dir, path);
    char sha256[DIGEST_HEX_SIZE], mode[8];
    struct stat st;
    int r = 0;

    if (stat(path, &st) < 0) {
        r = -errno;
        json_decref(entry);
        if (r != -ENOENT && r != -ENOTDIR)
            return error_set(err, r, "cannot look at \"%s\": %s", path, strerror(-r));
        *ret = json_pack("{s:s,s:b}", "path", path, "absent", 1);
        return 0;
    }
    r = digest_now(path, &st, entry, sha256, err);
    if (r == 0) {
        (void)snprintf(mode, sizeof(mode), "%04o", (unsigned)(st.st_mode & 07777));
        *ret = json_pack("{s:s,s:s,s:s}", "path", path, "mode", mode, "sha256", sha256);
        if (entry)
            json_object_set_new(*ret, "recorded", recorded(entry));
    }
    json_decref(entry);
    return r;
}
