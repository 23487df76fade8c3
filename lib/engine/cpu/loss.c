/* Predictions, loss and its gradient: ref's arithmetic over the program's batch. */
#include <string.h>
#include "engine/cpu/plan.h"
#include "engine/ref/loss.h"

void
hop_cpu_softmax(const float *z, int64_t n, int64_t K, float *p)
{
    for (int64_t i = 0; i < n; i++)
        ref_softmax_row(z + i * K, p + i * K, K);
}

static const float *
logits(const struct hop_cpu_prog *g)
{
    return g->values[g->plan->n_ops].buf->p;
}

static int64_t
n_outputs(const struct hop_cpu_prog *g)
{
    return g->plan->spec.net->output.d[0];
}

static struct ref_targets
targets(const struct hop_cpu_prog *g, const struct hop_data *x)
{
    return (struct ref_targets){.y = x->x.y ? g->y : NULL, .t = x->x.t ? g->t : NULL,
                                .class_weight = g->is_training ? x->x.class_weight : NULL};
}

void
hop_cpu_targets_row(struct hop_cpu_prog *g, const struct hop_data *x, int64_t from, int64_t to)
{
    int64_t K = x->x.n_targets;

    if (x->x.y)
        g->y[to] = x->x.y[from];
    if (x->x.t)
        memcpy(g->t + to * K, x->x.t + from * K, (size_t)K * sizeof *g->t);
}

void
hop_cpu_link(struct hop_cpu_prog *g)
{
    ref_loss_link(&g->plan->spec.loss, logits(g), g->n, n_outputs(g), g->p);
}

void
hop_cpu_score(struct hop_cpu_prog *g, const struct hop_data *x, struct hop_result *r)
{
    struct ref_targets t = targets(g, x);

    hop_cpu_link(g);
    r->loss += ref_loss_sum(&g->plan->spec.loss, logits(g), g->n, n_outputs(g), &t);
    r->n_correct += ref_loss_hits(g->p, g->n, n_outputs(g), &t);
    r->n_examples += g->n;
}

void
hop_cpu_loss_gradient(struct hop_cpu_prog *g, const struct hop_data *x, int64_t n_batch)
{
    struct ref_targets t = targets(g, x);

    ref_loss_gradient(&g->plan->spec.loss, g->p, g->n, n_outputs(g), &t, n_batch, g->dz);
}
