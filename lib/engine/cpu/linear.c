/* What Conv2D and Dense share: y = act(x W + b) forward, and its two backward passes, each in the
 * layouts its primitive chose. 1 forward  2 backward */
#include "engine/cpu/plan.h"

/* ---- 1 forward ---- */

/* The forward primitive, with its activation if there is a fast one that does both. */
static int
choose(struct hop_cpu_prog *g, int i, hop_cpu_make *make, struct hop_dn_prim **out,
       struct hop_err *e)
{
    enum hop_dn_pass pass = g->is_training ? HOP_DN_TRAIN : HOP_DN_INFER;
    struct hop_cpu_node *next = NULL;
    const struct hop_activation *act = hop_cpu_next_act(g, i, &next);
    struct hop_err ignored = {0};

    if (act && !make(g, i, pass, act, NULL, out, &ignored) && !hop_dn_prim_is_slow(*out)) {
        next->is_fused = true;
        return HOP_OK;
    }
    return make(g, i, pass, NULL, NULL, out, e);
}

/* The weights live in the layout of their gradient, so that the optimizer needs no copies. */
static int
place_weights(struct hop_cpu_prog *g, int i, hop_cpu_make *make, struct hop_err *e)
{
    const struct hop_layer *l = &g->plan->spec.net->layers[i];
    struct hop_cpu_node *nd = &g->nodes[i];
    const struct hop_dn_md *md, *bias_md;
    int rc;

    if (g->is_training) {
        if ((rc = make(g, i, HOP_DN_BWD_WEIGHTS, NULL, nd->fwd, &nd->bwd_weights, e)))
            return rc;
        md = hop_dn_prim_md(g->set, nd->bwd_weights, HOP_DN_DIFF_WEIGHTS, e);
    } else {
        md = hop_dn_prim_md(g->set, nd->fwd, HOP_DN_WEIGHTS, e);
    }
    if (!md || !(md = hop_dn_md_typed(g->set, md, false, e)))
        return HOP_ENOMEM;
    if ((rc = hop_cpu_weight_place(g, l->i_weight, md, e)))
        return rc;
    if (l->n_weights == 1)
        return HOP_OK;
    bias_md = hop_dn_prim_md(g->set, nd->fwd, HOP_DN_BIAS, e);
    return bias_md ? hop_cpu_weight_place(g, l->i_weight + 1, bias_md, e) : HOP_ENOMEM;
}

int
hop_cpu_linear_forward(struct hop_cpu_prog *g, int i, hop_cpu_make *make, struct hop_err *e)
{
    const struct hop_layer *l = &g->plan->spec.net->layers[i];
    const struct hop_cpu_weight *w = &g->plan->weights[l->i_weight];
    struct hop_cpu_node *nd = &g->nodes[i];
    const struct hop_dn_md *x_md, *w_md, *y_md;
    struct hop_cpu_buf *x;
    float *kernel;
    int rc;

    if ((rc = choose(g, i, make, &nd->fwd, e)) || (rc = place_weights(g, i, make, e)))
        return rc;
    nd->is_input_free = !w->g;
    if (!(x_md = hop_dn_prim_md(g->set, nd->fwd, HOP_DN_SRC, e)) ||
        !(w_md = hop_dn_prim_md(g->set, nd->fwd, HOP_DN_WEIGHTS, e)) ||
        !(y_md = hop_dn_prim_md(g->set, nd->fwd, HOP_DN_DST, e)))
        return HOP_ENOMEM;
    if ((rc = hop_cpu_weight_as(g, l->i_weight, w_md, &kernel, e)) ||
        (rc = hop_cpu_value_as(g, HOP_CPU_FORWARD, hop_cpu_in(g, i, 0), x_md, &x, e)) ||
        (rc = hop_cpu_value_new(g, i + 1, y_md, e)))
        return rc;
    struct hop_dn_bind b[] = {
        {HOP_DN_SRC, x_md, x->p},
        {HOP_DN_WEIGHTS, w_md, kernel},
        {HOP_DN_DST, y_md, g->values[i + 1].buf->p},
        {HOP_DN_BIAS, l->n_weights > 1 ? w[1].md : NULL, l->n_weights > 1 ? w[1].v : NULL}};
    rc = hop_cpu_exec(g, HOP_CPU_FORWARD, nd->fwd, b, 4, e);
    hop_cpu_buf_put(x);
    return rc;
}

/* ---- 2 backward ---- */

int
hop_cpu_linear_weights(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    const struct hop_layer *l = &g->plan->spec.net->layers[i];
    const struct hop_cpu_weight *w = &g->plan->weights[l->i_weight];
    const struct hop_dn_prim *p = g->nodes[i].bwd_weights;
    const struct hop_dn_md *x_md, *dy_md, *dw_md;
    struct hop_cpu_buf *x, *dy;
    float *dw;
    int rc;

    if (!(dy_md = hop_dn_prim_md(g->set, p, HOP_DN_DIFF_DST, e)) ||
        !(x_md = hop_dn_prim_md(g->set, p, HOP_DN_SRC, e)) ||
        !(dw_md = hop_dn_prim_md(g->set, p, HOP_DN_DIFF_WEIGHTS, e)))
        return HOP_ENOMEM;
    if ((rc = hop_cpu_grad_take(g, i + 1, dy_md, &dy, e)) ||
        (rc = hop_cpu_value_as(g, HOP_CPU_BACKWARD, hop_cpu_in(g, i, 0), x_md, &x, e)) ||
        (rc = hop_cpu_weight_gradient(g, l->i_weight, dw_md, &dw, e)))
        return rc;
    struct hop_dn_bind b[] = {
        {HOP_DN_SRC, x_md, x->p},
        {HOP_DN_DIFF_DST, dy_md, dy->p},
        {HOP_DN_DIFF_WEIGHTS, dw_md, dw},
        {HOP_DN_DIFF_BIAS, l->n_weights > 1 ? w[1].md : NULL, l->n_weights > 1 ? w[1].g : NULL}};
    rc = hop_cpu_exec(g, HOP_CPU_BACKWARD, p, b, 4, e);
    hop_cpu_buf_put(x);
    if (rc || (rc = hop_cpu_grad_give(g, i + 1, dy_md, dy, e)))
        return rc;
    return hop_cpu_weight_gradient_done(g, l->i_weight, dw_md, dw, e);
}

static int
backward_data(struct hop_cpu_prog *g, int i, hop_cpu_make *make, struct hop_err *e)
{
    const struct hop_layer *l = &g->plan->spec.net->layers[i];
    const struct hop_dn_md *dy_md, *dx_md, *w_md;
    struct hop_cpu_buf *dy, *dx;
    struct hop_dn_prim *p;
    float *kernel;
    int rc;

    if ((rc = make(g, i, HOP_DN_BWD_DATA, NULL, g->nodes[i].fwd, &p, e)))
        return rc;
    if (!(dy_md = hop_dn_prim_md(g->set, p, HOP_DN_DIFF_DST, e)) ||
        !(dx_md = hop_dn_prim_md(g->set, p, HOP_DN_DIFF_SRC, e)) ||
        !(w_md = hop_dn_prim_md(g->set, p, HOP_DN_WEIGHTS, e)))
        return HOP_ENOMEM;
    if ((rc = hop_cpu_grad_take(g, i + 1, dy_md, &dy, e)) ||
        (rc = hop_cpu_weight_as(g, l->i_weight, w_md, &kernel, e)))
        return rc;
    if (!(dx = hop_cpu_grad_new(g, dx_md, e)))
        return HOP_ENOMEM;
    struct hop_dn_bind b[] = {{HOP_DN_DIFF_DST, dy_md, dy->p},
                              {HOP_DN_WEIGHTS, w_md, kernel},
                              {HOP_DN_DIFF_SRC, dx_md, dx->p}};
    rc = hop_cpu_exec(g, HOP_CPU_BACKWARD, p, b, 3, e);
    hop_cpu_buf_put(dy);
    return rc ? rc : hop_cpu_grad_give(g, hop_cpu_in(g, i, 0), dx_md, dx, e);
}

int
hop_cpu_linear_backward(struct hop_cpu_prog *g, int i, hop_cpu_make *make, struct hop_err *e)
{
    int rc = HOP_OK;

    if (g->plan->weights[g->plan->spec.net->layers[i].i_weight].g)
        rc = hop_cpu_linear_weights(g, i, e);
    if (!rc && g->values[hop_cpu_in(g, i, 0)].wants_grad)
        return backward_data(g, i, make, e);
    hop_cpu_buf_put(g->values[i + 1].grad);
    return rc;
}
