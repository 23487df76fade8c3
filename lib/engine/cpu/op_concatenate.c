/* Concatenate along the channels: whole examples where all inputs are blocked alike without
 * padding, else, channels-last, row by row. */
#include <string.h>
#include "engine/cpu/plan.h"

struct concatenate {
    int64_t n_runs, width; /* y is [n_runs][width] */
    int n_in;
    int64_t len[HOP_NET_INPUTS]; /* each input [n_runs][len] */
    const float *x[HOP_NET_INPUTS];
    float *y;
    const float *dy;
    float *dx[HOP_NET_INPUTS]; /* NULL: not wanted */
};

static void
run_forward(void *arg, const struct hop_cpu_now *now)
{
    const struct concatenate *s = arg;
    float *y = s->y;

    (void)now;
    for (int64_t i = 0; i < s->n_runs; i++)
        for (int k = 0; k < s->n_in; y += s->len[k], k++)
            memcpy(y, s->x[k] + i * s->len[k], (size_t)s->len[k] * sizeof *y);
}

static void
run_backward(void *arg, const struct hop_cpu_now *now)
{
    const struct concatenate *s = arg;
    const float *dy = s->dy;

    (void)now;
    for (int64_t i = 0; i < s->n_runs; i++)
        for (int k = 0; k < s->n_in; dy += s->len[k], k++)
            if (s->dx[k])
                memcpy(s->dx[k] + i * s->len[k], dy, (size_t)s->len[k] * sizeof *dy);
}

/* The layout of value v, if `like` is that of one of its kind. */
static const struct hop_dn_md *
layout(struct hop_cpu_prog *g, const struct hop_cpu_value *v, const struct hop_dn_md *like,
       struct hop_err *e)
{
    int64_t dims[] = {v->n, v->c, v->h, v->w};

    return like ? hop_dn_md_like(g->set, like, dims, e) : hop_cpu_md_last(g, v, e);
}

/* The first input's layout, if copies of whole examples do; else NULL. */
static const struct hop_dn_md *
choose(struct hop_cpu_prog *g, int i)
{
    const struct hop_cpu_value *y = &g->values[i + 1];
    const struct hop_dn_md *first = g->values[hop_cpu_in(g, i, 0)].md, *md;
    struct hop_err ignored = {0};
    int64_t b = first && !hop_dn_md_is_bf16(first) ? hop_dn_md_block(first) : 0;

    if (!b || y->is_flat || !(md = layout(g, y, first, &ignored)) || hop_dn_md_block(md) != b)
        return NULL;
    for (int k = 0; k < g->plan->spec.net->layers[i].n_in; k++) {
        const struct hop_cpu_value *x = &g->values[hop_cpu_in(g, i, k)];

        if (x->c % b || !x->md || !(md = layout(g, x, first, &ignored)) ||
            !hop_dn_md_equal(md, x->md))
            return NULL;
    }
    return first;
}

static int
forward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    const struct hop_dn_md *like = choose(g, i), *md = layout(g, &g->values[i + 1], like, e);
    struct concatenate *s = hop_cpu_own(g, sizeof *s, e);
    struct hop_cpu_value *y = &g->values[i + 1], *x;
    struct hop_cpu_buf *bufs[HOP_NET_INPUTS];
    int64_t hw = y->h * y->w;
    int rc;

    if (!md || !s)
        return HOP_ENOMEM;
    *s = (struct concatenate){.n_in = g->plan->spec.net->layers[i].n_in,
                              .n_runs = like ? y->n : y->n * hw,
                              .width = like ? y->c * hw : y->c};
    for (int k = 0; k < s->n_in; k++) {
        x = &g->values[hop_cpu_in(g, i, k)];
        if (!(md = layout(g, x, like, e)) ||
            (rc = hop_cpu_value_as(g, HOP_CPU_FORWARD, hop_cpu_in(g, i, k), md, &bufs[k], e)))
            return md ? rc : HOP_ENOMEM;
        s->len[k] = like ? x->c * hw : x->c;
        s->x[k] = bufs[k]->p;
    }
    if (!(md = layout(g, y, like, e)) || (rc = hop_cpu_value_new(g, i + 1, md, e)))
        return md ? rc : HOP_ENOMEM;
    s->y = y->buf->p;
    for (int k = 0; k < s->n_in; k++)
        hop_cpu_buf_put(bufs[k]);
    g->nodes[i].aux = s;
    g->nodes[i].md = like;
    g->nodes[i].is_input_free = true;
    return hop_cpu_call(g, HOP_CPU_FORWARD, run_forward, s, e);
}

static int
backward(struct hop_cpu_prog *g, int i, struct hop_err *e)
{
    struct concatenate *s = g->nodes[i].aux;
    const struct hop_dn_md *md;
    struct hop_cpu_buf *dy, *dx[HOP_NET_INPUTS] = {NULL};
    int v, rc = hop_cpu_grad_take(g, i + 1, g->values[i + 1].made, &dy, e);

    if (rc)
        return rc;
    s->dy = dy->p;
    for (int k = 0; k < s->n_in; k++) {
        v = hop_cpu_in(g, i, k);
        if (!g->values[v].wants_grad)
            continue;
        md = layout(g, &g->values[v], g->nodes[i].md, e);
        if (!md || !(dx[k] = hop_cpu_grad_new(g, md, e)))
            return HOP_ENOMEM;
        s->dx[k] = dx[k]->p;
    }
    rc = hop_cpu_call(g, HOP_CPU_BACKWARD, run_backward, s, e);
    hop_cpu_buf_put(dy);
    for (int k = 0; k < s->n_in && !rc; k++) {
        v = hop_cpu_in(g, i, k);
        if (!dx[k])
            continue;
        md = layout(g, &g->values[v], g->nodes[i].md, e);
        rc = md ? hop_cpu_grad_give(g, v, md, dx[k], e) : HOP_ENOMEM;
    }
    return rc;
}

const struct hop_cpu_op hop_cpu_op_concatenate = {"Concatenate", forward, backward};
