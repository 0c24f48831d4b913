/* host_settings.c - kernel settings and modules of this host.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "agentd/steps/host_settings.h"

#include "shared/base/cleanup.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/model/host_needs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

static const char *root_of(const struct step_env *env)
{
    return env->root ? env->root : "";
}

/* "net.ipv4.ip_forward" -> "<root>/proc/sys/net/ipv4/ip_forward" */
static char *sysctl_path(const struct step_env *env, const char *name)
{
    char *path = mem_printf("%s/proc/sys/%s", root_of(env), name);

    for (char *c = path + strlen(root_of(env)) + strlen("/proc/sys/"); *c; c++)
        if (*c == '.')
            *c = '/';
    return path;
}

static int sysctl_read(const char *path, char *ret, size_t size)
{
    _cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    ssize_t got = read(fd, ret, size - 1);
    if (got < 0)
        return -errno;
    while (got > 0 && (ret[got - 1] == '\n' || ret[got - 1] == ' '))
        got--;
    ret[got] = '\0';
    return 0;
}

/* Opening tells: access(2) says yes to root for what a read-only mount or another
 * network namespace refuses. Nothing is written. */
static bool sysctl_writable(const char *path)
{
    _cleanup_(closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd >= 0;
}

static int sysctl_write(const char *path, const char *value)
{
    _cleanup_(closep) int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    size_t len = strlen(value);

    if (fd < 0)
        return -errno;
    ssize_t put = write(fd, value, len);
    if (put < 0)
        return -errno;
    return (size_t)put == len ? 0 : -EIO;
}

json_t *host_sysctls_seen(const struct step_env *env)
{
    json_t *seen = json_object();
    char value[64];

    for (const struct host_sysctl *s = host_sysctls; s->name; s++) {
        _cleanup_(freep) char *path = sysctl_path(env, s->name);
        if (sysctl_read(path, value, sizeof value) == 0)
            (void)json_object_set_new(seen, s->name,
                                      json_pack("{s:s, s:b}", "value", value,
                                                "writable", sysctl_writable(path)));
    }
    return seen;
}

/* ---- modules ---- */

/* "xt_set" at the start of a line of /proc/modules, or ".../xt_set.ko" at the end of
 * one of modules.builtin. */
static bool listed(const char *path, const char *module, bool builtin)
{
    _cleanup_(fclosep) FILE *file = fopen(path, "re");
    _cleanup_(freep) char *line = NULL;
    size_t size = 0, len = strlen(module);

    while (file && getline(&line, &size, file) >= 0) {
        const char *name = line;
        if (builtin) {
            const char *slash = strrchr(line, '/');
            name = slash ? slash + 1 : line;
        }
        if (strncmp(name, module, len) == 0 &&
            (builtin ? str_starts(name + len, ".ko") : name[len] == ' '))
            return true;
    }
    return false;
}

json_t *host_modules_seen(const struct step_env *env)
{
    _cleanup_(freep) char *loaded = mem_printf("%s/proc/modules", root_of(env));
    json_t *seen = json_object();
    struct utsname kernel;

    if (uname(&kernel) < 0)
        kernel.release[0] = '\0';
    _cleanup_(freep) char *builtin =
        mem_printf("%s/lib/modules/%s/modules.builtin", root_of(env), kernel.release);
    for (int i = 0; host_modules[i]; i++)
        (void)json_object_set_new(seen, host_modules[i],
                                  json_boolean(listed(loaded, host_modules[i], false) ||
                                               listed(builtin, host_modules[i], true)));
    return seen;
}

/* ---- acts ---- */

json_t *host_sysctls_before(const struct step_env *env)
{
    json_t *seen = host_sysctls_seen(env), *before = json_object();

    for (const struct host_sysctl *s = host_sysctls; s->name; s++)
        if (host_sysctl_need(s, env->spec, env->facts, seen) == NEED_WRITE)
            (void)json_object_set(
                before, s->name,
                json_object_get(json_object_get(seen, s->name), "value"));
    json_decref(seen);
    return before;
}

int host_sysctls_write(const struct step_env *env, struct error *err)
{
    json_t *seen = host_sysctls_seen(env);
    int r = 0;

    for (const struct host_sysctl *s = host_sysctls; s->name && r == 0; s++) {
        _cleanup_(freep) char *path = sysctl_path(env, s->name);
        char value[32];

        if (host_sysctl_need(s, env->spec, env->facts, seen) != NEED_WRITE)
            continue;
        (void)snprintf(value, sizeof value, "%lld", (long long)s->wanted);
        r = sysctl_write(path, value);
        if (r < 0 && s->required)
            (void)error_set(err, r, "cannot set %s to %s: %s", s->name, value,
                            strerror(-r));
        else
            r = 0; /* what is wanted only is said by the check */
    }
    json_decref(seen);
    return r < 0 ? r : host_sysctls_check(env, err);
}

int host_sysctls_check(const struct step_env *env, struct error *err)
{
    json_t *seen = host_sysctls_seen(env);
    int r = 0;

    for (const struct host_sysctl *s = host_sysctls; s->name && r == 0; s++) {
        enum need need = host_sysctl_need(s, env->spec, env->facts, seen);
        const char *value =
            json_string_value(json_object_get(json_object_get(seen, s->name), "value"));

        if (!s->required || (need != NEED_WRITE && need != NEED_UNFIT))
            continue;
        r = error_set(err, -EROFS, "%s is %s and not %lld%s", s->name,
                      value ? value : "not there", (long long)s->wanted,
                      need == NEED_UNFIT ? ", and cannot be written (is /proc/sys "
                                           "read-only, as in a container?)"
                                         : "");
    }
    json_decref(seen);
    return r;
}

static const struct host_sysctl *sysctl_named(const char *name)
{
    for (const struct host_sysctl *s = host_sysctls; s->name; s++)
        if (strcmp(s->name, name) == 0)
            return s;
    return NULL;
}

int host_sysctls_restore(const struct step_env *env, const json_t *before,
                         struct error *err)
{
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)before, name, value) {
        const struct host_sysctl *s = sysctl_named(name);
        _cleanup_(freep) char *path = sysctl_path(env, name);
        const char *old = json_string_value(value);
        char now[64], ours[32];

        if (!s || !old || sysctl_read(path, now, sizeof now) < 0)
            continue;
        (void)snprintf(ours, sizeof ours, "%lld", (long long)s->wanted);
        if (strcmp(now, ours) != 0) /* as before already, or changed by others since */
            continue;
        int r = sysctl_write(path, old);
        if (r < 0)
            return error_set(err, r, "cannot set %s back to %s: %s", name, old,
                             strerror(-r));
    }
    return 0;
}
