/* probe_workers - hop-schedule probe: what there is to train on, as a file of workers. */
#ifndef HOP_PROBE_WORKERS_H
#define HOP_PROBE_WORKERS_H

#include "base/err.h"

/* tool_probe_workers - copy to stdout what `hop-train --probe` prints: on this machine the hop-train
 * beside this program. A process of its own, since asking a GPU keeps memory of it until one ends, and
 * on other hosts the same command can be asked over ssh. Err: HOP_EFAIL, HOP_EBUSY. */
int tool_probe_workers(struct hop_err *e) HOP_MUSTUSE;

#endif
