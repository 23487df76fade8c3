/* MaxPooling2D, AveragePooling2D and GlobalAveragePooling2D. */
#include "engine/cpu/plan.h"

static struct hop_dn_pool
describe(const struct hop_cpu_prog *g, int i, bool is_max)
{
    const struct hop_pool2d *conf = g->plan->spec.net->layers[i].params;
    const struct hop_cpu_value *x = &g->values[i], *y = &g->values[i + 1];
    struct hop_dn_pool c = {
        .n = x->n, .c = x->c, .h = x->h, .w = x->w, .p = y->h, .q = y->w, .is_max = is_max};

    if (y->is_flat) /* global */
        c.conf = (struct hop_pool2d){.kh = x->h, .kw = x->w, .stride_h = 1, .stride_w = 1};
    else
        c.conf = *conf;
    return c;
}

/* The forward primitive: in the layout of the input, or in another if that has no fast one. */
static int
choose(struct hop_cpu_prog *g, int i, const struct hop_dn_pool *c, struct hop_err *e)
{
    enum hop_dn_pass pass = g->is_training ? HOP_DN_TRAIN : HOP_DN_INFER;
    struct hop_cpu_node *nd = &g->nodes[i];
    const struct hop_dn_md *md[] = {g->values[i].md, hop_cpu_md(g, &g->values[i], HOP_DN_NHWC, e),
                                    hop_cpu_md(g, &g->values[i], HOP_DN_NCHW, e)};
    int rc;

    for (int k = 0; k < 3; k++) {
        if (!md[k])
            return HOP_ENOMEM;
        nd->md = md[k];
        if ((rc = hop_dn_pool(g->set, pass, c, md[k], NULL, &nd->fwd, e)))
            return rc;
        if (!hop_dn_prim_is_slow(nd->fwd))
            return HOP_OK;
    }
    nd->md = md[0];
    return hop_dn_pool(g->set, pass, c, md[0], NULL, &nd->fwd, e);
}

static int
pool_forward(struct hop_cpu_prog *g, int i, bool is_max, struct hop_err *e)
{
    struct hop_dn_pool c = describe(g, i, is_max);
    struct hop_cpu_node *nd = &g->nodes[i];
    const struct hop_dn_md *y_md, *space_md;
    struct hop_cpu_buf *x;
    int rc;

    if ((rc = hop_cpu_value_any(g, i, e)) || (rc = choose(g, i, &c, e)))
        return rc;
    if (!(y_md = hop_dn_prim_md(g->set, nd->fwd, HOP_DN_DST, e)))
        return HOP_ENOMEM;
    space_md = hop_dn_prim_md(g->set, nd->fwd, HOP_DN_WORKSPACE, e); /* where the maxima were */
    if (space_md && !(nd->aux = hop_cpu_own(g, hop_dn_md_bytes(space_md), e)))
        return HOP_ENOMEM;
    if ((rc = hop_cpu_value_as(g, HOP_CPU_FORWARD, i, nd->md, &x, e)) ||
        (rc = hop_cpu_value_new(g, i + 1, y_md, e)))
        return rc;
    struct hop_dn_bind b[] = {{HOP_DN_SRC, nd->md, x->p},
                              {HOP_DN_DST, y_md, g->values[i + 1].buf->p},
                              {HOP_DN_WORKSPACE, space_md, nd->aux}};
    rc = hop_cpu_exec(g, HOP_CPU_FORWARD, nd->fwd, b, 3, e);
    hop_cpu_buf_put(x);
    return rc;
}

static int
pool_backward(struct hop_cpu_prog *g, int i, bool is_max, struct hop_err *e)
{
    struct hop_dn_pool c = describe(g, i, is_max);
    struct hop_cpu_node *nd = &g->nodes[i];
    const struct hop_dn_md *dy_md, *space_md;
    struct hop_dn_prim *p;
    struct hop_cpu_buf *dy;
    int rc;

    if ((rc = hop_dn_pool(g->set, HOP_DN_BWD_DATA, &c, nd->md, nd->fwd, &p, e)))
        return rc;
    if (!(dy_md = hop_dn_prim_md(g->set, p, HOP_DN_DIFF_DST, e)))
        return HOP_ENOMEM;
    space_md = hop_dn_prim_md(g->set, p, HOP_DN_WORKSPACE, e);
    if ((rc = hop_cpu_grad_take(g, i + 1, dy_md, &dy, e)) ||
        (rc = hop_cpu_grad_new(g, i, nd->md, e)))
        return rc;
    struct hop_dn_bind b[] = {{HOP_DN_DIFF_DST, dy_md, dy->p},
                              {HOP_DN_DIFF_SRC, nd->md, g->values[i].grad->p},
                              {HOP_DN_WORKSPACE, space_md, nd->aux}};
    rc = hop_cpu_exec(g, HOP_CPU_BACKWARD, p, b, 3, e);
    hop_cpu_buf_put(dy);
    return rc;
}

static int
max_forward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    return pool_forward(g, i, true, e);
}

static int
max_backward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    return pool_backward(g, i, true, e);
}

static int
average_forward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    return pool_forward(g, i, false, e);
}

static int
average_backward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    return pool_backward(g, i, false, e);
}

/* Global: pooled as [N,C,1,1], then seen as [N,C]. */
static int
global_forward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    struct hop_cpu_value *y = &g->values[i + 1];
    const struct hop_dn_md *md = hop_cpu_md(g, y, HOP_DN_NHWC, e);
    struct hop_cpu_buf *flat;
    int rc;

    if (!md || (rc = pool_forward(g, i, false, e)))
        return md ? rc : HOP_ENOMEM;
    if ((rc = hop_cpu_value_as(g, HOP_CPU_FORWARD, i + 1, md, &flat, e)))
        return rc;
    hop_cpu_buf_put(y->buf);
    y->buf = flat;
    y->md = hop_cpu_md(g, y, HOP_DN_NC, e);
    return y->md ? HOP_OK : HOP_ENOMEM;
}

static int
global_backward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    struct hop_cpu_value *y = &g->values[i + 1];
    const struct hop_dn_md *md = hop_cpu_md(g, y, HOP_DN_NHWC, e);
    struct hop_cpu_buf *dy;
    int rc;

    if (!md || (rc = hop_cpu_grad_take(g, i + 1, y->md, &dy, e)))
        return md ? rc : HOP_ENOMEM;
    hop_cpu_grad_give(g, i + 1, md, dy);
    return pool_backward(g, i, false, e);
}

const struct hop_cpu_op hop_cpu_op_max_pooling2d = {"MaxPooling2D", max_forward, max_backward};
const struct hop_cpu_op hop_cpu_op_average_pooling2d = {"AveragePooling2D", average_forward,
                                                        average_backward};
const struct hop_cpu_op hop_cpu_op_global_average_pooling2d = {"GlobalAveragePooling2D",
                                                               global_forward, global_backward};
