/* The worker's side. Contents: 1 a call, in a thread of its own; 2 where it is made; 3 the dispatcher;
 * 4 its life */
#define _GNU_SOURCE /* struct ucred, accept4, cpu_set_t */
#include "keep.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/mem.h"
#include "devices.h"
#include "turn.h"
#include "warm.h"

enum { IN, OUT, ERR, CWD };

/* From COMING by the message on, except that STOPPING is for callers who wait for our end. */
enum state { COMING, AT_WORK, STOPPING };

struct worker;
struct call {
    struct train_place place; /* first: places are calls */
    struct call *next;
    struct worker *worker;
    enum state state;
    int fd; /* the caller */
    int fds[KEEP_N_FDS];
    struct keep_request request;
    char *body; /* what its texts point into */
    struct turn turn;
    bool is_file; /* its stdin */
    int n_slots;
    pthread_t thread;
    atomic_bool is_done; /* the thread has nothing left to do */
};

struct worker {
    int listen_fd, lock_fd, dir_fd;
    const char *name;
    struct keep_program program;
    int64_t idle_s;
    double idle_since_s;
    struct warm *warm;
    struct turns turns;
    struct call *calls;
    size_t n_calls, max_calls;
    struct pollfd *polls;
    size_t cap_polls;
    char *body; /* [KEEP_MAX_REQUEST] of the message just received */
    int wake[2]; /* a thread is done */
    bool is_retired;
    atomic_bool is_lost; /* the device: the next calls want another process */
};

static void
close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* ---- 1 a call, in a thread of its own ---- */

/* Has whoever read our output gone? */
static bool
is_broken(int fd)
{
    struct pollfd p = {fd, POLLOUT, 0};

    return poll(&p, 1, 0) == 1 && (p.revents & POLLERR);
}

/* What the caller is to exit with; what there is to say is said. */
static int
conclude(struct call *c, int rc, struct hop_err *e)
{
    if (rc && c->turn.is_over)
        return hop_err_exit(e); /* nobody listens */
    if (rc == HOP_EIO && !strcmp(e->where, "stdout") && is_broken(c->fds[OUT]))
        return 128 + SIGPIPE;
    close_fd(&c->fds[IN]);
    /* As at a process's end: some file systems tell only now. */
    if (close(c->fds[OUT]) < 0 && !rc)
        rc = hop_fail_errno(e, "stdout", NULL, "cannot write");
    c->fds[OUT] = -1;
    if (rc)
        tool_show(e);
    return rc ? hop_err_exit(e) : 0;
}

static void *
do_call(void *arg)
{
    struct call *c = arg;
    struct keep_reply r = {KEEP_DONE, 0};
    struct hop_err e = {0};
    int i, rc;

    /* Threads that this one starts get the same; it may well be refused. */
    sched_setaffinity(0, sizeof c->request.processors, (cpu_set_t *)c->request.processors);
    tool_voice_set(&c->request.voice);
    rc = train_job_run(&c->request.options, c->fds[IN], c->fds[OUT], &c->place, &e);
    turns_leave(&c->worker->turns, &c->turn); /* if it was never inside */
    /* A GPU that is lost is lost to this process. */
    if (rc == HOP_EDEV && strcmp(c->request.options.device, "cpu"))
        c->worker->is_lost = true;
    r.status = conclude(c, rc, &e);
    tool_voice_set(NULL);
    for (i = 0; i < KEEP_N_FDS; i++)
        close_fd(&c->fds[i]);
    if (send(c->fd, &r, sizeof r, MSG_NOSIGNAL) < 0) {
        /* the caller has gone */
    }
    c->is_done = true;
    if (write(c->worker->wake[1], "", 1) < 0) {
        /* full: it wakes anyway */
    }
    return NULL;
}

/* ---- 2 where it is made ---- */

static struct call *
call_of(struct train_place *p)
{
    return (struct call *)p;
}

/* Before each read: until there is something, or the caller has gone. */
static int
wait_for_input(void *arg, int fd, struct hop_err *e)
{
    struct call *c = arg;
    struct pollfd p[2] = {{fd, POLLIN, 0}, {c->fd, POLLIN, 0}};

    while (poll(p, 2, -1) < 0 && errno == EINTR)
        ;
    return p[1].revents ? hop_fail(e, HOP_EBUSY, "stdin", NULL, "told to end") : HOP_OK;
}

static int
input_take(struct train_place *p, int fd, struct hop_st_input **out, struct hop_err *e)
{
    struct call *c = call_of(p);
    struct worker *w = c->worker;
    int rc = HOP_OK;

    if (!c->is_file) {
        rc = warm_input_take(w->warm, fd, wait_for_input, c, out, e);
        turns_claim(&w->turns, &c->turn);
        if (!rc && (rc = turns_admit(&w->turns, &c->turn, c->n_slots, e)))
            warm_input_give(w->warm, *out);
        return rc;
    }
    rc = turns_admit(&w->turns, &c->turn, c->n_slots, e);
    return rc ? rc : warm_input_take(w->warm, fd, NULL, NULL, out, e);
}

static void
input_give(struct train_place *p, struct hop_st_input *in)
{
    warm_input_give(call_of(p)->worker->warm, in);
}

static int
training_take(struct train_place *p, const struct hop_model *m, struct hop_training *t,
              struct hop_err *e)
{
    return warm_training_take(call_of(p)->worker->warm, m, t, e);
}

static int
shard_take(struct train_place *p, const char *path, const struct hop_shard **out,
           struct hop_err *e)
{
    return warm_shard_take(call_of(p)->worker->warm, call_of(p)->fds[CWD], path, out, e);
}

static int
enter(struct train_place *p, const char *locks, int n_slots, int *k, struct hop_err *e)
{
    return turns_enter(&call_of(p)->worker->turns, &call_of(p)->turn, p->options->lock_dir, locks,
                       n_slots, k, e);
}

static int
plan_take(struct train_place *p, const struct hop_model *m, const struct hop_plan_spec *spec,
          const struct hop_state *state, struct train_plan **out, struct hop_err *e)
{
    return warm_plan_take(call_of(p)->worker->warm, p->options, m, spec, state, out, e);
}

static bool
is_wanted(struct train_place *p)
{
    return !call_of(p)->turn.is_over;
}

static void
plan_give(struct train_place *p, struct train_plan *plan, bool is_good)
{
    warm_plan_give(call_of(p)->worker->warm, plan, is_good);
}

static void
leave(struct train_place *p)
{
    turns_leave(&call_of(p)->worker->turns, &call_of(p)->turn);
}

static void
shard_give(struct train_place *p, const struct hop_shard *s)
{
    warm_shard_give(call_of(p)->worker->warm, s);
}

static void
training_give(struct train_place *p, struct hop_training *t, bool is_good)
{
    warm_training_give(call_of(p)->worker->warm, t, is_good);
}

static const struct train_place warm_place = {
    input_take, training_take, shard_take,    enter,      plan_take, is_wanted,
    plan_give,  leave,         shard_give,    training_give, input_give, NULL,
};

/* ---- 3 the dispatcher ---- */

/* Its thread, if it has one, is done. */
static void
call_free(struct worker *w, struct call *c)
{
    struct call **p;
    int i;

    for (p = &w->calls; *p != c; p = &(*p)->next)
        ;
    *p = c->next;
    w->n_calls--;
    if (c->state == AT_WORK)
        pthread_join(c->thread, NULL);
    for (i = 0; i < KEEP_N_FDS; i++)
        close_fd(&c->fds[i]);
    close_fd(&c->fd);
    free(c->body);
    free(c);
}

/* No more calls; those who wait for us to take theirs, or to go, see this socket end. */
static void
retire(struct worker *w)
{
    if (w->is_retired)
        return;
    w->is_retired = true;
    unlinkat(w->dir_fd, w->name, 0);
    close_fd(&w->listen_fd);
    close_fd(&w->lock_fd);
}

/* The texts behind the request into its pointers. */
static bool
set_texts(struct call *c, size_t n)
{
    const char *p = c->body + sizeof c->request, *end = c->body + n;
    const char **texts[KEEP_N_TEXTS];
    int i;

    keep_texts(&c->request.options, texts);
    for (i = 0; i < KEEP_N_TEXTS; i++) {
        if (!*texts[i])
            continue;
        if (p >= end || !memchr(p, '\0', (size_t)(end - p)))
            return false;
        *texts[i] = p;
        p += strlen(p) + 1;
    }
    return p == end && c->request.options.shard && c->request.options.device &&
           c->request.options.precision && c->request.options.lock_dir &&
           c->request.options.threads > 0;
}

/* The caller's message and descriptors; n bytes, or < 0: none is there yet, or it is broken. */
static ssize_t
receive(struct call *c)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(KEEP_N_FDS * sizeof(int))];
    } control;
    struct iovec part = {c->worker->body, KEEP_MAX_REQUEST};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
                         .msg_controllen = sizeof control.bytes};
    ssize_t n = recvmsg(c->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    struct cmsghdr *h;

    for (h = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL; h; h = CMSG_NXTHDR(&msg, h))
        if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS &&
            h->cmsg_len <= CMSG_LEN(sizeof c->fds))
            memcpy(c->fds, CMSG_DATA(h), h->cmsg_len - CMSG_LEN(0));
    return n;
}

/* How many may be inside at once. Asked here, where there is one thread, the plugin of a device is
 * loaded before any call needs it; that there is no such device the call says itself. */
static int
count_slots(const struct train_options *o)
{
    const struct hop_device_ops *ops;
    struct hop_err e = {0};
    char locks[64];
    int index, n = 1;

    if (!hop_device_find(o->device, &ops, &index, &e))
        n = tool_device_slots(ops, index, o->threads, locks, sizeof locks);
    hop_err_clear(&e);
    return n;
}

static bool
start_thread(struct call *c)
{
    struct keep_reply r = {KEEP_TAKEN, 0};
    struct stat st;

    c->place = warm_place;
    c->n_slots = count_slots(&c->request.options);
    c->is_file = fstat(c->fds[IN], &st) == 0 && S_ISREG(st.st_mode);
    c->request.voice.fd = c->fds[ERR];
    turns_join(&c->worker->turns, &c->turn);
    if (c->is_file)
        turns_claim(&c->worker->turns, &c->turn);
    if (send(c->fd, &r, sizeof r, MSG_NOSIGNAL) == (ssize_t)sizeof r &&
        pthread_create(&c->thread, NULL, do_call, c) == 0)
        return true;
    turns_leave(&c->worker->turns, &c->turn);
    return false;
}

/* Something came from a caller who had not said anything yet. */
static void
hear(struct worker *w, struct call *c)
{
    struct keep_request *q = &c->request;
    struct hop_err e = {0};
    ssize_t n = receive(c);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < (ssize_t)offsetof(struct keep_request, processors) ||
        memcmp(w->body, "hop-keep", 8) || !(c->body = hop_alloc((size_t)n, 1, &e))) {
        call_free(w, c);
        return;
    }
    memcpy(c->body, w->body, (size_t)n);
    memcpy(q, w->body, (size_t)n < sizeof *q ? (size_t)n : sizeof *q);
    if (q->kind == KEEP_STOP) {
        c->state = STOPPING;
        retire(w);
    } else if (memcmp(&q->program, &w->program, sizeof w->program)) {
        retire(w); /* we are of the past */
        call_free(w, c);
    } else if (n < (ssize_t)sizeof *q || q->kind != KEEP_VISIT || !set_texts(c, (size_t)n) ||
               c->fds[CWD] < 0 || !start_thread(c)) {
        call_free(w, c);
    } else {
        c->state = AT_WORK;
        w->idle_s = q->idle_s;
        warm_set_limit(w->warm, q->max_bytes);
    }
}

static void
accept_one(struct worker *w)
{
    struct hop_err e = {0};
    struct ucred peer;
    socklen_t n = sizeof peer;
    struct call *c, **p;
    int fd = accept4(w->listen_fd, NULL, NULL, SOCK_CLOEXEC), i;

    if (fd < 0)
        return;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0 || peer.uid != geteuid() ||
        !(c = hop_alloc(1, sizeof *c, &e))) {
        close(fd);
        return;
    }
    c->fd = fd;
    c->worker = w;
    for (i = 0; i < KEEP_N_FDS; i++)
        c->fds[i] = -1;
    for (p = &w->calls; *p; p = &(*p)->next)
        ;
    *p = c;
    w->n_calls++;
    hear(w, c); /* mostly it has come with the connection */
}

/* ---- 4 its life ---- */

/* Wait for something, at most until it is time to go. Calls are polled in their order. */
static int
wait_for_events(struct worker *w, size_t *n, struct hop_err *e)
{
    double left_s = (double)w->idle_s - (hop_clock_s() - w->idle_since_s);
    bool is_idle = true;
    struct call *c;
    char some[64];

    *n = 2;
    for (c = w->calls; c; c = c->next, ++*n)
        is_idle = is_idle && c->state != AT_WORK;
    if (hop_grow(&w->polls, &w->cap_polls, *n, sizeof *w->polls, e))
        return HOP_ENOMEM;
    w->polls[0] = (struct pollfd){w->wake[0], POLLIN, 0};
    /* -1 is skipped; more calls than we have descriptors for wait outside */
    w->polls[1] = (struct pollfd){w->n_calls < w->max_calls ? w->listen_fd : -1, POLLIN, 0};
    for (*n = 2, c = w->calls; c; c = c->next, ++*n)
        /* one that is over has nothing more to say */
        w->polls[*n] = (struct pollfd){c->turn.is_over ? -1 : c->fd, POLLIN, 0};
    if (is_idle && (w->is_retired || left_s <= 0))
        return HOP_EOF;
    if (!is_idle)
        left_s = 3600;
    poll(w->polls, *n, left_s > 3600 ? 3600000 : (int)(left_s * 1000) + 1);
    if (w->polls[0].revents)
        while (read(w->wake[0], some, sizeof some) == (ssize_t)sizeof some)
            ;
    return HOP_OK;
}

static void
handle(struct worker *w, size_t n)
{
    struct call *c, *next;
    size_t i = 2;

    for (c = w->calls; c && i < n; c = next, i++) {
        next = c->next;
        if (c->state == AT_WORK && c->is_done) {
            call_free(w, c);
            w->idle_since_s = hop_clock_s();
            if (w->is_lost)
                retire(w);
        } else if (!w->polls[i].revents) {
            continue;
        } else if (c->state == COMING) {
            hear(w, c);
        } else if (c->state == STOPPING) {
            call_free(w, c);
        } else {
            turns_end(&w->turns, &c->turn); /* callers say nothing more: it has gone */
        }
    }
    if (!w->is_retired && w->polls[1].revents)
        accept_one(w);
}

/* As many descriptors as we may have, and so many calls. */
static size_t
count_max_calls(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) < 0)
        return 32;
    r.rlim_cur = r.rlim_max < 65536 ? r.rlim_max : 65536;
    setrlimit(RLIMIT_NOFILE, &r);
    getrlimit(RLIMIT_NOFILE, &r);
    return r.rlim_cur < 100 ? 8 : (size_t)(r.rlim_cur - 50) / (KEEP_N_FDS + 2);
}

int
keep_serve(int listen_fd, int lock_fd, int dir_fd, const char *name,
           const struct keep_program *program, int64_t idle_s, int64_t max_bytes,
           struct hop_err *e)
{
    struct worker w = {.listen_fd = listen_fd, .lock_fd = lock_fd, .dir_fd = dir_fd, .name = name,
                       .program = *program, .idle_s = idle_s, .idle_since_s = hop_clock_s(),
                       .max_calls = count_max_calls(), .wake = {-1, -1}};
    char hex[HOP_DIGEST_LEN + 1];
    size_t n;
    int rc;

    tool_devices_share();
    hop_json_free(hop_json_object()); /* what libraries set up once is set up before threads */
    hop_device_list();
    turns_init(&w.turns);
    w.warm = warm_new(max_bytes, e);
    w.body = hop_alloc(1, KEEP_MAX_REQUEST, e);
    rc = w.warm && w.body ? HOP_OK : HOP_ENOMEM;
    if (!rc)
        hop_digest_of(w.body, KEEP_MAX_REQUEST, hex);
    if (!rc && pipe(w.wake) < 0)
        rc = hop_fail_errno(e, NULL, NULL, "cannot make a pipe");
    if (!rc) {
        fcntl(w.wake[0], F_SETFL, O_NONBLOCK);
        fcntl(w.wake[1], F_SETFL, O_NONBLOCK);
        while (!(rc = wait_for_events(&w, &n, e)))
            handle(&w, n);
    }
    retire(&w);
    while (w.calls) {
        if (w.calls->state == STOPPING)
            w.calls->fd = -1; /* who waits for our end sees it when this process has ended */
        call_free(&w, w.calls);
    }
    warm_free(w.warm);
    turns_clear(&w.turns);
    free(w.polls);
    free(w.body);
    close_fd(&w.wake[0]);
    close_fd(&w.wake[1]);
    close(dir_fd);
    return rc == HOP_EOF ? HOP_OK : rc;
}
