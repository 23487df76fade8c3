/* push - hop-shard --push: shards to the workers that hold them, with rsync. */
#ifndef HOP_PUSH_H
#define HOP_PUSH_H

#include <stdint.h>
#include "base/err.h"

struct tool_push_options {
    const char *workers; /* a file */
    const char *dir;     /* the data folder here */
    int64_t n_at_once;
    int64_t timeout_s;   /* of a connection that says nothing */
};

/* tool_push - where each shard belongs is what hop-schedule says (schedule/workers.h). Shards whose
 * digest is right over there are left alone; what was sent is checked over there. Prints a push/1 line
 * per worker's folder and shard. *n_left: shards that are not where they belong. Err: HOP_EDEV when a
 * worker was not reached or a connection was cut (call it again: it goes on where it was), HOP_EFAIL
 * when something else kept a shard from getting there; all others have been sent then. */
int tool_push(const struct tool_push_options *o, struct hop_err *e) HOP_MUSTUSE;

#endif
