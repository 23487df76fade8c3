/* Dense. x [n,D], w [D,U], y [n,U]. */
#include "engine/cuda/plan.h"

static void
forward(struct hop_cuda_prog *g, int i)
{
    const struct hop_layer *l = hop_cuda_layer(g, i);
    const struct hop_dense *p = l->params;
    struct k_dense_forward_args a = {.w = hop_cuda_weight(g, i, 0),
                                     .bias = hop_cuda_weight(g, i, p->use_bias ? 1 : -1),
                                     .D = l->in_shape.d[0], .U = p->units};

    if (g->plan->is_fast) {
        hop_cuda_linear_forward(g, i);
        return;
    }
    a.x = hop_cuda_f32(hop_cuda_in(g, i, 0));
    a.y = hop_cuda_f32(hop_cuda_new_out(g, i));
    hop_cuda_launch(g, K_dense_forward, a.y.n, &a);
}

static void
backward(struct hop_cuda_prog *g, int i, struct k_val dy)
{
    const struct hop_dense *p = hop_cuda_layer(g, i)->params;
    int64_t D = hop_cuda_layer(g, i)->in_shape.d[0], U = p->units;
    struct k_val x = hop_cuda_in(g, i, 0), dx;
    struct k_f32 w = hop_cuda_weight(g, i, 0);
    struct k_f32 db = hop_cuda_weight_gradient(g, i, p->use_bias ? 1 : -1);
    struct k_dense_dw_args dw = {hop_cuda_f32(x), hop_cuda_f32(dy),
                                 hop_cuda_weight_gradient(g, i, 0), g->n, D, U};
    struct k_transpose_args t = {w, {NULL, 0}, D, U};
    struct k_dense_dx_args a = {dw.dy, {NULL, 0}, {NULL, 0}, D, U};

    if (g->plan->is_fast) {
        hop_cuda_linear_backward(g, i, dy);
        return;
    }
    hop_cuda_launch(g, K_dense_dw, dw.dw.n, &dw);
    if (db.n)
        hop_cuda_tree(g, dw.dy, g->n, U, 0, db);
    if (!hop_cuda_wants(g, i, 0))
        return;
    t.y = a.wt = hop_cuda_new(g, w.n);
    dx = hop_cuda_new_like(g, x);
    a.dx = hop_cuda_f32(dx);
    hop_cuda_launch(g, K_transpose, w.n, &t);
    hop_cuda_launch(g, K_dense_dx, dx.n, &a);
    hop_cuda_give(g, i, 0, dx);
}

const struct hop_cuda_op hop_cuda_op_dense = {"Dense", forward, backward};
