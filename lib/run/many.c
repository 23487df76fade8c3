#include "run/many.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/clock.h"
#include "base/io.h"

enum { CANNOT_RUN = 127, MAX_SAID_BYTES = 64 << 20 };

static const double grace_s = 2;

#ifdef __linux__
static void
die_with_parent(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(CANNOT_RUN);
}
#else
static void
die_with_parent(pid_t parent)
{
    (void)parent;
}
#endif

/* A file without a name; files, not pipes, so that nobody waits for a reader. */
static int
open_file(int *fd, struct hop_err *e)
{
    char path[] = "/tmp/hop-many.XXXXXX";

    if ((*fd = mkstemp(path)) < 0)
        return hop_fail_errno(e, "/tmp", NULL, "cannot make a temporary file");
    unlink(path);
    fcntl(*fd, F_SETFD, FD_CLOEXEC);
    return HOP_OK;
}

static void
close_files(struct hop_many_job *job)
{
    int i;

    for (i = 0; i < 3; i++)
        if (job->fds[i] >= 0)
            close(job->fds[i]);
}

static void
become(const struct hop_many_job *job, pid_t parent)
{
    int i;

    die_with_parent(parent);
    for (i = 0; i < 3; i++)
        if (dup2(job->fds[i], i) < 0)
            _exit(CANNOT_RUN);
    execvp(job->argv[0], job->argv);
    dprintf(STDERR_FILENO, "%s: %s\n", job->argv[0], strerror(errno));
    _exit(CANNOT_RUN);
}

static int
begin(struct hop_many_job *job, double timeout_s, struct hop_err *e)
{
    size_t n = job->in ? strlen(job->in) : 0;
    pid_t parent = getpid();
    int i, rc = HOP_OK;

    job->fds[0] = job->fds[1] = job->fds[2] = -1;
    for (i = 0; i < 3 && !rc; i++)
        rc = open_file(&job->fds[i], e);
    if (!rc && !(rc = hop_write_fd(job->fds[0], "temporary file", job->in, n, e)) &&
        lseek(job->fds[0], 0, SEEK_SET) < 0)
        rc = hop_fail_errno(e, "temporary file", NULL, "cannot seek");
    job->end_s = timeout_s > 0 ? hop_clock_s() + timeout_s : 0;
    job->is_late = false;
    if (!rc && (job->pid = fork()) == 0)
        become(job, parent);
    if (!rc && job->pid < 0)
        rc = hop_fail_errno(e, job->argv[0], NULL, "cannot start a process");
    if (rc) {
        job->pid = 0;
        close_files(job);
    }
    return rc;
}

static int
take(int fd, struct hop_str *into, struct hop_err *e)
{
    char *text;
    size_t n;
    int rc;

    if (lseek(fd, 0, SEEK_SET) < 0)
        return hop_fail_errno(e, "temporary file", NULL, "cannot seek");
    if ((rc = hop_read_fd(fd, "temporary file", MAX_SAID_BYTES, &text, &n, e)))
        return rc;
    hop_str_add_n(into, text, n);
    free(text);
    return hop_str_check(into, e);
}

/* Has it ended? One that has had its time is told to. */
static bool
has_ended(struct hop_many_job *job)
{
    int status;
    pid_t pid = waitpid(job->pid, &status, WNOHANG);

    if (pid == 0 && job->end_s > 0 && hop_clock_s() > job->end_s) {
        kill(job->pid, job->is_late ? SIGKILL : SIGTERM);
        job->is_late = true;
        job->end_s = hop_clock_s() + grace_s;
    }
    if (pid == 0 || (pid < 0 && errno == EINTR))
        return false;
    job->status = pid < 0               ? CANNOT_RUN
                  : WIFSIGNALED(status) ? 128 + WTERMSIG(status)
                                        : WEXITSTATUS(status);
    return true;
}

int
hop_many_run(struct hop_many_job *jobs, size_t n, size_t n_at_once, double timeout_s,
             void (*on_end)(void *arg, const struct hop_many_job *job), void *arg,
             struct hop_err *e)
{
    const struct timespec pause = {0, 5000000};
    size_t i, n_begun = 0, n_ended = 0;
    int rc = HOP_OK;

    for (i = 0; i < n; i++)
        jobs[i].pid = 0;
    while (n_ended < n_begun || (n_begun < n && !rc)) {
        while (n_begun < n && n_begun - n_ended < n_at_once && !rc)
            if (!(rc = begin(&jobs[n_begun], timeout_s, e)))
                n_begun++;
        for (i = 0; i < n_begun; i++) {
            if (!jobs[i].pid || !has_ended(&jobs[i]))
                continue;
            jobs[i].pid = 0;
            n_ended++;
            if (!rc && !(rc = take(jobs[i].fds[1], &jobs[i].out, e)))
                rc = take(jobs[i].fds[2], &jobs[i].err, e);
            close_files(&jobs[i]);
            if (!rc && on_end)
                on_end(arg, &jobs[i]);
        }
        nanosleep(&pause, NULL);
    }
    return rc;
}

const char *
hop_many_said(struct hop_many_job *job)
{
    char *s = job->err.s, *line;

    if (!s)
        return "";
    while (job->err.n && (s[job->err.n - 1] == '\n' || s[job->err.n - 1] == '\r'))
        s[--job->err.n] = '\0';
    line = strrchr(s, '\n');
    return line ? line + 1 : s;
}
