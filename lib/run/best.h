/* best - the state in which a config did best, kept beside its last one.
 *
 * RUN/best.txt says by which metric ("val.loss", or "val": accuracy, else loss), or "none"; without
 * it nothing is kept. RUN/best/ID.safetensors is the model file as it was when its evaluation was
 * merged, that evaluation in its history: the same file by a second name until the next visit
 * replaces the first, so the last state being the best costs no room.
 *
 * Order: the best file is replaced before the model file that knows of the evaluation is, and that
 * before the log. Whoever dies in between left the parts of the evaluation in the log; the next
 * settling merges them again, to the same line, and finds the best file done or does it.
 */
#ifndef HOP_RUN_BEST_H
#define HOP_RUN_BEST_H

#include "base/err.h"
#include "format/model.h"

/* hop_best_keep - under the lock of m's id: when m's present state has been evaluated (by its
 * history) and no better one, or equal one, is kept, put the file `from`, which holds m and is on
 * disk, in the best file's place. What killed writers left there the caller has swept. Err: HOP_EFORMAT for a best.txt that says nothing sensible, an
 * evaluation without that metric, a damaged best file; HOP_EIO. */
int hop_best_keep(const char *run, const struct hop_model *m, const char *from, struct hop_err *e)
    HOP_MUSTUSE;

#endif
