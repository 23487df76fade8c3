/* Dropout and SpatialDropout2D: the mask is drawn again backward. */
#include "engine/cuda/plan.h"

/* from, masked; outside training, and where nothing is dropped, itself. */
static struct k_val
mask(struct hop_cuda_prog *g, int i, bool is_spatial, struct k_val from)
{
    const struct hop_layer *l = hop_cuda_layer(g, i);
    const struct hop_dropout *p = l->params;
    int64_t C = l->in_shape.d[l->in_shape.n_dims - 1];
    uint32_t limit = (uint32_t)(p->rate * 4294967296.0);
    float scale = (float)(1.0 / (1.0 - p->rate));
    struct k_dropout_args flat = {g->plan->now, from, {NULL, 0}, limit, (uint32_t)i, scale};
    struct k_spatial_dropout_args spatial = {
        g->plan->now, from, {NULL, 0}, hop_shape_len(&l->in_shape) / C, C, limit, (uint32_t)i,
        scale};

    if (!g->is_training || p->rate == 0)
        return from;
    flat.y = spatial.y = hop_cuda_new_like(g, from);
    if (is_spatial)
        hop_cuda_launch_v(g, K_spatial_dropout, from.n, &spatial);
    else
        hop_cuda_launch_v(g, K_dropout, (from.n + 3) / 4, &flat);
    return flat.y;
}

static void
forward(struct hop_cuda_prog *g, int i)
{
    hop_cuda_set_out(g, i, mask(g, i, false, hop_cuda_in(g, i, 0)));
}

static void
backward(struct hop_cuda_prog *g, int i, struct k_val dy)
{
    hop_cuda_give(g, i, 0, mask(g, i, false, dy));
}

static void
forward_spatial(struct hop_cuda_prog *g, int i)
{
    hop_cuda_set_out(g, i, mask(g, i, true, hop_cuda_in(g, i, 0)));
}

static void
backward_spatial(struct hop_cuda_prog *g, int i, struct k_val dy)
{
    hop_cuda_give(g, i, 0, mask(g, i, true, dy));
}

const struct hop_cuda_op hop_cuda_op_dropout = {"Dropout", forward, backward};
const struct hop_cuda_op hop_cuda_op_spatial_dropout2d = {"SpatialDropout2D", forward_spatial,
                                                          backward_spatial};
