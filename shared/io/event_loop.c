/* event_loop.c - the loop on libevent.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Story: all timers of loop.h share one libevent timer, set to the heap's earliest
 * deadline. A child is watched by its pidfd, which becomes readable when it ends; then
 * exactly this pid is reaped. Kernels before 5.3 have no pidfd: there SIGCHLD makes us
 * ask after each child of ours by its pid (never waitpid(-1): a library's child would
 * be stolen). SIGPIPE is ignored, because a peer that closes early is an ordinary
 * error.
 */
#include "shared/io/event_loop.h"

#include "shared/base/mem.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct signal_watch {
    struct signal_watch *next;
    struct event *event;
    void (*fn)(void *ctx, int signal_number);
    void *ctx;
    int number;
};

struct child {
    struct child *next;
    struct event_loop *el;
    struct event *event; /* NULL: by SIGCHLD */
    int pidfd;           /* -1: by SIGCHLD */
    pid_t pid;
    void (*fn)(void *ctx, int wait_status); /* NULL: reap only */
    void *ctx;
};

struct event_loop {
    struct loop loop;
    struct event_base *base;
    struct event *timer;
    struct signal_watch *signals;
    struct child *children;
    struct event *sigchld; /* armed when a pidfd could not be had */
    bool stopped;
    int exit_code;
};

static int64_t clock_ms(clockid_t id)
{
    struct timespec ts;

    (void)clock_gettime(id, &ts); /* cannot fail for these clocks */
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t now_ms(struct loop *loop)
{
    return clock_ms(CLOCK_BOOTTIME);
}

static int64_t wall_ms(struct loop *loop)
{
    return clock_ms(CLOCK_REALTIME);
}

static void wake_at(struct loop *loop, int64_t at_ms)
{
    struct event_loop *el = (struct event_loop *)loop;
    int64_t after_ms = at_ms == INT64_MAX ? 0 : at_ms - now_ms(loop);

    if (at_ms == INT64_MAX) {
        (void)event_del(el->timer);
        return;
    }
    if (after_ms < 0)
        after_ms = 0;
    struct timeval tv = {.tv_sec = after_ms / 1000,
                         .tv_usec = (suseconds_t)(after_ms % 1000) * 1000};
    int r = event_add(el->timer, &tv);
    assert(r == 0); /* a pure timer's slot was allocated at event_new */
    (void)r;
}

static const struct loop_ops ops = {
    .now_ms = now_ms,
    .wall_ms = wall_ms,
    .wake_at = wake_at,
};

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    struct event_loop *el = ctx;

    loop_run_due(&el->loop);
}

static uint64_t seed(void)
{
    uint64_t value;

    if (getrandom(&value, sizeof(value), GRND_NONBLOCK) == (ssize_t)sizeof(value))
        return value;
    return (uint64_t)clock_ms(CLOCK_REALTIME) * 1000003u ^ (uint64_t)getpid();
}

static struct event_base *new_base(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base;

    if (!config)
        return NULL;
    /* without these a timer may fire early, that is, wake the daemon twice */
    (void)event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
    (void)event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME);
    base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

int event_loop_new(struct event_loop **ret, struct error *err)
{
    struct event_loop *el = NEW(struct event_loop);

    el->base = new_base();
    if (el->base)
        el->timer = evtimer_new(el->base, on_timer, el);
    if (!el->timer) {
        if (el->base)
            event_base_free(el->base);
        free(el);
        return error_set(err, -EIO, "cannot set up the event loop");
    }
    loop_init(&el->loop, &ops, seed());
    (void)signal(SIGPIPE, SIG_IGN);
    *ret = el;
    return 0;
}

static void child_free(struct child *child)
{
    if (child->event)
        event_free(child->event);
    if (child->pidfd >= 0)
        (void)close(child->pidfd);
    free(child);
}

void event_loop_free(struct event_loop *el)
{
    if (!el)
        return;
    while (el->children) {
        struct child *child = el->children;

        el->children = child->next;
        child_free(child);
    }
    while (el->signals) {
        struct signal_watch *watch = el->signals;

        el->signals = watch->next;
        event_free(watch->event);
        free(watch);
    }
    if (el->sigchld)
        event_free(el->sigchld);
    event_free(el->timer);
    loop_done(&el->loop);
    event_base_free(el->base);
    free(el);
}

struct loop *event_loop_port(struct event_loop *el)
{
    return &el->loop;
}

struct event_base *event_loop_base(struct event_loop *el)
{
    return el->base;
}

int event_loop_run(struct event_loop *el)
{
    while (!el->stopped) {
        int r = event_base_loop(el->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);

        assert(r >= 0); /* the backend's own failure: nothing could ever run again */
        (void)r;
    }
    el->stopped = false;
    return el->exit_code;
}

void event_loop_stop(struct event_loop *el, int code)
{
    el->stopped = true;
    el->exit_code = code;
    (void)event_base_loopbreak(el->base);
}

static void on_signal(evutil_socket_t number, short what, void *ctx)
{
    struct signal_watch *watch = ctx;

    watch->fn(watch->ctx, watch->number);
}

int event_loop_on_signal(struct event_loop *el, int signal_number,
                         void (*fn)(void *ctx, int signal_number), void *ctx,
                         struct error *err)
{
    for (struct signal_watch *w = el->signals; w; w = w->next)
        if (w->number == signal_number)
            return error_set(err, -EBUSY, "signal %d has a handler already",
                             signal_number);

    struct signal_watch *watch = NEW(struct signal_watch);
    *watch = (struct signal_watch){
        .next = el->signals, .fn = fn, .ctx = ctx, .number = signal_number};
    watch->event = evsignal_new(el->base, signal_number, on_signal, watch);
    if (!watch->event || event_add(watch->event, NULL) < 0) {
        if (watch->event)
            event_free(watch->event);
        free(watch);
        return error_set(err, -EINVAL, "cannot handle signal %d", signal_number);
    }
    el->signals = watch;
    return 0;
}

/* Reaps the child when it has ended; then it is out of the list and its callback runs.
 */
static bool reap(struct child *child)
{
    struct child **at = &child->el->children;
    int wait_status = 0;
    pid_t pid;

    do
        pid = waitpid(child->pid, &wait_status, WNOHANG);
    while (pid < 0 && errno == EINTR);
    if (pid == 0)
        return false;
    while (*at != child)
        at = &(*at)->next;
    *at = child->next;

    struct child copy = *child;
    child_free(child);
    if (copy.fn) /* pid < 0: somebody else reaped it; it counts as killed */
        copy.fn(copy.ctx, pid > 0 ? wait_status : SIGKILL);
    return true;
}

static void on_pidfd(evutil_socket_t fd, short what, void *ctx)
{
    (void)reap(ctx);
}

static void on_sigchld(evutil_socket_t number, short what, void *ctx)
{
    struct event_loop *el = ctx;
    struct child *child = el->children;

    while (child) {
        /* a callback may change the list: begin again */
        if (child->pidfd < 0 && reap(child))
            child = el->children;
        else
            child = child->next;
    }
}

static int watch_by_signal(struct event_loop *el, struct error *err)
{
    if (!el->sigchld) {
        struct event *event = evsignal_new(el->base, SIGCHLD, on_sigchld, el);

        if (!event || event_add(event, NULL) < 0) {
            if (event)
                event_free(event);
            return error_set(err, -EIO, "cannot watch for the end of children");
        }
        el->sigchld = event;
    }
    event_active(el->sigchld, EV_SIGNAL, 1); /* it may have ended before the handler */
    return 0;
}

static int watch_by_pidfd(struct child *child, struct error *err)
{
    child->event = event_new(child->el->base, child->pidfd, EV_READ, on_pidfd, child);
    if (!child->event || event_add(child->event, NULL) < 0)
        return error_set(err, -EIO, "cannot watch child %d", (int)child->pid);
    return 0;
}

static struct child *child_with(struct event_loop *el, pid_t pid)
{
    struct child *child = el->children;

    while (child && child->pid != pid)
        child = child->next;
    return child;
}

int event_loop_on_exit(struct event_loop *el, pid_t pid,
                       void (*fn)(void *ctx, int wait_status), void *ctx,
                       struct error *err)
{
    struct child *child = child_with(el, pid);
    int r;

    if (child) {
        child->fn = fn;
        child->ctx = ctx;
        return 0;
    }
    child = NEW(struct child);
    *child = (struct child){.el = el,
                            .pidfd = (int)syscall(SYS_pidfd_open, pid, 0),
                            .pid = pid,
                            .fn = fn,
                            .ctx = ctx};
    if (child->pidfd < 0 && errno == ESRCH)
        r = error_set(err, -ESRCH, "no child %d", (int)pid);
    else if (child->pidfd < 0) /* old kernel, seccomp, or no descriptor left */
        r = watch_by_signal(el, err);
    else
        r = watch_by_pidfd(child, err);
    if (r < 0) {
        child_free(child);
        return r;
    }
    child->next = el->children;
    el->children = child;
    return 0;
}

void event_loop_forget_child(struct event_loop *el, pid_t pid)
{
    struct child *child = child_with(el, pid);

    if (child)
        child->fn = NULL;
}
