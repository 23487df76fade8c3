/* Flatten and Reshape: the same numbers, channels last, seen in another shape. */
#include "engine/cpu/plan.h"

static int
forward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    int v = hop_cpu_in(g, i, 0), rc;
    struct hop_cpu_value *x = &g->values[v], *y = &g->values[i + 1];
    const struct hop_dn_md *md = hop_cpu_md_last(g, x, e);

    if (!md || !(y->md = hop_cpu_md_last(g, y, e)))
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
    const struct hop_dn_md *from = hop_cpu_md_last(g, &g->values[i + 1], e);
    const struct hop_dn_md *to = hop_cpu_md_last(g, &g->values[v], e);
    struct hop_cpu_buf *dy;

    if (!from || !to)
        return HOP_ENOMEM;
    if ((rc = hop_cpu_grad_take(g, i + 1, from, &dy, e)))
        return rc;
    return hop_cpu_grad_give(g, v, to, dy, e);
}

const struct hop_cpu_op hop_cpu_op_flatten = {"Flatten", forward, backward};
