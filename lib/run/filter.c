#include "run/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/io.h"
#include "base/mem.h"

enum { TRY_AGAIN = 75, SSH_FAILED = 255, CANNOT_RUN = 127, MAX_SIGNAL = 65, COPY_BYTES = 1 << 20 };

static const int passed_on[] = {SIGTERM, SIGINT, SIGHUP};
static volatile sig_atomic_t child, last_signal;

static void
on_signal(int sig)
{
    int saved = errno;

    last_signal = sig;
    if (child > 0)
        kill((pid_t)child, sig);
    errno = saved;
}

void
hop_filter_signals(void)
{
    struct sigaction now, sa = {.sa_handler = on_signal};
    size_t i;

    sigemptyset(&sa.sa_mask);
    for (i = 0; i < HOP_LEN(passed_on); i++)
        if (sigaction(passed_on[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            sigaction(passed_on[i], &sa, NULL);
}

int
hop_filter_signal(void)
{
    return last_signal;
}

/* A filter whose hop-visit was killed would hold its device for nothing. */
#ifdef __linux__
static void
die_with_parent(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(TRY_AGAIN);
}
#else
static void
die_with_parent(pid_t parent)
{
    (void)parent;
}
#endif

/* The child's side; returns only through the pipe `fail`, which closes unseen when exec works. */
static void
become_filter(char *const *argv, int in_fd, int out_fd, int fail_fd, const sigset_t *mask,
              pid_t parent)
{
    size_t i;
    int code;

    for (i = 0; i < HOP_LEN(passed_on); i++) {
        struct sigaction sa;

        if (sigaction(passed_on[i], NULL, &sa) == 0 && sa.sa_handler == on_signal)
            signal(passed_on[i], SIG_DFL);
    }
    die_with_parent(parent);
    sigprocmask(SIG_SETMASK, mask, NULL);
    if (dup2(in_fd, STDIN_FILENO) >= 0 && dup2(out_fd, STDOUT_FILENO) >= 0)
        execvp(argv[0], argv);
    code = errno;
    if (write(fail_fd, &code, sizeof code) < 0)
        _exit(CANNOT_RUN);
    _exit(CANNOT_RUN);
}

/* Copy pipe to out_fd until its end, or until a signal came (looked for only while waiting, since
 * signals are blocked everywhere else). */
static int
copy(int pipe_fd, int out_fd, const char *name, const sigset_t *mask, struct hop_err *e)
{
    char *buf = hop_alloc(COPY_BYTES, 1, e);
    fd_set fds;
    ssize_t got;
    int rc = buf ? HOP_OK : HOP_ENOMEM;

    while (!rc && !last_signal) {
        FD_ZERO(&fds);
        FD_SET(pipe_fd, &fds);
        if (pselect(pipe_fd + 1, &fds, NULL, NULL, NULL, mask) < 0) {
            if (errno != EINTR)
                rc = hop_fail_errno(e, name, NULL, "cannot wait for the filter");
            continue;
        }
        got = read(pipe_fd, buf, COPY_BYTES);
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            rc = hop_fail_errno(e, name, NULL, "cannot read from the filter");
        else if (got > 0)
            rc = hop_write_fd(out_fd, name, buf, (size_t)got, e);
    }
    free(buf);
    return rc;
}

/* What the filter's end means. */
static int
judge(const char *name, int status, struct hop_err *e)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

    if (last_signal)
        return hop_fail(e, HOP_EBUSY, name, NULL, "ended by signal %d", (int)last_signal);
    if (WIFSIGNALED(status))
        return hop_fail(e, HOP_EBUSY, name, "the visit can be tried again",
                        "killed by signal %d", WTERMSIG(status));
    /* What a shell, here or behind ssh, says of a command that was killed. */
    if (code > 128 && code < 128 + MAX_SIGNAL)
        return hop_fail(e, HOP_EBUSY, name, "the visit can be tried again",
                        "killed by signal %d", code - 128);
    if (code == TRY_AGAIN || code == SSH_FAILED)
        return hop_fail(e, HOP_EBUSY, name, "the visit can be tried again", "exit status %d", code);
    return code ? hop_fail(e, HOP_EFAIL, name, NULL, "exit status %d", code) : HOP_OK;
}

/* Both pipes, close-on-exec. */
static int
open_pipes(int out[2], int fail[2], struct hop_err *e)
{
    int i;

    out[0] = out[1] = fail[0] = fail[1] = -1;
    if (pipe(out) < 0 || pipe(fail) < 0)
        return hop_fail_errno(e, NULL, NULL, "cannot make a pipe");
    for (i = 0; i < 2; i++) {
        fcntl(out[i], F_SETFD, FD_CLOEXEC);
        fcntl(fail[i], F_SETFD, FD_CLOEXEC);
    }
    return HOP_OK;
}

static void
close_all(int out[2], int fail[2])
{
    int i;

    for (i = 0; i < 2; i++) {
        if (out[i] >= 0)
            close(out[i]);
        if (fail[i] >= 0)
            close(fail[i]);
        out[i] = fail[i] = -1;
    }
}

/* The parent's side, signals blocked but while waiting for data. */
static int
attend(pid_t pid, const char *name, int out[2], int fail[2], int out_fd, const sigset_t *mask,
       struct hop_err *e)
{
    int code, status = 0, rc;
    bool is_not_run;

    close(out[1]);
    close(fail[1]);
    out[1] = fail[1] = -1;
    is_not_run = read(fail[0], &code, sizeof code) == (ssize_t)sizeof code;
    rc = copy(out[0], out_fd, name, mask, e);
    close(out[0]);
    out[0] = -1;
    if (rc)
        kill(pid, SIGTERM);
    /* Signals must reach the filter while we wait for its end. */
    sigprocmask(SIG_SETMASK, mask, NULL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    child = 0;
    if (is_not_run) {
        errno = code;
        return hop_fail_errno(e, name, NULL, "cannot run");
    }
    return rc ? rc : judge(name, status, e);
}

int
hop_filter_run(char *const *argv, const char *name, int in_fd, int out_fd, struct hop_err *e)
{
    sigset_t block, mask;
    pid_t pid, parent = getpid();
    int out[2], fail[2], rc;
    size_t i;

    if ((rc = open_pipes(out, fail, e))) {
        close_all(out, fail);
        return rc;
    }
    sigemptyset(&block);
    for (i = 0; i < HOP_LEN(passed_on); i++)
        sigaddset(&block, passed_on[i]);
    sigprocmask(SIG_BLOCK, &block, &mask);
    pid = last_signal ? -1 : fork();
    if (pid == 0)
        become_filter(argv, in_fd, out[1], fail[1], &mask, parent);
    child = (sig_atomic_t)pid;
    if (pid > 0)
        rc = attend(pid, name, out, fail, out_fd, &mask, e);
    else if (last_signal)
        rc = hop_fail(e, HOP_EBUSY, name, NULL, "not run: signal %d came", (int)last_signal);
    else
        rc = hop_fail_errno(e, name, NULL, "cannot start a process");
    sigprocmask(SIG_SETMASK, &mask, NULL);
    close_all(out, fail);
    return rc;
}
