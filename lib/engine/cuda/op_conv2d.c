/* Conv2D, depthwise too, and Conv1D on one row. */
#include "engine/cuda/plan.h"

static struct k_conv
describe(const struct hop_cuda_prog *g, int i)
{
    const struct hop_layer *l = hop_cuda_layer(g, i);
    const struct hop_conv2d *p = l->params;
    struct hop_shape in = hop_cuda_image(&l->in_shape), out = hop_cuda_image(&l->out_shape);

    return (struct k_conv){.n = g->n, .H = in.d[0], .W = in.d[1], .C = in.d[2], .K = p->filters,
                           .P = out.d[0], .Q = out.d[1], .kh = p->kh, .kw = p->kw,
                           .Cg = in.d[2] / p->groups, .Kg = p->filters / p->groups,
                           .stride_h = p->stride_h, .stride_w = p->stride_w,
                           .dilation_h = p->dilation_h, .dilation_w = p->dilation_w,
                           .pad_top = p->pad_top, .pad_left = p->pad_left};
}

static int
bias_place(const struct hop_layer *l)
{
    return ((const struct hop_conv2d *)l->params)->use_bias ? 1 : -1;
}

static void
forward(struct hop_cuda_prog *g, int i)
{
    struct k_conv_forward_args a = {.w = hop_cuda_weight(g, i, 0),
                                    .bias = hop_cuda_weight(g, i, bias_place(hop_cuda_layer(g, i))),
                                    .c = describe(g, i)};

    if (g->plan->is_fast) {
        hop_cuda_linear_forward(g, i);
        return;
    }
    a.x = hop_cuda_f32(hop_cuda_in(g, i, 0));
    a.y = hop_cuda_f32(hop_cuda_new_out(g, i));
    hop_cuda_launch(g, K_conv_forward, a.y.n, &a);
}

/* Every chunk of images gives its sum for every weight. Small chunks run side by side, but a chunk
 * costs the memory of all weights: 64 MiB are the limit. The bits are the same for any power of 2. */
static void
backward_w(struct hop_cuda_prog *g, int i, struct k_f32 x, struct k_f32 dy)
{
    struct k_f32 dw = hop_cuda_weight_gradient(g, i, 0);
    struct k_f32 db = hop_cuda_weight_gradient(g, i, bias_place(hop_cuda_layer(g, i)));
    struct k_conv_dw_args a = {x, dy, {NULL, 0}, describe(g, i), 1};
    int64_t n_w = hop_cuda_weight(g, i, 0).n, n_all = n_w + a.c.K, n_chunks = g->n;

    if (!dw.n && !db.n)
        return;
    while (n_chunks * n_all > 1 << 24 && a.chunk < g->n) {
        a.chunk *= 2;
        n_chunks = (g->n + a.chunk - 1) / a.chunk;
    }
    a.part = hop_cuda_new(g, n_chunks * n_all);
    hop_cuda_launch(g, K_conv_dw, a.part.n, &a);
    if (dw.n)
        hop_cuda_tree(g, a.part, n_chunks, n_all, 0, dw);
    if (db.n)
        hop_cuda_tree(g, a.part, n_chunks, n_all, n_w, db);
}

static void
backward(struct hop_cuda_prog *g, int i, struct k_val dy)
{
    struct k_val x = hop_cuda_in(g, i, 0), dx;
    struct k_f32 w = hop_cuda_weight(g, i, 0);
    struct k_conv_dx_args a = {hop_cuda_f32(dy), {NULL, 0}, {NULL, 0}, describe(g, i)};
    struct k_transpose_args t = {w, {NULL, 0}, a.c.Cg, a.c.K};

    if (g->plan->is_fast) {
        hop_cuda_linear_backward(g, i, dy);
        return;
    }
    backward_w(g, i, hop_cuda_f32(x), a.dy);
    if (!hop_cuda_wants(g, i, 0))
        return;
    t.y = a.wt = hop_cuda_new(g, w.n);
    dx = hop_cuda_new_like(g, x);
    a.dx = hop_cuda_f32(dx);
    hop_cuda_launch(g, K_transpose, w.n, &t);
    hop_cuda_launch(g, K_conv_dx, dx.n, &a);
    hop_cuda_give(g, i, 0, dx);
}

const struct hop_cuda_op hop_cuda_op_conv2d = {"Conv2D", forward, backward};
