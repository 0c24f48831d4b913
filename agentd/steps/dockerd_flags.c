/* dockerd_flags.c - the cluster flags that dockerd was or will be started with.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/steps/dockerd_flags.h"

#include "shared/base/cleanup.h"
#include "shared/base/fs.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { FLAGS_MAX = 8, FLAG_TEXT_MAX = 96, TEXT_MAX_BYTES = 1 << 20 };

static const char FLAG_START[] = "--cluster-";

static bool named(const json_t *flags, const char *flag)
{
    size_t len = strcspn(flag, "= \t"), i;
    const json_t *one;

    json_array_foreach (flags, i, one) {
        const char *text = json_string_value(one);

        if (strncmp(text, flag, len) == 0 && strcspn(text, "= \t") == len)
            return true;
    }
    return false;
}

/* One of each name tells enough: there may be many options of a store. */
static void add_flag(json_t *flags, const char *flag, size_t len, const char *where)
{
    if (len > FLAG_TEXT_MAX)
        len = FLAG_TEXT_MAX;
    if (!named(flags, flag) && json_array_size(flags) < FLAGS_MAX)
        json_array_append_new(flags, json_sprintf("%.*s (%s)", (int)len, flag, where));
}

/* "--cluster-store=x", or "--cluster-store" and "x" as the next argument. */
static void add_argument(json_t *flags, const char *argument, const char *next,
                         const char *where)
{
    _cleanup_(freep) char *text = strchr(argument, '=') || !next
                                      ? mem_strdup(argument)
                                      : mem_printf("%s=%s", argument, next);

    add_flag(flags, text, strlen(text), where);
}

/* fs_read wants a regular file's size; /proc has none */
static size_t read_cmdline(const char *root, pid_t pid, char *dst, size_t size)
{
    _cleanup_(freep) char *path =
        mem_printf("%s/proc/%d/cmdline", root ? root : "", (int)pid);
    _cleanup_(fclosep) FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    size_t len = fread(dst, 1, size - 1, file);
    dst[len] = '\0';
    return len;
}

void dockerd_flags_of_process(const char *root, pid_t pid, json_t *flags)
{
    char line[16384], where[64];
    size_t len = pid > 0 ? read_cmdline(root, pid, line, sizeof(line)) : 0;

    (void)snprintf(where, sizeof(where), "command line of pid %d", (int)pid);
    for (const char *at = line; at < line + len;) {
        const char *next = at + strlen(at) + 1;

        if (str_starts(at, FLAG_START))
            add_argument(flags, at, next < line + len ? next : NULL, where);
        at = next;
    }
}

static size_t flag_length(const char *flag)
{
    size_t len = strcspn(flag, " \t\"'\\");

    if (!memchr(flag, '=', len) && flag[len] == ' ') { /* the value is the next word */
        size_t blanks = strspn(flag + len, " \t");

        if (flag[len + blanks] != '-')
            len += blanks + strcspn(flag + len + blanks, " \t\"'\\");
    }
    return len;
}

static void scan_line(const char *line, const char *where, json_t *flags)
{
    for (const char *at = strstr(line, FLAG_START); at;) {
        size_t len = flag_length(at);

        add_flag(flags, at, len, where);
        at = strstr(at + len, FLAG_START);
    }
}

static const char *trimmed(char *line)
{
    size_t len = strlen(line);

    while (len > 0 && isspace((unsigned char)line[len - 1]))
        line[--len] = '\0';
    while (isspace((unsigned char)*line))
        line++;
    return line;
}

static void scan_environment(const char *value, json_t *flags)
{
    _cleanup_(freep) char *bytes = NULL;
    const char *path = *value == '-' ? value + 1 : value;
    char where[160], *save = NULL;
    size_t len = 0;

    (void)snprintf(where, sizeof(where), "in %.140s", path);
    if (fs_read(path, TEXT_MAX_BYTES, &bytes, &len, NULL) < 0)
        return; /* optional; where it is not, dockerd would not run */
    for (char *line = strtok_r(bytes, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        const char *text = trimmed(line);

        if (*text != '#' && *text != ';')
            scan_line(text, where, flags);
    }
}

static void drop_from(json_t *flags, size_t first)
{
    while (json_array_size(flags) > first)
        json_array_remove(flags, json_array_size(flags) - 1);
}

void dockerd_flags_of_unit(const char *text, json_t *flags)
{
    _cleanup_(freep) char *copy = mem_strdup(text);
    size_t first = json_array_size(flags);
    char where[160] = "in its unit", *save = NULL;

    for (char *line = strtok_r(copy, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        const char *bare = trimmed(line);

        if (str_starts(bare, "# /"))
            (void)snprintf(where, sizeof(where), "in %.140s", bare + 2);
        else if (*bare == '#' || *bare == ';')
            continue;
        else if (str_equal(bare, "ExecStart=")) /* a drop-in takes back what was */
            drop_from(flags, first);
        else if (str_starts(bare, "EnvironmentFile="))
            scan_environment(bare + strlen("EnvironmentFile="), flags);
        else
            scan_line(bare, where, flags);
    }
}
