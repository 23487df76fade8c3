/* Passes over bound data: train, evaluate, predict, gradient. */
#include <math.h>
#include <string.h>
#include "base/rng.h"
#include "engine/cpu/plan.h"

/* Examples at, at+1, ... of the pass's order (perm NULL: the shard's) into the program's input. */
static void
gather(struct hop_cpu_prog *g, const struct hop_data *d, const struct hop_perm *perm, int64_t at)
{
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < g->n; i++) {
        int64_t from = perm ? (int64_t)hop_perm_at(perm, (uint64_t)(at + i)) : at + i;

        hop_cpu_input_row(d, from, &g->values[0], i);
        hop_cpu_targets_row(g, d, from, i);
    }
}

/* From logits to predictions; the batch's loss and hits are added to r. */
static void
score(struct hop_cpu_prog *g, const struct hop_data *x, struct hop_result *r)
{
    hop_cpu_score(g, x, r);
    r->loss += hop_cpu_penalty(g->plan) * (double)g->n;
}

static void
finish(struct hop_result *r)
{
    r->loss = r->n_examples ? r->loss / (double)r->n_examples : 0;
    r->is_diverged = !isfinite(r->loss);
}

/* Forward, loss and backward over the gathered batch. */
static int
differentiate(struct hop_cpu_prog *g, const struct hop_data *x, const struct hop_pass *pass,
              struct hop_result *r, struct hop_err *e)
{
    struct hop_cpu_now now = {pass->dropout_key, (uint32_t)g->plan->step};
    struct hop_cpu_value *z = &g->values[g->plan->n_ops];
    int rc;

    if ((rc = hop_cpu_prog_run(g, HOP_CPU_PREPARE, &now, e)) ||
        (rc = hop_cpu_prog_run(g, HOP_CPU_FORWARD, &now, e)))
        return rc;
    score(g, x, r);
    if (!z->wants_grad)
        return HOP_OK;
    hop_cpu_loss_gradient(g, x, g->n);
    if ((rc = hop_cpu_prog_run(g, HOP_CPU_BACKWARD, &now, e)))
        return rc;
    hop_cpu_add_penalty_gradient(g->plan);
    return HOP_OK;
}

/* The programs for the full batches and the last, smaller one; NULL where there is none. All
 * memory is taken here, none in the loop over batches. */
static int
programs(struct hop_plan *p, int64_t n, bool is_training, struct hop_cpu_prog **full,
         struct hop_cpu_prog **tail, struct hop_err *e)
{
    int64_t B = p->spec.batch_size;
    int rc = HOP_OK;

    *full = *tail = NULL;
    hop_dn_threads(p->d->n_threads);
    if (n >= B)
        rc = hop_cpu_prog_get(p, B, is_training, full, e);
    if (!rc && n % B)
        rc = hop_cpu_prog_get(p, n % B, is_training, tail, e);
    return rc;
}

int
hop_cpu_train(struct hop_plan *p, struct hop_data *x, const struct hop_pass *pass,
              struct hop_result *r, struct hop_err *e)
{
    struct hop_cpu_prog *full, *tail, *g;
    struct hop_perm perm;
    int64_t n = x->x.n, B = p->spec.batch_size, at;
    int rc;

    *r = (struct hop_result){0};
    if ((rc = hop_examples_check(&x->x, &p->spec, true, e)) || (rc = programs(p, n, true, &full, &tail, e)))
        return rc;
    hop_perm_init(&perm, (uint64_t)n, pass->shuffle_key, (uint32_t)pass->visit,
                  (uint32_t)pass->i_pass);
    for (at = 0; at < n; at += g->n) {
        g = n - at >= B ? full : tail;
        gather(g, x, &perm, at);
        if ((rc = differentiate(g, x, pass, r, e)))
            return rc;
        r->lr = hop_cpu_update(p);
        r->n_steps++;
        if (pass->progress && !pass->progress(pass->progress_arg, at + g->n, n))
            return hop_pass_told_to_end(e);
    }
    /* oneDNN's ReLU makes 0 of NaN, so broken weights need not show in the loss. */
    if (!hop_cpu_weights_are_finite(p))
        r->loss = NAN;
    finish(r);
    return HOP_OK;
}

/* Forward over the next batch of the shard's order. */
static int
infer(struct hop_cpu_prog *g, const struct hop_data *x, int64_t at, struct hop_err *e)
{
    struct hop_cpu_now now = {0};

    gather(g, x, NULL, at);
    return hop_cpu_prog_run(g, HOP_CPU_FORWARD, &now, e);
}

static int
prepare(struct hop_cpu_prog *full, struct hop_cpu_prog *tail, struct hop_err *e)
{
    struct hop_cpu_now now = {0};
    int rc = full ? hop_cpu_prog_run(full, HOP_CPU_PREPARE, &now, e) : HOP_OK;

    return rc || !tail ? rc : hop_cpu_prog_run(tail, HOP_CPU_PREPARE, &now, e);
}

int
hop_cpu_evaluate(struct hop_plan *p, struct hop_data *x, float *predictions, struct hop_result *r,
                 struct hop_err *e)
{
    struct hop_cpu_prog *full, *tail, *g;
    int64_t K = p->spec.net->output.d[0], at;
    int rc;

    *r = (struct hop_result){0};
    if ((rc = hop_examples_check(&x->x, &p->spec, true, e)) || (rc = programs(p, x->x.n, false, &full, &tail, e)) ||
        (rc = prepare(full, tail, e)))
        return rc;
    for (at = 0; at < x->x.n; at += g->n) {
        g = x->x.n - at >= p->spec.batch_size ? full : tail;
        if ((rc = infer(g, x, at, e)))
            return rc;
        score(g, x, r);
        if (predictions)
            memcpy(predictions + at * K, g->p, (size_t)(g->n * K) * sizeof(float));
    }
    finish(r);
    return HOP_OK;
}

int
hop_cpu_predict(struct hop_plan *p, struct hop_data *x, float *predictions, struct hop_err *e)
{
    int64_t K = p->spec.net->output.d[0], at;
    struct hop_cpu_prog *full, *tail, *g;
    int rc;

    if ((rc = hop_examples_check(&x->x, &p->spec, false, e)) || (rc = programs(p, x->x.n, false, &full, &tail, e)) ||
        (rc = prepare(full, tail, e)))
        return rc;
    for (at = 0; at < x->x.n; at += g->n) {
        g = x->x.n - at >= p->spec.batch_size ? full : tail;
        if ((rc = infer(g, x, at, e)))
            return rc;
        hop_cpu_link(g);
        memcpy(predictions + at * K, g->p, (size_t)(g->n * K) * sizeof(float));
    }
    return HOP_OK;
}

int
hop_cpu_gradient(struct hop_plan *p, struct hop_data *x, const struct hop_pass *pass,
                 float *gradient, double *loss, struct hop_err *e)
{
    int64_t n = x->x.n < p->spec.batch_size ? x->x.n : p->spec.batch_size;
    struct hop_result r = {0};
    struct hop_cpu_prog *g;
    struct hop_perm perm;
    int rc;

    hop_dn_threads(p->d->n_threads);
    if ((rc = hop_examples_check(&x->x, &p->spec, true, e)) || (rc = hop_cpu_prog_get(p, n, true, &g, e)))
        return rc;
    hop_perm_init(&perm, (uint64_t)x->x.n, pass->shuffle_key, (uint32_t)pass->visit,
                  (uint32_t)pass->i_pass);
    gather(g, x, &perm, 0);
    if ((rc = differentiate(g, x, pass, &r, e)))
        return rc;
    finish(&r);
    *loss = r.loss;
    hop_cpu_gradient_out(p, gradient);
    return HOP_OK;
}
