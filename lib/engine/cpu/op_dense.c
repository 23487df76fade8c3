/* Dense. */
#include "engine/cpu/plan.h"

static int
make(struct hop_cpu_prog *g, int i, enum hop_dn_pass pass, const struct hop_activation *act,
     const struct hop_dn_prim *fwd, struct hop_dn_prim **out, struct hop_err *e)
{
    const struct hop_cpu_value *x = &g->values[hop_cpu_in(g, i, 0)], *y = &g->values[i + 1];
    const struct hop_dense *p = g->plan->spec.net->layers[i].params;
    struct hop_dn_dense c = {x->n, x->c, y->c, p->use_bias, i == g->plan->n_ops - 1, act};

    return hop_dn_dense(g->set, pass, &c, fwd, out, e);
}

static int
forward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    return hop_cpu_linear_forward(g, i, make, e);
}

static int
backward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    return hop_cpu_linear_backward(g, i, make, e);
}

const struct hop_cpu_op hop_cpu_op_dense = {"Dense", forward, backward};
