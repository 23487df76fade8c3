/* Flatten: the same numbers, channels last, seen as [N, H*W*C]. */
#include "engine/cpu/plan.h"

static int
forward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    struct hop_cpu_value *x = &g->values[i], *y = &g->values[i + 1];
    const struct hop_dn_md *md = hop_cpu_md_last(g, x, e);
    int rc;

    if (!md || !(y->md = hop_cpu_md(g, y, HOP_DN_NC, e)))
        return HOP_ENOMEM;
    /* A copy is ours alone; memory shared with x must be kept as x wants it. */
    if ((rc = hop_cpu_value_as(g, HOP_CPU_FORWARD, i, md, &y->buf, e)))
        return rc;
    y->keep = y->buf == x->buf ? x->keep : HOP_CPU_FREE;
    return HOP_OK;
}

static int
backward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    struct hop_cpu_value *x = &g->values[i], *y = &g->values[i + 1];
    const struct hop_dn_md *md = hop_cpu_md_last(g, x, e);
    struct hop_cpu_buf *dy;
    int rc;

    if (!md)
        return HOP_ENOMEM;
    if ((rc = hop_cpu_grad_take(g, i + 1, y->md, &dy, e)))
        return rc;
    hop_cpu_grad_give(g, i, md, dy);
    return HOP_OK;
}

const struct hop_cpu_op hop_cpu_op_flatten = {"Flatten", forward, backward};
