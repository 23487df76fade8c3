/* weights - hop-train --init --weights: start weights from another file, and what came of it. */
#ifndef HOP_TOOL_WEIGHTS_H
#define HOP_TOOL_WEIGHTS_H

#include "net/state.h"

/* tool_weights - put the weights of `path` into t; how: "name" or "order". A line on stderr says what
 * was loaded; -v lists what was left and what is missing. Err: HOP_EFORMAT, also when nothing fits. */
int tool_weights(const char *path, const char *how, struct hop_training *t, struct hop_err *e)
    HOP_MUSTUSE;

#endif
