/* unit.c - systemd units by systemctl.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * systemctl and not the D-Bus API: it is there on every host, its output of `show` is
 * documented as stable, and a hung manager hangs a child and not the daemon.
 */
#include "shared/io/unit.h"

#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/io/proc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SHOW_TIMEOUT_MS = 20000, MANAGER_TIMEOUT_MS = 5000 };

struct unit_call {
    struct event_loop *el;
    struct proc *proc;
    char *unit;
    unit_state_f show_done; /* one of the two */
    unit_act_f act_done;
    void *ctx;
    struct error failure; /* while the manager is asked what it means */
    bool finishing;
};

static const char *const environment[] = {"LC_ALL=C",
                                          "SYSTEMD_PAGER=", "SYSTEMD_COLORS=0", NULL};

static int outcome_error(const struct proc_outcome *outcome, struct error *err)
{
    if (outcome->exit_code == 0)
        return 0;
    if (outcome->timed_out)
        return error_set(err, -ETIMEDOUT, "%s", outcome->says);
    return error_set(err, outcome->exit_code == 127 ? -ENOENT : -EIO, "%s",
                     outcome->says);
}

static void take_property(struct unit_state *state, const char *name, const char *value)
{
    int64_t number = 0;

    if (strcmp(name, "LoadState") == 0) {
        state->loaded = strcmp(value, "loaded") == 0;
    } else if (strcmp(name, "ActiveState") == 0) {
        STR_COPY(state->active, value);
    } else if (strcmp(name, "SubState") == 0) {
        STR_COPY(state->sub, value);
    } else if (strcmp(name, "UnitFileState") == 0) {
        STR_COPY(state->file_state, value);
    } else if (strcmp(name, "MainPID") == 0) {
        if (str_to_int64(value, 0, INT64_MAX, &number) == 0)
            state->main_pid = number;
    } else if (strcmp(name, "ActiveEnterTimestampMonotonic") == 0) {
        if (str_to_int64(value, 0, INT64_MAX, &number) == 0)
            state->active_enter_us = number;
    }
}

static int parse(const char *text, const char *unit, struct unit_state *ret,
                 struct error *err)
{
    char *copy = mem_strdup(text), *rest = copy, *line;

    while ((line = strsep(&rest, "\n"))) {
        char *value = strchr(line, '=');

        if (!value)
            continue;
        *value++ = '\0';
        take_property(ret, line, value);
    }
    free(copy);
    if (!ret->active[0])
        return error_set(err, -EPROTO,
                         "systemctl show %s: no ActiveState in its output", unit);
    return 0;
}

static void destroy(struct unit_call *call)
{
    proc_cancel(call->proc);
    free(call->unit);
    free(call);
}

static void finish(struct unit_call *call, const struct unit_state *state,
                   const struct error *err)
{
    call->finishing = true;
    if (call->show_done)
        call->show_done(call->ctx, state, err);
    else
        call->act_done(call->ctx, err);
    destroy(call);
}

/* What systemctl is-system-running says while there is a manager that goes on. */
static bool goes_on(const char *output)
{
    static const char *const words[] = {"initializing", "starting", "running",
                                        "degraded", "maintenance"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (str_starts(output, words[i]))
            return true;
    return false;
}

static void on_manager(void *ctx, const struct proc_outcome *outcome)
{
    struct unit_call *call = ctx;
    struct unit_state none = {0};
    struct error err;

    call->proc = NULL;
    error_copy(&err, &call->failure);
    if (!outcome->timed_out && !goes_on(outcome->output))
        (void)error_set(&err, -ESHUTDOWN, "%.380s (the host is going down)",
                        call->failure.text);
    finish(call, &none, &err);
}

/* A host that goes down cancels the jobs of others, and its manager may be the first to
 * go: that says nothing of the unit. */
static void ask_manager(struct unit_call *call)
{
    static const char *const argv[] = {"systemctl", "is-system-running", NULL};
    const struct proc_options options = {
        .argv = argv, .environment = environment, .timeout_ms = MANAGER_TIMEOUT_MS};
    struct unit_state none = {0};
    struct error err;

    if (proc_start(call->el, &options, on_manager, call, &call->proc, &err) < 0)
        finish(call, &none, &call->failure);
}

static void on_done(void *ctx, const struct proc_outcome *outcome)
{
    struct unit_call *call = ctx;
    struct unit_state state = {0};
    struct error err = {0};

    call->proc = NULL;
    if (outcome_error(outcome, &err) == -EIO) {
        error_copy(&call->failure, &err);
        ask_manager(call);
        return;
    }
    if (err.code == 0 && call->show_done)
        (void)parse(outcome->output, call->unit, &state, &err); /* told in err */
    finish(call, &state, &err);
}

static int start(struct event_loop *el, const char *const *argv, int64_t timeout_ms,
                 struct unit_call *call, struct unit_call **ret, struct error *err)
{
    const struct proc_options options = {
        .argv = argv, .environment = environment, .timeout_ms = timeout_ms};
    int r = proc_start(el, &options, on_done, call, &call->proc, err);

    if (r < 0) {
        destroy(call);
        return r;
    }
    *ret = call;
    return 0;
}

static int check_name(const char *unit, struct error *err)
{
    if (!unit || !unit[0] || unit[0] == '-')
        return error_set(err, -EINVAL, "'%s' is no unit's name", unit ? unit : "");
    return 0;
}

int unit_show(struct event_loop *el, const char *unit, unit_state_f done, void *ctx,
              struct unit_call **ret, struct error *err)
{
    const char *argv[] = {"systemctl",
                          "show",
                          "-p",
                          "LoadState,ActiveState,SubState,MainPID,"
                          "ActiveEnterTimestampMonotonic,UnitFileState",
                          unit,
                          NULL};
    int r = check_name(unit, err);

    if (r < 0)
        return r;
    struct unit_call *call = NEW(struct unit_call);
    *call = (struct unit_call){
        .el = el, .unit = mem_strdup(unit), .show_done = done, .ctx = ctx};
    return start(el, argv, SHOW_TIMEOUT_MS, call, ret, err);
}

int unit_act(struct event_loop *el, const char *verb, const char *unit,
             int64_t timeout_ms, unit_act_f done, void *ctx, struct unit_call **ret,
             struct error *err)
{
    const char *argv[] = {"systemctl", verb, unit, NULL};
    int r = unit ? check_name(unit, err) : 0;

    if (r < 0)
        return r;
    struct unit_call *call = NEW(struct unit_call);
    *call = (struct unit_call){
        .el = el, .unit = mem_strdup(unit), .act_done = done, .ctx = ctx};
    return start(el, argv, timeout_ms, call, ret, err);
}

void unit_cancel(struct unit_call *call)
{
    if (call && !call->finishing)
        destroy(call);
}
