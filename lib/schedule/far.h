/* far - what lies at workers, asked of all of them side by side with one small shell script each:
 * hop there, its devices, free disk, and shards, whose digests are checked where they lie. */
#ifndef HOP_SCHEDULE_FAR_H
#define HOP_SCHEDULE_FAR_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "format/json.h"
#include "schedule/reach.h"
#include "schedule/workers.h"

struct hop_far {
    const struct hop_worker *worker;
    const char *dir;              /* where shards lie there; NULL = do not look for any */
    const struct hop_words *names; /* the shards to be looked at; NULL = all that dir has */
    bool want_dir;                /* make dir where it is missing */
    /* out: */
    bool is_reached;
    struct hop_str why;      /* not reached: why; else what went wrong there, or empty */
    struct hop_json *devices; /* the lines of hop-train --probe there; NULL when it has no hop */
    struct hop_json *shards; /* {"name":{"digest","bytes","examples"}, ...}: those that are whole */
    struct hop_json *bad;    /* {"name":TEXT, ...}: those that are not, or are not there */
    int64_t free_bytes;      /* of dir's disk; -1 = not known */
};

/* hop_far_ask - all n, n_at_once at a time. A worker that is not reached (ssh without a connection,
 * or no answer within timeout_s) is no error. want_probe: ask for devices, too; else only whether
 * hop-shard is there. Err: HOP_EIO, HOP_ENOMEM. */
int hop_far_ask(struct hop_far *v, size_t n, size_t n_at_once, double timeout_s, bool want_probe,
                struct hop_err *e) HOP_MUSTUSE;
void hop_far_clear(struct hop_far *f);

/* hop_far_tool - the path of a tool there: "PATH/NAME", or "NAME" where the worker has no "path".
 * Added to out. */
void hop_far_tool(const struct hop_worker *w, const char *name, struct hop_str *out);

#endif
