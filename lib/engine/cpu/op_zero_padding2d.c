/* ZeroPadding2D, in the layout of its input: planes [h][w][b], whatever the block b. */
#include <string.h>
#include "engine/cpu/plan.h"

struct padding {
    int64_t n_planes, h, row;         /* row: floats in one of the input's */
    int64_t top, bottom, left, right; /* in floats of the output */
    const float *x;
    float *y;
    const float *dy;
    float *dx;
};

static float *
zeros(float *y, int64_t n)
{
    memset(y, 0, (size_t)n * sizeof *y);
    return y + n;
}

static void
run_forward(void *arg, const struct hop_cpu_now *now)
{
    const struct padding *s = arg;
    const float *x = s->x;
    float *y = s->y;

    (void)now;
    for (int64_t i = 0; i < s->n_planes; i++) {
        y = zeros(y, s->top);
        for (int64_t j = 0; j < s->h; j++, x += s->row) {
            y = zeros(y, s->left);
            memcpy(y, x, (size_t)s->row * sizeof *y);
            y = zeros(y + s->row, s->right);
        }
        y = zeros(y, s->bottom);
    }
}

static void
run_backward(void *arg, const struct hop_cpu_now *now)
{
    const struct padding *s = arg;
    const float *dy = s->dy;
    float *dx = s->dx;

    (void)now;
    for (int64_t i = 0; i < s->n_planes; i++, dy += s->bottom) {
        dy += s->top;
        for (int64_t j = 0; j < s->h; j++, dx += s->row) {
            memcpy(dx, dy + s->left, (size_t)s->row * sizeof *dx);
            dy += s->left + s->row + s->right;
        }
    }
}

static int
forward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    const struct hop_zero_padding2d *p = g->plan->spec.net->layers[i].params;
    int v = hop_cpu_in(g, i, 0), rc = hop_cpu_value_f32(g, v, e);
    struct hop_cpu_value *x = &g->values[v], *y = &g->values[i + 1];
    int64_t dims[] = {y->n, y->c, y->h, y->w}, b;
    struct padding *s = hop_cpu_own(g, sizeof *s, e);
    const struct hop_dn_md *md;

    if (rc || !s)
        return rc ? rc : HOP_ENOMEM;
    if (!(md = hop_dn_md_like(g->set, x->md, dims, e)) || (rc = hop_cpu_value_new(g, i + 1, md, e)))
        return md ? rc : HOP_ENOMEM;
    b = hop_dn_md_block(x->md);
    *s = (struct padding){.n_planes = x->n * ((x->c + b - 1) / b),
                          .h = x->h,
                          .row = x->w * b,
                          .top = p->top * y->w * b,
                          .bottom = p->bottom * y->w * b,
                          .left = p->left * b,
                          .right = p->right * b,
                          .x = x->buf->p,
                          .y = y->buf->p};
    g->nodes[i].aux = s;
    g->nodes[i].md = x->md;
    g->nodes[i].is_input_free = true;
    return hop_cpu_call(g, HOP_CPU_FORWARD, run_forward, s, e);
}

static int
backward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    struct padding *s = g->nodes[i].aux;
    struct hop_cpu_buf *dy, *dx;
    int rc = hop_cpu_grad_take(g, i + 1, g->values[i + 1].made, &dy, e);

    if (rc)
        return rc;
    if (!(dx = hop_cpu_grad_new(g, g->nodes[i].md, e)))
        return HOP_ENOMEM;
    s->dy = dy->p;
    s->dx = dx->p;
    rc = hop_cpu_call(g, HOP_CPU_BACKWARD, run_backward, s, e);
    hop_cpu_buf_put(dy);
    return rc ? rc : hop_cpu_grad_give(g, hop_cpu_in(g, i, 0), g->nodes[i].md, dx, e);
}

const struct hop_cpu_op hop_cpu_op_zero_padding2d = {"ZeroPadding2D", forward, backward};
