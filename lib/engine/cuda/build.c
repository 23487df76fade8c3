/* What the op_*.c need to append their launches. Contents: 1 buffers, 2 launches, 3 values and
 * gradients, 4 weights. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "engine/cuda/plan.h"

/* A promised buffer's number is its address until it gets a place: far outside of what any memory
 * has. prog.c reads them. */
static void *
promise(size_t number)
{
    return (void *)((uintptr_t)1 << 62 | (uintptr_t)(number + 1) << 8);
}

/* ---- 1 buffers ---- */

void *
hop_cuda_new_bytes(struct hop_cuda_prog *g, size_t bytes)
{
    if (g->err.code ||
        hop_grow(&g->buffers, &g->cap_buffers, g->n_buffers + 1, sizeof *g->buffers, &g->err))
        return NULL;
    g->buffers[g->n_buffers] = bytes;
    return promise(g->n_buffers++);
}

struct k_f32
hop_cuda_new(struct hop_cuda_prog *g, int64_t n)
{
    return (struct k_f32){hop_cuda_new_bytes(g, (size_t)n * sizeof(float)), n};
}

struct k_val
hop_cuda_new_value(struct hop_cuda_prog *g, int64_t n)
{
    size_t size = g->plan->is_half ? sizeof(uint16_t) : sizeof(float);

    return (struct k_val){hop_cuda_new_bytes(g, (size_t)n * size), n};
}

struct k_val
hop_cuda_new_like(struct hop_cuda_prog *g, struct k_val x)
{
    return hop_cuda_new_value(g, x.n);
}

struct k_f32
hop_cuda_f32(struct k_val x)
{
    return (struct k_f32){(float *)(void *)x.p, x.n};
}

struct k_f32
hop_cuda_widen(struct hop_cuda_prog *g, struct k_val x)
{
    struct k_widen_args a = {x, {NULL, 0}};

    if (!g->plan->is_half)
        return hop_cuda_f32(x);
    a.y = hop_cuda_new(g, x.n);
    hop_cuda_launch_v(g, K_widen, x.n, &a);
    return a.y;
}

struct k_f32
hop_cuda_constant(struct hop_cuda_prog *g, const float *from, int64_t n)
{
    const struct hop_device *d = g->plan->device;
    struct hop_cuda_owned *o;
    struct k_f32 none = {NULL, 0};

    if (g->err.code || !(o = hop_alloc(1, sizeof *o, &g->err)))
        return none;
    if (d->driver->alloc(d->context, (size_t)n * sizeof(float), &o->p, &g->err)) {
        free(o);
        return none;
    }
    o->next = g->owned;
    g->owned = o;
    g->plan->bytes += (size_t)n * sizeof(float);
    if (d->driver->copy_in(d->context, d->stream, o->p, from, (size_t)n * sizeof(float), &g->err) ||
        d->driver->stream_sync(d->context, d->stream, &g->err)) /* before anything may free it */
        return none;
    return (struct k_f32){o->p, n};
}

/* ---- 2 launches ---- */

void
hop_cuda_launch(struct hop_cuda_prog *g, enum hop_cuda_kernel kernel, int64_t n, const void *args)
{
    size_t bytes = hop_cuda_kernel_rows[kernel].args_size;
    struct hop_cuda_step step = {.kernel = kernel, .n = n};

    if (g->err.code || !n)
        return;
    if (hop_grow(&g->steps, &g->cap_steps, g->n_steps + 1, sizeof step, &g->err) ||
        !(step.args = hop_alloc(1, bytes, &g->err)))
        return;
    memcpy(step.args, args, bytes);
    g->steps[g->n_steps++] = step;
}

void
hop_cuda_launch_v(struct hop_cuda_prog *g, enum hop_cuda_kernel kernel, int64_t n, const void *args)
{
    hop_cuda_launch(g, (enum hop_cuda_kernel)(kernel + g->plan->is_half), n, args);
}

void
hop_cuda_tree(struct hop_cuda_prog *g, struct k_f32 part, int64_t n, int64_t stride, int64_t first,
              struct k_f32 out)
{
    struct k_tree_args a = {part, out, n, stride, first};

    hop_cuda_launch(g, K_tree, out.n, &a);
}

enum { SUM_ROWS = 64, SUM_PARTS = 32 };

int64_t
hop_cuda_chunk(const struct hop_cuda_prog *g, int64_t rows)
{
    int64_t chunk = rows;

    if (g->plan->is_fast)
        for (chunk = rows < SUM_ROWS ? rows : SUM_ROWS; rows % chunk; chunk--)
            ;
    return chunk;
}

struct k_f32
hop_cuda_shrink(struct hop_cuda_prog *g, struct k_f32 part, int64_t *n, int64_t C)
{
    struct k_sums_args a = {part, {NULL, 0}, *n, C, SUM_PARTS};

    while (g->plan->is_fast && a.n > SUM_PARTS) {
        *n = (a.n + SUM_PARTS - 1) / SUM_PARTS;
        a.y = hop_cuda_new(g, *n * C);
        hop_cuda_launch(g, K_sums, a.y.n, &a);
        a.x = a.y;
        a.n = *n;
    }
    return a.x;
}

void
hop_cuda_sum_rows(struct hop_cuda_prog *g, struct k_f32 part, int64_t n, int64_t C,
                  struct k_f32 out)
{
    part = hop_cuda_shrink(g, part, &n, C);
    hop_cuda_tree(g, part, n, C, 0, out);
}

/* ---- 3 values and gradients ---- */

const struct hop_layer *
hop_cuda_layer(const struct hop_cuda_prog *g, int i)
{
    return &g->plan->spec.net->layers[i];
}

struct hop_shape
hop_cuda_image(const struct hop_shape *s)
{
    return s->n_dims == 2 ? (struct hop_shape){3, {1, s->d[0], s->d[1]}} : *s;
}

struct k_val
hop_cuda_in(const struct hop_cuda_prog *g, int i, int k)
{
    return g->values[hop_cuda_layer(g, i)->in[k] + 1];
}

struct k_val
hop_cuda_out(const struct hop_cuda_prog *g, int i)
{
    return g->values[i + 1];
}

void
hop_cuda_set_out(struct hop_cuda_prog *g, int i, struct k_val y)
{
    g->values[i + 1] = y;
}

struct k_val
hop_cuda_new_out(struct hop_cuda_prog *g, int i)
{
    int64_t n = g->n * hop_shape_len(&hop_cuda_layer(g, i)->out_shape);

    return g->values[i + 1] = hop_cuda_new_value(g, n);
}

bool
hop_cuda_wants(const struct hop_cuda_prog *g, int i, int k)
{
    return g->wants[hop_cuda_layer(g, i)->in[k] + 1];
}

void
hop_cuda_give(struct hop_cuda_prog *g, int i, int k, struct k_val dx)
{
    struct k_val *grad = &g->grads[hop_cuda_layer(g, i)->in[k] + 1];
    struct k_add_args a = {*grad, dx, {NULL, 0}};

    if (!hop_cuda_wants(g, i, k))
        return;
    if (!grad->n) {
        *grad = dx;
        return;
    }
    a.y = hop_cuda_new_like(g, dx); /* others may still read either */
    hop_cuda_launch_v(g, K_add, dx.n, &a);
    *grad = a.y;
}

/* ---- 4 weights ---- */

static const struct hop_weight *
weight(const struct hop_cuda_prog *g, int i, int k)
{
    return &g->plan->spec.net->weights[hop_cuda_layer(g, i)->i_weight + k];
}

struct k_f32
hop_cuda_weight(const struct hop_cuda_prog *g, int i, int k)
{
    const struct hop_weight *w = k < 0 ? NULL : weight(g, i, k);

    return w ? (struct k_f32){g->plan->w.p + w->offset, w->n} : (struct k_f32){NULL, 0};
}

struct k_f32
hop_cuda_weight_gradient(const struct hop_cuda_prog *g, int i, int k)
{
    const struct hop_weight *w = k < 0 ? NULL : weight(g, i, k);

    return w && w->is_trainable ? (struct k_f32){g->plan->g.p + w->offset, w->n}
                                : (struct k_f32){NULL, 0};
}
