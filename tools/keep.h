/* keep - hop-train --keep: a process that stays behind and does later calls, so that they find their
 * device open, their plan compiled and their shard checked.
 *
 * One worker process per user and device (hop_device_identity, and those variables of the environment
 * that numbers depend on) listens on a Unix socket in the folder of the device locks, which is the
 * user's own and nobody else's to enter. A caller sends it one message: which program it is, its
 * options, and its stdin, stdout, stderr and working folder as descriptors. It is answered with one
 * message when the worker has taken the call (nothing is read from stdin before), and with one that
 * has the exit status. The caller only waits; if it dies, so does the visit; if the worker dies, the
 * call ends with 75. A worker that finds a caller of another build, or is told to stop, or has had
 * nothing to do for as long as the last caller said, takes no more calls, finishes those it has, and
 * goes. A lock, held as long as it takes calls, tells a dead worker's socket from a live one's.
 */
#ifndef HOP_TOOL_KEEP_H
#define HOP_TOOL_KEEP_H

#include "tool.h"
#include "train_job.h"

/* What makes two files one program. */
struct keep_program {
    uint64_t dev, inode, size;
    int64_t changed_s, changed_ns;
};

enum { KEEP_MAX_REQUEST = 128 * 1024, KEEP_N_FDS = 4 };
enum { KEEP_VISIT = 1, KEEP_STOP };     /* requests */
enum { KEEP_TAKEN = 1, KEEP_DONE };     /* replies */

struct keep_request { /* then the texts of options, each with its NUL, those that are not NULL */
    char magic[8];    /* "hop-keep" */
    struct keep_program program;
    int kind; /* up to here the same in all builds; what follows is read by the same program only */
    unsigned char processors[128]; /* that the caller may use, as sched_setaffinity(2) takes them */
    int64_t idle_s, max_bytes;
    struct tool_voice voice;
    struct train_options options; /* pointers tell NULL from text alone */
};

struct keep_reply {
    int kind;
    int status; /* KEEP_DONE: exit status; 128 + SIGPIPE: as if by that signal */
};

/* keep_texts - addresses of the options' texts, in the order in which they are sent. */
enum { KEEP_N_TEXTS = 6 };
void keep_texts(struct train_options *o, const char **texts[KEEP_N_TEXTS]);

/* keep_call - have a worker do this call, and start one where there is none. *status: its exit
 * status; what there is to say has been said. HOP_EOF: nothing was done, the caller is to do it
 * itself. Also returns with status 0, at its end, in the worker process. Err: HOP_EIO a folder that is
 * not the user's own; HOP_EBUSY the worker died or does not answer. */
int keep_call(const struct train_options *o, int64_t idle_s, int64_t max_bytes, int *status,
              struct hop_err *e) HOP_MUSTUSE;

/* keep_stop - tell the workers of this user to go, all or that of `device`, and wait until they have.
 * No worker is no error. Err: HOP_EIO. */
int keep_stop(const char *lock_dir, const char *device, struct hop_err *e) HOP_MUSTUSE;

/* keep_serve - be the worker: take calls from listen_fd until it is time to go, then unlink `name` in
 * dir_fd, give up lock_fd, finish, return. All three are closed. */
int keep_serve(int listen_fd, int lock_fd, int dir_fd, const char *name,
               const struct keep_program *program, int64_t idle_s, int64_t max_bytes,
               struct hop_err *e) HOP_MUSTUSE;

#endif
