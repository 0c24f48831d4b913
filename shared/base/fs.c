/* fs.c - files that survive a crash.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "shared/base/fs.h"

#include "shared/base/cleanup.h"
#include "shared/base/failpoint.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SYMLINKS_MAX = 32 };

static int failed(struct error *err, const char *verb, const char *path)
{
    int code = errno;

    return error_set(err, -code, "%s '%s': %s", verb, path, strerror(code));
}

/* Reads to the end, at most one byte more than max_bytes: that byte tells "larger". */
static int read_all(int fd, size_t max_bytes, struct strbuf *ret)
{
    char block[8192];
    ssize_t got;

    do {
        got = read(fd, block, sizeof(block));
        if (got < 0 && errno != EINTR)
            return -errno;
        if (got > 0)
            strbuf_add_bytes(ret, block, (size_t)got);
    } while (got != 0 && ret->len <= max_bytes);
    return 0;
}

int fs_read(const char *path, size_t max_bytes, char **ret_bytes, size_t *ret_len,
            struct error *err)
{
    /* O_NONBLOCK: a FIFO at this path must not hang the daemon */
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct strbuf bytes = {0};
    struct stat st;

    if (fd < 0)
        return failed(err, "open", path);
    if (fstat(fd, &st) < 0)
        return failed(err, "stat", path);
    if (S_ISDIR(st.st_mode))
        return error_set(err, -EISDIR, "read '%s': is a directory", path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, -EINVAL, "read '%s': not a regular file", path);
    int r = read_all(fd, max_bytes, &bytes);
    if (r < 0) {
        strbuf_done(&bytes);
        errno = -r;
        return failed(err, "read", path);
    }
    if (bytes.len > max_bytes) {
        strbuf_done(&bytes);
        return error_set(err, -EFBIG, "read '%s': larger than %zu bytes", path,
                         max_bytes);
    }
    if (ret_len)
        *ret_len = bytes.len;
    *ret_bytes = strbuf_take(&bytes);
    return 0;
}

/* The directory part of path, "." when there is none. Caller frees. */
static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return mem_strdup(".");
    return slash == path ? mem_strdup("/") : mem_strndup(path, (size_t)(slash - path));
}

/* Follows symlinks at the last component, also dangling ones. Caller frees. */
static int resolve(const char *path, char **ret, struct error *err)
{
    _cleanup_(freep) char *at = mem_strdup(path);

    for (int i = 0; i < SYMLINKS_MAX; i++) {
        char target[PATH_MAX];
        ssize_t len = readlink(at, target, sizeof(target) - 1);

        if (len < 0 && (errno == EINVAL || errno == ENOENT)) {
            *ret = take_ptr(at);
            return 0;
        }
        if (len < 0)
            return failed(err, "read link", at);
        target[len] = '\0';
        _cleanup_(freep) char *directory = directory_of(at);
        char *next = target[0] == '/' ? mem_strdup(target)
                                      : mem_printf("%s/%s", directory, target);
        free(at);
        at = next;
    }
    return error_set(err, -ELOOP, "'%s': too many symbolic links", path);
}

static int sync_directory(const char *directory, struct error *err)
{
    _cleanup_(closep) int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return failed(err, "open directory", directory);
    if (fsync(fd) < 0)
        return failed(err, "fsync directory", directory);
    return 0;
}

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t put = write(fd, bytes, len);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -errno;
        bytes += put;
        len -= (size_t)put;
    }
    return 0;
}

static int fill(int fd, const char *temp, const void *bytes, size_t len,
                const struct fs_attributes *attributes, struct error *err)
{
    int r = write_all(fd, bytes, len);

    if (r < 0) {
        errno = -r;
        return failed(err, "write", temp);
    }
    /* owner before mode: chown clears the set-id bits */
    if (attributes->uid != geteuid() || attributes->gid != getegid())
        if (fchown(fd, attributes->uid, attributes->gid) < 0)
            return failed(err, "set owner of", temp);
    if (fchmod(fd, attributes->mode & 07777) < 0)
        return failed(err, "set mode of", temp);
    if (fsync(fd) < 0)
        return failed(err, "fsync", temp);
    return 0;
}

static int attributes_wanted(const char *target, const struct fs_attributes *given,
                             struct fs_attributes *ret, struct error *err)
{
    struct error found = {0};
    int r;

    if (given) {
        *ret = *given;
        return 0;
    }
    r = fs_attributes_get(target, ret, &found);
    if (r == -ENOENT) {
        *ret = (struct fs_attributes){0644, geteuid(), getegid()};
        return 0;
    }
    if (r < 0)
        error_copy(err, &found);
    return r;
}

int fs_temp_open(const char *dir, const char *target, char **ret_path,
                 struct error *err)
{
    _cleanup_(freep) char *own = directory_of(target);
    const char *slash = strrchr(target, '/');
    _cleanup_(freep) char *temp =
        mem_printf("%s/.clowder-%.200s", dir ? dir : own, slash ? slash + 1 : target);

    (void)unlink(temp); /* of a crash before; a failure is the open's to tell */
    int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return failed(err, "create", temp);
    *ret_path = take_ptr(temp);
    return fd;
}

int fs_write_atomic(const char *path, const void *bytes, size_t len,
                    const struct fs_attributes *attributes, const char *stage_dir,
                    struct error *err)
{
    _cleanup_(freep) char *target = NULL;
    struct fs_attributes wanted;
    int r;

    r = resolve(path, &target, err);
    if (r < 0)
        return r;
    r = attributes_wanted(target, attributes, &wanted, err);
    if (r < 0)
        return r;

    _cleanup_(freep) char *directory = directory_of(target);
    _cleanup_(freep) char *temp = NULL;
    _cleanup_(closep) int fd = fs_temp_open(stage_dir, target, &temp, err);
    if (fd < 0)
        return fd;
    FAILPOINT("fs:temp-made");
    r = fill(fd, temp, bytes, len, &wanted, err);
    FAILPOINT("fs:temp-written");
    if (r == 0 && rename(temp, target) < 0)
        r = failed(err, "rename to", target);
    if (r < 0) {
        (void)unlink(temp); /* best effort: the error above is the one to tell */
        return r;
    }
    FAILPOINT("fs:renamed");
    return sync_directory(directory, err);
}

int fs_remove(const char *path, struct error *err)
{
    if (unlink(path) < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : failed(err, "remove", path);
    FAILPOINT("fs:removed");

    _cleanup_(freep) char *directory = directory_of(path);
    return sync_directory(directory, err);
}

int fs_rename(const char *from, const char *to, struct error *err)
{
    if (rename(from, to) < 0) {
        int code = errno;

        return error_set(err, -code, "rename '%s' to '%s': %s", from, to,
                         strerror(code));
    }
    _cleanup_(freep) char *directory = directory_of(to);
    return sync_directory(directory, err);
}

int fs_mkdirs(const char *path, mode_t mode, struct error *err)
{
    _cleanup_(freep) char *part = mem_strdup(path);
    struct stat st;

    for (char *slash = part + 1;; slash++) {
        slash = strchrnul(slash, '/');
        bool last = !*slash;
        *slash = '\0';
        if (mkdir(part, mode) < 0 && errno != EEXIST && errno != EROFS)
            return failed(err, "make directory", part);
        if (last)
            break;
        *slash = '/';
    }
    if (stat(path, &st) < 0)
        return failed(err, "make directory", path);
    if (!S_ISDIR(st.st_mode))
        return error_set(err, -ENOTDIR, "'%s' is not a directory", path);
    return 0;
}

static int remove_entry(int parent, const char *name, const char *path,
                        struct error *err);

static int remove_children(int fd, const char *path, struct error *err)
{
    DIR *dir = fdopendir(fd);
    int r = 0;

    if (!dir) {
        (void)close(fd);
        return failed(err, "read directory", path);
    }
    for (const struct dirent *e; r == 0;) {
        errno = 0;
        e = readdir(dir);
        if (!e) {
            r = errno ? failed(err, "read directory", path) : 0;
            break;
        }
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            _cleanup_(freep) char *child = mem_printf("%s/%s", path, e->d_name);
            r = remove_entry(dirfd(dir), e->d_name, child, err);
        }
    }
    (void)closedir(dir);
    return r;
}

/* Never through a symlink: the link is removed, not what it names. */
static int remove_entry(int parent, const char *name, const char *path,
                        struct error *err)
{
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return failed(err, "remove", path);

    int why = errno;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        if (errno == ENOTDIR || errno == ELOOP)
            errno = why; /* a file that may not be removed */
        return failed(err, "remove", path);
    }
    int r = remove_children(fd, path, err);
    if (r < 0)
        return r;
    if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return failed(err, "remove", path);
    return 0;
}

int fs_remove_tree(const char *path, struct error *err)
{
    return remove_entry(AT_FDCWD, path, path, err);
}

int fs_lock(const char *path, int *ret_fd, struct error *err)
{
    /* of fcntl, not flock: a child that outlives us must not keep it */
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    _cleanup_(closep) int fd =
        open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return failed(err, "open", path);
    if (fcntl(fd, F_SETLK, &lock) < 0) {
        if (errno != EACCES && errno != EAGAIN)
            return failed(err, "lock", path);
        bool known = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
        return error_set(err, -EBUSY, "'%s' is locked by another process (pid %d)",
                         path, known ? (int)lock.l_pid : 0);
    }
    *ret_fd = fd;
    fd = -1;
    return 0;
}

bool fs_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

int fs_attributes_get(const char *path, struct fs_attributes *ret, struct error *err)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return failed(err, "stat", path);
    *ret = (struct fs_attributes){st.st_mode & 07777, st.st_uid, st.st_gid};
    return 0;
}
