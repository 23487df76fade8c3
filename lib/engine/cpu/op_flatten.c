/* Flatten and Reshape: the same numbers, channels last, seen in another shape. */
#include "engine/cpu/plan.h"

/* Channels-last, in the type of md; float32 if that is NULL. */
static const struct hop_dn_md *
last(struct hop_cpu_prog *g, const struct hop_cpu_value *v, const struct hop_dn_md *md,
     struct hop_err *e)
{
    return md ? hop_cpu_md_typed(g, v, v->is_flat ? HOP_DN_NC : HOP_DN_NHWC, md, e)
              : hop_cpu_md_last(g, v, e);
}

static int
forward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    int v = hop_cpu_in(g, i, 0), rc;
    struct hop_cpu_value *x = &g->values[v], *y = &g->values[i + 1];
    const struct hop_dn_md *md = last(g, x, x->md, e);

    g->nodes[i].is_input_free = true;
    if (!md || !(y->md = last(g, y, x->md, e)))
        return HOP_ENOMEM;
    /* A copy is ours alone; memory shared with x must be kept as x wants it. */
    if ((rc = hop_cpu_value_as(g, HOP_CPU_FORWARD, v, md, &y->buf, e)))
        return rc;
    if (y->buf == x->buf) {
        y->keep = x->keep;
        y->is_shared = y->is_shared || x->is_shared;
    }
    return HOP_OK;
}

static int
backward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    int v = hop_cpu_in(g, i, 0), rc;
    const struct hop_dn_md *from = g->values[i + 1].made;
    const struct hop_dn_md *to = last(g, &g->values[v], from, e);
    struct hop_cpu_buf *dy;

    if (!to)
        return HOP_ENOMEM;
    if ((rc = hop_cpu_grad_take(g, i + 1, from, &dy, e)))
        return rc;
    return hop_cpu_grad_give(g, v, to, dy, e);
}

const struct hop_cpu_op hop_cpu_op_flatten = {"Flatten", forward, backward};
