/* Flatten, Rescaling, ZeroPadding2D. */
#include "engine/cuda/plan.h"

static void
forward_flatten(struct hop_cuda_prog *g, int i)
{
    hop_cuda_set_out(g, i, hop_cuda_in(g, i, 0));
}

static void
backward_flatten(struct hop_cuda_prog *g, int i, struct k_val dy)
{
    hop_cuda_give(g, i, 0, dy);
}

static void
forward_rescaling(struct hop_cuda_prog *g, int i)
{
    const struct hop_rescaling *p = hop_cuda_layer(g, i)->params;
    struct k_rescale_args a = {hop_cuda_in(g, i, 0), hop_cuda_constant(g, p->scale, p->n),
                               hop_cuda_constant(g, p->offset, p->n), hop_cuda_new_out(g, i)};

    g->aux[i].a = a.scale;
    hop_cuda_launch_v(g, K_rescale, a.y.n, &a);
}

static void
backward_rescaling(struct hop_cuda_prog *g, int i, struct k_val dy)
{
    struct k_scale_args a = {dy, g->aux[i].a, hop_cuda_new_like(g, dy)};

    hop_cuda_launch_v(g, K_scale, dy.n, &a);
    hop_cuda_give(g, i, 0, a.y);
}

static void
forward_padding(struct hop_cuda_prog *g, int i)
{
    const struct hop_layer *l = hop_cuda_layer(g, i);
    const struct hop_zero_padding2d *p = l->params;
    struct k_pad_args a = {hop_cuda_in(g, i, 0), hop_cuda_new_out(g, i), l->in_shape.d[0],
                           l->in_shape.d[1], l->in_shape.d[2], l->out_shape.d[0],
                           l->out_shape.d[1], p->top, p->left};

    hop_cuda_launch_v(g, K_pad, a.y.n, &a);
}

static void
backward_padding(struct hop_cuda_prog *g, int i, struct k_val dy)
{
    const struct hop_layer *l = hop_cuda_layer(g, i);
    const struct hop_zero_padding2d *p = l->params;
    struct k_pad_args a = {dy, hop_cuda_new_like(g, hop_cuda_in(g, i, 0)), l->out_shape.d[0],
                           l->out_shape.d[1], l->in_shape.d[2], l->in_shape.d[0],
                           l->in_shape.d[1], -p->top, -p->left};

    hop_cuda_launch_v(g, K_pad, a.y.n, &a);
    hop_cuda_give(g, i, 0, a.y);
}

const struct hop_cuda_op hop_cuda_op_flatten = {"Flatten", forward_flatten, backward_flatten};
const struct hop_cuda_op hop_cuda_op_rescaling = {"Rescaling", forward_rescaling,
                                                  backward_rescaling};
const struct hop_cuda_op hop_cuda_op_zero_padding2d = {"ZeroPadding2D", forward_padding,
                                                       backward_padding};
