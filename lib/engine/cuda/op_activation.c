/* Activations; softmax over the last axis. */
#include "engine/cuda/plan.h"

_Static_assert((int)K_LINEAR_ACT == HOP_LINEAR && (int)K_RELU == HOP_RELU &&
                   (int)K_ELU == HOP_ELU && (int)K_TANH == HOP_TANH &&
                   (int)K_SIGMOID == HOP_SIGMOID && (int)K_SOFTMAX_ACT == HOP_SOFTMAX &&
                   (int)K_LEAKY_RELU == HOP_LEAKY_RELU && (int)K_GELU == HOP_GELU &&
                   (int)K_SWISH == HOP_SWISH && (int)K_SELU == HOP_SELU &&
                   (int)K_SOFTPLUS == HOP_SOFTPLUS,
               "the kernels' activations are net.h's");

static int64_t
width(const struct hop_layer *l)
{
    return l->in_shape.d[l->in_shape.n_dims - 1];
}

static void
forward(struct hop_cuda_prog *g, int i)
{
    const struct hop_layer *l = hop_cuda_layer(g, i);
    const struct hop_activation *p = l->params;
    struct k_val x = hop_cuda_in(g, i, 0);
    struct k_act_args a = {x, {NULL, 0}, (int)p->act, (float)p->alpha, (float)p->max_value};
    struct k_softmax_args s = {x, {NULL, 0}, width(l)};

    if (p->act == HOP_LINEAR) {
        hop_cuda_set_out(g, i, x);
        return;
    }
    a.y = s.y = hop_cuda_new_out(g, i);
    if (p->act == HOP_SOFTMAX)
        hop_cuda_launch_v(g, K_softmax, x.n / s.m, &s);
    else
        hop_cuda_launch_v(g, K_act, x.n, &a);
}

static void
backward(struct hop_cuda_prog *g, int i, struct k_val dy)
{
    const struct hop_layer *l = hop_cuda_layer(g, i);
    const struct hop_activation *p = l->params;
    struct k_val x = hop_cuda_in(g, i, 0), y = hop_cuda_out(g, i), dx = dy;
    struct k_act_back_args a = {x, y, dy, dx, (int)p->act, (float)p->alpha, (float)p->max_value};
    struct k_softmax_back_args s = {y, dy, dx, width(l)};

    if (p->act != HOP_LINEAR)
        a.dx = s.dx = dx = hop_cuda_new_like(g, x);
    if (p->act == HOP_SOFTMAX)
        hop_cuda_launch_v(g, K_softmax_back, x.n / s.m, &s);
    else if (p->act != HOP_LINEAR)
        hop_cuda_launch_v(g, K_act_back, x.n, &a);
    hop_cuda_give(g, i, 0, dx);
}

const struct hop_cuda_op hop_cuda_op_activation = {"Activation", forward, backward};
