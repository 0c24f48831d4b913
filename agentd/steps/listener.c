/* listener.c - who listens on a TCP port of this host.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/steps/listener.h"

#include "shared/base/cleanup.h"
#include "shared/base/str.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATE_LISTEN = 0x0A };

/* "  0: 0100007F:094B 00000000:0000 0A …:… …:… …  uid timeout inode …" */
static unsigned long inode_in(const char *table, int port)
{
    _cleanup_(fclosep) FILE *file = fopen(table, "re");
    char line[512];

    while (file && fgets(line, sizeof(line), file)) {
        unsigned local = 0, state = 0;
        unsigned long inode = 0;

        if (sscanf(line,
                   " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*d "
                   "%*d %lu",
                   &local, &state, &inode) == 3 &&
            (int)local == port && state == STATE_LISTEN)
            return inode;
    }
    return 0;
}

static bool holds(const char *pid, const char *wanted)
{
    char path[300], link[64];
    struct dirent *entry;
    bool found = false;

    (void)snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
    DIR *dir = opendir(path);
    while (dir && !found && (entry = readdir(dir))) {
        ssize_t len = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);

        if (len > 0) {
            link[len] = '\0';
            found = str_equal(link, wanted);
        }
    }
    if (dir)
        (void)closedir(dir);
    return found;
}

static void name_of(const char *pid, char *dst, size_t size)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
    _cleanup_(fclosep) FILE *file = fopen(path, "re");
    if (!file || !fgets(dst, (int)size, file))
        (void)str_copy(dst, size, "a process");
    dst[strcspn(dst, "\n")] = '\0';
}

static void find_holder(unsigned long inode, struct listener *ret)
{
    char wanted[64];
    struct dirent *entry;
    DIR *dir = opendir("/proc");

    (void)snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
    while (dir && ret->pid == 0 && (entry = readdir(dir))) {
        if (!isdigit((unsigned char)entry->d_name[0]) || !holds(entry->d_name, wanted))
            continue;
        ret->pid = (pid_t)strtol(entry->d_name, NULL, 10);
        name_of(entry->d_name, ret->name, sizeof(ret->name));
    }
    if (dir)
        (void)closedir(dir);
}

bool listener_find(int port, struct listener *ret)
{
    unsigned long inode = inode_in("/proc/self/net/tcp", port);

    if (inode == 0)
        inode = inode_in("/proc/self/net/tcp6", port);
    if (inode == 0)
        return false;
    *ret = (struct listener){.name = "an unknown process"};
    find_holder(inode, ret);
    return true;
}
