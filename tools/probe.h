/* probe - what this machine can train on. */
#ifndef HOP_PROBE_H
#define HOP_PROBE_H

#include "train_job.h"

/* tool_probe - print a worker/1 line per device of this machine (HACKING.md, "Records"): its
 * processors, then each GPU; on stderr why a GPU cannot be used. Opens contexts: call it in a process
 * that ends soon after. Returns the exit status. */
int tool_probe(void);

/* tool_probe_slots - print the worker/1 line of o's device with as many slots as measure.h says pay for
 * t's net. Err: measure.h's. */
int tool_probe_slots(const struct train_options *o, const struct hop_training *t,
                     struct hop_err *e) HOP_MUSTUSE;

#endif
