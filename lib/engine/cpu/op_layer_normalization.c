/* LayerNormalization over the last axis: [rows,C] to oneDNN, channels last. */
#include "engine/cpu/plan.h"

struct lnorm {
    const struct hop_dn_md *rows_md, *stat_md; /* [rows,C], [rows] */
    float *mean, *variance;
};

static struct hop_dn_norm
describe(const struct hop_cpu_prog *g, int i)
{
    const struct hop_layer_norm *p = g->plan->spec.net->layers[i].params;

    return (struct hop_dn_norm){(float)p->epsilon, p->has_scale, p->has_center, false, false};
}

/* The layer's weights; NULL where it has none. */
static void
places(struct hop_cpu_prog *g, int i, struct hop_cpu_weight **gamma, struct hop_cpu_weight **beta)
{
    const struct hop_layer *l = &g->plan->spec.net->layers[i];
    const struct hop_layer_norm *p = l->params;
    struct hop_cpu_weight *w = &g->plan->weights[l->i_weight];

    *gamma = p->has_scale ? w++ : NULL;
    *beta = p->has_center ? w : NULL;
}

static int
make(struct hop_cpu_prog *g, int i, struct lnorm **out, struct hop_err *e)
{
    const struct hop_layer *l = &g->plan->spec.net->layers[i];
    const struct hop_cpu_value *x = &g->values[hop_cpu_in(g, i, 0)];
    int64_t dims[] = {x->n * x->h * x->w, x->c};
    const struct hop_dn_md *md = hop_dn_md_new(g->set, 1, &x->c, HOP_DN_X, e);
    struct lnorm *s = hop_cpu_own(g, sizeof *s, e);
    int rc = s && md ? HOP_OK : HOP_ENOMEM;

    for (int k = 0; k < l->n_weights && !rc; k++)
        rc = hop_cpu_weight_place(g, l->i_weight + k, md, e);
    if (rc)
        return rc;
    s->rows_md = hop_dn_md_new(g->set, 2, dims, HOP_DN_NC, e);
    s->stat_md = hop_dn_md_new(g->set, 1, dims, HOP_DN_X, e);
    s->mean = hop_cpu_own(g, (size_t)dims[0] * sizeof(float), e);
    s->variance = hop_cpu_own(g, (size_t)dims[0] * sizeof(float), e);
    g->nodes[i].aux = *out = s;
    return s->rows_md && s->stat_md && s->mean && s->variance ? HOP_OK : HOP_ENOMEM;
}

static int
forward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    int v = hop_cpu_in(g, i, 0), rc;
    const struct hop_dn_md *md = hop_cpu_md_last(g, &g->values[v], e);
    struct hop_dn_norm c = describe(g, i);
    struct hop_cpu_weight *gamma, *beta;
    struct hop_cpu_node *nd = &g->nodes[i];
    struct hop_cpu_buf *x;
    struct lnorm *s;

    if (!md || (rc = make(g, i, &s, e)))
        return md ? rc : HOP_ENOMEM;
    /* Always as in training: the row's own statistics, which only then are kept. */
    if ((rc = hop_dn_lnorm(g->set, HOP_DN_TRAIN, &c, s->rows_md, NULL, &nd->fwd, e)) ||
        (rc = hop_cpu_value_as(g, HOP_CPU_FORWARD, v, md, &x, e)) ||
        (rc = hop_cpu_value_new(g, i + 1, md, e)))
        return rc;
    places(g, i, &gamma, &beta);
    struct hop_dn_bind b[] = {{HOP_DN_SRC, s->rows_md, x->p},
                              {HOP_DN_DST, s->rows_md, g->values[i + 1].buf->p},
                              {HOP_DN_MEAN, s->stat_md, s->mean},
                              {HOP_DN_VARIANCE, s->stat_md, s->variance},
                              {HOP_DN_SCALE, gamma ? gamma->md : NULL, gamma ? gamma->v : NULL},
                              {HOP_DN_SHIFT, beta ? beta->md : NULL, beta ? beta->v : NULL}};
    rc = hop_cpu_exec(g, HOP_CPU_FORWARD, nd->fwd, b, 6, e);
    hop_cpu_buf_put(x);
    return rc;
}

static int
backward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    int v = hop_cpu_in(g, i, 0), rc;
    const struct hop_dn_md *md = g->values[i + 1].made;
    struct hop_dn_norm c = describe(g, i);
    struct hop_cpu_weight *gamma, *beta;
    const struct lnorm *s = g->nodes[i].aux;
    struct hop_cpu_buf *x, *dy, *dx;
    struct hop_dn_prim *p;
    float *dgamma, *dbeta;

    places(g, i, &gamma, &beta);
    if ((rc = hop_cpu_gradient_or_scratch(g, gamma, &dgamma, e)) ||
        (rc = hop_cpu_gradient_or_scratch(g, beta, &dbeta, e)))
        return rc;
    if ((rc = hop_dn_lnorm(g->set, HOP_DN_BWD_DATA, &c, s->rows_md, g->nodes[i].fwd, &p, e)) ||
        (rc = hop_cpu_grad_take(g, i + 1, md, &dy, e)) ||
        (rc = hop_cpu_value_as(g, HOP_CPU_BACKWARD, v, md, &x, e)))
        return rc;
    if (!(dx = hop_cpu_grad_new(g, md, e)))
        return HOP_ENOMEM;
    struct hop_dn_bind b[] = {{HOP_DN_SRC, s->rows_md, x->p},
                              {HOP_DN_MEAN, s->stat_md, s->mean},
                              {HOP_DN_VARIANCE, s->stat_md, s->variance},
                              {HOP_DN_DIFF_DST, s->rows_md, dy->p},
                              {HOP_DN_DIFF_SRC, s->rows_md, dx->p},
                              {HOP_DN_SCALE, gamma ? gamma->md : NULL, gamma ? gamma->v : NULL},
                              {HOP_DN_SHIFT, beta ? beta->md : NULL, beta ? beta->v : NULL},
                              {HOP_DN_DIFF_SCALE, gamma ? gamma->md : NULL, dgamma},
                              {HOP_DN_DIFF_SHIFT, beta ? beta->md : NULL, dbeta}};
    rc = hop_cpu_exec(g, HOP_CPU_BACKWARD, p, b, 9, e);
    hop_cpu_buf_put(x);
    hop_cpu_buf_put(dy);
    return rc ? rc : hop_cpu_grad_give(g, v, md, dx, e);
}

const struct hop_cpu_op hop_cpu_op_layer_normalization = {"LayerNormalization", forward, backward};
