/* dry_run - what training a net would take: hop-train --dry-run. */
#ifndef HOP_TOOL_DRY_RUN_H
#define HOP_TOOL_DRY_RUN_H

#include "engine/session.h"
#include "net/state.h"

/* tool_dry_run - shapes, parameters and FLOPs per layer, memory on `device`, to stdout. Err: of the
 * device. */
int tool_dry_run(const struct hop_training *t, const struct hop_plan_spec *spec, const char *device,
                 int n_threads, struct hop_err *e) HOP_MUSTUSE;

#endif
