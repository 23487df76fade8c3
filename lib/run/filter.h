/* filter - run a command as a filter whose life is tied to ours. */
#ifndef HOP_RUN_FILTER_H
#define HOP_RUN_FILTER_H

#include "base/err.h"

/* hop_filter_signals - from now on SIGTERM, SIGINT and SIGHUP (unless ignored) do not end this
 * process but are passed on to the filter that runs, and remembered. Call once. */
void hop_filter_signals(void);

/* hop_filter_signal - the last such signal, or 0. */
int hop_filter_signal(void);

/* hop_filter_run - run argv (found by PATH) with standard input from in_fd, and copy all that it
 * prints to out_fd. Success is exit status 0. `name` is what errors call it.
 * Err: HOP_EBUSY when it exited 75 (try again), 255 (ssh: no connection) or was killed by a
 * signal (or exited 128 and its number, as shells say it), or when we were told to end (see hop_filter_signal); HOP_EFAIL for any other status or a
 * command that cannot be run; HOP_EIO when out_fd cannot be written. */
int hop_filter_run(char *const *argv, const char *name, int in_fd, int out_fd,
                   struct hop_err *e) HOP_MUSTUSE;

#endif
