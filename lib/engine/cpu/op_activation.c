/* Activation. Backward reads the output where it can, and forward runs in place where it may.
 * Softmax over the last axis, rare in the middle of a net, SELU and a bounded leaky ReLU are our
 * own loops. 1 own loops  2 the library's */
#include "base/num.h"
#include "engine/cpu/plan.h"

/* ---- 1 own loops ---- */

#define SELU_SCALE 1.05070098735548049342f
#define SELU_ALPHA 1.67326324235437728481f

struct own {
    const struct hop_activation *act;
    int64_t n_rows, n; /* n values in each of n_rows rows */
    const float *x;
    float *y;
    const float *dy;
    float *dx; /* may be dy */
};

static void
softmax_forward(void *arg, const struct hop_cpu_now *now)
{
    const struct own *s = arg;

    (void)now;
    hop_cpu_softmax(s->x, s->n_rows, s->n, s->y);
}

static void
softmax_backward(void *arg, const struct hop_cpu_now *now)
{
    const struct own *s = arg;
    const float *y = s->y, *dy = s->dy;
    float *dx = s->dx;

    (void)now;
    for (int64_t i = 0; i < s->n_rows; i++, y += s->n, dy += s->n, dx += s->n) {
        float sum = 0;

        for (int64_t k = 0; k < s->n; k++)
            sum += dy[k] * y[k];
        for (int64_t k = 0; k < s->n; k++)
            dx[k] = (dy[k] - sum) * y[k];
    }
}

HOP_CPU_HOT static void
pointwise_forward(void *arg, const struct hop_cpu_now *now)
{
    const struct own *s = arg;
    int64_t n = s->n_rows * s->n;
    float alpha = (float)s->act->alpha, max = (float)s->act->max_value;
    const float *x = s->x;
    float *y = s->y;

    (void)now;
    if (s->act->act == HOP_SELU)
        for (int64_t i = 0; i < n; i++)
            y[i] = SELU_SCALE * (x[i] < 0 ? SELU_ALPHA * hop_expm1f(x[i]) : x[i]);
    else
        for (int64_t i = 0; i < n; i++)
            y[i] = x[i] > max ? max : x[i] < 0 ? alpha * x[i] : x[i];
}

/* From the output, whose sign is the input's. */
HOP_CPU_HOT static void
pointwise_backward(void *arg, const struct hop_cpu_now *now)
{
    const struct own *s = arg;
    int64_t n = s->n_rows * s->n;
    float alpha = (float)s->act->alpha, max = (float)s->act->max_value;
    const float *y = s->y, *dy = s->dy;
    float *dx = s->dx;

    (void)now;
    if (s->act->act == HOP_SELU)
        for (int64_t i = 0; i < n; i++)
            dx[i] = dy[i] * (y[i] < 0 ? y[i] + SELU_SCALE * SELU_ALPHA : SELU_SCALE);
    else
        for (int64_t i = 0; i < n; i++)
            dx[i] = y[i] >= max ? 0.0f : y[i] > 0 ? dy[i] : alpha * dy[i];
}

static bool
is_softmax(const struct hop_cpu_prog *g, int i)
{
    return ((const struct hop_activation *)g->plan->spec.net->layers[i].params)->act == HOP_SOFTMAX;
}

static int
own_forward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    int v = hop_cpu_in(g, i, 0), rc;
    struct own *s = hop_cpu_own(g, sizeof *s, e);
    struct hop_cpu_value *x = &g->values[v], *y = &g->values[i + 1];
    const struct hop_dn_md *md = hop_cpu_md_last(g, x, e);
    struct hop_cpu_buf *b;

    if (!s || !md)
        return HOP_ENOMEM;
    if ((rc = hop_cpu_value_as(g, HOP_CPU_FORWARD, v, md, &b, e)) ||
        (rc = hop_cpu_value_new(g, i + 1, md, e)))
        return rc;
    y->keep = HOP_CPU_KEEP;
    *s = (struct own){.act = g->plan->spec.net->layers[i].params,
                      .n_rows = x->n * x->h * x->w,
                      .n = x->c,
                      .x = b->p,
                      .y = y->buf->p};
    g->nodes[i].aux = s;
    hop_cpu_buf_put(b);
    return hop_cpu_call(g, HOP_CPU_FORWARD, is_softmax(g, i) ? softmax_forward : pointwise_forward,
                        s, e);
}

static int
own_backward(struct hop_cpu_prog *g, int i, struct hop_cpu_buf *dy, struct hop_cpu_buf *dx,
             struct hop_err *e)
{
    struct own *s = g->nodes[i].aux;

    s->dy = dy->p;
    s->dx = dx->p;
    return hop_cpu_call(g, HOP_CPU_BACKWARD,
                        is_softmax(g, i) ? softmax_backward : pointwise_backward, s, e);
}

/* ---- 2 the library's ---- */

/* The primitive, in the layout of the input or, if that has no fast one, channels-last; *md: which.
 * (Softplus of padding is not 0, so blocks are not for it.) */
static int
choose(struct hop_cpu_prog *g, int i, const struct hop_dn_md **md, struct hop_err *e)
{
    const struct hop_activation *a = g->plan->spec.net->layers[i].params;
    enum hop_dn_pass pass = g->is_training ? HOP_DN_TRAIN : HOP_DN_INFER;
    const struct hop_cpu_value *x = &g->values[hop_cpu_in(g, i, 0)];
    struct hop_cpu_node *nd = &g->nodes[i];
    int rc;

    *md = x->md;
    if ((rc = hop_dn_eltwise(g->set, pass, a, *md, NULL, &nd->fwd, e)) || nd->is_fused ||
        !hop_dn_prim_is_slow(nd->fwd))
        return rc;
    if (!(*md = hop_cpu_md_typed(g, x, x->is_flat ? HOP_DN_NC : HOP_DN_NHWC, x->md, e)))
        return HOP_ENOMEM;
    return hop_dn_eltwise(g->set, pass, a, *md, NULL, &nd->fwd, e);
}

static int
forward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    const struct hop_activation *a = g->plan->spec.net->layers[i].params;
    struct hop_cpu_node *nd = &g->nodes[i];
    int v = hop_cpu_in(g, i, 0), rc;
    struct hop_cpu_value *y = &g->values[i + 1];
    bool reads_input = hop_dn_eltwise_reads_input(a);
    const struct hop_dn_md *md;
    struct hop_cpu_buf *x;

    nd->is_input_free = !reads_input;
    if (a->act != HOP_LINEAR && !hop_dn_has_eltwise(a))
        return own_forward(g, i, e);
    if ((rc = hop_cpu_value_any(g, v, e)))
        return rc;
    if (a->act == HOP_LINEAR || nd->is_absorbed) {
        hop_cpu_value_alias(g, v, i + 1);
        return HOP_OK;
    }
    if ((rc = choose(g, i, &md, e)) || (rc = hop_cpu_value_as(g, HOP_CPU_FORWARD, v, md, &x, e)))
        return rc;
    if (nd->is_fused || (x == g->values[v].buf && hop_cpu_can_overwrite(g, v, HOP_CPU_FREE) &&
                         !(g->is_training && reads_input)))
        hop_cpu_value_alias(g, v, i + 1);
    else if ((rc = hop_cpu_value_new(g, i + 1, md, e)))
        return rc;
    hop_cpu_buf_put(x);
    if (!reads_input)
        y->keep = a->act == HOP_RELU ? HOP_CPU_KEEP_SIGN : HOP_CPU_KEEP;
    if (nd->is_fused)
        return HOP_OK;
    struct hop_dn_bind b[] = {{HOP_DN_SRC, md, x->p}, {HOP_DN_DST, md, y->buf->p}};
    return hop_cpu_exec(g, HOP_CPU_FORWARD, nd->fwd, b, 2, e);
}

static int
library_backward(struct hop_cpu_prog *g, int i, struct hop_cpu_buf *dy, struct hop_cpu_buf *dx,
                 struct hop_err *e)
{
    const struct hop_activation *a = g->plan->spec.net->layers[i].params;
    const struct hop_dn_md *md = g->values[i + 1].made;
    bool reads_input = hop_dn_eltwise_reads_input(a);
    struct hop_cpu_buf *read;
    struct hop_dn_prim *p;
    int rc;

    if ((rc = hop_dn_eltwise(g->set, HOP_DN_BWD_DATA, a, md, g->nodes[i].fwd, &p, e)) ||
        (rc = hop_cpu_value_as(g, HOP_CPU_BACKWARD, reads_input ? hop_cpu_in(g, i, 0) : i + 1, md,
                               &read, e)))
        return rc;
    struct hop_dn_bind b[] = {{reads_input ? HOP_DN_SRC : HOP_DN_DST, md, read->p},
                              {HOP_DN_DIFF_DST, md, dy->p},
                              {HOP_DN_DIFF_SRC, md, dx->p}};
    rc = hop_cpu_exec(g, HOP_CPU_BACKWARD, p, b, 3, e);
    hop_cpu_buf_put(read);
    return rc;
}

static int
backward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    const struct hop_activation *a = g->plan->spec.net->layers[i].params;
    const struct hop_dn_md *md = g->values[i + 1].made;
    struct hop_cpu_buf *dy, *dx;
    int rc;

    if ((rc = hop_cpu_grad_take(g, i + 1, md, &dy, e)))
        return rc;
    if (a->act == HOP_LINEAR || g->nodes[i].is_absorbed)
        return hop_cpu_grad_give(g, hop_cpu_in(g, i, 0), md, dy, e);
    if (!(dx = hop_cpu_grad_over(g, dy, md, e)))
        return HOP_ENOMEM;
    rc = g->nodes[i].aux ? own_backward(g, i, dy, dx, e) : library_backward(g, i, dy, dx, e);
    hop_cpu_buf_put(dy);
    return rc ? rc : hop_cpu_grad_give(g, hop_cpu_in(g, i, 0), md, dx, e);
}

const struct hop_cpu_op hop_cpu_op_activation = {"Activation", forward, backward};
