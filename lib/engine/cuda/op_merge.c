/* Add, Multiply, Concatenate: inputs in order. */
#include "engine/cuda/plan.h"

static void
forward_add(struct hop_cuda_prog *g, int i)
{
    struct k_add_args a = {hop_cuda_in(g, i, 0), {NULL, 0}, {NULL, 0}};
    int k;

    for (k = 1; k < hop_cuda_layer(g, i)->n_in; k++) {
        a.x2 = hop_cuda_in(g, i, k);
        a.y = hop_cuda_new_out(g, i);
        hop_cuda_launch_v(g, K_add, a.y.n, &a);
        a.x = a.y;
    }
}

static void
backward_add(struct hop_cuda_prog *g, int i, struct k_val dy)
{
    int k;

    for (k = 0; k < hop_cuda_layer(g, i)->n_in; k++)
        hop_cuda_give(g, i, k, dy);
}

/* x times inputs from..n_in - 1, but for number `without`. */
static struct k_val
product(struct hop_cuda_prog *g, int i, struct k_val x, int from, int without)
{
    struct k_multiply_args a = {x, {NULL, 0}, {NULL, 0}};
    int k;

    for (k = from; k < hop_cuda_layer(g, i)->n_in; k++) {
        if (k == without)
            continue;
        a.x2 = hop_cuda_in(g, i, k);
        a.y = hop_cuda_new_like(g, x);
        hop_cuda_launch_v(g, K_multiply, x.n, &a);
        a.x = a.y;
    }
    return a.x;
}

static void
forward_multiply(struct hop_cuda_prog *g, int i)
{
    hop_cuda_set_out(g, i, product(g, i, hop_cuda_in(g, i, 0), 1, -1));
}

static void
backward_multiply(struct hop_cuda_prog *g, int i, struct k_val dy)
{
    int k;

    for (k = 0; k < hop_cuda_layer(g, i)->n_in; k++)
        if (hop_cuda_wants(g, i, k))
            hop_cuda_give(g, i, k, product(g, i, dy, 0, k));
}

/* Input k's columns of the layer's output, or of its gradient. */
static struct k_columns_args
columns(const struct hop_cuda_prog *g, int i, int k)
{
    const struct hop_layer *l = hop_cuda_layer(g, i);
    int last = l->out_shape.n_dims - 1, j;
    struct k_columns_args a = {.m = l->in_shapes[k].d[last], .width = l->out_shape.d[last]};

    for (j = 0; j < k; j++)
        a.at += l->in_shapes[j].d[last];
    return a;
}

static void
forward_concatenate(struct hop_cuda_prog *g, int i)
{
    struct k_val y = hop_cuda_new_out(g, i);
    struct k_columns_args a;
    int k;

    for (k = 0; k < hop_cuda_layer(g, i)->n_in; k++) {
        a = columns(g, i, k);
        a.narrow = hop_cuda_in(g, i, k);
        a.wide = y;
        hop_cuda_launch_v(g, K_columns, a.narrow.n, &a);
    }
}

static void
backward_concatenate(struct hop_cuda_prog *g, int i, struct k_val dy)
{
    struct k_columns_args a;
    int k;

    for (k = 0; k < hop_cuda_layer(g, i)->n_in; k++) {
        if (!hop_cuda_wants(g, i, k))
            continue;
        a = columns(g, i, k);
        a.narrow = hop_cuda_new_like(g, hop_cuda_in(g, i, k));
        a.wide = dy;
        a.is_back = 1;
        hop_cuda_launch_v(g, K_columns, a.narrow.n, &a);
        hop_cuda_give(g, i, k, a.narrow);
    }
}

const struct hop_cuda_op hop_cuda_op_add = {"Add", forward_add, backward_add};
const struct hop_cuda_op hop_cuda_op_multiply = {"Multiply", forward_multiply, backward_multiply};
const struct hop_cuda_op hop_cuda_op_concatenate = {"Concatenate", forward_concatenate,
                                                    backward_concatenate};
