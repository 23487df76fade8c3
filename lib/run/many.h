/* many - commands side by side: each with its own standard input, what they say kept apart. */
#ifndef HOP_RUN_MANY_H
#define HOP_RUN_MANY_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/str.h"

struct hop_many_job {
    char *const *argv;       /* found by PATH */
    const char *in;          /* standard input, or NULL = none */
    struct hop_str out, err; /* out: what it printed; cleared by the caller */
    int status;              /* out: exit status, or 128 and the signal's number */
    bool is_late;            /* out: it was ended after timeout_s */
    double end_s;            /* private */
    int pid, fds[3];         /* private */
};

/* hop_many_run - all n of them, n_at_once at a time, and wait for the end of all. Each may take
 * timeout_s (0 = as long as it likes), then it is sent SIGTERM, and two seconds later SIGKILL.
 * on_end (or NULL) is called after each. Should this process die, they get SIGTERM (Linux).
 * Err: HOP_EIO when temporary files or processes cannot be made; what began before is waited for. */
int hop_many_run(struct hop_many_job *jobs, size_t n, size_t n_at_once, double timeout_s,
                 void (*on_end)(void *arg, const struct hop_many_job *job), void *arg,
                 struct hop_err *e) HOP_MUSTUSE;

/* hop_many_said - the last line that job wrote to standard error, without its newline; "" for none.
 * Cuts job->err there. */
const char *hop_many_said(struct hop_many_job *job);

#endif
