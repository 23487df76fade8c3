/* Conv2D: by wino.h where it can, else by the library. */
#include "engine/cpu/plan.h"

static int
make(struct hop_cpu_prog *g, int i, enum hop_dn_pass pass, const struct hop_activation *act,
     const struct hop_dn_prim *fwd, struct hop_dn_prim **out, struct hop_err *e)
{
    const struct hop_cpu_value *x = &g->values[hop_cpu_in(g, i, 0)], *y = &g->values[i + 1];
    struct hop_dn_conv c = {
        x->n, x->c, x->h, x->w, y->c, y->h, y->w, g->plan->spec.net->layers[i].params, act};

    return hop_dn_conv(g->set, pass, &c, fwd, out, e);
}

static int
forward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    bool is_wino;
    int rc = hop_cpu_conv_wino(g, i, &is_wino, e);

    if (rc)
        return rc;
    return is_wino ? hop_cpu_conv_wino_forward(g, i, e) : hop_cpu_linear_forward(g, i, make, e);
}

static int
backward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    return g->nodes[i].aux ? hop_cpu_conv_wino_backward(g, i, make, e)
                           : hop_cpu_linear_backward(g, i, make, e);
}

const struct hop_cpu_op hop_cpu_op_conv2d = {"Conv2D", forward, backward};
