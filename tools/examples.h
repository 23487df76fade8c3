/* examples - a shard as a device takes it: for hop-train and hop-eval. */
#ifndef HOP_TOOL_EXAMPLES_H
#define HOP_TOOL_EXAMPLES_H

#include "engine/engine.h"
#include "format/model.h"
#include "net/state.h"

struct tool_examples {
    const struct hop_shard *shard; /* own, or the caller's */
    struct hop_shard own;
    struct hop_examples x;
    float *mean, *inv_std, *class_weight;
};

/* tool_examples_open - the shard at `path`, checked, its data bound to the model (net/state.h), its
 * normalisation and class weights as the config has them. Err: of those. */
int tool_examples_open(const char *path, struct hop_model *m, const struct hop_training *t,
                       struct tool_examples *x, struct hop_err *e) HOP_MUSTUSE;
/* tool_examples_of - the same of a shard that is open and outlives x; `path` is for errors. */
int tool_examples_of(const struct hop_shard *shard, const char *path, struct hop_model *m,
                     const struct hop_training *t, struct tool_examples *x,
                     struct hop_err *e) HOP_MUSTUSE;
void tool_examples_close(struct tool_examples *x);

#endif
