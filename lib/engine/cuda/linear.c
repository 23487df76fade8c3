/* Conv2D and Dense on tensor cores (fast.h), in plans of bfloat16 and tf32. Contents: 1 problems,
 * 2 copies of weights, 3 layers. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/cuda/plan.h"

/* ---- 1 problems ---- */

/* Layer l as a convolution's forward pass over n images; false: it is no such layer. */
static bool
describe(const struct hop_plan *plan, const struct hop_layer *l, int64_t n, struct hop_cuda_conv *c)
{
    const struct hop_cuda_fast *fast = plan->device->driver->fast;

    if (!strcmp(l->kind->op, "Conv2D")) {
        const struct hop_conv2d *p = l->params;
        struct hop_shape in = hop_cuda_image(&l->in_shape), out = hop_cuda_image(&l->out_shape);

        *c = (struct hop_cuda_conv){
            HOP_CUDA_FORWARD, n, in.d[0], in.d[1], in.d[2], p->filters, p->kh, p->kw, out.d[0],
            out.d[1], p->stride_h, p->stride_w, p->dilation_h, p->dilation_w, p->pad_top,
            p->pad_left, p->pad_bottom, p->pad_right, p->groups, p->use_bias, 0};
    } else if (!strcmp(l->kind->op, "Dense")) {
        const struct hop_dense *p = l->params;

        *c = (struct hop_cuda_conv){HOP_CUDA_FORWARD, n, 1, 1, l->in_shape.d[0], p->units, 1, 1, 1,
                                    1, 1, 1, 1, 1, 0, 0, 0, 0, 1, p->use_bias, 0};
    } else {
        return false;
    }
    c->C = fast->channels(c->C, c->groups, plan->precision);
    return true;
}

/* The layer's channels, without what they are padded with. */
static int64_t
channels(const struct hop_layer *l)
{
    return l->in_shape.d[l->in_shape.n_dims - 1];
}

/* A ReLU of the layer's own: cuDNN does it with the bias. */
static bool
takes_relu(const struct hop_cuda_prog *g, int i, const struct hop_cuda_conv *c)
{
    const struct hop_net *net = g->plan->spec.net;
    const struct hop_layer *next = i + 1 < net->n_layers ? &net->layers[i + 1] : NULL;

    return c->has_bias && next && next->is_inner && !strcmp(next->kind->op, "Activation") &&
           next->in[0] == i && ((const struct hop_activation *)next->params)->act == HOP_RELU;
}

/* Append a pass of convolution c. */
static void
append(struct hop_cuda_prog *g, const struct hop_cuda_conv *c, const struct k_fast_args *args)
{
    const struct hop_device *d = g->plan->device;
    struct hop_cuda_fast_plan *plan = NULL;
    struct k_fast_args a = *args;
    size_t bytes = 0;

    if (g->err.code ||
        d->driver->fast->plan_new(d->context, c, g->plan->precision, &plan, &bytes, &g->err))
        return;
    if (bytes)
        a.workspace = (struct k_u8){hop_cuda_new_bytes(g, bytes), (int64_t)bytes};
    hop_cuda_launch(g, (enum hop_cuda_kernel)HOP_CUDA_FAST, 1, &a);
    if (g->err.code)
        d->driver->fast->plan_free(plan);
    else
        g->steps[g->n_steps - 1].fast = plan;
}

int64_t
hop_cuda_linear_input_wide(const struct hop_cuda_prog *g)
{
    const struct hop_net *net = g->plan->spec.net;
    int64_t C = net->input.d[net->input.n_dims - 1], wide = 0;
    struct hop_cuda_conv c;
    int i, k;

    for (i = 0; i < net->n_layers && g->plan->is_fast; i++)
        for (k = 0; k < net->layers[i].n_in; k++) {
            if (net->layers[i].in[k] != -1)
                continue;
            if (!describe(g->plan, &net->layers[i], 1, &c) || channels(&net->layers[i]) != C)
                return C; /* a reader that knows of no padding */
            wide = c.C;
        }
    return wide ? wide : C;
}

/* ---- 2 copies of weights ---- */

/* Places in units of 128 values: aligned whatever their type is. */
static int64_t
room(int64_t n)
{
    return (n + 127) / 128 * 128;
}

static void
add_part(struct hop_plan *p, struct k_shadow_part *out, int64_t *n, int i_weight,
         struct k_shadow_part part)
{
    part.at = p->shadow.n;
    part.offset = (int64_t)p->spec.net->weights[i_weight].offset;
    p->shadow_at[i_weight] = part.at;
    p->shadow.n += room(part.K * part.rows * part.wide);
    out[(*n)++] = part;
}

int
hop_cuda_linear_shadows(struct hop_plan *p, struct k_shadow_part **parts, struct hop_err *e)
{
    int64_t n_parts = 0;
    const struct hop_net *net = p->spec.net;
    struct hop_cuda_conv c;
    int64_t C, K;
    int i, is_bias;

    *parts = hop_alloc((size_t)net->n_weights + 1, sizeof **parts, e);
    if (!*parts || (!p->shadow_at &&
                    !(p->shadow_at = hop_alloc((size_t)net->n_weights + 1, sizeof *p->shadow_at, e))))
        return HOP_ENOMEM;
    for (i = 0; i < net->n_weights; i++)
        p->shadow_at[i] = -1;
    for (is_bias = 0; is_bias < 2 && p->is_fast; is_bias++) {
        for (i = 0; i < net->n_layers; i++) {
            if (!describe(p, &net->layers[i], 1, &c) || (is_bias && !c.has_bias))
                continue;
            C = channels(&net->layers[i]) / c.groups;
            K = c.K;
            add_part(p, *parts, &n_parts, net->layers[i].i_weight + is_bias,
                     is_bias ? (struct k_shadow_part){0, 0, 1, K, 1, K}
                             : (struct k_shadow_part){0, 0, c.kh * c.kw, C, K, c.C / c.groups});
        }
        if (!is_bias) {
            p->n_kernels = n_parts;
            p->dshadow.n = p->spec.is_training ? p->shadow.n : 0;
        }
    }
    p->shadows.n = n_parts;
    return HOP_OK;
}

/* The copy of weight k of layer i, in `of`. */
static struct k_val
copy_of(const struct hop_cuda_prog *g, int i, int k, struct k_val of, int64_t n)
{
    const struct hop_plan *p = g->plan;
    int64_t at = p->shadow_at[hop_cuda_layer(g, i)->i_weight + k];
    size_t size = p->is_half ? sizeof(uint16_t) : sizeof(float);

    return (struct k_val){(struct k_value *)(void *)((char *)of.p + (size_t)at * size), n};
}

int
hop_cuda_linear_refresh(struct hop_plan *p, struct hop_cuda_prog *g, struct hop_err *e)
{
    struct k_shadow_args a = {p->shadows, p->w, p->shadow};
    struct hop_device *d = p->device;

    if (!p->shadow.n)
        return HOP_OK;
    if (!g)
        return d->driver->launch(d->context, d->stream, K_shadow + p->is_half, a.y.n, &a, e);
    hop_cuda_launch_v(g, K_shadow, a.y.n, &a);
    return HOP_OK;
}

void
hop_cuda_linear_weights_back(struct hop_cuda_prog *g)
{
    const struct hop_plan *p = g->plan;
    struct k_unshadow_args a = {{p->shadows.p, p->n_kernels}, p->dshadow, p->g};

    if (p->n_kernels)
        hop_cuda_launch_v(g, K_unshadow, p->dshadow.n, &a);
}

/* ---- 3 layers ---- */

/* What layer i reads, with as many channels as c has. */
static struct k_val
padded(struct hop_cuda_prog *g, int i, const struct hop_cuda_conv *c)
{
    const struct hop_layer *l = hop_cuda_layer(g, i);
    struct k_val x = hop_cuda_in(g, i, 0);
    struct k_fill_args a = {x, {NULL, 0}, channels(l), c->C};

    if (c->C == channels(l) || (l->in[0] == -1 && g->input_wide == c->C))
        return x;
    a.y = hop_cuda_new_value(g, c->n * c->H * c->W * c->C);
    hop_cuda_launch_v(g, K_fill, a.y.n, &a);
    return a.y;
}

void
hop_cuda_linear_forward(struct hop_cuda_prog *g, int i)
{
    struct k_fast_args a = {{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}};
    struct hop_cuda_conv c;

    HOP_BUG_ON(!describe(g->plan, hop_cuda_layer(g, i), g->n, &c));
    c.has_relu = takes_relu(g, i, &c);
    a.in = g->aux[i].x = padded(g, i, &c);
    a.in2 = copy_of(g, i, 0, g->plan->shadow, c.K * c.kh * c.kw * c.C / c.groups);
    if (c.has_bias)
        a.bias = copy_of(g, i, 1, g->plan->shadow, c.K);
    a.out = hop_cuda_new_out(g, i);
    append(g, &c, &a);
    if (c.has_relu) { /* what goes back through it asks only whether y > 0 */
        hop_cuda_set_out(g, i + 1, a.out);
        g->is_done[i + 1] = true;
    }
}

/* The bias's gradient: all rows of dy. */
static void
bias_back(struct hop_cuda_prog *g, int i, const struct hop_cuda_conv *c, struct k_val dy)
{
    struct k_f32 db = hop_cuda_weight_gradient(g, i, c->has_bias ? 1 : -1);
    int64_t chunk = hop_cuda_chunk(g, c->P * c->Q), n = c->n * c->P * c->Q / chunk;
    struct k_bn_sums_args sums = {dy, {NULL, 0}, {NULL, 0}, chunk, c->K};

    if (!db.n)
        return;
    sums.part = hop_cuda_new(g, n * c->K);
    hop_cuda_launch_v(g, K_bn_sums, sums.part.n, &sums);
    hop_cuda_sum_rows(g, sums.part, n, c->K, db);
}

/* The gradient of what the layer reads. */
static void
data_back(struct hop_cuda_prog *g, int i, struct hop_cuda_conv *c, struct k_val dy, struct k_val w)
{
    struct k_val dx = hop_cuda_new_value(g, c->n * c->H * c->W * c->C);
    struct k_fast_args a = {dy, w, {NULL, 0}, dx, {NULL, 0}};
    struct k_columns_args narrow = {.wide = dx, .m = channels(hop_cuda_layer(g, i)), .width = c->C,
                                    .is_back = 1};

    c->pass = HOP_CUDA_DATA_GRADIENT;
    append(g, c, &a);
    if (narrow.m != c->C) {
        narrow.narrow = dx = hop_cuda_new_like(g, hop_cuda_in(g, i, 0));
        hop_cuda_launch_v(g, K_columns, dx.n, &narrow);
    }
    hop_cuda_give(g, i, 0, dx);
}

void
hop_cuda_linear_backward(struct hop_cuda_prog *g, int i, struct k_val dy)
{
    struct k_fast_args a = {g->aux[i].x, dy, {NULL, 0}, {NULL, 0}, {NULL, 0}};
    struct hop_cuda_conv c;
    int64_t n_w;

    HOP_BUG_ON(!describe(g->plan, hop_cuda_layer(g, i), g->n, &c));
    n_w = c.K * c.kh * c.kw * c.C / c.groups;
    bias_back(g, i, &c, dy);
    c.has_bias = 0;
    if (hop_cuda_weight_gradient(g, i, 0).n) {
        c.pass = HOP_CUDA_WEIGHT_GRADIENT;
        a.out = copy_of(g, i, 0, g->plan->dshadow, n_w);
        append(g, &c, &a);
    }
    if (hop_cuda_wants(g, i, 0))
        data_back(g, i, &c, dy, copy_of(g, i, 0, g->plan->shadow, n_w));
}
