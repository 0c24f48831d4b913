/* unpack.c - one program out of a downloaded archive, by tar.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/steps/unpack.h"

#include "shared/base/cleanup.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 6 };

bool unpack_needed(const char *url)
{
    static const char *const ends[] = {".tar.gz", ".tgz", ".tar", ".tar.xz"};
    _cleanup_(freep) char *path = mem_strndup(url, strcspn(url, "?#"));

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (str_ends(path, ends[i]))
            return true;
    }
    return false;
}

static char *directory(const struct worker *w)
{
    return mem_printf("%s/unpack", w->step.env->state_dir);
}

enum flow_verdict unpack_start(struct worker *w, struct flow *flow, const char *archive,
                               const char *program, struct error *err)
{
    _cleanup_(freep) char *dir = directory(w);
    _cleanup_(freep) char *pattern = mem_printf("*%s", program);
    const char *argv[] = {"tar",         "-xf",   archive, "-C", dir, "--no-same-owner",
                          "--wildcards", pattern, NULL};

    if (fs_remove_tree(dir, err) < 0 || fs_mkdirs(dir, 0700, err) < 0)
        return worker_failed(err);
    return worker_run(w, flow, argv, NULL, NULL, err);
}

static char *find(const char *dir, const char *program, int depth)
{
    struct dirent *entry;
    char *found = NULL;
    DIR *stream = opendir(dir);

    while (stream && !found && (entry = readdir(stream))) {
        _cleanup_(freep) char *path = mem_printf("%s/%s", dir, entry->d_name);
        struct stat st;

        if (entry->d_name[0] == '.' || lstat(path, &st) < 0)
            continue;
        if (S_ISREG(st.st_mode) && str_equal(entry->d_name, program))
            found = take_ptr(path);
        else if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
            found = find(path, program, depth + 1);
    }
    if (stream)
        (void)closedir(stream);
    return found;
}

int unpack_find(struct worker *w, const char *program, char **ret_path,
                struct error *err)
{
    _cleanup_(freep) char *dir = directory(w);
    char *path = find(dir, program, 0);

    if (!path)
        return error_set(err, -ENOENT, "the archive holds no file \"%s\"", program);
    *ret_path = path;
    return 0;
}

int unpack_clean(struct worker *w, struct error *err)
{
    _cleanup_(freep) char *dir = directory(w);

    return fs_remove_tree(dir, err);
}
