/* Activation. Backward reads the output, so forward runs in place where it may. Softmax over the
 * last axis, rare in the middle of a net, is our own loop. */
#include "engine/cpu/plan.h"

/* ---- softmax ---- */

struct softmax {
    int64_t n_rows, n;
    const float *x;
    float *y;
    float *dy; /* overwritten by dx */
};

static void
softmax_forward(void *arg, const struct hop_cpu_now *now)
{
    struct softmax *s = arg;

    (void)now;
    hop_cpu_softmax(s->x, s->n_rows, s->n, s->y);
}

static void
softmax_backward(void *arg, const struct hop_cpu_now *now)
{
    struct softmax *s = arg;
    const float *y = s->y;
    float *dy = s->dy;

    (void)now;
    for (int64_t i = 0; i < s->n_rows; i++, y += s->n, dy += s->n) {
        float sum = 0;

        for (int64_t k = 0; k < s->n; k++)
            sum += dy[k] * y[k];
        for (int64_t k = 0; k < s->n; k++)
            dy[k] = (dy[k] - sum) * y[k];
    }
}

static int
build_softmax(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    struct softmax *s = hop_cpu_own(g, sizeof *s, e);
    struct hop_cpu_value *x = &g->values[i], *y = &g->values[i + 1];
    const struct hop_dn_md *md = hop_cpu_md_last(g, x, e);
    struct hop_cpu_buf *b;
    int rc;

    if (!s || !md)
        return HOP_ENOMEM;
    if ((rc = hop_cpu_value_as(g, HOP_CPU_FORWARD, i, md, &b, e)) ||
        (rc = hop_cpu_value_new(g, i + 1, md, e)))
        return rc;
    y->keep = HOP_CPU_KEEP;
    *s = (struct softmax){x->n * x->h * x->w, x->c, b->p, y->buf->p, NULL};
    g->nodes[i].aux = s;
    hop_cpu_buf_put(b);
    return hop_cpu_call(g, HOP_CPU_FORWARD, softmax_forward, s, e);
}

/* ---- the others ---- */

static int
forward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    const struct hop_activation *a = g->plan->spec.net->layers[i].params;
    struct hop_cpu_node *nd = &g->nodes[i];
    struct hop_cpu_value *x = &g->values[i], *y = &g->values[i + 1];
    int rc;

    if (a->act == HOP_SOFTMAX)
        return build_softmax(g, i, e);
    if ((rc = hop_cpu_value_any(g, i, e)))
        return rc;
    if (a->act == HOP_LINEAR) {
        hop_cpu_value_alias(g, i);
        return HOP_OK;
    }
    if ((rc = hop_dn_eltwise(g->set, g->is_training ? HOP_DN_TRAIN : HOP_DN_INFER, a, x->md, NULL,
                             &nd->fwd, e)))
        return rc;
    if (nd->is_fused || hop_cpu_can_overwrite(g, i, HOP_CPU_FREE))
        hop_cpu_value_alias(g, i);
    else if ((rc = hop_cpu_value_new(g, i + 1, x->md, e)))
        return rc;
    y->keep = a->act == HOP_RELU ? HOP_CPU_KEEP_SIGN : HOP_CPU_KEEP;
    if (nd->is_fused)
        return HOP_OK;
    struct hop_dn_bind b[] = {{HOP_DN_SRC, x->md, x->buf->p}, {HOP_DN_DST, y->md, y->buf->p}};
    return hop_cpu_exec(g, HOP_CPU_FORWARD, nd->fwd, b, 2, e);
}

static int
backward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    const struct hop_activation *a = g->plan->spec.net->layers[i].params;
    const struct hop_cpu_value *y = &g->values[i + 1];
    struct softmax *s = g->nodes[i].aux;
    struct hop_dn_prim *p;
    struct hop_cpu_buf *dy;
    int rc;

    if ((rc = hop_cpu_grad_take(g, i + 1, y->md, &dy, e)))
        return rc;
    hop_cpu_grad_give(g, i, y->md, dy);
    if (a->act == HOP_LINEAR)
        return HOP_OK;
    if (s) {
        s->dy = dy->p;
        return hop_cpu_call(g, HOP_CPU_BACKWARD, softmax_backward, s, e);
    }
    if ((rc = hop_dn_eltwise(g->set, HOP_DN_BWD_DATA, a, y->md, g->nodes[i].fwd, &p, e)))
        return rc;
    struct hop_dn_bind b[] = {{HOP_DN_DST, y->md, y->buf->p},
                              {HOP_DN_DIFF_DST, y->md, dy->p},
                              {HOP_DN_DIFF_SRC, y->md, dy->p}};
    return hop_cpu_exec(g, HOP_CPU_BACKWARD, p, b, 3, e);
}

const struct hop_cpu_op hop_cpu_op_activation = {"Activation", forward, backward};
