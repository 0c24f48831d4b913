/* place.c - copy a file of any size to where it belongs, atomically.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/steps/place.h"

#include "shared/base/cleanup.h"
#include "shared/base/failpoint.h"
#include "shared/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

char *place_directory(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return mem_strdup(".");
    return slash == path ? mem_strdup("/") : mem_strndup(path, (size_t)(slash - path));
}

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

static int copy_bytes(int in, int out)
{
    char block[32768];

    for (;;) {
        ssize_t n = read(in, block, sizeof(block));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        int r = write_all(out, block, (size_t)n);
        if (r < 0)
            return r;
    }
}

static int finish(int out, const struct fs_attributes *attributes)
{
    if (fchown(out, attributes->uid, attributes->gid) < 0 ||
        fchmod(out, attributes->mode) < 0 || fsync(out) < 0)
        return -errno;
    return 0;
}

static int sync_directory(const char *dir)
{
    _cleanup_(closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return -errno;
    return 0;
}

int place_file(const char *from, const char *to, const struct fs_attributes *attributes,
               const char *stage_dir, struct error *err)
{
    _cleanup_(freep) char *resolved = realpath(to, NULL);
    const char *target = resolved ? resolved : to;
    _cleanup_(freep) char *dir = place_directory(target);
    _cleanup_(freep) char *temp = NULL;
    _cleanup_(closep) int in = open(from, O_RDONLY | O_CLOEXEC);
    int r = 0;

    if (in < 0)
        return error_set(err, -errno, "cannot read \"%s\": %s", from, strerror(errno));
    _cleanup_(closep) int out = fs_temp_open(stage_dir, target, &temp, err);
    if (out < 0)
        return out;
    FAILPOINT("place:temp-made");
    r = copy_bytes(in, out);
    if (r == 0)
        r = finish(out, attributes);
    FAILPOINT("place:copied");
    if (r == 0 && rename(temp, target) < 0)
        r = -errno;
    if (r == 0)
        r = sync_directory(dir);
    else
        (void)unlink(temp); /* gone already, or nobody's harm */
    FAILPOINT("place:placed");
    if (r < 0)
        return error_set(err, r, "cannot write \"%s\": %s", target, strerror(-r));
    return 0;
}
