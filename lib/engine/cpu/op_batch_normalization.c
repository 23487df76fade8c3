/* BatchNormalization over the last axis. Flat inputs are [N,C,1,1] to oneDNN. */
#include <string.h>
#include "engine/cpu/norm_back.h"
#include "engine/cpu/plan.h"

struct bnorm {
    int64_t c;
    float keep, unbias;
    float *mean, *variance; /* [c] of the batch */
    float *moving_mean, *moving_variance;
    void *signs; /* of a fused ReLU, in the library's form; or NULL */
};

/* The layer's weights in order: gamma and beta if there are such, then the moving statistics. */
struct places {
    struct hop_cpu_weight *gamma, *beta, *mean, *variance;
};

static struct places
places(struct hop_cpu_prog *g, int i)
{
    const struct hop_layer *l = &g->plan->spec.net->layers[i];
    const struct hop_batch_norm *p = l->params;
    struct hop_cpu_weight *w = &g->plan->weights[l->i_weight];
    struct places at = {NULL, NULL, NULL, NULL};

    if (p->has_scale)
        at.gamma = w++;
    if (p->has_center)
        at.beta = w++;
    at.mean = w++;
    at.variance = w;
    return at;
}

static int
place_weights(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    const struct hop_layer *l = &g->plan->spec.net->layers[i];
    const struct hop_dn_md *md = hop_dn_md_new(g->set, 1, &g->values[i + 1].c, HOP_DN_X, e);
    int rc = md ? HOP_OK : HOP_ENOMEM;

    for (int k = 0; k < l->n_weights && !rc; k++)
        rc = hop_cpu_weight_place(g, l->i_weight + k, md, e);
    return rc;
}

static void
move_statistics(void *arg, const struct hop_cpu_now *now)
{
    const struct bnorm *s = arg;

    (void)now;
    for (int64_t c = 0; c < s->c; c++) {
        float mean = s->mean[c], variance = s->variance[c] * s->unbias;

        s->moving_mean[c] = s->moving_mean[c] - (s->moving_mean[c] - mean) * s->keep;
        s->moving_variance[c] =
            s->moving_variance[c] - (s->moving_variance[c] - variance) * s->keep;
    }
}

/* The primitive: with the ReLU that follows, if there is one for both; in the layout of the input,
 * or channels-last if that has no fast one. */
static int
choose(struct hop_cpu_prog *g, int i, struct hop_dn_norm *c, struct hop_err *e)
{
    enum hop_dn_pass pass = g->is_training ? HOP_DN_TRAIN : HOP_DN_INFER;
    const struct hop_cpu_value *x = &g->values[hop_cpu_in(g, i, 0)];
    struct hop_cpu_node *nd = &g->nodes[i], *next = NULL;
    const struct hop_activation *act = hop_cpu_next_act(g, i, &next);
    const struct hop_dn_md *last = hop_cpu_md_typed(g, x, HOP_DN_NHWC, x->md, e);
    struct hop_err ignored = {0};

    if (!last)
        return HOP_ENOMEM;
    for (int k = 0; k < 4; k++) {
        nd->md = k % 2 || x->is_flat ? last : x->md;
        c->has_relu = k < 2;
        hop_err_clear(&ignored);
        if ((c->has_relu && (!act || act->act != HOP_RELU)) ||
            hop_dn_bnorm(g->set, pass, c, nd->md, NULL, &nd->fwd, &ignored) ||
            hop_dn_prim_is_slow(nd->fwd))
            continue;
        if (c->has_relu)
            next->is_absorbed = true;
        return HOP_OK;
    }
    return hop_dn_bnorm(g->set, pass, c, nd->md, NULL, &nd->fwd, e);
}

static struct hop_dn_norm
describe(const struct hop_cpu_prog *g, int i)
{
    const struct hop_batch_norm *p = g->plan->spec.net->layers[i].params;

    return (struct hop_dn_norm){(float)p->epsilon, p->has_scale, p->has_center, false,
                                g->plan->spec.net->layers[i].is_frozen};
}

/* The input as nd->md sees it. */
static int
input(struct hop_cpu_prog *g, enum hop_cpu_list list, int i, struct hop_cpu_buf **out,
      struct hop_err *e)
{
    int v = hop_cpu_in(g, i, 0);

    return hop_cpu_value_as(g, list, v, g->values[v].is_flat ? g->values[v].md : g->nodes[i].md,
                            out, e);
}

static int
make_statistics(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    const struct hop_batch_norm *p = g->plan->spec.net->layers[i].params;
    const struct hop_cpu_value *x = &g->values[hop_cpu_in(g, i, 0)];
    struct places at = places(g, i);
    float count = (float)(x->n * x->h * x->w);
    struct bnorm *s = hop_cpu_own(g, sizeof *s, e);

    if (!s)
        return HOP_ENOMEM;
    *s = (struct bnorm){.c = x->c,
                        .keep = (float)(1.0 - p->momentum),
                        .unbias = 1.0f,
                        .moving_mean = at.mean->v,
                        .moving_variance = at.variance->v};
    /* As Keras 2's fused kernel, which does images only. */
    if (g->plan->spec.net->layers[i].in_shape.n_dims == 3 && count > 1.0f)
        s->unbias = count / (count - 1.0f);
    s->mean = hop_cpu_own(g, (size_t)x->c * sizeof(float), e);
    s->variance = hop_cpu_own(g, (size_t)x->c * sizeof(float), e);
    g->nodes[i].aux = s;
    if (!s->mean || !s->variance)
        return HOP_ENOMEM;
    if (!g->plan->spec.net->layers[i].is_frozen)
        return HOP_OK;
    s->mean = at.mean->v;
    s->variance = at.variance->v;
    return HOP_OK;
}

/* Memory for the signs of a fused ReLU; NULL where there is none. */
static int
workspace(struct hop_cpu_prog *g, int i, const struct hop_dn_md **md, struct hop_err *e)
{
    struct bnorm *s = g->nodes[i].aux;

    *md = s ? hop_dn_prim_md(g->set, g->nodes[i].fwd, HOP_DN_WORKSPACE, e) : NULL;
    if (*md && !s->signs && !(s->signs = hop_cpu_own(g, hop_dn_md_bytes(*md), e)))
        return HOP_ENOMEM;
    return HOP_OK;
}

static int
forward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    int v = hop_cpu_in(g, i, 0), rc;
    struct hop_cpu_value *x = &g->values[v], *y = &g->values[i + 1];
    struct hop_dn_norm c = describe(g, i);
    struct hop_cpu_node *nd = &g->nodes[i];
    const struct hop_dn_md *signs_md;
    struct places at;
    const struct bnorm *s;
    struct hop_cpu_buf *b_x;

    if ((rc = hop_cpu_value_any(g, v, e)) || (rc = place_weights(g, i, e)) ||
        (rc = choose(g, i, &c, e)))
        return rc;
    if ((g->is_training && (rc = make_statistics(g, i, e))) ||
        (rc = workspace(g, i, &signs_md, e)) || (rc = input(g, HOP_CPU_FORWARD, i, &b_x, e)) ||
        (rc = hop_cpu_value_new(g, i + 1, x->is_flat ? x->md : nd->md, e)))
        return rc;
    at = places(g, i);
    s = nd->aux;
    struct hop_dn_bind b[] = {{HOP_DN_SRC, nd->md, b_x->p},
                              {HOP_DN_DST, nd->md, y->buf->p},
                              {HOP_DN_MEAN, at.mean->md, s ? s->mean : at.mean->v},
                              {HOP_DN_VARIANCE, at.mean->md, s ? s->variance : at.variance->v},
                              {HOP_DN_SCALE, at.mean->md, at.gamma ? at.gamma->v : NULL},
                              {HOP_DN_SHIFT, at.mean->md, at.beta ? at.beta->v : NULL},
                              {HOP_DN_WORKSPACE, signs_md, s ? s->signs : NULL}};
    rc = hop_cpu_exec(g, HOP_CPU_FORWARD, nd->fwd, b, 7, e);
    hop_cpu_buf_put(b_x);
    if (!rc && s && !c.is_frozen)
        rc = hop_cpu_call(g, HOP_CPU_FORWARD, move_statistics, nd->aux, e);
    nd->is_fused = c.has_relu;
    return rc;
}

/* ---- with the ReLU before ---- */

static void
run_back(void *arg, const struct hop_cpu_now *now)
{
    (void)now;
    hop_cpu_norm_back(arg);
}

/* Is the input a ReLU's output, read by this layer alone, in a layout that norm_back knows? */
static bool
follows_relu(const struct hop_cpu_prog *g, int i)
{
    int v = hop_cpu_in(g, i, 0);
    const struct hop_layer *l = v > 0 ? &g->plan->spec.net->layers[v - 1] : NULL;

    return l && !strcmp(l->kind->op, "Activation") &&
           ((const struct hop_activation *)l->params)->act == HOP_RELU &&
           !g->nodes[v - 1].is_absorbed && g->values[v].n_readers == 1 &&
           g->values[v].wants_grad && !g->values[v].is_flat && !g->nodes[i].is_fused &&
           !g->plan->spec.net->layers[i].is_frozen &&
           hop_dn_md_block(g->nodes[i].md) % HOP_CPU_NORM_LANES == 0;
}

static int
backward_with_relu(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    const struct hop_batch_norm *p = g->plan->spec.net->layers[i].params;
    int v = hop_cpu_in(g, i, 0), rc;
    const struct hop_cpu_value *x = &g->values[v];
    struct hop_cpu_node *nd = &g->nodes[i];
    const struct bnorm *s = nd->aux;
    struct places at = places(g, i);
    struct hop_cpu_norm_back *back = hop_cpu_own(g, sizeof *back, e);
    struct hop_cpu_buf *b_x, *dy, *dx;

    if (!back)
        return HOP_ENOMEM;
    if ((rc = hop_cpu_grad_take(g, i + 1, nd->md, &dy, e)) ||
        (rc = input(g, HOP_CPU_BACKWARD, i, &b_x, e)))
        return rc;
    if (!(dx = hop_cpu_grad_over(g, dy, nd->md, e)))
        return HOP_ENOMEM;
    *back = (struct hop_cpu_norm_back){.n = x->n,
                                       .hw = x->h * x->w,
                                       .c = x->c,
                                       .block = hop_dn_md_block(nd->md),
                                       .is_bf16 = hop_dn_md_is_bf16(nd->md),
                                       .epsilon = (float)p->epsilon,
                                       .mean = s->mean,
                                       .variance = s->variance,
                                       .gamma = at.gamma ? at.gamma->v : NULL,
                                       .dgamma = at.gamma ? at.gamma->g : NULL,
                                       .dbeta = at.beta ? at.beta->g : NULL,
                                       .x = b_x->p,
                                       .dy = dy->p,
                                       .dx = dx->p};
    rc = hop_cpu_call(g, HOP_CPU_BACKWARD, run_back, back, e);
    hop_cpu_buf_put(b_x);
    hop_cpu_buf_put(dy);
    g->nodes[v - 1].is_absorbed = true; /* its backward pass is done */
    return rc ? rc : hop_cpu_grad_give(g, v, nd->md, dx, e);
}

static int
backward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    int v = hop_cpu_in(g, i, 0), rc;
    struct hop_cpu_value *x = &g->values[v];
    struct hop_dn_norm c = describe(g, i);
    struct hop_cpu_node *nd = &g->nodes[i];
    const struct hop_dn_md *md = x->is_flat ? x->md : nd->md, *signs_md;
    const struct bnorm *s = nd->aux;
    struct places at = places(g, i);
    struct hop_cpu_buf *b_x, *dy, *dx;
    struct hop_dn_prim *p;
    float *dgamma, *dbeta;

    if (follows_relu(g, i))
        return backward_with_relu(g, i, e);
    c.has_relu = nd->is_fused;
    if ((rc = hop_cpu_gradient_or_scratch(g, at.gamma, &dgamma, e)) ||
        (rc = hop_cpu_gradient_or_scratch(g, at.beta, &dbeta, e)))
        return rc;
    if ((rc = hop_dn_bnorm(g->set, HOP_DN_BWD_DATA, &c, nd->md, nd->fwd, &p, e)) ||
        (rc = hop_cpu_grad_take(g, i + 1, md, &dy, e)) || (rc = workspace(g, i, &signs_md, e)) ||
        (rc = input(g, HOP_CPU_BACKWARD, i, &b_x, e)))
        return rc;
    if (!(dx = hop_cpu_grad_new(g, md, e)))
        return HOP_ENOMEM;
    struct hop_dn_bind b[] = {{HOP_DN_SRC, nd->md, b_x->p},
                              {HOP_DN_MEAN, at.mean->md, s->mean},
                              {HOP_DN_VARIANCE, at.mean->md, s->variance},
                              {HOP_DN_DIFF_DST, nd->md, dy->p},
                              {HOP_DN_SCALE, at.mean->md, at.gamma ? at.gamma->v : NULL},
                              {HOP_DN_SHIFT, at.mean->md, at.beta ? at.beta->v : NULL},
                              {HOP_DN_DIFF_SRC, nd->md, dx->p},
                              {HOP_DN_DIFF_SCALE, at.mean->md, dgamma},
                              {HOP_DN_DIFF_SHIFT, at.mean->md, dbeta},
                              {HOP_DN_WORKSPACE, signs_md, s->signs}};
    rc = hop_cpu_exec(g, HOP_CPU_BACKWARD, p, b, 10, e);
    hop_cpu_buf_put(b_x);
    hop_cpu_buf_put(dy);
    return rc ? rc : hop_cpu_grad_give(g, v, md, dx, e);
}

const struct hop_cpu_op hop_cpu_op_batch_normalization = {"BatchNormalization", forward, backward};
