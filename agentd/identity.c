/* SPDX-License-Identifier: Apache-2.0 */
#include "agentd/identity.h"

#include "shared/base/cleanup.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <errno.h>
#include <string.h>

static int read_line(const char *root, const char *path, char *ret, size_t size,
                     struct error *err)
{
    _cleanup_(freep) char *full = mem_printf("%s%s", root, path);
    _cleanup_(freep) char *bytes = NULL;
    size_t len;
    int r = fs_read(full, 4096, &bytes, &len, err);
    if (r < 0)
        return r;
    bytes[strcspn(bytes, "\n")] = '\0';
    if (!bytes[0] || strlen(bytes) >= size)
        return error_set(err, -EBADMSG, "'%s' holds no usable id", full);
    str_copy(ret, size, bytes);
    return 0;
}

int identity_read(const char *root, struct live *ret, struct error *err)
{
    int r = read_line(root, "/etc/machine-id", ret->machine_id, sizeof(ret->machine_id),
                      err);
    if (r < 0)
        return r;
    return read_line(root, "/proc/sys/kernel/random/boot_id", ret->boot_id,
                     sizeof(ret->boot_id), err);
}
