/* examples - do examples fit a plan? Apart from engine.c, so that a plugin can have it without the table
 * of devices. */
#include "engine/engine.h"

int
hop_examples_check(const struct hop_examples *x, const struct hop_plan_spec *spec,
                   bool wants_labels, struct hop_err *e)
{
    const struct hop_net *net = spec->net;
    int64_t K = net->output.d[0];
    bool fits = x->t ? x->n_targets == K
                     : x->y && (x->n_classes <= K || (K == 1 && x->n_classes == 2));

    if (hop_shape_len(&x->shape) != hop_shape_len(&net->input) || net->output.n_dims != 1)
        return hop_fail(e, HOP_EFORMAT, net->name, "put a Flatten layer at the end",
                        "the examples do not fit, or the net's output is not flat");
    if (wants_labels && !fits)
        return hop_fail(e, HOP_EFORMAT, net->name, "change the units of the net's last layer",
                        "%lld %s do not fit the net's output of %lld",
                        (long long)(x->t ? x->n_targets : x->n_classes),
                        x->t ? "targets" : "classes", (long long)K);
    return HOP_OK;
}

int
hop_pass_told_to_end(struct hop_err *e)
{
    return hop_fail(e, HOP_EBUSY, NULL, NULL, "told to end");
}
