/* gc - what lies in a run folder and is no longer needed. Nothing else in hop removes a checkpoint.
 *
 * - what killed writers left: temporary files;
 * - job logs of earlier calls, and their failures;
 * - states of configs that RUN/configs.jsonl does not know;
 * - best states when none are wanted (best.txt), or the model has none;
 * - the state of a config that has diverged: it is trained no further;
 * - when the search is over (RUN/jobs/next.jsonl is there and empty) and `top` is given: states of
 *   configs that are not among that many best ones by RUN/best.txt.
 * The log keeps what was learned of all of them.
 */
#ifndef HOP_RUN_GC_H
#define HOP_RUN_GC_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

struct hop_gc {
    const char *run;
    int64_t top;    /* 0 = all configs are kept */
    bool is_dry;    /* remove nothing */
    /* Called for each file, before it is removed; why: static. */
    void (*found)(void *arg, const char *path, int64_t bytes, const char *why);
    void *arg;
};

/* hop_gc_run - under the lock of the run, and of each model. Err: HOP_EBUSY while a hop-run works, or
 * a visit is made; HOP_EARG for `top` when the search is not over; HOP_EIO. */
int hop_gc_run(const struct hop_gc *g, struct hop_err *e) HOP_MUSTUSE;

#endif
