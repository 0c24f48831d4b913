/* proc.c - run one command to its end.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A proc is over when its leader was reaped and both output pipes were read to their
 * end. After the SIGKILL of an overdue group the pipes are not waited for any more: a
 * process that fled the group could keep them open for ever.
 * The fourth pipe closes on exec and carries the errno of an exec that failed.
 */
#include "shared/io/proc.h"

#include "shared/base/mem.h"
#include "shared/base/str.h"
#include "shared/io/child.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    DEFAULT_TIMEOUT_MS = 30000,
    DEFAULT_OUTPUT_MAX_BYTES = 65536,
    TERM_GRACE_MS = 2000,
    SAYS_COMMAND_MAX = 120,
    SAYS_REASON_MAX = 240,
};

struct stream {
    struct proc *proc;
    struct event *event;
    int fd; /* -1 = closed */
    struct strbuf text;
    size_t dropped_bytes;
};

struct proc {
    struct event_loop *el;
    pid_t pid;
    bool exited, timed_out, killed, finishing;
    int wait_status;
    int exec_fd;
    struct stream input, output, errors;
    size_t input_sent;
    size_t output_max_bytes;
    struct timer deadline;
    int64_t timeout_ms;
    char *command; /* for people */
    proc_done_f done;
    void *ctx;
};

static void stream_close(struct stream *stream)
{
    if (stream->event)
        event_free(stream->event);
    if (stream->fd >= 0)
        (void)close(stream->fd);
    stream->event = NULL;
    stream->fd = -1;
}

static void destroy(struct proc *proc)
{
    timer_stop(&proc->deadline);
    stream_close(&proc->input);
    stream_close(&proc->output);
    stream_close(&proc->errors);
    strbuf_done(&proc->input.text);
    strbuf_done(&proc->output.text);
    strbuf_done(&proc->errors.text);
    if (proc->exec_fd >= 0)
        (void)close(proc->exec_fd);
    free(proc->command);
    free(proc);
}

/* The first line that says something. */
static void add_first_line(struct strbuf *says, const struct strbuf *text)
{
    const char *start = text->text ? text->text : "";

    start += strspn(start, " \t\r\n");
    size_t len = strcspn(start, "\r\n");
    if (len == 0)
        return;
    strbuf_add(says, ": ");
    strbuf_add_bytes(says, start, len < SAYS_REASON_MAX ? len : SAYS_REASON_MAX);
}

static int exec_errno(const struct proc *proc)
{
    int code = 0;

    if (read(proc->exec_fd, &code, sizeof(code)) != (ssize_t)sizeof(code))
        return 0;
    return code;
}

static void describe(const struct proc *proc, int exec_code,
                     struct proc_outcome *outcome, struct strbuf *says)
{
    char limit[32];

    strbuf_add(says, proc->command);
    if (exec_code) {
        strbuf_addf(says, ": cannot run it: %s", strerror(exec_code));
        return;
    }
    if (proc->timed_out) {
        str_from_duration_ms(proc->timeout_ms, limit, sizeof(limit));
        strbuf_addf(says, ": killed: not done within %s", limit);
    } else if (outcome->signal_number) {
        strbuf_addf(says, ": ended by signal %d (%s)", outcome->signal_number,
                    strsignal(outcome->signal_number));
    } else {
        strbuf_addf(says, ": exit code %d", outcome->exit_code);
        if (outcome->exit_code == 0)
            return;
    }
    add_first_line(says,
                   proc->errors.text.len ? &proc->errors.text : &proc->output.text);
}

static void finish(struct proc *proc)
{
    int exec_code = exec_errno(proc);
    struct strbuf says = {0};
    struct proc_outcome outcome = {.exit_code = -1, .timed_out = proc->timed_out};

    if (WIFSIGNALED(proc->wait_status))
        outcome.signal_number = WTERMSIG(proc->wait_status);
    else if (!proc->timed_out)
        outcome.exit_code = WEXITSTATUS(proc->wait_status);
    strbuf_add(&proc->output.text, "");
    strbuf_add(&proc->errors.text, "");
    outcome.output = proc->output.text.text;
    outcome.output_len = proc->output.text.len;
    outcome.output_dropped_bytes = proc->output.dropped_bytes;
    outcome.errors = proc->errors.text.text;
    outcome.errors_len = proc->errors.text.len;
    outcome.errors_dropped_bytes = proc->errors.dropped_bytes;
    describe(proc, exec_code, &outcome, &says);
    outcome.says = says.text;
    timer_stop(&proc->deadline);
    proc->finishing = true;
    proc->done(proc->ctx, &outcome);
    strbuf_done(&says);
    destroy(proc);
}

static void finish_when_over(struct proc *proc)
{
    bool drained = proc->output.fd < 0 && proc->errors.fd < 0;

    if (proc->exited && (drained || proc->killed))
        finish(proc);
}

static void on_child_exit(void *ctx, int wait_status)
{
    struct proc *proc = ctx;

    proc->exited = true;
    proc->wait_status = wait_status;
    stream_close(&proc->input); /* nobody reads it */
    finish_when_over(proc);
}

static void keep(struct stream *stream, const char *bytes, size_t len)
{
    size_t room = stream->proc->output_max_bytes - stream->text.len;

    if (len > room) {
        stream->dropped_bytes += len - room;
        len = room;
    }
    strbuf_add_bytes(&stream->text, bytes, len);
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
    struct stream *stream = ctx;
    char block[8192];
    ssize_t got = read(fd, block, sizeof(block));

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0) {
        keep(stream, block, (size_t)got);
        return;
    }
    stream_close(stream);
    finish_when_over(stream->proc);
}

static void on_writable(evutil_socket_t fd, short what, void *ctx)
{
    struct proc *proc = ctx;
    const struct strbuf *text = &proc->input.text;
    ssize_t put =
        write(fd, text->text + proc->input_sent, text->len - proc->input_sent);

    if (put < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (put > 0)
        proc->input_sent += (size_t)put;
    if (put < 0 || proc->input_sent == text->len) /* EPIPE: it does not want more */
        stream_close(&proc->input);
}

/* As long as the leader is not reaped, or a pipe is held open, the group's id is ours.
 */
static void kill_group(struct proc *proc, int signal_number)
{
    (void)kill(-proc->pid, signal_number); /* ESRCH: nobody is left */
}

static void on_kill_time(void *ctx)
{
    struct proc *proc = ctx;

    proc->killed = true;
    kill_group(proc, SIGKILL);
    finish_when_over(proc);
}

static void on_deadline(void *ctx)
{
    struct proc *proc = ctx;

    proc->timed_out = true;
    kill_group(proc, SIGTERM);
    timer_start(&proc->deadline, event_loop_port(proc->el), TERM_GRACE_MS, on_kill_time,
                proc);
}

static char *command_line(const char *const *argv)
{
    struct strbuf text = {0};

    for (int i = 0; argv[i]; i++)
        strbuf_addf(&text, "%s%s", i ? " " : "", argv[i]);
    if (text.len > SAYS_COMMAND_MAX) {
        text.len = SAYS_COMMAND_MAX;
        strbuf_add(&text, "...");
    }
    return strbuf_take(&text);
}

static bool same_name(const char *a, const char *b)
{
    size_t len = strcspn(a, "=");

    return strncmp(a, b, len + 1) == 0;
}

/* Ours without what is overridden, then the additions. Caller frees the array only. */
static char **merged_environment(const char *const *added)
{
    size_t ours = 0, more = 0, count = 0;

    while (environ[ours])
        ours++;
    while (added && added[more])
        more++;
    char **merged = mem_array(ours + more + 1, sizeof(char *));
    for (size_t i = 0; i < ours; i++) {
        bool overridden = false;

        for (size_t j = 0; j < more; j++)
            overridden = overridden || same_name(added[j], environ[i]);
        if (!overridden)
            merged[count++] = environ[i];
    }
    for (size_t j = 0; j < more; j++)
        merged[count++] = (char *)(uintptr_t)added[j];
    return merged;
}

struct pipes {
    int ends[4][2]; /* input, output, errors, exec: [0] is the reading end */
};
enum { PIPE_INPUT, PIPE_OUTPUT, PIPE_ERRORS, PIPE_EXEC };

static void pipes_close(struct pipes *pipes)
{
    for (int i = 0; i < 4; i++)
        for (int end = 0; end < 2; end++)
            if (pipes->ends[i][end] >= 0)
                (void)close(pipes->ends[i][end]);
}

/* The child's ends are moved above 9, clear of the three numbers they will go to. */
static int pipe_open(struct pipes *pipes, int which)
{
    int *ends = pipes->ends[which], child_end = which == PIPE_INPUT ? 0 : 1;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    int high = fcntl(ends[child_end], F_DUPFD_CLOEXEC, 10);
    if (high < 0)
        return -errno;
    (void)close(ends[child_end]);
    ends[child_end] = high;
    if (fcntl(ends[!child_end], F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    return 0;
}

static int pipes_open(struct pipes *pipes, bool with_input)
{
    int r = 0;

    memset(pipes, 0xff, sizeof(*pipes));
    if (with_input) {
        r = pipe_open(pipes, PIPE_INPUT);
    } else {
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

        pipes->ends[PIPE_INPUT][0] = null < 0 ? -1 : fcntl(null, F_DUPFD_CLOEXEC, 10);
        if (pipes->ends[PIPE_INPUT][0] < 0)
            r = -errno;
        if (null >= 0)
            (void)close(null);
    }
    for (int which = PIPE_OUTPUT; r == 0 && which <= PIPE_EXEC; which++)
        r = pipe_open(pipes, which);
    if (r < 0)
        pipes_close(pipes);
    return r;
}

static _Noreturn void run_child(const char *const *argv, char **environment,
                                const struct pipes *pipes)
{
    enum { EXEC_FD = 3 };

    (void)setpgid(0, 0);
    child_reset_signals();
    if (dup2(pipes->ends[PIPE_INPUT][0], STDIN_FILENO) < 0 ||
        dup2(pipes->ends[PIPE_OUTPUT][1], STDOUT_FILENO) < 0 ||
        dup2(pipes->ends[PIPE_ERRORS][1], STDERR_FILENO) < 0 ||
        dup3(pipes->ends[PIPE_EXEC][1], EXEC_FD, O_CLOEXEC) < 0)
        _exit(127);
    child_close_from(EXEC_FD + 1);
    environ = environment; /* so that a PATH in it counts */
    (void)execvp(argv[0], (char *const *)(uintptr_t)argv);

    int code = errno;
    ssize_t ignored = write(EXEC_FD, &code, sizeof(code));
    (void)ignored; /* then 127 has to say it all */
    _exit(127);
}

static void stream_watch(struct stream *stream, struct proc *proc, int *end, short what,
                         event_callback_fn fn, void *ctx)
{
    stream->proc = proc;
    stream->fd = *end;
    *end = -1;
    stream->event =
        event_new(event_loop_base(proc->el), stream->fd, what | EV_PERSIST, fn, ctx);
    if (!stream->event || event_add(stream->event, NULL) < 0)
        stream_close(
            stream); /* no memory or no epoll slot: as if the other end closed */
}

static struct proc *adopt(struct event_loop *el, const struct proc_options *options,
                          pid_t pid, struct pipes *pipes)
{
    struct proc *proc = NEW(struct proc);

    proc->el = el;
    proc->pid = pid;
    proc->command = command_line(options->argv);
    proc->output_max_bytes = options->output_max_bytes ? options->output_max_bytes
                                                       : DEFAULT_OUTPUT_MAX_BYTES;
    proc->timeout_ms =
        options->timeout_ms > 0 ? options->timeout_ms : DEFAULT_TIMEOUT_MS;
    proc->input.fd = proc->output.fd = proc->errors.fd = -1;
    stream_watch(&proc->output, proc, &pipes->ends[PIPE_OUTPUT][0], EV_READ,
                 on_readable, &proc->output);
    stream_watch(&proc->errors, proc, &pipes->ends[PIPE_ERRORS][0], EV_READ,
                 on_readable, &proc->errors);
    if (options->input) {
        strbuf_add_bytes(&proc->input.text, options->input, options->input_len);
        stream_watch(&proc->input, proc, &pipes->ends[PIPE_INPUT][1], EV_WRITE,
                     on_writable, proc);
    }
    proc->exec_fd = pipes->ends[PIPE_EXEC][0];
    pipes->ends[PIPE_EXEC][0] = -1;
    return proc;
}

int proc_start(struct event_loop *el, const struct proc_options *options,
               proc_done_f done, void *ctx, struct proc **ret, struct error *err)
{
    struct pipes pipes;
    int r = pipes_open(&pipes, options->input != NULL);

    if (r < 0)
        return error_set(err, r, "cannot run '%s': no pipe: %s", options->argv[0],
                         strerror(-r));
    char **environment = merged_environment(options->environment);
    pid_t pid = fork();
    if (pid == 0)
        run_child(options->argv, environment, &pipes);
    r = -errno;
    free(environment);
    if (pid < 0) {
        pipes_close(&pipes);
        return error_set(err, r, "cannot run '%s': fork: %s", options->argv[0],
                         strerror(-r));
    }
    (void)setpgid(pid, pid); /* whoever comes first; EACCES after its exec is fine */

    struct proc *proc = adopt(el, options, pid, &pipes);
    pipes_close(&pipes);
    proc->done = done;
    proc->ctx = ctx;
    r = event_loop_on_exit(el, pid, on_child_exit, proc, err);
    if (r < 0) {
        kill_group(proc, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        destroy(proc);
        return r;
    }
    timer_start(&proc->deadline, event_loop_port(el), proc->timeout_ms, on_deadline,
                proc);
    *ret = proc;
    return 0;
}

void proc_cancel(struct proc *proc)
{
    if (!proc || proc->finishing)
        return;
    kill_group(proc, SIGKILL);
    event_loop_forget_child(proc->el, proc->pid);
    destroy(proc);
}
