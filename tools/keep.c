/* The caller's side. Contents: 1 the folder, 2 sockets, 3 starting a worker, 4 handing over,
 * 5 stopping */
#define _GNU_SOURCE /* struct ucred, O_PATH, cpu_set_t */
#include "keep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

enum { NAME_BYTES = 128, WAIT_S = 30 };

static const char magic[8] = {'h', 'o', 'p', '-', 'k', 'e', 'e', 'p'};

void
keep_texts(struct train_options *o, const char **texts[KEEP_N_TEXTS])
{
    texts[0] = &o->shard;
    texts[1] = &o->device;
    texts[2] = &o->precision;
    texts[3] = &o->worker;
    texts[4] = &o->lock_dir;
    texts[5] = &o->turn;
}

/* ---- 1 the folder ---- */

/* Made, 0700, if missing; what is in it is reached through the descriptor alone. HOP_EOF: there is
 * none and !want_made. */
static int
open_folder(const char *path, bool want_made, int *fd, struct hop_err *e)
{
    struct stat st;

    if (want_made && mkdir(path, 0700) < 0 && errno != EEXIST)
        return hop_fail_errno(e, path, NULL, "cannot make the folder for workers");
    *fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*fd < 0 && errno == ENOENT && !want_made)
        return HOP_EOF;
    if (*fd < 0)
        return hop_fail_errno(e, path, "set XDG_RUNTIME_DIR to a folder of your own",
                              "cannot open the folder for workers");
    if (fstat(*fd, &st) == 0 && st.st_uid == geteuid() && !(st.st_mode & 077))
        return HOP_OK;
    close(*fd);
    return hop_fail(e, HOP_EIO, path,
                    st.st_uid == geteuid() ? "chmod 700, if nobody else put anything there"
                                           : "set XDG_RUNTIME_DIR to a folder of your own",
                    "the folder for workers is open to others");
}

static void
socket_name(const char *device, char out[NAME_BYTES])
{
    char identity[64], env[17];

    hop_device_identity(device, identity, sizeof identity);
    tool_env_digest(strcmp(identity, "cpu") && strcmp(identity, "ref"), env);
    snprintf(out, NAME_BYTES, "keep-%s%s%s", identity, env[0] ? "-" : "", env);
}

/* ---- 2 sockets ---- */

/* The address of `name` in the folder: through /proc, so that it is never too long. */
static struct sockaddr_un
address(int dir_fd, const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int n = snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d/%s", dir_fd, name);

    HOP_BUG_ON(n < 0 || (size_t)n >= sizeof a.sun_path);
    return a;
}

/* HOP_EOF: nobody listens. */
static int
connect_to(int dir_fd, const char *name, int *fd, pid_t *pid, struct hop_err *e)
{
    struct sockaddr_un a = address(dir_fd, name);
    struct ucred peer;
    socklen_t n = sizeof peer;
    int rc;

    if ((*fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) < 0)
        return hop_fail_errno(e, name, NULL, "cannot make a socket");
    do
        rc = connect(*fd, (struct sockaddr *)&a, sizeof a);
    while (rc < 0 && errno == EINTR);
    if (rc == 0 && getsockopt(*fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0) {
        *pid = peer.pid;
        if (peer.uid == geteuid())
            return HOP_OK;
        rc = hop_fail(e, HOP_EIO, name, NULL, "somebody else's process listens there");
    } else {
        rc = HOP_EOF;
    }
    close(*fd);
    return rc;
}

static int
program_now(struct keep_program *p)
{
    struct stat st;

    *p = (struct keep_program){0};
    if (stat("/proc/self/exe", &st) < 0)
        return -1;
    p->dev = (uint64_t)st.st_dev;
    p->inode = (uint64_t)st.st_ino;
    p->size = (uint64_t)st.st_size;
    p->changed_s = (int64_t)st.st_mtim.tv_sec;
    p->changed_ns = (int64_t)st.st_mtim.tv_nsec;
    return 0;
}

/* ---- 3 starting a worker ---- */

static int
listen_at(int dir_fd, const char *name, int *fd, struct hop_err *e)
{
    struct sockaddr_un a = address(dir_fd, name);

    /* We hold the lock, so whoever left it is gone. */
    unlinkat(dir_fd, name, 0);
    if ((*fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
        return hop_fail_errno(e, name, NULL, "cannot make a socket");
    if (bind(*fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(*fd, SOMAXCONN) == 0)
        return HOP_OK;
    hop_fail_errno(e, name, NULL, "cannot listen");
    close(*fd);
    return HOP_EIO;
}

/* Nothing of the caller stays open or set: not its run folder's lock, not the pipe that somebody waits
 * at the other end of. */
static void
leave_caller(const int *spared, int n_spared)
{
    struct sigaction plain = {.sa_handler = SIG_DFL};
    sigset_t none;
    struct dirent *d;
    int i, fd, null_fd;
    DIR *h;

    setsid();
    for (i = 1; i < NSIG; i++)
        sigaction(i, &plain, NULL);
    plain.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &plain, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (chdir("/") < 0)
        _exit(1);
    if ((h = opendir("/proc/self/fd"))) {
        while ((d = readdir(h))) {
            fd = (int)strtol(d->d_name, NULL, 10);
            for (i = 0; i < n_spared && spared[i] != fd; i++)
                ;
            if (fd > STDERR_FILENO && fd != dirfd(h) && i == n_spared)
                close(fd);
        }
        closedir(h);
    }
    null_fd = open("/dev/null", O_RDWR);
    for (i = 0; i < 3; i++)
        if (null_fd >= 0 && null_fd != i)
            dup2(null_fd, i);
    if (null_fd > STDERR_FILENO)
        close(null_fd);
}

/* HOP_OK: there is one, which listens. HOP_EBUSY: another process holds the lock. HOP_EOF: we are it,
 * and it is over. */
static int
start_worker(int dir_fd, const char *name, int64_t idle_s, int64_t max_bytes, struct hop_err *e)
{
    int spared[3] = {-1, -1, dir_fd}, status = 0, rc = HOP_OK; /* socket, lock, folder */
    struct hop_err own = {0};
    struct keep_program program;
    char lock[NAME_BYTES + 8];
    pid_t pid;

    snprintf(lock, sizeof lock, "%s.lock", name);
    if ((spared[1] = openat(dir_fd, lock, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600)) < 0)
        return hop_fail_errno(e, lock, NULL, "cannot open the lock");
    if (flock(spared[1], LOCK_EX | LOCK_NB) < 0) {
        close(spared[1]);
        return HOP_EBUSY;
    }
    if (program_now(&program) < 0 || (rc = listen_at(dir_fd, name, &spared[0], e))) {
        close(spared[1]);
        return rc ? rc : hop_fail_errno(e, "/proc/self/exe", NULL, "cannot stat");
    }
    /* Twice, so that the worker is nobody's child. */
    if ((pid = fork()) == 0) {
        if ((pid = fork()))
            _exit(pid < 0);
        leave_caller(spared, 3);
        rc = keep_serve(spared[0], spared[1], dir_fd, name, &program, idle_s, max_bytes, &own);
        return HOP_EOF;
    }
    close(spared[0]);
    close(spared[1]);
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || status)
        return hop_fail_errno(e, NULL, NULL, "cannot start a process");
    return HOP_OK;
}

/* ---- 4 handing over ---- */

/* o NULL: a request to stop. HOP_EOF: it did not get through; hopeless: nor would it another time. */
static int
send_call(int fd, const struct train_options *o, int64_t idle_s, int64_t max_bytes,
          const struct keep_program *program, bool *is_hopeless, struct hop_err *e)
{
    struct keep_request q = {.program = *program, .kind = o ? KEEP_VISIT : KEEP_STOP,
                             .idle_s = idle_s, .max_bytes = max_bytes, .voice = tool_voice_now()};
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(KEEP_N_FDS * sizeof(int))];
    } control = {0};
    int fds[KEEP_N_FDS] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, -1}, i, rc = HOP_OK;
    const char **texts[KEEP_N_TEXTS];
    struct hop_str body = {0};
    struct iovec part;
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t sent;

    memcpy(q.magic, magic, sizeof magic);
    if (sched_getaffinity(0, sizeof q.processors, (cpu_set_t *)q.processors) < 0)
        memset(q.processors, 0, sizeof q.processors);
    if (o) {
        q.options = *o;
        keep_texts(&q.options, texts);
        fds[3] = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        msg.msg_control = control.bytes;
        msg.msg_controllen = sizeof control.bytes;
        control.head = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
                                        .cmsg_len = CMSG_LEN(sizeof fds)};
        memcpy(CMSG_DATA(&control.head), fds, sizeof fds);
    }
    hop_str_add_n(&body, &q, sizeof q);
    for (i = 0; o && i < KEEP_N_TEXTS; i++)
        if (*texts[i])
            hop_str_add_n(&body, *texts[i], strlen(*texts[i]) + 1);
    if (!(rc = hop_str_check(&body, e))) {
        part = (struct iovec){body.s, body.n};
        errno = EMSGSIZE;
        sent = body.n <= KEEP_MAX_REQUEST ? sendmsg(fd, &msg, MSG_NOSIGNAL) : -1;
        *is_hopeless = sent < 0 && (errno == EBADF || errno == EMSGSIZE);
        rc = sent == (ssize_t)body.n ? HOP_OK : HOP_EOF;
    }
    if (fds[3] >= 0)
        close(fds[3]);
    hop_str_clear(&body);
    return rc;
}

/* A reply of that kind. HOP_EOF: the worker has closed. timeout_s < 0: as long as it takes. */
static int
receive(int fd, int kind, int timeout_s, struct keep_reply *r)
{
    struct pollfd p = {fd, POLLIN, 0};
    ssize_t n;
    int rc;

    do
        rc = poll(&p, 1, timeout_s < 0 ? -1 : timeout_s * 1000);
    while (rc < 0 && errno == EINTR);
    if (rc == 0)
        return HOP_EBUSY;
    do
        n = recv(fd, r, sizeof *r, 0);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof *r && r->kind == kind ? HOP_OK : HOP_EOF;
}

/* End as the worker says that this process would have. */
static int
end_as(int status)
{
    struct sigaction now;

    if (status == 128 + SIGPIPE && sigaction(SIGPIPE, NULL, &now) == 0 &&
        now.sa_handler == SIG_DFL)
        raise(SIGPIPE);
    return status;
}

/* HOP_EOF: not taken. */
static int
hand_over(int fd, pid_t pid, const struct train_options *o, int64_t idle_s, int64_t max_bytes,
          const struct keep_program *program, int *status, bool *is_hopeless, struct hop_err *e)
{
    struct keep_reply r;
    char where[64];
    int rc;

    snprintf(where, sizeof where, "worker process %ld", (long)pid);
    if ((rc = send_call(fd, o, idle_s, max_bytes, program, is_hopeless, e)))
        return rc;
    if ((rc = receive(fd, KEEP_TAKEN, WAIT_S, &r)) == HOP_EBUSY)
        return hop_fail(e, HOP_EBUSY, where, "end it, or leave out --keep", "does not answer");
    if (rc)
        return rc;
    if (receive(fd, KEEP_DONE, -1, &r))
        return hop_fail(e, HOP_EBUSY, where, "the visit can be tried again", "died");
    *status = end_as(r.status);
    return HOP_OK;
}

int
keep_call(const struct train_options *o, int64_t idle_s, int64_t max_bytes, int *status,
          struct hop_err *e)
{
    struct timespec nap = {0, 500000};
    double until_s = hop_clock_s() + WAIT_S;
    struct keep_program program;
    bool is_hopeless = program_now(&program) < 0;
    char name[NAME_BYTES];
    int dir_fd, fd, rc;
    pid_t pid;

    if ((rc = open_folder(o->lock_dir, true, &dir_fd, e)))
        return rc;
    *status = 0;
    socket_name(o->device, name);
    for (rc = HOP_EOF; rc == HOP_EOF && !is_hopeless && hop_clock_s() < until_s;) {
        rc = connect_to(dir_fd, name, &fd, &pid, e);
        if (!rc) {
            rc = hand_over(fd, pid, o, idle_s, max_bytes, &program, status, &is_hopeless, e);
            close(fd);
        } else if (rc == HOP_EOF) {
            rc = start_worker(dir_fd, name, idle_s, max_bytes, e);
            if (rc == HOP_EOF)
                return HOP_OK; /* we were the worker */
            if (!rc) {
                hop_log(HOP_LOG_INFO, "a worker process stays behind (%s)", name);
                rc = HOP_EOF;
                continue;
            }
            rc = rc == HOP_EBUSY ? HOP_EOF : rc;
        }
        /* One that goes has the lock still, or one that comes has it already. */
        if (rc == HOP_EOF && !is_hopeless) {
            nanosleep(&nap, NULL);
            if (nap.tv_nsec < 50000000)
                nap.tv_nsec *= 2;
        }
    }
    close(dir_fd);
    return rc;
}

/* ---- 5 stopping ---- */

static int
stop_one(int dir_fd, const char *name, struct hop_err *e)
{
    struct keep_program program;
    struct keep_reply r;
    bool is_hopeless;
    pid_t pid;
    int fd, rc = connect_to(dir_fd, name, &fd, &pid, e);

    if (rc)
        return rc == HOP_EOF ? HOP_OK : rc;
    if (program_now(&program) < 0)
        memset(&program, 0, sizeof program); /* any other stops, too */
    rc = send_call(fd, NULL, 0, 0, &program, &is_hopeless, e);
    if (!rc)
        rc = receive(fd, KEEP_DONE, -1, &r); /* it never comes: the socket ends with the worker */
    close(fd);
    return rc == HOP_EOF ? HOP_OK : rc;
}

static bool
is_socket_of(int dir_fd, const char *name, const char *device)
{
    char want[NAME_BYTES], identity[64];
    struct stat st;
    size_t n;

    hop_device_identity(device ? device : "auto", identity, sizeof identity);
    snprintf(want, sizeof want, "keep-%s", identity);
    n = device ? strlen(want) : strlen("keep-");
    return !strncmp(name, want, n) && (!device || !name[n] || name[n] == '-') &&
           strlen(name) < NAME_BYTES / 2 + 20 && fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISSOCK(st.st_mode);
}

int
keep_stop(const char *lock_dir, const char *device, struct hop_err *e)
{
    int dir_fd, rc = open_folder(lock_dir, false, &dir_fd, e);
    struct dirent *d;
    DIR *h;

    if (rc)
        return rc == HOP_EOF ? HOP_OK : rc;
    if (!(h = fdopendir(dup(dir_fd))))
        rc = hop_fail_errno(e, lock_dir, NULL, "cannot read the folder");
    while (!rc && h && (d = readdir(h)))
        if (is_socket_of(dir_fd, d->d_name, device))
            rc = stop_one(dir_fd, d->d_name, e);
    if (h)
        closedir(h);
    close(dir_fd);
    return rc;
}
