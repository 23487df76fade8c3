/* Pooling; 1D as one row. */
#include "engine/cuda/plan.h"

static struct k_pool
describe(const struct hop_layer *l)
{
    const struct hop_pool2d *p = l->params;
    struct hop_shape in = hop_cuda_image(&l->in_shape), out = hop_cuda_image(&l->out_shape);

    return (struct k_pool){.H = in.d[0], .W = in.d[1], .C = in.d[2], .P = out.d[0], .Q = out.d[1],
                           .kh = p->kh, .kw = p->kw, .stride_h = p->stride_h,
                           .stride_w = p->stride_w, .pad_top = p->pad_top,
                           .pad_left = p->pad_left};
}

static void
forward_max(struct hop_cuda_prog *g, int i)
{
    struct k_pool_max_args a = {hop_cuda_in(g, i, 0), hop_cuda_new_out(g, i),
                                describe(hop_cuda_layer(g, i))};

    hop_cuda_launch_v(g, K_pool_max, a.y.n, &a);
}

static void
backward_max(struct hop_cuda_prog *g, int i, struct k_val dy)
{
    struct k_val x = hop_cuda_in(g, i, 0);
    struct k_pool_max_back_args a = {x, hop_cuda_out(g, i), dy, hop_cuda_new_like(g, x),
                                     describe(hop_cuda_layer(g, i))};

    hop_cuda_launch_v(g, K_pool_max_back, x.n, &a);
    hop_cuda_give(g, i, 0, a.dx);
}

static void
forward_mean(struct hop_cuda_prog *g, int i)
{
    struct k_pool_mean_args a = {hop_cuda_in(g, i, 0), hop_cuda_new_out(g, i),
                                 describe(hop_cuda_layer(g, i))};

    hop_cuda_launch_v(g, K_pool_mean, a.y.n, &a);
}

static void
backward_mean(struct hop_cuda_prog *g, int i, struct k_val dy)
{
    struct k_pool_mean_back_args a = {dy, hop_cuda_new_like(g, hop_cuda_in(g, i, 0)),
                                      describe(hop_cuda_layer(g, i))};

    hop_cuda_launch_v(g, K_pool_mean_back, a.dx.n, &a);
    hop_cuda_give(g, i, 0, a.dx);
}

static int64_t
positions(const struct hop_layer *l)
{
    return hop_shape_len(&l->in_shape) / l->out_shape.d[0];
}

static void
forward_global_mean(struct hop_cuda_prog *g, int i)
{
    const struct hop_layer *l = hop_cuda_layer(g, i);
    struct k_global_mean_args a = {hop_cuda_in(g, i, 0), hop_cuda_new_out(g, i), positions(l),
                                   l->out_shape.d[0]};

    hop_cuda_launch_v(g, K_global_mean, a.y.n, &a);
}

static void
backward_global_mean(struct hop_cuda_prog *g, int i, struct k_val dy)
{
    const struct hop_layer *l = hop_cuda_layer(g, i);
    struct k_global_mean_back_args a = {dy, hop_cuda_new_like(g, hop_cuda_in(g, i, 0)),
                                        positions(l), l->out_shape.d[0]};

    hop_cuda_launch_v(g, K_global_mean_back, a.dx.n, &a);
    hop_cuda_give(g, i, 0, a.dx);
}

static void
forward_global_max(struct hop_cuda_prog *g, int i)
{
    const struct hop_layer *l = hop_cuda_layer(g, i);
    struct k_global_max_args a = {hop_cuda_in(g, i, 0), hop_cuda_new_out(g, i), positions(l),
                                  l->out_shape.d[0]};

    hop_cuda_launch_v(g, K_global_max, a.y.n, &a);
}

static void
backward_global_max(struct hop_cuda_prog *g, int i, struct k_val dy)
{
    const struct hop_layer *l = hop_cuda_layer(g, i);
    struct k_val x = hop_cuda_in(g, i, 0);
    struct k_global_max_back_args a = {x, hop_cuda_out(g, i), dy, hop_cuda_new_like(g, x),
                                       positions(l), l->out_shape.d[0]};

    hop_cuda_launch_v(g, K_global_max_back, a.y.n, &a);
    hop_cuda_give(g, i, 0, a.dx);
}

const struct hop_cuda_op hop_cuda_op_max_pooling2d = {"MaxPooling2D", forward_max, backward_max};
const struct hop_cuda_op hop_cuda_op_average_pooling2d = {"AveragePooling2D", forward_mean,
                                                          backward_mean};
const struct hop_cuda_op hop_cuda_op_global_average_pooling2d = {
    "GlobalAveragePooling2D", forward_global_mean, backward_global_mean};
const struct hop_cuda_op hop_cuda_op_global_max_pooling2d = {
    "GlobalMaxPooling2D", forward_global_max, backward_global_max};
