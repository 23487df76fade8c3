/* parent - a config that begins where another one is: its line names "parent", another id of the run,
 * and "parent_iteration". At its birth it is given the parent's state as it is after that iteration
 * (weights, optimizer slots, step, progress, dataset), with its own config and net and no history. So
 * hyperparameters change in the middle of a training, and what the log says of either id stays true.
 */
#ifndef HOP_RUN_PARENT_H
#define HOP_RUN_PARENT_H

#include <stdint.h>
#include "base/err.h"
#include "format/model.h"

/* hop_parent_of - the parent's id, borrowed, and iteration (>= 1) of a config line; *id NULL without.
 * Err: HOP_EFORMAT at `where`. */
int hop_parent_of(const struct hop_json *config, const char *where, const char **id,
                  int64_t *iteration, struct hop_err *e) HOP_MUSTUSE;

/* hop_parent_write - `child`, just made from its config line, with its parent's state, to fd.
 * Err: HOP_EBUSY when the parent has not that many iterations yet; HOP_EFAIL when it has more, or has
 * diverged; HOP_EFORMAT when the optimizers differ or weights have other shapes. */
int hop_parent_write(const char *run, const struct hop_model *child, int fd, const char *where,
                     struct hop_err *e) HOP_MUSTUSE;

/* hop_parent_graft - the same with the parent at hand; path: its name, for errors. */
int hop_parent_graft(const struct hop_model *parent, const char *path, int64_t iteration,
                     const struct hop_model *child, int fd, const char *where, struct hop_err *e)
    HOP_MUSTUSE;

#endif
