/* probe_workers - hop-schedule probe: what there is to train on, as a file of workers. */
#ifndef HOP_PROBE_WORKERS_H
#define HOP_PROBE_WORKERS_H

#include <stdint.h>
#include "base/err.h"

/* tool_probe_here - copy to stdout what `hop-train --probe` prints: on this machine the hop-train
 * beside this program. A process of its own, since asking a GPU keeps memory of it until one ends.
 * Err: HOP_EFAIL, HOP_EBUSY. */
int tool_probe_here(struct hop_err *e) HOP_MUSTUSE;

/* tool_probe_workers - ask all workers of the file side by side, each for timeout_s at most, and print
 * each one's line with its "probe" made anew. data: NULL, or a data folder: then each worker should
 * have the shards that are placed with it, with the digests of the manifest; else all that lie in its
 * folder are listed. Err: HOP_EDEV when one was not reached, HOP_EFAIL when one cannot be worked with,
 * each told on stderr before. */
int tool_probe_workers(const char *workers, const char *data, int64_t timeout_s,
                       struct hop_err *e) HOP_MUSTUSE;

#endif
