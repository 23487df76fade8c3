/* MaxPooling2D, AveragePooling2D, GlobalAveragePooling2D; GlobalMaxPooling2D, whose equal maxima
 * share the gradient, is our own loop. */
#include <string.h>
#include "engine/cpu/plan.h"

static struct hop_dn_pool
describe(const struct hop_cpu_prog *g, int i, bool is_max)
{
    const struct hop_pool2d *conf = g->plan->spec.net->layers[i].params;
    const struct hop_cpu_value *x = &g->values[hop_cpu_in(g, i, 0)], *y = &g->values[i + 1];
    struct hop_dn_pool c = {
        .n = x->n, .c = x->c, .h = x->h, .w = x->w, .p = y->h, .q = y->w, .is_max = is_max};

    if (y->is_flat) /* global */
        c.conf = (struct hop_pool2d){.kh = x->h, .kw = x->w, .stride_h = 1, .stride_w = 1};
    else
        c.conf = *conf;
    return c;
}

/* The forward primitive: in the layout of the input, or in another if that has no fast one. */
static int
choose(struct hop_cpu_prog *g, int i, const struct hop_dn_pool *c, struct hop_err *e)
{
    enum hop_dn_pass pass = g->is_training ? HOP_DN_TRAIN : HOP_DN_INFER;
    const struct hop_cpu_value *x = &g->values[hop_cpu_in(g, i, 0)];
    struct hop_cpu_node *nd = &g->nodes[i];
    const struct hop_dn_md *md[] = {x->md, hop_cpu_md_typed(g, x, HOP_DN_NHWC, x->md, e),
                                    hop_cpu_md_typed(g, x, HOP_DN_NCHW, x->md, e)};
    int rc;

    for (int k = 0; k < 3; k++) {
        if (!md[k])
            return HOP_ENOMEM;
        nd->md = md[k];
        if ((rc = hop_dn_pool(g->set, pass, c, md[k], NULL, &nd->fwd, e)))
            return rc;
        if (!hop_dn_prim_is_slow(nd->fwd))
            return HOP_OK;
    }
    nd->md = md[0];
    return hop_dn_pool(g->set, pass, c, md[0], NULL, &nd->fwd, e);
}

/* ---- the ReLU before a maximum ----
 * max(relu(x)) = relu(max(x)), so its backward pass may come first, over the few numbers that the
 * maxima are, from their signs. */

static bool
follows_relu(const struct hop_cpu_prog *g, int i)
{
    int v = hop_cpu_in(g, i, 0);
    const struct hop_layer *l = v > 0 ? &g->plan->spec.net->layers[v - 1] : NULL;

    return l && g->is_training && !strcmp(l->kind->op, "Activation") &&
           ((const struct hop_activation *)l->params)->act == HOP_RELU &&
           !g->nodes[v - 1].is_absorbed && g->values[v].n_readers == 1 && g->values[v].wants_grad;
}

struct mask {
    size_t n;
    const void *y, *dy;
    void *out; /* may be dy */
};

HOP_CPU_HOT static void
run_mask(void *arg, const struct hop_cpu_now *now)
{
    const struct mask *s = arg;
    const float *y = s->y, *dy = s->dy;
    float *out = s->out;

    (void)now;
    HOP_CPU_IN_PLACE
    for (size_t i = 0; i < s->n; i++)
        out[i] = y[i] > 0.0f ? dy[i] : 0.0f;
}

HOP_CPU_HOT static void
run_mask_bf16(void *arg, const struct hop_cpu_now *now)
{
    const struct mask *s = arg;
    const int16_t *y = s->y, *dy = s->dy;
    int16_t *out = s->out;

    (void)now;
    HOP_CPU_IN_PLACE
    for (size_t i = 0; i < s->n; i++)
        out[i] = (int16_t)(dy[i] & -(y[i] > 0));
}

/* *dy, layout md, becomes 0 where the maximum is 0. */
static int
relu_back(struct hop_cpu_prog *g, int i, const struct hop_dn_md *md, struct hop_cpu_buf **dy,
          struct hop_err *e)
{
    bool is_bf16 = hop_dn_md_is_bf16(md);
    struct mask *s = hop_cpu_own(g, sizeof *s, e);
    struct hop_cpu_buf *y, *out = s ? hop_cpu_grad_over(g, *dy, md, e) : NULL;
    int rc;

    if (!out)
        return HOP_ENOMEM;
    if ((rc = hop_cpu_value_as(g, HOP_CPU_BACKWARD, i + 1, md, &y, e)))
        return rc;
    *s = (struct mask){hop_dn_md_bytes(md) / (is_bf16 ? 2 : sizeof(float)), y->p, (*dy)->p, out->p};
    rc = hop_cpu_call(g, HOP_CPU_BACKWARD, is_bf16 ? run_mask_bf16 : run_mask, s, e);
    hop_cpu_buf_put(y);
    hop_cpu_buf_put(*dy);
    *dy = out;
    g->nodes[hop_cpu_in(g, i, 0) - 1].is_absorbed = true; /* its backward pass is done */
    return rc;
}

/* ---- pooling ---- */

static int
pool_forward(struct hop_cpu_prog *g, int i, bool is_max, struct hop_err *e)
{
    struct hop_dn_pool c = describe(g, i, is_max);
    struct hop_cpu_node *nd = &g->nodes[i];
    const struct hop_dn_md *y_md, *space_md;
    struct hop_cpu_buf *x;
    int v = hop_cpu_in(g, i, 0), rc;

    if ((rc = hop_cpu_value_any(g, v, e)) || (rc = choose(g, i, &c, e)))
        return rc;
    if (!(y_md = hop_dn_prim_md(g->set, nd->fwd, HOP_DN_DST, e)))
        return HOP_ENOMEM;
    space_md = hop_dn_prim_md(g->set, nd->fwd, HOP_DN_WORKSPACE, e); /* where the maxima were */
    if (space_md && !(nd->aux = hop_cpu_own(g, hop_dn_md_bytes(space_md), e)))
        return HOP_ENOMEM;
    if ((rc = hop_cpu_value_as(g, HOP_CPU_FORWARD, v, nd->md, &x, e)) ||
        (rc = hop_cpu_value_new(g, i + 1, y_md, e)))
        return rc;
    nd->is_fused = is_max && follows_relu(g, i);
    nd->is_input_free = true;
    if (nd->is_fused) { /* then nobody reads the ReLU's output again */
        g->values[i + 1].keep = HOP_CPU_KEEP_SIGN;
        g->values[v].keep = HOP_CPU_FREE;
    }
    struct hop_dn_bind b[] = {{HOP_DN_SRC, nd->md, x->p},
                              {HOP_DN_DST, y_md, g->values[i + 1].buf->p},
                              {HOP_DN_WORKSPACE, space_md, nd->aux}};
    rc = hop_cpu_exec(g, HOP_CPU_FORWARD, nd->fwd, b, 3, e);
    hop_cpu_buf_put(x);
    return rc;
}

static int
pool_backward(struct hop_cpu_prog *g, int i, bool is_max, struct hop_err *e)
{
    struct hop_dn_pool c = describe(g, i, is_max);
    struct hop_cpu_node *nd = &g->nodes[i];
    const struct hop_dn_md *dy_md, *space_md;
    struct hop_dn_prim *p;
    struct hop_cpu_buf *dy, *dx;
    int rc;

    if ((rc = hop_dn_pool(g->set, HOP_DN_BWD_DATA, &c, nd->md, nd->fwd, &p, e)))
        return rc;
    if (!(dy_md = hop_dn_prim_md(g->set, p, HOP_DN_DIFF_DST, e)))
        return HOP_ENOMEM;
    space_md = hop_dn_prim_md(g->set, p, HOP_DN_WORKSPACE, e);
    if ((rc = hop_cpu_grad_take(g, i + 1, dy_md, &dy, e)) ||
        (nd->is_fused && (rc = relu_back(g, i, dy_md, &dy, e))))
        return rc;
    if (!(dx = hop_cpu_grad_new(g, nd->md, e)))
        return HOP_ENOMEM;
    struct hop_dn_bind b[] = {{HOP_DN_DIFF_DST, dy_md, dy->p},
                              {HOP_DN_DIFF_SRC, nd->md, dx->p},
                              {HOP_DN_WORKSPACE, space_md, nd->aux}};
    rc = hop_cpu_exec(g, HOP_CPU_BACKWARD, p, b, 3, e);
    hop_cpu_buf_put(dy);
    return rc ? rc : hop_cpu_grad_give(g, hop_cpu_in(g, i, 0), nd->md, dx, e);
}

static int
max_forward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    return pool_forward(g, i, true, e);
}

static int
max_backward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    return pool_backward(g, i, true, e);
}

static int
average_forward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    return pool_forward(g, i, false, e);
}

static int
average_backward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    return pool_backward(g, i, false, e);
}

/* Global: pooled as [N,C,1,1], then seen as [N,C]. */
static int
global_forward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    struct hop_cpu_value *y = &g->values[i + 1];
    const struct hop_dn_md *md = hop_cpu_md(g, y, HOP_DN_NHWC, e);
    struct hop_cpu_buf *flat;
    int rc;

    if (!md || (rc = pool_forward(g, i, false, e)))
        return md ? rc : HOP_ENOMEM;
    if ((rc = hop_cpu_value_as(g, HOP_CPU_FORWARD, i + 1, md, &flat, e)))
        return rc;
    hop_cpu_buf_put(y->buf);
    y->buf = flat;
    y->md = hop_cpu_md(g, y, HOP_DN_NC, e);
    return y->md ? HOP_OK : HOP_ENOMEM;
}

static int
global_backward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    struct hop_cpu_value *y = &g->values[i + 1];
    const struct hop_dn_md *md = hop_cpu_md(g, y, HOP_DN_NHWC, e);
    struct hop_cpu_buf *dy;
    int rc;

    if (!md || (rc = hop_cpu_grad_take(g, i + 1, y->made, &dy, e)))
        return md ? rc : HOP_ENOMEM;
    rc = hop_cpu_grad_give(g, i + 1, md, dy, e);
    return rc ? rc : pool_backward(g, i, false, e);
}

/* ---- GlobalMaxPooling2D ---- */

struct global_max {
    int64_t n, hw, c, block; /* block as hop_dn_md_block */
    const float *x;
    float *y; /* [n,c] */
    const float *dy;
    float *dx;
};

static void
run_global_max(void *arg, const struct hop_cpu_now *now)
{
    const struct global_max *s = arg;
    const float *x = s->x;
    int64_t b = s->block;

    (void)now;
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t c0 = 0; c0 < s->c; c0 += b, x += s->hw * b)
            for (int64_t k = 0; k < b && c0 + k < s->c; k++) {
                float max = x[k];

                for (int64_t j = 1; j < s->hw; j++)
                    max = x[j * b + k] > max ? x[j * b + k] : max;
                s->y[i * s->c + c0 + k] = max;
            }
}

static void
run_global_max_back(void *arg, const struct hop_cpu_now *now)
{
    const struct global_max *s = arg;
    const float *x = s->x;
    float *dx = s->dx;
    int64_t b = s->block;

    (void)now;
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t c0 = 0; c0 < s->c; c0 += b, x += s->hw * b, dx += s->hw * b)
            for (int64_t k = 0; k < b; k++) {
                bool is_real = c0 + k < s->c;
                float max = is_real ? s->y[i * s->c + c0 + k] : 0.0f, n = 0, share;

                for (int64_t j = 0; j < s->hw; j++)
                    n += x[j * b + k] == max ? 1.0f : 0.0f;
                share = is_real ? s->dy[i * s->c + c0 + k] / n : 0.0f;
                for (int64_t j = 0; j < s->hw; j++)
                    dx[j * b + k] = x[j * b + k] == max ? share : 0.0f;
            }
}

static int
global_max_forward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    int v = hop_cpu_in(g, i, 0), rc = hop_cpu_value_f32(g, v, e);
    struct hop_cpu_value *x = &g->values[v], *y = &g->values[i + 1];
    const struct hop_dn_md *md = hop_cpu_md(g, y, HOP_DN_NC, e);
    struct global_max *s = hop_cpu_own(g, sizeof *s, e);

    if (rc || !s || !md)
        return rc ? rc : HOP_ENOMEM;
    if ((rc = hop_cpu_value_new(g, i + 1, md, e)))
        return rc;
    y->keep = HOP_CPU_KEEP;
    *s = (struct global_max){.n = x->n,
                             .hw = x->h * x->w,
                             .c = x->c,
                             .block = hop_dn_md_block(x->md),
                             .y = y->buf->p,
                             .x = x->buf->p};
    g->nodes[i].aux = s;
    g->nodes[i].md = x->md;
    return hop_cpu_call(g, HOP_CPU_FORWARD, run_global_max, s, e);
}

static int
global_max_backward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    const struct hop_dn_md *md = g->nodes[i].md;
    struct global_max *s = g->nodes[i].aux;
    struct hop_cpu_buf *dy, *dx;
    int v = hop_cpu_in(g, i, 0), rc;

    if ((rc = hop_cpu_grad_take(g, i + 1, g->values[i + 1].made, &dy, e)))
        return rc;
    if (!(dx = hop_cpu_grad_new(g, md, e)))
        return HOP_ENOMEM;
    s->dy = dy->p;
    s->dx = dx->p;
    rc = hop_cpu_call(g, HOP_CPU_BACKWARD, run_global_max_back, s, e);
    hop_cpu_buf_put(dy);
    return rc ? rc : hop_cpu_grad_give(g, v, md, dx, e);
}

const struct hop_cpu_op hop_cpu_op_global_max_pooling2d = {"GlobalMaxPooling2D", global_max_forward,
                                                           global_max_backward};
const struct hop_cpu_op hop_cpu_op_max_pooling2d = {"MaxPooling2D", max_forward, max_backward};
const struct hop_cpu_op hop_cpu_op_average_pooling2d = {"AveragePooling2D", average_forward,
                                                        average_backward};
const struct hop_cpu_op hop_cpu_op_global_average_pooling2d = {"GlobalAveragePooling2D",
                                                               global_forward, global_backward};
