/* Rescaling and Normalization: y = x * scale[c] + offset[c]. */
#include "engine/cpu/plan.h"

struct rescaling {
    int64_t n, hw, c, block; /* as hop_dn_md_block */
    const struct hop_rescaling *conf;
    const float *x, *dy;
    float *y, *dx;
};

/* y = x * scale + offset (offset NULL: none); y may be x. Padding becomes 0. */
static void
apply(const struct rescaling *s, const float *x, float *y, bool wants_offset)
{
    const struct hop_rescaling *p = s->conf;
    int64_t b = s->block;

    for (int64_t i = 0; i < s->n; i++)
        for (int64_t c0 = 0; c0 < s->c; c0 += b)
            for (int64_t j = 0; j < s->hw; j++, x += b, y += b)
                for (int64_t k = 0; k < b; k++) {
                    int64_t c = p->n == 1 ? 0 : c0 + k;
                    float v = c0 + k < s->c ? x[k] * p->scale[c] : 0.0f;

                    y[k] = wants_offset && c0 + k < s->c ? v + p->offset[c] : v;
                }
}

static void
run_forward(void *arg, const struct hop_cpu_now *now)
{
    const struct rescaling *s = arg;

    (void)now;
    apply(s, s->x, s->y, true);
}

static void
run_backward(void *arg, const struct hop_cpu_now *now)
{
    const struct rescaling *s = arg;

    (void)now;
    apply(s, s->dy, s->dx, false);
}

static int
forward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    int v = hop_cpu_in(g, i, 0), rc;
    struct hop_cpu_value *x = &g->values[v], *y = &g->values[i + 1];
    struct rescaling *s = hop_cpu_own(g, sizeof *s, e);

    if (!s)
        return HOP_ENOMEM;
    if ((rc = hop_cpu_value_f32(g, v, e)))
        return rc;
    if (hop_cpu_can_overwrite(g, v, HOP_CPU_FREE))
        hop_cpu_value_alias(g, v, i + 1);
    else if ((rc = hop_cpu_value_new(g, i + 1, x->md, e)))
        return rc;
    *s = (struct rescaling){.n = x->n,
                            .hw = x->h * x->w,
                            .c = x->c,
                            .block = hop_dn_md_block(x->md),
                            .x = x->buf->p,
                            .y = y->buf->p,
                            .conf = g->plan->spec.net->layers[i].params};
    g->nodes[i].aux = s;
    g->nodes[i].is_input_free = true;
    return hop_cpu_call(g, HOP_CPU_FORWARD, run_forward, s, e);
}

static int
backward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    const struct hop_dn_md *md = g->values[i + 1].made;
    struct rescaling *s = g->nodes[i].aux;
    struct hop_cpu_buf *dy, *dx;
    int rc = hop_cpu_grad_take(g, i + 1, md, &dy, e);

    if (rc)
        return rc;
    if (!(dx = hop_cpu_grad_over(g, dy, md, e)))
        return HOP_ENOMEM;
    s->dy = dy->p;
    s->dx = dx->p;
    rc = hop_cpu_call(g, HOP_CPU_BACKWARD, run_backward, s, e);
    hop_cpu_buf_put(dy);
    return rc ? rc : hop_cpu_grad_give(g, hop_cpu_in(g, i, 0), md, dx, e);
}

const struct hop_cpu_op hop_cpu_op_rescaling = {"Rescaling", forward, backward};
